//! Sign-ins to accounts that do not exist or may not sign in. They go into the log together, once a minute, so that nobody
//! fills the disk with them. What was typed as a name is not kept where there is no such account: it may be a password.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde_json::{Value, json};

/// At most one entry in this time.
const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Accounts and addresses that one entry names; the rest is counted together.
const NAMED: usize = 200;

/// Sign-ins refused since the last entry.
#[derive(Default)]
pub(super) struct Refused {
    /// `None` where there is no such account.
    counts: BTreeMap<(Option<Person>, Option<IpAddr>), u64>,
    others: u64,
    entered: Option<Timestamp>,
}

impl Refused {
    pub(super) fn count(&mut self, account: Option<Person>, from: Option<IpAddr>) {
        let key = (account, from);
        if self.counts.len() >= NAMED && !self.counts.contains_key(&key) {
            self.others += 1;
        } else {
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// What is to be entered at `now`; `anyhow` when the node stops.
    pub(super) fn due(&self, now: Timestamp, anyhow: bool) -> Option<Value> {
        let early = self.entered.is_some_and(|at| (now.duration_since(at)).abs() < EVERY);
        if self.counts.is_empty() || (early && !anyhow) {
            return None;
        }
        let line = |((account, from), count): (&(Option<Person>, Option<IpAddr>), &u64)| json!({"account": account, "from": from, "count": count});
        let refused: Vec<Value> = self.counts.iter().map(line).collect();
        Some(json!({"change": "sign-ins refused", "refused": refused, "others": self.others}))
    }

    /// It was entered.
    pub(super) fn entered(&mut self, now: Timestamp) {
        self.counts.clear();
        self.others = 0;
        self.entered = Some(now);
    }
}
