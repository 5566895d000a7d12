//! Plays an issuer towards an agency's node and answers badly in every way that the protocol knows: the agency must refuse
//! each bad answer, and take the good one.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use symbology::{Code, Prefix};
use transparency::Note;

use super::{Clause, code_of, question};
use crate::api::{AgencyCard, Answer, Evidence, FirearmAnswer, OutcomeName, Question, SealedAnswer};
use crate::app::{DoorRules, Doors, serve};
use crate::client::Client;
use crate::config::Node;
use crate::federation::{Message, OpeningKey, Sealed, content_key, disclose, sign_answer};
use crate::ledger::Entered;
use crate::roles::fields_record;

/// How an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    Good,
    Unsigned,
    OtherKey,
    OtherKeyId,
    Altered,
    Replayed,
    Stale,
    Early,
    NotJson,
    NotSealed,
    SealedToOther,
    SealedForOther,
    OtherStatement,
    TwoStatements,
    OtherQuestion,
    NoEvidence,
    OtherCode,
    OtherEvidence,
    OtherLog,
    Chain,
    Reference,
    OtherFirearm,
    InPlaceOf,
    Refusal,
    UnsignedRefusal,
    TooLarge,
    Nothing,
}

/// The tricks, each with the section of `docs/federation.md` and what the agency must do.
const TRICKS: [(Trick, &str, &str); 27] = [
    (Trick::Good, "4.3", "a good answer is taken"),
    (Trick::Unsigned, "4.3", "an answer without a signature is refused"),
    (Trick::OtherKey, "4.3", "an answer signed with another key is refused"),
    (Trick::OtherKeyId, "4.3", "an answer under another key's name is refused"),
    (Trick::Altered, "4.3", "an answer altered on the way is refused"),
    (Trick::Replayed, "4.3", "the answer to an earlier question is refused"),
    (Trick::Stale, "4.3", "an answer signed long before the question is refused"),
    (Trick::Early, "4.3", "an answer signed in the future is refused"),
    (Trick::NotJson, "4.3", "a signed content that is no JSON is refused"),
    (Trick::NotSealed, "4.3", "an answer that is not sealed is refused"),
    (Trick::SealedToOther, "4.3", "an answer sealed to another key is refused"),
    (Trick::SealedForOther, "4.3", "an answer sealed for another request is refused"),
    (Trick::OtherStatement, "4.4", "a statement signed with another key is refused"),
    (Trick::TwoStatements, "4.4", "a statement with something behind it is refused"),
    (Trick::OtherQuestion, "4.4", "a statement about another question is refused"),
    (Trick::NoEvidence, "4.3", "an answer without its entries in the issuer's log is refused"),
    (Trick::OtherCode, "4.4", "an answer that tells of a code that was not asked is refused"),
    (Trick::OtherEvidence, "4.3", "an answer with the entries of another question is refused"),
    (Trick::OtherLog, "4.3", "an answer with entries of another's log is refused"),
    (Trick::Chain, "4.4", "a good chain of a firearm is taken"),
    (Trick::Reference, "4.3", "an answer that tells the reference where the chain was asked is refused"),
    (Trick::OtherFirearm, "4.3", "an answer that tells of a firearm by a code that was not asked is refused"),
    (Trick::InPlaceOf, "3", "an answer in the place of an issuer that did not delegate is refused"),
    (Trick::Refusal, "4.2", "a signed refusal is passed on as one"),
    (Trick::UnsignedRefusal, "4.2", "a refusal without a signature is taken for none, and for no answer"),
    (Trick::TooLarge, "2", "an answer that is too large is refused"),
    (Trick::Nothing, "11", "an issuer that breaks off cannot say now"),
];

struct Stage {
    tester: Node,
    agency: AgencyCard,
    trick: Mutex<Trick>,
    /// The first good answer, to be replayed.
    earlier: Mutex<Option<(Message, Vec<u8>)>>,
}

/// Plays the issuer whose node `tester` is, on a listener at its address, towards `agency`: `client` asks the agency with its
/// `token` for a code of `prefix`, which the directory must give to the tester. What is asked stands in the agency's log.
///
/// # Errors
/// When the listener or the tester's certificate cannot be used.
pub async fn play_issuer(
    (agency, token): (&AgencyCard, &str),
    (tester, prefix): (Node, Prefix),
    listener: TcpListener,
    client: &Client,
) -> Result<Vec<Clause>, String> {
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let tls = tester.tls.clone();
    let (trick, earlier) = (Mutex::new(Trick::Good), Mutex::default());
    let stage = Arc::new(Stage { tester, agency: agency.clone(), trick, earlier });
    let routes = Router::new().fallback(answer).with_state(Arc::clone(&stage));
    let doors =
        Doors::open(listener, tls.as_deref(), DoorRules::default()).map_err(|error| error.to_string())?;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(doors, (routes, DoorRules::default()), stopped));
    let mut clauses = Vec::new();
    for (trick, section, text) in TRICKS {
        *stage.trick.lock().unwrap_or_else(PoisonError::into_inner) = trick;
        let seen = ask(client, (agency, token), prefix).await;
        let result = seen.and_then(|seen| judge(trick, &seen));
        clauses.push(Clause { section, text, result });
    }
    serving.abort();
    Ok(clauses)
}

/// What the agency's node says of one question: `answer` or `error`.
async fn ask(client: &Client, (agency, token): (&AgencyCard, &str), prefix: Prefix) -> Result<Value, String> {
    let ori = agency.oris.first().cloned().ok_or("the directory gives the agency no ORI")?;
    let content = serde_json::to_vec(&question(Some(prefix), ori)).map_err(|error| error.to_string())?;
    let message = Message::request("POST", &format!("{}/agency/v1/traces", agency.node.url))
        .with("content-type", "application/json")
        .with("authorization", &format!("Bearer {token}"));
    let (_, content) = client.send(&message, content).await.map_err(|error| error.to_string())?;
    let seen: Value = serde_json::from_slice(&content).map_err(|error| error.to_string())?;
    match seen["answers"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        _ => Err(format!("the agency did not ask: {seen}")),
    }
}

fn judge(trick: Trick, seen: &Value) -> Result<(), String> {
    let error = seen["error"].as_str();
    let holds = match trick {
        Trick::Good => seen["answer"]["outcome"] == "not-issued",
        Trick::Chain => seen["answer"]["outcome"] == "found",
        Trick::Refusal => error.is_some_and(|error| error.contains("refused the question with status 503")),
        Trick::TooLarge | Trick::Nothing | Trick::UnsignedRefusal => {
            error.is_some_and(|error| error.contains("cannot say now"))
        }
        _ => error.is_some_and(|error| error.contains("does not hold")),
    };
    let taken = matches!(trick, Trick::Good | Trick::Chain);
    if holds && (taken || seen["answer"].is_null()) { Ok(()) } else { Err(seen.to_string()) }
}

async fn answer(State(stage): State<Arc<Stage>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = &stage.tester.config.url;
    let message = Message::request(parts.method.as_str(), &format!("{url}{path}"));
    let content = to_bytes(body, 256 << 10).await.unwrap_or_default();
    // The directory names a key for the tester's node, so an agency that keeps to it asks under seal.
    let Ok((message, content)) = disclose(&message.start, &content, &stage.tester.opening) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(asked) = serde_json::from_slice::<Question>(&content) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let trick = *stage.trick.lock().unwrap_or_else(PoisonError::into_inner);
    if trick == Trick::Nothing {
        // Longer than any agency waits: the connection is given up at the other end.
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
    match stage.play(trick, &message, (&asked, &content)) {
        Ok((answer, content)) => respond(&answer, content),
        Err(error) => {
            tracing::error!(error, "the tester cannot play");
            StatusCode::NOT_IMPLEMENTED.into_response()
        }
    }
}

impl Stage {
    fn play(
        &self,
        trick: Trick,
        request: &Message,
        asked: (&Question, &[u8]),
    ) -> Result<(Message, Vec<u8>), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        if trick == Trick::Replayed {
            let earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return earlier.ok_or_else(|| "there was no good answer before".to_owned());
        }
        let mut content = self.content(trick, request, asked)?;
        let now = Timestamp::now();
        let at = match trick {
            Trick::Stale => now - SignedDuration::from_mins(10),
            Trick::Early => now + SignedDuration::from_mins(10),
            _ => now,
        };
        let status = if matches!(trick, Trick::Refusal | Trick::UnsignedRefusal) { 503 } else { 200 };
        let kind = if status == 200 { "application/json" } else { "application/problem+json" };
        let answer = Message::answer(status).with("content-type", kind);
        if matches!(trick, Trick::Unsigned | Trick::UnsignedRefusal) {
            return Ok((answer, content));
        }
        let other = ed25519_dalek::SigningKey::from_bytes(&[0x5a; 32]);
        let key = if trick == Trick::OtherKey { &other } else { &self.tester.signing };
        let name = self.tester.card().key_id();
        let name = if trick == Trick::OtherKeyId { "nobody.example#00" } else { &*name };
        let signed =
            sign_answer(answer, &content, request, (name, key), at).map_err(|error| words(&error))?;
        if trick == Trick::Altered {
            content.push(b' ');
        }
        if trick == Trick::Good {
            let good = Some((signed.clone(), content.clone()));
            *self.earlier.lock().unwrap_or_else(PoisonError::into_inner) = good;
        }
        Ok((signed, content))
    }

    /// The content before it is signed.
    fn content(&self, trick: Trick, request: &Message, asked: (&Question, &[u8])) -> Result<Vec<u8>, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        match trick {
            Trick::NotJson => return Ok(b"{\"schema\": \"microstamp.sealed/1\"".to_vec()),
            Trick::TooLarge => return Ok(vec![b' '; 17 << 20]),
            Trick::Refusal | Trick::UnsignedRefusal => {
                return Ok(json!({"type": "urn:microstamp:problem:no-log", "title": "no log", "status": 503,
                    "detail": "conformance"})
                .to_string()
                .into_bytes());
            }
            _ => {}
        }
        let answer = self.sealed_answer(trick, request, asked)?;
        let opened = serde_json::to_vec(&answer).map_err(|error| words(&error))?;
        if trick == Trick::NotSealed {
            return Ok(opened);
        }
        let (_, other) = OpeningKey::derive(&[0x5a; 32]);
        let to = if trick == Trick::SealedToOther { &other } else { &self.agency.sealing };
        let bound = if trick == Trick::SealedForOther { "another".to_owned() } else { content_key(request) };
        let sealed = Sealed::seal(&opened, to, &bound).map_err(|error| words(&error))?;
        serde_json::to_vec(&sealed).map_err(|error| words(&error))
    }

    fn sealed_answer(
        &self,
        trick: Trick,
        request: &Message,
        (asked, content): (&Question, &[u8]),
    ) -> Result<SealedAnswer, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let hash =
            if trick == Trick::OtherQuestion { Sha256::digest(b"another") } else { Sha256::digest(content) };
        let mut not_issued: Vec<Code> = asked.codes.iter().map(|one| one.code).collect();
        if trick == Trick::OtherCode {
            not_issued.extend("K7AAAA".parse::<Code>());
        }
        let firearm = match trick {
            Trick::Chain | Trick::Reference | Trick::OtherFirearm | Trick::InPlaceOf => {
                Some(firearm(trick, asked)?)
            }
            _ => None,
        };
        let (outcome, says) = match &firearm {
            Some(_) => (OutcomeName::Found, "conformance test: there is no such firearm"),
            None => (OutcomeName::NotIssued, "conformance test: no such code was issued"),
        };
        let delegated_by = (trick == Trick::InPlaceOf).then(|| "nobody.example".parse().ok()).flatten();
        let answer = Answer {
            outcome,
            not_issued: if firearm.is_some() { Vec::new() } else { not_issued },
            firearm,
            delegated_by,
            statement: vec![says.to_owned()],
            ..Answer::blank(asked, hex::encode(hash), (&self.tester.config.name, Timestamp::now()))
        };
        let value = serde_json::to_value(&answer).map_err(|error| words(&error))?;
        let line = transparency::canonical_json(&value).map_err(|error| words(&error))?;
        let more = if trick == Trick::TwoStatements { "{}\n" } else { "" };
        let line = format!("{}\n{more}", String::from_utf8_lossy(&line));
        let other = transparency::SigningKey::log("nobody.example/statements", &[0x5a; 32]);
        let other = other.map_err(|error| words(&error))?;
        let key = if trick == Trick::OtherStatement { &other } else { &self.tester.statements };
        let statement = Note::sign(&line, key).map_err(|error| words(&error))?.to_string();
        let other = trick == Trick::OtherLog;
        let log = if other { "nobody.example/log" } else { self.tester.log.verifier().name() }.to_owned();
        let content = if trick == Trick::OtherEvidence { b"{}" } else { content };
        let asked = json!({"content": String::from_utf8_lossy(content), "request": fields_record(request)});
        let evidence = Evidence {
            log,
            question: entered(0, trick, &json!({"kind": "question", "body": asked})),
            answer: entered(1, trick, &json!({"kind": "answer", "body": {"statement": statement}})),
        };
        Ok(SealedAnswer { schema: "microstamp.sealed-answer/1".to_owned(), statement, evidence })
    }
}

/// A firearm that does not exist, with the chain of one that was sold.
fn firearm(trick: Trick, asked: &Question) -> Result<FirearmAnswer, String> {
    let code = asked.codes.first().map(|one| one.code).ok_or("no code was asked")?;
    let code = if trick == Trick::OtherFirearm { code_of(code.prefix(), "AAAA") } else { code };
    let reference = (trick == Trick::Reference).then_some("conformance-1");
    let licence = "9-99-999-99-9Z-99999";
    let firearm = json!({
        "code": code, "posterior": "1.000000000", "posterior_given_issued": "1.000000000",
        "licence": licence, "model": "conformance", "serial": "0", "kind": "pistol", "calibre": "none",
        "manufacturer": "Conformance (synthetic)", "importer": null, "country": "US", "parts": [], "chain": [],
        "time_to_crime_days": null, "time_to_crime": "unknown", "reference_withheld": reference.is_none(),
        "end": {"end": "retail-sale", "dealer": "Conformance Guns (synthetic)", "licence": licence,
                "on": "2024-04-01", "form_4473": reference},
    });
    serde_json::from_value(firearm).map_err(|error| error.to_string())
}

/// An entry as it would stand in the issuer's log.
fn entered(index: u64, trick: Trick, record: &Value) -> Entered {
    let record = if trick == Trick::NoEvidence { "{}".to_owned() } else { record.to_string() };
    Entered { index, salt: "5a".repeat(32), record }
}

fn respond(answer: &Message, content: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(content));
    if let crate::federation::Start::Answer(status) = answer.start {
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    }
    for (name, value) in &answer.fields {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
