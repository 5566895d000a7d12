//! The statements, compiled for SQLite.

use super::sql::{SQLITE_PLACES as PLACES, schema_for_sqlite as schema};

type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

#[path = "checks.rs"]
mod checks;
#[path = "queries.rs"]
pub(super) mod queries;
