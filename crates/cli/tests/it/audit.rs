//! `audit` from the shell: what is printed, and how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use transparency::{
    Commitment, FolderStore, Log, Resource, Salt, SignedCheckpoint, SigningKey, StoreError, TileStore as _,
};

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
fn a_log_that_vanished_went_back_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("log"), folder.path().join("seen"));
    let public = key().verifier().to_string();
    write_log(&log, 30);
    let look = ["watch", log.to_str().unwrap(), "--state", state.to_str().unwrap(), "--key", &public];
    check(&look, 0, "taken on trust");
    let seen = fs::read(&state).unwrap();
    for gone in [log.join("checkpoint"), log.clone()] {
        if gone.is_dir() { fs::remove_dir_all(&gone) } else { fs::remove_file(&gone) }.unwrap();
        check(&look, 1, "rolled back: 0 entries, but 30 were signed before");
        let remembered = ["fsck", look[1], "--remembered", look[3], "--key", &public];
        check(&remembered, 1, "rolled back: 0 entries, but 30 were signed before");
        assert_eq!(fs::read(&state).unwrap(), seen, "what was seen is kept");
    }
    // Without anything remembered nobody knows that there was one.
    fs::remove_file(&state).unwrap();
    check(&look, 2, "holds no log");
}

fn witness() -> SigningKey {
    SigningKey::witness("oversight.example/w", &[7; 32]).unwrap()
}

/// A policy under which the witness must have cosigned.
fn write_policy(folder: &Path) -> PathBuf {
    let (log, witness) = (key().verifier().to_string(), witness().verifier().to_string());
    let file = folder.join("policy");
    fs::write(&file, format!("log {log}\nwitness w {witness}\nquorum w\n")).unwrap();
    file
}

/// Writes the newest checkpoint of a log, cosigned, into a file.
fn cosign(log: &Path, file: &Path) {
    let bytes = FolderStore::read_only(log).read(&Resource::Checkpoint).unwrap().unwrap();
    let mut signed = SignedCheckpoint::parse(&bytes).unwrap();
    let line = signed.cosign(&witness(), 1_800_000_000).unwrap();
    signed.note.signatures.push(line);
    fs::write(file, signed.to_string()).unwrap();
}

/// The log's folder, once nobody holds it: a process that another test is just starting holds, until it runs its own program,
/// whatever was locked here.
fn opened(log: &Path) -> FolderStore {
    let mut tries = 0..200;
    loop {
        match FolderStore::open(log) {
            Err(StoreError::Locked(_)) if tries.next().is_some() => {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Appends entries to a log that is there.
fn lengthen(log: &Path, more: usize) {
    let mut log = Log::open(opened(log), key()).unwrap();
    log.append_batch(&vec![[3_u8; 32]; more]).unwrap();
}

#[test]
fn cosignatures_are_found_where_a_node_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let policy = write_policy(folder.path());
    let policy = policy.to_str().unwrap();
    let (node, books) = (folder.path().join("police/node"), folder.path().join("maker"));
    fs::create_dir_all(node.join("records")).unwrap();
    fs::create_dir_all(books.join("node")).unwrap();
    fs::write(books.join("issuer.toml"), "").unwrap();
    for (log, cosigned) in
        [(node.join("log"), node.join("cosigned")), (books.join("log"), books.join("node/cosigned-books"))]
    {
        let (path, state) = (log.to_str().unwrap(), folder.path().join("seen"));
        write_log(&log, 300);
        let verify = ["verify", path, "--policy", policy];
        check(&verify, 1, "quorum `w` is not met");
        cosign(&log, &cosigned);
        check(&verify, 0, "witness w: 2027-01-15T08:00:00Z");
        // The log goes on; what was cosigned of it stays what it was.
        lengthen(&log, 40);
        check(&verify, 0, "verified: log issuer.example/log, 300 entries");
        let look = ["watch", path, "--state", state.to_str().unwrap(), "--policy", policy];
        check(&look, 0, "whole: log issuer.example/log, 340 entries");
        fs::remove_file(&state).unwrap();
        // The whole folder of the log's alone: the records beside it are another matter.
        let copy = folder.path().join("copy");
        fs::create_dir(&copy).unwrap();
        Command::new("cp").arg("-r").arg(log.join(".")).arg(&copy).assert().success();
        fs::copy(&cosigned, copy.join("cosigned")).unwrap();
        check(&["fsck", copy.to_str().unwrap(), "--policy", policy], 0, "340 entries");
        // A log that does not go on from what was cosigned is caught, with a newer checkpoint as with a shorter log.
        fs::remove_dir_all(&copy).unwrap();
        fs::remove_dir_all(&log).unwrap();
        write_log(&log, 200);
        check(&verify, 1, "what witnesses cosigned: rolled back: 200 entries, but 300 were signed before");
        check(&look, 1, "rolled back");
        fs::remove_dir_all(&log).unwrap();
        let mut forged = Log::create(FolderStore::create(&log).unwrap(), key()).unwrap();
        forged.append_batch(&vec![[1_u8; 32]; 400]).unwrap();
        check(&verify, 1, "what witnesses cosigned: forked");
        fs::write(&cosigned, "nothing").unwrap();
        check(&verify, 1, "cosigned");
    }
}

#[test]
fn who_cosigned_a_part_of_a_log_vouches_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let policy = write_policy(folder.path());
    // A copy of a log, and in it what was cosigned.
    let log = folder.path().join("copy");
    write_log(&log, 2);
    cosign(&log, &log.join("cosigned"));
    lengthen(&log, 4);
    let fsck = ["fsck", log.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    check(&fsck, 0, "cosigned: the first 2 entries of it");
    let (_, told) = audit(&[&fsck[..], &["--json"]].concat());
    let told: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!((&told["size"], &told["witnesses"]), (&6.into(), &serde_json::json!([])), "{told}");
    let cosigned = &told["cosigned"];
    assert_eq!((&cosigned["size"], &cosigned["witnesses"][0]["name"]), (&2.into(), &"w".into()), "{told}");
    // Of all of it, once witnesses saw all of it.
    cosign(&log, &log.join("cosigned"));
    let (_, told) = audit(&[&fsck[..], &["--json"]].concat());
    let told: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&told["witnesses"][0]["name"], &told["cosigned"]["size"]),
        (&"w".into(), &6.into()),
        "{told}"
    );
}

/// Serves the files of a folder over HTTP until the test ends.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, folder) = (format!("http://{}", listener.local_addr().unwrap()), folder.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder) = (stream.unwrap(), folder.clone());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let path = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
                lines.find(String::is_empty)?;
                let (status, content) = match fs::read(folder.join(path)) {
                    Ok(content) => (200, content),
                    Err(_) => (404, Vec::new()),
                };
                let length = content.len();
                let head =
                    format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), &content].concat()).ok()
            });
        }
    });
    address
}

#[test]
fn a_log_is_audited_where_a_node_serves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("served/log"), folder.path().join("seen"));
    let (policy, public) = (write_policy(folder.path()), key().verifier().to_string());
    let policy = policy.to_str().unwrap();
    write_log(&log, 300);
    cosign(&log, &log.join("cosigned"));
    lengthen(&log, 300);
    let address = serve(&folder.path().join("served"));
    let url = format!("{address}/log");
    check(&["verify", &url, "--policy", policy], 0, "witness w: 2027-01-15T08:00:00Z");
    check(&["verify", &format!("{url}/"), "--key", &public], 0, "600 entries");
    check(&["fsck", &url, "--policy", policy], 0, "whole: log issuer.example/log, 600 entries");
    let look = ["watch", &url, "--state", state.to_str().unwrap(), "--policy", policy];
    check(&look, 0, "taken on trust");
    check(&look, 0, "600 entries");
    // Whom to trust must be said, and whose certificate is expected.
    check(&["verify", &url], 2, "--policy FILE or --key KEY");
    check(&["verify", "https://127.0.0.1:1/log", "--key", &public], 2, "give --pin");
    let pin = ["verify", "https://127.0.0.1:1/log", "--key", &public, "--pin", &"0".repeat(64)];
    check(&pin, 3, "cannot fetch `https://127.0.0.1:1/log/");
    check(&["fsck", "http://127.0.0.1:1/log", "--key", &public], 3, "cannot fetch `http://127.0.0.1:1/log/");
    check(
        &["fsck", "http://127.0.0.1:1/log", "--key", &public, "--pin", &"0".repeat(64)],
        2,
        "http:// has none",
    );
    check(&["verify", &format!("{address}/none"), "--key", &public], 2, "holds no log");

    // What is evidence by hand is packed out of a served log as well.
    let (record, bundle) = (folder.path().join("record"), folder.path().join("bundle"));
    fs::write(&record, RECORD).unwrap();
    let (record, bundle, salt) = (record.to_str().unwrap(), bundle.to_str().unwrap(), hex::encode([7; 32]));
    let pack = ["bundle", &url, "--entry", "7", "--salt", &salt, "--record", record, "-o", bundle];
    check(&pack, 0, "");
    check(&["verify", bundle, "--policy", policy], 0, "witness w");
    check(&["verify", bundle, "--key", &public], 1, "does not belong here");
    check(&[&pack[..], &["--without-cosignatures"]].concat(), 0, "");
    check(&["verify", bundle, "--key", &public], 0, r#"entry 7: {"kind":"trace","number":7}"#);

    // A server that gives more than a file of a log can have is not listened to; one that alters, cuts or puts back is caught.
    let tile = log.join("tile/0/000");
    let good = fs::read(&tile).unwrap();
    fs::write(&tile, [&good[..], &good[..]].concat()).unwrap();
    check(&["fsck", &url, "--policy", policy], 3, "more than the 8192");
    fs::write(&tile, &good).unwrap();
    let entries = log.join("tile/entries/001");
    let mut bytes = fs::read(&entries).unwrap();
    bytes[100] ^= 4;
    fs::write(&entries, &bytes).unwrap();
    check(&["fsck", &url, "--policy", policy], 1, "altered: `tile/0/001` does not fit the entries");
    fs::remove_file(&entries).unwrap();
    check(&["fsck", &url, "--policy", policy], 1, "truncated: `tile/entries/001` is missing");
    fs::remove_file(log.join("checkpoint")).unwrap();
    check(&look, 1, "rolled back: 0 entries, but 600 were signed before");
}

#[test]
fn evidence_is_packed_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let shell = |words: &[&str]| {
        let mut command = Command::cargo_bin("microstamp").unwrap();
        let output = command.current_dir(folder.path()).env("USER", "clerk").args(words).output().unwrap();
        let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap() + &remarks)
    };
    assert_eq!(shell(&["issuer", "init", "k7", "--prefix", "K7", "--name", "Example Arms"]).0, 0);
    let issue =
        ["issue", "--registry", "k7", "--model", "M9", "--calibre", "9mm", "--first", "A1", "--count", "1"];
    assert_eq!(shell(&issue).0, 0);
    for place in ["k7", "k7/log"] {
        let (exit, text) =
            shell(&["audit", "bundle", place, "--entry", "0", "--entry", "2", "-o", "evidence"]);
        assert_eq!(exit, 0, "{text}");
        let (exit, text) = shell(&["audit", "verify", "evidence", "--key", "k7/keys/log.pub"]);
        assert_eq!(exit, 0, "{text}");
        assert!(
            text.contains(r#"entry 0: {"act":{"after":0,"at":"#)
                && text.contains(r#","kind":"block"},"#)
                && text.contains(r#","prefix":"K7"}"#)
                && text.contains(r#""model":"M9""#),
            "{text}"
        );
        fs::remove_file(folder.path().join("evidence")).unwrap();
    }
    let (exit, text) = shell(&["audit", "bundle", "k7", "--entry", "4", "-o", "evidence"]);
    assert!(exit == 2 && text.contains("entry 4 has no record here"), "{text}");
    // A log without anything beside it does not know what was entered.
    fs::rename(folder.path().join("k7/log"), folder.path().join("log")).unwrap();
    let (exit, text) = shell(&["audit", "bundle", "log", "--entry", "0", "-o", "evidence"]);
    assert!(exit == 2 && text.contains("give --salt and --record"), "{text}");
    assert!(!folder.path().join("evidence").exists());
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
