//! Why somebody does not get in, or an account is not changed.

use registry::names::Person;

use super::keeper::MOST;
use crate::config::ConfigError;
use crate::ledger::LedgerError;

/// Why somebody may not, or may not yet.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Name, password, token, passkey, or the account's standing: which of them is not said.
    #[error(
        "signing in failed\nhint: after five failures within 15 minutes an account is locked until an operator frees it"
    )]
    Failed,
    /// No session, or one that has ended.
    #[error("nobody is signed in with this session\nhint: sign in again")]
    NoSession,
    /// The roles do not permit it.
    #[error("this is not for the roles of {0}")]
    NotPermitted(Person),
    /// The password is too short, too long, or too easily guessed.
    #[error(
        "a password has 12 to 256 bytes, and is none that many use, no repetition, no row of the keyboard and not the name\nhint: four \
         words that do not belong together are a good one"
    )]
    Password,
    /// There is such an account already.
    #[error("there is an account `{0}` already")]
    Taken(Person),
    /// There is none.
    #[error("there is no account `{0}`")]
    Unknown(Person),
    /// An operator changes its own account.
    #[error("nobody changes the own account\nhint: another operator does")]
    Own,
    /// It waits for nobody's word, or for no such passkey.
    #[error(
        "`{0}` has not set up that passkey, or waits for nobody's word\nhint: ask its owner what was shown after enrolling"
    )]
    NotAwaited(Person),
    /// Who invited somebody vouches for them.
    #[error("whoever invited {0} does not confirm them\nhint: an auditor does, or another operator")]
    Inviter(Person),
    /// Whoever gave roles does not say that they are right.
    #[error("whoever gave {0} these roles does not confirm them\nhint: an auditor does, or another operator")]
    Proposer(Person),
    /// No such roles wait.
    #[error("no such roles of `{0}` wait for anybody's word\nhint: look at the account, and name them all")]
    NotProposed(Person),
    /// Too many sign-ins from one address failed.
    #[error(
        "too many sign-ins from this address failed\nhint: wait a quarter of an hour; nothing was counted"
    )]
    Slowed,
    /// Too many passwords wait to be looked at.
    #[error("too many people sign in at this moment\nhint: try again in a moment; nothing was counted")]
    Busy,
    /// Too many accounts.
    #[error("a node holds at most {MOST} accounts")]
    Full,
    /// The node's address is no name that a passkey can be bound to.
    #[error("passkeys need a public address with a domain name; that of this node has none")]
    NoDomain,
    /// The log did not take the entry; nothing was changed.
    #[error(transparent)]
    Log(#[from] LedgerError),
    /// The file.
    #[error(transparent)]
    File(#[from] ConfigError),
}
