//! The kinds of marks.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One kind of mark; every kind carries its own slice of the 31 symbols.
///
/// ```
/// use symbology::Mark;
/// assert_eq!("gear".parse(), Ok(Mark::Gear));
/// assert_eq!(Mark::Gear.symbol_range(), 8..16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Eight characters in rows, symbols 0 to 7.
    Characters,
    /// A ring of teeth around the characters, symbols 8 to 15.
    Gear,
    /// Rings of dots, symbols 16 to 30.
    Dots,
    /// A ring of radial bars, symbols 16 to 30.
    Radial,
    /// A Data Matrix (ISO/IEC 16022), symbols 16 to 30.
    Matrix,
}

impl Mark {
    /// All marks, in the order of their symbols.
    pub const ALL: [Self; 5] = [Self::Characters, Self::Gear, Self::Dots, Self::Radial, Self::Matrix];

    /// The places of the mother code that the mark carries in the built-in schemes.
    pub const fn symbol_range(self) -> Range<usize> {
        match self {
            Self::Characters => 0..8,
            Self::Gear => 8..16,
            Self::Dots | Self::Radial | Self::Matrix => 16..31,
        }
    }

    /// The name in commands, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Gear => "gear",
            Self::Dots => "dots",
            Self::Radial => "radial",
            Self::Matrix => "matrix",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no mark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of mark\nhint: characters, gear, dots, radial or matrix")]
pub struct MarkError(String);

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let name = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|mark| mark.name() == name).ok_or_else(|| MarkError(text.to_owned()))
    }
}
