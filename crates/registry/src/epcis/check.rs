//! What an EPCIS event must look like before anybody asks what it says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::hash::event_hash;

/// The name space of the members that are our own.
pub(crate) const SPACE: &str = "https://microstamp.example/epcis/";

/// Our own members.
const OWN: [&str; 12] = [
    "firearm",
    "holderName",
    "otherName",
    "manufacturer",
    "importer",
    "kind",
    "calibre",
    "country",
    "reason",
    "reportedBy",
    "signedKey",
    "signedSha256",
];

/// Members that an entry of a bound book can have as an event, beside our own.
const MEMBERS: [&str; 18] = [
    "@context",
    "type",
    "eventID",
    "eventTime",
    "recordTime",
    "eventTimeZoneOffset",
    "action",
    "epcList",
    "parentID",
    "childEPCs",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "errorDeclaration",
];

/// The dispositions of CBV 2.0, section 7.2.
const DISPOSITIONS: [&str; 33] = [
    "active",
    "available",
    "completeness_inferred",
    "completeness_verified",
    "conformant",
    "container_closed",
    "container_open",
    "damaged",
    "destroyed",
    "dispensed",
    "disposed",
    "encoded",
    "expired",
    "in_progress",
    "in_transit",
    "inactive",
    "mismatch_class",
    "mismatch_instance",
    "mismatch_quantity",
    "needs_replacement",
    "no_pedigree_match",
    "non_conformant",
    "non_sellable_other",
    "partially_dispensed",
    "recalled",
    "reserved",
    "retail_sold",
    "returned",
    "sellable_accessible",
    "sellable_not_accessible",
    "stolen",
    "unavailable",
    "unknown",
];

/// The kinds of documents of CBV 2.0, section 7.3, and those of parties, section 7.4; others are addresses.
const DOCUMENTS: [&str; 13] = [
    "bol",
    "cert",
    "desadv",
    "inv",
    "pedigree",
    "po",
    "poc",
    "prodorder",
    "recadv",
    "rma",
    "testprd",
    "testres",
    "upevt",
];
const PARTIES: [&str; 3] = ["owning_party", "possessing_party", "location"];

/// Checks the form of an event: its members, action, times and words, and that its identity, where it is a hash, is its
/// own.
///
/// # Errors
/// One sentence that names what is wrong.
pub(crate) fn well_formed(event: &Value, spaces: &BTreeMap<String, String>) -> Result<(), String> {
    let members = event.as_object().ok_or("an event must be an object")?;
    for name in members.keys() {
        let known = MEMBERS.contains(&name.as_str());
        // Another house's extensions have no place in the book, and nothing is dropped in silence.
        let ours = name.split_once(':').is_some_and(|(prefix, local)| {
            let space = spaces.get(prefix).map(String::as_str);
            (prefix, space) == ("microstamp", Some(SPACE)) && OWN.contains(&local)
        });
        if !known && !ours {
            return Err(format!("`{name}` is no member that an entry of a bound book has"));
        }
    }
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let needed = |name: &str| text(name).ok_or_else(|| format!("{name} is missing or is no text"));
    match needed("type")? {
        "ObjectEvent" | "AssociationEvent" => {}
        other => return Err(format!("an event of type `{other}` is no entry of a bound book")),
    }
    let action = needed("action")?;
    if !["ADD", "OBSERVE", "DELETE"].contains(&action) {
        return Err(format!("action `{action}` is none of ADD, OBSERVE, DELETE"));
    }
    for name in ["eventTime", "recordTime"].into_iter().filter(|name| event.get(*name).is_some()) {
        let time = needed(name)?;
        let _: jiff::Timestamp = time.parse().map_err(|_| format!("{name} `{time}` is no time"))?;
    }
    let offset = needed("eventTimeZoneOffset")?;
    if !is_offset(offset) {
        return Err(format!("eventTimeZoneOffset `{offset}` is not of the form +00:00"));
    }
    needed("bizStep")?;
    if event.get("disposition").is_some() {
        let word = needed("disposition")?;
        if !DISPOSITIONS.contains(&word) {
            return Err(format!("disposition `{word}` is not of the core business vocabulary"));
        }
    }
    shapes(event)?;
    if let Some(declaration) = event.get("errorDeclaration") {
        declared(declaration)?;
    }
    if event.get("eventID").is_none() {
        return Ok(());
    }
    let id = needed("eventID")?;
    if !id.get(..3).is_some_and(|scheme| scheme.eq_ignore_ascii_case("ni:")) {
        return Ok(());
    }
    match event_hash(event, spaces) {
        Ok(hash) if hash == id => Ok(()),
        Ok(_) => Err("its identity is the hash of another event: it was altered".to_owned()),
        Err(what) => Err(format!("its identity is a hash, and none covers what it says: {what}")),
    }
}

/// Checks what members hold, as the published schema has it: texts, lists of texts, places and parties.
fn shapes(event: &Value) -> Result<(), String> {
    let texts = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    let place = |value: &Value| {
        value.as_object().is_some_and(|place| place.len() == 1)
            && value.get("id").is_some_and(Value::is_string)
    };
    let pairs = |value: &Value, name: &str, types: &[&str]| {
        let is_type =
            |kind: &Value| kind.as_str().is_some_and(|kind| types.contains(&kind) || kind.contains(':'));
        let one = |one: &Value| {
            let only = one.as_object().is_some_and(|one| one.keys().all(|key| key == "type" || key == name));
            only && one.get(name).is_some_and(Value::is_string)
                && one.get("type").map_or(name == "bizTransaction", is_type)
        };
        value.as_array().is_some_and(|list| list.iter().all(one))
    };
    let states = |value: &Value| {
        let one = |(name, list): (&String, &Value)| ["set", "unset"].contains(&name.as_str()) && texts(list);
        value.as_object().is_some_and(|members| members.iter().all(one))
    };
    for (name, value) in event.as_object().into_iter().flatten() {
        let fits = match name.as_str() {
            "epcList" | "childEPCs" => texts(value),
            "parentID" => value.is_string(),
            "bizLocation" => place(value),
            "bizTransactionList" => pairs(value, "bizTransaction", &DOCUMENTS),
            "sourceList" => pairs(value, "source", &PARTIES),
            "destinationList" => pairs(value, "destination", &PARTIES),
            "persistentDisposition" => states(value),
            "@context" => is_context(value),
            _ => true,
        };
        if !fits {
            return Err(format!("{name} does not hold what the standard puts there"));
        }
    }
    Ok(())
}

/// Whether a value names name spaces as JSON-LD does: by an address, an object, or a list of these in which none stands twice.
pub(super) fn is_context(value: &Value) -> bool {
    let one =
        |value: &Value| value.is_object() || value.as_str().is_some_and(|address| address.contains(':'));
    match value {
        Value::Array(list) => {
            list.iter().all(one) && !list.iter().enumerate().any(|(at, one)| list[..at].contains(one))
        }
        value => one(value),
    }
}

/// Checks the form of an error declaration: when, and if it says so why and what stands in place of the event.
fn declared(declaration: &Value) -> Result<(), String> {
    let members = declaration.as_object().ok_or("errorDeclaration is no object")?;
    let time = members.get("declarationTime").and_then(Value::as_str);
    if time.is_none_or(|time| time.parse::<jiff::Timestamp>().is_err()) {
        return Err("errorDeclaration has no declarationTime, or one that is no time".to_owned());
    }
    for (name, value) in members {
        let fits = match name.as_str() {
            "declarationTime" => true,
            "reason" => value.as_str().is_some_and(|reason| {
                reason.contains(':') || ["did_not_occur", "incorrect_data"].contains(&reason)
            }),
            "correctiveEventIDs" => {
                value.as_array().is_some_and(|ids| !ids.is_empty() && ids.iter().all(Value::is_string))
            }
            _ => name.contains(':'),
        };
        if !fits {
            return Err(format!("`{name}` of the errorDeclaration is not of the standard"));
        }
    }
    Ok(())
}

fn is_offset(text: &str) -> bool {
    let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    text.len() == 6
        && text.starts_with(['+', '-'])
        && text.as_bytes()[3] == b':'
        && [1, 2, 4, 5].into_iter().all(digit)
        && text[1..3] <= *"14"
        && text[4..6] <= *"59"
}
