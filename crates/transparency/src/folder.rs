//! A log in a folder, served by any static file server as it lies.
//!
//! # Why this room opens files
//!
//! The house rule is that only `cli`, `server` and `cluster` open files. This module is the one exception in
//! this crate, because the order *write, flush, rename, flush the folder, swap the checkpoint* **is** the
//! promise that nothing acknowledged is lost. Three rooms need it (`registry`, `casework`, `cli`); written
//! three times it would be wrong once. It opens only the folder it is given, only under the names of
//! [`Resource`], never follows a name from outside, and reads no file larger than [`LIMIT`] bytes.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{Resource, StoreError, TileStore};

/// Largest file of a log: a full bundle of 256 entries of 65,535 bytes, each behind two bytes.
const LIMIT: u64 = 256 * (65_535 + 2);

/// A log in a folder: `checkpoint`, `tile/…`, and `.lock` while one process writes.
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
    /// Held open and locked by the writer; the system lets go of it when the process ends, however it ends.
    lock: Option<File>,
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
            Ok(()) => Ok(Self { root: root.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(root.display().to_string())),
            Err(TryLockError::Error(source)) => Err(environment("lock", &path)(source)),
        }
    }

    /// Opens a folder for reading; a writer may be at work in it.
    pub fn read_only(root: &Path) -> Self {
        Self { root: root.to_owned(), lock: None }
    }

    fn path(&self, resource: &Resource) -> PathBuf {
        self.root.join(resource.to_string())
    }

    fn writable(&self) -> Result<(), StoreError> {
        if self.lock.is_some() { Ok(()) } else { Err(StoreError::ReadOnly) }
    }

    /// Makes the folders above `path` and remembers which folders have to be flushed.
    fn prepare(&self, path: &Path, dirty: &mut BTreeSet<PathBuf>) -> Result<(), StoreError> {
        let parent = path.parent().unwrap_or(&self.root);
        dirty.insert(parent.to_owned());
        if parent.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(parent).map_err(environment("make folder", parent))?;
        let above = parent.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        dirty.extend(above.map(Path::to_owned));
        Ok(())
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
        self.writable()?;
        let mut dirty = BTreeSet::new();
        for (resource, bytes) in files {
            let path = self.path(resource);
            self.prepare(&path, &mut dirty)?;
            place(&path, bytes)?;
        }
        dirty.iter().try_for_each(|folder| flush_folder(folder))
    }

    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        self.writable()?;
        if self.read(&Resource::Checkpoint)?.as_deref() != expected {
            return Err(StoreError::Conflict);
        }
        place(&self.path(&Resource::Checkpoint), new)?;
        flush_folder(&self.root)
    }

    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        self.writable()?;
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

/// Writes beside the final name, flushes, renames. The folder still has to be flushed.
fn place(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()
    });
    written.map_err(environment("write", &temporary))?;
    fs::rename(&temporary, path).map_err(environment("rename to", path))
}

/// Makes renames within a folder durable.
fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(environment("flush", folder))
}

fn environment(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Environment { action, path, source }
}
