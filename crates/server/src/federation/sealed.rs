//! Answers sealed to the agency's key with HPKE (RFC 9180), so that whoever relays them reads nothing, nor tells by the length what was
//! answered.
//!
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM in base mode, one message each. That the issuer wrote it is shown by
//! the HTTP signature and the signed statement inside, not by HPKE.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256, single_shot_open, single_shot_seal_with_rng,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

type PublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;

const SCHEMA: &str = "microstamp.sealed/1";
const INFO: &[u8] = b"microstamp sealed answer v1";
/// Answers are made as long as a multiple of this by white space behind them.
const STEP: usize = 16 << 10;

/// What is wrong with a sealed content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a sealed content, or not a key.
    #[error("{0}")]
    Malformed(&'static str),
    /// It does not open: sealed to another key, for another request, or altered.
    #[error("it does not open: it was sealed to another key or for another place, or was altered")]
    DoesNotOpen,
}

/// The public key to which answers are sealed: 32 bytes, base64 in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealingPublicKey([u8; 32]);

/// The private half.
#[derive(Clone)]
pub struct OpeningKey {
    private: PrivateKey,
    id: String,
}

/// A sealed content as it travels, JSON schema `microstamp.sealed/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    schema: String,
    /// First 8 bytes of the SHA-256 of the recipient's key, hexadecimal; empty in what is sealed to whoever asked: its key stands in the
    /// directory, and whoever relays need not know it.
    to: String,
    /// Encapsulated key, base64.
    enc: String,
    /// Ciphertext, base64.
    ciphertext: String,
}

impl OpeningKey {
    /// Derives the key pair from 32 secret bytes (RFC 9180, section 4, `DeriveKeyPair`).
    pub fn derive(secret: &[u8; 32]) -> (Self, SealingPublicKey) {
        let (private, public) = X25519HkdfSha256::derive_keypair(secret);
        let public = SealingPublicKey(public.to_bytes().into());
        (Self { private, id: public.id() }, public)
    }
}

impl SealingPublicKey {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..8])
    }
}

impl Sealed {
    /// Seals `content` to `key`; `request` is bound as associated data, so that it opens beside no other.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for a key that is no point of the curve.
    pub fn seal(content: &[u8], key: &SealingPublicKey, request: &str) -> Result<Self, SealError> {
        Self::of_length((content, 0), key, request)
    }

    /// The same, made at least so long: what is asked says how long an answer can be, and the length of each does not tell which it is.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for a key that is no point of the curve.
    pub(crate) fn of_length(
        (content, least): (&[u8], usize),
        key: &SealingPublicKey,
        request: &str,
    ) -> Result<Self, SealError> {
        let mut content = content.to_vec();
        content.resize(content.len().max(least), b' ');
        let sealed = Self::close((&content, STEP), key, INFO, request)?;
        Ok(Self { to: String::new(), ..sealed })
    }

    /// Seals a content for one purpose, with white space behind it up to the next multiple of a step.
    pub(super) fn close(
        (content, step): (&[u8], usize),
        key: &SealingPublicKey,
        purpose: &[u8],
        bound_to: &str,
    ) -> Result<Self, SealError> {
        let mut content = content.to_vec();
        content.resize(content.len().next_multiple_of(step), b' ');
        let bad = |_| SealError::Malformed("the recipient's key is no X25519 key");
        let public = PublicKey::from_bytes(&key.0).map_err(bad)?;
        let (enc, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            purpose,
            &content,
            bound_to.as_bytes(),
            &mut rand::rng(),
        )
        .map_err(bad)?;
        Ok(Self {
            schema: SCHEMA.to_owned(),
            to: key.id(),
            enc: STANDARD.encode(enc.to_bytes()),
            ciphertext: STANDARD.encode(ciphertext),
        })
    }

    /// Opens what was sealed for this request.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, key: &OpeningKey, request: &str) -> Result<Vec<u8>, SealError> {
        self.open_as(key, INFO, request)
    }

    /// Opens what was sealed for this purpose.
    pub(super) fn open_as(
        &self,
        key: &OpeningKey,
        purpose: &[u8],
        bound_to: &str,
    ) -> Result<Vec<u8>, SealError> {
        if self.schema != SCHEMA {
            return Err(SealError::Malformed("the schema is not microstamp.sealed/1"));
        }
        if !self.to.is_empty() && self.to != key.id {
            return Err(SealError::DoesNotOpen);
        }
        let bytes =
            |text: &str| STANDARD.decode(text).map_err(|_| SealError::Malformed("a part is not base64"));
        let enc = <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&bytes(&self.enc)?)
            .map_err(|_| SealError::DoesNotOpen)?;
        let opened = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &key.private,
            &enc,
            purpose,
            &bytes(&self.ciphertext)?,
            bound_to.as_bytes(),
        )
        .map_err(|_| SealError::DoesNotOpen)?;
        // The spaces that made it longer; what is sealed is text that ends in none.
        Ok(opened.trim_ascii_end().to_vec())
    }
}

impl TryFrom<String> for SealingPublicKey {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, SealError> {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(SealError::Malformed("a sealing key is 32 bytes in base64"))
    }
}

impl From<SealingPublicKey> for String {
    fn from(key: SealingPublicKey) -> Self {
        STANDARD.encode(key.0)
    }
}

/// What a refusal says that may have come under seal.
pub(crate) fn open_refusal(content: Vec<u8>, key: &OpeningKey, request: &str) -> Vec<u8> {
    let sealed = serde_json::from_slice::<Sealed>(&content).ok();
    sealed.and_then(|sealed| sealed.open(key, request).ok()).unwrap_or(content)
}
