//! The journal of a log folder: one flush makes a whole append durable.
//!
//! Flushing every tile, every folder and the checkpoint costs half a dozen flushes an append, each some
//! milliseconds on an ordinary disk. Instead one record with all files of the append goes to the end of the journal and
//! is flushed; then the files themselves are put in place without waiting. A second thread flushes them later and then
//! the record is dropped. After a crash the records that are left are put in place again.
//!
//! Two files take turns, so that records can still be written while the files of older ones are flushed.
//! A record is: length of the body (`u64`), body, SHA-256 of the body; the body is a sequence number (`u64`), then for
//! each file the length of its path (`u16`), its path, the length of its content (`u32`), its content. All numbers are
//! big-endian. A record that is cut off or does not fit its hash was never acknowledged and is ignored.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use sha2::{Digest as _, Sha256};

use crate::{Resource, StoreError, folder::environment};

/// Length at which the turn passes to the other journal file.
const TURN: u64 = 4 << 20;
/// Largest journal that is read back.
const LIMIT: u64 = 4 << 30;

/// The files of one append, the checkpoint last.
pub(crate) type Files = Vec<(Resource, Vec<u8>)>;

#[derive(Debug)]
pub(crate) struct Journal {
    root: PathBuf,
    /// The one being written, and the one whose files are being flushed.
    turns: [File; 2],
    active: usize,
    length: u64,
    sequence: u64,
    /// Files put in place since the last turn.
    dirty: BTreeSet<PathBuf>,
    flushing: Option<Flushing>,
    /// Some records are not in place: they must be read again at the next start.
    needed: bool,
}

/// Files whose records are in the inactive journal, and the thread that flushes them.
#[derive(Debug)]
struct Flushing {
    paths: Arc<BTreeSet<PathBuf>>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Journal {
    /// Opens the journal and returns the appends that may not be in place yet, oldest first.
    pub(crate) fn open(root: &Path) -> Result<(Self, Vec<Files>), StoreError> {
        let mut records = Vec::new();
        let mut open = |name: &str| {
            let path = root.join(name);
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(environment("open", &path))?;
            records.extend(read_records(&mut file).map_err(environment("read", &path))?);
            Ok(file)
        };
        let turns = [open(".journal.0")?, open(".journal.1")?];
        records.sort_by_key(|(sequence, _)| *sequence);
        let sequence = records.last().map_or(0, |(sequence, _)| sequence + 1);
        let records = records.into_iter().map(|(_, files)| files).collect();
        // Until they are in place and cleared they must outlive this journal, whatever goes wrong.
        let (root, dirty, needed) = (root.to_owned(), BTreeSet::new(), sequence > 0);
        Ok((Self { root, turns, active: 0, length: 0, sequence, dirty, flushing: None, needed }, records))
    }

    /// Forgets all records, whose files the caller has flushed.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        self.length = 0;
        self.turns.iter_mut().try_for_each(truncate).map_err(environment("truncate", &self.root))?;
        self.needed = false;
        Ok(())
    }

    /// Writes one append and returns when it is durable. After a failure nothing of it is left, so that the next
    /// record does not stand behind half a one.
    pub(crate) fn commit(&mut self, files: &Files) -> Result<(), StoreError> {
        let record = encode(self.sequence, files);
        let file = &mut self.turns[self.active];
        // Whatever an earlier failure left behind goes first.
        let clean = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::Start(self.length)));
        let written = clean.and_then(|_| file.write_all(&record)).and_then(|()| file.sync_data());
        if let Err(error) = written {
            let _ = file.set_len(self.length);
            return Err(environment("write the journal in", &self.root)(error));
        }
        self.sequence += 1;
        self.length += record.len() as u64;
        Ok(())
    }

    /// Leaves the records for the next one to open the journal.
    pub(crate) fn leave(&mut self) {
        self.needed = true;
    }

    /// Remembers files that were put in place and have to be flushed some time.
    pub(crate) fn placed(&mut self, paths: impl Iterator<Item = PathBuf>) -> Result<(), StoreError> {
        self.dirty.extend(paths);
        if self.length > TURN { self.turn() } else { Ok(()) }
    }

    /// Passes the turn to the other file as soon as the files of its records are flushed.
    fn turn(&mut self) -> Result<(), StoreError> {
        if self.flushing.as_ref().is_some_and(|flushing| !flushing.thread.is_finished()) {
            return Ok(());
        }
        if let Some(Flushing { paths, thread }) = self.flushing.take() {
            let outcome = thread.join().unwrap_or_else(|_| flush(&self.root, &paths));
            if let Err(error) = outcome {
                self.dirty.extend(paths.iter().cloned());
                return Err(error);
            }
        }
        let other = 1 - self.active;
        truncate(&mut self.turns[other]).map_err(environment("truncate the journal in", &self.root))?;
        (self.active, self.length) = (other, 0);
        let paths = Arc::new(std::mem::take(&mut self.dirty));
        let (root, shared) = (self.root.clone(), Arc::clone(&paths));
        let thread = thread::spawn(move || flush(&root, &shared));
        self.flushing = Some(Flushing { paths, thread });
        Ok(())
    }
}

impl Drop for Journal {
    /// Leaves an empty journal behind if all goes well; if not, the next one to open it puts the records in place.
    fn drop(&mut self) {
        let flushed = match self.flushing.take() {
            Some(Flushing { paths, thread }) => thread.join().unwrap_or_else(|_| flush(&self.root, &paths)),
            None => Ok(()),
        };
        if flushed.and_then(|()| flush(&self.root, &self.dirty)).is_ok() && !self.needed {
            let _ = self.clear();
        }
    }
}

/// Flushes files and the folders they lie in. Files that are gone were replaced by full ones.
pub(crate) fn flush(root: &Path, paths: &BTreeSet<PathBuf>) -> Result<(), StoreError> {
    let mut folders = BTreeSet::new();
    for path in paths {
        match File::open(path) {
            Ok(file) => file.sync_all().map_err(environment("flush", path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(environment("open", path)(error)),
        }
        folders.extend(path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)));
    }
    for folder in folders {
        // A folder of partial files may have been replaced by a full file since its files were flushed.
        match File::open(folder).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(environment("flush", folder)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts files in place without waiting for the disk, each whole or not at all, the checkpoint last.
pub(crate) fn place(root: &Path, files: &Files) -> Result<(), StoreError> {
    for (resource, bytes) in files {
        let path = root.join(resource.to_string());
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).map_err(environment("make folder", folder))?;
        let mut temporary = path.clone().into_os_string();
        temporary.push(".tmp");
        let placed = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path));
        placed.map_err(environment("write", &path))?;
    }
    Ok(())
}

fn truncate(file: &mut File) -> io::Result<()> {
    file.rewind()?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.set_len(0)?;
    file.sync_data()
}

fn encode(sequence: u64, files: &Files) -> Vec<u8> {
    let mut body = sequence.to_be_bytes().to_vec();
    for (resource, bytes) in files {
        let path = resource.to_string();
        body.extend((path.len() as u16).to_be_bytes());
        body.extend(path.as_bytes());
        body.extend((bytes.len() as u32).to_be_bytes());
        body.extend(bytes);
    }
    let hash: [u8; 32] = Sha256::digest(&body).into();
    [&(body.len() as u64).to_be_bytes()[..], &body, &hash].concat()
}

/// All whole records of one journal file.
fn read_records(file: &mut File) -> io::Result<Vec<(u64, Files)>> {
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
    while let Some((record, after)) = split_record(rest) {
        records.push(record);
        rest = after;
    }
    Ok(records)
}

fn split_record(bytes: &[u8]) -> Option<((u64, Files), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (body, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    let (hash, after) = rest.split_first_chunk::<32>()?;
    if *hash != <[u8; 32]>::from(Sha256::digest(body)) {
        return None;
    }
    let (sequence, mut body) = body.split_first_chunk::<8>()?;
    let mut files = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<2>() {
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        files.push((std::str::from_utf8(path).ok()?.parse().ok()?, content.to_vec()));
        body = rest;
    }
    Some(((u64::from_be_bytes(*sequence), files), after))
}
