//! Between domain values and rows: days, codes, events.

use jiff::civil::Date;
use jiff::{Timestamp, Unit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use symbology::{Code, Prefix, Symbol, UnitNumber};

use crate::error::BooksError;
use crate::event::{Corrects, Entry, Event, Loss, Recipient, Source};
use crate::firearm::{Firearm, FirearmKey, Licensee, Part};
use crate::names::{Country, PartyName, Reason, Reference};
use crate::parts::SignedBy;
use crate::stated::Stated;
use crate::store::{StoredEntry, StoredFirearm};

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Days since 1970.
pub(crate) fn day_number(date: Date) -> i64 {
    let span = EPOCH.until((Unit::Day, date)).expect("days between two civil dates always fit");
    i64::from(span.get_days())
}

pub(crate) fn day(number: i64) -> Result<Date, BooksError> {
    let span = i32::try_from(number).ok().and_then(|days| jiff::Span::new().try_days(days).ok());
    span.and_then(|span| EPOCH.checked_add(span).ok())
        .ok_or_else(|| BooksError::damaged(format!("day {number}")))
}

pub(crate) fn time(microseconds: i64) -> Result<Timestamp, BooksError> {
    Timestamp::from_microsecond(microseconds).map_err(BooksError::damaged)
}

/// The day on which something is written down, in UTC.
pub(crate) fn today(now: Timestamp) -> Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The six payload symbols in 30 bits, the first symbol highest.
pub(crate) fn code_number(code: Code) -> i64 {
    code.payload().iter().fold(0, |number, symbol| number << 5 | i64::from(symbol.value()))
}

pub(crate) fn code(number: i64) -> Result<Code, BooksError> {
    let symbol =
        |place: usize| Symbol::new((number >> (25 - 5 * place) & 31) as u8).expect("masked to five bits");
    if (0..1 << 30).contains(&number) {
        Ok(Code::new(std::array::from_fn(symbol)))
    } else {
        Err(BooksError::damaged(format!("code number {number}")))
    }
}

/// Prefix and unit in one number, as the table `code` keeps it.
pub(crate) fn unit_number(prefix: Prefix, unit: UnitNumber) -> i64 {
    i64::from(prefix.index()) << 20 | i64::from(unit.get())
}

/// Bit 0 for the firing pin, bit 1 for the breech face, bit 2 for the rounds of a box.
pub(crate) fn part_bits(parts: &[Part]) -> i64 {
    parts.iter().fold(0, |bits, part| bits | 1 << (*part as i64))
}

pub(crate) fn parts(bits: i64) -> Vec<Part> {
    let all = [Part::FiringPin, Part::BreechFace, Part::Round];
    all.into_iter().filter(|part| bits >> (*part as i64) & 1 == 1).collect()
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, BooksError> {
    serde_json::to_string(value).map_err(BooksError::damaged)
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, BooksError> {
    serde_json::from_str(text).map_err(|error| BooksError::damaged(format!("`{text}`: {error}")))
}

/// What of an event is neither a licensee nor a code.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form_4473: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) government: Option<PartyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) export: Option<(Country, Reference)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<Loss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reported_by: Option<PartyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<Reference>,
    /// Who signed a change of parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed: Option<SignedBy>,
    /// Where the licensee's own word of it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stated: Option<Stated>,
    /// Why this entry corrects another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correction: Option<Reason>,
}

/// The parts of an event as the columns of `entry` take them: other licensee, code, body. Changes of parts are signed.
pub(crate) fn columns(
    event: &Event,
    signed: Option<SignedBy>,
) -> (Option<&Licensee>, Option<i64>, Option<Body>) {
    let rest = || {
        let mut body = Body { signed, ..Body::default() };
        fill(&mut body, event);
        Some(body)
    };
    match event {
        Event::Manufactured { .. } | Event::Imported { .. } => (None, None, None),
        Event::Acquired { source: Source::Licensee(from), .. } => (Some(from), None, None),
        Event::Disposed { to: Recipient::Licensee(to), .. } => (Some(to), None, None),
        Event::PartFitted { code, .. } | Event::PartRemoved { code, .. } => {
            (None, Some(code_number(*code)), rest())
        }
        _ => (None, None, rest()),
    }
}

fn fill(body: &mut Body, event: &Event) {
    match event {
        Event::Acquired { source: Source::Public(reference), .. } => body.public = Some(reference.clone()),
        Event::Disposed { to, .. } => match to {
            Recipient::Licensee(_) => {}
            Recipient::Form4473(form) => body.form_4473 = Some(form.clone()),
            Recipient::Government(agency) => body.government = Some(agency.clone()),
            Recipient::Export { country, permit } => body.export = Some((country.clone(), permit.clone())),
        },
        Event::Lost { loss, .. } => body.loss = Some(loss.clone()),
        Event::Recovered { incident, reported_by, .. } => {
            (body.incident, body.reported_by) = (Some(incident.clone()), reported_by.clone());
        }
        Event::Destroyed { reason, .. } => body.reason = Some(reason.clone()),
        Event::PartFitted { part, .. } | Event::PartRemoved { part, .. } => body.part = Some(*part),
        Event::MultipleSale { reference, .. } => body.reference = Some(reference.clone()),
        Event::Manufactured { .. } | Event::Imported { .. } | Event::Acquired { .. } => {}
    }
}

/// An entry out of its row.
pub(crate) fn entry(row: StoredEntry) -> Result<Entry, BooksError> {
    let body: Body = row.body.as_deref().map_or_else(|| Ok(Body::default()), from_json)?;
    let (correction, signed, stated) = (body.correction.clone(), body.signed.clone(), body.stated.clone());
    let number = row.entry_id as u64;
    let corrects = match (row.corrects, correction) {
        (Some(entry), Some(reason)) => Some(Corrects { entry: entry as u64, void: row.void, reason }),
        (None, None) => None,
        _ => return Err(BooksError::damaged(format!("entry {number} corrects without a reason"))),
    };
    Ok(Entry {
        number,
        on: day(row.happened_on)?,
        recorded_at: time(row.recorded_at)?,
        recorded_by: row.recorded_by.parse()?,
        description: row.description.as_deref().map(from_json).transpose()?,
        corrects,
        signed,
        stated,
        event: event(&row.kind, row.holder, row.other, row.code, body).ok_or_else(|| {
            BooksError::damaged(format!("entry {number} of kind `{}` is incomplete", row.kind))
        })?,
    })
}

/// As [`entry`], and nothing else stands in the row than what the entry says.
pub(crate) fn whole_entry(row: StoredEntry) -> Result<Entry, BooksError> {
    let number = row.entry_id;
    let (other, code, text) = (row.other.is_some(), row.code, row.body.clone());
    let entry = entry(row)?;
    let (says_other, says_code, mut body) = columns(&entry.event, entry.signed.clone());
    if entry.stated.is_some() {
        body.get_or_insert_default().stated.clone_from(&entry.stated);
    }
    if let Some(corrects) = &entry.corrects {
        body.get_or_insert_default().correction = Some(corrects.reason.clone());
    }
    let body = body.map(|body| json(&body)).transpose()?;
    if (other, code) == (says_other.is_some(), says_code) && is_same_json(text.as_deref(), body.as_deref())? {
        return Ok(entry);
    }
    Err(BooksError::damaged(format!("the row of entry {number} holds what the entry does not say")))
}

/// Whether two texts are the same JSON, whatever the order of members.
fn is_same_json(one: Option<&str>, other: Option<&str>) -> Result<bool, BooksError> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Ok(from_json::<serde_json::Value>(one)? == from_json::<serde_json::Value>(other)?)
        }
        (one, other) => Ok(one == other),
    }
}

fn event(
    kind: &str,
    holder: (String, String),
    other: Option<(String, String)>,
    code_column: Option<i64>,
    body: Body,
) -> Option<Event> {
    let holder = licensee(holder)?;
    let marked = |code_column: Option<i64>| code_column.and_then(|number| code(number).ok());
    Some(match kind {
        "manufactured" => Event::Manufactured { by: holder },
        "imported" => Event::Imported { by: holder },
        "acquired" => match (other, body.public) {
            (Some(from), None) => Event::Acquired { holder, source: Source::Licensee(licensee(from)?) },
            (None, Some(reference)) => Event::Acquired { holder, source: Source::Public(reference) },
            _ => return None,
        },
        "disposed" => Event::Disposed { holder, to: recipient(other, body)? },
        "lost" => Event::Lost { holder, loss: body.loss? },
        "recovered" => Event::Recovered { holder, incident: body.incident?, reported_by: body.reported_by },
        "destroyed" => Event::Destroyed { holder, reason: body.reason? },
        "part-fitted" => Event::PartFitted { by: holder, part: body.part?, code: marked(code_column)? },
        "part-removed" => Event::PartRemoved { by: holder, part: body.part?, code: marked(code_column)? },
        "multiple-sale" => Event::MultipleSale { holder, reference: body.reference? },
        _ => return None,
    })
}

fn recipient(other: Option<(String, String)>, body: Body) -> Option<Recipient> {
    if let Some(other) = other {
        return licensee(other).map(Recipient::Licensee);
    }
    body.form_4473
        .map(Recipient::Form4473)
        .or(body.government.map(Recipient::Government))
        .or(body.export.map(|(country, permit)| Recipient::Export { country, permit }))
}

fn licensee((licence, name): (String, String)) -> Option<Licensee> {
    Licensee::new(&licence, &name).ok()
}

pub(crate) fn key([licence, model, serial]: [String; 3]) -> Result<FirearmKey, BooksError> {
    Ok(FirearmKey { licence: licence.parse()?, model: model.parse()?, serial: serial.parse()? })
}

pub(crate) fn firearm(stored: StoredFirearm) -> Result<Firearm, BooksError> {
    Ok(Firearm { key: key(stored.key)?, description: from_json(&stored.description)? })
}
