//! Reading a tiled tree: hashes, entries and proofs out of its files.

use std::collections::HashMap;

use crate::{
    ConsistencyProof, Hash, InclusionProof, LogError, ProofError, Resource, TileStore,
    merkle::{consistency_hashes, inclusion_hashes, split},
    tile::FULL,
};

/// A tree of a given size in a store; reads only the files it needs.
///
/// It trusts the files: compare [`Tree::root`] with a verified checkpoint before use, or verify the proofs.
///
/// ```
/// use transparency::{Hash, Log, MemoryStore, SigningKey, Tree};
/// let key = SigningKey::log("example.com/log", &[7; 32]).unwrap();
/// let mut log = Log::create(MemoryStore::default(), key).unwrap();
/// log.append_batch(&["one", "two", "three"]).unwrap();
/// let tree = Tree::new(log.store(), 3);
/// let proof = tree.inclusion_proof(1).unwrap();
/// proof.verify(&Hash::leaf(b"two"), &tree.root().unwrap()).unwrap();
/// ```
#[derive(Debug)]
pub struct Tree<'a, S> {
    store: &'a S,
    size: u64,
}

impl<'a, S: TileStore> Tree<'a, S> {
    /// The tree of the first `size` entries in `store`.
    pub fn new(store: &'a S, size: u64) -> Self {
        Self { store, size }
    }

    /// Where its files are.
    pub(crate) fn store(&self) -> &'a S {
        self.store
    }

    /// Root of the tree, out of its tiles.
    ///
    /// # Errors
    /// When a tile is missing or has a wrong length.
    pub fn root(&self) -> Result<Hash, LogError> {
        if self.size == 0 { Ok(Hash::empty_tree()) } else { self.range(0, self.size) }
    }

    /// Proof that entry `index` stands in this tree.
    ///
    /// # Errors
    /// When the index lies outside, or a tile is missing.
    pub fn inclusion_proof(&self, index: u64) -> Result<InclusionProof, LogError> {
        if index >= self.size {
            return Err(ProofError::OutOfRange { what: "entry", value: index, size: self.size }.into());
        }
        let hashes = inclusion_hashes(index, self.size, |from, to| self.range(from, to))?;
        Ok(InclusionProof { index, size: self.size, hashes })
    }

    /// Proofs of several entries: what they have in common is worked out once.
    ///
    /// # Errors
    /// As [`Tree::inclusion_proof`], for the first that cannot be proved.
    pub fn inclusion_proofs(&self, entries: &[u64]) -> Result<Vec<InclusionProof>, LogError> {
        let mut known = HashMap::new();
        let mut range = |from, to| {
            if let Some(hash) = known.get(&(from, to)) {
                return Ok(*hash);
            }
            let hash = self.range(from, to)?;
            known.insert((from, to), hash);
            Ok::<_, LogError>(hash)
        };
        let mut proofs = Vec::with_capacity(entries.len());
        for index in entries.iter().copied() {
            if index >= self.size {
                return Err(ProofError::OutOfRange { what: "entry", value: index, size: self.size }.into());
            }
            let hashes = inclusion_hashes(index, self.size, &mut range)?;
            proofs.push(InclusionProof { index, size: self.size, hashes });
        }
        Ok(proofs)
    }

    /// Proof that this tree extends the tree of its first `old_size` entries.
    ///
    /// # Errors
    /// When the old tree is larger, or a tile is missing.
    pub fn consistency_proof(&self, old_size: u64) -> Result<ConsistencyProof, LogError> {
        if old_size > self.size {
            return Err(ProofError::OutOfRange { what: "old size", value: old_size, size: self.size }.into());
        }
        let hashes = consistency_hashes(old_size, self.size, |from, to| self.range(from, to))?;
        Ok(ConsistencyProof { old_size, new_size: self.size, hashes })
    }

    /// Leaf hash of entry `index`.
    ///
    /// # Errors
    /// When the index lies outside, or the tile is missing.
    pub fn leaf(&self, index: u64) -> Result<Hash, LogError> {
        if index >= self.size {
            return Err(ProofError::OutOfRange { what: "entry", value: index, size: self.size }.into());
        }
        self.range(index, index + 1)
    }

    /// The bytes of entry `index`.
    ///
    /// # Errors
    /// When the index lies outside, or the bundle is missing or malformed.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        if index >= self.size {
            return Err(ProofError::OutOfRange { what: "entry", value: index, size: self.size }.into());
        }
        let full = u64::from(FULL);
        let mut entries = self.bundle(index / full)?;
        Ok(entries.swap_remove((index % full) as usize))
    }

    /// The entries `256 * index ..`, as far as this tree reaches.
    ///
    /// # Errors
    /// When the bundle is missing or malformed.
    pub fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, LogError> {
        let width = self.width(0, index);
        let (name, bytes) = self.fetch(width, |width| Resource::Entries { index, width })?;
        let corrupt = |reason| LogError::Corrupt { path: name.to_string(), reason };
        let mut entries = split_bundle(&bytes).map_err(corrupt)?;
        if entries.len() != usize::from(name.width()) {
            return Err(corrupt("its number of entries does not fit its name"));
        }
        entries.truncate(usize::from(width));
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// Hashes of a tile, as many as belong to this tree.
    pub(crate) fn tile(&self, level: u8, index: u64) -> Result<Vec<Hash>, LogError> {
        let width = self.width(level, index);
        let (name, bytes) = self.fetch(width, |width| Resource::Tile { level, index, width })?;
        let (chunks, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || chunks.len() != usize::from(name.width()) {
            let reason = "its length does not fit its name";
            return Err(LogError::Corrupt { path: name.to_string(), reason });
        }
        Ok(chunks[..usize::from(width)].iter().map(|chunk| Hash::from_bytes(*chunk)).collect())
    }

    /// Items of the tile or bundle at that place in a tree of this size; 0 if it does not exist.
    pub(crate) fn width(&self, level: u8, index: u64) -> u16 {
        let hashes = self.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        hashes.saturating_sub(index.saturating_mul(u64::from(FULL))).min(u64::from(FULL)) as u16
    }

    /// Reads the partial file of this tree or, if it is gone, the full one that replaced it.
    fn fetch(&self, width: u16, name: impl Fn(u16) -> Resource) -> Result<(Resource, Vec<u8>), LogError> {
        let exact = name(width);
        if width == 0 {
            return Err(LogError::Missing(exact.to_string()));
        }
        if let Some(bytes) = self.store.read(&exact)? {
            return Ok((exact, bytes));
        }
        let full = name(FULL);
        let bytes = self.store.read(&full)?;
        bytes.map(|bytes| (full, bytes)).ok_or_else(|| LogError::Missing(exact.to_string()))
    }

    /// Tree hash of the entries `from..to`, a range as the proofs of RFC 9162 use them.
    fn range(&self, from: u64, to: u64) -> Result<Hash, LogError> {
        let count = to - from;
        if count.is_power_of_two() && from.is_multiple_of(count) {
            return self.subtree(count.trailing_zeros(), from / count);
        }
        let middle = from + split(count);
        Ok(Hash::node(&self.range(from, middle)?, &self.range(middle, to)?))
    }

    /// Root of the full subtree of `2^height` entries at place `index`.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, LogError> {
        let (level, inner) = ((height / 8) as u8, height % 8);
        let first = index << inner;
        let full = u64::from(FULL);
        let tile = self.tile(level, first / full)?;
        let start = (first % full) as usize;
        let part = tile.get(start..start + (1 << inner));
        part.map(root_of_full).ok_or_else(|| LogError::Missing(format!("hash {first} of level {level}")))
    }
}

/// Splits a bundle into its entries.
pub(crate) fn split_bundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut entries = Vec::with_capacity(usize::from(FULL));
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or("an entry is cut off")?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() { Ok(entries) } else { Err("an entry is cut off") }
}

/// Root over a power of two of hashes.
pub(crate) fn root_of_full(hashes: &[Hash]) -> Hash {
    if let [one] = hashes {
        return *one;
    }
    let (left, right) = hashes.split_at(hashes.len() / 2);
    Hash::node(&root_of_full(left), &root_of_full(right))
}
