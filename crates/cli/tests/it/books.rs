//! The issuer's books from the shell: from the first code to the answer of a trace.

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A folder in which `microstamp` runs as `clerk`.
struct Shell(TempDir);

impl Shell {
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("microstamp").unwrap();
        let output =
            command.current_dir(self.0.path()).env("USER", "clerk").args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn done(&self, arguments: &[&str]) -> String {
        let (exit, out, remarks) = self.run(arguments);
        assert_eq!(exit, 0, "{arguments:?}: {remarks}");
        out
    }

    /// An issuer K7 with three pistols, and the code of the first.
    fn with_three_pistols() -> (Self, String) {
        let shell = Self(tempfile::tempdir().unwrap());
        let licence = "1-23-456-78-9A-12345";
        shell.done(&[
            "issuer",
            "init",
            "k7",
            "--prefix",
            "K7",
            "--name",
            "Example Arms",
            "--licence",
            licence,
        ]);
        let out = shell.done(&[ISSUE, &["--json"]].concat());
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[2]["serial"], &lines[2]["component"]), (&"AB10003".into(), &"firing-pin".into()));
        let code = lines[0]["code"].as_str().unwrap().to_owned();
        (shell, code)
    }

    fn trace(&self, code: &str, more: &[&str]) -> (i32, Value) {
        let question = ["trace", code, "--local", "k7", "--ori", "CA0194200", "--case", "26-0001", "--json"];
        let rest = ["--reason", "case recovered at a scene", "--recovered-on", "2025-04-01"];
        let (exit, out, remarks) = self.run(&[&question[..], &rest, more].concat());
        (exit, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{remarks}")))
    }
}

const ISSUE: &[&str] = &[
    "issue",
    "--registry",
    "k7",
    "--model",
    "M9",
    "--calibre",
    "9 mm Luger",
    "--first",
    "AB10001",
    "--count",
    "3",
    "--made-on",
    "2024-01-02",
];
const FIRST: &[&str] = &["--registry", "k7", "--model", "M9", "--serial", "AB10001"];
const DEALER: &[&str] = &["--holder-licence", "1-23-456-01-9A-33333", "--holder-name", "Corner Guns"];

#[test]
fn a_code_leads_to_the_chain() {
    let (shell, code) = Shell::with_three_pistols();
    let to_dealer =
        ["--to-licence", "1-23-456-01-9A-33333", "--to-name", "Corner Guns", "--on", "2024-02-01"];
    shell.done(&[&["dispose"], FIRST, &to_dealer].concat());
    let sale = ["--form-4473", "T-0815", "--on", "2024-04-01"];
    shell.done(&[&["dispose"], FIRST, DEALER, &sale].concat());
    let (exit, answer) = shell.trace(&code, &["--approver", "sgt. example"]);
    assert_eq!((exit, &answer["outcome"]), (0, &"found".into()));
    assert_eq!(answer["firearm"]["serial"], "AB10001");
    assert_eq!(answer["time_to_crime_days"], 365);
    assert_eq!(answer["chain_end"]["form_4473"], Value::Null, "told in a second step");
    let question = answer["question"].to_string();
    let second = ["--approver", "sgt. example", "--after", &question, "--second-approver", "lt. example"];
    let (exit, answer) = shell.trace(&code, &second);
    assert_eq!((exit, &answer["chain_end"]["form_4473"]), (0, &"T-0815".into()));
    let (_, withheld) = shell.trace(&code, &[]);
    assert_eq!(
        (&withheld["reference_withheld"], &withheld["chain_end"]["form_4473"]),
        (&true.into(), &Value::Null)
    );

    let stolen = ["--incident", "I-77", "--on", "2024-05-01", "--reported-by", "Example Police"];
    shell.done(&[&["theft"], FIRST, &stolen].concat());
    let (exit, answer) = shell.trace(&code, &[]);
    assert_eq!((exit, &answer["outcome"]), (0, &"chain-ends".into()));
    assert_eq!((&answer["time_to_crime_days"], &answer["chain_end"]["end"]), (&Value::Null, &"theft".into()));
    assert_eq!(answer["chain_end"]["reported_by"], "Example Police");

    let book = shell.done(&[&["book"], FIRST].concat());
    assert_eq!(book.lines().count(), 4, "{book}");
    let table = shell.done(&["export", "--registry", "k7"]);
    assert_eq!(table.lines().count(), 7, "a heading and six entries");
    let note = shell.done(&[&["certificate"], FIRST].concat());
    assert!(note.contains(&format!("firing-pin: {code}")), "{note}");
    assert_eq!(shell.done(&["issuer", "check", "k7"]), "24 of 24 log entries agree with the books\n");
}

#[test]
fn exit_codes_say_who_must_act() {
    let (shell, code) = Shell::with_three_pistols();
    let (exit, _, remarks) = shell.run(ISSUE);
    assert_eq!(exit, 4, "{remarks}");
    assert!(
        remarks
            .starts_with("error: M9 serial AB10001 of licence 1-23-456-78-9A-12345 is in the books already")
    );
    let again = shell.done(&[ISSUE, &["--resume"]].concat());
    assert!(again.starts_with(&code), "{again}");
    assert_eq!(shell.trace("K700 00UR", &[]).0, 1, "never issued");
    assert_eq!(shell.trace("M70000", &[]).1["outcome"], "not-ours");
    let no_digits = [&ISSUE[..7], &["--first", "NODIGITS", "--count", "3"]].concat();
    let none = [&ISSUE[..7], &["--first", "AC1", "--count", "0"]].concat();
    let early = "--recovered-on=2020-01-01";
    let trace =
        ["trace", &code, "--local", "k7", "--ori", "CA0194200", "--case", "1", "--reason", "at a scene"];
    let cases: [(&[&str], i32); 7] = [
        (&no_digits, 2),
        (&none, 2),
        (&[&trace[..], &[early]].concat(), 4),
        (&["issuer", "show", "nowhere"], 2),
        (&["issuer", "init", "k7", "--prefix", "K7", "--name", "Example Arms"], 2),
        (&["trace", &code, "--local", "k7", "--ori", "CA", "--case", "1", "--reason", "at a scene"], 2),
        (&["dispose", "--registry", "k7", "--model", "M9", "--serial", "ZZ1", "--form-4473", "1"], 2),
    ];
    for (arguments, expected) in cases {
        let (exit, _, remarks) = shell.run(arguments);
        assert_eq!(exit, expected, "{arguments:?}: {remarks}");
    }
    let shown: Value = serde_json::from_str(&shell.done(&["issuer", "show", "k7", "--json"])).unwrap();
    assert_eq!((&shown["schema"], &shown["issued"]), (&"microstamp.block/1".into(), &3.into()));
}

#[test]
fn a_table_is_tried_before_it_is_taken() {
    let (shell, _) = Shell::with_three_pistols();
    let table = "model,serial,type,calibre,country,made_on\nM9,X1,pistol,9 mm,US,2024-01-02\nM9,AB10001,pistol,9 mm Luger,US,2024-01-02\n";
    std::fs::write(shell.0.path().join("book.csv"), table).unwrap();
    let import = ["import", "--registry", "k7", "book.csv"];
    let (exit, out, remarks) = shell.run(&[&import[..], &["--dry-run"]].concat());
    assert_eq!((exit, remarks.as_str()), (1, "2 rows, 1 rejected, 1 entries would be written\n"));
    assert!(out.starts_with("line 3: entry 1 says already that it was manufactured"), "{out}");
    assert_eq!(shell.run(&import).0, 2);
    assert_eq!(shell.run(&[&import[..], &["--skip-rejected"]].concat()).0, 1);
    shell.done(&["book", "--registry", "k7", "--model", "M9", "--serial", "X1"]);
}

/// Only a reading that names codes is a ground to ask, and its own file says whether it does.
#[test]
fn a_reading_is_asked_about_only_where_it_names_codes() {
    let (shell, code) = Shell::with_three_pistols();
    let ask = |outcome: &str, posterior: f64, other: f64| {
        let candidates = serde_json::json!([{"code": code, "posterior": posterior}]);
        let reading = serde_json::json!({
            "schema": "microstamp.reading/1", "outcome": outcome, "candidates": candidates, "other": other,
        });
        std::fs::write(shell.0.path().join("reading.json"), reading.to_string()).unwrap();
        let trace =
            ["trace", "--reading", "reading.json", "--local", "k7", "--ori", "CA0194200", "--case", "1"];
        shell.run(&[trace.as_slice(), &["--reason", "at a scene"]].concat())
    };
    assert_eq!(ask("accepted", 0.999_999, 0.000_001).0, 0);
    for (outcome, posterior, other, says) in [
        ("unreadable", 0.9999, 0.0001, "its outcome is `unreadable`"),
        ("no_mark", 0.9999, 0.0001, "its outcome is `no_mark`"),
        ("accepted", 0.9999, 0.9, "not to 1"),
        ("candidates", 1.5, -0.5, "not to 1"),
    ] {
        let (exit, _, remarks) = ask(outcome, posterior, other);
        assert_eq!(exit, 2, "{outcome} {posterior}: {remarks}");
        assert!(remarks.contains(says), "{remarks}");
    }
    let trace = ["--local", "k7", "--ori", "CA0194200", "--case", "1", "--reason", "at a scene"];
    assert_eq!(
        shell.run(&[["trace", &code, "K70000"].as_slice(), &trace].concat()).0,
        2,
        "each would be certain"
    );
    for posterior in ["0", "NaN", "-0.1", "1.1", "x"] {
        let asked = format!("{code}={posterior}");
        assert_eq!(shell.run(&[["trace", &asked].as_slice(), &trace].concat()).0, 2, "{posterior}");
    }
}

/// Nothing that is said on the command line is passed over.
#[test]
fn what_is_said_is_entered_or_refused() {
    let (shell, code) = Shell::with_three_pistols();
    let from = ["--from-licence", "1-23-456-01-9A-33333", "--from-name", "Corner Guns"];
    let new = ["record", "--registry", "k7", "--model", "M9", "--serial", "X1", "--how", "manufactured"];
    let lost = [&["theft"], FIRST, &["--incident", "I-1"]].concat();
    let correct = [&["correct"], FIRST, &["--entry", "1", "--reason", "as the report says"]].concat();
    let refused: [(&[&str], &[&str], i32); 7] = [
        (&new, &[&["--calibre", "9 mm"], &from[..]].concat(), 2),
        (&new, &["--calibre", "9 mm", "--reference", "B-1"], 2),
        (&new, &["--manufacturer", "Other Arms"], 2),
        (&lost, &["--recovered", "--how", "loss"], 2),
        (&lost, &["--recovered", "--police-report", "P-1"], 2),
        (&correct, &["--void", "--type", "rifle"], 2),
        (&correct, &[], 4),
    ];
    for (words, more, expected) in refused {
        let (exit, _, remarks) = shell.run(&[words, more].concat());
        assert_eq!(exit, expected, "{words:?} {more:?}: {remarks}");
    }
    // A correction of the description leaves the rest of it as it was.
    shell.done(&[&correct[..], &["--type", "revolver"]].concat());
    let note = shell.done(&[&["certificate"], FIRST].concat());
    assert!(note.contains("type: revolver\n") && note.contains("calibre: 9 mm Luger\n"), "{note}");
    let to_dealer =
        ["--to-licence", "1-23-456-01-9A-33333", "--to-name", "Corner Guns", "--on", "2024-02-01"];
    shell.done(&[&["dispose"], FIRST, &to_dealer].concat());
    shell.done(
        &[&["dispose"], FIRST, DEALER, &["--multiple-sale", "3310-4-17", "--on", "2024-03-01"]].concat(),
    );
    let book = shell.done(&[&["book"], FIRST].concat());
    assert!(book.contains("multiple-sale  Corner Guns") && book.contains("report 3310-4-17"), "{book}");
    let close = ["issuer", "close-licensee", "k7", "--licence", "1-23-456-01-9A-33333"];
    let close = [&close[..], &["--records-at", "the tracing centre", "--on"]].concat();
    assert_eq!(shell.run(&[&close[..], &["2999-01-01"]].concat()).0, 4, "in the future");
    shell.done(&[&close[..], &["2024-06-01"]].concat());
    assert_eq!(shell.run(&[&close[..], &["2024-06-02"]].concat()).0, 4, "it is recorded");
    shell.done(&[&close[..], &["2024-06-02", "--reason", "the day was mistyped"]].concat());
    let later = ["--form-4473", "T-9", "--on", "2024-06-03"];
    assert_eq!(shell.run(&[&["dispose"], FIRST, DEALER, &later].concat()).0, 4, "it was closed by then");
    // What the books know of the firearm need not be said again; what is said must be so.
    let found = ["--how", "acquired", "--reference", "R-1", "--on", "2024-05-01", "--calibre"];
    assert_eq!(shell.run(&[&["record"], FIRST, DEALER, &found, &[".308"]].concat()).0, 4);
    shell.done(&[&["record"], FIRST, DEALER, &found, &["9mm luger"]].concat());
    let (exit, answer) = shell.trace(&code, &[]);
    assert_eq!((exit, &answer["chain_end"]["end"]), (0, &"out-of-business".into()), "{answer}");
    assert_eq!(answer["chain_end"]["records_at"], "the tracing centre");
    shell.done(&["issuer", "check", "k7"]);
}
