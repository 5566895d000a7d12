//! Every word of help, as a user sees it.

use assert_cmd::Command;

#[test]
fn every_command_explains_itself() {
    let commands = [
        "audit",
        "engrave",
        "code",
        "compare",
        "database",
        "issuer",
        "issue",
        "ammunition",
        "record",
        "dispose",
        "theft",
        "part",
        "correct",
        "book",
        "import",
        "export",
        "certificate",
        "trace",
        "node",
        "account",
        "serve",
        "conformance",
        "federation",
        "strike",
        "x3p",
        "read",
        "demo",
        "completions",
        "man",
    ];
    let mut help = String::new();
    for command in commands {
        let output = Command::cargo_bin("microstamp")
            .unwrap()
            .args([command, "--help"])
            .env("COLUMNS", "100")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        let page = String::from_utf8(output.stdout).unwrap();
        help.extend(["$ microstamp ", command, " --help\n", &page, "\n"]);
    }
    insta::assert_snapshot!(help);
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    for arguments in [&["completions", "bash"][..], &["man"]] {
        let output = Command::cargo_bin("microstamp").unwrap().args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for command in ["read", "engrave", "trace", "demo"] {
            assert!(text.contains(command), "{arguments:?} lacks {command}");
        }
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&["reed"][..], &["read"], &["--threads", "0", "man"], &["engrave", "K73MXP"]] {
        let output = Command::cargo_bin("microstamp").unwrap().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
