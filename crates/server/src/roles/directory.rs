//! The directory's keeper: a file of entries that people edit, and a signed version of it that everybody reads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use registry::names::Person;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use transparency::{Bundle, SignedCheckpoint};
use uuid::Uuid;

use super::enrolment::workable;
use super::issuer::StartError;
use crate::access::MACHINE;
use crate::clock::Clock;
use crate::config::{ConfigError, Node, replace, validity};
use crate::federation::{Directory, DirectoryContent};
use crate::ledger::{Act, Entered, Key, Ledger, LedgerError};
use crate::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// Days for which a signed version holds.
const DAYS: i64 = 7;
/// The folder of all versions, by their numbers.
const VERSIONS: &str = "versions";
/// The folder of notes of who enrolled: under a number until the log has their hash, and under that from then on.
const ENROLLED: &str = "enrolled";
/// Two changes of a file within this time may bear the same time of change.
const UNSURE: Duration = Duration::from_secs(3);
/// A clock may be set back by so many seconds before another version is made.
const EARLY: i64 = 60;

/// The directory's node.
pub struct DirectoryKeeper {
    /// Who it is.
    pub node: Node,
    /// Its log: every version is entered before it is published.
    pub ledger: Ledger,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    clock: Clock,
    /// The highest version that was ever entered, published or not.
    last: AtomicU64,
    published: Mutex<Option<Arc<Directory>>>,
    /// The file of entries that was looked at last, when it is the one that is published.
    seen: Mutex<Option<Written>>,
    /// Entries that cannot be published, and why: the same file is not weighed again.
    refused: Mutex<Option<(Written, String)>>,
    /// Where the version that is published stands in the log.
    entry: Mutex<Option<Entered>>,
}

impl DirectoryKeeper {
    /// Opens a directory's folder.
    ///
    /// # Errors
    /// [`StartError`]; also when the file is damaged, or is not the version of that number in the log.
    pub fn open(data: &Path, clock: Clock) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let ledger = Ledger::open(&node.folder, &node.log)?;
        let key = node.statements.verifier();
        let held = super::holder::held(&node.folder.join("directory"), key)?;
        // A file that was lost does not begin the count anew: the log knows which versions there were, and which file each was.
        let (mut last, mut entry) = (0, None);
        Ledger::records(&node.folder, |stored| {
            let Some(version) = stored.body["version"].as_u64().filter(|_| stored.kind == "directory") else {
                return;
            };
            last = last.max(version);
            let same = |held: &Directory| {
                held.content().version == version && stored.body["sha256"] == held.sha256()
            };
            if held.as_ref().is_some_and(same) {
                entry = Some(stored.entered);
            }
        })?;
        if held.is_some() && entry.is_none() {
            let path = node.folder.join("directory");
            let reason = "the log holds no such version\nhint: put the newest one back, or take it away and a new version is made";
            return Err(ConfigError::Damaged { path, reason: reason.to_owned() }.into());
        }
        let (last, entry) = (AtomicU64::new(last), Mutex::new(entry));
        let published = Mutex::new(held.map(Arc::new));
        let (seen, refused) = Default::default();
        Ok(Self { node, ledger, metrics: Arc::default(), clock, last, published, seen, refused, entry })
    }

    /// Publishes a new version when the entries changed or half of the time of the last one is over. The version is in
    /// the log before it is published. Returns the version that stands.
    ///
    /// # Errors
    /// A [`Problem`] when entries or log are in the way; the old version stands.
    pub async fn publish(&self) -> Result<u64, Problem> {
        let now = self.clock.now();
        let fault = |error: &dyn std::fmt::Display| ProblemKind::Fault.because(error);
        let (path, held) = (entries_path(&self.node.folder), self.directory());
        let written = Written::of(&path);
        let stands = held.as_deref().map(Directory::content).filter(|held| self.stands(held, now));
        if let Some(held) = stands.filter(|_| written.is_some() && *self.seen() == written) {
            return Ok(held.version);
        }
        *self.seen() = None;
        let mut content = self.entries(&path, written).map_err(|reason| fault(&reason))?;
        content.log = Some(self.node.log.verifier().to_string());
        if let Some(held) = stands.filter(|held| same_entries(held, &content)) {
            *self.seen() = written;
            return Ok(held.version);
        }
        let last = self.last.load(Ordering::Relaxed);
        (content.issued_at, content.expires_at) = validity(now, DAYS);
        content.version = held.map_or(last, |held| held.content().version.max(last)) + 1;
        let bytes = content.sign(&self.node.statements).map_err(|error| fault(&error))?;
        // Whatever others would refuse is not published.
        let directory =
            Directory::parse(&bytes, self.node.statements.verifier()).map_err(|error| fault(&error))?;
        let mut body = json!({"version": content.version, "sha256": hex::encode(Sha256::digest(&bytes))});
        // Who changed the entries is bound by a hash: the record is served, and the name is not for everybody.
        let noted = noted_enrolments(&self.node.folder).map_err(|error| fault(&error))?;
        if !noted.is_empty() {
            body["enrolled"] = noted.iter().map(|(_, hash)| hash.as_str()).collect();
        }
        // What a version said can be asked for as long as its hash stands in the log.
        self.keep(content.version, &bytes).map_err(|error| fault(&error))?;
        let act = Act::new("directory", body).found_by(key(content.version));
        let entered = self.ledger.enter(&[act], now).await;
        let entered = entered.map_err(|error| ProblemKind::NoLog.because(error))?.pop();
        for (path, hash) in noted {
            // One that stays is named by the next version as well.
            if let Err(error) = std::fs::rename(&path, path.with_file_name(hash)) {
                tracing::warn!(%error, path = %path.display(), "this stands in the log already");
            }
        }
        // The number is used up from here on, whatever becomes of the file.
        self.last.store(content.version, Ordering::Relaxed);
        replace(&self.node.folder.join("directory"), &bytes).map_err(|error| fault(&error))?;
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(directory));
        *self.entry.lock().unwrap_or_else(PoisonError::into_inner) = entered;
        Ok(content.version)
    }

    /// The proof that the log holds the version that is published, under a checkpoint that covers it; `None` while it does not.
    pub(crate) fn proof(&self, signed: &SignedCheckpoint) -> Option<Bundle> {
        let entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let covered = entry.index < signed.checkpoint.size;
        covered.then(|| self.ledger.bundle(signed, &[entry]).ok()).flatten()
    }

    fn keep(&self, version: u64, bytes: &[u8]) -> Result<(), ConfigError> {
        let folder = self.node.folder.join(VERSIONS);
        std::fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder {
            what: "cannot make the folder",
            path: folder.clone(),
            source,
        })?;
        replace(&folder.join(version.to_string()), bytes)
    }

    /// A version that the log holds, as it was published.
    pub(crate) fn version(&self, version: u64) -> Option<Vec<u8>> {
        let entered = self.entry_of(version)?;
        let bytes = std::fs::read(self.node.folder.join(VERSIONS).join(version.to_string())).ok()?;
        let record: serde_json::Value = serde_json::from_str(&entered.record).ok()?;
        (record["body"]["sha256"] == hex::encode(Sha256::digest(&bytes))).then_some(bytes)
    }

    /// The proof that the log holds a version, as it was cosigned when the version was new: whoever held the one before can check it.
    pub(crate) fn proof_of(&self, version: u64, signed: &SignedCheckpoint) -> Option<String> {
        if let Ok(kept) = std::fs::read_to_string(self.proof_file(version)) {
            return Some(kept);
        }
        let entry = self.entry_of(version)?;
        let covered = entry.index < signed.checkpoint.size;
        covered.then(|| self.ledger.bundle(signed, &[entry]).ok()).flatten().map(|bundle| bundle.to_string())
    }

    /// Keeps the proof of the version that stands, once it is cosigned.
    pub(crate) fn keep_proof(&self, signed: &SignedCheckpoint) {
        let Some(version) = self.directory().map(|held| held.content().version) else { return };
        let file = self.proof_file(version);
        // The more witnesses, the more of those of the version before.
        let lines =
            |bundle: &Bundle| bundle.entries.first().map_or(0, |one| one.signed.note.signatures.len());
        let kept = std::fs::read(&file).ok().and_then(|bytes| Bundle::parse(&bytes).ok());
        if kept.is_none_or(|kept| lines(&kept) < signed.note.signatures.len())
            && let Some(proof) = self.proof(signed)
            && let Err(error) = replace(&file, proof.to_string().as_bytes())
        {
            tracing::error!(%error, version, "the proof of this version is not kept");
        }
    }

    fn proof_file(&self, version: u64) -> PathBuf {
        self.node.folder.join(VERSIONS).join(format!("{version}.proof"))
    }

    fn entry_of(&self, version: u64) -> Option<Entered> {
        self.ledger.find(key(version)).ok()?.map(|stored| stored.entered)
    }

    /// The signed directory that stands.
    pub(crate) fn directory(&self) -> Option<Arc<Directory>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a version is the last one, and half of its time is not over.
    fn stands(&self, held: &DirectoryContent, now: Timestamp) -> bool {
        // One that was made while the clock was ahead is none to the nodes.
        let begun = held.issued_at.as_second() <= now.as_second() + EARLY;
        let half = held.issued_at.as_second().midpoint(held.expires_at.as_second());
        held.version >= self.last.load(Ordering::Relaxed) && begun && now.as_second() < half
    }

    /// The entries, which can be published; otherwise why not. A large file with an error in it would take a core for itself, were it
    /// weighed at every turn until somebody mends it.
    fn entries(&self, path: &Path, written: Option<Written>) -> Result<DirectoryContent, String> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reason)) = refused.as_ref().filter(|(weighed, _)| Some(*weighed) == written) {
            return Err(reason.clone());
        }
        *refused = None;
        let content = read_entries(path).map_err(|error| error.to_string())?;
        if let Some(tls) = &self.node.tls {
            tls.learn(&content);
        }
        workable(&content).map(|()| content).map_err(|reason| {
            let reason = format!("{reason}; the version before stands");
            *refused = written.map(|written| (written, reason.clone()));
            reason
        })
    }

    fn seen(&self) -> MutexGuard<'_, Option<Written>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signed directory, as everybody reads it; none while this node's log is not the one that its witnesses know.
    pub(crate) fn shown(&self) -> Option<Arc<Directory>> {
        self.directory().filter(|_| self.ledger.state().is_well())
    }
}

/// When a file was written, and how long it is: a file of entries of several megabytes is not read twice a second to find that nobody
/// changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    at: SystemTime,
    length: u64,
    /// When anything of the file was changed, in seconds and nanoseconds, which nobody can set; zeros where that is not kept.
    changed: (i64, i64),
}

impl Written {
    /// `None` where that cannot be told, or where it was written so lately that another change could bear the same time.
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt as _;
            (file.ctime(), file.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        let at = file.modified().ok()?;
        let long_ago = at.elapsed().is_ok_and(|since| since > UNSURE);
        long_ago.then_some(Self { at, length: file.len(), changed })
    }
}

/// What the record of a version is found by.
fn key(version: u64) -> Key {
    Key::new("directory version", Uuid::from_u128(u128::from(version)))
}

fn same_entries(a: &DirectoryContent, b: &DirectoryContent) -> bool {
    let mut b = b.clone();
    (b.version, b.issued_at, b.expires_at) = (a.version, a.issued_at, a.expires_at);
    *a == b
}

/// Notes who changes the entries, and how, for the log of the directory; where that lies until a version names its hash. Its number is
/// random enough that nobody finds the name behind the hash.
pub(super) fn note_enrolment(
    folder: &Path,
    by: Option<&Person>,
    changes: &[String],
) -> Result<PathBuf, ConfigError> {
    let (folder, number) = (folder.join(ENROLLED), Uuid::now_v7());
    std::fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder {
        what: "cannot make the folder",
        path: folder.clone(),
        source,
    })?;
    let by = by.map_or(MACHINE, Person::as_str);
    let note = json!({"number": number, "by": by, "at": Timestamp::now(), "changes": changes});
    let path = folder.join(format!("{number}.json"));
    replace(&path, note.to_string().as_bytes())?;
    Ok(path)
}

/// What was noted since the last version, in its order, and the SHA-256 of each, under which it stays when the log has it.
fn noted_enrolments(folder: &Path) -> std::io::Result<Vec<(PathBuf, String)>> {
    let entries = match std::fs::read_dir(folder.join(ENROLLED)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut notes = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            let hash = hex::encode(Sha256::digest(std::fs::read(&path)?));
            notes.push((path, hash));
        }
    }
    notes.sort();
    Ok(notes)
}

pub(super) fn entries_path(folder: &Path) -> PathBuf {
    folder.join("entries.json")
}

pub(super) fn read_entries(path: &Path) -> Result<DirectoryContent, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| LedgerError::Failed(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let start = Timestamp::UNIX_EPOCH;
            Ok(DirectoryContent::new(0, start, start))
        }
        Err(error) => Err(LedgerError::Failed(format!("{}: {error}", path.display()))),
    }
}

pub(super) fn write_entries(path: &Path, content: &DirectoryContent) -> Result<(), LedgerError> {
    let bytes = serde_json::to_vec_pretty(content).map_err(|error| LedgerError::Failed(error.to_string()))?;
    replace(path, &bytes).map_err(|error| LedgerError::Failed(error.to_string()))
}
