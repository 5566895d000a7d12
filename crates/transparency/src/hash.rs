//! SHA-256 in the three roles RFC 6962 gives it: leaf, node, empty tree.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash of a leaf, an inner node or a whole tree (RFC 6962, section 2.1).
///
/// `Display` and [`Hash::from_base64`] use padded standard base64, as every C2SP text format does.
///
/// ```
/// use transparency::Hash;
/// let root = Hash::node(&Hash::leaf(b"a"), &Hash::leaf(b"b"));
/// assert_eq!(Hash::from_base64(&root.to_string()), Some(root));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Takes 32 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Hash of a log entry: `SHA-256(0x00 || entry)`.
    pub fn leaf(entry: &[u8]) -> Self {
        Self(Sha256::new_with_prefix([0]).chain_update(entry).finalize().into())
    }

    /// Hash of an inner node: `SHA-256(0x01 || left || right)`.
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut bytes = [1; 65];
        bytes[1..33].copy_from_slice(&left.0);
        bytes[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(bytes).into())
    }

    /// Root of the tree with no leaves: `SHA-256("")`.
    pub fn empty_tree() -> Self {
        Self(Sha256::digest(b"").into())
    }

    /// Reads padded standard base64 of exactly 32 bytes; anything else, also a non-canonical spelling
    /// of the same bytes, is `None`.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}
