//! Where records lie, by the keys they are found by: on disk, so that a node with millions of answers starts at once and
//! needs no more memory than one with ten.
//!
//! New keys are held in memory. When there are enough of them they become a sorted file, a *run*, and runs of similar
//! size are merged by a thread of its own, so that there are never many. Everything here can be made anew from the
//! records; `manifest.json` says how far the runs reach, and what lies behind that is read again at the start.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Keys held in memory before they become a run.
const FRESH: usize = 16_384;
/// Bytes of a key, and of a key with its place.
const KEY: usize = 24;
const ROW: usize = KEY + 12;

/// What a record is found by: a scope, such as what it is and of whom, and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; KEY]);

/// Where a record lies: the file of a month, such as 202611, and the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) month: u32,
    pub(crate) offset: u64,
}

/// The index of one node.
#[derive(Debug)]
pub(super) struct Index {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    fresh: BTreeMap<Key, Place>,
    /// On its way to the disk, and how far it reaches.
    frozen: Option<(Arc<BTreeMap<Key, Place>>, Place)>,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
    next: u64,
    stop: bool,
}

#[derive(Debug)]
struct Run {
    number: u64,
    count: u64,
    first: Key,
    last: Key,
    file: Mutex<File>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    through: Place,
    runs: Vec<u64>,
}

impl Key {
    /// The key of a number in a scope.
    pub fn new(scope: &str, number: Uuid) -> Self {
        Self::of(scope, *number.as_bytes())
    }

    /// The key of a text in a scope.
    pub fn of_text(scope: &str, text: &str) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(text)[..16]);
        Self::of(scope, half)
    }

    /// The key of what was begun under this one.
    pub(crate) fn begun(self) -> Self {
        Self::of("begun", self.0[8..].try_into().expect("a key has 24 bytes"))
    }

    /// The key of an entry of the log.
    pub(super) fn of_entry(index: u64) -> Self {
        Self::of("entry", u128::from(index).to_be_bytes())
    }

    /// The number in it.
    pub(crate) fn number(self) -> Uuid {
        Uuid::from_bytes(self.0[8..].try_into().expect("16 of 24 bytes"))
    }

    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        Some(Self(hex::decode(text).ok()?.try_into().ok()?))
    }

    fn of(scope: &str, number: [u8; 16]) -> Self {
        let mut bytes = [0; KEY];
        bytes[..8].copy_from_slice(&Sha256::digest(scope)[..8]);
        bytes[8..].copy_from_slice(&number);
        Self(bytes)
    }
}

impl Index {
    /// Opens the index and says up to where it knows the records.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Place)> {
        fs::create_dir_all(folder)?;
        let manifest: Manifest = match fs::read(folder.join("manifest.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Manifest::default(),
            Err(error) => return Err(error),
        };
        let runs = manifest.runs.iter().map(|number| Run::open(folder, *number).map(Arc::new));
        // Without one of its runs the index is made anew.
        let (runs, through) = runs
            .collect::<io::Result<Vec<_>>>()
            .map_or_else(|_| (Vec::new(), Place::default()), |runs| (runs, manifest.through));
        sweep(folder, &runs)?;
        let next = runs.iter().map(|run| run.number + 1).max().unwrap_or_default();
        let state = Mutex::new(State { runs, next, ..State::default() });
        let shared = Arc::new(Shared { folder: folder.to_owned(), state, work: Condvar::new() });
        let keeper = Arc::clone(&shared);
        let thread = thread::Builder::new().name("index".to_owned()).spawn(move || keeper.keep())?;
        Ok((Self { shared, thread: Some(thread) }, through))
    }

    /// Takes keys of records that are durable; everything before `through` is known then.
    pub(super) fn put(&self, keys: impl IntoIterator<Item = (Key, Place)>, through: Place) {
        let mut state = self.shared.state();
        state.fresh.extend(keys);
        if state.fresh.len() >= FRESH && state.frozen.is_none() {
            state.frozen = Some((Arc::new(std::mem::take(&mut state.fresh)), through));
            self.shared.work.notify_all();
        }
    }

    /// The newest record of a key.
    pub(super) fn get(&self, key: Key) -> io::Result<Option<Place>> {
        let runs = {
            let state = self.shared.state();
            let frozen = state.frozen.as_ref().and_then(|(frozen, _)| frozen.get(&key));
            if let Some(place) = state.fresh.get(&key).or(frozen) {
                return Ok(Some(*place));
            }
            state.runs.clone()
        };
        for run in runs.iter().rev().filter(|run| run.first <= key && key <= run.last) {
            let at = run.at_or_after(key)?;
            if at < run.count && run.row(at)?.0 == key {
                return Ok(Some(run.row(at)?.1));
            }
        }
        Ok(None)
    }

    /// The first `most` keys of the scope of `after` behind it, in order.
    pub(super) fn after(&self, after: Key, most: usize) -> io::Result<Vec<(Key, Place)>> {
        let mut end = after;
        end.0[8..].fill(0xff);
        let bounds = (std::ops::Bound::Excluded(after), std::ops::Bound::Included(end));
        let (runs, newer) = {
            let state = self.shared.state();
            let mut newer: BTreeMap<Key, Place> = BTreeMap::new();
            if let Some((frozen, _)) = &state.frozen {
                newer.extend(frozen.range(bounds).take(most).map(|(key, place)| (*key, *place)));
            }
            newer.extend(state.fresh.range(bounds).take(most).map(|(key, place)| (*key, *place)));
            (state.runs.clone(), newer)
        };
        let mut found = BTreeMap::new();
        for run in runs {
            let first = run.at_or_after(after)?;
            // One more than wanted: `after` itself may stand first.
            for at in first..run.count.min(first + most as u64 + 1) {
                let (key, place) = run.row(at)?;
                if key > end {
                    break;
                }
                found.extend((key > after).then_some((key, place)));
            }
        }
        found.extend(newer);
        Ok(found.into_iter().take(most).collect())
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes runs of what is frozen until the node stops.
    fn keep(&self) {
        loop {
            let mut state = self.state();
            while state.frozen.is_none() && !state.stop {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some((frozen, through)) = state.frozen.clone() else { return };
            let (mut runs, number) = (state.runs.clone(), state.next);
            drop(state);
            if let Err(error) = self.add_run(&mut runs, number, (&frozen, through)) {
                tracing::error!(%error, "the index of the records cannot be written; it stays in memory");
                thread::sleep(std::time::Duration::from_secs(1));
                if self.state().stop {
                    return;
                }
                continue;
            }
            let mut state = self.state();
            state.next = runs.iter().map(|run| run.number + 1).max().unwrap_or_default().max(number + 1);
            (state.runs, state.frozen) = (runs, None);
            let kept = state.runs.clone();
            drop(state);
            let _ = sweep(&self.folder, &kept);
        }
    }

    fn add_run(
        &self,
        runs: &mut Vec<Arc<Run>>,
        mut number: u64,
        (frozen, through): (&BTreeMap<Key, Place>, Place),
    ) -> io::Result<()> {
        let rows = frozen.iter().map(|(key, place)| Ok((*key, *place)));
        runs.push(Arc::new(Run::write(&self.folder, number, rows)?));
        while let [.., older, newer] = runs.as_slice()
            && older.count <= 2 * newer.count
        {
            number += 1;
            let merged = Run::write(&self.folder, number, Merged::new(&self.folder, older, newer)?)?;
            runs.truncate(runs.len() - 2);
            runs.push(Arc::new(merged));
        }
        let manifest = Manifest { through, runs: runs.iter().map(|run| run.number).collect() };
        let (path, beside) = (self.folder.join("manifest.json"), self.folder.join("manifest.part"));
        let mut file = File::create(&beside)?;
        serde_json::to_writer(&mut file, &manifest)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Run {
    fn open(folder: &Path, number: u64) -> io::Result<Self> {
        let mut file = File::open(name(folder, number))?;
        let length = file.seek(SeekFrom::End(0))?;
        if length == 0 || !length.is_multiple_of(ROW as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let count = length / ROW as u64;
        let none = Key([0; KEY]);
        let mut run = Self { number, count, first: none, last: none, file: Mutex::new(file) };
        (run.first, run.last) = (run.row(0)?.0, run.row(count - 1)?.0);
        Ok(run)
    }

    fn write(
        folder: &Path,
        number: u64,
        rows: impl Iterator<Item = io::Result<(Key, Place)>>,
    ) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(name(folder, number))?);
        for row in rows {
            let (key, place) = row?;
            file.write_all(&key.0)?;
            file.write_all(&place.month.to_be_bytes())?;
            file.write_all(&place.offset.to_be_bytes())?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Self::open(folder, number)
    }

    fn row(&self, at: u64) -> io::Result<(Key, Place)> {
        let mut row = [0; ROW];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at * ROW as u64))?;
        file.read_exact(&mut row)?;
        Ok(parse(&row))
    }

    /// Number of the first row whose key is not smaller.
    fn at_or_after(&self, key: Key) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.row(middle)?.0 < key { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// The rows of two runs in order; of equal keys the newer.
struct Merged {
    older: BufReader<File>,
    newer: BufReader<File>,
    next: [Option<(Key, Place)>; 2],
}

impl Merged {
    fn new(folder: &Path, older: &Run, newer: &Run) -> io::Result<Self> {
        // Opened anew, so that look-ups in the runs do not move the place that is read.
        let open = |run: &Run| File::open(name(folder, run.number)).map(BufReader::new);
        let mut merged = Self { older: open(older)?, newer: open(newer)?, next: [None, None] };
        merged.next = [next(&mut merged.older)?, next(&mut merged.newer)?];
        Ok(merged)
    }

    fn step(&mut self) -> io::Result<Option<(Key, Place)>> {
        let order = match self.next {
            [None, None] => return Ok(None),
            [Some(_), None] => Ordering::Less,
            [None, Some(_)] => Ordering::Greater,
            [Some((older, _)), Some((newer, _))] => older.cmp(&newer),
        };
        let taken = if order == Ordering::Less { self.next[0] } else { self.next[1] };
        if order != Ordering::Greater {
            self.next[0] = next(&mut self.older)?;
        }
        if order != Ordering::Less {
            self.next[1] = next(&mut self.newer)?;
        }
        Ok(taken)
    }
}

impl Iterator for Merged {
    type Item = io::Result<(Key, Place)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn next(file: &mut BufReader<File>) -> io::Result<Option<(Key, Place)>> {
    let mut row = [0; ROW];
    match file.read_exact(&mut row) {
        Ok(()) => Ok(Some(parse(&row))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(row: &[u8; ROW]) -> (Key, Place) {
    let (mut key, mut month, mut offset) = ([0; KEY], [0; 4], [0; 8]);
    key.copy_from_slice(&row[..KEY]);
    month.copy_from_slice(&row[KEY..KEY + 4]);
    offset.copy_from_slice(&row[KEY + 4..]);
    (Key(key), Place { month: u32::from_be_bytes(month), offset: u64::from_be_bytes(offset) })
}

fn name(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.run"))
}

/// Removes runs that were merged into others, and what a crash left half-written.
fn sweep(folder: &Path, runs: &[Arc<Run>]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let known = runs.iter().any(|run| name(folder, run.number) == path);
        if path.extension().is_some_and(|kind| kind == "run") && !known {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
