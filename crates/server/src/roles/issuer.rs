//! The issuer's node: verifies, enters question and answer in its log, and only then answers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use registry::names::CaseNumber;
use registry::{Books, BooksError, ChainEnd, TraceOutcome};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use symbology::Code;
use transparency::Note;
use uuid::Uuid;

use super::holder::DirectoryHolder;
use super::pending::{PendingQueue, Waiting};
use super::statistics::Statistics;
use crate::api::{
    AgencyCard, Answer, DealerDisposition, DealerStatement, Evidence, OutcomeName, Pending, PendingQuery,
    Question, QuestionKind, SealedAnswer, Urgency,
};
use crate::clock::Clock;
use crate::config::{ConfigError, Node};
use crate::federation::{
    Directory, FishingRules, FishingWatch, Message, ReplayCache, Route, Sealed, SealingPublicKey,
    SignedRequest, Unauthorised, authorise, check_question, content_key, key_in, to_books, verify_request,
};
use crate::ledger::{Act, Entered, Ledger, LedgerError, Stored};
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
    clock: Clock,
    books: Books,
    replay: ReplayCache,
    fishing: FishingWatch,
    pending: PendingQueue,
    memory: Mutex<Memory>,
}

/// What the node remembers of past answers.
#[derive(Default)]
struct Memory {
    answered: HashMap<Uuid, Past>,
    statistics: Statistics,
}

/// An answered question, as far as the next step needs it.
#[derive(Clone)]
struct Past {
    agency: String,
    case_number: CaseNumber,
    code: Option<Code>,
}

/// To whom an answer goes.
struct Recipient<'r> {
    agency: &'r str,
    urgent: bool,
    key: &'r SealingPublicKey,
}

impl Issuer {
    /// Opens books, log and memory of an issuer's folder.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(data: &Path, clock: Clock, rules: FishingRules) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let books = Books::open(data, clock.now()).await?;
        let ledger = Ledger::open(&node.folder, &node.log)?;
        let issuer = Self {
            directory: DirectoryHolder::new(&node)?,
            ledger,
            metrics: Arc::default(),
            clock,
            books,
            replay: ReplayCache::default(),
            fishing: FishingWatch::new(rules),
            pending: PendingQueue::default(),
            memory: Mutex::default(),
            node,
        };
        Ledger::records(&issuer.node.folder, |stored| issuer.recall(&stored))?;
        Ok(issuer)
    }

    /// Answers a question.
    ///
    /// # Errors
    /// A [`Problem`] when nothing was asked of the books.
    pub async fn trace(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let now = self.clock.now();
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        let agency = directory.agency(&signed.key_id, now);
        let agency = agency.ok_or_else(|| ProblemKind::Forbidden.because("only an agency may ask"))?;
        let question = check_question(content)?;
        if self.memory().answered.contains_key(&question.id) {
            return Err(ProblemKind::Replayed.because("a question of this number was answered already"));
        }
        let mut answer = self.blank(&question, content, now);
        self.decide(&mut answer, &question, agency, (&directory, now)).await;
        let asked = Act { kind: "question", body: question_record(&signed, request, content, &answer) };
        let urgent = matches!(question.priority, Urgency::Urgent { .. });
        let to = Recipient { agency: agency.node.name.as_str(), urgent, key: &agency.sealing };
        let sealed = self.give(request, &answer, asked, &to).await?;
        self.take_answer(to.agency, &answer, urgent);
        Ok(sealed)
    }

    /// Says what became of a question that a person must answer; to a dealer, what it has to answer.
    ///
    /// # Errors
    /// As [`Issuer::trace`]; `not-found` for a question that is not the caller's.
    pub async fn pending(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let now = self.clock.now();
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        let query: PendingQuery =
            serde_json::from_slice(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        let Some(question) = query.question else {
            return self.pending_of_dealer(request, &signed, &directory, now).await;
        };
        let agency = directory.agency(&signed.key_id, now);
        let agency =
            agency.ok_or_else(|| ProblemKind::Forbidden.because("only the agency that asked may ask"))?;
        let waiting = self.pending.get(question).filter(|one| one.agency == agency.node.name.as_str());
        let waiting = waiting
            .ok_or_else(|| ProblemKind::NotFound.because("no such question of this agency is open"))?;
        let mut answer = waiting.given.clone();
        answer.answered_at = now;
        if let Some(stated) = &waiting.stated {
            apply(&mut answer, &stated.disposition, false);
        }
        let body = json!({"question": question, "key_id": signed.key_id, "nonce": signed.nonce, "expires": signed.expires});
        let to = Recipient { agency: agency.node.name.as_str(), urgent: false, key: &agency.sealing };
        self.give(request, &answer, Act { kind: "pending-question", body }, &to).await
    }

    /// Takes a dealer's own part of a chain.
    ///
    /// # Errors
    /// As [`Issuer::trace`]; `forbidden` when the part is not this dealer's.
    pub async fn state(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let now = self.clock.now();
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        let dealer = directory.dealer(&signed.key_id, now);
        let dealer =
            dealer.ok_or_else(|| ProblemKind::Forbidden.because("only a dealer may state its part"))?;
        let statement: DealerStatement =
            serde_json::from_slice(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        let waiting = self.pending.get(statement.question).filter(|one| one.licence == dealer.licence);
        let waiting = waiting.ok_or_else(|| {
            ProblemKind::Forbidden.because("no question waits for this dealer under that number")
        })?;
        if waiting.stated.is_some() {
            return Err(ProblemKind::Replayed.because("this question was answered already"));
        }
        let body = json!({
            "question": statement.question, "key_id": signed.key_id, "nonce": signed.nonce,
            "expires": signed.expires, "content": text(content), "request": fields_record(request),
        });
        let entered = self.enter(&[Act { kind: "dealer-statement", body }], now).await?;
        self.pending.state(statement);
        let receipt = json!({"schema": "microstamp.receipt/1", "log": self.node.log.verifier().name(), "entry": entered});
        seal(receipt.to_string().as_bytes(), &dealer.sealing, request)
    }

    /// The public table of counts.
    pub fn statistics(&self) -> serde_json::Value {
        self.memory().statistics.to_json()
    }

    /// Calls to mind what a person must answer, and sets the gauges.
    pub fn remind(&self) {
        let now = self.clock.now();
        for (question, licence, hours) in self.pending.reminders(now) {
            tracing::warn!(%question, %licence, hours, "a question still waits for a dealer");
        }
        let (open, overdue) = self.pending.open_and_overdue(now);
        self.metrics.gauge("pending_open", open);
        self.metrics.gauge("pending_overdue", overdue);
        let left = self.directory.expires_at().map_or(0, |at| at.as_second() - now.as_second());
        self.metrics.gauge("directory_expires_in_seconds", left);
    }

    /// Whether a code was issued, for measuring: the bare look-up inside the node.
    ///
    /// # Errors
    /// [`BooksError`].
    pub async fn issued(&self, code: Code) -> Result<Option<Timestamp>, BooksError> {
        self.books.issued(code).await
    }

    fn verify(
        &self,
        request: &Message,
        content: &[u8],
        directory: &Directory,
        now: Timestamp,
    ) -> Result<SignedRequest, Problem> {
        let signed = verify_request(request, content, now, |key_id| key_in(directory, key_id, now))?;
        self.replay.remember(&signed, now.as_second())?;
        Ok(signed)
    }

    async fn decide(
        &self,
        answer: &mut Answer,
        question: &Question,
        agency: &AgencyCard,
        (directory, now): (&Directory, Timestamp),
    ) {
        let step = authorise(question, agency).and_then(|()| self.step_before(question, agency));
        if let Err(refusal) = step {
            return refuse(answer, &refusal);
        }
        if let Some(successor) = self.delegated(question, directory, now) {
            answer.outcome = OutcomeName::Delegated;
            answer.statement = vec![format!("this issuer closed; {successor} answers in its place")];
            answer.delegated_to = successor.parse().ok();
            return;
        }
        let today = now.to_zoned(TimeZone::UTC).date();
        let (outcome, statement) = match self.books.weigh(&to_books(question), today).await {
            Ok(found) => found,
            // The books do not take the question as it is: a date that cannot be, for instance.
            Err(BooksError::Refused(refusal)) => return refuse(answer, &refusal),
            Err(error) => {
                tracing::error!(%error, "the books could not be read");
                return;
            }
        };
        let certain = matches!(outcome, TraceOutcome::Found(_) | TraceOutcome::ChainEnds(_));
        if !certain {
            let (agency, case) = (agency.node.name.as_str(), &question.case_number);
            if let Err(reason) = self.fishing.permits(agency, case, now) {
                return refuse(answer, &Unauthorised::Fishing(reason));
            }
            self.fishing.count(agency, case, now);
        }
        answer.take(&outcome, statement);
        if let TraceOutcome::ChainEnds(traced) = &outcome
            && let ChainEnd::WithLicensee { holder, .. } = &traced.chain.end
            && *holder != self.books.issuer()
        {
            answer.pending = Some(Pending {
                licence: holder.licence.clone(),
                due: Question::due(now),
                can_answer: directory.dealer_of(&holder.licence).is_some(),
            });
            self.take_statement_of_dealer(answer, question);
        }
    }

    /// A retail reference that the dealer itself stated before.
    fn take_statement_of_dealer(&self, answer: &mut Answer, question: &Question) {
        let QuestionKind::RetailReference { after, .. } = &question.kind else { return };
        if let Some(stated) = self.pending.get(*after).and_then(|waiting| waiting.stated) {
            apply(answer, &stated.disposition, true);
        }
    }

    /// Chain first, retail reference after.
    fn step_before(&self, question: &Question, agency: &AgencyCard) -> Result<(), Unauthorised> {
        let QuestionKind::RetailReference { after, .. } = &question.kind else { return Ok(()) };
        let memory = self.memory();
        let past = memory.answered.get(after).ok_or(Unauthorised::ChainFirst)?;
        let same = past.agency == agency.node.name.as_str()
            && past.case_number == question.case_number
            && past.code.is_some_and(|code| question.codes.iter().any(|asked| asked.code == code));
        if same { Ok(()) } else { Err(Unauthorised::ChainFirst) }
    }

    /// The successor, when the likeliest code's block is no longer answered here.
    fn delegated(&self, question: &Question, directory: &Directory, now: Timestamp) -> Option<String> {
        let likeliest = question.codes.iter().max_by(|a, b| a.posterior.total_cmp(&b.posterior))?;
        match directory.route(likeliest.code.prefix(), now) {
            Route::Delegated { from, to } if from.node.name == self.node.config.name => {
                Some(to.node.name.to_string())
            }
            _ => None,
        }
    }

    fn blank(&self, question: &Question, content: &[u8], now: Timestamp) -> Answer {
        Answer {
            schema: Answer::SCHEMA.to_owned(),
            question: question.id,
            question_sha256: hex::encode(Sha256::digest(content)),
            case_number: question.case_number.clone(),
            issuer: self.node.config.name.clone(),
            answered_at: now,
            outcome: OutcomeName::CannotSayNow,
            firearm: None,
            issued: Vec::new(),
            not_issued: Vec::new(),
            elsewhere: Vec::new(),
            delegated_to: None,
            pending: None,
            statement: vec!["the books cannot be read now; ask again".to_owned()],
        }
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
        let told = Act { kind: "answer", body: answer_record(answer, &statement, to) };
        let [question, answered] =
            <[Entered; 2]>::try_from(self.enter(&[asked, told], answer.answered_at).await?)
                .map_err(|_| fault(&"the log did not enter both"))?;
        let log = self.node.log.verifier().name().to_owned();
        let sealed = SealedAnswer {
            schema: "microstamp.sealed-answer/1".to_owned(),
            statement,
            evidence: Evidence { log, question, answer: answered },
        };
        self.metrics.outcome(answer.outcome.as_str());
        let content = serde_json::to_vec(&sealed).map_err(|error| fault(&error))?;
        seal(&content, to.key, request)
    }

    async fn pending_of_dealer(
        &self,
        request: &Message,
        signed: &SignedRequest,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Sealed, Problem> {
        let dealer = directory.dealer(&signed.key_id, now);
        let dealer =
            dealer.ok_or_else(|| ProblemKind::Forbidden.because("only a dealer may ask for its list"))?;
        let open = self.pending.of_licence(&dealer.licence);
        let item = |one: &Waiting| {
            let firearm = one.given.firearm.as_ref();
            json!({
                "question": one.question, "due": one.due,
                "model": firearm.map(|firearm| &firearm.model), "serial": firearm.map(|firearm| &firearm.serial),
                "manufacturer": firearm.map(|firearm| &firearm.manufacturer),
            })
        };
        let list =
            json!({"schema": "microstamp.pending/1", "open": open.iter().map(item).collect::<Vec<_>>()});
        let body = json!({
            "key_id": signed.key_id, "nonce": signed.nonce, "expires": signed.expires,
            "questions": open.iter().map(|one| one.question).collect::<Vec<_>>(),
        });
        self.enter(&[Act { kind: "dealer-list", body }], now).await?;
        seal(list.to_string().as_bytes(), &dealer.sealing, request)
    }

    async fn enter(&self, acts: &[Act], now: Timestamp) -> Result<Vec<Entered>, Problem> {
        self.ledger.enter(acts, now).await.map_err(|error| match error {
            LedgerError::Full => ProblemKind::Busy.because(error),
            other => {
                tracing::error!(error = %other, "no log, no answer");
                ProblemKind::NoLog.because("the log did not take the entry, so nothing is answered")
            }
        })
    }

    fn take_answer(&self, agency: &str, answer: &Answer, urgent: bool) {
        let mut memory = self.memory();
        memory.statistics.count(answer.answered_at, answer.outcome, urgent);
        let code = answer.firearm.as_ref().map(|firearm| firearm.code);
        let past = Past { agency: agency.to_owned(), case_number: answer.case_number.clone(), code };
        memory.answered.insert(answer.question, past);
        drop(memory);
        if let Some(pending) = &answer.pending {
            self.pending.put(Waiting {
                question: answer.question,
                agency: agency.to_owned(),
                case_number: answer.case_number.clone(),
                licence: pending.licence.clone(),
                asked_at: answer.answered_at,
                due: pending.due,
                given: answer.clone(),
                stated: None,
            });
        }
    }

    /// Takes a record of an earlier run back into memory.
    fn recall(&self, stored: &Stored) {
        let body = &stored.body;
        if let (Some(key), Some(nonce), Some(expires)) =
            (body["key_id"].as_str(), body["nonce"].as_str(), body["expires"].as_i64())
            && expires + 600 > self.clock.now().as_second()
        {
            let (key_id, nonce) = (key.to_owned(), nonce.to_owned());
            let signed = SignedRequest { key_id, nonce, created: expires, expires };
            let _ = self.replay.remember(&signed, stored.at.as_second());
        }
        match stored.kind.as_str() {
            "answer" => self.recall_answer(stored),
            "dealer-statement" => {
                let content = body["content"].as_str().unwrap_or_default();
                if let Ok(statement) = serde_json::from_str(content) {
                    self.pending.state(statement);
                }
            }
            _ => {}
        }
    }

    fn recall_answer(&self, stored: &Stored) {
        let note = stored.body["statement"].as_str().unwrap_or_default();
        let answer = note.split('\n').next().and_then(|line| serde_json::from_str::<Answer>(line).ok());
        let (Some(answer), Some(agency)) = (answer, stored.body["agency"].as_str()) else { return };
        if self.memory().answered.contains_key(&answer.question) {
            return;
        }
        let firearm = matches!(answer.outcome, OutcomeName::Found | OutcomeName::ChainEnds);
        if !firearm && answer.outcome != OutcomeName::NotAuthorised {
            self.fishing.count(agency, &answer.case_number, stored.at);
        }
        self.take_answer(agency, &answer, stored.body["urgent"].as_bool().unwrap_or_default());
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(answer: &mut Answer, refusal: &impl std::fmt::Display) {
    answer.outcome = OutcomeName::NotAuthorised;
    answer.statement = vec![refusal.to_string()];
}

/// Puts a dealer's own part at the end of a chain; the Form 4473 reference only when it was approved.
fn apply(answer: &mut Answer, disposition: &DealerDisposition, disclose: bool) {
    let Some(firearm) = &mut answer.firearm else { return };
    answer.pending = None;
    match disposition {
        DealerDisposition::RetailSale { on, form_4473 } => {
            let last = firearm.chain.last().map(|link| (link.name.clone(), link.licence.clone()));
            let (name, licence) = last.unzip();
            let form = disclose.then_some(form_4473);
            firearm.end = json!({
                "end": "retail-sale", "dealer": name, "licence": licence, "on": on, "form_4473": form,
                "stated_by": "dealer",
            });
            firearm.reference_withheld = !disclose;
            answer.outcome = OutcomeName::Found;
            answer.statement.push(format!("the dealer states a retail sale on {on}"));
        }
        DealerDisposition::Transferred { on, to, licence } => {
            firearm.end = json!({"end": "with-licensee", "holder": to, "licence": licence, "since": on, "stated_by": "dealer"});
            answer.statement.push(format!(
                "the dealer states that it went to {to}, licence {licence}, on {on}; ask there"
            ));
        }
        DealerDisposition::InStock { on } => {
            answer.statement.push(format!("the dealer states that the firearm was in its stock on {on}"));
        }
        DealerDisposition::NoRecord => {
            answer.statement.push("the dealer states that the firearm is not in its book".to_owned());
        }
    }
}

fn seal(content: &[u8], to: &SealingPublicKey, request: &Message) -> Result<Sealed, Problem> {
    Sealed::seal(content, to, &content_key(request)).map_err(|error| ProblemKind::Fault.because(error))
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
        "agency": to.agency, "urgent": to.urgent, "question": answer.question, "outcome": answer.outcome.as_str(), "statement": statement,
        "statement_sha256": hex::encode(Sha256::digest(statement)),
    })
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}
