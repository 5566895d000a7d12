//! `read`, `strike` and `x3p` from the shell: a case is struck and read, and what is no case is told apart.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// Runs `microstamp …` and returns exit code, standard output and standard error.
fn microstamp(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("microstamp").unwrap().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Engraves a pin and strikes it once; the file's ending chooses the kind of case.
fn strike(folder: &Path, code: &str, case: &str, settings: &[&str]) -> PathBuf {
    let (tool, case) = (folder.join("tool.x3p"), folder.join(case));
    let engraved =
        microstamp(&["engrave", code, "--form", "without", "--pitch", "2um", "-o", tool.to_str().unwrap()]);
    assert_eq!(engraved.0, 0, "{}", engraved.2);
    let files = [tool.to_str().unwrap(), "-o", case.to_str().unwrap()];
    let struck = microstamp(&[&["strike"], &files[..], settings].concat());
    assert_eq!(struck.0, 0, "{}", struck.2);
    case
}

fn real_scans() -> Option<PathBuf> {
    let root = std::env::var_os("MICROSTAMP_REALDATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/realdata"),
        PathBuf::from,
    );
    let folder = root.join("csafe-fadul");
    if !folder.is_dir() {
        eprintln!("NOT TESTED: no real scans at {}; set MICROSTAMP_REALDATA", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn a_struck_case_is_read_as_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let case = strike(folder.path(), "K73MXP", "case.x3p", &["--preset", "level-1", "--seed", "11"]);
    let (exit, out, _) = microstamp(&["read", case.to_str().unwrap(), "--json"]);
    let reading: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (exit, reading["outcome"].as_str(), reading["code"].as_str()),
        (0, Some("accepted"), Some("K73M XPKA"))
    );
    assert_eq!(reading["schema"], "microstamp.reading/1");
    assert_eq!(reading["inputs"][0]["kind"], "topography");
    assert_eq!(reading["inputs"][0]["pitch_source"], "file");
    assert_eq!(reading["wrong_accept_bound"], 1e-4);
    assert_eq!(reading["calibration"]["measured_on"], "simulation");
    let listed: f64 =
        reading["candidates"].as_array().unwrap().iter().map(|c| c["posterior"].as_f64().unwrap()).sum();
    assert!((listed + reading["other"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(reading["symbols"].as_array().unwrap().len(), 16);
    for member in ["marks", "margin", "warnings", "posterior", "scheme"] {
        assert!(!reading[member].is_null(), "{member} is missing");
    }
}

#[test]
fn a_photograph_is_read_with_the_pitch_that_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--preset", "level-1", "--instrument", "oblique", "--seed", "5"];
    let case = strike(folder.path(), "R4W0ZT", "case.png", &settings);
    let (exit, out, _) = microstamp(&["read", case.to_str().unwrap(), "--pitch", "2um", "--json"]);
    let reading: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(reading["inputs"][0]["pitch_source"], "given");
    assert_eq!((exit, &reading["code"].as_str().unwrap_or_default()[..6]), (0, "R4W0 Z"), "{out}");
}

#[test]
fn no_real_unmarked_case_carries_a_mark() {
    let Some(folder) = real_scans() else { return };
    let scans: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "x3p"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(scans.len(), 40);
    let arguments: Vec<&str> =
        ["read", "--json"].into_iter().chain(scans.iter().map(String::as_str)).collect();
    let (exit, out, _) = microstamp(&arguments);
    assert_eq!(exit, 1);
    let mut none = 0;
    for line in out.lines() {
        let reading: Value = serde_json::from_str(line).unwrap();
        let file = &reading["inputs"][0]["file"];
        assert_eq!((&reading["code"], &reading["firearms"]), (&Value::Null, &Value::from(0)), "{file}");
        // A rough or half missing surface may hide a ruined mark: then it cannot be told that there is none.
        let told = reading["outcome"] == "unreadable" && reading["sensitivity"].as_f64().unwrap() < 0.5;
        assert!(told || reading["outcome"] == "no_mark", "{file} {}", reading["outcome"]);
        none += usize::from(reading["outcome"] == "no_mark");
    }
    assert!(none >= 28, "only {none} of 40 are told to have no mark");
    assert_eq!(out.lines().count(), 40);
}

#[test]
fn what_is_no_case_ends_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let nothing = folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let inputs = [
        file("garbage.x3p", b"this is no scan"),
        file("empty.png", b""),
        file("cut.x3p", b"PK\x03\x04\x14\x00"),
        file("cut.png", b"\x89PNG\r\n\x1a\n\x00\x00"),
        folder.path().join("missing.x3p").to_str().unwrap().to_owned(),
        nothing.to_str().unwrap().to_owned(),
    ];
    for input in &inputs {
        for command in [&["read", input.as_str()][..], &["x3p", "info", input.as_str()]] {
            let (exit, out, error) = microstamp(command);
            assert_eq!((exit, out.as_str()), (2, ""), "{command:?}: {error}");
            let sentence = error.strip_prefix("error: ").unwrap_or_else(|| panic!("{error}"));
            assert_eq!(sentence.lines().filter(|line| !line.starts_with("hint: ")).count(), 1, "{error}");
        }
    }
}

#[test]
fn a_dash_writes_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let case = strike(folder.path(), "K73MXP", "case.x3p", &["--preset", "level-0"]);
    let tool = folder.path().join("tool.x3p");
    let (tool, case) = (tool.to_str().unwrap(), case.to_str().unwrap());
    let calls: [(&[&str], &[u8]); 4] = [
        (&["strike", tool, "--preset", "level-0", "-o", "-"], b"PK"),
        (&["strike", tool, "--preset", "level-0", "--instrument", "sem", "-o", "-"], b"\x89PNG"),
        (&["x3p", "convert", case, "-o", "-"], b"PK"),
        (&["engrave", "K73MXP", "-o", "-"], b"<?xml"),
    ];
    for (arguments, head) in calls {
        let output = Command::cargo_bin("microstamp").unwrap().args(arguments).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(head), "{arguments:?}");
    }
}

/// A folder of two cases, one of them below, and a file that is none.
fn mixed_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    strike(folder.path(), "K73MXP", "a.x3p", &["--preset", "level-0"]);
    fs::remove_file(folder.path().join("tool.x3p")).unwrap();
    fs::copy(folder.path().join("a.x3p"), folder.path().join("b/c.x3p")).unwrap();
    fs::write(folder.path().join("b/bad.png"), b"\x89PNG\r\n\x1a\n\x00\x00").unwrap();
    fs::write(folder.path().join("notes.txt"), b"no scan").unwrap();
    folder
}

#[test]
fn one_bad_file_does_not_silence_the_good_ones() {
    let folder = mixed_folder();
    let (exit, out, error) = microstamp(&["read", folder.path().to_str().unwrap()]);
    assert_eq!(exit, 2);
    assert_eq!(out.matches("K73M XPKA  accepted").count(), 2, "{out}");
    assert!(out.starts_with("a.x3p: "), "{out}");
    assert!(error.contains("bad.png"), "{error}");
    assert!(
        error.ends_with("3 read: 2 accepted, 0 candidates, 0 unreadable, 0 no mark, 1 failed\n"),
        "{error}"
    );
}

#[test]
fn a_batch_goes_on_where_it_was_cut() {
    let folder = mixed_folder();
    let cases = folder.path().to_str().unwrap();
    for (name, lines) in [("table.csv", 3), ("table.jsonl", 2)] {
        let out = tempfile::tempdir().unwrap();
        let table = out.path().join(name);
        let table_name = table.to_str().unwrap();
        assert_eq!(microstamp(&["read", cases, "-o", table_name]).0, 2);
        let whole = fs::read_to_string(&table).unwrap();
        assert_eq!(whole.lines().count(), lines, "{whole}");
        assert!(whole.matches("K73M XPKA").count() >= 2, "{whole}");
        let (exit, _, error) = microstamp(&["read", cases, "-o", table_name]);
        assert_eq!((exit, error.contains("--resume")), (2, true), "{error}");
        fs::write(&table, &whole[..whole.len() - 20]).unwrap();
        let (_, _, error) = microstamp(&["read", cases, "-o", table_name, "--resume"]);
        assert!(error.contains("2 read: 1 accepted"), "{error}");
        assert_eq!(fs::read_to_string(&table).unwrap(), whole);
    }
}

#[test]
fn overlays_of_several_questions_go_into_a_folder() {
    let folder = mixed_folder();
    let pictures = folder.path().join("pictures");
    let (first, second) = (folder.path().join("a.x3p"), folder.path().join("b/c.x3p"));
    let files = [first.to_str().unwrap(), second.to_str().unwrap(), "--overlay", pictures.to_str().unwrap()];
    assert_eq!(microstamp(&[&["read"], &files[..]].concat()).0, 0);
    let mut names: Vec<_> = fs::read_dir(&pictures)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 2 && names[0].starts_with("a-") && names[1].starts_with("c-"), "{names:?}");
}

#[test]
fn dots_of_a_breech_face_are_struck_whole_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tool, case) = (path("tool.x3p"), path("case.x3p"));
    let engrave =
        ["engrave", "K73MXP", "--tip", "breech-face", "--form", "without", "--pitch", "4um", "-o", &tool];
    assert_eq!(microstamp(&engrave).0, 0);
    let (exit, _, error) = microstamp(&["strike", &tool, "--firearm", "breech-face", "-o", &case]);
    assert_eq!((exit, error.contains("took a field of")), (0, true), "{error}");
    let (exit, out, _) = microstamp(&["read", &case, "--marks", "dots"]);
    assert_eq!((exit, out.contains("K73M XPKA  accepted")), (0, true), "{out}");
}

#[test]
fn a_mark_of_another_size_is_read_with_its_module() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tool, case) = (path("tool.x3p"), path("case.x3p"));
    let size = ["--module", "24um", "--tip", "flat:2mm", "--form", "without", "--pitch", "2um"];
    assert_eq!(microstamp(&[&["engrave", "K73MXP", "-o", &tool], &size[..]].concat()).0, 0);
    assert_eq!(microstamp(&["strike", &tool, "--preset", "level-1", "--seed", "3", "-o", &case]).0, 0);
    let (exit, out, _) = microstamp(&["read", &case]);
    assert_eq!((exit, out.contains("accepted")), (1, false), "{out}");
    let (exit, out, _) = microstamp(&["read", &case, "--module", "24um"]);
    assert_eq!((exit, out.contains("K73M XPKA  accepted")), (0, true), "{out}");
}

#[test]
fn one_file_given_twice_is_one_witness() {
    let folder = tempfile::tempdir().unwrap();
    let case = strike(folder.path(), "K73MXP", "a.x3p", &["--preset", "level-1", "--seed", "3"]);
    let copy = folder.path().join("b.x3p");
    fs::copy(&case, &copy).unwrap();
    let (case, copy) = (case.to_str().unwrap(), copy.to_str().unwrap());
    let once: Value = serde_json::from_str(&microstamp(&["read", case, "--json"]).1).unwrap();
    let (_, out, _) = microstamp(&["read", case, copy, "--fuse", "--json"]);
    let twice: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(twice["inputs"].as_array().unwrap().len(), 1);
    assert_eq!((&once["posterior"], &once["bits"]), (&twice["posterior"], &twice["bits"]));
    assert!(twice["warnings"][0].as_str().unwrap().contains("counted once"), "{out}");
}

#[test]
fn a_table_is_gone_on_with_only_for_the_same_question() {
    let folder = tempfile::tempdir().unwrap();
    let case = strike(folder.path(), "K73MXP", "a.x3p", &["--preset", "level-0"]);
    let (case, table) = (case.to_str().unwrap(), folder.path().join("t.csv"));
    let table = table.to_str().unwrap();
    let read = |more: &[&str]| microstamp(&[&["read", case, "-o", table, "--resume"], more].concat()).2;
    let lines = || fs::read_to_string(table).unwrap().lines().count();
    read(&[]);
    assert_eq!(lines(), 2);
    assert!(read(&[]).contains("0 read"));
    read(&["--scheme", "plain-8"]);
    assert_eq!(lines(), 3);
    read(&["--bound", "1e-3"]);
    assert_eq!(lines(), 4);
    assert!(read(&["--scheme", "plain-8"]).contains("0 read"));
}

#[test]
fn an_overlay_is_drawn_with_the_options_that_were_read_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tool, case, picture) = (path("tool.x3p"), path("case.x3p"), path("overlay.png"));
    let engrave =
        ["engrave", "K73MXP", "--tip", "breech-face", "--form", "without", "--pitch", "4um", "-o", &tool];
    assert_eq!(microstamp(&engrave).0, 0);
    assert_eq!(microstamp(&["strike", &tool, "--firearm", "breech-face", "-o", &case]).0, 0);
    let (exit, out, error) = microstamp(&["read", &case, "--marks", "dots", "--overlay", &picture]);
    assert_eq!((exit, Path::new(&picture).is_file()), (0, true), "{out}{error}");
}

#[test]
fn images_of_one_case_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let lights: Vec<String> = [("a.png", "5"), ("b.png", "6")]
        .map(|(name, seed)| {
            let settings = ["--preset", "level-1", "--instrument", "oblique", "--seed", seed];
            strike(folder.path(), "R4W0ZT", name, &settings).to_str().unwrap().to_owned()
        })
        .into();
    let (exit, out, error) = microstamp(&["read", "--case", &lights.join(","), "--pitch", "2um", "--json"]);
    let reading: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &reading["code"].as_str().unwrap_or_default()[..6]), (0, "R4W0 Z"), "{out}{error}");
}
