//! One account: who, in which roles, and whether it may sign in.

use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

use super::roles::{Action, Roles};

/// Failures within [`WINDOW`] that lock an account (CJIS AC-7).
const FAILURES: usize = 5;
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Without a sign-in for so long an account is closed (CJIS AC-2(3)).
const UNUSED: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long an enrolment token holds.
const ENROLMENT: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Whether an account may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has no password and passkey yet.
    Invited,
    /// It has both, and waits until somebody else than invited it has confirmed whose they are.
    Unconfirmed,
    /// It may.
    Active,
    /// Too many failures; an operator frees it.
    Locked,
    /// Closed by an operator, or unused for 90 days.
    Closed,
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Who; this name goes into questions and approvals.
    pub name: Person,
    /// What the account may do.
    pub roles: Roles,
    /// Whether it may sign in.
    pub standing: Standing,
    /// When it was made, freed or last used.
    pub used_at: Timestamp,
    /// Who invited it last; that person does not confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) invited_by: Option<String>,
    /// Roles that wait for somebody else's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Proposal>,
    pub(super) id: Uuid,
    pub(super) password: Option<String>,
    pub(super) passkeys: Vec<Passkey>,
    pub(super) enrolment: Option<Enrolment>,
    pub(super) failures: Vec<Timestamp>,
}

/// Roles that an operator gave an account, and that somebody else must confirm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Which.
    pub roles: Roles,
    /// Who gave them.
    pub by: String,
}

/// An invitation to set password and passkey.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolment {
    /// SHA-256 of the token, hexadecimal.
    fingerprint: String,
    until: Timestamp,
}

impl Account {
    /// An account that is invited with a token.
    pub(super) fn invited(
        (by, name, roles): (&str, Person, Roles),
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Self {
        let mut account = Self {
            name,
            roles,
            standing: Standing::Invited,
            used_at: now,
            invited_by: None,
            proposed: None,
            id: Uuid::now_v7(),
            password: None,
            passkeys: Vec::new(),
            enrolment: None,
            failures: Vec::new(),
        };
        account.invite(by, fingerprint, now);
        account
    }

    /// Takes password and passkeys away and invites anew.
    pub(super) fn invite(&mut self, by: &str, fingerprint: [u8; 32], now: Timestamp) {
        self.invited_by = Some(by.to_owned());
        let until = now.checked_add(ENROLMENT).unwrap_or(Timestamp::MAX);
        self.enrolment = Some(Enrolment { fingerprint: hex::encode(fingerprint), until });
        self.standing = Standing::Invited;
        self.used_at = now;
        self.password = None;
        self.passkeys.clear();
        self.failures.clear();
    }

    /// Whether this token invites now.
    pub(super) fn is_invited_by(&self, fingerprint: [u8; 32], now: Timestamp) -> bool {
        self.standing == Standing::Invited
            && self
                .enrolment
                .as_ref()
                .is_some_and(|one| one.until > now && one.fingerprint == hex::encode(fingerprint))
    }

    /// What to compare with its owner: the first half of the SHA-256 of its passkey's public key, in groups of four digits.
    pub(super) fn passkey(&self) -> Option<String> {
        let key = serde_json::to_vec(self.passkeys.first()?.get_public_key()).ok()?;
        let hash = hex::encode(&Sha256::digest(key)[..16]);
        let groups: Vec<&str> = (0..hash.len()).step_by(4).map(|at| &hash[at..at + 4]).collect();
        Some(groups.join(" "))
    }

    /// Whether it oversees others: it can confirm accounts.
    pub(super) fn oversees(&self) -> bool {
        self.standing == Standing::Active && self.roles.permit(Action::ConfirmAccounts)
    }

    /// Counts a failed sign-in; true when it is the one that locks.
    pub(super) fn fail(&mut self, now: Timestamp) -> bool {
        self.failures.retain(|at| now.duration_since(*at) < WINDOW);
        self.failures.push(now);
        let locks = self.standing == Standing::Active && self.failures.len() >= FAILURES;
        if locks {
            self.standing = Standing::Locked;
        }
        locks
    }

    /// Closes an account that nobody used; true when it was open until now.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let open = matches!(self.standing, Standing::Active | Standing::Unconfirmed);
        let expires = open && now.duration_since(self.used_at) > UNUSED;
        if expires {
            self.standing = Standing::Closed;
        }
        expires
    }
}
