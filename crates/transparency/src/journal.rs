//! The journal of a log folder: one flush makes a whole append durable.
//!
//! Flushing every tile, every folder and the checkpoint costs half a dozen flushes an append, each some
//! milliseconds on an ordinary disk. Instead one record with all files of the append goes to the end of the journal and
//! is flushed; then the files themselves are put in place without waiting. A second thread flushes them later and then
//! the record is dropped. After a crash the records that are left are put in place again.
//!
//! Two files take turns, so that records can still be written while the files of older ones are flushed. A writer of many
//! small appends keeps the two at their length and overwrites them ([`Journal::reserve`]): a flush that changes no length
//! waits for nothing else that the file system has to write.
//!
//! An append may carry pieces of files that lie beside the log, such as what its entries mean; they are as durable as it is.
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
/// By how much a file of a journal that is overwritten grows, in zeros.
const STEP: u64 = 1 << 19;

/// The files of one append, the checkpoint last.
pub(crate) type Files = Vec<(Resource, Vec<u8>)>;

/// Bytes at a place of a file in a folder beside the log's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    folder: String,
    file: String,
    offset: u64,
    bytes: Vec<u8>,
}

/// What one append writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Append {
    pub(crate) files: Files,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug)]
pub(crate) struct Journal {
    root: PathBuf,
    /// The one being written, and the one whose files are being flushed.
    turns: [File; 2],
    active: usize,
    length: u64,
    /// Bytes of the active file, those behind `length` zero; `None` when files are cut off instead of overwritten.
    reserved: [Option<u64>; 2],
    /// Half a record may stand behind `length`.
    torn: bool,
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

impl Piece {
    /// A piece of `file` in `folder`, which lies in the folder that holds the log's; both are plain names of letters, digits,
    /// `-`, `_` and inner dots. `None` for any other name.
    ///
    /// ```
    /// assert!(transparency::Piece::new("records", "2026-11.jsonl", 0, Vec::new()).is_some());
    /// assert!(transparency::Piece::new("..", "passwd", 0, Vec::new()).is_none());
    /// ```
    pub fn new(folder: &str, file: &str, offset: u64, bytes: Vec<u8>) -> Option<Self> {
        let plain = |name: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !name.is_empty() && !name.starts_with('.') && name.bytes().all(letter)
        };
        (plain(folder) && plain(file)).then(|| Self {
            folder: folder.to_owned(),
            file: file.to_owned(),
            offset,
            bytes,
        })
    }

    pub(crate) fn path(&self, root: &Path) -> PathBuf {
        root.with_file_name(&self.folder).join(&self.file)
    }

    /// Its name in the journal, which no resource of a log has.
    fn name(&self) -> String {
        format!("../{}/{}@{}", self.folder, self.file, self.offset)
    }

    fn parse(name: &str, bytes: &[u8]) -> Option<Self> {
        let (path, offset) = name.strip_prefix("../")?.rsplit_once('@')?;
        let (folder, file) = path.split_once('/')?;
        Self::new(folder, file, offset.parse().ok()?, bytes.to_vec())
    }

    /// Puts the piece in its place without waiting for the disk.
    pub(crate) fn place(&self, root: &Path) -> Result<(), StoreError> {
        let path = self.path(root);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).map_err(environment("make folder", folder))?;
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        // Like the records that it is part of, a file that is made anew is for its owner only.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(environment("open", &path))?;
        let placed = file.seek(SeekFrom::Start(self.offset)).and_then(|_| file.write_all(&self.bytes));
        placed.map_err(environment("write", &path))
    }
}

impl Journal {
    /// Opens the journal and returns the appends that may not be in place yet, oldest first.
    pub(crate) fn open(root: &Path) -> Result<(Self, Vec<Append>), StoreError> {
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
        let records = records.into_iter().map(|(_, append)| append).collect();
        // Until they are in place and cleared they must outlive this journal, whatever goes wrong.
        let (root, dirty, needed) = (root.to_owned(), BTreeSet::new(), sequence > 0);
        let (active, length, reserved, torn) = (0, 0, [None; 2], true);
        let journal =
            Self { root, turns, active, length, reserved, torn, sequence, dirty, flushing: None, needed };
        Ok((journal, records))
    }

    /// From here on files are kept at their length and overwritten. Only while there are no records.
    pub(crate) fn reserve(&mut self) {
        self.reserved = [Some(0); 2];
    }

    /// Forgets all records, whose files the caller has flushed. Those of the inactive file are the older ones: were they left
    /// behind alone, they would bring an older state back.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        self.length = 0;
        for turn in [1 - self.active, self.active] {
            truncate(&mut self.turns[turn]).map_err(environment("truncate", &self.root))?;
            self.reserved[turn] = self.reserved[turn].map(|_| 0);
        }
        self.needed = false;
        Ok(())
    }

    /// Writes one append and returns when it is durable. After a failure nothing of it is left, so that the next
    /// record does not stand behind half a one.
    pub(crate) fn commit(&mut self, append: &Append) -> Result<(), StoreError> {
        let mut record = encode(self.sequence, append);
        let end = self.length + record.len() as u64;
        if let Some(reserved) = self.reserved[self.active].filter(|reserved| *reserved < end) {
            let grown = end.next_multiple_of(STEP).max(reserved);
            record.resize((grown - self.length) as usize, 0);
        }
        if let Err(error) = self.write(&record) {
            self.torn = true;
            let _ = self.cut();
            return Err(environment("write the journal in", &self.root)(error));
        }
        let reserved = &mut self.reserved[self.active];
        *reserved = reserved.map(|reserved| reserved.max(self.length + record.len() as u64));
        self.sequence += 1;
        self.length = end;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.cut()?;
        }
        let file = &mut self.turns[self.active];
        file.seek(SeekFrom::Start(self.length))?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    /// Takes away what an earlier failure left behind the last record.
    fn cut(&mut self) -> io::Result<()> {
        self.turns[self.active].set_len(self.length)?;
        self.reserved[self.active] = self.reserved[self.active].map(|_| self.length);
        self.torn = false;
        Ok(())
    }

    /// Leaves the records for the next one to open the journal.
    pub(crate) fn leave(&mut self) {
        self.needed = true;
    }

    /// Remembers files that have to be flushed before the records of today are forgotten.
    pub(crate) fn remember(&mut self, paths: impl Iterator<Item = PathBuf>) {
        self.dirty.extend(paths);
    }

    /// The same for all files of all records: they are in place, so the turn may pass.
    pub(crate) fn placed(&mut self, paths: impl Iterator<Item = PathBuf>) -> Result<(), StoreError> {
        self.dirty.extend(paths);
        if self.length > TURN { self.turn() } else { Ok(()) }
    }

    /// Passes the turn to the other file as soon as the files of its records are flushed and the records gone.
    fn turn(&mut self) -> Result<(), StoreError> {
        if self.flushing.as_ref().is_some_and(|flushing| !flushing.thread.is_finished()) {
            return Ok(());
        }
        if let Some(flushing) = self.flushing.take() {
            self.settle(flushing)?;
        }
        let (old, length) = (self.active, self.length);
        (self.active, self.length) = (1 - old, 0);
        let paths = Arc::new(std::mem::take(&mut self.dirty));
        let (root, shared) = (self.root.clone(), Arc::clone(&paths));
        let file = self.turns[old].try_clone().map_err(environment("open the journal in", &self.root))?;
        let overwritten = self.reserved[old].map(|_| length);
        let thread = thread::spawn(move || {
            flush(&root, &shared)?;
            forget(file, overwritten).map_err(environment("empty the journal in", &root))
        });
        self.flushing = Some(Flushing { paths, thread });
        Ok(())
    }

    /// Waits for the thread that flushes; what it could not flush stays to be flushed.
    fn settle(&mut self, Flushing { paths, thread }: Flushing) -> Result<(), StoreError> {
        let ended = thread.join().unwrap_or_else(|_| {
            let source = io::Error::other("the thread that flushes the files ended");
            Err(environment("flush the files of", &self.root)(source))
        });
        if ended.is_err() {
            self.dirty.extend(paths.iter().cloned());
        }
        ended
    }
}

impl Drop for Journal {
    /// Leaves an empty journal behind if all goes well; if not, the next one to open it puts the records in place.
    fn drop(&mut self) {
        if let Some(flushing) = self.flushing.take() {
            // What the thread could not flush is among the files that are flushed now.
            let _ = self.settle(flushing);
        }
        let flushed = flush(&self.root, &self.dirty);
        if flushed.is_ok() && !self.needed {
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
        if path.starts_with(root) {
            folders.extend(path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)));
        } else {
            folders.extend(path.parent());
        }
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

/// Takes the records of a journal file away; one that is overwritten keeps its length. The first length goes first: without
/// it nothing behind is a record.
fn forget(mut file: File, overwritten: Option<u64>) -> io::Result<()> {
    let Some(length) = overwritten else { return truncate(&mut file) };
    file.rewind()?;
    file.write_all(&[0; 8])?;
    file.sync_data()?;
    io::copy(&mut io::repeat(0).take(length.saturating_sub(8)), &mut file)?;
    file.sync_data()
}

fn truncate(file: &mut File) -> io::Result<()> {
    file.rewind()?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.set_len(0)?;
    file.sync_data()
}

fn encode(sequence: u64, append: &Append) -> Vec<u8> {
    let mut body = sequence.to_be_bytes().to_vec();
    let pieces = append.pieces.iter().map(|piece| (piece.name(), &piece.bytes));
    let files = append.files.iter().map(|(resource, bytes)| (resource.to_string(), bytes));
    for (path, bytes) in pieces.chain(files) {
        body.extend((path.len() as u16).to_be_bytes());
        body.extend(path.as_bytes());
        body.extend((bytes.len() as u32).to_be_bytes());
        body.extend(bytes);
    }
    let hash: [u8; 32] = Sha256::digest(&body).into();
    [&(body.len() as u64).to_be_bytes()[..], &body, &hash].concat()
}

/// All whole records of one journal file.
fn read_records(file: &mut File) -> io::Result<Vec<(u64, Append)>> {
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
    while let Some((record, after)) = split_record(rest) {
        records.push(record);
        rest = after;
    }
    Ok(records)
}

fn split_record(bytes: &[u8]) -> Option<((u64, Append), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (body, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    let (hash, after) = rest.split_first_chunk::<32>()?;
    if *hash != <[u8; 32]>::from(Sha256::digest(body)) {
        return None;
    }
    let (sequence, mut body) = body.split_first_chunk::<8>()?;
    let mut append = Append::default();
    while let Some((length, rest)) = body.split_first_chunk::<2>() {
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let path = std::str::from_utf8(path).ok()?;
        match path.parse() {
            Ok(resource) => append.files.push((resource, content.to_vec())),
            Err(_) => append.pieces.push(Piece::parse(path, content)?),
        }
        body = rest;
    }
    Some(((u64::from_be_bytes(*sequence), append), after))
}
