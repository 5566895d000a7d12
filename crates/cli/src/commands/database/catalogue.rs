//! The catalogue of a scan database: the only place of this program that knows SQL.

use std::collections::HashSet;
use std::path::Path;

use comparison::search::Origin;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

use crate::exit::{Exit, Failure, OrExit as _};

/// What a laboratory knows of a case beside its scan; what is empty is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Particulars {
    #[serde(default)]
    pub(crate) exhibit: Option<String>,
    #[serde(default)]
    pub(crate) calibre: Option<String>,
    /// Class characteristics, such as the shape of the firing pin.
    #[serde(default)]
    pub(crate) class: Option<String>,
    /// Year, month and day of the event.
    #[serde(default)]
    pub(crate) date: Option<String>,
}

/// A row of the catalogue; the record is its place in the feature file.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) record: i64,
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    /// Of the file; none where features were generated without one.
    pub(crate) sha256: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) particulars: Particulars,
}

/// Which scans a search looks at; a scan that does not say is never left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) calibre: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) real_only: bool,
}

impl Filter {
    pub(crate) fn is_open(&self) -> bool {
        let Self { calibre, class, from, to, real_only } = self;
        [calibre, class, from, to].iter().all(|wanted| wanted.is_none()) && !real_only
    }
}

/// An open catalogue.
pub(crate) struct Catalogue {
    runtime: Runtime,
    connection: SqliteConnection,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS scans (
  record INTEGER PRIMARY KEY, name TEXT NOT NULL, path TEXT, sha256 TEXT UNIQUE, simulated INTEGER NOT NULL,
  exhibit TEXT, calibre TEXT, class TEXT, date TEXT);
CREATE INDEX IF NOT EXISTS scans_name ON scans (name);
CREATE TABLE IF NOT EXISTS prepared (record INTEGER PRIMARY KEY REFERENCES scans, bytes BLOB NOT NULL);";
const INSERT: &str =
    "INSERT INTO scans (record, name, path, sha256, simulated, exhibit, calibre, class, date)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const PUT_PREPARED: &str = "INSERT INTO prepared (record, bytes) VALUES (?1, ?2)";
const COUNT: &str = "SELECT coalesce(max(record) + 1, 0) FROM scans";
const KNOWN: &str = "SELECT sha256, record FROM scans WHERE sha256 = ?1";
const SCAN: &str = "SELECT record, name, path, sha256, simulated, exhibit, calibre, class, date FROM scans WHERE record = ?1";
const PAGE: &str = "SELECT record, name, path, sha256, simulated, exhibit, calibre, class, date FROM scans
  WHERE record > ?1 ORDER BY record LIMIT 10000";
const PREPARED: &str = "SELECT bytes FROM prepared WHERE record = ?1";
/// Calibres and classes are held against each other without case, blanks and punctuation: `9 mm` is `9MM`.
const ADMITTED: &str = "SELECT record FROM scans WHERE (?1 IS NULL OR calibre IS NULL OR
    lower(replace(replace(replace(replace(calibre, ' ', ''), '.', ''), ',', ''), '-', '')) = ?1)
  AND (?2 IS NULL OR class IS NULL OR
    lower(replace(replace(replace(replace(class, ' ', ''), '.', ''), ',', ''), '-', '')) = ?2)
  AND (?3 IS NULL OR date IS NULL OR date >= ?3)
  AND (?4 IS NULL OR date IS NULL OR date <= ?4) AND (simulated = 0 OR NOT ?5)";
const NAMED: &str = "SELECT record FROM scans WHERE name = ?1 AND sha256 IS NULL LIMIT 1";

/// As the catalogue holds texts against each other.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !" .,-".contains(*c)).collect::<String>().to_ascii_lowercase()
}

impl Catalogue {
    /// Opens a catalogue; makes it where `create` says so.
    pub(crate) fn open(file: &Path, create: bool) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .or_exit(Exit::Environment, "cannot start")?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(20))
            .disable_statement_logging();
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await?;
            if create {
                sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
            }
            Ok::<_, sqlx::Error>(connection)
        });
        Ok(Self { connection: connection.map_err(|error| failed("open", &error))?, runtime })
    }

    /// How many records the catalogue vouches for.
    pub(crate) fn count(&mut self) -> Result<i64, Failure> {
        let Self { runtime, connection } = self;
        runtime.block_on(count(connection)).map_err(|error| failed("count", &error))
    }

    /// The record of a file that is in the database already.
    pub(crate) fn record_of(&mut self, sha256: &str) -> Result<Option<i64>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(KNOWN).bind(sha256).fetch_optional(connection));
        row.map(|row| row.map(|row| row.get(1))).map_err(|error| failed("look a scan up", &error))
    }

    /// Whether a generated scan of this name is in the database already.
    pub(crate) fn is_generated(&mut self, name: &str) -> Result<bool, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(NAMED).bind(name).fetch_optional(connection));
        row.map(|row| row.is_some()).map_err(|error| failed("look a scan up", &error))
    }

    /// Appends scans: `append` is called once with the number of the first record, inside the transaction that keeps other
    /// writers out, and must have written the features for good when it returns.
    pub(crate) fn append(
        &mut self,
        scans: &[(Scan, Option<Vec<u8>>)],
        append: impl FnOnce(i64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { runtime, connection } = self;
        let cannot = |error: sqlx::Error| failed("write", &error);
        runtime.block_on(async {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(cannot)?;
            let first = count(&mut transaction).await.map_err(cannot)?;
            append(first)?;
            for (record, (scan, prepared)) in (first..).zip(scans) {
                insert(&mut transaction, record, scan).await.map_err(cannot)?;
                if let Some(bytes) = prepared {
                    let query = sqlx::query(PUT_PREPARED).bind(record).bind(bytes);
                    query.execute(&mut *transaction).await.map_err(cannot)?;
                }
            }
            transaction.commit().await.map_err(cannot)
        })
    }

    /// One row.
    pub(crate) fn scan(&mut self, record: i64) -> Result<Option<Scan>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(SCAN).bind(record).fetch_optional(connection));
        row.map(|row| row.as_ref().map(scan)).map_err(|error| failed("read", &error))
    }

    /// Up to 10,000 rows behind a record.
    pub(crate) fn page(&mut self, after: i64) -> Result<Vec<Scan>, Failure> {
        let Self { runtime, connection } = self;
        let rows = runtime.block_on(sqlx::query(PAGE).bind(after).fetch_all(connection));
        rows.map(|rows| rows.iter().map(scan).collect()).map_err(|error| failed("read", &error))
    }

    /// The prepared scan of a record, where it was kept.
    pub(crate) fn prepared(&mut self, record: i64) -> Result<Option<Vec<u8>>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(PREPARED).bind(record).fetch_optional(connection));
        row.map(|row| row.map(|row| row.get(0))).map_err(|error| failed("read a prepared scan", &error))
    }

    /// The records that pass a filter.
    pub(crate) fn admitted(&mut self, filter: &Filter) -> Result<HashSet<usize>, Failure> {
        let Self { runtime, connection } = self;
        let query = sqlx::query(ADMITTED)
            .bind(filter.calibre.as_deref().map(bare))
            .bind(filter.class.as_deref().map(bare))
            .bind(&filter.from)
            .bind(&filter.to)
            .bind(filter.real_only);
        let rows = runtime.block_on(query.fetch_all(connection)).map_err(|error| failed("filter", &error))?;
        Ok(rows.iter().map(|row| row.get::<i64, _>(0) as usize).collect())
    }
}

async fn count(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    Ok(sqlx::query(COUNT).fetch_one(connection).await?.get(0))
}

async fn insert(connection: &mut SqliteConnection, record: i64, scan: &Scan) -> Result<(), sqlx::Error> {
    let Particulars { exhibit, calibre, class, date } = &scan.particulars;
    sqlx::query(INSERT)
        .bind(record)
        .bind(&scan.name)
        .bind(&scan.path)
        .bind(&scan.sha256)
        .bind(scan.origin == Origin::Simulated)
        .bind(exhibit)
        .bind(calibre)
        .bind(class)
        .bind(date)
        .execute(connection)
        .await
        .map(drop)
}

fn scan(row: &SqliteRow) -> Scan {
    Scan {
        record: row.get(0),
        name: row.get(1),
        path: row.get(2),
        sha256: row.get(3),
        origin: if row.get(4) { Origin::Simulated } else { Origin::Real },
        particulars: Particulars {
            exhibit: row.get(5),
            calibre: row.get(6),
            class: row.get(7),
            date: row.get(8),
        },
    }
}

fn failed(what: &str, error: &sqlx::Error) -> Failure {
    Exit::Environment.because(format!("the catalogue of the database failed to {what}: {error}"))
}
