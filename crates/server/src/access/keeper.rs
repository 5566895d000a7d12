//! The accounts of a node, in `node/accounts.json`, and the sign-ins that go through them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use registry::names::Person;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use webauthn_rs::prelude::{
    CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse,
    Webauthn,
};

use super::account::{Account, Standing};
use super::passkeys::relying_party;
use super::password::{self, fingerprint};
use super::roles::{Action, Role, Roles};
use super::sessions::{Sessions, Stage};
use crate::config::{ConfigError, Node, replace};
use crate::ledger::{Act, Ledger, LedgerError};

/// Accounts at one node.
const MOST: usize = 10_000;

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
    path: PathBuf,
    passkeys: Option<Webauthn>,
    state: Mutex<State>,
    /// A password costs 19 MiB and some 20 ms: two at a time.
    hashing: Semaphore,
}

struct State {
    accounts: BTreeMap<Person, Account>,
    sessions: Sessions,
}

impl Access {
    /// Reads the accounts of a node.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read.
    pub fn open(node: &Node) -> Result<Self, ConfigError> {
        let path = node.folder.join("accounts.json");
        let accounts: Vec<Account> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| ConfigError::Damaged { path: path.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(ConfigError::Folder { what: "cannot read", path, source }),
        };
        let accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        Ok(Self {
            path,
            passkeys: relying_party(&node.config.url),
            state: Mutex::new(State { accounts, sessions: Sessions::default() }),
            hashing: Semaphore::new(2),
        })
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
        if state.accounts.contains_key(&name) {
            return Err(AccessError::Taken(name));
        }
        if state.accounts.len() >= MOST {
            return Err(AccessError::Full);
        }
        let token = password::token();
        let act = json!({"change": "invited", "account": name, "roles": roles, "by": by});
        let account = Account::invited(name, roles, fingerprint(&token), now);
        self.change(&mut state, ledger, (act, account), now).await?;
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
        self.change(&mut state, ledger, (act, account), now).await
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
        self.change(&mut state, ledger, (act, account), now).await
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
        self.change(&mut state, ledger, (act, account), now).await?;
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
        now: Timestamp,
    ) -> Result<(String, Step), AccessError> {
        let passkeys = self.passkeys.as_ref().ok_or(AccessError::NoDomain)?;
        let invited = |state: &State| {
            state.accounts.get(name).is_some_and(|account| account.is_invited_by(fingerprint(token), now))
        };
        // A password costs much: first the token.
        if !invited(&*self.state.lock().await) {
            return Err(AccessError::Failed);
        }
        let hash = self.hashed(password).await?;
        let mut state = self.state.lock().await;
        let account = state.accounts.get(name).ok_or(AccessError::Failed)?;
        if !account.is_invited_by(fingerprint(token), now) {
            return Err(AccessError::Failed);
        }
        let (id, shown) = (account.id, name.as_str());
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
        let matches = self.matching(password, hash.clone()).await;
        let mut state = self.state.lock().await;
        let account = state.accounts.get(name).cloned();
        // Between the two locks the account may have been closed or given another password.
        let active =
            account.filter(|account| account.standing == Standing::Active && account.password == hash);
        let Some(account) = active else {
            // Entered as any other failure, so that it takes as long; a name that is nobody's is not written down.
            let known = state.accounts.contains_key(name).then_some(name);
            let act = json!({"change": "sign-in failed", "account": known});
            ledger.enter(&[Act::new("account", act)], now).await?;
            return Err(AccessError::Failed);
        };
        if !matches {
            self.failed(&mut state, account, ledger, now).await?;
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
            self.failed(&mut state, account, ledger, now).await?;
            return Err(AccessError::Failed);
        };
        account.used_at = now;
        account.failures.clear();
        let roles = account.roles.clone();
        self.change(&mut state, ledger, (json!({"change": what, "account": person}), account), now).await?;
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
        if account.standing != Standing::Active {
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
            self.change(&mut state, ledger, (act, account), now).await?;
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

    async fn failed(
        &self,
        state: &mut MutexGuard<'_, State>,
        mut account: Account,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let what = if account.fail(now) { "locked" } else { "sign-in failed" };
        let act = json!({"change": what, "account": account.name});
        self.change(state, ledger, (act, account), now).await
    }

    /// Enters the act, then writes the account, then lets it hold: no log, no change.
    async fn change(
        &self,
        state: &mut MutexGuard<'_, State>,
        ledger: &Ledger,
        (act, account): (Value, Account),
        now: Timestamp,
    ) -> Result<(), AccessError> {
        ledger.enter(&[Act::new("account", act)], now).await?;
        let name = account.name.clone();
        let ends = account.standing != Standing::Active
            || state.accounts.get(&name).is_some_and(|before| before.roles != account.roles);
        let before = state.accounts.insert(name.clone(), account);
        let all: Vec<&Account> = state.accounts.values().collect();
        if let Err(error) = save(&self.path, &all) {
            match before {
                Some(before) => state.accounts.insert(name, before),
                None => state.accounts.remove(&name),
            };
            return Err(error.into());
        }
        if ends {
            state.sessions.end_all(&name);
        }
        Ok(())
    }

    async fn hashed(&self, password: &str) -> Result<String, AccessError> {
        let (password, turn) = (password.to_owned(), self.hashing.acquire().await);
        let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await;
        drop(turn);
        hash.ok().flatten().ok_or(AccessError::Password)
    }

    async fn matching(&self, password: &str, hash: Option<String>) -> bool {
        let (password, turn) = (password.to_owned(), self.hashing.acquire().await);
        let matches =
            tokio::task::spawn_blocking(move || password::matches(&password, hash.as_deref())).await;
        drop(turn);
        matches.unwrap_or(false)
    }
}

impl State {
    fn account(&self, name: &Person) -> Result<&Account, AccessError> {
        self.accounts.get(name).ok_or_else(|| AccessError::Unknown(name.clone()))
    }

    fn of_another(&self, by: &Person, name: &Person) -> Result<Account, AccessError> {
        if by == name {
            return Err(AccessError::Own);
        }
        self.account(name).cloned()
    }
}

/// Writes the accounts for the owner's eyes only, whole or not at all.
fn save(path: &Path, accounts: &[&Account]) -> Result<(), ConfigError> {
    let bytes = serde_json::to_vec_pretty(accounts)
        .map_err(|error| ConfigError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    replace(path, &bytes)
}
