//! What an issuer's node remembers of its answers between questions: little, whatever their number. The answers themselves
//! are found in the records.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{RwLock, RwLockReadGuard};
use uuid::Uuid;

use super::pending::{PendingQueue, Waiting};
use super::statistics::Statistics;
use crate::api::Answer;
use crate::federation::{FishingRules, FishingWatch, Given, Nonce, ReplayCache, SignedRequest};
use crate::ledger::{Kept, Ledger, LedgerError, Recalled, Stored};
use crate::problem::{Problem, ProblemKind};

/// Where the memory lies in a node's folder; the log holds its hash.
const FILE: &str = "memory.json";
/// Answers after which the memory is kept anew; so many are read at the start at most.
const KEEP: u64 = 8_192;

/// The memory of an issuer's node.
pub(crate) struct Memory {
    pub(crate) replay: ReplayCache,
    pub(crate) fishing: FishingWatch,
    pub(crate) pending: PendingQueue,
    statistics: Mutex<Statistics>,
    /// Questions that are being answered now: one number, one answer, also at the same moment.
    underway: Mutex<HashSet<Uuid>>,
    /// Shared by whoever enters something and remembers it; taken alone by whoever keeps the memory.
    turn: RwLock<()>,
    answers: AtomicU64,
}

/// The memory as it lies on the disk. The counts stand in the log beside its hash: they outlive the records that they were made from.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OnDisk {
    nonces: Vec<Nonce>,
    fishing: Given,
    pending: Vec<Waiting>,
}

/// A question that is being answered; dropped, it may be asked again.
pub(crate) struct Underway<'m> {
    memory: &'m Memory,
    question: Uuid,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.memory.underway().remove(&self.question);
    }
}

impl Memory {
    /// Reads what was kept, and the records since.
    pub(crate) fn open(ledger: &Ledger, rules: FishingRules, now: Timestamp) -> Result<Self, LedgerError> {
        let Recalled { kept: Kept { through, memory }, beside } = ledger.kept::<OnDisk>(FILE)?;
        let (counted, statistics) = beside.unwrap_or_default();
        let held = Self {
            replay: ReplayCache::from(memory.nonces),
            fishing: FishingWatch::with(rules, memory.fishing),
            pending: PendingQueue::from(memory.pending),
            statistics: Mutex::new(serde_json::from_value(statistics).unwrap_or_default()),
            underway: Mutex::default(),
            turn: RwLock::default(),
            answers: AtomicU64::new(0),
        };
        ledger.since(through, |place, stored| held.recall(&stored, place >= counted, now))?;
        Ok(held)
    }

    /// Begins to answer a question.
    ///
    /// # Errors
    /// `busy` while the same question is being answered.
    pub(crate) fn begin(&self, question: Uuid) -> Result<Underway<'_>, Problem> {
        if self.underway().insert(question) {
            return Ok(Underway { memory: self, question });
        }
        Err(ProblemKind::Busy.because("a question of this number is being answered; ask again in a moment"))
    }

    /// To be held from before something is entered until it is remembered.
    pub(crate) async fn turn(&self) -> RwLockReadGuard<'_, ()> {
        self.turn.read().await
    }

    /// Remembers an answer that was given.
    pub(crate) fn take(&self, (agency, urgent): (&str, bool), answer: &Answer, microseconds: u64) {
        self.statistics().count(answer.answered_at, (answer.outcome, urgent), microseconds);
        self.wait(agency, answer);
    }

    fn wait(&self, agency: &str, answer: &Answer) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if let Some(waiting) = Waiting::of(answer, agency) {
            self.pending.put(waiting);
        }
    }

    /// Remembers for whom an answer that was given again waits now.
    pub(crate) fn renew(&self, agency: &str, answer: &Answer) {
        match Waiting::of(answer, agency) {
            None => self.pending.close(answer.question),
            Some(waiting) => self.pending.put(waiting),
        }
    }

    /// The public table of counts.
    pub(crate) fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the memory for the next start when it has grown enough, or in any case.
    pub(crate) async fn keep(
        &self,
        ledger: &Ledger,
        anyhow: bool,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        if !anyhow && self.answers.load(Ordering::Relaxed) < KEEP {
            return Ok(());
        }
        let alone = self.turn.write().await;
        let through = ledger.end();
        let memory = OnDisk {
            nonces: self.replay.held(now.as_second()),
            fishing: self.fishing.held(now),
            pending: self.pending.held(now),
        };
        let statistics = json!(*self.statistics());
        self.answers.store(0, Ordering::Relaxed);
        drop(alone);
        ledger.keep(FILE, (&Kept { through, memory }, statistics), now).await
    }

    fn underway(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record of an earlier run back into memory; `counts` where it is not yet among those that were counted.
    fn recall(&self, stored: &Stored, counts: bool, now: Timestamp) {
        let body = &stored.body;
        if let (Some(key), Some(nonce), Some(expires)) =
            (body["key_id"].as_str(), body["nonce"].as_str(), body["expires"].as_i64())
            && expires + 600 > now.as_second()
        {
            let (key_id, nonce) = (key.to_owned(), nonce.to_owned());
            let signed = SignedRequest { key_id, nonce, created: expires, expires };
            let _ = self.replay.remember(&signed, stored.at.as_second());
        }
        match stored.kind.as_str() {
            "answer" if stored.body["again"] != true => self.recall_answer(stored, counts),
            "answer" => {
                if let (Some(answer), Some(agency)) = (answer_in(stored), body["agency"].as_str()) {
                    self.renew(agency, &answer);
                }
            }
            "dealer-stated" => {
                if let Ok(firearm) = serde_json::from_value(body["firearm"].clone()) {
                    let next = body["next"].as_str().and_then(|licence| licence.parse().ok());
                    self.pending.follow(&firearm, next.as_ref(), stored.at);
                }
            }
            _ => {}
        }
    }

    fn recall_answer(&self, stored: &Stored, counts: bool) {
        let (Some(answer), Some(agency)) = (answer_in(stored), stored.body["agency"].as_str()) else {
            return;
        };
        if let Ok(told) = serde_json::from_value(stored.body["told"].clone()) {
            self.fishing.recall(agency, told);
        }
        if !counts {
            return self.wait(agency, &answer);
        }
        let urgent = stored.body["urgent"].as_bool().unwrap_or_default();
        self.take((agency, urgent), &answer, stored.body["microseconds"].as_u64().unwrap_or_default());
    }
}

/// The answer in an answer's record.
pub(crate) fn answer_in(stored: &Stored) -> Option<Answer> {
    let note = stored.body["statement"].as_str()?;
    serde_json::from_str(note.split('\n').next()?).ok()
}
