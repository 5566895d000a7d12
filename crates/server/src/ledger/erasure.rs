//! Records that are gone: by an act of erasure that stands in the log, or lost.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use registry::names::Person;
use serde::{Deserialize, Serialize};

use super::index::{Index, Key, Place};
use super::witnessed::{Judge, Seen, Sight, kept};
use super::{Act, Ledger, LedgerError, STRIDE, Stored, failed, records};
use crate::config::replace;

/// Records stay at least so long after the end of their month, and after witnesses first saw the log with them.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How far the clock of whoever erases may be from the witnesses'.
const APART: SignedDuration = SignedDuration::from_hours(24);
const KIND: &str = "erased";
/// Where it is noted that a record was found to be lost: the next start looks at all of them.
const LOST: &str = "lost";

/// What an act of erasure says: the records of all entries below a number, those of months before a day, but for those that were
/// not there any more. It can be checked by everybody who has the directory's key: it was made after the one checkpoint was
/// cosigned, and that was a year after witnesses had seen the log with all these entries.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erased {
    before: Date,
    entries: u64,
    by: Person,
    /// Entries below the number whose records were missing or altered before: no act erased them, nor does this one.
    missing: Vec<Range<u64>>,
    /// Cosigned a year ago or more, with all these entries.
    aged: Seen,
    /// Cosigned just before.
    now: Seen,
}

/// What an erasure will do, worked out before anything is entered.
#[derive(Debug)]
pub(crate) struct Plan {
    before: Date,
    /// Of how many entries from the first there will be no records any more.
    pub(crate) entries: u64,
    /// Entries whose records are missing already.
    pub(crate) missing: Vec<Range<u64>>,
    months: Vec<u32>,
    seen: [Seen; 2],
}

/// Which entries have no record because of acts that hold.
#[derive(Debug, Default, Clone)]
pub(super) struct Gone {
    /// Those below this,
    pub(super) entries: u64,
    /// but for these, which were missing before.
    pub(super) missing: Vec<Range<u64>>,
}

impl Gone {
    /// Whether acts that hold speak of an entry.
    pub(super) fn covers(&self, entry: u64) -> bool {
        entry < self.entries && !self.missing.iter().any(|range| range.contains(&entry))
    }

    /// The first of some entries of which no such act speaks.
    fn first_left_out(&self, entries: Range<u64>) -> Option<u64> {
        let behind = entries.start.max(self.entries);
        let behind = (behind < entries.end).then_some(behind);
        let missing =
            self.missing.iter().map(|range| range.start.max(entries.start)..range.end.min(entries.end));
        let missing = missing.filter(|range| !range.is_empty()).map(|range| range.start);
        missing.chain(behind).min()
    }

    /// Takes an act into account. What one act says was missing stays missing, also where a later one does not say so.
    pub(super) fn add(&mut self, act: Self) {
        self.entries = self.entries.max(act.entries);
        self.missing.extend(act.missing);
    }
}

/// What a record erased; `None` when it is no such act.
///
/// # Errors
/// Why the act is void, in words. What it says of records that were missing before is believed all the same.
pub(super) fn said(stored: &Stored, judge: &Judge) -> Option<Result<Gone, (String, Gone)>> {
    if stored.kind != KIND {
        return None;
    }
    let erased: Erased = match serde_json::from_value(stored.body.clone()) {
        Ok(erased) => erased,
        Err(error) => return Some(Err((format!("it holds no proof of its time: {error}"), Gone::default()))),
    };
    let held = holds(&erased, stored, judge);
    let gone = Gone { entries: erased.entries, missing: erased.missing };
    Some(held.map(|()| gone.clone()).map_err(|reason| (reason, Gone { entries: 0, ..gone })))
}

fn holds(erased: &Erased, stored: &Stored, judge: &Judge) -> Result<(), String> {
    let (aged, now) = (judge.look(&erased.aged)?, judge.look(&erased.now)?);
    if erased.entries > stored.entered.index || now.size > stored.entered.index {
        return Err("it speaks of entries behind its own".to_owned());
    }
    if now.log != aged.log {
        return Err("its two checkpoints are of two logs".to_owned());
    }
    let may = Due { before: erased.before, entries: erased.entries, clock: stored.at };
    may.be_erased(&aged, &now)
}

/// What is to be erased, and when by the machine's clock.
struct Due {
    before: Date,
    entries: u64,
    clock: Timestamp,
}

impl Due {
    /// Whether it may be, by the witnesses' clocks.
    fn be_erased(&self, aged: &Sight, now: &Sight) -> Result<(), String> {
        self.is_over(now)?;
        if aged.size < self.entries || now.from.duration_since(aged.by) < KEPT {
            return Err(format!(
                "witnesses had seen {} entries by {}, which is no proof that {} were there a year before {}",
                aged.size, aged.by, self.entries, now.from
            ));
        }
        Ok(())
    }

    /// Whether the months are over for a year, and the clock is right.
    fn is_over(&self, now: &Sight) -> Result<(), String> {
        let apart = self.clock.duration_since(now.from);
        if apart.abs() > APART {
            return Err(format!(
                "the machine's clock says {}, and the witnesses' said {}",
                self.clock, now.from
            ));
        }
        over(self.before, now.from)
    }
}

impl Ledger {
    /// The first entry whose record is of a month that begins at this day, or later.
    fn first_of(&self, day: Date) -> Result<u64, LedgerError> {
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

    /// Works out what an erasure of all months before a day, the first of one, does, where `now` is what witnesses cosigned last.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when it may not be done yet, and why.
    pub(crate) fn plan_erasure(
        &self,
        before: Date,
        now: Seen,
        clock: Timestamp,
    ) -> Result<Plan, LedgerError> {
        let judge = Judge::new(&self.folder, None);
        let sight = judge.look(&now).map_err(LedgerError::Kept)?;
        let mut due = Due { before, entries: 0, clock };
        due.is_over(&sight).map_err(|reason| LedgerError::Kept(clock_hint(reason)))?;
        let mut months = records::months(&self.folder).map_err(failed)?;
        months.retain(|held| *held < month(before));
        if months.is_empty() {
            return Err(LedgerError::Kept(format!("there are no records of months before {before}")));
        }
        due.entries = self.first_of(before)?;
        let aged = self.aged(&judge, (&due, &sight))?;
        let signed = self.checkpoint.borrow().clone();
        let found = Self::compare(&self.folder, &signed, &judge)?;
        let missing = found.check.without_record.iter().chain(&found.altered).copied();
        let missing = ranges(missing.filter(|entry| *entry < due.entries).collect());
        Ok(Plan { before, entries: due.entries, missing, months, seen: [aged, now] })
    }

    /// A checkpoint with all entries that are to be erased, which witnesses had seen a year before.
    fn aged(&self, judge: &Judge, (due, now): (&Due, &Sight)) -> Result<Seen, LedgerError> {
        let kept = kept(&self.folder).map_err(failed)?.into_iter();
        let fit = kept.filter_map(|seen| judge.look(&seen).ok().map(|sight| (sight, seen)));
        let fit = fit.filter(|(sight, _)| sight.log == now.log && sight.size >= due.entries);
        let first = fit.min_by_key(|(sight, _)| sight.by);
        let Some((sight, seen)) = first else {
            return Err(LedgerError::Kept(format!(
                "no checkpoint was kept that shows when witnesses first saw all {} entries of these months; a year after the next \
                 month has begun at the running node they can be erased",
                due.entries
            )));
        };
        let reason = "witnesses first saw all these entries less than a year ago, on";
        due.be_erased(&sight, now).map_err(|_| LedgerError::Kept(format!("{reason} {}", sight.by)))?;
        Ok(seen)
    }

    /// Enters what a plan says, and deletes the files of its months, and what was set aside of them.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn erase(&self, plan: Plan, by: &Person, now: Timestamp) -> Result<(), LedgerError> {
        let [aged, latest] = plan.seen;
        let (before, entries, missing) = (plan.before, plan.entries, plan.missing);
        let erased = Erased { before, entries, by: by.clone(), missing, aged, now: latest };
        let body = serde_json::to_value(&erased).map_err(failed)?;
        self.enter(&[Act::new(KIND, body).found_by(newest())], now).await?;
        records::remove(&self.folder, &plan.months).map_err(failed)?;
        records::forget_aside(&self.folder, month(before)).map_err(failed)
    }
}

fn clock_hint(reason: String) -> String {
    if reason.contains("clock") {
        return format!(
            "{reason}\nhint: set the clock; where the witnesses' word is old, let the node run until /healthz says ok, stop it, and try again"
        );
    }
    reason
}

/// Numbers as ranges.
fn ranges(numbers: BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut().filter(|last| last.end == number) {
            Some(last) => last.end = number + 1,
            None => ranges.push(number..number + 1),
        }
    }
    ranges
}

/// What the newest act of erasure says, if it holds.
fn gone(folder: &Path, index: &Index) -> io::Result<Gone> {
    let Some(place) = index.get(newest())? else { return Ok(Gone::default()) };
    Ok(match records::at(folder, (place, newest()))? {
        records::Found::Record(stored) => match said(&stored, &Judge::new(folder, None)) {
            Some(Ok(gone)) => gone,
            Some(Err((reason, gone))) => {
                tracing::error!(entry = stored.entered.index, reason, "an act of erasure is void");
                gone
            }
            None => Gone::default(),
        },
        records::Found::Deleted | records::Found::Another => Gone::default(),
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
    let (noted, gone) = (folder.join(LOST), gone(folder, index)?);
    let sound = match known.filter(|_| !noted.exists() && gone.missing.is_empty()) {
        Some(known) => ends_fit(folder, (index, entries), (gone.entries, known))?,
        None => false,
    };
    let lost = if sound { None } else { every_one(folder, (&gone, entries))? };
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
fn every_one(folder: &Path, (gone, entries): (&Gone, u64)) -> io::Result<Option<u64>> {
    let (mut next, mut lost) = (0, None);
    records::scan(folder, Place::default(), |_, line| {
        let Some(index) = records::number(line) else { return Ok(true) };
        lost = gone.first_left_out(next..index);
        next = index + 1;
        Ok(lost.is_none())
    })?;
    Ok(lost.or_else(|| gone.first_left_out(next..entries)))
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

/// Whether what was before a day may be erased by the calendar.
///
/// # Errors
/// That it may not, in words.
pub(crate) fn over(before: Date, now: Timestamp) -> Result<(), String> {
    let begins = before.to_zoned(TimeZone::UTC).map(|begins| begins.timestamp());
    if before.day() == 1 && begins.is_ok_and(|begins| now.duration_since(begins) >= KEPT) {
        return Ok(());
    }
    Err(format!(
        "{before} is not the first day of a month, a year or more ago: records are kept for a year after their month"
    ))
}

fn month(day: Date) -> u32 {
    u32::from(day.year().unsigned_abs()) * 100 + u32::from(day.month().unsigned_abs())
}
