//! A log, three witnesses, a quorum of two, a court that trusts nobody, and a keeper who tries to cheat.
//!
//! `cargo run -p transparency --example witnessed_log`

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::error::Error;
use std::fmt::Write as _;

use transparency::{
    AddCheckpoint, Commitment, EntryProof, Log, MemoryStore, Policy, Salt, SigningKey, Witness,
    canonical_json,
};

const NOW: u64 = 1_800_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let key = SigningKey::log("issuer.example/log", &[1; 32])?;
    let mut witnesses = Vec::new();
    let mut policy = format!("log {}\n", key.verifier());
    for (seed, name) in (2..).zip(["makers", "oversight", "defence"]) {
        let signer = SigningKey::witness(&format!("{name}.example/w"), &[seed; 32])?;
        writeln!(policy, "witness {name} {}", signer.verifier())?;
        let witness = Witness { keys: vec![signer], logs: vec![key.verifier().clone()] };
        witnesses.push((witness, MemoryStore::default()));
    }
    policy += "group quorate 2 makers oversight defence\nquorum quorate\n";
    println!("the court's policy:\n{policy}");
    let policy: Policy = policy.parse()?;

    let mut log = Log::create(MemoryStore::default(), key.clone())?;
    let record = canonical_json(&serde_json::json!({"kind": "trace", "case": "2026-0815", "number": 0}))?;
    let salt = Salt::from_bytes([9; 32]);
    log.append_batch(&[Commitment::new(&salt, &record), Commitment::new(&salt, b"another")])?;
    for (witness, memory) in &mut witnesses {
        let request = AddCheckpoint::new(&log.tree(), log.checkpoint(), 0)?;
        let answer = witness.add_checkpoint(memory, request.to_string().as_bytes(), NOW);
        let keys: Vec<_> = witness.keys.iter().map(|key| key.verifier().clone()).collect();
        log.add_cosignatures(&answer.body, &keys)?;
    }
    let evidence = log.entry_proof(0, &salt, &record)?.to_string();
    println!("the evidence:\n{evidence}");
    let approval = EntryProof::parse(evidence.as_bytes())?.verify(&policy)?;
    println!("the court: it holds, seen by {:?}\n", approval.witnesses);

    let mut forged = Log::create(MemoryStore::default(), key)?;
    forged
        .append_batch(&[Commitment::new(&salt, b"it never happened"), Commitment::new(&salt, b"another")])?;
    let request =
        AddCheckpoint { old_size: 2, ..AddCheckpoint::new(&forged.tree(), forged.checkpoint(), 0)? };
    for (witness, memory) in &mut witnesses {
        let answer = witness.add_checkpoint(memory, request.to_string().as_bytes(), NOW + 60);
        println!("a witness to the forger: {} {}", answer.status, answer.body.trim_end());
    }
    let alone = forged.entry_proof(0, &salt, b"it never happened")?;
    println!(
        "the court to the forger: {}",
        alone.verify(&policy).err().map_or_else(String::new, |e| e.to_string())
    );
    Ok(())
}
