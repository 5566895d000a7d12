//! The statements, compiled for PostgreSQL.

type Db = sqlx::Postgres;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

#[path = "queries.rs"]
pub(super) mod queries;
