//! The event hash of GS1 CBV 2.0, section 8.9: an identity that follows from what an event says.
//!
//! Covered is what the books write and take: times, EPCs, parent and children, business step, dispositions, places,
//! business transactions, sources, destinations and extensions. Events with quantities, sensor data, instance data or
//! transformations are not ours, and are refused rather than hashed in part.

use std::collections::BTreeMap;

use jiff::{Timestamp, TimestampRound, Unit};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::error::BooksError;

/// Members that take no part: they say when and by whom the event was written down, not what happened.
const LEFT_OUT: [&str; 6] = ["eventID", "recordTime", "errorDeclaration", "@context", "type", "rdfs:comment"];

/// Members in the order of the standard. What is not listed and has no name space is not covered.
const ORDER: [&str; 15] = [
    "eventTime",
    "eventTimeZoneOffset",
    "certificationInfo",
    "epcList",
    "parentID",
    "childEPCs",
    "action",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "destinationList",
    "sourceList",
];

/// The CBV 2.0 event hashes of a document's events, in their order: an identity that follows from what an event says. For
/// each event, the hash or what of it is not covered (quantities, sensor data, instance data, transformations).
///
/// # Errors
/// When it is no EPCIS JSON document.
///
/// ```
/// let document = br#"{"@context": [], "type": "EPCISDocument", "epcisBody": {"eventList": [
///     {"type": "ObjectEvent", "eventTime": "2026-01-02T03:04:05Z", "eventTimeZoneOffset": "+00:00", "action": "OBSERVE",
///      "epcList": ["urn:microstamp:firearm:1:M9:AB1"], "bizStep": "shipping"}]}}"#;
/// let hashes = registry::event_hashes(document)?;
/// assert!(hashes[0].as_ref().is_ok_and(|hash| hash.starts_with("ni:///sha-256;")));
/// # Ok::<(), registry::BooksError>(())
/// ```
pub fn event_hashes(document: &[u8]) -> Result<Vec<Result<String, String>>, BooksError> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| BooksError::Table(error.to_string()))?;
    let spaces = name_spaces(document.get("@context").unwrap_or(&Value::Null));
    let list = document.pointer("/epcisBody/eventList").and_then(Value::as_array);
    let list = list.ok_or_else(|| BooksError::Table("it has no epcisBody.eventList".to_owned()))?;
    Ok(list.iter().map(|event| event_hash(event, &spaces)).collect())
}

/// The name spaces that a document's `@context` gives to prefixes.
pub(crate) fn name_spaces(context: &Value) -> BTreeMap<String, String> {
    let parts = context.as_array().cloned().unwrap_or_default();
    let pairs = parts.into_iter().filter_map(|part| part.as_object().cloned()).flatten();
    pairs.filter_map(|(prefix, name)| Some((prefix, name.as_str()?.to_owned()))).collect()
}

/// The hash of an event as an identifier, `ni:///sha-256;…?ver=CBV2.0`.
///
/// # Errors
/// The member that is not covered or cannot be read.
pub(crate) fn event_hash(event: &Value, spaces: &BTreeMap<String, String>) -> Result<String, String> {
    let text = pre_hash(event, spaces)?;
    Ok(format!("ni:///sha-256;{}?ver=CBV2.0", hex::encode(Sha256::digest(text))))
}

fn pre_hash(event: &Value, spaces: &BTreeMap<String, String>) -> Result<String, String> {
    let event = event.as_object().ok_or("the event is no object")?;
    let kind = event.get("type").and_then(Value::as_str).ok_or("the event has no type")?;
    let mut text = format!("eventType={kind}");
    for name in ORDER {
        if let Some(value) = event.get(name).filter(|value| !is_empty(value)) {
            text.push_str(&member(name, value, spaces)?);
        }
    }
    let rest = event
        .iter()
        .filter(|(name, _)| !ORDER.contains(&name.as_str()) && !LEFT_OUT.contains(&name.as_str()));
    let mut extensions =
        rest.map(|(name, value)| extension(name, value, spaces)).collect::<Result<Vec<_>, _>>()?;
    extensions.sort();
    text.extend(extensions);
    Ok(text)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_str().is_some_and(str::is_empty)
}

fn member(name: &str, value: &Value, spaces: &BTreeMap<String, String>) -> Result<String, String> {
    let text = || value.as_str().ok_or_else(|| format!("{name} is no text"));
    Ok(match name {
        "eventTime" => format!("eventTime={}", time(text()?)?),
        "parentID" | "certificationInfo" => format!("{name}={}", identifier(text()?)?),
        "epcList" | "childEPCs" => format!("{name}{}", sorted(value, epc_line)?),
        "bizStep" => format!("bizStep={}", vocabulary(text()?, "BizStep-")),
        "disposition" => format!("disposition={}", vocabulary(text()?, "Disp-")),
        "persistentDisposition" => persistent(value)?,
        "readPoint" | "bizLocation" => format!("{name}{}", place(value, spaces)?),
        "bizTransactionList" => {
            format!("{name}{}", sorted(value, |one| pair(one, "bizTransaction", "BTT-"))?)
        }
        "destinationList" => format!("{name}{}", sorted(value, |one| pair(one, "destination", "SDT-"))?),
        "sourceList" => format!("{name}{}", sorted(value, |one| pair(one, "source", "SDT-"))?),
        _ => format!("{name}={}", text()?),
    })
}

fn epc_line(epc: &Value) -> Result<String, String> {
    Ok(format!("epc={}", identifier(epc.as_str().unwrap_or_default())?))
}

fn sorted(list: &Value, line: impl Fn(&Value) -> Result<String, String>) -> Result<String, String> {
    let items = list.as_array().ok_or("a list is no list")?;
    let mut lines = items.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    lines.sort();
    Ok(lines.concat())
}

/// `type` and what it is the type of.
fn pair(one: &Value, name: &str, prefix: &str) -> Result<String, String> {
    only(one, &["type", name])?;
    let value = one.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing"))?;
    let kind = one.get("type").and_then(Value::as_str);
    let kind = kind.map(|kind| format!("type={}", vocabulary(kind, prefix))).unwrap_or_default();
    Ok(format!("{kind}{name}={}", identifier(value)?))
}

/// Refuses members whose place in the text is not known here.
fn only(value: &Value, names: &[&str]) -> Result<(), String> {
    let other = value.as_object().into_iter().flatten().find(|(name, _)| !names.contains(&name.as_str()));
    other.map_or(Ok(()), |(name, _)| Err(format!("member `{name}` is not covered")))
}

fn persistent(value: &Value) -> Result<String, String> {
    only(value, &["set", "unset"])?;
    let mut text = "persistentDisposition".to_owned();
    for name in ["set", "unset"] {
        let Some(list) = value.get(name) else { continue };
        text.push_str(&sorted(list, |one| {
            Ok(format!("{name}={}", vocabulary(one.as_str().unwrap_or_default(), "Disp-")))
        })?);
    }
    Ok(text)
}

fn place(value: &Value, spaces: &BTreeMap<String, String>) -> Result<String, String> {
    let place = value.as_object().ok_or("a place is no object")?;
    let id = place.get("id").and_then(Value::as_str).ok_or("a place has no id")?;
    let rest = place.iter().filter(|(name, _)| *name != "id");
    let mut extensions =
        rest.map(|(name, value)| extension(name, value, spaces)).collect::<Result<Vec<_>, _>>()?;
    extensions.sort();
    Ok(format!("id={}{}", identifier(id)?, extensions.concat()))
}

/// A member with a name space; what is in it is sorted.
fn extension(name: &str, value: &Value, spaces: &BTreeMap<String, String>) -> Result<String, String> {
    let (prefix, local) = name.split_once(':').ok_or_else(|| format!("member `{name}` is not covered"))?;
    let space = spaces.get(prefix).ok_or_else(|| format!("prefix `{prefix}` has no name space"))?;
    let name = format!("{{{space}}}{local}");
    let children = |object: &Map<String, Value>| {
        let children = object.iter().map(|(name, value)| extension(name, value, spaces));
        let mut children = children.collect::<Result<Vec<_>, _>>()?;
        children.sort();
        Ok::<String, String>(children.concat())
    };
    match value {
        Value::Object(object) => Ok(format!("{name}{}", children(object)?)),
        Value::Array(items) => {
            let full = |item: &Value| extension(&format!("{prefix}:{local}"), item, spaces);
            let mut items = items.iter().map(full).collect::<Result<Vec<_>, _>>()?;
            items.sort();
            Ok(items.concat())
        }
        Value::String(text) => Ok(format!("{name}={text}")),
        Value::Null => Ok(name),
        other => Ok(format!("{name}={other}")),
    }
}

fn time(text: &str) -> Result<String, String> {
    let time: Timestamp = text.parse().map_err(|_| format!("`{text}` is no time"))?;
    let time =
        time.round(TimestampRound::new().smallest(Unit::Millisecond)).map_err(|error| error.to_string())?;
    Ok(format!("{time:.3}"))
}

fn vocabulary(word: &str, prefix: &str) -> String {
    if word.contains(':') { word.to_owned() } else { format!("https://ref.gs1.org/cbv/{prefix}{word}") }
}

/// Keys of GS1 that a Digital Link begins with.
const PRIMARY: [&str; 15] = [
    "00", "01", "253", "255", "401", "402", "414", "417", "8003", "8004", "8006", "8010", "8013", "8017",
    "8018",
];

/// A Digital Link under the name of any house is the same key under GS1's own name (CBV 2.0, section 8.9).
fn digital_link(id: &str) -> Option<String> {
    let rest = id.strip_prefix("https://").or_else(|| id.strip_prefix("http://"))?;
    let (_, path) = rest.split_once('/')?;
    let parts: Vec<&str> = path.split('/').collect();
    let key = parts.iter().position(|part| PRIMARY.contains(part))?;
    (parts.len() > key + 1).then(|| format!("https://id.gs1.org/{}", parts[key..].join("/")))
}

/// GS1's URNs for trade items, logistic units, places and parties as Digital Links under one name; what is no name of GS1 as it is.
///
/// # Errors
/// Another URN of GS1: what the standard makes of it is not known here.
fn identifier(id: &str) -> Result<String, String> {
    if let Some(link) = digital_link(id) {
        return Ok(link);
    }
    if !id.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:epc:")) {
        return Ok(id.to_owned());
    }
    let not_here = || format!("`{id}` is a name of GS1 that is not hashed here");
    let (scheme, rest) =
        id.strip_prefix("urn:epc:id:").and_then(|rest| rest.split_once(':')).ok_or_else(not_here)?;
    let parts: Vec<&str> = rest.splitn(3, '.').collect();
    let web = "https://id.gs1.org";
    Ok(match (scheme, parts.as_slice()) {
        ("sgtin", [company, item, serial]) if !item.is_empty() => {
            let (indicator, item) = item.split_at(1);
            format!("{web}/01/{}/21/{serial}", checked(&format!("{indicator}{company}{item}")))
        }
        ("sscc", [company, serial]) if !serial.is_empty() => {
            let (extension, serial) = serial.split_at(1);
            format!("{web}/00/{}", checked(&format!("{extension}{company}{serial}")))
        }
        ("sgln", [company, place, "0"]) => format!("{web}/414/{}", checked(&format!("{company}{place}"))),
        ("sgln", [company, place, more]) => {
            format!("{web}/414/{}/254/{more}", checked(&format!("{company}{place}")))
        }
        ("pgln", [company, party]) => format!("{web}/417/{}", checked(&format!("{company}{party}"))),
        _ => return Err(not_here()),
    })
}

/// Digits with GS1's check digit behind them: weights 3 and 1 from the right.
fn checked(digits: &str) -> String {
    let weighted = digits.bytes().rev().zip([3, 1].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}
