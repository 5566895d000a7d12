//! How a node gets into a directory: by a card that it signed, after a look at what the card changes.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use registry::names::Person;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use transparency::{Note, SigningKey, VerifierKey, canonical_json};
use webauthn_rs::prelude::Url;

use super::directory::{entries_path, note_enrolment, read_entries, write_entries};
use crate::api::{AgencyCard, DealerCard, IssuerCard, NodeName, WitnessCard};
use crate::config::{ConfigError, Node, validity};
use crate::federation::{Directory, DirectoryContent, same_address};
use crate::ledger::LedgerError;

const HEADER: &str = "microstamp card v1";
/// Fields that change whenever a card is made again.
const VALIDITY: [&str; 2] = ["valid_from", "valid_until"];

/// An entry to be enrolled; in files a JSON object whose `role` says which.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Enrolment {
    /// An issuer.
    Issuer(Box<IssuerCard>),
    /// An agency.
    Agency(Box<AgencyCard>),
    /// A dealer.
    Dealer(Box<DealerCard>),
    /// A witness.
    Witness(WitnessCard),
}

/// A card as it travels: an entry in a note that the node's statement key signed, and perhaps the one that it had before.
#[derive(Debug, Clone)]
pub struct Card {
    entry: Enrolment,
    note: Note,
}

/// What an operator wants and allows when cards are enrolled.
#[derive(Debug, Clone, Default)]
pub struct EnrolRules {
    /// How many witnesses must have cosigned a log from now on.
    pub quorum: Option<usize>,
    /// Cards may take the place of what stands.
    pub replace: bool,
    /// Also where the key that stands did not sign the new card: it was lost, and the operator asked the house itself.
    pub without_old_key: bool,
    /// Whose entries end now, before the cards are looked at. A witness, whose entry has no time, goes.
    pub end: Vec<NodeName>,
    /// Who does it; `None` for whoever keeps the directory's machine. It goes into the directory's log.
    pub by: Option<Person>,
}

/// What was done to a directory's file of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// What changed, a line each.
    pub changes: Vec<String>,
    /// What stands now under the names of the cards, a JSON object each.
    pub entries: Vec<Value>,
}

/// Why nothing was enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The folder.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of entries.
    #[error(transparent)]
    Entries(#[from] LedgerError),
    /// It is no card, or not as it was signed.
    #[error("this is no card as its node signed it: {0}")]
    Card(String),
    /// Something else stands there.
    #[error("this would change what stands:\n{0}\nhint: if that is meant, say --replace")]
    Stands(String),
    /// Another key, which the one that stands does not vouch for.
    #[error(
        "{0} has another key than the one that stands, which did not sign the card\nhint: print the card with --also-by; where \
         the old key was lost, ask the house, compare the fingerprint, and say --without-old-key"
    )]
    OldKey(NodeName),
    /// No federation could work with the entries.
    #[error("no federation can work with these entries: {0}")]
    Unworkable(String),
    /// Nothing of that name stands that could end.
    #[error("{0} does not stand in this directory")]
    Unknown(NodeName),
}

impl Enrolment {
    /// Whose entry it is.
    pub fn name(&self) -> &NodeName {
        match self {
            Self::Issuer(card) => &card.node.name,
            Self::Agency(card) => &card.node.name,
            Self::Dealer(card) => &card.node.name,
            Self::Witness(card) => &card.name,
        }
    }

    /// The key that signs its card, C2SP `vkey`.
    fn statements(&self) -> Option<&str> {
        match self {
            Self::Issuer(card) => Some(&card.node.statements),
            Self::Agency(card) => Some(&card.node.statements),
            Self::Dealer(card) => Some(&card.node.statements),
            Self::Witness(card) => card.statements.as_deref(),
        }
    }

    /// Where it is reached.
    fn url(&self) -> &str {
        match self {
            Self::Issuer(card) => &card.node.url,
            Self::Agency(card) => &card.node.url,
            Self::Dealer(card) => &card.node.url,
            Self::Witness(card) => &card.url,
        }
    }

    /// Under which numbers it asks or answers: what they are, in words and as a JSON member, and which.
    fn numbers(&self) -> Option<([&'static str; 2], Vec<String>)> {
        match self {
            Self::Issuer(card) => {
                Some((["block", "prefixes"], card.prefixes.iter().map(ToString::to_string).collect()))
            }
            Self::Agency(card) => {
                Some((["ORI", "oris"], card.oris.iter().map(ToString::to_string).collect()))
            }
            Self::Dealer(card) => Some((["licence", "licences"], vec![card.licence.as_str().to_owned()])),
            Self::Witness(_) => None,
        }
    }

    fn put(self, content: &mut DirectoryContent) {
        let name = self.name().clone();
        match self {
            Self::Issuer(card) => put(&mut content.issuers, *card, |card| card.node.name == name),
            Self::Agency(card) => put(&mut content.agencies, *card, |card| card.node.name == name),
            Self::Dealer(card) => put(&mut content.dealers, *card, |card| card.node.name == name),
            Self::Witness(card) => put(&mut content.witnesses, card, |card| card.name == name),
        }
    }

    /// What stands under the same name, in whatever role.
    fn standing(&self, content: &DirectoryContent) -> Option<Self> {
        let name = self.name();
        let issuers = content.issuers.iter().cloned().map(|card| Self::Issuer(Box::new(card)));
        let agencies = content.agencies.iter().cloned().map(|card| Self::Agency(Box::new(card)));
        let dealers = content.dealers.iter().cloned().map(|card| Self::Dealer(Box::new(card)));
        let witnesses = content.witnesses.iter().cloned().map(Self::Witness);
        let mut all = issuers.chain(agencies).chain(dealers).chain(witnesses);
        all.find(|entry| entry.name() == name)
    }
}

impl Card {
    /// Signs an entry with the node's statement key, and with the one that it had before, if that is at hand.
    ///
    /// # Errors
    /// [`EnrolError::Card`] when a key is no key of notes.
    pub fn sign(
        entry: &Enrolment,
        node: &SigningKey,
        before: Option<&SigningKey>,
    ) -> Result<Self, EnrolError> {
        let wrong = |error: &dyn std::fmt::Display| EnrolError::Card(error.to_string());
        let value = serde_json::to_value(entry).map_err(|error| wrong(&error))?;
        let line = canonical_json(&value).map_err(|error| wrong(&error))?;
        let text = format!("{HEADER}\n{}\n", String::from_utf8_lossy(&line));
        let mut note = Note::sign(&text, node).map_err(|error| wrong(&error))?;
        if let Some(before) = before {
            note.signatures.extend(Note::sign(&text, before).map_err(|error| wrong(&error))?.signatures);
        }
        Ok(Self { entry: entry.clone(), note })
    }

    /// Reads a card and verifies that its own key signed it.
    ///
    /// # Errors
    /// [`EnrolError::Card`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnrolError> {
        let wrong = |error: &dyn std::fmt::Display| EnrolError::Card(error.to_string());
        if bytes.starts_with(b"{") {
            return Err(wrong(&"it is not signed\nhint: print it anew with `microstamp node card`"));
        }
        let note = Note::parse(bytes).map_err(|error| wrong(&error))?;
        let line = note.text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n'));
        let line = line.ok_or_else(|| wrong(&format_args!("it does not begin with `{HEADER}`")))?;
        let entry: Enrolment = serde_json::from_str(line).map_err(|error| wrong(&error))?;
        let key = entry.statements().ok_or_else(|| wrong(&"it names no statement key"))?;
        let key: VerifierKey = key.parse().map_err(|error| wrong(&error))?;
        note.verify(&key).map_err(|error| wrong(&error))?;
        Ok(Self { entry, note })
    }

    /// What it enrols.
    pub fn entry(&self) -> &Enrolment {
        &self.entry
    }

    /// What to compare over the telephone: the first half of the SHA-256 of its statement key, in groups of four digits.
    pub fn fingerprint(&self) -> String {
        let hash = hex::encode(&Sha256::digest(self.entry.statements().unwrap_or_default())[..16]);
        let groups: Vec<&str> = (0..hash.len()).step_by(4).map(|at| &hash[at..at + 4]).collect();
        groups.join(" ")
    }

    /// What it says, in words: as what, where, under which numbers, until when, and its key.
    fn told(&self) -> String {
        let ([word, _], numbers) = self.entry.numbers().unwrap_or_default();
        let numbers: Vec<String> = numbers.iter().map(|number| format!(", {word} {number}")).collect();
        let until = valid_until(&self.entry).map(|until| format!(", until {until}")).unwrap_or_default();
        let (role, url) = (role_of(&self.entry), self.entry.url());
        format!("{role} at {url}{}{until}, fingerprint {}", numbers.concat(), self.fingerprint())
    }

    /// The same for programs.
    fn told_as_json(&self) -> Value {
        let entry = &self.entry;
        let mut told = json!({
            "name": entry.name(), "role": role_of(entry), "url": entry.url(), "valid_until": valid_until(entry),
            "fingerprint": self.fingerprint(),
        });
        if let Some(([_, member], numbers)) = entry.numbers() {
            told[member] = numbers.into();
        }
        told
    }

    /// Whether the key that stands vouches for it.
    fn is_signed_by(&self, standing: &Enrolment) -> bool {
        let key = standing.statements().and_then(|key| key.parse::<VerifierKey>().ok());
        key.is_some_and(|key| self.note.verify(&key).is_ok())
    }
}

impl std::fmt::Display for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.note.fmt(f)
    }
}

/// Puts cards into a directory's file of entries, all or none; they are published with the next version. Nothing is written
/// unless the whole directory that they make can be signed, read, and worked with.
///
/// # Errors
/// [`EnrolError`]; nothing was written.
pub fn enrol(data: &Path, cards: &[Card], rules: &EnrolRules) -> Result<Enrolled, EnrolError> {
    let node = Node::open(data)?;
    let path = entries_path(&node.folder);
    let mut content = read_entries(&path)?;
    let (mut changes, mut replaced) = (Vec::new(), Vec::new());
    for name in &rules.end {
        changes.push(end(&mut content, name)?);
    }
    for card in cards {
        take(card, &mut content, rules, (&mut changes, &mut replaced))?;
    }
    if let Some(quorum) = rules.quorum.filter(|quorum| *quorum != content.quorum) {
        changes.push(format!("quorum {} → {quorum}", content.quorum));
        content.quorum = quorum;
    }
    if !replaced.is_empty() && !rules.replace {
        return Err(EnrolError::Stands(replaced.join("\n")));
    }
    if rules.quorum == Some(0) {
        return Err(EnrolError::Unworkable("without a witness no court bundle can be made".to_owned()));
    }
    readable(&content, &node).map_err(EnrolError::Unworkable)?;
    // Who did it is noted first: nothing changes without it.
    let noted = note_enrolment(&node.folder, rules.by.as_ref(), &changes)?;
    if let Err(error) = write_entries(&path, &content) {
        let _ = std::fs::remove_file(noted);
        return Err(error.into());
    }
    Ok(Enrolled { changes, entries: cards.iter().map(Card::told_as_json).collect() })
}

/// Puts one card in its place, and tells what that changes, and what of it takes the place of something else.
fn take(
    card: &Card,
    content: &mut DirectoryContent,
    rules: &EnrolRules,
    (changes, replaced): (&mut Vec<String>, &mut Vec<String>),
) -> Result<(), EnrolError> {
    let (name, entry) = (card.entry.name(), after_others(&card.entry, content));
    let Some(standing) = entry.standing(content) else {
        if is_over(&card.entry) {
            return Err(EnrolError::Card(format!("the days of {name} are over")));
        }
        changes.push(format!("{name}: new, {}", card.told()));
        entry.put(content);
        return Ok(());
    };
    let vouched = card.is_signed_by(&standing) || (standing.statements().is_none() && rules.replace);
    if !vouched && !rules.without_old_key {
        return Err(EnrolError::OldKey(name.clone()));
    }
    let differences = differences(&standing, &entry);
    if !vouched {
        changes.push(format!("{name}: the key before did not sign; fingerprint {}", card.fingerprint()));
    }
    // An older card, sent again, would shorten what stands or end it, or begin again what was ended.
    let shorter = valid_until(&card.entry) < valid_until(&standing);
    let ended = is_over(&standing);
    if ended && valid_from(&card.entry) < valid_until(&standing) {
        let why = format!("{name} ended after this card was made\nhint: have the node print another");
        return Err(EnrolError::Card(why));
    }
    let counts = |field: &String| shorter || ended || !VALIDITY.contains(&field.as_str());
    replaced.extend(differences.iter().filter(|(field, _)| counts(field)).map(|(_, line)| line.clone()));
    changes.extend(differences.into_iter().map(|(_, line)| line));
    changes.push(format!("{name}: {}", card.told()));
    entry.put(content);
    Ok(())
}

/// An entry that begins no sooner than those end from which it takes an ORI or a licence over.
fn after_others(entry: &Enrolment, content: &DirectoryContent) -> Enrolment {
    let (mut entry, now) = (entry.clone(), Timestamp::now());
    match &mut entry {
        Enrolment::Agency(card) => {
            let others = content.agencies.iter().filter(|other| other.node.name != card.node.name);
            let before = others.filter(|other| other.oris.iter().any(|ori| card.oris.contains(ori)));
            let ended = before.map(|other| other.valid_until).filter(|until| *until <= now).max();
            card.valid_from = ended.map_or(card.valid_from, |ended| card.valid_from.max(ended));
        }
        Enrolment::Dealer(card) => {
            let others = content.dealers.iter().filter(|other| other.node.name != card.node.name);
            let before = others.filter(|other| other.licence == card.licence);
            let ended = before.map(|other| other.valid_until).filter(|until| *until <= now).max();
            card.valid_from = ended.map_or(card.valid_from, |ended| card.valid_from.max(ended));
        }
        Enrolment::Issuer(_) | Enrolment::Witness(_) => {}
    }
    entry
}

/// Ends what stands under a name; its logs stay known. A witness, which cosigns as long as it stands, goes.
fn end(content: &mut DirectoryContent, name: &NodeName) -> Result<String, EnrolError> {
    // Signatures know whole seconds only.
    let (now, _) = validity(Timestamp::now(), 0);
    let issuers = content.issuers.iter_mut().map(|card| (&card.node.name, &mut card.valid_until));
    let agencies = content.agencies.iter_mut().map(|card| (&card.node.name, &mut card.valid_until));
    let dealers = content.dealers.iter_mut().map(|card| (&card.node.name, &mut card.valid_until));
    let mut all = issuers.chain(agencies).chain(dealers);
    if let Some((_, until)) = all.find(|(known, _)| *known == name) {
        *until = now.min(*until);
        return Ok(format!("{name}: ends {until}"));
    }
    let before = content.witnesses.len();
    content.witnesses.retain(|card| card.name != *name);
    if content.witnesses.len() == before {
        return Err(EnrolError::Unknown(name.clone()));
    }
    Ok(format!("{name}: gone"))
}

/// Whether a federation can work under these entries: a quorum that its witnesses can meet, addresses that can be asked, agencies
/// that may ask.
///
/// # Errors
/// The reason in words.
pub(super) fn workable(content: &DirectoryContent) -> Result<(), String> {
    let (quorum, witnesses) = (content.quorum, content.witnesses.len());
    if quorum > witnesses {
        return Err(format!("a quorum of {quorum} cannot be met by {witnesses} witnesses"));
    }
    for (name, url) in addresses(content) {
        check_url(url).map_err(|reason| format!("{name}: {reason}"))?;
    }
    match content.agencies.iter().find(|card| card.oris.is_empty()) {
        Some(card) => Err(format!("{} has no ORI, so it can never ask", card.node.name)),
        None => Ok(()),
    }
}

/// Where the nodes are reached that are asked.
fn addresses(content: &DirectoryContent) -> impl Iterator<Item = (&NodeName, &String)> {
    let issuers = content.issuers.iter().map(|card| (&card.node.name, &card.node.url));
    let agencies = content.agencies.iter().map(|card| (&card.node.name, &card.node.url));
    issuers.chain(agencies).chain(content.witnesses.iter().map(|card| (&card.name, &card.url)))
}

/// Whether others can reach a node under an address, and it is spelled as all programs spell it: http or https, a host, perhaps a
/// port and a path, as the URL standard of the WHATWG writes them.
///
/// # Errors
/// The reason in words.
pub fn check_url(url: &str) -> Result<(), String> {
    let (plain, parsed) = (url.trim_end_matches('/'), Url::parse(url));
    let fits = |parsed: &Url| {
        matches!(parsed.scheme(), "http" | "https")
            && (parsed.username(), parsed.password()) == ("", None)
            && (parsed.query(), parsed.fragment()) == (None, None)
            && !parsed.path().contains("//")
    };
    let Some(parsed) = parsed.ok().filter(fits) else {
        return Err(format!(
            "`{url}` is no address of a node\nhint: write http:// or https://, a host, and perhaps a port"
        ));
    };
    let written = parsed.as_str().trim_end_matches('/');
    if written == plain {
        return Ok(());
    }
    Err(format!("`{url}` is no address of a node as all spell it\nhint: write `{written}`"))
}

/// Whether the directory that these entries make would be taken by those who read it.
fn readable(content: &DirectoryContent, node: &Node) -> Result<(), String> {
    workable(content)?;
    let own = same_address(&node.config.url);
    if let Some((name, url)) = addresses(content).find(|(_, url)| same_address(url) == own) {
        return Err(format!("{name} has the directory's own address, {url}"));
    }
    let mut content = content.clone();
    content.log = Some(node.log.verifier().to_string());
    (content.version, (content.issued_at, content.expires_at)) = (1, validity(Timestamp::now(), 1));
    let bytes = content.sign(&node.statements).map_err(|error| error.to_string())?;
    Directory::parse(&bytes, node.statements.verifier()).map(drop).map_err(|error| error.to_string())
}

/// Until when an entry says that it holds; witnesses' say nothing.
fn valid_until(entry: &Enrolment) -> Option<Timestamp> {
    match entry {
        Enrolment::Issuer(card) => Some(card.valid_until),
        Enrolment::Agency(card) => Some(card.valid_until),
        Enrolment::Dealer(card) => Some(card.valid_until),
        Enrolment::Witness(_) => None,
    }
}

/// From when an entry says that it holds.
fn valid_from(entry: &Enrolment) -> Option<Timestamp> {
    match entry {
        Enrolment::Issuer(card) => Some(card.valid_from),
        Enrolment::Agency(card) => Some(card.valid_from),
        Enrolment::Dealer(card) => Some(card.valid_from),
        Enrolment::Witness(_) => None,
    }
}

/// Whether its days are over.
fn is_over(entry: &Enrolment) -> bool {
    valid_until(entry).is_some_and(|until| until <= Timestamp::now())
}

/// The fields in which two entries differ, and a line for each.
fn differences(standing: &Enrolment, new: &Enrolment) -> Vec<(String, String)> {
    let fields = |entry: &Enrolment| {
        let mut all = BTreeMap::new();
        flatten("", &serde_json::to_value(entry).unwrap_or_default(), &mut all);
        all
    };
    let (before, after) = (fields(standing), fields(new));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let none = || "nothing".to_owned();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let line = |name: &String| {
        let (old, now) = (before.get(name).cloned(), after.get(name).cloned());
        format!("{}: {name} {} → {}", new.name(), old.unwrap_or_else(none), now.unwrap_or_else(none))
    };
    changed.map(|name| (name.clone(), line(name))).collect()
}

fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&inner, value, into);
            }
        }
        Value::String(text) => drop(into.insert(name.to_owned(), text.replace('\n', " "))),
        other => drop(into.insert(name.to_owned(), other.to_string())),
    }
}

fn role_of(entry: &Enrolment) -> &'static str {
    match entry {
        Enrolment::Issuer(_) => "issuer",
        Enrolment::Agency(_) => "agency",
        Enrolment::Dealer(_) => "dealer",
        Enrolment::Witness(_) => "witness",
    }
}

/// In the place of the one that stands, or at the end.
fn put<T>(cards: &mut Vec<T>, card: T, is_same: impl Fn(&T) -> bool) {
    match cards.iter().position(is_same) {
        Some(at) => cards[at] = card,
        None => cards.push(card),
    }
}
