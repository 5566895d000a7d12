//! Proofs for every pair of sizes up to 300, against a tree computed straight from the definition.

use proptest::prelude::*;
use transparency::{ConsistencyProof, Frontier, Hash, Log, MemoryStore, SigningKey, Tree};

const SIZES: u64 = 300;

/// The definition of RFC 9162, section 2.1.1, with nothing clever in it.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => Hash::empty_tree(),
        1 => leaves[0],
        n => {
            let k = n.next_power_of_two() / 2;
            Hash::node(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::log("example.com/test", &[3; 32]).unwrap()
}

fn log_of(size: u64) -> (Log<MemoryStore>, Vec<Hash>) {
    let entries: Vec<_> = (0..size).map(|n| format!("entry {n}")).collect();
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    log.append_batch(&entries).unwrap();
    (log, leaves_of(size))
}

fn leaves_of(size: u64) -> Vec<Hash> {
    (0..size).map(|n| Hash::leaf(format!("entry {n}").as_bytes())).collect()
}

/// A log with a checkpoint, and so with the partial tiles, of every size.
fn log_grown_to(size: u64) -> (Log<MemoryStore>, Vec<Hash>) {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    for n in 0..size {
        log.append_batch(&[format!("entry {n}")]).unwrap();
    }
    (log, leaves_of(size))
}

#[test]
fn frontier_and_log_agree_with_the_definition_at_every_size() {
    let mut frontier = Frontier::default();
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    let mut leaves = Vec::new();
    for n in 0..2 * SIZES {
        assert_eq!(frontier.root(), naive_root(&leaves), "frontier of {n}");
        assert_eq!(log.checkpoint().checkpoint.root, naive_root(&leaves), "log of {n}");
        assert_eq!(Tree::new(log.store(), n).root().unwrap(), naive_root(&leaves), "tiles of {n}");
        let entry = n.to_be_bytes();
        frontier.push(Hash::leaf(&entry));
        leaves.push(Hash::leaf(&entry));
        assert_eq!(log.append_batch(&[entry]).unwrap(), n..n + 1);
    }
}

#[test]
fn every_inclusion_proof_up_to_300_holds_and_holds_nothing_else() {
    let (log, leaves) = log_grown_to(SIZES);
    for size in 1..=SIZES {
        let root = naive_root(&leaves[..size as usize]);
        let tree = Tree::new(log.store(), size);
        for index in 0..size {
            let proof = tree.inclusion_proof(index).unwrap();
            let leaf = leaves[index as usize];
            proof.verify(&leaf, &root).unwrap();
            assert!(proof.verify(&Hash::leaf(b"other"), &root).is_err());
            assert!(proof.verify(&leaf, &Hash::empty_tree()).is_err());
            let longer = transparency::InclusionProof {
                hashes: [proof.hashes.clone(), vec![root]].concat(),
                ..proof.clone()
            };
            assert!(longer.verify(&leaf, &root).is_err());
            if !proof.hashes.is_empty() {
                let mut shorter = proof;
                shorter.hashes.pop();
                assert!(shorter.verify(&leaf, &root).is_err());
            }
        }
    }
}

#[test]
fn every_consistency_proof_up_to_300_holds_and_holds_nothing_else() {
    let (log, leaves) = log_grown_to(SIZES);
    let roots: Vec<_> = (0..=SIZES).map(|size| naive_root(&leaves[..size as usize])).collect();
    for new in 1..=SIZES {
        let tree = Tree::new(log.store(), new);
        for old in 1..=new {
            let proof = tree.consistency_proof(old).unwrap();
            let (old_root, new_root) = (&roots[old as usize], &roots[new as usize]);
            proof.verify(old_root, new_root).unwrap();
            assert!(proof.verify(&roots[old as usize - 1], new_root).is_err());
            assert!(proof.verify(old_root, &roots[new as usize - 1]).is_err());
            let longer =
                ConsistencyProof { hashes: [proof.hashes.clone(), vec![*new_root]].concat(), ..proof };
            assert!(longer.verify(old_root, new_root).is_err());
        }
    }
}

proptest! {
    #[test]
    fn a_forked_tree_is_never_consistent(size in 2_u64..300, fork in 0_u64..300, grow in 0_u64..60) {
        let fork = fork % size;
        let entry = |n: u64| if n == fork { "forged".to_owned() } else { format!("entry {n}") };
        let (honest, _) = log_of(size);
        let mut forged = Log::create(MemoryStore::default(), key()).unwrap();
        forged.append_batch(&(0..size + grow).map(entry).collect::<Vec<_>>()).unwrap();
        let proof = forged.consistency_proof(size).unwrap();
        let (old, new) = (honest.checkpoint().checkpoint.root, forged.checkpoint().checkpoint.root);
        prop_assert!(proof.verify(&old, &new).is_err());
    }

    #[test]
    fn batches_of_any_cut_give_the_same_files(cuts in proptest::collection::vec(1_usize..400, 1..6)) {
        let total: usize = cuts.iter().sum();
        let entries: Vec<_> = (0..total).map(|n| format!("entry {n}")).collect();
        let mut log = Log::create(MemoryStore::default(), key()).unwrap();
        let mut rest = entries.as_slice();
        for cut in cuts {
            let (now, later) = rest.split_at(cut);
            log.append_batch(now).unwrap();
            rest = later;
        }
        let (whole, leaves) = log_of(total as u64);
        prop_assert_eq!(log.checkpoint(), whole.checkpoint());
        prop_assert_eq!(log.checkpoint().checkpoint.root, naive_root(&leaves));
        for (name, bytes) in &whole.store().files {
            prop_assert_eq!(log.store().files.get(name), Some(bytes), "{}", name);
        }
        let reopened = Log::open(log.store().clone(), key()).unwrap();
        prop_assert_eq!(reopened.size(), total as u64);
    }
}

#[test]
fn proofs_made_together_are_those_made_one_by_one() {
    for size in [1, 2, 255, 256, 257, 300] {
        let (log, leaves) = log_grown_to(size);
        let tree = Tree::new(log.store(), size);
        let all: Vec<u64> = (0..size).rev().collect();
        let together = tree.inclusion_proofs(&all).unwrap();
        for (index, proof) in all.iter().zip(together) {
            assert_eq!(proof, tree.inclusion_proof(*index).unwrap());
            proof.verify(&leaves[usize::try_from(*index).unwrap()], &naive_root(&leaves)).unwrap();
        }
        assert!(tree.inclusion_proofs(&[0, size]).is_err());
    }
}
