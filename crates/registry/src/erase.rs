//! Questions and answers whose time is over: their text and salt go, that they were there stays.
//!
//! A machine's clock can be set. So time that passed without acts, which somebody affirmed with `issuer clock`, does not count as
//! kept; an erasure is void when a later act shows that its clock was ahead, and what it took is then missing; and where
//! witnesses know the time, it goes by theirs. The act names the records that it takes: what else is empty was taken away.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use transparency::FolderStore;

use crate::audit::{LogReader, is_erased};
use crate::books::{Books, SET_BACK};
use crate::compare::PAGE;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::names::Person;
use crate::said::is_as_stamped;
use crate::store::RecordRow;

/// How long questions and answers are kept at least: one year (CJIS Security Policy, AU-11).
const KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How far this machine's clock may be from what the witnesses said last.
const APART: SignedDuration = SignedDuration::from_hours(24);

impl Books {
    /// Erases salt and text of every question and answer older than `before`, but for those that somebody altered. Their hashes stay in
    /// the log, the act names their records, and the tables still say which log entries they were; without the salt nothing can be guessed from a hash. The act is in the log
    /// first. Copies made earlier are the operator's to destroy.
    ///
    /// Returns how many were erased. `witnessed` is the time at which a quorum of witnesses cosigned the log last, where there are
    /// any; it stands in the record. Without it the books know no more than what the clock says, and say so.
    ///
    /// # Errors
    /// [`Refusal::Request`] for a moment less than a year ago, not counting the rests that [`Books::affirm_clock`] entered, and for
    /// a clock that is more than a day from the witnesses' time; [`BooksError::Log`], in which case nothing is erased.
    pub async fn erase(
        &self,
        before: Timestamp,
        by: &Person,
        (now, witnessed): (Timestamp, Option<Timestamp>),
    ) -> Result<u64, BooksError> {
        if let Some(seen) = witnessed.filter(|seen| now.duration_since(*seen).abs() > APART) {
            let what =
                format!("this machine's clock says {now}, and witnesses cosigned the log last at {seen}");
            let hint =
                "set the clock; or let the witnesses cosign the books' log, with the issuer's node running";
            return Err(Refusal::Request { what, hint }.into());
        }
        let mut ledger = self.ledger.lock().await;
        let rested = self.rested().await?;
        if before > now - KEPT - rested {
            let days = rested.as_hours() / 24;
            let rests = if days > 0 {
                format!(", {days} days not counted over which the clock was affirmed")
            } else {
                String::new()
            };
            let what = format!(
                "questions and answers are kept for a year{rests}, so those before {before} cannot go yet"
            );
            return Err(Refusal::Request { what, hint: "name an earlier day" }.into());
        }
        let records = ranges(&self.asked_before(before, ledger.folder()).await?);
        let body = json!({"before": before, "by": by, "witnessed": witnessed, "records": records});
        let entered = self.enter(&mut ledger, "erase", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        let mut erased = 0;
        for (first, last) in records {
            erased += session.erase_records(first, last).await?;
        }
        session.commit().await?;
        self.store.settle().await?;
        Ok(erased)
    }

    /// The questions and answers that were recorded before a time, as the log vouches for it: what somebody altered first is not theirs.
    async fn asked_before(&self, before: Timestamp, log: &Path) -> Result<Vec<i64>, BooksError> {
        let store = FolderStore::read_only(log);
        let (mut log, mut session) = (LogReader::open(&store)?, self.store.read().await?);
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.record_id;
            for record in page.iter().filter(|record| record.recorded_at < before.as_microsecond()) {
                let personal = matches!(record.kind.as_str(), "trace" | "answer");
                if personal && !is_erased(record) && log.vouches(record)? && is_as_stamped(record) {
                    found.push(record.record_id);
                }
            }
        }
    }

    /// By how much the clock was affirmed to have gone on without any act, less what it was put back again.
    async fn rested(&self) -> Result<SignedDuration, BooksError> {
        let mut rested = SignedDuration::ZERO;
        for (at, body) in self.store.read().await?.clock_acts().await? {
            let ClockRecord { last } = encode::from_json(&body)?;
            rested += encode::time(at)?.duration_since(last);
        }
        Ok(rested.max(SignedDuration::ZERO))
    }
}

/// What was said of the clock: when the last act before was.
#[derive(Deserialize)]
struct ClockRecord {
    last: Timestamp,
}

/// The first and the last of each run of numbers, which are in order.
fn ranges(numbers: &[i64]) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut().filter(|(_, last)| last + 1 == *number) {
            Some((_, last)) => *last = *number,
            None => ranges.push((*number, *number)),
        }
    }
    ranges
}

/// A record whose text is gone.
pub(crate) struct Blank {
    pub(crate) record: i64,
    /// When it was written by its column, for which nothing vouches any more.
    pub(crate) recorded_at: i64,
    /// When the newest was written of those before it whose text is there: it is no older.
    pub(crate) since: i64,
}

impl Blank {
    pub(crate) fn of(record: &RecordRow, since: i64) -> Self {
        Self { record: record.record_id, recorded_at: record.recorded_at, since }
    }
}

/// The erasures that records tell of, as far as no later record makes them void.
#[derive(Default)]
pub(crate) struct Erasures {
    standing: Vec<Erasure>,
    void: Vec<u64>,
}

/// One act of erasure.
struct Erasure {
    /// Number of its own record.
    record: u64,
    /// Up to when questions and answers went, and whether witnesses knew the time.
    before: Timestamp,
    witnessed: bool,
    /// First and last of each run of records that it took.
    records: Vec<(i64, i64)>,
}

impl Erasures {
    /// Notes an erasure.
    pub(crate) fn add(
        &mut self,
        record: u64,
        (before, witnessed): (Timestamp, bool),
        records: Vec<(i64, i64)>,
    ) {
        self.standing.push(Erasure { record, before, witnessed, records });
    }

    /// Goes on by a record: what is dated after an erasure must be a year younger than what that took.
    pub(crate) fn pass(&mut self, recorded_at: i64) {
        let ahead = |one: &mut Erasure| {
            one.before.as_microsecond().saturating_add(KEPT.as_micros() as i64)
                > recorded_at.saturating_add(SET_BACK)
        };
        let void = self.standing.extract_if(.., ahead);
        self.void.extend(void.map(|one| one.record));
    }

    /// Whether one of them took a record, and if so, whether witnesses knew the time. It must name it, and come after it; and what lies
    /// before the record must not be younger than what was to go.
    pub(crate) fn took(&self, blank: &Blank) -> Option<bool> {
        let named = |one: &&Erasure| {
            let before = one.before.as_microsecond();
            let names = |(first, last): &(i64, i64)| (*first..=*last).contains(&blank.record);
            blank.record < one.record as i64
                && blank.recorded_at < before
                && blank.since < before.saturating_add(SET_BACK)
                && one.records.iter().any(names)
        };
        self.standing.iter().filter(named).map(|one| one.witnessed).max()
    }

    /// What is said of those that are void.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        self.void.iter().map(|record| {
            format!("the erasure of record {record} is void: a later act shows that its clock was ahead")
        })
    }
}
