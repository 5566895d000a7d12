//! How fast the log takes entries, makes proofs and is audited.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark is no interface")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use transparency::{Commitment, FolderStore, Hash, Log, MemoryStore, Salt, SigningKey, TileStore, fsck};

fn key() -> SigningKey {
    SigningKey::log("bench.example/log", &[1; 32]).unwrap()
}

fn commitments(count: u64) -> Vec<Commitment> {
    (0..count).map(|n| Commitment::new(&Salt::from_bytes([n as u8; 32]), &n.to_be_bytes())).collect()
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10);
    for batch in [1, 64, 1024, 8192] {
        let entries = commitments(batch);
        group.throughput(Throughput::Elements(batch));
        group.bench_function(format!("memory, batches of {batch}"), |bench| {
            let mut log = Log::create(MemoryStore::default(), key()).unwrap();
            bench.iter(|| log.append_batch(&entries).unwrap());
        });
        group.bench_function(format!("folder with fsync, batches of {batch}"), |bench| {
            let folder = tempfile::tempdir().unwrap();
            let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
            bench.iter(|| log.append_batch(&entries).unwrap());
        });
    }
    group.finish();
}

fn check<S: TileStore>(log: &Log<S>, entries: &[Commitment]) {
    let index = entries.len() as u64 / 3;
    let proof = log.inclusion_proof(index).unwrap();
    let leaf = Hash::leaf(entries[index as usize].as_ref());
    proof.verify(&leaf, &log.checkpoint().checkpoint.root).unwrap();
}

fn read(criterion: &mut Criterion) {
    let entries = commitments(100_000);
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    log.append_batch(&entries).unwrap();
    let mut group = criterion.benchmark_group("read 100000 entries");
    group.sample_size(10);
    group.bench_function("inclusion proof made and verified", |bench| bench.iter(|| check(&log, &entries)));
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("fsck", |bench| {
        bench.iter_batched(
            || (),
            |()| assert!(fsck(log.store(), key().verifier(), &[]).unwrap().findings.is_empty()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, append, read);
criterion_main!(benches);
