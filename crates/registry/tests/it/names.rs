//! Forms of names.

use std::io::Cursor;

use registry::names::{
    CaseNumber, Country, CrimeCode, LicenceNumber, Model, Ori, PartyName, Person, Reason, Reference, Serial,
};
use registry::{Correction, Event, ImportOptions, Licensee, Loss, LossKind, Recipient, Source};
use serde_json::Value;

use crate::place::{MODEL, Place, dealer, now, run};

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

/// A purchaser's name gets in by no door: single entries, corrections, tables, EPCIS.
/// A slip in the name of a member, or one more, is not passed over.
#[test]
fn an_event_has_no_other_members() {
    let licensee = serde_json::json!({"licence": "1-23-456-01-9A-33333", "name": "Corner Guns (synthetic)"});
    let loss = serde_json::json!({"how": "theft", "incident": "I-1", "police_report": "P-1"});
    let whole = serde_json::json!({"kind": "lost", "holder": licensee, "loss": loss});
    let reads = |event: &Value| serde_json::from_value::<Event>(event.clone()).is_ok();
    assert!(reads(&whole));
    for place in ["", "/holder", "/loss"] {
        let mut more = whole.clone();
        more.pointer_mut(place).unwrap()["police_paper"] = "P-1".into();
        assert!(!reads(&more), "{more}");
    }
    let sold = serde_json::json!({"kind": "disposed", "holder": licensee, "to": {"form4473": "T-1"}});
    let mut more = sold.clone();
    more["to"]["buyer"] = "x".into();
    assert!(reads(&sold) && !reads(&more));
    let sent = serde_json::json!({"kind": "acquired", "holder": licensee, "source": {"licensee": licensee}});
    let mut more = sent.clone();
    more["source"]["licensee"]["born"] = "x".into();
    assert!(reads(&sent) && !reads(&more));
}

#[tokio::test]
async fn a_name_is_no_number() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 2)).await;
    place.ship_and_sell("AB0001").await;
    place.ship("AB0002").await;
    let by = "clerk".parse().unwrap();
    let expected = "reference `Jane Doe` reads like a name";
    let number = |text: &str| text.parse::<Reference>().unwrap();
    let sale = |text| Event::Disposed { holder: dealer(), to: Recipient::Form4473(number(text)) };
    let lost = |incident, report| {
        let loss = Loss {
            how: LossKind::Theft,
            incident: number(incident),
            police_report: Some(number(report)),
            reported_by: None,
        };
        Event::Lost { holder: dealer(), loss }
    };
    for event in [
        sale("Jane Doe"),
        Event::Acquired { holder: dealer(), source: Source::Public(number("Jane Doe")) },
        Event::MultipleSale { holder: dealer(), reference: number("Jane Doe") },
        lost("Jane Doe", "P-1"),
        lost("I-1", "Jane Doe"),
    ] {
        let refused = place.record("AB0002", event, "2024-05-01").await.unwrap_err();
        assert!(refused.starts_with(expected) && refused.ends_with("a number, never a name"), "{refused}");
    }
    // A buyer is no government body and no licensee.
    let to = |to| Event::Disposed { holder: dealer(), to };
    let other = Licensee::new("ZZ:born 1980-01-02", "Jane Doe").unwrap();
    for (event, expected) in [
        (
            to(Recipient::Government("Jane Doe, 12 Elm Street".parse().unwrap())),
            "the name of a government body",
        ),
        (to(Recipient::Licensee(other)), "reads like no licence of Jane Doe"),
    ] {
        let refused = place.record("AB0002", event, "2024-05-01").await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    let history = place.books.history(&place.key("AB0001")).await.unwrap().unwrap();
    let correction = Correction {
        firearm: place.key("AB0001"),
        entry: history.entries[3].number,
        becomes: Some((sale("Jane Doe"), "2024-04-01".parse().unwrap())),
        description: None,
        reason: "the number was wrong".parse().unwrap(),
    };
    let refused = place.books.correct(&correction, &by, now()).await.unwrap_err().to_string();
    assert!(refused.starts_with(expected), "{refused}");
    let (_, bytes) = crate::epcis::document(&place, registry::View::Original).await;
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    let events = document["epcisBody"]["eventList"].as_array_mut().unwrap();
    let sold = events.iter_mut().find(|event| event.to_string().contains("T-0815")).unwrap();
    let of_doe = sold.to_string().replace("T-0815", "Jane%20Doe").replace("AB0001", "AB0002");
    *sold = serde_json::from_str(&of_doe).unwrap();
    sold.as_object_mut().unwrap().remove("eventID");
    let alone = vec![sold.take()];
    document["epcisBody"]["eventList"] = alone.into();
    let bytes = serde_json::to_vec(&document).unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let mut reasons = Vec::new();
    let taking = |row: registry::Rejected| reasons.push(row.reason);
    let done = place.books.import_epcis(bytes.as_slice(), &options, (&by, now()), taking).await.unwrap();
    assert!(done.rejected == 1 && reasons[0].contains(expected), "{reasons:?}");
    for (column, cells) in [("form_4473", "2024-05-01,Jane Doe"), ("form_4473", "2024-05-01,Jane Doe 17")] {
        let (licence, name) = (dealer().licence, dealer().name);
        let table = format!(
            "model,serial,holder_licence,holder_name,disposed_on,{column}\n{MODEL},AB0002,{licence},{name},{cells}\n"
        );
        let mut reasons = Vec::new();
        let taking = |row: registry::Rejected| reasons.push(row.reason);
        let done = place.books.import(Cursor::new(table), &options, (&by, now()), taking).await.unwrap();
        assert!(done.rejected == 1 && reasons[0].contains("reads like a name"), "{reasons:?}");
    }
    place.record("AB0002", sale("2024-0815"), "2024-05-01").await.unwrap();
}
