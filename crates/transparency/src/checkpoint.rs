//! Checkpoints: the signed statement "so many entries, this root" (C2SP `tlog-checkpoint`).

use std::fmt;

use crate::{Hash, Note, NoteError, SigningKey, VerifierKey};

/// The text of a checkpoint: origin, size, root, and extension lines.
///
/// `Display` is the note text, byte for byte.
///
/// ```
/// use transparency::{Checkpoint, Hash};
/// let empty = Checkpoint::new("example.com/log", 0, Hash::empty_tree());
/// assert_eq!(
///     empty.to_string(),
///     "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Unique name of the log.
    pub origin: String,
    /// Entries in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Further lines, not audited by anyone; we write none.
    pub extensions: Vec<String>,
}

/// A checkpoint inside its signed note.
///
/// [`SignedCheckpoint::parse`] verifies nothing; call [`SignedCheckpoint::verify`] or
/// [`crate::Policy::check`] before use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The text, parsed.
    pub checkpoint: Checkpoint,
    /// The note as it was signed.
    pub note: Note,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let body = text
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the checkpoint does not end in a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(NoteError::Malformed("the origin line is empty"))?;
        let size = lines.next().and_then(parse_decimal);
        let size = size.ok_or(NoteError::Malformed("the tree size is no decimal number"))?;
        let root = lines.next().and_then(Hash::from_base64);
        let root = root.ok_or(NoteError::Malformed("the root hash is not base64 of 32 bytes"))?;
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(NoteError::Malformed("an extension line is empty"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// Signs with the log's key.
    ///
    /// # Errors
    /// [`NoteError`] if the origin cannot stand in a note or the key is no log's key.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCheckpoint, NoteError> {
        let note = Note::sign(&self.to_string(), key)?;
        Ok(SignedCheckpoint { checkpoint: self, note })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl SignedCheckpoint {
    /// Parses a signed note whose text is a checkpoint. Nothing is verified yet.
    ///
    /// # Errors
    /// [`NoteError`] if it is no note or no checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(&note.text)?, note })
    }

    /// Checks that the log itself signed it: the origin is the key's name and the signature is good.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] or [`NoteError::BadSignature`].
    pub fn verify(&self, log: &VerifierKey) -> Result<(), NoteError> {
        if self.checkpoint.origin != log.name() {
            return Err(NoteError::Unsigned(log.name().to_owned()));
        }
        self.note.verify(log)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// ASCII decimal without leading zeroes or sign.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
