//! What a large run of codes and a large table cost: the figures of the README.
//!
//! ```text
//! cargo run --release -p registry --example figures -- issue 1000000     # codes for that many firearms, then look-ups
//! cargo run --release -p registry --example figures -- import 1000000    # a table of that many bound-book rows
//! cargo run --release -p registry --example figures -- look DIR          # look-ups in books on SQLite beside bare reads
//! ```

use std::io::{BufWriter, Seek as _, Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use registry::{
    Books, Database, Description, FirearmKind, ImportOptions, IssueRun, NewIssuer, Part, serial_run,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use symbology::{Code, Symbol};

type Done<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["look", folder] = words.as_slice() {
        return look(Path::new(folder)).await;
    }
    let folder = tempfile::tempdir()?;
    let books = books(folder.path()).await?;
    match words.as_slice() {
        ["issue", count] => issue(&books, folder.path(), count.parse()?).await?,
        ["import", rows] => import(&books, folder.path(), rows.parse()?).await?,
        _ => return Err("expected: issue COUNT | import ROWS | look DIR".into()),
    }
    books.close().await;
    let size = std::fs::metadata(folder.path().join("books.sqlite"))?.len();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    writeln!(stdout(), "peak memory {}; books.sqlite {} MB", memory.trim(), size / 1_000_000)?;
    Ok(())
}

async fn books(folder: &Path) -> Done<Books> {
    let issuer = NewIssuer {
        name: "Example Arms (synthetic)".parse()?,
        licence: Some("1-23-456-78-9A-12345".parse()?),
        prefix: "K7".parse()?,
        database: Database::Embedded,
    };
    Ok(Books::create(folder, &issuer, Timestamp::now()).await?)
}

async fn issue(books: &Books, folder: &Path, count: u32) -> Done<()> {
    let run = IssueRun {
        model: "M9".parse()?,
        description: Description {
            manufacturer: books.issuer().name,
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: "9 mm Luger".parse()?,
            country: "US".parse()?,
        },
        serials: serial_run(&"AA0000001".parse()?, count)?,
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: "2024-01-02".parse()?,
        resume: false,
    };
    let begun = Instant::now();
    let new = books.issue(&run, &"line 1".parse()?, Timestamp::now(), |_| ()).await?;
    writeln!(stdout(), "{new} codes issued in {:.2} s", begun.elapsed().as_secs_f64())?;
    look(folder).await
}

/// Look-ups beside bare reads of the same row by its primary key: a prepared statement on this thread, in turn, in one run.
async fn look(folder: &Path) -> Done<()> {
    const READS: usize = 20_000;
    let books = Books::open(folder, Timestamp::now()).await?;
    let bare = Connection::open_with_flags(folder.join("books.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    bare.pragma_update(None, "cache_size", -16_384)?;
    let numbers = some_codes(&bare, READS)?;
    let mut read =
        bare.prepare("SELECT parts, firearm_id, record_id, issued_at FROM code WHERE code = ?1")?;
    let (mut ours, mut theirs) = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    for (at, number) in numbers.iter().enumerate() {
        // Whoever comes second finds the page in memory, so they take turns.
        for turn in [at, at + 1] {
            let begun = Instant::now();
            if turn % 2 == 0 {
                let row = read.query_row([number], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(3)?))
                })?;
                std::hint::black_box(row);
                theirs.push(begun.elapsed());
            } else {
                books.issued(code(*number)?).await?.ok_or("an issued code is not found")?;
                ours.push(begun.elapsed());
            }
        }
    }
    let [ours, theirs] = [ours, theirs].map(|mut times| {
        times.sort();
        [times[READS / 2], times[READS * 99 / 100]].map(|time| time.as_secs_f64() * 1e6)
    });
    writeln!(
        stdout(),
        "look-up {:.1} µs median, {:.1} µs p99; bare primary-key read {:.1} µs median, {:.1} µs p99; ratio {:.2}",
        ours[0],
        ours[1],
        theirs[0],
        theirs[1],
        ours[0] / theirs[0]
    )?;
    books.close().await;
    Ok(())
}

/// Codes from all over the blocks, in no order.
fn some_codes(bare: &Connection, count: usize) -> rusqlite::Result<Vec<i64>> {
    let (low, high): (i64, i64) =
        bare.query_row("SELECT MIN(unit), MAX(unit) FROM code", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut next = bare.prepare("SELECT code FROM code WHERE unit >= ?1 ORDER BY unit LIMIT 1")?;
    let (mut codes, mut unit) = (Vec::with_capacity(count), low);
    while codes.len() < count {
        unit = low + (unit - low + 2_654_435_761) % (high - low + 1);
        codes.extend(next.query_row([unit], |row| row.get::<_, i64>(0)).optional()?);
    }
    Ok(codes)
}

/// A code out of the number that stands for it in the table.
fn code(number: i64) -> Done<Code> {
    let symbol = |place: usize| Symbol::new((number >> (25 - 5 * place) & 31) as u8);
    let symbols: Option<Vec<Symbol>> = (0..6).map(symbol).collect();
    let symbols: [Symbol; 6] = symbols.and_then(|all| all.try_into().ok()).ok_or("five bits are a symbol")?;
    Ok(Code::new(symbols))
}

async fn import(books: &Books, folder: &Path, rows: u32) -> Done<()> {
    let mut table = tempfile::tempfile_in(folder)?;
    write_table(&table, rows)?;
    table.rewind()?;
    let bytes = table.metadata()?.len();
    let (begun, options) = (Instant::now(), ImportOptions::default());
    let mut rejected = Vec::new();
    let acts = (&"clerk".parse()?, Timestamp::now());
    let done = books.import(table, &options, acts, |row| rejected.push(row)).await?;
    let taken = begun.elapsed().as_secs_f64();
    writeln!(
        stdout(),
        "{} rows ({} MB), {} entries in {taken:.1} s, {} rejected",
        done.rows,
        bytes / 1_000_000,
        done.entries,
        rejected.len()
    )?;
    Ok(())
}

/// Every row an acquisition from a wholesaler and a sale at retail, as a dealer's bound book has them.
fn write_table(file: &std::fs::File, rows: u32) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    writeln!(
        out,
        "licence,model,serial,manufacturer,type,calibre,country,holder_licence,holder_name,acquired_on,\
         source_licence,source_name,disposed_on,form_4473"
    )?;
    for row in 0..rows {
        let (model, day) = (row % 40, 1 + row % 28);
        writeln!(
            out,
            "1-23-456-01-9A-{:05},Model {model},S{row:08},Old Works (synthetic),pistol,9 mm Luger,US,\
             1-23-456-01-9A-33333,Corner Guns (synthetic),2024-01-{day:02},1-23-456-01-9A-22222,\
             Wholesale One (synthetic),2024-02-{day:02},T-{row}",
            44_000 + model % 7
        )?;
    }
    out.flush()
}
