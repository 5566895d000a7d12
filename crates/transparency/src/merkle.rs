//! Merkle tree hashes and proofs of RFC 6962 / RFC 9162, section 2.1.

use crate::Hash;

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The question itself makes no sense for a tree of that size.
    #[error(
        "{what} {value} lies outside a tree of {size} entries\nhint: ask for a checkpoint that covers it"
    )]
    OutOfRange {
        /// What lies outside: `entry` or `old size`.
        what: &'static str,
        /// The index or size asked for.
        value: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// The proof has more or fewer hashes than the two sizes require.
    #[error("proof has {found} hashes where {expected} belong")]
    WrongLength {
        /// Hashes in the proof.
        found: usize,
        /// Hashes required.
        expected: usize,
    },
    /// The hashes lead to another root than the signed one.
    #[error("proof leads to root {computed}, the checkpoint says {claimed}: one of them was altered")]
    WrongRoot {
        /// Root the proof leads to.
        computed: Hash,
        /// Root that was claimed.
        claimed: Hash,
    },
    /// A tree of size zero must have the empty root and an empty proof.
    #[error(
        "no proof exists from an empty tree to another one\nhint: everything is consistent with nothing; skip the check"
    )]
    EmptyTree,
}

/// Proof that one entry stands at one place of a tree (RFC 9162, section 2.1.3).
///
/// ```
/// use transparency::{Hash, InclusionProof};
/// let (a, b) = (Hash::leaf(b"a"), Hash::leaf(b"b"));
/// let proof = InclusionProof { index: 1, size: 2, hashes: vec![a] };
/// proof.verify(&b, &Hash::node(&a, &b)).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Zero-based place of the entry.
    pub index: u64,
    /// Entries in the tree.
    pub size: u64,
    /// Sibling hashes, from the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
}

impl InclusionProof {
    /// Checks that `leaf` stands at `index` of the tree with root `root`.
    ///
    /// # Errors
    /// [`ProofError`] says whether the index, the length or a hash is wrong.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        let computed = self.root(leaf)?;
        if computed == *root { Ok(()) } else { Err(ProofError::WrongRoot { computed, claimed: *root }) }
    }

    /// The root this proof leads to from `leaf`.
    ///
    /// # Errors
    /// When the index lies outside the tree or the number of hashes is wrong.
    pub fn root(&self, leaf: &Hash) -> Result<Hash, ProofError> {
        if self.index >= self.size {
            return Err(ProofError::OutOfRange { what: "entry", value: self.index, size: self.size });
        }
        let expected = inclusion_length(self.index, self.size);
        if self.hashes.len() != expected {
            return Err(ProofError::WrongLength { found: self.hashes.len(), expected });
        }
        let (mut node, mut last, mut hash) = (self.index, self.size - 1, *leaf);
        for sibling in &self.hashes {
            if node & 1 == 1 || node == last {
                hash = Hash::node(sibling, &hash);
                while node & 1 == 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = Hash::node(&hash, sibling);
            }
            node >>= 1;
            last >>= 1;
        }
        Ok(hash)
    }
}

/// Proof that a tree only grew: everything in the old tree still stands at its place in the new one
/// (RFC 9162, section 2.1.4).
///
/// ```
/// use transparency::{ConsistencyProof, Hash};
/// let (a, b) = (Hash::leaf(b"a"), Hash::leaf(b"b"));
/// let proof = ConsistencyProof { old_size: 1, new_size: 2, hashes: vec![b] };
/// proof.verify(&a, &Hash::node(&a, &b)).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Entries in the old tree.
    pub old_size: u64,
    /// Entries in the new tree.
    pub new_size: u64,
    /// Hashes in the order of RFC 9162.
    pub hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// Checks that the tree with `new_root` extends the tree with `old_root`.
    ///
    /// Equal sizes need equal roots and no hashes. From size zero nothing can be shown, so that is an
    /// error; the caller decides that an empty tree is consistent with any.
    ///
    /// # Errors
    /// [`ProofError`] says whether the sizes, the length or a hash is wrong.
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        if self.old_size > self.new_size {
            return Err(ProofError::OutOfRange {
                what: "old size",
                value: self.old_size,
                size: self.new_size,
            });
        }
        let Some((first, rest)) = self.start(old_root)? else {
            return same_root(*new_root, *old_root);
        };
        let (old, new) = self.climb(first, rest)?;
        same_root(old, *old_root)?;
        same_root(new, *new_root)
    }

    /// The hash to start from and those still to come; `None` for equal sizes.
    fn start<'a>(&'a self, old_root: &Hash) -> Result<Option<(Hash, &'a [Hash])>, ProofError> {
        if self.old_size == 0 {
            return Err(ProofError::EmptyTree);
        }
        if self.old_size == self.new_size {
            return if self.hashes.is_empty() {
                Ok(None)
            } else {
                Err(ProofError::WrongLength { found: self.hashes.len(), expected: 0 })
            };
        }
        if self.old_size.is_power_of_two() {
            return Ok(Some((*old_root, &self.hashes)));
        }
        match self.hashes.split_first() {
            Some((first, rest)) => Ok(Some((*first, rest))),
            None => Err(ProofError::WrongLength { found: 0, expected: self.length() }),
        }
    }

    fn climb(&self, first: Hash, rest: &[Hash]) -> Result<(Hash, Hash), ProofError> {
        let wrong = || ProofError::WrongLength { found: self.hashes.len(), expected: self.length() };
        let shift = (self.old_size - 1).trailing_ones();
        let (mut node, mut last) = (shr(self.old_size - 1, shift), shr(self.new_size - 1, shift));
        let (mut old, mut new) = (first, first);
        for hash in rest {
            if last == 0 {
                return Err(wrong());
            }
            if node & 1 == 1 || node == last {
                old = Hash::node(hash, &old);
                new = Hash::node(hash, &new);
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                new = Hash::node(&new, hash);
            }
            node >>= 1;
            last >>= 1;
        }
        if last == 0 { Ok((old, new)) } else { Err(wrong()) }
    }

    fn length(&self) -> usize {
        let mut count = 0;
        let Ok(()) = walk_consistency(self.old_size, self.new_size, |_, _| {
            count += 1;
            Ok::<_, std::convert::Infallible>(())
        });
        count
    }
}

/// Roots of the full subtrees along the right edge of a tree: enough to append and to know the root.
///
/// Holds one hash per set bit of the size, so at most 64 (a compact range starting at zero).
///
/// ```
/// use transparency::{Frontier, Hash};
/// let mut tree = Frontier::default();
/// assert_eq!(tree.root(), Hash::empty_tree());
/// tree.push(Hash::leaf(b"a"));
/// tree.push(Hash::leaf(b"b"));
/// assert_eq!(tree.root(), Hash::node(&Hash::leaf(b"a"), &Hash::leaf(b"b")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = Hash::node(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Root of the tree of everything pushed.
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.hashes.iter().rev().copied();
        let Some(last) = right_to_left.next() else { return Hash::empty_tree() };
        right_to_left.fold(last, |right, left| Hash::node(&left, &right))
    }
}

/// Builds the hashes of an inclusion proof; `range(a, b)` gives the tree hash of entries `a..b`.
pub(crate) fn inclusion_hashes<E>(
    index: u64,
    size: u64,
    mut range: impl FnMut(u64, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut from, mut to, mut hashes) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            hashes.push(range(middle, to)?);
            to = middle;
        } else {
            hashes.push(range(from, middle)?);
            from = middle;
        }
    }
    hashes.reverse();
    Ok(hashes)
}

/// Builds the hashes of a consistency proof; `range(a, b)` gives the tree hash of entries `a..b`.
pub(crate) fn consistency_hashes<E>(
    old_size: u64,
    new_size: u64,
    mut range: impl FnMut(u64, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut hashes = Vec::new();
    walk_consistency(old_size, new_size, |from, to| {
        hashes.push(range(from, to)?);
        Ok(())
    })?;
    hashes.reverse();
    Ok(hashes)
}

/// Largest power of two below `count`, which is at least 2 (RFC 9162, section 2.1.1).
pub(crate) fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Visits the ranges of a consistency proof from the root down.
fn walk_consistency<E>(
    old_size: u64,
    new_size: u64,
    mut visit: impl FnMut(u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    if old_size == 0 {
        return Ok(());
    }
    let (mut from, mut to) = (0, new_size);
    while old_size != to {
        let middle = from + split(to - from);
        if old_size <= middle {
            visit(middle, to)?;
            to = middle;
        } else {
            visit(from, middle)?;
            from = middle;
        }
    }
    if from == 0 { Ok(()) } else { visit(from, to) }
}

/// Hashes in the inclusion proof of `index` in a tree of `size` entries.
fn inclusion_length(index: u64, size: u64) -> usize {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    (inner + shr(index, inner).count_ones()) as usize
}

/// Shift that gives zero, not overflow, for 64 places.
fn shr(value: u64, places: u32) -> u64 {
    value.checked_shr(places).unwrap_or(0)
}

fn same_root(computed: Hash, claimed: Hash) -> Result<(), ProofError> {
    if computed == claimed { Ok(()) } else { Err(ProofError::WrongRoot { computed, claimed }) }
}
