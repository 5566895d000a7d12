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

/// Whether a password is one that whoever guesses tries first (NIST SP 800-63B, section 5.1.1.2): one that many use, a
/// repetition, a row of the alphabet or the keyboard, or the account's own name.
pub(super) fn is_common(password: &str, name: &str) -> bool {
    let fold = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (plain, name) = (fold(password), fold(name));
    // Digits before and behind a word, and digits for letters, are what everybody adds.
    let bare = plain.trim_matches(|c: char| c.is_ascii_digit());
    let letters: String = bare.chars().map(letter_of).collect();
    let is_word = |text: &str| COMMON.iter().any(|word| is_made_of(text, word));
    let is_name = name.chars().count() >= 4 && (plain.contains(&name) || letters.contains(&name));
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    different.len() < 5 || is_name || repeats(&plain) || is_row(&plain) || is_word(bare) || is_word(&letters)
}

/// Words of which the long passwords of public lists are made.
const COMMON: [&str; 63] = [
    "password",
    "passwort",
    "letmein",
    "welcome",
    "admin",
    "administrator",
    "qwerty",
    "qwertz",
    "azerty",
    "iloveyou",
    "monkey",
    "dragon",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "master",
    "shadow",
    "superman",
    "batman",
    "trustno",
    "michael",
    "jordan",
    "jennifer",
    "hunter",
    "charlie",
    "secret",
    "changeme",
    "default",
    "login",
    "access",
    "abc",
    "test",
    "guest",
    "root",
    "user",
    "summer",
    "winter",
    "spring",
    "autumn",
    "january",
    "february",
    "march",
    "april",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "friday",
    "police",
    "sheriff",
    "detective",
    "sergeant",
    "officer",
    "evidence",
    "firearm",
    "ballistics",
    "microstamp",
    "mypassword",
    "thisis",
    "computer",
];

/// Whether a text is a word of the list, and behind it nothing but more of them and digits.
fn is_made_of(text: &str, word: &str) -> bool {
    let Some(rest) = text.strip_prefix(word) else { return false };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.is_empty() || COMMON.iter().any(|next| is_made_of(rest, next))
}

/// The letter for which a digit stands.
fn letter_of(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    }
}

/// Whether a text is a shorter one, again and again.
fn repeats(text: &str) -> bool {
    let all: Vec<char> = text.chars().collect();
    (1..=all.len() / 2).any(|unit| all.iter().zip(&all[unit..]).all(|(a, b)| a == b))
}

/// Whether a text runs along the alphabet, the digits or the keyboard, with two breaks at most.
fn is_row(text: &str) -> bool {
    const ROWS: [&str; 6] =
        ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop"];
    let beside = |a: char, b: char| {
        let (there, back) = (String::from_iter([a, b]), String::from_iter([b, a]));
        a == b || ROWS.iter().any(|row| row.contains(&there) || row.contains(&back))
    };
    let all: Vec<char> = text.chars().collect();
    all.windows(2).filter(|pair| !beside(pair[0], pair[1])).count() <= 2
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
