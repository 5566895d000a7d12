//! The auditor: is the log whole, and does it extend what was seen before?

use std::fmt;

use crate::{
    ConsistencyProof, Hash, LogError, NoteError, Resource, SignedCheckpoint, TileStore, Tree, VerifierKey,
    edge::Edge, tile::FULL, tree::split_bundle,
};

/// Most findings that are listed; one altered entry makes a handful.
const MAX_FINDINGS: usize = 1000;

/// One thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// There is no checkpoint, or none that can be read or that the log signed.
    Checkpoint(String),
    /// A file the checkpoint requires is missing or cut short: the log was truncated.
    Missing(String),
    /// A file has an impossible length or content.
    Damaged {
        /// Path within the log.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A tile is not what the entries below it give: one of them was altered.
    Altered(String),
    /// The entries do not give the signed root.
    WrongRoot {
        /// Root of the entries.
        found: Hash,
        /// Root in the checkpoint.
        signed: Hash,
    },
    /// The log is shorter than a checkpoint it signed before.
    RolledBack {
        /// Size in the remembered checkpoint.
        remembered: u64,
        /// Size now.
        found: u64,
    },
    /// The log does not extend a checkpoint it signed before. The two signed checkpoints together prove it.
    Forked {
        /// Size in the remembered checkpoint.
        size: u64,
    },
    /// A file that no log has.
    Stranger(String),
    /// A checkpoint given as remembered is not signed by this log, so it says nothing about it.
    Foreign(String),
}

/// What [`fsck`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The checkpoint that was checked, if one could be read.
    pub checkpoint: Option<SignedCheckpoint>,
    /// Entries whose bytes were read and hashed.
    pub entries: u64,
    /// Everything that is wrong, at most 1,000; empty for a whole log.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(reason) => write!(f, "checkpoint: {reason}"),
            Self::Missing(path) => write!(f, "truncated: `{path}` is missing"),
            Self::Damaged { path, reason } => write!(f, "damaged: `{path}`: {reason}"),
            Self::Altered(path) => write!(f, "altered: `{path}` does not fit the entries"),
            Self::WrongRoot { found, signed } => {
                write!(f, "altered: the entries give root {found}, signed is {signed}")
            }
            Self::RolledBack { remembered, found } => {
                write!(f, "rolled back: {found} entries, but {remembered} were signed before")
            }
            Self::Forked { size } => write!(f, "forked: does not extend the {size} entries signed before"),
            Self::Stranger(path) => write!(f, "stranger: `{path}` is no file of a log"),
            Self::Foreign(reason) => write!(f, "remembered checkpoint: {reason}"),
        }
    }
}

/// Reads the whole log and checks all of it: the signature, every entry against its leaf, every tile against the
/// level below, the root, and that the log extends every checkpoint in `remembered`. Of a store that can list its files also partial ones
/// that older checkpoints name: whoever follows one of those reads them.
///
/// A log that was rolled back or replaced as a whole is whole in itself; only a remembered checkpoint, one's own or
/// a witness's, shows it.
///
/// ```
/// use transparency::{Log, MemoryStore, SigningKey, fsck};
/// let key = SigningKey::log("example.com/log", &[7; 32]).unwrap();
/// let public = key.verifier().clone();
/// let mut log = Log::create(MemoryStore::default(), key).unwrap();
/// log.append_batch(&["one", "two"]).unwrap();
/// let report = fsck(log.store(), &public, &[]).unwrap();
/// assert_eq!((report.entries, report.findings.len()), (2, 0));
/// ```
///
/// # Errors
/// Only when the store itself fails; everything wrong with the log is in the report.
pub fn fsck<S: TileStore>(
    store: &S,
    log: &VerifierKey,
    remembered: &[SignedCheckpoint],
) -> Result<Report, LogError> {
    let signed = match read_checkpoint(store, log)? {
        Ok(signed) => signed,
        Err(finding) => return Ok(Report { checkpoint: None, entries: 0, findings: vec![finding] }),
    };
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    let mut check = Check { tree: Tree::new(store, size), edge: Edge::default(), findings: Vec::new() };
    let entries = check.replay(size)?;
    check.older_files()?;
    let found = check.edge.root();
    let mut findings = check.findings;
    if check.edge.size == size && found != root {
        findings.push(Finding::WrongRoot { found, signed: root });
    }
    for old in remembered {
        findings.extend(compare(store, log, old, &signed)?);
    }
    findings.truncate(MAX_FINDINGS);
    Ok(Report { checkpoint: Some(signed), entries, findings })
}

/// The quick look of a monitor: the newest checkpoint is signed by the log and extends the remembered one.
///
/// Returns the newest checkpoint, which the caller keeps for the next look, or what is wrong.
///
/// # Errors
/// Only when the store itself fails.
pub fn watch<S: TileStore>(
    store: &S,
    log: &VerifierKey,
    remembered: Option<&SignedCheckpoint>,
) -> Result<Result<SignedCheckpoint, Finding>, LogError> {
    let new = match read_checkpoint(store, log)? {
        Ok(new) => new,
        Err(finding) => return Ok(Err(finding)),
    };
    let finding = match remembered {
        Some(old) => compare(store, log, old, &new)?,
        None => None,
    };
    Ok(finding.map_or(Ok(new), Err))
}

fn read_checkpoint<S: TileStore>(
    store: &S,
    log: &VerifierKey,
) -> Result<Result<SignedCheckpoint, Finding>, LogError> {
    let Some(bytes) = store.read(&Resource::Checkpoint)? else {
        return Ok(Err(Finding::Checkpoint("there is none".to_owned())));
    };
    let signed = SignedCheckpoint::parse(&bytes).and_then(|signed| signed.verify(log).map(|()| signed));
    Ok(signed.map_err(|error: NoteError| Finding::Checkpoint(error.to_string())))
}

/// Whether `new` extends `old`, by a proof made out of the log's tiles.
fn compare<S: TileStore>(
    store: &S,
    log: &VerifierKey,
    old: &SignedCheckpoint,
    new: &SignedCheckpoint,
) -> Result<Option<Finding>, LogError> {
    if let Err(error) = old.verify(log) {
        return Ok(Some(Finding::Foreign(error.to_string())));
    }
    let (old, new) = (&old.checkpoint, &new.checkpoint);
    if old.size > new.size {
        return Ok(Some(Finding::RolledBack { remembered: old.size, found: new.size }));
    }
    if old.size == 0 {
        return Ok(None);
    }
    let proof = if old.size == new.size {
        Ok(ConsistencyProof { old_size: old.size, new_size: new.size, hashes: Vec::new() })
    } else {
        Tree::new(store, new.size).consistency_proof(old.size)
    };
    match proof {
        Ok(proof) if proof.verify(&old.root, &new.root).is_ok() => Ok(None),
        Ok(_) => Ok(Some(Finding::Forked { size: old.size })),
        Err(error) => finding_of(error).map(Some),
    }
}

struct Check<'a, S> {
    tree: Tree<'a, S>,
    edge: Edge,
    findings: Vec<Finding>,
}

impl<S: TileStore> Check<'_, S> {
    /// Builds the tree again out of the entries, comparing each tile with what is stored. Returns the number of
    /// entries that could be read.
    fn replay(&mut self, size: u64) -> Result<u64, LogError> {
        let mut read = 0;
        for index in 0..size.div_ceil(u64::from(FULL)) {
            if self.findings.len() >= MAX_FINDINGS {
                break;
            }
            let mut tiles = Vec::new();
            match self.tree.bundle(index) {
                Ok(entries) => {
                    read += entries.len() as u64;
                    self.push(entries.iter().map(|entry| Hash::leaf(entry)), &mut tiles);
                }
                Err(error) => {
                    self.findings.push(finding_of(error)?);
                    // The leaf hashes may still be there, so that the rest of the tree can be checked.
                    let Ok(leaves) = self.tree.tile(0, index) else { return Ok(read) };
                    self.push(leaves.into_iter(), &mut tiles);
                }
            }
            self.compare_tiles(&tiles)?;
        }
        let mut partial = Vec::new();
        self.edge.partials(0, &mut partial);
        self.compare_tiles(&partial)?;
        Ok(read)
    }

    /// Partial files are the beginning of what the tree holds at their place. Those that reach behind it are newer than the checkpoint, or
    /// of an append that nobody was told of.
    fn older_files(&mut self) -> Result<(), LogError> {
        let listing = self.tree.store().listing()?;
        self.findings.extend(listing.strangers.into_iter().map(Finding::Stranger));
        let mut whole: Option<(Resource, Vec<Vec<u8>>)> = None;
        for name in listing.partials {
            if self.findings.len() >= MAX_FINDINGS {
                break;
            }
            let (width, full) = match name {
                Resource::Checkpoint => continue,
                Resource::Tile { level, index, width } => {
                    (width, Resource::Tile { level, index, width: self.tree.width(level, index) })
                }
                Resource::Entries { index, width } => {
                    (width, Resource::Entries { index, width: self.tree.width(0, index) })
                }
            };
            if width > full.width() {
                continue;
            }
            if whole.as_ref().is_none_or(|(of, _)| *of != full) {
                // What is wrong with the whole was told already.
                let Ok(items) = self.items(&full) else { continue };
                whole = Some((full, items));
            }
            let Some(bytes) = self.tree.store().read(&name)? else { continue };
            let items = whole.as_ref().map_or(&[][..], |(_, items)| &items[..usize::from(width)]);
            if !is_made_of(&bytes, &name, items) {
                self.findings.push(Finding::Altered(name.to_string()));
            }
        }
        Ok(())
    }

    /// The hashes of a tile, or the entries of a bundle, as far as the tree reaches.
    fn items(&self, of: &Resource) -> Result<Vec<Vec<u8>>, LogError> {
        match *of {
            Resource::Checkpoint => Ok(Vec::new()),
            Resource::Tile { level, index, .. } => {
                let hashes = self.tree.tile(level, index)?;
                Ok(hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect())
            }
            Resource::Entries { index, .. } => self.tree.bundle(index),
        }
    }

    fn push(&mut self, leaves: impl Iterator<Item = Hash>, tiles: &mut Vec<(Resource, Vec<u8>)>) {
        for leaf in leaves {
            self.edge.push_leaf(leaf, tiles);
        }
    }

    fn compare_tiles(&mut self, tiles: &[(Resource, Vec<u8>)]) -> Result<(), LogError> {
        for (name, bytes) in tiles {
            let Resource::Tile { level, index, .. } = *name else { continue };
            let found = match self.tree.tile(level, index) {
                Ok(hashes) => hashes,
                Err(error) => {
                    self.findings.push(finding_of(error)?);
                    continue;
                }
            };
            if !found.iter().flat_map(Hash::as_bytes).eq(bytes) {
                self.findings.push(Finding::Altered(name.to_string()));
            }
        }
        Ok(())
    }
}

/// Whether a file holds just these items.
fn is_made_of(bytes: &[u8], name: &Resource, items: &[Vec<u8>]) -> bool {
    match name {
        Resource::Entries { .. } => split_bundle(bytes).is_ok_and(|found| found == items),
        _ => bytes == items.concat(),
    }
}

/// Turns what is wrong with the log into a finding, and passes on what is wrong with the store.
fn finding_of(error: LogError) -> Result<Finding, LogError> {
    match error {
        LogError::Missing(path) => Ok(Finding::Missing(path)),
        LogError::Corrupt { path, reason } => Ok(Finding::Damaged { path, reason }),
        other => Err(other),
    }
}
