//! What an issuer's node must refuse, answer, and enter in its log.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use transparency::{SignedCheckpoint, VerifierKey};
use uuid::Uuid;

use super::{Clause, Planted, Seen, common, get, question};
use crate::api::{Answer, IssuerCard, OutcomeName, Question, QuestionKind, SealedAnswer};
use crate::client::{Client, status};
use crate::court::remote_proofs;
use crate::federation::{Message, Sealed, SignatureError, check_answer, content_key, enclose, sign_request};
use crate::problem::ProblemKind;
use crate::roles::{Agency, read_statement};

/// Checks an issuer's node, asking as `agency`, which the issuer's directory must list. What it asks counts against that agency's
/// limits: six uncertain answers, and the firearm that was planted.
pub async fn check_issuer(issuer: &IssuerCard, agency: &Agency, planted: &Planted<'_>) -> Vec<Clause> {
    let tester = Tester { issuer, agency, client: agency.node.client(Duration::from_secs(10)) };
    let mut clauses = common(&tester.client, &issuer.node).await;
    tester.refusals(&mut clauses).await;
    tester.not_authorised(&mut clauses).await;
    tester.outcomes(&mut clauses).await;
    tester.limits(planted.sold, &mut clauses).await;
    if let Some(code) = planted.sold {
        tester.two_steps(code, &mut clauses).await;
    }
    tester.dealers(planted.dealer, &mut clauses).await;
    clauses
}

pub(super) struct Tester<'t> {
    pub(super) issuer: &'t IssuerCard,
    pub(super) agency: &'t Agency,
    client: Client,
}

/// What came back to a question.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) answer: Answer,
    pub(super) sealed: SealedAnswer,
    message: Message,
    /// Bytes on the wire.
    pub(super) length: usize,
}

/// A message that must be refused: its clause, the message, its content, and as what.
struct Case {
    section: &'static str,
    text: &'static str,
    message: Result<Message, SignatureError>,
    content: Vec<u8>,
    refused: ProblemKind,
}

impl Tester<'_> {
    /// Messages that must not reach the books.
    async fn refusals(&self, clauses: &mut Vec<Clause>) {
        for case in self.cases() {
            let Case { section, text, message, content, refused } = case;
            let result = match message {
                Ok(message) => self.is_refused(&message, content, refused).await,
                Err(error) => Err(error.to_string()),
            };
            clauses.push(Clause { section, text, result });
        }
    }

    fn cases(&self) -> Vec<Case> {
        use ProblemKind::{BadSignature, Malformed, OutsideTheWindow, TooLarge, UnknownKey, Unsigned};
        let content = serde_json::to_vec(&self.question()).unwrap_or_default();
        let now = Timestamp::now();
        let at = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        let key_id = self.agency.node.card().key_id();
        let key = &self.agency.node.signing;
        let sign = |content: &[u8], key_id: &str, key: &SigningKey, at| {
            sign_request(&self.target(), content, (key_id, key), at)
        };
        let plain = Message::request("POST", &self.target()).with("content-type", "application/json");
        let (large, mut other) = (vec![b' '; 300 << 10], content.clone());
        other.push(b' ');
        // Nobody's: whoever takes it would take anybody's word as this agency's.
        let strange = SigningKey::from_bytes(&[0x5a; 32]);
        let case = |section, text, message, content: &[u8], refused| Case {
            section,
            text,
            message,
            content: content.to_vec(),
            refused,
        };
        vec![
            case("4.2", "an unsigned question ends with 401", Ok(plain), &content, Unsigned),
            case(
                "4.2",
                "an unknown key ends with 401",
                sign(&content, "nobody.example#00", key, now),
                &content,
                UnknownKey,
            ),
            case(
                "4.2",
                "another's signature under the agency's name ends with 401",
                sign(&content, &key_id, &strange, now),
                &content,
                BadSignature,
            ),
            case(
                "4.2",
                "a content that was changed ends with 401",
                sign(&content, &key_id, key, now),
                &other,
                BadSignature,
            ),
            case(
                "4.2",
                "a question from the past ends with 401",
                sign(&content, &key_id, key, at(-600)),
                &content,
                OutsideTheWindow,
            ),
            case(
                "4.2",
                "a question from the future ends with 401",
                sign(&content, &key_id, key, at(600)),
                &content,
                OutsideTheWindow,
            ),
            case(
                "4.1",
                "a content that is no question ends with 400",
                sign(b"{}", &key_id, key, now),
                b"{}",
                Malformed,
            ),
            case(
                "4.1",
                "a content that is too large ends with 413",
                sign(&large, &key_id, key, now),
                &large,
                TooLarge,
            ),
        ]
    }

    /// Whether a message ends as it must: with this problem, and signed where the message was.
    pub(super) async fn is_refused(&self, message: &Message, content: Vec<u8>, wanted: ProblemKind) -> Seen {
        let (answer, content) = self.send(message, content).await?;
        let problem: Value = serde_json::from_slice(&content).unwrap_or_default();
        if status(&answer) != wanted.status() {
            return Err(format!("status {}", status(&answer)));
        }
        let name = format!("urn:microstamp:problem:{}", wanted.name());
        if problem["type"] != *name {
            return Err(format!("the answer is no problem+json of type {name}: {}", problem["type"]));
        }
        // What is too large is not read, so nothing is known of its signature.
        if matches!(wanted, ProblemKind::Unsigned | ProblemKind::TooLarge) {
            return Ok(());
        }
        let key = (&*self.issuer.node.key_id(), &self.issuer.node.signing);
        match check_answer(&answer, &content, message, key) {
            Ok(()) | Err(SignatureError::OutsideItsTime) => Ok(()),
            Err(error) => Err(format!("the refusal is not signed like an answer: {error}")),
        }
    }

    /// Questions that may not be asked so.
    async fn not_authorised(&self, clauses: &mut Vec<Clause>) {
        let (mut alone, mut early, mut foreign) = (self.question(), self.question(), self.question());
        alone.approver = alone.requester.clone();
        let second_approver = "third person".parse().unwrap_or_else(|_| early.approver.clone());
        early.kind = QuestionKind::RetailReference { after: Uuid::now_v7(), second_approver };
        foreign.ori = "ZZ9999999".parse().expect("nine places");
        for (text, question) in [
            ("one person alone is not authorised", alone),
            ("a retail reference before the chain is not authorised", early),
            ("an ORI that is not the agency's is not authorised", foreign),
        ] {
            clauses.push(Clause {
                section: "5",
                text,
                result: self.tells_nothing(&question).await.map(drop),
            });
        }
    }

    /// A question that must be answered, and what may be sent after it.
    async fn outcomes(&self, clauses: &mut Vec<Clause>) {
        let mut note = |section, text, result: Seen| clauses.push(Clause { section, text, result });
        let question = self.question();
        let asked = self.ask(&question).await;
        let outcome = asked.as_ref().map(drop).map_err(Clone::clone);
        note("4.3", "a question is answered signed, bound to it, sealed, with a signed statement", outcome);
        let Ok(Told { answer, sealed, message, .. }) = asked else { return };
        let right = answer.question == question.id && answer.case_number == question.case_number;
        let right = if right { Ok(()) } else { Err("other number or case".to_owned()) };
        note("4.4", "the answer names question and case", right);
        note("4.4", "a code of its own block is looked up in its books", looked_up(answer.outcome));
        note("6", "question and answer stand in the issuer's log", self.proved(&sealed).await);
        let content = serde_json::to_vec(&question).unwrap_or_default();
        let twice = self.is_refused(&message, content, ProblemKind::Replayed).await;
        note("4.2", "a question that is sent twice ends with 409", twice);
        let again = self.ask(&question).await.and_then(|again| {
            if again.sealed.statement == sealed.statement {
                Ok(())
            } else {
                Err("another statement".to_owned())
            }
        });
        note("4.2", "the same question under a new signature gets the same statement", again);
        let mut other = question;
        other.reason = "conformance test, another reason".parse().expect("a plain sentence");
        note(
            "4.2",
            "another question of the same number ends with 409",
            self.is_another_refused(&other).await,
        );
    }

    async fn is_another_refused(&self, question: &Question) -> Seen {
        let (message, content) = self.signed(question)?;
        self.is_refused(&message, content, ProblemKind::Replayed).await
    }

    fn target(&self) -> String {
        self.address("trace")
    }

    /// Where something between nodes is sent.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}/federation/v1/{path}", self.issuer.node.url)
    }

    fn signed(&self, question: &Question) -> Result<(Message, Vec<u8>), String> {
        let content = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let node = &self.agency.node;
        let key = (&*node.card().key_id(), &node.signing);
        let message = sign_request(&self.target(), &content, key, Timestamp::now());
        Ok((message.map_err(|error| error.to_string())?, content))
    }

    /// Whether a question is refused in an answer that tells of no firearm and no code; the answer.
    pub(super) async fn tells_nothing(&self, question: &Question) -> Result<Told, String> {
        let told = self.ask(question).await?;
        let answer = &told.answer;
        let nothing = answer.firearm.is_none() && answer.issued.is_empty() && answer.not_issued.is_empty();
        match answer.outcome {
            OutcomeName::NotAuthorised if nothing => Ok(told),
            other => Err(format!("outcome {}", other.as_str())),
        }
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Told, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let (message, content) = self.signed(question)?;
        let (sent, body) = enclose(&message, content, &self.issuer.node).map_err(|error| words(&error))?;
        let (answer, content) = self.send(&sent, body).await?;
        let length = content.len();
        let key = (&*self.issuer.node.key_id(), &self.issuer.node.signing);
        check_answer(&answer, &content, &message, key).map_err(|error| words(&error))?;
        if status(&answer) != 200 {
            return Err(format!("status {}: {}", status(&answer), String::from_utf8_lossy(&content)));
        }
        let sealed: Sealed = serde_json::from_slice(&content).map_err(|error| words(&error))?;
        let opened = sealed.open(&self.agency.node.opening, &content_key(&message));
        let opened = opened.map_err(|error| words(&error))?;
        let sealed: SealedAnswer = serde_json::from_slice(&opened).map_err(|error| words(&error))?;
        let answer = read_statement(&sealed.statement, &self.issuer.node.statements)?;
        Ok(Told { answer, sealed, message, length })
    }

    /// Proves both entries under the newest checkpoint, with tiles fetched from the node.
    pub(super) async fn proved(&self, sealed: &SealedAnswer) -> Seen {
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
        let places = entries.iter().map(|entered| entered.index).collect();
        let proofs = remote_proofs(&self.client, url, &signed, places).await;
        for (entered, proof) in entries.iter().zip(proofs.map_err(|error| error.to_string())?) {
            let leaf = entered.leaf().ok_or("a salt is no 32 bytes")?;
            proof.verify(&leaf, &signed.checkpoint.root).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn checkpoint(&self, url: &str) -> Result<SignedCheckpoint, String> {
        let bytes = get(&self.client, &format!("{url}/log/checkpoint"), 200).await?;
        SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())
    }

    /// A question of a case of its own, for a code that is most likely not issued.
    pub(super) fn question(&self) -> Question {
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

/// A code of one's own block is a firearm's, a part's, or was never issued; any other outcome is an excuse.
fn looked_up(outcome: OutcomeName) -> Seen {
    match outcome {
        OutcomeName::Found
        | OutcomeName::ChainEnds
        | OutcomeName::PartNotFitted
        | OutcomeName::Ambiguous
        | OutcomeName::NotIssued => Ok(()),
        other => Err(format!("outcome {}", other.as_str())),
    }
}
