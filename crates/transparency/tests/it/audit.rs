//! The auditor catches a log that was truncated, forked, altered or rolled back.

use std::slice;

use transparency::{
    Finding, FolderStore, Log, MemoryStore, Report, Resource, SignedCheckpoint, TileStore as _, fsck, watch,
};

use super::merkle::key;

const SIZE: u64 = 70_000;

fn entries(range: std::ops::Range<u64>) -> Vec<[u8; 8]> {
    range.map(u64::to_be_bytes).collect()
}

fn log(size: u64) -> Log<MemoryStore> {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    log.append_batch(&entries(0..size)).unwrap();
    log
}

fn check(store: &MemoryStore, remembered: &[SignedCheckpoint]) -> Report {
    fsck(store, key().verifier(), remembered).unwrap()
}

#[test]
fn a_whole_log_has_no_findings_and_the_files_of_the_specification() {
    let log = log(SIZE);
    let report = check(log.store(), slice::from_ref(log.checkpoint()));
    assert_eq!((report.entries, report.findings), (SIZE, vec![]));
    let names: Vec<_> = log.store().files.keys().map(ToString::to_string).collect();
    let count = |prefix: &str, partial| {
        names.iter().filter(|name| name.starts_with(prefix) && name.contains(".p/") == partial).count()
    };
    // The example of C2SP `tlog-tiles` for a tree of 70,000 entries.
    assert_eq!(["tile/0/", "tile/1/", "tile/2/"].map(|level| count(level, false)), [273, 1, 0]);
    for partial in ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"] {
        assert!(names.iter().any(|name| name == partial), "{partial}");
    }
}

#[test]
fn every_missing_file_is_caught() {
    let log = log(3_000);
    for name in log.store().files.keys() {
        let mut store = log.store().clone();
        store.files.remove(name);
        let findings = check(&store, &[]).findings;
        let caught = match name {
            Resource::Checkpoint => matches!(findings[0], Finding::Checkpoint(_)),
            _ => findings.contains(&Finding::Missing(name.to_string())),
        };
        assert!(caught, "{name}: {findings:?}");
    }
}

#[test]
fn a_truncated_tail_is_caught() {
    let log = log(600);
    let mut store = log.store().clone();
    store.files.retain(|name, _| {
        !matches!(name, Resource::Entries { index: 2, .. } | Resource::Tile { index: 2, .. })
    });
    assert!(check(&store, &[]).findings.iter().any(|finding| matches!(finding, Finding::Missing(_))));
    assert!(Log::open(store, key()).is_err());
    let mut store = log.store().clone();
    store.files.get_mut(&Resource::Entries { index: 2, width: 88 }).unwrap().truncate(500);
    assert!(matches!(check(&store, &[]).findings[0], Finding::Damaged { .. }));
}

#[test]
fn every_flipped_bit_is_caught() {
    let log = log(600);
    for (name, bytes) in &log.store().files {
        let step = if bytes.len() > 1000 { 97 } else { 1 };
        for place in (0..bytes.len()).step_by(step) {
            let mut store = log.store().clone();
            store.files.get_mut(name).unwrap()[place] ^= 1 << (place % 8);
            assert!(!check(&store, &[]).findings.is_empty(), "{name} byte {place}");
        }
    }
}

#[test]
fn a_writer_does_not_carry_damage_on() {
    let log = log(600);
    let mut store = log.store().clone();
    store.files.get_mut(&Resource::Entries { index: 2, width: 88 }).unwrap()[9] ^= 1;
    let error = Log::open(store, key()).unwrap_err().to_string();
    assert!(error.contains("tile/entries/002.p/88") && error.contains("leaf hash"), "{error}");
}

#[test]
fn bytes_appended_to_a_file_are_caught() {
    let log = log(600);
    for name in log.store().files.keys() {
        for extra in [&[0_u8; 32][..], &[0, 0], &[1]] {
            let mut store = log.store().clone();
            store.files.get_mut(name).unwrap().extend(extra);
            assert!(!check(&store, &[]).findings.is_empty(), "{name} and {} bytes", extra.len());
        }
    }
}

/// A court bundle or a monitor that follows an older checkpoint reads them, so they are part of the log.
#[test]
fn older_partial_files_that_were_altered_are_caught() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    for size in [100, 200, 270, 280, 290] {
        log.append_batch(&entries(log.size()..size)).unwrap();
    }
    // One of a tile that is full by now, as a writer leaves it that was killed.
    let left = folder.path().join("tile/0/000.p/100");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, &std::fs::read(folder.path().join("tile/0/000")).unwrap()[..3_200]).unwrap();
    let findings = || fsck(&FolderStore::read_only(folder.path()), key().verifier(), &[]).unwrap().findings;
    assert_eq!(findings(), []);
    for name in ["tile/0/000.p/100", "tile/0/001.p/14", "tile/0/001.p/24", "tile/entries/001.p/14"] {
        let path = folder.path().join(name);
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[5] ^= 1;
        for bad in [&flipped[..], &good[..good.len() - 1], b""] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(findings(), [Finding::Altered(name.to_owned())], "{name}, {} bytes", bad.len());
        }
        std::fs::write(&path, good).unwrap();
    }
    std::fs::write(folder.path().join("tile/0/copy of 000"), "x").unwrap();
    assert_eq!(findings(), [Finding::Stranger("tile/0/copy of 000".to_owned())]);
}

#[test]
fn a_rolled_back_log_is_caught_by_what_was_remembered() {
    let (old, new) = (log(300), log(600));
    assert_eq!(check(old.store(), &[]).findings, []);
    let expected = Finding::RolledBack { remembered: 600, found: 300 };
    assert_eq!(check(old.store(), slice::from_ref(new.checkpoint())).findings, slice::from_ref(&expected));
    assert_eq!(watch(old.store(), key().verifier(), Some(new.checkpoint())).unwrap(), Err(expected));
    let kept = watch(new.store(), key().verifier(), Some(old.checkpoint())).unwrap();
    assert_eq!(kept.as_ref(), Ok(new.checkpoint()));
}

#[test]
fn a_forked_log_is_caught_by_what_was_remembered() {
    let old = log(300);
    for fork in [0, 255, 256, 299] {
        for size in [300, 301, 600] {
            let mut forged = Log::create(MemoryStore::default(), key()).unwrap();
            let mut entries = entries(0..size);
            entries[fork] = [0xff; 8];
            forged.append_batch(&entries).unwrap();
            assert_eq!(check(forged.store(), &[]).findings, []);
            let expected = Finding::Forked { size: 300 };
            assert_eq!(
                check(forged.store(), slice::from_ref(old.checkpoint())).findings,
                slice::from_ref(&expected)
            );
            assert_eq!(
                watch(forged.store(), key().verifier(), Some(old.checkpoint())).unwrap(),
                Err(expected)
            );
        }
    }
}

#[test]
fn a_log_signed_by_another_key_is_caught() {
    let log = log(10);
    let other = transparency::SigningKey::log("example.com/test", &[9; 32]).unwrap();
    let report = fsck(log.store(), other.verifier(), &[]).unwrap();
    assert!(matches!(report.findings[..], [Finding::Checkpoint(_)]));
    let foreign = log.checkpoint().checkpoint.clone().sign(&other).unwrap();
    assert!(matches!(check(log.store(), &[foreign]).findings[..], [Finding::Foreign(_)]));
}

#[test]
fn the_public_tree_is_whole_and_a_copy_with_one_flipped_bit_is_not() {
    let Some(folder) = super::vectors::vectors("tessera") else { return };
    let public = FolderStore::read_only(&folder.join("log"));
    let key =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx".parse().unwrap();
    let report = fsck(&public, &key, &[]).unwrap();
    assert_eq!((report.entries, report.findings), (15, vec![]));
    let mut copy = MemoryStore::default();
    for name in ["checkpoint", "tile/0/000.p/15", "tile/entries/000.p/15"] {
        let name: Resource = name.parse().unwrap();
        copy.files.insert(name, public.read(&name).unwrap().unwrap());
    }
    assert_eq!(fsck(&copy, &key, &[]).unwrap().findings, []);
    copy.files.get_mut(&Resource::Entries { index: 0, width: 15 }).unwrap()[9] ^= 1;
    assert!(!fsck(&copy, &key, &[]).unwrap().findings.is_empty());
}
