//! What the entries of a directory must not have in common: a name, a key, an address; at one time an ORI, or a dealer's licence.
//!
//! One secret under two names would be one party that counts twice, and one name with two keys could be either. Two agencies under
//! one ORI could each ask in the other's name, and two dealers under one licence answer for each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use transparency::{KeyKind, LogEnd, VerifierKey};
use webauthn_rs::prelude::Url;

use super::directory::{DirectoryContent, DirectoryError};
use crate::api::{NodeCard, NodeName, WitnessCard};

/// Whose a name, a key or an address is, so far.
#[derive(Default)]
struct Known {
    /// In small letters, as it is spelled, and what it names.
    names: BTreeMap<String, (String, &'static str)>,
    keys: BTreeMap<Vec<u8>, String>,
    logs: BTreeMap<String, String>,
    cosigners: BTreeMap<String, String>,
    urls: BTreeMap<String, String>,
    /// ORI numbers and licences, who has each, and from when until when.
    numbers: BTreeMap<String, Vec<(String, [Timestamp; 2])>>,
}

/// Refuses entries that contradict each other.
///
/// # Errors
/// [`DirectoryError::Contradiction`] names both.
pub(super) fn check(content: &DirectoryContent) -> Result<(), DirectoryError> {
    let mut known = Known::default();
    if let Some(log) = &content.log {
        known.log("the directory", log)?;
    }
    for card in &content.issuers {
        known.node(&card.node, "issuer", true)?;
        let name = card.node.name.as_str();
        if let Some(log) = &card.books_log {
            known.log(name, log)?;
        }
        check_end(name, card.books_log_ended.as_deref(), card.books_log.as_deref())?;
    }
    for card in &content.agencies {
        known.node(&card.node, "agency", true)?;
        known.key(card.sealing.bytes(), card.node.name.as_str())?;
        for ori in &card.oris {
            let number = format!("ORI {ori}");
            known.number(card.node.name.as_str(), &number, [card.valid_from, card.valid_until])?;
        }
    }
    for card in &content.dealers {
        // A dealer is not asked, so its address is no address of a node.
        known.node(&card.node, "dealer", false)?;
        known.key(card.sealing.bytes(), card.node.name.as_str())?;
        let number = format!("licence {}", card.licence.as_str());
        known.number(card.node.name.as_str(), &number, [card.valid_from, card.valid_until])?;
    }
    for card in &content.witnesses {
        let name = card.name.as_str();
        known.name(&card.name, "witness")?;
        known.url(name, &card.url)?;
        known.witness(card)?;
        if let Some(statements) = &card.statements {
            known.key(named(name, statements)?.public_bytes(), name)?;
        }
    }
    Ok(())
}

impl Known {
    fn node(&mut self, node: &NodeCard, role: &'static str, served: bool) -> Result<(), DirectoryError> {
        let name = node.name.as_str();
        self.name(&node.name, role)?;
        self.key(node.signing.key().as_bytes().to_vec(), name)?;
        self.key(named(name, &node.statements)?.public_bytes(), name)?;
        if let Some(sealing) = &node.sealing {
            self.key(sealing.bytes(), name)?;
        }
        named(name, &node.log)?;
        self.log(name, &node.log)?;
        check_end(name, node.log_ended.as_deref(), Some(&node.log))?;
        if served { self.url(name, &node.url) } else { Ok(()) }
    }

    fn name(&mut self, name: &NodeName, role: &'static str) -> Result<(), DirectoryError> {
        match self.names.insert(name.as_str().to_ascii_lowercase(), (name.to_string(), role)) {
            None => Ok(()),
            Some((other, _)) if other != name.as_str() => {
                Err(contradiction(format!("{other} and {name} are one name but for capitals")))
            }
            Some((_, other)) => {
                Err(contradiction(format!("{name} is {} and {}", with_article(other), with_article(role))))
            }
        }
    }

    fn key(&mut self, key: Vec<u8>, name: &str) -> Result<(), DirectoryError> {
        match self.keys.insert(key, name.to_owned()) {
            None => Ok(()),
            Some(other) if other == name => {
                Err(contradiction(format!("{name} has one key for two purposes, or stands there twice")))
            }
            Some(other) => {
                Err(contradiction(format!("{other} and {name} have one key, so they are one party")))
            }
        }
    }

    fn log(&mut self, name: &str, log: &str) -> Result<(), DirectoryError> {
        let key = verifier(name, log, |kind| kind == KeyKind::Log)?;
        self.key(key.public_bytes(), name)?;
        match self.logs.insert(key.name().to_owned(), name.to_owned()) {
            None => Ok(()),
            Some(other) => {
                Err(contradiction(format!("{other} and {name} keep a log of the name {}", key.name())))
            }
        }
    }

    /// A witness's keys have one name, which is no other witness's: keys of one name count as one witness.
    fn witness(&mut self, card: &WitnessCard) -> Result<(), DirectoryError> {
        let name = card.name.as_str();
        let key = verifier(name, &card.key, |kind| kind != KeyKind::Log)?;
        if let Some(other) = self.cosigners.insert(key.name().to_owned(), name.to_owned()) {
            return Err(contradiction(format!("{other} and {name} cosign as {}", key.name())));
        }
        self.key(key.public_bytes(), name)?;
        let Some(second) = &card.key_ml_dsa_44 else { return Ok(()) };
        let second = verifier(name, second, |kind| kind == KeyKind::WitnessMlDsa44)?;
        if key.kind() != KeyKind::Witness || key.name() != second.name() {
            return Err(contradiction(format!(
                "{name} has two keys that are not one of Ed25519 and one of ML-DSA-44 under one name"
            )));
        }
        self.key(second.public_bytes(), name)
    }

    /// A number that is one party's alone, as long as its entry holds.
    fn number(
        &mut self,
        name: &str,
        number: &str,
        [from, until]: [Timestamp; 2],
    ) -> Result<(), DirectoryError> {
        let taken = self.numbers.entry(number.to_owned()).or_default();
        let other = taken.iter().find(|(_, [begin, end])| from.max(*begin) < until.min(*end));
        if let Some((other, _)) = other {
            return Err(contradiction(format!(
                "{other} and {name} have {number} at one time\nhint: where it changes hands, the entry that stands ends first: `--end {other}`"
            )));
        }
        taken.push((name.to_owned(), [from, until]));
        Ok(())
    }

    fn url(&mut self, name: &str, url: &str) -> Result<(), DirectoryError> {
        match self.urls.insert(same_address(url), name.to_owned()) {
            None => Ok(()),
            Some(other) => Err(contradiction(format!("{other} and {name} have one address, {url}"))),
        }
    }
}

/// An address as all spellings of it: host, port and path, whatever the scheme, for one port is one program's.
pub(crate) fn same_address(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return url.to_ascii_lowercase() };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let (port, path) = (url.port_or_known_default().unwrap_or_default(), url.path().trim_end_matches('/'));
    format!("{host}:{port}{path}")
}

/// A key whose name begins with the node's: nobody keeps a log, or speaks, under another's name.
fn named(name: &str, key: &str) -> Result<VerifierKey, DirectoryError> {
    let key = verifier(name, key, |kind| kind == KeyKind::Log)?;
    let own = key.name().strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    own.then_some(()).ok_or_else(|| contradiction(format!("{name} has a key of the name {}", key.name())))?;
    Ok(key)
}

fn verifier(name: &str, key: &str, fits: impl Fn(KeyKind) -> bool) -> Result<VerifierKey, DirectoryError> {
    let key: VerifierKey = key.parse().map_err(|error| contradiction(format!("a key of {name}: {error}")))?;
    if fits(key.kind()) { Ok(key) } else { Err(contradiction(format!("a key of {name} is of another kind"))) }
}

/// Where a log goes on from another, both keys say so.
fn check_end(name: &str, note: Option<&str>, log: Option<&str>) -> Result<(), DirectoryError> {
    let Some(note) = note else { return Ok(()) };
    let end = LogEnd::parse(note);
    let end =
        end.map_err(|error| contradiction(format!("the note on the log of {name} that ended: {error}")))?;
    if log == Some(end.new.to_string().as_str()) {
        return Ok(());
    }
    Err(contradiction(format!("the note on the log of {name} that ended names another than goes on")))
}

fn with_article(role: &str) -> String {
    format!("{} {role}", if role.starts_with(['a', 'i']) { "an" } else { "a" })
}

fn contradiction(what: String) -> DirectoryError {
    DirectoryError::Contradiction(what)
}
