#![doc = include_str!("../README.md")]

mod bundle;
mod canonical;
mod checkpoint;
mod commitment;
mod cosignature;
mod edge;
mod folder;
mod fsck;
mod hash;
mod journal;
mod keys;
mod log;
mod merkle;
mod note;
mod policy;
mod store;
mod tile;
mod tree;
mod witness;

pub use bundle::{Bundle, BundleError, EntryProof};
pub use canonical::{CanonicalError, canonical_json};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use commitment::{Commitment, Salt};
pub use folder::FolderStore;
pub use fsck::{Finding, Report, fsck, watch};
pub use hash::Hash;
pub use journal::Piece;
pub use keys::{KeyKind, SigningKey, VerifierKey};
pub use log::{Log, LogError};
pub use merkle::{ConsistencyProof, Frontier, InclusionProof, ProofError};
pub use note::{Note, NoteError, Signature};
pub use policy::{Approval, Policy, PolicyError};
pub use store::{MemoryStore, StoreError, TileStore};
pub use tile::{Resource, ResourceError};
pub use tree::Tree;
pub use witness::{AddCheckpoint, Refusal, Witness, WitnessAnswer};
