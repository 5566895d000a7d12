//! The book as GS1 EPCIS 2.0 events, and such events as entries of the book. `docs/epcis.md` has the table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

use crate::books::Books;
use crate::encode;
use crate::entries::NewEntry;
use crate::epcis_check::{SPACE, unique_json, well_formed};
use crate::epcis_hash::{event_hash, name_spaces};
use crate::error::{BooksError, Refusal};
use crate::event::{Corrects, Entry, Event, Loss, LossKind, Recipient, Source, View};
use crate::firearm::{Description, FirearmKey, Licensee};
use crate::import::{ImportOptions, Imported, Rejected, sha256};
use crate::names::{PartyName, Person};

/// Entries read at a time.
const PAGE: i64 = 1_000;
/// A document is held in memory whole; larger books travel as CSV.
const MAX_BYTES: u64 = 64 << 20;
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// What a later entry says of an earlier one.
struct Withdrawn {
    on: Timestamp,
    void: bool,
    by: String,
}

impl Books {
    /// Writes the book as one EPCIS 2.0 JSON document, one event an entry, in the order written; returns the number of
    /// events. Every event bears its CBV event hash as its identity. With [`View::Both`] an entry that was corrected
    /// carries an error declaration that names the event in its place; an entry that only voids another is no event.
    ///
    /// # Errors
    /// [`BooksError::Table`] when `out` does not take a line; [`BooksError::Log`] when the log does not take the
    /// export, which then does not happen.
    pub async fn export_epcis(
        &self,
        view: View,
        by: &Person,
        now: Timestamp,
        mut out: impl Write,
    ) -> Result<u64, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let body = json!({"view": view, "format": "epcis", "by": by});
        let entered = self.enter(&mut ledger, "export", &body, now).await?;
        self.effect(&entered).await?.commit().await?;
        drop(ledger);
        let withdrawn = if view == View::Both { self.withdrawn().await? } else { HashMap::new() };
        let full = |error: std::io::Error| BooksError::Table(error.to_string());
        let head = json!({"@context": context(), "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": now});
        let head = head.to_string();
        write!(out, "{},\"epcisBody\":{{\"eventList\":[", &head[..head.len() - 1]).map_err(full)?;
        let mut session = self.store.read().await?;
        let (mut after, mut written) = (0, 0);
        loop {
            let page = session.book_page(after, PAGE, view as i64).await?;
            let Some(last) = page.last() else { break };
            after = last.entry.entry_id;
            for row in page {
                let key = encode::key(row.key)?;
                let entry = encode::entry(row.entry)?;
                if entry.corrects.as_ref().is_some_and(|corrects| corrects.void) {
                    continue;
                }
                let event = document_event(&key, &entry, withdrawn.get(&entry.number))?;
                let comma = if written == 0 { "\n" } else { ",\n" };
                write!(out, "{comma}{event}").map_err(full)?;
                written += 1;
            }
        }
        out.write_all(b"\n]}}\n").and_then(|()| out.flush()).map_err(full)?;
        Ok(written)
    }

    /// Entries that later ones correct.
    async fn withdrawn(&self) -> Result<HashMap<u64, Withdrawn>, BooksError> {
        let mut session = self.store.read().await?;
        let (mut after, mut found) = (0, HashMap::new());
        loop {
            let page = session.book_page(after, PAGE, View::Both as i64).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.entry.entry_id;
            for row in page.into_iter().filter(|row| row.entry.corrects.is_some()) {
                let key = encode::key(row.key)?;
                let entry = encode::entry(row.entry)?;
                let Some(Corrects { entry: corrected, void, .. }) = entry.corrects else { continue };
                let by =
                    document_event(&key, &entry, None)?["eventID"].as_str().unwrap_or_default().to_owned();
                found.insert(corrected, Withdrawn { on: entry.recorded_at, void, by });
            }
        }
    }

    /// Takes the events of an EPCIS 2.0 JSON document as entries: one record, one log entry, one transaction. Events
    /// that their writer has declared wrong are left out, and rejected when they stand in these books. `rejected` is called with each event that cannot be taken, its
    /// place in the document counted from 1.
    ///
    /// # Errors
    /// As [`Books::import`]; [`BooksError::Table`] when it is no such document or has more than 64 MiB.
    pub async fn import_epcis(
        &self,
        document: impl Read,
        options: &ImportOptions,
        (by, now): (&Person, Timestamp),
        mut rejected: impl FnMut(Rejected),
    ) -> Result<Imported, BooksError> {
        let mut bytes = Vec::new();
        let read = document.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| BooksError::Table(error.to_string()))?;
        let (events, spaces) = events_of(&bytes)?;
        let mut imported = Imported { rows: events.len() as u64, ..Imported::default() };
        let (mut places, mut groups) = (Vec::new(), Vec::new());
        for (place, event) in (1..).zip(&events) {
            let taken = well_formed(event, &spaces).and_then(|()| new_entry(event));
            let taken = match taken {
                Ok(entry) if event.get("errorDeclaration").is_some() => self.is_absent(&entry).await?,
                Ok(entry) => Ok(Some(entry)),
                Err(reason) => Err(reason),
            };
            match taken {
                Ok(Some(entry)) => {
                    places.push(place);
                    groups.push(vec![entry]);
                }
                Ok(None) => imported.left_out += 1,
                Err(reason) => {
                    imported.rejected += 1;
                    rejected(Rejected { line: place, reason });
                }
            }
        }
        let mut ledger = self.ledger.lock().await;
        if !options.dry_run {
            ledger.hold()?;
        }
        let (taken, written) = self.rehearse_groups(&groups, (by, now)).await?;
        imported.entries = taken.numbers.len() as u64;
        let mut refused = HashSet::new();
        for (group, refusal) in taken.refused {
            imported.rejected += 1;
            refused.insert(group);
            let reason = refusal.to_string().lines().next().unwrap_or_default().to_owned();
            rejected(Rejected { line: places[group], reason });
        }
        if options.dry_run {
            return Ok(imported);
        }
        if imported.rejected > 0 && !options.skip_rejected {
            return Err(Refusal::Rows { rejected: imported.rejected, rows: imported.rows }.into());
        }
        let groups: Vec<_> = groups
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !refused.contains(at))
            .map(|(_, one)| one)
            .collect();
        let sha256 = sha256(bytes.as_slice()).map_err(|error| BooksError::Table(error.to_string()))?;
        let body = json!({
            "document_sha256": sha256, "format": "epcis", "skip_rejected": options.skip_rejected, "by": by,
        });
        self.write_groups(&mut ledger, ("import", body), &groups, &written, (by, now)).await?;
        Ok(imported)
    }

    /// What becomes of an event that is declared wrong: nothing, unless it stands in these books.
    async fn is_absent(&self, declared: &NewEntry) -> Result<Result<Option<NewEntry>, String>, BooksError> {
        let Some(history) = self.history(&declared.firearm).await? else { return Ok(Ok(None)) };
        let says = |entry: &&Entry| (&entry.event, entry.on) == (&declared.event, declared.on);
        let standing = View::Corrected.of(&history.entries).into_iter().find(says).map(|entry| entry.number);
        Ok(standing.map_or(Ok(None), |number| {
            Err(format!(
                "it is declared wrong, and stands in these books as entry {number}: correct that entry"
            ))
        }))
    }
}

fn context() -> Value {
    json!([CONTEXT, {"microstamp": SPACE}])
}

fn spaces() -> BTreeMap<String, String> {
    name_spaces(&context())
}

fn document_event(
    key: &FirearmKey,
    entry: &Entry,
    withdrawn: Option<&Withdrawn>,
) -> Result<Value, BooksError> {
    let mut event = event_json(key, entry);
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
    let firearm = urn("firearm", &[key.licence.as_str(), key.model.as_str(), key.serial.as_str()]);
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
fn standard(event: &Event, firearm: &str) -> Map<String, Value> {
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
            "parentID": firearm, "childEPCs": [urn("part", &[part.as_str(), &code.to_string().replace(char::from(32), "")])],
        }),
        Event::PartRemoved { part, code, .. } => json!({
            "type": "AssociationEvent", "action": "DELETE", "bizStep": "removing", "disposition": "needs_replacement",
            "parentID": firearm, "childEPCs": [urn("part", &[part.as_str(), &code.to_string().replace(char::from(32), "")])],
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
    let (step, state) = match loss.how {
        LossKind::Theft => ("stock_taking", "stolen"),
        LossKind::Loss => ("stock_taking", "unavailable"),
        LossKind::InTransit => ("transporting", "unavailable"),
    };
    let mut documents = vec![document("incident", loss.incident.as_str())];
    documents.extend(loss.police_report.as_ref().map(|report| document("police-report", report.as_str())));
    let event =
        json!({"bizStep": step, "persistentDisposition": {"set": [state]}, "bizTransactionList": documents});
    reported(event, loss.reported_by.as_ref())
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

fn party(licensee: &Licensee) -> String {
    urn("licensee", &[licensee.licence.as_str()])
}

/// `urn:microstamp:kind:part:…`, each part with everything but letters, digits and `-._~` in per cent.
fn urn(kind: &str, parts: &[&str]) -> String {
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

/// The parts of such a name.
fn parts_of(name: &str, kind: &str) -> Option<Vec<String>> {
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

/// The events of a document and the name spaces that it declares.
fn events_of(bytes: &[u8]) -> Result<(Vec<Value>, BTreeMap<String, String>), BooksError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BooksError::Table("the document has more than 64 MiB\nhint: use CSV".to_owned()));
    }
    let document = unique_json(bytes).map_err(|error| BooksError::Table(error.to_string()))?;
    let refuse = |what: &str| BooksError::Table(format!("{what}\nhint: give an EPCIS 2.0 JSON document"));
    if document.get("type").and_then(Value::as_str) != Some("EPCISDocument") {
        return Err(refuse("its type is not EPCISDocument"));
    }
    if document.get("@context").is_none() {
        return Err(refuse("it has no @context"));
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
    let list = document.pointer("/epcisBody/eventList").and_then(Value::as_array);
    let list = list.cloned().ok_or_else(|| refuse("it has no epcisBody.eventList"))?;
    Ok((list, name_spaces(&document["@context"])))
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
    says_no_more(event, &standard(&domain, epc), place)?;
    Ok(NewEntry { firearm, event: domain, on, description: description(event)? })
}

/// The day of an event, where it happened.
fn day(event: &Value) -> Result<Date, String> {
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
    let documents = |value: Option<&Value>| -> Result<Vec<String>, String> {
        let ids = ids(value, "bizTransaction")?.into_iter();
        Ok(ids.filter(|id| id.starts_with("urn:microstamp:")).map(ToOwned::to_owned).collect())
    };
    let said = documents(event.get("bizTransactionList"))?;
    let meant = documents(standard.get("bizTransactionList"))?;
    if let Some(more) = said.iter().find(|one| !meant.contains(one)) {
        return Err(format!("the document `{more}` does not belong to this entry"));
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

fn licensee(id: &str, name: Option<&str>) -> Result<Licensee, String> {
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
                (_, "transporting") => LossKind::InTransit,
                _ => LossKind::Loss,
            };
            let report = document_number(event, "police-report");
            let police_report = report.as_deref().map(str::parse).transpose().map_err(line)?;
            Ok(Event::Lost {
                holder,
                loss: Loss { how, incident: incident.parse().map_err(line)?, police_report, reported_by },
            })
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
