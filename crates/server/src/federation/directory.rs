//! The directory of prefixes: the only thing that all nodes share. It is signed, versioned and expires.
//!
//! A directory file is one line of canonical JSON (schema `microstamp.directory/1`) followed by a signed note over its
//! version and SHA-256. Nothing in it is believed before the note is verified under the directory's key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use registry::names::LicenceNumber;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use symbology::Prefix;
use transparency::{KeyKind, Note, Policy, SignedCheckpoint, SigningKey, VerifierKey, canonical_json};

use super::entries;
use super::lookup::Lookup;
use crate::api::{AgencyCard, Answer, DealerCard, IssuerCard, NodeCard, NodeName, WitnessCard};

/// Largest directory that is read, in bytes.
const LIMIT: usize = 16 << 20;
/// Most issuers; there are 1,024 prefixes.
const MAX_ISSUERS: usize = 1_024;
/// Most agencies, dealers or witnesses.
const MAX_OTHERS: usize = 50_000;
const SCHEMA: &str = "microstamp.directory/1";
const HEADER: &str = "microstamp directory v1";
const DELEGATION: &str = "microstamp delegation v1";

/// Why a directory is not used. The operator of the directory must act, or of this node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The bytes are no directory.
    #[error("not a directory: {0}")]
    Malformed(String),
    /// Larger than the limits.
    #[error("the directory exceeds the limit of {0}")]
    Limit(&'static str),
    /// Not signed by the key that this node trusts.
    #[error("the directory's signature does not hold: {0}")]
    Signature(String),
    /// Its time is over.
    #[error(
        "the directory expired at {0}\nhint: fetch a newer one; nothing is asked or answered under an expired one"
    )]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("the directory holds from {0} on\nhint: check this machine's clock")]
    NotYet(Timestamp),
    /// Older than one that this node has seen.
    #[error("directory version {seen} is older than version {held}, which this node holds")]
    RolledBack {
        /// Version offered.
        seen: u64,
        /// Version held.
        held: u64,
    },
    /// Two directories of one version: the directory's key signed two truths. Keep both: they are proof against it.
    #[error("there are two different directories of version {0}: its key signed both")]
    Split(u64),
    /// Two entries contradict each other, or a delegation is not signed by the issuer that it speaks for.
    #[error("the directory contradicts itself: {0}")]
    Contradiction(String),
}

/// What a directory says: JSON schema `microstamp.directory/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryContent {
    /// `microstamp.directory/1`.
    pub schema: String,
    /// Counts up with each change.
    pub version: u64,
    /// From when it holds.
    pub issued_at: Timestamp,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Issuers with their prefixes.
    pub issuers: Vec<IssuerCard>,
    /// Agencies that may ask.
    pub agencies: Vec<AgencyCard>,
    /// Dealers that may answer for themselves.
    pub dealers: Vec<DealerCard>,
    /// Witnesses of the nodes' logs.
    pub witnesses: Vec<WitnessCard>,
    /// How many witnesses must have cosigned a checkpoint.
    pub quorum: usize,
    /// The directory's own log, C2SP `vkey`; witnesses watch it like any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// A verified directory.
#[derive(Debug, Clone)]
pub struct Directory {
    content: DirectoryContent,
    bytes: Vec<u8>,
    sha256: String,
    lookup: Lookup,
    owners: BTreeMap<Prefix, usize>,
    /// Successor of each closed issuer, and until when.
    successors: BTreeMap<usize, (usize, Timestamp)>,
}

/// Who resolves a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'d> {
    /// The issuer itself.
    Issuer(&'d IssuerCard),
    /// The issuer closed; its signed delegation names this successor.
    Delegated {
        /// The issuer that closed.
        from: &'d IssuerCard,
        /// The node that answers now.
        to: &'d IssuerCard,
    },
    /// Nobody: the block was never given out, or the entry is not valid now.
    Nobody,
}

impl DirectoryContent {
    /// An empty directory.
    pub fn new(version: u64, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        let schema = SCHEMA.to_owned();
        let (issuers, agencies, dealers, witnesses) = (vec![], vec![], vec![], vec![]);
        Self {
            schema,
            version,
            issued_at,
            expires_at,
            issuers,
            agencies,
            dealers,
            witnesses,
            quorum: 0,
            log: None,
        }
    }

    /// Signs with the directory's key and gives the file.
    ///
    /// # Errors
    /// [`DirectoryError::Malformed`] when the key cannot sign notes.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, DirectoryError> {
        let malformed = |error: &dyn std::fmt::Display| DirectoryError::Malformed(error.to_string());
        let value = serde_json::to_value(self).map_err(|error| malformed(&error))?;
        let json = canonical_json(&value).map_err(|error| malformed(&error))?;
        let note = Note::sign(&note_text(self.version, &json), key).map_err(|error| malformed(&error))?;
        Ok([json.as_slice(), b"\n", note.to_string().as_bytes()].concat())
    }
}

/// A closing issuer's words that `to` resolves its codes from now on until `until`, signed with its statement key.
///
/// # Errors
/// [`DirectoryError::Malformed`] when the key cannot sign notes.
pub fn delegate(
    from: &NodeName,
    to: &NodeName,
    until: Timestamp,
    key: &SigningKey,
) -> Result<String, DirectoryError> {
    let text = format!("{DELEGATION}\nfrom {from}\nto {to}\nuntil {until}\n");
    let note = Note::sign(&text, key).map_err(|error| DirectoryError::Malformed(error.to_string()))?;
    Ok(note.to_string())
}

impl Directory {
    /// Reads and verifies a directory file. Whether it has expired is asked with [`Directory::check_time`].
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn parse(bytes: &[u8], root: &VerifierKey) -> Result<Self, DirectoryError> {
        if bytes.len() > LIMIT {
            return Err(DirectoryError::Limit("16 MiB"));
        }
        let malformed = |reason: &str| DirectoryError::Malformed(reason.to_owned());
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (json, rest) = bytes.split_at(end.ok_or_else(|| malformed("it has one line only"))?);
        let note = Note::parse(&rest[1..]).map_err(|error| DirectoryError::Signature(error.to_string()))?;
        note.verify(root).map_err(|error| DirectoryError::Signature(error.to_string()))?;
        if note.signatures.len() != 1 || note.to_string().as_bytes() != &rest[1..] {
            return Err(malformed("it has more than one signature, or another spelling"));
        }
        let content: DirectoryContent =
            serde_json::from_slice(json).map_err(|error| DirectoryError::Malformed(error.to_string()))?;
        if note.text != note_text(content.version, json) {
            return Err(malformed("the signed hash is not that of its content"));
        }
        if content.schema != SCHEMA {
            return Err(malformed("the schema is not microstamp.directory/1"));
        }
        Self::index(content, bytes.to_vec())
    }

    /// Checks that the directory holds at `now`.
    ///
    /// # Errors
    /// [`DirectoryError::Expired`], [`DirectoryError::NotYet`].
    pub fn check_time(&self, now: Timestamp) -> Result<(), DirectoryError> {
        if now >= self.content.expires_at {
            return Err(DirectoryError::Expired(self.content.expires_at));
        }
        // A clock that is a little slow must not refuse a directory that was signed a moment ago.
        let early = self.content.issued_at.as_second() - now.as_second();
        if early > 60 { Err(DirectoryError::NotYet(self.content.issued_at)) } else { Ok(()) }
    }

    /// Checks that it may take the place of the directory that this node holds.
    ///
    /// # Errors
    /// [`DirectoryError::RolledBack`]; [`DirectoryError::Split`] for the same version with another content.
    pub fn check_successor_of(&self, other: &Self) -> Result<(), DirectoryError> {
        let (seen, held) = (self.content.version, other.content.version);
        if seen < held {
            return Err(DirectoryError::RolledBack { seen, held });
        }
        if seen == held && self.bytes != other.bytes { Err(DirectoryError::Split(seen)) } else { Ok(()) }
    }

    /// SHA-256 of the file, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What it says.
    pub fn content(&self) -> &DirectoryContent {
        &self.content
    }

    /// The file as it was read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who resolves a prefix at `now`.
    pub fn route(&self, prefix: Prefix, now: Timestamp) -> Route<'_> {
        let valid = |card: &IssuerCard| card.valid_from <= now && now < card.valid_until;
        let Some(at) = self.owners.get(&prefix) else { return Route::Nobody };
        let issuer = &self.content.issuers[*at];
        match self.successors.get(at).map(|(at, until)| (&self.content.issuers[*at], *until)) {
            Some((to, until)) if valid(to) && now < until => Route::Delegated { from: issuer, to },
            None if valid(issuer) => Route::Issuer(issuer),
            _ => Route::Nobody,
        }
    }

    /// Checks that whoever answers may tell of the firearm that it names: the block is its own at `now`, or was delegated
    /// to it by the issuer that the answer names.
    ///
    /// # Errors
    /// A sentence.
    pub fn check_authority(&self, answer: &Answer, now: Timestamp) -> Result<(), String> {
        let Some(firearm) = &answer.firearm else { return Ok(()) };
        let block = firearm.code.prefix();
        let holds = match self.route(block, now) {
            Route::Issuer(card) => card.node.name == answer.issuer && answer.delegated_by.is_none(),
            Route::Delegated { from, to } => {
                to.node.name == answer.issuer && answer.delegated_by.as_ref() == Some(&from.node.name)
            }
            Route::Nobody => false,
        };
        let no =
            || format!("the directory does not let {} speak for block {block} in this way", answer.issuer);
        holds.then_some(()).ok_or_else(no)
    }

    /// The agency with that key, if its entry holds at `now`.
    pub fn agency(&self, key_id: &str, now: Timestamp) -> Option<&AgencyCard> {
        let card = &self.content.agencies[self.lookup.agency(key_id)?];
        let holds = card.valid_from <= now && now < card.valid_until;
        (holds && card.node.key_id() == key_id).then_some(card)
    }

    /// The dealer with that key, if its entry holds at `now`.
    pub fn dealer(&self, key_id: &str, now: Timestamp) -> Option<&DealerCard> {
        let named = self.lookup.dealers(key_id).iter().map(|at| &self.content.dealers[*at]);
        let mut valid = named.filter(|card| card.valid_from <= now && now < card.valid_until);
        valid.find(|card| card.node.key_id() == key_id)
    }

    /// Whether a dealer with that licence can be asked for its own part of a chain.
    pub fn dealer_of(&self, licence: &LicenceNumber) -> Option<&DealerCard> {
        self.lookup.licence(licence).map(|at| &self.content.dealers[at])
    }

    /// The issuer of that name.
    pub fn issuer(&self, name: &NodeName) -> Option<&IssuerCard> {
        self.lookup.issuer(name).map(|at| &self.content.issuers[at])
    }

    /// The node that keeps the log of that name, be it an issuer or an agency.
    pub fn node_of_log(&self, origin: &str) -> Option<&NodeCard> {
        self.lookup.log(&self.content, origin)
    }

    /// The issuer or agency of that name.
    pub(crate) fn node(&self, name: &NodeName) -> Option<&NodeCard> {
        self.lookup.node(&self.content, name)
    }

    /// Whose cosignatures a checkpoint of `log` needs. A witness with two keys counts once, and only where both signed.
    ///
    /// # Errors
    /// [`DirectoryError::Contradiction`] when keys or quorum make no policy.
    pub fn policy(&self, log: &str) -> Result<Policy, DirectoryError> {
        let mut text = format!("log {log}\n");
        let mut names = Vec::new();
        for witness in &self.content.witnesses {
            let name = witness.name.as_str();
            text.extend(["witness ", name, " ", &witness.key, "\n"]);
            // No node's name has a plus sign.
            match &witness.key_ml_dsa_44 {
                None => names.push(name.to_owned()),
                Some(key) => {
                    text.extend(["witness ", name, "+ml-dsa-44 ", key, "\n"]);
                    text.extend(["group ", name, "+both all ", name, " ", name, "+ml-dsa-44\n"]);
                    names.push(format!("{name}+both"));
                }
            }
        }
        if self.content.quorum == 0 {
            text.push_str("quorum none\n");
        } else {
            let need = self.content.quorum.to_string();
            text.extend(["group +quorum ", &need, " ", &names.join(" "), "\nquorum +quorum\n"]);
        }
        text.parse().map_err(|error| DirectoryError::Contradiction(format!("{error}")))
    }

    /// Takes out the signature lines that are unknown here: of witnesses, and second keys of witnesses, that came later. What is
    /// verified strictly has none of them.
    ///
    /// # Errors
    /// As [`Directory::policy`].
    pub(crate) fn keep_known_lines(
        &self,
        log: &str,
        signed: &mut SignedCheckpoint,
    ) -> Result<(), DirectoryError> {
        let policy = self.policy(log)?;
        let witnesses = policy.witnesses().iter().map(|(_, key)| key);
        let keys: Vec<&VerifierKey> = policy.logs().iter().chain(witnesses).collect();
        signed.note.signatures.retain(|line| keys.iter().any(|key| key.matches(line)));
        Ok(())
    }

    fn index(content: DirectoryContent, bytes: Vec<u8>) -> Result<Self, DirectoryError> {
        if content.issuers.len() > MAX_ISSUERS {
            return Err(DirectoryError::Limit("1024 issuers"));
        }
        let others = [content.agencies.len(), content.dealers.len(), content.witnesses.len()];
        if others.iter().any(|count| *count > MAX_OTHERS) {
            return Err(DirectoryError::Limit("50000 agencies, dealers or witnesses"));
        }
        let mut owners = BTreeMap::new();
        for (at, issuer) in content.issuers.iter().enumerate() {
            for prefix in &issuer.prefixes {
                if let Some(other) = owners.insert(*prefix, at) {
                    let names = [&content.issuers[other].node.name, &issuer.node.name];
                    let what = format!("block {prefix} has two issuers, {} and {}", names[0], names[1]);
                    return Err(DirectoryError::Contradiction(what));
                }
            }
        }
        entries::check(&content)?;
        let successors = successors(&content)?;
        let (sha256, lookup) = (hex::encode(Sha256::digest(&bytes)), Lookup::new(&content));
        Ok(Self { content, bytes, sha256, lookup, owners, successors })
    }
}

fn note_text(version: u64, json: &[u8]) -> String {
    format!("{HEADER}\nversion {version}\nsha256 {}\n", hex::encode(Sha256::digest(json)))
}

/// Verifies every delegation under the key of the issuer that it speaks for.
fn successors(content: &DirectoryContent) -> Result<BTreeMap<usize, (usize, Timestamp)>, DirectoryError> {
    let mut successors = BTreeMap::new();
    for (at, issuer) in content.issuers.iter().enumerate() {
        let Some(note) = &issuer.delegation else { continue };
        let name = &issuer.node.name;
        let wrong = |reason: &dyn std::fmt::Display| {
            DirectoryError::Contradiction(format!("the delegation of {name}: {reason}"))
        };
        let key: VerifierKey = issuer.node.statements.parse().map_err(|error| wrong(&error))?;
        if key.kind() != KeyKind::Log {
            return Err(wrong(&"its statement key is no note key"));
        }
        let note = Note::parse(note.as_bytes()).map_err(|error| wrong(&error))?;
        note.verify(&key).map_err(|error| wrong(&error))?;
        let to = note.text.strip_prefix(&format!("{DELEGATION}\nfrom {name}\nto "));
        let said = to.and_then(|to| to.strip_suffix('\n')?.split_once("\nuntil "));
        let said = said.and_then(|(to, until)| Some((to, until.parse::<Timestamp>().ok()?)));
        let (to, until) = said.ok_or_else(|| wrong(&"it says something else"))?;
        let successor = content.issuers.iter().position(|card| card.node.name.as_str() == to);
        let successor = successor.filter(|to| content.issuers[*to].delegation.is_none());
        let successor = successor.ok_or_else(|| wrong(&"it names no issuer that answers"))?;
        successors.insert(at, (successor, until));
    }
    Ok(successors)
}
