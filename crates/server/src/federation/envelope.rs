//! Signed requests under seal: what an agency asks, and what a dealer states, is read by the node that it is for, and by nobody on
//! the way, be it a proxy that ends TLS.
//!
//! The whole signed request goes into the seal (HPKE, as answers do), its content and the fields that its signature needs. The
//! receiver opens it and goes on as if the request had come in clear, so signature, records and court bundles know nothing of it.

use serde::{Deserialize, Serialize};

use super::sealed::{OpeningKey, SealError, Sealed};
use super::signature::{Message, Start};
use crate::api::NodeCard;

/// The content type by which a sealed request is known.
pub(crate) const SEALED_REQUEST: &str = "application/microstamp-sealed+json";
const INFO: &[u8] = b"microstamp sealed request v1";
/// Requests are made as long as a multiple of this.
const STEP: usize = 2 << 10;

/// What is inside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside {
    /// Names and values of the request's fields.
    fields: Vec<(String, String)>,
    content: String,
}

/// A signed request as it is sent to a node: sealed to the key that the directory names for it, or in clear where it names none.
///
/// # Errors
/// [`SealError::Malformed`] for a key that is none, and for a content that is no text.
pub(crate) fn enclose(
    message: &Message,
    content: Vec<u8>,
    to: &NodeCard,
) -> Result<(Message, Vec<u8>), SealError> {
    let (Some(key), Start::Request { method, target }) = (&to.sealing, &message.start) else {
        return Ok((message.clone(), content));
    };
    let text = |_| SealError::Malformed("a request's content is text");
    let inside =
        Inside { fields: message.fields.clone(), content: String::from_utf8(content).map_err(text)? };
    let inside = serde_json::to_vec(&inside).map_err(|_| SealError::Malformed("it cannot be written"))?;
    let sealed = Sealed::close((&inside, STEP), key, INFO, target)?.addressed(key);
    let body = serde_json::to_vec(&sealed).map_err(|_| SealError::Malformed("it cannot be written"))?;
    Ok((Message::request(method, target).with("content-type", SEALED_REQUEST), body))
}

/// The signed request that was sealed for this method and address.
///
/// # Errors
/// [`SealError`].
pub(crate) fn disclose(
    start: &Start,
    body: &[u8],
    key: &OpeningKey,
) -> Result<(Message, Vec<u8>), SealError> {
    let Start::Request { target, .. } = start else { return Err(SealError::DoesNotOpen) };
    let sealed: Sealed =
        serde_json::from_slice(body).map_err(|_| SealError::Malformed("it is no sealed content"))?;
    let opened = sealed.open_as(key, INFO, target)?;
    let Inside { fields, content } =
        serde_json::from_slice(&opened).map_err(|_| SealError::Malformed("what was sealed is no request"))?;
    // Names as they come from the network: in small letters.
    let fields = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    Ok((Message { start: start.clone(), fields }, content.into_bytes()))
}
