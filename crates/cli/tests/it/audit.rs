//! `audit` from the shell: what is printed, and how it ends.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use transparency::{Commitment, FolderStore, Log, Salt, SigningKey};

const RECORD: &[u8] = br#"{"kind":"trace","number":7}"#;

fn key() -> SigningKey {
    SigningKey::log("issuer.example/log", &[5; 32]).unwrap()
}

fn salt(n: u64) -> Salt {
    Salt::from_bytes([n as u8; 32])
}

/// A log of `size` entries in `folder`, all committing to the same record.
fn write_log(folder: &Path, size: u64) {
    let store = FolderStore::create(folder).unwrap();
    let mut log = Log::create(store, key()).unwrap();
    let entries: Vec<_> = (0..size).map(|n| Commitment::new(&salt(n), RECORD)).collect();
    log.append_batch(&entries).unwrap();
}

/// Runs `microstamp audit …` and returns exit code and standard output.
fn audit(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("microstamp").unwrap();
    let output = command.arg("audit").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

fn check(arguments: &[&str], exit: i32, says: &str) {
    let (code, text) = audit(arguments);
    assert_eq!(code, exit, "{arguments:?}: {text}");
    assert!(text.contains(says), "{arguments:?}: {text}");
}

#[test]
fn a_whole_log_is_whole_and_an_altered_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (log, public) = (folder.path().join("log"), key().verifier().to_string());
    write_log(&log, 300);
    let path = log.to_str().unwrap();
    check(&["fsck", path, "--key", &public], 0, "whole: log issuer.example/log, 300 entries");
    check(&["fsck", path, "--key", &public, "--json"], 0, r#""findings":[]"#);
    check(&["verify", path, "--key", &public], 0, "verified: log issuer.example/log, 300 entries");
    check(&["fsck", path], 2, "--policy FILE or --key KEY");
    let other = SigningKey::log("issuer.example/log", &[6; 32]).unwrap().verifier().to_string();
    check(&["verify", path, "--key", &other], 1, "no signature by issuer.example/log");
    check(&["fsck", path, "--key", &other], 1, "checkpoint: no signature");

    let tile = log.join("tile/entries/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[100] ^= 4;
    fs::write(&tile, bytes).unwrap();
    check(&["fsck", path, "--key", &public], 1, "altered: `tile/0/000` does not fit the entries");
    fs::remove_file(&tile).unwrap();
    check(&["fsck", path, "--key", &public], 1, "truncated: `tile/entries/000` is missing");
}

#[test]
fn a_log_that_went_back_or_aside_is_caught_by_the_next_look() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("log"), folder.path().join("seen"));
    let public = key().verifier().to_string();
    write_log(&log, 300);
    let look = ["watch", log.to_str().unwrap(), "--state", state.to_str().unwrap(), "--key", &public];
    check(&look, 0, "taken on trust");
    check(&look, 0, "whole: log issuer.example/log, 300 entries");
    fs::remove_dir_all(&log).unwrap();
    write_log(&log, 200);
    check(&look, 1, "rolled back: 200 entries, but 300 were signed before");
    let remembered = ["fsck", look[1], "--remembered", look[3], "--key", &public];
    check(&remembered, 1, "rolled back");
    fs::remove_dir_all(&log).unwrap();
    let mut forged = Log::create(FolderStore::create(&log).unwrap(), key()).unwrap();
    forged.append_batch(&vec![[1_u8; 32]; 400]).unwrap();
    check(&look, 1, "forked: does not extend the 300 entries signed before");
}

#[test]
fn evidence_is_packed_and_verifies_without_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, record) = (folder.path().join("log"), folder.path().join("record.json"));
    let (bundle, public) = (folder.path().join("evidence"), key().verifier().to_string());
    write_log(&log, 300);
    fs::write(&record, RECORD).unwrap();
    let (salt_hex, wrong) = (hex::encode([7; 32]), hex::encode([8; 32]));
    let pack = |salt: &str| {
        let (log, record) = (log.to_str().unwrap(), record.to_str().unwrap());
        let output = bundle.to_str().unwrap();
        audit(&["bundle", log, "--entry", "7", "--salt", salt, "--record", record, "-o", output])
    };
    assert_eq!(pack(&wrong).0, 2);
    let (code, text) = pack(&salt_hex);
    assert_eq!(code, 0, "{text}");
    fs::remove_dir_all(&log).unwrap();
    let verify = ["verify", bundle.to_str().unwrap(), "--key", &public];
    check(&verify, 0, r#"entry 7: {"kind":"trace","number":7}"#);
    check(&[&verify[..], &["--json"]].concat(), 0, r#""record":{"kind":"trace","number":7}"#);
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[120] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    check(&verify, 1, "does not verify");
}
