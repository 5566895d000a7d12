//! Signed notes (C2SP `signed-note`) and the keys that sign them.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

/// Largest note that is parsed, in bytes: a checkpoint with a hundred signatures is far smaller.
const MAX_NOTE: usize = 1 << 20;
/// Most signature lines that are parsed; the specification asks for at least 16.
const MAX_SIGNATURES: usize = 64;

/// What is wrong with a note or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes are not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The note is larger than the limit.
    #[error("signed note exceeds the limit of {limit} {unit}")]
    Limit {
        /// What is allowed.
        limit: usize,
        /// `bytes` or `signatures`.
        unit: &'static str,
    },
    /// No signature by a key that was asked for.
    #[error("no signature by {0}\nhint: check that the right verifier key was given")]
    Unsigned(String),
    /// A signature by a known key does not verify: the note or the signature was altered.
    #[error("the signature of {0} does not verify: the text or the signature was altered")]
    BadSignature(String),
    /// A key name that the note format cannot carry.
    #[error(
        "`{0}` cannot name a key\nhint: use a name such as example.com/log, without spaces and plus signs"
    )]
    BadName(String),
    /// A verifier or signing key that cannot be read.
    #[error("cannot read the key: {0}")]
    BadKey(&'static str),
}

/// What a key signs: the one-byte signature type of C2SP `signed-note`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `0x01`: plain Ed25519 over the note text; how a log signs its checkpoints.
    Log,
    /// `0x04`: timestamped Ed25519 cosignature; how a witness signs.
    Witness,
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
    public: ed25519_dalek::VerifyingKey,
}

/// A private key with its name.
///
/// [`SigningKey::to_secret_text`] and `FromStr` use the notation `PRIVATE+KEY+name+hash+base64` of the Go tools.
#[derive(Clone)]
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// First four bytes of the key's hash.
    pub key_id: [u8; 4],
    /// The signature; for a cosignature the eight bytes of the time come first.
    pub bytes: Vec<u8>,
}

/// A text with signatures. The text is worth nothing until a signature by a trusted key is verified.
///
/// `Display` and [`Note::parse`] are the format of C2SP `signed-note`, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, ending in a newline.
    pub text: String,
    /// Signatures in the order of their lines, at least one.
    pub signatures: Vec<Signature>,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Log, Self::Witness].into_iter().find(|kind| kind.byte() == byte)
    }
}

impl VerifierKey {
    fn new(name: &str, kind: KeyKind, public: ed25519_dalek::VerifyingKey) -> Result<Self, NoteError> {
        check_name(name)?;
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind.byte()])
            .chain_update(public.as_bytes())
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

    /// The 32 bytes of the Ed25519 public key.
    pub fn public_bytes(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Whether a signature line claims to be by this key.
    pub fn matches(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.key_id == self.id
    }

    /// Checks one signature over `message` (strict RFC 8032, no small-order keys).
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        ed25519_dalek::Signature::from_slice(signature)
            .and_then(|signature| self.public.verify_strict(message, &signature))
            .map_err(|_| NoteError::BadSignature(self.name.clone()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, material) = split_key(text)?;
        let (kind, bytes) = split_material(&material)?;
        let public = ed25519_dalek::VerifyingKey::from_bytes(&bytes)
            .map_err(|_| NoteError::BadKey("the public key is no point of the curve"))?;
        let key = Self::new(name, kind, public)?;
        if hex::encode(key.id) == id {
            Ok(key)
        } else {
            Err(NoteError::BadKey("its hash does not match its name"))
        }
    }
}

impl SigningKey {
    /// A log's key from its 32-byte seed; `name` is the log's origin.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn log(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, KeyKind::Log, seed)
    }

    /// A witness's key from its 32-byte seed.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn witness(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, KeyKind::Witness, seed)
    }

    /// A new key from a cryptographic source of randomness.
    ///
    /// # Errors
    /// [`NoteError::BadName`] if a note cannot carry the name.
    pub fn generate(name: &str, kind: KeyKind, rng: &mut impl CryptoRng) -> Result<Self, NoteError> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self::new(name, kind, &seed)
    }

    fn new(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, kind, secret.verifying_key())?;
        Ok(Self { secret, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The private key as text, to be kept in a file only its owner can read.
    pub fn to_secret_text(&self) -> String {
        let mut material = vec![self.verifier.kind.byte()];
        material.extend(self.secret.to_bytes());
        let id = hex::encode(self.verifier.id);
        format!("PRIVATE+KEY+{}+{id}+{}", self.verifier.name, STANDARD.encode(material))
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }

    /// A signature line whose content is `bytes`.
    pub(crate) fn line(&self, bytes: Vec<u8>) -> Signature {
        Signature { name: self.verifier.name.clone(), key_id: self.verifier.id, bytes }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

impl FromStr for SigningKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or(NoteError::BadKey("a signing key starts with PRIVATE+KEY+"))?;
        let (name, id, material) = split_key(rest)?;
        let (kind, seed) = split_material(&material)?;
        let key = Self::new(name, kind, &seed)?;
        if hex::encode(key.verifier.id) == id {
            Ok(key)
        } else {
            Err(NoteError::BadKey("its hash does not match its name"))
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = self.key_id.to_vec();
        material.extend(&self.bytes);
        writeln!(f, "— {} {}", self.name, STANDARD.encode(material))
    }
}

impl Signature {
    /// Reads one signature line without its newline.
    pub(crate) fn parse(line: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Malformed("a signature line is not `— name base64`");
        let Some((name, base64)) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')) else {
            return Err(bad);
        };
        check_name(name).map_err(|_| bad.clone())?;
        let material = STANDARD.decode(base64).map_err(|_| bad.clone())?;
        let Some((key_id, bytes)) = material.split_first_chunk::<4>() else { return Err(bad) };
        if bytes.is_empty() {
            return Err(bad);
        }
        Ok(Self { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
    }
}

impl Note {
    /// Parses a signed note. Nothing is verified yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] or [`NoteError::Limit`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Limit { limit: MAX_NOTE, unit: "bytes" });
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if all.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed("it has a control character"));
        }
        let end = all.rfind("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, lines) = (&all[..=end], &all[end + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the last line does not end in a newline"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Limit { limit: MAX_SIGNATURES, unit: "signatures" });
        }
        let signatures = lines.split('\n').map(Signature::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Signs a text with a log's key.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if the text does not end in a newline or has control characters,
    /// [`NoteError::BadKey`] if the key is a witness's.
    pub fn sign(text: &str, key: &SigningKey) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed(
                "the text must end in a newline and have no control characters",
            ));
        }
        if key.verifier.kind != KeyKind::Log {
            return Err(NoteError::BadKey("a witness key signs cosignatures, not notes"));
        }
        let signature = key.line(key.sign_bytes(text.as_bytes()).to_vec());
        Ok(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// Checks that the note carries a good plain signature by `key`, and no bad one that claims to be by it.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] or [`NoteError::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut found = false;
        for signature in self.signatures.iter().filter(|signature| key.matches(signature)) {
            key.check(self.text.as_bytes(), &signature.bytes)?;
            found = true;
        }
        if found { Ok(()) } else { Err(NoteError::Unsigned(key.name.clone())) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c.is_whitespace() || c == '+' || (c as u32) < 0x20;
    if name.is_empty() || name.chars().any(bad) { Err(NoteError::BadName(name.to_owned())) } else { Ok(()) }
}

/// Splits `name+hash+base64`; base64 may hold plus signs, names may not.
fn split_key(text: &str) -> Result<(&str, &str, Vec<u8>), NoteError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::BadKey("expected name+hash+base64"));
    };
    let material = STANDARD.decode(material).map_err(|_| NoteError::BadKey("its last part is not base64"))?;
    Ok((name, id, material))
}

fn split_material(material: &[u8]) -> Result<(KeyKind, [u8; 32]), NoteError> {
    let (kind, bytes) = material.split_first().ok_or(NoteError::BadKey("its last part is empty"))?;
    let kind = KeyKind::from_byte(*kind).ok_or(NoteError::BadKey(
        "unsupported signature type; Ed25519 notes (1) and cosignatures (4) are read",
    ))?;
    let bytes = bytes.try_into().map_err(|_| NoteError::BadKey("an Ed25519 key has 32 bytes"))?;
    Ok((kind, bytes))
}
