//! Passwords and one-time tokens: Argon2id with the parameters that its crate recommends.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use sha2::{Digest as _, Sha256};

/// Shortest and longest password, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;

/// Hash of nothing that anyone was told.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$5bCNYYg0aCQRGzl7Yk0KJcsHAbeMcbGS4aR4VQ+jV5c";

/// Hashes a password; `None` where its length is not allowed.
pub(super) fn hash(password: &str) -> Option<String> {
    if !LENGTH.contains(&password.len()) {
        return None;
    }
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Whether the password is that of the hash. It takes as long for an account that does not exist.
pub(super) fn matches(password: &str, hash: Option<&str>) -> bool {
    let known = hash.is_some();
    let Ok(hash) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    let long = password.len() <= *LENGTH.end();
    let matches =
        Argon2::default().verify_password(if long { password.as_bytes() } else { b"" }, &hash).is_ok();
    matches && known && long
}

/// A new secret of 256 bits, in hexadecimal digits.
pub(super) fn token() -> String {
    let mut secret = [0; 32];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut secret);
    hex::encode(secret)
}

/// What is kept of a token: whoever reads the memory or the file learns none.
pub(super) fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_nobody_has_none() {
        let hash = hash("correct horse battery").expect("its length is allowed");
        assert!(matches("correct horse battery", Some(&hash)));
        assert!(!matches("correct horse battery!", Some(&hash)) && !matches("correct horse battery", None));
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "otherwise an unknown name would be told by the time it takes"
        );
        assert_eq!(super::hash("too short"), None);
    }
}
