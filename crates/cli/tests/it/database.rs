//! `database` from the shell: scans are taken in, found again as leads, and what is bad is passed over.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};

/// Runs `microstamp database …` and returns exit code, standard output and standard error.
fn database(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("microstamp").unwrap();
    let output = command.arg("database").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The same on so many threads; standard output alone, in bytes.
fn database_on(threads: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::cargo_bin("microstamp").unwrap();
    let output = command.args(["--threads", threads, "database"]).args(arguments).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
    output.stdout
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// Two cases each of three simulated firearms, coarse enough to be quick.
fn scans(folder: &Path) -> String {
    let scans = path(folder, "scans");
    let made =
        database(&["generate", &scans, "--count", "6", "--cases", "2", "--models", "2", "--pitch", "12.5um"]);
    assert_eq!(made.0, 0, "{}", made.2);
    scans
}

#[test]
fn the_other_case_of_a_firearm_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let indexed = database(&["index", &scans, "--database", &db]);
    assert_eq!(
        (indexed.0, indexed.1.as_str()),
        (0, "6 taken in, 0 there already, 0 left out; the database holds 6\n")
    );
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let picture = path(folder.path(), "leads.png");
    let pages = path(folder.path(), "pages");
    let (exit, out, err) =
        database(&["search", &asked, "--database", &db, "--json", "--picture", &picture, "--html", &pages]);
    assert_eq!(exit, 0, "{err}");
    let leads: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(leads["schema"], "microstamp.leads/1");
    assert_eq!((&leads["query"]["record"], &leads["searched"]), (&Value::from(2), &Value::from(5)));
    let first = &leads["leads"][0];
    assert_eq!(
        (first["name"].as_str(), first["detail"].as_str()),
        (Some("simulated-1-000003.x3p"), Some("full"))
    );
    assert_eq!(first["origin"], "simulated");
    assert!(first["likelihood_ratio"]["log10"].as_f64().unwrap() > 1.0, "{first}");
    assert!(leads["leads"][1]["likelihood_ratio"]["log10"].as_f64().unwrap() < 0.0);
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(format!("{pages}/index.html")).unwrap().contains("lead-1.html"));
    assert!(!out.contains("match"), "a lead is never called a match");
}

#[test]
fn indexing_goes_on_where_it_stopped_and_passes_bad_scans_over() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let first = format!("{scans}/simulated-1-000000.x3p");
    assert_eq!(
        database(&["add", &first, "--database", &db, "--calibre", "9 mm", "--date", "2025-03-01"]).0,
        0
    );
    fs::write(format!("{scans}/bad.x3p"), b"no scan").unwrap();
    let (exit, out, err) = database(&["index", &scans, "--database", &db]);
    assert_eq!((exit, out.as_str()), (0, "5 taken in, 1 there already, 1 left out; the database holds 6\n"));
    assert!(err.contains("bad.x3p"), "{err}");
    let (_, table, _) = database(&["export", "--database", &db]);
    assert_eq!(table.lines().count(), 7);
    assert!(table.lines().nth(1).unwrap().ends_with("simulated,,9 mm,,2025-03-01"), "{table}");
}

#[test]
fn what_a_crash_left_behind_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let scan = |n: usize| format!("{scans}/simulated-1-00000{n}.x3p");
    assert_eq!(database(&["add", &scan(0), &scan(1), "--database", &db]).0, 0);
    let file = format!("{db}/features.bin");
    let whole = fs::read(&file).unwrap();
    let marker = format!("{db}/features.writing");
    assert!(!fs::exists(&marker).unwrap(), "nobody writes");
    // A writer that was interrupted: it had begun behind the second scan.
    fs::write(&marker, "2\n").unwrap();
    fs::write(&file, [&whole[..], &whole[8192..], &[7; 5000]].concat()).unwrap();
    assert_eq!(database(&["search", &scan(0), "--database", &db]).0, 0, "a torn record is never looked at");
    assert_eq!(database(&["add", &scan(2), "--database", &db]).0, 0);
    let mended = fs::read(&file).unwrap();
    assert_eq!((mended.len(), &mended[..whole.len()]), (whole.len() + 8192, &whole[..]));
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let (exit, _, err) = database(&["search", &scan(0), "--database", &db]);
    assert_eq!(exit, 3);
    assert!(err.contains("fewer records than the catalogue"), "{err}");
}

#[test]
fn filters_leave_out_only_what_is_known_to_differ() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let table = path(folder.path(), "told.csv");
    let rows = "file,exhibit,calibre,class,date\nsimulated-1-000001.x3p,E-1,9 mm,round,2024-01-01\nsimulated-1-000002.x3p,E-2,.45,,2025-06-01\n";
    fs::write(&table, rows).unwrap();
    assert_eq!(database(&["index", &scans, "--database", &db, "--metadata", &table]).0, 0);
    let asked = format!("{scans}/simulated-1-000000.x3p");
    let searched = |filters: &[&str]| -> u64 {
        let arguments = [&["search", &asked, "--database", &db, "--json"], filters].concat();
        let (_, out, err) = database(&arguments);
        serde_json::from_str::<Value>(&out).expect(&err)["searched"].as_u64().unwrap()
    };
    assert_eq!(searched(&[]), 5);
    assert_eq!(searched(&["--calibre", "9 mm"]), 4);
    assert_eq!(searched(&["--calibre", "9MM"]), 4, "as it is written does not matter");
    assert_eq!(searched(&["--calibre", "45"]), 4);
    assert_eq!(searched(&["--class", "square"]), 4);
    assert_eq!(searched(&["--from", "2025-01-01"]), 4);
    assert_eq!(searched(&["--from", "2024-06-01", "--to", "2024-12-31"]), 3);
    assert_eq!(searched(&["--real-only"]), 0);
}

#[test]
fn features_are_made_straight_into_an_index_and_stay_labelled() {
    let folder = tempfile::tempdir().unwrap();
    let db = path(folder.path(), "db");
    let made = database(&["generate", "--index", &db, "--count", "20", "--seed", "4"]);
    assert_eq!(
        made.1, "20 made at 25 um and taken in, 0 there already; the database holds 20\n",
        "{}",
        made.2
    );
    let again = database(&["generate", "--index", &db, "--count", "21", "--seed", "4"]);
    assert_eq!(
        again.1, "1 made at 25 um and taken in, 20 there already; the database holds 21\n",
        "{}",
        again.2
    );
    assert_eq!(fs::metadata(format!("{db}/features.bin")).unwrap().len(), 22 * 8192);
    let (_, table, _) = database(&["export", "--database", &db]);
    assert_eq!(table.lines().filter(|line| line.contains(",simulated,")).count(), 21);
    let scans = scans(folder.path());
    let asked = format!("{scans}/simulated-1-000000.x3p");
    let (exit, out, _) = database(&["search", &asked, "--database", &db]);
    assert_eq!(exit, 1, "nothing supports one firearm: {out}");
    assert!(out.contains("SIMULATED"));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let asked = format!("{scans}/simulated-1-000000.x3p");
    let bad = path(folder.path(), "bad.x3p");
    fs::write(&bad, b"no scan").unwrap();
    assert_eq!(database(&["search", &asked, "--database", &db]).0, 2, "no database");
    assert_eq!(database(&["add", &bad, "--database", &db]).0, 2, "nothing taken in");
    assert_eq!(database(&["search", &bad, "--database", &db]).0, 2, "no scan");
    assert_eq!(database(&["search", &asked, "--database", &db, "--top", "0"]).0, 2);
    assert_eq!(database(&["generate", "--count", "3"]).0, 2, "nowhere to");
    fs::write(format!("{db}/features.bin"), vec![0; 8192]).unwrap();
    assert_eq!(database(&["search", &asked, "--database", &db]).0, 2, "another file");
}

/// One sentence and at most one hint; nothing on standard output.
fn refused(arguments: &[&str], exit: i32) -> String {
    let (code, out, err) = database(arguments);
    assert_eq!((code, out.as_str()), (exit, ""), "{arguments:?}: {err}");
    let told: Vec<&str> = err.lines().filter(|line| !line.starts_with("hint: ")).collect();
    assert!(told.len() == 1 && told[0].starts_with("error: ") && err.lines().count() <= 2, "{err}");
    err
}

/// A database holds what one preset makes of scans: another is refused, and so are marks that cannot be searched.
#[test]
fn a_database_is_searched_with_the_preset_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let pin = refused(&["index", &scans, "--database", &db, "--preset", "zhang2021"], 2);
    assert!(
        pin.contains("breech faces") && pin.contains("hint: compare firing-pin impressions two by two"),
        "{pin}"
    );
    assert!(!fs::exists(&db).unwrap(), "nothing was made");
    refused(&["index", &scans, "--database", &db, "--preset", "nonesuch"], 2);
    assert_eq!(database(&["index", &scans, "--database", &db, "--preset", "chen2017"]).0, 0);
    let (exit, out, err) = database(&["search", &asked, "--database", &db, "--json"]);
    let leads: Value = serde_json::from_str(&out).expect(&err);
    assert_eq!((exit, &leads["preset"], &leads["ordered_by"]), (0, &"chen2017".into(), &"full".into()));
    let first = &leads["leads"][0];
    assert_eq!(first["name"], "simulated-1-000003.x3p");
    assert!(first["likelihood_ratio"].is_null(), "the built-in calibration is for another preset");
    assert_eq!(first["unweighed"], "no calibration fits");
    assert_eq!(database(&["search", &asked, "--database", &db, "--preset", "chen2017"]).0, 0);
    for preset in ["microstamp-1", "cmcr"] {
        let err = refused(&["search", &asked, "--database", &db, "--preset", preset], 2);
        assert!(err.contains("made with `chen2017`") && err.contains("--preset"), "{err}");
    }
    refused(&["search", &asked, "--database", &db, "--preset", "zhang2021"], 2);
    refused(&["generate", "--index", &db, "--count", "3"], 2);
    let built_in = path(folder.path(), "cal.json");
    fs::write(&built_in, include_str!("../../../comparison/calibration/fadul.json")).unwrap();
    let err = refused(&["search", &asked, "--database", &db, "--calibration", &built_in], 4);
    assert!(err.contains("does not fit"), "{err}");
    // Features of an older version of the program.
    let file = format!("{db}/features.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[7] = 1;
    fs::write(&file, &bytes).unwrap();
    let err = refused(&["search", &asked, "--database", &db], 2);
    assert!(err.contains("older version") && err.contains("hint: index the scans again"), "{err}");
}

/// What is kept in detail and what is not is never mixed into one order, and each lead without a ratio says why.
#[test]
fn leads_of_different_detail_stand_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let scan = |n: usize| format!("{scans}/simulated-1-00000{n}.x3p");
    assert_eq!(database(&["index", &scan(3), "--features-only", "--database", &db]).0, 0);
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let arguments = ["search", &scan(2), "--database", &db];
    let (exit, out, err) = database(&[&arguments[..], &["--json"]].concat());
    let leads: Value = serde_json::from_str(&out).expect(&err);
    assert_eq!((exit, &leads["ordered_by"]), (0, &"index".into()));
    let [first, second] = [0, 1].map(|k| &leads["leads"][k]);
    assert_eq!((&first["name"], &first["detail"]), (&"simulated-1-000003.x3p".into(), &"index".into()));
    assert!(first["unweighed"].as_str().unwrap().contains("too coarse to be weighed"), "{first}");
    assert_eq!((&second["detail"], second["likelihood_ratio"].is_null()), (&"full".into(), false));
    let (_, text, _) = database(&arguments);
    assert!(text.contains("note: not every lead is kept in detail"), "{text}");
    // The same bytes on one thread and on two.
    for extra in [&[][..], &["--json"]] {
        let arguments = [&arguments[..], extra].concat();
        let [one, two] = ["1", "2"].map(|threads| database_on(threads, &arguments));
        assert_eq!(one, two);
    }
    // A picture is a PNG, and says so.
    let page = path(folder.path(), "leads.html");
    let err = refused(&["search", &scan(2), "--database", &db, "--picture", &page], 2);
    assert!(err.contains("must end in `.png`"), "{err}");
}

/// What is done to a file.
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Bytes changed, cut off or put behind: searching and adding end with an answer or one sentence, never with a panic.
#[test]
fn a_spoilt_feature_file_is_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let (features, catalogue) = (format!("{db}/features.bin"), format!("{db}/catalogue.sqlite"));
    let [whole, known] = [&features, &catalogue].map(|file| fs::read(file).unwrap());
    let spoil: [Spoil<'_>; 7] = [
        &|bytes| bytes.clear(),
        &|bytes| bytes.truncate(5000),
        &|bytes| bytes.truncate(3 * 8192 + 17),
        &|bytes| bytes[20] ^= 0xff,
        &|bytes| bytes[2 * 8192..3 * 8192].fill(0xff),
        &|bytes| bytes.iter_mut().skip(8192).step_by(61).for_each(|byte| *byte = !*byte),
        &|bytes| bytes.extend(vec![0xaa; 8192 + 9]),
    ];
    for (case, spoil) in spoil.iter().enumerate() {
        let mut bytes = whole.clone();
        spoil(&mut bytes);
        fs::write(&features, &bytes).unwrap();
        fs::write(&catalogue, &known).unwrap();
        for arguments in [["search", &asked, "--database", &db], ["add", &asked, "--database", &db]] {
            let (exit, _, err) = database(&arguments);
            assert!(
                (0..=4).contains(&exit) && !err.contains("panicked"),
                "case {case} {arguments:?}: {exit} {err}"
            );
            assert!(exit < 2 || err.lines().count() <= 3, "case {case}: {err}");
        }
    }
}

/// A catalogue that was lost or is older does not cut the features of scans that it does not know.
#[test]
fn features_of_a_lost_catalogue_are_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let scan = |n: usize| format!("{scans}/simulated-1-00000{n}.x3p");
    assert_eq!(database(&["add", &scan(0), "--database", &db]).0, 0);
    let [file, catalogue] = ["features.bin", "catalogue.sqlite"].map(|name| format!("{db}/{name}"));
    let older = fs::read(&catalogue).unwrap();
    assert_eq!(database(&["add", &scan(1), &scan(2), "--database", &db]).0, 0);
    let whole = fs::read(&file).unwrap();
    for spoilt in [Some(&older), None] {
        for name in ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"] {
            let _ = fs::remove_file(format!("{db}/{name}"));
        }
        if let Some(older) = spoilt {
            fs::write(&catalogue, older).unwrap();
        }
        let (exit, _, err) = database(&["add", &scan(3), "--database", &db]);
        assert_eq!(exit, 3, "{err}");
        assert!(err.contains("holds 3 scans and the catalogue"), "{err}");
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
}

/// A prepared scan that was damaged is named; its lead is compared at what the index keeps, and the others go on.
#[test]
fn a_damaged_prepared_scan_is_named_and_its_lead_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut catalogue =
            SqliteConnection::connect(&format!("sqlite:{db}/catalogue.sqlite")).await.unwrap();
        sqlx::query("UPDATE prepared SET bytes = substr(bytes, 1, 3000)")
            .execute(&mut catalogue)
            .await
            .unwrap();
        catalogue.close().await.unwrap();
    });
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let (exit, out, err) = database(&["search", &asked, "--database", &db, "--json"]);
    assert!((0..=1).contains(&exit), "{err}");
    let leads: Value = serde_json::from_str(&out).unwrap();
    let first = &leads["leads"][0];
    assert_eq!(
        (first["name"].as_str(), first["detail"].as_str()),
        (Some("simulated-1-000003.x3p"), Some("index"))
    );
    assert!(
        first["likelihood_ratio"].is_null() && first["warnings"][0].as_str().unwrap().contains("damaged"),
        "{first}"
    );
    assert!(!out.contains("seconds") && err.contains("searched in"), "time is no result");
}

#[test]
fn a_search_weighs_by_the_calibration_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let calibration = path(folder.path(), "cal.json");
    let built_in = include_str!("../../../comparison/calibration/fadul.json");
    fs::write(&calibration, built_in.replacen("csafe-fadul", "another set", 1)).unwrap();
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let arguments = ["search", &asked, "--database", &db, "--json", "--calibration", &calibration];
    let (exit, out, err) = database(&arguments);
    assert_eq!(exit, 0, "{err}");
    let leads: Value = serde_json::from_str(&out).unwrap();
    let of = leads["leads"][0]["likelihood_ratio"]["calibration"].as_str().unwrap();
    assert!(of.starts_with("another set"), "{of}");
    fs::write(&calibration, "{}").unwrap();
    assert_eq!(database(&arguments).0, 2);
}
