//! Validated words of the trade: serial numbers, licences, case numbers.
//!
//! Each type is parsed once, at the border, and is right from then on. `FromStr`, `Deserialize` and every CSV cell go
//! through the same check, so that a bound book can never hold what a form would have refused. Where the source gives
//! a form for the value it is named on the type; everything else is bounded printable text: no character that cannot be seen or
//! turns the direction of those behind it, and nothing that a spreadsheet would take for a formula.
//!
//! ```
//! use registry::names::{LicenceNumber, Ori, Serial};
//!
//! let licence: LicenceNumber = "123456789a12345".parse()?;
//! assert_eq!(licence.as_str(), "1-23-456-78-9A-12345");
//! assert_eq!("  ab 1234 ".parse::<Serial>()?.as_str(), "AB 1234");
//! assert!("CA".parse::<Ori>().is_err());
//! # Ok::<(), registry::names::NameError>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// A word that does not have the form its field demands; the text names the field, what was seen and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} `{seen}` {problem}\nhint: {hint}")]
pub struct NameError {
    field: &'static str,
    seen: String,
    problem: &'static str,
    hint: &'static str,
}

impl NameError {
    /// The field the value was meant for, in lower case, such as `serial number`.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $field:literal, $hint:literal, $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The value in its one accepted spelling.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let parse: fn(&str) -> Parsed<'_> = $parse;
                parse(text).map(|value| Self(value.into())).map_err(|problem| NameError {
                    field: $field,
                    seen: text.chars().take(48).collect(),
                    problem,
                    hint: $hint,
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A serial number as marked on the frame or receiver: unique for one licensee, never nationally (27 CFR 478.92).
    ///
    /// Upper-cased; printable ASCII, 1 to 32 characters, single spaces inside.
    Serial: "serial number", "use 1 to 32 letters, digits, spaces or marks, as engraved on the frame", |text| upper(text, 32);

    /// A maker's name for a model.
    Model: "model", "use 1 to 64 printable characters", |text| printable(text, 64);

    /// Calibre or gauge as recorded in a bound book, such as `9 mm Luger` or `.45 ACP`.
    Calibre: "calibre", "use 1 to 32 printable characters, such as `9 mm Luger`", |text| printable(text, 32);

    /// Country of manufacture, ISO 3166-1 alpha-2.
    Country: "country", "use the two-letter code of ISO 3166-1, such as US or AT", country;

    /// Name of a licensee or an agency; never the name of a purchaser.
    PartyName: "name", "use 1 to 128 printable characters", |text| joined(text, 128);

    /// A firearms licence.
    ///
    /// A United States licence has 15 places, `1-23-456-78-9A-12345` (region, district, county, type, expiry, sequence);
    /// hyphens may be left out. Other countries' licences are written `CC:number`.
    LicenceNumber: "licence number", "write a United States licence as 1-23-456-78-9A-12345, any other as CC:number", licence;

    /// Originating agency identifier of the NCIC: two letters for the state and seven letters or digits.
    Ori: "ORI", "an ORI has nine places, such as CA0194200", ori;

    /// An agency's own case number; no question is answered without one.
    CaseNumber: "case number", "use 1 to 40 printable characters", |text| printable(text, 40);

    /// NCIC uniform offence code, four digits.
    CrimeCode: "crime code", "use the four digits of the NCIC uniform offence code, such as 0999", crime_code;

    /// Why something was asked or done, in words that another person can check.
    Reason: "reason", "say in 8 to 500 characters what it is for", reason;

    /// A person acting for an agency or a licensee: badge, account or name as that house knows it.
    Person: "person", "use 1 to 64 printable characters", |text| bounded(text, 64);

    /// Reference of a document kept elsewhere: an incident number, a police report, a permit, a Form 4473.
    ///
    /// A Form 4473 is filed at the dealer under a transaction number (27 CFR 478.125(e)); the books hold that number in
    /// place of the purchaser's name.
    Reference: "reference", "use 1 to 40 printable characters", |text| printable(text, 40);
}

impl Serial {
    /// Its text, without copying it.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl Person {
    /// The name's text, without copying it.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Whether two names are one person's, as far as whoever reads them can tell: they differ in nothing but case, spaces,
    /// punctuation, marks that cannot be seen, the form of their letters (Unicode NFKC), or letters that look alike (the skeletons of
    /// Unicode Technical Standard 39), such as those of the Cyrillic script, `0` and `O`, or `rn` and `m`. So two people whose names
    /// look alike cannot approve each other's questions before one of them is written in another way.
    ///
    /// ```
    /// let person: registry::names::Person = "det. example".parse()?;
    /// assert!(person.is(&"Det. Example".parse()?) && !person.is(&"sgt. example".parse()?));
    /// # Ok::<(), registry::names::NameError>(())
    /// ```
    pub fn is(&self, other: &Self) -> bool {
        let (one, other) = (folded(self.as_str()), folded(other.as_str()));
        one.iter().zip(&other).any(|(one, other)| one == other)
    }
}

impl Model {
    /// Whether a model is written in another way than this one and cannot be told from it: with other capital letters, or with
    /// letters outside ASCII that look like these.
    pub(crate) fn is_mistaken_for(&self, other: &str) -> bool {
        let one = self.as_str();
        let outside = !one.is_ascii() || !other.is_ascii();
        let alike = || folded(one).iter().zip(&folded(other)).any(|(one, other)| one == other);
        one != other && (one.to_lowercase() == other.to_lowercase() || (outside && alike()))
    }
}

/// What is left of a name: as small letters look, and as its letters look. Some letters are alike only when they are capitals.
pub(crate) fn folded(name: &str) -> [String; 2] {
    let plain: String = name.nfkc().collect();
    // The second time, because what a capital looks like may as a small letter look like something else.
    [plain.to_lowercase(), plain].map(|name| seen(&seen(&name)))
}

/// Letters and digits as they look, in small letters.
fn seen(name: &str) -> String {
    let looks: String = skeleton(&name.nfkc().collect::<String>()).collect();
    looks.to_lowercase().nfkc().filter(|letter| letter.is_alphanumeric()).collect()
}

/// A value in its one spelling, or what is wrong with it.
type Parsed<'t> = Result<Cow<'t, str>, &'static str>;

fn printable(text: &str, most: usize) -> Parsed<'_> {
    let text = joined(text, most)?;
    if !text.is_ascii() && text.contains(['\u{200c}', '\u{200d}']) { Err(UNSEEN) } else { Ok(text) }
}

/// As [`printable`], with the joiners that some scripts need in names.
fn joined(text: &str, most: usize) -> Parsed<'_> {
    let text = bounded(text, most)?;
    if !text.is_ascii() && text.chars().any(is_unseen) {
        return Err(UNSEEN);
    }
    // What spreadsheets run when they open a table: `=…`, `@…`, and `+…` or `-…` with a call in it.
    let called = text.starts_with(['+', '-']) && text.contains(['(', '|', '!']);
    if called || text.starts_with(['=', '@']) {
        Err("begins like a formula of a spreadsheet")
    } else {
        Ok(text)
    }
}

const UNSEEN: &str = "holds a character that cannot be seen or turns the direction of others";

/// Whether a character has no form of its own (Unicode 16: general category Cf, variation selectors, fillers, the blank of Braille), but
/// for the joiners.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'
        | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Some text without control characters, its blanks made one.
fn bounded(text: &str, most: usize) -> Parsed<'_> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if is_plain(text) {
        return if text.len() > most { Err("is too long") } else { Ok(Cow::Borrowed(text)) };
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    if text.chars().count() > most { Err("is too long") } else { Ok(Cow::Owned(text)) }
}

/// Whether a trimmed text is nothing but printable ASCII with single blanks, as nearly every cell of a table is: then a byte is a
/// character, and nothing in it has to be changed.
fn is_plain(text: &str) -> bool {
    let mut before = b' ';
    text.bytes().all(|byte| {
        let one_more_blank = (before, byte) == (b' ', b' ');
        before = byte;
        matches!(byte, b' '..=b'~') && !one_more_blank
    })
}

fn upper(text: &str, most: usize) -> Parsed<'_> {
    let text = printable(text, most)?;
    if !text.is_ascii() {
        return Err("holds a character outside ASCII");
    }
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    Ok(if is_upper { text } else { Cow::Owned(text.to_ascii_uppercase()) })
}

fn country(text: &str) -> Parsed<'_> {
    let text = upper(text, 16)?;
    if has_form(&text, "AA") { Ok(text) } else { Err("is not a country code") }
}

fn ori(text: &str) -> Parsed<'_> {
    let text = upper(text, 16)?;
    let bytes = text.as_bytes();
    if bytes.len() != 9 {
        return Err("does not have nine places");
    }
    let fits =
        bytes[..2].iter().all(u8::is_ascii_uppercase) && bytes[2..].iter().all(u8::is_ascii_alphanumeric);
    if fits { Ok(text) } else { Err("is not an agency identifier") }
}

fn crime_code(text: &str) -> Parsed<'_> {
    let text = printable(text, 16)?;
    if has_form(&text, "DDDD") { Ok(text) } else { Err("is not four digits") }
}

fn reason(text: &str) -> Parsed<'_> {
    let text = printable(text, 500)?;
    if text.chars().count() < 8 { Err("is too short to be checked by anyone") } else { Ok(text) }
}

fn licence(text: &str) -> Parsed<'_> {
    let text = upper(text, 40)?;
    if has_form(&text, "D-DD-DDD-DD-DA-DDDDD") {
        return Ok(text);
    }
    if let Some((country, number)) = text.split_once(':') {
        return if has_form(country, "AA") && !number.trim().is_empty() {
            Ok(Cow::Owned(format!("{country}:{}", number.trim())))
        } else {
            Err("is not a country code and a number")
        };
    }
    let bare: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if !has_form(&bare, "DDDDDDDDDADDDDD") {
        return Err("is not a licence number");
    }
    let [region, district, county, kind, expiry, sequence] =
        [&bare[..1], &bare[1..3], &bare[3..6], &bare[6..8], &bare[8..10], &bare[10..]];
    Ok(Cow::Owned(format!("{region}-{district}-{county}-{kind}-{expiry}-{sequence}")))
}

/// Whether a text has this form: a digit for each `D`, a capital letter for each `A`, and every other sign as it stands.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, sign): (u8, u8)| match sign {
        b'D' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        sign => byte == sign,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_text_is_what_the_long_way_makes_of_it(text in "[ -~\\t\u{a0}\u{200d}é]{0,12}") {
            let words: Vec<&str> = text.split_whitespace().collect();
            let words = words.join(" ");
            let expected = if words.is_empty() {
                Err("is empty")
            } else if text.trim().chars().any(char::is_control) {
                Err("holds a control character")
            } else if words.chars().count() > 9 {
                Err("is too long")
            } else {
                Ok(words)
            };
            prop_assert_eq!(bounded(&text, 9).map(Cow::into_owned), expected);
        }
    }

    #[test]
    fn licences_have_one_spelling() {
        let spelled = |text: &str| licence(text).map(Cow::into_owned);
        let one = Ok("1-23-456-78-9A-12345".to_owned());
        for text in
            ["1-23-456-78-9A-12345", "123456789a12345", " 1-23-456-78-9a-12345 ", "1-2345678 9A-12345"]
        {
            assert_eq!(spelled(text), one, "{text}");
        }
        assert_eq!(spelled("at: 77 b"), Ok("AT:77 B".to_owned()));
        for text in ["1-23-456-78-9A-1234", "1-23-456-78-99-12345", "1_23-456-78-9A-12345", "A1:77", "AT:"] {
            assert!(spelled(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spellings_do_not_make_people() {
        let person = |name: &str| name.parse::<Person>().expect("a name");
        for other in
            ["Det. Example", "det example", "det.\u{200b}example", "ｄｅｔ. Example", "DET\u{ad}.  EXAMPLE"]
        {
            assert!(person("det. example").is(&person(other)), "{other:?}");
        }
        assert!(person("j. müller").is(&person("J. Mu\u{308}ller")));
        for other in ["det. example 2", "sgt. example", "det. sample"] {
            assert!(!person("det. example").is(&person(other)), "{other:?}");
        }
    }
}
