//! A document read event by event: whatever its shape, no more of it is in memory than its bytes, one event, and what was made of
//! those before.
//!
//! No member of an object may stand twice: a reader that takes the first and one that takes the last would take two different
//! things.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What one event, or all that stands beside the events, may hold at most, in bytes of text; a value counts [`VALUE`] bytes more.
const MOST: usize = 1 << 20;
const VALUE: usize = 16;
/// Events in a document at most: smaller than 200 bytes is none.
const MOST_EVENTS: u64 = 300_000;

/// Reads a document to its end and gives each of its events away, with its place counted from 1. Returns what stands beside them,
/// with an empty list of events where there was one.
///
/// # Errors
/// What is no JSON, what is too large, or the member that stands twice.
pub(super) fn read(bytes: &[u8], mut event: impl FnMut(u64, Value)) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let left = Cell::new(MOST);
    let document = Document { left: &left, event: &mut event }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(document)
}

/// Takes from what may still be held.
fn spend<E: de::Error>(left: &Cell<usize>, bytes: usize) -> Result<(), E> {
    match left.get().checked_sub(bytes) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => Err(E::custom("one event, or what stands beside the events, holds more than 1 MiB")),
    }
}

/// Reads the members of an object, none of them twice; `value` reads what a member holds.
fn members<'de, A: MapAccess<'de>>(
    mut object: A,
    left: &Cell<usize>,
    mut value: impl FnMut(&str, &mut A) -> Result<Value, A::Error>,
) -> Result<Value, A::Error> {
    let mut members = Map::new();
    while let Some(name) = object.next_key::<String>()? {
        spend(left, name.len())?;
        if members.contains_key(&name) {
            return Err(de::Error::custom(format!("`{name}` stands twice in one object")));
        }
        let held = value(&name, &mut object)?;
        members.insert(name, held);
    }
    Ok(Value::Object(members))
}

/// The whole document.
struct Document<'a> {
    left: &'a Cell<usize>,
    event: &'a mut dyn FnMut(u64, Value),
}

/// Its `epcisBody`.
struct Body<'a>(Document<'a>);

/// Its `eventList`.
struct Events<'a>(&'a mut dyn FnMut(u64, Value));

/// Any value that fits into what may still be held.
#[derive(Clone, Copy)]
struct Unique<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an EPCIS document")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Value, A::Error> {
        let Self { left, event } = self;
        members(object, left, |name, object| match name {
            "epcisBody" => object.next_value_seed(Body(Document { left, event: &mut *event })),
            _ => object.next_value_seed(Unique(left)),
        })
    }
}

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("epcisBody, an object with the eventList")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Value, A::Error> {
        let Document { left, event } = self.0;
        members(object, left, |name, object| match name {
            "eventList" => object.next_value_seed(Events(&mut *event)),
            _ => object.next_value_seed(Unique(left)),
        })
    }
}

impl<'de> DeserializeSeed<'de> for Events<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("eventList, a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut place = 0;
        loop {
            let left = Cell::new(MOST);
            let Some(event) = list.next_element_seed(Unique(&left))? else {
                return Ok(Value::Array(Vec::new()));
            };
            place += 1;
            if place > MOST_EVENTS {
                return Err(de::Error::custom(format!("the document has more than {MOST_EVENTS} events")));
            }
            (self.0)(place, event);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        spend(self.0, VALUE)?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        spend(self.0, value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Value, A::Error> {
        members(object, self.0, |_, object| object.next_value_seed(self))
    }
}
