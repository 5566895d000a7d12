//! The right edge of a tiled tree: all that an append needs to know.

use crate::{Hash, LogError, Resource, TileStore, Tree, tile::FULL, tree::root_of_full};

/// Hashes of the partial tile of each level, and the bytes of the partial bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    pub(crate) size: u64,
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
}

impl Edge {
    /// Reads the edge of a tree of `size` entries, and checks the entries that the next append would copy.
    pub(crate) fn load<S: TileStore>(store: &S, size: u64) -> Result<Self, LogError> {
        let tree = Tree::new(store, size);
        let mut edge = Self { size, ..Self::default() };
        let mut hashes = size;
        while hashes > 0 {
            let (level, index) = (edge.levels.len() as u8, hashes / u64::from(FULL));
            let partial = !hashes.is_multiple_of(u64::from(FULL));
            edge.levels.push(if partial { tree.tile(level, index)? } else { Vec::new() });
            hashes = index;
        }
        if !size.is_multiple_of(u64::from(FULL)) {
            let (index, width) = (size / u64::from(FULL), (size % u64::from(FULL)) as u16);
            for (entry, leaf) in tree.bundle(index)?.iter().zip(&edge.levels[0]) {
                if Hash::leaf(entry) != *leaf {
                    let path = Resource::Entries { index, width }.to_string();
                    return Err(LogError::Corrupt { path, reason: "an entry does not fit its leaf hash" });
                }
                push_entry(&mut edge.bundle, entry);
            }
        }
        Ok(edge)
    }

    /// Root of the tree.
    pub(crate) fn root(&self) -> Hash {
        let mut root = None;
        for mut rest in self.levels.iter().map(Vec::as_slice) {
            while !rest.is_empty() {
                let (left, right) = rest.split_at(rest.len() - (1 << rest.len().trailing_zeros()));
                let part = root_of_full(right);
                root = Some(root.map_or(part, |root| Hash::node(&part, &root)));
                rest = left;
            }
        }
        root.unwrap_or_else(Hash::empty_tree)
    }

    /// Appends entries, each at most 65,535 bytes, and returns the files of the new tree that the old one lacks.
    pub(crate) fn extend<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Vec<(Resource, Vec<u8>)> {
        let (before, mut files) = (self.size, Vec::new());
        for entry in entries {
            push_entry(&mut self.bundle, entry);
            if self.size % u64::from(FULL) == u64::from(FULL) - 1 {
                let index = self.size / u64::from(FULL);
                files.push((Resource::Entries { index, width: FULL }, std::mem::take(&mut self.bundle)));
            }
            self.push_leaf(Hash::leaf(entry), &mut files);
        }
        if self.size > before {
            self.partials(before, &mut files);
        }
        files
    }

    /// Appends a leaf hash without its entry; full tiles go to `files`.
    pub(crate) fn push_leaf(&mut self, leaf: Hash, files: &mut Vec<(Resource, Vec<u8>)>) {
        self.push_hash(0, leaf, files);
        self.size += 1;
    }

    /// Puts a hash on a level; a tile that becomes full moves its root one level up.
    fn push_hash(&mut self, level: u8, hash: Hash, files: &mut Vec<(Resource, Vec<u8>)>) {
        let place = usize::from(level);
        if self.levels.len() == place {
            self.levels.push(Vec::new());
        }
        self.levels[place].push(hash);
        if self.levels[place].len() < usize::from(FULL) {
            return;
        }
        let full = std::mem::take(&mut self.levels[place]);
        let index = self.size >> (8 * (u32::from(level) + 1));
        files.push((Resource::Tile { level, index, width: FULL }, tile_bytes(&full)));
        self.push_hash(level + 1, root_of_full(&full), files);
    }

    /// The partial tiles and the partial bundle that changed since the tree had `before` entries.
    pub(crate) fn partials(&self, before: u64, files: &mut Vec<(Resource, Vec<u8>)>) {
        let full = u64::from(FULL);
        if !self.bundle.is_empty() {
            let width = (self.size % full) as u16;
            files.push((Resource::Entries { index: self.size / full, width }, self.bundle.clone()));
        }
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            let changed = before >> (8 * u32::from(level)) != self.size >> (8 * u32::from(level));
            if changed && !hashes.is_empty() {
                let index = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
                let name = Resource::Tile { level, index, width: hashes.len() as u16 };
                files.push((name, tile_bytes(hashes)));
            }
        }
    }
}

fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    bundle.extend((entry.len() as u16).to_be_bytes());
    bundle.extend(entry);
}

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
