//! Codes, prefixes and unit numbers: what a mark says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::mother::{self, DIMENSION, LENGTH};
use crate::{Symbol, nearest};

/// The identifier that a mark carries: six symbols, of which the first two are the issuer's [`Prefix`] and the other
/// four the sealed unit number.
///
/// Written as eight characters in two groups, the last two of which are check symbols. Reading is forgiving: case,
/// blanks, dashes and the confusions `O Q I B` are taken care of, and six characters (without the checks) will do.
///
/// ```
/// use symbology::Code;
/// let code: Code = "k73m-xp".parse()?;
/// let text = code.to_string();
/// assert_eq!(text.parse::<Code>()?, code);
/// assert_eq!(text.len(), 9);
/// # Ok::<(), symbology::CodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Code([Symbol; DIMENSION]);

impl Code {
    /// The code of six payload symbols. Every combination is a code.
    pub const fn new(payload: [Symbol; DIMENSION]) -> Self {
        Self(payload)
    }

    /// The six payload symbols.
    pub const fn payload(&self) -> &[Symbol; DIMENSION] {
        &self.0
    }

    /// All 31 symbols of the mother code, before whitening.
    pub fn symbols(&self) -> [Symbol; LENGTH] {
        mother::encode(&self.0)
    }

    /// The eight characters without the blank between them.
    pub fn characters(&self) -> String {
        self.symbols()[..8].iter().map(|s| s.to_char()).collect()
    }

    /// The block of units to which the code belongs.
    pub const fn prefix(&self) -> Prefix {
        Prefix([self.0[0], self.0[1]])
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(whitened(*self, [0, 0])))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads six or eight characters.
    ///
    /// # Errors
    ///
    /// [`CodeError::Character`] and [`CodeError::Length`] for text that cannot be a code, [`CodeError::Check`] when
    /// the two check symbols do not belong to the other six.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        parse(text, [0, 0])
    }
}

/// The two symbols in clear that name a block of 2^20 units of one issuer.
///
/// ```
/// use symbology::Prefix;
/// let prefix: Prefix = "K7".parse()?;
/// assert_eq!(prefix.to_string(), "K7");
/// assert_eq!(Prefix::from_index(prefix.index()), Some(prefix));
/// # Ok::<(), symbology::CodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Prefix([Symbol; 2]);

impl Prefix {
    /// How many prefixes there are.
    pub const COUNT: u16 = 1024;

    /// The prefix of two symbols.
    pub const fn new(symbols: [Symbol; 2]) -> Self {
        Self(symbols)
    }

    /// The prefix with the given number, or `None` from 1,024 on.
    pub fn from_index(index: u16) -> Option<Self> {
        (index < Self::COUNT).then(|| Self([index >> 5, index].map(|v| Symbol::masked(u32::from(v)))))
    }

    /// The number of the prefix, 0 to 1,023: 32 times the first symbol plus the second.
    pub const fn index(self) -> u16 {
        self.0[0].value() as u16 * 32 + self.0[1].value() as u16
    }

    /// The two symbols.
    pub const fn symbols(self) -> [Symbol; 2] {
        self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0[0], self.0[1])
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl FromStr for Prefix {
    type Err = CodeError;

    /// Reads two characters, as forgiving as [`Code`].
    ///
    /// # Errors
    ///
    /// [`CodeError::Character`] or [`CodeError::Prefix`].
    fn from_str(text: &str) -> Result<Self, CodeError> {
        match parse_symbols(text)?[..] {
            [first, second] => Ok(Self([first, second])),
            _ => Err(CodeError::Prefix { typed: text.trim().to_owned() }),
        }
    }
}

/// The running number of a unit within its prefix, 0 to 2^20 − 1, before sealing.
///
/// ```
/// use symbology::UnitNumber;
/// assert_eq!(UnitNumber::new(1_048_575)?.get(), 1_048_575);
/// assert!(UnitNumber::new(1_048_576).is_err());
/// # Ok::<(), symbology::CodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitNumber(u32);

impl UnitNumber {
    /// How many units a prefix has.
    pub const COUNT: u32 = 1 << 20;

    /// The unit of a number.
    ///
    /// # Errors
    ///
    /// [`CodeError::Unit`] from 2^20 on: the issuer needs another prefix.
    pub const fn new(number: u32) -> Result<Self, CodeError> {
        if number < Self::COUNT { Ok(Self(number)) } else { Err(CodeError::Unit { number }) }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Why a text or number is not a code. All of these are for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A character that no symbol has.
    #[error(
        "`{character}` in `{typed}` is not a character of a code\nhint: a code has digits and letters only"
    )]
    Character {
        /// The first such character.
        character: char,
        /// The whole text.
        typed: String,
    },
    /// Neither six nor eight characters.
    #[error(
        "`{typed}` has {count} characters, a code has 8\nhint: write it like `K73M XPKA`, or without the two check characters at the end"
    )]
    Length {
        /// The whole text.
        typed: String,
        /// How many symbols it has.
        count: usize,
    },
    /// The check symbols do not belong to the payload.
    #[error("the check characters of `{typed}` do not agree with the rest{}", nearest::hint(nearest))]
    Check {
        /// The whole text.
        typed: String,
        /// Valid codes near to it as they are written, the nearest first, at most five.
        nearest: Vec<String>,
    },
    /// A prefix that is not two characters long.
    #[error("`{typed}` is not a prefix\nhint: a prefix has two characters, like `K7`")]
    Prefix {
        /// The whole text.
        typed: String,
    },
    /// A unit number that does not fit four symbols.
    #[error("unit {number} does not fit a prefix, which has 1048576 units\nhint: go on with another prefix")]
    Unit {
        /// The number.
        number: u32,
    },
    /// The text has not as many characters as its scheme.
    #[error("`{typed}` has {count} characters, a mark of scheme {scheme} has {expected}")]
    SchemeLength {
        /// The whole text.
        typed: String,
        /// How many characters it has.
        count: usize,
        /// The name of the scheme.
        scheme: String,
        /// How many characters a mark of the scheme has.
        expected: usize,
    },
}

/// Reads a code whose two check characters were whitened.
pub(crate) fn parse(text: &str, whitening: [u8; 2]) -> Result<Code, CodeError> {
    let symbols = parse_symbols(text)?;
    let typed = text.trim().to_owned();
    if ![DIMENSION, 8].contains(&symbols.len()) {
        return Err(CodeError::Length { typed, count: symbols.len() });
    }
    let code = Code(std::array::from_fn(|i| symbols[i]));
    let written = |code: Code| whitened(code, whitening);
    if symbols.len() == DIMENSION || written(code)[..] == symbols[..] {
        return Ok(code);
    }
    let read = std::array::from_fn(|i| match i.checked_sub(DIMENSION) {
        Some(check) => Symbol::masked(u32::from(symbols[i].value() ^ whitening[check])),
        None => symbols[i],
    });
    let nearest = nearest::codes(read).iter().map(|code| grouped(written(*code))).collect();
    Err(CodeError::Check { typed, nearest })
}

/// The eight characters as they are drawn.
fn whitened(code: Code, whitening: [u8; 2]) -> [Symbol; 8] {
    let symbols = code.symbols();
    std::array::from_fn(|i| match i.checked_sub(DIMENSION) {
        Some(check) => Symbol::masked(u32::from(symbols[i].value() ^ whitening[check])),
        None => symbols[i],
    })
}

/// Two groups of four characters.
fn grouped(symbols: [Symbol; 8]) -> String {
    let characters: String = symbols.iter().map(|symbol| symbol.to_char()).collect();
    format!("{} {}", &characters[..4], &characters[4..])
}

/// Whether a character only groups the others.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '.' | '/' | '\u{2010}'..='\u{2015}')
}

fn parse_symbols(text: &str) -> Result<Vec<Symbol>, CodeError> {
    text.chars()
        .filter(|&c| !is_separator(c))
        .map(|character| {
            Symbol::from_char(character)
                .ok_or_else(|| CodeError::Character { character, typed: text.trim().to_owned() })
        })
        .collect()
}
