//! Records and log side by side, without holding either in memory.

use std::path::Path;

use transparency::{FolderStore, Tree};

use super::{LedgerError, Stored, failed, log_folder};

/// Entries in one file of the log.
const BUNDLE: u64 = 256;

/// What the log holds at the places of records, which come mostly in its order.
pub(super) struct Vouched {
    store: FolderStore,
    size: u64,
    /// The entries read last, and which they are.
    bundle: Option<(u64, Vec<Vec<u8>>)>,
}

impl Vouched {
    pub(super) fn new(folder: &Path, size: u64) -> Self {
        Self { store: FolderStore::read_only(&log_folder(folder)), size, bundle: None }
    }

    /// The same of a log whose entries can all be read.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] with the first that cannot.
    pub(super) fn of_all(folder: &Path, size: u64) -> Result<Self, LedgerError> {
        let vouched = Self::new(folder, size);
        let tree = Tree::new(&vouched.store, size);
        for bundle in 0..size.div_ceil(BUNDLE) {
            tree.bundle(bundle).map_err(failed)?;
        }
        Ok(vouched)
    }

    /// Whether the log holds the hash of a record at its place.
    pub(super) fn is_what_it_holds(&mut self, stored: &Stored) -> bool {
        let (wanted, at) = (stored.entered.index / BUNDLE, (stored.entered.index % BUNDLE) as usize);
        if self.bundle.as_ref().is_none_or(|(number, _)| *number != wanted) {
            let held = Tree::new(&self.store, self.size).bundle(wanted);
            self.bundle = held.ok().map(|entries| (wanted, entries));
        }
        let entry = self.bundle.as_ref().and_then(|(_, entries)| entries.get(at));
        let commitment = stored.entered.commitment();
        commitment.is_some_and(|one| entry.is_some_and(|entry| entry.as_slice() == one.as_bytes()))
    }
}

/// Of which entries there was a record: a bit each.
pub(super) struct Told {
    bits: Vec<u64>,
    size: u64,
}

impl Told {
    pub(super) fn new(size: u64) -> Self {
        Self { bits: vec![0; size.div_ceil(64) as usize], size }
    }

    /// Notes a record of an entry below the size; whether it is the first.
    pub(super) fn first(&mut self, entry: u64) -> bool {
        let (word, bit) = (&mut self.bits[(entry / 64) as usize], 1 << (entry % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// The entries of which there was none, in their order.
    pub(super) fn untold(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.size).filter(|entry| self.bits[(entry / 64) as usize] >> (entry % 64) & 1 == 0)
    }
}
