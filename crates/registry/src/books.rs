//! The books of one issuer: opening them, writing entries, reading a firearm's history.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use symbology::{Prefix, SealingKey};
use tokio::sync::Mutex;

use crate::batch::{Batch, marked_part};
use crate::chain;
use crate::desk::Desk;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, View};
use crate::firearm::{Description, Firearm, FirearmKey, Licensee};
use crate::folder::{Database, Folder, HANDED_OVER, Issuer, Keys, NewIssuer, OwnKeys, SCHEME, TAKEN_OVER};
use crate::ledger::{self, Ledger};
use crate::names::{LicenceNumber, Person, Reason};
use crate::rules;
use crate::store::{EntryRow, RecordRow, Session, Store};
use crate::succession::{HAND_OVER, HAND_OVERS};

/// The books of one issuer, open.
///
/// Entries are only ever added. Every act is a salted record whose hash the issuer's log holds before the act takes
/// effect; when the log does not answer, nothing is done. Any number of readers work beside the one writer. Times are
/// arguments, so that what happens is repeatable.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use registry::{Books, Database, NewIssuer};
///
/// let folder = tempfile::tempdir()?;
/// let issuer = NewIssuer {
///     name: "Example Arms (synthetic)".parse()?,
///     licence: Some("1-23-456-78-9A-12345".parse()?),
///     prefix: "K7".parse()?,
///     database: Database::Embedded,
/// };
/// let now = "2026-01-02T03:04:05Z".parse()?;
/// let books = Books::create(folder.path(), &issuer, now).await?;
/// assert_eq!(books.blocks().await?[0].left, 1 << 20);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Books {
    pub(crate) issuer: Issuer,
    pub(crate) store: Store,
    pub(crate) sealing: Option<SealingKey>,
    pub(crate) keys: Keys,
    pub(crate) desk: Desk,
    /// The issuer's folder.
    pub(crate) root: PathBuf,
    /// Whether the books were handed over: then nothing is written any more.
    pub(crate) handed_over: AtomicBool,
    /// Held through every act that writes, so that record, log and tables keep one order.
    pub(crate) ledger: Mutex<Ledger>,
}

/// A block of 2^20 codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its two symbols.
    pub prefix: Prefix,
    /// Codes issued from it.
    pub issued: u32,
    /// Codes that can still be issued.
    pub left: u32,
}

/// An entry to be written, for [`Books::record`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    /// The firearm.
    pub firearm: FirearmKey,
    /// What happened to it.
    pub event: Event,
    /// The day on which it happened.
    pub on: Date,
    /// What the firearm is; needed with the entry that brings it into the books, kept out of all others.
    pub description: Option<Description>,
}

/// A correction, for [`Books::correct`]. The entry it corrects stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The firearm.
    pub firearm: FirearmKey,
    /// The entry that is wrong.
    pub entry: EntryNumber,
    /// What really happened and when; `None` when nothing of the kind did.
    pub becomes: Option<(Event, Date)>,
    /// What the firearm really is, if that was wrong.
    pub description: Option<Description>,
    /// Why the entry was wrong.
    pub reason: Reason,
}

/// A firearm with everything ever written about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The firearm as it was first recorded.
    pub recorded_as: Firearm,
    /// The firearm as corrections leave it.
    pub firearm: Firearm,
    /// Every entry in the order written.
    pub entries: Vec<Entry>,
}

impl History {
    pub(crate) fn new(recorded_as: Firearm, entries: Vec<Entry>) -> Self {
        let mut standing = View::Corrected.of(&entries).into_iter().rev();
        let description = standing.find_map(|entry| entry.description.clone());
        let description = description.unwrap_or_else(|| recorded_as.description.clone());
        let firearm = Firearm { key: recorded_as.key.clone(), description };
        Self { recorded_as, firearm, entries }
    }
}

/// A record that the log has taken and that now may take effect.
pub(crate) struct Entered {
    pub(crate) record_id: i64,
    pub(crate) log_index: u64,
}

impl Books {
    /// Makes a new issuer's folder: keys, tables, log, and its first block.
    ///
    /// # Errors
    /// [`BooksError::Folder`] when there is an issuer in the folder already or it cannot be written.
    pub async fn create(root: &Path, new: &NewIssuer, now: Timestamp) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        let (issuer, keys) = folder.create(new)?;
        let store = match &new.database {
            Database::Embedded => Store::sqlite(&folder.sqlite(), true).await?,
            Database::Postgres(url) => Store::postgres(url).await?,
        };
        store.migrate(now.as_microsecond()).await?;
        let books = Self::assemble(&folder, issuer, keys, store);
        books.ledger.lock().await.create()?;
        books.open_block(new.prefix, now).await?;
        Ok(books)
    }

    /// Opens an issuer's folder and checks that its sealing key is the one the blocks were opened with.
    ///
    /// # Errors
    /// [`BooksError::Folder`] for files that are missing, [`BooksError::Damaged`] for a key that does not belong.
    pub async fn open(root: &Path, now: Timestamp) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        let (issuer, keys) = folder.open()?;
        let store = match &issuer.postgres {
            None => Store::sqlite(&folder.sqlite(), false).await?,
            Some(url) => Store::postgres(url).await?,
        };
        store.migrate(now.as_microsecond()).await?;
        let check = keys.own.as_ref().map(OwnKeys::sealing_check);
        let books = Self::assemble(&folder, issuer, keys, store);
        let mut session = books.store.read().await?;
        books.handed_over.store(session.numbers_taken(HAND_OVERS).await? > 0, Ordering::Relaxed);
        let blocks = session.blocks().await?;
        drop(session);
        if check.is_some_and(|check| blocks.iter().any(|(_, opened_with)| *opened_with != check)) {
            return Err(BooksError::damaged("keys/sealing.key is not the key the blocks were opened with"));
        }
        Ok(books)
    }

    fn assemble(folder: &Folder, issuer: Issuer, keys: Keys, store: Store) -> Self {
        let ledger = Mutex::new(Ledger::new(folder.log(), keys.log.clone()));
        let sealing = keys.own.as_ref().map(|own| SealingKey::new(&own.sealing, SCHEME));
        let (desk, root, handed_over) = (Desk::default(), folder.root(), AtomicBool::new(false));
        Self { issuer, store, sealing, keys, desk, root, handed_over, ledger }
    }

    /// The issuer as a licensee; its licence is part of the key of every firearm that it marks.
    pub fn issuer(&self) -> Licensee {
        self.issuer.licensee()
    }

    /// Closes the database; nothing is lost without it, but the file can be copied afterwards.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The issuer's blocks in the order in which they were opened.
    ///
    /// # Errors
    /// [`BooksError::Database`].
    pub async fn blocks(&self) -> Result<Vec<Block>, BooksError> {
        let mut session = self.store.read().await?;
        let mut blocks = Vec::new();
        for (number, _) in session.blocks().await? {
            let prefix = u16::try_from(number).ok().and_then(Prefix::from_index);
            let prefix = prefix.ok_or_else(|| BooksError::damaged(format!("block {number}")))?;
            let issued = session.numbers_taken(&unit_counter(prefix)).await? as u32;
            blocks.push(Block { prefix, issued, left: symbology::UnitNumber::COUNT.saturating_sub(issued) });
        }
        Ok(blocks)
    }

    /// Opens another block of 2^20 codes; the directory of prefixes must have given it to this issuer.
    ///
    /// # Errors
    /// [`Refusal::BlockOpen`] when it is open already.
    pub async fn open_block(&self, prefix: Prefix, now: Timestamp) -> Result<(), BooksError> {
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "block", &json!({"prefix": prefix}), now).await?;
        let mut session = self.effect(&entered).await?;
        let index = i64::from(prefix.index());
        if !session.open_block(index, &self.keys.own()?.sealing_check(), now.as_microsecond()).await? {
            return Err(Refusal::BlockOpen(prefix).into());
        }
        session.commit().await
    }

    /// Writes that a licensee went out of business and who keeps its records, so that chains can say so.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] when that is recorded already.
    pub async fn close_licensee(
        &self,
        licence: &LicenceNumber,
        closed_on: Date,
        records_at: &str,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let body = json!({"licence": licence, "closed_on": closed_on, "records_at": records_at});
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "closure", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        let times = (encode::day_number(closed_on), now.as_microsecond());
        if !session.put_closure(licence.as_str(), times, records_at).await? {
            let what = format!("the closing of licence {licence} is recorded already");
            return Err(Refusal::OutOfOrder { what, hint: "nothing has to be done" }.into());
        }
        session.commit().await
    }

    /// Writes one entry. An entry that makes, imports or acquires an unknown firearm brings it into the books.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`], [`Refusal::OutOfOrder`] when the event contradicts the book.
    pub async fn record(
        &self,
        new: &NewEntry,
        by: &Person,
        now: Timestamp,
    ) -> Result<EntryNumber, BooksError> {
        let numbers = self.write_all(&json!({"entry": new, "by": by}), &[vec![new.clone()]], by, now).await?;
        numbers.first().copied().ok_or_else(|| BooksError::damaged("an entry was written without a number"))
    }

    /// Writes many entries, all or none: one record, one log entry, one transaction.
    ///
    /// # Errors
    /// As [`Books::record`], for the first entry that the book does not admit.
    pub async fn record_all(
        &self,
        new: &[NewEntry],
        by: &Person,
        now: Timestamp,
    ) -> Result<Vec<EntryNumber>, BooksError> {
        let mut hash = Sha256::new();
        for entry in new {
            hash.update(encode::json(entry)?);
            hash.update([b'\n']);
        }
        let body = json!({"entries": new.len(), "entries_sha256": hex::encode(hash.finalize()), "by": by});
        let groups: Vec<Vec<NewEntry>> = new.iter().map(|entry| vec![entry.clone()]).collect();
        self.write_all(&body, &groups, by, now).await
    }

    async fn write_all(
        &self,
        record: &Value,
        groups: &[Vec<NewEntry>],
        by: &Person,
        now: Timestamp,
    ) -> Result<Vec<EntryNumber>, BooksError> {
        let mut ledger = self.ledger.lock().await;
        // What the book does not admit is refused before it is in the log.
        let mut rehearsal = self.store.write().await?;
        let taken = Batch::new(by, now).take(&mut rehearsal, groups).await?;
        drop(rehearsal);
        if let Some((_, refusal)) = taken.refused.into_iter().next() {
            return Err(refusal.into());
        }
        let entered = self.enter(&mut ledger, "entry", record, now).await?;
        let mut session = self.effect(&entered).await?;
        let taken = Batch::new(by, now).take(&mut session, groups).await?;
        session.commit().await?;
        Ok(taken.numbers)
    }

    /// Corrects an entry by a new one (ATF Ruling 2016-1); the old entry stays as it is.
    ///
    /// # Errors
    /// [`Refusal::UnknownEntry`]; [`Refusal::CorrectedBefore`] when a later entry corrects it already;
    /// [`Refusal::OutOfOrder`] when the corrected event contradicts the rest of the book.
    pub async fn correct(
        &self,
        correction: &Correction,
        by: &Person,
        now: Timestamp,
    ) -> Result<EntryNumber, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let (old, event, on) = self.correctable(correction, now).await?;
        let entered =
            self.enter(&mut ledger, "correction", &json!({"correction": correction, "by": by}), now).await?;
        let mut session = self.effect(&entered).await?;
        let mut row = entry_row(&mut session, &event, on).await?;
        let firearm = self.firearm_id(&mut session, &correction.firearm).await?;
        row.firearm_id = firearm.ok_or_else(|| Refusal::UnknownFirearm(correction.firearm.clone()))?;
        row.recorded_at = now.as_microsecond();
        row.recorded_by = by.to_string();
        row.corrects = Some(old.number as i64);
        row.void = correction.becomes.is_none() && correction.description.is_none();
        let mut body: encode::Body =
            row.body.as_deref().map_or_else(|| Ok(encode::Body::default()), encode::from_json)?;
        body.correction = Some(correction.reason.clone());
        row.body = Some(encode::json(&body)?);
        if let Some(description) = correction.description.as_ref().or(old.description.as_ref()) {
            row.description_id = Some(session.description(&encode::json(description)?).await?);
        }
        let number = self.put_entry(&mut session, row, &event).await?;
        session.commit().await?;
        Ok(number)
    }

    /// Everything written about a firearm; `None` when it is not in the books.
    ///
    /// # Errors
    /// [`BooksError::Database`], [`BooksError::Damaged`].
    pub async fn history(&self, key: &FirearmKey) -> Result<Option<History>, BooksError> {
        let mut session = self.store.read().await?;
        match self.firearm_id(&mut session, key).await? {
            Some(id) => history(&mut session, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Puts a record in the table, then its hash in the log. When this returns, the act may take effect.
    pub(crate) async fn enter(
        &self,
        ledger: &mut Ledger,
        kind: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<Entered, BooksError> {
        let mut records = [ledger::new_record(kind, body, now)?];
        let entered = self.enter_all(ledger, &mut records, &[]).await?;
        let (record_id, log_index) = entered[0];
        Ok(Entered { record_id, log_index: log_index as u64 })
    }

    /// Puts records in the table, together with the log indices of earlier ones, then their hashes in the log: one
    /// flush of each. Returns record number and log index of each.
    pub(crate) async fn enter_all(
        &self,
        ledger: &mut Ledger,
        records: &mut [RecordRow],
        logged: &[(i64, i64)],
    ) -> Result<Vec<(i64, i64)>, BooksError> {
        self.admits(records)?;
        let mut session = self.store.write().await?;
        let first = session.take_numbers("record", records.len() as i64).await?;
        if let (Some(last), Some(record)) = (session.recorded_at(first - 1).await?, records.first()) {
            not_behind(record.recorded_at, last)?;
        }
        for (number, record) in (first..).zip(records.iter_mut()) {
            record.record_id = number;
            session.put_record(record).await?;
        }
        for (record, log_index) in logged {
            session.put_logged(*record, *log_index).await?;
        }
        session.commit().await?;
        let commitments: Result<Vec<_>, _> = records.iter().map(ledger::commitment).collect();
        let places = ledger.enter_all(&commitments?)?;
        Ok((first..).zip(places.map(|place| place as i64)).take(records.len()).collect())
    }

    /// Whether acts of these kinds can be done here: nothing in books that were handed over; in books that were taken
    /// over, whatever adds nothing to them.
    fn admits(&self, records: &[RecordRow]) -> Result<(), Refusal> {
        let tells = |record: &RecordRow| {
            matches!(record.kind.as_str(), "trace" | "answer" | "export" | "print" | "backup")
        };
        if self.handed_over.load(Ordering::Relaxed) && !records.iter().all(|one| one.kind == HAND_OVER) {
            return Err(Refusal::Closed(HANDED_OVER));
        }
        if self.issuer.taken_over && !records.iter().all(tells) {
            return Err(Refusal::Closed(TAKEN_OVER));
        }
        Ok(())
    }

    /// The session in which an entered act takes effect.
    pub(crate) async fn effect(&self, entered: &Entered) -> Result<Session, BooksError> {
        let mut session = self.store.write().await?;
        session.put_logged(entered.record_id, entered.log_index as i64).await?;
        Ok(session)
    }

    pub(crate) async fn firearm_id(
        &self,
        session: &mut Session,
        key: &FirearmKey,
    ) -> Result<Option<i64>, BooksError> {
        match session.find_line(key.licence.as_str(), key.model.as_str()).await? {
            Some(line) => session.find_firearm(line, key.serial.as_str()).await,
            None => Ok(None),
        }
    }

    /// The entry to be corrected, and the event and day that take its place.
    async fn correctable(
        &self,
        correction: &Correction,
        now: Timestamp,
    ) -> Result<(Entry, Event, Date), BooksError> {
        let history = self.history(&correction.firearm).await?;
        let history = history.ok_or_else(|| Refusal::UnknownFirearm(correction.firearm.clone()))?;
        let entry = correction.entry;
        let old =
            history.entries.iter().find(|old| old.number == entry).ok_or(Refusal::UnknownEntry(entry))?;
        if let Some(by) = chain::corrected_by(&history.entries, entry) {
            return Err(Refusal::CorrectedBefore { entry, by }.into());
        }
        let Some((event, on)) = &correction.becomes else {
            return Ok((old.clone(), old.event.clone(), old.on));
        };
        not_in_the_future(*on, now)?;
        let mut rest = View::Corrected.of(&history.entries);
        rest.retain(|standing| standing.number != entry && (standing.on, standing.number) < (*on, entry));
        rules::check(&rest, event, *on)?;
        let mut session = self.store.read().await?;
        let marked = marked_part(&mut session, event).await?;
        let firearm = self.firearm_id(&mut session, &correction.firearm).await?;
        rules::check_part(&rest, event, *on, marked.is_some() && marked == firearm)?;
        Ok((old.clone(), event.clone(), *on))
    }

    pub(crate) async fn put_entry(
        &self,
        session: &mut Session,
        mut row: EntryRow,
        event: &Event,
    ) -> Result<EntryNumber, BooksError> {
        row.entry_id = session.take_numbers("entry", 1).await?;
        if let (Event::PartFitted { .. } | Event::PartRemoved { .. }, Some(code)) = (event, row.code) {
            session.put_fittings(&[(row.entry_id, code)]).await?;
        }
        let number = row.entry_id as u64;
        session.put_entries(&[row]).await?;
        Ok(number)
    }
}

/// The counter of units issued from a block; it also counts how many that were.
pub(crate) fn unit_counter(prefix: Prefix) -> String {
    format!("unit:{prefix}")
}

pub(crate) fn not_in_the_future(on: Date, now: Timestamp) -> Result<(), Refusal> {
    if !lies_ahead(on, encode::today(now)) {
        return Ok(());
    }
    let hint = "check the date and this machine's clock";
    Err(Refusal::OutOfOrder { what: format!("{on} is in the future"), hint })
}

/// How far a clock may be set back, in microseconds, before its times are worse than none: time services correct
/// seconds.
const SET_BACK: i64 = 300_000_000;

fn not_behind(now: i64, last: i64) -> Result<(), BooksError> {
    if now >= last - SET_BACK {
        return Ok(());
    }
    Err(BooksError::Clock { now: encode::time(now)?, last: encode::time(last)? })
}

/// Whether a day lies ahead everywhere: it has begun somewhere on Earth up to 14 hours before it begins in UTC.
pub(crate) fn lies_ahead(on: Date, today: Date) -> bool {
    on > today.tomorrow().unwrap_or(Date::MAX)
}

/// A row for an event, with everything but numbers, writer and firearm.
pub(crate) async fn entry_row(
    session: &mut Session,
    event: &Event,
    on: Date,
) -> Result<EntryRow, BooksError> {
    let (other, code, body) = encode::columns(event);
    let holder = event.holder();
    let holder = session.party(holder.licence.as_str(), holder.name.as_str()).await?;
    let other = match other {
        Some(other) => Some(session.party(other.licence.as_str(), other.name.as_str()).await?),
        None => None,
    };
    Ok(EntryRow {
        entry_id: 0,
        firearm_id: 0,
        kind: event.kind(),
        holder,
        other,
        happened_on: encode::day_number(on),
        recorded_at: 0,
        recorded_by: String::new(),
        description_id: None,
        code,
        corrects: None,
        void: false,
        body: body.map(|body| encode::json(&body)).transpose()?,
    })
}

pub(crate) async fn history(session: &mut Session, firearm: i64) -> Result<History, BooksError> {
    let stored = session.firearm(firearm).await?;
    let recorded_as =
        encode::firearm(stored.ok_or_else(|| BooksError::damaged(format!("no firearm {firearm}")))?)?;
    let rows = session.entries_of_firearm(firearm).await?;
    let entries = rows.into_iter().map(encode::entry).collect::<Result<Vec<_>, _>>()?;
    Ok(History::new(recorded_as, entries))
}

/// Whether an event can be the first that the books hold of a firearm.
pub(crate) fn brings_in(event: &Event) -> bool {
    matches!(event, Event::Manufactured { .. } | Event::Imported { .. } | Event::Acquired { .. })
}
