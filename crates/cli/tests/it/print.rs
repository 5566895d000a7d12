//! The bound book and certificates on paper.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    Command::new(program)
        .current_dir(folder)
        .env("USER", "clerk")
        .args(arguments.split(' '))
        .output()
        .unwrap()
}

fn done(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn books(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), "issuer init k7 --prefix K7 --name Example");
    let issue = format!("issue --registry k7 --model M9 --calibre 9mm --first A00001 --count {count}");
    done(folder.path(), &issue);
    folder
}

fn is_archival(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.7"), "{}", file.display());
    assert!(String::from_utf8_lossy(&bytes).contains("<pdfaid:part>2</pdfaid:part>"), "{}", file.display());
}

#[test]
fn a_book_is_printed_whole_and_for_one_firearm() {
    let folder = books(3);
    let folder = folder.path();
    for view in ["original", "corrected", "both"] {
        done(folder, &format!("book --registry k7 --view {view} --pdf {view}.pdf"));
        is_archival(&folder.join(format!("{view}.pdf")));
    }
    done(folder, "book --registry k7 --model M9 --serial A00002 --pdf one.pdf");
    is_archival(&folder.join("one.pdf"));
    assert_eq!(run(folder, "book --registry k7").status.code(), Some(2), "no firearm is named");
    assert_eq!(
        run(folder, "book --registry k7 --model M9 --serial ZZ9 --pdf none.pdf").status.code(),
        Some(2)
    );
    assert!(!folder.join("none.pdf").exists());
    let other_time = "book --registry k7 --view both --pdf old.pdf --printed-at 2001-01-01T00:00:00Z";
    assert_eq!(run(folder, other_time).status.code(), Some(2), "the paper bears the time of its act");
    done(folder, "issuer check k7");
}

#[test]
fn a_certificate_is_printed_beside_its_note() {
    let folder = books(1);
    let folder = folder.path();
    let note = done(folder, "certificate --registry k7 --model M9 --serial A00001 --pdf certificate.pdf");
    assert!(note.contains("standard: microstamp specification, version 1"), "{note}");
    is_archival(&folder.join("certificate.pdf"));
}

#[test]
fn a_certificate_is_checked_without_the_books() {
    let folder = books(2);
    let folder = folder.path();
    for (serial, file) in [("A00001", "one.txt"), ("A00002", "two.txt")] {
        done(folder, &format!("certificate --registry k7 --model M9 --serial {serial} -o {file}"));
    }
    let keys = "--key k7/keys/signing.pub --log-key k7/keys/log.pub";
    let whole = done(folder, &format!("audit verify one.txt {keys}"));
    assert!(whole.contains("it stands in the log microstamp/issuer/K7"), "{whole}");
    assert!(whole.contains("firing-pin: "), "{whole}");
    done(folder, "audit verify one.txt --key k7/keys/signing.pub");

    let fails = |arguments: String, says: &str| {
        let output = run(folder, &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {text}");
        assert!(text.contains(says), "{arguments}: {text}");
    };
    fails(format!("audit verify one.txt --proof two.txt.proof {keys}"), "of another place in a log");
    fails("audit verify one.txt --key k7/keys/log.pub".into(), "does not verify");
    let text = std::fs::read_to_string(folder.join("one.txt")).unwrap();
    std::fs::write(folder.join("altered.txt"), text.replace("A00001", "A00009")).unwrap();
    fails("audit verify altered.txt --key k7/keys/signing.pub".into(), "does not verify");
    assert_eq!(run(folder, "audit verify one.txt").status.code(), Some(2), "no key is named");
}

#[test]
fn a_block_is_named_in_its_one_spelling() {
    let folder = tempfile::tempdir().unwrap();
    for typed in ["KB", "KO", "kI"] {
        let refused = run(folder.path(), &format!("issuer init k --prefix {typed} --name Example"));
        assert_eq!(refused.status.code(), Some(2), "{typed}");
        assert!(!folder.path().join("k").exists(), "{typed}");
    }
    done(folder.path(), "issuer init k --prefix k8 --name Example");
}

#[test]
fn a_closing_issuer_hands_its_books_over() {
    let folder = books(2);
    let folder = folder.path();
    let to = done(folder, "issuer successor-key successor.key");
    let to = to.trim();
    assert!(to.starts_with("age1"), "{to}");
    let printed = done(folder, &format!("issuer hand-over k7 --to {to} -o k7.age"));
    assert!(printed.ends_with("  k7.age\n"), "{printed}");
    done(folder, "issuer take-over k7.age taken --identity successor.key");
    done(folder, "issuer check taken");
    let refused = run(folder, "issue --registry k7 --model M9 --calibre 9mm --first B1 --count 1");
    assert_eq!(refused.status.code(), Some(4), "a closed issuer issues nothing");
    let again = run(folder, "issuer take-over k7.age taken --identity successor.key");
    assert_eq!(again.status.code(), Some(2), "there are books already");
    done(folder, "issuer successor-key other.key");
    let wrong = run(folder, "issuer take-over k7.age other --identity other.key");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("sealed to another"));
}

/// The secret keys are away: whoever only looks needs none, whoever issues needs them.
#[test]
fn books_are_checked_without_their_secret_keys() {
    let folder = books(2);
    let folder = folder.path();
    for key in ["log", "sealing", "signing"] {
        std::fs::rename(folder.join(format!("k7/keys/{key}.key")), folder.join(format!("{key}.key")))
            .unwrap();
    }
    assert!(done(folder, "issuer check k7").contains("log entries agree with the books"));
    assert!(done(folder, "issuer show k7").starts_with("K7  2 issued"));
    assert!(done(folder, "audit fsck k7").starts_with("whole: log microstamp/issuer/K7"));
    assert_eq!(done(folder, "part key list --registry k7"), "");
    let shown = done(folder, "book --registry k7 --model M9 --serial A00002");
    assert!(shown.contains("manufactured  Example"), "{shown}");
    let refused = run(folder, "issue --registry k7 --model M9 --calibre 9mm --first B1 --count 1");
    assert!(!refused.status.success());
}
