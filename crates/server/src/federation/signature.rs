//! HTTP message signatures (RFC 9421) with Ed25519: the subset that the federation uses, written to the RFC.
//!
//! Covered components: `@method`, `@target-uri`, `@authority`, `@path`, `@query`, `@status`, header fields, and in an
//! answer one member of the request's `Signature` field (`"signature";req;key="…"`, section 2.4), which binds the answer
//! to its request. Tested with the Ed25519 vector of the RFC's appendix B.2.6.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use super::fields::{self, Parameter, Value};

/// What is wrong with a signature; whoever sent the message must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A field is missing or breaks its format.
    #[error("{0}")]
    Malformed(&'static str),
    /// The signature leaves out something that it must cover.
    #[error("the signature does not cover {0}")]
    NotCovered(&'static str),
    /// A parameter is missing.
    #[error("the signature has no `{0}`")]
    NoParameter(&'static str),
    /// The signature holds, but was made outside the time of what it answers.
    #[error("the answer was not signed within the request's time")]
    OutsideItsTime,
    /// The signature is not by that key over that message.
    #[error("the signature does not verify: the message was altered, or signed with another key")]
    Wrong,
}

/// The start of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Method and absolute URI of the target.
    Request {
        /// Upper case.
        method: String,
        /// Scheme, authority, path and query.
        target: String,
    },
    /// Status code.
    Answer(u16),
}

/// A message without its content, which the `content-digest` field stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Start line.
    pub start: Start,
    /// Fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
}

/// One covered component: a name and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Field name or derived name such as `@method`.
    pub name: String,
    /// Parameters in their order, such as `req` and `key`.
    pub parameters: Vec<Parameter>,
}

/// What a signature covers and under which parameters: one member of `Signature-Input`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureInput {
    /// Covered components in their order.
    pub components: Vec<Component>,
    /// Parameters in their order: `created`, `expires`, `nonce`, `keyid`, `alg`, `tag`.
    pub parameters: Vec<Parameter>,
}

impl Component {
    /// A component without parameters.
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), parameters: Vec::new() }
    }

    /// The request's signature under `label`, covered by an answer.
    pub fn signature_of_request(label: &str) -> Self {
        let parameters =
            vec![("req".to_owned(), Value::Yes), ("key".to_owned(), Value::Text(label.to_owned()))];
        Self { name: "signature".to_owned(), parameters }
    }
}

impl SignatureInput {
    /// Reads the member `label` of the message's `Signature-Input` field.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`].
    pub fn of(message: &Message, label: &str) -> Result<Self, SignatureError> {
        let text = message.field("signature-input").ok_or(SignatureError::Malformed("no Signature-Input"))?;
        let members = fields::dictionary(&text).ok_or(SignatureError::Malformed("bad Signature-Input"))?;
        let member = members.into_iter().find(|(name, _)| name == label);
        let Some((_, Value::List(items, parameters))) = member else {
            return Err(SignatureError::Malformed("Signature-Input lacks the expected label"));
        };
        let component = |(item, parameters)| match item {
            Value::Text(name) => Ok(Component { name, parameters }),
            _ => Err(SignatureError::Malformed("a covered component is no string")),
        };
        let components = items.into_iter().map(component).collect::<Result<Vec<_>, _>>()?;
        if components.iter().enumerate().any(|(at, one)| components[..at].contains(one)) {
            return Err(SignatureError::Malformed("a component is covered twice"));
        }
        Ok(Self { components, parameters })
    }

    /// A whole-number parameter.
    ///
    /// # Errors
    /// [`SignatureError::NoParameter`].
    pub fn number(&self, name: &'static str) -> Result<i64, SignatureError> {
        match self.parameter(name) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(SignatureError::NoParameter(name)),
        }
    }

    /// A text parameter.
    ///
    /// # Errors
    /// [`SignatureError::NoParameter`].
    pub fn text(&self, name: &'static str) -> Result<&str, SignatureError> {
        match self.parameter(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(SignatureError::NoParameter(name)),
        }
    }

    /// Checks that every component of `needed` is covered as it stands in the message, without parameters: one that is
    /// taken from the request, say, covers nothing of the answer.
    ///
    /// # Errors
    /// [`SignatureError::NotCovered`].
    pub fn covers(&self, needed: &[&'static str]) -> Result<(), SignatureError> {
        let missing = needed.iter().find(|name| !self.components.contains(&Component::plain(name)));
        missing.map_or(Ok(()), |name| Err(SignatureError::NotCovered(name)))
    }

    fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn to_field(&self) -> String {
        let items = self.components.iter();
        let items = items.map(|one| (Value::Text(one.name.clone()), one.parameters.clone())).collect();
        fields::write(&Value::List(items, self.parameters.clone()))
    }
}

impl Message {
    /// A request; `target` is the absolute URI.
    pub fn request(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { start: Start::Request { method, target }, fields: Vec::new() }
    }

    /// An answer.
    pub fn answer(status: u16) -> Self {
        Self { start: Start::Answer(status), fields: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        self
    }

    /// All values of a field, joined as RFC 9421 section 2.1 says.
    pub fn field(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(", ")) }
    }

    /// The bytes that a signature is over (section 2.5). `request` is the request that this message answers.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for a component that the message lacks.
    pub fn signature_base(
        &self,
        input: &SignatureInput,
        request: Option<&Self>,
    ) -> Result<String, SignatureError> {
        let mut base = String::new();
        for component in &input.components {
            let value = self.component(component, request);
            let value =
                value.ok_or(SignatureError::Malformed("the message lacks a component that is covered"))?;
            let name = fields::write(&Value::Text(component.name.clone()));
            let parameters = fields::write_parameters(&component.parameters);
            base.extend([name.as_str(), &parameters, ": ", &value, "\n"]);
        }
        base.extend(["\"@signature-params\": ", &input.to_field()]);
        Ok(base)
    }

    /// Signs, and adds `Signature-Input` and `Signature` under `label`.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for a component that the message lacks.
    pub fn sign(
        self,
        label: &str,
        input: &SignatureInput,
        request: Option<&Self>,
        key: &SigningKey,
    ) -> Result<Self, SignatureError> {
        let base = self.signature_base(input, request)?;
        let signature = STANDARD.encode(key.sign(base.as_bytes()).to_bytes());
        Ok(self
            .with("signature-input", &format!("{label}={}", input.to_field()))
            .with("signature", &format!("{label}=:{signature}:")))
    }

    /// Checks the signature under `label` (section 3.2), strictly after RFC 8032.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(
        &self,
        label: &str,
        input: &SignatureInput,
        request: Option<&Self>,
        key: &VerifyingKey,
    ) -> Result<(), SignatureError> {
        if let Ok(algorithm) = input.text("alg")
            && algorithm != "ed25519"
        {
            return Err(SignatureError::Malformed("the signature's `alg` is not ed25519"));
        }
        let bytes = self.signature(label).ok_or(SignatureError::Malformed("no signature of that label"))?;
        let signature = ed25519_dalek::Signature::from_slice(&bytes).map_err(|_| SignatureError::Wrong)?;
        let base = self.signature_base(input, request)?;
        key.verify_strict(base.as_bytes(), &signature).map_err(|_| SignatureError::Wrong)
    }

    fn signature(&self, label: &str) -> Option<Vec<u8>> {
        let members = fields::dictionary(&self.field("signature")?)?;
        members.into_iter().find_map(|(name, value)| match value {
            Value::Bytes(bytes) if name == label => Some(bytes),
            _ => None,
        })
    }

    fn component(&self, component: &Component, request: Option<&Self>) -> Option<String> {
        let Component { name, parameters } = component;
        match parameters.as_slice() {
            [] => self.value(name),
            [(req, Value::Yes)] if req == "req" => request?.value(name),
            [(req, Value::Yes), (key, Value::Text(label))] if req == "req" && key == "key" => {
                let member = fields::dictionary(&request?.field(name)?)?;
                let member = member.into_iter().find(|(known, _)| known == label)?;
                Some(fields::write(&member.1))
            }
            _ => None,
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        match &self.start {
            Start::Answer(status) if name == "@status" => Some(status.to_string()),
            Start::Request { method, .. } if name == "@method" => Some(method.clone()),
            Start::Request { target, .. } if name.starts_with('@') => of_target(name, target),
            _ if name.starts_with('@') => None,
            _ => self.field(name),
        }
    }
}

fn of_target(name: &str, target: &str) -> Option<String> {
    let (_, rest) = target.split_once("://")?;
    let slash = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(slash);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    match name {
        "@target-uri" => Some(target.to_owned()),
        "@authority" => Some(authority.to_ascii_lowercase()),
        "@path" => Some(if path.is_empty() { "/" } else { path }.to_owned()),
        "@query" => Some(format!("?{query}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_from_the_request_covers_nothing_of_the_answer() {
        let input = |components: &str| {
            let field = format!("trace=({components});created=1;keyid=\"a\"");
            let message = Message::answer(200).with("signature-input", &field);
            SignatureInput::of(&message, "trace").expect("a structured field")
        };
        let needed = ["@status", "content-digest"];
        assert_eq!(input(r#""@status" "content-digest""#).covers(&needed), Ok(()));
        for parameter in ["req", "sf", "bs", "key=\"x\"", "tr"] {
            let components = format!("\"@status\" \"content-digest\";{parameter}");
            let covered = input(&components).covers(&needed);
            assert_eq!(covered, Err(SignatureError::NotCovered("content-digest")), "{parameter}");
        }
    }
}
