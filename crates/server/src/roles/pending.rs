//! What a person must still answer, and the 24 hours within which the law wants it (18 U.S.C. 923(g)(7)).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use registry::FirearmKey;
use registry::names::{LicenceNumber, PartyName};
use serde::{Deserialize, Serialize};
use symbology::Code;
use uuid::Uuid;

use super::reminders::Reminders;
use crate::api::{Answer, Question};

/// Days after which nobody is reminded any more; a statement is still taken.
const GIVEN_UP: i64 = 30;

/// A question whose chain ended at a licensee that recorded no disposition, and that nobody has answered yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) question: Uuid,
    pub(crate) agency: String,
    pub(crate) licence: LicenceNumber,
    pub(crate) asked_at: Timestamp,
    pub(crate) due: Timestamp,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) manufacturer: Option<PartyName>,
    /// By which the firearm was found, and its key in the books.
    #[serde(default)]
    pub(crate) code: Option<Code>,
    #[serde(default)]
    pub(crate) firearm: Option<FirearmKey>,
}

impl Waiting {
    /// What an answer waits for, if anything.
    pub(crate) fn of(answer: &Answer, agency: &str) -> Option<Self> {
        let pending = answer.pending.as_ref()?;
        let firearm = answer.firearm.as_ref();
        Some(Self {
            question: answer.question,
            agency: agency.to_owned(),
            licence: pending.licence.clone(),
            asked_at: Question::asked_at(pending.due),
            due: pending.due,
            model: firearm.map(|firearm| firearm.model.clone()),
            serial: firearm.map(|firearm| firearm.serial.clone()),
            manufacturer: firearm.map(|firearm| firearm.manufacturer.clone()),
            code: firearm.map(|firearm| firearm.code),
            firearm: firearm.and_then(crate::api::FirearmAnswer::key),
        })
    }
}

/// The queue of one issuer: open questions only.
#[derive(Debug, Default)]
pub(crate) struct PendingQueue {
    waiting: Mutex<HashMap<Uuid, Waiting>>,
    reminders: Reminders,
}

impl From<Vec<Waiting>> for PendingQueue {
    fn from(waiting: Vec<Waiting>) -> Self {
        let waiting = waiting.into_iter().map(|one| (one.question, one)).collect();
        Self { waiting: Mutex::new(waiting), reminders: Reminders::default() }
    }
}

impl PendingQueue {
    pub(crate) fn put(&self, waiting: Waiting) {
        self.waiting().insert(waiting.question, waiting);
    }

    /// What a licensee has to answer, the most urgent first.
    pub(crate) fn of_licence(&self, licence: &LicenceNumber) -> Vec<Waiting> {
        let mut open = self.all();
        open.retain(|one| one.licence == *licence);
        open
    }

    /// What every licensee has to answer, the most urgent first.
    pub(crate) fn all(&self) -> Vec<Waiting> {
        let mut open: Vec<_> = self.waiting().values().cloned().collect();
        open.sort_by_key(|one| (one.due, one.question));
        open
    }

    /// One question, if it waits.
    pub(crate) fn get(&self, question: Uuid) -> Option<Waiting> {
        self.waiting().get(&question).cloned()
    }

    /// Until when a question waits for a licensee, if it does.
    pub(crate) fn due(&self, question: Uuid, licence: &LicenceNumber) -> Option<Timestamp> {
        self.get(question).filter(|waiting| waiting.licence == *licence).map(|waiting| waiting.due)
    }

    /// All that wait for one firearm wait for this licensee from now on, or for nobody. What waits for it already goes on.
    pub(crate) fn follow(&self, firearm: &FirearmKey, next: Option<&LicenceNumber>, now: Timestamp) {
        self.waiting().retain(|_, waiting| {
            if waiting.firearm.as_ref() != Some(firearm) {
                return true;
            }
            let Some(next) = next else { return false };
            if waiting.licence != *next {
                (waiting.licence, waiting.asked_at, waiting.due) = (next.clone(), now, Question::due(now));
            }
            true
        });
    }

    /// Whether anything waits for a firearm.
    pub(crate) fn is_for(&self, firearm: &FirearmKey) -> bool {
        self.waiting().values().any(|waiting| waiting.firearm.as_ref() == Some(firearm))
    }

    /// A question was answered.
    pub(crate) fn close(&self, question: Uuid) {
        self.waiting().remove(&question);
    }

    /// What is open, without what has been given up.
    pub(crate) fn held(&self, now: Timestamp) -> Vec<Waiting> {
        let mut queue = self.waiting();
        let since = now.checked_sub(SignedDuration::from_hours(24 * GIVEN_UP)).unwrap_or(Timestamp::MIN);
        queue.retain(|_, waiting| waiting.asked_at > since);
        queue.values().cloned().collect()
    }

    /// Reminders that have come due since the last call: question, and hours since it was asked.
    pub(crate) fn reminders(&self, now: Timestamp) -> Vec<(Uuid, i64)> {
        self.reminders.due(self.waiting().values().map(|one| (one.question, one.asked_at)), now)
    }

    /// Open questions, and those past their time.
    pub(crate) fn open_and_overdue(&self, now: Timestamp) -> (i64, i64) {
        let queue = self.waiting();
        let open = queue.values();
        open.fold((0, 0), |(open, overdue), waiting| (open + 1, overdue + i64::from(waiting.due < now)))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
