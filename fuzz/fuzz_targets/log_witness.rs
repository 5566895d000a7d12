//! Requests to a witness and its answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transparency::{AddCheckpoint, MemoryStore, SigningKey, Witness};

fuzz_target!(|bytes: &[u8]| {
    let log = SigningKey::log("fuzz.example/log", &[1; 32]).expect("the name is good");
    let own = SigningKey::witness("fuzz.example/w", &[2; 32]).expect("the name is good");
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
    let witness = Witness { keys: vec![own], logs: vec![log.verifier().clone()] };
    let answer = witness.add_checkpoint(&mut MemoryStore::default(), bytes, 1);
    assert!([400, 403, 404].contains(&answer.status), "{answer:?}");
});
