//! What an agency keeps of an issuer's log after each answer, so that a court needs the issuer no more.

use std::time::Duration;

use serde_json::Value;
use server::federation::{Message, Start};
use server::roles::{Card, EnrolRules, Enrolment, enrol};
use server::{CourtBundle, Ledger, NodeRole};
use uuid::Uuid;

use crate::court::second_opinion;
use crate::world::{World, node, question, until};

/// Asks through the agency's running node.
async fn ask(world: &World) -> Uuid {
    let asked = question(&[(world.codes[0], 0.9999)]);
    let message = to_agency(world, "POST", "traces").with("content-type", "application/json");
    let content = serde_json::to_vec(&asked).unwrap();
    let (answer, told) = world.client.send(&message, content).await.unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(answer.start, Start::Answer(200), "{told}");
    assert_eq!(told["answers"][0]["answer"]["outcome"], "found", "{told}");
    asked.id
}

fn to_agency(world: &World, method: &str, path: &str) -> Message {
    let agency = world.node("agency");
    Message::request(method, &format!("{}/agency/v1/{path}", agency.config.url))
        .with("authorization", &format!("Bearer {}", agency.token().unwrap()))
}

/// Records of one kind in the agency's log.
fn records(world: &World, kind: &str) -> Vec<Value> {
    let mut found = Vec::new();
    Ledger::records(&world.path("agency").join("node"), |stored| {
        if stored.kind == kind {
            found.push(stored.body);
        }
    })
    .unwrap();
    found
}

async fn kept(world: &World, count: usize) {
    until("the proofs are kept", async || {
        let kept: usize =
            records(world, "proof").iter().map(|one| one["answers"].as_array().unwrap().len()).sum();
        kept >= count
    })
    .await;
}

/// The bundle that the running node gives out, verified here and by the other verifier.
async fn brought_to_court(world: &World, question: Uuid) {
    let message = to_agency(world, "GET", &format!("court/{question}"));
    let (answer, file) = world.client.send(&message, Vec::new()).await.unwrap();
    assert_eq!(answer.start, Start::Answer(200), "{}", String::from_utf8_lossy(&file));
    let root = world.node("directory").statements.verifier().clone();
    let report = CourtBundle::parse(&file).unwrap().verify(&root).unwrap();
    assert_eq!(report.question.id, question);
    second_opinion(&file, &root.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_brought_to_court_when_its_issuer_is_gone() {
    let mut world = World::start().await;
    let first = ask(&world).await;
    let second = ask(&world).await;
    kept(&world, 2).await;
    until("the gauge says so", async || {
        let metrics = world.metrics("agency").await;
        metrics.contains("microstamp_proofs_awaited 0") && metrics.contains("microstamp_proofs_overdue 0")
    })
    .await;
    world.stop("issuer").await;
    std::fs::remove_dir_all(world.path("issuer").join("node/log")).unwrap();
    for question in [first, second] {
        brought_to_court(&world, question).await;
    }
    // Also after a restart, and by whoever opens the folder.
    let agency = world.agency().await;
    agency.court_bundle(first, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_brought_to_court_when_its_witnesses_were_replaced() {
    let mut world = World::start().await;
    let asked = ask(&world).await;
    kept(&world, 1).await;
    let mut before = version_of(&world, "agency");
    // Two of three, and a quorum is two: their keys are new.
    for name in ["makers", "oversight"] {
        let listener = world.stop_for_a_while(name).await;
        let old = world.node(name);
        std::fs::rename(world.path(name), world.path(name).with_extension("old")).unwrap();
        let mut new = node(&world.path(name), NodeRole::Witness, old.config.name.as_str(), &old.config.url);
        let keeper = world.node("directory");
        let address = format!("{}/directory", keeper.config.url);
        new.trust(&address, &keeper.statements.verifier().to_string()).unwrap();
        let entry = Enrolment::Witness(new.witness_card());
        let card = Card::sign(&entry, &new.statements, None).unwrap();
        let rules = EnrolRules { replace: true, without_old_key: true, ..EnrolRules::default() };
        enrol(&world.path("directory"), &[card], &rules).unwrap();
        world.serve(name, listener).await;
        // One after the other: a version is taken under the witnesses of the one before.
        for name in ["agency", "issuer"] {
            until("it has the new directory", async || version_of(&world, name) > before).await;
        }
        before = version_of(&world, "agency");
    }
    let later = ask(&world).await;
    kept(&world, 2).await;
    for question in [asked, later] {
        brought_to_court(&world, question).await;
    }
}

fn version_of(world: &World, name: &str) -> u64 {
    let bytes = std::fs::read(world.path(name).join("node/directory")).unwrap();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice::<Value>(line).unwrap()["version"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_do_not_come_are_told_of_and_kept_when_they_come() {
    let mut world = World::start().await;
    let first = ask(&world).await;
    kept(&world, 1).await;
    // Without a quorum nothing vouches for the issuer's log, and it answers on.
    let away = [world.stop_for_a_while("makers").await, world.stop_for_a_while("oversight").await];
    let asked = ask(&world).await;
    // What cannot be had yet is told apart from what there never was.
    for (question, title) in [(asked, "not yet"), (Uuid::now_v7(), "not found")] {
        let message = to_agency(&world, "GET", &format!("court/{question}"));
        let (answer, problem) = world.client.send(&message, Vec::new()).await.unwrap();
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!(problem["title"], title, "{problem}");
        assert_eq!(answer.start, Start::Answer(if title == "not yet" { 503 } else { 404 }));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(records(&world, "no-proof"), Vec::<Value>::new(), "there is time yet");
    world.clock.set_offset(6 * 60);
    until("the log tells of it", async || !records(&world, "no-proof").is_empty()).await;
    let told = records(&world, "no-proof");
    let named = &told[0]["answers"][0]["question"];
    assert_eq!((told.len(), named), (1, &Value::from(asked.to_string())), "{told:?}");
    let (issuer, superseded) = (&told[0]["issuer"], &told[0]["superseded"]);
    assert_eq!((issuer, superseded), (&Value::from("issuer.example"), &Value::from(false)));
    let overdue = |count: u8| format!("microstamp_proofs_overdue {count}");
    until("the gauge says so", async || world.metrics("agency").await.contains(&overdue(1))).await;
    for (name, listener) in ["makers", "oversight"].into_iter().zip(away) {
        world.serve(name, listener).await;
    }
    kept(&world, 2).await;
    until("nothing is overdue", async || world.metrics("agency").await.contains(&overdue(0))).await;
    for question in [first, asked] {
        brought_to_court(&world, question).await;
    }
}
