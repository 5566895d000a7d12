//! The signatures of one exchange: what a request must cover, and what binds the answer to it.

use jiff::Timestamp;
use rand::Rng as _;

use super::fields::Value;
use super::signature::{Component, Message, SignatureError, SignatureInput};
use super::{content_digest, digest::digest_fits};
use crate::api::PublicKey;
use crate::problem::{Problem, ProblemKind};

/// Label of the federation's signatures.
pub const LABEL: &str = "trace";
/// Seconds for which a signed request is good.
pub const WINDOW: i64 = 60;
/// Seconds by which two clocks may differ.
const SKEW: i64 = 30;
/// What a request's signature must cover.
const REQUEST_COVERS: [&str; 4] = ["@method", "@target-uri", "content-digest", "content-type"];
/// What an answer's signature must cover, besides the request's signature.
const ANSWER_COVERS: [&str; 3] = ["@status", "content-digest", "content-type"];

/// A request whose signature held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Who signed.
    pub key_id: String,
    /// Its nonce.
    pub nonce: String,
    /// When it was signed, seconds since 1970.
    pub created: i64,
    /// When it expires, seconds since 1970.
    pub expires: i64,
}

/// Signs a request with method POST.
///
/// # Errors
/// [`SignatureError`], which cannot happen for a well-formed address.
pub fn sign_request(
    target: &str,
    content: &[u8],
    (key_id, key): (&str, &ed25519_dalek::SigningKey),
    now: Timestamp,
) -> Result<Message, SignatureError> {
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    let created = now.as_second();
    let input = SignatureInput {
        components: REQUEST_COVERS.iter().map(|name| Component::plain(name)).collect(),
        parameters: vec![
            ("created".to_owned(), Value::Number(created)),
            ("expires".to_owned(), Value::Number(created + WINDOW)),
            ("nonce".to_owned(), Value::Text(hex::encode(nonce))),
            ("keyid".to_owned(), Value::Text(key_id.to_owned())),
            ("alg".to_owned(), Value::Text("ed25519".to_owned())),
            ("tag".to_owned(), Value::Text("microstamp-request".to_owned())),
        ],
    };
    let message = Message::request("POST", target)
        .with("content-type", "application/json")
        .with("content-digest", &content_digest(content));
    message.sign(LABEL, &input, None, key)
}

/// Checks a request: time window first, then digest and signature under the key that `key_of` finds for its key id.
///
/// The nonce is for the caller to remember.
///
/// # Errors
/// A [`Problem`] of kind `unsigned`, `outside-the-window`, `unknown-key`, `bad-signature` or `malformed`.
pub fn verify_request(
    message: &Message,
    content: &[u8],
    now: Timestamp,
    key_of: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<SignedRequest, Problem> {
    let unsigned = |error: SignatureError| ProblemKind::Unsigned.because(error);
    let input = SignatureInput::of(message, LABEL).map_err(unsigned)?;
    input.covers(&REQUEST_COVERS).map_err(unsigned)?;
    let (created, expires) =
        (input.number("created").map_err(unsigned)?, input.number("expires").map_err(unsigned)?);
    let (nonce, key_id) = (input.text("nonce").map_err(unsigned)?, input.text("keyid").map_err(unsigned)?);
    if input.text("tag") != Ok("microstamp-request") {
        return Err(ProblemKind::Unsigned.because("the signature's tag is not `microstamp-request`"));
    }
    if !(16..=64).contains(&nonce.len()) {
        return Err(ProblemKind::Unsigned.because("the nonce must have 16 to 64 characters"));
    }
    check_window(created, expires, now.as_second())?;
    let key = key_of(key_id).ok_or_else(|| {
        ProblemKind::UnknownKey.because(format!(
            "the directory knows no valid key `{}`",
            key_id.chars().take(120).collect::<String>()
        ))
    })?;
    let digest = message.field("content-digest").unwrap_or_default();
    if !digest_fits(&digest, content) {
        return Err(ProblemKind::BadSignature.because("the content is not that of its content-digest"));
    }
    message
        .verify(LABEL, &input, None, key.key())
        .map_err(|error| ProblemKind::BadSignature.because(error))?;
    Ok(SignedRequest { key_id: key_id.to_owned(), nonce: nonce.to_owned(), created, expires })
}

fn check_window(created: i64, expires: i64, now: i64) -> Result<(), Problem> {
    let outside = |what: &str| {
        let detail = format!("{what}: created {created}, expires {expires}, this node's clock says {now}");
        Err(ProblemKind::OutsideTheWindow.because(detail))
    };
    if expires <= created || expires - created > WINDOW {
        return outside("the window is not 1 to 60 seconds long");
    }
    if created > now + SKEW {
        return outside("the request is from the future");
    }
    if expires + SKEW < now { outside("the request has expired") } else { Ok(()) }
}

/// Signs an answer and binds it to the request it answers.
///
/// # Errors
/// [`SignatureError::Malformed`] when the request carries no signature to bind to.
pub fn sign_answer(
    answer: Message,
    content: &[u8],
    request: &Message,
    (key_id, key): (&str, &ed25519_dalek::SigningKey),
    now: Timestamp,
) -> Result<Message, SignatureError> {
    let plain = ANSWER_COVERS.iter().map(|name| Component::plain(name));
    let input = SignatureInput {
        components: plain.chain([Component::signature_of_request(LABEL)]).collect(),
        parameters: vec![
            ("created".to_owned(), Value::Number(now.as_second())),
            ("keyid".to_owned(), Value::Text(key_id.to_owned())),
            ("alg".to_owned(), Value::Text("ed25519".to_owned())),
            ("tag".to_owned(), Value::Text("microstamp-answer".to_owned())),
        ],
    };
    answer.with("content-digest", &content_digest(content)).sign(LABEL, &input, Some(request), key)
}

/// Checks that an answer is by `key`, unaltered, for this very request, and signed within its time.
///
/// # Errors
/// [`SignatureError`]; [`SignatureError::OutsideItsTime`] only where all else holds.
pub fn check_answer(
    answer: &Message,
    content: &[u8],
    request: &Message,
    (key_id, key): (&str, &PublicKey),
) -> Result<(), SignatureError> {
    let input = SignatureInput::of(answer, LABEL)?;
    input.covers(&ANSWER_COVERS)?;
    if !input.components.contains(&Component::signature_of_request(LABEL)) {
        return Err(SignatureError::NotCovered("the request's signature"));
    }
    if input.text("keyid")? != key_id || input.text("tag")? != "microstamp-answer" {
        return Err(SignatureError::Malformed(
            "the answer is signed with another key or for another purpose",
        ));
    }
    if !digest_fits(&answer.field("content-digest").unwrap_or_default(), content) {
        return Err(SignatureError::Wrong);
    }
    answer.verify(LABEL, &input, Some(request), key.key())?;
    // Last, so that a refusal by a node whose clock says something else can be told from one that is not its.
    let asked = SignatureInput::of(request, LABEL)?;
    let created = input.number("created")?;
    let early = created < asked.number("created")? - SKEW;
    if early || created > asked.number("expires")? + SKEW {
        return Err(SignatureError::OutsideItsTime);
    }
    Ok(())
}

/// Whose signature a request says that it bears; nothing is verified.
pub(crate) fn signer_of(request: &Message) -> Option<String> {
    SignatureInput::of(request, LABEL).ok()?.text("keyid").ok().map(ToOwned::to_owned)
}

/// What sealed answers are bound to: the request's signature as it stands in its field.
pub fn content_key(request: &Message) -> String {
    request.field("signature").unwrap_or_default()
}
