//! `issue`: codes for a run of serial numbers.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{Calibre, Country, Model, PartyName, Serial};
use registry::{Books, Description, FirearmKind, IssueRun, Issued, Part, serial_run};
use serde::Serialize;
use symbology::Prefix;

use super::books::{InBooks, day, exact_prefix, failure, open, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `issue`.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    books: InBooks,
    /// Model of every firearm.
    #[arg(long)]
    model: Model,
    /// Calibre of every firearm, such as `9 mm Luger`.
    #[arg(long)]
    calibre: Calibre,
    /// A file with one serial number a line; `-` reads them from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "first", required_unless_present = "first")]
    serials: Option<PathBuf>,
    /// The first of a run of serial numbers, which count up in their last digits.
    #[arg(long, value_name = "SERIAL", requires = "count")]
    first: Option<Serial>,
    /// How many serial numbers.
    #[arg(long, value_name = "N", requires = "first", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Type of firearm: pistol, revolver, rifle, shotgun, receiver or other.
    #[arg(long = "type", default_value = "pistol")]
    kind: FirearmKind,
    /// Manufacturer [default: the issuer].
    #[arg(long, value_name = "NAME")]
    manufacturer: Option<PartyName>,
    /// Country of manufacture.
    #[arg(long, default_value = "US")]
    country: Country,
    /// Parts that carry the code, with commas.
    #[arg(long, value_delimiter = ',', default_value = "firing-pin,breech-face")]
    parts: Vec<Part>,
    /// Block to take codes from [default: the oldest with room].
    #[arg(long, value_parser = exact_prefix)]
    prefix: Option<Prefix>,
    /// Day of making [default: today].
    #[arg(long, value_name = "DATE")]
    made_on: Option<Date>,
    /// Go on with a run that was cut off: serial numbers that have their code are printed with it.
    #[arg(long)]
    resume: bool,
    /// Check everything and issue nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct IssuedLine<'a> {
    schema: &'static str,
    code: String,
    serial: &'a str,
    model: &'a str,
    component: &'static str,
    components: Vec<&'static str>,
    issued_at: Timestamp,
}

/// Issues the codes and prints one line for each.
pub(crate) fn issue(arguments: &Issue) -> Result<Exit, Failure> {
    wait(async {
        let books = open(&arguments.books.registry).await?;
        let run = run_of(arguments, &books)?;
        let now = Timestamp::now();
        if arguments.dry_run {
            let new = books.rehearse(&run, now).await.map_err(failure)?;
            files::remark(format!("{new} codes would be issued; nothing was done"));
            return Ok(Exit::Done);
        }
        let mut printed = Ok(());
        let take = |chunk: &[Issued]| {
            if printed.is_ok() {
                printed = print(arguments, &run, chunk);
            }
        };
        let new = books.issue(&run, &arguments.books.by, now, take).await.map_err(failure)?;
        printed?;
        books.close().await;
        files::remark(format!("{new} codes issued"));
        Ok(Exit::Done)
    })
}

fn run_of(arguments: &Issue, books: &Books) -> Result<IssueRun, Failure> {
    let serials = match (&arguments.first, arguments.count, &arguments.serials) {
        (Some(first), Some(count), _) => {
            serial_run(first, count).map_err(|error| Exit::BadInput.because(error))?
        }
        (_, _, Some(file)) => serials_in(file)?,
        _ => return Err(Exit::BadInput.because("name serial numbers with --serials or --first and --count")),
    };
    let manufacturer = arguments.manufacturer.clone().unwrap_or_else(|| books.issuer().name);
    Ok(IssueRun {
        model: arguments.model.clone(),
        description: Description {
            manufacturer,
            importer: None,
            kind: arguments.kind,
            calibre: arguments.calibre.clone(),
            country: arguments.country.clone(),
        },
        serials,
        parts: arguments.parts.clone(),
        prefix: arguments.prefix,
        made_on: day(arguments.made_on),
        resume: arguments.resume,
    })
}

fn serials_in(file: &Path) -> Result<Vec<Serial>, Failure> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).or_exit(Exit::Environment, "cannot read standard input")?
    } else {
        files::read_text(file)?
    };
    let mut serials = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("line {number} of `{}`", file.display());
        serials.push(line.parse().map_err(|error| Exit::BadInput.because(format!("{}: {error}", place())))?);
    }
    if serials.is_empty() {
        return Err(Exit::BadInput.because(format!("`{}` holds no serial number", file.display())));
    }
    Ok(serials)
}

fn print(arguments: &Issue, run: &IssueRun, chunk: &[Issued]) -> Result<(), Failure> {
    let mut text = String::new();
    let components: Vec<&str> = run.parts.iter().map(|part| part.as_str()).collect();
    for issued in chunk {
        if arguments.books.json {
            let line = IssuedLine {
                schema: "microstamp.issued/1",
                code: issued.code.to_string(),
                serial: issued.serial.as_str(),
                model: run.model.as_str(),
                component: components.first().copied().unwrap_or_default(),
                components: components.clone(),
                issued_at: issued.issued_at,
            };
            text.push_str(&serde_json::to_string(&line).or_exit(Exit::Environment, "cannot write JSON")?);
        } else {
            text.extend([
                &issued.code.to_string(),
                "  ",
                issued.serial.as_str(),
                "  ",
                &components.join(","),
            ]);
        }
        text.push('\n');
    }
    files::print(text.as_bytes())
}
