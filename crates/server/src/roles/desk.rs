//! An agency's desk: a requester files a question, and it is asked when an approver, somebody else, says so.
//!
//! Every step is an act in the node's log, and what the desk knows is read from there; the file `desk.json`, whose hash is in the log,
//! makes the next start quick.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use registry::names::{Person, Reason};
use serde_json::{Value, json};
use uuid::Uuid;

use super::agency::{Agency, AskError, answer_json};
use super::filed::{Draft, DraftKind, Filed, FiledState};
use super::held::{DeskStep, Held};
use super::reminders::{Reminders, waiting_page};
use crate::access::Signed;
use crate::api::{AttachedReading, Question, QuestionKind};
use crate::federation::check_question;
use crate::ledger::{Act, Key, LedgerError, Stored};
use crate::problem::{Problem, ProblemKind};

/// Questions on one page.
pub(crate) const PAGE: usize = 100;

/// The desk of an agency. It remembers what somebody must still answer; questions that are closed are found in the records.
pub struct Desk {
    agency: Arc<Agency>,
    held: Mutex<Held>,
    /// Of approvers, and of dealers.
    reminders: [Reminders; 2],
    /// Questions that are on their way to an issuer: two clicks do not ask twice.
    asking: Mutex<HashSet<Uuid>>,
    /// Answers that are to be asked for again, and not before when.
    again: Mutex<VecDeque<(Timestamp, Uuid)>>,
    /// Held from looking at a question until its next step is in the log: two people cannot both take it.
    turn: tokio::sync::Mutex<()>,
    steps: AtomicU64,
}

/// A question on its way to an issuer.
struct Asking<'d> {
    desk: &'d Desk,
    id: Uuid,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.desk.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Scope of closed questions; [`closed_of`] has those of one requester.
const CLOSED: &str = "closed question";
/// Once a reminder came, an answer is asked for again after so long.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// The same where nobody could be asked.
const FAILED: SignedDuration = SignedDuration::from_mins(5);
/// Steps, or records of any kind that a start had to read, after which the open questions are kept on disk anew.
const KEEP: u64 = 1_024;

/// Scopes of the steps that a court bundle shows: who filed a question, and who attached the newest reading.
pub(super) const FILED: &str = "filed question";
pub(super) const READ: &str = "reading of a question";

fn closed_of(person: &Person) -> String {
    format!("{CLOSED} of {person}")
}

impl Desk {
    /// Reads the desk from the agency's records.
    ///
    /// # Errors
    /// [`LedgerError`] when they cannot be read.
    pub fn open(agency: Arc<Agency>) -> Result<Self, LedgerError> {
        let (held, read) = Held::open(&agency.ledger)?;
        Ok(Self {
            agency,
            held: Mutex::new(held),
            reminders: Default::default(),
            asking: Mutex::default(),
            again: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            steps: AtomicU64::new(read),
        })
    }

    /// Keeps the open questions for the next start when there were steps enough.
    pub async fn keep(&self, now: Timestamp) {
        if self.steps.load(Ordering::Relaxed) < KEEP {
            return;
        }
        // Every step is entered and applied in one turn, so nothing lies between the two here.
        let turn = self.turn.lock().await;
        let (through, held) = (self.agency.ledger.end(), self.held().clone());
        self.steps.store(0, Ordering::Relaxed);
        drop(turn);
        if let Err(error) = held.keep(&self.agency.ledger, through, now).await {
            tracing::warn!(%error, "the desk was not kept; the next start reads more records");
        }
    }

    /// Calls to mind what waits for somebody, sets the gauges, and asks again for one answer that was called to mind: once an hour from
    /// then on, and sooner where nobody could be asked.
    pub async fn remind(&self, now: Timestamp) {
        let (open, awaited): (Vec<_>, Vec<_>) = {
            let held = self.held();
            let open = held.open.iter().map(|(id, filed)| (*id, filed.filed_at));
            let awaited = held.awaited.iter().chain(&held.silent);
            let awaited: BTreeMap<Uuid, Timestamp> = awaited.map(|(id, (_, since))| (*id, *since)).collect();
            (open.collect(), awaited.into_iter().collect())
        };
        let late = |(_, since): &&(Uuid, Timestamp)| Question::due(*since) < now;
        for (name, overdue, waiting) in
            [("desk_open", "desk_overdue", &open), ("answers_awaited", "answers_overdue", &awaited)]
        {
            self.agency.metrics.gauge(name, waiting.len() as i64);
            self.agency.metrics.gauge(overdue, waiting.iter().filter(late).count() as i64);
        }
        for (question, hours) in self.reminders[0].due(open, now) {
            tracing::warn!(%question, hours, "a question still waits for an approver");
        }
        let next = {
            let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
            for (question, hours) in self.reminders[1].due(awaited, now) {
                tracing::warn!(%question, hours, "an answer still waits for somebody; it is asked for again");
                again.push_back((now, question));
            }
            let due = again.iter().position(|(at, _)| *at <= now);
            due.and_then(|due| again.remove(due))
        };
        let Some((_, question)) = next else { return };
        let later = match self.renew(question, None, now).await {
            Ok(filed) => (filed.waits_for_dealer() || filed.waits_for_issuer()).then_some(ASKED_AGAIN),
            Err(problem) if problem.kind == ProblemKind::Conflict => None,
            Err(problem) => {
                tracing::warn!(%question, detail = problem.detail, "the answer was not asked for again yet");
                Some(FAILED)
            }
        };
        if let Some(later) = later {
            let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
            again.retain(|(_, other)| *other != question);
            again.push_back((now + later, question));
        }
    }

    /// What waits for somebody, in the order of the questions' numbers, so the oldest first: schema `microstamp.reminders/1`. `of` narrows
    /// to the questions of one requester; a page begins after a question and has so many at most.
    pub fn waiting_list(&self, of: Option<&Person>, page: (Option<Uuid>, usize)) -> Value {
        let held = self.held();
        let open = held.open.iter().map(|(id, filed)| (filed.filed_at, *id, "approver", &filed.requester));
        let awaited = held.awaited.iter().map(|(id, (requester, since))| (*since, *id, "dealer", requester));
        let silent = held.silent.iter().map(|(id, (requester, since))| (*since, *id, "issuer", requester));
        let mut all: Vec<_> = open.chain(awaited).chain(silent).collect();
        all.retain(|(.., requester)| of.is_none_or(|person| *requester == person));
        let all = all.into_iter().map(|(since, id, whom, _)| (since, id, whom));
        // What no court can see yet is for those who see all questions.
        let unproved = if of.is_none() { self.agency.without_proofs() } else { Vec::new() };
        let unproved = unproved.into_iter().map(|(id, since)| (since, id, "proof"));
        let line = |(since, id, whom): (Timestamp, Uuid, &str)| {
            let line =
                json!({"question": id, "waits_for": whom, "since": since, "due": Question::due(since)});
            (id, line)
        };
        waiting_page(all.chain(unproved).map(line).collect(), page)
    }

    /// Files a question. The same key with the same content is the same question; with another it is refused.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn file(
        &self,
        Signed { person: by, roles, .. }: Signed,
        (content, key): (&[u8], Option<String>),
        now: Timestamp,
    ) -> Result<Filed, Problem> {
        let text = std::str::from_utf8(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        let draft: Draft =
            serde_json::from_str(text).map_err(|error| ProblemKind::Malformed.because(error))?;
        if draft.typed_by.as_ref().is_some_and(|typed| *typed != by) {
            return Err(
                ProblemKind::Malformed.because("`typed_by` names somebody else than files the question")
            );
        }
        let _turn = self.turn.lock().await;
        let id = Uuid::now_v7();
        self.question(&draft, id, (by.clone(), nobody()))?;
        if let Some(key) = &key
            && let Some(same) = self.filed_before(&by, key, content)?
        {
            return Ok(same);
        }
        let found = key.iter().map(|key| key_of(&by, key)).chain([Key::new(FILED, id)]).collect();
        let step = DeskStep::Filed { id, by, roles, draft: text.to_owned(), key };
        self.enter(&step, found, now).await?;
        self.held().apply(step, now);
        self.get(id)
    }

    /// Approves a question as it was seen, asks it and keeps the answer.
    ///
    /// # Errors
    /// [`Problem`]; `conflict` when the draft's hash is not that of what lies on the desk now. Where nobody could be asked the
    /// question waits again.
    pub async fn approve(
        &self,
        Signed { person: by, roles, .. }: Signed,
        (id, draft_sha256): (Uuid, String),
        now: Timestamp,
    ) -> Result<Filed, Problem> {
        let _asking = self.asks(id)?;
        let turn = self.turn.lock().await;
        let filed = self.get(id)?;
        filed.may_be_approved(&by, &draft_sha256)?;
        let question = self.question(&filed.draft, id, (filed.requester.clone(), by.clone()))?;
        let draft = filed.draft_text();
        let step = DeskStep::Approved { id, by: by.clone(), roles, draft_sha256, draft };
        let approved = self.step(step, now).await?;
        drop(turn);
        // What was sent before is sent in the same words, for an issuer may have answered it: its approver stays the one it names.
        let sent = self.agency.sent(id).map_err(|error| unread(&error))?;
        let sent =
            sent.filter(|(sent, ..)| filed.draft.is_asked_by(sent) && sent.requester == filed.requester);
        let (answers, by) = match sent {
            Some((sent, content, approved)) => (
                self.agency.ask_all(&sent, Some(approved), content.as_bytes()).await,
                sent.approved_by().clone(),
            ),
            None => (self.agency.ask_approved(&question, Some(approved)).await, by),
        };
        match answers {
            Ok(answers) if answers.iter().all(Result::is_err) => {
                let reasons: Vec<_> = answers.iter().filter_map(|one| one.as_ref().err()).collect();
                let reason = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let _turn = self.turn.lock().await;
                self.step(DeskStep::NotAsked { id, reason: reason.clone() }, now).await?;
                Err(ProblemKind::Upstream
                    .because(format!("{reason}; the question waits for another approval")))
            }
            Ok(answers) => {
                let answers = Value::from(answers.iter().map(answer_json).collect::<Vec<Value>>());
                let _turn = self.turn.lock().await;
                // Asked twice at once, it is answered once.
                match self.get(id)? {
                    done if matches!(done.state, FiledState::Answered { .. }) => Ok(done),
                    _ => self.close(filed, FiledState::Answered { approver: by, answers }, now).await,
                }
            }
            Err(error) => {
                let _turn = self.turn.lock().await;
                self.step(DeskStep::NotAsked { id, reason: error.to_string() }, now).await?;
                Err(match error {
                    AskError::Here(problem) => problem,
                    other => ProblemKind::NotFound.because(other),
                })
            }
        }
    }

    /// Asks what became of the answers that wait for a dealer, and the issuers that have not answered, and keeps what comes back.
    ///
    /// # Errors
    /// [`Problem`]: `conflict` when nothing of it waits for anybody, `upstream` when nobody who was asked answered.
    pub async fn renew(&self, id: Uuid, of: Option<&Person>, now: Timestamp) -> Result<Filed, Problem> {
        let mut filed = self.see(id, of)?;
        let FiledState::Answered { approver, mut answers } = filed.state.clone() else {
            return Err(closed());
        };
        let (mut asked, mut away) = (false, None);
        for one in answers.as_array_mut().into_iter().flatten() {
            let waits = one["answer"]["pending"].is_object() || one["error"].is_string();
            let issuer = one["answer"]["issuer"].as_str().or(one["issuer"].as_str());
            let Some(issuer) = issuer.filter(|_| waits).and_then(|name| name.parse().ok()) else { continue };
            // One that is away does not keep the others' answers back.
            match self.agency.ask_again(&issuer, id).await {
                Ok(again) => (*one, asked) = (answer_json(&Ok(again)), true),
                Err(error) => away = Some(error),
            }
        }
        match away {
            _ if asked => {}
            Some(error) => return Err(ProblemKind::Upstream.because(error)),
            None => return Err(ProblemKind::Conflict.because("nothing of this answer waits for anybody")),
        }
        let _turn = self.turn.lock().await;
        filed.state = FiledState::Answered { approver, answers };
        let step = DeskStep::Renewed { id, filed: as_text(&filed)? };
        self.enter(&step, closed_keys(&filed), now).await?;
        self.held().apply(step, now);
        Ok(filed)
    }

    /// Attaches a reading to a question that waits, in place of the one it was filed with.
    ///
    /// # Errors
    /// [`Problem`]; `conflict` where the question was sent before, whatever came of it.
    pub async fn attach(
        &self,
        Signed { person: by, roles, .. }: Signed,
        (id, reading): (Uuid, AttachedReading),
        now: Timestamp,
    ) -> Result<Filed, Problem> {
        let _turn = self.turn.lock().await;
        let mut filed = self.waiting(id)?;
        // Its number is taken: an issuer that answered it would refuse other words under it, and that answer would reach nobody.
        if self.agency.sent(id).map_err(|error| unread(&error))?.is_some() {
            return Err(ProblemKind::Conflict.because(
                "this question was sent and may have been answered: another approval fetches that answer; the better reading is \
                 asked as a question of its own, after this one is withdrawn or answered",
            ));
        }
        // Its step says all that it leaves: with the filing it is the draft, whatever was attached between.
        let mut reading = reading;
        if reading.parts.is_empty() {
            reading.parts.clone_from(&filed.draft.parts);
        }
        let text = serde_json::to_string(&reading).map_err(|error| ProblemKind::Fault.because(error))?;
        filed.take_reading(by.clone(), reading);
        self.question(&filed.draft, id, (filed.requester.clone(), nobody()))?;
        let step = DeskStep::Read { id, by, roles, reading: text };
        self.enter(&step, vec![Key::new(READ, id)], now).await?;
        self.held().apply(step, now);
        Ok(filed)
    }

    /// Refuses a question.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn refuse(
        &self,
        by: Person,
        (id, reason): (Uuid, Reason),
        now: Timestamp,
    ) -> Result<Filed, Problem> {
        let _asking = self.asks(id)?;
        let _turn = self.turn.lock().await;
        let filed = self.unanswered(id)?;
        self.close(filed, FiledState::Refused { approver: by, reason }, now).await
    }

    /// Takes one's own question back.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn withdraw(&self, by: &Person, id: Uuid, now: Timestamp) -> Result<Filed, Problem> {
        let _turn = self.turn.lock().await;
        // To others the question does not exist: its number tells them nothing, whatever its state.
        self.see(id, Some(by))?;
        let _asking = self.asks(id)?;
        let filed = self.unanswered(id)?;
        self.close(filed, FiledState::Withdrawn, now).await
    }

    /// One question; `of` narrows to those of one requester.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn see(&self, id: Uuid, of: Option<&Person>) -> Result<Filed, Problem> {
        let filed = self.get(id)?;
        if of.is_none_or(|person| filed.requester == *person) { Ok(filed) } else { Err(unknown()) }
    }

    /// A page of questions in the order of filing, those after `after`; and whether there are more.
    ///
    /// # Errors
    /// [`Problem`] when the records cannot be read.
    pub fn page(
        &self,
        after: Option<Uuid>,
        most: usize,
        of: Option<&Person>,
    ) -> Result<(Vec<Filed>, bool), Problem> {
        let (after, most) = (after.unwrap_or_default(), most.clamp(1, PAGE));
        let scope = of.map_or_else(|| CLOSED.to_owned(), closed_of);
        let closed =
            self.agency.ledger.after(Key::new(&scope, after), most + 1).map_err(|error| unread(&error))?;
        let mut page: BTreeMap<Uuid, Filed> =
            closed.into_iter().filter_map(|(id, stored)| Some((id, closing(&stored)?))).collect();
        let held = self.held();
        let behind = held.open.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        let mine = behind.filter(|(_, filed)| of.is_none_or(|person| filed.requester == *person));
        page.extend(mine.take(most + 1).map(|(id, filed)| (*id, filed.clone())));
        let more = page.len() > most;
        Ok((page.into_values().take(most).collect(), more))
    }

    /// Takes a question for asking, until what it returns is dropped.
    fn asks(&self, id: Uuid) -> Result<Asking<'_>, Problem> {
        let new = self.asking.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        // Made only where the place was free: dropped, it gives the place back.
        new.then(|| Asking { desk: self, id })
            .ok_or_else(|| ProblemKind::Conflict.because("this question is being asked at this moment"))
    }

    /// What the issuer would refuse is not put before an approver: another agency's ORI, a day to come.
    fn may_be_asked(&self, draft: &Draft) -> Result<(), Problem> {
        let today = self.agency.clock.now().to_zoned(TimeZone::UTC).date();
        if draft.recovered_on.is_some_and(|day| day > today.tomorrow().unwrap_or(today)) {
            return Err(ProblemKind::Malformed.because("the day of recovery is in the future"));
        }
        let Some(directory) = self.agency.directory.newest() else { return Ok(()) };
        let name = &self.agency.node.config.name;
        let card = directory.content().agencies.iter().find(|card| card.node.name == *name);
        if card.is_some_and(|card| !card.oris.contains(&draft.ori)) {
            return Err(ProblemKind::Malformed.because("this agency does not ask under that ORI"));
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: Uuid) -> Result<Filed, Problem> {
        if let Some(filed) = self.held().open.get(&id) {
            return Ok(filed.clone());
        }
        let stored = self.agency.ledger.find(Key::new(CLOSED, id)).map_err(|error| unread(&error))?;
        stored.and_then(|stored| closing(&stored)).ok_or_else(unknown)
    }

    /// A question that waits, or whose asking was cut off; the caller has taken it for itself.
    fn unanswered(&self, id: Uuid) -> Result<Filed, Problem> {
        let filed = self.get(id)?;
        let open = matches!(filed.state, FiledState::Waiting { .. } | FiledState::Approved { .. });
        if open { Ok(filed) } else { Err(closed()) }
    }

    fn waiting(&self, id: Uuid) -> Result<Filed, Problem> {
        let filed = self.get(id)?;
        if matches!(filed.state, FiledState::Waiting { .. }) { Ok(filed) } else { Err(closed()) }
    }

    /// Ends a question; the caller holds the turn.
    async fn close(&self, mut filed: Filed, state: FiledState, now: Timestamp) -> Result<Filed, Problem> {
        filed.state = state;
        let step = DeskStep::Closed { id: filed.id, filed: as_text(&filed)? };
        self.enter(&step, closed_keys(&filed), now).await?;
        self.held().apply(step, now);
        Ok(filed)
    }

    /// Enters a step, then lets it hold; returns its place in the log.
    async fn step(&self, step: DeskStep, now: Timestamp) -> Result<u64, Problem> {
        let place = self.enter(&step, Vec::new(), now).await?;
        self.held().apply(step, now);
        Ok(place)
    }

    async fn enter(&self, step: &DeskStep, keys: Vec<Key>, now: Timestamp) -> Result<u64, Problem> {
        let body = serde_json::to_value(step).map_err(|error| ProblemKind::Fault.because(error))?;
        let entered = self.agency.ledger.enter(&[Act { kind: "desk", body, keys }], now).await;
        let entered = entered.map_err(|error| ProblemKind::NoLog.because(error))?;
        self.steps.fetch_add(1, Ordering::Relaxed);
        Ok(entered.first().map_or(0, |entered| entered.index))
    }

    fn filed_before(&self, by: &Person, key: &str, content: &[u8]) -> Result<Option<Filed>, Problem> {
        let Some(stored) = self.agency.ledger.find(key_of(by, key)).map_err(|error| unread(&error))? else {
            return Ok(None);
        };
        let Ok(DeskStep::Filed { id, draft, .. }) = serde_json::from_value(stored.body) else {
            return Ok(None);
        };
        if draft.as_bytes() != content {
            return Err(ProblemKind::Conflict.because("this idempotency key was used for another question"));
        }
        self.get(id).map(Some)
    }

    /// The question that a draft becomes, checked.
    fn question(
        &self,
        draft: &Draft,
        id: Uuid,
        (requester, approver): (Person, Person),
    ) -> Result<Question, Problem> {
        let (kind, approver) = match &draft.kind {
            DraftKind::Chain {} => (QuestionKind::Chain {}, approver),
            DraftKind::RetailReference { after } => {
                let none = || {
                    ProblemKind::Malformed
                        .because("`after` names no answered question of this desk: the chain comes first")
                };
                let filed = self.get(*after).map_err(|_| none())?;
                let FiledState::Answered { approver: first, .. } = filed.state else { return Err(none()) };
                if filed.requester.is(&approver) {
                    return Err(ProblemKind::Forbidden
                        .because("who requested the chain does not approve that the reference is told"));
                }
                (QuestionKind::RetailReference { after: *after, second_approver: approver }, first)
            }
        };
        self.may_be_asked(draft)?;
        let draft = draft.clone();
        let question = Question {
            schema: Question::SCHEMA.to_owned(),
            id,
            kind,
            ori: draft.ori,
            case_number: draft.case_number,
            crime_code: draft.crime_code,
            priority: draft.priority,
            reason: draft.reason,
            requester,
            approver,
            codes: draft.codes,
            reading_sha256: draft.reading_sha256,
            typed_by: draft.typed_by,
            recovered_on: draft.recovered_on,
            parts: draft.parts,
        };
        let content = serde_json::to_vec(&question).map_err(|error| ProblemKind::Malformed.because(error))?;
        check_question(&content)
    }
}

/// The question in the record that closed it.
fn closing(stored: &Stored) -> Option<Filed> {
    serde_json::from_str(stored.body["filed"].as_str()?).ok()
}

fn closed_keys(filed: &Filed) -> Vec<Key> {
    vec![Key::new(CLOSED, filed.id), Key::new(&closed_of(&filed.requester), filed.id)]
}

fn key_of(person: &Person, key: &str) -> Key {
    Key::of_text(&format!("idempotency of {person}"), key)
}

fn as_text(filed: &Filed) -> Result<String, Problem> {
    serde_json::to_string(filed).map_err(|error| ProblemKind::Fault.because(error))
}

fn unread(error: &LedgerError) -> Problem {
    ProblemKind::NoLog.because(error)
}

/// Stands in for the approver while a question waits for one.
fn nobody() -> Person {
    "(not approved yet)".parse().expect("a constant of printable characters")
}

fn unknown() -> Problem {
    ProblemKind::NotFound.because("there is no such question on this desk")
}

fn closed() -> Problem {
    ProblemKind::Conflict.because("this question does not wait for an approver")
}
