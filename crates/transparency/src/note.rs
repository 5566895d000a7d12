//! Signed notes (C2SP `signed-note`).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{KeyKind, SigningKey, VerifierKey};

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
        if key.verifier().kind() != KeyKind::Log {
            return Err(NoteError::BadKey("a witness key signs cosignatures, not notes"));
        }
        let signature = key.line(key.sign_bytes(text.as_bytes()));
        Ok(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// Checks that the note carries a good plain signature by `key`, and no bad one that claims to be by it.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] or [`NoteError::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        if key.kind() != KeyKind::Log {
            return Err(NoteError::BadKey("a witness key signs cosignatures, not notes"));
        }
        let mut found = false;
        for signature in self.signatures.iter().filter(|signature| key.matches(signature)) {
            key.check(self.text.as_bytes(), &signature.bytes)?;
            found = true;
        }
        if found { Ok(()) } else { Err(NoteError::Unsigned(key.name().to_owned())) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c.is_whitespace() || c == '+' || (c as u32) < 0x20;
    if name.is_empty() || name.chars().any(bad) { Err(NoteError::BadName(name.to_owned())) } else { Ok(()) }
}
