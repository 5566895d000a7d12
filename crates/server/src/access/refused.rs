//! What was refused to people, counted: sign-ins to accounts that do not exist or may not sign in, and acts that somebody may not
//! do. They go into the log together, once a minute, so that nobody fills the disk with them. What was typed as a name is not
//! kept where there is no such account: it may be a password.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde::Serialize;
use serde_json::{Value, json};

/// At most one entry in this time.
const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How many different ones an entry names; the rest is counted together.
const NAMED: usize = 200;

/// A sign-in that was refused.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SignIn {
    /// `None` where there is no such account.
    pub(super) account: Option<Person>,
    pub(super) from: Option<IpAddr>,
}

/// An act that was refused.
#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefusedAct {
    /// Who; `None` where what was shown is no session of anybody.
    pub(crate) by: Option<String>,
    /// Method and path, as a template: what was asked for, and of no matter which question or account.
    pub(crate) asked: String,
    /// HTTP status.
    pub(crate) status: u16,
    pub(crate) from: Option<IpAddr>,
}

/// What was refused since the last entry.
pub(super) struct Refused<K> {
    counts: BTreeMap<K, u64>,
    others: u64,
    entered: Option<Timestamp>,
}

impl<K> Default for Refused<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), others: 0, entered: None }
    }
}

impl<K: Ord + Serialize> Refused<K> {
    pub(super) fn count(&mut self, key: K) {
        if self.counts.len() >= NAMED && !self.counts.contains_key(&key) {
            self.others += 1;
        } else {
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// What is to be entered at `now`; `anyhow` when the node stops.
    pub(super) fn due(&self, change: &str, (now, anyhow): (Timestamp, bool)) -> Option<Value> {
        let early = self.entered.is_some_and(|at| (now.duration_since(at)).abs() < EVERY);
        if self.counts.is_empty() || (early && !anyhow) {
            return None;
        }
        let line = |(key, count): (&K, &u64)| {
            let mut line = json!(key);
            line["count"] = json!(count);
            line
        };
        let refused: Vec<Value> = self.counts.iter().map(line).collect();
        Some(json!({"change": change, "refused": refused, "others": self.others}))
    }

    /// It was entered.
    pub(super) fn entered(&mut self, now: Timestamp) {
        self.counts.clear();
        self.others = 0;
        self.entered = Some(now);
    }
}
