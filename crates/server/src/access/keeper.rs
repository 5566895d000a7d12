//! The accounts of a node, in `node/accounts.json`, and the sign-ins that go through them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use registry::names::Person;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use webauthn_rs::prelude::{
    CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse,
    Webauthn,
};

use super::account::{Account, Standing};
use super::file::{AccountsFile, Agreement, newest};
use super::passkeys::relying_party;
use super::password::{self, fingerprint};
use super::refused::Refused;
use super::roles::{Action, Role, Roles};
use super::sessions::{Sessions, Stage};
use crate::config::{ConfigError, Node};
use crate::ledger::{Act, Ledger, LedgerError};

/// Accounts at one node.
const MOST: usize = 10_000;
/// Passwords that wait to be hashed; who comes then is told to try again instead of shutting the door for everybody.
const WAITING: usize = 64;

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
    /// The password is too short or too long.
    #[error("a password has 12 to 256 bytes")]
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

/// What a sign-in waits for: options for the browser's passkey dialogue.
#[derive(Debug)]
pub enum Step {
    /// A new passkey is to be made.
    Register(Box<CreationChallengeResponse>),
    /// A passkey is to sign.
    Sign(Box<RequestChallengeResponse>),
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// Who.
    pub person: Person,
    /// In which roles.
    pub roles: Roles,
    /// When the session ends at the latest.
    pub until: Timestamp,
}

/// Accounts and sessions of a node.
pub struct Access {
    passkeys: Option<Webauthn>,
    state: Mutex<State>,
    /// A password costs 19 MiB and some 20 ms: two at a time.
    hashing: Semaphore,
    /// Those that are hashed or wait for it.
    queue: Semaphore,
}

struct State {
    accounts: BTreeMap<Person, Account>,
    sessions: Sessions,
    file: AccountsFile,
    refused: Refused,
}

impl Access {
    /// Reads the accounts of a node.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read.
    pub fn open(node: &Node) -> Result<Self, ConfigError> {
        let (file, accounts) = AccountsFile::open(node)?;
        let accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        let state = State { accounts, sessions: Sessions::default(), file, refused: Refused::default() };
        Ok(Self {
            passkeys: relying_party(&node.config.url),
            state: Mutex::new(state),
            hashing: Semaphore::new(2),
            queue: Semaphore::new(WAITING),
        })
    }

    /// Compares the accounts with the log. A change that was entered and did not take effect before the node ended is
    /// entered as not completed.
    ///
    /// # Errors
    /// [`AccessError::File`] when the file is not that of the log.
    pub async fn reconcile(&self, ledger: &Ledger, now: Timestamp) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        let Some(last) = ledger.find(newest())? else {
            // The act that speaks of the file may not be missing where there was one.
            let gone = ledger.holds(newest())?;
            return if gone { Err(state.not_of_the_log()) } else { Ok(()) };
        };
        match state.file.agrees_with(&last.body) {
            Agreement::Holds => Ok(()),
            Agreement::OneBehind => {
                let act = json!({"change": "not completed", "entry": last.entered.index});
                state.keep(ledger, act, now).await
            }
            Agreement::Broken => Err(state.not_of_the_log()),
        }
    }

    /// Enters what the newest act says of the accounts once more, where its record is of an entry below a number: those are about
    /// to be erased.
    ///
    /// # Errors
    /// [`AccessError::Log`].
    pub(crate) async fn carry_over(
        &self,
        ledger: &Ledger,
        first: u64,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        match ledger.find(newest())? {
            Some(last) if last.entered.index < first => {
                state.keep(ledger, json!({"change": "carried over"}), now).await
            }
            _ => Ok(()),
        }
    }

    /// Makes an account and returns the token with which its owner sets password and passkey, within a week.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn invite(
        &self,
        (by, name, roles): (&str, Person, Roles),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<String, AccessError> {
        let mut state = self.state.lock().await;
        // Another spelling does not make another person.
        if let Some(taken) = state.accounts.keys().find(|known| known.is(&name)) {
            return Err(AccessError::Taken(taken.clone()));
        }
        if state.accounts.len() >= MOST {
            return Err(AccessError::Full);
        }
        let token = password::token();
        let act = json!({"change": "invited", "account": name, "roles": roles, "by": by});
        let account = Account::invited(name, roles, fingerprint(&token), now);
        state.change(ledger, (act, account), now).await?;
        Ok(token)
    }

    /// Gives an account other roles; its sessions end.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn set_roles(
        &self,
        (by, name, roles): (&Person, &Person, Roles),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        let mut account = state.of_another(by, name)?;
        let act = json!({"change": "roles", "account": name, "roles": roles, "by": by});
        account.roles = roles;
        state.change(ledger, (act, account), now).await
    }

    /// Closes an account; its sessions end.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn close(
        &self,
        (by, name): (&Person, &Person),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        let mut account = state.of_another(by, name)?;
        account.standing = Standing::Closed;
        let act = json!({"change": "closed", "account": name, "by": by});
        state.change(ledger, (act, account), now).await
    }

    /// Frees a locked or closed account: password and passkeys are void, and a new token invites its owner.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn invite_anew(
        &self,
        (by, name): (&str, &Person),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<String, AccessError> {
        let mut state = self.state.lock().await;
        if by == name.as_str() {
            return Err(AccessError::Own);
        }
        let mut account = state.account(name)?.clone();
        let token = password::token();
        account.invite(fingerprint(&token), now);
        let act = json!({"change": "invited anew", "account": name, "by": by});
        state.change(ledger, (act, account), now).await?;
        Ok(token)
    }

    /// Every account, by name.
    pub async fn list(&self) -> Vec<Account> {
        self.state.lock().await.accounts.values().cloned().collect()
    }

    /// Sets the password of an invited account; the passkey is to be made next.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn enrol(
        &self,
        (name, token, password): (&Person, &str, &str),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(String, Step), AccessError> {
        let passkeys = self.passkeys.as_ref().ok_or(AccessError::NoDomain)?;
        let token = fingerprint(token);
        // A hash is work: only for whoever holds a token.
        if !self.state.lock().await.is_invited(name, token, now) {
            return Err(self.refuse(name, ledger, now).await);
        }
        let hash = self.hashed(password).await?;
        let mut state = self.state.lock().await;
        let account = state.accounts.get(name).filter(|account| account.is_invited_by(token, now));
        let (id, shown) = (account.ok_or(AccessError::Failed)?.id, name.as_str());
        let (challenge, registration) =
            passkeys.start_passkey_registration(id, shown, shown, None).map_err(|_| AccessError::Failed)?;
        let stage = Stage::Registering { password: hash, state: Box::new(registration) };
        let session = state.sessions.begin(name.clone(), stage, now);
        Ok((session, Step::Register(Box::new(challenge))))
    }

    /// The first half of a sign-in.
    ///
    /// # Errors
    /// [`AccessError::Failed`] without saying why.
    pub async fn sign_in(
        &self,
        (name, password): (&Person, &str),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(String, Step), AccessError> {
        let hash = self.state.lock().await.accounts.get(name).and_then(|account| account.password.clone());
        let matches = self.matching(password, hash.clone()).await?;
        let mut state = self.state.lock().await;
        // Between the two locks the account may have been closed or given another password.
        let account = state.accounts.get(name).filter(|account| {
            account.standing == Standing::Active && account.password.is_some() && account.password == hash
        });
        let Some(account) = account.cloned() else {
            drop(state);
            return Err(self.refuse(name, ledger, now).await);
        };
        if !matches {
            state.failed(account, ledger, now).await?;
            return Err(AccessError::Failed);
        }
        let passkeys = self.passkeys.as_ref().ok_or(AccessError::NoDomain)?;
        let (challenge, asked) =
            passkeys.start_passkey_authentication(&account.passkeys).map_err(|_| AccessError::Failed)?;
        let session = state.sessions.begin(name.clone(), Stage::Asked(Box::new(asked)), now);
        Ok((session, Step::Sign(Box::new(challenge))))
    }

    /// The second half: the browser's answer to the passkey dialogue. Returns the secret of the session.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn finish(
        &self,
        (secret, credential): (&str, Value),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(String, Signed), AccessError> {
        let mut state = self.state.lock().await;
        let (person, stage) = state.sessions.take(secret, now).ok_or(AccessError::NoSession)?;
        let account = state.account(&person)?.clone();
        let Some((what, mut account)) = self.second_factor(account.clone(), stage, credential) else {
            state.failed(account, ledger, now).await?;
            return Err(AccessError::Failed);
        };
        account.used_at = now;
        account.failures.clear();
        let roles = account.roles.clone();
        state.change(ledger, (json!({"change": what, "account": person}), account), now).await?;
        let secret = state.sessions.begin(person.clone(), Stage::Full, now);
        let until = state.sessions.who(&secret, now).ok_or(AccessError::NoSession)?.1;
        Ok((secret, Signed { person, roles, until }))
    }

    /// Who is signed in with a secret.
    ///
    /// # Errors
    /// [`AccessError::NoSession`].
    pub async fn who(&self, secret: &str, now: Timestamp) -> Result<Signed, AccessError> {
        let mut state = self.state.lock().await;
        let (person, until) = state.sessions.who(secret, now).ok_or(AccessError::NoSession)?;
        let account = state.account(&person).map_err(|_| AccessError::NoSession)?;
        if !matches!(account.standing, Standing::Active | Standing::Locked) {
            return Err(AccessError::NoSession);
        }
        let roles = account.roles.clone();
        Ok(Signed { person, roles, until })
    }

    /// Who is signed in with a secret, if the roles permit an action.
    ///
    /// # Errors
    /// [`AccessError::NoSession`], [`AccessError::NotPermitted`].
    pub async fn permit(&self, secret: &str, action: Action, now: Timestamp) -> Result<Signed, AccessError> {
        let signed = self.who(secret, now).await?;
        if signed.roles.permit(action) { Ok(signed) } else { Err(AccessError::NotPermitted(signed.person)) }
    }

    /// Ends a session.
    pub async fn sign_out(&self, secret: &str) {
        self.state.lock().await.sessions.end(secret);
    }

    /// Closes accounts that nobody used for 90 days; returns how many.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn close_unused(&self, ledger: &Ledger, now: Timestamp) -> Result<usize, AccessError> {
        let mut state = self.state.lock().await;
        let mut unused: Vec<Account> = state.accounts.values().cloned().collect();
        unused.retain_mut(|account| account.expire(now));
        let count = unused.len();
        for account in unused {
            let act = json!({"change": "closed, unused for 90 days", "account": account.name});
            state.change(ledger, (act, account), now).await?;
        }
        Ok(count)
    }

    /// Whether there is an operator who can sign in or is invited to.
    pub async fn has_operator(&self) -> bool {
        let state = self.state.lock().await;
        state.accounts.values().any(|account| {
            account.roles.contains(Role::Operator)
                && matches!(account.standing, Standing::Active | Standing::Invited)
        })
    }

    fn second_factor(
        &self,
        mut account: Account,
        stage: Stage,
        credential: Value,
    ) -> Option<(&'static str, Account)> {
        let passkeys = self.passkeys.as_ref()?;
        match stage {
            Stage::Registering { password, state } if account.standing == Standing::Invited => {
                let credential: RegisterPublicKeyCredential = serde_json::from_value(credential).ok()?;
                let passkey = passkeys.finish_passkey_registration(&credential, &state).ok()?;
                account.password = Some(password);
                account.passkeys = vec![passkey];
                account.enrolment = None;
                account.standing = Standing::Active;
                Some(("enrolled", account))
            }
            Stage::Asked(state) if account.standing == Standing::Active => {
                let credential: PublicKeyCredential = serde_json::from_value(credential).ok()?;
                let result = passkeys.finish_passkey_authentication(&credential, &state).ok()?;
                for passkey in &mut account.passkeys {
                    passkey.update_credential(&result);
                }
                Some(("signed in", account))
            }
            _ => None,
        }
    }

    /// Counts a sign-in to an account that is not there or may not sign in, and says no more than for a wrong password.
    async fn refuse(&self, name: &Person, ledger: &Ledger, now: Timestamp) -> AccessError {
        let mut state = self.state.lock().await;
        let known = state.accounts.contains_key(name).then(|| name.clone());
        state.refused.count(known);
        state.settle(ledger, now, false).await.err().unwrap_or(AccessError::Failed)
    }

    /// Enters what was refused since the last time; at most once a minute unless the node stops.
    ///
    /// # Errors
    /// [`AccessError::Log`].
    pub async fn settle(&self, ledger: &Ledger, now: Timestamp, anyhow: bool) -> Result<(), AccessError> {
        self.state.lock().await.settle(ledger, now, anyhow).await
    }

    async fn hashed(&self, password: &str) -> Result<String, AccessError> {
        let _place = self.queue.try_acquire().map_err(|_| AccessError::Busy)?;
        let (password, turn) = (password.to_owned(), self.hashing.acquire().await);
        let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await;
        drop(turn);
        hash.ok().flatten().ok_or(AccessError::Password)
    }

    async fn matching(&self, password: &str, hash: Option<String>) -> Result<bool, AccessError> {
        let _place = self.queue.try_acquire().map_err(|_| AccessError::Busy)?;
        let (password, turn) = (password.to_owned(), self.hashing.acquire().await);
        let matches =
            tokio::task::spawn_blocking(move || password::matches(&password, hash.as_deref())).await;
        drop(turn);
        Ok(matches.unwrap_or(false))
    }
}

impl State {
    fn not_of_the_log(&self) -> AccessError {
        AccessError::File(self.file.damaged(
            "it is not the file that the log speaks of\nhint: put back the newest one; accounts are changed by \
             `microstamp account` and by operators only"
                .to_owned(),
        ))
    }

    fn account(&self, name: &Person) -> Result<&Account, AccessError> {
        self.accounts.get(name).ok_or_else(|| AccessError::Unknown(name.clone()))
    }

    fn of_another(&self, by: &Person, name: &Person) -> Result<Account, AccessError> {
        if by == name {
            return Err(AccessError::Own);
        }
        self.account(name).cloned()
    }

    fn is_invited(&self, name: &Person, token: [u8; 32], now: Timestamp) -> bool {
        self.accounts.get(name).is_some_and(|account| account.is_invited_by(token, now))
    }

    /// Counts a failure at once, whether the log takes it or not: who guesses must not win by a full disk.
    async fn failed(
        &mut self,
        mut account: Account,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let (name, locks) = (account.name.clone(), account.fail(now));
        self.accounts.insert(name.clone(), account);
        if locks {
            // A session that password and passkey opened goes on: whoever guesses names must not stop a whole desk.
            self.sessions.end_begun(&name);
        }
        let what = if locks { "locked" } else { "sign-in failed" };
        self.keep(ledger, json!({"change": what, "account": name}), now).await
    }

    /// Changes an account: no log, no change.
    async fn change(
        &mut self,
        ledger: &Ledger,
        (act, account): (Value, Account),
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let name = account.name.clone();
        let before = self.accounts.get(&name).cloned();
        let ends = account.standing != Standing::Active
            || before.as_ref().is_some_and(|before| before.roles != account.roles);
        self.accounts.insert(name.clone(), account);
        if let Err(error) = self.keep(ledger, act, now).await {
            match before {
                Some(before) => self.accounts.insert(name, before),
                None => self.accounts.remove(&name),
            };
            return Err(error);
        }
        if ends {
            self.sessions.end_all(&name);
        }
        Ok(())
    }

    /// Enters an act, then writes the file that it leads to.
    async fn keep(&mut self, ledger: &Ledger, act: Value, now: Timestamp) -> Result<(), AccessError> {
        let bytes = self.file.bytes_of(self.accounts.values())?;
        let act = Act::new("account", self.file.leading_to(&bytes, act)).found_by(newest());
        ledger.enter(&[act], now).await?;
        Ok(self.file.write(&bytes)?)
    }

    async fn settle(&mut self, ledger: &Ledger, now: Timestamp, anyhow: bool) -> Result<(), AccessError> {
        let Some(act) = self.refused.due(now, anyhow) else { return Ok(()) };
        ledger.enter(&[Act::new("account", act)], now).await?;
        self.refused.entered(now);
        Ok(())
    }
}
