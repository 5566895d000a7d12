//! What goes on paper: the bound book and certificates as PDF/A.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use registry::names::Person;
use registry::{BookLine, BookPrint, BookSide, Certificate, Licensee, View};
use report::{Cell, Document, MAX_CELLS, Moment, Table};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::progress;

const COLUMNS: [&str; 11] = [
    "manufacturer; importer",
    "model",
    "serial number",
    "type",
    "calibre or gauge",
    "country",
    "acquired",
    "from: name and licence",
    "disposed",
    "to: name and licence, or Form 4473 number",
    "held by; remarks",
];
const WIDTHS: [u16; 11] = [13, 10, 11, 7, 8, 6, 9, 18, 9, 20, 24];
/// What stands over a printed book.
pub(crate) struct Heading<'h> {
    /// Whose book it is.
    pub(crate) issuer: Licensee,
    /// Which view.
    pub(crate) view: View,
    /// Which year, if not all.
    pub(crate) year: Option<i16>,
    /// Who printed it.
    pub(crate) by: &'h Person,
    /// When.
    pub(crate) printed_at: Timestamp,
}

/// Lines of one file; typst's time and memory grow with a file's length.
pub(crate) const LINES: usize = MAX_CELLS / COLUMNS.len();

/// A book on its way to paper: one file, or several when it is long, with one run of page numbers.
pub(crate) struct Press<'h> {
    heading: Heading<'h>,
    file: &'h Path,
    /// Files printed.
    parts: usize,
    /// Number of the next page.
    page: usize,
    lines: usize,
    bar: Option<ProgressBar>,
}

impl<'h> Press<'h> {
    pub(crate) fn new(heading: Heading<'h>, file: &'h Path) -> Self {
        Self { heading, file, parts: 0, page: 1, lines: 0, bar: None }
    }

    /// Prints some lines, which become a file.
    pub(crate) fn print(&mut self, book: &BookPrint, lines: &[BookLine]) -> Result<(), Failure> {
        let of = book.lines.div_ceil(LINES).max(1);
        let name = part_name(self.file, self.parts + 1, of);
        let pdf = self.part(book, lines).to_pdf().or_exit(Exit::Environment, "cannot print the book")?;
        files::write_private(&name, &pdf.bytes)?;
        let bar = self.bar.get_or_insert_with(|| progress::bar(of as u64, "files printed"));
        bar.inc(1);
        bar.suspend(|| {
            files::remark(format!("{}: {} pages, {} lines", name.display(), pdf.pages, lines.len()));
        });
        self.page += pdf.pages;
        self.parts += 1;
        self.lines += lines.len();
        if self.lines == book.lines {
            bar.finish_and_clear();
        }
        Ok(())
    }

    fn part(&self, book: &BookPrint, lines: &[BookLine]) -> Document {
        let (heading, checkpoint, count) = (&self.heading, &book.checkpoint.checkpoint, book.lines);
        let view = match heading.view {
            View::Original => "entries as first written",
            View::Corrected => "entries as corrected",
            View::Both => "original entries and corrections",
        };
        let year = heading.year.map(|year| format!(", lines begun in {year}")).unwrap_or_default();
        let footer = [
            format!(
                "Printed {:.0} by {}. {count} lines, SHA-256 {}.",
                heading.printed_at, heading.by, book.lines_sha256
            ),
            format!(
                "Entry {} of log {}; checkpoint: {} entries, root {}.",
                book.log_entry, checkpoint.origin, checkpoint.size, checkpoint.root
            ),
        ];
        let ident = format!("bound book {} entry {} part {}", checkpoint.origin, book.log_entry, self.parts);
        let mut table = Table::new(&COLUMNS).widths(&WIDTHS);
        for line in lines {
            table.push(row(line));
        }
        let header = format!(
            "{} — record of acquisition and disposition (27 CFR 478.125): {view}{year}",
            heading.issuer
        );
        let document = Document::new("Bound book", ident, moment(heading.printed_at))
            .landscape()
            .from_page(self.page)
            .header(&header)
            .footer(&[&footer[0], &footer[1]])
            .table(table);
        if self.lines + lines.len() < count {
            return document;
        }
        document.paragraph(&format!("End of the print: {count} lines."))
    }
}

/// Prints a certificate: what it says, the signed text to be verified, and its place in the log.
pub(crate) fn certificate(certificate: &Certificate, now: Timestamp, file: &Path) -> Result<(), Failure> {
    let mut table = Table::new(&["what", "as certified"]).widths(&[1, 4]);
    for (name, value) in certificate.note.text.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        table.push(vec![name.into(), value.into()]);
    }
    let (inclusion, signed) = (&certificate.proof.inclusion, &certificate.proof.signed);
    let checkpoint = &signed.checkpoint;
    let place = format!(
        "This certificate was entered in the log {} at place {}, counted from 0. The checkpoint below is of {} entries; \
         the record and its salt, hashed and joined with the hashes listed, give the root that it signs.",
        checkpoint.origin, inclusion.index, checkpoint.size
    );
    let hashes: Vec<String> = inclusion.hashes.iter().map(ToString::to_string).collect();
    let document = Document::new(
        "Certificate of marked parts",
        format!("certificate {} entry {}", checkpoint.origin, inclusion.index),
        moment(now),
    )
    .header(&format!("{} entry {}", checkpoint.origin, inclusion.index))
    .footer(&["Codes are evidence of the firearm that a mark was issued for, not of who held it."])
    .table(table)
    .heading("Signed text")
    .paragraph("What the issuer signed, in C2SP signed-note form, with long lines broken; the note itself is verified with the issuer's certificate key.")
    .lines(&certificate.note.to_string())
    .heading("Place in the log")
    .paragraph(&place)
    .lines(&hashes.join("\n"))
    .lines(&signed.to_string())
    .heading("Proof file")
    .paragraph("The same as one file, in C2SP tlog-proof form; record and salt stand in its second line.")
    .lines(&certificate.proof.to_string());
    let pdf = document.to_pdf().or_exit(Exit::Environment, "cannot print the certificate")?;
    files::write(file, &pdf.bytes)
}

fn row(line: &BookLine) -> Vec<Cell> {
    let (key, described) = (&line.firearm.key, &line.firearm.description);
    let maker = match &described.importer {
        Some(importer) => format!("{}; {importer}", described.manufacturer),
        None => described.manufacturer.to_string(),
    };
    let on = |side: &Option<BookSide>| side.as_ref().map(|side| side.on.to_string()).unwrap_or_default();
    let party = |side: &Option<BookSide>| {
        side.as_ref().map(|side| format!("{} (entry {})", side.party, side.entry)).unwrap_or_default()
    };
    let remarks = [&[line.holder.to_string()], line.remarks.as_slice()].concat().join("; ");
    vec![
        maker.into(),
        key.model.to_string().into(),
        key.serial.to_string().into(),
        described.kind.as_str().into(),
        described.calibre.to_string().into(),
        described.country.to_string().into(),
        on(&line.acquired).into(),
        party(&line.acquired).into(),
        on(&line.disposed).into(),
        party(&line.disposed).into(),
        remarks.into(),
    ]
}

/// The file itself where one is enough, otherwise such as `book-002-of-012.pdf`.
fn part_name(file: &Path, part: usize, of: usize) -> PathBuf {
    if of == 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let ending = file.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}-{part:03}-of-{of:03}{ending}"))
}

fn moment(time: Timestamp) -> Moment {
    let time = time.to_zoned(TimeZone::UTC);
    Moment {
        year: time.year().into(),
        month: time.month() as u8,
        day: time.day() as u8,
        hour: time.hour() as u8,
        minute: time.minute() as u8,
        second: time.second() as u8,
    }
}
