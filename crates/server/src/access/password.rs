//! Passwords and one-time tokens: Argon2id with the parameters that its crate recommends.

use std::collections::BTreeSet;

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

/// Whether a password is one that whoever guesses tries first (NIST SP 800-63B, section 5.1.1.2): of words and numbers that many use, a
/// repetition, a row of the keyboard, a date, signs for letters or not; or little more than the account's own name.
pub(super) fn is_common(password: &str, name: &str) -> bool {
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let known: Vec<&str> =
        HERE.iter().copied().chain(words.iter().copied()).filter(|word| !word.is_empty()).collect();
    // Whoever tries what is likely first, as lists of passwords, names and words have it, comes to it after so many.
    let guesses = zxcvbn::zxcvbn(password, &known).guesses_log10();
    let different: BTreeSet<char> = password.chars().collect();
    guesses < GUESSES || different.len() < 5 || is_of_the_name(password, &words)
}

/// Decimal logarithm of the guesses that a password must stand: a thousand times what is called safe against guessing where attempts are
/// limited (Wheeler, zxcvbn, USENIX Security 2016, section 5), for a hash may be stolen.
const GUESSES: f64 = 9.0;
/// Letters that must be left of a password without the words of the account's name.
const LEFT: usize = 8;
/// Words that whoever guesses at this door tries besides those of the lists.
const HERE: [&str; 12] = [
    "microstamp",
    "police",
    "sheriff",
    "detective",
    "sergeant",
    "officer",
    "evidence",
    "firearm",
    "ballistics",
    "registrar",
    "examiner",
    "auditor",
];

/// Whether little is left of a password without the words of a name, signs and digits for letters or not.
fn is_of_the_name(password: &str, words: &[&str]) -> bool {
    let fold = |text: &str, letter: fn(char) -> char| -> String {
        text.chars().map(letter).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let words: Vec<String> = words.iter().map(|word| fold(word, |c| c)).collect();
    [letter_of, |c| c].into_iter().any(|letter| {
        let whole = fold(password, letter);
        let left = words
            .iter()
            .filter(|word| word.chars().count() >= 3)
            .fold(whole.clone(), |left, word| left.replace(word, ""));
        left != whole && left.chars().count() < LEFT
    })
}

/// The letter for which a digit or a sign stands.
fn letter_of(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    }
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

    #[test]
    fn what_everybody_tries_first_is_no_password() {
        for common in [
            "000000000000",
            "            ",
            "passwordpassword",
            "Password12345",
            "P4ssw0rd1234",
            "123456789012",
            "abcdefghijkl",
            "qwertyuiop12",
            "qwertyuiopasdfgh",
            "letmeinletmein",
            "abcabcabcabc",
            "1q1q1q1q1q1q",
            "November2026",
            "adminadmin123",
            "Sgt. Example 2026!",
            "sgt. example",
            "iloveyou2020!",
            "P@ssw0rd12345",
            "$unshine2026!",
            "M!crostamp2026",
            "Chicago2024!!",
            "Liverpool1234",
            "zaq12wsxCDE#",
            "exampleop2026!!",
            "$gt.Example2026",
        ] {
            assert!(is_common(common, "sgt. example"), "{common:?}");
        }
        for good in [
            "correct horse battery",
            "wrong but long enough",
            "xk7-Tulpe-Fenster",
            "the quick brown otter",
            "my dog eats 7 socks",
            "Zimtschnecke im Regen",
            "police dog Rex barks at dawn",
        ] {
            assert!(!is_common(good, "sgt. example"), "{good:?}");
        }
    }
}
