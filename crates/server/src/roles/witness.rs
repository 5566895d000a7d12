//! The witness's node: cosigns what only grows (C2SP `tlog-witness`).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use transparency::{AddCheckpoint, FolderStore, VerifierKey, Witness, WitnessAnswer};

use super::holder::DirectoryHolder;
use super::issuer::StartError;
use crate::clock::Clock;
use crate::config::Node;
use crate::ledger::LedgerError;
use crate::telemetry::Metrics;

/// A witness's node. It watches the logs of its directory, and of all issuers, their books and all agencies in it, also after
/// it has expired: a witness that falls silent helps only whoever wants to rewrite a log.
pub struct WitnessNode {
    /// Who it is.
    pub node: Node,
    /// The directory it takes the logs' keys from.
    pub directory: DirectoryHolder,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    clock: Clock,
    memories: Mutex<HashMap<String, FolderStore>>,
}

impl WitnessNode {
    /// Opens a witness's folder.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(data: &Path, clock: Clock) -> Result<Self, StartError> {
        let node = Node::open(data)?;
        let directory = DirectoryHolder::new(&node)?;
        Ok(Self { node, directory, metrics: Arc::default(), clock, memories: Mutex::default() })
    }

    /// Answers an `add-checkpoint` request with the status codes of the specification. Blocks for one flush of the disk.
    pub fn add_checkpoint(&self, body: &[u8]) -> WitnessAnswer {
        let answer = self.answer(body);
        // Others' bad requests say nothing of this witness.
        if matches!(answer.status, 200 | 500) {
            self.metrics.works("memory", answer.status == 200);
        }
        answer
    }

    fn answer(&self, body: &[u8]) -> WitnessAnswer {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(refusal) => return refusal.into(),
        };
        let origin = request.signed.checkpoint.origin;
        let logs = self.logs(&origin);
        if logs.is_empty() {
            return transparency::Refusal::UnknownLog(origin).into();
        }
        let keys = [&self.node.witness].into_iter().chain(&self.node.witness_ml_dsa).cloned().collect();
        let witness = Witness { keys, logs };
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match memory(&mut memories, &self.node.folder.join("memory"), &origin) {
            Ok(store) => store,
            Err(error) => {
                tracing::error!(%error, "the witness cannot keep its memory");
                self.metrics.works("memory", false);
                let (content_type, body) = ("text/plain; charset=utf-8", "memory not available\n".to_owned());
                return WitnessAnswer { status: 500, content_type, body };
            }
        };
        let time = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let answer = witness.add_checkpoint(store, body, time);
        // A witness that can keep nothing signs nothing.
        if matches!(answer.status, 200 | 500) {
            self.metrics.works("memory", answer.status == 200);
        }
        answer
    }

    /// The newest checkpoint cosigned of the log whose origin has this SHA-256, for monitors.
    pub fn monitored(&self, name: &str) -> Option<Vec<u8>> {
        let plain = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = self.node.folder.join("memory").join(name).join("checkpoint");
        if plain { std::fs::read(path).ok() } else { None }
    }

    /// The keys of the logs of that name. Only they are parsed: thousands of logs are watched, and anybody may ask.
    fn logs(&self, origin: &str) -> Vec<VerifierKey> {
        let Some(directory) = self.directory.newest() else { return Vec::new() };
        let content = directory.content();
        let issuers = content.issuers.iter().map(|card| &card.node);
        let nodes = issuers.chain(content.agencies.iter().map(|card| &card.node));
        let books = content.issuers.iter().filter_map(|card| card.books_log.as_ref());
        nodes
            .map(|node| &node.log)
            .chain(books)
            .chain(&content.log)
            .filter(|log| log.split('+').next() == Some(origin))
            .filter_map(|log| log.parse().ok())
            .collect()
    }
}

fn memory<'m>(
    memories: &'m mut HashMap<String, FolderStore>,
    folder: &Path,
    origin: &str,
) -> Result<&'m mut FolderStore, LedgerError> {
    if !memories.contains_key(origin) {
        let path = folder.join(Witness::memory_name(origin));
        let made = std::fs::create_dir_all(folder).map_err(|error| LedgerError::Failed(error.to_string()));
        made?;
        let store = FolderStore::create(&path).map_err(|error| LedgerError::Failed(error.to_string()))?;
        memories.insert(origin.to_owned(), store);
    }
    memories.get_mut(origin).ok_or(LedgerError::Closed)
}
