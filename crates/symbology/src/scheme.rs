//! Schemes: which alphabet, which code and which marks belong together. A scheme is data (a TOML file), not code.

use std::ops::Range;

use serde::Deserialize;

use crate::code::{self, is_separator};
use crate::{Code, CodeError, Mark, mother};

/// A scheme: alphabet, check rule, and the geometry of each mark in modules.
///
/// The format of the file is described in `docs/scheme-format.md`.
///
/// ```
/// use symbology::{Mark, Scheme};
/// let scheme = Scheme::plain_8();
/// assert_eq!(scheme.alphabet().len(), 36);
/// assert_eq!(scheme.marks(), [Mark::Characters]);
/// let word = scheme.word("0H5K B4M3")?;
/// assert_eq!(scheme.text(&word), "0H5K B4M3");
/// # Ok::<(), symbology::CodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scheme {
    file: SchemeFile,
    alphabet: Vec<char>,
}

/// How the symbols of a word depend on one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum CheckRule {
    /// The mother code `[31, 6]` over GF(32): the first six symbols are free.
    #[serde(rename = "mother-31-6")]
    Mother,
    /// None: every symbol is free.
    #[serde(rename = "none")]
    None,
}

/// Why a text is not a scheme. All of these are for the person who wrote the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// Not TOML, or a key that is missing, unknown or of the wrong type.
    #[error("line {line} of the scheme is wrong: {reason}")]
    Syntax {
        /// The line, from 1 on.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A value that makes no sense.
    #[error("the scheme's `{key}` {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// A name that is not one of the built-in schemes.
    #[error(
        "there is no built-in scheme `{0}`\nhint: open-1, plain-8, round-1, or the path of a scheme file"
    )]
    Name(String),
}

impl Scheme {
    /// The built-in scheme of this project: `open-1`.
    pub fn open_1() -> Self {
        built_in(include_str!("../schemes/open-1.toml"))
    }

    /// Eight free characters without a check, as in the published trials: `plain-8`.
    pub fn plain_8() -> Self {
        built_in(include_str!("../schemes/plain-8.toml"))
    }

    /// Serialised ammunition, one code for every box: `round-1`.
    pub fn round_1() -> Self {
        built_in(include_str!("../schemes/round-1.toml"))
    }

    /// A built-in scheme by its name.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Name`] when there is none of that name.
    pub fn by_name(name: &str) -> Result<Self, SchemeError> {
        [Self::open_1(), Self::plain_8(), Self::round_1()]
            .into_iter()
            .find(|scheme| scheme.name() == name)
            .ok_or_else(|| SchemeError::Name(name.to_owned()))
    }

    /// Reads a scheme file.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Syntax`] or [`SchemeError::Value`], in one sentence.
    pub fn from_toml(text: &str) -> Result<Self, SchemeError> {
        let file: SchemeFile = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.get(..at).map_or(1, |before| 1 + before.matches('\n').count());
            SchemeError::Syntax { line, reason: error.message().replace('\n', ", ") }
        })?;
        file.validate()?;
        let alphabet = file.alphabet.chars().collect();
        Ok(Self { file, alphabet })
    }

    /// The name, such as `open-1`.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// What the scheme is for, in one line.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// The characters in the order of their values.
    pub fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    /// How the symbols depend on one another.
    pub fn check(&self) -> CheckRule {
        self.file.check
    }

    /// How many symbols a word has: 31 with the mother code, otherwise the number of characters.
    pub fn length(&self) -> usize {
        match self.file.check {
            CheckRule::Mother => mother::LENGTH,
            CheckRule::None => self.file.characters.as_ref().map_or(0, CharacterBlock::count),
        }
    }

    /// The marks that the scheme has, in the order of their symbols.
    pub fn marks(&self) -> Vec<Mark> {
        Mark::ALL.into_iter().filter(|&mark| self.symbol_range(mark).is_some()).collect()
    }

    /// The places of the word that a mark carries; `None` when the scheme has no such mark.
    pub fn symbol_range(&self, mark: Mark) -> Option<Range<usize>> {
        let file = &self.file;
        match mark {
            Mark::Characters => file.characters.as_ref().map(|block| 0..block.count()),
            Mark::Gear => file.gear.as_ref().map(|ring| ring.first..ring.first + ring.symbols),
            Mark::Dots => file.dots.as_ref().map(|ring| ring.first..ring.first + ring.symbols),
            Mark::Radial => file.radial.as_ref().map(|ring| ring.first..ring.first + ring.symbols),
            Mark::Matrix => file.matrix.as_ref().map(|grid| grid.first..grid.first + grid.symbols),
        }
    }

    /// The word (values of all its symbols, before whitening) of a text; with the mother code, six or eight
    /// characters make all 31 symbols.
    ///
    /// # Errors
    ///
    /// [`CodeError`] when the text is not one of this scheme.
    pub fn word(&self, text: &str) -> Result<Vec<u8>, CodeError> {
        match self.file.check {
            CheckRule::Mother => Ok(self.code(text)?.symbols().iter().map(|s| s.value()).collect()),
            CheckRule::None => self.free_word(text),
        }
    }

    /// The text of a word, in groups of four characters: what a person reads off the mark.
    ///
    /// Values outside the alphabet are written as `?`.
    pub fn text(&self, word: &[u8]) -> String {
        let count = self.file.characters.as_ref().map_or(word.len(), CharacterBlock::count);
        let mut text = String::new();
        for (i, &value) in word.iter().take(count).enumerate() {
            if i > 0 && i % 4 == 0 {
                text.push(' ');
            }
            let drawn = usize::from(value ^ self.whitening(i));
            text.push(self.alphabet.get(drawn).copied().unwrap_or('?'));
        }
        text
    }

    /// The code of a text of this scheme.
    ///
    /// # Errors
    ///
    /// [`CodeError`] when the text is not a code of this scheme.
    pub fn code(&self, text: &str) -> Result<Code, CodeError> {
        code::parse(text, [self.whitening(6), self.whitening(7)])
    }

    /// What is added (exclusive or) to the symbol at a place before it is drawn.
    pub fn whitening(&self, index: usize) -> u8 {
        self.file.whitening.get(index).copied().unwrap_or(0)
    }

    pub(crate) fn file(&self) -> &SchemeFile {
        &self.file
    }

    fn free_word(&self, text: &str) -> Result<Vec<u8>, CodeError> {
        let typed = || text.trim().to_owned();
        let mut word = Vec::new();
        for character in text.chars().filter(|&c| !is_separator(c)) {
            let upper = character.to_ascii_uppercase();
            let value = self.alphabet.iter().position(|&c| c == upper);
            word.push(value.ok_or_else(|| CodeError::Character { character, typed: typed() })? as u8);
        }
        if word.len() == self.length() {
            return Ok(word);
        }
        Err(CodeError::SchemeLength {
            typed: typed(),
            count: word.len(),
            scheme: self.name().to_owned(),
            expected: self.length(),
        })
    }
}

fn built_in(text: &str) -> Scheme {
    Scheme::from_toml(text).expect("built-in schemes are valid, and a test reads each")
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemeFile {
    format: String,
    name: String,
    title: String,
    alphabet: String,
    check: CheckRule,
    #[serde(default)]
    whitening: Vec<u8>,
    pub(crate) characters: Option<CharacterBlock>,
    pub(crate) gear: Option<GearRing>,
    pub(crate) dots: Option<DotRings>,
    pub(crate) radial: Option<RadialRing>,
    pub(crate) matrix: Option<MatrixGrid>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CharacterBlock {
    pub(crate) rows: Vec<usize>,
    pub(crate) cap_height: f64,
    pub(crate) glyph_width: f64,
    pub(crate) column_pitch: f64,
    pub(crate) row_pitch: f64,
    pub(crate) pen: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GearRing {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) pitch: f64,
    pub(crate) outer: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DotRings {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) ring_pitch: f64,
    pub(crate) diameter: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadialRing {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) outer: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatrixGrid {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
}

impl CharacterBlock {
    pub(crate) fn count(&self) -> usize {
        self.rows.iter().sum()
    }
}

const FORMAT: &str = "microstamp.scheme/1";

/// More characters, or modules from the middle, than any part of a firearm could carry.
const MOST_CHARACTERS: usize = 64;
const MOST_MODULES: f64 = 1000.0;

impl SchemeFile {
    fn validate(&self) -> Result<(), SchemeError> {
        if self.format != FORMAT {
            return Err(value("format", format!("is `{}`, this program reads `{FORMAT}`", self.format)));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(plain) {
            return Err(value("name", "must be 1 to 32 small letters, digits and dashes".to_owned()));
        }
        self.validate_alphabet()?;
        self.validate_word()?;
        self.validate_rings()
    }

    fn validate_alphabet(&self) -> Result<(), SchemeError> {
        let characters: Vec<char> = self.alphabet.chars().collect();
        if let Some(c) = characters.iter().find(|&&c| !crate::geometry::has_glyph(c)) {
            return Err(value(
                "alphabet",
                format!("has `{c}`, for which there is no glyph (0-9 and A-Z have one)"),
            ));
        }
        let twice = (1..characters.len()).find(|&i| characters[..i].contains(&characters[i]));
        if let Some(i) = twice {
            return Err(value("alphabet", format!("has `{}` twice", characters[i])));
        }
        match self.check {
            CheckRule::Mother if self.alphabet != crate::symbol::ALPHABET => {
                Err(value("alphabet", format!("must be {} for the mother code", crate::symbol::ALPHABET)))
            }
            _ if characters.len() < 2 => Err(value("alphabet", "needs at least two characters".to_owned())),
            _ => Ok(()),
        }
    }

    fn validate_word(&self) -> Result<(), SchemeError> {
        let mother = self.check == CheckRule::Mother;
        let lengths = if mother { [0, mother::LENGTH] } else { [0, 0] };
        if !lengths.contains(&self.whitening.len()) {
            return Err(value(
                "whitening",
                format!("has {} numbers, not {}", self.whitening.len(), lengths[1]),
            ));
        }
        if self.whitening.iter().any(|&w| w > 31) || self.whitening.iter().take(6).any(|&w| w != 0) {
            return Err(value("whitening", "must be numbers up to 31, the first six of them 0".to_owned()));
        }
        let Some(block) = &self.characters else {
            return if mother { Ok(()) } else { Err(value("characters", "are missing".to_owned())) };
        };
        let count =
            block.rows.iter().try_fold(0_usize, |sum, &row| sum.checked_add(row)).unwrap_or(usize::MAX);
        if block.rows.contains(&0) || count == 0 || count > MOST_CHARACTERS || (mother && count > 31) {
            return Err(value(
                "rows",
                "must be lengths of rows, of 1 to 64 characters (31) together".to_owned(),
            ));
        }
        let sizes = [block.cap_height, block.glyph_width, block.column_pitch, block.row_pitch, block.pen];
        if !sizes.iter().all(|&size| size > 0.0 && size <= MOST_MODULES) {
            return Err(value("characters", "must have positive sizes in modules".to_owned()));
        }
        if block.pen >= block.glyph_width.min(block.cap_height) {
            return Err(value("pen", "must be thinner than a glyph is wide and high".to_owned()));
        }
        Ok(())
    }

    fn validate_rings(&self) -> Result<(), SchemeError> {
        let slices = [
            ("gear", self.gear.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.inner, r.pitch, r.outer]))),
            ("dots", self.dots.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.diameter, r.inner]))),
            ("radial", self.radial.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.inner, r.outer]))),
            ("matrix", self.matrix.as_ref().map(|r| (r.first, r.symbols, vec![]))),
        ];
        for (key, slice) in slices {
            let Some((first, symbols, sizes)) = slice else { continue };
            if self.check != CheckRule::Mother {
                return Err(value(key, "needs `check = \"mother-31-6\"`".to_owned()));
            }
            let end = first.checked_add(symbols);
            if symbols == 0 || end.is_none_or(|end| end > mother::LENGTH) {
                return Err(value(key, "must carry symbols between 0 and 30".to_owned()));
            }
            if !sizes.windows(2).all(|pair| pair[0] < pair[1]) || sizes.iter().any(|&s| s > MOST_MODULES) {
                return Err(value(key, "must have radii in modules that grow outwards".to_owned()));
            }
        }
        match &self.dots {
            Some(dots) if !(dots.ring_pitch > 0.0 && dots.ring_pitch <= MOST_MODULES) => {
                Err(value("ring_pitch", "must be a positive number of modules".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn value(key: &'static str, reason: String) -> SchemeError {
    SchemeError::Value { key, reason }
}
