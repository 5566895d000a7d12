//! What goes wrong, as `application/problem+json` (RFC 9457). The `type` is stable; the words may change.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal before anything was asked of the books. It says nothing about codes, firearms or persons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Which one.
    pub kind: ProblemKind,
    /// What was seen and what to do, for the operator of the node that sent the request.
    pub detail: String,
}

/// The kinds of refusal, each with one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// 400: the content or a field breaks its format.
    Malformed,
    /// 401: no signature, or one that leaves something out.
    Unsigned,
    /// 401: the signature does not verify.
    BadSignature,
    /// 401: the key is not in the directory, or its entry does not hold now.
    UnknownKey,
    /// 401: created too long ago, expired, or in the future.
    OutsideTheWindow,
    /// 409: this nonce was used before.
    Replayed,
    /// 401: nobody is signed in, or signing in failed.
    NotSignedIn,
    /// 401: nodes of this federation show a certificate.
    NoCertificate,
    /// 409: it is not in the state that this needs, or it is there already.
    Conflict,
    /// 403: this operation is not for this caller.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 405: the resource is there, but not for this method.
    NotAllowed,
    /// 413: the content is too large.
    TooLarge,
    /// 429: the node is full; try again.
    Busy,
    /// 500: a fault of this node.
    Fault,
    /// 502: another node did not answer as it must.
    Upstream,
    /// 504: the node took too long.
    TooSlow,
    /// 503: what is asked for is not there yet; try again in a moment.
    NotYet,
    /// 503: the directory has expired or cannot be had.
    NoDirectory,
    /// 503: the log did not take the entry, so nothing is answered.
    NoLog,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Malformed,
        Self::Unsigned,
        Self::BadSignature,
        Self::UnknownKey,
        Self::OutsideTheWindow,
        Self::Replayed,
        Self::NotSignedIn,
        Self::NoCertificate,
        Self::Conflict,
        Self::Forbidden,
        Self::NotFound,
        Self::NotAllowed,
        Self::TooLarge,
        Self::Busy,
        Self::Fault,
        Self::Upstream,
        Self::TooSlow,
        Self::NotYet,
        Self::NoDirectory,
        Self::NoLog,
    ];

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unsigned
            | Self::BadSignature
            | Self::UnknownKey
            | Self::OutsideTheWindow
            | Self::NoCertificate
            | Self::NotSignedIn => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::NotAllowed => 405,
            Self::Replayed | Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Busy => 429,
            Self::Fault => 500,
            Self::Upstream => 502,
            Self::TooSlow => 504,
            Self::NotYet | Self::NoDirectory | Self::NoLog => 503,
        }
    }

    /// Last part of the problem's `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad-signature",
            Self::UnknownKey => "unknown-key",
            Self::OutsideTheWindow => "outside-the-window",
            Self::Replayed => "replayed",
            Self::NotSignedIn => "not-signed-in",
            Self::NoCertificate => "no-certificate",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::NotAllowed => "not-allowed",
            Self::TooLarge => "too-large",
            Self::Busy => "busy",
            Self::Fault => "fault",
            Self::Upstream => "upstream",
            Self::TooSlow => "too-slow",
            Self::NotYet => "not-yet",
            Self::NoDirectory => "no-directory",
            Self::NoLog => "no-log",
        }
    }

    /// A problem of this kind.
    pub fn because(self, detail: impl std::fmt::Display) -> Problem {
        Problem { kind: self, detail: detail.to_string() }
    }
}

impl Problem {
    /// The content, `application/problem+json`.
    pub fn to_json(&self) -> Vec<u8> {
        let name = self.kind.name();
        let body = json!({
            "type": format!("urn:microstamp:problem:{name}"), "title": name.replace('-', " "),
            "status": self.kind.status(), "detail": self.detail,
        });
        body.to_string().into_bytes()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], self.to_json()).into_response()
    }
}
