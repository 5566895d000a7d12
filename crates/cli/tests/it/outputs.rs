//! Where results go: files keep their mode and links their target; what is no file is written into, never replaced.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

fn engrave(folder: &Path, output: &str) {
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    let done = Command::new(program)
        .current_dir(folder)
        .args(["engrave", "K73MXPKA", "--pitch", "8um", "-o", output])
        .stderr(Stdio::null())
        .status();
    assert!(done.unwrap().success(), "{output}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_pipe_is_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.svg");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    engrave(folder.path(), "pipe.svg");
    let seen = reader.wait_with_output().unwrap().stdout;
    assert!(seen.starts_with(b"<"), "{}", String::from_utf8_lossy(&seen));
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn a_link_is_followed_and_a_mode_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link.svg"), folder.path().join("target.svg"));
    fs::write(&target, "old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("target.svg", &link).unwrap();
    engrave(folder.path(), "link.svg");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&target).unwrap().starts_with(b"<"));
    assert_eq!(mode(&target), 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else stays");
}

#[test]
fn what_was_told_in_confidence_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "issuer init k7 --prefix K7 --name Example",
        "issue --registry k7 --model M9 --calibre 9mm --first A1 --count 1",
        "export --registry k7 -o book.csv",
        "book --registry k7 --pdf book.pdf",
    ] {
        let program = assert_cmd::cargo::cargo_bin("microstamp");
        let done =
            Command::new(program).current_dir(folder.path()).args(arguments.split(' ')).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }
    for file in ["book.csv", "book.pdf"] {
        assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
    }
}
