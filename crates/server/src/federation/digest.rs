//! The `Content-Digest` field (RFC 9530) with SHA-256.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::fields::{self, Value};

/// The value of the field for a content.
///
/// ```
/// assert_eq!(
///     server::federation::content_digest(b"{\"hello\": \"world\"}\n"),
///     "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
/// );
/// ```
pub fn content_digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

/// Whether the field's SHA-256 member is that of the content. Other algorithms in the field are ignored.
pub(crate) fn digest_fits(field: &str, content: &[u8]) -> bool {
    let members = fields::dictionary(field).unwrap_or_default();
    let stated = members.into_iter().find(|(name, _)| name == "sha-256").map(|(_, value)| value);
    stated == Some(Value::Bytes(Sha256::digest(content).to_vec()))
}
