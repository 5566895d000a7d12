//! Writes a table of bound-book rows, takes it into fresh books, and says what that cost: the figures of the README.
//!
//! `cargo run -p registry --example import_rows -- 1000000`

use std::io::{BufWriter, Seek as _, Write as _, stdout};
use std::time::Instant;

use jiff::Timestamp;
use registry::{Books, Database, ImportOptions, NewIssuer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let issuer = NewIssuer {
        name: "Example Arms (synthetic)".parse()?,
        licence: Some("1-23-456-78-9A-12345".parse()?),
        prefix: "K7".parse()?,
        database: Database::Embedded,
    };
    let books = Books::create(folder.path(), &issuer, Timestamp::now()).await?;
    let mut table = tempfile::tempfile_in(folder.path())?;
    write_table(&table, rows)?;
    table.rewind()?;
    let bytes = table.metadata()?.len();
    let (begun, options) = (Instant::now(), ImportOptions::default());
    let acts = (&"clerk".parse()?, Timestamp::now());
    let done = books.import(table, &options, acts, |row| eprint_row(&row)).await?;
    let taken = begun.elapsed().as_secs_f64();
    let mut out = stdout().lock();
    writeln!(out, "{} rows ({} MB), {} entries in {taken:.1} s", done.rows, bytes / 1_000_000, done.entries)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        writeln!(out, "peak memory: {}", line.trim_start_matches("VmHWM:").trim())?;
    }
    books.close().await;
    let size = std::fs::metadata(folder.path().join("books.sqlite"))?.len();
    writeln!(out, "books.sqlite: {} MB", size / 1_000_000)?;
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

fn eprint_row(row: &registry::Rejected) {
    let _ = writeln!(std::io::stderr(), "line {}: {}", row.line, row.reason);
}
