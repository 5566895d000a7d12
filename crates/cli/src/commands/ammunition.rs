//! `ammunition`: codes for boxes of serialised ammunition.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{Calibre, Country, Model, PartyName, Serial};
use registry::{Description, FirearmKind, IssueRun, Issued, Part, serial_run};
use serde_json::json;
use symbology::Scheme;

use super::books::{InBooks, day, failure, open, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `ammunition`.
#[derive(Debug, Args)]
pub(crate) struct Ammunition {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Issue a code for every box of a lot; all rounds of a box carry it.
    Issue(Boxes),
}

#[derive(Debug, Args)]
struct Boxes {
    #[command(flatten)]
    books: InBooks,
    /// The product, such as `Range 124 gr FMJ`.
    #[arg(long)]
    product: String,
    /// The lot; product and lot together are the model in the books.
    #[arg(long)]
    lot: String,
    /// Calibre.
    #[arg(long)]
    calibre: Calibre,
    /// The first box's number; the others count up in its last digits.
    #[arg(long, value_name = "NUMBER")]
    first: Serial,
    /// How many boxes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Manufacturer [default: the issuer].
    #[arg(long, value_name = "NAME")]
    manufacturer: Option<PartyName>,
    /// Country of manufacture.
    #[arg(long, default_value = "US")]
    country: Country,
    /// Day of making [default: today].
    #[arg(long, value_name = "DATE")]
    made_on: Option<Date>,
    /// Go on with a lot that was cut off: boxes that have their code are printed with it.
    #[arg(long)]
    resume: bool,
}

/// Issues codes for boxes, written as they stand on the rounds (scheme `round-1`).
pub(crate) fn ammunition(arguments: &Ammunition) -> Result<Exit, Failure> {
    let What::Issue(lot) = &arguments.what;
    wait(async {
        let books = open(&lot.books.registry).await?;
        let model = format!("{} lot {}", lot.product.trim(), lot.lot.trim());
        let run = IssueRun {
            model: model.parse::<Model>().or_exit(Exit::BadInput, "cannot use product and lot")?,
            description: Description {
                manufacturer: lot.manufacturer.clone().unwrap_or_else(|| books.issuer().name),
                importer: None,
                kind: FirearmKind::Ammunition,
                calibre: lot.calibre.clone(),
                country: lot.country.clone(),
            },
            serials: serial_run(&lot.first, lot.count).map_err(|error| Exit::BadInput.because(error))?,
            parts: vec![Part::Round],
            prefix: None,
            made_on: day(lot.made_on),
            resume: lot.resume,
        };
        let mut printed = Ok(());
        let take = |chunk: &[Issued]| {
            if printed.is_ok() {
                printed = print(lot, &run, chunk);
            }
        };
        let new = books.issue(&run, &lot.books.by, Timestamp::now(), take).await.map_err(failure)?;
        printed?;
        books.close().await;
        files::remark(format!("{new} codes issued"));
        Ok(Exit::Done)
    })
}

fn print(lot: &Boxes, run: &IssueRun, chunk: &[Issued]) -> Result<(), Failure> {
    let scheme = Scheme::round_1();
    let mut text = String::new();
    for issued in chunk {
        let word: Vec<u8> = issued.code.symbols().iter().map(|symbol| symbol.value()).collect();
        let code = scheme.text(&word);
        if lot.books.json {
            let line = json!({
                "schema": "microstamp.box/1", "code": code, "scheme": scheme.name(), "box": issued.serial,
                "model": run.model, "lot": lot.lot.trim(), "issued_at": issued.issued_at,
            });
            text.push_str(&line.to_string());
        } else {
            text.extend([&code, "  ", issued.serial.as_str()]);
        }
        text.push('\n');
    }
    files::print(text.as_bytes())
}
