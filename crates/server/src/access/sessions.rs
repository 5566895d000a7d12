//! Sessions: a secret that the caller holds and this process knows only by its hash. They end with the process.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use webauthn_rs::prelude::{PasskeyAuthentication, PasskeyRegistration};

use super::password::{fingerprint, token};

/// A session that nobody used for so long ends (CJIS AC-11).
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Every session ends after so long.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// A sign-in that has begun ends after so long.
const BEGUN: SignedDuration = SignedDuration::from_mins(5);
/// Sessions at the same time; the one that was unused longest gives way.
const MOST: usize = 10_000;

/// How far a sign-in has come.
pub(super) enum Stage {
    /// The password was right; a passkey is to be registered.
    Registering { password: String, state: Box<PasskeyRegistration> },
    /// The password was right; the passkey is awaited.
    Asked(Box<PasskeyAuthentication>),
    /// Signed in.
    Full,
}

struct Session {
    person: Person,
    stage: Stage,
    begun: Timestamp,
    seen: Timestamp,
}

/// Every session of a node.
#[derive(Default)]
pub(super) struct Sessions(HashMap<[u8; 32], Session>);

impl Sessions {
    /// Begins one and returns its secret.
    pub(super) fn begin(&mut self, person: Person, stage: Stage, now: Timestamp) -> String {
        self.0.retain(|_, session| session.holds(now));
        if self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.seen).map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        let secret = token();
        self.0.insert(fingerprint(&secret), Session { person, stage, begun: now, seen: now });
        secret
    }

    /// Who is signed in with this secret, and until when at most.
    pub(super) fn who(&mut self, secret: &str, now: Timestamp) -> Option<(Person, Timestamp)> {
        let session = self.0.get_mut(&fingerprint(secret)).filter(|session| session.holds(now))?;
        matches!(session.stage, Stage::Full).then(|| {
            session.seen = now;
            let end = session.begun.checked_add(ABSOLUTE).unwrap_or(Timestamp::MAX);
            (session.person.clone(), end)
        })
    }

    /// Takes a sign-in that has begun: its challenge can be answered once.
    pub(super) fn take(&mut self, secret: &str, now: Timestamp) -> Option<(Person, Stage)> {
        let session = self.0.remove(&fingerprint(secret)).filter(|session| session.holds(now))?;
        Some((session.person, session.stage))
    }

    /// Ends one session.
    pub(super) fn end(&mut self, secret: &str) {
        self.0.remove(&fingerprint(secret));
    }

    /// Ends what a person has begun and not finished: sign-ins that wait for a passkey.
    pub(super) fn end_begun(&mut self, person: &Person) {
        self.0.retain(|_, session| session.person != *person || matches!(session.stage, Stage::Full));
    }

    /// Ends every session of a person.
    pub(super) fn end_all(&mut self, person: &Person) {
        self.0.retain(|_, session| session.person != *person);
    }
}

impl Session {
    fn holds(&self, now: Timestamp) -> bool {
        let (age, idle) = (now.duration_since(self.begun), now.duration_since(self.seen));
        match self.stage {
            Stage::Full => age < ABSOLUTE && idle < IDLE,
            _ => age < BEGUN,
        }
    }
}
