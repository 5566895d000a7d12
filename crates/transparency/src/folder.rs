//! A log in a folder, served by any static file server as it lies.
//!
//! # Why this room opens files
//!
//! The house rule is that only `cli`, `server` and `cluster` open files. This module is the one exception in
//! this crate, because the order *journal, flush, tiles, checkpoint* **is** the promise that nothing acknowledged is
//! lost. Three rooms need it (`registry`, `casework`, `cli`); written three times it would be wrong once. It opens only
//! the folder it is given, only under the names of [`Resource`] and its own dot files, never follows a name from
//! outside, and reads no log file larger than 16 MiB.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    Resource, StoreError, TileStore,
    journal::{self, Files, Journal},
};

/// Largest file of a log: a full bundle of 256 entries of 65,535 bytes, each behind two bytes.
const LIMIT: u64 = 256 * (65_535 + 2);

/// A log in a folder: `checkpoint`, `tile/…`, and for the writer `.lock`, `.journal.0` and `.journal.1`.
///
/// An append costs one flush of the disk, whatever its size. Readers see tiles before the checkpoint that names them.
/// After the machine itself has crashed, open the folder for writing once before reading it: only then are the
/// acknowledged files all in place again.
///
/// ```
/// use transparency::{FolderStore, Log, SigningKey};
/// # let folder = tempfile::tempdir().unwrap();
/// let key = SigningKey::log("example.com/log", &[7; 32]).unwrap();
/// let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key).unwrap();
/// assert_eq!(log.append_batch(&["one", "two"]).unwrap(), 0..2);
/// ```
#[derive(Debug)]
pub struct FolderStore {
    root: PathBuf,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// Files handed over since the last checkpoint. Dropped before the lock is let go.
    pending: Files,
    journal: Journal,
    /// Held open and locked; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl FolderStore {
    /// Makes the folder if need be and opens it for writing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process writes here, or the system's error.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(environment("make folder", root))?;
        if let Some(above) = root.parent().filter(|above| above.is_dir()) {
            flush_folder(above)?;
        }
        Self::open(root)
    }

    /// Opens an existing folder for writing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process writes here, or the system's error.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(".lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(environment("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {
                let writer = Some(Writer::recover(root, lock)?);
                Ok(Self { root: root.to_owned(), writer })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(root.display().to_string())),
            Err(TryLockError::Error(source)) => Err(environment("lock", &path)(source)),
        }
    }

    /// Opens a folder for reading; a writer may be at work in it.
    pub fn read_only(root: &Path) -> Self {
        Self { root: root.to_owned(), writer: None }
    }

    fn path(&self, resource: &Resource) -> PathBuf {
        self.root.join(resource.to_string())
    }
}

impl Writer {
    /// Puts in place what an earlier writer had acknowledged and may not have put there.
    fn recover(root: &Path, lock: File) -> Result<Self, StoreError> {
        let (mut journal, records) = Journal::open(root)?;
        let mut placed = std::collections::BTreeSet::new();
        for files in &records {
            journal::place(root, files)?;
            placed.extend(files.iter().map(|(resource, _)| root.join(resource.to_string())));
        }
        journal::flush(root, &placed)?;
        journal.clear()?;
        flush_folder(root)?;
        Ok(Self { pending: Vec::new(), journal, _lock: lock })
    }
}

impl TileStore for FolderStore {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(resource);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(environment("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(environment("read", &path))?;
        let size = bytes.len() as u64;
        if size > LIMIT {
            return Err(StoreError::Limit { path: resource.to_string(), size, limit: LIMIT });
        }
        Ok(Some(bytes))
    }

    fn write(&mut self, files: &[(Resource, Vec<u8>)]) -> Result<(), StoreError> {
        let writer = self.writer.as_mut().ok_or(StoreError::ReadOnly)?;
        writer.pending.clear();
        writer.pending.extend_from_slice(files);
        Ok(())
    }

    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        let found = self.read(&Resource::Checkpoint)?;
        let writer = self.writer.as_mut().ok_or(StoreError::ReadOnly)?;
        if found.as_deref() != expected {
            return Err(StoreError::Conflict);
        }
        let mut files = std::mem::take(&mut writer.pending);
        files.push((Resource::Checkpoint, new.to_vec()));
        writer.journal.commit(&files)?;
        journal::place(&self.root, &files)?;
        let paths = files.iter().map(|(resource, _)| self.root.join(resource.to_string()));
        writer.journal.placed(paths)
    }

    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        if self.writer.is_none() {
            return Err(StoreError::ReadOnly);
        }
        for resource in full.iter().filter(|resource| resource.is_full()) {
            let mut name = self.path(resource).into_os_string();
            name.push(".p");
            let folder = PathBuf::from(name);
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(environment("remove", &folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes renames within a folder durable.
fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(environment("flush", folder))
}

pub(crate) fn environment(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Environment { action, path, source }
}
