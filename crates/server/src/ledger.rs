//! A node's own books of what was asked and answered: records in monthly files, and the log that holds a salted hash
//! of each. No log, no answer: [`Ledger::enter`] returns when both are on disk.
//!
//! One thread writes. Whatever arrives while it flushes the disk goes into its next batch, so that many traces share one
//! wait for the disk, in which records and log are flushed side by side. After a power cut an entry may stand in the log
//! whose record is gone; it was never acknowledged. A record file that is deleted takes the content with it; the log keeps the proof
//! that something was there.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::{mpsc, oneshot, watch};
use transparency::{
    AddCheckpoint, Bundle, Commitment, EntryProof, FolderStore, Log, Salt, SignedCheckpoint, SigningKey,
    Tree, canonical_json,
};

/// Acts that wait to be entered before the node says that it is full.
const QUEUE: usize = 2_048;
/// Acts in one batch.
const BATCH: usize = 1_024;

/// Why an act was not entered. Nothing may take effect then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The queue is full.
    #[error("the log has more to write than it can take\nhint: ask again in a moment")]
    Full,
    /// The disk, or the log.
    #[error("the log did not take the entry, so nothing was done: {0}")]
    Failed(String),
    /// The node is stopping.
    #[error("the log is closed: the node is stopping")]
    Closed,
    /// A record has no canonical form.
    #[error("{0}")]
    Record(String),
}

/// An act to be entered.
#[derive(Debug, Clone)]
pub struct Act {
    /// What kind, such as `question`.
    pub kind: &'static str,
    /// What happened; whole numbers and text only.
    pub body: Value,
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
    jobs: Option<mpsc::Sender<Job>>,
    checkpoint: watch::Receiver<SignedCheckpoint>,
    thread: Option<JoinHandle<()>>,
}

/// What [`Ledger::check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LedgerCheck {
    /// Entries in the log.
    pub entries: u64,
    /// Entries whose record is there and unaltered.
    pub agreed: u64,
    /// Entries without a record: deleted on purpose after their time, or lost.
    pub without_record: Vec<u64>,
    /// Records that the log does not vouch for: never acknowledged, or altered.
    pub not_in_log: u64,
}

struct Job {
    acts: Vec<Prepared>,
    done: oneshot::Sender<Result<Vec<Entered>, LedgerError>>,
}

struct Prepared {
    at: Timestamp,
    salt: Salt,
    record: String,
}

#[derive(Serialize, Deserialize)]
struct Line<'l> {
    index: u64,
    salt: String,
    #[serde(borrow)]
    record: &'l RawValue,
}

#[derive(Deserialize)]
struct Record {
    kind: String,
    at: Timestamp,
    body: Value,
}

impl Ledger {
    /// Opens the log and the records in a node's folder, making them if need be.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the disk or another process is in the way.
    pub fn open(folder: &Path, key: &SigningKey) -> Result<Self, LedgerError> {
        let records = folder.join("records");
        fs::create_dir_all(&records).map_err(failed)?;
        let log = open_log(folder, key)?;
        let (jobs, incoming) = mpsc::channel(QUEUE);
        let (published, checkpoint) = watch::channel(log.checkpoint().clone());
        let mut writer =
            Writer { folder: folder.to_owned(), key: key.clone(), log: Some(log), month: None, published };
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run(incoming));
        let thread = Some(thread.map_err(failed)?);
        Ok(Self { folder: folder.to_owned(), jobs: Some(jobs), checkpoint, thread })
    }

    /// Enters acts, in their order and one behind the other; returns when they are durable.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing may take effect then.
    pub async fn enter(&self, acts: &[Act], now: Timestamp) -> Result<Vec<Entered>, LedgerError> {
        let acts = acts.iter().map(|act| prepare(act, now)).collect::<Result<Vec<_>, _>>()?;
        let (done, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(LedgerError::Closed)?;
        jobs.try_send(Job { acts, done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Full,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Closed,
        })?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// The newest checkpoint, and word of newer ones.
    pub fn checkpoint(&self) -> watch::Receiver<SignedCheckpoint> {
        self.checkpoint.clone()
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

    /// Where the log lies, for serving it as it is.
    pub fn log_folder(&self) -> PathBuf {
        log_folder(&self.folder)
    }

    /// Every record that the files hold, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when a file cannot be read.
    pub fn records(folder: &Path, mut take: impl FnMut(Stored)) -> Result<(), LedgerError> {
        let mut files: Vec<_> = match fs::read_dir(folder.join("records")) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        files.sort();
        for file in files {
            for line in BufReader::new(File::open(&file).map_err(failed)?).split(b'\n') {
                // Half a line was never acknowledged.
                if let Some(stored) = stored(&line.map_err(failed)?) {
                    take(stored);
                }
            }
        }
        Ok(())
    }

    /// Compares records and log.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when either cannot be read.
    pub fn check(folder: &Path, signed: &SignedCheckpoint) -> Result<LedgerCheck, LedgerError> {
        let store = FolderStore::read_only(&log_folder(folder));
        let size = signed.checkpoint.size;
        let tree = Tree::new(&store, size);
        let mut entries = HashMap::new();
        for bundle in 0..size.div_ceil(256) {
            let held = tree.bundle(bundle).map_err(failed)?;
            entries.extend((256 * bundle..).zip(held).map(|(index, entry)| (entry, index)));
        }
        let mut found = LedgerCheck { entries: size, ..LedgerCheck::default() };
        Self::records(folder, |stored| {
            let commitment = stored.entered.commitment();
            let index = commitment.and_then(|one| entries.remove(one.as_bytes().as_slice()));
            if index == Some(stored.entered.index) { found.agreed += 1 } else { found.not_in_log += 1 }
        })?;
        found.without_record = entries.into_values().collect();
        found.without_record.sort_unstable();
        Ok(found)
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

    /// What the log holds of it.
    pub(crate) fn commitment(&self) -> Option<Commitment> {
        Some(Commitment::new(&self.salt()?, self.record.as_bytes()))
    }
}

struct Writer {
    folder: PathBuf,
    key: SigningKey,
    /// `None` after a failure; opened again for the next batch.
    log: Option<Log<FolderStore>>,
    month: Option<Month>,
    published: watch::Sender<SignedCheckpoint>,
}

/// The record file being written.
struct Month {
    name: String,
    file: File,
    length: u64,
}

impl Writer {
    fn run(&mut self, mut incoming: mpsc::Receiver<Job>) {
        while let Some(first) = incoming.blocking_recv() {
            let mut jobs = vec![first];
            let mut count = jobs[0].acts.len();
            while count < BATCH
                && let Ok(job) = incoming.try_recv()
            {
                count += job.acts.len();
                jobs.push(job);
            }
            match self.write(&jobs) {
                Ok(start) => answer(jobs, start),
                Err(error) => {
                    tracing::error!(%error, "the log did not take a batch");
                    self.log = None;
                    for job in jobs {
                        let _ = job.done.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Writes records and log, and returns when both are on disk.
    fn write(&mut self, jobs: &[Job]) -> Result<u64, LedgerError> {
        if self.log.is_none() {
            self.log = Some(open_log(&self.folder, &self.key)?);
        }
        let Some(log) = &self.log else { return Err(LedgerError::Closed) };
        let start = log.size();
        let (mut lines, mut commitments) = (String::new(), Vec::new());
        let acts = jobs.iter().flat_map(|job| &job.acts);
        for (index, act) in (start..).zip(acts.clone()) {
            let salt = hex::encode(act.salt.as_bytes());
            lines.extend([
                "{\"index\":",
                &index.to_string(),
                ",\"salt\":\"",
                &salt,
                "\",\"record\":",
                &act.record,
                "}\n",
            ]);
            commitments.push(Commitment::new(&act.salt, act.record.as_bytes()));
        }
        let at = acts.last().map_or_else(Timestamp::now, |act| act.at);
        self.write_records(&at.strftime("%Y-%m").to_string(), lines.as_bytes())?;
        let (Some(log), Some(month)) = (&mut self.log, &self.month) else { return Err(LedgerError::Closed) };
        // Both must be on disk before anyone is told; neither waits for the other.
        let (places, flushed) = thread::scope(|threads| {
            let flushing = threads.spawn(|| month.file.sync_data());
            (log.append_batch(&commitments), flushing.join())
        });
        let flushed =
            flushed.map_err(|_| LedgerError::Failed("the flush of the records ended".to_owned()))?;
        if let Err(error) = flushed {
            self.month = None;
            return Err(failed(error));
        }
        let places = places.map_err(failed)?;
        self.published.send_replace(log.checkpoint().clone());
        Ok(places.start)
    }

    fn write_records(&mut self, month: &str, lines: &[u8]) -> Result<(), LedgerError> {
        if self.month.as_ref().is_none_or(|open| open.name != month) {
            self.month = Some(Month::open(&self.folder, month)?);
        }
        let Some(open) = &mut self.month else { return Err(LedgerError::Closed) };
        let place = open.file.seek(SeekFrom::Start(open.length));
        let written = place.and_then(|_| open.file.write_all(lines));
        if let Err(error) = written {
            let _ = open.file.set_len(open.length);
            self.month = None;
            return Err(failed(error));
        }
        open.length += lines.len() as u64;
        Ok(())
    }
}

impl Month {
    fn open(folder: &Path, name: &str) -> Result<Self, LedgerError> {
        let records = folder.join("records");
        let path = records.join(format!("{name}.jsonl"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        File::open(&records).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let mut length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        // Half a line of a batch that was cut off must not swallow the next one.
        if length > 0 && !ends_in_newline(&mut file).map_err(failed)? {
            file.write_all(b"\n").map_err(failed)?;
            length += 1;
        }
        Ok(Self { name: name.to_owned(), file, length })
    }
}

fn ends_in_newline(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    std::io::Read::read_exact(file, &mut last)?;
    Ok(last == *b"\n")
}

fn answer(jobs: Vec<Job>, start: u64) {
    let mut index = start;
    for job in jobs {
        let entered = |act: Prepared| {
            let entered = Entered { index, salt: hex::encode(act.salt.as_bytes()), record: act.record };
            index += 1;
            entered
        };
        let _ = job.done.send(Ok(job.acts.into_iter().map(entered).collect()));
    }
}

fn prepare(act: &Act, at: Timestamp) -> Result<Prepared, LedgerError> {
    let record = json!({"kind": act.kind, "at": at, "body": act.body});
    let bytes = canonical_json(&record).map_err(|error| LedgerError::Record(error.to_string()))?;
    let record = String::from_utf8(bytes).map_err(|error| LedgerError::Record(error.to_string()))?;
    Ok(Prepared { at, salt: Salt::generate(&mut rand::rng()), record })
}

fn stored(line: &[u8]) -> Option<Stored> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let record: Record = serde_json::from_str(line.record.get()).ok()?;
    let entered = Entered { index: line.index, salt: line.salt, record: line.record.get().to_owned() };
    Some(Stored { entered, kind: record.kind, at: record.at, body: record.body })
}

fn log_folder(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn open_log(folder: &Path, key: &SigningKey) -> Result<Log<FolderStore>, LedgerError> {
    let path = log_folder(folder);
    if path.join("checkpoint").exists() || path.join(".journal.0").exists() {
        let store = FolderStore::open(&path).map_err(failed)?;
        match Log::open(store, key.clone()) {
            Err(transparency::LogError::NoLog) => {}
            opened => return opened.map_err(failed),
        }
    }
    let store = FolderStore::create(&path).map_err(failed)?;
    Log::create(store, key.clone()).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Failed(error.to_string())
}
