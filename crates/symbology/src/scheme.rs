//! Schemes: which alphabet, which code and which marks belong together. A scheme is data (a TOML file), not code.

use std::ops::Range;

use serde::Deserialize;

use crate::code::{self, is_separator};
use crate::scheme_file::{CharacterBlock, SchemeFile};
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
