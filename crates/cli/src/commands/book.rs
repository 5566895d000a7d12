//! The issuer's bound book: `correct`, `book`, `export`, `certificate`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{LicenceNumber, Model, PartyName, Reason, Serial};
use registry::{Books, Correction, Entry, Event, FirearmKey, History, PrintOptions, Recipient, Source, View};
use serde_json::{Value, json};

use super::books::{Described, InBooks, WhichFirearm, day, entered, failure, open, open_to_read, wait};
use super::print;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `correct`.
#[derive(Debug, Args)]
pub(crate) struct Correct {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    /// Number of the entry that is wrong, as `book` shows it.
    #[arg(long, value_name = "N")]
    entry: u64,
    /// Why it is wrong.
    #[arg(long)]
    reason: Reason,
    /// Nothing of the kind happened.
    #[arg(long, conflicts_with_all = ["on", "event"])]
    void: bool,
    /// The right day.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// The right event, as `book --json` shows events.
    #[arg(long, value_name = "JSON")]
    event: Option<String>,
    #[command(flatten)]
    description: Described,
}

/// Arguments of `book`.
#[derive(Debug, Args)]
pub(crate) struct Book {
    #[command(flatten)]
    books: InBooks,
    /// Model, as marked.
    #[arg(long, required_unless_present = "pdf", requires = "serial")]
    model: Option<Model>,
    /// Serial number, as marked.
    #[arg(long, required_unless_present = "pdf", requires = "model")]
    serial: Option<Serial>,
    /// Licence of the maker or importer who marked it [default: the issuer's].
    #[arg(long, value_name = "NUMBER", requires = "model")]
    licence: Option<LicenceNumber>,
    /// Entries to show: original, corrected or both.
    #[arg(long, default_value = "both")]
    view: View,
    /// Print it as PDF/A with the columns of 27 CFR 478.125(e): the whole book, or the one firearm. More than 1,818 lines
    /// go into several files, FILE with -001-of-012 and so on before its ending, with one run of page numbers; 200,000
    /// lines at most.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// Print only lines that begin in this year; the years together are the whole book.
    #[arg(long, requires = "pdf")]
    year: Option<i16>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    books: InBooks,
    /// Entries to write: original, corrected or both.
    #[arg(long, default_value = "corrected")]
    view: View,
    /// Form: csv, or epcis for a GS1 EPCIS 2.0 JSON document.
    #[arg(long, default_value = "csv", value_parser = ["csv", "epcis"])]
    format: String,
    /// For epcis: also which code each part was issued. Whoever has these knows what every mark means: not for trading partners.
    #[arg(long)]
    codes: bool,
    /// Where to write it.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `certificate`.
#[derive(Debug, Args)]
pub(crate) struct Certificate {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    /// Where to write the signed text.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    output: PathBuf,
    /// Where to write the proof that it stands in the log [default: FILE.proof beside the signed text]. Both are checked
    /// with `audit verify`.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Print it as PDF/A as well, with the signed text and its proof of inclusion in the log.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

impl Certificate {
    fn proof_file(&self) -> Option<PathBuf> {
        self.proof.clone().or_else(|| (self.output != Path::new("-")).then(|| proof_beside(&self.output)))
    }
}

/// Where a certificate's proof is looked for.
pub(super) fn proof_beside(certificate: &Path) -> PathBuf {
    let mut name = certificate.as_os_str().to_owned();
    name.push(".proof");
    name.into()
}

/// Writes a correction; the corrected entry stays.
pub(crate) fn correct(arguments: &Correct) -> Result<Exit, Failure> {
    wait(async {
        let books = open(&arguments.books.registry).await?;
        let firearm = arguments.firearm.key(&books);
        let history = known(&books, &firearm).await?;
        let old = history.entries.iter().find(|entry| entry.number == arguments.entry);
        let becomes = match (&arguments.event, old) {
            _ if arguments.void => None,
            (Some(json), old) => {
                let event = serde_json::from_str(json).or_exit(Exit::BadInput, "cannot use the event")?;
                Some((event, arguments.on.or(old.map(|old| old.on)).unwrap_or_else(|| day(None))))
            }
            (None, Some(old)) => Some((old.event.clone(), arguments.on.unwrap_or(old.on))),
            (None, None) => None,
        };
        let description = arguments.description.corrected(&history.firearm.description);
        if arguments.void && description.is_some() {
            return Err(
                Exit::BadInput.because("what did not happen is of no description: leave that out, or --void")
            );
        }
        let (entry, reason) = (arguments.entry, arguments.reason.clone());
        let correction = Correction { firearm, entry, becomes, description, reason };
        let number =
            books.correct(&correction, &arguments.books.by, Timestamp::now()).await.map_err(failure)?;
        for (left, why) in books.contradictions(&correction.firearm).await.map_err(failure)? {
            files::remark(format!(
                "entry {left} contradicts what stands before it: {why}; correct it as well"
            ));
        }
        books.close().await;
        entered(&arguments.books, number)
    })
}

/// Shows what is written about one firearm.
pub(crate) fn book(arguments: &Book) -> Result<Exit, Failure> {
    wait(async {
        // What goes on paper is an act that is entered; who only looks needs no right to write.
        let books = match &arguments.pdf {
            Some(_) => open(&arguments.books.registry).await?,
            None => open_to_read(&arguments.books.registry).await?,
        };
        let key = match (&arguments.model, &arguments.serial) {
            (Some(model), Some(serial)) => {
                let licence = arguments.licence.clone().unwrap_or_else(|| books.issuer().licence);
                Some(FirearmKey { licence, model: model.clone(), serial: serial.clone() })
            }
            _ => None,
        };
        if let Some(file) = &arguments.pdf {
            on_paper(&books, arguments, key.as_ref(), file).await?;
            return Ok(Exit::Done);
        }
        let key = key.ok_or_else(|| Exit::BadInput.because("name a firearm with --model and --serial"))?;
        let history = known(&books, &key).await?;
        for entry in arguments.view.of(&history.entries) {
            if arguments.books.json {
                files::print_line(with_schema("microstamp.book-entry/1", &json!(entry)))?;
            } else {
                files::print_line(in_words(entry))?;
            }
        }
        Ok(Exit::Done)
    })
}

/// Prints the book, or one firearm of it.
async fn on_paper(
    books: &Books,
    arguments: &Book,
    which: Option<&FirearmKey>,
    file: &Path,
) -> Result<(), Failure> {
    let (view, year, by, now) = (arguments.view, arguments.year, &arguments.books.by, Timestamp::now());
    let heading = print::Heading { issuer: books.issuer(), view, year, by, printed_at: now };
    let (mut press, mut done) = (print::Press::new(heading, file), Ok(()));
    let options = PrintOptions { view, which, year, lines_at_a_time: print::LINES };
    let printed = books.print(&options, by, now, |book, lines| {
        done = press.print(book, lines);
        if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    printed.await.map_err(failure)?;
    done
}

/// Writes the book as CSV or EPCIS.
pub(crate) fn export(arguments: &Export) -> Result<Exit, Failure> {
    if arguments.codes && arguments.format != "epcis" {
        return Err(Exit::BadInput.because("--codes goes with --format epcis: the table has entries alone"));
    }
    wait(async {
        let books = open(&arguments.books.registry).await?;
        let now = Timestamp::now();
        let (view, by) = (arguments.view, &arguments.books.by);
        let mut out = files::Output::new(&arguments.output, files::Readers::Owner)?;
        let written = match arguments.format.as_str() {
            "epcis" => books.export_epcis((view, arguments.codes), by, now, &mut out).await,
            _ => books.export(view, by, now, &mut out).await,
        };
        let written = written.map_err(failure)?;
        out.finish()?;
        files::remark(format!("{written} entries written"));
        Ok(Exit::Done)
    })
}

/// Writes a signed certificate for one firearm.
pub(crate) fn certificate(arguments: &Certificate) -> Result<Exit, Failure> {
    wait(async {
        let books = open(&arguments.books.registry).await?;
        let firearm = arguments.firearm.key(&books);
        let now = Timestamp::now();
        let certificate = books.certificate(&firearm, &arguments.books.by, now).await.map_err(failure)?;
        if let Some(file) = &arguments.pdf {
            print::certificate(&certificate, now, file)?;
        }
        if let Some(file) = arguments.proof_file() {
            files::write(&file, certificate.proof.to_string().as_bytes())?;
        }
        let note = certificate.note.to_string();
        if arguments.books.json && arguments.output == Path::new("-") {
            let (schema, proof) = ("microstamp.certificate/1", certificate.proof.to_string());
            files::print_line(json!({"schema": schema, "certificate": note, "proof": proof}))?;
        } else {
            files::write(&arguments.output, note.as_bytes())?;
        }
        Ok(Exit::Done)
    })
}

/// A JSON object with its schema before everything else that is in it.
pub(super) fn with_schema(schema: &str, value: &Value) -> Value {
    let mut object = json!({"schema": schema});
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, value) {
        object.extend(fields.clone());
    }
    object
}

async fn known(books: &Books, firearm: &FirearmKey) -> Result<History, Failure> {
    let history = books.history(firearm).await.map_err(failure)?;
    history.ok_or_else(|| failure(registry::Refusal::UnknownFirearm(firearm.clone()).into()))
}

fn in_words(entry: &Entry) -> String {
    let kind = entry.event.kind();
    let line =
        format!("{}  {}  {kind}  {}{}", entry.number, entry.on, entry.event.holder(), details(&entry.event));
    let line = match &entry.signed {
        Some(signed) => format!("{line}  [signed {}, {}]", signed.key, signed.kind.as_str()),
        None => line,
    };
    let Some(corrects) = &entry.corrects else { return line };
    let void = if corrects.void { ", which did not happen" } else { "" };
    format!("{line}  [corrects entry {}{void}: {}]", corrects.entry, corrects.reason)
}

fn details(event: &Event) -> String {
    match event {
        Event::Acquired { source: Source::Licensee(from), .. } => format!(" from {from}"),
        Event::Acquired { source: Source::Public(reference), .. } => format!(", reference {reference}"),
        Event::Disposed { to: Recipient::Licensee(to), .. } => format!(" to {to}"),
        Event::Disposed { to: Recipient::Form4473(form), .. } => format!(", Form 4473 {form}"),
        Event::Disposed { to: Recipient::Government(agency), .. } => format!(" to {agency}"),
        Event::Disposed { to: Recipient::Export { country, permit }, .. } => {
            format!(" to {country}, permit {permit}")
        }
        Event::Lost { loss, .. } => {
            format!(", {} incident {}{}", loss.how.as_str(), loss.incident, police(loss.reported_by.as_ref()))
        }
        Event::Recovered { incident, reported_by, .. } => {
            format!(", incident {incident}{}", police(reported_by.as_ref()))
        }
        Event::Destroyed { reason, .. } => format!(", {reason}"),
        Event::PartFitted { part, code, .. } | Event::PartRemoved { part, code, .. } => {
            format!(", {part} {code}")
        }
        Event::MultipleSale { reference, .. } => format!(", report {reference}"),
        Event::Manufactured { .. } | Event::Imported { .. } => String::new(),
    }
}

fn police(agency: Option<&PartyName>) -> String {
    agency.map(|agency| format!(", reported by {agency}")).unwrap_or_default()
}
