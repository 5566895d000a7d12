//! Logs that are put back, and witnesses that are away.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use registry::Books;
use serde_json::{Value, json};
use server::federation::{Message, Start};
use server::roles::{Agency, AskError, Asked};
use server::{Act, Ledger, ProblemKind, ServeOptions, Server};
use symbology::Code;
use transparency::{Finding, FolderStore, SignedCheckpoint, Witness, fsck};

use crate::world::{World, question, until};

async fn ask(agency: &Agency, code: Code) -> Result<Asked, AskError> {
    agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0)
}

/// Status and what is impaired, as a node says.
async fn health(world: &World, name: &str) -> (u16, Value) {
    let (status, health) =
        world.client.get(&format!("{}/healthz", world.node(name).config.url)).await.unwrap();
    (status, serde_json::from_slice::<Value>(&health).unwrap()["impaired"].clone())
}

async fn cosigned(world: &World, size: u64) {
    let url = format!("{}/log/cosigned", world.node("issuer").config.url);
    until("the log is cosigned", async || {
        let (status, bytes) = world.client.get(&url).await.unwrap();
        status == 200 && SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size >= size
    })
    .await;
}

/// Waits until nobody but us has an issuer's tables open: whoever closes them last puts their journal away. Those of a node that
/// stops may close at the same time, and then none of them is the last; so we open and close them ourselves.
async fn settled(house: &Path, now: Timestamp) {
    until("the tables are closed", async || {
        if let Ok(books) = Books::open(house, now).await {
            books.close().await;
        }
        !house.join("books.sqlite-wal").exists()
    })
    .await;
}

/// Stops all witnesses; what it gives back is the way to start them again.
async fn without_witnesses(world: &mut World) -> Vec<(&'static str, TcpListener)> {
    let mut away = Vec::new();
    for witness in ["makers", "oversight", "defence"] {
        away.push((witness, world.stop_for_a_while(witness).await));
    }
    away
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_log_was_put_back_answers_nothing() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    let (folder, older) = (world.path("issuer").join("node"), world.path("older"));
    let listener = world.stop_for_a_while("issuer").await;
    copy(&folder, &older);
    world.serve("issuer", listener).await;
    ask(&agency, world.codes[1]).await.unwrap();
    cosigned(&world, 4).await;
    // The node's own note of what was cosigned keeps it from starting.
    let listener = world.stop_for_a_while("issuer").await;
    let note = std::fs::read(folder.join("cosigned")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&older, &folder);
    let before = std::fs::read(folder.join("cosigned")).unwrap();
    std::fs::write(folder.join("cosigned"), note).unwrap();
    let options = ServeOptions { clock: world.clock.clone(), ..ServeOptions::default() };
    let again = listener.try_clone().unwrap();
    let refused = Server::start(&world.path("issuer"), listener, options).await.unwrap_err();
    assert!(refused.to_string().contains("put back"), "{refused}");
    // Without it the witnesses tell, before anything is answered.
    std::fs::write(folder.join("cosigned"), before).unwrap();
    world.serve("issuer", again).await;
    let url = format!("{}/healthz", world.node("issuer").config.url);
    let (status, health) = world.client.get(&url).await.unwrap();
    let health: Value = serde_json::from_slice(&health).unwrap();
    assert_eq!((status, &health["impaired"]), (503, &json!(["log"])), "{health}");
    let refused = ask(&agency, world.codes[0]).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 503, .. }), "{refused}");
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"log\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forked_log_is_refused_by_witnesses_and_stops_its_node() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (folder, older) = (world.path("issuer").join("node"), world.path("older"));
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    let listener = world.stop_for_a_while("issuer").await;
    copy(&folder, &older);
    world.serve("issuer", listener).await;
    ask(&agency, world.codes[1]).await.unwrap();
    cosigned(&world, 4).await;
    let listener = world.stop_for_a_while("issuer").await;

    // Whoever has the node's keys goes on from the older copy as if nothing had been answered since, and is longer in the end.
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&older, &folder);
    let node = world.node("issuer");
    let ledger = Ledger::open(&node.folder, &node.log).unwrap();
    let acts: Vec<Act> = (0..7).map(|at| Act::new("seen", json!({"at": at}))).collect();
    ledger.enter(&acts, world.clock.now()).await.unwrap();
    let fork = ledger.checkpoint().borrow().clone();
    let mut fork = if fork.checkpoint.size == 9 { fork } else { ledger.shown(8).await.unwrap() };
    fork.note.signatures.truncate(1);

    // What the protocol says: a wrong size is told the right one, a proof that does not fit is no growth.
    let witness = world.node("makers");
    let target = format!("{}/add-checkpoint", witness.config.url);
    let mut answers = Vec::new();
    for old in [0, 2, 4] {
        let body = ledger.add_checkpoint(&fork, old).unwrap().to_string();
        let message = Message::request("POST", &target);
        let (answer, content) = world.client.send(&message, body.into_bytes()).await.unwrap();
        answers.push((answer.start, String::from_utf8(content).unwrap()));
    }
    assert_eq!(
        answers[..2],
        [(Start::Answer(409), "4\n".to_owned()), (Start::Answer(409), "4\n".to_owned())]
    );
    assert_eq!(answers[2].0, Start::Answer(422), "{}", answers[2].1);
    drop(ledger);

    // Checkpoint against checkpoint it is proved, by anybody.
    let name = Witness::memory_name(node.log.verifier().name());
    let (_, seen) = world.client.get(&format!("{}/{name}/checkpoint", witness.config.url)).await.unwrap();
    let seen = SignedCheckpoint::parse(&seen).unwrap();
    let store = FolderStore::read_only(&folder.join("log"));
    let report = fsck(&store, node.log.verifier(), &[seen]).unwrap();
    assert_eq!(report.findings, [Finding::Forked { size: 4 }]);

    // And the node itself stops.
    world.serve("issuer", listener).await;
    let refused = ask(&agency, world.codes[0]).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 503, .. }), "{refused}");
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"log\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_were_put_back_answer_nothing() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (house, older) = (world.path("issuer"), world.path("older"));
    let noted = house.join("node/cosigned-books");
    let cosigned = || {
        let bytes = std::fs::read(&noted).ok()?;
        Some(SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size)
    };
    until("the books' log is cosigned", async || cosigned().is_some()).await;
    let before = cosigned().unwrap();
    let listener = world.stop_for_a_while("issuer").await;
    settled(&house, world.clock.now()).await;
    copy(&house, &older);
    let now = world.clock.now();
    let books = Books::open(&house, now).await.unwrap();
    books.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now).await.unwrap();
    books.close().await;
    world.serve("issuer", listener).await;
    until("the newer books are cosigned", async || cosigned().is_some_and(|size| size > before)).await;
    let listener = world.stop_for_a_while("issuer").await;
    settled(&house, world.clock.now()).await;
    for entry in std::fs::read_dir(&house).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("books.sqlite") {
            std::fs::remove_file(entry.path()).unwrap();
        } else if name == "log" {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(&older).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("books.sqlite") || name == "log" {
            copy(&entry.path(), &house.join(name));
        }
    }
    world.serve("issuer", listener).await;
    let answer = ask(&agency, world.codes[0]).await.unwrap().answer;
    assert_eq!(answer.outcome, server::api::OutcomeName::CannotSayNow);
    let url = format!("{}/healthz", world.node("issuer").config.url);
    let (status, health) = world.client.get(&url).await.unwrap();
    let health: Value = serde_json::from_slice(&health).unwrap();
    assert_eq!((status, &health["impaired"]), (503, &json!(["books"])), "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_before_witnesses_were_heard() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    let away = without_witnesses(&mut world).await;
    // Who runs goes on; who starts cannot tell its newest log from an older copy.
    ask(&agency, world.codes[1]).await.unwrap();
    world.restart("issuer").await;
    let refused = ask(&agency, world.codes[1]).await.unwrap_err();
    let AskError::Refused { status: 503, detail, .. } = &refused else { panic!("{refused}") };
    assert!(detail.contains("witnesses"), "{detail}");
    assert_eq!(health(&world, "issuer").await, (503, json!(["log"])));
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"log\"} 1"));
    for (witness, listener) in away {
        world.serve(witness, listener).await;
    }
    until("a quorum is heard", async || ask(&agency, world.codes[1]).await.is_ok()).await;
    assert_eq!(health(&world, "issuer").await, (200, json!([])));
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"log\"} 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_in_the_place_of_one_that_was_taken_away_answers_nothing() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    let away = without_witnesses(&mut world).await;
    let listener = world.stop_for_a_while("issuer").await;
    let folder = world.path("issuer").join("node");
    for part in ["log", "records", "index", "witnessed"] {
        std::fs::remove_dir_all(folder.join(part)).unwrap();
    }
    std::fs::remove_file(folder.join("cosigned")).unwrap();
    world.serve("issuer", listener).await;
    // Nobody says yet that there was more, and nobody that there was not.
    let refused = ask(&agency, world.codes[1]).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 503, .. }), "{refused}");
    assert_eq!(health(&world, "issuer").await, (503, json!(["log"])));
    for (witness, listener) in away {
        world.serve(witness, listener).await;
    }
    until("the witnesses say what there was", async || {
        let refused = ask(&agency, world.codes[1]).await.unwrap_err();
        matches!(&refused, AskError::Refused { status: 503, detail, .. } if detail.contains("put back"))
    })
    .await;
    assert_eq!(health(&world, "issuer").await, (503, json!(["log"])));
}

/// An issuer answers, and lets its log go on without the answer while no witness looks.
#[tokio::test(flavor = "multi_thread")]
async fn an_agency_finds_that_an_answer_is_not_in_the_issuers_log() {
    let mut world = World::start().await;
    let at = world.servers.iter().find(|(name, _)| *name == "agency").unwrap().1.address();
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    let folder = world.path("issuer").join("node");
    ask(&agency, world.codes[1]).await.unwrap();
    cosigned(&world, 4).await;
    // It is heard; from here on the witnesses see nothing.
    let away = without_witnesses(&mut world).await;
    let asked = question(&[(world.codes[2], 0.9999)]);
    agency.ask(&asked).await.unwrap().remove(0).unwrap();
    let listener = world.stop_for_a_while("issuer").await;
    drop(agency);
    // Entries 4 and 5 are taken out, and others stand in their place.
    let (node, shorter) = (world.node("issuer"), world.path("shorter"));
    cut(&folder.join("log"), &shorter, (&node, 4));
    std::fs::remove_dir_all(folder.join("log")).unwrap();
    copy(&shorter, &folder.join("log"));
    let ledger = Ledger::open(&folder, &node.log).unwrap();
    let acts: Vec<Act> = (0..2).map(|at| Act::new("seen", json!({"at": at}))).collect();
    ledger.enter(&acts, world.clock.now()).await.unwrap();
    drop(ledger);
    for (witness, listener) in away {
        world.serve(witness, listener).await;
    }
    world.serve("issuer", listener).await;
    cosigned(&world, 6).await;
    world.serve("agency", TcpListener::bind(at).unwrap()).await;
    // Others stand in their place, and no time makes that good.
    world.clock.set_offset(6 * 60);
    until("the agency says so", async || {
        world.metrics("agency").await.contains("microstamp_proofs_overdue 1")
    })
    .await;
    let mut missing = Vec::new();
    Ledger::records(&world.path("agency").join("node"), |stored| {
        missing.extend((stored.kind == "no-proof").then(|| stored.body["answers"][0]["question"].clone()));
    })
    .unwrap();
    assert_eq!(missing, [json!(asked.id)], "the two before are proved");
    // No court bundle can be made of it, and a program is not told to wait.
    let agency = world.node("agency");
    let court = format!("{}/agency/v1/court/{}", agency.config.url, asked.id);
    let court =
        Message::request("GET", &court).with("authorization", &format!("Bearer {}", agency.token().unwrap()));
    let (answer, problem) = world.client.send(&court, Vec::new()).await.unwrap();
    let problem = String::from_utf8_lossy(&problem).into_owned();
    assert_eq!(answer.start, Start::Answer(502), "{problem}");
}

/// Makes a log of the first entries of another.
fn cut(from: &Path, to: &Path, (node, entries): (&server::Node, u64)) {
    let whole = FolderStore::read_only(from);
    let bytes = std::fs::read(from.join("checkpoint")).unwrap();
    let size = SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size;
    let tree = transparency::Tree::new(&whole, size);
    let mut log = transparency::Log::create(FolderStore::create(to).unwrap(), node.log.clone()).unwrap();
    let held: Vec<Vec<u8>> = (0..entries).map(|at| tree.entry(at).unwrap()).collect();
    log.append_batch(&held).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_hangs_holds_nobody_up() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    // Connections are taken by the system, and nobody ever answers; others ask it first.
    let _hangs = world.stop_for_a_while("makers").await;
    world.restart("issuer").await;
    // It was heard before it opened its door, in less than the time after which it gives the first one up.
    assert_eq!(health(&world, "issuer").await, (200, json!([])));
    ask(&agency, world.codes[1]).await.unwrap();
    cosigned(&world, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_asks_nothing_before_witnesses_were_heard() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    let away = without_witnesses(&mut world).await;
    ask(&agency, world.codes[1]).await.unwrap();
    drop(agency);
    let agency = world.agency().await;
    let refused = ask(&agency, world.codes[1]).await.unwrap_err();
    let AskError::Here(problem) = &refused else { panic!("{refused}") };
    assert!(problem.kind == ProblemKind::NoLog && problem.detail.contains("witnesses"), "{refused}");
    for (witness, listener) in away {
        world.serve(witness, listener).await;
    }
    until("a quorum is heard", async || ask(&agency, world.codes[1]).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_away_is_not_counted() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let count = async |world: &World| -> i64 {
        let metrics = world.metrics("issuer").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("microstamp_witnesses_cosigned "));
        line.map_or(-1, |count| count.parse().unwrap())
    };
    ask(&agency, world.codes[0]).await.unwrap();
    until("three cosign", async || count(&world).await == 3).await;
    world.stop("makers").await;
    ask(&agency, world.codes[1]).await.unwrap();
    until("two cosign", async || count(&world).await == 2).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(count(&world).await, 2, "also when the log does not grow");
}
