//! The statements run, once for each database: this file is compiled twice, as `sqlite::queries` and
//! `postgres::queries`, with `Db`, `Connection` and `Row` of the parent module.

use std::sync::Arc;

use sqlx::Row as _;

pub(crate) use super::checks::{
    block_rows, closures, code_at_unit, code_page, counters, issued_as, last_effect, last_issue, orphans,
    part_entries, tallies, wrong_fittings,
};
use super::{Connection, Db, PLACES, Row, schema};
use crate::store::rows::{
    BookRow, CodeRow, EntryRow, FirearmRow, KeyRow, KnownFirearm, RecordRow, RunRows, StoredCode,
    StoredEntry, StoredFirearm,
};
use crate::store::sql;
use crate::store::tables::{Kind, Table, Value};

type Done<T> = Result<T, sqlx::Error>;

pub(crate) async fn migrate(conn: &mut Connection, now: i64) -> Done<()> {
    sqlx::query::<Db>(sql::SCHEMA_LOCK).bind(now).execute(&mut *conn).await?;
    let applied = sqlx::query::<Db>(sql::SCHEMA_APPLIED).fetch_one(&mut *conn).await?.try_get::<i64, _>(0)?;
    for (version, text) in (1_i64..).zip(sql::SCHEMA).filter(|(version, _)| *version > applied) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(schema(text))).execute(&mut *conn).await?;
        sqlx::query::<Db>(sql::SCHEMA_DONE).bind(version).bind(now).execute(&mut *conn).await?;
    }
    Ok(())
}

pub(crate) async fn version(conn: &mut Connection) -> Done<i64> {
    sqlx::query::<Db>(sql::SCHEMA_APPLIED).fetch_one(&mut *conn).await?.try_get(0)
}

/// What the last record of a kind says.
pub(crate) async fn last_record(conn: &mut Connection, kind: &str) -> Done<Option<String>> {
    let row = sqlx::query::<Db>(sql::LAST_RECORD).bind(kind).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

pub(crate) async fn clock_acts(conn: &mut Connection) -> Done<Vec<(i64, String)>> {
    let rows = sqlx::query::<Db>(sql::CLOCK_ACTS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Takes `count` numbers of a counter and returns the first; counters begin at 1.
pub(crate) async fn take_numbers(conn: &mut Connection, name: &str, count: i64) -> Done<i64> {
    let row = sqlx::query::<Db>(sql::TAKE_NUMBERS).bind(name).bind(count).fetch_one(&mut *conn).await?;
    Ok(row.try_get::<i64, _>(0)? - count + 1)
}

/// How many numbers of a counter were taken.
pub(crate) async fn numbers_taken(conn: &mut Connection, name: &str) -> Done<i64> {
    let row = sqlx::query::<Db>(sql::NEXT_NUMBER).bind(name).fetch_optional(&mut *conn).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

pub(crate) async fn open_block(conn: &mut Connection, prefix: i64, key_check: &str, now: i64) -> Done<bool> {
    let query = sqlx::query::<Db>(sql::OPEN_BLOCK).bind(prefix).bind(key_check).bind(now);
    Ok(query.execute(&mut *conn).await?.rows_affected() == 1)
}

pub(crate) async fn blocks(conn: &mut Connection) -> Done<Vec<(i64, String)>> {
    let rows = sqlx::query::<Db>(sql::BLOCKS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(crate) async fn put_record(conn: &mut Connection, record: &RecordRow) -> Done<()> {
    let query = sqlx::query::<Db>(sql::PUT_RECORD)
        .bind(record.record_id)
        .bind(record.kind.as_str())
        .bind(record.recorded_at)
        .bind(record.salt.as_slice())
        .bind(record.body.as_str());
    query.execute(&mut *conn).await.map(drop)
}

/// How many entries there are, and the highest number.
pub(crate) async fn count_entries(conn: &mut Connection) -> Done<(i64, i64)> {
    let row = sqlx::query::<Db>(sql::COUNT_ENTRIES).fetch_one(&mut *conn).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

pub(crate) async fn count_codes(conn: &mut Connection) -> Done<i64> {
    sqlx::query::<Db>(sql::COUNT_CODES).fetch_one(&mut *conn).await?.try_get(0)
}

/// How many units from one to before another have a code.
pub(crate) async fn count_units(conn: &mut Connection, first: i64, end: i64) -> Done<i64> {
    sqlx::query::<Db>(sql::COUNT_UNITS).bind(first).bind(end).fetch_one(&mut *conn).await?.try_get(0)
}

/// Codes and serial numbers of a run, in the order of their units.
pub(crate) async fn issued_units(conn: &mut Connection, first: i64, end: i64) -> Done<Vec<(i64, String)>> {
    let query = sqlx::query::<Db>(sql::ISSUED_UNITS).bind(first).bind(end);
    let rows = query.fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(crate) async fn recorded_at(conn: &mut Connection, record: i64) -> Done<Option<i64>> {
    let row = sqlx::query::<Db>(sql::RECORDED_AT).bind(record).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

pub(crate) async fn put_logged(conn: &mut Connection, record: i64, log_index: i64) -> Done<()> {
    sqlx::query::<Db>(sql::PUT_LOGGED).bind(record).bind(log_index).execute(&mut *conn).await.map(drop)
}

pub(crate) async fn log_end(conn: &mut Connection) -> Done<i64> {
    sqlx::query::<Db>(sql::LOG_END).fetch_one(&mut *conn).await?.try_get(0)
}

pub(crate) async fn spellings(conn: &mut Connection, licence: &str, model: &str) -> Done<Vec<String>> {
    let rows = sqlx::query::<Db>(sql::SPELLINGS).bind(licence).bind(model).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

pub(crate) async fn models(conn: &mut Connection, licence: &str) -> Done<Vec<String>> {
    let rows = sqlx::query::<Db>(sql::MODELS).bind(licence).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

pub(crate) async fn log_index(conn: &mut Connection, record: i64) -> Done<Option<i64>> {
    let row = sqlx::query::<Db>(sql::LOG_INDEX).bind(record).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

pub(crate) async fn records(conn: &mut Connection, after: i64, limit: i64) -> Done<Vec<RecordRow>> {
    let rows = sqlx::query::<Db>(sql::RECORDS).bind(after).bind(limit).fetch_all(&mut *conn).await?;
    rows.iter().map(record).collect()
}

/// The record behind an entry of the log.
pub(crate) async fn record_at(conn: &mut Connection, log_index: i64) -> Done<Option<RecordRow>> {
    let row = sqlx::query::<Db>(sql::RECORD_AT).bind(log_index).fetch_optional(&mut *conn).await?;
    row.as_ref().map(record).transpose()
}

fn record(row: &Row) -> Done<RecordRow> {
    Ok(RecordRow {
        record_id: row.try_get(0)?,
        kind: row.try_get(1)?,
        recorded_at: row.try_get(2)?,
        salt: row.try_get(3)?,
        body: row.try_get(4)?,
        log_index: row.try_get(5)?,
    })
}

/// Takes salt and text out of questions and answers of a run of records; the rows stay.
pub(crate) async fn erase_records(conn: &mut Connection, first: i64, last: i64) -> Done<u64> {
    let nothing: &[u8] = &[];
    let query = sqlx::query::<Db>(sql::ERASE_RECORDS).bind(nothing).bind(first).bind(last);
    Ok(query.execute(&mut *conn).await?.rows_affected())
}

async fn find_number(conn: &mut Connection, statement: &'static str, words: &[&str]) -> Done<Option<i64>> {
    let mut query = sqlx::query::<Db>(statement);
    for word in words {
        query = query.bind(*word);
    }
    query.fetch_optional(&mut *conn).await?.map(|row| row.try_get(0)).transpose()
}

async fn find_or_put(
    conn: &mut Connection,
    [find, put]: [&'static str; 2],
    counter: &str,
    words: &[&str],
) -> Done<i64> {
    if let Some(number) = find_number(conn, find, words).await? {
        return Ok(number);
    }
    let number = take_numbers(conn, counter, 1).await?;
    let mut query = sqlx::query::<Db>(put).bind(number);
    for word in words {
        query = query.bind(*word);
    }
    query.execute(&mut *conn).await?;
    Ok(number)
}

pub(crate) async fn party(conn: &mut Connection, licence: &str, name: &str) -> Done<i64> {
    find_or_put(conn, [sql::FIND_PARTY, sql::PUT_PARTY], "party", &[licence, name]).await
}

pub(crate) async fn line(conn: &mut Connection, licence: &str, model: &str) -> Done<i64> {
    find_or_put(conn, [sql::FIND_LINE, sql::PUT_LINE], "line", &[licence, model]).await
}

pub(crate) async fn find_line(conn: &mut Connection, licence: &str, model: &str) -> Done<Option<i64>> {
    find_number(conn, sql::FIND_LINE, &[licence, model]).await
}

pub(crate) async fn description(conn: &mut Connection, body: &str) -> Done<i64> {
    find_or_put(conn, [sql::FIND_DESCRIPTION, sql::PUT_DESCRIPTION], "description", &[body]).await
}

pub(crate) async fn put_closure(
    conn: &mut Connection,
    licence: &str,
    (closed_on, recorded_at): (i64, i64),
    records_at: &str,
) -> Done<()> {
    let query =
        sqlx::query::<Db>(sql::PUT_CLOSURE).bind(licence).bind(closed_on).bind(records_at).bind(recorded_at);
    query.execute(&mut *conn).await.map(drop)
}

pub(crate) async fn drop_closure(conn: &mut Connection, licence: &str) -> Done<()> {
    sqlx::query::<Db>(sql::DROP_CLOSURE).bind(licence).execute(&mut *conn).await.map(drop)
}

/// Licences of those that closed, and when.
pub(crate) async fn closing_days(conn: &mut Connection) -> Done<Vec<(String, i64)>> {
    let rows = sqlx::query::<Db>(sql::CLOSING_DAYS).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Number and day of the first hand-over by or to a licensee after a day.
pub(crate) async fn dealt_after(conn: &mut Connection, licence: &str, day: i64) -> Done<Option<(i64, i64)>> {
    let row = sqlx::query::<Db>(sql::DEALT_AFTER).bind(licence).bind(day).fetch_optional(&mut *conn).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// How many names stand beside a licence in the book.
pub(crate) async fn names_of_licence(conn: &mut Connection, licence: &str) -> Done<i64> {
    sqlx::query::<Db>(sql::NAMES_LICENCE).bind(licence).fetch_one(&mut *conn).await?.try_get(0)
}

pub(crate) async fn closure(conn: &mut Connection, licence: &str) -> Done<Option<(i64, String)>> {
    let row = sqlx::query::<Db>(sql::CLOSURE).bind(licence).fetch_optional(&mut *conn).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

pub(crate) async fn put_party_key(
    conn: &mut Connection,
    verifier: &str,
    party: i64,
    kind: &str,
    (valid_from, valid_until, registered_at): (i64, i64, i64),
) -> Done<()> {
    let query = sqlx::query::<Db>(sql::PUT_PARTY_KEY).bind(verifier).bind(party).bind(kind);
    let query = query.bind(valid_from).bind(valid_until).bind(registered_at);
    query.execute(&mut *conn).await.map(drop)
}

pub(crate) async fn put_revocation(conn: &mut Connection, verifier: &str, at: i64, reason: &str) -> Done<()> {
    let query = sqlx::query::<Db>(sql::PUT_REVOCATION).bind(verifier).bind(at).bind(reason);
    query.execute(&mut *conn).await.map(drop)
}

pub(crate) async fn party_keys(conn: &mut Connection) -> Done<Vec<KeyRow>> {
    let rows = sqlx::query::<Db>(sql::PARTY_KEYS).fetch_all(&mut *conn).await?;
    let key = |row: &Row| {
        Ok(KeyRow {
            verifier: row.try_get(0)?,
            licence: row.try_get(1)?,
            name: row.try_get(2)?,
            kind: row.try_get(3)?,
            valid_from: row.try_get(4)?,
            valid_until: row.try_get(5)?,
            registered_at: row.try_get(6)?,
            revoked_at: row.try_get(7)?,
            reason: row.try_get(8)?,
        })
    };
    rows.iter().map(key).collect()
}

pub(crate) async fn put_statement(conn: &mut Connection, number: i64, sha256: &str, note: &str) -> Done<()> {
    let query = sqlx::query::<Db>(sql::PUT_STATEMENT).bind(number).bind(sha256).bind(note);
    query.execute(&mut *conn).await.map(drop)
}

/// The text of a signed statement by its hash.
pub(crate) async fn statement(conn: &mut Connection, sha256: &str) -> Done<Option<String>> {
    let row = sqlx::query::<Db>(sql::STATEMENT).bind(sha256).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

pub(crate) async fn find_firearm(conn: &mut Connection, line: i64, serial: &str) -> Done<Option<i64>> {
    let row = sqlx::query::<Db>(sql::FIND_FIREARM).bind(line).bind(serial).fetch_optional(&mut *conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// Those of the firearms (model's number and serial number) that the books have.
pub(crate) async fn known_firearms(
    conn: &mut Connection,
    keys: &[(i64, Arc<str>)],
) -> Done<Vec<KnownFirearm>> {
    let mut known = Vec::new();
    for (statement, part) in sql::KNOWN_FIREARMS.split(&PLACES, keys) {
        let mut query = sqlx::query::<Db>(statement);
        for (line, serial) in part {
            query = query.bind(*line).bind(Arc::clone(serial));
        }
        for row in query.fetch_all(&mut *conn).await? {
            known.push(KnownFirearm {
                line_id: row.try_get(0)?,
                serial: row.try_get(1)?,
                firearm_id: row.try_get(2)?,
                description: row.try_get(3)?,
            });
        }
    }
    Ok(known)
}

pub(crate) async fn firearm(conn: &mut Connection, firearm: i64) -> Done<Option<StoredFirearm>> {
    let row = sqlx::query::<Db>(sql::FIREARM).bind(firearm).fetch_optional(&mut *conn).await?;
    let stored = |row: Row| {
        Ok(StoredFirearm {
            key: [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?],
            description: row.try_get(3)?,
        })
    };
    row.map(stored).transpose()
}

/// Firearms after a number, with their keys and descriptions as first recorded.
pub(crate) async fn firearm_page(
    conn: &mut Connection,
    after: i64,
    limit: i64,
) -> Done<Vec<(i64, StoredFirearm)>> {
    let rows = sqlx::query::<Db>(sql::FIREARM_PAGE).bind(after).bind(limit).fetch_all(&mut *conn).await?;
    let stored = |row: &Row| {
        let key = [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
        Ok((row.try_get(0)?, StoredFirearm { key, description: row.try_get(4)? }))
    };
    rows.iter().map(stored).collect()
}

/// Whether nothing that stands brings a firearm into the books any more.
pub(crate) async fn was_withdrawn(conn: &mut Connection, line: i64, serial: &str) -> Done<bool> {
    let query = sqlx::query::<Db>(sql::WITHDRAWN).bind(line).bind(serial);
    Ok(query.fetch_one(&mut *conn).await?.try_get::<i64, _>(0)? > 0)
}

/// The code that was issued when the firearm was made, when that was, and on which parts it stands.
pub(crate) async fn issued_to_serial(
    conn: &mut Connection,
    line: i64,
    serial: &str,
) -> Done<Option<(i64, i64, i64)>> {
    let query = sqlx::query::<Db>(sql::ISSUED_TO_SERIAL).bind(line).bind(serial);
    let row = query.fetch_optional(&mut *conn).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).transpose()
}

pub(crate) async fn code(conn: &mut Connection, code: i64) -> Done<Option<StoredCode>> {
    let row = sqlx::query::<Db>(sql::CODE).bind(code).fetch_optional(&mut *conn).await?;
    let stored = |row: Row| {
        Ok(StoredCode {
            parts: row.try_get(0)?,
            firearm_id: row.try_get(1)?,
            record_id: row.try_get(2)?,
            issued_at: row.try_get(3)?,
        })
    };
    row.map(stored).transpose()
}

pub(crate) async fn entries_of_firearm(conn: &mut Connection, firearm: i64) -> Done<Vec<StoredEntry>> {
    let rows = sqlx::query::<Db>(sql::ENTRIES_OF_FIREARM).bind(firearm).fetch_all(&mut *conn).await?;
    rows.iter().map(stored_entry).collect()
}

pub(crate) async fn entries_of_firearms(conn: &mut Connection, firearms: &[i64]) -> Done<Vec<StoredEntry>> {
    let mut entries = Vec::new();
    for (statement, part) in sql::ENTRIES_OF_FIREARMS.split(&PLACES, firearms) {
        let mut query = sqlx::query::<Db>(statement);
        for firearm in part {
            query = query.bind(*firearm);
        }
        for row in query.fetch_all(&mut *conn).await? {
            entries.push(stored_entry(&row)?);
        }
    }
    Ok(entries)
}

pub(crate) async fn entries_of_code(conn: &mut Connection, code: i64) -> Done<Vec<StoredEntry>> {
    let rows = sqlx::query::<Db>(sql::ENTRIES_OF_CODE).bind(code).fetch_all(&mut *conn).await?;
    rows.iter().map(stored_entry).collect()
}

pub(crate) async fn book_page(
    conn: &mut Connection,
    after: i64,
    limit: i64,
    view: i64,
) -> Done<Vec<BookRow>> {
    let query = sqlx::query::<Db>(sql::BOOK_PAGE).bind(after).bind(limit).bind(view);
    query.fetch_all(&mut *conn).await?.iter().map(book_row).collect()
}

/// Entries from one number to before another, each with the description that it itself says.
pub(crate) async fn entry_range(conn: &mut Connection, first: i64, end: i64) -> Done<Vec<BookRow>> {
    let query = sqlx::query::<Db>(sql::ENTRY_RANGE).bind(first).bind(end);
    query.fetch_all(&mut *conn).await?.iter().map(book_row).collect()
}

pub(super) fn book_row(row: &Row) -> Done<BookRow> {
    let key = [row.try_get(15)?, row.try_get(16)?, row.try_get(17)?];
    Ok(BookRow { entry: stored_entry(row)?, key })
}

fn stored_entry(row: &Row) -> Done<StoredEntry> {
    let other = row.try_get::<Option<String>, _>(5)?.zip(row.try_get::<Option<String>, _>(6)?);
    Ok(StoredEntry {
        entry_id: row.try_get(0)?,
        firearm_id: row.try_get(1)?,
        kind: row.try_get(2)?,
        holder: (row.try_get(3)?, row.try_get(4)?),
        other,
        happened_on: row.try_get(7)?,
        recorded_at: row.try_get(8)?,
        recorded_by: row.try_get(9)?,
        description: row.try_get(10)?,
        code: row.try_get(11)?,
        corrects: row.try_get(12)?,
        void: row.try_get::<i64, _>(13)? != 0,
        body: row.try_get(14)?,
    })
}

pub(crate) async fn put_firearms(conn: &mut Connection, rows: &[FirearmRow]) -> Done<()> {
    for (statement, part) in sql::PUT_FIREARMS.split(&PLACES, rows) {
        let mut query = sqlx::query::<Db>(statement);
        for row in part {
            query = query
                .bind(row.firearm_id)
                .bind(row.line_id)
                .bind(Arc::clone(&row.serial))
                .bind(row.description_id);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

pub(crate) async fn put_code(conn: &mut Connection, row: &CodeRow) -> Done<()> {
    let query = sqlx::query::<Db>(sql::PUT_CODE).bind(row.code).bind(row.unit).bind(row.parts);
    let query = query.bind(row.firearm_id).bind(row.record_id).bind(row.issued_at);
    query.execute(&mut *conn).await.map(drop)
}

/// Writes a run of new firearms with their codes and entries.
pub(crate) async fn issue(conn: &mut Connection, run: &RunRows<'_>) -> Done<()> {
    let firearms: Vec<_> = (run.first_firearm..).zip(run.units.iter().map(|(serial, _)| *serial)).collect();
    for (statement, part) in sql::ISSUE_FIREARMS.split(&PLACES, &firearms) {
        let mut query = sqlx::query::<Db>(statement).bind(run.line_id).bind(run.description_id);
        for (firearm, serial) in part {
            query = query.bind(*firearm).bind(*serial);
        }
        query.execute(&mut *conn).await?;
    }
    let mut codes: Vec<_> = (run.first_unit..).zip(run.units.iter().map(|(_, code)| *code)).collect();
    // In the order of the table's key, so that each of its pages is visited once.
    codes.sort_unstable_by_key(|(_, code)| *code);
    for (statement, part) in sql::ISSUE_CODES.split(&PLACES, &codes) {
        let mut query = sqlx::query::<Db>(statement).bind(run.parts).bind(run.first_firearm - run.first_unit);
        query = query.bind(run.record_id).bind(run.issued_at);
        for (unit, code) in part {
            query = query.bind(*code).bind(*unit);
        }
        query.execute(&mut *conn).await?;
    }
    let query = sqlx::query::<Db>(sql::ISSUE_ENTRIES).bind(run.first_entry - run.first_firearm);
    let query = query.bind(run.holder).bind(run.made_on).bind(run.issued_at).bind(run.recorded_by);
    let query = query.bind(run.first_unit).bind(run.first_unit + run.units.len() as i64);
    query.execute(&mut *conn).await.map(drop)
}

pub(crate) async fn put_fittings(conn: &mut Connection, rows: &[(i64, i64)]) -> Done<()> {
    for (statement, part) in sql::PUT_FITTINGS.split(&PLACES, rows) {
        let mut query = sqlx::query::<Db>(statement);
        for (entry, code) in part {
            query = query.bind(*entry).bind(*code);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

pub(crate) async fn put_entries(conn: &mut Connection, rows: &[EntryRow]) -> Done<()> {
    for (statement, part) in sql::PUT_ENTRIES.split(&PLACES, rows) {
        let mut query = sqlx::query::<Db>(statement);
        for row in part {
            query =
                query.bind(row.entry_id).bind(row.firearm_id).bind(row.kind).bind(row.holder).bind(row.other);
            query = query.bind(row.happened_on).bind(row.recorded_at).bind(&*row.recorded_by);
            query = query.bind(row.description_id).bind(row.code).bind(row.corrects);
            query = query.bind(i64::from(row.void)).bind(row.body.as_deref());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Writes entries of one person and one time that correct nothing and describe nothing.
pub(crate) async fn add_entries(conn: &mut Connection, rows: &[EntryRow]) -> Done<()> {
    let Some(one) = rows.first() else { return Ok(()) };
    // The same few words stand in every row.
    let mut kinds: Vec<(&str, Arc<str>)> = Vec::new();
    for (statement, part) in sql::ADD_ENTRIES.split(&PLACES, rows) {
        let mut query = sqlx::query::<Db>(statement).bind(one.recorded_at).bind(Arc::clone(&one.recorded_by));
        for row in part {
            let known =
                kinds.iter().find(|(kind, _)| *kind == row.kind).map(|(_, shared)| Arc::clone(shared));
            let kind = known.unwrap_or_else(|| {
                kinds.push((row.kind, row.kind.into()));
                row.kind.into()
            });
            query = query.bind(row.entry_id).bind(row.firearm_id).bind(kind).bind(row.holder).bind(row.other);
            query = query.bind(row.happened_on).bind(row.code).bind(row.body.as_deref());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Rows of a table after a number, in the order of their numbers; of tables that are never long, all of them.
pub(crate) async fn read_rows(conn: &mut Connection, table: &Table, after: i64) -> Done<Vec<Vec<Value>>> {
    let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(table.select()));
    if table.is_long() {
        query = query.bind(after);
    }
    let rows = query.fetch_all(&mut *conn).await?;
    let value = |row: &Row, at: usize, kind: Kind| {
        Ok(match kind {
            Kind::Number => Value::Number(row.try_get(at)?),
            Kind::Text => Value::Text(row.try_get(at)?),
            Kind::Bytes => Value::Bytes(row.try_get(at)?),
        })
    };
    let read = |row| table.kinds().enumerate().map(|(at, kind)| value(row, at, kind)).collect();
    rows.iter().map(read).collect()
}

/// Writes rows that another database's `read_rows` gave.
pub(crate) async fn write_rows(conn: &mut Connection, table: &Table, rows: &[Vec<Value>]) -> Done<()> {
    for part in rows.chunks((PLACES.most / table.kinds().count()).clamp(1, 500)) {
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(table.insert(part.len(), PLACES.numbered)));
        for value in part.iter().flatten() {
            query = match value {
                Value::Number(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Bytes(bytes) => query.bind(bytes.as_slice()),
            };
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

#[cfg(feature = "synthetic")]
pub(crate) async fn invent(conn: &mut Connection, new: &crate::store::rows::Invented) -> Done<()> {
    let query = sqlx::query::<Db>(sql::INVENT_ENTRIES).bind(new.ahead).bind(new.kind);
    let query = query.bind(new.holders.0).bind(new.holders.1).bind(new.others.map(|others| others.0));
    let query = query.bind(new.others.map_or(1, |others| others.1)).bind(new.days);
    let query = query.bind(new.body).bind(new.entries.0).bind(new.entries.1);
    query.execute(&mut *conn).await.map(drop)
}
