//! Public vectors: RFC 6962/9162 proofs and a real tlog-tiles tree.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use transparency::{ConsistencyProof, Hash, InclusionProof, Resource, SignedCheckpoint, Tree, VerifierKey};

/// The folder of public vectors, or a loud line on stderr.
pub(crate) fn vectors(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = env::var_os("MICROSTAMP_VECTORS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| workspace.join("../shared/vectors"));
    let folder = root.join(name).join("testdata");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("NOT RUN: {} is absent; set MICROSTAMP_VECTORS to the public vectors", folder.display());
    None
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// Runs `check` over every JSON file below `folder` and compares the outcome with `wantErr`.
fn walk(folder: &str, at_least: usize, check: impl Fn(&Value) -> Option<()>) {
    let Some(root) = vectors("merkle") else { return };
    let mut files = Vec::new();
    json_files(&root.join(folder), &mut files);
    assert!(files.len() >= at_least, "only {} vectors in {folder}", files.len());
    for file in files {
        let vector: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let want_error = vector["wantErr"].as_bool().unwrap_or(false);
        assert_eq!(check(&vector).is_none(), want_error, "{}: {}", file.display(), vector["desc"]);
    }
}

fn hash(value: &Value) -> Option<Hash> {
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).ok()?;
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// A root; some vectors write `don't care` in place of one, for which its own hash stands in.
fn root(value: &Value) -> Option<Hash> {
    let bytes = STANDARD.decode(value.as_str()?).ok()?;
    Some(hash(value).unwrap_or_else(|| Hash::leaf(&bytes)))
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or_else(|| Some(Vec::new()), |items| items.iter().map(hash).collect())
}

#[test]
fn inclusion_vectors() {
    walk("inclusion", 90, |v| {
        let proof = InclusionProof {
            index: v["leafIdx"].as_u64()?,
            size: v["treeSize"].as_u64()?,
            hashes: hashes(&v["proof"])?,
        };
        proof.verify(&hash(&v["leafHash"])?, &root(&v["root"])?).ok()
    });
}

#[test]
fn consistency_vectors() {
    walk("consistency", 90, |v| {
        let proof = ConsistencyProof {
            old_size: v["size1"].as_u64()?,
            new_size: v["size2"].as_u64()?,
            hashes: hashes(&v["proof"])?,
        };
        proof.verify(&root(&v["root1"])?, &root(&v["root2"])?).ok()
    });
}

#[test]
fn a_public_tiled_tree_reads_and_its_checkpoints_verify() {
    let Some(folder) = vectors("tessera") else { return };
    let folder = folder.join("log");
    let key: VerifierKey =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx".parse().unwrap();
    let store = transparency::FolderStore::read_only(&folder);
    let signed =
        |n: u64| SignedCheckpoint::parse(&fs::read(folder.join(format!("checkpoint.{n}"))).unwrap()).unwrap();
    for size in 0..=15 {
        let checkpoint = signed(size);
        checkpoint.verify(&key).unwrap();
        assert_eq!(checkpoint.checkpoint.size, size);
        let (tree, root) = (Tree::new(&store, size), checkpoint.checkpoint.root);
        assert_eq!(tree.root().unwrap(), root);
        for index in 0..size {
            let leaf = Hash::leaf(&tree.entry(index).unwrap());
            assert_eq!(tree.leaf(index).unwrap(), leaf);
            tree.inclusion_proof(index).unwrap().verify(&leaf, &root).unwrap();
        }
        for old in 1..=size {
            tree.consistency_proof(old).unwrap().verify(&signed(old).checkpoint.root, &root).unwrap();
        }
    }
}

#[test]
fn our_writer_makes_the_same_files_as_the_public_tree() {
    use transparency::{Log, MemoryStore, TileStore as _};
    let Some(folder) = vectors("tessera") else { return };
    let public = transparency::FolderStore::read_only(&folder.join("log"));
    let mut log = Log::create(MemoryStore::default(), super::merkle::key()).unwrap();
    for index in 0..15 {
        let entry = Tree::new(&public, 15).entry(index).unwrap();
        log.append_batch(&[entry]).unwrap();
    }
    for (name, bytes) in &log.store().files {
        if *name != Resource::Checkpoint {
            assert_eq!(public.read(name).unwrap().as_ref(), Some(bytes), "{name}");
        }
    }
}
