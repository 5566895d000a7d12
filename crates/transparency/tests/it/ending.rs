//! A log that was put back ends, and another goes on from its entries.

use transparency::{AddCheckpoint, Log, LogEnd, LogError, MemoryStore, SigningKey, Witness, fsck};

use super::merkle::key;

fn next() -> SigningKey {
    SigningKey::log(&format!("{}/2", key().verifier().name()), &[77; 32]).unwrap()
}

/// Asks a witness to cosign a log; the status, and the size that it knows.
fn offer(witness: &Witness, memory: &mut MemoryStore, log: &Log<MemoryStore>, old: u64) -> u16 {
    let request = AddCheckpoint::new(&log.tree(), log.checkpoint(), old).unwrap();
    witness.add_checkpoint(memory, request.to_string().as_bytes(), 1_800_000_000).status
}

#[test]
fn what_was_lost_stays_lost_and_the_rest_goes_on_under_another_name() {
    let logs = vec![key().verifier().clone(), next().verifier().clone()];
    let keys = vec![SigningKey::witness("oversight.example/w", &[8; 32]).unwrap()];
    let witness = Witness { keys, logs };
    let (mut memory, mut fresh) = (MemoryStore::default(), MemoryStore::default());
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    log.append_batch(&["one", "two"]).unwrap();
    let backup = log.store().clone();
    log.append_batch(&["three"]).unwrap();
    assert_eq!(offer(&witness, &mut memory, &log, 0), 200);

    // The copy is put back and goes on: a fork, which the witness does not sign.
    let mut fork = Log::open(backup.clone(), key()).unwrap();
    fork.append_batch(&["another three", "four"]).unwrap();
    assert_eq!(offer(&witness, &mut memory, &fork, 3), 422);
    let short = Log::open(backup.clone(), key()).unwrap();
    assert_eq!(offer(&witness, &mut memory, &short, 2), 409, "a log that became shorter");

    // It ends, and the next goes on.
    let root = short.checkpoint().checkpoint.root;
    assert!(matches!(Log::open(backup, key()).unwrap().go_on_as(key()), Err(LogError::Note(_))));
    let mut renewed = short.go_on_as(next()).unwrap();
    assert_eq!(renewed.checkpoint().checkpoint.root, root, "the same entries");
    renewed.append_batch(&["renewed"]).unwrap();
    assert_eq!(offer(&witness, &mut fresh, &renewed, 0), 200);
    let report = fsck(renewed.store(), next().verifier(), &[]).unwrap();
    assert_eq!((report.entries, report.findings), (3, vec![]));
    assert!(Log::open(renewed.store().clone(), key()).is_err(), "the old key opens it no more");
}

#[test]
fn the_note_holds_as_both_keys_signed_it_and_in_no_other_way() {
    let root = transparency::Hash::leaf(b"x");
    let note = LogEnd::sign((&key(), &next()), (7, root), "the disk was lost").unwrap();
    let end = LogEnd::parse(&note).unwrap();
    assert_eq!((end.size, end.root, end.reason.as_str()), (7, root, "the disk was lost"));
    assert!(LogEnd::sign((&key(), &next()), (7, root), "two\nlines").is_err());
    let same = LogEnd::sign((&key(), &key()), (7, root), "again").unwrap();
    assert!(LogEnd::parse(&same).is_err(), "a log does not go on as itself");
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let altered = String::from_utf8(bytes).map(|text| LogEnd::parse(&text).is_err());
        assert!(altered.unwrap_or(true), "byte {at}");
    }
    let signed: Vec<&str> = note.lines().filter(|line| line.starts_with('—')).collect();
    for line in signed {
        assert!(
            LogEnd::parse(&note.replace(&format!("{line}\n"), "")).is_err(),
            "one signature is not enough"
        );
    }
}
