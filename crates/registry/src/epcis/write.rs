//! An entry of the book as an event.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use symbology::Code;

use super::Withdrawn;
use super::check::SPACE;
use super::hash::{event_hash, name_spaces};
use crate::error::BooksError;
use crate::event::{Entry, Event, Loss, LossKind, Recipient, Source};
use crate::firearm::{Description, FirearmKey, Licensee, Part};
use crate::names::PartyName;

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

pub(super) fn context() -> Value {
    json!([CONTEXT, {"microstamp": SPACE}])
}

pub(super) fn spaces() -> BTreeMap<String, String> {
    name_spaces(&context())
}

pub(super) fn document_event(
    key: &FirearmKey,
    entry: &Entry,
    ended: Option<LossKind>,
    withdrawn: Option<&Withdrawn>,
) -> Result<Value, BooksError> {
    let mut event = event_json(key, entry);
    if let Some(how) = ended {
        // What is found again is no longer what it was said to be.
        event["persistentDisposition"] = json!({"unset": [missing_as(how)]});
    }
    let id = event_hash(&event, &spaces()).map_err(BooksError::damaged)?;
    event["eventID"] = json!(id);
    event["recordTime"] = json!(entry.recorded_at);
    if let Some(withdrawn) = withdrawn {
        event["errorDeclaration"] = if withdrawn.void {
            json!({"declarationTime": withdrawn.on, "reason": "did_not_occur"})
        } else {
            json!({"declarationTime": withdrawn.on, "reason": "incorrect_data", "correctiveEventIDs": [withdrawn.by]})
        };
    }
    Ok(event)
}

/// An entry as an event, without its identity.
fn event_json(key: &FirearmKey, entry: &Entry) -> Value {
    let firearm = firearm_urn(key);
    let holder = entry.event.holder();
    let mut event = json!({
        "type": "ObjectEvent",
        "eventTime": format!("{}T00:00:00.000Z", entry.on),
        "eventTimeZoneOffset": "+00:00",
        "action": "OBSERVE",
        "epcList": [firearm],
        "bizLocation": {"id": party(holder)},
        "microstamp:holderName": holder.name,
    });
    if let Some(Description { manufacturer, importer, kind, calibre, country }) = &entry.description {
        for (name, value) in [
            ("manufacturer", Some(manufacturer.to_string())),
            ("importer", importer.as_ref().map(ToString::to_string)),
            ("kind", Some(kind.as_str().to_owned())),
            ("calibre", Some(calibre.to_string())),
            ("country", Some(country.to_string())),
        ] {
            if let Some(value) = value {
                event[format!("microstamp:{name}")] = json!(value);
            }
        }
    }
    let standard = standard(&entry.event, &firearm);
    if standard.contains_key("parentID") {
        event.as_object_mut().expect("made as an object above").remove("epcList");
    }
    event.as_object_mut().expect("made as an object above").extend(standard);
    if let Some(signed) = &entry.signed {
        event["microstamp:signedKey"] = json!(signed.key);
        event["microstamp:signedSha256"] = json!(signed.statement);
    }
    event
}

/// What is special to a kind of event: business step, disposition, the other side, documents.
pub(super) fn standard(event: &Event, firearm: &str) -> Map<String, Value> {
    let value = match event {
        Event::Manufactured { .. } => {
            json!({"action": "ADD", "bizStep": "commissioning", "disposition": "active"})
        }
        Event::Imported { .. } => json!({"bizStep": "arriving", "disposition": "active"}),
        Event::Acquired { source: Source::Licensee(from), .. } => json!({
            "bizStep": "receiving", "disposition": "in_progress", "sourceList": [possessing("source", &party(from))],
            "microstamp:otherName": from.name,
        }),
        Event::Acquired { source: Source::Public(reference), .. } => json!({
            "bizStep": "receiving", "disposition": "returned", "bizTransactionList": [document("reference", reference.as_str())],
        }),
        Event::Disposed { to: Recipient::Licensee(to), .. } => json!({
            "bizStep": "shipping", "disposition": "in_transit", "destinationList": [possessing("destination", &party(to))],
            "microstamp:otherName": to.name,
        }),
        Event::Disposed { to: Recipient::Form4473(form), .. } => json!({
            "bizStep": "retail_selling", "disposition": "retail_sold",
            "bizTransactionList": [document("form-4473", form.as_str())],
        }),
        Event::Disposed { to: Recipient::Government(agency), .. } => json!({
            "bizStep": "shipping", "disposition": "in_transit",
            "destinationList": [possessing("destination", &urn("government", &[agency.as_str()]))],
        }),
        Event::Disposed { to: Recipient::Export { country, permit }, .. } => json!({
            "bizStep": "shipping", "disposition": "in_transit",
            "destinationList": [possessing("destination", &urn("country", &[country.as_str()]))],
            "bizTransactionList": [document("permit", permit.as_str())],
        }),
        Event::Lost { loss, .. } => lost(loss),
        Event::Recovered { incident, reported_by, .. } => reported(
            json!({
                "bizStep": "inspecting", "persistentDisposition": {"unset": ["stolen"]},
                "bizTransactionList": [document("incident", incident.as_str())],
            }),
            reported_by.as_ref(),
        ),
        Event::Destroyed { reason, .. } => json!({
            "action": "DELETE", "bizStep": "destroying", "disposition": "destroyed", "microstamp:reason": reason,
        }),
        Event::PartFitted { part, code, .. } => json!({
            "type": "AssociationEvent", "action": "ADD", "bizStep": "installing", "disposition": "conformant",
            "parentID": firearm, "childEPCs": [part_urn(*part, *code)],
        }),
        Event::PartRemoved { part, code, .. } => json!({
            "type": "AssociationEvent", "action": "DELETE", "bizStep": "removing", "disposition": "needs_replacement",
            "parentID": firearm, "childEPCs": [part_urn(*part, *code)],
        }),
        Event::MultipleSale { reference, .. } => json!({
            "bizStep": "retail_selling", "bizTransactionList": [document("multiple-sale", reference.as_str())],
        }),
    };
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn lost(loss: &Loss) -> Value {
    let step = if loss.how == LossKind::InTransit { "transporting" } else { "stock_taking" };
    let state = missing_as(loss.how);
    let mut documents = vec![document("incident", loss.incident.as_str())];
    documents.extend(loss.police_report.as_ref().map(|report| document("police-report", report.as_str())));
    let event =
        json!({"bizStep": step, "persistentDisposition": {"set": [state]}, "bizTransactionList": documents});
    reported(event, loss.reported_by.as_ref())
}

/// The persistent disposition of a firearm that is missing.
fn missing_as(how: LossKind) -> &'static str {
    match how {
        LossKind::Theft => "stolen",
        LossKind::Loss | LossKind::InTransit => "unavailable",
    }
}

/// Names the police where no licensee reports.
fn reported(mut event: Value, by: Option<&PartyName>) -> Value {
    if let Some(agency) = by {
        event["microstamp:reportedBy"] = json!(agency);
    }
    event
}

fn possessing(name: &str, id: &str) -> Value {
    json!({"type": "possessing_party", name: id})
}

fn document(kind: &str, number: &str) -> Value {
    json!({"type": format!("urn:microstamp:document:{kind}"), "bizTransaction": urn(kind, &[number])})
}

pub(super) fn party(licensee: &Licensee) -> String {
    urn("licensee", &[licensee.licence.as_str()])
}

pub(super) fn firearm_urn(key: &FirearmKey) -> String {
    urn("firearm", &[key.licence.as_str(), key.model.as_str(), key.serial.as_str()])
}

/// A part by the code that it carries.
pub(super) fn part_urn(part: Part, code: Code) -> String {
    urn("part", &[part.as_str(), &code.to_string().replace(' ', "")])
}

/// `urn:microstamp:kind:part:…`, each part with everything but letters, digits and `-._~` in per cent.
pub(super) fn urn(kind: &str, parts: &[&str]) -> String {
    let mut text = format!("urn:microstamp:{kind}");
    for part in parts {
        text.push(':');
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.extend(["%", &hex::encode_upper([byte])]);
            }
        }
    }
    text
}
