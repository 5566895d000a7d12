//! Sealing: FF1 against NIST's samples and the Wycheproof vectors, and our short way to it against the long one.

use std::collections::HashSet;
use std::path::PathBuf;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use fpe::ff1::{FF1, FlexibleNumeralString};
use proptest::prelude::*;
use serde_json::Value;
use symbology::{Code, Prefix, SealingKey, UnitNumber};

/// Encrypts, and makes sure that decrypting gives the message back.
fn ff1<C>(key: &[u8], radix: u32, tweak: &[u8], message: &[u16]) -> Option<Vec<u16>>
where
    C: KeyInit + BlockCipherEncrypt + Clone,
{
    let cipher = FF1::<C>::new(key, radix).ok()?;
    let sealed: Vec<u16> = cipher.encrypt(tweak, &FlexibleNumeralString::from(message.to_vec())).ok()?.into();
    let opened: Vec<u16> = cipher.decrypt(tweak, &FlexibleNumeralString::from(sealed.clone())).ok()?.into();
    assert_eq!(opened, message);
    Some(sealed)
}

fn ff1_of_any_key(key: &[u8], radix: u32, tweak: &[u8], message: &[u16]) -> Option<Vec<u16>> {
    match key.len() {
        16 => ff1::<Aes128>(key, radix, tweak, message),
        24 => ff1::<Aes192>(key, radix, tweak, message),
        32 => ff1::<Aes256>(key, radix, tweak, message),
        _ => None,
    }
}

fn numerals(text: &str, alphabet: &str) -> Option<Vec<u16>> {
    text.chars().map(|c| alphabet.chars().position(|a| a == c).map(|at| at as u16)).collect()
}

#[test]
fn nist_samples() {
    const DIGITS: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
    const KEY: &str = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94";
    const TENS: &str = "39383736353433323130";
    const SEVENS: &str = "3737373770717273373737";
    let check = |bits: usize, radix: u32, tweak: &str, message: &str, expected: &str| {
        let key = hex::decode(&KEY[..bits / 4]).unwrap();
        let message = numerals(message, DIGITS).unwrap();
        let sealed = ff1_of_any_key(&key, radix, &hex::decode(tweak).unwrap(), &message);
        assert_eq!(sealed, numerals(expected, DIGITS), "AES-{bits}, radix {radix}, tweak {tweak}");
    };
    // NIST SP 800-38G, "Examples with Intermediate Values", FF1 samples 1 to 9.
    for (bits, plain, tweaked, letters) in [
        (128, "2433477484", "6124200773", "a9tv40mll9kdu509eum"),
        (192, "2830668132", "2496655549", "xbj3kv35jrawxv32ysr"),
        (256, "6657667009", "1001623463", "xs8a0azh2avyalyzuwd"),
    ] {
        check(bits, 10, "", "0123456789", plain);
        check(bits, 10, TENS, "0123456789", tweaked);
        check(bits, 36, SEVENS, "0123456789abcdefghi", letters);
    }
}

/// The folder of public vectors, if it is there.
fn vectors() -> Option<PathBuf> {
    let given = std::env::var_os("MICROSTAMP_VECTORS").map(PathBuf::from);
    let folder = given
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")))
        .join("wycheproof/testvectors_v1");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("NOT TESTED: no Wycheproof vectors in {}; set MICROSTAMP_VECTORS", folder.display());
    None
}

/// Goes through one file and returns how many vectors were checked.
fn wycheproof(file: &str) -> Option<usize> {
    let text = std::fs::read_to_string(vectors()?.join(file)).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        let radix = group["radix"].as_u64().unwrap() as u32;
        for test in group["tests"].as_array().unwrap() {
            let bytes = |key: &str| hex::decode(test[key].as_str().unwrap()).unwrap();
            let list = |key: &str| -> Option<Vec<u16>> {
                match &test[key] {
                    Value::String(text) => numerals(text, group["alphabet"].as_str().unwrap()),
                    list => list.as_array()?.iter().map(|n| n.as_u64().map(|n| n as u16)).collect(),
                }
            };
            let sealed = list("msg")
                .and_then(|message| ff1_of_any_key(&bytes("key"), radix, &bytes("tweak"), &message));
            // Messages below a million possibilities are legal in the first edition of SP 800-38G only.
            let small = test["flags"].as_array().unwrap().iter().any(|flag| flag == "SmallMessageSize");
            let expected = (test["result"] == "valid" && !small).then(|| list("ct").unwrap());
            assert_eq!(sealed, expected, "{file}, test {}", test["tcId"]);
            checked += 1;
        }
    }
    Some(checked)
}

#[test]
fn wycheproof_vectors() {
    for (file, count) in [
        ("aes_ff1_radix32_test.json", 2868),
        ("aes_ff1_base32_test.json", 2868),
        ("aes_ff1_radix10_test.json", 3845),
    ] {
        if let Some(checked) = wycheproof(file) {
            assert_eq!(checked, count, "{file}");
        }
    }
}

proptest! {
    #[test]
    fn codes_are_ff1_of_four_numerals(unit in 0..1_u32 << 20, prefix in 0..1024_u16, key in any::<[u8; 32]>()) {
        let prefix = Prefix::from_index(prefix).unwrap();
        let code = SealingKey::new(&key, "open-1").seal(prefix, UnitNumber::new(unit).unwrap());
        let message: Vec<u16> = [15, 10, 5, 0].iter().map(|shift| (unit >> shift & 31) as u16).collect();
        let expected = ff1::<Aes256>(&key, 32, format!("open-1:{prefix}").as_bytes(), &message).unwrap();
        let sealed: Vec<u16> = code.payload()[2..].iter().map(|s| u16::from(s.value())).collect();
        prop_assert_eq!(sealed, expected);
    }

    #[test]
    fn units_are_sealed_and_opened(unit in 0..1_u32 << 20, prefix in 0..1024_u16, key in any::<[u8; 32]>()) {
        let key = SealingKey::new(&key, "open-1");
        let prefix = Prefix::from_index(prefix).unwrap();
        let unit = UnitNumber::new(unit).unwrap();
        let code = key.seal(prefix, unit);
        prop_assert_eq!(code.prefix(), prefix);
        prop_assert_eq!(key.unseal(&code), unit);
    }
}

fn codes(prefix: &str, scheme: &str, units: std::ops::Range<u32>) -> Vec<Code> {
    let key = SealingKey::new(&[42; 32], scheme);
    let prefix = prefix.parse().unwrap();
    units.map(|unit| key.seal(prefix, UnitNumber::new(unit).unwrap())).collect()
}

#[test]
fn a_million_codes_are_unique() {
    let codes = codes("K7", "open-1", 0..UnitNumber::COUNT);
    let unique: HashSet<Code> = codes.iter().copied().collect();
    assert_eq!(unique.len(), 1 << 20);
}

#[test]
fn sealed_units_show_no_order() {
    let codes = codes("K7", "open-1", 0..40_000);
    let number = |code: &Code| code.payload()[2..].iter().fold(0_u32, |n, s| n << 5 | u32::from(s.value()));
    // Each of the 20 bits is as often one as zero, and changes from one unit to the next as often as not: within five
    // standard deviations of a fair coin.
    let fair = |ones: usize, of: usize| (2.0 * ones as f64 - of as f64).abs() < 5.0 * (of as f64).sqrt();
    for bit in 0..20 {
        let set = codes.iter().filter(|code| number(code) >> bit & 1 == 1).count();
        let changes =
            codes.windows(2).filter(|two| (number(&two[0]) ^ number(&two[1])) >> bit & 1 == 1).count();
        assert!(fair(set, codes.len()), "bit {bit}: {set}");
        assert!(fair(changes, codes.len() - 1), "bit {bit}: {changes} changes");
    }
    // A later unit has the larger code in half of all cases.
    let rising = codes.windows(2).filter(|two| two[0] < two[1]).count();
    assert!(fair(rising, codes.len() - 1), "{rising}");
}

#[test]
fn prefix_and_scheme_change_the_seal() {
    let units =
        |codes: Vec<Code>| -> Vec<String> { codes.iter().map(|c| c.characters()[2..6].to_owned()).collect() };
    let here = units(codes("K7", "open-1", 0..100));
    assert_ne!(here, units(codes("K8", "open-1", 0..100)));
    assert_ne!(here, units(codes("K7", "round-1", 0..100)));
}

#[test]
fn keys_do_not_print() {
    let printed = format!("{:?}", SealingKey::new(&[42; 32], "open-1"));
    assert_eq!(printed, "SealingKey(open-1, secret)");
}
