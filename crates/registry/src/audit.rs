//! Whether tables and log agree.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use symbology::{Code, Prefix};
use transparency::{Commitment, FolderStore, Tree};

use crate::books::{Books, NewEntry, history};
use crate::encode;
use crate::error::BooksError;
use crate::event::Entry;
use crate::issue::digest;
use crate::ledger::{checkpoint, commitment};
use crate::store::{RecordRow, Session};

/// Records read at a time.
const PAGE: i64 = 1_000;

/// What [`Books::reconcile`] found. [`Reconciliation::agrees`] sums it up.
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
    /// What stands in the tables and is not what records say was done, or the other way round; in sentences.
    pub faults: Vec<String>,
}

impl Reconciliation {
    /// Whether log and tables agree.
    pub fn agrees(&self) -> bool {
        self.altered.is_empty() && self.unexplained.is_empty() && self.faults.is_empty()
    }
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
        let (mut after, mut codes) = (0, 0);
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record_id;
            for record in &page {
                let place = entries.remove(commitment(record)?.as_bytes());
                let number = record.record_id as u64;
                match (place, record.log_index) {
                    (Some(place), Some(index)) if place == index as u64 => {
                        found.agreed += 1;
                        codes += self.compare(&mut session, record, &mut found.faults).await?;
                    }
                    (_, None) => found.without_effect.push(number),
                    (_, Some(_)) => found.altered.push(number),
                }
            }
        }
        found.unexplained = entries.into_values().collect();
        found.unexplained.sort_unstable();
        self.compare_counts(&mut session, codes, &mut found.faults).await?;
        Ok(found)
    }

    /// Compares what a record says was done with what stands in the tables; returns the codes it issued.
    async fn compare(
        &self,
        session: &mut Session,
        record: &RecordRow,
        faults: &mut Vec<String>,
    ) -> Result<i64, BooksError> {
        let number = record.record_id;
        match record.kind.as_str() {
            "issue" => {
                let run: IssueRecord = encode::from_json(&record.body)?;
                let first = i64::from(run.prefix.index()) << 20 | run.first_unit;
                let rows = session.issued_units(first, first + run.count).await?;
                let found = digest(rows.iter().map(|(code, serial)| (*code, serial.as_str())));
                if found != run.codes_sha256 {
                    faults.push(format!("the codes issued under record {number} are not those in the table"));
                }
                Ok(run.count)
            }
            "issue-part" => {
                let part: PartRecord = encode::from_json(&record.body)?;
                if session.code(encode::code_number(part.code)).await?.is_none() {
                    faults.push(format!("code {} of record {number} is gone from the table", part.code));
                }
                Ok(1)
            }
            "entry" => {
                let EntryRecord { entry } = encode::from_json(&record.body)?;
                let firearm = self.firearm_id(session, &entry.firearm).await?;
                let stands = |one: &Entry| {
                    (&one.event, one.on) == (&entry.event, entry.on)
                        && one.recorded_at.as_microsecond() == record.recorded_at
                };
                let there = match firearm {
                    Some(firearm) => history(session, firearm).await?.entries.iter().any(stands),
                    None => false,
                };
                if !there {
                    faults
                        .push(format!("the entry of record {number} is not in the book as it was recorded"));
                }
                Ok(0)
            }
            _ => Ok(0),
        }
    }

    async fn compare_counts(
        &self,
        session: &mut Session,
        codes: i64,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        let ((rows, highest), written) =
            (session.count_entries().await?, session.numbers_taken("entry").await?);
        if rows != written || highest != written {
            faults.push(format!(
                "the book has {rows} entries, the last numbered {highest}; {written} were written"
            ));
        }
        let in_table = session.count_codes().await?;
        if in_table != codes {
            faults.push(format!("the table has {in_table} codes; {codes} were issued"));
        }
        Ok(())
    }
}

/// What the record of an issue says that can be checked.
#[derive(Deserialize)]
struct IssueRecord {
    prefix: Prefix,
    first_unit: i64,
    count: i64,
    codes_sha256: String,
}

#[derive(Deserialize)]
struct PartRecord {
    code: Code,
}

#[derive(Deserialize)]
struct EntryRecord {
    entry: NewEntry,
}

/// Every entry of the log with its place.
fn read_log(store: &FolderStore) -> Result<HashMap<[u8; 32], u64>, BooksError> {
    let log = |error: Box<dyn std::error::Error + Send + Sync>| BooksError::Log(error);
    let size = checkpoint(store)?.checkpoint.size;
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
