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
    // Every lead has its page and its picture; one without a place says so.
    let list = fs::read_to_string(format!("{pages}/index.html")).unwrap();
    for (rank, lead) in (1..).zip(leads["leads"].as_array().unwrap()) {
        assert!(fs::read(format!("{pages}/lead-{rank}.png")).unwrap().starts_with(b"\x89PNG"));
        let page = fs::read_to_string(format!("{pages}/lead-{rank}.html")).unwrap();
        assert!(page.contains("simulated: no case was fired"));
        let told = list.split_once(&format!("<figcaption>{rank}. ")).unwrap().1;
        let told = told.split_once("</figcaption>").unwrap().0;
        assert!(told.contains("SIMULATED"), "{told}");
        let placed = lead["converged"].as_bool().unwrap();
        assert_eq!((told.contains("no common place"), lead["rotation_deg"].is_null()), (!placed, !placed));
    }
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
    assert!(table.lines().nth(1).unwrap().ends_with("simulated,,9 mm,,2025-03-01,,,,,"), "{table}");
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
    let reversed = ["search", &asked, "--database", &db, "--from", "2025-01-02", "--to", "2025-01-01"];
    let err = refused(&reversed, 2);
    assert!(err.contains("`--from 2025-01-02` lies after `--to 2025-01-01`"), "{err}");
    let same = ["search", &asked, "--database", &db, "--from", "2025-01-01", "--to", "2025-01-01"];
    assert!(database(&same).0 < 2, "one day");
}

/// Calibres under any of their names, and class characteristics in their terms, from a table and from options.
#[test]
fn filters_go_by_what_words_mean() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    let table = path(folder.path(), "told.csv");
    let rows = "file,calibre,firing_pin,breech_face,aperture,extractor,ejector,remark\n\
        simulated-1-000001.x3p,9 mm Luger,hemispherical,concentric,rectangle,3:00,8,x\n\
        simulated-1-000002.x3p,.380 ACP,rectangular,parallel,round,3,9:30,\n\
        simulated-1-000003.x3p,9x19,elliptical,arched,,2:30,,\n";
    fs::write(&table, rows).unwrap();
    let (exit, _, err) = database(&["index", &scans, "--database", &db, "--metadata", &table]);
    assert_eq!(exit, 0, "{err}");
    assert!(err.contains("the column `remark`") && !err.contains("the column `ejector`"), "{err}");
    let asked = format!("{scans}/simulated-1-000000.x3p");
    let found = |filters: &[&str]| -> Value {
        let arguments = [&["search", &asked, "--database", &db, "--json"], filters].concat();
        let (_, out, err) = database(&arguments);
        serde_json::from_str(&out).expect(&err)
    };
    // Of the five others two say nothing, and are never left out.
    for (filters, left) in [
        (&["--calibre", "9 mm Parabellum"][..], 4),
        (&["--caliber", "9×19 mm"], 4),
        (&["--calibre", "9mm Kurz"], 3),
        (&["--calibre", ".45 ACP"], 2),
        (&["--firing-pin", "round"], 3),
        (&["--breech-face", "straight"], 3),
        (&["--aperture", "rectangular"], 4),
        (&["--extractor", "2"], 5),
        (&["--extractor", "9"], 2),
        (&["--ejector", "8:30"], 5),
        (&["--ejector", "7"], 4),
        (&["--calibre", "9mm", "--firing-pin", "oval", "--extractor", "3"], 3),
    ] {
        assert_eq!(found(filters)["searched"], left, "{filters:?}");
    }
    let told = found(&["--calibre", "9 mm", "--breech-face", "circular", "--from", "2020-01-01"]);
    let filters = &told["filters"];
    assert_eq!(
        [
            &filters["calibre"],
            &filters["breech_face"],
            &filters["from"],
            &filters["to"],
            &filters["real_only"]
        ],
        [&Value::from("9 mm"), &"circular".into(), &"2020-01-01".into(), &Value::Null, &false.into()]
    );
    let lead = told["leads"].as_array().unwrap().iter().find(|lead| lead["name"] == "simulated-1-000001.x3p");
    assert_eq!([&lead.unwrap()["firing_pin"], &lead.unwrap()["extractor"]], ["circular", "3"]);
    // What is no term is refused wherever it is given.
    for wrong in [
        ["--firing-pin", "pointed"],
        ["--breech-face", "spiral"],
        ["--extractor", "13"],
        ["--ejector", "left"],
    ] {
        let (exit, out, err) = database(&[&["search", &asked, "--database", &db][..], &wrong].concat());
        assert_eq!((exit, out.as_str()), (2, ""), "{wrong:?}");
        assert!(err.contains("known are") || err.contains("an hour of the clock"), "{err}");
    }
    fs::write(&table, "file,breech_face\nsimulated-1-000001.x3p,spiral\n").unwrap();
    let err = refused(&["index", &scans, "--database", &db, "--metadata", &table], 2);
    assert!(err.contains("simulated-1-000001.x3p") && err.contains("breech_face `spiral`"), "{err}");
}

/// Runs SQL on a catalogue, as somebody who spoils it would.
fn spoil(db: &str, statements: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut catalogue =
            SqliteConnection::connect(&format!("sqlite:{db}/catalogue.sqlite")).await.unwrap();
        for statement in statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut catalogue).await.unwrap();
        }
        catalogue.close().await.unwrap();
    });
}

/// The checksum of a record, over all bytes but those where it is kept.
fn checksum(record: &[u8]) -> u64 {
    [&record[..24], &record[32..]].concat().chunks(8).fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| {
        let mixed = (sum ^ u64::from_le_bytes(word.try_into().unwrap())).wrapping_mul(0x0000_0100_0000_01b3);
        mixed ^ mixed >> 29
    })
}

/// Records, rows, names, contents or prepared scans exchanged: no lead is shown under another case's name.
#[test]
fn what_was_exchanged_is_noticed() {
    type Exchange<'a> = (&'a str, &'a dyn Fn(&mut [u8]), &'a str, usize);
    const ROWS: &str = "PRAGMA foreign_keys = OFF; UPDATE scans SET record = -1 WHERE record = 3;
        UPDATE scans SET record = 3 WHERE record = 4; UPDATE scans SET record = 4 WHERE record = -1";
    const NAMES: &str = "UPDATE scans SET name = 'another.x3p' WHERE record = 3";
    const PREPARED: &str = "PRAGMA foreign_keys = OFF; UPDATE prepared SET record = -1 WHERE record = 3;
        UPDATE prepared SET record = 3 WHERE record = 4; UPDATE prepared SET record = 4 WHERE record = -1";
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let (features, catalogue) = (format!("{db}/features.bin"), format!("{db}/catalogue.sqlite"));
    spoil(&db, "PRAGMA wal_checkpoint(TRUNCATE)");
    let [whole, known] = [&features, &catalogue].map(|file| fs::read(file).unwrap());
    let restore = || {
        for beside in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{catalogue}{beside}"));
        }
        fs::write(&catalogue, &known).unwrap();
    };
    let sound = database(&["check", "--database", &db]);
    assert_eq!((sound.0, sound.1.as_str()), (0, "6 scans checked: all are whole and belong to their rows\n"));
    let swap = |bytes: &mut [u8], parts: &[std::ops::Range<usize>]| {
        // Records 3 and 4 stand behind the header and three others.
        let (one, other) = bytes[4 * 8192..6 * 8192].split_at_mut(8192);
        for part in parts {
            one[part.clone()].swap_with_slice(&mut other[part.clone()]);
        }
        for record in [one, other] {
            let sum = checksum(record);
            record[24..32].copy_from_slice(&sum.to_le_bytes());
        }
    };
    let all = std::slice::from_ref(&(0..8192));
    let exchanges: [Exchange<'_>; 5] = [
        ("records", &|bytes| swap(bytes, all), "", 2),
        ("contents under their seals", &|bytes| swap(bytes, &[0..24, 64..8192]), "", 2),
        // Their prepared scans stay where they were.
        ("rows", &|_| (), ROWS, 4),
        ("names", &|_| (), NAMES, 1),
        ("prepared scans", &|_| (), PREPARED, 2),
    ];
    for (what, exchange, statements, faults) in exchanges {
        let mut bytes = whole.clone();
        exchange(&mut bytes);
        fs::write(&features, &bytes).unwrap();
        restore();
        spoil(&db, statements);
        let err = refused(&["search", &asked, "--database", &db], 3);
        assert!(
            err.contains("another case's name") && err.contains("hint: `microstamp database check`"),
            "{what}: {err}"
        );
        let (exit, out, _) = database(&["check", "--database", &db, "--json"]);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((exit, told["faults"].as_array().unwrap().len()), (1, faults), "{what}: {out}");
        let (exit, out, _) = database(&["check", "--database", &db]);
        assert_eq!((exit, out.lines().count()), (1, faults + 1), "{what}: {out}");
    }
    // Features exchanged so that a filter would pass the scan over: no lead bears the wrong name, and still it is noticed.
    let mut bytes = whole.clone();
    swap(&mut bytes, all);
    fs::write(&features, &bytes).unwrap();
    restore();
    refused(&["search", &asked, "--database", &db, "--class", "simulated run 7", "--top", "1"], 3);
    // A row that is gone.
    fs::write(&features, &whole).unwrap();
    spoil(&db, "PRAGMA foreign_keys = OFF; DELETE FROM scans WHERE record = 4");
    let err = refused(&["search", &asked, "--database", &db], 3);
    assert!(err.contains("5 rows for 6 records"), "{err}");
}

/// What is torn or has rotted is told apart from what was exchanged; the rest can be searched.
#[test]
fn a_check_tells_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let features = format!("{db}/features.bin");
    let mut bytes = fs::read(&features).unwrap();
    bytes[3 * 8192 + 50] ^= 1;
    bytes[5 * 8192 + 5000] ^= 1;
    bytes.extend([7; 100]);
    fs::write(&features, &bytes).unwrap();
    spoil(&db, "UPDATE prepared SET bytes = substr(bytes, 1, 3000) WHERE record = 0");
    let (exit, out, err) = database(&["check", "--database", &db]);
    assert_eq!(exit, 1, "{err}");
    let told: Vec<&str> = out.lines().collect();
    assert_eq!(told.len(), 5, "{out}");
    assert!(
        told[0].starts_with("record 0 (`simulated-1-000000.x3p`): its prepared scan is damaged"),
        "{out}"
    );
    assert!(told[1].starts_with("record 2 ") && told[2].starts_with("record 4 "), "{out}");
    assert!(told[1..3].iter().all(|line| line.ends_with("its features are damaged")), "{out}");
    assert_eq!(told[4], "6 scans checked: 3 are at fault");
    let (exit, out, _) = database(&["search", &format!("{scans}/simulated-1-000000.x3p"), "--database", &db]);
    assert!((0..=1).contains(&exit) && out.contains("record 2 is damaged"), "{out}");
}

/// The JSON of a search holds what a repetition needs, and no time: the same bytes on one thread and on two, and again.
#[test]
fn a_search_can_be_repeated_from_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, db) = (scans(folder.path()), path(folder.path(), "db"));
    assert_eq!(database(&["index", &scans, "--database", &db]).0, 0);
    let asked = format!("{scans}/simulated-1-000002.x3p");
    let arguments = ["search", &asked, "--database", &db, "--json", "--calibre", "9 mm"];
    let [one, two, again] = ["1", "2", "2"].map(|threads| database_on(threads, &arguments));
    assert!(one == two && two == again);
    let told: Value = serde_json::from_slice(&one).unwrap();
    let digest = |value: &Value| value.as_str().is_some_and(|text| text.len() == 64);
    assert!(digest(&told["query"]["sha256"]) && digest(&told["database_sha256"]), "{told}");
    assert!(digest(&told["calibration"]["sha256"]) && told["calibration"]["set"].is_string(), "{told}");
    assert!(
        told["parameters"]["rule"].is_u64() && told["rules"] == "microstamp" && told["version"].is_string()
    );
    assert_eq!(told["filters"]["calibre"], "9 mm");
    let stages = &told["stages"];
    assert_eq!(
        [&stages["coded"], &stages["registered"]["passed"], &stages["compared"]["passed"], &stages["listed"]],
        [5; 4]
    );
    assert_eq!(
        (&stages["registered"]["at_most"], &stages["asked_with"]),
        (&2000.into(), &Value::from(vec![3]))
    );
    assert!(told["leads"].as_array().unwrap().iter().all(|lead| digest(&lead["sha256"])));
    let (_, checked, _) = database(&["check", "--database", &db, "--json"]);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(checked["database_sha256"], told["database_sha256"]);
    // The digest is that of what the database holds.
    assert_eq!(database(&["add", &asked, "--database", &path(folder.path(), "other")]).0, 0);
    let other = database(&["check", "--database", &path(folder.path(), "other"), "--json"]).1;
    assert_ne!(serde_json::from_str::<Value>(&other).unwrap()["database_sha256"], told["database_sha256"]);
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
