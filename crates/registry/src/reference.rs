//! A reference is the number of a document that lies elsewhere, never a name.

use crate::error::Refusal;
use crate::event::{Event, Recipient, Source};
use crate::names::Reference;

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

/// Refuses an event that would bring a name into the books where the number of a document belongs. A recovery names the incident of
/// the loss that it ends, so that one stands already.
///
/// # Errors
/// As [`Reference::is_a_number`].
pub(crate) fn has_numbers(event: &Event) -> Result<(), Refusal> {
    match event {
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

/// Whether there are two words of letters that no office puts before its numbers, or one with an initial beside it.
fn has_a_name(text: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_initial = |word: &&str| word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let is_name = |word: &&str| {
        !is_initial(word)
            && word.chars().all(char::is_alphabetic)
            && !WORDS.contains(&word.to_lowercase().as_str())
    };
    let beside = |pair: &[&str]| {
        (is_name(&pair[0]) && is_initial(&pair[1])) || (is_initial(&pair[0]) && is_name(&pair[1]))
    };
    words.iter().filter(|word| is_name(word)).count() > 1 || words.windows(2).any(beside)
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
        ] {
            check(text, false);
        }
    }
}
