//! The directory, the one thing that all nodes trust: versions, damaged files, split views, its log.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use server::federation::{Directory, DirectoryContent, DirectoryError, Message, Start};
use server::roles::{
    Card, DirectoryHolder, DirectoryKeeper, EnrolRules, Enrolment, StartError, directory_history, enrol,
};
use server::{Clock, ConfigError, Node, NodeRole, ProblemKind, ServeOptions, Server, validity};
use sha2::{Digest as _, Sha256};
use transparency::SignedCheckpoint;

use crate::world::{World, node, until};

fn keeper(folder: &Path) -> Result<DirectoryKeeper, StartError> {
    DirectoryKeeper::open(folder, Clock::default())
}

fn is_damaged(opened: &Result<DirectoryKeeper, StartError>) -> bool {
    matches!(opened, Err(StartError::Config(ConfigError::Damaged { .. })))
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_go_on_from_the_log_and_damaged_files_are_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let signer = node(root.path(), NodeRole::Directory, "directory.example", "http://127.0.0.1:1");
    let file = root.path().join("node/directory");
    let open = keeper(root.path()).unwrap();
    assert_eq!(open.publish().await.unwrap(), 1);
    assert_eq!(open.publish().await.unwrap(), 1, "nothing changed");
    let first = std::fs::read(&file).unwrap();
    let witness = node(&root.path().join("w"), NodeRole::Witness, "witness.example", "http://127.0.0.1:2");
    let card = Card::sign(&Enrolment::Witness(witness.witness_card()), &witness.statements, None).unwrap();
    let by = Some("keeper example".parse().unwrap());
    let rules = EnrolRules { quorum: Some(1), by, ..EnrolRules::default() };
    enrol(root.path(), &[card], &rules).unwrap();
    assert_eq!(open.publish().await.unwrap(), 2);
    // Who did that is kept under the hash that the version's record names. The log holds versions alone.
    let mut named = Vec::new();
    server::Ledger::records(&root.path().join("node"), |stored| {
        assert_eq!(stored.kind, "directory");
        named.push(stored.body["enrolled"].clone());
    })
    .unwrap();
    let notes: Vec<_> = std::fs::read_dir(root.path().join("node/enrolled")).unwrap().collect();
    let note = notes[0].as_ref().unwrap();
    let hash = note.file_name().into_string().unwrap();
    assert_eq!((notes.len(), named), (1, vec![json!(null), json!([hash])]));
    let note = std::fs::read(note.path()).unwrap();
    assert_eq!(hash, hex::encode(Sha256::digest(&note)));
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    let changes = note["changes"].as_array().unwrap();
    assert_eq!((&note["by"], &changes[1]), (&json!("keeper example"), &json!("quorum 0 → 1")));
    assert!(changes[0].as_str().unwrap().starts_with("witness.example: new, witness"), "{changes:?}");
    // What no federation could work under is not published, whoever wrote it into the file.
    let entries = root.path().join("node/entries.json");
    let good = std::fs::read_to_string(&entries).unwrap();
    std::fs::write(&entries, good.replace("\"quorum\": 1", "\"quorum\": 2")).unwrap();
    // It is refused at every turn, though it is weighed at one of them alone, and what is mended is taken up.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_mins(1);
    std::fs::File::options().append(true).open(&entries).unwrap().set_modified(long_ago).unwrap();
    for _ in 0..3 {
        assert!(open.publish().await.unwrap_err().detail.contains("quorum"));
    }
    std::fs::write(&entries, good).unwrap();
    assert_eq!(open.publish().await.unwrap(), 2);
    let second = std::fs::read(&file).unwrap();
    drop(open);

    std::fs::write(&file, "").unwrap();
    assert!(is_damaged(&keeper(root.path())), "an emptied file");
    let (from, until) = validity(Timestamp::now(), 7);
    let other = DirectoryContent::new(2, from, until).sign(&signer.statements).unwrap();
    std::fs::write(&file, other).unwrap();
    assert!(is_damaged(&keeper(root.path())), "well signed, and not what is in the log");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 3, "no number is given twice");
    std::fs::write(&file, first).unwrap();
    assert_eq!(
        keeper(root.path()).unwrap().publish().await.unwrap(),
        4,
        "an older one is not taken up again"
    );
    std::fs::write(&file, second).unwrap();
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 5);
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 5);
}

/// A node that trusts a directory's key.
fn holder(folder: &Path, directory: &Node) -> Node {
    let mut made = node(folder, NodeRole::Witness, "witness.example", "http://127.0.0.1:2");
    made.trust("none", &directory.statements.verifier().to_string()).unwrap();
    made
}

#[test]
fn another_directory_of_the_same_version_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let directory =
        node(&root.path().join("directory"), NodeRole::Directory, "directory.example", "http://127.0.0.1:1");
    let mut node = holder(&root.path().join("witness"), &directory);
    let now = Timestamp::now();
    let version = |number: u64, quorum: usize| {
        let (from, until) = validity(now, 7);
        let mut content = DirectoryContent::new(number, from, until);
        content.quorum = quorum;
        content.sign(&directory.statements).unwrap()
    };
    let held = DirectoryHolder::new(&node).unwrap();
    for _ in 0..2 {
        held.take(&version(2, 0), now).unwrap();
    }
    let split = held.take(&version(2, 1), now).unwrap_err();
    assert_eq!(split, ProblemKind::NoDirectory.because(DirectoryError::Split(2)));
    // Neither is used from now on, and both are kept: they are the proof against the directory's key.
    let other = node.folder.join("directory.split");
    assert_eq!(std::fs::read(&other).unwrap(), version(2, 1));
    assert!(held.current(now).is_err() && DirectoryHolder::new(&node).unwrap().current(now).is_err());
    std::fs::remove_file(&other).unwrap();
    let held = DirectoryHolder::new(&node).unwrap();
    assert_eq!(held.current(now).unwrap().content().version, 2);
    let older = held.take(&version(1, 0), now).unwrap_err();
    assert_eq!(older.detail, DirectoryError::RolledBack { seen: 1, held: 2 }.to_string());
    held.take(&version(3, 1), now).unwrap();

    // After a restart too; and a damaged file is not passed over in silence.
    let held = DirectoryHolder::new(&node).unwrap();
    assert!(held.take(&version(3, 0), now).is_err());
    std::fs::write(node.folder.join("directory"), "").unwrap();
    assert!(matches!(DirectoryHolder::new(&node), Err(ConfigError::Damaged { .. })));
    // Whoever turns to another directory begins anew.
    let other = crate::world::node(
        &root.path().join("other"),
        NodeRole::Directory,
        "other.example",
        "http://127.0.0.1:3",
    );
    node.trust("none", &other.statements.verifier().to_string()).unwrap();
    DirectoryHolder::new(&node).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_made_while_the_clock_was_ahead_gives_way() {
    let root = tempfile::tempdir().unwrap();
    node(root.path(), NodeRole::Directory, "directory.example", "http://127.0.0.1:1");
    let clock = Clock::default();
    clock.set_offset(400 * 24 * 3_600);
    let open = DirectoryKeeper::open(root.path(), clock.clone()).unwrap();
    assert_eq!(open.publish().await.unwrap(), 1);
    for (offset, version) in [(0, 2), (-30, 2), (-3_600, 3), (0, 3)] {
        clock.set_offset(offset);
        assert_eq!(open.publish().await.unwrap(), version, "{offset}");
    }
    let signed = std::fs::read(root.path().join("node/directory")).unwrap();
    let directory = Directory::parse(&signed, open.node.statements.verifier()).unwrap();
    directory.check_time(Timestamp::now()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_s_log_is_cosigned_like_any_other() {
    let world = World::start().await;
    let directory = world.node("directory");
    let mut cosigned = None;
    let url = format!("{}/log/cosigned", directory.config.url);
    until("a quorum cosigns", async || {
        let (status, bytes) = world.client.get(&url).await.unwrap();
        cosigned = (status == 200).then(|| SignedCheckpoint::parse(&bytes).unwrap());
        cosigned.is_some()
    })
    .await;
    let cosigned = cosigned.unwrap();
    cosigned.verify(directory.log.verifier()).unwrap();
    let held = DirectoryHolder::new(&world.node("agency")).unwrap().newest().unwrap();
    let policy = held.policy(held.content().log.as_ref().unwrap()).unwrap();
    assert!(policy.check(&cosigned).unwrap().witnesses.len() >= 2);
    // Whoever has it does not fetch it again.
    let url = format!("{}/directory", directory.config.url);
    for (tag, status) in [(held.sha256().to_owned(), 304), ("0".repeat(64), 200)] {
        let request = Message::request("GET", &url).with("if-none-match", &format!("\"{tag}\""));
        let (answer, content) = world.client.send(&request, Vec::new()).await.unwrap();
        assert_eq!(answer.start, Start::Answer(status));
        assert_eq!(content.len(), if status == 304 { 0 } else { held.bytes().len() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_cosigned_log_does_not_show_is_not_taken() {
    let mut world = World::start().await;
    // It would write the same files.
    world.stop("agency").await;
    let (directory, now) = (world.node("directory"), world.clock.now());
    let mut node = world.node("agency");
    let url = format!("{}/directory", directory.config.url);
    let mut proof = None;
    until("a quorum cosigns", async || {
        let (status, bytes) = world.client.get(&format!("{url}/proof")).await.unwrap();
        proof = (status == 200).then_some(bytes);
        proof.is_some()
    })
    .await;
    let proof = proof.unwrap();
    let holder = DirectoryHolder::new(&node).unwrap();
    holder.renew(now).await.unwrap();
    let held = holder.newest().unwrap();
    let shown = std::fs::read_to_string(node.folder.join("directory.shown")).unwrap();
    assert_eq!(shown, held.sha256(), "the newest is shown by the log");

    // Whoever has the directory's key shows this node another version, with every proof that there is.
    let mut content = held.content().clone();
    content.version += 1;
    content.agencies.clear();
    let mut other = content.clone();
    other.log = Some(world.node("issuer").log.verifier().to_string());
    for (forged, refused) in [(content, false), (other, true)] {
        let forged = forged.sign(&directory.statements).unwrap();
        let proof = proof.clone();
        let routes = axum::Router::new()
            .route("/directory", axum::routing::get(move || async move { forged }))
            .route("/directory/proof", axum::routing::get(move || async move { proof }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = format!("http://{}/directory", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        node.trust(&source, &directory.statements.verifier().to_string()).unwrap();
        let holder = DirectoryHolder::new(&node).unwrap();
        assert_eq!(holder.renew(now).await.is_err(), refused);
        assert_eq!(holder.newest().unwrap().sha256(), held.sha256(), "the one held stays");
        server.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_while_witnesses_changed_walks_to_the_newest_version() {
    let mut world = World::start().await;
    let keeper = world.node("directory");
    let url = format!("{}/directory", keeper.config.url);
    let away = world.agency().await;
    let version = || async {
        let (_, bytes) = world.client.get(&url).await.unwrap();
        Directory::parse(&bytes, keeper.statements.verifier()).unwrap().content().version
    };
    let first = version().await;
    assert_eq!(away.directory.newest().unwrap().content().version, first);
    let proof = format!("{url}/{first}/proof");
    until("the first is cosigned", async || world.client.get(&proof).await.unwrap().0 == 200).await;
    // All three witnesses go, one after the other, and others come: none is left of those that the agency knows.
    let mut others = Vec::new();
    let mut keys =
        ["makers", "oversight", "defence"].map(|old| world.node(old).witness.verifier().clone()).to_vec();
    for (at, old) in ["makers", "oversight", "defence"].into_iter().enumerate() {
        let name = ["second-makers", "second-oversight", "second-defence"][at];
        let place = crate::world::listener();
        let mut new = node(&world.path(name), NodeRole::Witness, &format!("{name}.example"), &place.url);
        new.trust(&url, &keeper.statements.verifier().to_string()).unwrap();
        keys.push(new.witness.verifier().clone());
        let card = Card::sign(&Enrolment::Witness(new.witness_card()), &new.statements, None).unwrap();
        let end = vec![format!("{old}.example").parse().unwrap()];
        enrol(&world.path("directory"), &[card], &EnrolRules { end, ..EnrolRules::default() }).unwrap();
        let options = ServeOptions { clock: world.clock.clone(), fishing: world.fishing, door: world.door };
        others.push(Server::start(&world.path(name), place.listener, options).await.unwrap());
        let proof = format!("{url}/{}/proof", first + 1 + at as u64);
        until("the change is cosigned", async || world.client.get(&proof).await.unwrap().0 == 200).await;
    }
    assert_eq!(version().await, first + 3);
    until("it takes the newest", async || {
        let _ = away.directory.renew(world.clock.now()).await;
        away.directory.newest().unwrap().content().version == first + 3
    })
    .await;
    // An auditor sees what changed, and that the log hides nothing.
    let history = directory_history(&world.client, &url, keeper.statements.verifier(), &[]).await.unwrap();
    assert_eq!(history.findings, Vec::<String>::new());
    let changes = &history.versions.last().unwrap().1;
    assert_eq!(changes, &["witness defence.example went", "witness second-defence.example came"]);
    // Whoever knows a witness can ask for it by name.
    let history = directory_history(&world.client, &url, keeper.statements.verifier(), &keys).await.unwrap();
    assert_eq!(history.findings, Vec::<String>::new());
    let stranger = [world.node("issuer").witness.verifier().clone()];
    let history =
        directory_history(&world.client, &url, keeper.statements.verifier(), &stranger).await.unwrap();
    assert_eq!(history.findings.len() as u64, first + 3, "{history:?}");
    // A version that its keeper does not show any more is missed.
    let hidden = keeper.folder.join("versions").join((first + 1).to_string());
    std::fs::remove_file(hidden).unwrap();
    let history = directory_history(&world.client, &url, keeper.statements.verifier(), &[]).await.unwrap();
    assert!(
        history.findings.iter().any(|one| one.contains(&format!("version {}", first + 1))),
        "{history:?}"
    );
    assert!(history.findings.iter().any(|one| one.contains("1 entries")), "{history:?}");
    let metrics = world.metrics("directory").await;
    assert!(metrics.contains("microstamp_directory_expires_in_seconds"), "{metrics}");
    for other in others {
        other.stop().await;
    }
}

/// A keeper throws all witnesses out at once and names one of its own, which signs whatever it is shown.
#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_does_not_agree_with_a_version_that_no_node_takes() {
    let mut world = World::start().await;
    let keeper = world.node("directory");
    let url = format!("{}/directory", keeper.config.url);
    let (_, bytes) = world.client.get(&url).await.unwrap();
    let key = keeper.statements.verifier();
    let first = Directory::parse(&bytes, key).unwrap().content().version;
    let proof = format!("{url}/{first}/proof");
    until("the first is cosigned", async || world.client.get(&proof).await.unwrap().0 == 200).await;
    let agency = world.agency().await;
    let place = crate::world::listener();
    let mut sham = node(&world.path("sham"), NodeRole::Witness, "sham.example", &place.url);
    sham.trust(&url, &key.to_string()).unwrap();
    let entries = keeper.folder.join("entries.json");
    let mut content: serde_json::Value = serde_json::from_slice(&std::fs::read(&entries).unwrap()).unwrap();
    content["witnesses"] = json!([sham.witness_card()]);
    content["quorum"] = json!(1);
    std::fs::write(&entries, content.to_string()).unwrap();
    let options = ServeOptions { clock: world.clock.clone(), fishing: world.fishing, door: world.door };
    let sham = Server::start(&world.path("sham"), place.listener, options).await.unwrap();
    let proof = format!("{url}/{}/proof", first + 1);
    until("the sham cosigned it", async || world.client.get(&proof).await.unwrap().0 == 200).await;
    let _ = agency.directory.renew(world.clock.now()).await;
    assert_eq!(agency.directory.newest().unwrap().content().version, first, "no node takes it");
    let history = directory_history(&world.client, &url, key, &[]).await.unwrap();
    let said = format!("version {}: no node that holds version {first} takes it", first + 1);
    assert!(history.findings.iter().any(|one| one.starts_with(&said)), "{history:?}");
    assert_eq!(history.versions.last().unwrap().0, first + 1, "what it changed is told all the same");
    sham.stop().await;
}
