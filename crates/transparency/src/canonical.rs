//! Canonical JSON: one record, one sequence of bytes (RFC 8785, without fractions).

use serde_json::Value;

/// Largest integer that every JSON reader keeps exact (RFC 7493, section 2.2).
const MAX_EXACT: i64 = (1 << 53) - 1;

/// A record that has no canonical form here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} has no canonical form\nhint: log records hold integers up to 2^53 - 1; write other numbers as text"
)]
pub struct CanonicalError(String);

/// Serialises a record as RFC 8785 does: no white space, members sorted by UTF-16 code units, shortest escapes.
///
/// Numbers must be integers of at most 2^53 - 1 in size. A log record needs no fractions, and their spelling is
/// where canonical forms disagree between languages.
///
/// ```
/// use serde_json::json;
/// let bytes = transparency::canonical_json(&json!({"b": 2, "a": "é\n"})).unwrap();
/// assert_eq!(bytes, "{\"a\":\"é\\n\",\"b\":2}".as_bytes());
/// ```
///
/// # Errors
/// [`CanonicalError`] names the number that is no exact integer.
pub fn canonical_json(record: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write(record, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(yes) => out.extend(if *yes { &b"true"[..] } else { b"false" }),
        Value::Number(number) => {
            let exact = number.as_i64().filter(|value| (-MAX_EXACT..=MAX_EXACT).contains(value));
            let exact = exact.ok_or_else(|| CanonicalError(format!("the number {number}")))?;
            out.extend(exact.to_string().as_bytes());
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => write_list(*b"[]", items, out, write)?,
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            write_list(*b"{}", &members, out, |(name, value), out| {
                write_text(name, out);
                out.push(b':');
                write(value, out)
            })?;
        }
    }
    Ok(())
}

fn write_list<T>(
    brackets: [u8; 2],
    items: &[T],
    out: &mut Vec<u8>,
    mut one: impl FnMut(&T, &mut Vec<u8>) -> Result<(), CanonicalError>,
) -> Result<(), CanonicalError> {
    out.push(brackets[0]);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        one(item, out)?;
    }
    out.push(brackets[1]);
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\u{8}' => out.extend(b"\\b"),
            '\t' => out.extend(b"\\t"),
            '\n' => out.extend(b"\\n"),
            '\u{c}' => out.extend(b"\\f"),
            '\r' => out.extend(b"\\r"),
            c if (c as u32) < 0x20 => out.extend(format!("\\u{:04x}", c as u32).as_bytes()),
            c => out.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
