//! An agency's desk: a requester files a question, and it is asked when an approver, somebody else, says so.
//!
//! The desk has no file of its own: every step is an act in the node's log, and what the desk knows is read from there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{CaseNumber, CrimeCode, Ori, Person, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::agency::{Agency, AskError, answer_json};
use crate::api::{AskedCode, Question, QuestionKind, Urgency};
use crate::federation::check_question;
use crate::ledger::{Act, Ledger, LedgerError};
use crate::problem::{Problem, ProblemKind};

/// Questions on one page.
pub(crate) const PAGE: usize = 100;

/// A question as a requester files it, JSON schema `microstamp.question-draft/1`: the question without its number and
/// without the persons, who are those that are signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What is asked for.
    pub kind: DraftKind,
    /// The agency that asks.
    pub ori: Ori,
    /// The agency's case.
    pub case_number: CaseNumber,
    /// What crime is investigated, as an NCIC code.
    pub crime_code: CrimeCode,
    /// How urgent it is.
    pub priority: Urgency,
    /// Why it is asked.
    pub reason: Reason,
    /// The reading: codes with their posteriors, at most 20.
    pub codes: Vec<AskedCode>,
    /// SHA-256 of the reading's file, 64 hexadecimal digits.
    #[serde(default)]
    pub reading_sha256: Option<String>,
    /// Day on which the case was recovered.
    #[serde(default)]
    pub recovered_on: Option<Date>,
}

/// What a draft asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DraftKind {
    /// The firearm and its chain.
    Chain,
    /// The Form 4473 reference of the sale that an answered question ended at.
    RetailReference {
        /// Number of that question.
        after: Uuid,
    },
}

/// A question on the desk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filed {
    /// Its number, UUID version 7: in the order of filing.
    pub id: Uuid,
    /// What is asked.
    pub draft: Draft,
    /// Who filed it.
    pub requester: Person,
    /// When.
    pub filed_at: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub state: FiledState,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum FiledState {
    /// It waits for an approver. `not_asked` says why an attempt failed.
    Waiting {
        /// Why the last attempt failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_asked: Option<String>,
    },
    /// It was approved, and the answer is under way.
    Approved {
        /// By whom.
        approver: Person,
    },
    /// It was approved, asked and answered.
    Answered {
        /// By whom it was approved.
        approver: Person,
        /// One for each issuer that was asked.
        answers: Value,
    },
    /// An approver refused it.
    Refused {
        /// Who.
        approver: Person,
        /// Why.
        reason: Reason,
    },
    /// Its requester took it back.
    Withdrawn,
}

/// One step, as the log holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
enum DeskStep {
    /// The draft is text, so that the record keeps the bytes that were filed.
    Filed {
        id: Uuid,
        by: Person,
        draft: String,
        key: Option<String>,
    },
    Approved {
        id: Uuid,
        by: Person,
    },
    Answered {
        id: Uuid,
        answers: String,
    },
    NotAsked {
        id: Uuid,
        reason: String,
    },
    Refused {
        id: Uuid,
        by: Person,
        reason: Reason,
    },
    Withdrawn {
        id: Uuid,
    },
}

/// The desk of an agency.
pub struct Desk {
    agency: Arc<Agency>,
    held: Mutex<Held>,
    /// Held from looking at a question until its next step is in the log: two people cannot both take it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    questions: BTreeMap<Uuid, Filed>,
    /// Idempotency keys by requester, with the hash of what was filed under them.
    keys: HashMap<(Person, String), ([u8; 32], Uuid)>,
}

impl Desk {
    /// Reads the desk from the agency's records.
    ///
    /// # Errors
    /// [`LedgerError`] when they cannot be read.
    pub fn open(agency: Arc<Agency>) -> Result<Self, LedgerError> {
        let mut held = Held::default();
        Ledger::records(&agency.node.folder, |stored| {
            if stored.kind == "desk"
                && let Ok(step) = serde_json::from_value(stored.body)
            {
                held.apply(step, stored.at);
            }
        })?;
        Ok(Self { agency, held: Mutex::new(held), turn: tokio::sync::Mutex::default() })
    }

    /// Files a question. The same key with the same content is the same question; with another it is refused.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn file(
        &self,
        by: Person,
        (content, key): (&[u8], Option<String>),
        now: Timestamp,
    ) -> Result<Filed, Problem> {
        let text = std::str::from_utf8(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        let draft: Draft =
            serde_json::from_str(text).map_err(|error| ProblemKind::Malformed.because(error))?;
        let _turn = self.turn.lock().await;
        let id = Uuid::now_v7();
        self.question(&draft, id, (by.clone(), nobody()))?;
        if let Some(key) = &key
            && let Some(same) = self.filed_before(&by, key, content)?
        {
            return Ok(same);
        }
        self.step(DeskStep::Filed { id, by, draft: text.to_owned(), key }, now).await?;
        self.held().get(id)
    }

    /// Approves a question, asks it and keeps the answer.
    ///
    /// # Errors
    /// [`Problem`]; where nobody could be asked the question waits again.
    pub async fn approve(&self, by: Person, id: Uuid, now: Timestamp) -> Result<Filed, Problem> {
        let turn = self.turn.lock().await;
        let filed = self.held().get(id)?;
        let may = match &filed.state {
            FiledState::Waiting { .. } => by != filed.requester,
            // An answer that was lost on the way can be asked for again, by the one who approved.
            FiledState::Approved { approver } => by == *approver,
            _ => return Err(closed()),
        };
        if !may {
            return Err(ProblemKind::Forbidden.because("who files a question does not approve it"));
        }
        let question = self.question(&filed.draft, id, (filed.requester, by.clone()))?;
        self.step(DeskStep::Approved { id, by }, now).await?;
        drop(turn);
        match self.agency.ask(&question).await {
            Ok(answers) => {
                let answers: Vec<Value> = answers.iter().map(answer_json).collect();
                let answers = Value::from(answers).to_string();
                self.step(DeskStep::Answered { id, answers }, now).await?;
                self.held().get(id)
            }
            Err(error) => {
                self.step(DeskStep::NotAsked { id, reason: error.to_string() }, now).await?;
                Err(match error {
                    AskError::Here(problem) => problem,
                    other => ProblemKind::NotFound.because(other),
                })
            }
        }
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
        let _turn = self.turn.lock().await;
        self.held().waiting(id)?;
        self.step(DeskStep::Refused { id, by, reason }, now).await?;
        self.held().get(id)
    }

    /// Takes one's own question back.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn withdraw(&self, by: &Person, id: Uuid, now: Timestamp) -> Result<Filed, Problem> {
        let _turn = self.turn.lock().await;
        // To others the question does not exist: its number tells them nothing.
        if self.held().waiting(id)?.requester != *by {
            return Err(unknown());
        }
        self.step(DeskStep::Withdrawn { id }, now).await?;
        self.held().get(id)
    }

    /// One question; `of` narrows to those of one requester.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn see(&self, id: Uuid, of: Option<&Person>) -> Result<Filed, Problem> {
        let filed = self.held().get(id)?;
        if of.is_none_or(|person| filed.requester == *person) { Ok(filed) } else { Err(unknown()) }
    }

    /// A page of questions in the order of filing, those after `after`; and whether there are more.
    pub fn page(&self, after: Option<Uuid>, most: usize, of: Option<&Person>) -> (Vec<Filed>, bool) {
        let held = self.held();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut seen = held
            .questions
            .range((from, Bound::Unbounded))
            .map(|(_, filed)| filed)
            .filter(|filed| of.is_none_or(|person| filed.requester == *person));
        let page: Vec<Filed> = seen.by_ref().take(most.clamp(1, PAGE)).cloned().collect();
        let more = seen.next().is_some();
        (page, more)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a step, then lets it hold.
    async fn step(&self, step: DeskStep, now: Timestamp) -> Result<(), Problem> {
        let body = serde_json::to_value(&step).map_err(|error| ProblemKind::Fault.because(error))?;
        let entered = self.agency.ledger.enter(&[Act { kind: "desk", body }], now).await;
        entered.map_err(|error| ProblemKind::NoLog.because(error))?;
        self.held().apply(step, now);
        Ok(())
    }

    fn filed_before(&self, by: &Person, key: &str, content: &[u8]) -> Result<Option<Filed>, Problem> {
        let held = self.held();
        let Some((hash, id)) = held.keys.get(&(by.clone(), key.to_owned())) else { return Ok(None) };
        if *hash != <[u8; 32]>::from(Sha256::digest(content)) {
            return Err(ProblemKind::Conflict.because("this idempotency key was used for another question"));
        }
        held.get(*id).map(Some)
    }

    /// The question that a draft becomes, checked.
    fn question(
        &self,
        draft: &Draft,
        id: Uuid,
        (requester, approver): (Person, Person),
    ) -> Result<Question, Problem> {
        let (kind, approver) = match &draft.kind {
            DraftKind::Chain => (QuestionKind::Chain, approver),
            DraftKind::RetailReference { after } => {
                let first = self.held().questions.get(after).map(|filed| filed.state.clone());
                let Some(FiledState::Answered { approver: first, .. }) = first else {
                    return Err(ProblemKind::Malformed
                        .because("`after` names no answered question of this desk: the chain comes first"));
                };
                (QuestionKind::RetailReference { after: *after, second_approver: approver }, first)
            }
        };
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
            recovered_on: draft.recovered_on,
        };
        let content = serde_json::to_vec(&question).map_err(|error| ProblemKind::Malformed.because(error))?;
        check_question(&content)
    }
}

impl Held {
    fn apply(&mut self, step: DeskStep, at: Timestamp) {
        match step {
            DeskStep::Filed { id, by, draft, key } => self.file((id, by, draft, key), at),
            DeskStep::Approved { id, by } => self.set(id, |_| FiledState::Approved { approver: by }),
            DeskStep::Answered { id, answers } => self.set(id, |state| match state {
                FiledState::Approved { approver } => FiledState::Answered {
                    approver: approver.clone(),
                    answers: serde_json::from_str(&answers).unwrap_or_default(),
                },
                other => other.clone(),
            }),
            DeskStep::NotAsked { id, reason } => {
                self.set(id, |_| FiledState::Waiting { not_asked: Some(reason) });
            }
            DeskStep::Refused { id, by, reason } => {
                self.set(id, |_| FiledState::Refused { approver: by, reason });
            }
            DeskStep::Withdrawn { id } => self.set(id, |_| FiledState::Withdrawn),
        }
    }

    fn file(&mut self, (id, by, text, key): (Uuid, Person, String, Option<String>), at: Timestamp) {
        let Ok(draft) = serde_json::from_str(&text) else { return };
        if let Some(key) = key {
            self.keys.insert((by.clone(), key), (Sha256::digest(&text).into(), id));
        }
        let state = FiledState::Waiting { not_asked: None };
        self.questions.insert(id, Filed { id, draft, requester: by, filed_at: at, state });
    }

    fn set(&mut self, id: Uuid, next: impl FnOnce(&FiledState) -> FiledState) {
        if let Some(filed) = self.questions.get_mut(&id) {
            filed.state = next(&filed.state);
        }
    }

    fn get(&self, id: Uuid) -> Result<Filed, Problem> {
        self.questions.get(&id).cloned().ok_or_else(unknown)
    }

    fn waiting(&self, id: Uuid) -> Result<Filed, Problem> {
        let filed = self.get(id)?;
        if matches!(filed.state, FiledState::Waiting { .. }) { Ok(filed) } else { Err(closed()) }
    }
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
