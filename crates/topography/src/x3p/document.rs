//! `main.xml`: the fields of the four records, whatever the root and the namespaces are called.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::{FileError, Limits};

const DEEPEST: usize = 64;
const MOST_FIELDS: usize = 10_000;
const LONGEST_TEXT: usize = 1 << 20;

/// The text of every element, by its path below the root, and the heights where they are written as text.
pub(super) struct Document {
    fields: BTreeMap<String, String>,
    pub(super) heights: Option<Vec<f64>>,
}

impl Document {
    pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, FileError> {
        let text = decode_text(bytes);
        let mut parser = Parser {
            path: Vec::new(),
            text: String::new(),
            samples: limits.samples,
            document: Self { fields: BTreeMap::new(), heights: None },
        };
        let mut reader = Reader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        loop {
            let event = reader.read_event().map_err(|_| {
                let at = reader.error_position();
                FileError::damaged(format!("main.xml is not well-formed XML near byte {at}"))
            })?;
            if matches!(event, Event::Eof) {
                break;
            }
            parser.take(&event)?;
        }
        let has_records = parser.document.fields.keys().any(|path| path.starts_with("Record"));
        if parser.path.is_empty() && has_records {
            Ok(parser.document)
        } else if has_records {
            Err(FileError::damaged("main.xml is cut short"))
        } else {
            Err(FileError::damaged("main.xml has none of the records of ISO 25178-72"))
        }
    }

    /// The trimmed text at a path below the root, or nothing where it is absent or empty.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.fields.get(path).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether the element is there at all, empty or not, with or without children.
    pub(super) fn has(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.fields.keys().any(|field| field == path || field.starts_with(&below))
    }

    pub(super) fn number(&self, path: &str) -> Result<Option<f64>, FileError> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let number = parse_number(text).filter(|number| number.is_finite());
        let unreadable =
            || FileError::damaged(format!("{path} in main.xml is not a number: `{}`", shorten(text)));
        number.map(Some).ok_or_else(unreadable)
    }

    pub(super) fn size(&self, path: &str) -> Result<Option<u64>, FileError> {
        let Some(number) = self.number(path)? else { return Ok(None) };
        if number < 0.0 || number.fract() != 0.0 || number > 1e18 {
            return Err(FileError::damaged(format!("{path} in main.xml is not a count: {number}")));
        }
        Ok(Some(number as u64))
    }
}

struct Parser {
    path: Vec<String>,
    text: String,
    samples: usize,
    document: Document,
}

impl Parser {
    fn take(&mut self, event: &Event<'_>) -> Result<(), FileError> {
        match event {
            Event::Start(start) => self.open(start.local_name().as_ref())?,
            Event::End(_) => self.close()?,
            Event::Text(text) => self.text.push_str(text),
            Event::CData(text) => self.text.push_str(text),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten();
                self.text.push(character.unwrap_or_else(|| named_character(reference)));
            }
            _ => {}
        }
        if self.text.len() > LONGEST_TEXT {
            return Err(FileError::limit(
                "a text in main.xml is too long",
                self.text.len() as u64,
                LONGEST_TEXT as u64,
            ));
        }
        Ok(())
    }

    fn open(&mut self, name: &str) -> Result<(), FileError> {
        if self.path.len() >= DEEPEST {
            return Err(FileError::damaged(format!("main.xml nests elements more than {DEEPEST} deep")));
        }
        if self.path.last().is_some_and(|parent| parent == "DataList") && self.document.heights.is_none() {
            self.document.heights = Some(Vec::new());
        }
        self.path.push(name.to_owned());
        self.text.clear();
        Ok(())
    }

    fn close(&mut self) -> Result<(), FileError> {
        let text = self.text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
        self.text.clear();
        let is_datum = self.path.last().is_some_and(|name| name == "Datum");
        if is_datum {
            self.path.pop();
            return self.take_datum(&text);
        }
        if self.document.fields.len() >= MOST_FIELDS {
            return Err(FileError::limit(
                "main.xml has too many elements",
                MOST_FIELDS as u64 + 1,
                MOST_FIELDS as u64,
            ));
        }
        let path = self.path.get(1..).unwrap_or_default().join("/");
        self.path.pop();
        let field = self.document.fields.entry(path).or_default();
        if field.is_empty() {
            *field = text;
        }
        Ok(())
    }

    fn take_datum(&mut self, text: &str) -> Result<(), FileError> {
        let heights = self.document.heights.get_or_insert_default();
        if heights.len() >= self.samples {
            let seen = heights.len() as u64 + 1;
            return Err(FileError::limit("main.xml lists too many points", seen, self.samples as u64));
        }
        let last = text.rsplit(';').next().unwrap_or_default().trim();
        let height = if last.is_empty() { Some(f64::NAN) } else { parse_number(last) };
        let place = heights.len() + 1;
        heights.push(height.ok_or_else(|| {
            FileError::damaged(format!("point {place} in main.xml is not a number: `{}`", shorten(last)))
        })?);
        Ok(())
    }
}

/// A number as instruments write them: padded, `6.25e-007`, `1,5`, `NaN`.
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    text.parse()
        .ok()
        .or_else(|| if text.contains('.') { None } else { text.replacen(',', ".", 1).parse().ok() })
}

fn named_character(name: &str) -> char {
    match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// UTF-8 or UTF-16 by its byte order mark, otherwise UTF-8, otherwise ISO 8859-1.
fn decode_text(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |pair: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|unit| pair([unit[0], unit[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
            }
        }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}
