//! Issues a run of codes into a fresh folder and looks them up: the figures of the README.
//!
//! `cargo run -p registry --example million -- 1000000`

use std::io::{Write as _, stdout};
use std::time::Instant;

use jiff::Timestamp;
use registry::{Books, Database, Description, FirearmKind, IssueRun, NewIssuer, Part, serial_run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let issuer = NewIssuer {
        name: "Example Arms (synthetic)".parse()?,
        licence: Some("1-23-456-78-9A-12345".parse()?),
        prefix: "K7".parse()?,
        database: Database::Embedded,
    };
    let now = Timestamp::now();
    let books = Books::create(folder.path(), &issuer, now).await?;
    let run = IssueRun {
        model: "M9 (synthetic)".parse()?,
        description: Description {
            manufacturer: issuer.name.clone(),
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: "9 mm Luger".parse()?,
            country: "US".parse()?,
        },
        serials: serial_run(&"AA0000001".parse()?, count)?,
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: now.to_zoned(jiff::tz::TimeZone::UTC).date(),
        resume: false,
    };
    let mut codes = Vec::new();
    let begun = Instant::now();
    let new = books
        .issue(&run, &"line 1".parse()?, now, |chunk| codes.extend(chunk.iter().map(|one| one.code)))
        .await?;
    let issued = begun.elapsed();
    let mut times: Vec<_> = Vec::new();
    for code in codes.iter().step_by((codes.len() / 20_000).max(1)) {
        let begun = Instant::now();
        books.issued(*code).await?.ok_or("an issued code is not found")?;
        times.push(begun.elapsed());
    }
    times.sort();
    writeln!(stdout(), "{new} codes issued in {:.2} s", issued.as_secs_f64())?;
    writeln!(
        stdout(),
        "look-up of a code: median {:?}, p99 {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    )?;
    books.close().await;
    let size = std::fs::metadata(folder.path().join("books.sqlite"))?.len();
    writeln!(stdout(), "books.sqlite: {} MB", size / 1_000_000)?;
    Ok(())
}
