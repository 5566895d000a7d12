//! Bound-book rows from a table: any CSV, with a file that says which column is what.

mod mapping;
mod rows;

use std::io::{self, Read, Seek};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub use self::mapping::Mapping;
use self::rows::{Rows, first_line};
use crate::batch::{Batch, Hand};
use crate::books::Books;
use crate::digest::Written;
use crate::entries::as_rehearsed;
use crate::error::{BooksError, Refusal};
use crate::names::Person;
use crate::store::{Session, persistently};

/// Rows checked and written at a time, so that a table of any length takes the same memory.
const CHUNK: usize = 8_192;

/// How a table is taken, for [`Books::import`].
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Which column is what.
    pub mapping: Mapping,
    /// Check everything, write nothing.
    pub dry_run: bool,
    /// Take the rows that can be taken; without it one rejected row keeps out the whole table.
    pub skip_rejected: bool,
}

/// What came of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Rows in the table.
    pub rows: u64,
    /// Rows that cannot be taken.
    pub rejected: u64,
    /// Events that their writer has declared wrong, and that stand nowhere in these books; they are left out.
    pub left_out: u64,
    /// Events that tell of codes which were issued: they become no entries.
    pub codes: u64,
    /// Entries written, or in a dry run those that would be.
    pub entries: u64,
}

/// A row that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Line in the file, the heading being line 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl Books {
    /// Takes the rows of a CSV table with a heading: one record, one log entry, one transaction.
    ///
    /// `rejected` is called with each row that cannot be taken, in order. Rows are checked against the books and
    /// against the rows above them.
    ///
    /// # Errors
    /// [`Refusal::Rows`] when rows were rejected and `skip_rejected` is not set: nothing was taken.
    /// [`BooksError::Table`] when the table is no CSV or lacks the columns of a firearm's key; [`BooksError::Stream`] when it cannot
    /// be read to its end.
    pub async fn import(
        &self,
        mut table: impl Read + Seek,
        options: &ImportOptions,
        (by, now): (&Person, Timestamp),
        mut rejected: impl FnMut(Rejected),
    ) -> Result<Imported, BooksError> {
        let mut ledger = self.ledger.lock().await;
        if !options.dry_run {
            ledger.hold()?;
        }
        // What cannot be taken is refused before anything is in the log.
        let mut rehearsal = self.store.write().await?;
        let (imported, written) =
            self.take_table(&mut rehearsal, &mut table, options, (by, now), &mut rejected).await?;
        drop(rehearsal);
        if options.dry_run {
            return Ok(imported);
        }
        if imported.rejected > 0 && !options.skip_rejected {
            return Err(Refusal::Rows { rejected: imported.rejected, rows: imported.rows }.into());
        }
        let sha256 = hash(&mut table)?;
        let body = json!({
            "table_sha256": sha256, "mapping": options.mapping, "skip_rejected": options.skip_rejected, "by": by,
            "rows": written,
        });
        let entered = self.enter(&mut ledger, "import", &body, now).await?;
        persistently!(async {
            let mut session = self.effect(&entered).await?;
            let again = self.take_table(&mut session, &mut table, options, (by, now), &mut |_| ()).await?;
            as_rehearsed(&again.1, &written)?;
            session.commit().await?;
            Ok(again.0)
        })
    }

    /// Takes a table in one session, from its beginning; says what came of it and what was written.
    async fn take_table(
        &self,
        session: &mut Session,
        table: &mut (impl Read + Seek),
        options: &ImportOptions,
        (by, now): (&Person, Timestamp),
        rejected: &mut impl FnMut(Rejected),
    ) -> Result<(Imported, Written), BooksError> {
        table.rewind().map_err(BooksError::Stream)?;
        let mut rows = Rows::open(table, &options.mapping, self.issuer())?;
        let mut batch = Batch::new(Hand::Issuer(self), by, now);
        let mut imported = Imported::default();
        let mut chunk = rows.chunk(&mut imported, rejected).await?;
        while !chunk.groups.is_empty() {
            let checked = batch.check(session, &chunk.groups).await?;
            imported.entries += checked.len() as u64;
            for (place, refusal) in &checked.refused {
                imported.rejected += 1;
                rejected(Rejected { line: chunk.lines[*place], reason: first_line(refusal) });
            }
            // While the database writes these rows, their hash is made and the next are read.
            let meanwhile = async {
                batch.note(&checked).await?;
                rows.chunk(&mut imported, rejected).await
            };
            let (written, next) = tokio::join!(checked.write(session), meanwhile);
            written?;
            chunk = next?;
        }
        Ok((imported, batch.written()))
    }
}

/// SHA-256 of a table.
fn hash(table: &mut (impl Read + Seek)) -> Result<String, BooksError> {
    table.rewind().map_err(BooksError::Stream)?;
    sha256(table).map_err(BooksError::Stream)
}

/// SHA-256 of everything that a reader gives.
pub(crate) fn sha256(mut from: impl Read) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}
