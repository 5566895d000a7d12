//! What a node says of itself, and what the directory says of it.

use ed25519_dalek::VerifyingKey;
use jiff::Timestamp;
use registry::names::{LicenceNumber, Ori};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use symbology::Prefix;
use transparency::{NoteError, VerifierKey};

use super::names::NodeName;
use crate::federation::SealingPublicKey;

/// A node: where it is reached and which keys it signs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeCard {
    /// Its name.
    pub name: NodeName,
    /// Where it is reached, without a trailing slash, such as `https://issuer.example`.
    pub url: String,
    /// Key of its HTTP signatures: Ed25519, 64 hexadecimal digits.
    pub signing: PublicKey,
    /// Key of its signed statements, in C2SP `vkey` notation.
    pub statements: String,
    /// Key of its log of questions and answers, in C2SP `vkey` notation.
    pub log: String,
    /// Where an earlier log of this node ended and this one goes on from its entries: the note by both keys
    /// ([`transparency::LogEnd`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_ended: Option<String>,
    /// Key to which requests to an issuer's node are sealed; without it they are sent in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<SealingPublicKey>,
    /// SHA-256 of the public key of its certificate (`SubjectPublicKeyInfo`), 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

/// An Ed25519 public key, hexadecimal in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

/// An issuer's node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerCard {
    /// The node.
    pub node: NodeCard,
    /// Blocks whose codes it resolves.
    pub prefixes: Vec<Prefix>,
    /// When it closed: its signed delegation to the successor that answers in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<String>,
    /// Key of the log of its books, in C2SP `vkey` notation: witnesses cosign it beside the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub books_log: Option<String>,
    /// Where an earlier log of the books ended, as `log_ended` of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub books_log_ended: Option<String>,
    /// From when the entry holds.
    pub valid_from: Timestamp,
    /// Until when the entry holds.
    pub valid_until: Timestamp,
}

/// An agency's node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyCard {
    /// The node.
    pub node: NodeCard,
    /// ORI numbers under which it may ask.
    pub oris: Vec<Ori>,
    /// Key to which answers are sealed.
    pub sealing: SealingPublicKey,
    /// From when the entry holds.
    pub valid_from: Timestamp,
    /// Until when the entry holds.
    pub valid_until: Timestamp,
}

/// A dealer, who answers its own part of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealerCard {
    /// The dealer's name and keys; its URL is not asked.
    pub node: NodeCard,
    /// Its licence.
    pub licence: LicenceNumber,
    /// Key to which what it has to answer is sealed.
    pub sealing: SealingPublicKey,
    /// From when the entry holds.
    pub valid_from: Timestamp,
    /// Until when the entry holds.
    pub valid_until: Timestamp,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessCard {
    /// Its name, without spaces.
    pub name: NodeName,
    /// Where it takes `add-checkpoint`.
    pub url: String,
    /// Its key, in C2SP `vkey` notation.
    pub key: String,
    /// Its ML-DSA-44 key of the same name, in C2SP `vkey` notation: where it is named, only both signatures are a cosignature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ml_dsa_44: Option<String>,
    /// Key of its signed statements, in C2SP `vkey` notation: its card is signed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<String>,
    /// SHA-256 of the public key of its certificate, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

impl NodeCard {
    /// How signatures name this node's key: the node's name, `#`, and the beginning of the key's SHA-256.
    pub fn key_id(&self) -> String {
        format!("{}#{}", self.name, self.signing.short())
    }
}

impl WitnessCard {
    /// The keys that must all have signed where this witness has cosigned.
    ///
    /// # Errors
    /// [`NoteError`] when one cannot be read.
    pub fn keys(&self) -> Result<Vec<VerifierKey>, NoteError> {
        [&self.key].into_iter().chain(&self.key_ml_dsa_44).map(|key| key.parse()).collect()
    }
}

impl PublicKey {
    /// Takes a key.
    pub fn new(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// The key.
    pub fn key(&self) -> &VerifyingKey {
        &self.0
    }

    fn short(self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..8])
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = hex::decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or("a signing key is 64 hexadecimal digits")?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| "the key is no point of the curve".to_owned())
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex::encode(key.0.as_bytes())
    }
}
