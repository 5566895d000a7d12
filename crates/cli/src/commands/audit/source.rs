//! Where a log is read: a folder, or a node's address.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use server::{Client, ClientError};
use tokio::runtime::Runtime;
use transparency::{
    Approval, FolderStore, Listing, Policy, Resource, SignedCheckpoint, StoreError, TileStore, VerifierKey,
    watch,
};

use super::broken;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// A node answers within so long, or is not there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most bytes that are fetched in one run. The log of ten million answers has half of it; a server that invents entries
/// without end is left there.
const MOST_BYTES: u64 = 4 << 30;

/// Largest tile, checkpoint with signatures, and bundle of entries, in bytes.
const LARGEST: [u64; 3] = [8_192, 1 << 20, 256 * (65_535 + 2)];

/// What names a log on the command line.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The folder of a log, or one that holds a log.
    Folder(PathBuf),
    /// Where a node serves it, without a slash at the end.
    Address(String),
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        Ok(if is_address {
            Self::Address(text.trim_end_matches('/').to_owned())
        } else {
            Self::Folder(PathBuf::from(text))
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Address(address) => f.write_str(address),
        }
    }
}

impl Place {
    /// The folder, where it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Address(_) => None,
        }
    }

    /// The log at this place; `pin` is the key of the server's certificate.
    pub(super) fn open(&self, pin: Option<&str>) -> Result<Source, Failure> {
        Ok(match self {
            Self::Folder(path) => Source::Folder(log_folder(path)),
            Self::Address(address) => Source::Node(Box::new(Remote::new(address, pin)?)),
        })
    }
}

/// A log that is read.
pub(super) enum Source {
    Folder(PathBuf),
    Node(Box<Remote>),
}

/// A log that a node serves. Only what fits the names and sizes of C2SP `tlog-tiles` is fetched.
pub(super) struct Remote {
    address: String,
    client: Client,
    runtime: Runtime,
    fetched: Cell<u64>,
}

/// A log as it stands, and what witnesses say of it.
pub(super) struct Seen {
    /// The newest checkpoint.
    pub(super) newest: SignedCheckpoint,
    /// The checkpoint that meets the policy: the newest, or the newest that witnesses cosigned.
    pub(super) approved: SignedCheckpoint,
    /// Who signed that.
    pub(super) approval: Approval,
}

impl Source {
    /// The newest checkpoint, unchecked; nothing when there is none.
    pub(super) fn newest(&self) -> Result<Option<SignedCheckpoint>, Failure> {
        let Some(bytes) = self.read(&Resource::Checkpoint).map_err(|error| broken(error.into()))? else {
            return Ok(None);
        };
        let signed = SignedCheckpoint::parse(&bytes);
        signed.map(Some).map_err(|error| Exit::Negative.because(format!("`{self}`: checkpoint: {error}")))
    }

    /// Checks that the log goes on from what witnesses cosigned of it last, and that its checkpoint, or that one, meets the
    /// policy. The reason in words if not.
    pub(super) fn approved(
        &self,
        policy: &Policy,
        key: &VerifierKey,
    ) -> Result<Result<Seen, String>, Failure> {
        // Before the newest: what is cosigned later may have more entries than a checkpoint that was read before.
        let cosigned = self.cosigned()?;
        let newest = match watch(self, key, cosigned.as_ref()).map_err(broken)? {
            Ok(newest) => newest,
            Err(finding) if cosigned.is_some() => {
                return Ok(Err(format!("what witnesses cosigned: {finding}")));
            }
            Err(finding) => return Ok(Err(finding.to_string())),
        };
        let seen = |approved: &SignedCheckpoint, approval| Seen {
            newest: newest.clone(),
            approved: approved.clone(),
            approval,
        };
        Ok(match (policy.check(&newest), &cosigned) {
            (Ok(approval), _) => Ok(seen(&newest, approval)),
            (Err(_), Some(cosigned)) => match policy.check(cosigned) {
                Ok(approval) => Ok(seen(cosigned, approval)),
                Err(error) => Err(error.to_string()),
            },
            (Err(error), None) => Err(error.to_string()),
        })
    }

    /// The newest checkpoint that a quorum cosigned: a node keeps it beside its log, and serves it with the log.
    pub(super) fn cosigned(&self) -> Result<Option<SignedCheckpoint>, Failure> {
        let (place, bytes) = match self {
            Self::Folder(log) => match beside(log) {
                Some(path) => (path.display().to_string(), Some(files::read(&path)?)),
                None => return Ok(None),
            },
            Self::Node(remote) => {
                let fetched = remote.fetch("cosigned", LARGEST[1]).map_err(|error| broken(error.into()))?;
                (format!("{}/cosigned", remote.address), fetched)
            }
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let signed = SignedCheckpoint::parse(&bytes);
        signed.map(Some).map_err(|error| Exit::Negative.because(format!("`{place}`: {error}")))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Node(remote) => f.write_str(&remote.address),
        }
    }
}

impl TileStore for Source {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Folder(path) => FolderStore::read_only(path).read(resource),
            Self::Node(remote) => remote.fetch(&resource.to_string(), largest(resource)),
        }
    }

    fn write(&mut self, _: &[(Resource, Vec<u8>)]) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn swap_checkpoint(&mut self, _: Option<&[u8]>, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn remove_partials(&mut self, _: &[Resource]) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn listing(&self) -> Result<Listing, StoreError> {
        match self {
            Self::Folder(path) => FolderStore::read_only(path).listing(),
            Self::Node(_) => Ok(Listing::default()),
        }
    }
}

impl Remote {
    fn new(address: &str, pin: Option<&str>) -> Result<Self, Failure> {
        let client = match (pin, address.starts_with("https://")) {
            (Some(_), false) => {
                return Err(Exit::BadInput.because("--pin is the key of a certificate, and http:// has none\nhint: ask under https://"));
            }
            (Some(pin), true) => Client::pinned(pin, PATIENCE),
            (None, false) => Client::new(PATIENCE),
            (None, true) => return Err(Exit::BadInput.because(
                "whose certificate is expected is not said\nhint: give --pin: `tls` in the node's card and in the directory",
            )),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.or_exit(Exit::Environment, "cannot start")?;
        Ok(Self { address: address.to_owned(), client, runtime, fetched: Cell::new(0) })
    }

    /// A file of the log; nothing where the node has none under this name.
    fn fetch(&self, path: &str, largest: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let url = format!("{}/{path}", self.address);
        let unreachable = |reason: String| StoreError::Unreachable { url: url.clone(), reason };
        let answer = self.runtime.block_on(self.client.get(&url));
        let (status, bytes) = answer.map_err(|error| match error {
            ClientError::Unreachable { reason, .. } => unreachable(reason),
            address @ ClientError::Address(_) => unreachable(address.to_string()),
        })?;
        let size = bytes.len() as u64;
        self.fetched.set(self.fetched.get() + size);
        match status {
            404 => Ok(None),
            200 if size > largest => Err(StoreError::Limit { path: url, size, limit: largest }),
            200 if self.fetched.get() > MOST_BYTES => Err(unreachable(format!(
                "more than {} GiB were fetched of this log\nhint: if it is that long, copy it and check the copy",
                MOST_BYTES >> 30
            ))),
            200 => Ok(Some(bytes)),
            status => Err(unreachable(format!("status {status}"))),
        }
    }
}

fn largest(resource: &Resource) -> u64 {
    match resource {
        Resource::Tile { .. } => LARGEST[0],
        Resource::Checkpoint => LARGEST[1],
        Resource::Entries { .. } => LARGEST[2],
    }
}

/// The folder of the log: a node's and an issuer's have it under `log`.
pub(super) fn log_folder(path: &Path) -> PathBuf {
    let inner = path.join("log");
    if !path.join("checkpoint").exists() && inner.join("checkpoint").exists() {
        inner
    } else {
        path.to_owned()
    }
}

/// Where the cosigned checkpoint lies: a node keeps it beside its log, an issuer's node beside its own that of the books; in a
/// copy of what a node serves it is in the folder itself.
fn beside(log: &Path) -> Option<PathBuf> {
    let log = std::fs::canonicalize(log).ok()?;
    let above = log.parent().unwrap_or(&log);
    let of_books = above.join("issuer.toml").exists().then(|| above.join("node/cosigned-books"));
    let of_node = (above.join("records").is_dir()).then(|| above.join("cosigned"));
    [Some(log.join("cosigned")), of_books, of_node].into_iter().flatten().find(|path| path.is_file())
}
