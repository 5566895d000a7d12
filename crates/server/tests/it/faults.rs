//! Replayed, altered, expired, wrong key, clock jump, nodes down: each ends as documented.

use server::api::NodeName;
use server::federation::{Message, sign_request};
use server::roles::AskError;

use crate::world::{World, question, until};

/// Sends a message to the first issuer and gives status and problem type.
async fn send(world: &World, message: &Message, content: Vec<u8>) -> (u16, String) {
    let (answer, content) = world.client.send(message, content).await.unwrap();
    let server::federation::Start::Answer(status) = answer.start else { unreachable!() };
    let problem: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    let kind = problem["type"].as_str().unwrap_or_default();
    (status, kind.trim_start_matches("urn:microstamp:problem:").to_owned())
}

fn sign(world: &World, content: &[u8]) -> Message {
    let node = world.node("agency");
    let target = format!("{}/federation/v1/trace", world.node("issuer").config.url);
    sign_request(&target, content, (&node.card().key_id(), &node.signing), world.clock.now()).unwrap()
}

fn content(world: &World) -> Vec<u8> {
    serde_json::to_vec(&question(&[(world.codes[0], 1.0)])).unwrap()
}

fn replaced(message: &Message, name: &str, from: &str, to: &str) -> Message {
    let mut message = message.clone();
    for (_, value) in message.fields.iter_mut().filter(|(known, _)| known == name) {
        *value = value.replacen(from, to, 1);
    }
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_do_not_hold_are_refused_before_anything_is_asked() {
    let mut world = World::start().await;
    let body = content(&world);
    let good = sign(&world, &body);
    assert_eq!(send(&world, &good, body.clone()).await, (200, String::new()));
    assert_eq!(send(&world, &good, body.clone()).await, (409, "replayed".to_owned()));
    world.restart("issuer").await;
    assert_eq!(send(&world, &good, body.clone()).await, (409, "replayed".to_owned()), "after a restart too");

    // The same number with another content.
    let other = String::from_utf8(body.clone()).unwrap().replace("26-0001", "26-0002").into_bytes();
    assert_eq!(send(&world, &sign(&world, &other), other).await, (409, "replayed".to_owned()));

    let fresh = content(&world);
    let signed = sign(&world, &fresh);
    let mut altered = fresh.clone();
    let at = altered.windows(4).position(|part| part == b"0001").unwrap();
    altered[at + 3] = b'2';
    let cases: Vec<(Message, Vec<u8>, u16, &str)> = vec![
        (signed.clone(), altered, 401, "bad-signature"),
        (replaced(&signed, "signature", "=:", "=:AAAA"), fresh.clone(), 401, "bad-signature"),
        (
            replaced(&signed, "signature-input", "created=1", "created=2"),
            fresh.clone(),
            401,
            "outside-the-window",
        ),
        (
            replaced(&signed, "signature-input", "agency.example#", "agency.example#0"),
            fresh.clone(),
            401,
            "unknown-key",
        ),
        (replaced(&signed, "signature-input", "\"content-digest\" ", ""), fresh.clone(), 401, "unsigned"),
        (replaced(&signed, "signature-input", ";nonce=", ";once="), fresh.clone(), 401, "unsigned"),
        (replaced(&signed, "content-type", "json", "xml"), fresh.clone(), 401, "bad-signature"),
        (
            Message::request("POST", &format!("{}/federation/v1/trace", world.node("issuer").config.url)),
            fresh.clone(),
            401,
            "unsigned",
        ),
        (sign(&world, b"{}"), b"{}".to_vec(), 400, "malformed"),
        (sign(&world, b"\xff"), b"\xff".to_vec(), 400, "malformed"),
        (sign(&world, &[b' '; 300_000]), vec![b' '; 300_000], 413, "too-large"),
    ];
    for (message, content, status, kind) in cases {
        assert_eq!(send(&world, &message, content).await, (status, kind.to_owned()));
    }
    // Signed for the second issuer, sent to the first.
    let node = world.node("agency");
    let elsewhere = format!("{}/federation/v1/trace", world.node("second").config.url);
    let mut message =
        sign_request(&elsewhere, &fresh, (&node.card().key_id(), &node.signing), world.clock.now()).unwrap();
    message.start = signed.start.clone();
    assert_eq!(send(&world, &message, fresh.clone()).await, (401, "bad-signature".to_owned()));
    // The good one still passes: nothing of the above used its nonce up.
    assert_eq!(send(&world, &signed, fresh).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_on_the_way_is_given_again_and_not_made_anew() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked = question(&[(world.codes[0], 1.0)]);
    let first = agency.ask(&asked).await.unwrap().remove(0).unwrap();
    world.restart("issuer").await;
    let again = agency.ask(&asked).await.unwrap().remove(0).unwrap();
    assert_eq!(again.sealed.statement, first.sealed.statement);
    assert!(again.sealed.evidence.answer.index > first.sealed.evidence.answer.index, "both are in the log");
    // Also this exchange can be brought to court, though the first one's signature was another.
    let report = crate::court::bundle_that_verifies(&world, &agency, asked.id).await;
    assert_eq!(report.answer, first.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_lost_its_file_goes_on_counting_and_a_damaged_one_is_not_overlooked() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let version = agency.directory.newest().unwrap().content().version;
    let file = world.path("directory").join("node/directory");
    std::fs::remove_file(&file).unwrap();
    world.restart("directory").await;
    let mut newest = version;
    until("the witnesses have seen another version", async || {
        agency.directory.renew(world.clock.now()).await.unwrap();
        newest = agency.directory.newest().unwrap().content().version;
        newest > version
    })
    .await;
    assert_eq!(newest, version + 1);

    // The same version with another content is proof against the directory's key, and is not taken.
    let root = world.node("directory").statements;
    let held = agency.directory.newest().unwrap();
    let mut split = held.content().clone();
    split.quorum += 1;
    let refused = agency.directory.take(&split.sign(&root).unwrap(), world.clock.now()).unwrap_err();
    assert!(refused.detail.contains("two different directories"), "{}", refused.detail);

    let listener = world.stop_for_a_while("directory").await;
    std::fs::write(&file, "").unwrap();
    let started =
        server::Server::start(&world.path("directory"), listener, server::ServeOptions::default()).await;
    assert!(started.unwrap_err().to_string().contains("node/directory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_and_directories_that_expire_are_named() {
    let world = World::start().await;
    let body = content(&world);
    let old = sign(&world, &body);
    world.clock.set_offset(3_600);
    assert_eq!(send(&world, &old, body.clone()).await, (401, "outside-the-window".to_owned()));
    world.clock.set_offset(-3_600);
    assert_eq!(send(&world, &old, body.clone()).await.0, 503, "the directory is from the future");
    world.clock.set_offset(0);
    assert_eq!(send(&world, &old, body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_is_told_that_its_clock_is_wrong_and_accuses_nobody() {
    let mut world = World::start().await;
    world.agency().await;
    // The directory is older than the clock that is behind.
    world.clock.set_offset(600);
    for offset in [70, -100] {
        let clock = server::Clock::default();
        clock.set_offset(600 + offset);
        let agency = server::roles::Agency::open(&world.path("agency"), clock).unwrap();
        agency.directory.renew(world.clock.now()).await.unwrap();
        let refused = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap_err();
        let AskError::Refused { status: 401, detail, .. } = &refused else { panic!("{offset}: {refused}") };
        assert!(detail.contains("this node's clock says"), "{offset}: {detail}");
    }
}

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_are_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let url = "https://127.0.0.1:1";
    let mut node = crate::world::node(root.path(), server::NodeRole::Agency, "police.example", url);
    node.make_certificate(server::validity(jiff::Timestamp::now(), 1)).unwrap();
    for secret in ["node.key", "tls.key", "api.token"] {
        let path = node.folder.join(secret);
        for (mode, refused) in [(0o644, true), (0o640, true), (0o600, false), (0o400, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let opened = server::Node::open(root.path()).and_then(|node| node.token());
            let said = opened.err().map(|error| error.to_string());
            assert_eq!(said.is_some(), refused, "{secret} {mode:o}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("others can read") && said.contains(secret)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_directory_stops_both_sides() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    world.stop("directory").await;
    world.clock.set_offset(8 * 24 * 3_600);
    let body = content(&world);
    assert_eq!(send(&world, &sign(&world, &body), body).await, (503, "no-directory".to_owned()));
    let asked = agency.ask(&question(&[(world.codes[0], 1.0)])).await;
    let Err(AskError::Here(problem)) = asked else { panic!("asked under an expired directory") };
    assert_eq!(problem.kind, server::ProblemKind::NoDirectory);
    assert!(problem.detail.contains("expired"), "{}", problem.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_down_are_told_apart() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    world.stop("makers").await;
    let issuer: NodeName = "issuer.example".parse().unwrap();
    let mut answers = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap();
    answers.remove(0).unwrap();
    world.stop("issuer").await;
    let mut answers = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap();
    let Err(AskError::Unreachable { issuer: down, .. }) = answers.remove(0) else { panic!("it is down") };
    assert_eq!(down, issuer);
    let nobodys: symbology::Code = symbology::SealingKey::new(&[1; 32], "open-1")
        .seal("ZZ".parse().unwrap(), symbology::UnitNumber::new(1).unwrap());
    assert!(matches!(agency.ask(&question(&[(nobodys, 1.0)])).await, Err(AskError::Nobody)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_no_answer() {
    let world = World::start().await;
    let records = world.path("issuer").join("node/records");
    std::fs::remove_dir_all(&records).unwrap();
    std::fs::write(&records, "in the way").unwrap();
    let body = content(&world);
    assert_eq!(send(&world, &sign(&world, &body), body).await, (503, "no-log".to_owned()));
    std::fs::remove_file(&records).unwrap();
    std::fs::create_dir(&records).unwrap();
    let body = content(&world);
    assert_eq!(send(&world, &sign(&world, &body), body).await.0, 200, "once the disk is well again");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_keeps_to_the_protocol() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let root = world.node("directory").statements.verifier().clone();
    let dealer = world.dealer();
    let planted = server::conformance::Planted { sold: Some(world.codes[0]), dealer: Some(&dealer) };
    let mut clauses =
        server::conformance::check_issuer(&directory.content().issuers[0], &agency, &planted).await;
    clauses.extend(server::conformance::check_witness(&directory.content().witnesses[0], &agency).await);
    clauses
        .extend(server::conformance::check_directory(&world.node("directory").config.url, &root, None).await);
    let prefix = "M2".parse().unwrap();
    let card = &directory.content().agencies[0];
    drop(agency);
    // The agency serves, and the second issuer's part is played by the tester.
    let listener = world.stop_for_a_while("second").await;
    let address = card.node.url.trim_start_matches("http://").to_owned();
    world.serve("agency", std::net::TcpListener::bind(address).unwrap()).await;
    clauses.extend(server::conformance::check_agency(&world.client, &card.node).await);
    let token = world.node("agency").token().unwrap();
    let client = server::Client::new(std::time::Duration::from_mins(1));
    let played =
        server::conformance::play_issuer((card, &token), (world.node("second"), prefix), listener, &client);
    clauses.extend(played.await.unwrap());
    assert!(clauses.len() > 80, "{}", clauses.len());
    for clause in clauses {
        assert_eq!(clause.result, Ok(()), "{} {}", clause.section, clause.text);
    }
}
