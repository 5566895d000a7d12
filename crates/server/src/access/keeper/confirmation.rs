//! What takes two: an account signs in, and gets roles that count, when somebody else has said so.

use jiff::Timestamp;
use registry::names::Person;
use serde_json::json;

use super::{Access, is_named};
use crate::access::account::{Account, Proposal, Standing};
use crate::access::error::AccessError;
use crate::access::roles::Roles;
use crate::ledger::Ledger;

/// What is said of an account by somebody else than acted before.
#[derive(Debug)]
pub enum Word<'w> {
    /// That this passkey, as its fingerprint is shown, is its owner's.
    Passkey(&'w str),
    /// That it is to have these roles, which an operator gave it.
    Roles(&'w Roles),
}

impl Access {
    /// Gives an account other roles; its sessions end. Roles that ask, approve, audit or keep accounts wait for the word of somebody
    /// else: so no operator alone makes itself an approver. Whether they wait.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn set_roles(
        &self,
        (by, name, roles): (&Person, &Person, Roles),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<bool, AccessError> {
        let mut state = self.state.lock().await;
        let mut account = state.of_another(by, name)?;
        let waits = roles.gain_over(&account.roles);
        let change = if waits { "roles wait for a confirmation" } else { "roles" };
        let act = json!({"change": change, "account": name, "roles": roles, "by": by});
        if waits {
            account.proposed = Some(Proposal { roles, by: by.to_string() });
        } else {
            (account.roles, account.proposed) = (roles, None);
        }
        state.change(ledger, (act, account), now).await?;
        Ok(waits)
    }

    /// Lets an account that was set up sign in, or have the roles that it was given, on the word of somebody else than invited it or
    /// gave them. Whoever says so has asked the passkey's owner. So no operator alone makes two people of itself.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn confirm(
        &self,
        (by, name, word): (&str, &Person, Word<'_>),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        let mut account = state.account(name)?.clone();
        if is_named(name, by) {
            return Err(AccessError::Own);
        }
        let change = match word {
            Word::Passkey(passkey) => {
                take_passkey(&mut account, (by, passkey))?;
                account.used_at = now;
                "confirmed"
            }
            Word::Roles(roles) => {
                take_roles(&mut account, (by, roles))?;
                "roles confirmed"
            }
        };
        let act = json!({
            "change": change, "account": name, "by": by, "roles": account.roles, "passkey": account.passkey(),
        });
        state.change(ledger, (act, account), now).await
    }
}

fn take_passkey(account: &mut Account, (by, passkey): (&str, &str)) -> Result<(), AccessError> {
    let name = &account.name;
    if account.invited_by.as_deref().is_some_and(|inviter| is_same(inviter, by)) {
        return Err(AccessError::Inviter(name.clone()));
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
    let own = account.passkey().filter(|_| account.standing == Standing::Unconfirmed);
    if own.is_none_or(|own| digits(&own) != digits(passkey)) {
        return Err(AccessError::NotAwaited(name.clone()));
    }
    account.standing = Standing::Active;
    Ok(())
}

fn take_roles(account: &mut Account, (by, roles): (&str, &Roles)) -> Result<(), AccessError> {
    match account.proposed.take() {
        Some(proposed) if is_same(&proposed.by, by) => Err(AccessError::Proposer(account.name.clone())),
        Some(proposed) if proposed.roles == *roles => {
            account.roles = proposed.roles;
            Ok(())
        }
        _ => Err(AccessError::NotProposed(account.name.clone())),
    }
}

/// Whether two who acted are one.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.parse().is_ok_and(|one: Person| is_named(&one, other))
}
