//! `compare` from the shell: two scans, all pairs of a folder, calibrations, and what each bad input is told.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// Runs `microstamp …` and returns exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("microstamp").unwrap();
    let output = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn compare(arguments: &[&str]) -> (i32, String, String) {
    run(&[&["compare"], arguments].concat())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// Two cases each of `count / 2` simulated firearms, coarse enough to be quick; `ground_truth.csv` tells whose.
fn scans(folder: &Path, count: usize) -> String {
    let scans = path(folder, "scans");
    let made = run(&[
        "database",
        "generate",
        &scans,
        "--count",
        &count.to_string(),
        "--cases",
        "2",
        "--models",
        "2",
        "--pitch",
        "12.5um",
    ]);
    assert_eq!(made.0, 0, "{}", made.2);
    scans
}

fn scan(scans: &str, number: usize) -> String {
    format!("{scans}/simulated-1-{number:06}.x3p")
}

/// One sentence, and at most one hint.
fn one_sentence(err: &str) {
    let told: Vec<&str> = err.lines().filter(|line| !line.starts_with("hint: ")).collect();
    assert!(told.len() == 1 && told[0].starts_with("error: ") && !told[0].contains("panicked"), "{err}");
}

#[test]
fn two_cases_of_a_firearm_and_of_two() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 4);
    let picture = path(folder.path(), "pair.html");
    let (exit, out, err) = compare(&[&scan(&scans, 0), &scan(&scans, 1), "--json", "--picture", &picture]);
    assert_eq!((exit, err.as_str()), (0, ""));
    let same: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&same["schema"], &same["preset"]),
        (&"microstamp.comparison/1".into(), &"microstamp-1".into())
    );
    assert_eq!((&same["mark"], &same["converged"]), (&"breech-face".into(), &true.into()));
    for field in ["a", "b", "cells_evaluated", "accf_max", "rotation_deg", "score", "conclusion_support"] {
        assert!(!same[field].is_null(), "{field}");
    }
    assert!(same["shift_um"].as_array().unwrap().len() == 2 && same["cells"].as_array().unwrap().len() > 10);
    assert!(
        same["cmc"]["original"].as_array().unwrap().len() == 2
            && same["cmc"]["convergence"].as_u64() > Some(5)
    );
    let ratio = &same["likelihood_ratio"];
    let [low, high] = [0, 1].map(|k| ratio["interval_log10"][k].as_f64().unwrap());
    let log10 = ratio["log10"].as_f64().unwrap();
    assert!(log10 > 1.0 && low <= log10 && log10 <= high && high - low > 0.1, "{ratio}");
    assert_eq!(ratio["interval_open"].is_string(), ratio["bounded"].as_bool().unwrap());
    let others: Vec<&str> =
        same["other_models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert_eq!(others, ["kde", "pav"]);
    let of = &same["calibration"];
    assert_eq!((&of["same_source"], &of["different_source"]), (&63.into(), &717.into()));
    assert!(of["parameters"]["rule"].is_u64() && of["priors"]["doubt_cells"].is_f64(), "{of}");
    assert!(fs::read_to_string(&picture).unwrap().contains("simulated-1-000001.x3p"));

    let (exit, out, _) = compare(&[&scan(&scans, 1), &scan(&scans, 2), "--json"]);
    let different: Value = serde_json::from_str(&out).unwrap();
    assert!(exit == 0 && different["likelihood_ratio"]["log10"].as_f64() < Some(-1.0), "{different}");
    assert!(different["score"].as_f64() < same["score"].as_f64());
    for model in different["other_models"].as_array().unwrap() {
        assert!(model["log10"].as_f64() <= Some(0.0), "{model}");
    }

    let (exit, out, _) = compare(&[&scan(&scans, 0), &scan(&scans, 1)]);
    assert!(exit == 0 && out.contains("log10 LR") && out.contains("support for the same firearm"), "{out}");
    let (exit, out, _) = compare(&[&scan(&scans, 0), &scan(&scans, 0)]);
    assert!(exit == 0 && !out.contains("log10 LR") && out.contains("says nothing about firearms"), "{out}");
}

#[test]
fn all_pairs_make_a_table_and_a_calibration_that_weighs_again() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 8);
    // Truth that makes two sources of four firearms: enough pairs of either kind to learn from.
    let truth = path(folder.path(), "truth.csv");
    fs::write(&truth, truth_of(|scan| scan / 2)).unwrap();
    let [table, again, figures] =
        ["one.csv", "two.csv", "figures.html"].map(|name| path(folder.path(), name));
    let arguments = ["--all", &scans, "--output", &table, "--truth", &truth, "--figures", &figures];
    let (exit, out, err) = compare(&[&arguments[..], &["--model", "pav"]].concat());
    assert_eq!((exit, out.as_str()), (0, ""), "{err}");
    for model in ["beta-binomial", "kde", "pav"] {
        assert!(err.contains(&format!("{model}: Cllr 0.")), "{err}");
    }
    assert!(
        err.contains(
            "4 same-source and 24 different-source pairs (scans named by the user), both firearms left out"
        ),
        "{err}"
    );
    let page = fs::read_to_string(&figures).unwrap();
    assert!(page.matches("<svg").count() == 4 && !page.contains("NaN"), "four figures");
    assert_eq!(page.matches("Measured on scans named by the user (scans).").count(), 4, "each says of what");

    let rows = fs::read_to_string(&table).unwrap();
    assert_eq!(
        rows.lines().next(),
        Some("a,b,score,cmc_convergence,cmc_original,cmc_high,ncma,cells,accf_max,log10_lr,cpu_seconds")
    );
    assert_eq!(rows.lines().count(), 29);
    assert!(err.contains("28 pairs compared both ways in ") && err.contains(" s a direction"), "{err}");
    // The same bytes on one thread; times stand where somebody asks for them.
    assert_eq!(run(&["--threads", "1", "compare", "--all", &scans, "--output", &again]).0, 0);
    assert_eq!(rows, fs::read_to_string(&again).unwrap());
    assert_eq!(compare(&["--all", &scans, "--output", &again, "--timings"]).0, 0);
    let timed = fs::read_to_string(&again).unwrap();
    for (row, timed) in rows.lines().zip(timed.lines()).skip(1) {
        let (told, seconds) = timed.rsplit_once(',').unwrap();
        assert!(row == format!("{told},") && seconds.parse::<f64>().unwrap() > 0.0, "{timed}");
    }

    // Ten pairs of one firearm are needed to learn: say that all eight came from two.
    fs::write(&truth, truth_of(|scan| scan % 3)).unwrap();
    let calibration = path(folder.path(), "cal.json");
    let arguments = ["--all", &scans, "--output", &table, "--truth", &truth, "--calibrate", &calibration];
    let (exit, _, err) = compare(&arguments);
    assert_eq!(exit, 2, "7 pairs of one firearm are too few: {err}");
    assert!(err.contains("are too few (10, 10 and 3 are needed)"), "{err}");
}

/// A calibration is learnt, weighs pairs like those it was learnt on, and is refused for others.
#[test]
fn a_calibration_is_learnt_used_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let scans = path(folder.path(), "scans");
    let made = [
        "database", "generate", &scans, "--count", "12", "--cases", "3", "--models", "2", "--pitch", "12.5um",
    ];
    assert_eq!(run(&made).0, 0);
    let [table, again, calibration] =
        ["one.csv", "two.csv", "cal.json"].map(|name| path(folder.path(), name));
    let truth = format!("{scans}/ground_truth.csv");
    let learn = ["--all", &scans, "--output", &table, "--truth", &truth, "--calibrate", &calibration];
    let (exit, out, err) =
        compare(&[&learn[..], &["--set", "made-up cases", "--measured-on", "simulation"]].concat());
    assert_eq!((exit, out.as_str()), (0, ""), "{err}");
    assert!(
        err.contains("learnt: ") && err.contains("12 same-source and 54 different-source pairs (simulation)"),
        "{err}"
    );

    let weighed = |a: usize, b: usize| -> Value {
        let (exit, out, err) =
            compare(&[&scan(&scans, a), &scan(&scans, b), "--calibration", &calibration, "--json"]);
        assert_eq!(exit, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    };
    let [same, different] = [weighed(0, 2), weighed(0, 4)];
    let log10 = |result: &Value| result["likelihood_ratio"]["log10"].as_f64().unwrap();
    assert!(log10(&same) > 0.5 && log10(&different) < -0.5, "{} {}", log10(&same), log10(&different));
    let of = &same["calibration"];
    assert_eq!((&of["set"], &of["measured_on"]), (&"made-up cases".into(), &"simulation".into()));
    assert_eq!((&of["same_source"], &of["different_source"]), (&12.into(), &54.into()));
    let named = same["likelihood_ratio"]["calibration"].as_str().unwrap();
    assert!(named.contains("made-up cases") && named.contains("simulation"), "{named}");
    // Fewer pairs claim less than the built-in calibration does.
    let (_, built_in, _) = compare(&[&scan(&scans, 0), &scan(&scans, 2), "--json"]);
    assert!(log10(&serde_json::from_str(&built_in).unwrap()) > log10(&same));

    // The table of the folder carries its ratios.
    let all = ["--all", &scans, "--output", &again, "--calibration", &calibration];
    assert_eq!(compare(&all).0, 0);
    let rows = fs::read_to_string(&again).unwrap();
    let row = rows.lines().find(|row| row.contains("000000.x3p,simulated-1-000002")).unwrap();
    let told: f64 = row.split(',').nth(9).unwrap().parse().unwrap();
    assert!((told - log10(&same)).abs() < 1e-4, "{row}");

    for preset in ["chen2017", "cmcr"] {
        let (exit, out, err) =
            compare(&[&scan(&scans, 0), &scan(&scans, 2), "--preset", preset, "--calibration", &calibration]);
        assert_eq!((exit, out.as_str()), (4, ""), "{err}");
        one_sentence(&err);
        assert!(err.contains("cal.json") && err.contains("does not fit"), "{err}");
    }
}

#[test]
fn a_truth_that_tells_nothing_is_refused_and_a_partial_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 4);
    let [truth, table] = ["truth.csv", "table.csv"].map(|name| path(folder.path(), name));
    let told = |rows: &str| {
        fs::write(&truth, format!("file,firearm\n{rows}")).unwrap();
        compare(&["--all", &scans, "--output", &table, "--truth", &truth])
    };
    let name = |n: usize| format!("simulated-1-{n:06}.x3p");
    for rows in [
        "someone.x3p,1\nelse.x3p,1\n".to_owned(),
        String::new(),
        format!("{},1\n{},1\n", name(0), name(1)),
        format!("{},1\n{},2\n", name(0), name(1)),
    ] {
        let (exit, _, err) = told(&rows);
        assert_eq!(exit, 2, "{err}");
        assert!(err.contains("of 4 scans") && err.contains("hint: its first columns"), "{err}");
        assert!(!fs::exists(&table).unwrap(), "refused before anything is compared");
    }
    let (exit, _, err) = told(&format!("{},1\n{},2\n", name(0), name(0)));
    assert!(exit == 2 && err.contains("two firearms for"), "{err}");
    let (exit, _, err) = told(&format!("{},1\n{},1\n{},2\nother.x3p,3\n", name(0), name(1), name(2)));
    assert_eq!(exit, 0, "{err}");
    assert!(err.contains("does not tell the firearm of 1 of 4 scans (simulated-1-000003.x3p)"), "{err}");
}

#[test]
fn what_cannot_be_compared_gets_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 2);
    let [one, other] = [0, 1].map(|n| scan(&scans, n));
    let [bad, missing, calibration] =
        ["bad.x3p", "missing.x3p", "cal.json"].map(|name| path(folder.path(), name));
    fs::write(&bad, b"PK no scan").unwrap();
    let refused = |arguments: &[&str], expected: i32| {
        let (exit, out, err) = compare(arguments);
        assert_eq!((exit, out.as_str()), (expected, ""), "{arguments:?}: {err}");
        one_sentence(&err);
        err
    };
    refused(&[&one, &bad], 2);
    refused(&[&one, &missing], 2);
    refused(&[&one, folder.path().to_str().unwrap()], 2);
    refused(&[&one], 2);
    refused(&[&one, &other, "--preset", "nonesuch"], 2);
    refused(&[&one, &other, "--preset", "zhang2021"], 2);
    refused(&["--all", &missing, "--output", "-"], 2);
    // What is for folders is not passed over in silence.
    let err = refused(&[&one, &other, "--output", &missing], 2);
    assert!(err.contains("--output") && err.contains("hint: give `--all DIR`"), "{err}");
    for option in ["--truth", "--set"] {
        assert_eq!(compare(&[&one, &other, option, &missing]).0, 2, "{option}");
    }
    // A picture is what its name says: a page, or a PNG.
    let [photograph, figures, png] = ["pair.jpg", "f.png", "pair.png"].map(|name| path(folder.path(), name));
    let err = refused(&[&one, &other, "--picture", &photograph], 2);
    assert!(err.contains("must end in `.html` or `.htm` or `.png`"), "{err}");
    refused(&["--all", &scans, "--output", "-", "--truth", &missing, "--figures", &figures], 2);
    assert_eq!(compare(&[&one, &other, "--picture", &png]).0, 0);
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    refused(&["--all", &scans, "--output", "-", "--truth", &missing], 2);
    // A calibration that is none, one that claims more than its pairs, and one for another question.
    let built_in = include_str!("../../../comparison/calibration/fadul.json");
    for (from, to, exit) in [
        ("\"schema\"", "\"scheme\"", 2),
        ("\"different_source\":717", "\"different_source\":1000000000000000", 2),
        ("\"least_accf\":0.44", "\"least_accf\":0.4", 4),
        ("\"breech-face\"", "\"firing-pin\"", 4),
    ] {
        assert!(built_in.contains(from), "{from}");
        fs::write(&calibration, built_in.replacen(from, to, 1)).unwrap();
        let err = refused(&[&one, &other, "--calibration", &calibration], exit);
        assert!(err.contains("cal.json"), "{err}");
    }
    fs::write(&calibration, built_in).unwrap();
    refused(&[&one, &other, "--preset", "chen2017", "--calibration", &calibration], 4);
    // Usage that the parser refuses.
    for arguments in [&["--all", &scans][..], &[], &[&one, &other, "--mark", "ejector"]] {
        assert_eq!(compare(arguments).0, 2, "{arguments:?}");
    }
}

/// A table of truth for eight made-up scans.
fn truth_of(firearm: impl Fn(usize) -> usize) -> String {
    let rows = (0..8).map(|scan| format!("simulated-1-{scan:06}.x3p,{}", firearm(scan)));
    std::iter::once("file,firearm".to_owned()).chain(rows).collect::<Vec<_>>().join("\n")
}
