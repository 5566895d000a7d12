//! The only place that knows SQL. One text serves SQLite and PostgreSQL; `queries.rs` is compiled once for each.
//!
//! A [`Session`] is one transaction. Writing sessions exclude each other: in SQLite through `BEGIN IMMEDIATE`, in
//! PostgreSQL through the row lock that taking numbers from a counter holds until the commit.

mod bounds;
mod look_up;
#[expect(clippy::duplicate_mod, reason = "the same statements are compiled once for each database")]
mod postgres;
mod rows;
mod sql;
mod sqlite;
mod tables;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use self::look_up::LookUps;
#[cfg(feature = "synthetic")]
pub(crate) use self::rows::Invented;
pub(crate) use self::rows::{
    BookRow, ClosureRow, CodeRow, EntryRow, FirearmRow, IssuedAs, KeyRow, KnownFirearm, RecordRow, RunFound,
    RunRows, StoredCode, StoredEntry, StoredFirearm,
};
use self::tables::{Table, Value};
use crate::error::{BooksError, Refusal};
use crate::folder::private;

/// How often a busy database is asked again before the writer gives up, and how long it waits at most each time.
const ATTEMPTS: u32 = 6;
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// No further attempt is begun after so long: an import would otherwise be done six times over.
const LONGEST: Duration = Duration::from_secs(30);

/// How long anybody waits for a connection: for a server to come back, or for a large import to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that read beside the one that writes.
const READERS: u32 = 4;

/// The database of one issuer.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// One connection that writes, and some that can only read: SQLite has one writer, and readers never wait for it.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// None where even the files beside the books must stay as they are.
        look_ups: Option<Arc<LookUps>>,
    },
    Postgres(PgPool),
}

/// Attempts at something that the database was too busy for, or gave up because of another transaction.
pub(crate) struct Attempts {
    left: u32,
    pause: Duration,
    begun: Instant,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { left: ATTEMPTS, pause: Duration::from_millis(10), begun: Instant::now() }
    }

    /// How long to wait before the next attempt; `None` when there is nothing to be gained by one.
    pub(crate) fn pause_after<T>(&mut self, done: &Result<T, BooksError>) -> Option<Duration> {
        self.left -= 1;
        self.pause *= 2;
        let in_time = self.left > 0 && self.begun.elapsed() < LONGEST;
        Some(self.pause).filter(|_| in_time && matches!(done, Err(BooksError::Busy { .. })))
    }
}

/// Does something in a transaction of its own, and again while the database is busy or gives it up because of another
/// transaction (PostgreSQL's 40001 and 40P01), a bounded number of times.
macro_rules! persistently {
    ($act:expr) => {{
        let mut attempts = $crate::store::Attempts::new();
        loop {
            let done = $act.await;
            let Some(pause) = attempts.pause_after(&done) else { break done };
            drop(done);
            tokio::time::sleep(pause).await;
        }
    }};
}
pub(crate) use persistently;

/// Whoever opens a file whose journal another is just changing is told at once that it is busy: SQLite waits for nobody there.
async fn open_to_write(options: SqliteConnectOptions) -> Result<SqlitePool, BooksError> {
    let pool =
        SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).test_before_acquire(false);
    pool.connect_with(options).await.map_err(|error| failed("open the file", error))
}

/// One transaction: dropped without [`Session::commit`] it leaves nothing behind.
pub(crate) enum Session {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Store {
    /// Opens a database file, making it when `create` says so.
    pub(crate) async fn sqlite(file: &Path, create: bool) -> Result<Self, BooksError> {
        if create {
            // What SQLite makes beside the file has the file's rights.
            make_file(file)?;
        }
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_WAIT);
        // A file does not hang up as a server does: asking each connection first whether it lives only costs a turn of
        // the driver's thread.
        let writing = options
            .clone()
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What is erased is overwritten, not only given up.
            .pragma("secure_delete", "ON")
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "8192");
        let writer = persistently!(open_to_write(writing.clone()))?;
        let reading = options.pragma("query_only", "ON").pragma("cache_size", "-16384");
        let look_ups = Some(Arc::new(LookUps::new(file)));
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .connect_lazy_with(reading);
        Ok(Self::Sqlite { writer, readers, look_ups })
    }

    /// Opens a database file of which nothing is changed, not even beside it: it may lie where nobody can write.
    pub(crate) fn sqlite_to_read(file: &Path) -> Result<Self, BooksError> {
        if let Err(error) = std::fs::File::open(file) {
            return Err(BooksError::folder("cannot read", file, error));
        }
        let mut journal = file.as_os_str().to_owned();
        journal.push("-wal");
        // Beside a file that is open elsewhere lie pages that belong to it; without them it is whole by itself.
        let closed = std::fs::metadata(journal).map_or(true, |journal| journal.len() == 0);
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_WAIT);
        let options = options.read_only(true).immutable(closed).pragma("cache_size", "-16384");
        let pool = || SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(PATIENCE);
        let readers = pool().connect_lazy_with(options.clone());
        Ok(Self::Sqlite { writer: pool().connect_lazy_with(options), readers, look_ups: None })
    }

    /// Refuses tables of another version, where they cannot be renewed.
    ///
    /// # Errors
    /// [`Refusal::Request`].
    pub(crate) async fn is_of_this_version(&self) -> Result<(), BooksError> {
        if self.read().await?.version().await? == sql::SCHEMA.len() as i64 {
            return Ok(());
        }
        let what = "the tables are of another version".to_owned();
        Err(Refusal::Request { what, hint: "let the issuer open them once with this program" }.into())
    }

    /// Connects to a PostgreSQL server, or to one that speaks its protocol.
    pub(crate) async fn postgres(url: &str) -> Result<Self, BooksError> {
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
        let pool = pool.after_connect(|conn, _| Box::pin(bounds::of_the_server(conn))).connect(url).await;
        Ok(Self::Postgres(pool.map_err(|error| BooksError::database("connect", error))?))
    }

    /// Makes or renews the tables.
    pub(crate) async fn migrate(&self, now: i64) -> Result<(), BooksError> {
        persistently!(self.make_first_table())?;
        persistently!(self.renew_tables(now))
    }

    async fn renew_tables(&self, now: i64) -> Result<(), BooksError> {
        let mut session = self.write().await?;
        session.migrate(now).await?;
        session.commit().await
    }

    /// The table whose row 0 is the lock of all that follows; it has no lock of its own. Of two processes that make it at once in
    /// an empty PostgreSQL database one is told that its name is taken (23505 of the catalogue, 42P07 or 42710), and finds it there
    /// when it asks again.
    async fn make_first_table(&self) -> Result<(), BooksError> {
        let made = match self {
            Self::Sqlite { writer, .. } => sqlx::raw_sql(sql::SCHEMA_TABLE).execute(writer).await.map(drop),
            Self::Postgres(pool) => {
                let make = sqlx::raw_sql(sql::SCHEMA_TABLE).execute(pool);
                bounds::answered("migrate", Box::pin(make)).await.map(drop)
            }
        };
        made.map_err(|error| {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            match code.as_deref() {
                Some("23505" | "42P07" | "42710") => BooksError::Busy { attempts: ATTEMPTS },
                _ => failed("make the tables", error),
            }
        })
    }

    /// Refuses a database that holds books already.
    ///
    /// # Errors
    /// [`Refusal::Request`].
    pub(crate) async fn admit_new(&self, now: i64) -> Result<(), BooksError> {
        self.migrate(now).await?;
        if self.read().await?.numbers_taken("record").await? == 0 {
            return Ok(());
        }
        Err(occupied().into())
    }

    /// A consistent view for reading.
    pub(crate) async fn read(&self) -> Result<Session, BooksError> {
        let session = match self {
            Self::Sqlite { readers, .. } => readers.begin_with("BEGIN").await.map(Session::Sqlite),
            Self::Postgres(pool) => {
                let begin = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                bounds::answered("begin", Box::pin(begin)).await.map(Session::Postgres)
            }
        };
        session.map_err(|error| failed("begin", error))
    }

    /// The one writer's transaction; waits for another writer, within bounds.
    pub(crate) async fn write(&self) -> Result<Session, BooksError> {
        persistently!(self.begin())
    }

    async fn begin(&self) -> Result<Session, BooksError> {
        let session = match self {
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Session::Sqlite),
            Self::Postgres(pool) => {
                bounds::answered("begin", Box::pin(pool.begin_with("BEGIN"))).await.map(Session::Postgres)
            }
        };
        session.map_err(|error| failed("begin", error))
    }

    /// What the books know of a code, without a transaction around it: one statement is consistent by itself.
    pub(crate) async fn look_up(&self, code: i64) -> Result<Option<StoredCode>, BooksError> {
        if let Self::Sqlite { look_ups: Some(look_ups), .. } = self
            && let Ok(found) = look_ups.code(code)
        {
            return Ok(found);
        }
        let found = match self {
            Self::Sqlite { readers, .. } => match readers.acquire().await {
                Ok(mut conn) => sqlite::queries::code(&mut conn, code).await,
                Err(error) => Err(error),
            },
            Self::Postgres(pool) => match pool.acquire().await {
                Ok(mut conn) => {
                    bounds::answered("code", Box::pin(postgres::queries::code(&mut conn, code))).await
                }
                Err(error) => Err(error),
            },
        };
        found.map_err(|error| failed("look a code up", error))
    }

    /// Writes a consistent copy of the tables into a new SQLite file; `now` dates its version.
    pub(crate) async fn snapshot(&self, file: &Path, now: i64) -> Result<(), BooksError> {
        if let Self::Sqlite { writer, .. } = self {
            make_file(file)?;
            let copied = sqlx::query(sql::SNAPSHOT).bind(file.to_string_lossy()).execute(writer).await;
            return copied.map(drop).map_err(|error| failed("copy the tables", error));
        }
        let copy = Self::sqlite(file, true).await?;
        copy.migrate(now).await?;
        tables::carry(&mut self.read().await?, &copy).await?;
        copy.close().await;
        Ok(())
    }

    /// Fills this database, which must be empty, with what a SQLite file holds.
    pub(crate) async fn fill(&self, file: &Path, now: i64) -> Result<(), BooksError> {
        self.admit_new(now).await?;
        let copy = Self::sqlite(file, false).await?;
        copy.migrate(now).await?;
        tables::carry(&mut copy.read().await?, self).await?;
        copy.close().await;
        Ok(())
    }

    /// Brings everything into the file and empties the journal beside it, so that what was erased is not there either. Where
    /// somebody reads, the journal goes when the last connection is closed.
    pub(crate) async fn settle(&self) -> Result<(), BooksError> {
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let done = sqlx::query(sql::SETTLE).fetch_all(writer).await;
        done.map(drop).map_err(|error| failed("empty the journal", error))
    }

    /// Waits until every connection is closed, so that the file can be moved or copied.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, look_ups } => {
                if let Some(look_ups) = look_ups {
                    look_ups.close();
                }
                readers.close().await;
                writer.close().await;
            }
            // What hangs at a server that stands still ends with the process.
            Self::Postgres(pool) => drop(tokio::time::timeout(PATIENCE, pool.close()).await),
        }
    }
}

/// What is said where a database is not empty.
pub(crate) fn occupied() -> Refusal {
    let what = "the database holds an issuer's books already".to_owned();
    Refusal::Request { what, hint: "give each issuer a database of its own" }
}

/// Makes an empty file that nobody else may read, where there is none.
fn make_file(file: &Path) -> Result<(), BooksError> {
    match private().open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(BooksError::folder("cannot make", file, error))
        }
        _ => Ok(()),
    }
}

impl Session {
    /// Makes everything done in this session last.
    pub(crate) async fn commit(self) -> Result<(), BooksError> {
        let done = match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => bounds::answered("commit", Box::pin(transaction.commit())).await,
        };
        done.map_err(|error| failed("commit", error))
    }
}

macro_rules! session_calls {
    ($($what:literal: $name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        impl Session {$(
            pub(crate) async fn $name(&mut self, $($argument: $kind),*) -> Result<$result, BooksError> {
                let done = match self {
                    Self::Sqlite(conn) => sqlite::queries::$name(conn, $($argument),*).await,
                    Self::Postgres(conn) => {
                        let asked = postgres::queries::$name(conn, $($argument),*);
                        bounds::answered(stringify!($name), Box::pin(asked)).await
                    }
                };
                done.map_err(|error| failed($what, error))
            }
        )*}
    };
}

session_calls! {
    "read the version": version() -> i64;
    "read what was said of the clock": clock_acts() -> Vec<(i64, String)>;
    "find the last record of a kind": last_record(kind: &str) -> Option<String>;
    "make the tables": migrate(now: i64) -> ();
    "take numbers": take_numbers(name: &str, count: i64) -> i64;
    "read a counter": numbers_taken(name: &str) -> i64;
    "open a block": open_block(prefix: i64, key_check: &str, now: i64) -> bool;
    "count the entries": count_entries() -> (i64, i64);
    "read issued codes": issued_units(first: i64, end: i64) -> Vec<(i64, String)>;
    "count codes": count_codes() -> i64;
    "count the codes of a block": count_units(first: i64, end: i64) -> i64;
    "read the blocks": blocks() -> Vec<(i64, String)>;
    "write a record": put_record(record: &RecordRow) -> ();
    "read a record's time": recorded_at(record: i64) -> Option<i64>;
    "write a log index": put_logged(record: i64, log_index: i64) -> ();
    "read the end of the log": log_end() -> i64;
    "read a licensee's models": models(licence: &str) -> Vec<String>;
    "find models that may be taken for one": spellings(licence: &str, model: &str) -> Vec<String>;
    "read a log index": log_index(record: i64) -> Option<i64>;
    "read the records": records(after: i64, limit: i64) -> Vec<RecordRow>;
    "read a record": record_at(log_index: i64) -> Option<RecordRow>;
    "erase records": erase_records(first: i64, last: i64) -> u64;
    "write a licensee": party(licence: &str, name: &str) -> i64;
    "write a model": line(licence: &str, model: &str) -> i64;
    "find a model": find_line(licence: &str, model: &str) -> Option<i64>;
    "write a description": description(body: &str) -> i64;
    "record a closure": put_closure(licence: &str, times: (i64, i64), records_at: &str) -> ();
    "withdraw a closure": drop_closure(licence: &str) -> ();
    "read who closed": closing_days() -> Vec<(String, i64)>;
    "look for hand-overs after a closing": dealt_after(licence: &str, day: i64) -> Option<(i64, i64)>;
    "look for a licence": names_of_licence(licence: &str) -> i64;
    "read a closure": closure(licence: &str) -> Option<(i64, String)>;
    "register a key": put_party_key(verifier: &str, party: i64, kind: &str, times: (i64, i64, i64)) -> ();
    "revoke a key": put_revocation(verifier: &str, at: i64, reason: &str) -> ();
    "read the registered keys": party_keys() -> Vec<KeyRow>;
    "keep a signed statement": put_statement(number: i64, sha256: &str, note: &str) -> ();
    "find a signed statement": statement(sha256: &str) -> Option<String>;
    "find a firearm": find_firearm(line: i64, serial: &str) -> Option<i64>;
    "find serial numbers": known_firearms(keys: &[(i64, Arc<str>)]) -> Vec<KnownFirearm>;
    "read a firearm": firearm(firearm: i64) -> Option<StoredFirearm>;
    "read a page of firearms": firearm_page(after: i64, limit: i64) -> Vec<(i64, StoredFirearm)>;
    "look for a withdrawn making": was_withdrawn(line: i64, serial: &str) -> bool;
    "find the code of a serial number": issued_to_serial(line: i64, serial: &str) -> Option<(i64, i64, i64)>;
    "look a code up": code(code: i64) -> Option<StoredCode>;
    "read the entries of a firearm": entries_of_firearm(firearm: i64) -> Vec<StoredEntry>;
    "read the entries of firearms": entries_of_firearms(firearms: &[i64]) -> Vec<StoredEntry>;
    "read the entries of a code": entries_of_code(code: i64) -> Vec<StoredEntry>;
    "read entries by their numbers": entry_range(first: i64, end: i64) -> Vec<BookRow>;
    "compare issued firearms": issued_as(run: &IssuedAs<'_>) -> RunFound;
    "find the last record that took effect": last_effect() -> i64;
    "find what was issued last": last_issue(block: &str) -> Option<String>;
    "read the code of a unit": code_at_unit(unit: i64) -> Option<CodeRow>;
    "read a page of codes": code_page(after: i64, limit: i64) -> Vec<(CodeRow, Option<[String; 3]>)>;
    "read the counters": counters() -> Vec<(String, i64)>;
    "read the blocks whole": block_rows() -> Vec<(i64, String, i64)>;
    "count the rows of the tables": tallies() -> Vec<(String, i64, i64)>;
    "find names that nothing bears": orphans() -> Vec<(String, i64)>;
    "compare fittings with entries": wrong_fittings() -> Vec<i64>;
    "read changes of parts": part_entries(after: i64, limit: i64) -> Vec<BookRow>;
    "read the closings": closures() -> Vec<ClosureRow>;
    "read a page of the book": book_page(after: i64, limit: i64, view: i64) -> Vec<BookRow>;
    "write firearms": put_firearms(rows: &[FirearmRow]) -> ();
    "write a code": put_code(row: &CodeRow) -> ();
    "write a run of codes": issue(run: &RunRows<'_>) -> ();
    "write fittings": put_fittings(rows: &[(i64, i64)]) -> ();
    "read rows": read_rows(table: &Table, after: i64) -> Vec<Vec<Value>>;
    "write rows": write_rows(table: &Table, rows: &[Vec<Value>]) -> ();
    "write entries": put_entries(rows: &[EntryRow]) -> ();
    "add entries": add_entries(rows: &[EntryRow]) -> ();
}

#[cfg(feature = "synthetic")]
session_calls! {
    "invent entries": invent(new: &Invented) -> ();
}

/// Sorts a driver's error: another writer's lock is worth another attempt, everything else is not.
fn failed(what: &'static str, error: sqlx::Error) -> BooksError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    match code.as_ref() {
        "5" | "6" | "261" | "262" | "517" | "40001" | "40P01" | "55P03" => {
            BooksError::Busy { attempts: ATTEMPTS }
        }
        _ => BooksError::database(what, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_end_by_number_and_by_time() {
        let busy = Err::<(), _>(BooksError::Busy { attempts: 1 });
        let mut attempts = Attempts::new();
        let pauses: Vec<_> = std::iter::from_fn(|| attempts.pause_after(&busy)).collect();
        assert_eq!(pauses.len(), ATTEMPTS as usize - 1);
        assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(1), "{pauses:?}");
        let Some(begun) = Instant::now().checked_sub(LONGEST) else { return };
        let mut late = Attempts { begun, ..Attempts::new() };
        assert_eq!(late.pause_after(&busy), None, "a long act is not begun again");
        assert_eq!(Attempts::new().pause_after(&Ok(())), None);
    }
}
