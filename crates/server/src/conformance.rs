//! The conformance tester: plays the other side against any node and says, clause by clause of `docs/federation.md`,
//! whether it keeps to the protocol. Use it with a test agency: what it asks stands in real logs.

mod false_issuer;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use transparency::{Hash, Note, SignedCheckpoint, VerifierKey};
use uuid::Uuid;

use crate::api::{
    Answer, AskedCode, IssuerCard, NodeCard, OutcomeName, Question, QuestionKind, SealedAnswer, Urgency,
    WitnessCard,
};
use crate::client::{Client, status};
use crate::court::remote_bundle;
use crate::federation::{Directory, Message, Sealed, check_answer, content_key, sign_request};
use crate::ledger::Act;
use crate::roles::{Agency, read_statement};

pub use false_issuer::play_issuer;

/// One clause and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Section of `docs/federation.md`.
    pub section: &'static str,
    /// What must hold.
    pub text: &'static str,
    /// `Err` says what was seen instead.
    pub result: Result<(), String>,
}

type Seen = Result<(), String>;

/// Checks an issuer's node, asking as `agency`, which the issuer's directory must list.
pub async fn check_issuer(issuer: &IssuerCard, agency: &Agency) -> Vec<Clause> {
    let tester = Tester { issuer, agency, client: agency.node.client(Duration::from_secs(10)) };
    let mut clauses = common(&tester.client, &issuer.node).await;
    tester.refusals(&mut clauses).await;
    tester.outcomes(&mut clauses).await;
    clauses
}

/// Checks a witness with the log of `agency`, which the witness's directory must list. The log grows by three entries.
pub async fn check_witness(witness: &WitnessCard, agency: &Agency) -> Vec<Clause> {
    let client = agency.node.client(Duration::from_secs(10));
    let mut clauses = Vec::new();
    let send = |body: String| {
        let (client, target) = (client.clone(), format!("{}/add-checkpoint", witness.url));
        async move {
            let message = Message::request("POST", &target).with("content-type", "text/plain");
            let answer = client.send(&message, body.into_bytes()).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((status(&answer.0), String::from_utf8_lossy(&answer.1).into_owned(), answer.0))
        }
    };
    let mut note = |text, result| clauses.push(Clause { section: "7", text, result });
    let is = |wanted: u16, seen: Result<(u16, String, Message), String>| match seen {
        Ok((status, ..)) if status == wanted => Ok(()),
        Ok((status, words, _)) => Err(format!("status {status}: {}", words.trim())),
        Err(error) => Err(error),
    };
    note("a body that is no request ends with 400", is(400, send("nonsense".to_owned()).await));
    let Ok((old, new)) = two_checkpoints(agency).await else {
        note("the agency's log can be read", Err("it cannot".to_owned()));
        return clauses;
    };
    // Learn what the witness knows, then bring it to the older checkpoint.
    let first =
        send(agency.ledger.add_checkpoint(&old, 0).map(|one| one.to_string()).unwrap_or_default()).await;
    let known = match &first {
        Ok((409, words, _)) => words.trim().parse().unwrap_or_default(),
        _ => 0,
    };
    let request = |signed: &SignedCheckpoint, from: u64| {
        agency.ledger.add_checkpoint(signed, from).map(|one| one.to_string()).unwrap_or_default()
    };
    if known > 0 {
        note("a good checkpoint is cosigned (200)", is(200, send(request(&old, known)).await));
    } else {
        note("a good checkpoint is cosigned (200)", is(200, first));
    }
    let size = old.checkpoint.size;
    let conflict = send(request(&new, size - 1)).await;
    note(
        "a wrong old size ends with 409 and the known size as text/x.tlog.size",
        match conflict {
            Ok((409, words, answer)) if words == format!("{size}\n") => match answer.field("content-type") {
                Some(kind) if kind == "text/x.tlog.size" => Ok(()),
                kind => Err(format!("content type {kind:?}")),
            },
            other => is(409, other).and(Err("another size".to_owned())),
        },
    );
    let other_log = request(&new, size).replace(agency.node.log.verifier().name(), "nobody.example/log");
    note("a log that it does not watch ends with 404", is(404, send(other_log).await));
    let forged =
        request(&new, size).replace(&new.checkpoint.root.to_string(), &Hash::empty_tree().to_string());
    note("a bad signature of the log ends with 403", is(403, send(forged).await));
    let mut proof = agency.ledger.add_checkpoint(&new, size).ok();
    if let Some(proof) = &mut proof {
        proof.proof = vec![Hash::empty_tree(); proof.proof.len().max(1)];
    }
    let proof = proof.map(|proof| proof.to_string()).unwrap_or_default();
    note("a proof that does not hold ends with 422", is(422, send(proof).await));
    let good = send(request(&new, size)).await;
    note(
        "the answer is cosignature lines that verify",
        match &good {
            Ok((200, words, _)) => cosigned(&new, words, witness),
            _ => is(200, good),
        },
    );
    note(
        "a size that was cosigned already is cosigned again",
        is(200, send(request(&new, new.checkpoint.size)).await),
    );
    note("going back ends with 409", is(409, send(request(&old, 0)).await));
    clauses
}

/// Checks a directory's node under the key that it claims.
pub async fn check_directory(url: &str, key: &VerifierKey) -> Vec<Clause> {
    let client = Client::new(Duration::from_secs(10));
    let file = get(&client, &format!("{url}/directory"), 200).await;
    let parsed = file.and_then(|bytes| Directory::parse(&bytes, key).map_err(|error| error.to_string()));
    let now = Timestamp::now();
    let time = |directory: &Directory| directory.check_time(now).map_err(|error| error.to_string());
    let soon = |directory: &Directory| {
        let left = directory.content().expires_at.duration_since(now);
        if left < SignedDuration::from_hours(24) { Err("it expires within a day".to_owned()) } else { Ok(()) }
    };
    let witnesses = |directory: &Directory| {
        let (quorum, count) = (directory.content().quorum, directory.content().witnesses.len());
        if quorum <= count { Ok(()) } else { Err(format!("quorum {quorum} of {count} witnesses")) }
    };
    let of = |check: &dyn Fn(&Directory) -> Seen| parsed.as_ref().map_err(Clone::clone).and_then(check);
    let clause = |text, result| Clause { section: "3", text, result };
    vec![
        clause("the directory is signed and contradicts itself nowhere", of(&|_| Ok(()))),
        clause("it holds now", of(&time)),
        clause("it holds for another day", of(&soon)),
        clause("its quorum can be met", of(&witnesses)),
        clause("it says that it is well", get(&client, &format!("{url}/healthz"), 200).await.map(drop)),
        clause(
            "its metrics are not for everybody",
            get(&client, &format!("{url}/metrics"), 401).await.map(drop),
        ),
        clause(
            "what is not there ends with 404",
            get(&client, &format!("{url}/no-such-thing"), 404).await.map(drop),
        ),
    ]
}

/// Checks what an agency's node shows to the outside. Whether it takes bad answers is what [`play_issuer`] asks.
pub async fn check_agency(client: &Client, node: &NodeCard) -> Vec<Clause> {
    let mut clauses = common(client, node).await;
    let message = Message::request("POST", &format!("{}/agency/v1/traces", node.url));
    let answer = client.send(&message, b"{}".to_vec()).await;
    let result = match answer {
        Ok((answer, _)) if status(&answer) == 401 => Ok(()),
        Ok((answer, _)) => Err(format!("status {}", status(&answer))),
        Err(error) => Err(error.to_string()),
    };
    clauses.push(Clause { section: "8", text: "nobody asks through it without its token", result });
    clauses
}

/// What every node with a log must do.
async fn common(client: &Client, node: &NodeCard) -> Vec<Clause> {
    let url = &node.url;
    let clause = |section, text, result| Clause { section, text, result };
    let checkpoint = get(client, &format!("{url}/log/checkpoint"), 200).await.and_then(|bytes| {
        let key: VerifierKey = node.log.parse().map_err(|error| format!("{error}"))?;
        let signed = SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())?;
        signed.verify(&key).map_err(|error| error.to_string())
    });
    let card = get(client, &format!("{url}/card"), 200).await.and_then(|bytes| {
        let card: NodeCard = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if card == *node { Ok(()) } else { Err("its card is not the directory's".to_owned()) }
    });
    let metrics = get(client, &format!("{url}/metrics"), 401).await;
    vec![
        clause("8", "it says that it is well", get(client, &format!("{url}/healthz"), 200).await.map(drop)),
        clause("8", "its metrics are not for everybody", metrics.map(drop)),
        clause("3", "its keys are those of the directory", card),
        clause("6", "its log's checkpoint is signed by its key", checkpoint),
        clause(
            "8",
            "what is not there ends with 404",
            get(client, &format!("{url}/nothing"), 404).await.map(drop),
        ),
    ]
}

struct Tester<'t> {
    issuer: &'t IssuerCard,
    agency: &'t Agency,
    client: Client,
}

impl Tester<'_> {
    /// Messages that must not reach the books.
    async fn refusals(&self, clauses: &mut Vec<Clause>) {
        let content = serde_json::to_vec(&self.question()).unwrap_or_default();
        let target = format!("{}/federation/v1/trace", self.issuer.node.url);
        let now = Timestamp::now();
        let at = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        let key_id = self.agency.node.card().key_id();
        let sign = |content: &[u8], key_id: &str, at| {
            sign_request(&target, content, (key_id, &self.agency.node.signing), at)
        };
        let plain = Message::request("POST", &target).with("content-type", "application/json");
        let large = vec![b' '; 300 << 10];
        let mut other = content.clone();
        other.push(b' ');
        let cases = [
            ("4.2", "an unsigned question ends with 401", Ok(plain), content.clone(), 401),
            (
                "4.2",
                "an unknown key ends with 401",
                sign(&content, "nobody.example#00", now),
                content.clone(),
                401,
            ),
            ("4.2", "a content that was changed ends with 401", sign(&content, &key_id, now), other, 401),
            (
                "4.2",
                "a question from the past ends with 401",
                sign(&content, &key_id, at(-600)),
                content.clone(),
                401,
            ),
            (
                "4.2",
                "a question from the future ends with 401",
                sign(&content, &key_id, at(600)),
                content.clone(),
                401,
            ),
            (
                "4.1",
                "a content that is no question ends with 400",
                sign(b"{}", &key_id, now),
                b"{}".to_vec(),
                400,
            ),
            (
                "4.1",
                "a content that is too large ends with 413",
                sign(&large, &key_id, now),
                large.clone(),
                413,
            ),
        ];
        for (section, text, message, content, wanted) in cases {
            let result = match message {
                Ok(message) => self.send(&message, content).await.and_then(|(answer, content)| {
                    let problem: Value = serde_json::from_slice(&content).unwrap_or_default();
                    match status(&answer) {
                        seen if seen != wanted => Err(format!("status {seen}")),
                        _ if problem["type"].is_string() => Ok(()),
                        _ => Err("the answer is no problem+json".to_owned()),
                    }
                }),
                Err(error) => Err(error.to_string()),
            };
            clauses.push(Clause { section, text, result });
        }
    }

    /// Questions that must be answered, each with its outcome.
    async fn outcomes(&self, clauses: &mut Vec<Clause>) {
        let mut alone = self.question();
        alone.approver = alone.requester.clone();
        let mut early = self.question();
        let second_approver = "third person".parse().unwrap_or_else(|_| early.approver.clone());
        early.kind = QuestionKind::RetailReference { after: Uuid::now_v7(), second_approver };
        for (text, question) in [
            ("one person alone is not authorised", alone),
            ("a retail reference before the chain is not authorised", early),
        ] {
            let result = self.ask(&question).await.and_then(|(answer, ..)| match answer.outcome {
                OutcomeName::NotAuthorised => Ok(()),
                other => Err(format!("outcome {}", other.as_str())),
            });
            clauses.push(Clause { section: "5", text, result });
        }
        let question = self.question();
        let asked = self.ask(&question).await;
        let outcome = asked.as_ref().map(drop).map_err(Clone::clone);
        clauses.push(Clause {
            section: "4.3",
            text: "a question is answered signed, bound to it, sealed, with a signed statement",
            result: outcome,
        });
        if let Ok((answer, sealed, message)) = asked {
            let right = answer.question == question.id && answer.case_number == question.case_number;
            let result = if right { Ok(()) } else { Err("other number or case".to_owned()) };
            clauses.push(Clause { section: "4.4", text: "the answer names question and case", result });
            let proved = self.proved(&sealed).await;
            clauses.push(Clause {
                section: "6",
                text: "question and answer stand in the issuer's log",
                result: proved,
            });
            let content = serde_json::to_vec(&question).unwrap_or_default();
            let again = self.send(&message, content).await.and_then(|(answer, _)| match status(&answer) {
                409 => Ok(()),
                seen => Err(format!("status {seen}")),
            });
            clauses.push(Clause {
                section: "4.2",
                text: "a question that is sent twice ends with 409",
                result: again,
            });
        }
    }

    async fn ask(&self, question: &Question) -> Result<(Answer, SealedAnswer, Message), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let content = serde_json::to_vec(question).map_err(|error| words(&error))?;
        let node = &self.agency.node;
        let target = format!("{}/federation/v1/trace", self.issuer.node.url);
        let key_id = node.card().key_id();
        let message = sign_request(&target, &content, (&key_id, &node.signing), Timestamp::now())
            .map_err(|error| words(&error))?;
        let (answer, content) = self.send(&message, content).await?;
        let key = (&*self.issuer.node.key_id(), &self.issuer.node.signing);
        check_answer(&answer, &content, &message, key).map_err(|error| words(&error))?;
        if status(&answer) != 200 {
            return Err(format!("status {}: {}", status(&answer), String::from_utf8_lossy(&content)));
        }
        let sealed: Sealed = serde_json::from_slice(&content).map_err(|error| words(&error))?;
        let opened = sealed.open(&node.opening, &content_key(&message)).map_err(|error| words(&error))?;
        let sealed: SealedAnswer = serde_json::from_slice(&opened).map_err(|error| words(&error))?;
        let answer = read_statement(&sealed.statement, &self.issuer.node.statements)?;
        Ok((answer, sealed, message))
    }

    /// Proves both entries under the newest checkpoint, with tiles fetched from the node.
    async fn proved(&self, sealed: &SealedAnswer) -> Seen {
        let url = &self.issuer.node.url;
        let mut signed = self.checkpoint(url).await?;
        // What was entered is shown within a second.
        for _ in 0..10 {
            if signed.checkpoint.size > sealed.evidence.answer.index {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            signed = self.checkpoint(url).await?;
        }
        let key: VerifierKey = self.issuer.node.log.parse().map_err(|error| format!("{error}"))?;
        signed.verify(&key).map_err(|error| error.to_string())?;
        let entries = [sealed.evidence.question.clone(), sealed.evidence.answer.clone()];
        let bundle = remote_bundle(&self.client, &self.issuer.node, &signed, &entries).await;
        bundle.map(drop).map_err(|error| error.to_string())
    }

    async fn checkpoint(&self, url: &str) -> Result<SignedCheckpoint, String> {
        let bytes = get(&self.client, &format!("{url}/log/checkpoint"), 200).await?;
        SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())
    }

    fn question(&self) -> Question {
        question(self.issuer.prefixes.first().copied(), self.ori())
    }

    fn ori(&self) -> registry::names::Ori {
        let key_id = self.agency.node.card().key_id();
        let directory = self.agency.directory.newest();
        let card = directory.as_ref().and_then(|directory| directory.agency(&key_id, Timestamp::now()));
        let ori = card.and_then(|card| card.oris.first().cloned());
        ori.unwrap_or_else(|| "XX0000000".parse().expect("nine places"))
    }

    async fn send(&self, message: &Message, content: Vec<u8>) -> Result<(Message, Vec<u8>), String> {
        self.client.send(message, content).await.map_err(|error| error.to_string())
    }
}

/// A question for a code of a block that is most likely not issued.
fn question(prefix: Option<symbology::Prefix>, ori: registry::names::Ori) -> Question {
    let code = format!("{}ZZZZ", prefix.map(|prefix| prefix.to_string()).unwrap_or_default());
    let symbols: Vec<_> = code.chars().filter_map(symbology::Symbol::from_char).collect();
    let code = <[symbology::Symbol; 6]>::try_from(symbols).map(symbology::Code::new);
    let case: String = format!("conformance {}", Uuid::now_v7().simple()).chars().take(40).collect();
    Question {
        schema: Question::SCHEMA.to_owned(),
        id: Uuid::now_v7(),
        kind: QuestionKind::Chain {},
        ori,
        case_number: case.parse().expect("forty plain characters"),
        crime_code: "0999".parse().expect("four digits"),
        priority: Urgency::Routine,
        reason: "conformance test, no case".parse().expect("a plain sentence"),
        requester: "conformance".parse().expect("a plain word"),
        approver: "second person".parse().expect("two plain words"),
        codes: code.map(|code| AskedCode { code, posterior: 1.0 }).into_iter().collect(),
        reading_sha256: None,
        typed_by: Some("conformance".parse().expect("a plain word")),
        recovered_on: None,
        parts: Vec::new(),
    }
}

async fn get(client: &Client, url: &str, wanted: u16) -> Result<Vec<u8>, String> {
    match client.get(url).await {
        Ok((seen, bytes)) if seen == wanted => Ok(bytes),
        Ok((seen, _)) => Err(format!("status {seen}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Two checkpoints of the agency's log, the second larger.
async fn two_checkpoints(agency: &Agency) -> Result<(SignedCheckpoint, SignedCheckpoint), String> {
    let mut held = Vec::new();
    for count in [2, 1] {
        let act = Act::new("conformance", Value::Null);
        let entered = agency.ledger.enter(&vec![act; count], Timestamp::now()).await;
        let entered = entered.map_err(|error| error.to_string())?;
        let last = entered.last().map_or(0, |entered| entered.index);
        held.push(agency.ledger.shown(last).await.map_err(|error| error.to_string())?);
    }
    match <[SignedCheckpoint; 2]>::try_from(held) {
        Ok([old, new]) => Ok((old, new)),
        Err(_) => Err("no checkpoints".to_owned()),
    }
}

/// Whether every key that the directory names for the witness signed.
fn cosigned(signed: &SignedCheckpoint, lines: &str, witness: &WitnessCard) -> Seen {
    let keys = witness.keys().map_err(|error| error.to_string())?;
    let note = Note::parse(format!("{}\n{lines}", signed.note.text).as_bytes())
        .map_err(|error| error.to_string())?;
    let together = SignedCheckpoint { checkpoint: signed.checkpoint.clone(), note };
    for key in keys {
        match together.cosigned_at(&key) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(format!("no cosignature by its key {:?}", key.kind())),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}
