//! The issuer's node: verifies, enters question and answer in its log, and only then answers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use registry::{Books, BooksError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use symbology::Code;
use transparency::Note;
use uuid::Uuid;

use super::holder::DirectoryHolder;
use super::houses::Houses;
use super::memory::Memory;
use super::pending::Waiting;
use super::reminders::waiting_page;
use crate::api::{AgencyCard, Answer, Evidence, Question, SealedAnswer, Urgency};
use crate::clock::Clock;
use crate::config::{ConfigError, Node};
use crate::federation::{
    Directory, FishingRules, LABEL, Message, Sealed, SealingPublicKey, SignatureInput, SignedRequest, Told,
    check_question, content_key, key_in, verify_request,
};
use crate::ledger::{Act, Entered, Key, Ledger, LedgerError};
use crate::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// Why an issuer's node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its books.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Its log.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// An issuer's node.
pub struct Issuer {
    /// Who it is.
    pub node: Node,
    /// The directory it trusts.
    pub directory: DirectoryHolder,
    /// Its log and records.
    pub ledger: Ledger,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) houses: Houses,
    pub(super) memory: Memory,
    /// Entries of the books' log that witnesses saw, where they are more than it has now.
    pub(crate) books_longer: AtomicU64,
    /// Held while a registrar's entry is recorded: one key, one entry.
    pub(super) recording: tokio::sync::Mutex<()>,
}

/// The scope of the records that are found again by a question's number.
const ANSWER: &str = "answer";

/// To whom an answer goes.
struct Recipient<'r> {
    agency: &'r str,
    urgent: bool,
    /// What it cost until here.
    microseconds: u64,
    /// Whether it was given before.
    again: bool,
    /// What was counted, so that nobody can fish.
    told: Option<Told>,
    key: &'r SealingPublicKey,
    /// Length to which the answer is brought.
    least: usize,
}

impl Issuer {
    /// Opens books, log and memory of an issuer's folder.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(data: &Path, clock: Clock, rules: FishingRules) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let houses = Houses::open(data, &node.config.taken_over, clock.now()).await?;
        let ledger = Ledger::open(&node.folder, &node.log)?;
        let memory = Memory::open(&ledger, rules, clock.now())?;
        Ok(Self {
            directory: DirectoryHolder::new(&node)?,
            ledger,
            metrics: Arc::default(),
            clock,
            houses,
            memory,
            books_longer: AtomicU64::new(0),
            recording: tokio::sync::Mutex::default(),
            node,
        })
    }

    /// Answers a question.
    ///
    /// # Errors
    /// A [`Problem`] when nothing was asked of the books.
    pub async fn trace(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let (now, begun) = (self.clock.now(), Instant::now());
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        self.heard()?;
        let agency = directory.agency(&signed.key_id, now);
        let agency = agency.ok_or_else(|| ProblemKind::Forbidden.because("only an agency may ask"))?;
        let question = check_question(content)?;
        let _one = self.memory.begin(question.id)?;
        if self.holds(ANSWER, question.id)? {
            return self.give_again(request, &signed, (&question, content), (agency, &directory)).await;
        }
        let looked = self.look(&question, agency, (&directory, now), false).await?;
        let _turn = self.memory.turn().await;
        let hash = hex::encode(Sha256::digest(content));
        let mut answer = Answer::blank(&question, hash, (&self.node.config.name, now));
        let told = self.judge(&mut answer, looked, (&question, agency), (&directory, now));
        let asked = Act::new("question", question_record(&signed, request, content, &answer));
        let urgent = matches!(question.priority, Urgency::Urgent { .. });
        let microseconds = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let name = agency.node.name.as_str();
        let key = &agency.sealing;
        let least = as_long_as_any(content);
        let to = Recipient { agency: name, urgent, microseconds, again: false, told, key, least };
        let sealed = self.give(request, &answer, asked, &to).await?;
        self.memory.take((to.agency, urgent), &answer, microseconds);
        Ok(sealed)
    }

    /// The public table of counts.
    pub fn statistics(&self) -> serde_json::Value {
        self.memory.statistics().to_json(self.clock.now())
    }

    /// Calls to mind what a person must answer, sets its gauges, and keeps the memory for the next start when it has grown. What
    /// the books have learned meanwhile waits no longer.
    pub async fn remind(&self) {
        let now = self.clock.now();
        for (question, hours) in self.memory.pending.reminders(now) {
            if self.still_waits(question, now).await {
                tracing::warn!(%question, hours, "a question still waits for a dealer");
            }
        }
        let (open, overdue) = self.memory.pending.open_and_overdue(now);
        self.metrics.gauge("pending_open", open);
        self.metrics.gauge("pending_overdue", overdue);
        if let Err(error) = self.memory.keep(&self.ledger, false, now).await {
            tracing::warn!(%error, "the memory was not kept; the next start reads more records");
        }
    }

    /// Which dealers its answers wait for, in the order of the questions' numbers: schema `microstamp.reminders/1`. A page begins after
    /// a question and has so many at most.
    pub fn waiting_list(&self, page: (Option<Uuid>, usize)) -> serde_json::Value {
        let line = |one: Waiting| {
            let line = json!({"question": one.question, "waits_for": one.licence, "since": one.asked_at, "due": one.due});
            (one.question, line)
        };
        waiting_page(self.memory.pending.all().into_iter().map(line).collect(), page)
    }

    /// Whether a code was issued, for measuring: the bare look-up inside the node.
    ///
    /// # Errors
    /// [`BooksError`].
    pub async fn issued(&self, code: Code) -> Result<Option<Timestamp>, BooksError> {
        self.houses.issued(code).await
    }

    /// Nothing is answered before the witnesses have seen the log as it is: without them an older copy that was put back cannot
    /// be told from the newest.
    pub(super) fn heard(&self) -> Result<(), Problem> {
        let state = self.ledger.state();
        if let Some(disputed) = state.disputed() {
            return Err(ProblemKind::NoLog.because(disputed));
        }
        if state.is_heard() {
            return Ok(());
        }
        Err(ProblemKind::NoLog
            .because("too few witnesses have been heard since this node was started, so nothing is answered"))
    }

    /// Whether the books are those that witnesses know.
    ///
    /// # Errors
    /// `no-log` when an older copy was put back.
    pub(crate) fn whole_books(&self) -> Result<(), Problem> {
        match self.books_longer.load(Ordering::Relaxed) {
            0 => Ok(()),
            entries => Err(ProblemKind::NoLog.because(format!(
                "witnesses cosigned {entries} entries of the books' log, and it holds fewer: an older copy was put back"
            ))),
        }
    }

    /// To which key the words of a refusal are sealed: that of the agency or dealer whose key the request names, good signature or not.
    pub(crate) fn sealing_of(&self, request: &Message) -> Option<SealingPublicKey> {
        let (directory, now) = (self.directory.newest()?, self.clock.now());
        let input = SignatureInput::of(request, LABEL).ok()?;
        let key_id = input.text("keyid").ok()?;
        let agency = directory.agency(key_id, now).map(|card| card.sealing.clone());
        agency.or_else(|| directory.dealer(key_id, now).map(|card| card.sealing.clone()))
    }

    /// The issuer's own books.
    pub(super) fn books(&self) -> &Books {
        self.houses.own()
    }

    pub(super) fn verify(
        &self,
        request: &Message,
        content: &[u8],
        directory: &Directory,
        now: Timestamp,
    ) -> Result<SignedRequest, Problem> {
        let signed = verify_request(request, content, now, |key_id| key_in(directory, key_id, now))?;
        self.memory.replay.remember(&signed, now.as_second())?;
        Ok(signed)
    }

    /// Which agency a question was answered to, and the answer, out of the records.
    pub(super) fn answered(&self, question: Uuid) -> Result<Option<(String, Answer)>, Problem> {
        let stored = self.ledger.find(Key::new(ANSWER, question)).map_err(|error| unread(&error))?;
        Ok(stored.and_then(|stored| {
            Some((stored.body["agency"].as_str()?.to_owned(), super::memory::answer_in(&stored)?))
        }))
    }

    /// A question that was answered, out of the records: it stands in front of its answer.
    pub(super) fn asked(&self, question: Uuid) -> Result<Option<Question>, Problem> {
        let read = || {
            let Some(answer) = self.ledger.find(Key::new(ANSWER, question))? else { return Ok(None) };
            let Some(before) = answer.entered.index.checked_sub(1) else { return Ok(None) };
            Ok(self.ledger.from_entry(before, 1)?.pop())
        };
        let stored = read().map_err(|error: LedgerError| unread(&error))?;
        let asked = stored.and_then(|stored| serde_json::from_str(stored.body["content"].as_str()?).ok());
        Ok(asked.filter(|asked: &Question| asked.id == question))
    }

    fn holds(&self, scope: &str, question: Uuid) -> Result<bool, Problem> {
        self.ledger.holds(Key::new(scope, question)).map_err(|error| unread(&error))
    }

    /// Signs the statement, enters question and answer, and seals. No log, no answer.
    async fn give(
        &self,
        request: &Message,
        answer: &Answer,
        asked: Act,
        to: &Recipient<'_>,
    ) -> Result<Sealed, Problem> {
        let fault = |error: &dyn std::fmt::Display| ProblemKind::Fault.because(error);
        let value = serde_json::to_value(answer).map_err(|error| fault(&error))?;
        let line = transparency::canonical_json(&value).map_err(|error| fault(&error))?;
        let line = format!("{}\n", String::from_utf8_lossy(&line));
        let statement = Note::sign(&line, &self.node.statements).map_err(|error| fault(&error))?.to_string();
        let told = Act::new("answer", answer_record(answer, &statement, to));
        let told = told.found_by(Key::new(ANSWER, answer.question));
        let [question, answered] =
            <[Entered; 2]>::try_from(self.enter(&[asked, told], self.clock.now()).await?)
                .map_err(|_| fault(&"the log did not enter both"))?;
        let log = self.node.log.verifier().name().to_owned();
        let sealed = SealedAnswer {
            schema: SealedAnswer::SCHEMA.to_owned(),
            statement,
            evidence: Evidence { log, question, answer: answered },
        };
        self.metrics.outcome(answer.outcome.as_str());
        let content = serde_json::to_vec(&sealed).map_err(|error| fault(&error))?;
        Sealed::seal_as_long((&content, to.least), to.key, &content_key(request))
            .map_err(|error| fault(&error))
    }

    /// Gives the answer to a question once more, to the agency that it was given to: the same statement where it was lost on
    /// the way; where it waits for a dealer, what the books say of it now. Question and answer are entered anew, so that this
    /// exchange too can be brought to court.
    async fn give_again(
        &self,
        request: &Message,
        signed: &SignedRequest,
        (question, content): (&Question, &[u8]),
        (agency, directory): (&AgencyCard, &Directory),
    ) -> Result<Sealed, Problem> {
        let given = self.answered(question.id)?;
        let sha256 = hex::encode(Sha256::digest(content));
        let given =
            given.filter(|(by, answer)| *by == agency.node.name.as_str() && answer.question_sha256 == sha256);
        let (by, mut answer) = given
            .ok_or_else(|| ProblemKind::Replayed.because("a question of this number was answered already"))?;
        if answer.pending.is_some() {
            let weighed =
                self.weigh_again(&answer, (question, agency), (directory, self.clock.now())).await?;
            answer = weighed.unwrap_or(answer);
        }
        let asked = Act::new("question", question_record(signed, request, content, &answer));
        let urgent = matches!(question.priority, Urgency::Urgent { .. });
        let key = &agency.sealing;
        let _turn = self.memory.turn().await;
        let least = as_long_as_any(content);
        let to = Recipient { agency: &by, urgent, microseconds: 0, again: true, told: None, key, least };
        let sealed = self.give(request, &answer, asked, &to).await?;
        self.memory.renew(&by, &answer);
        Ok(sealed)
    }

    pub(super) async fn enter(&self, acts: &[Act], now: Timestamp) -> Result<Vec<Entered>, Problem> {
        self.ledger.enter(acts, now).await.map_err(|error| match error {
            LedgerError::Full => ProblemKind::Busy.because(error),
            other => {
                tracing::error!(error = %other, "no log, no answer");
                ProblemKind::NoLog.because("the log did not take the entry, so nothing is answered")
            }
        })
    }
}

pub(super) fn seal(content: &[u8], to: &SealingPublicKey, request: &Message) -> Result<Sealed, Problem> {
    Sealed::seal(content, to, &content_key(request)).map_err(|error| ProblemKind::Fault.because(error))
}

/// A length in which most answers to a question have room, whatever they tell: an answer holds the question, again in its record and by
/// its codes, and what is known of a firearm.
fn as_long_as_any(question: &[u8]) -> usize {
    4 * question.len() + (11 << 10)
}

fn question_record(
    signed: &SignedRequest,
    request: &Message,
    content: &[u8],
    answer: &Answer,
) -> serde_json::Value {
    json!({
        "question": answer.question, "key_id": signed.key_id, "nonce": signed.nonce,
        "expires": signed.expires, "content": text(content), "request": fields_record(request),
    })
}

/// What proves that the agency signed it: target and the fields of its signature.
pub(crate) fn fields_record(request: &Message) -> serde_json::Value {
    let target = match &request.start {
        crate::federation::Start::Request { target, .. } => target.as_str(),
        crate::federation::Start::Answer(_) => "",
    };
    json!({
        "target": target, "content_digest": request.field("content-digest"),
        "signature_input": request.field("signature-input"), "signature": request.field("signature"),
    })
}

fn answer_record(answer: &Answer, statement: &str, to: &Recipient<'_>) -> serde_json::Value {
    json!({
        "agency": to.agency, "urgent": to.urgent, "microseconds": to.microseconds, "again": to.again, "told": to.told, "question": answer.question, "outcome": answer.outcome.as_str(), "statement": statement,
        "statement_sha256": hex::encode(Sha256::digest(statement)),
    })
}

pub(super) fn unread(error: &LedgerError) -> Problem {
    tracing::error!(%error, "the records cannot be read");
    ProblemKind::NoLog.because("the records of this node cannot be read, so nothing is answered")
}

pub(super) fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}
