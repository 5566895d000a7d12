//! The agency's node: finds the issuer in the directory, signs, asks, checks the answer, and keeps its own log of both.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use transparency::{Note, VerifierKey};
use uuid::Uuid;

use super::evidence::{check_evidence, check_told};
use super::holder::DirectoryHolder;
use super::issuer::{StartError, fields_record};
use super::proofs::Proofs;
use super::unproved::{Source, Unended, Waiting};
use super::witnessing::{Cosigned, Watched};
use crate::api::{Answer, IssuerCard, NodeName, Question, SealedAnswer};
use crate::client::{Client, ClientError, status};
use crate::clock::Clock;
use crate::config::Node;
use crate::federation::{
    Directory, Message, Route, Sealed, SignatureError, check_answer, content_key, enclose, refusal_words,
    sign_request,
};
use crate::ledger::{Act, Entered, Key, Ledger, LedgerError};
use crate::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// Scope of the records of answers that hold, by the question's number.
pub(super) const ANSWERED: &str = "answered";

/// Scope of the desk's questions that were sent, answered or not.
const SENT: &str = "sent";

/// Scope of the answers of one issuer, by the question's number.
pub(super) fn answer_of(issuer: &NodeName) -> String {
    format!("answer of {issuer}")
}

/// Why a question has no answer. Each calls for something different.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// This node's own directory, log or clock.
    #[error("{0}")]
    Here(Problem),
    /// No issuer answers for any of the codes.
    #[error("no issuer in the directory answers for these codes' blocks")]
    Nobody,
    /// The issuer cannot be reached: it cannot say now.
    #[error("{issuer} cannot say now: {source}")]
    Unreachable {
        /// Which issuer.
        issuer: NodeName,
        /// Why.
        source: ClientError,
    },
    /// The issuer refused to take the question.
    #[error("{issuer} refused the question with status {status}: {detail}")]
    Refused {
        /// Which issuer.
        issuer: NodeName,
        /// HTTP status.
        status: u16,
        /// Its words.
        detail: String,
    },
    /// It was asked, and what came of it is not in this node's log, so it is not told.
    #[error(
        "{issuer} was asked question {question}, and this node's log did not take what came of it: {reason}\nhint: make room; \
         the node asks the same once more when its log takes entries again"
    )]
    Unkept {
        /// Which issuer.
        issuer: NodeName,
        /// The question's number.
        question: Uuid,
        /// Why the log did not.
        reason: String,
    },
    /// Somebody answered in its place, a proxy perhaps: a refusal without its signature. It may have answered all the same.
    #[error("{issuer} cannot say now: status {status}, which it did not sign")]
    Unsigned {
        /// Which issuer.
        issuer: NodeName,
        /// HTTP status.
        status: u16,
    },
    /// What came back is not a good answer of that issuer to this question. Keep it: it may be evidence.
    #[error("the answer of {issuer} does not hold: {reason}")]
    BadAnswer {
        /// Which issuer.
        issuer: NodeName,
        /// Why.
        reason: String,
    },
}

impl AskError {
    /// The issuer that gave no answer, and may give one when it is asked again.
    fn silent(&self) -> Option<&NodeName> {
        match self {
            Self::Unreachable { issuer, .. }
            | Self::Unsigned { issuer, .. }
            | Self::Unkept { issuer, .. }
            | Self::Refused { issuer, status: 429 | 500.., .. } => Some(issuer),
            _ => None,
        }
    }
}

/// A question has come to no end after so long: no issuer is waited for longer.
const UNENDED: SignedDuration = SignedDuration::from_mins(1);
/// For the end of an older one nobody waits any more.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// So many of these are asked again at once.
const AT_ONCE: usize = 8;

/// One sending of a question to an issuer.
#[derive(Debug, Clone, Copy)]
struct Sending {
    question: Uuid,
    /// Where its approval stands in this agency's log, if it is of the desk.
    approved: Option<u64>,
    /// Where the sending stands that came to no end, and that this one repeats.
    before: Option<u64>,
}

impl Sending {
    fn new(question: Uuid, approved: Option<u64>) -> Self {
        Self { question, approved, before: None }
    }
}

/// A question and its answer, both in both logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The answer.
    pub answer: Answer,
    /// The answer as signed, and its evidence.
    pub sealed: SealedAnswer,
    /// The question's entry in this agency's log.
    pub question: Entered,
    /// The answer's entry in this agency's log.
    pub answered: Entered,
}

/// An agency's node.
pub struct Agency {
    /// Who it is.
    pub node: Node,
    /// The directory it trusts.
    pub directory: DirectoryHolder,
    /// Its log and records.
    pub ledger: Ledger,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    /// Which answers cannot be brought to court yet without their issuers.
    pub(super) proofs: Proofs,
}

impl Agency {
    /// Opens an agency's folder.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(data: &Path, clock: Clock) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let ledger = Ledger::open(&node.folder, &node.log)?;
        Ok(Self {
            directory: DirectoryHolder::new(&node)?,
            proofs: Proofs::open(&node, &ledger)?,
            ledger,
            metrics: Arc::default(),
            clock,
            client: node.client(Duration::from_secs(10)),
            node,
        })
    }

    /// Asks every issuer that answers for one of the codes, the likeliest code's first.
    ///
    /// # Errors
    /// [`AskError`] when nobody can be asked; what single issuers answered is in the list.
    pub async fn ask(&self, question: &Question) -> Result<Vec<Result<Asked, AskError>>, AskError> {
        self.ask_approved(question, None).await
    }

    /// The same for a question of the desk, whose approval stands at that place of this agency's log.
    pub(super) async fn ask_approved(
        &self,
        question: &Question,
        approved: Option<u64>,
    ) -> Result<Vec<Result<Asked, AskError>>, AskError> {
        let content = serde_json::to_vec(question)
            .map_err(|error| AskError::Here(ProblemKind::Malformed.because(error)))?;
        self.ask_all(question, approved, &content).await
    }

    /// A question of the desk as it was sent before, and the place of its approval. An issuer may have answered it though no answer
    /// came: it must be asked in the same words.
    pub(super) fn sent(&self, question: Uuid) -> Result<Option<(Question, String, u64)>, LedgerError> {
        let stored = self.ledger.find(Key::new(SENT, question))?;
        Ok(stored.and_then(|stored| {
            let content = stored.body["content"].as_str()?;
            Some((serde_json::from_str(content).ok()?, content.to_owned(), stored.body["approved"].as_u64()?))
        }))
    }

    /// Asks every issuer of a question's codes in these very words.
    pub(super) async fn ask_all(
        &self,
        question: &Question,
        approved: Option<u64>,
        content: &[u8],
    ) -> Result<Vec<Result<Asked, AskError>>, AskError> {
        let directory = self.directory.current(self.clock.now()).map_err(AskError::Here)?;
        let mut codes = question.codes.clone();
        codes.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        let mut issuers: Vec<&IssuerCard> = Vec::new();
        for code in codes {
            let (Route::Issuer(card) | Route::Delegated { to: card, .. }) =
                directory.route(code.code.prefix(), self.clock.now())
            else {
                continue;
            };
            if !issuers.iter().any(|known| known.node.name == card.node.name) {
                issuers.push(card);
            }
        }
        if issuers.is_empty() {
            return Err(AskError::Nobody);
        }
        let mut answers = Vec::new();
        for issuer in issuers {
            answers.push(self.exchange(issuer, &Sending::new(question.id, approved), content).await);
        }
        Ok(answers)
    }

    /// Asks one issuer, whatever the directory says of the codes' blocks.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask_issuer(&self, issuer: &IssuerCard, question: &Question) -> Result<Asked, AskError> {
        let content = serde_json::to_vec(question)
            .map_err(|error| AskError::Here(ProblemKind::Malformed.because(error)))?;
        self.exchange(issuer, &Sending::new(question.id, None), &content).await
    }

    /// Asks an issuer the same question again: what became of it where a person must answer, or where it was away while others
    /// answered.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask_again(&self, issuer: &NodeName, question: Uuid) -> Result<Asked, AskError> {
        let directory = self.directory.current(self.clock.now()).map_err(AskError::Here)?;
        let card = directory.issuer(issuer).ok_or(AskError::Nobody)?;
        let here = |error: LedgerError| AskError::Here(ProblemKind::NoLog.because(error));
        let unknown = || {
            let detail = format!("{issuer} gave no answer to a question of that number");
            AskError::Here(ProblemKind::NotFound.because(detail))
        };
        let its_own = self.ledger.find(Key::new(&answer_of(issuer), question)).map_err(here)?;
        // All were asked the same.
        let answered = match its_own {
            None => self.ledger.find(Key::new(ANSWERED, question)).map_err(here)?,
            its_own => its_own,
        };
        let entry = answered.and_then(|stored| stored.body["entry"].as_u64()).ok_or_else(unknown)?;
        let asked = self.ledger.from_entry(entry, 1).map_err(here)?;
        let asked = asked.first().filter(|stored| stored.entered.index == entry);
        let content = asked.and_then(|stored| stored.body["content"].as_str()).ok_or_else(unknown)?;
        let approved = asked.and_then(|stored| stored.body["approved"].as_u64());
        self.exchange(card, &Sending::new(question, approved), content.as_bytes()).await
    }

    /// Asks again, in the same words, what was asked within a day and came to no end in this agency's log: the disk was full, or the
    /// node was killed. An issuer that answered gives the same answer.
    pub async fn ask_unended(&self) {
        let now = self.clock.now();
        let Ok(directory) = self.directory.current(now) else { return };
        let unended = self.proofs.unproved().unended((now - STALE, now - UNENDED), AT_ONCE);
        for (entry, (issuer, question)) in unended {
            let card = directory.issuer(&issuer);
            let asked = self.ledger.from_entry(entry, 1).ok().and_then(|mut asked| asked.pop());
            let asked = asked.filter(|stored| stored.entered.index == entry);
            let content = asked.as_ref().and_then(|stored| stored.body["content"].as_str());
            let (Some(card), Some(content)) = (card, content) else {
                self.proofs.unproved().ended(entry);
                continue;
            };
            let approved = asked.as_ref().and_then(|stored| stored.body["approved"].as_u64());
            let sending = Sending { before: Some(entry), ..Sending::new(question, approved) };
            match self.exchange(card, &sending, content.as_bytes()).await {
                Err(AskError::Here(_) | AskError::Unkept { .. }) => return,
                Err(error) => tracing::warn!(%question, %error, "what was asked before has no answer"),
                Ok(_) => tracing::info!(%question, "what was asked before is answered"),
            }
        }
    }

    /// Enters the question and where its approval stands, sends it, checks and opens the answer, enters it.
    async fn exchange(
        &self,
        issuer: &IssuerCard,
        sending: &Sending,
        content: &[u8],
    ) -> Result<Asked, AskError> {
        let Sending { question: id, approved, before } = *sending;
        let now = self.clock.now();
        self.heard(now).await?;
        let target = format!("{}/federation/v1/trace", issuer.node.url);
        let key = (&*self.node.card().key_id(), &self.node.signing);
        let request = sign_request(&target, content, key, now)
            .map_err(|error| AskError::Here(ProblemKind::Fault.because(error)))?;
        let directory = self.directory.current(now).map_err(AskError::Here)?;
        let body = json!({
            "question": id, "issuer": issuer.node.name, "content": String::from_utf8_lossy(content),
            "request": fields_record(&request), "directory": directory.sha256(), "approved": approved,
        });
        let mut act = Act::new("question", body);
        if let Some(before) = before {
            act.body["before"] = json!(before);
        }
        if approved.is_some() {
            act = act.found_by(Key::new(SENT, id));
        }
        let question = self.enter(act, now).await?;
        let name = || issuer.node.name.clone();
        let unended = (question.index, Unended { issuer: name(), question: id, since: now });
        self.proofs.unproved().asked(unended, before);
        let unkept =
            |error: AskError| AskError::Unkept { issuer: name(), question: id, reason: error.to_string() };
        let (sent, body) = enclose(&request, content.to_vec(), &issuer.node)
            .map_err(|error| AskError::Here(ProblemKind::Fault.because(error)))?;
        let (answer, sealed) = match self.client.send(&sent, body).await {
            Ok(answer) => answer,
            Err(source) => {
                let body = json!({
                    "question": id, "entry": question.index, "issuer": issuer.node.name, "reason": source.to_string(),
                });
                self.enter(Act::new("no-answer", body), self.clock.now()).await.map_err(unkept)?;
                self.proofs.unproved().ended(question.index);
                return Err(AskError::Unreachable { issuer: name(), source });
            }
        };
        let checked = self.unseal((issuer, &directory), &request, (&answer, &sealed), content);
        let body = json!({
            "question": id, "entry": question.index, "issuer": issuer.node.name, "status": status(&answer),
            "fields": answer_fields(&answer),
            "content": String::from_utf8_lossy(&sealed),
            "opened": checked.as_ref().ok().map(|(_, opened)| opened),
            "refused": checked.as_ref().err().map(ToString::to_string),
        });
        let mut act = Act::new("answer", body);
        if checked.is_ok() {
            act = act.found_by(Key::new(&answer_of(&issuer.node.name), id)).found_by(Key::new(ANSWERED, id));
        }
        let answered = self.enter(act, self.clock.now()).await.map_err(unkept)?;
        self.proofs.unproved().ended(question.index);
        let (answer, sealed) = checked?;
        let source = Source {
            issuer: name(),
            log: sealed.evidence.log.clone(),
            directory: directory.sha256().to_owned(),
        };
        if let Some(waiting) = Waiting::new(id, &sealed.evidence, self.clock.now()) {
            self.proofs.unproved().add(source, (answered.index, waiting));
        }
        self.metrics.outcome(answer.outcome.as_str());
        Ok(Asked { answer, sealed, question, answered })
    }

    fn unseal(
        &self,
        (issuer, directory): (&IssuerCard, &Directory),
        request: &Message,
        (answer, content): (&Message, &[u8]),
        asked: &[u8],
    ) -> Result<(Answer, SealedAnswer), AskError> {
        let name = || issuer.node.name.clone();
        let bad = |reason: &dyn std::fmt::Display| AskError::BadAnswer {
            issuer: name(),
            reason: reason.to_string(),
        };
        if status(answer) != 200 && answer.field("signature").is_none() {
            return Err(AskError::Unsigned { issuer: name(), status: status(answer) });
        }
        let key = (&*issuer.node.key_id(), &issuer.node.signing);
        match check_answer(answer, content, request, key) {
            // A refusal fits this request alone, whatever the clocks say: most often it is just about them.
            Err(SignatureError::OutsideItsTime) if status(answer) != 200 => {}
            checked => checked.map_err(|error| bad(&error))?,
        }
        if status(answer) != 200 {
            let detail = refusal_words(content, &self.node.opening, request);
            return Err(AskError::Refused { issuer: name(), status: status(answer), detail });
        }
        let sealed: Sealed = serde_json::from_slice(content).map_err(|error| bad(&error))?;
        let opened = sealed.open(&self.node.opening, &content_key(request)).map_err(|error| bad(&error))?;
        let sealed: SealedAnswer = serde_json::from_slice(&opened).map_err(|error| bad(&error))?;
        let answer =
            read_statement(&sealed.statement, &issuer.node.statements).map_err(|error| bad(&error))?;
        if answer.question_sha256 != hex::encode(Sha256::digest(asked)) {
            return Err(bad(&"it answers another question"));
        }
        directory.check_authority(&answer, self.clock.now()).map_err(|error| bad(&error))?;
        check_evidence(&sealed, &issuer.node, (request, asked)).map_err(|error| bad(&error))?;
        let question = serde_json::from_slice(asked).map_err(|error| bad(&error))?;
        check_told(&answer, &question).map_err(|error| bad(&error))?;
        Ok((answer, sealed))
    }

    /// Waits until a directory is there and a quorum of its witnesses has seen this agency's log, at most so long: nodes that were
    /// all started a moment ago know each other only after some tries.
    pub async fn wait_for_witnesses(&self, patience: Duration) {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let now = self.clock.now();
            if self.directory.newest().is_none() {
                let _ = self.directory.renew(now).await;
            } else if self.directory.current(now).is_err()
                || self.heard(now).await.is_ok()
                || self.ledger.state().disputed().is_some()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Asks nothing before witnesses have seen this agency's log as it is: without them an older copy that was put back cannot be told
    /// from the newest, and what is entered in it could never be brought to court.
    async fn heard(&self, now: Timestamp) -> Result<(), AskError> {
        let state = self.ledger.state();
        if state.is_heard() {
            return Ok(());
        }
        let directory = self.directory.current(now).map_err(AskError::Here)?;
        let log = self.node.log.verifier();
        let (_, quorum) =
            Cosigned::new(&self.node).renew(&Watched::Node(&self.ledger), log, &directory, now).await;
        if quorum {
            state.was_heard();
            return Ok(());
        }
        if let Some(disputed) = state.disputed() {
            return Err(AskError::Here(ProblemKind::NoLog.because(disputed)));
        }
        Err(AskError::Here(
            ProblemKind::NoLog.because(
                "too few witnesses have been heard since this node was started, so nothing is asked",
            ),
        ))
    }

    /// Leaves everything so that the next start is quick.
    pub async fn rest(&self) {
        self.proofs.keep(&self.ledger, self.clock.now()).await;
    }

    async fn enter(&self, act: Act, now: Timestamp) -> Result<Entered, AskError> {
        let here = |error: LedgerError| AskError::Here(ProblemKind::NoLog.because(error));
        let entered = self.ledger.enter(&[act], now).await.map_err(here)?;
        entered.into_iter().next().ok_or_else(|| here(LedgerError::Closed))
    }
}

/// One issuer's answer as JSON, for programs: `answer` and the places in both logs, or `error`.
pub fn answer_json(asked: &Result<Asked, AskError>) -> serde_json::Value {
    match asked {
        Ok(asked) => {
            let evidence = &asked.sealed.evidence;
            json!({
                "answer": asked.answer,
                "issuer_log": {"log": evidence.log, "question": evidence.question.index, "answer": evidence.answer.index},
                "agency_log": {"question": asked.question.index, "answer": asked.answered.index},
            })
        }
        Err(error) => json!({"error": error.to_string(), "issuer": error.silent()}),
    }
}

/// Verifies an issuer's signed statement and reads the answer out of it.
///
/// # Errors
/// The reason in words.
pub(crate) fn read_statement(text: &str, key: &str) -> Result<Answer, String> {
    let key: VerifierKey = key.parse().map_err(|error| format!("the issuer's statement key: {error}"))?;
    let note = Note::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    note.verify(&key).map_err(|error| error.to_string())?;
    if note.signatures.len() != 1 || note.to_string() != text {
        return Err("the statement has more than one signature, or another spelling".to_owned());
    }
    let answer: Answer =
        serde_json::from_str(&note.text).map_err(|error| format!("the statement is no answer: {error}"))?;
    if answer.statement.len() > SENTENCES || !answer.statement.iter().all(|one| is_plain(one)) {
        return Err(format!(
            "its sentences are not at most {SENTENCES}, of {SENTENCE} bytes, of characters that can be seen"
        ));
    }
    Ok(answer)
}

/// Sentences of an answer, and bytes in each: many times what any answer needs.
const SENTENCES: usize = 256;
const SENTENCE: usize = 4_096;

/// Whether a sentence can be shown to a person as it is: nothing in it moves a cursor, hides or turns what stands beside it.
fn is_plain(sentence: &str) -> bool {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    sentence.len() <= SENTENCE && !sentence.chars().any(acts)
}

/// The fields of an answer that its signature covers, and the signature.
fn answer_fields(answer: &Message) -> serde_json::Value {
    json!({
        "content_type": answer.field("content-type"), "content_digest": answer.field("content-digest"),
        "signature_input": answer.field("signature-input"), "signature": answer.field("signature"),
    })
}
