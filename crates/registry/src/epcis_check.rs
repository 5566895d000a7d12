//! What an EPCIS event must look like before anybody asks what it says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::epcis_hash::event_hash;

/// Members that an entry of a bound book can have as an event; extensions bear a prefix.
const MEMBERS: [&str; 19] = [
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
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "certificationInfo",
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

/// Checks the form of an event: its members, action, times and words, and that its identity, where it is a hash, is its
/// own.
///
/// # Errors
/// One sentence that names what is wrong.
pub(crate) fn well_formed(event: &Value, spaces: &BTreeMap<String, String>) -> Result<(), String> {
    let members = event.as_object().ok_or("an event must be an object")?;
    for name in members.keys() {
        let known = MEMBERS.contains(&name.as_str());
        let extension = name.split_once(':').is_some_and(|(prefix, _)| spaces.contains_key(prefix));
        if !known && !extension {
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
    // An event with members that the hash does not cover is left to what it says.
    match (text("eventID"), event_hash(event, spaces)) {
        (Some(id), Ok(hash)) if id.starts_with("ni:///sha-256;") && id != hash => {
            Err("its identity is the hash of another event: it was altered".to_owned())
        }
        _ => Ok(()),
    }
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
