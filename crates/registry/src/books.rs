//! The books of one issuer: opening them, entering acts in the log, reading a firearm's history.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use symbology::{Prefix, SealingKey, UnitNumber};
use tokio::sync::{Mutex, MutexGuard};

use crate::audit::is_erased;
use crate::compare::PAGE;
use crate::desk::Desk;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, View};
use crate::firearm::{Firearm, FirearmKey, Licensee};
use crate::folder::{
    COPY, Database, Folder, HANDED_OVER, Issuer, Keys, MOVED_ON, NewIssuer, OwnKeys, READ_ONLY, RESTORING,
    SCHEME, TAKEN_OVER,
};
use crate::lasting::{Effect, Lasting, end_of, still_there};
use crate::ledger::{self, Ledger};
use crate::moving::{MOVED, MOVES, PUT_BACK};
use crate::names::{Person, Reason};
use crate::stated::is_stated;
use crate::store::{RecordRow, Session, Store, occupied, persistently};
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
    /// Whether the books ended here and go on elsewhere.
    pub(crate) moved: AtomicBool,
    /// Set while the very first record is written: where another has written one meanwhile, the tables are another's.
    beginning: AtomicBool,
    /// Whether they were opened to be read alone.
    read_only: bool,
    /// Held through every act that writes, so that record, log and tables keep one order.
    pub(crate) ledger: Mutex<Ledger>,
    /// How far the tables reach, as this process was told.
    pub(crate) lasting: Lasting,
    /// When the last act of this process was, as long as nothing says that it took effect.
    acted: std::sync::Mutex<Option<Timestamp>>,
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

impl Block {
    /// Whether nothing more is issued from it although not all of it was: books that were put back from a copy leave the rest to what may
    /// have been issued since.
    pub fn is_closed(&self) -> bool {
        self.left == 0 && self.issued < UnitNumber::COUNT
    }
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
    /// [`BooksError::Folder`] when there is an issuer in the folder already or it cannot be written; [`Refusal::Request`] when
    /// the database holds books already.
    pub async fn create(root: &Path, new: &NewIssuer, now: Timestamp) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        // A server that does not answer, or holds other books, leaves no folder behind.
        let server = match &new.database {
            Database::Embedded => None,
            Database::Postgres(url) => {
                let server = Store::postgres(url).await?;
                server.admit_new(now.as_microsecond()).await?;
                Some(server)
            }
        };
        let (issuer, keys) = folder.create(new)?;
        let begun = async {
            let store = match server {
                Some(server) => server,
                None => Store::sqlite(&folder.sqlite(), true).await?,
            };
            store.migrate(now.as_microsecond()).await?;
            let books = Self::assemble(&folder, issuer, keys, store);
            books.ledger.lock().await.create()?;
            books.beginning.store(true, Ordering::Relaxed);
            books.begin_block(new.prefix, None, now).await?;
            books.beginning.store(false, Ordering::Relaxed);
            Ok(books)
        };
        let done = begun.await;
        if done.is_err() {
            folder.remove_new();
        }
        done
    }

    /// Opens an issuer's folder and checks that its sealing key is the one the blocks were opened with.
    ///
    /// # Errors
    /// [`BooksError::Folder`] for files that are missing, [`BooksError::Damaged`] for a key that does not belong;
    /// [`Refusal::Closed`] for a copy.
    pub async fn open(root: &Path, now: Timestamp) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        let opened = folder.open()?;
        if opened.0.restoring {
            return Err(Refusal::Closed(RESTORING).into());
        }
        if folder.is_copy(&opened.0) {
            return Err(Refusal::Closed(COPY).into());
        }
        Self::open_as(root, opened, now).await
    }

    /// Opens an issuer's folder for whoever checks or reads it: nothing is written, no secret key is read, and a copy opens as
    /// well. The folder may lie on a medium that cannot be written, if the books in it were closed.
    ///
    /// What would write, a question among it, is refused with [`Refusal::Closed`].
    ///
    /// # Errors
    /// [`BooksError::Folder`] for files that are missing; [`Refusal::Request`] for tables of an older version.
    pub async fn open_to_read(root: &Path) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        let (issuer, keys) = folder.open_to_read()?;
        if issuer.restoring {
            return Err(Refusal::Closed(RESTORING).into());
        }
        let store = match &issuer.postgres {
            // A copy has its tables beside it, wherever those of the books lie.
            Some(url) if !folder.is_copy(&issuer) => Store::postgres(url).await?,
            _ => Store::sqlite_to_read(&folder.sqlite())?,
        };
        store.is_of_this_version().await?;
        let mut books = Self::assemble(&folder, issuer, keys, store);
        books.read_only = true;
        Ok(books)
    }

    /// Opens books that are being put back from a copy.
    pub(crate) async fn open_restoring(root: &Path, now: Timestamp) -> Result<Self, BooksError> {
        Self::open_as(root, Folder::new(root).open()?, now).await
    }

    async fn open_as(
        root: &Path,
        (issuer, keys): (Issuer, Keys),
        now: Timestamp,
    ) -> Result<Self, BooksError> {
        let folder = Folder::new(root);
        folder.shut_out()?;
        let store = match &issuer.postgres {
            None => Store::sqlite(&folder.sqlite(), false).await?,
            Some(url) => Store::postgres(url).await?,
        };
        store.migrate(now.as_microsecond()).await?;
        let check = keys.own.as_ref().map(OwnKeys::sealing_check);
        let books = Self::assemble(&folder, issuer, keys, store);
        let mut session = books.store.read().await?;
        // A bundle that was made a second time holds the first hand-over; its heir answers all the same.
        let handed_over = !books.issuer.taken_over && session.numbers_taken(HAND_OVERS).await? > 0;
        books.handed_over.store(handed_over, Ordering::Relaxed);
        let moved = session.numbers_taken(MOVES).await? > books.issuer.moves;
        books.moved.store(moved, Ordering::Relaxed);
        let blocks = session.blocks().await?;
        drop(session);
        if check.is_some_and(|check| blocks.iter().any(|(_, opened_with)| *opened_with != check)) {
            return Err(BooksError::damaged("keys/sealing.key is not the key the blocks were opened with"));
        }
        Ok(books)
    }

    fn assemble(folder: &Folder, issuer: Issuer, keys: Keys, store: Store) -> Self {
        let ledger = Mutex::new(Ledger::new(folder.log(), keys.log.clone(), keys.log_verifier.clone()));
        let sealing = keys.own.as_ref().map(|own| SealingKey::new(&own.sealing, SCHEME));
        Self {
            issuer,
            store,
            sealing,
            keys,
            desk: Desk::default(),
            root: folder.root(),
            handed_over: AtomicBool::new(false),
            moved: AtomicBool::new(false),
            beginning: AtomicBool::new(false),
            read_only: false,
            ledger,
            lasting: Lasting::default(),
            acted: std::sync::Mutex::default(),
        }
    }

    /// The issuer as a licensee; its licence is part of the key of every firearm that it marks.
    pub fn issuer(&self) -> Licensee {
        self.issuer.licensee()
    }

    /// Name of the issuer's log, which names the books: signed statements are meant for one of them.
    pub fn log_name(&self) -> &str {
        &self.issuer.origin
    }

    /// Whether nothing is added to these books any more: they were handed over, or taken over, or moved.
    pub fn is_closed(&self) -> bool {
        self.issuer.taken_over || self.is_over()
    }

    /// Whether not even an answer is entered here any more.
    fn is_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed) || self.moved.load(Ordering::Relaxed)
    }

    /// Closes the database; nothing is lost without it, but the file can be copied afterwards. Where something was done, an entry first
    /// says that it took effect: whoever takes the last act out of the tables later contradicts it.
    pub async fn close(self) {
        self.rest(&mut *self.ledger.lock().await).await;
        self.store.close().await;
    }

    /// Enters that the acts of this process took effect, unless an act since says so already.
    pub(crate) async fn rest(&self, ledger: &mut Ledger) {
        let acted = self.acted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(at) = acted.filter(|_| !self.is_over()) else { return };
        // Without it the books are as good, and the last act stands as one that nobody vouched for yet.
        if let Ok(entered) = self.enter(ledger, AT_REST, &json!({}), at).await
            && let Ok(session) = self.effect(&entered).await
        {
            let _ = session.commit().await;
        }
    }

    /// Lets other processes write: the log's lock is given back until the next act here takes it again, which waits two seconds for
    /// it. For whoever keeps books open for long and seldom writes in them, as a node does.
    pub async fn let_go(&self) {
        let mut ledger = self.ledger.lock().await;
        self.rest(&mut ledger).await;
        ledger.let_go();
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
            let taken = session.numbers_taken(&unit_counter(prefix)).await? as u32;
            let left = UnitNumber::COUNT.saturating_sub(taken);
            // Closing a block takes all of its numbers.
            let issued = if left > 0 {
                taken.saturating_sub(session.numbers_taken(&cut_counter(prefix)).await? as u32)
            } else {
                let first = i64::from(prefix.index()) << 20;
                session.count_units(first, first + i64::from(UnitNumber::COUNT)).await? as u32
            };
            blocks.push(Block { prefix, issued, left });
        }
        Ok(blocks)
    }

    /// Opens another block of 2^20 codes; the directory of prefixes must have given it to this issuer.
    ///
    /// # Errors
    /// [`Refusal::BlockOpen`] when it is open already.
    pub async fn open_block(&self, prefix: Prefix, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        self.begin_block(prefix, Some(by), now).await
    }

    /// As [`Books::open_block`]; the first block is opened by nobody but whoever makes the books.
    async fn begin_block(
        &self,
        prefix: Prefix,
        by: Option<&Person>,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let check = self.keys.own()?.sealing_check();
        let mut ledger = self.writing().await?;
        let index = i64::from(prefix.index());
        let begun = !self.beginning.load(Ordering::Relaxed);
        if begun && self.store.read().await?.blocks().await?.iter().any(|(open, _)| *open == index) {
            return Err(Refusal::BlockOpen(prefix).into());
        }
        let mut body = json!({"prefix": prefix, "key_check": check});
        if let Some(by) = by {
            body["by"] = json!(by);
        }
        let entered = self.enter(&mut ledger, "block", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        if !session.open_block(index, &check, now.as_microsecond()).await? {
            return Err(Refusal::BlockOpen(prefix).into());
        }
        session.commit().await
    }

    /// Enters that the clock is right although it lies behind the last act or far ahead of it, so that the books go on. Where acts
    /// were dated ahead by a wrong clock nothing of them is changed; from this entry on everybody sees that their times were wrong.
    ///
    /// # Errors
    /// [`Refusal::Request`] when nothing speaks against the clock.
    pub async fn affirm_clock(&self, reason: &Reason, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        let mut ledger = self.writing().await?;
        let mut session = self.store.read().await?;
        let newest = session.numbers_taken("record").await?;
        let last = session.recorded_at(newest).await?.map(encode::time).transpose()?;
        drop(session);
        let Some(last) =
            last.filter(|last| plausible(now.as_microsecond(), last.as_microsecond(), REST).is_err())
        else {
            let what = "this machine's clock is neither behind the last act in the books nor far ahead of it";
            return Err(Refusal::Request { what: what.to_owned(), hint: "nothing has to be done" }.into());
        };
        let kind = if now < last { CLOCK_WAS_AHEAD } else { CLOCK_IS_RIGHT };
        let body = json!({"by": by, "reason": reason, "last": last});
        let entered = self.enter(&mut ledger, kind, &body, now).await?;
        self.effect(&entered).await?.commit().await
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

    /// The right to write, alone among all processes until the log's lock is given back: what is looked at from here on is as it is when
    /// the act is entered.
    pub(crate) async fn writing(&self) -> Result<MutexGuard<'_, Ledger>, BooksError> {
        let mut ledger = self.ledger.lock().await;
        self.hold(&mut ledger).await?;
        Ok(ledger)
    }

    /// Takes the log's lock. Where it was not held, what others entered meanwhile must be in these tables: older tables beside a newer log
    /// would issue its codes a second time.
    async fn hold(&self, ledger: &mut Ledger) -> Result<(), BooksError> {
        if !ledger.hold()? || self.beginning.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut session = self.store.read().await?;
        let left = ledger.from(session.log_end().await? as u64)?;
        if left.is_empty() {
            return Ok(());
        }
        let mut after = session.last_effect().await?;
        let mut known = HashSet::new();
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record_id;
            known.extend(page.iter().filter_map(|record| ledger::commitment(record).ok()));
        }
        // What is empty was erased; then as many are explained as there are of those.
        let unknown = left.iter().filter(|entry| !known.contains(entry)).count();
        if unknown == 0 || self.blank_after_last_effect(&mut session).await? >= unknown {
            return Ok(());
        }
        ledger.let_go();
        let entries = left.len();
        Err(BooksError::Log(
            format!(
                "its last {entries} entries are of records that these tables do not have: older tables were put beside it\nhint: put \
                 the newest tables back; where there are none, restore a copy with `issuer restore`, which closes its blocks"
            )
            .into(),
        ))
    }

    /// Questions and answers without effect whose text was erased.
    async fn blank_after_last_effect(&self, session: &mut Session) -> Result<usize, BooksError> {
        let after = session.last_effect().await?;
        let records = session.records(after, PAGE).await?;
        Ok(records.iter().filter(|record| is_erased(record)).count())
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
        // Records are numbered under the lock under which they are entered, so that both have one order.
        self.hold(ledger).await?;
        let (first, logged) = persistently!(self.put_records(&mut *records, logged))?;
        let commitments: Result<Vec<_>, _> = records.iter().map(ledger::commitment).collect();
        ledger.reaches(logged)?;
        let places = ledger.enter_all(&commitments?)?;
        let last = records.last().filter(|last| last.kind != AT_REST);
        if let Some(last) = last {
            let at = encode::time(last.recorded_at)?;
            *self.acted.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
        Ok((first..).zip(places.map(|place| place as i64)).take(records.len()).collect())
    }

    /// Numbers records and puts them in the table; returns the first number, and up to where the table knows the log.
    async fn put_records(
        &self,
        records: &mut [RecordRow],
        logged: &[(i64, i64)],
    ) -> Result<(i64, u64), BooksError> {
        let reached = self.lasting.reached();
        let mut session = self.store.write().await?;
        let first = session.take_numbers("record", records.len() as i64).await?;
        let known = session.log_end().await?;
        still_there(reached, (first - 1, known))?;
        self.still_open(&mut session, records).await?;
        if first > 1 && self.beginning.load(Ordering::Relaxed) {
            return Err(occupied().into());
        }
        if let (Some(last), Some(record)) = (session.recorded_at(first - 1).await?, records.first())
            && !matches!(record.kind.as_str(), CLOCK_WAS_AHEAD | CLOCK_IS_RIGHT)
        {
            // A copy can be put back however old it is.
            let rest = if self.issuer.restoring { i64::MAX } else { REST };
            plausible(record.recorded_at, last, rest)?;
        }
        for (record, log_index) in logged {
            session.put_logged(*record, *log_index).await?;
        }
        let last = session.last_effect().await?;
        for (number, record) in (first..).zip(records.iter_mut()) {
            record.record_id = number;
            ledger::place_after(record, last)?;
            session.put_record(record).await?;
        }
        let known = known.max(end_of(logged));
        session.commit().await?;
        self.lasting.raise(first - 1 + records.len() as i64, known);
        Ok((first, known as u64))
    }

    /// Whether acts of these kinds can be done here: nothing in books that were handed over; in books that were taken
    /// over, whatever adds nothing to them but what a dealer states of its own part.
    fn admits(&self, records: &[RecordRow]) -> Result<(), Refusal> {
        let tells = |record: &RecordRow| {
            matches!(
                record.kind.as_str(),
                "trace" | "answer" | "export" | "print" | "backup" | MOVED | "erase" | AT_REST
            ) || is_stated(&record.kind)
        };
        if self.read_only {
            return Err(Refusal::Closed(READ_ONLY));
        }
        // While they are put back from a copy closed books say as well how their log ended.
        let goes_on = |one: &RecordRow| matches!(one.kind.as_str(), LOG_RENEWED | PUT_BACK);
        if self.issuer.restoring && records.iter().all(goes_on) {
            return Ok(());
        }
        if self.moved.load(Ordering::Relaxed) {
            return Err(Refusal::Closed(MOVED_ON));
        }
        if self.handed_over.load(Ordering::Relaxed) && !records.iter().all(|one| one.kind == HAND_OVER) {
            return Err(Refusal::Closed(HANDED_OVER));
        }
        if self.issuer.taken_over && !records.iter().all(tells) {
            return Err(Refusal::Closed(TAKEN_OVER));
        }
        Ok(())
    }

    /// Whether the books were handed over or moved meanwhile, by another process: these may have been open for long.
    async fn still_open(&self, session: &mut Session, records: &[RecordRow]) -> Result<(), BooksError> {
        if session.numbers_taken(MOVES).await? > self.issuer.moves {
            self.moved.store(true, Ordering::Relaxed);
            return Ok(self.admits(records)?);
        }
        if self.issuer.taken_over || session.numbers_taken(HAND_OVERS).await? == 0 {
            return Ok(());
        }
        self.handed_over.store(true, Ordering::Relaxed);
        Ok(self.admits(records)?)
    }

    /// The session in which an entered act takes effect.
    pub(crate) async fn effect(&self, entered: &Entered) -> Result<Effect<'_>, BooksError> {
        self.effect_of(&[(entered.record_id, entered.log_index as i64)]).await
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
}

/// The counter of units that were passed over because an act that was to issue them took no effect.
pub(crate) fn cut_counter(prefix: Prefix) -> String {
    format!("cut:{prefix}")
}

/// The counter of units taken from a block, issued or passed over.
pub(crate) fn unit_counter(prefix: Prefix) -> String {
    format!("unit:{prefix}")
}

/// The act that says how the log before ended.
pub(crate) const LOG_RENEWED: &str = "log-renewed";

/// The acts that say of the times of those before that they were wrong, and of the own that it is right.
pub(crate) const CLOCK_WAS_AHEAD: &str = "clock-was-ahead";
pub(crate) const CLOCK_IS_RIGHT: &str = "clock-is-right";

/// The act that says nothing but what every act says: that those before it took effect.
const AT_REST: &str = "rest";

/// How far a clock may be set back, in microseconds, before its times are worse than none: time services correct
/// seconds.
pub(crate) const SET_BACK: i64 = 300_000_000;

/// How long books rest before somebody must say that the clock is right, in microseconds: a quarter of a year. One act under a clock
/// that is years ahead would close the books until then.
const REST: i64 = 92 * 24 * 3_600 * 1_000_000;

/// Whether an act can be at this time, after the last one.
fn plausible(now: i64, last: i64, rest: i64) -> Result<(), BooksError> {
    if (last - SET_BACK..last.saturating_add(rest)).contains(&now) {
        return Ok(());
    }
    Err(BooksError::Clock { now: encode::time(now)?, last: encode::time(last)? })
}

pub(crate) async fn history(session: &mut Session, firearm: i64) -> Result<History, BooksError> {
    let stored = session.firearm(firearm).await?;
    let recorded_as =
        encode::firearm(stored.ok_or_else(|| BooksError::damaged(format!("no firearm {firearm}")))?)?;
    let rows = session.entries_of_firearm(firearm).await?;
    let entries = rows.into_iter().map(encode::entry).collect::<Result<Vec<_>, _>>()?;
    Ok(History::new(recorded_as, entries))
}
