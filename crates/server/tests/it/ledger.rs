//! The index of records: what was entered is found again, after restarts and crashes, however much there is.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use server::{Act, Key, Ledger};
use transparency::SigningKey;
use uuid::Uuid;

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, &SigningKey::log("issuer.example/log", &[7; 32]).unwrap()).unwrap()
}

fn number(at: u64) -> Uuid {
    Uuid::from_u128(u128::from(at) * 3)
}

fn act(at: u64) -> Act {
    Act::new("answer", json!({"number": at})).found_by(Key::new("answer", number(at)))
}

async fn enter(ledger: &Ledger, numbers: std::ops::Range<u64>, now: Timestamp) {
    for chunk in numbers.collect::<Vec<_>>().chunks(1_000) {
        let acts: Vec<Act> = chunk.iter().map(|at| act(*at)).collect();
        ledger.enter(&acts, now).await.unwrap();
    }
}

fn check(ledger: &Ledger, count: u64) {
    for at in (0..count).step_by(997).chain([count - 1]) {
        let found = ledger.find(Key::new("answer", number(at))).unwrap().unwrap();
        assert_eq!(found.body["number"], at);
        assert_eq!(found.entered.index, at);
        assert!(!ledger.holds(Key::new("answer", Uuid::from_u128(u128::from(at) * 3 + 1))).unwrap());
        assert!(!ledger.holds(Key::new("question", number(at))).unwrap(), "another scope");
        let page = ledger.after(Key::new("answer", number(at)), 3).unwrap();
        let wanted: Vec<Uuid> = (at + 1..count.min(at + 4)).map(number).collect();
        assert_eq!(page.iter().map(|(id, _)| *id).collect::<Vec<_>>(), wanted);
        let from: Vec<u64> = ledger.from_entry(at, 2).unwrap().iter().map(|one| one.entered.index).collect();
        assert_eq!(from, (at..count.min(at + 2)).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_entered_is_found_again_after_restarts_and_without_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let (november, december) =
        ("2026-11-30T23:59:59Z".parse().unwrap(), "2026-12-01T00:00:00Z".parse().unwrap());
    let ledger = open(folder.path());
    enter(&ledger, 0..30_000, november).await;
    check(&ledger, 30_000);
    drop(ledger);
    let ledger = open(folder.path());
    check(&ledger, 30_000);
    enter(&ledger, 30_000..60_000, december).await;
    // A clock that goes back writes on in the newest file.
    enter(&ledger, 60_000..61_000, november).await;
    check(&ledger, 61_000);
    drop(ledger);
    let runs = || fs::read_dir(folder.path().join("index")).unwrap().count();
    assert!((2..=6).contains(&runs()), "runs are merged: {}", runs());
    // A run that is lost, or the whole index, is made anew.
    let run = fs::read_dir(folder.path().join("index")).unwrap().map(|one| one.unwrap().path());
    fs::remove_file(run.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "run")).unwrap())
        .unwrap();
    check(&open(folder.path()), 61_000);
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    check(&open(folder.path()), 61_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_other_programs_are_refused_with_a_reason() {
    let refused = |folder: &Path| {
        let opened = Ledger::open(folder, &SigningKey::log("test.example/log", &[1; 32]).unwrap());
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let newer = tempfile::tempdir().unwrap();
    drop(open(newer.path()));
    fs::write(newer.path().join("format"), "microstamp.node/3\n").unwrap();
    assert!(
        refused(newer.path()).contains("`microstamp.node/3`, and this program knows `microstamp.node/2`")
    );

    // As records were before they told their numbers.
    let older = tempfile::tempdir().unwrap();
    let ledger = open(older.path());
    let body = json!({"question": Uuid::now_v7(), "statement": "said"});
    ledger.enter(&[Act::new("question", json!({})), Act::new("answer", body)], now).await.unwrap();
    drop(ledger);
    fs::remove_file(older.path().join("format")).unwrap();
    assert!(refused(older.path()).contains("is of an older program"), "{}", refused(older.path()));

    // Without an answer in it there is nothing that could not be found.
    let bare = tempfile::tempdir().unwrap();
    let ledger = open(bare.path());
    ledger.enter(&[Act::new("account", json!({}))], now).await.unwrap();
    drop(ledger);
    fs::remove_file(bare.path().join("format")).unwrap();
    drop(open(bare.path()));
    assert!(bare.path().join("format").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_the_log_never_took_are_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let ledger = open(folder.path());
    enter(&ledger, 0..70, now).await;
    drop(ledger);
    let file = folder.path().join("records/2026-11.jsonl");
    let whole = fs::read(&file).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let forged = String::from_utf8_lossy(&whole[last..]).replace("\"index\":69", "\"index\":70");
    fs::write(&file, [&whole, forged.as_bytes(), b"{\"index\":71,\"sa"].concat()).unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.from_entry(60, 100).unwrap().len(), 10, "what the log never took is out of the file");
    enter(&ledger, 70..71, now).await;
    check(&ledger, 71);
    let aside = fs::read_to_string(folder.path().join("unacknowledged.jsonl")).unwrap();
    assert_eq!(aside, format!("{forged}{{\"index\":71,\"sa"));
    let signed = ledger.checkpoint();
    drop(ledger);
    let found = Ledger::check(folder.path(), &signed.borrow(), None).unwrap();
    assert_eq!((found.agreed, found.not_in_log, found.without_record.len()), (71, 0, 0));
}

/// Puts an older log in the place of the newer one, as somebody would who has a copy.
fn put_back(folder: &Path, older: &Path) {
    fs::remove_dir_all(folder.join("log")).unwrap();
    fs::rename(older, folder.join("log")).unwrap();
}

fn copy_log(folder: &Path) -> std::path::PathBuf {
    let older = folder.join("older");
    let copied = std::process::Command::new("cp").arg("-a").args([&folder.join("log"), &older]).status();
    assert!(copied.unwrap().success());
    older
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_log_that_is_put_back_loses_no_record_of_later_months() {
    let folder = tempfile::tempdir().unwrap();
    let [november, december] = ["2026-11-22T12:00:00Z", "2026-12-22T12:00:00Z"].map(|at| at.parse().unwrap());
    let ledger = open(folder.path());
    enter(&ledger, 0..70, november).await;
    drop(ledger);
    let older = copy_log(folder.path());
    let ledger = open(folder.path());
    enter(&ledger, 70..80, november).await;
    enter(&ledger, 80..90, december).await;
    drop(ledger);
    put_back(folder.path(), &older);
    let ledger = open(folder.path());
    enter(&ledger, 70..71, december).await;
    check(&ledger, 71);
    let aside = fs::read_to_string(folder.path().join("unacknowledged.jsonl")).unwrap();
    let aside: Vec<u64> = aside
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["index"].as_u64().unwrap())
        .collect();
    assert_eq!(aside, (70..90).collect::<Vec<_>>());
    drop(ledger);
    let ledger = open(folder.path());
    check(&ledger, 71);
    let signed = ledger.checkpoint();
    drop(ledger);
    let found = Ledger::check(folder.path(), &signed.borrow(), None).unwrap();
    assert_eq!((found.agreed, found.not_in_log, found.without_record.len()), (71, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_a_newer_log_does_not_speak_for_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let ledger = open(folder.path());
    enter(&ledger, 0..100, now).await;
    drop(ledger);
    let older = copy_log(folder.path());
    let ledger = open(folder.path());
    enter(&ledger, 100..20_000, now).await;
    drop(ledger);
    put_back(folder.path(), &older);
    let ledger = open(folder.path());
    let key = |at| Key::new("answer", number(at));
    assert!(ledger.holds(key(99)).unwrap());
    assert!(!ledger.holds(key(100)).unwrap(), "nothing of the kind is in this log");
    enter(&ledger, 30_000..30_100, now).await;
    assert_eq!(ledger.find(key(30_050)).unwrap().unwrap().entered.index, 150);
    assert!(ledger.find(key(150)).unwrap().is_none(), "an old key does not find a new record");
}
