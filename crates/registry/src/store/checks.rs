//! What is read to compare the tables with the records. Compiled twice, as `queries.rs` is.

use sqlx::Row as _;

use super::queries::book_row;
use super::{Connection, Db, Row};
use crate::store::rows::{BookRow, ClosureRow, CodeRow, IssuedAs, RunFound};
use crate::store::sql;

type Done<T> = Result<T, sqlx::Error>;

/// How many of a run's codes stand on firearms that are in the book as they were issued, and where.
pub(crate) async fn issued_as(conn: &mut Connection, run: &IssuedAs<'_>) -> Done<RunFound> {
    let query = sqlx::query::<Db>(sql::ISSUED_AS).bind(run.units.0).bind(run.units.1);
    let query = query.bind(run.holder.0).bind(run.holder.1).bind(run.model).bind(run.description);
    let query = query.bind(run.made_on).bind(run.recorded_by).bind(run.record_id);
    let row = query.bind(run.parts).bind(run.issued_at).fetch_one(&mut *conn).await?;
    let in_order = row.try_get::<i64, _>(3)? == 0;
    let (count, first_firearm, first_entry) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(RunFound { count, first_firearm, first_entry, in_order })
}

/// The last record that took effect; 0 where none did.
pub(crate) async fn last_effect(conn: &mut Connection) -> Done<i64> {
    sqlx::query::<Db>(sql::LAST_EFFECT).fetch_one(&mut *conn).await?.try_get(0)
}

/// What the last record says that issued codes of a block.
pub(crate) async fn last_issue(conn: &mut Connection, block: &str) -> Done<Option<String>> {
    let row = sqlx::query::<Db>(sql::LAST_ISSUE).bind(block).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// The code of a unit, whole.
pub(crate) async fn code_at_unit(conn: &mut Connection, unit: i64) -> Done<Option<CodeRow>> {
    let row = sqlx::query::<Db>(sql::CODE_AT_UNIT).bind(unit).fetch_optional(&mut *conn).await?;
    row.as_ref().map(code_row).transpose()
}

fn code_row(row: &Row) -> Done<CodeRow> {
    Ok(CodeRow {
        code: row.try_get(0)?,
        unit: row.try_get(1)?,
        parts: row.try_get(2)?,
        firearm_id: row.try_get(3)?,
        record_id: row.try_get(4)?,
        issued_at: row.try_get(5)?,
    })
}

/// Codes behind a unit, each with the key of the firearm in which it was issued.
pub(crate) async fn code_page(
    conn: &mut Connection,
    after: i64,
    limit: i64,
) -> Done<Vec<(CodeRow, Option<[String; 3]>)>> {
    let rows = sqlx::query::<Db>(sql::CODE_PAGE).bind(after).bind(limit).fetch_all(&mut *conn).await?;
    let keyed = |row: &Row| {
        let key = match row.try_get(6)? {
            Some(licence) => Some([licence, row.try_get(7)?, row.try_get(8)?]),
            None => None,
        };
        Ok((code_row(row)?, key))
    };
    rows.iter().map(keyed).collect()
}

/// Every counter and how many of its numbers were taken.
pub(crate) async fn counters(conn: &mut Connection) -> Done<Vec<(String, i64)>> {
    let rows = sqlx::query::<Db>(sql::COUNTERS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Every block: prefix, what tells its sealing key, when it was opened.
pub(crate) async fn block_rows(conn: &mut Connection) -> Done<Vec<(i64, String, i64)>> {
    let rows = sqlx::query::<Db>(sql::BLOCK_ROWS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Of each numbered table its name, how many rows it has, and the highest number.
pub(crate) async fn tallies(conn: &mut Connection) -> Done<Vec<(String, i64, i64)>> {
    let rows = sqlx::query::<Db>(sql::TALLIES).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Table and number of each name and description that nothing in the book bears.
pub(crate) async fn orphans(conn: &mut Connection) -> Done<Vec<(String, i64)>> {
    let rows = sqlx::query::<Db>(sql::ORPHANS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Numbers of entries that do not agree with the table of fittings, a hundred at most.
pub(crate) async fn wrong_fittings(conn: &mut Connection) -> Done<Vec<i64>> {
    let rows = sqlx::query::<Db>(sql::WRONG_FITTINGS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Entries after a number that change parts.
pub(crate) async fn part_entries(conn: &mut Connection, after: i64, limit: i64) -> Done<Vec<BookRow>> {
    let query = sqlx::query::<Db>(sql::PART_ENTRIES).bind(after).bind(limit);
    query.fetch_all(&mut *conn).await?.iter().map(book_row).collect()
}

pub(crate) async fn closures(conn: &mut Connection) -> Done<Vec<ClosureRow>> {
    let rows = sqlx::query::<Db>(sql::CLOSURES).fetch_all(&mut *conn).await?;
    let closure = |row: &Row| {
        Ok(ClosureRow {
            licence: row.try_get(0)?,
            closed_on: row.try_get(1)?,
            records_at: row.try_get(2)?,
            recorded_at: row.try_get(3)?,
        })
    };
    rows.iter().map(closure).collect()
}
