//! Refusals of requests that came under seal: their words go under seal too, for they may quote what was asked. Whoever relays learns
//! the status and the kind.

use serde_json::{Value, json};

use super::content_key;
use super::sealed::{OpeningKey, Sealed, SealingPublicKey};
use super::signature::Message;
use crate::problem::Problem;

const PURPOSE: &[u8] = b"microstamp sealed refusal v1";
/// Words are made as long as a multiple of this.
const STEP: usize = 4 << 10;

/// The content of a refusal, `application/problem+json`, with its words sealed to whoever asked; without them where nobody knows
/// whose key that is.
pub(crate) fn seal_refusal(problem: &Problem, to: Option<&SealingPublicKey>, request: &Message) -> Vec<u8> {
    let bare = problem.kind.because("its words are for whoever asked");
    let Some(key) = to else { return bare.to_json() };
    let Ok(sealed) = Sealed::close((problem.detail.as_bytes(), STEP), key, PURPOSE, &content_key(request))
    else {
        return bare.to_json();
    };
    let mut content: Value = serde_json::from_slice(&bare.to_json()).unwrap_or_default();
    content["sealed"] = json!(sealed);
    content.to_string().into_bytes()
}

/// The words of a refusal of one's own request, sealed or in clear.
pub(crate) fn refusal_words(content: &[u8], key: &OpeningKey, request: &Message) -> String {
    let problem: Value = serde_json::from_slice(content).unwrap_or_default();
    let sealed: Option<Sealed> = serde_json::from_value(problem["sealed"].clone()).ok();
    let opened = sealed.and_then(|sealed| sealed.open_as(key, PURPOSE, &content_key(request)).ok());
    let words = opened.and_then(|words| String::from_utf8(words).ok());
    words.unwrap_or_else(|| problem["detail"].as_str().unwrap_or("no reason given").to_owned())
}
