//! Who may do what at a node: accounts with passwords and passkeys, roles, sessions, lock-out.
//!
//! A person signs in with a password and a passkey, both, and acts in the roles that the account holds. Nobody holds two of
//! requester, approver and auditor. Whatever changes an account is entered in the node's log before it takes effect.
//! `docs/access.md` names the test behind every control.

mod account;
mod error;
mod file;
mod hasher;
mod keeper;
mod passkeys;
mod password;
mod refused;
mod roles;
mod sessions;
mod slowed;

pub use account::{Account, Proposal, Standing};
pub use error::AccessError;
pub use keeper::{Access, Finished, MACHINE, Signed, Step, Word};
pub(crate) use refused::RefusedAct;
pub use roles::{Action, Role, Roles, RolesError, permits};
pub use sessions::{ABSOLUTE, IDLE};
pub(crate) use slowed::party;
