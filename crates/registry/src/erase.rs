//! Questions and answers whose time is over: their text and salt go, that they were there stays.
//!
//! A machine's clock can be set. So time that passed without acts, which somebody affirmed with `issuer clock`, does not count as
//! kept; an erasure is void when a later act shows that its clock was ahead, and what it took is then missing; and where
//! witnesses know the time, it goes by theirs.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::books::{Books, SET_BACK};
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::names::Person;

/// How long questions and answers are kept at least: one year (CJIS Security Policy, AU-11).
const KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How far this machine's clock may be from what the witnesses said last.
const APART: SignedDuration = SignedDuration::from_hours(24);

impl Books {
    /// Erases salt and text of every question and answer older than `before`. Their hashes stay in the log, and the tables
    /// still say which log entries they were; without the salt nothing can be guessed from a hash. The act is in the log
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
        let body = json!({"before": before, "by": by, "witnessed": witnessed});
        let entered = self.enter(&mut ledger, "erase", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        let erased = session.erase_records(before.as_microsecond()).await?;
        session.commit().await?;
        self.store.settle().await?;
        Ok(erased)
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

/// The erasures that records tell of, as far as no later record makes them void.
#[derive(Default)]
pub(crate) struct Erasures {
    /// Number of the record, up to when its questions and answers went, and whether witnesses knew the time.
    standing: Vec<(u64, Timestamp, bool)>,
    void: Vec<u64>,
}

impl Erasures {
    /// Notes an erasure.
    pub(crate) fn add(&mut self, record: u64, before: Timestamp, witnessed: bool) {
        self.standing.push((record, before, witnessed));
    }

    /// Goes on by a record: what is dated after an erasure must be a year younger than what that took.
    pub(crate) fn pass(&mut self, recorded_at: i64) {
        let ahead = |before: &Timestamp| {
            before.as_microsecond().saturating_add(KEPT.as_micros() as i64)
                > recorded_at.saturating_add(SET_BACK)
        };
        let void = self.standing.extract_if(.., |(_, before, _)| ahead(before));
        self.void.extend(void.map(|(record, ..)| record));
    }

    /// Whether one of them took what was recorded at a time, and if so, whether witnesses knew the time.
    pub(crate) fn took(&self, recorded_at: i64) -> Option<bool> {
        let by = self.standing.iter().filter(|(_, before, _)| recorded_at < before.as_microsecond());
        by.map(|(.., witnessed)| *witnessed).max()
    }

    /// What is said of those that are void.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        self.void.iter().map(|record| {
            format!("the erasure of record {record} is void: a later act shows that its clock was ahead")
        })
    }
}
