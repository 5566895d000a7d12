//! The end of one log and the beginning of another with the same entries.
//!
//! A log that was put back from an older copy cannot go on under its name: witnesses cosigned more of it, and sign nothing else.
//! It ends with a note that its own key and that of the next log both sign, and the next log, of another name and key, begins
//! with the entries that are left. The roots of the two at that size are equal, so everybody can see what was carried over, and
//! from the witnesses' last checkpoint of the old log how much was lost.

use crate::{Hash, KeyKind, Note, NoteError, SigningKey, VerifierKey, checkpoint::parse_decimal};

const HEADER: &str = "microstamp log ended v1";

/// That a log ended, and which one goes on from its entries.
///
/// ```
/// use transparency::{LogEnd, Log, MemoryStore, SigningKey};
/// let old = SigningKey::log("issuer.example/log", &[1; 32]).unwrap();
/// let new = SigningKey::log("issuer.example/log/7c0a", &[2; 32]).unwrap();
/// let mut log = Log::create(MemoryStore::default(), old.clone()).unwrap();
/// log.append_batch(&["entry"]).unwrap();
/// let root = log.checkpoint().checkpoint.root;
/// let note = LogEnd::sign((&old, &new), (1, root), "the disk was lost").unwrap();
/// let mut log = log.go_on_as(new.clone()).unwrap();
/// log.append_batch(&["another"]).unwrap();
/// let end = LogEnd::parse(&note).unwrap();
/// assert_eq!((&end.old, &end.new), (old.verifier(), new.verifier()));
/// assert_eq!((end.size, end.root), (1, root));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// Key of the log that ended.
    pub old: VerifierKey,
    /// Key of the log that goes on.
    pub new: VerifierKey,
    /// Entries that the new log takes over, from the first.
    pub size: u64,
    /// Root of the tree of these entries.
    pub root: Hash,
    /// Why, in words of whoever keeps the log.
    pub reason: String,
}

impl LogEnd {
    /// The note, signed by both keys. The reason must stand on one line.
    ///
    /// # Errors
    /// [`NoteError`] when a key is no log's key, or the reason has control characters.
    pub fn sign(
        (old, new): (&SigningKey, &SigningKey),
        (size, root): (u64, Hash),
        reason: &str,
    ) -> Result<String, NoteError> {
        if reason.contains('\n') {
            return Err(NoteError::Malformed("the reason has more than one line"));
        }
        let (ended, next) = (old.verifier(), new.verifier());
        let text = format!(
            "{HEADER}\nlog {ended}\nentries {size}\nroot {root}\ngoes on as {next}\nbecause {reason}\n"
        );
        let mut note = Note::sign(&text, old)?;
        note.signatures.extend(Note::sign(&text, new)?.signatures);
        Ok(note.to_string())
    }

    /// Reads a note and verifies both of its signatures. Whether the keys are those of logs that one knows is for the caller.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let note = Note::parse(text.as_bytes())?;
        let malformed = NoteError::Malformed("it is not the end of a log");
        let mut lines = note.text.lines();
        let mut line = |name: &str| lines.next()?.strip_prefix(name).map(str::to_owned);
        if line(HEADER).as_deref() != Some("") {
            return Err(malformed);
        }
        let all = (|| {
            Some([line("log ")?, line("entries ")?, line("root ")?, line("goes on as ")?, line("because ")?])
        })();
        let [old, size, root, new, reason] = all.ok_or_else(|| malformed.clone())?;
        let (old, new): (VerifierKey, VerifierKey) = (old.parse()?, new.parse()?);
        let size = parse_decimal(&size).ok_or_else(|| malformed.clone())?;
        let root = Hash::from_base64(&root).ok_or_else(|| malformed.clone())?;
        if lines.next().is_some()
            || note.to_string() != text
            || note.signatures.len() != 2
            || old.name() == new.name()
        {
            return Err(malformed);
        }
        for key in [&old, &new] {
            if key.kind() != KeyKind::Log {
                return Err(malformed);
            }
            note.verify(key)?;
        }
        Ok(Self { old, new, size, root, reason })
    }
}
