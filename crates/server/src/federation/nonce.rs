//! Which requests were seen: a nonce is good once.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use super::exchange::SignedRequest;
use crate::problem::{Problem, ProblemKind};

/// Most requests remembered: ten minutes at 200 a second, and more.
const LIMIT: usize = 200_000;
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
        let known = nonces.iter().map(|(_, key, nonce)| (key.clone(), nonce.clone())).collect();
        Self { seen: Mutex::new(Seen { known, by_expiry: nonces.into_iter().collect() }) }
    }
}

#[derive(Debug, Default)]
struct Seen {
    known: HashSet<(String, String)>,
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
            seen.known.remove(&(key, nonce));
        }
        let (key, nonce) = (request.key_id.clone(), request.nonce.clone());
        if seen.known.contains(&(key.clone(), nonce.clone())) {
            return Err(ProblemKind::Replayed.because("this nonce was used before; sign the request anew"));
        }
        if seen.known.len() >= LIMIT {
            return Err(ProblemKind::Busy.because("too many requests at once; ask again in a moment"));
        }
        seen.by_expiry.insert((request.expires, key.clone(), nonce.clone()));
        seen.known.insert((key, nonce));
        Ok(())
    }
}
