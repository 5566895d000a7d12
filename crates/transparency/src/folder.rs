//! A log in a folder, served by any static file server as it lies.
//!
//! # Why this room opens files
//!
//! The house rule is that only `cli`, `server` and `cluster` open files. This module is the one exception in
//! this crate, because the order *journal, flush, tiles, checkpoint* **is** the promise that nothing acknowledged is
//! lost. Three rooms need it (`registry`, `casework`, `cli`); written three times it would be wrong once. It opens only
//! the folder it is given, only under the names of [`Resource`] and its own dot files, and the files beside it that a
//! [`Piece`] names; never follows a name from outside, and reads no log file larger than 16 MiB.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    Listing, Resource, StoreError, TileStore,
    journal::{self, Append, Files, Journal, Piece},
};

/// Largest file of a log: a full bundle of 256 entries of 65,535 bytes, each behind two bytes.
const LIMIT: u64 = 256 * (65_535 + 2);

/// A log in a folder: `checkpoint`, `tile/…`, and for the writer `.lock`, `.journal.0` and `.journal.1`.
///
/// An append costs one flush of the disk, whatever its size. Readers see tiles before the checkpoint that names them.
/// After the machine itself has crashed, open the folder for writing once before reading it: only then are the
/// acknowledged files all in place again. The same holds for [`FolderStore::lagging`] after its process was killed.
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
    pending: Append,
    journal: Journal,
    /// With [`FolderStore::lagging`]: what the journal holds and readers do not see yet.
    unpublished: Option<Unpublished>,
    /// Held open and locked; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

/// Newest state of the files since they were put in place last.
#[derive(Debug, Default)]
struct Unpublished {
    files: BTreeMap<Resource, Vec<u8>>,
    /// Full files whose partial ones are to go.
    full: Vec<Resource>,
}

impl Unpublished {
    /// Takes the files of an append; partial ones that it replaces are never shown to anybody.
    fn take(&mut self, files: Files) {
        for (resource, bytes) in files {
            if let Some(older) = self.files.range(resource.partials()).next_back().map(|(older, _)| *older) {
                self.files.remove(&older);
            }
            self.files.insert(resource, bytes);
        }
    }
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

    /// From here on an append is durable in the journal only, and readers of the folder see it after
    /// [`FolderStore::publish`]: a writer of many small appends makes files for a few of them. Dropping publishes.
    #[must_use]
    pub fn lagging(mut self) -> Self {
        if let Some(writer) = &mut self.writer {
            writer.unpublished = Some(Unpublished::default());
            writer.journal.reserve();
        }
        self
    }

    /// Gives the next append a piece of a file beside the log, in place of one that it was given before: durable with it,
    /// whole or not at all, and there to be read once the append has returned. Whoever opens the folder after a crash puts it
    /// in place again.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`].
    pub fn beside(&mut self, piece: Piece) -> Result<(), StoreError> {
        let writer = self.writer.as_mut().ok_or(StoreError::ReadOnly)?;
        writer.pending.pieces = vec![piece];
        Ok(())
    }

    /// Shows readers of the folder everything appended so far.
    ///
    /// # Errors
    /// The system's error; what is not shown stays in the journal and is shown by the next call.
    pub fn publish(&mut self) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else { return Err(StoreError::ReadOnly) };
        let Some(held) = &mut writer.unpublished else { return Ok(()) };
        if held.files.is_empty() {
            return Ok(());
        }
        let mut files: Files =
            held.files.iter().map(|(resource, bytes)| (*resource, bytes.clone())).collect();
        // The checkpoint names all others, so it comes last.
        files.sort_by_key(|(resource, _)| *resource == Resource::Checkpoint);
        journal::place(&self.root, &files)?;
        held.files.clear();
        let full = std::mem::take(&mut held.full);
        let paths = files.iter().map(|(resource, _)| self.root.join(resource.to_string()));
        writer.journal.placed(paths)?;
        remove_partials(&self.root, &full)
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
        for append in &records {
            append.pieces.iter().try_for_each(|piece| piece.place(root))?;
            journal::place(root, &append.files)?;
            // Who was killed had no time for it.
            let full: Vec<Resource> = append.files.iter().map(|(resource, _)| *resource).collect();
            remove_partials(root, &full)?;
            placed.extend(paths(root, append));
        }
        placed.retain(|path| path.exists());
        journal::flush(root, &placed)?;
        journal.clear()?;
        flush_folder(root)?;
        Ok(Self { pending: Append::default(), journal, unpublished: None, _lock: lock })
    }
}

impl TileStore for FolderStore {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        let unpublished = self.writer.as_ref().and_then(|writer| writer.unpublished.as_ref());
        if let Some(bytes) = unpublished.and_then(|held| held.files.get(resource)) {
            return Ok(Some(bytes.clone()));
        }
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
        files.clone_into(&mut writer.pending.files);
        Ok(())
    }

    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        let found = self.read(&Resource::Checkpoint)?;
        let writer = self.writer.as_mut().ok_or(StoreError::ReadOnly)?;
        if found.as_deref() != expected {
            return Err(StoreError::Conflict);
        }
        let mut append = std::mem::take(&mut writer.pending);
        append.files.push((Resource::Checkpoint, new.to_vec()));
        writer.journal.commit(&append)?;
        append.pieces.iter().try_for_each(|piece| piece.place(&self.root))?;
        if let Some(held) = &mut writer.unpublished {
            writer.journal.remember(append.pieces.iter().map(|piece| piece.path(&self.root)));
            held.take(append.files);
            return Ok(());
        }
        journal::place(&self.root, &append.files)?;
        writer.journal.placed(paths(&self.root, &append))
    }

    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else { return Err(StoreError::ReadOnly) };
        match &mut writer.unpublished {
            Some(held) => held.full.extend_from_slice(full),
            None => remove_partials(&self.root, full)?,
        }
        Ok(())
    }

    fn listing(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        list(&self.root, &self.root.join("tile"), &mut listing)?;
        listing.partials.sort_unstable();
        listing.strangers.sort_unstable();
        Ok(listing)
    }
}

impl Drop for FolderStore {
    /// What cannot be shown now stays in the journal for the next writer.
    fn drop(&mut self) {
        let published = self.writer.is_none() || self.publish().is_ok();
        if let Some(writer) = self.writer.as_mut().filter(|_| !published) {
            writer.journal.leave();
        }
    }
}

/// Where the files of an append lie.
fn paths(root: &Path, append: &Append) -> impl Iterator<Item = PathBuf> {
    let files = append.files.iter().map(|(resource, _)| root.join(resource.to_string()));
    files.chain(append.pieces.iter().map(|piece| piece.path(root)))
}

fn remove_partials(root: &Path, full: &[Resource]) -> Result<(), StoreError> {
    for resource in full.iter().filter(|resource| resource.is_full()) {
        let folder = root.join(format!("{resource}.p"));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(environment("remove", &folder)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes down what lies below a folder of tiles. Half a file that a writer has not put in place yet has no name of its own.
fn list(root: &Path, folder: &Path, listing: &mut Listing) -> Result<(), StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A writer may be at work.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(environment("list", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(environment("list", folder))?.path();
        if path.is_dir() {
            list(root, &path, listing)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        match name.parse::<Resource>() {
            Ok(resource) if !resource.is_full() => listing.partials.push(resource),
            Ok(_) => {}
            Err(_) if path.extension().is_some_and(|end| end == "tmp") => {}
            Err(_) => listing.strangers.push(name),
        }
    }
    Ok(())
}

/// Makes renames within a folder durable.
fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(environment("flush", folder))
}

pub(crate) fn environment(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Environment { action, path, source }
}
