//! Records that are gone: by an act of erasure that stands in the log, or lost.

use std::io;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde::{Deserialize, Serialize};

use super::index::{Index, Key, Place};
use super::{Act, Ledger, LedgerError, STRIDE, Stored, failed, records};
use crate::config::replace;

/// Records stay at least so long after the end of their month.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 365);
const KIND: &str = "erased";
/// Where it is noted that a record was found to be lost: the next start looks at all of them.
const LOST: &str = "lost";

/// What an act of erasure says: the records of all entries below a number, those of months before a day.
#[derive(Debug, Serialize, Deserialize)]
struct Erased {
    before: Date,
    entries: u64,
    by: Person,
}

/// Up to which entry a record says that records were erased; none when it is no such act, or one before its time.
pub(super) fn said(stored: &Stored) -> Option<u64> {
    let erased: Erased = serde_json::from_value(stored.body.clone()).ok().filter(|_| stored.kind == KIND)?;
    let in_time = erased.entries <= stored.entered.index && is_over(erased.before, stored.at);
    in_time.then_some(erased.entries)
}

impl Ledger {
    /// The first entry whose record is of a month that begins at this day, or later.
    pub(crate) fn first_of(&self, day: Date) -> Result<u64, LedgerError> {
        let month = month(day);
        let mut first = None;
        records::scan(&self.folder, Place { month, offset: 0 }, |_, line| {
            first = records::stored(line).map(|stored| stored.entered.index);
            Ok(first.is_none())
        })
        .map_err(failed)?;
        // Nothing is younger: the next entry is the first.
        first.map_or_else(|| Ok(self.end_of_log()), Ok)
    }

    /// The months of which records can be erased now, all before a day, the first of a month.
    pub(crate) fn erasable(&self, before: Date, now: Timestamp) -> Result<Vec<u32>, LedgerError> {
        if before.day() != 1 || !is_over(before, now) {
            return Err(LedgerError::Failed(format!(
                "{before} is not the first day of a month, a year or more ago: records are kept for a year after their month"
            )));
        }
        let mut months = records::months(&self.folder).map_err(failed)?;
        months.retain(|held| *held < month(before));
        if months.is_empty() {
            return Err(LedgerError::Failed(format!("there are no records of months before {before}")));
        }
        Ok(months)
    }

    /// Deletes the records of every month before a day, the first of a month, after that was entered. Returns of how many
    /// entries from the first there are none any more.
    pub(crate) async fn erase(
        &self,
        (before, by): (Date, &Person),
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        let (old, entries) = (self.erasable(before, now)?, self.first_of(before)?);
        let erased = Erased { before, entries, by: by.clone() };
        let body = serde_json::to_value(&erased).map_err(failed)?;
        self.enter(&[Act::new(KIND, body).found_by(newest())], now).await?;
        records::remove(&self.folder, &old).map_err(failed)?;
        Ok(entries)
    }
}

/// Up to which entry the newest act of erasure speaks.
pub(super) fn erased(folder: &Path, index: &Index) -> io::Result<u64> {
    let Some(place) = index.get(newest())? else { return Ok(0) };
    Ok(match records::at(folder, (place, newest()))? {
        records::Found::Record(stored) => said(&stored).unwrap_or(0),
        records::Found::Deleted | records::Found::Another => 0,
    })
}

/// The last entry that an index finds by its number, before it has caught up with the records.
pub(super) fn last_known(index: &Index, entries: u64) -> io::Result<Option<u64>> {
    let mut at = entries.saturating_sub(1) / STRIDE * STRIDE;
    while index.get(Key::of_entry(at))?.is_none() {
        let Some(before) = at.checked_sub(STRIDE) else { return Ok(None) };
        at = before;
    }
    Ok(Some(at))
}

/// The first entry that has no record and that no act of erasure speaks of. Where an index knew the records before, the ends of
/// their files are looked at, and what lies where it says; otherwise, and where anything is wrong or was at an earlier start,
/// every record is.
pub(super) fn first_lost(
    folder: &Path,
    (index, entries): (&Index, u64),
    known: Option<u64>,
) -> io::Result<Option<u64>> {
    let (noted, erased) = (folder.join(LOST), erased(folder, index)?);
    let sound = match known.filter(|_| !noted.exists()) {
        Some(known) => ends_fit(folder, (index, entries), (erased, known))?,
        None => false,
    };
    let lost = if sound { None } else { every_one(folder, (erased, entries))? };
    match lost {
        Some(lost) => replace(&noted, format!("{lost}\n").as_bytes()).map_err(io::Error::other)?,
        None => match std::fs::remove_file(&noted) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    Ok(lost)
}

/// Reads every record.
fn every_one(folder: &Path, (erased, entries): (u64, u64)) -> io::Result<Option<u64>> {
    let (mut next, mut lost) = (None, None);
    records::scan(folder, Place::default(), |_, line| {
        let Some(index) = records::number(line) else { return Ok(true) };
        // Files that an act erased and that are still there say more than they must.
        let expected = next.unwrap_or_else(|| erased.min(index));
        lost = (index != expected).then_some(expected);
        next = Some(index + 1);
        Ok(lost.is_none())
    })?;
    let end = next.unwrap_or(erased);
    Ok(lost.or((end < entries).then_some(end)))
}

/// Whether the records of each month run from its first line to the next month's, as far as its last stretch shows: one that was
/// taken out further up has moved what lies behind it.
fn ends_fit(folder: &Path, (index, entries): (&Index, u64), (erased, known): (u64, u64)) -> io::Result<bool> {
    let mut firsts = Vec::new();
    for month in records::months(folder)? {
        let mut first = None;
        records::scan(folder, Place { month, offset: 0 }, |place, line| {
            first = records::number(line).filter(|_| place.month == month);
            Ok(false)
        })?;
        firsts.extend(first.map(|first| (month, first)));
    }
    if firsts.first().is_none_or(|(_, first)| *first > erased) {
        return Ok(false);
    }
    for (at, (month, first)) in firsts.iter().enumerate() {
        let end = firsts.get(at + 1).map_or(entries, |(_, next)| *next);
        let probe = known.min(end.saturating_sub(1) / STRIDE * STRIDE);
        let (mut next, mut from) = (*first, Place { month: *month, offset: 0 });
        if probe > *first {
            match index.get(Key::of_entry(probe))?.filter(|place| place.month == *month) {
                Some(place) => (next, from) = (probe, place),
                None => return Ok(false),
            }
        }
        records::scan(folder, from, |place, line| {
            let fits = place.month == *month && records::number(line) == Some(next);
            next += u64::from(fits);
            Ok(fits)
        })?;
        if next != end {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The newest act of erasure is found under this key.
fn newest() -> Key {
    Key::of_text(KIND, "newest")
}

/// Whether what was before a day may be erased.
fn is_over(before: Date, now: Timestamp) -> bool {
    let begins = before.to_zoned(TimeZone::UTC).map(|begins| begins.timestamp());
    begins.is_ok_and(|begins| now.duration_since(begins) >= KEPT)
}

fn month(day: Date) -> u32 {
    u32::from(day.year().unsigned_abs()) * 100 + u32::from(day.month().unsigned_abs())
}
