//! Records go a year after their month by an act that stands in the log, and never without one.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use server::access::{Access, Role, Roles};
use server::{Act, Key, Ledger, LedgerCheck, Node, NodeRole, erase_records};
use uuid::Uuid;

use crate::world::{World, node};

const JANUARY: &str = "2025-01-15T12:00:00Z";
const MARCH: &str = "2026-03-02T12:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A node with so many records at a time.
async fn enter(node: &Node, count: u64, now: Timestamp) {
    let ledger = Ledger::open(&node.folder, &node.log).unwrap();
    let act = |number: u64| {
        let key = Key::new(
            "closed question",
            Uuid::from_u128(u128::from(number) + now.as_second() as u128 * 1_000),
        );
        Act::new("question", json!({"number": number, "requester": "det. example"})).found_by(key)
    };
    let acts: Vec<Act> = (0..count).map(act).collect();
    ledger.enter(&acts, now).await.unwrap();
}

fn check(node: &Node) -> LedgerCheck {
    let ledger = Ledger::open(&node.folder, &node.log).unwrap();
    let signed = ledger.checkpoint();
    drop(ledger);
    let signed = signed.borrow().clone();
    Ledger::check(&node.folder, &signed).unwrap()
}

fn months(node: &Node) -> Vec<String> {
    let files = fs::read_dir(node.folder.join("records")).unwrap();
    let mut months: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    months.sort();
    months
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_erased_a_year_after_their_month_by_an_act_in_the_log() {
    let root = tempfile::tempdir().unwrap();
    let police = node(root.path(), NodeRole::Agency, "police.example", "http://127.0.0.1:1");
    enter(&police, 150, at(JANUARY)).await;
    {
        // The act that speaks of the accounts must not go with the rest.
        let ledger = Ledger::open(&police.folder, &police.log).unwrap();
        let whom = ("this machine", "op. example".parse().unwrap(), Roles::new([Role::Operator]).unwrap());
        Access::open(&police).unwrap().invite(whom, &ledger, at(JANUARY)).await.unwrap();
    }
    enter(&police, 80, at("2025-02-10T12:00:00Z")).await;
    let by = "op. example".parse().unwrap();
    let erase = |before: &str, now: &str| {
        let (before, now) = (before.parse().unwrap(), at(now));
        let (path, by) = (root.path(), &by);
        async move { erase_records(path, (before, by), now).await.map_err(|error| error.to_string()) }
    };
    for (before, now, word) in [
        ("2025-02-01", "2026-01-31T23:59:59Z", "a year or more ago"),
        ("2025-02-02", MARCH, "first day of a month"),
        ("2025-01-01", MARCH, "no records of months before"),
    ] {
        let refused = erase(before, now).await.unwrap_err();
        assert!(refused.contains(word), "{before} {now}: {refused}");
    }
    assert_eq!(months(&police), ["2025-01.jsonl", "2025-02.jsonl"]);
    assert_eq!(erase("2025-02-01", MARCH).await, Ok(151));
    assert_eq!(months(&police), ["2025-02.jsonl", "2026-03.jsonl"]);
    let found = check(&police);
    assert_eq!((found.entries, found.erased, found.agreed), (233, 151, 82), "{found:?}");
    assert_eq!((found.without_record.len(), found.not_in_log), (0, 0));
    // Lists go on behind what is gone, and the accounts still agree with the log.
    let ledger = Ledger::open(&police.folder, &police.log).unwrap();
    let page = ledger.after(Key::new("closed question", Uuid::nil()), 30).unwrap();
    assert_eq!((page.len(), page[0].1.body["number"].as_u64()), (30, Some(0)));
    Access::open(&police).unwrap().reconcile(&ledger, at(MARCH)).await.unwrap();
    let accounts = fs::read(police.folder.join("accounts.json")).unwrap();
    fs::write(police.folder.join("accounts.json"), "[]").unwrap();
    assert!(Access::open(&police).unwrap().reconcile(&ledger, at(MARCH)).await.is_err());
    fs::write(police.folder.join("accounts.json"), accounts).unwrap();
    drop(ledger);

    // A second act speaks of all that the first one did.
    assert_eq!(erase("2025-03-01", "2026-04-01T00:00:00Z").await, Ok(231));
    let found = check(&police);
    assert_eq!((found.entries, found.erased, found.agreed, found.without_record.len()), (234, 231, 3, 0));
}

/// What an act of erasure says counts only where it could be made.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_before_its_time_erases_nothing() {
    let root = tempfile::tempdir().unwrap();
    let police = node(root.path(), NodeRole::Agency, "police.example", "http://127.0.0.1:1");
    enter(&police, 10, at("2026-01-10T12:00:00Z")).await;
    {
        let ledger = Ledger::open(&police.folder, &police.log).unwrap();
        let body = json!({"before": "2026-02-01", "entries": 10, "by": "op. example"});
        ledger.enter(&[Act::new("erased", body)], at(MARCH)).await.unwrap();
    }
    fs::remove_file(police.folder.join("records/2026-01.jsonl")).unwrap();
    assert_eq!(check(&police).without_record, (0..10).collect::<Vec<_>>());
}

/// Takes lines out of a file of records.
fn without(file: &Path, lines: std::ops::Range<usize>) {
    let text = fs::read_to_string(file).unwrap();
    let kept: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| !lines.contains(at)).map(|(_, line)| line).collect();
    fs::write(file, kept.join("\n") + "\n").unwrap();
}

/// Something that is done to the records of a node: 17,000 of January, some of which the index has put away, and 20 of March.
type Spoil = fn(&Path);

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_missing_is_found_and_named() {
    let root = tempfile::tempdir().unwrap();
    let police = node(&root.path().join("whole"), NodeRole::Agency, "police.example", "http://127.0.0.1:1");
    for second in 0..17 {
        enter(&police, 1_000, at(&format!("2025-01-15T12:00:{second:02}Z"))).await;
    }
    enter(&police, 20, at(MARCH)).await;
    assert_eq!(check(&police).agreed, 17_020);
    assert!(!police.folder.join("lost").exists());
    let cases: [(&str, Spoil, u64); 9] = [
        ("the first line", |node| without(&node.join("records/2025-01.jsonl"), 0..1), 0),
        ("a line in the middle", |node| without(&node.join("records/2025-01.jsonl"), 70..71), 70),
        (
            "two lines further down",
            |node| without(&node.join("records/2025-01.jsonl"), 16_000..16_002),
            16_000,
        ),
        (
            "the last line of a month",
            |node| without(&node.join("records/2025-01.jsonl"), 16_999..17_000),
            16_999,
        ),
        ("a whole month", |node| fs::remove_file(node.join("records/2025-01.jsonl")).unwrap(), 0),
        ("the newest line", |node| without(&node.join("records/2026-03.jsonl"), 19..20), 17_019),
        ("the newest month", |node| fs::remove_file(node.join("records/2026-03.jsonl")).unwrap(), 17_000),
        (
            "everything",
            |node| {
                fs::remove_dir_all(node.join("records")).unwrap();
                fs::create_dir(node.join("records")).unwrap();
            },
            0,
        ),
        (
            "a line, and the index with it",
            |node| {
                without(&node.join("records/2025-01.jsonl"), 70..71);
                fs::remove_dir_all(node.join("index")).unwrap();
            },
            70,
        ),
    ];
    for (at, (what, spoil, first)) in cases.into_iter().enumerate() {
        let copy = root.path().join(format!("case-{at}"));
        let copied =
            std::process::Command::new("cp").arg("-a").arg(root.path().join("whole")).arg(&copy).status();
        assert!(copied.unwrap().success());
        let police = Node::open(&copy).unwrap();
        spoil(&police.folder);
        // Also at the second start.
        for _ in 0..2 {
            let found = check(&police);
            assert_eq!(found.without_record.first(), Some(&first), "{what}");
            let noted = fs::read_to_string(police.folder.join("lost")).unwrap_or_default();
            assert_eq!(noted.trim(), first.to_string(), "{what}: the start finds it too");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_that_records_are_missing_until_they_are_back() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    agency.ask(&crate::world::question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap();
    drop(agency);
    let issuer = world.node("issuer");
    let listener = world.stop_for_a_while("issuer").await;
    let file = fs::read_dir(issuer.folder.join("records")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    without(&file, 0..1);
    world.serve("issuer", listener).await;
    let health = async |world: &World| {
        let (status, health) = world.client.get(&format!("{}/healthz", issuer.config.url)).await.unwrap();
        (status, serde_json::from_slice::<Value>(&health).unwrap()["impaired"].clone())
    };
    assert_eq!(health(&world).await, (503, json!(["records"])));
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"records\"} 1"));
    let listener = world.stop_for_a_while("issuer").await;
    fs::write(&file, whole).unwrap();
    world.serve("issuer", listener).await;
    assert_eq!(health(&world).await, (200, json!([])));
}
