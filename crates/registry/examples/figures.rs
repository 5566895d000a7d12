//! What a large run of codes and a large table cost: the figures of the README.
//!
//! ```text
//! cargo run -p registry --example figures -- issue 1000000     # codes for that many firearms, then look-ups
//! cargo run -p registry --example figures -- import 1000000    # a table of that many bound-book rows
//! ```

use std::io::{BufWriter, Seek as _, Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use registry::{
    Books, Database, Description, FirearmKind, ImportOptions, IssueRun, NewIssuer, Part, serial_run,
};

type Done<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir()?;
    let books = books(folder.path()).await?;
    match words.as_slice() {
        ["issue", count] => issue(&books, count.parse()?).await?,
        ["import", rows] => import(&books, folder.path(), rows.parse()?).await?,
        _ => return Err("expected: issue COUNT | import ROWS".into()),
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

async fn issue(books: &Books, count: u32) -> Done<()> {
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
    let (mut codes, begun) = (Vec::new(), Instant::now());
    let take = |chunk: &[registry::Issued]| codes.extend(chunk.iter().map(|one| one.code));
    let new = books.issue(&run, &"line 1".parse()?, Timestamp::now(), take).await?;
    writeln!(stdout(), "{new} codes issued in {:.2} s", begun.elapsed().as_secs_f64())?;
    let mut times: Vec<_> = Vec::new();
    for code in codes.iter().step_by((codes.len() / 20_000).max(1)) {
        let begun = Instant::now();
        books.issued(*code).await?.ok_or("an issued code is not found")?;
        times.push(begun.elapsed());
    }
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    writeln!(stdout(), "look-up of a code: median {median:?}, p99 {late:?}")?;
    Ok(())
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
