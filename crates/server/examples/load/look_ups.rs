//! The plain look-up inside a node beside bare reads of the same primary key, in one run.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use registry::Books;
use rusqlite::{Connection, OpenFlags};
use symbology::Code;

use crate::Done;

/// Twenty thousand codes spread over the table.
pub(crate) fn some_codes(issuer: &Path) -> Done<Vec<Code>> {
    let books = bare(issuer)?;
    let count: i64 = books.query_row("SELECT MAX(firearm_id) FROM firearm", [], |row| row.get(0))?;
    let step = (count / 20_000).max(1);
    let sql = "SELECT code FROM code WHERE firearm_id % ?1 = 0 ORDER BY unit % 7919 LIMIT 20000";
    let mut spread = books.prepare(sql)?;
    let numbers: Vec<i64> = spread.query_map([step], |row| row.get(0))?.collect::<Result<_, _>>()?;
    numbers.into_iter().map(code).collect()
}

fn code(number: i64) -> Done<Code> {
    let symbol = |at: i64| symbology::Symbol::new(((number >> (5 * (5 - at))) & 31) as u8).ok_or("no symbol");
    let mut payload = [symbol(0)?; 6];
    for (at, place) in payload.iter_mut().enumerate() {
        *place = symbol(at as i64)?;
    }
    Ok(Code::new(payload))
}

pub(crate) async fn measure(issuer: &Path, codes: &[Code]) -> Done<()> {
    let books = Books::open(issuer, Timestamp::now()).await?;
    let bare = bare(issuer)?;
    // As the books' own connections have it.
    bare.pragma_update(None, "cache_size", -16_384)?;
    let mut read = bare.prepare("SELECT issued_at FROM code WHERE code = ?1")?;
    let (mut times, mut reads) = (Vec::new(), Vec::new());
    // The first round warms both up; in the second they take turns, so that whoever else works here disturbs both alike.
    for round in 0..2 {
        for code in codes {
            let begun = Instant::now();
            books.issued(*code).await?.ok_or("an issued code is not found")?;
            let ours = begun.elapsed();
            let number = code.payload().iter().fold(0, |all, symbol| all << 5 | i64::from(symbol.value()));
            let begun = Instant::now();
            std::hint::black_box(read.query_row([number], |row| row.get::<_, i64>(0))?);
            if round == 1 {
                times.push(ours);
                reads.push(begun.elapsed());
            }
        }
    }
    books.close().await;
    times.sort();
    reads.sort();
    let (ours, theirs) = (times[times.len() / 2], reads[reads.len() / 2]);
    writeln!(
        stdout(),
        "look-up of a code: median {ours:?}, p99 {:?}; bare primary-key read, prepared, on the same thread with the same cache: \
         median {theirs:?}; ratio {:.2}",
        times[times.len() * 99 / 100],
        ours.as_secs_f64() / theirs.as_secs_f64()
    )?;
    Ok(())
}

fn bare(issuer: &Path) -> Done<Connection> {
    Ok(Connection::open_with_flags(issuer.join("books.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}
