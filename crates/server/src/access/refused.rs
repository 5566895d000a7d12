//! Sign-ins to accounts that do not exist or may not sign in. They go into the log together, once a minute, so that nobody
//! fills the disk with them. What was typed as a name is not kept where there is no such account: it may be a password.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde_json::{Value, json};

/// At most one entry in this time.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Sign-ins refused since the last entry.
#[derive(Default)]
pub(super) struct Refused {
    /// `None` where there is no such account.
    counts: BTreeMap<Option<Person>, u64>,
    entered: Option<Timestamp>,
}

impl Refused {
    pub(super) fn count(&mut self, account: Option<Person>) {
        *self.counts.entry(account).or_default() += 1;
    }

    /// What is to be entered at `now`; `anyhow` when the node stops.
    pub(super) fn due(&self, now: Timestamp, anyhow: bool) -> Option<Value> {
        let early = self.entered.is_some_and(|at| (now.duration_since(at)).abs() < EVERY);
        if self.counts.is_empty() || (early && !anyhow) {
            return None;
        }
        let known = self.counts.iter().filter_map(|(account, count)| Some((account.as_ref()?, count)));
        let known: Vec<Value> =
            known.map(|(account, count)| json!({"account": account, "count": count})).collect();
        let unknown = self.counts.get(&None).copied().unwrap_or_default();
        Some(json!({"change": "sign-ins refused", "unknown": unknown, "accounts": known}))
    }

    /// It was entered.
    pub(super) fn entered(&mut self, now: Timestamp) {
        self.counts.clear();
        self.entered = Some(now);
    }
}
