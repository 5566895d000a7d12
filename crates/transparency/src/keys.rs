//! Keys of logs and witnesses, and their text forms (C2SP `signed-note`, "verifier keys").

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use ml_dsa::{MlDsa44, signature::Keypair as _, signature::Verifier as _};
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

use crate::{NoteError, Signature, note::check_name};

/// What a key signs: the one-byte signature type of C2SP `signed-note`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `0x01`: plain Ed25519 over the note text; how a log signs its checkpoints.
    Log,
    /// `0x04`: timestamped Ed25519 cosignature; how a witness signs.
    Witness,
    /// `0x06`: timestamped ML-DSA-44 cosignature (FIPS 204); holds against quantum computers, and commits to the
    /// witness's name.
    WitnessMlDsa44,
}

/// A public key with its name, in the `vkey` notation `name+hash+base64`.
///
/// ```
/// use transparency::VerifierKey;
/// let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
/// let key: VerifierKey = text.parse().unwrap();
/// assert_eq!(key.name(), "example.com/foo");
/// assert_eq!(key.to_string(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    public: Public,
}

/// A private key with its name.
///
/// [`SigningKey::to_secret_text`] and `FromStr` use the notation `PRIVATE+KEY+name+hash+base64` of the Go tools.
#[derive(Clone)]
pub struct SigningKey {
    seed: [u8; 32],
    secret: Secret,
    verifier: VerifierKey,
}

#[derive(Debug, Clone)]
enum Public {
    Ed25519(ed25519_dalek::VerifyingKey),
    MlDsa44(Box<ml_dsa::VerifyingKey<MlDsa44>>),
}

/// Shared by the copies of a key: one of ML-DSA-44 takes long to make and much room.
#[derive(Clone)]
enum Secret {
    Ed25519(Arc<ed25519_dalek::SigningKey>),
    MlDsa44(Arc<ml_dsa::SigningKey<MlDsa44>>),
}

impl KeyKind {
    const ALL: [Self; 3] = [Self::Log, Self::Witness, Self::WitnessMlDsa44];

    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
            Self::WitnessMlDsa44 => 0x06,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

impl VerifierKey {
    fn new(name: &str, kind: KeyKind, public: Public) -> Result<Self, NoteError> {
        check_name(name)?;
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind.byte()])
            .chain_update(public.bytes())
            .finalize();
        Ok(Self { name: name.to_owned(), kind, id: [hash[0], hash[1], hash[2], hash[3]], public })
    }

    /// Name of the key; for a log's key, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// First four bytes of the key's hash.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The public key itself: 32 bytes (Ed25519) or 1,312 bytes (ML-DSA-44).
    pub fn public_bytes(&self) -> Vec<u8> {
        self.public.bytes()
    }

    /// Whether a signature line claims to be by this key.
    pub fn matches(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.key_id == self.id
    }

    /// Checks one signature over `message` (strict RFC 8032 without small-order keys, or FIPS 204).
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        let good = match &self.public {
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Public::MlDsa44(key) => ml_dsa::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        };
        if good { Ok(()) } else { Err(NoteError::BadSignature(self.name.clone())) }
    }
}

impl Public {
    fn new(kind: KeyKind, bytes: &[u8]) -> Result<Self, NoteError> {
        if kind == KeyKind::WitnessMlDsa44 {
            let bytes = bytes.try_into().map_err(|_| NoteError::BadKey("an ML-DSA-44 key has 1312 bytes"))?;
            return Ok(Self::MlDsa44(Box::new(ml_dsa::VerifyingKey::decode(bytes))));
        }
        let bytes = bytes.try_into().map_err(|_| NoteError::BadKey("an Ed25519 key has 32 bytes"))?;
        ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map(Self::Ed25519)
            .map_err(|_| NoteError::BadKey("the public key is no point of the curve"))
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.as_bytes().to_vec(),
            Self::MlDsa44(key) => key.encode().to_vec(),
        }
    }
}

impl PartialEq for Public {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Public {}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [vec![self.kind.byte()], self.public.bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, kind, bytes) = split_key(text)?;
        let key = Self::new(name, kind, Public::new(kind, &bytes)?)?;
        check_id(&key, id)?;
        Ok(key)
    }
}

impl SigningKey {
    /// A log's key from its 32-byte seed; `name` is the log's origin.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn log(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::from_seed(name, KeyKind::Log, seed)
    }

    /// A witness's Ed25519 key from its 32-byte seed.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn witness(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::from_seed(name, KeyKind::Witness, seed)
    }

    /// A new key from a cryptographic source of randomness.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn generate(name: &str, kind: KeyKind, rng: &mut impl CryptoRng) -> Result<Self, NoteError> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self::from_seed(name, kind, &seed)
    }

    /// A key of any kind from its 32-byte seed (RFC 8032, section 5.1.5; FIPS 204, algorithm 1).
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let (secret, public) = if kind == KeyKind::WitnessMlDsa44 {
            let key = Arc::new(ml_dsa::SigningKey::from_seed(&(*seed).into()));
            let public = Public::MlDsa44(Box::new(key.verifying_key()));
            (Secret::MlDsa44(key), public)
        } else {
            let key = Arc::new(ed25519_dalek::SigningKey::from_bytes(seed));
            let public = Public::Ed25519(key.verifying_key());
            (Secret::Ed25519(key), public)
        };
        Ok(Self { seed: *seed, secret, verifier: VerifierKey::new(name, kind, public)? })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The private key as text, to be kept in a file only its owner can read.
    pub fn to_secret_text(&self) -> String {
        let material = [&[self.verifier.kind.byte()], &self.seed[..]].concat();
        let id = hex::encode(self.verifier.id);
        format!("PRIVATE+KEY+{}+{id}+{}", self.verifier.name, STANDARD.encode(material))
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::MlDsa44(key) => key.sign(message).encode().to_vec(),
        }
    }

    /// A signature line whose content is `bytes`.
    pub(crate) fn line(&self, bytes: Vec<u8>) -> Signature {
        Signature { name: self.verifier.name.clone(), key_id: self.verifier.id, bytes }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{}+…)", self.verifier.name, hex::encode(self.verifier.id))
    }
}

impl FromStr for SigningKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or(NoteError::BadKey("a signing key starts with PRIVATE+KEY+"))?;
        let (name, id, kind, seed) = split_key(rest)?;
        let seed = seed.try_into().map_err(|_| NoteError::BadKey("a signing key has a seed of 32 bytes"))?;
        let key = Self::from_seed(name, kind, &seed)?;
        check_id(&key.verifier, id)?;
        Ok(key)
    }
}

fn check_id(key: &VerifierKey, id: &str) -> Result<(), NoteError> {
    if hex::encode(key.id) == id {
        Ok(())
    } else {
        Err(NoteError::BadKey("its hash does not match its name"))
    }
}

/// Splits `name+hash+base64`; base64 may hold plus signs, names may not.
fn split_key(text: &str) -> Result<(&str, &str, KeyKind, Vec<u8>), NoteError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::BadKey("expected name+hash+base64"));
    };
    let material = STANDARD.decode(material).map_err(|_| NoteError::BadKey("its last part is not base64"))?;
    let (kind, bytes) = material.split_first().ok_or(NoteError::BadKey("its last part is empty"))?;
    let kind = KeyKind::from_byte(*kind).ok_or(NoteError::BadKey(
        "unsupported signature type; read are Ed25519 notes (1), Ed25519 (4) and ML-DSA-44 (6) cosignatures",
    ))?;
    Ok((name, id, kind, bytes.to_vec()))
}
