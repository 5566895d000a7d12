//! Evidence: it verifies offline, and every single changed byte is caught.

use std::fmt::Write as _;

use transparency::{
    Bundle, BundleError, Commitment, EntryProof, KeyKind, Log, MemoryStore, Policy, Salt, SigningKey,
};

use super::merkle::key;

fn salt(n: u64) -> Salt {
    Salt::from_bytes([n as u8; 32])
}

fn record(n: u64) -> Vec<u8> {
    format!(r#"{{"kind":"trace","number":{n}}}"#).into_bytes()
}

fn witnesses() -> Vec<SigningKey> {
    [("makers.example/w", 1), ("oversight.example/w", 2), ("defence.example/w", 3)]
        .map(|(name, seed)| SigningKey::witness(name, &[seed; 32]).unwrap())
        .into()
}

/// Two of three witnesses are enough, so a cosignature that drops out would not be missed by a lax check.
fn policy() -> Policy {
    let mut text = format!("log {}\n", key().verifier());
    for (n, witness) in witnesses().iter().enumerate() {
        writeln!(text, "witness w{n} {}", witness.verifier()).unwrap();
    }
    (text + "group quorate 2 w0 w1 w2\nquorum quorate\n").parse().unwrap()
}

fn log() -> Log<MemoryStore> {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    let entries: Vec<_> = (0..300).map(|n| Commitment::new(&salt(n), &record(n))).collect();
    log.append_batch(&entries).unwrap();
    for witness in witnesses() {
        let line = log.checkpoint().cosign(&witness, 1_800_000_000).unwrap().to_string();
        assert_eq!(log.add_cosignatures(&line, &[witness.verifier().clone()]).unwrap(), 1);
    }
    log
}

fn proof(log: &Log<MemoryStore>, n: u64) -> EntryProof {
    log.entry_proof(n, &salt(n), &record(n)).unwrap()
}

/// Flips each of `bits` in each byte, leaves out and doubles each byte; nothing may pass, and nothing may panic.
fn check_every_byte(file: &str, bits: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(file.as_bytes()));
    for place in 0..file.len() {
        for bit in bits {
            let mut bytes = file.as_bytes().to_vec();
            bytes[place] ^= 1 << bit;
            assert!(
                !accepts(&bytes),
                "bit {bit} of byte {place} passed: {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        let mut shorter = file.as_bytes().to_vec();
        shorter.remove(place);
        assert!(!accepts(&shorter), "byte {place} can be left out");
        let mut longer = file.as_bytes().to_vec();
        longer.insert(place, longer[place]);
        assert!(!accepts(&longer), "byte {place} can be doubled");
    }
}

#[test]
fn every_changed_byte_of_a_proof_is_caught() {
    let (log, policy) = (log(), policy());
    let file = proof(&log, 277).to_string();
    assert!(file.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    check_every_byte(&file, &[0, 1, 2, 3, 4, 5, 6, 7], |bytes| {
        EntryProof::parse(bytes).is_ok_and(|proof| proof.verify(&policy).is_ok())
    });
}

#[test]
fn every_changed_byte_of_a_bundle_is_caught() {
    let (log, policy) = (log(), policy());
    let bundle = Bundle { entries: vec![proof(&log, 3), proof(&log, 299)] };
    check_every_byte(&bundle.to_string(), &[0, 5], |bytes| {
        Bundle::parse(bytes).is_ok_and(|bundle| bundle.verify(&policy).is_ok())
    });
}

#[test]
fn a_proof_with_post_quantum_cosignatures_verifies() {
    let mut log = log();
    let witness = SigningKey::from_seed("pq.example/w", KeyKind::WitnessMlDsa44, &[4; 32]).unwrap();
    let line = log.checkpoint().cosign(&witness, 1_800_000_000).unwrap().to_string();
    log.add_cosignatures(&line, &[witness.verifier().clone()]).unwrap();
    let text = format!("log {}\nwitness pq {}\nquorum pq\n", key().verifier(), witness.verifier());
    let policy: Policy = text.parse().unwrap();
    policy.check(log.checkpoint()).unwrap();
    let file = proof(&log, 0).to_string();
    assert!(EntryProof::parse(file.as_bytes()).unwrap().verify(&policy).is_err(), "strays are not evidence");
}

#[test]
fn evidence_for_the_wrong_thing_is_refused() {
    let (log, policy) = (log(), policy());
    let wrong = log.entry_proof(4, &salt(5), &record(4));
    assert!(matches!(wrong, Err(BundleError::NotTheEntry(4))));
    let moved = EntryProof { inclusion: proof(&log, 5).inclusion, ..proof(&log, 4) };
    assert!(moved.verify(&policy).is_err());
    let resized = |size| {
        let mut proof = proof(&log, 4);
        proof.inclusion.size = size;
        proof
    };
    assert!(resized(299).verify(&policy).is_err());
    assert!(resized(0).verify(&policy).is_err());
    let alone = Policy::log_alone(SigningKey::log("example.com/test", &[9; 32]).unwrap().verifier().clone());
    assert!(proof(&log, 4).verify(&alone.unwrap()).is_err());
    assert!(Bundle { entries: vec![] }.verify(&policy).is_err());
}

#[test]
fn deleting_salt_and_record_leaves_only_that_something_was_there() {
    let log = log();
    let entry = log.tree().entry(8).unwrap();
    assert_eq!(entry, Commitment::new(&salt(8), &record(8)).as_bytes());
    let proof = log.inclusion_proof(8).unwrap();
    proof.verify(&transparency::Hash::leaf(&entry), &log.checkpoint().checkpoint.root).unwrap();
    for guess in 0..300 {
        let wrong_salt = Salt::from_bytes([0xff; 32]);
        assert!(
            !Commitment::from_bytes(entry.clone().try_into().unwrap()).opens(&wrong_salt, &record(guess))
        );
    }
}
