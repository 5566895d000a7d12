//! The catalogue of a scan database: the only place of this program that knows SQL.

use std::path::Path;

use comparison::search::Origin;
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

use super::characteristics::Characteristics;
use super::filter::{Column, Filter};
use crate::exit::{Exit, Failure, OrExit as _};

/// What a laboratory knows of a case beside its scan; what is empty is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Particulars {
    pub(crate) exhibit: Option<String>,
    pub(crate) calibre: Option<String>,
    /// Class characteristics in free words.
    pub(crate) class: Option<String>,
    /// Year, month and day of the event.
    pub(crate) date: Option<String>,
    #[serde(flatten)]
    pub(crate) characteristics: Characteristics,
}

/// A scan as it is taken in.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    /// Of the file; none where features were generated without one.
    pub(crate) sha256: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) particulars: Particulars,
}

/// A row of the catalogue; the record is its place in the feature file.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) record: i64,
    pub(crate) scan: Scan,
    /// Of the prepared scan, where it was kept.
    pub(crate) prepared_sha256: Option<String>,
    /// What binds all of this to the record, in hexadecimal digits.
    pub(crate) seal: String,
}

/// A scan with its seal, ready for a row.
pub(crate) struct Sealed {
    pub(crate) scan: Scan,
    pub(crate) prepared: Option<Vec<u8>>,
    pub(crate) prepared_sha256: Option<String>,
    pub(crate) seal: String,
}

/// An open catalogue.
pub(crate) struct Catalogue {
    runtime: Runtime,
    connection: SqliteConnection,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS scans (
  record INTEGER PRIMARY KEY, name TEXT NOT NULL, path TEXT, sha256 TEXT UNIQUE, simulated INTEGER NOT NULL,
  exhibit TEXT, calibre TEXT, class TEXT, date TEXT,
  firing_pin TEXT, breech_face TEXT, aperture TEXT, extractor TEXT, ejector TEXT,
  prepared_sha256 TEXT, seal TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS scans_name ON scans (name);
CREATE TABLE IF NOT EXISTS prepared (record INTEGER PRIMARY KEY REFERENCES scans, bytes BLOB NOT NULL);";
const INSERT: &str =
    "INSERT INTO scans (record, name, path, sha256, simulated, exhibit, calibre, class, date,
    firing_pin, breech_face, aperture, extractor, ejector, prepared_sha256, seal)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const PUT_PREPARED: &str = "INSERT INTO prepared (record, bytes) VALUES (?1, ?2)";
const COUNT: &str = "SELECT coalesce(max(record) + 1, 0) FROM scans";
const KNOWN: &str = "SELECT sha256, record FROM scans WHERE sha256 = ?1";
const ROW: &str = "SELECT record, name, path, sha256, simulated, exhibit, calibre, class, date,
    firing_pin, breech_face, aperture, extractor, ejector, prepared_sha256, seal FROM scans WHERE record = ?1";
const PAGE: &str = "SELECT record, name, path, sha256, simulated, exhibit, calibre, class, date,
    firing_pin, breech_face, aperture, extractor, ejector, prepared_sha256, seal FROM scans
  WHERE record > ?1 ORDER BY record LIMIT 10000";
const PREPARED: &str = "SELECT bytes FROM prepared WHERE record = ?1";
/// The first eight bytes of every seal in the order of the records, as one text: a hundred thousand rows one by one take longer
/// than a search may.
const SEALS: &str =
    "SELECT coalesce(group_concat(substr(seal, 1, 16), ''), ''), count(*), coalesce(max(record) + 1, 0)
  FROM (SELECT record, seal FROM scans ORDER BY record)";
/// Records, in one text likewise. What a filter wants of a column is given as the list of the values there that agree with it.
const ADMITTED: &str = "SELECT coalesce(group_concat(record), '') FROM scans
  WHERE (?1 IS NULL OR calibre IS NULL OR calibre IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR class IS NULL OR class IN (SELECT value FROM json_each(?2)))
  AND (?3 IS NULL OR firing_pin IS NULL OR firing_pin IN (SELECT value FROM json_each(?3)))
  AND (?4 IS NULL OR breech_face IS NULL OR breech_face IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR aperture IS NULL OR aperture IN (SELECT value FROM json_each(?5)))
  AND (?6 IS NULL OR extractor IS NULL OR extractor IN (SELECT value FROM json_each(?6)))
  AND (?7 IS NULL OR ejector IS NULL OR ejector IN (SELECT value FROM json_each(?7)))
  AND (?8 IS NULL OR date IS NULL OR date >= ?8)
  AND (?9 IS NULL OR date IS NULL OR date <= ?9) AND (simulated = 0 OR NOT ?10)";
const NAMED: &str = "SELECT record FROM scans WHERE name = ?1 AND sha256 IS NULL LIMIT 1";

/// The different values of a column.
fn values(column: Column) -> &'static str {
    match column {
        Column::Calibre => "SELECT DISTINCT calibre FROM scans WHERE calibre IS NOT NULL",
        Column::Class => "SELECT DISTINCT class FROM scans WHERE class IS NOT NULL",
        Column::FiringPin => "SELECT DISTINCT firing_pin FROM scans WHERE firing_pin IS NOT NULL",
        Column::BreechFace => "SELECT DISTINCT breech_face FROM scans WHERE breech_face IS NOT NULL",
        Column::Aperture => "SELECT DISTINCT aperture FROM scans WHERE aperture IS NOT NULL",
        Column::Extractor => "SELECT DISTINCT extractor FROM scans WHERE extractor IS NOT NULL",
        Column::Ejector => "SELECT DISTINCT ejector FROM scans WHERE ejector IS NOT NULL",
    }
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
        scans: &[Sealed],
        append: impl FnOnce(i64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { runtime, connection } = self;
        let cannot = |error: sqlx::Error| failed("write", &error);
        runtime.block_on(async {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(cannot)?;
            let first = count(&mut transaction).await.map_err(cannot)?;
            append(first)?;
            for (record, sealed) in (first..).zip(scans) {
                insert(&mut transaction, record, sealed).await.map_err(cannot)?;
                if let Some(bytes) = &sealed.prepared {
                    let query = sqlx::query(PUT_PREPARED).bind(record).bind(bytes);
                    query.execute(&mut *transaction).await.map_err(cannot)?;
                }
            }
            transaction.commit().await.map_err(cannot)
        })
    }

    /// One row.
    pub(crate) fn row(&mut self, record: i64) -> Result<Option<Row>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(ROW).bind(record).fetch_optional(connection));
        row.map(|row| row.as_ref().map(read)).map_err(|error| failed("read", &error))
    }

    /// The first eight bytes of the seals of all records, in their order, as big-endian numbers.
    ///
    /// Refused where there is not one row for each record up to the last.
    pub(crate) fn seals(&mut self) -> Result<Vec<u64>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(SEALS).fetch_one(connection));
        let row = row.map_err(|error| failed("read the seals", &error))?;
        let (text, rows, records): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let digits = text.as_bytes().chunks_exact(16);
        let seals: Option<Vec<u64>> =
            digits.map(|digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).collect();
        seals.filter(|seals| rows == records && seals.len() as i64 == records).ok_or_else(|| {
            Exit::Environment.because(format!(
                "the catalogue of the database has {rows} rows for {records} records, or rows without a seal\n\
                 hint: restore the folder from a backup, or index again"
            ))
        })
    }

    /// Up to 10,000 rows behind a record.
    pub(crate) fn page(&mut self, after: i64) -> Result<Vec<Row>, Failure> {
        let Self { runtime, connection } = self;
        let rows = runtime.block_on(sqlx::query(PAGE).bind(after).fetch_all(connection));
        rows.map(|rows| rows.iter().map(read).collect()).map_err(|error| failed("read", &error))
    }

    /// The prepared scan of a record, where it was kept.
    pub(crate) fn prepared(&mut self, record: i64) -> Result<Option<Vec<u8>>, Failure> {
        let Self { runtime, connection } = self;
        let row = runtime.block_on(sqlx::query(PREPARED).bind(record).fetch_optional(connection));
        row.map(|row| row.map(|row| row.get(0))).map_err(|error| failed("read a prepared scan", &error))
    }

    /// Which of so many records pass a filter.
    pub(crate) fn admitted(&mut self, filter: &Filter, records: usize) -> Result<Vec<bool>, Failure> {
        let mut agreeing = Vec::new();
        for column in Column::ALL {
            agreeing.push(match filter.wanted(column) {
                None => None,
                Some(wanted) => Some(self.agreeing(column, wanted)?),
            });
        }
        let Self { runtime, connection } = self;
        let query = agreeing.into_iter().fold(sqlx::query(ADMITTED), sqlx::query::Query::bind);
        let query = query
            .bind(filter.from.map(|date| date.to_string()))
            .bind(filter.to.map(|date| date.to_string()))
            .bind(filter.real_only);
        let row = runtime.block_on(query.fetch_one(connection)).map_err(|error| failed("filter", &error))?;
        let text: String = row.get(0);
        let mut admitted = vec![false; records];
        for record in text.split(',').filter_map(|record| record.parse::<usize>().ok()) {
            // Rows behind the last of them were taken in since.
            if let Some(admitted) = admitted.get_mut(record) {
                *admitted = true;
            }
        }
        Ok(admitted)
    }

    /// The values of a column that agree with what is wanted, as a JSON list.
    fn agreeing(&mut self, column: Column, wanted: &str) -> Result<String, Failure> {
        let Self { runtime, connection } = self;
        let rows = runtime.block_on(sqlx::query(values(column)).fetch_all(connection));
        let rows = rows.map_err(|error| failed("filter", &error))?;
        let told = rows.iter().map(|row| row.get::<String, _>(0));
        let values: Vec<String> = told.filter(|told| column.agrees(wanted, told)).collect();
        serde_json::to_string(&values).or_exit(Exit::Environment, "cannot filter")
    }
}

async fn count(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    Ok(sqlx::query(COUNT).fetch_one(connection).await?.get(0))
}

async fn insert(connection: &mut SqliteConnection, record: i64, sealed: &Sealed) -> Result<(), sqlx::Error> {
    let Sealed { scan, prepared_sha256, seal, .. } = sealed;
    let Particulars { exhibit, calibre, class, date, characteristics } = &scan.particulars;
    let Characteristics { firing_pin, breech_face, aperture, extractor, ejector } = characteristics;
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
        .bind(firing_pin)
        .bind(breech_face)
        .bind(aperture)
        .bind(extractor)
        .bind(ejector)
        .bind(prepared_sha256)
        .bind(seal)
        .execute(connection)
        .await
        .map(drop)
}

fn read(row: &SqliteRow) -> Row {
    let characteristics = Characteristics {
        firing_pin: row.get(9),
        breech_face: row.get(10),
        aperture: row.get(11),
        extractor: row.get(12),
        ejector: row.get(13),
    };
    let particulars = Particulars {
        exhibit: row.get(5),
        calibre: row.get(6),
        class: row.get(7),
        date: row.get(8),
        characteristics,
    };
    Row {
        record: row.get(0),
        scan: Scan {
            name: row.get(1),
            path: row.get(2),
            sha256: row.get(3),
            origin: if row.get(4) { Origin::Simulated } else { Origin::Real },
            particulars,
        },
        prepared_sha256: row.get(14),
        seal: row.get(15),
    }
}

fn failed(what: &str, error: &sqlx::Error) -> Failure {
    Exit::Environment.because(format!("the catalogue of the database failed to {what}: {error}"))
}
