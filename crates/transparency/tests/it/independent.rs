//! A second verifier, in another language and from the specifications alone, agrees with ours.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use transparency::{Bundle, Commitment, KeyKind, Log, MemoryStore, Policy, Salt, SigningKey};

use super::merkle::key;

fn salt(n: u64) -> Salt {
    Salt::from_bytes([n as u8 ^ 0x5a; 32])
}

fn record(n: u64) -> Vec<u8> {
    format!(r#"{{"kind":"answer","number":{n}}}"#).into_bytes()
}

/// A policy that asks for every witness, and a bundle that satisfies it.
fn evidence() -> (String, String) {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    let entries: Vec<_> = (0..777).map(|n| Commitment::new(&salt(n), &record(n))).collect();
    log.append_batch(&entries).unwrap();
    let mut policy = format!("log {}\n", key().verifier());
    // The second witness signs with two keys.
    for (n, kind) in [(1, KeyKind::Witness), (2, KeyKind::Witness), (2, KeyKind::WitnessMlDsa44)] {
        let witness = SigningKey::from_seed(&format!("w{n}.example/w"), kind, &[n; 32]).unwrap();
        writeln!(policy, "witness w{n}-{kind:?} {}", witness.verifier()).unwrap();
        let line = log.checkpoint().cosign(&witness, 1_800_000_000).unwrap().to_string();
        log.add_cosignatures(&line, &[witness.verifier().clone()]).unwrap();
    }
    policy +=
        "group second all w2-Witness w2-WitnessMlDsa44\ngroup every all w1-Witness second\nquorum every\n";
    let entries = [0, 511, 776].map(|n| log.entry_proof(n, &salt(n), &record(n)).unwrap());
    (policy, Bundle { entries: entries.into() }.to_string())
}

/// Whether the second verifier accepts; `None` if there is no Python here.
fn second_opinion(folder: &Path, policy: &str, bundle: &[u8]) -> Option<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/verify.py");
    fs::write(folder.join("policy"), policy).unwrap();
    fs::write(folder.join("bundle"), bundle).unwrap();
    let mut python = Command::new("python3");
    python.arg("-B").arg(script).arg(folder.join("policy")).arg(folder.join("bundle")).stderr(Stdio::null());
    python.status().ok().map(|status| status.success())
}

#[test]
fn a_second_verifier_agrees_on_good_and_altered_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let (text, bundle) = evidence();
    let policy: Policy = text.parse().unwrap();
    let ours = |bytes: &[u8]| Bundle::parse(bytes).is_ok_and(|bundle| bundle.verify(&policy).is_ok());
    let Some(theirs) = second_opinion(folder.path(), &text, bundle.as_bytes()) else {
        eprintln!("NOT RUN: there is no python3 here for the second verifier");
        return;
    };
    assert!(theirs && ours(bundle.as_bytes()));
    for place in (0..bundle.len()).step_by(bundle.len() / 25) {
        let mut bytes = bundle.clone().into_bytes();
        bytes[place] ^= 1;
        assert!(!ours(&bytes), "byte {place}");
        assert_eq!(second_opinion(folder.path(), &text, &bytes), Some(false), "byte {place}");
    }
}
