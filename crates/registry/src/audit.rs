//! Whether tables and log agree.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use transparency::{Commitment, FolderStore, SignedCheckpoint, TileStore as _, Tree};

use crate::books::Books;
use crate::error::BooksError;
use crate::ledger::commitment;

/// Records read at a time.
const PAGE: i64 = 1_000;

/// What [`Books::reconcile`] found. Log and tables agree when both lists of faults are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Entries in the log.
    pub log_entries: u64,
    /// Records that are in the log and took effect.
    pub agreed: u64,
    /// Records that took no effect, in or out of the log: acts cut off by a crash, a full disk or a refusal. Harmless.
    pub without_effect: Vec<u64>,
    /// Records whose text is not what the log vouches for: altered after the fact.
    pub altered: Vec<u64>,
    /// Log entries without any record: records were deleted, or the log was written by someone else.
    pub unexplained: Vec<u64>,
}

impl Books {
    /// Compares every record with the log. Tree and signatures are `transparency`'s to check; this tells whether the
    /// log speaks of these tables.
    ///
    /// # Errors
    /// [`BooksError::Log`] when the log cannot be read.
    pub async fn reconcile(&self) -> Result<Reconciliation, BooksError> {
        let ledger = self.ledger.lock().await;
        let mut entries = read_log(&FolderStore::read_only(ledger.folder()))?;
        let mut found = Reconciliation { log_entries: entries.len() as u64, ..Reconciliation::default() };
        let mut session = self.store.read().await?;
        let mut after = 0;
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record_id;
            for record in &page {
                let place = entries.remove(commitment(record)?.as_bytes());
                let number = record.record_id as u64;
                match (place, record.log_index) {
                    (Some(place), Some(index)) if place == index as u64 => found.agreed += 1,
                    (_, None) => found.without_effect.push(number),
                    (_, Some(_)) => found.altered.push(number),
                }
            }
        }
        found.unexplained = entries.into_values().collect();
        found.unexplained.sort_unstable();
        Ok(found)
    }
}

/// Every entry of the log with its place.
fn read_log(store: &FolderStore) -> Result<HashMap<[u8; 32], u64>, BooksError> {
    let log = |error: Box<dyn std::error::Error + Send + Sync>| BooksError::Log(error);
    let bytes = store.read(&transparency::Resource::Checkpoint).map_err(|error| log(Box::new(error)))?;
    let bytes = bytes.ok_or_else(|| BooksError::damaged("the log has no checkpoint"))?;
    let size = SignedCheckpoint::parse(&bytes).map_err(|error| log(Box::new(error)))?.checkpoint.size;
    let tree = Tree::new(store, size);
    let mut entries = HashMap::new();
    for bundle in 0..size.div_ceil(256) {
        for (at, entry) in (256 * bundle..).zip(tree.bundle(bundle).map_err(|error| log(Box::new(error)))?) {
            let entry: [u8; 32] = entry.as_slice().try_into().map_err(|_| {
                BooksError::damaged(format!(
                    "log entry {at} has {} bytes where a commitment has 32",
                    entry.len()
                ))
            })?;
            entries.insert(*Commitment::from_bytes(entry).as_bytes(), at);
        }
    }
    Ok(entries)
}
