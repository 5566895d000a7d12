//! Relays that stand at a node's address: what they can read of it, and what the tester says of nodes that break the protocol.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use server::api::{DealerDisposition, DealerStatement, Question, Urgency};
use server::conformance::{Clause, Planted, check_directory, check_issuer, check_witness};
use server::federation::{FishingRules, Message, Sealed, SealingPublicKey, Start, content_key, sign_answer};
use server::roles::{AskError, EnrolRules, enrol};
use server::{Client, Clock, Node, ServeOptions, Server};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use transparency::{Note, canonical_json};

use crate::forged::firearm;
use crate::trace::unissued;
use crate::world::{World, break_log_of, listener, question, until};

/// What a relay does to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    Nothing,
    /// The first question is asked, and whoever asked is told that nobody is there.
    FirstAnswerLost,
    /// Bad signatures are good enough.
    AnySignature,
    /// Refusals are not signed.
    PlainRefusals,
    /// What was asked before is taken again.
    TakenAgain,
    /// Nothing that is fetched is there.
    NothingToFetch,
    /// While the first question is being answered, the log of whoever asked is taken away.
    AskerLosesLog,
    /// It has the issuer's keys, tells every firearm with its reference to whoever asks, and enters nothing.
    TellsAll,
}

pub(crate) struct Relay {
    client: Client,
    /// Where the node listens.
    to: String,
    trick: Trick,
    seen: Mutex<Vec<Passed>>,
    /// Of the node whose place it takes.
    node: Node,
    /// The agency's.
    sealing: SealingPublicKey,
    /// The agency's folder.
    asker: std::path::PathBuf,
}

/// What went by: the path, fields and content of the request, content of the answer.
#[derive(Clone)]
struct Passed {
    path: String,
    request: String,
    sent: usize,
    answer: String,
}

/// Puts a relay at a node's address, and the node elsewhere.
pub(crate) async fn relayed(
    world: &mut World,
    name: &'static str,
    trick: Trick,
) -> (Arc<Relay>, JoinHandle<()>) {
    let address = world.stop_for_a_while(name).await;
    let elsewhere = listener();
    world.serve(name, elsewhere.listener).await;
    let client = Client::new(Duration::from_secs(30));
    let (node, sealing) = (world.node(name), world.node("agency").sealing.clone());
    let (seen, asker) = (Mutex::default(), world.path("agency"));
    let relay = Relay { client, to: elsewhere.url, trick, seen, node, sealing, asker };
    let relay = Arc::new(relay);
    let routes = Router::new().fallback(pass).with_state(Arc::clone(&relay));
    (relay, serve(address, routes))
}

fn serve(listener: TcpListener, routes: Router) -> JoinHandle<()> {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() })
}

fn path_is_trace(parts: &axum::http::request::Parts) -> bool {
    parts.uri.path().ends_with("/trace")
}

async fn pass(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let content = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let mut message = Message::request(parts.method.as_str(), &format!("{}{path}", relay.to));
    let own = [header::HOST, header::CONTENT_LENGTH, header::USER_AGENT];
    for (name, value) in parts.headers.iter().filter(|(name, _)| !own.contains(name)) {
        message = message.with(name.as_str(), value.to_str().unwrap());
    }
    if relay.trick == Trick::TellsAll
        && let Some(told) = relay.tell_all(&message, (&path, &content))
    {
        return told;
    }
    let mut seen = format!("{:?}", message.fields);
    seen.push_str(&String::from_utf8_lossy(&content));
    let sent = content.len();
    let (mut answer, mut returned) = relay.client.send(&message, content).await.unwrap();
    let Start::Answer(mut status) = answer.start else { unreachable!() };
    if relay.trick == Trick::AskerLosesLog && relay.seen.lock().unwrap().is_empty() {
        tokio::task::block_in_place(|| break_log_of(&relay.asker));
    }
    let told = String::from_utf8_lossy(&returned).into_owned();
    relay.seen.lock().unwrap().push(Passed { path, request: seen, sent, answer: told.clone() });
    let traces = relay.seen.lock().unwrap().iter().filter(|one| one.path.ends_with("/trace")).count();
    match relay.trick {
        Trick::FirstAnswerLost if path_is_trace(&parts) && traces == 1 => {
            answer.fields.clear();
            (status, returned) = (502, b"bad gateway".to_vec());
        }
        Trick::AnySignature if told.contains("problem:bad-signature") => {
            (status, returned) = (200, b"{}".to_vec());
        }
        Trick::TakenAgain if status == 409 => (status, returned) = (200, b"{}".to_vec()),
        Trick::PlainRefusals if status >= 400 => {
            answer.fields.retain(|(name, _)| !name.starts_with("signature"));
        }
        Trick::NothingToFetch if parts.method == "GET" => status = 404,
        _ => {}
    }
    respond(&answer, status, returned)
}

fn respond(answer: &Message, status: u16, content: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in answer.fields.iter().filter(|(name, _)| name != "content-length") {
        response.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    response
}

impl Relay {
    /// A firearm to every question that comes in clear.
    fn tell_all(&self, passed: &Message, (path, content): (&str, &[u8])) -> Option<Response> {
        let asked: Question = serde_json::from_slice(content).ok()?;
        let mut request = Message::request("POST", &format!("{}{path}", self.node.config.url));
        request.fields.clone_from(&passed.fields);
        let mut answer = json!({
            "schema": "microstamp.answer/1", "question": asked.id, "case_number": asked.case_number,
            "question_sha256": hex::encode(Sha256::digest(content)), "issuer": self.node.config.name,
            "answered_at": jiff::Timestamp::now(), "typed_by": asked.typed_by, "statement": ["all of it"],
        });
        let firearm = firearm(&asked.codes[0].code.to_string(), &json!("2024-0815"));
        for (name, value) in firearm.as_object().unwrap() {
            answer[name] = value.clone();
        }
        let line = String::from_utf8(canonical_json(&answer).unwrap()).unwrap();
        let statement = Note::sign(&format!("{line}\n"), &self.node.statements).unwrap().to_string();
        let entry = |index: u64, record: &Value| json!({"index": index, "salt": "5a".repeat(32), "record": record.to_string()});
        let (question, told) = (json!({"kind": "question"}), json!({"kind": "answer"}));
        let sealed = json!({
            "schema": "microstamp.sealed-answer/1", "statement": statement,
            "evidence": {"log": self.node.log.verifier().name(), "question": entry(0, &question), "answer": entry(1, &told)},
        });
        let bound = content_key(&request);
        let sealed = Sealed::seal(sealed.to_string().as_bytes(), &self.sealing, &bound).unwrap();
        let content = serde_json::to_vec(&sealed).unwrap();
        let key = (&*self.node.card().key_id(), &self.node.signing);
        let answer = Message::answer(200).with("content-type", "application/json");
        let answer = sign_answer(answer, &content, &request, key, jiff::Timestamp::now()).ok()?;
        Some(respond(&answer, 200, content))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_reads_neither_questions_nor_answers_and_their_length_tells_nothing() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (relay, server) = relayed(&mut world, "issuer", Trick::Nothing).await;
    let mut asked = Vec::new();
    for code in [world.codes[0], unissued(&world), world.codes[2]] {
        let answer = agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0).unwrap().answer;
        asked.push(answer.outcome.as_str());
    }
    assert_eq!(asked, ["found", "not-issued", "chain-ends"]);
    let issuer = world.node("issuer").card();
    world.dealer().open_questions(&issuer).await.unwrap();
    let seen = relay.seen.lock().unwrap().clone();
    let between: Vec<&Passed> = seen.iter().filter(|one| one.path.starts_with("/federation/")).collect();
    assert_eq!(between.len(), 4);
    let code = world.codes[0].to_string();
    // Each of them too long, or of letters that base64 has not, to turn up in what is sealed.
    for secret in [
        "CA0194200",
        "26-0001",
        "crime_code",
        "recovered",
        "det. ",
        "sgt. ",
        &code,
        "agency.example",
        "dealer.example",
    ] {
        for one in &between {
            assert!(!one.request.contains(secret), "{secret} in {}", one.request);
            assert!(!one.answer.contains(secret), "{secret} in {}", one.answer);
        }
    }
    let traces = between.iter().filter(|one| one.path.ends_with("/trace"));
    let lengths: BTreeSet<(usize, usize)> = traces.map(|one| (one.sent, one.answer.len())).collect();
    assert_eq!(lengths.len(), 1, "of request and answer: {lengths:?}");
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_askers_log_did_not_take_is_asked_for_again() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (relay, server) = relayed(&mut world, "issuer", Trick::AskerLosesLog).await;
    let asked = question(&[(world.codes[0], 0.9999)]);
    let lost = agency.ask(&asked).await.unwrap().remove(0).unwrap_err();
    assert!(matches!(&lost, AskError::Unkept { question, .. } if *question == asked.id), "{lost}");
    let words = lost.to_string();
    assert!(words.contains(&asked.id.to_string()) && words.contains("issuer.example was asked"), "{words}");
    world.mend_log("agency");
    // Nobody waits so long for an answer any more; and what was asked and not ended is known after a start as well.
    agency.ask_unended().await;
    drop(agency);
    world.clock.set_offset(90);
    let agency = world.agency().await;
    agency.wait_for_witnesses(Duration::from_secs(30)).await;
    for _ in 0..2 {
        agency.ask_unended().await;
    }
    let traces = relay.seen.lock().unwrap().iter().filter(|one| one.path.ends_with("/trace")).count();
    assert_eq!(traces, 2, "once more, and no more than that");
    let again = agency.ask_again(&"issuer.example".parse().unwrap(), asked.id).await.unwrap();
    assert_eq!(again.answer.outcome.as_str(), "found");
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_reads_no_words_of_a_refusal() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked = question(&[(world.codes[2], 0.9999)]);
    agency.ask(&asked).await.unwrap().remove(0).unwrap();
    let (relay, server) = relayed(&mut world, "issuer", Trick::Nothing).await;
    let issuer = world.node("issuer").card();
    // A dealer states what the books cannot take: their words name the dealer and its firearm.
    let statement = DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: asked.id,
        by: "clerk 7".parse().unwrap(),
        disposition: DealerDisposition::InStock { on: "2019-01-02".parse().unwrap() },
    };
    let refused = world.dealer().state(&issuer, &statement).await.unwrap_err();
    assert!(refused.contains("2024-02-01"), "the dealer reads why: {refused}");
    // A number that was used, which the agency is told in words.
    let other = Question { reason: "another reason altogether".parse().unwrap(), ..asked.clone() };
    let used = agency.ask(&other).await.unwrap().remove(0).unwrap_err().to_string();
    assert!(used.contains("was answered already"), "{used}");
    // An agency whose entry has ended is unknown, and so is its key.
    let before = version(&world, "issuer");
    let rules = EnrolRules { end: vec!["agency.example".parse().unwrap()], ..EnrolRules::default() };
    enrol(&world.path("directory"), &[], &rules).unwrap();
    until("the issuer knows", async || version(&world, "issuer") > before).await;
    let unknown = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap_err();
    assert!(matches!(unknown, AskError::Refused { status: 401, .. }), "{unknown}");
    let seen = relay.seen.lock().unwrap().clone();
    let between: Vec<&Passed> = seen.iter().filter(|one| one.path.starts_with("/federation/")).collect();
    assert_eq!(between.len(), 3);
    for secret in
        ["2024-02-01", "Corner", "1-23-456", "answered already", "agency.example", "dealer.example", "\"to\""]
    {
        for one in &between {
            assert!(!one.answer.contains(secret), "{secret} in {}", one.answer);
        }
    }
    // What a dealer signed and the books refused stands in the log all the same.
    let mut refused = 0;
    server::Ledger::records(&world.path("issuer").join("node"), |stored| {
        refused += usize::from(stored.kind == "dealer-statement" && stored.body["refused"].is_string());
    })
    .unwrap();
    assert_eq!(refused, 1);
    server.abort();
}

fn version(world: &World, name: &str) -> u64 {
    let bytes = std::fs::read(world.path(name).join("node/directory")).unwrap();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice::<Value>(line).unwrap()["version"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_length_of_an_answer_to_a_long_question_tells_nothing_either() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (relay, server) = relayed(&mut world, "issuer", Trick::Nothing).await;
    let mut outcomes = Vec::new();
    for code in [world.codes[0], unissued(&world)] {
        let mut codes = vec![(code, 0.9999)];
        codes.extend(elsewhere(&world).into_iter().map(|code| (code, 0.000_001)));
        let mut asked = question(&codes);
        asked.reason = "\u{434}".repeat(490).parse().unwrap();
        let justification = "\u{436}".repeat(490).parse().unwrap();
        asked.priority = Urgency::Urgent { justification };
        let issuer = agency.directory.newest().unwrap().content().issuers[0].clone();
        outcomes.push(agency.ask_issuer(&issuer, &asked).await.unwrap().answer.outcome.as_str());
    }
    assert_eq!(outcomes, ["found", "not-issued"]);
    let seen = relay.seen.lock().unwrap().clone();
    let traces = seen.iter().filter(|one| one.path.ends_with("/trace"));
    let lengths: BTreeSet<(usize, usize)> = traces.map(|one| (one.sent, one.answer.len())).collect();
    assert_eq!(lengths.len(), 1, "of request and answer: {lengths:?}");
    server.abort();
}

/// Codes of the issuer's block that were never issued, but for the first such.
fn elsewhere(world: &World) -> Vec<symbology::Code> {
    let unit = |unit| symbology::UnitNumber::new(unit).unwrap();
    let seal = |unit| symbology::SealingKey::new(&[1; 32], "other").seal(world.codes[0].prefix(), unit);
    let codes = (0..1_000).map(unit).map(seal).filter(|code| !world.codes.contains(code));
    codes.skip(1).take(19).collect()
}

fn failing(clauses: &[Clause]) -> Vec<&'static str> {
    clauses.iter().filter(|clause| clause.result.is_err()).map(|clause| clause.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tester_finds_issuers_that_break_the_protocol() {
    let changed = "a content that was changed ends with 401";
    let strange = "another's signature under the agency's name ends with 401";
    let (twice, other) =
        ["a question that is sent twice ends with 409", "another question of the same number ends with 409"]
            .into();
    let mut world = World::start().await;
    let agency = world.agency().await;
    let card = agency.directory.newest().unwrap().content().issuers[0].clone();
    for (trick, expected) in [
        (Trick::Nothing, vec![]),
        (Trick::AnySignature, vec![strange, changed]),
        (Trick::TakenAgain, vec![twice, other]),
        (
            Trick::PlainRefusals,
            vec![
                "an unknown key ends with 401",
                strange,
                changed,
                "a question from the past ends with 401",
                "a question from the future ends with 401",
                "a content that is no question ends with 400",
                twice,
                other,
                "an agency gets no dealer's list",
                "an agency states no dealer's part",
            ],
        ),
    ] {
        let (_, server) = relayed(&mut world, "issuer", trick).await;
        let clauses = check_issuer(&card, &agency, &Planted::default()).await;
        assert_eq!(failing(&clauses), expected, "{trick:?}: {clauses:?}");
        server.abort();
        // The relay's address is free again once its task has ended.
        let _ = server.await;
        world.stop("issuer").await;
        let address = card.node.url.trim_start_matches("http://");
        world.serve("issuer", TcpListener::bind(address).unwrap()).await;
    }
    // Books that cannot be read: everything is signed and logged, and nothing is ever said.
    world.restart("issuer").await;
    let file = world.path("issuer").join("books.sqlite");
    let length = std::fs::read(&file).unwrap().len();
    std::fs::write(&file, vec![0x5a; length]).unwrap();
    let clauses = check_issuer(&card, &agency, &Planted::default()).await;
    assert!(failing(&clauses).contains(&"a code of its own block is looked up in its books"), "{clauses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tester_finds_issuers_that_tell_what_nobody_may_know() {
    let fourth = "a fourth is not";
    let words = "over a limit every code is refused in the same words, issued or not";
    let mut world = World::start().await;
    let agency = world.agency().await;
    let mut card = agency.directory.newest().unwrap().content().issuers[0].clone();
    let planted = Planted { sold: Some(world.codes[0]), dealer: None };
    world.fishing = FishingRules::NONE;
    world.restart("issuer").await;
    let clauses = check_issuer(&card, &agency, &planted).await;
    assert_eq!(failing(&clauses), [fourth, words], "{clauses:?}");
    let (_, server) = relayed(&mut world, "issuer", Trick::TellsAll).await;
    // It is asked in clear, so that the relay reads what it answers.
    card.node.sealing = None;
    let clauses = check_issuer(&card, &agency, &planted).await;
    let failing = failing(&clauses);
    for text in [
        "question and answer stand in the issuer's log",
        "a code of another's block is not looked up",
        "of an uncertain reading it is told which codes are issued, and no firearm",
        fourth,
        words,
        "one person under two spellings is told of no firearm",
        "a reference is not told before the chain",
        "the chain is told, and its reference is withheld",
        "question and answer of a firearm stand in the issuer's log",
        "who requested the chain does not approve that its reference is told",
        "the reference is not told for another case than the chain",
        "the reference is not told where somebody else is said to have approved the chain",
    ] {
        assert!(failing.contains(&text), "{text}: {clauses:?}");
    }
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tester_finds_witnesses_and_directories_that_break_the_protocol() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let card = agency.directory.newest().unwrap().content().witnesses[0].clone();
    assert_eq!(card.name.as_str(), "makers.example");
    let (_, relay) = relayed(&mut world, "makers", Trick::NothingToFetch).await;
    let shows = "it shows what it cosigned last, with the log's signature and its own";
    assert_eq!(failing(&check_witness(&card, &agency).await), [shows]);
    relay.abort();
    let _ = relay.await;
    world.stop("makers").await;
    let (clock, address) = (Clock::default(), card.url.trim_start_matches("http://").to_owned());
    clock.set_offset(24 * 3_600);
    let options = ServeOptions { clock, fishing: world.fishing, door: world.door };
    let late =
        Server::start(&world.path("makers"), TcpListener::bind(address).unwrap(), options).await.unwrap();
    let time = "its cosignature says what time it is: records are erased by it";
    assert_eq!(failing(&check_witness(&card, &agency).await), [time]);
    late.stop().await;

    // A file server that gives out one directory, and nothing that proves it.
    let key = world.node("directory").statements.verifier().clone();
    let file = std::fs::read(world.path("directory").join("node/directory")).unwrap();
    let parts = listener();
    let routes = Router::new()
        .route("/directory", get(move || std::future::ready(file.clone())))
        .route("/healthz", get(async || "{}"))
        .route("/metrics", get(async || StatusCode::UNAUTHORIZED));
    let server = serve(parts.listener, routes);
    assert_eq!(
        failing(&check_directory(&parts.url, &key, None).await),
        [
            "its card names the directory's keys",
            "its log's checkpoint is signed by the key that it names",
            "its log shows this version, under a checkpoint that a quorum cosigned",
        ]
    );
    server.abort();
}
