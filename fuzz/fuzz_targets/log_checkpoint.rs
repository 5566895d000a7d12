//! Checkpoints, alone and signed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transparency::{Checkpoint, SignedCheckpoint, SigningKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(signed) = SignedCheckpoint::parse(bytes) {
        assert_eq!(signed.to_string().as_bytes(), bytes);
        let key = SigningKey::log("fuzz.example/log", &[1; 32]).expect("the name is good");
        assert!(signed.verify(key.verifier()).is_err(), "a signature was forged");
    }
});
