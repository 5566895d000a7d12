//! Having a node's log cosigned: the newest checkpoint goes to every witness of the directory, and what they sign is kept.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use transparency::{SignedCheckpoint, VerifierKey};

use crate::api::{NodeName, WitnessCard};
use crate::client::{Client, status};
use crate::config::{Node, replace};
use crate::federation::{Directory, Message};
use crate::ledger::Ledger;

/// What was cosigned of one log.
#[derive(Debug)]
pub(crate) struct Cosigned {
    /// The file `cosigned` of the node's folder.
    path: PathBuf,
    client: Client,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Size that each witness cosigned last, as far as this node knows.
    sizes: HashMap<NodeName, u64>,
    newest: Option<SignedCheckpoint>,
}

impl Cosigned {
    pub(crate) fn new(node: &Node) -> Self {
        let path = node.folder.join("cosigned");
        let newest = std::fs::read(&path).ok().and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        let state = Mutex::new(State { sizes: HashMap::new(), newest });
        Self { path, client: node.client(Duration::from_secs(5)), state }
    }

    /// The newest checkpoint that a quorum cosigned.
    pub(crate) async fn newest(&self) -> Option<SignedCheckpoint> {
        self.state.lock().await.newest.clone()
    }

    /// Asks every witness to cosign the newest checkpoint, unless it was cosigned already. Returns how many of the
    /// directory's witnesses did, and whether that is a quorum.
    pub(crate) async fn renew(
        &self,
        ledger: &Ledger,
        log: &VerifierKey,
        directory: &Directory,
        now: Timestamp,
    ) -> (usize, bool) {
        let mut state = self.state.lock().await;
        let mut signed = ledger.checkpoint().borrow().clone();
        let witnesses = &directory.content().witnesses;
        let same = |held: &SignedCheckpoint| held.checkpoint == signed.checkpoint;
        let policy = directory.policy(&log.to_string());
        if state.newest.as_ref().is_some_and(same) || signed.checkpoint.size == 0 {
            return (witnesses.len(), true);
        }
        let mut count = 0;
        for witness in witnesses {
            let known = state.sizes.get(&witness.name).copied().unwrap_or_default();
            match self.ask(ledger, &signed, witness, known).await {
                Ok(lines) => {
                    let keys: Vec<VerifierKey> = witness.key.parse().into_iter().collect();
                    count += signed.add_cosignatures(&lines, &keys).unwrap_or_default();
                    state.sizes.insert(witness.name.clone(), signed.checkpoint.size);
                }
                Err(reason) => tracing::warn!(witness = %witness.name, reason, "no cosignature"),
            }
        }
        let quorum = policy.is_ok_and(|policy| policy.check(&signed).is_ok());
        if quorum {
            let _ = replace(&self.path, signed.to_string().as_bytes());
            state.newest = Some(signed);
        } else {
            tracing::error!(count, at = %now, "too few witnesses cosigned the log");
        }
        (count, quorum)
    }

    /// The signature lines of one witness; a size that it corrects (409) is tried once more.
    async fn ask(
        &self,
        ledger: &Ledger,
        signed: &SignedCheckpoint,
        witness: &WitnessCard,
        known: u64,
    ) -> Result<String, String> {
        let target = format!("{}/add-checkpoint", witness.url);
        let mut old = known;
        for _ in 0..2 {
            let body = ledger.add_checkpoint(signed, old).map_err(|error| error.to_string())?.to_string();
            let message = Message::request("POST", &target).with("content-type", "text/plain");
            let answer = self.client.send(&message, body.into_bytes()).await;
            let (answer, content) = answer.map_err(|error| error.to_string())?;
            let words = String::from_utf8_lossy(&content).into_owned();
            match (status(&answer), words.trim().parse()) {
                (200, _) => return Ok(words),
                (409, Ok(size)) if size <= signed.checkpoint.size => old = size,
                (status, _) => return Err(format!("status {status}: {}", words.trim())),
            }
        }
        Err("the witness named two different sizes".to_owned())
    }
}
