//! Questions and answers whose time is over: their text and salt go, that they were there stays.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::books::Books;
use crate::error::{BooksError, Refusal};
use crate::names::Person;

/// How long questions and answers are kept at least: one year (CJIS Security Policy, AU-11).
const KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);

impl Books {
    /// Erases salt and text of every question and answer older than `before`. Their hashes stay in the log, and the tables
    /// still say which log entries they were; without the salt nothing can be guessed from a hash. The act is in the log
    /// first. Copies made earlier are the operator's to destroy.
    ///
    /// Returns how many were erased.
    ///
    /// # Errors
    /// [`Refusal::Request`] for a moment less than a year ago; [`BooksError::Log`], in which case nothing is erased.
    pub async fn erase(&self, before: Timestamp, by: &Person, now: Timestamp) -> Result<u64, BooksError> {
        if before > now - KEPT {
            let what =
                format!("questions and answers are kept for a year, so those before {before} cannot go yet");
            return Err(Refusal::Request { what, hint: "name an earlier day" }.into());
        }
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "erase", &json!({"before": before, "by": by}), now).await?;
        let mut session = self.effect(&entered).await?;
        let erased = session.erase_records(before.as_microsecond()).await?;
        session.commit().await?;
        self.store.settle().await?;
        Ok(erased)
    }
}
