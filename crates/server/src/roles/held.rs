//! The steps of a desk as the log holds them, and what still waits for somebody after them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use registry::names::Person;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::filed::{Filed, FiledState};
use crate::access::Roles;
use crate::ledger::{Kept, Ledger, LedgerError, Place, Recalled};

/// Where what waits lies in a node's folder; the log holds its hash.
const FILE: &str = "desk.json";

/// One step, as the log holds it; `roles` are those of the account at that moment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub(crate) enum DeskStep {
    /// The draft is text, so that the record keeps the bytes that were filed.
    Filed { id: Uuid, by: Person, roles: Roles, draft: String, key: Option<String> },
    /// An examiner attached a reading, here in JSON.
    Read { id: Uuid, by: Person, roles: Roles, reading: String },
    /// It is asked now. The hash is that of the draft that was seen, whose text stands beside it.
    Approved { id: Uuid, by: Person, roles: Roles, draft_sha256: String, draft: String },
    /// Nobody could be asked; it waits again.
    NotAsked { id: Uuid, reason: String },
    /// The end: answered, refused or withdrawn. `filed` is the whole question in JSON, so that its last record is all that
    /// is needed to show it.
    Closed { id: Uuid, filed: String },
    /// A later answer to a question that waited for a dealer, in the same form.
    Renewed { id: Uuid, filed: String },
}

/// What waits for somebody.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Questions that were not asked yet.
    pub(super) open: BTreeMap<Uuid, Filed>,
    /// Questions whose answer waits for a dealer: who asked, and since when.
    pub(super) awaited: BTreeMap<Uuid, (Person, Timestamp)>,
    /// Questions that one of several issuers has not answered: the same.
    #[serde(default)]
    pub(super) silent: BTreeMap<Uuid, (Person, Timestamp)>,
}

impl Held {
    /// What waits by the records of a node, and how many had to be read to know it.
    ///
    /// # Errors
    /// [`LedgerError`] when they cannot be read.
    pub(crate) fn open(ledger: &Ledger) -> Result<(Self, u64), LedgerError> {
        let Recalled { kept: Kept { through, memory: mut held }, .. } = ledger.kept::<Self>(FILE)?;
        let mut read = 0;
        ledger.since(through, |_, stored| {
            read += 1;
            if stored.kind == "desk"
                && let Ok(step) = serde_json::from_value(stored.body)
            {
                held.apply(step, stored.at);
            }
        })?;
        Ok((held, read))
    }

    /// Keeps this for the next start, as what the records before a place say.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn keep(
        self,
        ledger: &Ledger,
        through: Place,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        ledger.keep(FILE, (&Kept { through, memory: self }, Value::Null), now).await
    }

    /// Lets a step hold.
    pub(super) fn apply(&mut self, step: DeskStep, at: Timestamp) {
        match step {
            DeskStep::Filed { id, by, draft, .. } => {
                let Ok(draft) = serde_json::from_str(&draft) else { return };
                let state = FiledState::Waiting { not_asked: None };
                let (examiner, earlier_examiners) = (None, Vec::new());
                let requester = by;
                let filed = Filed { id, draft, requester, filed_at: at, examiner, earlier_examiners, state };
                self.open.insert(id, filed);
            }
            DeskStep::Read { id, by, reading, .. } => {
                if let (Some(filed), Ok(reading)) = (self.open.get_mut(&id), serde_json::from_str(&reading)) {
                    filed.take_reading(by, reading);
                }
            }
            DeskStep::Approved { id, by, .. } => self.now(id, FiledState::Approved { approver: by }),
            DeskStep::NotAsked { id, reason } => {
                self.now(id, FiledState::Waiting { not_asked: Some(reason) });
            }
            DeskStep::Closed { id, filed } | DeskStep::Renewed { id, filed } => {
                self.open.remove(&id);
                let filed = serde_json::from_str::<Filed>(&filed).ok();
                let of = |waits: bool| filed.as_ref().filter(|_| waits).map(|filed| filed.requester.clone());
                let dealer = of(filed.as_ref().is_some_and(Filed::waits_for_dealer));
                let issuer = of(filed.as_ref().is_some_and(Filed::waits_for_issuer));
                for (waiting, requester) in [(&mut self.awaited, dealer), (&mut self.silent, issuer)] {
                    if let Some(requester) = requester {
                        waiting.entry(id).or_insert((requester, at));
                    } else {
                        waiting.remove(&id);
                    }
                }
            }
        }
    }

    fn now(&mut self, id: Uuid, state: FiledState) {
        if let Some(filed) = self.open.get_mut(&id) {
            filed.state = state;
        }
    }
}
