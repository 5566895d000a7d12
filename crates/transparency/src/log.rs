//! The one writer of a log.

use std::ops::Range;

use crate::{
    BundleError, Checkpoint, ConsistencyProof, EntryProof, Hash, InclusionProof, NoteError, ProofError,
    Resource, Salt, SignedCheckpoint, SigningKey, StoreError, TileStore, Tree, VerifierKey, edge::Edge,
};

/// Why a log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store: disk, rights, another writer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint or the key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A proof that cannot be made or does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// There is no log in the store.
    #[error("there is no log here\nhint: create one first")]
    NoLog,
    /// A log is there already.
    #[error("there is a log of {size} entries here already\nhint: open it instead of creating one")]
    Exists {
        /// Entries in the log that is there.
        size: u64,
    },
    /// A file that the checkpoint requires is not there.
    #[error(
        "`{0}` is missing although the checkpoint requires it: the log was truncated\nhint: run the audit's fsck"
    )]
    Missing(String),
    /// A file has an impossible content.
    #[error("`{path}` is damaged: {reason}\nhint: run the audit's fsck")]
    Corrupt {
        /// Path within the log.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The files do not add up to the signed root.
    #[error(
        "the files give root {found}, the checkpoint says {signed}: the log was altered\nhint: run the audit's fsck"
    )]
    WrongRoot {
        /// Root of the files.
        found: Hash,
        /// Root in the checkpoint.
        signed: Hash,
    },
    /// An entry longer than the format carries.
    #[error("an entry has {0} bytes, a log carries at most 65535\nhint: enter a hash of it")]
    TooLong(usize),
    /// A checkpoint swap failed half-way; which of the two stands is known only to the store.
    #[error(
        "an earlier write failed at the checkpoint\nhint: open the log again; it will be in the old or the new state"
    )]
    MustReopen,
}

/// A log open for writing. There is one writer; readers use [`Tree`] on the same store.
///
/// [`Log::append_batch`] returns only after the entries and the checkpoint that covers them are durable: first
/// tiles and bundles, then the checkpoint by compare-and-swap. After a crash at any point [`Log::open`] finds either
/// the old or the new checkpoint, each with all its files.
///
/// ```
/// use transparency::{Hash, Log, MemoryStore, SigningKey};
/// let key = SigningKey::log("example.com/log", &[7; 32]).unwrap();
/// let public = key.verifier().clone();
/// let mut log = Log::create(MemoryStore::default(), key).unwrap();
/// let places = log.append_batch(&["first", "second"]).unwrap();
/// assert_eq!(places, 0..2);
/// log.checkpoint().verify(&public).unwrap();
/// let proof = log.inclusion_proof(1).unwrap();
/// proof.verify(&Hash::leaf(b"second"), &log.checkpoint().checkpoint.root).unwrap();
/// ```
#[derive(Debug)]
pub struct Log<S> {
    store: S,
    key: SigningKey,
    edge: Edge,
    signed: SignedCheckpoint,
    unsure: bool,
}

impl<S: TileStore> Log<S> {
    /// Starts an empty log whose origin is the key's name, and signs its first checkpoint.
    ///
    /// # Errors
    /// [`LogError::Exists`] if the store holds a log already.
    pub fn create(mut store: S, key: SigningKey) -> Result<Self, LogError> {
        if let Some(bytes) = store.read(&Resource::Checkpoint)? {
            let size = SignedCheckpoint::parse(&bytes)?.checkpoint.size;
            return Err(LogError::Exists { size });
        }
        let signed = Checkpoint::new(key.verifier().name(), 0, Hash::empty_tree()).sign(&key)?;
        store.swap_checkpoint(None, signed.to_string().as_bytes())?;
        Ok(Self { store, key, edge: Edge::default(), signed, unsure: false })
    }

    /// Opens a log and checks its right edge against the signed root.
    ///
    /// # Errors
    /// [`LogError::NoLog`], or what is wrong with the checkpoint or the edge. The whole tree is checked by
    /// [`crate::fsck`], not here.
    pub fn open(store: S, key: SigningKey) -> Result<Self, LogError> {
        let bytes = store.read(&Resource::Checkpoint)?.ok_or(LogError::NoLog)?;
        let signed = SignedCheckpoint::parse(&bytes)?;
        signed.verify(key.verifier())?;
        let edge = Edge::load(&store, signed.checkpoint.size)?;
        let (found, claimed) = (edge.root(), signed.checkpoint.root);
        if found != claimed {
            return Err(LogError::WrongRoot { found, signed: claimed });
        }
        Ok(Self { store, key, edge, signed, unsure: false })
    }

    /// Goes on from these entries under another key of another name, and signs the checkpoint anew; nothing is appended. The
    /// note that says so is [`crate::LogEnd`], to be made and kept before.
    ///
    /// # Errors
    /// [`NoteError::BadName`] when the name is the same: two logs of one name are a fork. [`LogError::Store`] leaves open which
    /// of the two stands.
    pub fn go_on_as(mut self, key: SigningKey) -> Result<Self, LogError> {
        if self.unsure {
            return Err(LogError::MustReopen);
        }
        let name = key.verifier().name();
        if name == self.origin() {
            return Err(NoteError::BadName(name.to_owned()).into());
        }
        let signed = Checkpoint::new(name, self.edge.size, self.edge.root()).sign(&key)?;
        self.swap(signed)?;
        self.key = key;
        Ok(self)
    }

    /// Appends entries and returns their places once they are durable. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`LogError::TooLong`] before anything is written. After a store error other than at the checkpoint the log
    /// is as it was and the batch may be tried again; after an error at the checkpoint only
    /// [`LogError::MustReopen`] follows.
    pub fn append_batch<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<Range<u64>, LogError> {
        if self.unsure {
            return Err(LogError::MustReopen);
        }
        let lengths = entries.iter().map(|entry| entry.as_ref().len());
        if let Some(length) = lengths.max().filter(|length| *length > usize::from(u16::MAX)) {
            return Err(LogError::TooLong(length));
        }
        let before = self.edge.size;
        if entries.is_empty() {
            return Ok(before..before);
        }
        let mut edge = self.edge.clone();
        let files = edge.extend(entries.iter().map(AsRef::as_ref));
        self.store.write(&files)?;
        let signed = Checkpoint::new(self.origin(), edge.size, edge.root()).sign(&self.key)?;
        self.swap(signed)?;
        self.edge = edge;
        let full: Vec<_> = files.into_iter().map(|(name, _)| name).filter(Resource::is_full).collect();
        // The entries stand; partial files left over are harmless and fsck lists them.
        let _ = self.store.remove_partials(&full);
        Ok(before..self.edge.size)
    }

    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        self.key.verifier().name()
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Where the log lies.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, to tell it when to show what it holds.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The whole tree, for reading.
    pub fn tree(&self) -> Tree<'_, S> {
        Tree::new(&self.store, self.edge.size)
    }

    /// Proof that entry `index` stands in the newest checkpoint's tree.
    ///
    /// # Errors
    /// When the index lies outside, or a tile is missing.
    pub fn inclusion_proof(&self, index: u64) -> Result<InclusionProof, LogError> {
        self.tree().inclusion_proof(index)
    }

    /// Proof that the newest tree extends the tree of the first `old_size` entries.
    ///
    /// # Errors
    /// When the old tree is larger, or a tile is missing.
    pub fn consistency_proof(&self, old_size: u64) -> Result<ConsistencyProof, LogError> {
        self.tree().consistency_proof(old_size)
    }

    /// Takes cosignatures by `witnesses` into the newest checkpoint, out of a witness's answer, and returns how many.
    ///
    /// # Errors
    /// When a line by a known witness is bad, or the store fails.
    pub fn add_cosignatures(&mut self, answer: &str, witnesses: &[VerifierKey]) -> Result<usize, LogError> {
        if self.unsure {
            return Err(LogError::MustReopen);
        }
        let mut signed = self.signed.clone();
        let count = signed.add_cosignatures(answer, witnesses)?;
        if count > 0 {
            self.swap(signed)?;
        }
        Ok(count)
    }

    /// Everything an outsider needs to check entry `index` offline: record, salt, proof, newest checkpoint.
    ///
    /// # Errors
    /// [`BundleError::NotTheEntry`] if the entry there is no commitment to this record with this salt.
    pub fn entry_proof(&self, index: u64, salt: &Salt, record: &[u8]) -> Result<EntryProof, BundleError> {
        EntryProof::new(&self.tree(), &self.signed, index, (salt, record))
    }

    /// Swaps the checkpoint; after a failure the log is closed for writing, because either may stand.
    fn swap(&mut self, new: SignedCheckpoint) -> Result<(), LogError> {
        let (old_bytes, new_bytes) = (self.signed.to_string(), new.to_string());
        if let Err(error) = self.store.swap_checkpoint(Some(old_bytes.as_bytes()), new_bytes.as_bytes()) {
            self.unsure = true;
            return Err(error.into());
        }
        self.signed = new;
        Ok(())
    }
}
