//! The one thread on which passwords are hashed. One hash costs 19 MiB and some 20 ms: on threads that come and go the
//! allocator would keep that much for each of them.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use super::error::AccessError;
use super::password;
use crate::config::ConfigError;

/// Passwords that wait to be hashed; who comes then is told to try again instead of shutting the door for everybody.
const WAITING: usize = 64;

/// Passwords go in, and what becomes of them comes out. Dropped, it ends its thread.
pub(super) struct Hasher(SyncSender<Job>);

enum Job {
    Hash(String, oneshot::Sender<Option<String>>),
    Match(String, Option<String>, oneshot::Sender<bool>),
}

impl Hasher {
    pub(super) fn start() -> Result<Self, ConfigError> {
        let (jobs, incoming) = sync_channel(WAITING);
        let started = thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&incoming));
        let cannot = |source| ConfigError::Folder { what: "cannot start", path: "a thread".into(), source };
        started.map(|_| Self(jobs)).map_err(cannot)
    }

    /// The hash of a password; not allowed where it is too short, too long, or too easily guessed.
    pub(super) async fn hash(&self, password: &str) -> Result<String, AccessError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Hash(password.to_owned(), done))?;
        answer.await.ok().flatten().ok_or(AccessError::Password)
    }

    /// Whether a password is that of a hash; it takes as long where there is none.
    pub(super) async fn matches(&self, password: &str, hash: Option<String>) -> Result<bool, AccessError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Match(password.to_owned(), hash, done))?;
        Ok(answer.await.unwrap_or(false))
    }

    fn send(&self, job: Job) -> Result<(), AccessError> {
        self.0.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => AccessError::Busy,
        })
    }
}

fn work(incoming: &Receiver<Job>) {
    while let Ok(job) = incoming.recv() {
        // Whoever hung up meanwhile guessed all the same: its request waits for the answer to the end.
        match job {
            Job::Hash(password, done) => {
                let _ = done.send(password::hash(&password));
            }
            Job::Match(password, hash, done) => {
                let _ = done.send(password::matches(&password, hash.as_deref()));
            }
        }
    }
}
