//! A document's events as entries of the book.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Map, Value};

use super::MAX_BYTES;
use super::check::{is_context, well_formed};
use super::document;
use super::hash::name_spaces;
use super::write::standard;
use crate::entries::NewEntry;
use crate::error::BooksError;
use crate::event::{Event, Loss, LossKind, Recipient, Source};
use crate::firearm::{Description, FirearmKey, Licensee};

/// Members of a document that say something of it; others bear a prefix.
const MEMBERS: [&str; 6] = ["@context", "id", "type", "schemaVersion", "creationDate", "epcisBody"];

/// The parts of a name of ours, as [`urn`](super::write::urn) writes it.
pub(super) fn parts_of(name: &str, kind: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix("urn:microstamp:")?.strip_prefix(kind)?.strip_prefix(':')?;
    rest.split(':').map(decoded).collect()
}

fn decoded(part: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), part.as_bytes());
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            bytes.extend(hex::decode(tail.get(..2)?).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Checks what stands in a document beside its events, and that all of it can be read. Returns the name spaces that it declares.
pub(super) fn spaces_of(bytes: &[u8]) -> Result<BTreeMap<String, String>, BooksError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BooksError::Table("the document has more than 64 MiB\nhint: use CSV".to_owned()));
    }
    let document = document::read(bytes, |_, _| ()).map_err(|error| BooksError::Table(error.to_string()))?;
    let refuse = |what: &str| BooksError::Table(format!("{what}\nhint: give an EPCIS 2.0 JSON document"));
    if document.get("type").and_then(Value::as_str) != Some("EPCISDocument") {
        return Err(refuse("its type is not EPCISDocument"));
    }
    if !document.get("@context").is_some_and(is_context) {
        return Err(refuse("it has no @context, or one that names no name space"));
    }
    let unknown = document.as_object().into_iter().flatten().find(|(name, value)| match name.as_str() {
        "instanceIdentifier" | "sender" | "receiver" => !value.is_string(),
        "epcisHeader" => !value.is_object(),
        name => !MEMBERS.contains(&name) && !name.contains(':'),
    });
    if let Some((name, _)) = unknown {
        return Err(refuse(&format!("its member `{name}` is not of the standard")));
    }
    let version = document.get("schemaVersion").and_then(Value::as_str).unwrap_or_default();
    let numbers = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()));
    if !numbers || !(version == "2.0" || version.starts_with("2.0.")) {
        return Err(refuse("its schemaVersion is not 2.0"));
    }
    let created = document.get("creationDate").and_then(Value::as_str);
    if created.is_none_or(|time| time.parse::<Timestamp>().is_err()) {
        return Err(refuse("it has no creationDate, or one that is no time"));
    }
    if document.pointer("/epcisBody/eventList").is_none() {
        return Err(refuse("it has no epcisBody.eventList"));
    }
    Ok(name_spaces(&document["@context"]))
}

/// An event of a document as an entry, and whether its writer has declared it wrong.
pub(super) fn entry_of(event: &Value, spaces: &BTreeMap<String, String>) -> Result<(NewEntry, bool), String> {
    well_formed(event, spaces)?;
    Ok((new_entry(event)?, event.get("errorDeclaration").is_some()))
}

/// An event as an entry of the book.
fn new_entry(event: &Value) -> Result<NewEntry, String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let epc = if text("type") == Some("AssociationEvent") {
        text("parentID")
    } else {
        let list = event.get("epcList").and_then(Value::as_array).filter(|list| list.len() == 1);
        list.and_then(|list| list[0].as_str())
    };
    let other = if text("type") == Some("AssociationEvent") { "epcList" } else { "parentID" };
    if event.get(other).is_some() {
        return Err(format!("{other} is no member of an event of this type"));
    }
    let epc = epc.ok_or("an event must name one firearm, in epcList or parentID")?;
    let key = parts_of(epc, "firearm").ok_or_else(|| format!("`{epc}` is no firearm of these books"))?;
    let [licence, model, serial] = key.as_slice() else { return Err(format!("`{epc}` is incomplete")) };
    let line =
        |error: crate::names::NameError| error.to_string().lines().next().unwrap_or_default().to_owned();
    let firearm = FirearmKey {
        licence: licence.parse().map_err(line)?,
        model: model.parse().map_err(line)?,
        serial: serial.parse().map_err(line)?,
    };
    let on = day(event)?;
    let place = event.pointer("/bizLocation/id").and_then(Value::as_str).ok_or("bizLocation is missing")?;
    let holder = licensee(place, text("microstamp:holderName"))?;
    let domain = domain_event(event, holder)?;
    let (standard, description) = (standard(&domain, epc), description(event)?);
    says_no_more(event, &standard, place)?;
    own_members(event, &standard, description.is_some())?;
    Ok(NewEntry { firearm, event: domain, on, description })
}

/// The day of an event, where it happened.
pub(super) fn day(event: &Value) -> Result<Date, String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let (time, offset) = (text("eventTime"), text("eventTimeZoneOffset"));
    if time.is_empty() {
        return Err("eventTime is missing".to_owned());
    }
    let at: Timestamp = time.parse().map_err(|_| format!("eventTime `{time}` is no time"))?;
    let part = |from: usize| offset.get(from..from + 2)?.parse::<i32>().ok();
    let (hours, minutes) = part(1).zip(part(4)).ok_or_else(|| format!("`{offset}` is no offset"))?;
    let seconds = (hours * 60 + minutes) * 60;
    let offset = Offset::from_seconds(if offset.starts_with('-') { -seconds } else { seconds });
    Ok(offset.map_err(|error| error.to_string())?.to_datetime(at).date())
}

/// Checks that an event says nothing beside the entry that was made of it: its action, parties, documents and children are
/// those with which the entry would be written, each of them once.
fn says_no_more(event: &Value, standard: &Map<String, Value>, holder: &str) -> Result<(), String> {
    let action = standard.get("action").and_then(Value::as_str).unwrap_or("OBSERVE");
    if event.get("action").and_then(Value::as_str) != Some(action) {
        let step = event.get("bizStep").and_then(Value::as_str).unwrap_or_default();
        return Err(format!("business step `{step}` goes with the action {action}"));
    }
    for (list, name) in [("sourceList", "source"), ("destinationList", "destination")] {
        let (said, meant) = (ids(event.get(list), name)?, ids(standard.get(list), name)?);
        // Its own side may be named where the other side is what counts.
        let own = meant.is_empty() && said.iter().all(|party| *party == holder);
        if !own && said.iter().any(|party| !meant.contains(party)) {
            return Err(format!("{list} names more than the one party of this entry"));
        }
    }
    let said = ids(event.get("bizTransactionList"), "bizTransaction")?;
    let meant = ids(standard.get("bizTransactionList"), "bizTransaction")?;
    if let Some(more) = said.iter().find(|one| !meant.contains(one)) {
        return Err(format!("the document `{more}` does not belong to this entry"));
    }
    let state = |event: Option<&Value>| event.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (said, meant) = (state(event.get("disposition")), state(standard.get("disposition")));
    if !said.is_empty() && said != meant {
        return Err(format!("the disposition `{said}` does not belong to this entry"));
    }
    if event.get("childEPCs").unwrap_or(&Value::Null) != standard.get("childEPCs").unwrap_or(&Value::Null) {
        return Err("childEPCs names something else than the one marked part".to_owned());
    }
    let states = |name: &str| {
        let list = event.pointer(&format!("/persistentDisposition/{name}"));
        list.map_or(0, |list| list.as_array().map_or(1, Vec::len))
    };
    let wanted = usize::from(standard.contains_key("persistentDisposition"));
    if states("set") + states("unset") != wanted {
        return Err("persistentDisposition sets or unsets something else than one state".to_owned());
    }
    // A part that is taken out and replaced by another is two events of the one step.
    let (said, meant) = (state(event.get("bizStep")), state(standard.get("bizStep")));
    if said != meant && !(said == "replacing" && standard.contains_key("parentID")) {
        return Err(format!("the business step `{said}` does not belong to this entry"));
    }
    kinds_of(event)
}

/// Checks what kinds of parties and documents are named: whoever owns a firearm may be another than has it, and an order is no form.
fn kinds_of(event: &Value) -> Result<(), String> {
    for list in ["sourceList", "destinationList"] {
        for party in event.get(list).and_then(Value::as_array).into_iter().flatten() {
            let kind = party.get("type").and_then(Value::as_str).unwrap_or_default();
            if !POSSESSING.contains(&kind) {
                return Err(format!("{list} names a party of the type `{kind}`, not who has the firearm"));
            }
        }
    }
    for document in event.get("bizTransactionList").and_then(Value::as_array).into_iter().flatten() {
        let Some(kind) = document.get("type").and_then(Value::as_str) else { continue };
        let name = document.get("bizTransaction").and_then(Value::as_str).unwrap_or_default();
        let own = kind.strip_prefix("urn:microstamp:document:");
        if own.is_none_or(|own| parts_of(name, own).is_none()) {
            return Err(format!(
                "the document `{name}` is of the type `{kind}`, which these books do not keep"
            ));
        }
    }
    Ok(())
}

/// How the standard writes who has something.
const POSSESSING: [&str; 3] = [
    "possessing_party",
    "urn:epcglobal:cbv:sdt:possessing_party",
    "https://ref.gs1.org/cbv/SDT-possessing_party",
];

/// Checks that each member of our own name space went into the entry.
fn own_members(event: &Value, standard: &Map<String, Value>, described: bool) -> Result<(), String> {
    for name in event.as_object().into_iter().flatten().map(|(name, _)| name) {
        let taken_up = match name.strip_prefix("microstamp:") {
            Some("manufacturer" | "importer" | "kind" | "calibre" | "country") => described,
            // Whoever takes a change of parts in signs it anew.
            Some("signedKey" | "signedSha256") => standard.contains_key("parentID"),
            Some("holderName") | None => true,
            Some(_) => standard.contains_key(name),
        };
        if !taken_up {
            return Err(format!("`{name}` does not belong to this entry"));
        }
    }
    Ok(())
}

/// What a list of parties or documents names.
fn ids<'v>(list: Option<&'v Value>, name: &str) -> Result<Vec<&'v str>, String> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or_else(|| format!("the list of each {name} is no list"))?;
    let id =
        |one: &'v Value| one.get(name).and_then(Value::as_str).ok_or_else(|| format!("a {name} is missing"));
    list.iter().map(id).collect()
}

pub(super) fn licensee(id: &str, name: Option<&str>) -> Result<Licensee, String> {
    let parts = parts_of(id, "licensee").ok_or_else(|| format!("`{id}` is no licensee"))?;
    let name = name.map_or_else(|| format!("licence {}", parts[0]), ToOwned::to_owned);
    Licensee::new(&parts[0], &name)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn description(event: &Value) -> Result<Option<Description>, String> {
    let text = |name: &str| event.get(format!("microstamp:{name}")).and_then(Value::as_str);
    let (Some(manufacturer), Some(kind), Some(calibre), Some(country)) =
        (text("manufacturer"), text("kind"), text("calibre"), text("country"))
    else {
        return Ok(None);
    };
    let line =
        |error: crate::names::NameError| error.to_string().lines().next().unwrap_or_default().to_owned();
    Ok(Some(Description {
        manufacturer: manufacturer.parse().map_err(line)?,
        importer: text("importer").map(str::parse).transpose().map_err(line)?,
        kind: kind.parse()?,
        calibre: calibre.parse().map_err(line)?,
        country: country.parse().map_err(line)?,
    }))
}

fn domain_event(event: &Value, holder: Licensee) -> Result<Event, String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let line =
        |error: crate::names::NameError| error.to_string().lines().next().unwrap_or_default().to_owned();
    let number = |kind: &str| {
        let number =
            document_number(event, kind).ok_or_else(|| format!("no document of the kind {kind} is named"))?;
        number.parse().map_err(line)
    };
    let other = |side: &str, name: &str| {
        let id = event.pointer(&format!("/{side}/0/{name}")).and_then(Value::as_str);
        id.ok_or_else(|| format!("{side} is missing")).map(ToOwned::to_owned)
    };
    let other_name = event.get("microstamp:otherName").and_then(Value::as_str);
    Ok(match (text("action"), text("bizStep"), text("disposition")) {
        ("ADD", "commissioning", _) => Event::Manufactured { by: holder },
        (_, "arriving", _) => Event::Imported { by: holder },
        (_, "receiving", "returned") => {
            Event::Acquired { holder, source: Source::Public(number("reference")?) }
        }
        (_, "receiving", _) => {
            let from = licensee(&other("sourceList", "source")?, other_name)?;
            Event::Acquired { holder, source: Source::Licensee(from) }
        }
        (_, "retail_selling", "retail_sold") => {
            Event::Disposed { holder, to: Recipient::Form4473(number("form-4473")?) }
        }
        (_, "retail_selling", _) => Event::MultipleSale { holder, reference: number("multiple-sale")? },
        (_, "shipping", _) => {
            let id = other("destinationList", "destination")?;
            let to = if let Some(agency) = parts_of(&id, "government") {
                Recipient::Government(agency[0].parse().map_err(line)?)
            } else if let Some(country) = parts_of(&id, "country") {
                Recipient::Export { country: country[0].parse().map_err(line)?, permit: number("permit")? }
            } else {
                Recipient::Licensee(licensee(&id, other_name)?)
            };
            Event::Disposed { holder, to }
        }
        ("DELETE", "destroying", _) => {
            Event::Destroyed { holder, reason: text("microstamp:reason").parse().map_err(line)? }
        }
        (action @ ("ADD" | "DELETE"), "installing" | "removing" | "replacing", _) => {
            let child = event.pointer("/childEPCs/0").and_then(Value::as_str).unwrap_or_default();
            let parts = parts_of(child, "part").ok_or_else(|| format!("`{child}` is no marked part"))?;
            let [part, code] = parts.as_slice() else { return Err(format!("`{child}` is incomplete")) };
            let code = code.parse().map_err(|_| format!("`{code}` is no code"))?;
            match (action, part.parse()?) {
                ("ADD", part) => Event::PartFitted { by: holder, part, code },
                (_, part) => Event::PartRemoved { by: holder, part, code },
            }
        }
        (_, step, _) => missing_or_found(event, holder, step)?,
    })
}

/// The two events that persistent dispositions tell apart.
fn missing_or_found(event: &Value, holder: Licensee, step: &str) -> Result<Event, String> {
    let line =
        |error: crate::names::NameError| error.to_string().lines().next().unwrap_or_default().to_owned();
    let state =
        |name: &str| event.pointer(&format!("/persistentDisposition/{name}/0")).and_then(Value::as_str);
    let incident = document_number(event, "incident");
    let reported_by = event.get("microstamp:reportedBy").and_then(Value::as_str);
    let reported_by = reported_by.map(str::parse).transpose().map_err(line)?;
    match (state("set"), state("unset"), incident) {
        (Some(set), _, Some(incident)) => {
            let how = match (set, step) {
                ("stolen", _) => LossKind::Theft,
                ("unavailable", "transporting") => LossKind::InTransit,
                ("unavailable", _) => LossKind::Loss,
                _ => return Err(format!("the persistent disposition `{set}` is neither theft nor loss")),
            };
            let report = document_number(event, "police-report");
            let police_report = report.as_deref().map(str::parse).transpose().map_err(line)?;
            Ok(Event::Lost {
                holder,
                loss: Loss { how, incident: incident.parse().map_err(line)?, police_report, reported_by },
            })
        }
        (None, Some(state), Some(_)) if !matches!(state, "stolen" | "unavailable") => {
            Err(format!("that the firearm is no longer `{state}` does not say that it was found"))
        }
        (None, Some(_), Some(incident)) => {
            Ok(Event::Recovered { holder, incident: incident.parse().map_err(line)?, reported_by })
        }
        _ => Err(format!("business step `{step}` is none that these books know")),
    }
}

fn document_number(event: &Value, kind: &str) -> Option<String> {
    let list = event.get("bizTransactionList")?.as_array()?;
    let ids = list.iter().filter_map(|one| one.get("bizTransaction")?.as_str());
    ids.filter_map(|id| parts_of(id, kind)).find_map(|parts| parts.into_iter().next())
}
