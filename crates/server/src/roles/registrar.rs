//! What a registrar does at the issuer's node: asks the books what became of a code, and records entries. Both are in the
//! node's log before they take effect, beside what the books' own log says.

use registry::names::Person;
use registry::{BooksError, NewEntry};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::issuer::Issuer;
use crate::api::{EntryDraft, WrittenCode};
use crate::ledger::{Act, Key};
use crate::problem::{Problem, ProblemKind};

impl Issuer {
    /// Whether and when a code was issued, schema `microstamp.code-status/1`.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn code_status(&self, by: &Person, code: WrittenCode) -> Result<Value, Problem> {
        let now = self.clock.now();
        self.whole_books()?;
        self.enter(&[Act::new("code-status", json!({"by": by, "code": code}))], now).await?;
        let issued = self.houses.issued(code.code).await.map_err(of_books)?;
        // Of another's block these books know nothing, least of all that a code was never issued.
        let status = match issued {
            Some(_) => "issued",
            None if self.houses.holds(code.code.prefix()).await.map_err(of_books)? => "not-issued",
            None => "not-ours",
        };
        Ok(json!({"schema": "microstamp.code-status/1", "code": code, "status": status, "issued_at": issued}))
    }

    /// Records an entry in the books and returns its number. The same key with the same content is the same entry.
    ///
    /// # Errors
    /// [`Problem`]; `conflict` when the entry contradicts the books.
    pub async fn record(
        &self,
        by: &Person,
        (entry, content): (EntryDraft, &[u8]),
        key: Option<&str>,
    ) -> Result<u64, Problem> {
        let now = self.clock.now();
        self.whole_books()?;
        let hash = hex::encode(Sha256::digest(content));
        let _one = self.recording.lock().await;
        let key = key.map(|key| Key::of_text(&format!("entry by {by}"), key));
        if let Some(number) = self.recorded(key, &hash)? {
            return Ok(number);
        }
        let entry = NewEntry::from(entry);
        let begun = key.map(Key::begun);
        let number = if let Some(number) = self.cut_off(begun, &hash, (&entry, by)).await? {
            number
        } else {
            let act = Act::new("registrar-entry", json!({"by": by, "sha256": hash}));
            self.enter(&[Act { keys: begun.into_iter().collect(), ..act }], now).await?;
            let number = self.books().record(&entry, by, now).await;
            // A node runs for long: between two entries other programs write in the books.
            self.books().let_go().await;
            number.map_err(of_books)?
        };
        let done = Act::new("registrar-entered", json!({"by": by, "sha256": hash, "entry": number}));
        self.enter(&[Act { keys: key.into_iter().collect(), ..done }], now).await?;
        self.follow(self.books(), &entry.firearm, now).await;
        Ok(number)
    }

    /// The number of an entry that was begun under this key and is in the books, though its end never came into the log: the
    /// node was cut off between the two.
    async fn cut_off(
        &self,
        begun: Option<Key>,
        hash: &str,
        (entry, by): (&NewEntry, &Person),
    ) -> Result<Option<u64>, Problem> {
        let Some(begun) = begun else { return Ok(None) };
        let stored = self.ledger.find(begun).map_err(|error| ProblemKind::NoLog.because(error))?;
        let Some(stored) = stored.filter(|stored| stored.body["sha256"].as_str() == Some(hash)) else {
            return Ok(None);
        };
        let history = self.books().history(&entry.firearm).await.map_err(of_books)?;
        // The books keep microseconds, the record what the clock said.
        let since = stored.at.as_microsecond();
        let mut entries = history.iter().flat_map(|history| &history.entries);
        let same = entries.find(|one| {
            one.event == entry.event
                && one.on == entry.on
                && one.recorded_by == *by
                && one.recorded_at.as_microsecond() >= since
        });
        Ok(same.map(|one| one.number))
    }

    fn recorded(&self, key: Option<Key>, hash: &str) -> Result<Option<u64>, Problem> {
        let Some(key) = key else { return Ok(None) };
        let stored = self.ledger.find(key).map_err(|error| ProblemKind::NoLog.because(error))?;
        let Some(stored) = stored else { return Ok(None) };
        if stored.body["sha256"].as_str() != Some(hash) {
            return Err(ProblemKind::Conflict.because("this idempotency key was used for another entry"));
        }
        Ok(stored.body["entry"].as_u64())
    }
}

pub(super) fn of_books(error: BooksError) -> Problem {
    let kind = match &error {
        BooksError::Refused(_) => ProblemKind::Conflict,
        BooksError::Busy { .. } => ProblemKind::Busy,
        BooksError::Log(_) | BooksError::Clock { .. } => ProblemKind::NoLog,
        _ => ProblemKind::Fault,
    };
    kind.because(error)
}
