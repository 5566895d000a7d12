//! The directory's keeper: a file of entries that people edit, and a signed version of it that everybody reads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::issuer::StartError;
use crate::api::{AgencyCard, DealerCard, IssuerCard, WitnessCard};
use crate::clock::Clock;
use crate::config::{Node, replace, validity};
use crate::federation::{Directory, DirectoryContent};
use crate::ledger::{Act, Ledger, LedgerError};
use crate::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// Days for which a signed version holds.
const DAYS: i64 = 7;

/// The directory's node.
pub struct DirectoryKeeper {
    /// Who it is.
    pub node: Node,
    /// Its log: every version is entered before it is published.
    pub ledger: Ledger,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    clock: Clock,
    /// The highest version that was ever entered before this start.
    last: u64,
    published: Mutex<Option<Directory>>,
}

/// An entry to be enrolled; in files a JSON object whose `role` says which.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Enrolment {
    /// An issuer.
    Issuer(Box<IssuerCard>),
    /// An agency.
    Agency(Box<AgencyCard>),
    /// A dealer.
    Dealer(Box<DealerCard>),
    /// A witness.
    Witness(WitnessCard),
}

impl DirectoryKeeper {
    /// Opens a directory's folder.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(data: &Path, clock: Clock) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let ledger = Ledger::open(&node.folder, &node.log)?;
        let key = node.statements.verifier();
        let held = super::holder::held(&node.folder.join("directory"), key)?;
        // A file that was lost does not begin the count anew: the log knows which versions there were.
        let mut last = held.as_ref().map_or(0, |held| held.content().version);
        Ledger::records(&node.folder, |stored| {
            last = last.max(stored.body["version"].as_u64().unwrap_or_default());
        })?;
        Ok(Self { node, ledger, metrics: Arc::default(), clock, last, published: Mutex::new(held) })
    }

    /// Puts an entry into the file of entries; it is published with the next version. An entry of the same name is
    /// replaced.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the file cannot be read or written.
    pub fn enrol(data: &Path, entry: Enrolment) -> Result<(), LedgerError> {
        let path = entries_path(&data.join("node"));
        let mut content = read_entries(&path)?;
        match entry {
            Enrolment::Issuer(card) => {
                content.issuers.retain(|old| old.node.name != card.node.name);
                content.issuers.push(*card);
            }
            Enrolment::Agency(card) => {
                content.agencies.retain(|old| old.node.name != card.node.name);
                content.agencies.push(*card);
            }
            Enrolment::Dealer(card) => {
                content.dealers.retain(|old| old.node.name != card.node.name);
                content.dealers.push(*card);
            }
            Enrolment::Witness(card) => {
                content.witnesses.retain(|old| old.name != card.name);
                content.witnesses.push(card);
            }
        }
        write_entries(&path, &content)
    }

    /// Sets how many witnesses must cosign.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the file cannot be read or written.
    pub fn set_quorum(data: &Path, quorum: usize) -> Result<(), LedgerError> {
        let path = entries_path(&data.join("node"));
        let mut content = read_entries(&path)?;
        content.quorum = quorum;
        write_entries(&path, &content)
    }

    /// Publishes a new version when the entries changed or half of the time of the last one is over. The version is in
    /// the log before it is published. Returns the version that stands.
    ///
    /// # Errors
    /// A [`Problem`] when entries or log are in the way; the old version stands.
    pub async fn publish(&self) -> Result<u64, Problem> {
        let now = self.clock.now();
        let fault = |error: &dyn std::fmt::Display| ProblemKind::Fault.because(error);
        let mut content = read_entries(&entries_path(&self.node.folder)).map_err(|error| fault(&error))?;
        if let Some(tls) = &self.node.tls {
            tls.learn(&content);
        }
        let held = self.held();
        if let Some(held) = &held {
            let half = held.issued_at.as_second().midpoint(held.expires_at.as_second());
            if same_entries(held, &content) && now.as_second() < half {
                return Ok(held.version);
            }
        }
        (content.issued_at, content.expires_at) = validity(now, DAYS);
        content.version = held.map_or(self.last, |held| held.version.max(self.last)) + 1;
        let bytes = content.sign(&self.node.statements).map_err(|error| fault(&error))?;
        // Whatever others would refuse is not published.
        let directory =
            Directory::parse(&bytes, self.node.statements.verifier()).map_err(|error| fault(&error))?;
        let body = json!({"version": content.version, "sha256": hex::encode(Sha256::digest(&bytes))});
        self.ledger
            .enter(&[Act::new("directory", body)], now)
            .await
            .map_err(|error| ProblemKind::NoLog.because(error))?;
        replace(&self.node.folder.join("directory"), &bytes).map_err(|error| fault(&error))?;
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
        Ok(content.version)
    }

    fn held(&self) -> Option<DirectoryContent> {
        let held = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|held| held.content().clone())
    }

    /// The signed directory, as everybody reads it.
    pub fn file(&self) -> Option<Vec<u8>> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.as_ref().map(|held| held.bytes().to_vec())
    }
}

fn same_entries(a: &DirectoryContent, b: &DirectoryContent) -> bool {
    let mut b = b.clone();
    (b.version, b.issued_at, b.expires_at) = (a.version, a.issued_at, a.expires_at);
    *a == b
}

fn entries_path(folder: &Path) -> PathBuf {
    folder.join("entries.json")
}

fn read_entries(path: &Path) -> Result<DirectoryContent, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| LedgerError::Failed(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let start = jiff::Timestamp::UNIX_EPOCH;
            Ok(DirectoryContent::new(0, start, start))
        }
        Err(error) => Err(LedgerError::Failed(format!("{}: {error}", path.display()))),
    }
}

fn write_entries(path: &Path, content: &DirectoryContent) -> Result<(), LedgerError> {
    let bytes = serde_json::to_vec_pretty(content).map_err(|error| LedgerError::Failed(error.to_string()))?;
    replace(path, &bytes).map_err(|error| LedgerError::Failed(error.to_string()))
}
