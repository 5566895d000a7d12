//! What a person must still answer, and the 24 hours within which the law wants it (18 U.S.C. 923(g)(7)).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use registry::names::{CaseNumber, LicenceNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::{Answer, DealerStatement};

/// Hours after the question at which it is called to mind: half time, four hours before the end, and the end.
const REMINDERS: [i64; 3] = [12, 20, 24];

/// A question whose chain ended at a licensee that recorded no disposition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) question: Uuid,
    pub(crate) agency: String,
    pub(crate) case_number: CaseNumber,
    pub(crate) licence: LicenceNumber,
    pub(crate) asked_at: Timestamp,
    pub(crate) due: Timestamp,
    /// The answer as it was given.
    pub(crate) given: Answer,
    /// What the dealer has stated since.
    pub(crate) stated: Option<DealerStatement>,
}

/// The queue of one issuer.
#[derive(Debug, Default)]
pub(crate) struct PendingQueue {
    waiting: Mutex<HashMap<Uuid, (Waiting, usize)>>,
}

impl PendingQueue {
    pub(crate) fn put(&self, waiting: Waiting) {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        queue.insert(waiting.question, (waiting, 0));
    }

    pub(crate) fn get(&self, question: Uuid) -> Option<Waiting> {
        let queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        queue.get(&question).map(|(waiting, _)| waiting.clone())
    }

    /// What a licensee has to answer, the most urgent first.
    pub(crate) fn of_licence(&self, licence: &LicenceNumber) -> Vec<Waiting> {
        let queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let open = queue.values().map(|(waiting, _)| waiting);
        let mut open: Vec<_> =
            open.filter(|one| one.licence == *licence && one.stated.is_none()).cloned().collect();
        open.sort_by_key(|one| one.due);
        open
    }

    pub(crate) fn state(&self, statement: DealerStatement) {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((waiting, _)) = queue.get_mut(&statement.question) {
            waiting.stated = Some(statement);
        }
    }

    /// Reminders that have come due since the last call: licence, hours since the question. Each comes once.
    pub(crate) fn reminders(&self, now: Timestamp) -> Vec<(Uuid, LicenceNumber, i64)> {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for (waiting, reminded) in queue.values_mut().filter(|(waiting, _)| waiting.stated.is_none()) {
            while let Some(hours) = REMINDERS.get(*reminded) {
                let at = waiting.asked_at.checked_add(SignedDuration::from_hours(*hours));
                if at.is_ok_and(|at| at > now) {
                    break;
                }
                due.push((waiting.question, waiting.licence.clone(), *hours));
                *reminded += 1;
            }
        }
        due
    }

    /// Open questions, and those past their time.
    pub(crate) fn open_and_overdue(&self, now: Timestamp) -> (i64, i64) {
        let queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let open = queue.values().filter(|(waiting, _)| waiting.stated.is_none());
        open.fold((0, 0), |(open, overdue), (waiting, _)| (open + 1, overdue + i64::from(waiting.due < now)))
    }
}
