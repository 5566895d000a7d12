//! The book as EPCIS events: lossless both ways, in the published vocabulary, with the published hash.

use std::path::PathBuf;

use registry::{
    Correction, Event, ImportOptions, Loss, LossKind, Part, Recipient, Source, View, event_hashes,
};
use serde_json::Value;

use crate::place::{Place, dealer, now, run, sold};

/// The public vectors; where they are absent, it is said loudly.
fn vectors(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("MICROSTAMP_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let folder = root.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "{} is absent: the public EPCIS vectors were not tried; set MICROSTAMP_VECTORS",
        folder.display()
    );
    None
}

/// Books in which everything has happened once.
pub(crate) async fn eventful() -> Place {
    let place = Place::sqlite().await.unwrap();
    let codes = place.issue(&run("AB0001", 4)).await;
    place.ship_and_sell("AB0001").await;
    let maker = place.books.issuer();
    let loss = |how| Loss {
        how,
        incident: "I-77/1".parse().unwrap(),
        police_report: "P: 9".parse().ok(),
        reported_by: "Example Police (synthetic)".parse().ok().filter(|_| how == LossKind::InTransit),
    };
    let export = Recipient::Export { country: "AT".parse().unwrap(), permit: "X-1".parse().unwrap() };
    let agency = Recipient::Government("Example County Sheriff (synthetic)".parse().unwrap());
    let to = |to| Event::Disposed { holder: maker.clone(), to };
    let events = [
        ("AB0001", Event::MultipleSale { holder: dealer(), reference: "3310-4 17".parse().unwrap() }),
        ("AB0001", Event::Acquired { holder: dealer(), source: Source::Public("R-1".parse().unwrap()) }),
        ("AB0001", Event::Lost { holder: dealer(), loss: loss(LossKind::Theft) }),
        (
            "AB0001",
            Event::Recovered { holder: dealer(), incident: "I-77/1".parse().unwrap(), reported_by: None },
        ),
        ("AB0001", Event::PartRemoved { by: dealer(), part: Part::FiringPin, code: codes[0].code }),
        ("AB0002", Event::PartRemoved { by: maker.clone(), part: Part::FiringPin, code: codes[1].code }),
        ("AB0001", Event::PartFitted { by: dealer(), part: Part::FiringPin, code: codes[1].code }),
        ("AB0001", Event::Destroyed { holder: dealer(), reason: "crushed, two witnesses".parse().unwrap() }),
        ("AB0002", to(export)),
        ("AB0003", to(agency)),
        ("AB0004", Event::Acquired { holder: dealer(), source: Source::Licensee(maker.clone()) }),
        ("AB0004", Event::Lost { holder: dealer(), loss: loss(LossKind::InTransit) }),
    ];
    for (serial, event) in events {
        place.record(serial, event, "2024-06-01").await.unwrap();
    }
    let by = "clerk".parse().unwrap();
    let mut correction = Correction {
        firearm: place.key("AB0001"),
        entry: 7,
        becomes: Some((sold(), "2024-04-11".parse().unwrap())),
        description: None,
        reason: "the dealer gave the wrong day".parse().unwrap(),
    };
    place.books.correct(&correction, &by, now()).await.unwrap();
    (correction.entry, correction.becomes, correction.firearm) = (19, None, place.key("AB0004"));
    place.books.correct(&correction, &by, now()).await.unwrap();
    place
}

pub(crate) async fn document(place: &Place, view: View) -> (u64, Vec<u8>) {
    let mut out = Vec::new();
    let by = "clerk".parse().unwrap();
    let written = place.books.export_epcis((view, false), &by, now(), &mut out).await.unwrap();
    (written, out)
}

/// Which code each part was issued goes out on demand alone, and is weighed on the way in.
#[tokio::test]
async fn issued_codes_go_out_on_demand_and_are_compared_on_the_way_in() {
    let place = eventful().await;
    let by = "clerk".parse().unwrap();
    let spare = place.books.issue_part(Part::BreechFace, None, &by, now()).await.unwrap();
    let (entries, without) = document(&place, View::Both).await;
    assert!(!String::from_utf8(without).unwrap().contains("encoding"));
    let mut out = Vec::new();
    let written = place.books.export_epcis((View::Both, true), &by, now(), &mut out).await.unwrap();
    assert_eq!(written, entries + 5, "four firearms and a part");
    let whole: Value = serde_json::from_slice(&out).unwrap();
    let events = whole["epcisBody"]["eventList"].as_array().unwrap();
    let encoded: Vec<&Value> = events.iter().filter(|event| event["bizStep"] == "encoding").collect();
    assert_eq!(encoded.len(), 5);
    assert!(encoded[4]["epcList"][0].as_str().unwrap().ends_with(&spare.to_string().replace(' ', "")));
    assert_eq!(
        (encoded[0]["epcList"].as_array().unwrap().len(), encoded[4].get("microstamp:firearm")),
        (2, None)
    );
    if let Some(schemas) = vectors("epcis/JSON-Schema") {
        let validator = validator(&schemas);
        let errors: Vec<_> = validator.iter_errors(&whole).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let taken = async |place: &Place, event: &Value| {
        let mut document = whole.clone();
        document["epcisBody"]["eventList"] = serde_json::json!([event]);
        let (bytes, mut rejected) = (serde_json::to_vec(&document).unwrap(), Vec::new());
        let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
        let done = place
            .books
            .import_epcis(bytes.as_slice(), &options, (&by, now()), |row| rejected.push(row.reason))
            .await;
        let done = done.unwrap();
        (done.codes, done.entries, rejected)
    };
    // Other books have other keys and blocks of the same name: what they did not issue they do not vouch for.
    let other = Place::sqlite().await.unwrap();
    for event in &encoded {
        assert_eq!(taken(&place, event).await, (1, 0, Vec::new()));
        let (codes, _, rejected) = taken(&other, event).await;
        assert!(codes == 0 && rejected[0].contains("was not issued by these books"), "{rejected:?}");
    }
    let altered = |at: &str, value: Value| {
        let mut event = encoded[0].clone();
        event.as_object_mut().unwrap().remove("eventID");
        match value {
            Value::Null => drop(event.as_object_mut().unwrap().remove(at)),
            value => event[at] = value,
        }
        event
    };
    for (at, value, refusal) in [
        ("microstamp:firearm", encoded[1]["microstamp:firearm"].clone(), "says otherwise"),
        ("microstamp:firearm", Value::Null, "says otherwise"),
        ("eventTime", "2024-01-01T00:00:00.000Z".into(), "says otherwise"),
        ("epcList", serde_json::json!([encoded[0]["epcList"][0]]), "says otherwise"),
        (
            "epcList",
            serde_json::json!([encoded[0]["epcList"][0], encoded[1]["epcList"][0]]),
            "encodes one code",
        ),
        ("action", "OBSERVE".into(), "`action` is not that of a code"),
        ("disposition", Value::Null, "`disposition` is not that of a code"),
        ("microstamp:reason", "a wish".into(), "`microstamp:reason` is not that of a code"),
        (
            "errorDeclaration",
            serde_json::json!({"declarationTime": now(), "reason": "did_not_occur"}),
            "it is declared wrong, and these books issued",
        ),
    ] {
        let (codes, _, rejected) = taken(&place, &altered(at, value)).await;
        assert!(codes == 0 && rejected[0].contains(refusal), "{at}: {rejected:?}");
    }
}

#[tokio::test]
async fn a_book_goes_out_as_events_and_comes_back_the_same() {
    let place = eventful().await;
    let by = "clerk".parse().unwrap();
    for view in [View::Corrected, View::Both] {
        let (_, bytes) = document(&place, view).await;
        let other = Place::sqlite().await.unwrap();
        // Codes are issued, never imported: what happened to marked parts needs the books that issued them.
        let mut parsed: Value = serde_json::from_slice(&bytes).unwrap();
        let events = parsed["epcisBody"]["eventList"].as_array_mut().unwrap();
        events.retain(|event| event["type"] == "ObjectEvent");
        let bytes = serde_json::to_vec(&parsed).unwrap();
        let mut rejected = Vec::new();
        let options = ImportOptions::default();
        let taking = |row| rejected.push(row);
        let done = other.books.import_epcis(bytes.as_slice(), &options, (&by, now()), taking);
        let done = done.await.map_err(|error| error.to_string());
        assert_eq!(rejected, [], "{view:?}");
        assert_eq!(done.unwrap().entries, 15, "{view:?}");
        for serial in ["AB0001", "AB0002", "AB0003", "AB0004"] {
            let standing = async |place: &Place| {
                let history = place.books.history(&place.key(serial)).await.unwrap().unwrap();
                let entries = View::Corrected.of(&history.entries).into_iter();
                let mut entries: Vec<_> = entries.map(|one| (one.on, format!("{:?}", one.event))).collect();
                entries.retain(|(_, event)| !event.starts_with("Part"));
                entries.sort();
                (history.firearm, entries)
            };
            assert_eq!(standing(&place).await, standing(&other).await, "{serial}");
        }
    }
}

#[tokio::test]
async fn corrected_entries_are_declared_wrong() {
    let place = eventful().await;
    let (written, bytes) = document(&place, View::Both).await;
    assert_eq!(written, 20);
    let parsed: Value = serde_json::from_slice(&bytes).unwrap();
    let events = parsed["epcisBody"]["eventList"].as_array().unwrap();
    let declared: Vec<_> = events.iter().filter_map(|event| event.get("errorDeclaration")).collect();
    assert_eq!(declared.len(), 2);
    assert_eq!(
        (&declared[0]["reason"], &declared[1]["reason"]),
        (&"incorrect_data".into(), &"did_not_occur".into())
    );
    let by = &declared[0]["correctiveEventIDs"][0];
    assert!(events.iter().any(|event| &event["eventID"] == by), "the event in its place is in the document");
    let hashes = event_hashes(&bytes).unwrap();
    for (event, hash) in events.iter().zip(hashes) {
        assert_eq!(event["eventID"].as_str().unwrap(), hash.unwrap(), "the identity follows from the event");
    }
}

#[tokio::test]
async fn every_word_is_of_the_published_vocabulary() {
    let Some(schemas) = vectors("epcis/JSON-Schema/schemas") else { return };
    let words = |name: &str| {
        let text = std::fs::read_to_string(schemas.join(format!("{name}-JSON-Schema.json"))).unwrap();
        let mut words = Vec::new();
        collect(&serde_json::from_str(&text).unwrap(), &mut words);
        words
    };
    let (steps, states, reasons) = (words("bizStep"), words("disposition"), words("error-reason"));
    let known = |list: &[String], word: &Value| list.iter().any(|one| Some(one.as_str()) == word.as_str());
    let (_, bytes) = document(&eventful().await, View::Both).await;
    let parsed: Value = serde_json::from_slice(&bytes).unwrap();
    for event in parsed["epcisBody"]["eventList"].as_array().unwrap() {
        assert!(known(&steps, &event["bizStep"]), "{}", event["bizStep"]);
        assert!(event.get("disposition").is_none_or(|word| known(&states, word)), "{}", event["disposition"]);
        for change in ["set", "unset"] {
            for word in event["persistentDisposition"][change].as_array().into_iter().flatten() {
                assert!(known(&states, word), "{word}");
            }
        }
        let reason = event.pointer("/errorDeclaration/reason");
        assert!(reason.is_none_or(|word| known(&reasons, word)), "{reason:?}");
    }
}

/// Every word of every enumeration in a schema.
fn collect(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "enum" {
                    let list = value.as_array().into_iter().flatten();
                    words.extend(list.filter_map(|word| word.as_str().map(ToOwned::to_owned)));
                }
                collect(value, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        _ => {}
    }
}

#[test]
fn hashes_are_those_of_the_reference() {
    let Some(examples) = vectors("epcis-hash/tests/examples") else { return };
    let names = [
        "ReferenceEventHashAlgorithm",
        "TimeStampRoundOff",
        "epcisDocWithSingleEvent",
        "epcisDocWithShippingAndTransportingEvent",
        "persistentDisposition",
    ];
    for name in names {
        let document = std::fs::read(examples.join(format!("{name}.jsonld"))).unwrap();
        let expected = std::fs::read_to_string(examples.join(format!("{name}.hashes"))).unwrap();
        let hashes = event_hashes(&document).unwrap();
        let mut equal = 0;
        for (hash, expected) in hashes.iter().zip(expected.split_whitespace()) {
            match hash {
                Ok(hash) => assert_eq!(hash, expected, "{name}"),
                Err(reason) => {
                    assert!(reason.contains("`sensorElementList` is not covered"), "{name}: {reason}");
                }
            }
            equal += usize::from(hash.is_ok());
        }
        assert!(equal > 0, "{name}");
    }
}

#[tokio::test]
async fn foreign_and_invalid_documents_are_refused_one_event_at_a_time() {
    let Some(folder) = vectors("openepcis/core/src/main/resources/2.0/EPCIS/JSON/Capture") else { return };
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let mut seen = 0;
    for part in ["Documents", "Invalid"] {
        for file in std::fs::read_dir(folder.join(part)).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let mut rejected = 0;
            let done =
                place.books.import_epcis(bytes.as_slice(), &options, (&by, now()), |_| rejected += 1).await;
            // They speak of others' goods: not one of their events is an entry of a bound book.
            assert!(done.as_ref().map_or(true, |done| done.entries == 0), "{done:?}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} documents");
}

/// What the published schema of EPCIS 2.0 documents says of one.
fn validate(schemas: &std::path::Path, document: &Value) -> Vec<String> {
    validator(schemas).iter_errors(document).map(|error| error.to_string()).collect()
}

/// The published schema of EPCIS 2.0 documents, with all that it refers to.
fn validator(schemas: &std::path::Path) -> jsonschema::Validator {
    let mut registry = jsonschema::Registry::new();
    for folder in [schemas.to_owned(), schemas.join("schemas")] {
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|ending| ending == "json") {
                let schema: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
                let name = schema["$id"].as_str().unwrap().to_owned();
                registry = registry.add(name, schema).unwrap();
            }
        }
    }
    let registry = registry.prepare().unwrap();
    let root = std::fs::read(schemas.join("EPCIS-JSON-Schema-root.json")).unwrap();
    let root: Value = serde_json::from_slice(&root).unwrap();
    jsonschema::options().with_registry(&registry).build(&root).unwrap()
}

/// Every place of a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |name: &str, inner: &Value| {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(inner, &place, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| inside(name, inner)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, inner)| inside(&at.to_string(), inner));
        }
        _ => {}
    }
}

/// The document with another value in one place, or none.
fn with(document: &Value, place: &str, value: Option<&Value>) -> Value {
    let mut changed = document.clone();
    let (above, name) = place.rsplit_once('/').unwrap();
    match (value, changed.pointer_mut(above).unwrap()) {
        (Some(value), _) => changed.pointer_mut(place).unwrap().clone_from(value),
        (None, Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
        (None, Value::Object(members)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        (None, other) => panic!("{place}: {other}"),
    }
    changed
}

/// The document with one more member in each of its objects in turn.
fn with_more(document: &Value, all: &[String]) -> Vec<(String, Value)> {
    let more = |at: &String| {
        let mut changed = document.clone();
        let members = changed.pointer_mut(at)?.as_object_mut()?;
        members.insert("zzz".to_owned(), 5.into());
        Some((format!("{at}/zzz"), changed))
    };
    all.iter().filter_map(more).collect()
}

/// Whatever the published schema refuses is refused here too: each value of each kind of event is taken away, and replaced by one of
/// every other kind; each object gets a member more.
#[tokio::test]
async fn what_the_published_schema_refuses_is_not_taken() {
    let Some(schemas) = vectors("epcis/JSON-Schema") else { return };
    let schema = validator(&schemas);
    let (_, bytes) = document(&eventful().await, View::Corrected).await;
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    let (place, by) = (Place::sqlite().await.unwrap(), "clerk".parse().unwrap());
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let takes = async |document: &Value| {
        let bytes = serde_json::to_vec(document).unwrap();
        let done = place.books.import_epcis(&bytes[..], &options, (&by, now()), |_| ()).await;
        done.is_ok_and(|done| done.rejected == 0)
    };
    let others =
        [serde_json::json!(5), "x".into(), serde_json::json!([]), serde_json::json!({}), Value::Null];
    let (mut steps, mut refused, mut taken) = (std::collections::BTreeSet::new(), 0, Vec::new());
    // With its hash as its identity every change would be refused.
    let mut events = whole["epcisBody"]["eventList"].as_array().unwrap().clone();
    for event in &mut events {
        event.as_object_mut().unwrap().remove("eventID");
    }
    for event in &events {
        let mut alone = whole.clone();
        let kind = (event["disposition"].to_string(), event["bizStep"].to_string());
        // Behind the making of the firearm, so that the event can be.
        let made =
            events.iter().find(|made| made["epcList"] == event["epcList"]).filter(|made| *made != event);
        let both: Vec<&Value> = made.into_iter().chain([event]).collect();
        alone["epcisBody"]["eventList"] = serde_json::json!(both);
        if steps.contains(&kind) || !takes(&alone).await {
            continue;
        }
        steps.insert(kind);
        let mut all = Vec::new();
        places(&alone, "", &mut all);
        all.retain(|at| made.is_none() || !at.starts_with("/epcisBody/eventList/0"));
        let mut changed = with_more(&alone, &[&[String::new()], &all[..]].concat());
        for at in &all {
            for value in std::iter::once(None).chain(others.iter().map(Some)) {
                changed.push((format!("{at} = {value:?}"), with(&alone, at, value)));
            }
        }
        for (what, changed) in changed {
            if !schema.is_valid(&changed) {
                refused += 1;
                if takes(&changed).await {
                    taken.push(what);
                }
            }
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
    assert!(steps.len() >= 3 && refused > 500, "{steps:?} {refused}");
}

#[tokio::test]
async fn documents_hold_against_the_published_schema() {
    let Some(schemas) = vectors("epcis/JSON-Schema") else { return };
    let place = eventful().await;
    for view in [View::Original, View::Corrected, View::Both] {
        let (_, bytes) = document(&place, view).await;
        assert_eq!(validate(&schemas, &serde_json::from_slice(&bytes).unwrap()), [""; 0], "{view:?}");
    }
    // The schema can say no.
    let (_, bytes) = document(&place, View::Both).await;
    let mut wrong: Value = serde_json::from_slice(&bytes).unwrap();
    wrong["epcisBody"]["eventList"][0]["action"] = "INVENT".into();
    assert_ne!(validate(&schemas, &wrong), [""; 0]);
}

/// The faults of the public invalid examples, done to the making of our own first pistol.
fn faults() -> [(&'static str, Value, &'static str); 37] {
    let party = |name: &str| serde_json::json!({"type": "owning_party", "destination": name});
    [
        ("/action", "INVENT".into(), "action `INVENT` is none of"),
        ("/action", Value::Null, "action is missing"),
        ("/eventTime", "yesterday".into(), "eventTime `yesterday` is no time"),
        ("/eventTime", Value::Null, "eventTime is missing"),
        ("/eventTimeZoneOffset", "0".into(), "is not of the form"),
        ("/eventTimeZoneOffset", "+15:00".into(), "is not of the form"),
        ("/bizStep", "selling".into(), "business step `selling` is none"),
        ("/disposition", "gone".into(), "disposition `gone` is not of the core business vocabulary"),
        ("/epcList", Value::Null, "must name one firearm"),
        ("/epcList/0", "urn:epc:id:sgtin:0614141.107346.2017".into(), "is no firearm of these books"),
        ("/bizLocation", Value::Null, "bizLocation is missing"),
        ("/quantityList", "many".into(), "`quantityList` is no member"),
        ("/colour", "blue".into(), "`colour` is no member"),
        ("/microstamp:calibre", ".45 ACP".into(), "it was altered"),
        // Another house's extensions, places and papers have no place in the book: nothing is dropped in silence.
        ("/seen:truck", "42".into(), "`seen:truck` is no member"),
        ("/certificationInfo", "https://example.com/c".into(), "`certificationInfo` is no member"),
        (
            "/readPoint",
            serde_json::json!({"id": "urn:epc:id:sgln:0614141.07346.1234"}),
            "`readPoint` is no member",
        ),
        ("/microstamp:reason", "crushed".into(), "`microstamp:reason` does not belong"),
        ("/microstamp:calibre", Value::Null, "does not belong to this entry"),
        ("/disposition", "damaged".into(), "disposition `damaged` does not belong"),
        (
            "/bizTransactionList",
            serde_json::json!([{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0614141:1"}]),
            "does not belong to this entry",
        ),
        // A hash that cannot be made here is no reason to say that somebody altered the event.
        ("/epcList/0", "urn:epc:id:gdti:0614141.06012.1234".into(), "none covers what it says"),
        ("/eventID", "NI:///sha-256;00?ver=CBV2.0".into(), "it was altered"),
        ("/eventID", 5.into(), "eventID is missing or is no text"),
        ("/microstamp:zzz", "1".into(), "`microstamp:zzz` is no member"),
        ("/action", "DELETE".into(), "business step `commissioning` is none"),
        (
            "/destinationList",
            Value::Array(vec![party("urn:microstamp:licensee:1")]),
            "more than the one party",
        ),
        (
            "/bizTransactionList",
            serde_json::json!([
            {"bizTransaction": "urn:microstamp:form-4473:T1"}]),
            "does not belong to this entry",
        ),
        ("/childEPCs", serde_json::json!(["urn:microstamp:part:firing-pin:K7"]), "childEPCs names"),
        (
            "/parentID",
            "urn:microstamp:firearm:1:M9:OTHER".into(),
            "parentID is no member of an event of this type",
        ),
        (
            "/bizLocation",
            serde_json::json!({"id": "urn:microstamp:licensee:1", "seen:dock": "7"}),
            "bizLocation does not hold",
        ),
        ("/bizTransactionList", "x".into(), "bizTransactionList does not hold"),
        ("/sourceList", serde_json::json!([{"type": 5}]), "sourceList does not hold"),
        ("/persistentDisposition", serde_json::json!({"set": "x"}), "persistentDisposition does not hold"),
        ("/@context", 5.into(), "@context does not hold"),
        ("/errorDeclaration", "bla".into(), "errorDeclaration is no object"),
        ("/errorDeclaration", serde_json::json!({}), "has no declarationTime"),
    ]
}

#[tokio::test]
async fn invalid_events_are_named_with_the_reason() {
    let (_, bytes) = document(&eventful().await, View::Corrected).await;
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    for (at, value, expected) in faults() {
        let mut altered = whole.clone();
        let event = &mut altered["epcisBody"]["eventList"][0];
        if !["it was altered", "none covers what it says"].contains(&expected) && at != "/eventID" {
            event.as_object_mut().unwrap().remove("eventID");
        }
        if value.is_null() {
            event.as_object_mut().unwrap().remove(&at[1..]);
        } else if let Some(place) = event.pointer_mut(at) {
            *place = value;
        } else {
            event[&at[1..]] = value;
        }
        altered["@context"][1]["seen"] = "https://example.com/seen/".into();
        altered["epcisBody"]["eventList"].as_array_mut().unwrap().truncate(1);
        let mut reasons = Vec::new();
        let bytes = serde_json::to_vec(&altered).unwrap();
        let taking = |row: registry::Rejected| reasons.push((row.line, row.reason));
        let done = place.books.import_epcis(bytes.as_slice(), &options, (&by, now()), taking).await.unwrap();
        assert_eq!((done.entries, done.rejected), (0, 1), "{at}");
        assert!(reasons[0].0 == 1 && reasons[0].1.contains(expected), "{at}: {reasons:?}");
    }
}

#[tokio::test]
async fn events_declared_wrong_are_left_out() {
    let (_, bytes) = document(&eventful().await, View::Both).await;
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    let events = whole["epcisBody"]["eventList"].as_array().unwrap();
    let wrong = events.iter().filter(|event| event.get("errorDeclaration").is_some()).count() as u64;
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    let done = place.books.import_epcis(bytes.as_slice(), &options, (&by, now()), |_| ()).await.unwrap();
    let parts = events.iter().filter(|event| event["type"] == "AssociationEvent").count() as u64;
    assert_eq!((wrong, done.rejected), (2, parts), "codes are issued, never imported");
    assert_eq!(done.left_out, wrong, "what is left out is counted");
    assert_eq!(done.entries, events.len() as u64 - wrong - parts);
}

/// Changes the event of a kind in a whole document and takes that event alone in a dry run.
async fn take_altered(step: &str, alter: impl Fn(&mut Value)) -> (registry::Imported, Vec<String>) {
    let place = eventful().await;
    let (_, bytes) = document(&place, View::Original).await;
    let mut whole: Value = serde_json::from_slice(&bytes).unwrap();
    let events = whole["epcisBody"]["eventList"].as_array_mut().unwrap();
    events.retain(|event| event["bizStep"] == step && event["epcList"][0].to_string().contains("AB0001"));
    events.truncate(1);
    events[0].as_object_mut().unwrap().remove("eventID");
    alter(&mut events[0]);
    let (by, mut reasons) = ("clerk".parse().unwrap(), Vec::new());
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let bytes = serde_json::to_vec(&whole).unwrap();
    let taking = |row: registry::Rejected| reasons.push(row.reason);
    let done = place.books.import_epcis(bytes.as_slice(), &options, (&by, now()), taking).await.unwrap();
    (done, reasons)
}

#[tokio::test]
async fn an_event_says_one_thing_or_is_refused() {
    type Alter<'a> = &'a dyn Fn(&mut Value);
    let add = |event: &mut Value, list: &str, one: Value| event[list].as_array_mut().unwrap().push(one);
    let cases: [(&str, Alter<'_>, &str); 13] = [
        // A recall is no theft, and what is no longer expired was not found.
        (
            "stock_taking",
            &|event| event["persistentDisposition"]["set"] = serde_json::json!(["recalled"]),
            "`recalled` is neither theft nor loss",
        ),
        (
            "inspecting",
            &|event| event["persistentDisposition"]["unset"] = serde_json::json!(["expired"]),
            "no longer `expired` does not say that it was found",
        ),
        ("stock_taking", &|event| event["bizStep"] = "packing".into(), "the business step `packing`"),
        (
            "stock_taking",
            &|event| event["bizStep"] = "transporting".into(),
            "the business step `transporting`",
        ),
        (
            "inspecting",
            &|event| event["bizStep"] = "cycle_counting".into(),
            "the business step `cycle_counting`",
        ),
        (
            "retail_selling",
            &|event| event["bizTransactionList"][0]["type"] = "po".into(),
            "is of the type `po`, which these books do not keep",
        ),
        (
            "shipping",
            &|event| event["destinationList"][0]["type"] = "owning_party".into(),
            "a party of the type `owning_party`, not who has the firearm",
        ),
        (
            "shipping",
            &|event| {
                let more = serde_json::json!({"type": "owning_party", "destination": "urn:microstamp:licensee:1-23-456-01-9A-44444"});
                add(event, "destinationList", more);
            },
            "destinationList names more than the one party",
        ),
        (
            "retail_selling",
            &|event| {
                add(
                    event,
                    "bizTransactionList",
                    serde_json::json!({"bizTransaction": "urn:microstamp:form-4473:T2"}),
                );
            },
            "the document `urn:microstamp:form-4473:T2` does not belong",
        ),
        ("shipping", &|event| event["action"] = "DELETE".into(), "`shipping` goes with the action OBSERVE"),
        (
            "inspecting",
            &|event| event["persistentDisposition"]["set"] = serde_json::json!(["damaged"]),
            "goes with the action",
        ),
        (
            "stock_taking",
            &|event| add(&mut event["persistentDisposition"], "set", "damaged".into()),
            "something else than one state",
        ),
        // It stands in these books: whoever wrote it says that it is wrong, and a person must look.
        (
            "shipping",
            &|event| {
                event["errorDeclaration"] = serde_json::json!({"declarationTime": "2026-01-01T00:00:00Z"});
            },
            "stands in these books as entry",
        ),
    ];
    for (step, alter, expected) in cases {
        let (done, reasons) = take_altered(step, alter).await;
        assert_eq!((done.rows, done.entries, done.rejected), (1, 0, 1), "{step}: {expected}");
        let fits = reasons[0].contains(expected) || expected == "goes with the action";
        assert!(fits, "{step}: {reasons:?}");
    }
}

/// What was lost is no longer unavailable when it is found; it was never stolen.
#[tokio::test]
async fn a_recovery_ends_what_the_loss_began() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 2)).await;
    for (serial, how) in [("AB0001", LossKind::Loss), ("AB0002", LossKind::Theft)] {
        let (holder, incident) = (place.books.issuer(), format!("I-{serial}").parse().unwrap());
        let loss = Loss { how, incident, police_report: None, reported_by: None };
        let found =
            Event::Recovered { holder: holder.clone(), incident: loss.incident.clone(), reported_by: None };
        place.record(serial, Event::Lost { holder, loss }, "2024-03-01").await.unwrap();
        place.record(serial, found, "2024-04-01").await.unwrap();
    }
    let (_, bytes) = document(&place, View::Corrected).await;
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    let events = whole["epcisBody"]["eventList"].as_array().unwrap();
    let said = |change: &str| -> Vec<String> {
        let states = events
            .iter()
            .filter_map(|event| Some(event["persistentDisposition"][change].get(0)?.as_str()?.to_owned()));
        states.collect()
    };
    assert_eq!(said("set"), ["unavailable", "stolen"]);
    assert_eq!(said("unset"), said("set"));
}

#[tokio::test]
async fn days_are_those_of_the_place() {
    let place = eventful().await;
    let (_, bytes) = document(&place, View::Corrected).await;
    let mut whole: Value = serde_json::from_slice(&bytes).unwrap();
    let events = whole["epcisBody"]["eventList"].as_array_mut().unwrap();
    events.truncate(1);
    events[0].as_object_mut().unwrap().remove("eventID");
    events[0]["eventTime"] = "2024-02-02T03:00:00Z".into();
    events[0]["eventTimeZoneOffset"] = "-05:00".into();
    let other = Place::sqlite().await.unwrap();
    let (by, options) = ("clerk".parse().unwrap(), ImportOptions::default());
    let bytes = serde_json::to_vec(&whole).unwrap();
    other.books.import_epcis(bytes.as_slice(), &options, (&by, now()), |_| ()).await.unwrap();
    let history = other.books.history(&other.key("AB0001")).await.unwrap().unwrap();
    assert_eq!(history.entries[0].on.to_string(), "2024-02-01");
}
