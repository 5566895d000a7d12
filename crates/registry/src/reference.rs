//! A reference is the number of a document that lies elsewhere, never a name.

use crate::error::Refusal;
use crate::event::{Event, Recipient, Source};
use crate::firearm::Licensee;
use crate::names::{PartyName, Reference};

/// Signs between the groups of a number.
const SIGNS: &str = "-/.,#:_()+&";

/// Words that offices, forms and books put before their numbers, in small letters.
const WORDS: &[&str] = &[
    "atf",
    "bb",
    "book",
    "bound",
    "box",
    "cad",
    "cas",
    "case",
    "cfs",
    "co",
    "county",
    "cr",
    "dept",
    "dr",
    "ffl",
    "file",
    "fir",
    "folio",
    "form",
    "inc",
    "incident",
    "inv",
    "invoice",
    "item",
    "ledger",
    "line",
    "log",
    "lot",
    "ms",
    "ncic",
    "nics",
    "no",
    "nr",
    "ntn",
    "num",
    "number",
    "page",
    "pd",
    "permit",
    "pg",
    "police",
    "pp",
    "receipt",
    "record",
    "ref",
    "report",
    "row",
    "sale",
    "sheriff",
    "so",
    "ticket",
    "trans",
    "transaction",
    "txn",
    "voucher",
    "vol",
    "volume",
];

impl Reference {
    /// Whether it can be a number as forms, incidents, permits and bound books bear them: letters, digits, blanks and the signs
    /// `- / . , # : _ ( ) + &`, one digit at least, and, beside the words that offices and forms put before their numbers (`no`,
    /// `report`, `page`, …), no more than one word of letters, without an initial next to it.
    ///
    /// What is in the books already is read as it stands; what is entered is checked.
    ///
    /// # Errors
    /// [`Refusal::Request`] for what reads like a name.
    ///
    /// ```
    /// let number = |text: &str| text.parse::<registry::names::Reference>().map(|one| one.is_a_number().is_ok());
    /// assert!(number("2024-0815")? && number("LAPD DR 24-0012345")? && number("Book 2, page 14, line 7")?);
    /// assert!(!number("John Q. Public")? && !number("John Public 17")? && !number("Gonzalez-Lopez 3")?);
    /// # Ok::<(), registry::names::NameError>(())
    /// ```
    pub fn is_a_number(&self) -> Result<(), Refusal> {
        let text = self.as_str();
        let admitted = |c: char| c.is_alphanumeric() || c == ' ' || SIGNS.contains(c);
        if text.chars().all(admitted) && text.chars().any(char::is_numeric) && !has_a_name(text) {
            return Ok(());
        }
        let what = format!("reference `{text}` reads like a name or a remark, not like a number");
        Err(Refusal::Request {
            what,
            hint: "give the number under which the form or the report is filed: a number, never a name",
        })
    }
}

/// Refuses an event that would bring a buyer's name into the books: where the number of a document or a licence belongs, or as a
/// government body. A recovery names the incident of
/// the loss that it ends, so that one stands already.
///
/// # Errors
/// As [`Reference::is_a_number`].
pub(crate) fn has_numbers(event: &Event) -> Result<(), Refusal> {
    let other = match event {
        Event::Acquired { source: Source::Licensee(other), .. }
        | Event::Disposed { to: Recipient::Licensee(other), .. } => Some(other),
        _ => None,
    };
    [event.holder()].into_iter().chain(other).try_for_each(is_a_licence)?;
    match event {
        Event::Disposed { to: Recipient::Government(body), .. } => is_a_body(body),
        Event::Acquired { source: Source::Public(reference), .. }
        | Event::Disposed {
            to: Recipient::Form4473(reference) | Recipient::Export { permit: reference, .. },
            ..
        }
        | Event::MultipleSale { reference, .. } => reference.is_a_number(),
        Event::Lost { loss, .. } => {
            loss.incident.is_a_number()?;
            loss.police_report.as_ref().map_or(Ok(()), Reference::is_a_number)
        }
        _ => Ok(()),
    }
}

/// A part of a reference between blanks and signs, as far as names go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Digits, or digits and letters as numbers have them; so many characters.
    Number(usize),
    /// A word that offices put before their numbers.
    Known,
    Initial,
    Name,
    /// A name of several words in one, such as `JaneDoe`.
    Names,
}

impl Part {
    /// Digits glued to a word, or in place of its letters, make it no number.
    fn of(token: &str) -> Self {
        let word = token.trim_matches(char::is_numeric);
        let (length, digits) = (token.chars().count(), token.chars().filter(|c| c.is_numeric()).count());
        let has = |class: fn(char) -> bool| word.chars().any(class);
        if word.is_empty() {
            return Self::Number(length);
        }
        if !word.chars().all(char::is_alphabetic) {
            // Numbers with letters in them are written in capitals.
            return if has(char::is_lowercase) { Self::Name } else { Self::Number(length) };
        }
        if word.chars().count() == 1 {
            return if digits <= 1 { Self::Initial } else { Self::Number(length) };
        }
        if WORDS.contains(&word.to_lowercase().as_str()) {
            return Self::Known;
        }
        let letters: Vec<char> = word.chars().collect();
        // As in `AB0001` and `4KX7`.
        if digits > 0 && letters.len() <= 3 && !has(char::is_lowercase) {
            return Self::Number(length);
        }
        let joined = letters.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
        if joined { Self::Names } else { Self::Name }
    }
}

/// Whether there are two words of letters that no office puts before its numbers, or one with an initial beside it, or a number of the form
/// of a person's (social security, three digits, two and four).
fn has_a_name(text: &str) -> bool {
    let tokens: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let parts: Vec<Part> = tokens.iter().map(|token| Part::of(token)).collect();
    let names = parts.iter().map(|part| match part {
        Part::Names => 2,
        Part::Name => 1,
        _ => 0,
    });
    let beside = |one: Part, other: Part| {
        matches!((one, other), (Part::Name, Part::Initial) | (Part::Initial, Part::Name))
    };
    // A short number between initial and name parts nothing.
    let parted = |at: usize| {
        let between = matches!(parts[at + 1], Part::Number(length) if length <= 2);
        let in_small_letters = [at, at + 2].iter().any(|at| tokens[*at].chars().any(char::is_lowercase));
        between && in_small_letters && beside(parts[at], parts[at + 2])
    };
    names.sum::<u32>() > 1
        || parts.windows(2).any(|pair| beside(pair[0], pair[1]))
        || (0..parts.len().saturating_sub(2)).any(parted)
        || is_of_a_person(&tokens)
}

fn is_of_a_person(tokens: &[&str]) -> bool {
    tokens.windows(3).any(|three| {
        let digits = |token: &&str| token.bytes().all(|byte| byte.is_ascii_digit());
        three.iter().all(digits) && [0, 1, 2].map(|at: usize| three[at].len()) == [3, 2, 4]
    })
}

/// Words, or beginnings of words, one of which the name of a government body has, in small letters.
const BODIES: &[&str] = &[
    "academy",
    "administration",
    "agency",
    "aduana",
    "airport",
    "ambassad",
    "arm",
    "attorney",
    "author",
    "bataillon",
    "battalion",
    "board",
    "border",
    "brigade",
    "bundes",
    "bureau",
    "cantonal",
    "carabin",
    "city",
    "civil",
    "coast guard",
    "college",
    "command",
    "commission",
    "constabular",
    "consul",
    "corps",
    "correction",
    "council",
    "county",
    "court",
    "crown",
    "customs",
    "defence",
    "defense",
    "department",
    "dept",
    "detention",
    "district",
    "division",
    "douane",
    "ejército",
    "embassy",
    "enforcement",
    "federal",
    "fire",
    "fiscalía",
    "fleet",
    "force",
    "forest",
    "försvar",
    "game",
    "garda",
    "gendarm",
    "government",
    "guard",
    "guardia",
    "highway",
    "homeland",
    "institute",
    "investigation",
    "jail",
    "justice",
    "kanton",
    "kriminal",
    "laborator",
    "land",
    "marine",
    "marshal",
    "metropolitan",
    "militar",
    "militär",
    "minist",
    "mint",
    "municip",
    "museum",
    "national",
    "naval",
    "navy",
    "nypd",
    "lapd",
    "office",
    "park",
    "parole",
    "patrol",
    "pd",
    "penitent",
    "police",
    "polici",
    "polis",
    "politi",
    "polizei",
    "polizia",
    "port",
    "postal",
    "prison",
    "probation",
    "prosecut",
    "protection",
    "public safety",
    "ranger",
    "regiment",
    "republic",
    "rijks",
    "royal",
    "security",
    "service",
    "sheriff",
    "squadron",
    "staat",
    "state",
    "town",
    "transit",
    "treasury",
    "tribal",
    "troop",
    "university",
    "veteran",
    "village",
    "wildlife",
    "zoll",
];

/// Refuses a government body that does not say what it is: a buyer's name would be told with every chain.
fn is_a_body(name: &PartyName) -> Result<(), Refusal> {
    let small = name.as_str().to_lowercase();
    let starts =
        |word: &str| small.match_indices(word).any(|(at, _)| !small[..at].ends_with(char::is_alphabetic));
    let in_latin = small.chars().any(|c| c.is_ascii_alphabetic());
    let house_number = small
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
        && small.contains(',');
    if !in_latin || (BODIES.iter().any(|word| starts(word)) && !house_number) {
        return Ok(());
    }
    let what = format!("`{name}` does not read like the name of a government body");
    let hint = "name the body with what it is, such as `Springfield Police Department`, without an address; a person is a retail sale, \
                with the number of the form";
    Err(Refusal::Request { what, hint })
}

/// Refuses a licence of another country whose country is none, or that reads like a name or a birthday.
fn is_a_licence(licensee: &Licensee) -> Result<(), Refusal> {
    let Some((country, number)) = licensee.licence.as_str().split_once(':') else { return Ok(()) };
    // A maker of components without a licence is written by its prefix.
    let own = country == "ZZ" && number.parse::<symbology::Prefix>().is_ok();
    let tokens: Vec<&str> =
        number.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).collect();
    let birthday = tokens.windows(3).any(|three| {
        let is =
            |at: usize, most: u32| three[at].parse::<u32>().is_ok_and(|number| (1..=most).contains(&number));
        let year = |at: usize| three[at].parse::<u32>().is_ok_and(|year| (1900..=2100).contains(&year));
        (year(0) && is(1, 12) && is(2, 31)) || (is(0, 31) && is(1, 31) && year(2))
    });
    let is_number = number.chars().any(char::is_numeric) && !has_a_name(number) && !birthday;
    if own || (is_country(country) && is_number) {
        return Ok(());
    }
    let what = format!("`{}` reads like no licence of {}", licensee.licence, licensee.name);
    let hint = "write the country's code (ISO 3166-1) and the number of the licence; a person without one is a retail sale";
    Err(Refusal::Request { what, hint })
}

/// The codes of ISO 3166-1, alpha-2, with Kosovo's.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH \
    GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB \
    LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM \
    PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

fn is_country(code: &str) -> bool {
    COUNTRIES.split(' ').any(|one| one == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        let reference: Reference = text.parse().expect("printable text");
        assert_eq!(reference.is_a_number().is_ok(), expected, "{text}");
    }

    #[test]
    fn numbers_of_the_field_pass() {
        for text in [
            "1",
            "12345",
            "T-0815",
            "2024-0815",
            "20240315-01",
            "4473-2024-000123",
            "A-1024",
            "S17",
            "3310-4 17",
            "NTN 1012RFX47",
            "NICS NTN 1012RFX47",
            "ATF Form 4473 no. 1204",
            "ATF F 3310.11 I-77",
            "I2025-004417",
            "I-77/1",
            "IN-24-00017",
            "24-0012345",
            "DR# 24-0012345",
            "LAPD DR 24-0012345",
            "Reno PD 24-12",
            "CAD 2024/11/0042",
            "CAS 12/3/2024",
            "FIR 0123/2024",
            "Sunnyside CAS 12/3/2024",
            "Book 2, page 14, line 7",
            "BB 3 p. 14 l. 7",
            "bound book 1:204",
            "Inv. 2024_118",
            "CORNER-0815",
            "D1234567",
            "DSP-5 050123456",
            "MS 17 (2)",
            "КУСП-1234",
            "受理 1234",
            "4F7KX2-QRT81",
            "NTN 1-4KX7-RTB9",
            "Reno D24-0012",
            "LAPD 24-0012-A",
            "I-AB0001",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn names_and_remarks_are_refused() {
        for text in [
            "John Q. Public",
            "Jane Doe",
            "Maria Gonzalez-Lopez",
            "Smith",
            "JOHN DOE 1",
            "Doe, John 1980-01-02",
            "J. Doe 12",
            "Doe J 12/03/1980",
            "Q. Public 4473",
            "John.Public.17",
            "john_public_17",
            "O'Neill 12",
            "j.doe@example.com 1",
            "sold to his brother 2",
            "Иван Петров 12",
            "Mr Doe 1",
            "n/a",
            "unknown",
            "pending",
            "-",
            "Form 4473 of Jane Doe",
            "Jane1 Doe2",
            "Jane_Doe1",
            "Maria 12 Gonzalez3",
            "J4ne D0e",
            "Jane D1",
            "K. 1 Miller",
            "Miller 12 K",
            "Иван Петров1",
            "JaneDoe 1980",
            "555-12-3456",
            "SSN 555 12 3456",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn bodies_and_licences_are_no_people() {
        let body = |name: &str| is_a_body(&name.parse().expect("a name")).is_ok();
        for name in [
            "Springfield Police Department",
            "Reno PD",
            "U.S. Marshals Service",
            "County Sheriff's Office",
            "State of Ohio",
            "Kantonspolizei Zürich",
            "Bundesheer",
            "Polizia di Stato",
            "Ministère de l'Intérieur",
            "警視庁",
        ] {
            assert!(body(name), "{name}");
        }
        for name in ["Jane Doe", "Jane Doe, 12 Elm Street", "John Q. Public", "Jane Doe, 12 State Street"] {
            assert!(!body(name), "{name}");
        }
        let licence = |text: &str| is_a_licence(&Licensee::new(text, "A house").expect("its form")).is_ok();
        for text in ["1-23-456-78-9A-12345", "AT:77 B", "DE:WBK 123/2020", "GB:RFD 123", "ZZ:K7"] {
            assert!(licence(text), "{text}");
        }
        for text in
            ["ZZ:born 1980-01-02", "ZZ:12345", "AT:born 1980-01-02", "DE:Jane Doe 1", "AT:none", "XX:17"]
        {
            assert!(!licence(text), "{text}");
        }
    }
}
