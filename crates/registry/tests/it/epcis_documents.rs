//! EPCIS documents as a whole: of the standard, and of no more than the memory should hold.

use registry::{ImportOptions, View};
use serde_json::Value;

use crate::epcis::{document, eventful};
use crate::place::{Place, now};

#[tokio::test]
async fn a_document_is_of_the_standard_or_refused() {
    let (_, bytes) = document(&eventful().await, View::Corrected).await;
    let text = String::from_utf8(bytes).unwrap();
    let place = Place::sqlite().await.unwrap();
    let (by, options) =
        ("clerk".parse().unwrap(), ImportOptions { dry_run: true, ..ImportOptions::default() });
    let created = text.find("\"creationDate\"").unwrap();
    let comma = created + text[created..].find(',').unwrap();
    let undated = format!("{}{}", &text[..created], &text[comma + 1..]);
    let doubled = text.replacen("\"bizStep\":", "\"bizStep\":\"shipping\",\"bizStep\":", 1);
    for (document, expected) in [
        (text.replacen("\"2.0\"", "\"2.banana\"", 1), "its schemaVersion is not 2.0"),
        (text.replacen("\"2.0\"", "\"2.1\"", 1), "its schemaVersion is not 2.0"),
        (undated, "no creationDate"),
        (doubled, "`bizStep` stands twice in one object"),
    ] {
        let done = place.books.import_epcis(document.as_bytes(), &options, (&by, now()), |_| ()).await;
        let refused = done.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn what_would_fill_the_memory_is_refused() {
    let (count, bytes) = document(&eventful().await, View::Corrected).await;
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let taken = async |document: &str| {
        let done = place.books.import_epcis(document.as_bytes(), &options, (&by, now()), |_| ()).await;
        done.map(|done| done.rows).map_err(|error| error.to_string())
    };
    let of = |events: &str| {
        let head =
            "\"type\":\"EPCISDocument\",\"schemaVersion\":\"2.0\",\"creationDate\":\"2026-01-15T12:00:00Z\"";
        // The events may stand before what says how they are to be read.
        format!("{{\"epcisBody\":{{\"eventList\":{events}}},{head},\"@context\":{}}}", whole["@context"])
    };
    let list = whole["epcisBody"]["eventList"].to_string();
    assert_eq!(taken(&of(&list)).await.unwrap(), count);
    let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let wide = format!("[{{\"a\":[{}1]}}]", "{\"b\":{}},".repeat(100_000));
    let long = format!("[\"{}\"]", "x".repeat(2_000_000));
    let many = format!("[{}1]", "1,".repeat(300_000));
    let beside = of("[]").replace("\"type\"", &format!("\"x:y\":[{}1],\"type\"", "1,".repeat(100_000)));
    for (document, expected) in [
        (of(&deep), "recursion limit"),
        (of(&wide), "holds more than 1 MiB"),
        (of(&long), "holds more than 1 MiB"),
        (of(&many), "more than 300000 events"),
        (beside, "holds more than 1 MiB"),
        (of("5"), "eventList, a list of events"),
        (of("[]").replace("eventList", "events"), "it has no epcisBody.eventList"),
        ("[]".to_owned(), "an EPCIS document"),
    ] {
        let refused = taken(&document).await.unwrap_err();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}
