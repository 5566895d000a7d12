//! Records go a year after their month by an act that stands in the log, by the witnesses' clocks, and never without one.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use registry::{Books, CandidateCode, FirearmKey, Priority, TraceRequest};
use serde_json::{Value, json};
use server::access::{Access, Role, Roles};
use server::api::{AgencyCard, WitnessCard};
use server::federation::DirectoryContent;
use server::{
    Act, Key, Ledger, LedgerCheck, Node, NodeRole, erase_records, validity, witnessed_time_of_books,
};
use sha2::{Digest as _, Sha256};
use symbology::Code;
use tempfile::TempDir;
use uuid::Uuid;

use crate::world::{World, node, until};

const JANUARY: &str = "2025-01-15T12:00:00Z";
const MARCH: &str = "2026-03-02T12:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// An agency's node whose witnesses are away, and whose log is cosigned by hand.
struct Watched {
    root: TempDir,
    police: Node,
    witnesses: Vec<Node>,
    directory: String,
}

impl Watched {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let away = "http://127.0.0.1:1";
        let keeper = node(&root.path().join("directory"), NodeRole::Directory, "directory.example", away);
        let mut police = node(&root.path().join("police"), NodeRole::Agency, "police.example", away);
        police.trust(&format!("{away}/directory"), &keeper.statements.verifier().to_string()).unwrap();
        let witnesses: Vec<Node> = ["one", "two", "three"]
            .map(|name| node(&root.path().join(name), NodeRole::Witness, &format!("{name}.example"), away))
            .into();
        let directory = directory(&keeper, &police, &witnesses);
        let hash = hex::encode(Sha256::digest(&directory));
        fs::create_dir(police.folder.join("directories")).unwrap();
        fs::write(police.folder.join("directories").join(&hash), &directory).unwrap();
        fs::write(police.folder.join("directory"), &directory).unwrap();
        Self { root, police, witnesses, directory: hash }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("police")
    }

    /// The log as it is now, with the cosignatures of two witnesses of these times.
    fn signed(&self, times: [&str; 2]) -> String {
        let ledger = Ledger::open(&self.police.folder, &self.police.log).unwrap();
        let mut signed = ledger.checkpoint().borrow().clone();
        for (time, witness) in times.iter().zip(&self.witnesses) {
            let time = u64::try_from(at(time).as_second()).unwrap();
            let line = signed.cosign(&witness.witness, time).unwrap();
            signed.note.signatures.push(line);
        }
        signed.to_string()
    }

    fn seen(&self, checkpoint: &str) -> Value {
        json!({"directory": self.directory, "checkpoint": checkpoint})
    }

    /// What a quorum cosigned last.
    fn cosign(&self, time: &str) -> String {
        let signed = self.signed([time, time]);
        fs::write(self.police.folder.join("cosigned"), &signed).unwrap();
        signed
    }

    /// The same, where a month begins.
    fn cosign_first(&self, time: &str) -> Value {
        let (seen, kept) = (self.seen(&self.cosign(time)), self.police.folder.join("witnessed"));
        fs::create_dir_all(&kept).unwrap();
        fs::write(kept.join(at(time).as_second().to_string()), seen.to_string()).unwrap();
        seen
    }

    async fn erase(&self, before: &str, now: &str) -> Result<(u64, u64), String> {
        let (before, by) = (before.parse().unwrap(), "op. example".parse().unwrap());
        erase_records(&self.path(), (before, &by), at(now)).await.map_err(|error| error.to_string())
    }
}

fn directory(keeper: &Node, police: &Node, witnesses: &[Node]) -> Vec<u8> {
    let (from, until) = validity(at("2025-01-01T00:00:00Z"), 3_000);
    let mut content = DirectoryContent::new(1, from, until);
    content.agencies.push(AgencyCard {
        node: police.card(),
        oris: vec!["CA0194200".parse().unwrap()],
        sealing: police.sealing.clone(),
        valid_from: from,
        valid_until: until,
    });
    for (number, witness) in witnesses.iter().enumerate() {
        let url = format!("http://127.0.0.1:{}", number + 1);
        // As they stand that were enrolled before there was a second key.
        content.witnesses.push(WitnessCard { url, key_ml_dsa_44: None, ..witness.witness_card() });
    }
    "http://127.0.0.1:9".clone_into(&mut content.agencies[0].node.url);
    content.quorum = 2;
    content.sign(&keeper.statements).unwrap()
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
    Ledger::check(&node.folder, &signed, None).unwrap()
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
    let watched = Watched::new();
    let police = &watched.police;
    enter(police, 150, at(JANUARY)).await;
    {
        // The act that speaks of the accounts must not go with the rest.
        let ledger = Ledger::open(&police.folder, &police.log).unwrap();
        let whom = ("this machine", "op. example".parse().unwrap(), Roles::new([Role::Operator]).unwrap());
        Access::open(police).unwrap().invite(whom, &ledger, at(JANUARY)).await.unwrap();
    }
    watched.cosign_first("2025-02-01T00:00:01Z");
    enter(police, 80, at("2025-02-10T12:00:00Z")).await;
    // The witnesses were away for some days.
    watched.cosign_first("2025-03-05T12:00:00Z");
    for (cosigned, before, now, word) in [
        ("2026-01-31T23:59:58Z", "2025-02-01", "2026-01-31T23:59:59Z", "a year or more ago"),
        // The calendar says yes, by the machine's clock, and the witnesses' are a moment behind.
        ("2026-01-31T23:59:58Z", "2025-02-01", "2026-02-01T00:00:00Z", "a year or more ago"),
        ("2026-02-01T00:00:00Z", "2025-02-01", "2026-02-01T00:00:00Z", "first saw all these entries"),
        (MARCH, "2025-02-02", MARCH, "first day of a month"),
        (MARCH, "2025-01-01", MARCH, "no records of months before"),
        // Its month is over for a year, and witnesses saw it later.
        (MARCH, "2025-03-01", MARCH, "first saw all these entries"),
    ] {
        watched.cosign(cosigned);
        let refused = watched.erase(before, now).await.unwrap_err();
        assert!(refused.contains(word), "{before} {now}: {refused}");
    }
    assert_eq!(months(police), ["2025-01.jsonl", "2025-02.jsonl"]);
    // What a crash once left behind the log's end was set aside.
    let line = |at: &str, who: &str| {
        let record = json!({"at": at, "body": {"requester": who}, "kind": "question"});
        format!("{}\n", json!({"index": 7, "salt": "00".repeat(32), "record": record}))
    };
    let february = line("2025-02-10T12:00:00Z", "det. later");
    let aside = police.folder.join("unacknowledged.jsonl");
    fs::write(&aside, [&*line(JANUARY, "det. erased"), "{\"index\":8,\"sal\n", &*february].concat()).unwrap();
    assert_eq!(watched.erase("2025-02-01", MARCH).await, Ok((151, 0)));
    assert_eq!(fs::read_to_string(&aside).unwrap(), february, "what was set aside goes with its month");
    assert_eq!(months(police), ["2025-02.jsonl", "2026-03.jsonl"]);
    let found = check(police);
    assert_eq!((found.entries, found.erased, found.agreed), (234, 151, 83), "{found:?}");
    assert_eq!((found.without_record.len(), found.not_in_log, found.void.len()), (0, 0, 0));
    // Lists go on behind what is gone, and the accounts still agree with the log.
    let ledger = Ledger::open(&police.folder, &police.log).unwrap();
    let page = ledger.after(Key::new("closed question", Uuid::nil()), 30).unwrap();
    assert_eq!((page.len(), page[0].1.body["number"].as_u64()), (30, Some(0)));
    Access::open(police).unwrap().reconcile(&ledger, at(MARCH)).await.unwrap();
    let accounts = fs::read(police.folder.join("accounts.json")).unwrap();
    fs::write(police.folder.join("accounts.json"), "[]").unwrap();
    assert!(Access::open(police).unwrap().reconcile(&ledger, at(MARCH)).await.is_err());
    fs::write(police.folder.join("accounts.json"), accounts).unwrap();
    drop(ledger);

    // A second act speaks of all that the first one did.
    watched.cosign("2026-04-01T00:00:00Z");
    assert_eq!(watched.erase("2025-03-01", "2026-04-01T00:00:00Z").await, Ok((231, 0)));
    assert!(!aside.exists(), "nothing is left of it");
    let found = check(police);
    assert_eq!((found.entries, found.erased, found.agreed, found.without_record.len()), (236, 231, 5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_ahead_erases_nothing() {
    let watched = Watched::new();
    let today = "2025-01-20T12:00:00Z";
    enter(&watched.police, 5, at(JANUARY)).await;
    let refused = watched.erase("2025-02-01", MARCH).await.unwrap_err();
    assert!(refused.contains("nothing says what time it is"), "{refused}");
    watched.cosign_first(today);
    for (before, now) in [("2025-02-01", MARCH), ("2025-02-01", "2028-01-01T00:00:00Z")] {
        let refused = watched.erase(before, now).await.unwrap_err();
        assert!(refused.contains("the witnesses' said 2025-01-20T12:00:00Z"), "{refused}");
    }
    // One witness whose clock is ahead is no quorum.
    fs::write(watched.police.folder.join("cosigned"), watched.signed([today, MARCH])).unwrap();
    assert!(watched.erase("2025-02-01", MARCH).await.unwrap_err().contains("the witnesses' said 2025-01-20"));
    assert_eq!(months(&watched.police), ["2025-01.jsonl"]);
    let found = check(&watched.police);
    assert_eq!((found.agreed, found.entries), (5, 5), "nothing was entered");
}

/// Something that is done to the body of an act that would hold.
type Forge = fn(&Watched, Value) -> Value;

/// What was forged, how, the machine's clock, and why the act is void; the first one holds.
const FORGED: [(&str, Forge, &str, &str); 9] = [
    ("nothing", |_, body| body, MARCH, ""),
    (
        "as programs of last year wrote it",
        |_, body| json!({"before": body["before"], "entries": body["entries"], "by": body["by"]}),
        MARCH,
        "no proof of its time",
    ),
    (
        "the clock was ahead of the witnesses'",
        |watched, mut body| {
            body["now"] = watched.seen(&watched.signed(["2025-01-20T12:00:00Z"; 2]));
            body
        },
        MARCH,
        "the machine's clock says",
    ),
    (
        "the month was not over for a year",
        |watched, mut body| {
            body["now"] = watched.seen(&watched.signed(["2026-01-31T12:00:00Z"; 2]));
            body
        },
        "2026-01-31T12:00:00Z",
        "a year or more ago",
    ),
    (
        "the entries were young",
        |watched, mut body| {
            body["aged"] = watched.seen(&watched.signed(["2025-03-03T12:00:00Z"; 2]));
            body
        },
        MARCH,
        "no proof that 10 were there",
    ),
    (
        "one witness alone",
        |watched, mut body| {
            let signed = watched.signed([MARCH; 2]);
            let lines: Vec<&str> = signed.lines().collect();
            body["now"] = watched.seen(&format!("{}\n", lines[..lines.len() - 1].join("\n")));
            body
        },
        MARCH,
        "quorum",
    ),
    (
        "witnesses of nobody's directory",
        |_, mut body| {
            body["now"]["directory"] = Value::from("00".repeat(32));
            body
        },
        MARCH,
        "is not here",
    ),
    (
        "more than it may",
        |_, mut body| {
            body["entries"] = Value::from(11);
            body
        },
        MARCH,
        "entries behind its own",
    ),
    (
        "another log",
        |watched, mut body| {
            let signed =
                body["now"]["checkpoint"].as_str().unwrap().replacen("police.example/log", "x/log", 1);
            body["now"] = watched.seen(&signed);
            body
        },
        MARCH,
        "no log",
    ),
];

/// What an act of erasure says counts only where it could be made.
/// A quorum that lies about the time erases nothing early where the node's own clock is right: both must say that it is time.
#[tokio::test(flavor = "multi_thread")]
async fn witnesses_that_lie_about_the_time_erase_nothing() {
    let watched = Watched::new();
    enter(&watched.police, 5, at(JANUARY)).await;
    watched.cosign_first("2025-02-01T00:00:01Z");
    enter(&watched.police, 5, at("2025-02-10T12:00:00Z")).await;
    watched.cosign("2026-03-15T00:00:00Z");
    let refused = watched.erase("2025-02-01", "2025-03-01T00:00:00Z").await.unwrap_err();
    assert!(refused.contains("a year or more ago"), "{refused}");
    assert_eq!(months(&watched.police), ["2025-01.jsonl", "2025-02.jsonl"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_before_its_time_erases_nothing() {
    for (what, forge, clock, reason) in FORGED {
        let watched = Watched::new();
        let police = &watched.police;
        enter(police, 10, at(JANUARY)).await;
        let aged = watched.cosign_first("2025-02-01T00:00:01Z");
        let now = watched.seen(&watched.cosign(MARCH));
        let body = json!({
            "before": "2025-02-01", "entries": 10, "by": "op. example", "missing": [], "aged": aged, "now": now,
        });
        let body = forge(&watched, body);
        {
            let ledger = Ledger::open(&police.folder, &police.log).unwrap();
            let act = Act::new("erased", body).found_by(Key::of_text("erased", "newest"));
            ledger.enter(&[act], at(clock)).await.unwrap();
        }
        fs::remove_file(police.folder.join("records/2025-01.jsonl")).unwrap();
        let found = check(police);
        let lost = police.folder.join("lost").exists();
        if reason.is_empty() {
            assert_eq!((found.erased, found.void.len(), lost), (10, 0, false), "{what}: {found:?}");
        } else {
            assert_eq!((found.without_record.len(), lost), (10, true), "{what}: {found:?}");
            assert!(found.void[0].1.contains(reason), "{what}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missing_before_an_act_stays_missing() {
    let watched = Watched::new();
    let police = &watched.police;
    enter(police, 100, at(JANUARY)).await;
    watched.cosign_first("2025-02-01T00:00:01Z");
    enter(police, 10, at("2025-02-10T12:00:00Z")).await;
    watched.cosign_first("2025-03-01T00:00:01Z");
    // Two lines are taken out, and one is altered.
    let january = police.folder.join("records/2025-01.jsonl");
    without(&january, 70..72);
    let text = fs::read_to_string(&january).unwrap();
    fs::write(&january, text.replacen("det. example", "det. another", 1)).unwrap();
    watched.cosign(MARCH);
    assert_eq!(watched.erase("2025-02-01", MARCH).await, Ok((100, 3)));
    for (before, now) in [("", ""), ("2025-03-01", "2026-04-01T00:00:00Z")] {
        if !before.is_empty() {
            watched.cosign(now);
            assert_eq!(watched.erase(before, now).await, Ok((110, 3)));
        }
        let found = check(police);
        assert_eq!(found.without_record, [0, 70, 71], "{found:?}");
        assert_eq!(found.void, []);
        assert_eq!(
            fs::read_to_string(police.folder.join("lost")).unwrap().trim(),
            "0",
            "the start finds it too"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_erases_after_a_year_by_everybodys_clock_and_not_by_its_own() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    agency.ask(&crate::world::question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap();
    drop(agency);
    let issuer = world.node("issuer");
    let cosigned = || {
        let bytes = fs::read(issuer.folder.join("cosigned")).ok()?;
        Some(transparency::SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size)
    };
    until("question and answer are cosigned", async || cosigned() == Some(2)).await;
    let listener = world.stop_for_a_while("issuer").await;
    let (now, by) = (world.clock.now(), "op. example".parse().unwrap());
    let ahead = now + SignedDuration::from_hours(24 * 400);
    let zoned = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let before = zoned.first_of_month().checked_add(jiff::Span::new().months(1)).unwrap();
    let path = world.path("issuer");
    let refused = erase_records(&path, (before, &by), ahead).await.unwrap_err().to_string();
    assert!(refused.contains("the machine's clock says"), "{refused}");
    assert_eq!(check(&issuer).agreed, 2);

    world.clock.set_offset(24 * 3600 * 400);
    world.serve("issuer", listener).await;
    let witnessed = || {
        let files = fs::read_dir(issuer.folder.join("witnessed")).unwrap();
        let newest =
            files.map(|file| file.unwrap().file_name().into_string().unwrap().parse::<i64>().unwrap()).max();
        newest.unwrap() > ahead.as_second() - 1_000
    };
    until("witnesses are heard", async || witnessed()).await;
    let listener = world.stop_for_a_while("issuer").await;
    assert_eq!(erase_records(&path, (before, &by), world.clock.now()).await.unwrap(), (2, 0));
    let found = check(&issuer);
    assert_eq!((found.erased, found.without_record.len(), found.void.len()), (2, 0, 0), "{found:?}");
    world.serve("issuer", listener).await;
    assert!(!issuer.folder.join("lost").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_books_are_erased_by_the_time_of_witnesses_that_run() {
    let mut world = World::start().await;
    let (house, start) = (world.path("issuer"), world.clock.now());
    let by: registry::names::Person = "op. example".parse().unwrap();
    let later = |days: i64| start + SignedDuration::from_hours(24 * days);
    let books = Books::open(&house, start).await.unwrap();
    books.trace(&request(world.codes[0]), start).await.unwrap();
    // Nobody says yet what time it is, and a year has passed by this machine's clock, in which something was done now and then.
    let key = FirearmKey {
        licence: books.issuer().licence,
        model: "M9".parse().unwrap(),
        serial: "AB10001".parse().unwrap(),
    };
    for days in (0..400).step_by(80) {
        books.certificate(&key, &by, later(days)).await.unwrap();
    }
    let listener = world.stop_for_a_while("issuer").await;
    let witnessed = witnessed_time_of_books(&house, later(400)).await.unwrap().unwrap();
    assert!(witnessed.duration_since(start).abs() < SignedDuration::from_hours(1), "{witnessed}, {start}");
    let erased = books.erase(later(1), &by, (later(400), Some(witnessed))).await;
    let refused = erased.unwrap_err().to_string();
    assert!(refused.contains(&format!("witnesses cosigned the log last at {witnessed}")), "{refused}");

    // Everybody's clock says so.
    world.clock.set_offset(24 * 3600 * 400);
    let now = world.clock.now();
    let witnessed = witnessed_time_of_books(&house, now).await.unwrap().unwrap();
    assert!(witnessed.duration_since(now).abs() < SignedDuration::from_hours(1), "{witnessed}, {now}");
    assert_eq!(books.erase(later(1), &by, (now, Some(witnessed))).await.unwrap(), 2, "question and answer");
    let found = books.reconcile().await.unwrap();
    assert!(found.agrees(), "{found:?}");
    assert_eq!((found.erased, found.erased_unwitnessed), (2, 0), "{found:?}");

    // Two of three witnesses stop: what they said last is not enough after another two days.
    for witness in ["makers", "oversight"] {
        world.stop(witness).await;
    }
    world.clock.set_offset(24 * 3600 * 402);
    let now = world.clock.now();
    let before = witnessed_time_of_books(&house, now).await.unwrap().unwrap();
    assert!(now.duration_since(before) > SignedDuration::from_hours(24), "{before}, {now}");
    let refused = books.erase(later(1), &by, (now, Some(before))).await.unwrap_err().to_string();
    assert!(refused.contains("witnesses cosigned the log last at"), "{refused}");
    books.close().await;
    drop(listener);
}

/// A question of the house's own.
fn request(code: Code) -> TraceRequest {
    TraceRequest {
        codes: vec![CandidateCode { code, posterior: 0.9999 }],
        reading_sha256: Some("cd".repeat(32)),
        ori: "CA0194200".parse().unwrap(),
        case_number: "26-0001".parse().unwrap(),
        crime_code: Some("0999".parse().unwrap()),
        priority: Priority::Routine,
        reason: "case recovered at a scene".parse().unwrap(),
        requester: "det. example".parse().unwrap(),
        approver: Some("sgt. example".parse().unwrap()),
        recovered_on: None,
        parts: Vec::new(),
    }
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
