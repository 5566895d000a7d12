//! A node's own books of what was asked and answered: records in monthly files, and the log that holds a salted hash
//! of each. No log, no answer: [`Ledger::enter`] returns when both are on disk.
//!
//! One thread writes. Whatever arrives while it flushes the disk goes into its next batch, so that many traces share one
//! wait for the disk: the records travel in the journal of the log, so that one flush makes both durable, both or neither.
//! Records of months that are over for a year can be erased, by an act that stands in the log; the log keeps the proof that
//! something was there. What is missing without such an act is told.

mod erasure;
mod format;
mod index;
mod kept;
mod records;
mod vouched;
mod witnessed;
mod writer;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use transparency::{
    AddCheckpoint, Bundle, Commitment, EntryProof, FolderStore, Hash, Policy, Salt, SignedCheckpoint,
    SigningKey, Tree, canonical_json,
};
use uuid::Uuid;

pub(crate) use self::erasure::over;
use self::index::Index;
pub use self::index::Key;
pub(crate) use self::index::Place;
pub(crate) use self::kept::{Kept, Recalled};
use self::vouched::{Told, Vouched};
use self::witnessed::Judge;
pub(crate) use self::witnessed::{Seen, Timed, keep};
use self::writer::Writer;

/// Acts that wait to be entered before the node says that it is full.
const QUEUE: usize = 2_048;
/// Every so many entries one is found by its number; those between are read from there.
const STRIDE: u64 = 64;

/// Why an act was not entered. Nothing may take effect then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The queue is full.
    #[error("the log has more to write than it can take\nhint: ask again in a moment")]
    Full,
    /// The disk, or the log.
    #[error("the log did not take the entry: {0}")]
    Failed(String),
    /// The node is stopping.
    #[error("the log is closed: the node is stopping")]
    Closed,
    /// A record has no canonical form.
    #[error("{0}")]
    Record(String),
    /// Records may not be erased, or not yet.
    #[error("{0}")]
    Kept(String),
}

/// An act to be entered.
#[derive(Debug, Clone)]
pub struct Act {
    /// What kind, such as `question`.
    pub kind: &'static str,
    /// What happened; whole numbers and text only.
    pub body: Value,
    /// What its record can be found by later.
    pub keys: Vec<Key>,
}

impl Act {
    /// An act that is found by its place in the log alone.
    pub fn new(kind: &'static str, body: Value) -> Self {
        Self { kind, body, keys: Vec::new() }
    }

    /// The same, found by a key too.
    #[must_use]
    pub fn found_by(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }
}

/// An act that stands in the log: all that a proof of it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// Its place.
    pub index: u64,
    /// Salt, hexadecimal.
    pub salt: String,
    /// The record's canonical bytes.
    pub record: String,
}

/// A record as it lies in the files.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The act as entered.
    pub entered: Entered,
    /// What kind.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub body: Value,
}

/// The one writer of a node's log. Dropped, it finishes what it has and stops.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    jobs: Option<mpsc::SyncSender<Job>>,
    index: Arc<Index>,
    /// Behind the last record that stands.
    end: Arc<Mutex<Place>>,
    checkpoint: watch::Receiver<SignedCheckpoint>,
    state: LogState,
    thread: Option<JoinHandle<()>>,
}

/// Whether a log can be gone on with, as of now.
#[derive(Clone, Debug)]
pub(crate) struct LogState {
    /// Whether the last batch was taken.
    well: Arc<AtomicBool>,
    /// Entries that a witness saw, where they are more than the log's.
    longer: Arc<AtomicU64>,
    /// Whether a quorum of witnesses has cosigned it since this process began.
    heard: Arc<AtomicBool>,
    /// Whether every entry had its record when the log was opened, but for those that an act erased, and none that was read was altered.
    complete: Arc<AtomicBool>,
}

impl LogState {
    /// Whether the log took the last batch that it was given, and no older copy of it was put back.
    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed) && self.longer.load(Ordering::Relaxed) == 0
    }

    /// Whether no record was missing when the log was opened, and none of those read then was altered.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Notes that a record is not what the log vouches for.
    fn records_fail(&self, entry: u64) {
        tracing::error!(entry, "a record is not what the log vouches for: it was altered");
        self.complete.store(false, Ordering::Relaxed);
    }

    /// Remembers that a quorum of witnesses knows the log as it is here.
    pub(crate) fn was_heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// That a witness cosigned more of this log, or another, where one has shown it.
    pub(crate) fn disputed(&self) -> Option<LedgerError> {
        Some(self.longer.load(Ordering::Relaxed)).filter(|entries| *entries > 0).map(put_back)
    }

    /// Whether it may be answered from: an older copy that was put back while the witnesses are away looks like any other log.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// What [`Ledger::check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LedgerCheck {
    /// Entries in the log.
    pub entries: u64,
    /// Entries whose record is there and unaltered.
    pub agreed: u64,
    /// Entries whose records were erased after their time, by an act that stands in the log.
    pub erased: u64,
    /// Entries without a record of which no such act speaks: lost, or taken away.
    pub without_record: Vec<u64>,
    /// Records that the log does not vouch for: altered.
    pub not_in_log: u64,
    /// Records behind the checkpoint's end: not shown yet, or never acknowledged.
    pub behind: u64,
    /// Acts of erasure that do not hold, by their entries: why, in words.
    pub void: Vec<(u64, String)>,
}

/// The same, and which entries have a record that was altered.
struct Compared {
    check: LedgerCheck,
    altered: HashSet<u64>,
}

struct Job {
    acts: Vec<Prepared>,
    done: oneshot::Sender<Result<Vec<Entered>, LedgerError>>,
}

struct Prepared {
    at: Timestamp,
    salt: Salt,
    record: String,
    keys: Vec<Key>,
}

impl Ledger {
    /// Opens the log and the records in a node's folder, making them if need be.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk or another process is in the way.
    pub fn open(folder: &Path, key: &SigningKey) -> Result<Self, LedgerError> {
        std::fs::create_dir_all(folder.join("records")).map_err(failed)?;
        format::check(folder)?;
        // A log that is missing where there are records was taken away: it is not made anew.
        let new = records::months(folder).map_err(failed)?.is_empty();
        let log = writer::open_log(folder, key, new)?;
        not_rolled_back(folder, log.size())?;
        let (index, through) = fitting_index(&folder.join("index"), log.size()).map_err(failed)?;
        let known = erasure::last_known(&index, log.size()).map_err(failed)?;
        let end = catch_up(folder, &index, (through, log.size())).map_err(failed)?;
        let lost = erasure::first_lost(folder, (&index, log.size()), known).map_err(failed)?;
        if let Some(entry) = lost {
            tracing::error!(entry, "records are missing that no act erased: they were lost, or taken away");
        }
        let complete = Arc::new(AtomicBool::new(lost.is_none()));
        let (index, end) = (Arc::new(index), Arc::new(Mutex::new(end)));
        let (jobs, incoming) = mpsc::sync_channel(QUEUE);
        let (published, checkpoint) = watch::channel(log.checkpoint().clone());
        let well = Arc::new(AtomicBool::new(true));
        let shared = (Arc::clone(&index), Arc::clone(&end), Arc::clone(&well));
        let mut writer = Writer::new((folder, key.clone()), log, shared, published);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run(&incoming));
        let thread = Some(thread.map_err(failed)?);
        Ok(Self {
            folder: folder.to_owned(),
            jobs: Some(jobs),
            index,
            end,
            checkpoint,
            state: LogState { well, longer: Arc::default(), heard: Arc::default(), complete },
            thread,
        })
    }

    /// Enters acts, in their order and one behind the other; returns when they are durable.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing may take effect then.
    pub async fn enter(&self, acts: &[Act], now: Timestamp) -> Result<Vec<Entered>, LedgerError> {
        if let Some(disputed) = self.state.disputed() {
            return Err(disputed);
        }
        let acts = acts.iter().map(|act| prepare(act, now)).collect::<Result<Vec<_>, _>>()?;
        let (done, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(LedgerError::Closed)?;
        jobs.try_send(Job { acts, done }).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => LedgerError::Full,
            mpsc::TrySendError::Disconnected(_) => LedgerError::Closed,
        })?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// To be asked whenever somebody wants to know how the log is.
    pub(crate) fn state(&self) -> LogState {
        self.state.clone()
    }

    /// A witness cosigned this log when it had more entries: nothing more is entered, for whatever were entered now would
    /// contradict what others hold.
    pub(crate) fn was_put_back(&self, entries: u64) {
        tracing::error!(
            entries,
            "witnesses cosigned more entries than the log holds: an older copy was put back"
        );
        self.state.longer.store(entries, Ordering::Relaxed);
    }

    /// The newest checkpoint, and word of newer ones.
    pub fn checkpoint(&self) -> watch::Receiver<SignedCheckpoint> {
        self.checkpoint.clone()
    }

    /// Waits until readers of the log's folder see an entry, and returns the checkpoint that they see.
    ///
    /// # Errors
    /// [`LedgerError::Closed`] when the node stops before.
    pub async fn shown(&self, index: u64) -> Result<SignedCheckpoint, LedgerError> {
        let mut newest = self.checkpoint.clone();
        let shown = newest.wait_for(|signed| signed.checkpoint.size > index).await;
        shown.map(|signed| signed.clone()).map_err(|_| LedgerError::Closed)
    }

    /// Proofs of entries under a checkpoint of this log, for a court.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when an entry does not stand under the checkpoint.
    pub fn bundle(&self, signed: &SignedCheckpoint, entries: &[Entered]) -> Result<Bundle, LedgerError> {
        let store = FolderStore::read_only(&log_folder(&self.folder));
        let tree = Tree::new(&store, signed.checkpoint.size);
        bundle(&tree, signed, entries).map_err(failed)
    }

    /// The request that asks a witness to cosign `signed`, which extends the tree of `old_size` entries.
    ///
    /// # Errors
    /// [`LedgerError::Failed`].
    pub fn add_checkpoint(
        &self,
        signed: &SignedCheckpoint,
        old_size: u64,
    ) -> Result<AddCheckpoint, LedgerError> {
        let store = FolderStore::read_only(&log_folder(&self.folder));
        let tree = Tree::new(&store, signed.checkpoint.size);
        AddCheckpoint::new(&tree, signed, old_size).map_err(failed)
    }

    /// The newest record of a key; `None` when there is none, or when it was deleted.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk cannot be read.
    pub fn find(&self, key: Key) -> Result<Option<Stored>, LedgerError> {
        let Some(place) = self.index.get(key).map_err(failed)? else { return Ok(None) };
        Ok(match records::at(&self.folder, (place, key)).map_err(failed)? {
            records::Found::Record(stored) => Some(*stored),
            records::Found::Deleted | records::Found::Another => None,
        })
    }

    /// Whether a record of a key was ever entered, deleted or not.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk cannot be read.
    pub fn holds(&self, key: Key) -> Result<bool, LedgerError> {
        let Some(place) = self.index.get(key).map_err(failed)? else { return Ok(false) };
        let found = records::at(&self.folder, (place, key)).map_err(failed)?;
        Ok(!matches!(found, records::Found::Another))
    }

    /// The first `most` records of the scope of a key behind it, in the order of their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk cannot be read.
    pub fn after(&self, mut key: Key, most: usize) -> Result<Vec<(Uuid, Stored)>, LedgerError> {
        let mut found = Vec::new();
        // Those whose records were erased do not count.
        while found.len() < most {
            let next = self.index.after(key, most).map_err(failed)?;
            let Some((last, _)) = next.last() else { break };
            key = *last;
            for (key, place) in next {
                let record = records::at(&self.folder, (place, key)).map_err(failed)?;
                if let records::Found::Record(stored) = record {
                    found.push((key.number(), *stored));
                }
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// At most `most` records of entries from number `first` on.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk cannot be read.
    pub fn from_entry(&self, first: u64, most: usize) -> Result<Vec<Stored>, LedgerError> {
        let known = Key::of_entry(first - first % STRIDE);
        let from = self.index.get(known).map_err(failed)?;
        let mut found = Vec::new();
        records::scan(&self.folder, from.unwrap_or_default(), |_, line| {
            found.extend(records::stored(line).filter(|stored| stored.entered.index >= first));
            Ok(found.len() < most)
        })
        .map_err(failed)?;
        Ok(found)
    }

    /// The number that the next entry will have, as far as its records say.
    fn end_of_log(&self) -> u64 {
        self.checkpoint.borrow().checkpoint.size
    }

    /// Behind the last record that stands. What happens between this and the next act is for the caller to prevent.
    pub(crate) fn end(&self) -> Place {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every record that the files hold, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when a file cannot be read.
    pub fn records(folder: &Path, mut take: impl FnMut(Stored)) -> Result<(), LedgerError> {
        let each = |_, line: &[u8]| {
            records::stored(line).into_iter().for_each(&mut take);
            Ok(true)
        };
        records::scan(folder, Place::default(), each).map_err(failed)
    }

    /// Compares records and log. Whether an act of erasure holds is judged by the witnesses of `policy`, where it names some, else by
    /// those of the directory that `node.toml` trusts.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when either cannot be read.
    pub fn check(
        folder: &Path,
        signed: &SignedCheckpoint,
        policy: Option<&Policy>,
    ) -> Result<LedgerCheck, LedgerError> {
        Self::compare(folder, signed, &Judge::new(folder, policy)).map(|compared| compared.check)
    }

    /// Reads records and log side by side: records lie in the log's order, so that a log of any length takes a bit for each entry.
    fn compare(folder: &Path, signed: &SignedCheckpoint, judge: &Judge) -> Result<Compared, LedgerError> {
        let size = signed.checkpoint.size;
        let mut vouched = Vouched::of_all(folder, size)?;
        let (mut told, mut found) =
            (Told::new(size), LedgerCheck { entries: size, ..LedgerCheck::default() });
        let (mut gone, mut altered) = (erasure::Gone::default(), HashSet::new());
        Self::records(folder, |stored| {
            let number = stored.entered.index;
            if number >= size {
                found.behind += 1;
                return;
            }
            // Of two records of one entry, one was brought in.
            if !vouched.is_what_it_holds(&stored) || !told.first(number) {
                found.not_in_log += 1;
                altered.insert(number);
                return;
            }
            found.agreed += 1;
            match erasure::said(&stored, judge) {
                Some(Ok(said)) => gone.add(said),
                Some(Err((reason, said))) => {
                    found.void.push((number, reason));
                    gone.add(said);
                }
                None => {}
            }
        })?;
        for entry in told.untold().filter(|entry| !altered.contains(entry)) {
            if gone.covers(entry) {
                found.erased += 1;
            } else {
                found.without_record.push(entry);
            }
        }
        Ok(Compared { check: found, altered })
    }
}

/// Proofs of entries out of any copy of a log.
///
/// # Errors
/// When an entry does not stand under the checkpoint.
pub(crate) fn bundle<S: transparency::TileStore>(
    tree: &Tree<'_, S>,
    signed: &SignedCheckpoint,
    entries: &[Entered],
) -> Result<Bundle, transparency::BundleError> {
    let proof = |entered: &Entered| {
        let salt = entered.salt().ok_or(transparency::BundleError::Malformed("a salt is no 32 bytes"))?;
        EntryProof::new(tree, signed, entered.index, (&salt, entered.record.as_bytes()))
    };
    Ok(Bundle { entries: entries.iter().map(proof).collect::<Result<_, _>>()? })
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Entered {
    fn salt(&self) -> Option<Salt> {
        Some(Salt::from_bytes(hex::decode(&self.salt).ok()?.try_into().ok()?))
    }

    /// The hash of its leaf in the tree of the log.
    pub(crate) fn leaf(&self) -> Option<Hash> {
        Some(Hash::leaf(self.commitment()?.as_bytes()))
    }

    /// What the log holds of it.
    fn commitment(&self) -> Option<Commitment> {
        Some(Commitment::new(&self.salt()?, self.record.as_bytes()))
    }
}

/// A log that is shorter than what witnesses cosigned of it was put back: nothing may be entered in it.
fn not_rolled_back(folder: &Path, entries: u64) -> Result<(), LedgerError> {
    let cosigned = std::fs::read(folder.join("cosigned")).ok();
    let cosigned = cosigned.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
    match cosigned.map(|signed| signed.checkpoint.size).filter(|size| *size > entries) {
        Some(size) => Err(put_back(size)),
        None => Ok(()),
    }
}

fn put_back(entries: u64) -> LedgerError {
    LedgerError::Failed(format!(
        "witnesses cosigned {entries} entries of the log, and it holds fewer: an older copy was put back\nhint: put the newest \
         copy back; where there is none, `microstamp node renew-log` lets another log go on"
    ))
}

/// The index, made anew when it knows entries that the log does not hold.
fn fitting_index(folder: &Path, entries: u64) -> std::io::Result<(Index, Place)> {
    let (index, through) = Index::open(folder)?;
    if index.get(Key::of_entry(entries.next_multiple_of(STRIDE)))?.is_none() {
        return Ok((index, through));
    }
    drop(index);
    std::fs::remove_dir_all(folder)?;
    Index::open(folder)
}

/// Reads what the index does not know yet, and takes away records that the log does not hold: those of a batch that was
/// never acknowledged. Returns the end of the records.
fn catch_up(folder: &Path, index: &Index, (through, entries): (Place, u64)) -> std::io::Result<Place> {
    let oldest = records::months(folder)?.first().copied().unwrap_or_default();
    let mut end = through.max(Place { month: oldest, offset: 0 });
    let mut foreign = false;
    records::scan(folder, through, |place, line| {
        let parsed = serde_json::from_slice::<records::Line<'_>>(line);
        if parsed.as_ref().is_ok_and(|parsed| parsed.index >= entries) {
            foreign = true;
            return Ok(false);
        }
        end = Place { offset: place.offset + line.len() as u64, ..place };
        let Ok(parsed) = parsed else { return Ok(true) };
        let keys = parsed.keys.iter().filter_map(|key| Key::from_hex(key));
        let stride = parsed.index.is_multiple_of(STRIDE).then(|| Key::of_entry(parsed.index));
        index.put(keys.chain(stride).map(|key| (key, place)), end);
        Ok(true)
    })?;
    end.offset = end.offset.min(records::length(folder, end.month)?);
    if foreign {
        records::set_aside(folder, end)?;
    }
    Ok(end)
}

fn prepare(act: &Act, at: Timestamp) -> Result<Prepared, LedgerError> {
    let record = json!({"kind": act.kind, "at": at, "body": act.body});
    let bytes = canonical_json(&record).map_err(|error| LedgerError::Record(error.to_string()))?;
    let record = String::from_utf8(bytes).map_err(|error| LedgerError::Record(error.to_string()))?;
    Ok(Prepared { at, salt: Salt::generate(&mut rand::rng()), record, keys: act.keys.clone() })
}

fn log_folder(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn failed(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Failed(error.to_string())
}
