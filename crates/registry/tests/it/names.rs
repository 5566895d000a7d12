//! Forms of names.

use registry::names::{
    CaseNumber, Country, CrimeCode, LicenceNumber, Model, Ori, PartyName, Person, Reason, Reference, Serial,
};

fn check<T: std::str::FromStr + std::fmt::Display>(input: &str, expected: Option<&str>) {
    let got = input.parse::<T>().ok().map(|value| value.to_string());
    assert_eq!(got.as_deref(), expected, "{input:?}");
}

#[test]
fn names_have_one_spelling_or_none() {
    check::<Serial>(" ab  12-3 ", Some("AB 12-3"));
    check::<Serial>("", None);
    check::<Serial>("ab\u{7}1", None);
    check::<Serial>("äb1", None);
    check::<Serial>(&"1".repeat(33), None);
    check::<Ori>("ca0194200", Some("CA0194200"));
    check::<Ori>("990194200", None);
    check::<Ori>("CA01942", None);
    check::<CrimeCode>("0999", Some("0999"));
    check::<CrimeCode>("999", None);
    check::<Country>("at", Some("AT"));
    check::<Country>("AUT", None);
    check::<LicenceNumber>("1 23 456 78 9a 12345", Some("1-23-456-78-9A-12345"));
    check::<LicenceNumber>("1-23-456-78-99-12345", None);
    check::<LicenceNumber>("at:123/4", Some("AT:123/4"));
    check::<LicenceNumber>("at:", None);
    check::<Reason>("why", None);
    check::<CaseNumber>("26-000 1", Some("26-000 1"));
}

#[test]
fn nothing_is_hidden_in_a_name() {
    // What cannot be seen, what turns the direction of the rest, and the blank of Braille.
    for hidden in
        ["\u{200b}", "\u{202e}", "\u{ad}", "\u{fe0f}", "\u{2800}", "\u{3164}", "\u{e0041}", "\u{200d}"]
    {
        check::<Model>(&format!("M{hidden}9"), None);
        check::<Reference>(&format!("T-1{hidden}7"), None);
        check::<Reason>(&format!("a case {hidden}recovered"), None);
    }
    check::<PartyName>("\u{202e}snuG renroC", None);
    // Joiners are letters' business in some scripts.
    check::<PartyName>("می\u{200c}خواهم", Some("می\u{200c}خواهم"));
    // What a spreadsheet would run when it opens an exported table.
    for formula in ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+HYPERLINK(1)"] {
        check::<Model>(formula, None);
        check::<Reference>(formula, None);
    }
    check::<Serial>("-123", Some("-123"));
    check::<Model>("+P 9", Some("+P 9"));
    check::<Model>("ПМ", Some("ПМ"));
}

#[test]
fn errors_name_the_field_and_help() {
    let error = "x".parse::<Ori>().unwrap_err();
    assert_eq!(error.field(), "ORI");
    assert_eq!(
        error.to_string(),
        "ORI `x` does not have nine places\nhint: an ORI has nine places, such as CA0194200"
    );
}

#[test]
fn letters_that_look_alike_do_not_make_people() {
    let person = |name: &str| name.parse::<Person>().unwrap();
    // Cyrillic and Greek letters among Latin ones, in both cases; digits; two letters that look like one.
    let alike = [
        ("det. example", "dеt. eхamplе"),
        ("det. example", "DЕТ. EХAMPLE"),
        ("det. Boras", "dеt. ВΟRАS"),
        ("badge 1O7", "badge 107"),
        ("p.o. Ill", "p.o. 111"),
        ("j. barnes", "j. bames"),
    ];
    for (one, other) in alike {
        assert!(person(one).is(&person(other)) && person(other).is(&person(one)), "{one} {other}");
    }
    for (one, other) in [("badge 107", "badge 108"), ("иванов", "петров"), ("j. barnes", "j. baines")]
    {
        assert!(!person(one).is(&person(other)), "{one} {other}");
    }
}
