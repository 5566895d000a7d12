//! Evidence: no panic, one spelling, and nothing verifies by accident.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transparency::{Bundle, EntryProof, Policy, SigningKey};

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::log("fuzz.example/log", &[1; 32]).expect("the name is good");
    let policy = Policy::log_alone(key.verifier().clone()).expect("it is a log's key");
    if let Ok(proof) = EntryProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        assert!(proof.verify(&policy).is_err());
    }
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.to_string().as_bytes(), bytes);
        assert!(bundle.verify(&policy).is_err());
    }
});
