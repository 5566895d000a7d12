//! Documents as PDF/A-2b. The only module that knows typst.
//!
//! Words reach the layout as values of `sys.inputs`, never as markup, so nothing in them is ever evaluated. The world
//! that typst sees holds one source text and the embedded fonts: no files, no packages, no clock.

use std::sync::LazyLock;

use typst::diag::{FileError, FileResult};
use typst::foundations::{Array, Bytes, Datetime, Dict, Duration, IntoValue, Smart, Value, dict};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt as _, World};
use typst_kit::fonts::{FontStore, embedded};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use crate::page::{Cell, Table};

const LAYOUT: &str = include_str!("pdf.typ");

/// Letters after which a word without spaces may be broken, so that it cannot run off the page.
const UNBROKEN: usize = 24;
/// Longest heading, title and caption; they are repeated in the file's outline, where PDF/A allows 32,767 bytes.
const MAX_LINE: usize = 400;
/// Most cells of one document. A longer table goes into several, see [`Document::from_page`].
pub const MAX_CELLS: usize = 20_000;
/// Most cells of a document that tells a screen reader where its paragraphs and cells are: past this that is most of the
/// file.
const MAX_TAGGED: usize = 2_000;

/// When a document was printed, UTC. The caller passes it in, because this room reads no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Year, 1 to 9999.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
}

/// A document of headings, paragraphs, notices, tables and figures, printed as PDF/A-2b (ISO 19005-2).
///
/// The same document gives the same bytes on every machine. Any text is harmless: nothing in it is read as markup, long
/// words are broken, and what the embedded fonts cannot draw, or what would turn the direction of the line, is written
/// out as `\u{…}`.
///
/// ```
/// let printed = report::Moment { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5 };
/// let document = report::Document::new("Certificate", "certificate 1", printed).paragraph("#strong[not markup]");
/// let pdf = document.to_pdf()?;
/// assert!(pdf.bytes.starts_with(b"%PDF-1.7"));
/// assert_eq!(pdf.pages, 1);
/// # Ok::<(), report::PdfError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    title: String,
    ident: String,
    printed: Moment,
    header: String,
    footer: Vec<String>,
    landscape: bool,
    page: usize,
    blocks: Vec<Block>,
}

/// A printed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdf {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many pages it has.
    pub pages: usize,
}

/// Why a document cannot be printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// The caller gave a day that does not exist.
    #[error("{0:?} is not a moment of the calendar")]
    Moment(Moment),
    /// A table larger than one document takes; the caller prints it in parts.
    #[error(
        "a document of {cells} cells is longer than the {MAX_CELLS} that one file takes\nhint: print it in parts"
    )]
    Limit {
        /// Cells in all tables.
        cells: usize,
    },
    /// The layout could not be made; this room's fault, not the caller's.
    #[error("the document could not be laid out: {0}")]
    Layout(String),
}

#[derive(Clone, Debug)]
enum Block {
    Heading(String),
    Paragraph(String),
    Notice(String),
    Lines(String),
    Table(Table),
    Figure { svg: String, caption: String },
}

impl Document {
    /// An empty document on upright A4 pages. `ident` names it for ever: the same certificate printed again has the
    /// same, another has another.
    pub fn new(title: impl Into<String>, ident: impl Into<String>, printed: Moment) -> Self {
        Self {
            title: title.into(),
            ident: ident.into(),
            printed,
            header: String::new(),
            footer: Vec::new(),
            landscape: false,
            page: 1,
            blocks: Vec::new(),
        }
    }

    /// This document on pages that lie on their side, for wide tables.
    #[must_use]
    pub fn landscape(mut self) -> Self {
        self.landscape = true;
        self
    }

    /// This document with words at the top of every page, beside the page number.
    #[must_use]
    pub fn header(mut self, text: &str) -> Self {
        text.clone_into(&mut self.header);
        self
    }

    /// This document with lines at the foot of every page; three at most have room.
    #[must_use]
    pub fn footer(mut self, lines: &[&str]) -> Self {
        self.footer = lines.iter().take(3).map(|&line| line.to_owned()).collect();
        self
    }

    /// This document as a later part of a longer one: its first page has this number, and no title stands on it.
    #[must_use]
    pub fn from_page(mut self, page: usize) -> Self {
        self.page = page.max(1);
        self
    }

    /// This document with a heading.
    #[must_use]
    pub fn heading(self, text: &str) -> Self {
        self.with(Block::Heading(text.to_owned()))
    }

    /// This document with a paragraph.
    #[must_use]
    pub fn paragraph(self, text: &str) -> Self {
        self.with(Block::Paragraph(text.to_owned()))
    }

    /// This document with a paragraph that nobody may overlook.
    #[must_use]
    pub fn notice(self, text: &str) -> Self {
        self.with(Block::Notice(text.to_owned()))
    }

    /// This document with a text whose lines stay as they are, such as a signed note.
    #[must_use]
    pub fn lines(self, text: &str) -> Self {
        self.with(Block::Lines(text.to_owned()))
    }

    /// This document with a table. A link's target does not stand on paper and is left out.
    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.with(Block::Table(table))
    }

    /// This document with a picture. The SVG must come from this crate or another trusted drawing.
    #[must_use]
    pub fn svg(self, svg: &str, caption: &str) -> Self {
        self.with(Block::Figure { svg: svg.to_owned(), caption: caption.to_owned() })
    }

    /// The whole file. Its structure is marked for screen readers unless its tables have more than 2,000 cells.
    ///
    /// # Errors
    /// [`PdfError::Moment`] for a day that does not exist, [`PdfError::Limit`] above [`MAX_CELLS`] cells,
    /// [`PdfError::Layout`] for a picture that is no SVG.
    pub fn to_pdf(&self) -> Result<Pdf, PdfError> {
        let cells = self.cells();
        if cells > MAX_CELLS {
            return Err(PdfError::Limit { cells });
        }
        let Moment { year, month, day, hour, minute, second } = self.printed;
        if !(1..=9999).contains(&year)
            || Datetime::from_ymd_hms(year, month, day, hour, minute, second).is_none()
        {
            return Err(PdfError::Moment(self.printed));
        }
        // A mark that no font can draw on its letter is found only while letters are set; then all but ASCII is
        // written out.
        self.set(Letters::Drawable).or_else(|_| self.set(Letters::Ascii))
    }

    /// Cells in all tables.
    fn cells(&self) -> usize {
        self.blocks.iter().map(Block::cells).sum()
    }

    fn set(&self, letters: Letters) -> Result<Pdf, PdfError> {
        let world = OneText::new(self.inputs(letters));
        let compiled = typst::compile::<PagedDocument>(&world).output;
        let made = compiled.and_then(|document| {
            let options = PdfOptions {
                ident: Smart::Custom(self.ident.clone()),
                creator: Smart::Custom(Some("microstamp".to_owned())),
                standards: PdfStandards::new(&[PdfStandard::A_2b])
                    .expect("one standard cannot contradict itself"),
                tagged: self.cells() <= MAX_TAGGED,
                ..PdfOptions::default()
            };
            Ok(Pdf { bytes: typst_pdf::pdf(&document, &options)?, pages: document.pages().len() })
        });
        // Without this the memory of every document ever made would stay.
        comemo::evict(0);
        made.map_err(|errors| {
            PdfError::Layout(errors.first().map(|error| error.message.to_string()).unwrap_or_default())
        })
    }

    fn inputs(&self, letters: Letters) -> Dict {
        let line = |text: &str| letters.of(&shortened(text));
        dict! {
            "title" => line(&self.title),
            "year" => i64::from(self.printed.year),
            "month" => i64::from(self.printed.month),
            "day" => i64::from(self.printed.day),
            "hour" => i64::from(self.printed.hour),
            "minute" => i64::from(self.printed.minute),
            "second" => i64::from(self.printed.second),
            "header" => line(&self.header),
            "footer" => self.footer.iter().map(|text| line(text).into_value()).collect::<Array>(),
            "landscape" => self.landscape,
            "size" => if self.landscape { 7.5 } else { 10.0 },
            "page" => self.page as i64,
            "blocks" => self.blocks.iter().map(|block| block.value(letters)).collect::<Array>(),
        }
    }

    fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

impl Block {
    fn cells(&self) -> usize {
        let Self::Table(table) = self else { return 0 };
        let (headings, _, rows) = table.parts();
        headings.len() * rows.len()
    }

    fn value(&self, letters: Letters) -> Value {
        let block = match self {
            Self::Heading(text) => dict! { "kind" => "heading", "text" => letters.of(&shortened(text)) },
            Self::Paragraph(text) => dict! { "kind" => "paragraph", "text" => letters.of(text) },
            Self::Notice(text) => dict! { "kind" => "notice", "text" => letters.of(text) },
            Self::Lines(text) => {
                let lines: Array = text.lines().map(|line| letters.of(line).into_value()).collect();
                dict! { "kind" => "lines", "lines" => lines }
            }
            Self::Table(table) => table_value(table, letters),
            Self::Figure { svg, caption } => dict! {
                "kind" => "figure",
                "svg" => Bytes::from_string(letters.of_picture(svg)),
                "caption" => letters.of(&shortened(caption)),
            },
        };
        block.into_value()
    }
}

fn table_value(table: &Table, letters: Letters) -> Dict {
    let (headings, widths, rows) = table.parts();
    let columns = headings.len();
    let empty = || String::new().into_value();
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) | Cell::Link { text, .. } => letters.of(text).into_value(),
        Cell::Code(text) => std::iter::once(letters.of(text).into_value()).collect::<Array>().into_value(),
    };
    let mut cells = Array::new();
    for row in rows {
        let given = row.iter().map(cell).chain(std::iter::repeat_with(empty));
        given.take(columns).for_each(|value| cells.push(value));
    }
    let width = |at: usize| i64::from(widths.get(at).copied().unwrap_or(1).max(1)).into_value();
    dict! {
        "kind" => "table",
        "headings" => headings.iter().map(|text| letters.of(text).into_value()).collect::<Array>(),
        "widths" => (0..columns).map(width).collect::<Array>(),
        "cells" => cells,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_LINE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Which letters are printed as they are; all others are written out.
#[derive(Clone, Copy)]
enum Letters {
    /// Those that an embedded font can draw.
    Drawable,
    /// Printable ASCII alone.
    Ascii,
}

impl Letters {
    fn of(self, text: &str) -> String {
        let (mut out, mut unbroken) = (String::with_capacity(text.len()), 0);
        for letter in text.chars() {
            let before = out.len();
            match letter {
                letter if letter.is_whitespace() => out.push(' '),
                letter if self.draws(letter) => out.push(letter),
                letter => out.extend(letter.escape_unicode()),
            }
            unbroken = if letter.is_whitespace() { 0 } else { unbroken + out.len() - before };
            if unbroken >= UNBROKEN {
                // Zero width space: the line may end here, nothing is drawn.
                out.push('\u{200b}');
                unbroken = 0;
            }
        }
        out
    }

    /// The words in a picture, where no line can be broken.
    fn of_picture(self, svg: &str) -> String {
        let mut out = String::with_capacity(svg.len());
        for letter in svg.chars() {
            if matches!(letter, '\t' | '\n' | '\r') || self.draws(letter) {
                out.push(letter);
            } else {
                out.extend(letter.escape_unicode());
            }
        }
        out
    }

    fn draws(self, letter: char) -> bool {
        match (letter, self) {
            (' '..='~', _) => true,
            (_, Self::Ascii) => false,
            (letter, Self::Drawable) => !is_hidden(letter) && has_glyph(letter),
        }
    }
}

/// Letters that draw nothing, turn the line's direction or have no agreed shape: written out, so that nobody is misled.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(u32::from(letter),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
            | 0xfff0..=0xffff | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0x0010_ffff)
}

fn has_glyph(letter: char) -> bool {
    let book = FONTS.book();
    (0..).map_while(|index| book.info(index)).any(|font| font.coverage.contains(letter.into()))
}

static FONTS: LazyLock<FontStore> = LazyLock::new(|| {
    let mut fonts = FontStore::new();
    fonts.extend(embedded());
    fonts
});

/// All that the layout engine can see.
struct OneText {
    library: LazyHash<Library>,
    source: Source,
}

impl OneText {
    fn new(inputs: Dict) -> Self {
        let path = VirtualPath::new("document.typ").expect("a plain name is a path");
        let id = RootedPath::new(VirtualRoot::Project, path).intern();
        let library = LazyHash::new(Library::builder().with_inputs(inputs).build());
        Self { library, source: Source::new(id, LAYOUT.to_owned()) }
    }
}

impl World for OneText {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        FONTS.book()
    }

    fn main(&self) -> FileId {
        self.source.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.source.id() { Ok(self.source.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, _: FileId) -> FileResult<Bytes> {
        Err(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.font(index)
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
