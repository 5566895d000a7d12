//! A table's rows as entries of the book, read under limits; nothing in a row is passed over without a word.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::str::FromStr;

use jiff::civil::Date;

use super::mapping::{FIELDS, Field, Mapping, WRITTEN_ONLY};
use super::{CHUNK, Imported, Rejected};
use crate::batch::Turns;
use crate::entries::NewEntry;
use crate::error::BooksError;
use crate::event::{Event, Loss, Recipient, Source};
use crate::firearm::{Description, FirearmKey, FirearmKind, Licensee};
use crate::names::LicenceNumber;

/// A field by its name, found when the program is compiled.
macro_rules! field {
    ($name:literal) => {
        const { Field::named($name) }
    };
}

/// What a row may take at most: an unclosed quotation mark would otherwise make one cell of all the rest.
const MAX_ROW: usize = 64 << 10;

/// Gives so much and then says that a row is too long.
struct Limited<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let what = "a row is longer than 64 KiB\nhint: look for a quotation mark that is not closed";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let most = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// Numbers seen, 64 in a word: a book's entries are numbered through.
#[derive(Default)]
struct Seen(HashMap<u64, u64>);

impl Seen {
    fn insert(&mut self, number: u64) {
        *self.0.entry(number >> 6).or_default() |= 1 << (number & 63);
    }

    fn contains(&self, number: u64) -> bool {
        self.0.get(&(number >> 6)).is_some_and(|word| word >> (number & 63) & 1 == 1)
    }
}

/// Some rows: their lines, and the entries of each. There are none when the table has ended.
pub(super) struct Chunk {
    pub(super) lines: Vec<u64>,
    pub(super) groups: Vec<Vec<NewEntry>>,
}

/// A table's rows as groups of entries.
pub(super) struct Rows<R> {
    reader: csv::Reader<Limited<R>>,
    /// For each of [`FIELDS`], its column.
    columns: [Option<usize>; FIELDS.len()],
    /// The fields that have a column, and which.
    named: Vec<(usize, usize)>,
    defaults: [String; FIELDS.len()],
    dates: Option<String>,
    issuer: Licensee,
    record: csv::ByteRecord,
    /// Columns of the heading, and those of them that bear no name.
    width: usize,
    nameless: Vec<usize>,
    /// Which fields of the row at hand went into its entries, a bit for each of [`FIELDS`].
    taken_up: Cell<u64>,
    done: bool,
    turns: Turns,
    /// Numbers of the entries seen, where the table numbers them.
    entries_seen: Seen,
}

impl<R: Read> Rows<R> {
    pub(super) fn open(table: R, mapping: &Mapping, issuer: Licensee) -> Result<Self, BooksError> {
        let limited = Limited { inner: table, left: MAX_ROW };
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(limited);
        let heading = reader.headers().map_err(BooksError::table)?;
        let heading: Vec<String> =
            heading.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        let column = |field: &str| {
            let name = mapping.columns.get(field).map_or(field, String::as_str);
            if mapping.columns.contains_key(field) && mapping.ignores(name) {
                return Err(BooksError::Table(format!(
                    "the column `{name}` is named for {field}, and to be ignored"
                )));
            }
            let found = heading.iter().position(|heading| heading == name && !mapping.ignores(name));
            match (found, mapping.columns.contains_key(field)) {
                (None, true) => {
                    Err(BooksError::Table(format!("there is no column `{name}`, named for {field}")))
                }
                (found, _) => Ok(found),
            }
        };
        let mut columns = [None; FIELDS.len()];
        for (place, field) in columns.iter_mut().zip(FIELDS) {
            *place = column(field)?;
        }
        let defaults = FIELDS.map(|field| mapping.defaults.get(field).cloned().unwrap_or_default());
        for needed in [field!("model"), field!("serial")] {
            if columns[needed.0].is_none() && defaults[needed.0].is_empty() {
                let (name, hint) = (needed.name(), "name it in the mapping file, or give a default there");
                return Err(BooksError::Table(format!("there is no column `{name}`\nhint: {hint}")));
            }
        }
        every_column_is_known(&heading, &columns, mapping)?;
        let named = columns.iter().enumerate();
        Ok(Self {
            named: named.filter_map(|(place, column)| column.map(|column| (place, column))).collect(),
            columns,
            defaults,
            dates: mapping.dates.clone(),
            issuer,
            record: csv::ByteRecord::new(),
            width: heading.len(),
            nameless: (0..heading.len()).filter(|column| heading[*column].is_empty()).collect(),
            taken_up: Cell::new(0),
            done: false,
            turns: Turns::default(),
            entries_seen: Seen::default(),
            reader,
        })
    }

    /// The next rows: their lines and their entries. Rows that cannot be parsed are rejected here.
    ///
    /// Whoever works at the same time gets a turn every few rows.
    pub(super) async fn chunk(
        &mut self,
        imported: &mut Imported,
        rejected: &mut impl FnMut(Rejected),
    ) -> Result<Chunk, BooksError> {
        let (mut lines, mut groups) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
        while groups.len() < CHUNK && !self.done {
            self.turns.next().await;
            self.reader.get_mut().left = MAX_ROW;
            if !self.reader.read_byte_record(&mut self.record).map_err(BooksError::table)? {
                self.done = true;
                continue;
            }
            imported.rows += 1;
            let line = self.record.position().map_or(0, csv::Position::line);
            match self.whole_row() {
                Ok(entries) => {
                    lines.push(line);
                    groups.push(entries);
                }
                Err(reason) => {
                    imported.rejected += 1;
                    rejected(Rejected { line, reason });
                }
            }
        }
        Ok(Chunk { lines, groups })
    }

    /// The entries of a row of which nothing is left over.
    fn whole_row(&mut self) -> Result<Vec<NewEntry>, String> {
        let (cells, width) = (self.record.len(), self.width);
        if cells != width {
            return Err(format!("it has {cells} cells, and the heading {width}"));
        }
        self.taken_up.set(0);
        let entries = self.entries()?;
        for (place, column) in &self.named {
            let taken_up = self.taken_up.get() >> place & 1 == 1;
            if !taken_up && !self.record[*column].trim_ascii().is_empty() {
                return Err(left_over(FIELDS[*place]));
            }
        }
        if self.nameless.iter().any(|column| !self.record[*column].trim_ascii().is_empty()) {
            return Err("a cell is filled in a column that bears no name".to_owned());
        }
        Ok(entries)
    }

    fn entries(&mut self) -> Result<Vec<NewEntry>, String> {
        let firearm = FirearmKey {
            licence: self.optional(field!("licence"))?.unwrap_or_else(|| self.issuer.licence.clone()),
            model: self.needed(field!("model"))?,
            serial: self.needed(field!("serial"))?,
        };
        let holder = self
            .licensee(field!("holder_licence"), field!("holder_name"))?
            .unwrap_or_else(|| self.issuer.clone());
        if !self.cell(field!("event"))?.is_empty() {
            self.stands_alone()?;
            let (event, on) = (self.event(holder)?, self.date(field!("on"))?.ok_or("on is missing")?);
            return Ok(vec![NewEntry { firearm, event, on, description: self.description()? }]);
        }
        let mut entries: Vec<NewEntry> = Vec::with_capacity(2);
        let mut add = |event, on| {
            entries.push(NewEntry { firearm: firearm.clone(), event, on, description: None });
        };
        if let Some(on) = self.date(field!("made_on"))? {
            add(Event::Manufactured { by: holder.clone() }, on);
        }
        if let Some(on) = self.date(field!("acquired_on"))? {
            add(Event::Acquired { holder: holder.clone(), source: self.source()? }, on);
        }
        if let Some(on) = self.date(field!("disposed_on"))? {
            add(Event::Disposed { holder, to: self.recipient()? }, on);
        }
        match entries.first_mut() {
            Some(first) => first.description = self.description()?,
            None => return Err("the row has no day of making, acquisition or disposition".to_owned()),
        }
        Ok(entries)
    }

    /// Rejects a row that corrects another row of the table.
    fn stands_alone(&mut self) -> Result<(), String> {
        if let Some(corrected) =
            self.optional::<u64>(field!("corrects"))?.filter(|one| self.entries_seen.contains(*one))
        {
            return Err(format!("it corrects entry {corrected} of this table; export the corrected view"));
        }
        if let Some(number) = self.optional(field!("entry"))? {
            self.entries_seen.insert(number);
        }
        Ok(())
    }

    /// The one event of a row as [`Books::export`] writes it.
    fn event(&self, holder: Licensee) -> Result<Event, String> {
        let other = || self.licensee(field!("other_licence"), field!("other_name"));
        Ok(match self.cell(field!("event"))? {
            "manufactured" => Event::Manufactured { by: holder },
            "imported" => Event::Imported { by: holder },
            "acquired" => {
                let source = match other()? {
                    Some(from) => Source::Licensee(from),
                    None => Source::Public(self.needed(field!("reference"))?),
                };
                Event::Acquired { holder, source }
            }
            "disposed" => {
                let to = match other()? {
                    Some(to) => Recipient::Licensee(to),
                    None => self.recipient()?,
                };
                Event::Disposed { holder, to }
            }
            "lost" => {
                let how = self.needed(field!("loss"))?;
                let (incident, police_report) =
                    (self.needed(field!("incident"))?, self.optional(field!("police_report"))?);
                let reported_by = self.optional(field!("reported_by"))?;
                Event::Lost { holder, loss: Loss { how, incident, police_report, reported_by } }
            }
            "recovered" => {
                let (incident, reported_by) =
                    (self.needed(field!("incident"))?, self.optional(field!("reported_by"))?);
                Event::Recovered { holder, incident, reported_by }
            }
            "destroyed" => Event::Destroyed { holder, reason: self.needed(field!("reference"))? },
            "part-fitted" => Event::PartFitted {
                by: holder,
                part: self.needed(field!("part"))?,
                code: self.needed(field!("code"))?,
            },
            "part-removed" => Event::PartRemoved {
                by: holder,
                part: self.needed(field!("part"))?,
                code: self.needed(field!("code"))?,
            },
            "multiple-sale" => Event::MultipleSale { holder, reference: self.needed(field!("reference"))? },
            other => return Err(format!("event `{other}` is not known")),
        })
    }

    fn description(&self) -> Result<Option<Description>, String> {
        if self.cell(field!("calibre"))?.is_empty() {
            return Ok(None);
        }
        let marked_by = self.optional::<LicenceNumber>(field!("licence"))?;
        let manufacturer = match self.optional(field!("manufacturer"))? {
            Some(manufacturer) => manufacturer,
            // Who marked it made it or brought it in, and that was not these books' issuer.
            None if marked_by.is_some_and(|licence| licence != self.issuer.licence) => {
                return Err("manufacturer is missing, and the licence is not this issuer's".to_owned());
            }
            None => self.issuer.name.clone(),
        };
        let importer = self.optional(field!("importer"))?;
        let kind = self.optional::<FirearmKind>(field!("type"))?.ok_or("type is missing")?;
        let (calibre, country) = (self.needed(field!("calibre"))?, self.needed(field!("country"))?);
        Ok(Some(Description { manufacturer, importer, kind, calibre, country }))
    }

    fn source(&self) -> Result<Source, String> {
        if let Some(from) = self.licensee(field!("source_licence"), field!("source_name"))? {
            return Ok(Source::Licensee(from));
        }
        let reference = self.optional(field!("source_reference"))?;
        let missing = "an acquisition needs source_licence and source_name, or source_reference";
        reference.map(Source::Public).ok_or_else(|| missing.to_owned())
    }

    fn recipient(&self) -> Result<Recipient, String> {
        if let Some(to) = self.licensee(field!("to_licence"), field!("to_name"))? {
            return Ok(Recipient::Licensee(to));
        }
        if let Some(form) = self.optional(field!("form_4473"))? {
            return Ok(Recipient::Form4473(form));
        }
        if let Some(agency) = self.optional(field!("government"))? {
            return Ok(Recipient::Government(agency));
        }
        if let Some(country) = self.optional(field!("export_country"))? {
            return Ok(Recipient::Export { country, permit: self.needed(field!("permit"))? });
        }
        Err("a disposition needs to_licence and to_name, form_4473, government, or export_country".to_owned())
    }

    fn licensee(&self, licence: Field, name: Field) -> Result<Option<Licensee>, String> {
        match self.optional(licence)? {
            Some(licence) => Ok(Some(Licensee { licence, name: self.needed(name)? })),
            None => Ok(None),
        }
    }

    fn date(&self, field: Field) -> Result<Option<Date>, String> {
        let cell = self.cell(field)?;
        if cell.is_empty() {
            return Ok(None);
        }
        let parsed = match &self.dates {
            Some(form) => Date::strptime(form, cell),
            None => cell.parse(),
        };
        parsed
            .map(Some)
            .map_err(|_| format!("{} `{cell}` is not a day in the form the mapping names", field.name()))
    }

    fn needed<T: FromStr<Err: ToString>>(&self, field: Field) -> Result<T, String> {
        self.optional(field)?.ok_or_else(|| format!("{} is missing", field.name()))
    }

    fn optional<T: FromStr<Err: ToString>>(&self, field: Field) -> Result<Option<T>, String> {
        let cell = self.cell(field)?;
        if cell.is_empty() { Ok(None) } else { cell.parse().map(Some).map_err(|error| first_line(&error)) }
    }

    /// A cell's text, or the field's default where the cell is empty.
    fn cell(&self, field: Field) -> Result<&str, String> {
        let place = field.0;
        let bytes = self.columns[place].and_then(|column| self.record.get(column)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", field.name()))?.trim();
        if text.is_empty() {
            return Ok(&self.defaults[place]);
        }
        self.taken_up.set(self.taken_up.get() | 1 << place);
        Ok(text)
    }
}

/// Refuses headings that stand twice, and columns that are no field and are not to be ignored.
fn every_column_is_known(
    heading: &[String],
    columns: &[Option<usize>],
    mapping: &Mapping,
) -> Result<(), BooksError> {
    if let Some(name) = mapping.ignore.iter().find(|name| !heading.contains(name)) {
        return Err(BooksError::Table(format!("there is no column `{name}`, named to be ignored")));
    }
    let mut unknown = Vec::new();
    for (column, name) in heading.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if heading[..column].contains(name) {
            return Err(BooksError::Table(format!("the heading `{name}` stands twice")));
        }
        let known = columns.contains(&Some(column)) || WRITTEN_ONLY.contains(&name.as_str());
        if !known && !mapping.ignores(name) {
            unknown.push(format!("`{name}`"));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let hint = "say in the mapping file which fields they are, or list them there under `ignore`";
    Err(BooksError::Table(format!("no field of the bound book: {}\nhint: {hint}", unknown.join(", "))))
}

/// Why a filled cell cannot be taken up.
fn left_over(field: &str) -> String {
    let lacks = match field {
        "source_licence" | "source_name" | "source_reference" => {
            "acquired_on is empty, or another source is given"
        }
        "to_licence" | "to_name" | "form_4473" | "government" | "export_country" | "permit" => {
            "disposed_on is empty, or another recipient is given"
        }
        "holder_name" => "holder_licence is empty",
        "other_name" => "other_licence is empty",
        "manufacturer" | "importer" | "type" | "country" => "calibre is empty",
        _ => "a row of this kind has no such thing",
    };
    format!("{field} is filled, but {lacks}")
}

/// An error without its hint: a list of rejected rows has one line for each.
pub(super) fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
