//! The accounts of a node, in `node/accounts.json`, and the sign-ins that go through them.

mod confirmation;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use registry::names::Person;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use webauthn_rs::prelude::{
    CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse,
    Webauthn,
};

pub use self::confirmation::Word;
use super::account::{Account, Standing};
use super::error::AccessError;
use super::file::{AccountsFile, Agreement, newest};
use super::hasher::Hasher;
use super::passkeys::relying_party;
use super::password::{self, fingerprint, is_common};
use super::refused::{Refused, RefusedAct, SignIn};
use super::roles::{Action, Role, Roles};
use super::sessions::{Sessions, Stage};
use super::slowed::Slowed;
use crate::config::{ConfigError, Node};
use crate::ledger::{Act, Ledger};

/// Who acts when a command is given on the node's own machine.
pub const MACHINE: &str = "this machine";
/// Accounts at one node.
pub(super) const MOST: usize = 10_000;

/// What a sign-in waits for: options for the browser's passkey dialogue.
#[derive(Debug)]
pub enum Step {
    /// A new passkey is to be made.
    Register(Box<CreationChallengeResponse>),
    /// A passkey is to sign.
    Sign(Box<RequestChallengeResponse>),
}

/// What the second half of a sign-in leads to.
#[derive(Debug)]
pub enum Finished {
    /// A session, and its secret.
    Signed(String, Signed),
    /// The account was set up, and waits until somebody else has confirmed this passkey.
    Waits {
        /// Whose it is.
        person: Person,
        /// What its owner tells whoever confirms it.
        passkey: String,
    },
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
    /// Whether addresses tell people apart: not behind a proxy.
    by_address: bool,
    state: Mutex<State>,
    hasher: Hasher,
}

struct State {
    accounts: BTreeMap<Person, Account>,
    sessions: Sessions,
    file: AccountsFile,
    refused: Refused<SignIn>,
    refused_acts: Refused<RefusedAct>,
    slowed: Slowed,
}

impl Access {
    /// Reads the accounts of a node.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read.
    pub fn open(node: &Node) -> Result<Self, ConfigError> {
        let (file, accounts) = AccountsFile::open(node)?;
        let accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        let state = State {
            accounts,
            file,
            sessions: Sessions::default(),
            refused: Refused::default(),
            refused_acts: Refused::default(),
            slowed: Slowed::default(),
        };
        Ok(Self {
            passkeys: relying_party(&node.config.url),
            by_address: false,
            state: Mutex::new(state),
            hasher: Hasher::start()?,
        })
    }

    /// Does not listen to addresses from which too many sign-ins failed.
    #[must_use]
    pub(crate) fn by_address(mut self, by_address: bool) -> Self {
        self.by_address = by_address;
        self
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
        if is_named(&name, MACHINE) {
            return Err(AccessError::Taken(name));
        }
        if state.accounts.len() >= MOST {
            return Err(AccessError::Full);
        }
        let token = password::token();
        let act = json!({"change": "invited", "account": name, "roles": roles, "by": by});
        let account = Account::invited((by, name, roles), fingerprint(&token), now);
        state.change(ledger, (act, account), now).await?;
        Ok(token)
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
        account.proposed = None;
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
        account.invite(by, fingerprint(&token), now);
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
        from: Option<IpAddr>,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(String, Step), AccessError> {
        let passkeys = self.passkeys.as_ref().ok_or(AccessError::NoDomain)?;
        let token = fingerprint(token);
        self.may_try(from, now).await?;
        // A hash is work: only for whoever holds a token.
        if !self.state.lock().await.is_invited(name, token, now) {
            return Err(self.refuse((name, from), ledger, now).await);
        }
        if is_common(password, name.as_str()) {
            return Err(AccessError::Password);
        }
        let hash = self.hasher.hash(password).await?;
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
        from: Option<IpAddr>,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(String, Step), AccessError> {
        self.may_try(from, now).await?;
        let hash = self.state.lock().await.accounts.get(name).and_then(|account| account.password.clone());
        let matches = self.hasher.matches(password, hash.clone()).await?;
        let mut state = self.state.lock().await;
        // Between the two locks the account may have been closed or given another password.
        let account = state.accounts.get(name).filter(|account| {
            account.standing == Standing::Active && account.password.is_some() && account.password == hash
        });
        let Some(account) = account.cloned() else {
            drop(state);
            return Err(self.refuse((name, from), ledger, now).await);
        };
        if !matches {
            state.failed((account, from), ledger, now).await?;
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
        from: Option<IpAddr>,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Finished, AccessError> {
        let mut state = self.state.lock().await;
        let (person, stage) = state.sessions.take(secret, now).ok_or(AccessError::NoSession)?;
        let account = state.account(&person)?.clone();
        // The first who oversees a node is invited on its own machine, and nobody is there to confirm them.
        let first = account.invited_by.as_deref() == Some(MACHINE)
            && !state.accounts.values().any(|other| other.name != person && other.oversees());
        let Some((what, mut account)) = self.second_factor(account.clone(), stage, credential) else {
            state.failed((account, from), ledger, now).await?;
            return Err(AccessError::Failed);
        };
        account.used_at = now;
        account.failures.clear();
        if account.standing == Standing::Unconfirmed && first {
            account.standing = Standing::Active;
        }
        let (roles, waits) = (account.roles.clone(), account.standing == Standing::Unconfirmed);
        let passkey = account.passkey().unwrap_or_default();
        state
            .change(ledger, (json!({"change": what, "account": person, "from": from}), account), now)
            .await?;
        if waits {
            return Ok(Finished::Waits { person, passkey });
        }
        let secret = state.sessions.begin(person.clone(), Stage::Full, now);
        let until = state.sessions.who(&secret, now).ok_or(AccessError::NoSession)?.1;
        Ok(Finished::Signed(secret, Signed { person, roles, until }))
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

    /// Ends a session, whatever the log takes.
    ///
    /// # Errors
    /// [`AccessError::NoSession`]; [`AccessError::Log`] when it ended and that is not entered.
    pub async fn sign_out(&self, secret: &str, ledger: &Ledger, now: Timestamp) -> Result<(), AccessError> {
        let mut state = self.state.lock().await;
        let (person, _) = state.sessions.who(secret, now).ok_or(AccessError::NoSession)?;
        state.sessions.end(secret);
        let act = Act::new("account", json!({"change": "signed out", "account": person}));
        ledger.enter(&[act], now).await?;
        Ok(())
    }

    /// Counts an act that was refused to whoever showed this secret, or to somebody in words; it is entered as
    /// [`Access::settle`] does.
    pub(crate) async fn was_refused(
        &self,
        (secret, words): (&str, Option<&str>),
        mut act: RefusedAct,
        (ledger, now): (&Ledger, Timestamp),
    ) {
        let mut state = self.state.lock().await;
        let person = state.sessions.who(secret, now).map(|(person, _)| person.to_string());
        act.by = person.or_else(|| words.map(str::to_owned));
        state.refused_acts.count(act);
        // What is not entered now is entered later.
        if let Err(error) = state.settle(ledger, now, false).await {
            tracing::error!(%error, "acts that were refused are not in the log yet");
        }
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
                && matches!(account.standing, Standing::Active | Standing::Invited | Standing::Unconfirmed)
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
                account.standing = Standing::Unconfirmed;
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
    async fn refuse(
        &self,
        (name, from): (&Person, Option<IpAddr>),
        ledger: &Ledger,
        now: Timestamp,
    ) -> AccessError {
        let mut state = self.state.lock().await;
        let known = state.accounts.contains_key(name).then(|| name.clone());
        state.slowed.failed(from, now);
        state.refused.count(SignIn { account: known, from });
        state.settle(ledger, now, false).await.err().unwrap_or(AccessError::Failed)
    }

    /// Whether an address is listened to at all.
    async fn may_try(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), AccessError> {
        let waits = self.by_address && self.state.lock().await.slowed.waits(from, now);
        if waits { Err(AccessError::Slowed) } else { Ok(()) }
    }

    /// Enters what was refused since the last time; at most once a minute unless the node stops.
    ///
    /// # Errors
    /// [`AccessError::Log`].
    pub async fn settle(&self, ledger: &Ledger, now: Timestamp, anyhow: bool) -> Result<(), AccessError> {
        self.state.lock().await.settle(ledger, now, anyhow).await
    }
}

/// Whether somebody, in words, is this person.
fn is_named(person: &Person, words: &str) -> bool {
    words.parse().is_ok_and(|other: Person| person.is(&other))
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
        (mut account, from): (Account, Option<IpAddr>),
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        self.slowed.failed(from, now);
        let (name, locks) = (account.name.clone(), account.fail(now));
        self.accounts.insert(name.clone(), account);
        if locks {
            // A session that password and passkey opened goes on: whoever guesses names must not stop a whole desk.
            self.sessions.end_begun(&name);
        }
        let what = if locks { "locked" } else { "sign-in failed" };
        self.keep(ledger, json!({"change": what, "account": name, "from": from}), now).await
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
        if let Some(act) = self.refused.due("sign-ins refused", (now, anyhow)) {
            ledger.enter(&[Act::new("account", act)], now).await?;
            self.refused.entered(now);
        }
        if let Some(act) = self.refused_acts.due("acts refused", (now, anyhow)) {
            ledger.enter(&[Act::new("account", act)], now).await?;
            self.refused_acts.entered(now);
        }
        Ok(())
    }
}
