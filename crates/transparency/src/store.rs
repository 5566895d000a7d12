//! Where a log keeps its files: a small trait, and a store in memory.

use std::{collections::BTreeMap, io};

use crate::Resource;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, the folder or the rights to it.
    #[error(
        "cannot {action} `{path}`: {source}\nhint: check that the disk has room and the folder can be written"
    )]
    Environment {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// Path within the log.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The server that has the log.
    #[error("cannot fetch `{url}`: {reason}")]
    Unreachable {
        /// Where it was asked for.
        url: String,
        /// What was answered, or why nothing was.
        reason: String,
    },
    /// Somebody else moved the checkpoint since it was read.
    #[error(
        "the checkpoint changed under this writer\nhint: open the log again; only one process may write it"
    )]
    Conflict,
    /// Another process holds the log open for writing.
    #[error("`{0}` is open for writing in another process\nhint: stop it, or open the log for reading")]
    Locked(String),
    /// The store was opened for reading.
    #[error("the log was opened for reading only")]
    ReadOnly,
    /// A file is larger than any file of a log can be.
    #[error("`{path}` has {size} bytes, more than the {limit} a log file can have")]
    Limit {
        /// Path within the log.
        path: String,
        /// Bytes found.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

/// Storage of one tiled log: immutable files and one checkpoint that is swapped.
///
/// The order of calls is the log's promise: [`TileStore::write`] hands over all files of an append, then
/// [`TileStore::swap_checkpoint`] makes them and the checkpoint durable, all or none, and only then returns. A crash may
/// leave files that no checkpoint names; they are overwritten later, so a store must replace what is there.
/// Implementations: [`crate::MemoryStore`], [`crate::FolderStore`], and the fault injector in this crate's tests.
pub trait TileStore {
    /// Bytes of one file, `None` if there is no such file.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes the files of one append. They need be durable and readable only when the checkpoint that follows is.
    ///
    /// # Errors
    /// When the files cannot be taken; the append may be tried again.
    fn write(&mut self, files: &[(Resource, Vec<u8>)]) -> Result<(), StoreError>;

    /// Replaces the checkpoint by `new` if its bytes are still `expected` (`None`: there is none yet).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it differs; any other error leaves open which of the two stands.
    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError>;

    /// Removes the partial files that each of these full ones replaces. Losing this call does no harm.
    ///
    /// # Errors
    /// When a file is there and cannot be removed.
    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError>;

    /// The partial files that are there, of any age, and names that are none of a log's; nothing where a store cannot tell, or may hold
    /// files that no checkpoint ever named.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn listing(&self) -> Result<Listing, StoreError> {
        Ok(Listing::default())
    }
}

/// What lies in a store beside its full files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Partial tiles and bundles, in the order of [`Resource`].
    pub partials: Vec<Resource>,
    /// Paths within the log that are the name of no file of a log.
    pub strangers: Vec<String>,
}

/// A log in memory, for tests, simulation and small tools.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    /// Every file by its name.
    pub files: BTreeMap<Resource, Vec<u8>>,
}

impl TileStore for MemoryStore {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.files.get(resource).cloned())
    }

    fn write(&mut self, files: &[(Resource, Vec<u8>)]) -> Result<(), StoreError> {
        self.files.extend(files.iter().cloned());
        Ok(())
    }

    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        if self.files.get(&Resource::Checkpoint).map(Vec::as_slice) != expected {
            return Err(StoreError::Conflict);
        }
        self.files.insert(Resource::Checkpoint, new.to_vec());
        Ok(())
    }

    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        for resource in full {
            let gone: Vec<_> = self.files.range(resource.partials()).map(|(name, _)| *name).collect();
            for name in gone {
                self.files.remove(&name);
            }
        }
        Ok(())
    }
}
