#![doc = include_str!("../README.md")]

mod canonical;
mod checkpoint;
mod commitment;
mod edge;
mod folder;
mod hash;
mod log;
mod merkle;
mod note;
mod store;
mod tile;
mod tree;

pub use canonical::{CanonicalError, canonical_json};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use commitment::{Commitment, Salt};
pub use folder::FolderStore;
pub use hash::Hash;
pub use log::{Log, LogError};
pub use merkle::{ConsistencyProof, Frontier, InclusionProof, ProofError};
pub use note::{KeyKind, Note, NoteError, Signature, SigningKey, VerifierKey};
pub use store::{MemoryStore, StoreError, TileStore};
pub use tile::{Resource, ResourceError};
pub use tree::Tree;
