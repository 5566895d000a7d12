//! Makes books for load tests: firearms with codes, six entries each, all synthetic, and a list of codes to ask for.
//!
//! `cargo run -p registry --features synthetic --example fill_books -- DIR 5000000`
//!
//! `DIR/codes` then holds every 500th code, one a line, with its serial number.

use std::io::{BufWriter, Write as _, stdout};
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use registry::{Books, Database, Description, FirearmKind, IssueRun, NewIssuer, Part, serial_run};

/// Firearms at a time: each step is one transaction.
const STEP: u32 = 1 << 18;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder that does not exist yet")?);
    let firearms: u32 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let name: registry::names::PartyName = "Example Arms (synthetic)".parse()?;
    let licence = Some("1-23-456-78-9A-12345".parse()?);
    let new = NewIssuer { name: name.clone(), licence, prefix: "K0".parse()?, database: Database::Embedded };
    let (now, by) = (Timestamp::now(), "load test".parse()?);
    let books = Books::create(&folder, &new, now).await?;
    let mut codes = BufWriter::new(std::fs::File::create(folder.join("codes"))?);
    let (begun, mut done, mut entries) = (Instant::now(), 0, 0);
    while done < firearms {
        let count = STEP.min(firearms - done);
        if done > 0 && done % (1 << 20) == 0 {
            let next = symbology::Prefix::from_index(new.prefix.index() + (done >> 20) as u16);
            books.open_block(next.ok_or("there are no more blocks")?, &"made up".parse()?, now).await?;
        }
        let run = IssueRun {
            model: "M9 (synthetic)".parse()?,
            description: Description {
                manufacturer: name.clone(),
                importer: None,
                kind: FirearmKind::Pistol,
                calibre: "9 mm Luger".parse()?,
                country: "US".parse()?,
            },
            serials: serial_run(&format!("L{done:08}").parse()?, count)?,
            parts: Part::ALL.to_vec(),
            prefix: None,
            made_on: "2018-01-02".parse()?,
            resume: false,
        };
        let mut kept = String::new();
        let take = |chunk: &[registry::Issued]| {
            kept.extend(chunk.iter().step_by(500).map(|one| format!("{}\t{}\n", one.code, one.serial)));
        };
        books.issue(&run, &by, now, take).await?;
        codes.write_all(kept.as_bytes())?;
        // Every step makes six entries a firearm, the first of which is its making.
        entries += u64::from(count) + books.invent(6 * u64::from(done) + 1, count.into(), &by, now).await?;
        done += count;
        writeln!(stdout(), "{done} firearms, {entries} entries, {:.0} s", begun.elapsed().as_secs_f64())?;
    }
    codes.flush()?;
    books.close().await;
    Ok(())
}
