//! The statements, compiled for SQLite.

type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

#[path = "queries.rs"]
pub(super) mod queries;
