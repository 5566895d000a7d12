//! Structured fields (RFC 8941): dictionaries of byte sequences, strings, numbers and inner lists, as far as
//! signatures and digests use them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Longest field that is read.
const LIMIT: usize = 4_096;

/// A parameter: its name and value.
pub type Parameter = (String, Value);

/// A value of a structured field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A flag that is set.
    Yes,
    /// A whole number of at most 15 digits.
    Number(i64),
    /// A quoted string of printable ASCII.
    Text(String),
    /// A byte sequence between colons.
    Bytes(Vec<u8>),
    /// Items with their parameters, and the parameters of the list.
    List(Vec<(Value, Vec<Parameter>)>, Vec<Parameter>),
}

/// Reads a dictionary; `None` if it breaks the format or names a member twice.
pub(crate) fn dictionary(text: &str) -> Option<Vec<(String, Value)>> {
    if text.len() > LIMIT {
        return None;
    }
    let mut reader = Reader { rest: text.trim_matches(' ') };
    let mut members: Vec<(String, Value)> = Vec::new();
    loop {
        let name = reader.key()?;
        let value = if reader.take('=') { reader.member()? } else { Value::Yes };
        if members.iter().any(|(known, _)| *known == name) {
            return None;
        }
        members.push((name, value));
        reader.spaces();
        if reader.rest.is_empty() {
            return Some(members);
        }
        if !reader.take(',') {
            return None;
        }
        reader.spaces();
    }
}

/// Writes a value in its one form (section 4.1).
pub(crate) fn write(value: &Value) -> String {
    match value {
        Value::Yes => "?1".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Value::Bytes(bytes) => format!(":{}:", STANDARD.encode(bytes)),
        Value::List(items, parameters) => {
            let item = |(value, parameters): &(Value, Vec<Parameter>)| {
                format!("{}{}", write(value), write_parameters(parameters))
            };
            let items: Vec<_> = items.iter().map(item).collect();
            format!("({}){}", items.join(" "), write_parameters(parameters))
        }
    }
}

/// Writes parameters in their one form.
pub(crate) fn write_parameters(parameters: &[Parameter]) -> String {
    let one = |(name, value): &Parameter| match value {
        Value::Yes => format!(";{name}"),
        value => format!(";{name}={}", write(value)),
    };
    parameters.iter().map(one).collect()
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        self.rest.strip_prefix(c).map(|rest| self.rest = rest).is_some()
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn while_in(&mut self, fits: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        let first = self.rest.chars().next()?;
        if !first.is_ascii_lowercase() && first != '*' {
            return None;
        }
        let fits =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '*');
        Some(self.while_in(fits).to_owned())
    }

    /// A member of a dictionary: an inner list, or an item whose own parameters are not used and refused.
    fn member(&mut self) -> Option<Value> {
        if !self.take('(') {
            return self.item();
        }
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.take(')') {
                let parameters = self.parameters()?;
                return Some(Value::List(items, parameters));
            }
            let item = self.item()?;
            items.push((item, self.parameters()?));
            if !self.rest.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<Vec<Parameter>> {
        let mut parameters: Vec<Parameter> = Vec::new();
        while self.take(';') {
            self.rest = self.rest.trim_start_matches(' ');
            let name = self.key()?;
            let value = if self.take('=') { self.item()? } else { Value::Yes };
            if parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parameters.push((name, value));
        }
        Some(parameters)
    }

    fn item(&mut self) -> Option<Value> {
        match self.rest.chars().next()? {
            '"' => self.text(),
            ':' => {
                self.take(':');
                let (inside, rest) = self.rest.split_once(':')?;
                let bytes = STANDARD.decode(inside).ok()?;
                self.rest = rest;
                Some(Value::Bytes(bytes))
            }
            '?' => {
                self.rest = self.rest.strip_prefix("?1")?;
                Some(Value::Yes)
            }
            _ => {
                let sign = if self.take('-') { -1 } else { 1 };
                let digits = self.while_in(|c| c.is_ascii_digit());
                if digits.is_empty() || digits.len() > 15 {
                    return None;
                }
                Some(Value::Number(sign * digits.parse::<i64>().ok()?))
            }
        }
    }

    fn text(&mut self) -> Option<Value> {
        self.take('"');
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(Value::Text(text));
                }
                '\\' => text.push(chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\\'))?),
                ' '..='~' => text.push(c),
                _ => return None,
            }
        }
        None
    }
}
