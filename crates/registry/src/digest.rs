//! What the log vouches for of the rows that one act writes: their range of numbers and a hash over what they say.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encode;
use crate::error::BooksError;
use crate::event::Event;
use crate::firearm::{Description, FirearmKey};
use crate::store::BookRow;

/// Firearms and entries that an act wrote, as its record names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) firearms: Range,
    pub(crate) entries: Range,
}

/// Rows that follow one another in a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) first: i64,
    pub(crate) count: i64,
    /// SHA-256 over the rows, each as JSON with a line feed, in the order of their numbers.
    pub(crate) sha256: String,
}

/// A hash that rows are added to.
#[derive(Default)]
pub(crate) struct Rows {
    first: Option<i64>,
    count: i64,
    hash: Sha256,
    /// The last row; kept for its room.
    line: Vec<u8>,
}

#[derive(Serialize)]
struct EntryLine<'l> {
    number: i64,
    firearm: &'l FirearmKey,
    event: &'l Event,
    on: Date,
    recorded_at: i64,
    recorded_by: &'l str,
    corrects: Option<i64>,
    void: bool,
}

#[derive(Serialize)]
struct FirearmLine<'l> {
    number: i64,
    firearm: &'l FirearmKey,
    description: &'l Description,
}

impl Rows {
    pub(crate) fn add_entry(
        &mut self,
        number: i64,
        (firearm, event, on): (&FirearmKey, &Event, Date),
        (recorded_by, recorded_at): (&str, i64),
    ) -> Result<(), BooksError> {
        let (corrects, void) = (None, false);
        let line = EntryLine { number, firearm, event, on, recorded_at, recorded_by, corrects, void };
        self.add(number, &line)
    }

    /// A row out of the table.
    pub(crate) fn add_stored(&mut self, row: BookRow) -> Result<(), BooksError> {
        let (number, recorded_at) = (row.entry.entry_id, row.entry.recorded_at);
        let (corrects, void) = (row.entry.corrects, row.entry.void);
        let (firearm, entry) = (encode::key(row.key)?, encode::whole_entry(row.entry)?);
        if entry.description.is_some() || entry.stated.is_some() {
            return Err(BooksError::damaged(format!("entry {number} says more than was recorded")));
        }
        let (event, on, recorded_by) = (&entry.event, entry.on, entry.recorded_by.as_str());
        let firearm = &firearm;
        self.add(number, &EntryLine { number, firearm, event, on, recorded_at, recorded_by, corrects, void })
    }

    pub(crate) fn add_firearm(
        &mut self,
        number: i64,
        firearm: &FirearmKey,
        description: &Description,
    ) -> Result<(), BooksError> {
        self.add(number, &FirearmLine { number, firearm, description })
    }

    fn add(&mut self, number: i64, line: &impl Serialize) -> Result<(), BooksError> {
        self.first.get_or_insert(number);
        self.count += 1;
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(BooksError::damaged)?;
        self.line.push(b'\n');
        self.hash.update(&self.line);
        Ok(())
    }

    pub(crate) fn range(&self) -> Range {
        let sha256 = hex::encode(self.hash.clone().finalize());
        Range { first: self.first.unwrap_or_default(), count: self.count, sha256 }
    }
}
