//! The issue of a code as an event: which parts carry it, and in which firearm it was issued. Codes are issued, never imported, so such an
//! event becomes no entry: of a code of these books it must say what they say, and another issuer's is for that issuer to vouch for.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};
use symbology::Code;

use super::check::well_formed;
use super::hash::event_hash;
use super::read::{day, licensee, parts_of};
use super::write::{firearm_urn, part_urn, party, spaces};
use crate::books::Books;
use crate::encode;
use crate::error::BooksError;
use crate::firearm::{FirearmKey, Licensee, Part};

/// Members that say when and how it was written, not what.
const BESIDE: [&str; 6] =
    ["@context", "eventID", "recordTime", "eventTime", "eventTimeZoneOffset", "errorDeclaration"];

/// A code that was issued.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) code: Code,
    pub(super) parts: Vec<Part>,
    pub(super) firearm: Option<FirearmKey>,
    pub(super) issuer: Licensee,
    pub(super) on: Date,
}

impl Encoding {
    /// What the tables say.
    pub(super) fn of_row(
        (code, parts, issued_at): (i64, i64, i64),
        firearm: Option<[String; 3]>,
        issuer: &Licensee,
    ) -> Result<Self, BooksError> {
        Ok(Self {
            code: encode::code(code)?,
            parts: encode::parts(parts),
            firearm: firearm.map(encode::key).transpose()?,
            issuer: issuer.clone(),
            on: encode::today(encode::time(issued_at)?),
        })
    }

    /// What an event says; `None` for one of another business step.
    pub(super) fn of_event(event: &Value, spaces: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        if text("bizStep") != Some("encoding") {
            return Ok(None);
        }
        well_formed(event, spaces)?;
        let line =
            |error: crate::names::NameError| error.to_string().lines().next().unwrap_or_default().to_owned();
        let (mut code, mut parts) = (None, Vec::new());
        for epc in event.get("epcList").and_then(Value::as_array).into_iter().flatten() {
            let named = epc.as_str().and_then(|epc| parts_of(epc, "part"));
            let Some([part, its]) = named.as_deref() else {
                return Err(format!("`{epc}` is no marked part"));
            };
            let its: Code = its.parse().map_err(|_| format!("`{its}` is no code"))?;
            if *code.get_or_insert(its) != its {
                return Err("one event encodes one code".to_owned());
            }
            parts.push(part.parse()?);
        }
        let code = code.ok_or("epcList names no marked part")?;
        let firearm = text("microstamp:firearm").map(|urn| {
            let named = parts_of(urn, "firearm");
            let Some([licence, model, serial]) = named.as_deref() else {
                return Err(format!("`{urn}` is no firearm of these books"));
            };
            let (licence, model) = (licence.parse().map_err(line)?, model.parse().map_err(line)?);
            Ok(FirearmKey { licence, model, serial: serial.parse().map_err(line)? })
        });
        let place =
            event.pointer("/bizLocation/id").and_then(Value::as_str).ok_or("bizLocation is missing")?;
        let issuer = licensee(place, text("microstamp:holderName"))?;
        let said = Self { code, parts, firearm: firearm.transpose()?, issuer, on: day(event)? };
        let meant = said.members();
        let of = |value: &Value, name: &String| {
            value.get(name).filter(|_| !BESIDE.contains(&name.as_str())).cloned()
        };
        let names = [event, &meant].into_iter().filter_map(Value::as_object).flat_map(|object| object.keys());
        match names.into_iter().find(|name| of(event, name) != of(&meant, name)) {
            Some(name) => Err(format!("`{name}` is not that of a code that was issued")),
            None => Ok(Some(said)),
        }
    }

    /// The event, with its identity.
    pub(super) fn event(&self, recorded_at: jiff::Timestamp) -> Result<Value, BooksError> {
        let mut event = self.members();
        let id = event_hash(&event, &spaces()).map_err(BooksError::damaged)?;
        event["eventID"] = json!(id);
        event["recordTime"] = json!(recorded_at);
        Ok(event)
    }

    fn members(&self) -> Value {
        let parts: Vec<String> = self.parts.iter().map(|part| part_urn(*part, self.code)).collect();
        let mut event = json!({
            "type": "ObjectEvent",
            "eventTime": format!("{}T00:00:00.000Z", self.on),
            "eventTimeZoneOffset": "+00:00",
            "action": "ADD",
            "bizStep": "encoding",
            "disposition": "encoded",
            "epcList": parts,
            "bizLocation": {"id": party(&self.issuer)},
            "microstamp:holderName": self.issuer.name,
        });
        if let Some(firearm) = &self.firearm {
            event["microstamp:firearm"] = json!(firearm_urn(firearm));
        }
        event
    }
}

impl Books {
    /// Whether an event says of a code what these books say; they say nothing of another issuer's.
    pub(super) async fn vouches_for(
        &self,
        said: &Encoding,
        declared_wrong: bool,
    ) -> Result<Result<(), String>, BooksError> {
        let mut session = self.store.read().await?;
        let block = i64::from(said.code.prefix().index());
        if !session.blocks().await?.iter().any(|(open, _)| *open == block) {
            return Ok(Ok(()));
        }
        let number = encode::code_number(said.code);
        let Some(row) = session.code(number).await? else {
            return Ok(if declared_wrong {
                Ok(())
            } else {
                Err(format!("{} was not issued by these books: codes are issued, never imported", said.code))
            });
        };
        let firearm = match row.firearm_id {
            Some(id) => session.firearm(id).await?.map(|firearm| firearm.key),
            None => None,
        };
        let issued = Encoding::of_row((number, row.parts, row.issued_at), firearm, &self.issuer())?;
        Ok(if declared_wrong {
            Err(format!("it is declared wrong, and these books issued {}", said.code))
        } else if issued == *said {
            Ok(())
        } else {
            Err(format!("it says otherwise of {} than these books, which issued it", said.code))
        })
    }
}
