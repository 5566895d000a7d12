//! Which requests were seen: a nonce is good once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::exchange::SignedRequest;
use crate::problem::{Problem, ProblemKind};

/// Most requests remembered.
const LIMIT: usize = 1_000_000;
/// Most requests remembered of one key: for the three minutes that they are kept, 300 a second. One caller cannot keep others out.
const PER_KEY: usize = 60_000;
/// Seconds for which a nonce is remembered after the request expired; longer than clocks may differ.
const KEPT: i64 = 120;

/// Remembers the nonces of requests until they have expired for certain.
#[derive(Debug, Default)]
pub(crate) struct ReplayCache {
    seen: Mutex<Seen>,
}

/// When a request expired, its key and its nonce.
pub(crate) type Nonce = (i64, String, String);

impl From<Vec<Nonce>> for ReplayCache {
    fn from(nonces: Vec<Nonce>) -> Self {
        let mut seen = Seen::default();
        for nonce in nonces {
            seen.put(nonce);
        }
        Self { seen: Mutex::new(seen) }
    }
}

#[derive(Debug, Default)]
struct Seen {
    known: HashMap<String, HashSet<String>>,
    by_expiry: BTreeSet<(i64, String, String)>,
}

impl ReplayCache {
    /// What must still be remembered at `now`.
    pub(crate) fn held(&self, now: i64) -> Vec<Nonce> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by_expiry.iter().filter(|(expires, ..)| expires + KEPT >= now).cloned().collect()
    }

    /// Remembers a request, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// `replayed` when it was seen before; `busy` when the memory is full, because a request that cannot be remembered
    /// cannot be answered.
    pub(crate) fn remember(&self, request: &SignedRequest, now: i64) -> Result<(), Problem> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((expires, key, nonce)) = seen.by_expiry.first().cloned() {
            if expires + KEPT >= now {
                break;
            }
            seen.by_expiry.pop_first();
            if let Some(known) = seen.known.get_mut(&key) {
                known.remove(&nonce);
            }
            if seen.known.get(&key).is_some_and(HashSet::is_empty) {
                seen.known.remove(&key);
            }
        }
        let known = seen.known.get(&request.key_id);
        if known.is_some_and(|known| known.contains(&request.nonce)) {
            return Err(ProblemKind::Replayed.because("this nonce was used before; sign the request anew"));
        }
        if seen.by_expiry.len() >= LIMIT || known.is_some_and(|known| known.len() >= PER_KEY) {
            return Err(ProblemKind::Busy.because("too many requests at once; ask again in a moment"));
        }
        seen.put((request.expires, request.key_id.clone(), request.nonce.clone()));
        Ok(())
    }
}

impl Seen {
    fn put(&mut self, (expires, key, nonce): Nonce) {
        self.known.entry(key.clone()).or_default().insert(nonce.clone());
        self.by_expiry.insert((expires, key, nonce));
    }
}
