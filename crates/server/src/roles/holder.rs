//! The newest directory that a node has seen, kept on disk and renewed while the node runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use transparency::VerifierKey;

use crate::client::Client;
use crate::config::{ConfigError, Node, replace};
use crate::federation::{Directory, DirectoryError};
use crate::problem::{Problem, ProblemKind};
use crate::tls::Tls;

/// Largest directory file that is read from the disk.
const LIMIT: u64 = 16 << 20;

/// The directory of a node. An expired one is as good as none.
#[derive(Debug)]
pub struct DirectoryHolder {
    source: Option<String>,
    key: VerifierKey,
    kept: PathBuf,
    client: Client,
    tls: Option<Arc<Tls>>,
    held: RwLock<Option<Arc<Directory>>>,
}

impl DirectoryHolder {
    /// Takes what the node's folder holds; nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the node names no directory key.
    pub fn new(node: &Node) -> Result<Self, ConfigError> {
        let kept = node.folder.join("directory");
        let key = node.directory_key()?;
        let held = held(&kept, &key)?;
        if let (Some(tls), Some(held)) = (&node.tls, &held) {
            tls.learn(held.content());
        }
        Ok(Self {
            tls: node.tls.clone(),
            source: node.config.directory.clone(),
            key,
            kept,
            client: node.client(Duration::from_secs(5)),
            held: RwLock::new(held.map(Arc::new)),
        })
    }

    /// The directory, if it holds at `now`.
    ///
    /// # Errors
    /// `no-directory`.
    pub fn current(&self, now: Timestamp) -> Result<Arc<Directory>, Problem> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        let held = held.ok_or_else(|| ProblemKind::NoDirectory.because("no directory has been seen yet"))?;
        held.check_time(now).map_err(|error| ProblemKind::NoDirectory.because(error))?;
        Ok(held)
    }

    /// The directory, expired or not; for those who must go on without one.
    pub fn newest(&self) -> Option<Arc<Directory>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory's key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When the directory expires; `None` before the first.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|held| held.content().expires_at)
    }

    /// Takes a directory file in place of the one held, if it is signed, not older and not expired.
    ///
    /// # Errors
    /// `no-directory` with the reason; the one held stays.
    pub fn take(&self, bytes: &[u8], now: Timestamp) -> Result<(), Problem> {
        let refused = |error: DirectoryError| ProblemKind::NoDirectory.because(error);
        let new = Directory::parse(bytes, &self.key).map_err(refused)?;
        new.check_time(now).map_err(refused)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref() {
            new.check_successor_of(held).map_err(refused)?;
        }
        if held.as_ref().is_some_and(|held| held.bytes() == bytes) {
            return Ok(());
        }
        // One that was taken and is forgotten could be rolled back after a restart.
        let stored = self.keep(&new).and_then(|()| replace(&self.kept, bytes));
        stored.map_err(|error| ProblemKind::NoDirectory.because(error))?;
        if let Some(tls) = &self.tls {
            tls.learn(new.content());
        }
        *held = Some(Arc::new(new));
        Ok(())
    }

    /// A version that was taken once, by the SHA-256 of its file: the one under which a question was asked.
    ///
    /// # Errors
    /// `no-directory` when it is not there any more.
    pub fn version(&self, sha256: &str) -> Result<Directory, Problem> {
        let missing = |reason: &dyn std::fmt::Display| {
            ProblemKind::NoDirectory.because(format!("the directory {sha256} is not here: {reason}"))
        };
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing(&"this is no hash"));
        }
        let bytes = std::fs::read(self.versions().join(sha256)).map_err(|error| missing(&error))?;
        Directory::parse(&bytes, &self.key).map_err(|error| missing(&error))
    }

    fn keep(&self, directory: &Directory) -> Result<(), ConfigError> {
        let folder = self.versions();
        std::fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder {
            what: "cannot make the folder",
            path: folder.clone(),
            source,
        })?;
        replace(&folder.join(directory.sha256()), directory.bytes())
    }

    fn versions(&self) -> PathBuf {
        self.kept.with_file_name("directories")
    }

    /// Fetches the directory from where `node.toml` says.
    ///
    /// # Errors
    /// `no-directory` with the reason; the one held stays.
    pub async fn renew(&self, now: Timestamp) -> Result<(), Problem> {
        let Some(source) = &self.source else { return Ok(()) };
        let missing = |reason: &dyn std::fmt::Display| {
            ProblemKind::NoDirectory.because(format!("cannot fetch the directory from {source}: {reason}"))
        };
        let bytes = if source.contains("://") {
            let (status, bytes) = self.client.get(source).await.map_err(|error| missing(&error))?;
            if status != 200 {
                return Err(missing(&format_args!("status {status}")));
            }
            bytes
        } else {
            let length = std::fs::metadata(source).map_err(|error| missing(&error))?.len();
            if length > LIMIT {
                return Err(missing(&"it is larger than 16 MiB"));
            }
            std::fs::read(source).map_err(|error| missing(&error))?
        };
        self.take(&bytes, now)
    }
}

/// The directory that was seen last. One that is there and cannot be used is not overlooked: an older one could take its place.
pub(super) fn held(path: &Path, key: &VerifierKey) -> Result<Option<Directory>, ConfigError> {
    match std::fs::read(path) {
        Ok(bytes) => Directory::parse(&bytes, key).map(Some).map_err(|error| ConfigError::Damaged {
            path: path.to_owned(),
            reason: format!("{error}\nhint: delete it if you trust the directory that is fetched next"),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Folder { what: "cannot read", path: path.to_owned(), source }),
    }
}
