//! No log, no answer: everything that the books ask, do or answer is a salted record, and its hash is in the log
//! before it takes effect.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use transparency::{
    Commitment, EntryProof, FolderStore, Log, LogError, Resource, Salt, SignedCheckpoint, SigningKey,
    StoreError, TileStore as _, Tree, VerifierKey, canonical_json,
};

use crate::error::{BooksError, Refusal};
use crate::folder::READ_ONLY;
use crate::store::RecordRow;

/// Entries behind the last one that took effect that are looked at: acts cut off by crashes, a handful at most.
const MOST_LOOSE: u64 = 4_096;

/// How often a log that another process holds is asked again, and how long the writer waits each time.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The one writer of the issuer's log. The log is opened when the first entry is made, and again after a failure.
pub(crate) struct Ledger {
    folder: PathBuf,
    /// Absent where the books are only read.
    key: Option<SigningKey>,
    verifier: VerifierKey,
    log: Option<Log<FolderStore>>,
}

impl Ledger {
    pub(crate) fn new(folder: PathBuf, key: Option<SigningKey>, verifier: VerifierKey) -> Self {
        Self { folder, key, verifier, log: None }
    }

    fn key(&self) -> Result<SigningKey, Refusal> {
        self.key.clone().ok_or(Refusal::Closed(READ_ONLY))
    }

    /// Where the log lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the empty log of a new issuer.
    pub(crate) fn create(&mut self) -> Result<(), BooksError> {
        let store = FolderStore::create(&self.folder).map_err(refused)?;
        self.log = Some(Log::create(store, self.key()?).map_err(refused)?);
        Ok(())
    }

    /// Enters commitments in their order, with one flush for all of them; when this returns, they are on
    /// disk under a signed checkpoint.
    pub(crate) fn enter_all(&mut self, commitments: &[Commitment]) -> Result<Range<u64>, BooksError> {
        let log = self.writable()?;
        match log.append_batch(commitments) {
            Ok(places) => Ok(places),
            Err(error) => {
                self.log = None;
                Err(refused(error))
            }
        }
    }

    /// Proves that a record stands at a place of the log, under the newest checkpoint.
    pub(crate) fn prove(&self, record: &RecordRow, log_index: u64) -> Result<EntryProof, BooksError> {
        let store = FolderStore::read_only(&self.folder);
        let signed = checkpoint(&store)?;
        let tree = Tree::new(&store, signed.checkpoint.size);
        let proof = EntryProof::new(&tree, &signed, log_index, (&salt(record)?, record.body.as_bytes()));
        proof.map_err(|error| BooksError::Log(Box::new(error)))
    }

    /// Refuses a log that ends before entries that the tables know: it is an older one, or other books write in these tables.
    pub(crate) fn reaches(&mut self, known: u64) -> Result<(), BooksError> {
        let size = self.writable()?.size();
        if size >= known {
            return Ok(());
        }
        self.log = None;
        Err(BooksError::Log(
            format!(
                "it holds {size} entries, and the tables know of {known}: an older log was put back, or another folder \
                 writes in the same tables"
            )
            .into(),
        ))
    }

    /// Takes the log's lock, so that no other process writes until these books are closed; tells whether it was not held before.
    pub(crate) fn hold(&mut self) -> Result<bool, BooksError> {
        let new = self.log.is_none();
        self.writable().map(|_| new)
    }

    /// The first entries from a place on.
    pub(crate) fn from(&mut self, place: u64) -> Result<Vec<Commitment>, BooksError> {
        let size = self.writable()?.size();
        let store = FolderStore::read_only(&self.folder);
        let tree = Tree::new(&store, size);
        let entry = |index| {
            let bytes = tree.entry(index).map_err(|error| BooksError::Log(Box::new(error)))?;
            let bytes = <[u8; 32]>::try_from(bytes.as_slice());
            bytes
                .map(Commitment::from_bytes)
                .map_err(|_| BooksError::damaged(format!("log entry {index} is no commitment")))
        };
        (place..size.min(place + MOST_LOOSE)).map(entry).collect()
    }

    /// Gives the log's lock back; the next act takes it again.
    pub(crate) fn let_go(&mut self) {
        self.log = None;
    }

    /// The log, open for writing.
    fn writable(&mut self) -> Result<&mut Log<FolderStore>, BooksError> {
        if self.log.is_none() {
            let key = self.key()?;
            let store = self.wait_for_the_lock()?;
            let log = Log::open(store, key).map_err(refused)?;
            if let Some(fault) = against_witnesses(&self.folder, log.size(), &self.verifier)? {
                return Err(BooksError::Log(fault.into()));
            }
            self.log = Some(log);
        }
        Ok(self.log.as_mut().expect("it was opened in the lines above"))
    }

    fn wait_for_the_lock(&self) -> Result<FolderStore, BooksError> {
        for _ in 1..ATTEMPTS {
            match FolderStore::open(&self.folder) {
                Err(StoreError::Locked(_)) => sleep(PAUSE),
                done => return done.map_err(refused),
            }
        }
        FolderStore::open(&self.folder).map_err(refused)
    }
}

/// What speaks against a log that the issuer's node has had cosigned: a folder that was put back holds less than the witnesses
/// vouched for, or something else. `node/cosigned-books` beside the log is the newest checkpoint that a quorum cosigned.
pub(crate) fn against_witnesses(
    folder: &Path,
    size: u64,
    log: &VerifierKey,
) -> Result<Option<String>, BooksError> {
    let file = folder.with_file_name("node").join("cosigned-books");
    let Ok(bytes) = std::fs::read(file) else { return Ok(None) };
    let Ok(signed) = SignedCheckpoint::parse(&bytes) else { return Ok(None) };
    // What another key signed is of another log.
    if signed.verify(log).is_err() {
        return Ok(None);
    }
    let vouched = signed.checkpoint.size;
    if vouched > size {
        return Ok(Some(format!(
            "witnesses cosigned {vouched} entries of the books' log, and it holds {size}: an older copy of the books was put \
             back\nhint: put the newest back; or restore this one with `issuer restore`, which closes its blocks"
        )));
    }
    let store = FolderStore::read_only(folder);
    let root = Tree::new(&store, vouched).root().map_err(|error| BooksError::Log(Box::new(error)))?;
    let same = root == signed.checkpoint.root;
    Ok((!same).then(|| {
        format!("the first {vouched} entries of the books' log are not those that witnesses cosigned")
    }))
}

/// A record with a fresh salt, ready to be written; its number is still to be taken. What it is and when it was written stands in
/// its text too, under `act`, because the log holds the hash of the text alone.
pub(crate) fn new_record(kind: &str, body: &Value, now: Timestamp) -> Result<RecordRow, BooksError> {
    let mut body = body.clone();
    body["act"] = json!({"kind": kind, "at": now});
    let bytes = canonical_json(&body).map_err(BooksError::damaged)?;
    let body = String::from_utf8(bytes).map_err(BooksError::damaged)?;
    let salt = Salt::generate(&mut rand::rng());
    Ok(RecordRow {
        record_id: 0,
        kind: kind.to_owned(),
        recorded_at: now.as_microsecond(),
        salt: salt.as_bytes().to_vec(),
        body,
        log_index: None,
    })
}

/// Adds to what a record says of itself the last record that had taken effect by then. Whoever takes an act out of the tables later
/// contradicts every record that was entered since.
pub(crate) fn place_after(record: &mut RecordRow, last: i64) -> Result<(), BooksError> {
    let mut body: Value = serde_json::from_str(&record.body).map_err(BooksError::damaged)?;
    body["act"]["after"] = json!(last);
    let bytes = canonical_json(&body).map_err(BooksError::damaged)?;
    record.body = String::from_utf8(bytes).map_err(BooksError::damaged)?;
    Ok(())
}

/// What of a record is in the log.
pub(crate) fn commitment(record: &RecordRow) -> Result<Commitment, BooksError> {
    Ok(Commitment::new(&salt(record)?, record.body.as_bytes()))
}

/// The salt of a record.
pub(crate) fn salt(record: &RecordRow) -> Result<Salt, BooksError> {
    let salt: [u8; 32] = record.salt.as_slice().try_into().map_err(|_| {
        BooksError::damaged(format!(
            "the salt of record {} has {} bytes",
            record.record_id,
            record.salt.len()
        ))
    })?;
    Ok(Salt::from_bytes(salt))
}

/// The log's newest checkpoint, as it lies on disk.
pub(crate) fn checkpoint(store: &FolderStore) -> Result<SignedCheckpoint, BooksError> {
    let bytes = store.read(&Resource::Checkpoint).map_err(refused)?;
    let bytes = bytes.ok_or_else(|| BooksError::damaged("the log has no checkpoint"))?;
    SignedCheckpoint::parse(&bytes).map_err(|error| BooksError::Log(Box::new(error)))
}

fn refused(error: impl Into<LogError>) -> BooksError {
    BooksError::Log(Box::new(error.into()))
}
