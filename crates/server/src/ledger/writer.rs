//! The one thread that writes records and log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use transparency::{Commitment, FolderStore, Log, SignedCheckpoint, SigningKey, StoreError};

use super::index::{Index, Key, Place};
use super::{Entered, Job, LedgerError, Prepared, STRIDE, catch_up, failed, log_folder, records};

/// Acts in one batch.
const BATCH: usize = 1_024;
/// How long readers of the log's folder may wait for what is entered: making files for every batch costs more than the
/// batch itself.
const LAG: Duration = Duration::from_millis(200);

pub(super) struct Writer {
    folder: PathBuf,
    key: SigningKey,
    /// `None` after a failure; opened again for the next batch.
    log: Option<Log<FolderStore>>,
    /// The month whose file was made ready.
    month: Option<u32>,
    index: Arc<Index>,
    end: Arc<Mutex<Place>>,
    well: Arc<AtomicBool>,
    published: watch::Sender<SignedCheckpoint>,
    /// When the first entry came that readers do not see yet.
    hidden: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        (folder, key): (&Path, SigningKey),
        log: Log<FolderStore>,
        (index, end, well): (Arc<Index>, Arc<Mutex<Place>>, Arc<AtomicBool>),
        published: watch::Sender<SignedCheckpoint>,
    ) -> Self {
        let folder = folder.to_owned();
        Self { folder, key, log: Some(log), month: None, index, end, well, published, hidden: None }
    }

    pub(super) fn run(&mut self, incoming: &Receiver<Job>) {
        while let Some(first) = self.next(incoming) {
            let mut jobs = vec![first];
            let mut count = jobs[0].acts.len();
            while count < BATCH
                && let Ok(job) = incoming.try_recv()
            {
                count += job.acts.len();
                jobs.push(job);
            }
            let written = self.write(&jobs);
            self.well.store(written.is_ok(), Ordering::Relaxed);
            match written {
                Ok(start) => {
                    self.hidden.get_or_insert_with(Instant::now);
                    answer(jobs, start);
                }
                Err(error) => {
                    tracing::error!(%error, "the log did not take a batch");
                    self.log = None;
                    for job in jobs {
                        let _ = job.done.send(Err(error.clone()));
                    }
                }
            }
        }
        self.publish();
    }

    /// The next job. Shows readers what was entered when it was hidden for [`LAG`].
    fn next(&mut self, incoming: &Receiver<Job>) -> Option<Job> {
        if let Some(since) = self.hidden {
            match incoming.recv_timeout(LAG.saturating_sub(since.elapsed())) {
                Ok(job) if since.elapsed() < LAG => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.publish(),
                Ok(job) => {
                    self.publish();
                    return Some(job);
                }
            }
        }
        incoming.recv().ok()
    }

    fn publish(&mut self) {
        self.hidden = None;
        let Some(log) = &mut self.log else { return };
        match log.store_mut().publish() {
            Ok(()) => {
                self.published.send_replace(log.checkpoint().clone());
            }
            Err(error) => {
                // It stands in the journal; the next batch opens the log again.
                tracing::error!(%error, "the log's files cannot be put in place");
                self.log = None;
            }
        }
    }

    /// Writes records and log, and returns when both are on disk.
    fn write(&mut self, jobs: &[Job]) -> Result<u64, LedgerError> {
        let at = self.place(jobs)?;
        let Some(log) = &mut self.log else { return Err(LedgerError::Closed) };
        let start = log.size();
        let (mut lines, mut commitments, mut keys) = (String::new(), Vec::new(), Vec::new());
        for (index, act) in (start..).zip(jobs.iter().flat_map(|job| &job.acts)) {
            let place = Place { offset: at.offset + lines.len() as u64, ..at };
            let stride = index.is_multiple_of(STRIDE).then(|| Key::of_entry(index));
            keys.extend(act.keys.iter().copied().chain(stride).map(|key| (key, place)));
            lines.push_str(&records::line(index, &hex::encode(act.salt.as_bytes()), &act.keys, &act.record));
            commitments.push(Commitment::new(&act.salt, act.record.as_bytes()));
        }
        let end = Place { offset: at.offset + lines.len() as u64, ..at };
        let piece = records::lines_at(at, lines).ok_or_else(|| failed("a month without a name"))?;
        // One flush makes both durable: the lines travel in the log's journal.
        log.store_mut().beside(piece).map_err(failed)?;
        log.append_batch(&commitments).map_err(failed)?;
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.index.put(keys, end);
        Ok(start)
    }

    /// Where the jobs' lines go: behind the last of their month. A clock that goes back does not go back to an older file.
    fn place(&mut self, jobs: &[Job]) -> Result<Place, LedgerError> {
        let held = |end: &Mutex<Place>| *end.lock().unwrap_or_else(PoisonError::into_inner);
        if self.log.is_none() {
            let log = open_log(&self.folder, &self.key, false)?;
            // Of the batch that failed all may stand, with its records, or nothing.
            let end = catch_up(&self.folder, &self.index, (held(&self.end), log.size())).map_err(failed)?;
            *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
            (self.log, self.month) = (Some(log), None);
        }
        let at = jobs.iter().flat_map(|job| &job.acts).last().map_or_else(Timestamp::now, |act| act.at);
        let (mut end, month) = (held(&self.end), records::month_of(at));
        if month > end.month {
            end = Place { month, offset: 0 };
        }
        if self.month != Some(end.month) {
            records::begin(&self.folder, end).map_err(failed)?;
            self.month = Some(end.month);
        }
        Ok(end)
    }
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

/// Opens a log's folder. A process that another thread of this one is just starting holds a lock that was let go of until it
/// has become itself: a moment.
fn opened(path: &Path) -> Result<FolderStore, StoreError> {
    for _ in 0..20 {
        match FolderStore::open(path) {
            Err(StoreError::Locked(_)) => std::thread::sleep(Duration::from_millis(50)),
            done => return done,
        }
    }
    FolderStore::open(path)
}

/// Opens the log of a node; makes it only where `new` says that there cannot be one yet.
pub(super) fn open_log(folder: &Path, key: &SigningKey, new: bool) -> Result<Log<FolderStore>, LedgerError> {
    let path = log_folder(folder);
    if !new || path.join("checkpoint").exists() || path.join(".journal.0").exists() {
        let store = opened(&path).map_err(failed)?;
        match Log::open(store.lagging(), key.clone()) {
            Err(transparency::LogError::NoLog) if new => {}
            opened => return opened.map_err(failed),
        }
    }
    let store = FolderStore::create(&path).map_err(failed)?;
    let mut log = Log::create(store.lagging(), key.clone()).map_err(failed)?;
    log.store_mut().publish().map_err(failed)?;
    Ok(log)
}
