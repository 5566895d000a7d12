//! What goes into the log in place of a record: a salted hash of it.

use std::fmt;

use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

/// First line of the hashed message; separates these hashes from all others.
const LABEL: &[u8] = b"microstamp commitment v1\n";

/// 32 secret random bytes, one set for each record, kept beside the record and deleted with it.
///
/// Without its salt a commitment cannot be tested against a guessed record.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

/// `SHA-256("microstamp commitment v1\n" || salt || record)`: the 32 bytes that are entered into the log.
///
/// Binding: nobody can find another salt and record with the same commitment. Hiding: whoever lacks the salt learns
/// nothing of the record. When salt and record are deleted, the entry still proves that *something* was entered
/// at its place and time. The salt has a fixed length, so no part of it can be moved into the record.
///
/// ```
/// use transparency::{Commitment, Salt};
/// let salt = Salt::from_bytes([9; 32]);
/// let commitment = Commitment::new(&salt, br#"{"kind":"issue"}"#);
/// assert!(commitment.opens(&salt, br#"{"kind":"issue"}"#));
/// assert!(!commitment.opens(&salt, br#"{"kind":"trace"}"#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; 32]);

impl Salt {
    /// Takes 32 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new salt from a cryptographic source of randomness.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Commitment {
    /// Commits to the canonical bytes of a record, see [`crate::canonical_json`].
    pub fn new(salt: &Salt, record: &[u8]) -> Self {
        Self(Sha256::new().chain_update(LABEL).chain_update(salt.0).chain_update(record).finalize().into())
    }

    /// Takes the 32 bytes of a log entry.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to enter.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the commitment of that record.
    pub fn opens(&self, salt: &Salt, record: &[u8]) -> bool {
        *self == Self::new(salt, record)
    }
}

impl AsRef<[u8]> for Commitment {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({})", hex::encode(self.0))
    }
}
