//! Witnesses with two keys, with wrong ones, and witnesses that answer nothing before they were answered themselves.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use server::Client;
use server::federation::Directory;
use server::roles::{Agency, Enrolment, WitnessNode};
use tokio::task::JoinHandle;
use transparency::{AddCheckpoint, Approval, SignedCheckpoint};

use crate::world::{World, question, until};

/// Size of what a quorum cosigned of the issuer's log, and what of it counts under the newest directory.
async fn cosigned(world: &World) -> Option<(u64, Option<Approval>)> {
    let url = |name: &str| world.node(name).config.url;
    let (status, bytes) = world.client.get(&format!("{}/log/cosigned", url("issuer"))).await.unwrap();
    if status != 200 {
        return None;
    }
    let signed = SignedCheckpoint::parse(&bytes).unwrap();
    let key = world.node("directory").statements.verifier().clone();
    let (_, bytes) = world.client.get(&format!("{}/directory", url("directory"))).await.unwrap();
    let policy = Directory::parse(&bytes, &key).unwrap();
    let policy = policy.policy(&world.node("issuer").log.verifier().to_string()).unwrap();
    // Nothing may stand there that nobody looks at.
    Some((signed.checkpoint.size, policy.check_strictly(&signed).ok()))
}

async fn ask(world: &World, agency: &Agency, code: usize) {
    agency.ask(&question(&[(world.codes[code], 1.0)])).await.unwrap().remove(0).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_can_keep_nothing_does_not_say_that_it_is_well() {
    let mut world = World::start().await;
    let url = world.node("defence").config.url;
    let impaired = async |world: &World| {
        let (_, health) = world.client.get(&format!("{url}/healthz")).await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&health).unwrap()["impaired"].clone()
    };
    let memory = world.path("defence").join("node/memory");
    let aside = memory.with_extension("aside");
    until("it has cosigned something", async || memory.exists()).await;
    let away = world.stop_for_a_while("defence").await;
    std::fs::rename(&memory, &aside).unwrap();
    std::fs::write(&memory, "in the way").unwrap();
    let again = away.try_clone().unwrap();
    world.serve("defence", away).await;
    until("it says so", async || impaired(&world).await == serde_json::json!(["memory"])).await;
    world.stop("defence").await;
    std::fs::remove_file(&memory).unwrap();
    std::fs::rename(&aside, &memory).unwrap();
    world.serve("defence", again).await;
    until("it is well again", async || impaired(&world).await == serde_json::json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_sign_with_two_keys_where_the_directory_names_them() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&world, &agency, 0).await;
    let seen = async |world: &World, ml_dsa: &[&str]| {
        let seen = cosigned(world).await.filter(|(size, _)| *size == 2).and_then(|(_, approval)| approval);
        seen.is_some_and(|seen| seen.witnesses.len() == 3 && seen.ml_dsa == ml_dsa)
    };
    until("two of three signed twice", async || seen(&world, &["makers.example", "oversight.example"]).await)
        .await;

    // The third one's second key is enrolled: its signature is fetched, though the log does not grow.
    let third = world.node("defence");
    world.enrol_as(&third, &Enrolment::Witness(third.witness_card()));
    let all = ["makers.example", "oversight.example", "defence.example"];
    until("all of them did", async || seen(&world, &all).await).await;
}

/// What a false witness does to the lines that a true one signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Good,
    FirstWrong,
    SecondWrong,
    SecondMissing,
}

/// Answers as the true one would, but looks at other nodes' pages before, and may spoil what it signed.
struct FalseWitness {
    inner: WitnessNode,
    lines: Mutex<Lines>,
    client: Client,
    pages: Vec<String>,
    /// Names and sizes of the logs that it was asked about.
    asked: Mutex<Vec<(String, u64)>>,
    seen: Mutex<BTreeSet<(String, u16)>>,
}

impl FalseWitness {
    /// In the place of one that was stopped.
    fn open(world: &World, name: &str, pages: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            inner: WitnessNode::open(&world.path(name), world.clock.clone()).unwrap(),
            lines: Mutex::new(Lines::Good),
            client: Client::new(Duration::from_mins(1)),
            pages,
            asked: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    fn play(&self, lines: Lines) {
        *self.lines.lock().unwrap() = lines;
        self.asked.lock().unwrap().clear();
    }

    /// How often it was asked about this state of a log.
    fn count(&self, log: &(String, u64)) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| *one == log).count()
    }

    async fn answer(&self, body: &[u8]) -> Response {
        for page in &self.pages {
            let status = self.client.get(page).await.map_or(0, |(status, _)| status);
            self.seen.lock().unwrap().insert((page.clone(), status));
        }
        let lines = *self.lines.lock().unwrap();
        let answer = self.inner.add_checkpoint(body);
        let words = if answer.status == 200 { tamper(&answer.body, lines) } else { answer.body };
        let checkpoint = AddCheckpoint::parse(body).unwrap().signed.checkpoint;
        self.asked.lock().unwrap().push((checkpoint.origin, checkpoint.size));
        let status = StatusCode::from_u16(answer.status).unwrap();
        (status, [("content-type", answer.content_type)], Body::from(words)).into_response()
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let answer = async |State(witness): State<Arc<Self>>, body: Bytes| witness.answer(&body).await;
        let routes = Router::new().route("/add-checkpoint", post(answer)).with_state(Arc::clone(self));
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() })
    }
}

fn tamper(lines: &str, how: Lines) -> String {
    let all: Vec<&str> = lines.lines().collect();
    assert_eq!(all.len(), 2, "{lines}");
    let wrong = |line: &str| {
        let (head, signature) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(signature).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        format!("{head} {}", STANDARD.encode(bytes))
    };
    match how {
        Lines::Good => lines.to_owned(),
        Lines::FirstWrong => format!("{}\n{}\n", wrong(all[0]), all[1]),
        Lines::SecondWrong => format!("{}\n{}\n", all[0], wrong(all[1])),
        Lines::SecondMissing => format!("{}\n", all[0]),
    }
}

/// Two must cosign, and of the two witnesses that are left one is false.
async fn with_one_false(world: &mut World, pages: Vec<String>) -> (Arc<FalseWitness>, JoinHandle<()>) {
    world.stop("defence").await;
    let listener = world.stop_for_a_while("makers").await;
    let witness = FalseWitness::open(world, "makers", pages);
    let server = witness.serve(listener);
    (witness, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_whose_second_signature_is_wrong_or_missing_has_not_cosigned() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&world, &agency, 0).await;
    until("a quorum cosigned", async || cosigned(&world).await.is_some_and(|(size, _)| size == 2)).await;
    let (witness, server) = with_one_false(&mut world, Vec::new()).await;
    let log = world.node("issuer").log.verifier().name().to_owned();
    let mut size = 2;
    for (code, how) in [(1, Lines::SecondWrong), (2, Lines::SecondMissing), (0, Lines::FirstWrong)] {
        witness.play(how);
        ask(&world, &agency, code).await;
        // Who is asked a third time has had two answers looked at.
        let state = (log.clone(), size + 2);
        until("it was asked again and again", async || witness.count(&state) >= 3).await;
        let (seen, approval) = cosigned(&world).await.unwrap();
        assert_eq!(seen, size, "{how:?}: {approval:?}");
        let metrics = world.metrics("issuer").await;
        assert!(metrics.lines().any(|line| line == "microstamp_witnesses_cosigned 1"), "{how:?}: {metrics}");
        size += 2;
        witness.play(Lines::Good);
        until("it cosigns, and that is a quorum", async || {
            let seen = cosigned(&world).await.filter(|(seen, _)| *seen == size).and_then(|(_, seen)| seen);
            seen.is_some_and(|seen| seen.ml_dsa == ["makers.example", "oversight.example"])
        })
        .await;
    }
    server.abort();
}

/// A witness looks at a node's pages before it answers: a node that made whoever looks wait for its witnesses would wait for itself,
/// give the witness up, and never be cosigned.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_shows_does_not_wait_for_its_witnesses() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&world, &agency, 0).await;
    let url = |name: &str| world.node(name).config.url;
    let mut pages = vec![format!("{}/directory", url("directory"))];
    for node in ["directory", "issuer"] {
        pages.extend(["checkpoint", "cosigned"].map(|file| format!("{}/log/{file}", url(node))));
    }
    pages.extend(["healthz", "books-log/cosigned"].map(|page| format!("{}/{page}", url("issuer"))));
    let expected: BTreeSet<(String, u16)> = pages.iter().map(|page| (page.clone(), 200)).collect();
    let client = Client::new(Duration::from_mins(1));
    let status = async |page: &String| client.get(page).await.map_or(0, |(status, _)| status);
    until("everything is cosigned and shown", async || {
        for page in &pages {
            if status(page).await != 200 {
                return false;
            }
        }
        true
    })
    .await;
    let (witness, server) = with_one_false(&mut world, pages).await;
    let size = async |world: &World, node: &str| {
        let url = format!("{}/log/cosigned", world.node(node).config.url);
        let (_, bytes) = world.client.get(&url).await.unwrap();
        SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size
    };
    let before = [size(&world, "issuer").await, size(&world, "directory").await];
    // The logs of both grow; entries that are made two minutes later are others.
    ask(&world, &agency, 1).await;
    world.clock.set_offset(120);
    world.enrol(&world.node("second"));
    for (node, before) in ["issuer", "directory"].into_iter().zip(before) {
        until("what has grown is cosigned", async || size(&world, node).await > before).await;
    }
    assert_eq!(*witness.seen.lock().unwrap(), expected);
    for node in ["issuer", "directory"] {
        let log = world.node(node).log.verifier().name().to_owned();
        assert!(witness.asked.lock().unwrap().iter().any(|(name, _)| *name == log), "{node} asked it");
    }
    server.abort();
}
