//! The witness protocol: each status of the specification, and no roll-back under races.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use transparency::{
    AddCheckpoint, Checkpoint, Hash, KeyKind, Log, MemoryStore, NoteError, Policy, Resource,
    SignedCheckpoint, SigningKey, StoreError, TileStore, Witness,
};

use super::merkle::key;

const NOW: u64 = 1_800_000_000;

fn witness() -> Witness {
    let logs = vec![key().verifier().clone()];
    Witness { keys: vec![SigningKey::witness("witness.example/w", &[2; 32]).unwrap()], logs }
}

fn log(size: u64) -> Log<MemoryStore> {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    for n in 0..size {
        log.append_batch(&[n.to_be_bytes()]).unwrap();
    }
    log
}

fn request(log: &Log<MemoryStore>, old: u64) -> AddCheckpoint {
    AddCheckpoint::new(&log.tree(), log.checkpoint(), old).unwrap()
}

fn post(memory: &mut MemoryStore, request: &AddCheckpoint) -> (u16, String) {
    let answer = witness().add_checkpoint(memory, request.to_string().as_bytes(), NOW);
    (answer.status, answer.body)
}

/// A memory in which five entries were cosigned.
fn seen_five() -> MemoryStore {
    let mut memory = MemoryStore::default();
    assert_eq!(post(&mut memory, &request(&log(5), 0)).0, 200);
    memory
}

#[test]
fn a_growing_log_is_cosigned_and_the_quorum_is_met() {
    let policy: Policy =
        format!("log {}\nwitness w {}\nquorum w\n", key().verifier(), witness().keys[0].verifier())
            .parse()
            .unwrap();
    let mut memory = MemoryStore::default();
    let mut log = log(0);
    for old in 0..20 {
        log.append_batch(&[[1; 3]]).unwrap();
        let (status, body) = post(&mut memory, &request(&log, old));
        assert_eq!(status, 200, "{body}");
        assert!(policy.check(log.checkpoint()).is_err());
        let keys = [witness().keys[0].verifier().clone()];
        assert_eq!(log.add_cosignatures(&body, &keys).unwrap(), 1);
        assert_eq!(policy.check_strictly(log.checkpoint()).unwrap().witnesses, [("w".to_owned(), NOW)]);
    }
    let served = SignedCheckpoint::parse(&memory.files[&Resource::Checkpoint]).unwrap();
    policy.check_strictly(&served).unwrap();
    let reopened = Log::open(log.store().clone(), key()).unwrap();
    policy.check_strictly(reopened.checkpoint()).unwrap();
}

#[test]
fn a_witness_with_two_keys_cosigns_with_both_or_not_at_all() {
    let keys = vec![
        SigningKey::witness("witness.example/w", &[2; 32]).unwrap(),
        SigningKey::from_seed("witness.example/w", KeyKind::WitnessMlDsa44, &[3; 32]).unwrap(),
    ];
    let known: Vec<_> = keys.iter().map(|key| key.verifier().clone()).collect();
    let witness = Witness { keys, logs: vec![key().verifier().clone()] };
    let (mut memory, log) = (MemoryStore::default(), log(3));
    let answer = witness.add_checkpoint(&mut memory, request(&log, 0).to_string().as_bytes(), NOW);
    assert_eq!((answer.status, answer.body.lines().count()), (200, 2), "{}", answer.body);
    let served = SignedCheckpoint::parse(&memory.files[&Resource::Checkpoint]).unwrap();
    for key in &known {
        assert_eq!(served.cosigned_at(key), Ok(Some(NOW)), "also in its memory");
    }

    let mut signed = log.checkpoint().clone();
    assert_eq!(signed.add_cosignatures(&answer.body, &known[..1]), Ok(1), "who knows one key takes one line");
    let before = log.checkpoint().clone();
    for (number, line) in answer.body.lines().enumerate() {
        let altered = change(line, 30 + number);
        let mut signed = before.clone();
        let refused = signed.add_cosignatures(&answer.body.replace(line, &altered), &known);
        assert!(matches!(refused, Err(NoteError::BadSignature(_))), "line {number}: {refused:?}");
        assert_eq!(signed, before, "line {number}: nothing of it is taken");
    }
}

/// A signature line with one bit of its signature changed.
fn change(line: &str, place: usize) -> String {
    let (head, base64) = line.rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(base64).unwrap();
    bytes[place] ^= 1;
    format!("{head} {}", STANDARD.encode(bytes))
}

#[test]
fn the_same_tree_is_cosigned_again_with_a_new_time() {
    let mut memory = seen_five();
    let answer = witness().add_checkpoint(&mut memory, request(&log(5), 5).to_string().as_bytes(), NOW + 60);
    assert_eq!(answer.status, 200);
    let served = SignedCheckpoint::parse(&memory.files[&Resource::Checkpoint]).unwrap();
    assert_eq!(served.cosigned_at(witness().keys[0].verifier()), Ok(Some(NOW + 60)));
}

#[test]
fn each_refusal_has_the_status_of_the_specification() {
    let good = request(&log(9), 5);
    let edit = |change: &dyn Fn(&mut AddCheckpoint)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let resign =
        |size: u64, root: Hash| Checkpoint::new("example.com/test", size, root).sign(&key()).unwrap();
    let other = SigningKey::log("example.com/other", &[3; 32]).unwrap();
    let same_name = SigningKey::log("example.com/test", &[4; 32]).unwrap();
    let forged = |key: &SigningKey| good.signed.checkpoint.clone().sign(key).unwrap();
    for (what, status, request) in [
        (
            "unknown origin",
            404,
            edit(&|r| {
                r.signed =
                    Checkpoint::new("example.com/other", 9, r.signed.checkpoint.root).sign(&other).unwrap();
            }),
        ),
        ("signed by another key", 403, edit(&|r| r.signed = forged(&same_name))),
        ("bad signature", 403, edit(&|r| r.signed.note.signatures[0].bytes[9] ^= 1)),
        ("old size above the new", 400, edit(&|r| r.old_size = 10)),
        ("old size too small", 409, edit(&|r| r.old_size = 4)),
        ("old size zero", 409, request(&log(9), 0)),
        ("old size too large", 409, edit(&|r| r.old_size = 6)),
        (
            "proof too short",
            422,
            edit(&|r| {
                r.proof.pop();
            }),
        ),
        ("proof too long", 422, edit(&|r| r.proof.push(Hash::leaf(b"")))),
        ("proof altered", 422, edit(&|r| r.proof[0] = Hash::leaf(b""))),
        ("another tree", 422, edit(&|r| r.signed = resign(9, Hash::leaf(b"fork")))),
        (
            "same size, other root",
            422,
            edit(&|r| {
                r.signed = resign(5, Hash::leaf(b"fork"));
                r.proof.clear();
            }),
        ),
        ("all is well", 200, good.clone()),
    ] {
        let (found, body) = post(&mut seen_five(), &request);
        assert_eq!(found, status, "{what}: {body}");
        if status == 409 {
            assert_eq!(body, "5\n", "{what}");
        }
    }
    let (status, body) = post(&mut MemoryStore::default(), &good);
    assert_eq!((status, body.as_str()), (409, "0\n"));
    let not_empty = AddCheckpoint { old_size: 0, proof: vec![], signed: resign(0, Hash::leaf(b"")) };
    assert_eq!(post(&mut MemoryStore::default(), &not_empty).0, 422);
    let proof_from_nothing = AddCheckpoint { proof: vec![Hash::leaf(b"")], ..request(&log(5), 0) };
    assert_eq!(post(&mut MemoryStore::default(), &proof_from_nothing).0, 422);
    let empty = request(&log(0), 0);
    assert_eq!(post(&mut MemoryStore::default(), &empty).0, 200);
}

#[test]
fn what_is_no_request() {
    let good = request(&log(9), 5).to_string();
    let long = format!("old 5\n{}", format!("{}\n", Hash::leaf(b"")).repeat(64));
    for body in [
        String::new(),
        good.replacen("old ", "new ", 1),
        good.replacen("old 5", "old 05", 1),
        good.replacen("old 5", "old -5", 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen('\n', "\nAAAA\n", 1),
        good.trim_end().to_owned(),
        good.replacen("old 5\n", &long, 1),
    ] {
        let answer = witness().add_checkpoint(&mut seen_five(), body.as_bytes(), NOW);
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(AddCheckpoint::parse(good.as_bytes()).unwrap().to_string(), good);
}

/// Between read and swap another request moves the memory on.
struct Raced {
    inner: MemoryStore,
    winner: Option<Vec<u8>>,
}

impl TileStore for Raced {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.read(resource)
    }
    fn write(&mut self, files: &[(Resource, Vec<u8>)]) -> Result<(), StoreError> {
        self.inner.write(files)
    }
    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        if let Some(bytes) = self.winner.take() {
            self.inner.files.insert(Resource::Checkpoint, bytes);
        }
        self.inner.swap_checkpoint(expected, new)
    }
    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        self.inner.remove_partials(full)
    }
}

#[test]
fn two_requests_at_once_cannot_roll_the_witness_back() {
    let mut ahead = seen_five();
    assert_eq!(post(&mut ahead, &request(&log(9), 5)).0, 200);
    let winner = ahead.files[&Resource::Checkpoint].clone();
    let mut raced = Raced { inner: seen_five(), winner: Some(winner.clone()) };
    let slow = request(&log(7), 5);
    let answer = witness().add_checkpoint(&mut raced, slow.to_string().as_bytes(), NOW);
    assert_eq!((answer.status, answer.body.as_str()), (409, "9\n"));
    assert_eq!(answer.content_type, "text/x.tlog.size");
    assert_eq!(raced.inner.files[&Resource::Checkpoint], winner);
}

#[test]
fn a_damaged_memory_signs_nothing() {
    let mut memory = seen_five();
    memory.files.insert(Resource::Checkpoint, b"rubbish".to_vec());
    assert_eq!(post(&mut memory, &request(&log(9), 5)).0, 500);
}

proptest! {
    #[test]
    fn a_witness_never_cosigns_a_fork(size in 1_u64..60, fork in 0_u64..60, grow in 0_u64..60) {
        let fork = fork % size;
        let mut forged = Log::create(MemoryStore::default(), key()).unwrap();
        for n in 0..size + grow {
            forged.append_batch(&[if n == fork { u64::MAX } else { n }.to_be_bytes()]).unwrap();
        }
        let mut memory = MemoryStore::default();
        prop_assert_eq!(post(&mut memory, &request(&log(size), 0)).0, 200);
        let before = memory.clone();
        prop_assert_eq!(post(&mut memory, &request(&forged, size)).0, 422);
        prop_assert_eq!(memory.files, before.files);
    }
}
