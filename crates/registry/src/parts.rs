//! Changes of marked parts, signed by whoever made them.
//!
//! A maker, dealer or gunsmith makes a key pair and gives the issuer the public half, which the issuer registers in its
//! books with the licence and the days on which it is valid. Whoever fits, removes or replaces a marked part then signs a
//! [`Change`]; the issuer enters the [`SignedChange`] as it stands. Its own changes the issuer signs with the key of its
//! certificates.
//!
//! A signed change is a C2SP signed note of two lines: `microstamp part change v1`, and the change as canonical JSON (RFC
//! 8785). The first line keeps it apart from checkpoints and certificates, which the same kind of key signs. It names the
//! books that it is meant for and a random number, and the books take the same text once.
//!
//! ```
//! use registry::parts::{Change, SignedChange, Work};
//! use registry::{FirearmKey, Licensee, Part};
//! use transparency::SigningKey;
//!
//! let key = SigningKey::log("corner-guns.example/bench-1", &[7; 32])?;
//! let change = Change::new(
//!     "microstamp/issuer/K7",
//!     FirearmKey { licence: "1-23-456-78-9A-12345".parse()?, model: "M9".parse()?, serial: "AB10001".parse()? },
//!     Licensee::new("1-23-456-01-9A-33333", "Corner Guns (synthetic)")?,
//!     Work::Removed { part: Part::FiringPin, code: "K70000".parse()? },
//!     ("2026-01-12".parse()?, "2026-01-12T15:00:00Z".parse()?),
//! );
//! let signed = change.sign(&key)?;
//! assert_eq!(SignedChange::parse(signed.to_string().as_bytes())?.change(), &change);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use symbology::Code;
use transparency::{KeyKind, Note, NoteError, SigningKey, VerifierKey, canonical_json};

use crate::batch::{Batch, Hand};
use crate::books::Books;
use crate::encode;
use crate::entries::{NewEntry, as_rehearsed, lies_ahead};
use crate::error::{BooksError, Refusal};
use crate::event::{EntryNumber, Event};
use crate::firearm::{FirearmKey, Licensee, Part};
use crate::names::{Person, Reason};
use crate::store::{KeyRow, Session, persistently};

/// How the signed text of a change begins.
pub const FIRST_LINE: &str = "microstamp part change v1";
/// How far the clock of whoever signs may be ahead of this machine's.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// What a house that changes parts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// Makes firearms or components.
    Maker,
    /// Deals in firearms.
    Dealer,
    /// Repairs firearms.
    Gunsmith,
}

/// A public key and whose it is, for [`Books::register_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyKey {
    /// The Ed25519 key in C2SP `signed-note` form, `name+hash+base64`.
    pub key: VerifierKey,
    /// Whose key it is.
    pub party: Licensee,
    /// What that house is.
    pub kind: PartyKind,
    /// First moment at which it may sign.
    pub valid_from: Timestamp,
    /// First moment at which it may not sign any more; nothing is entered under it from then on.
    pub valid_until: Timestamp,
}

/// A key as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKey {
    /// The key as it was registered.
    pub key: PartyKey,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When and why it was revoked; nothing is entered under it from then on.
    pub revoked: Option<(Timestamp, Reason)>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// A marked part was put in.
    Fitted {
        /// Which part.
        part: Part,
        /// The code on it.
        code: Code,
    },
    /// A marked part was taken out.
    Removed {
        /// Which part.
        part: Part,
        /// The code on it.
        code: Code,
    },
    /// A marked part was taken out and another put in.
    Replaced {
        /// Which part.
        part: Part,
        /// The code on the one that was taken out.
        removed: Code,
        /// The code on the one that was put in.
        fitted: Code,
    },
}

/// A change of parts, ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The books it is meant for: the name of their log, as `issuer show` prints it.
    pub books: String,
    /// The firearm.
    pub firearm: FirearmKey,
    /// Who did it.
    pub by: Licensee,
    /// What was done.
    pub change: Work,
    /// The day on which it was done.
    pub on: Date,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// 32 hexadecimal digits, drawn anew for each statement, so that no two are alike.
    pub nonce: String,
}

/// A change with its signature, which is verified when it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChange {
    note: Note,
    change: Change,
}

/// Whose signature an entry bears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// The key, `name+hash`.
    pub key: String,
    /// What the house was registered as.
    pub kind: PartyKind,
    /// SHA-256 of the signed text, 64 hexadecimal digits; the text is in the books.
    pub statement: String,
}

impl PartyKind {
    const ALL: [Self; 3] = [Self::Maker, Self::Dealer, Self::Gunsmith];

    /// The word used in files and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Dealer => "dealer",
            Self::Gunsmith => "gunsmith",
        }
    }
}

impl FromStr for PartyKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no kind of party\nhint: use maker, dealer or gunsmith"))
    }
}

impl Work {
    /// What an event did to a part; `None` for events of other kinds.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::PartFitted { part, code, .. } => Some(Self::Fitted { part: *part, code: *code }),
            Event::PartRemoved { part, code, .. } => Some(Self::Removed { part: *part, code: *code }),
            _ => None,
        }
    }

    /// The same as events of the book, in their order.
    pub(crate) fn events(&self, by: &Licensee) -> Vec<Event> {
        let fitted = |part, code| Event::PartFitted { by: by.clone(), part, code };
        let removed = |part, code| Event::PartRemoved { by: by.clone(), part, code };
        match *self {
            Self::Fitted { part, code } => vec![fitted(part, code)],
            Self::Removed { part, code } => vec![removed(part, code)],
            Self::Replaced { part, removed: old, fitted: new } => {
                vec![removed(part, old), fitted(part, new)]
            }
        }
    }
}

impl Change {
    /// A change with a fresh number; `times` are the day of the work and the moment of signing.
    pub fn new(
        books: &str,
        firearm: FirearmKey,
        by: Licensee,
        change: Work,
        times: (Date, Timestamp),
    ) -> Self {
        let mut nonce = [0; 16];
        rand::rng().fill_bytes(&mut nonce);
        let (on, signed_at) = times;
        Self { books: books.to_owned(), firearm, by, change, on, signed_at, nonce: hex::encode(nonce) }
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`NoteError::BadKey`] for a witness's key.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedChange, NoteError> {
        Ok(SignedChange { note: Note::sign(&self.text(), key)?, change: self.clone() })
    }

    fn text(&self) -> String {
        let json = canonical_json(&json!(self)).expect("it holds nothing but text and objects");
        format!("{FIRST_LINE}\n{}\n", String::from_utf8(json).expect("JSON is UTF-8"))
    }
}

impl SignedChange {
    /// Reads a signed change. Nothing is verified yet.
    ///
    /// # Errors
    /// [`BooksError::Statement`] for anything but a note with one signature over a change in its one spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, BooksError> {
        let refuse = |what: &str| BooksError::Statement(what.to_owned());
        let note = Note::parse(bytes).map_err(|error| refuse(&error.to_string()))?;
        let json = note.text.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix('\n'));
        let json = json.ok_or_else(|| refuse(&format!("its first line is not `{FIRST_LINE}`")))?;
        let change: Change = serde_json::from_str(json).map_err(|error| refuse(&error.to_string()))?;
        if change.text() != note.text {
            return Err(refuse("it is not in canonical form"));
        }
        if change.nonce.len() != 32 || !change.nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse("its nonce is not 32 hexadecimal digits"));
        }
        if note.signatures.len() != 1 {
            return Err(refuse("it has more than one signature"));
        }
        Ok(Self { note, change })
    }

    /// What was signed.
    pub fn change(&self) -> &Change {
        &self.change
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.note.text))
    }

    /// Whether it was signed with this key and not altered since.
    pub(crate) fn is_by(&self, key: &VerifierKey) -> bool {
        key.matches(&self.note.signatures[0]) && self.note.verify(key).is_ok()
    }

    /// The key that the signature claims to be by, `name+hash`.
    pub(crate) fn claimed_key(&self) -> String {
        let signature = &self.note.signatures[0];
        format!("{}+{}", signature.name, hex::encode(signature.key_id))
    }

    /// Keeps the signed text in the books.
    pub(crate) async fn keep(&self, session: &mut Session, kind: PartyKind) -> Result<SignedBy, BooksError> {
        let statement = self.sha256();
        let number = session.take_numbers("statement", 1).await?;
        session.put_statement(number, &statement, &self.note.to_string()).await?;
        Ok(SignedBy { key: self.claimed_key(), kind, statement })
    }
}

impl fmt::Display for SignedChange {
    /// The signed note, as [`SignedChange::parse`] takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

impl Books {
    /// Registers the key of a house that changes parts.
    ///
    /// # Errors
    /// [`Refusal::Statement`] for a key that is registered already, under any name, or was revoked; for one that signs
    /// cosignatures; and for a time of validity that is empty or past.
    pub async fn register_key(&self, new: &PartyKey, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        if new.key.kind() != KeyKind::Log {
            return refuse(format!("{} signs cosignatures", short(&new.key)), "give a plain Ed25519 key");
        }
        if new.valid_until <= new.valid_from || new.valid_until <= now {
            let what = format!(
                "from {} until {} is no time in which a key can sign",
                new.valid_from, new.valid_until
            );
            return refuse(what, "check the days");
        }
        let mut ledger = self.writing().await?;
        let own = self.keys.own()?.signing.verifier().public_bytes();
        let public = new.key.public_bytes();
        let known = self.party_keys().await?;
        let same = known.iter().find(|one| one.key.key.public_bytes() == public);
        if let Some(same) = same {
            let what = format!("the key is registered already, for {}", same.key.party);
            return refuse(what, "a house makes a new key when the old one ends or was revoked");
        }
        if public == own || public == self.keys.log_verifier.public_bytes() {
            return refuse("that is a key of this issuer".to_owned(), "nothing has to be done");
        }
        let body = json!({
            "key": new.key.to_string(), "party": new.party, "kind": new.kind,
            "valid_from": new.valid_from, "valid_until": new.valid_until, "by": by,
        });
        let entered = self.enter(&mut ledger, "party-key", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        let party = session.party(new.party.licence.as_str(), new.party.name.as_str()).await?;
        let times = (new.valid_from.as_microsecond(), new.valid_until.as_microsecond(), now.as_microsecond());
        session.put_party_key(&new.key.to_string(), party, new.kind.as_str(), times).await?;
        session.commit().await
    }

    /// Revokes a key: what was entered under it stays, nothing more is entered.
    ///
    /// # Errors
    /// [`Refusal::Statement`] for a key that is not registered, or revoked already.
    pub async fn revoke_key(
        &self,
        key: &VerifierKey,
        reason: &Reason,
        by: &Person,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let mut ledger = self.writing().await?;
        let known = self.party_keys().await?;
        match known.iter().find(|one| one.key.key == *key) {
            None => return refuse(format!("{} is not registered", short(key)), "see `part key list`"),
            Some(RegisteredKey { revoked: Some((at, _)), .. }) => {
                return refuse(format!("{} was revoked at {at}", short(key)), "nothing has to be done");
            }
            Some(_) => {}
        }
        let body = json!({"key": key.to_string(), "reason": reason, "by": by});
        let entered = self.enter(&mut ledger, "party-key-revoked", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        session.put_revocation(&key.to_string(), now.as_microsecond(), reason.as_str()).await?;
        session.commit().await
    }

    /// Every key ever registered, in the order of registration.
    ///
    /// # Errors
    /// [`BooksError::Database`], [`BooksError::Damaged`].
    pub async fn party_keys(&self) -> Result<Vec<RegisteredKey>, BooksError> {
        let rows = self.store.read().await?.party_keys().await?;
        rows.into_iter().map(registered).collect()
    }

    /// Enters a signed change of parts: one log entry with the whole signed text, one or two entries of the book.
    ///
    /// # Errors
    /// [`Refusal::Statement`] says what does not hold: meant for other books, no key registered for that licensee, key
    /// revoked or out of its time, signature or text altered, entered before, dated ahead. [`Refusal::UnknownFirearm`],
    /// [`Refusal::UnknownCode`] and [`Refusal::OutOfOrder`] when the book does not admit what was signed, such as the
    /// removal of a part that is not in the firearm.
    pub async fn enter_change(
        &self,
        signed: &SignedChange,
        by: &Person,
        now: Timestamp,
    ) -> Result<Vec<EntryNumber>, BooksError> {
        let mut ledger = self.writing().await?;
        let mut rehearsal = self.store.write().await?;
        let key = verified(&self.issuer.origin, &mut rehearsal, signed, now).await?;
        let entry = |event| NewEntry {
            firearm: signed.change.firearm.clone(),
            event,
            on: signed.change.on,
            description: None,
        };
        let group = [signed.change.change.events(&key.party).into_iter().map(entry).collect::<Vec<_>>()];
        let signer = signed.keep(&mut rehearsal, key.kind).await?;
        let mut batch = Batch::new(Hand::Party(&signer), by, now);
        let (taken, written) = (batch.take(&mut rehearsal, &group).await?, batch.written());
        drop(rehearsal);
        if let Some((_, refusal)) = taken.refused.into_iter().next() {
            return Err(refusal.into());
        }
        let body = json!({"statement": signed.note.to_string(), "kind": key.kind, "by": by, "rows": written});
        let entered = self.enter(&mut ledger, "part-change", &body, now).await?;
        persistently!(async {
            let mut session = self.effect(&entered).await?;
            let signer = signed.keep(&mut session, key.kind).await?;
            let mut batch = Batch::new(Hand::Party(&signer), by, now);
            let taken = batch.take(&mut session, &group).await?;
            as_rehearsed(&batch.written(), &written)?;
            session.commit().await?;
            Ok(taken.numbers)
        })
    }

    /// The text that an entry's signature stands under, as it was signed.
    ///
    /// # Errors
    /// [`BooksError::Damaged`] when it is not in the books.
    pub async fn signed_change(&self, signed: &SignedBy) -> Result<SignedChange, BooksError> {
        let text = self.store.read().await?.statement(&signed.statement).await?;
        let gone = || BooksError::damaged(format!("the statement {} is gone", signed.statement));
        SignedChange::parse(text.ok_or_else(gone)?.as_bytes())
    }

    /// Signs one of the issuer's own changes of parts and keeps the text.
    pub(crate) async fn sign_own(
        &self,
        session: &mut Session,
        firearm: &FirearmKey,
        (change, on): (Work, Date),
        now: Timestamp,
    ) -> Result<SignedBy, BooksError> {
        let change = Change::new(&self.issuer.origin, firearm.clone(), self.issuer(), change, (on, now));
        let signed = change.sign(&self.keys.own()?.signing).map_err(BooksError::damaged)?;
        signed.keep(session, PartyKind::Maker).await
    }

    /// Refuses a change of parts by anybody but the issuer: who did it must sign it.
    pub(crate) fn signs_for_itself(&self, event: &Event) -> Result<(), Refusal> {
        if Work::of(event).is_some() && event.holder().licence != self.issuer.licence {
            return Err(Refusal::Unsigned(event.holder().clone()));
        }
        Ok(())
    }
}

/// The registered key under which a signed change holds now.
async fn verified(
    books: &str,
    session: &mut Session,
    signed: &SignedChange,
    now: Timestamp,
) -> Result<PartyKey, BooksError> {
    let (change, name) = (&signed.change, signed.claimed_key());
    if change.books != books {
        return refuse(
            format!("it was signed for the books {}; these are {books}", change.books),
            "send it there",
        );
    }
    let keys: Result<Vec<_>, _> = session.party_keys().await?.into_iter().map(registered).collect();
    let keys = keys?;
    let claimed: Vec<_> = keys.iter().filter(|one| one.key.key.matches(&signed.note.signatures[0])).collect();
    let Some(one) = claimed.iter().find(|one| one.key.party.is(&change.by)) else {
        return match claimed.first() {
            Some(other) => refuse(
                format!("key {name} is that of {}, and the change is by {}", other.key.party, change.by),
                "who made the change must sign it",
            ),
            None => refuse(
                format!("no key {name} is registered for {}", change.by),
                "register the public key with `part key add` after checking whose it is",
            ),
        };
    };
    if signed.note.verify(&one.key.key).is_err() {
        let what = format!("the signature of {name} does not hold: the statement was altered");
        return refuse(what, "ask for the file again");
    }
    if let Some((at, reason)) = &one.revoked {
        let what = format!("key {name} was revoked at {at}: {reason}");
        return refuse(what, "let it be signed with another registered key");
    }
    let (from, until) = (one.key.valid_from, one.key.valid_until);
    let outside = [change.signed_at, now].into_iter().find(|moment| !(from..until).contains(moment));
    if let Some(moment) = outside {
        let what = format!("key {name} is valid from {from} until {until}, not at {moment}");
        return refuse(what, "let it be signed with another registered key");
    }
    if change.signed_at > now + AHEAD || lies_ahead(change.on, encode::today(change.signed_at)) {
        let what = format!("it was signed at {}, for work on {}; now is {now}", change.signed_at, change.on);
        return refuse(what, "check the dates and both clocks");
    }
    if session.statement(&signed.sha256()).await?.is_some() {
        return refuse("this statement was entered before".to_owned(), "nothing has to be done");
    }
    Ok(one.key.clone())
}

pub(crate) fn registered(row: KeyRow) -> Result<RegisteredKey, BooksError> {
    let revoked = match (row.revoked_at, row.reason) {
        (Some(at), Some(reason)) => Some((encode::time(at)?, reason.parse()?)),
        _ => None,
    };
    Ok(RegisteredKey {
        key: PartyKey {
            key: row.verifier.parse().map_err(BooksError::damaged)?,
            party: Licensee::new(&row.licence, &row.name)?,
            kind: row.kind.parse().map_err(BooksError::Damaged)?,
            valid_from: encode::time(row.valid_from)?,
            valid_until: encode::time(row.valid_until)?,
        },
        registered_at: encode::time(row.registered_at)?,
        revoked,
    })
}

/// A key as people name it.
fn short(key: &VerifierKey) -> String {
    format!("{}+{}", key.name(), hex::encode(key.id()))
}

fn refuse<T>(what: String, hint: &'static str) -> Result<T, BooksError> {
    Err(Refusal::Statement { what, hint }.into())
}
