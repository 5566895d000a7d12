//! The statements, compiled for PostgreSQL.

use super::sql::POSTGRES_PLACES as PLACES;

type Db = sqlx::Postgres;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

#[path = "checks.rs"]
mod checks;
#[path = "queries.rs"]
pub(super) mod queries;

fn schema(text: &'static str) -> &'static str {
    text
}
