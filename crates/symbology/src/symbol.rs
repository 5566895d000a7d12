//! One of the 32 symbols.

use std::fmt;

/// The 32 characters of the alphabet in the order of their values: digits and letters without `B I O Q`.
pub const ALPHABET: &str = "0123456789ACDEFGHJKLMNPRSTUVWXYZ";

/// One symbol of the code: an element of GF(32), a five-bit integer, a character of [`ALPHABET`].
///
/// ```
/// use symbology::Symbol;
/// let k = Symbol::from_char('k').expect("K is in the alphabet");
/// assert_eq!((k.value(), k.to_char()), (18, 'K'));
/// assert_eq!(Symbol::from_char('O'), Symbol::from_char('0'));
/// assert_eq!(Symbol::from_char('*'), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u8);

impl Symbol {
    /// How many symbols there are.
    pub const COUNT: usize = 32;

    /// The symbol of a value below 32; `None` for larger values.
    pub const fn new(value: u8) -> Option<Self> {
        if value < 32 { Some(Self(value)) } else { None }
    }

    /// The symbol of the lowest five bits of a number.
    pub(crate) const fn masked(number: u32) -> Self {
        Self((number & 31) as u8)
    }

    /// The symbol a person means by a character: lower case is taken as upper case, and the four letters that are
    /// not in the alphabet as the digits they are mistaken for (`O`, `Q` → `0`, `I` → `1`, `B` → `8`).
    pub fn from_char(character: char) -> Option<Self> {
        let meant = match character.to_ascii_uppercase() {
            'O' | 'Q' => '0',
            'I' => '1',
            'B' => '8',
            other => other,
        };
        ALPHABET.chars().position(|c| c == meant).map(|value| Self(value as u8))
    }

    /// The value, 0 to 31.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The character of the alphabet.
    pub fn to_char(self) -> char {
        char::from(ALPHABET.as_bytes()[usize::from(self.0)])
    }

    /// All 32 symbols in the order of their values.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..32).map(Self)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_char())
    }
}
