//! Having a node's log cosigned: the newest checkpoint goes to every witness of the directory, and what they sign is kept.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;
use transparency::{
    AddCheckpoint, Checkpoint, ConsistencyProof, FolderStore, Resource, SignedCheckpoint, TileStore as _,
    Tree, VerifierKey, Witness,
};

use crate::api::{NodeName, WitnessCard};
use crate::client::{Client, status};
use crate::config::{Node, replace};
use crate::federation::{Directory, Message};
use crate::ledger::{Ledger, Timed, keep};

/// A log that witnesses are asked to cosign.
pub(crate) enum Watched<'l> {
    /// A node's own.
    Node(&'l Ledger),
    /// That of an issuer's books, in this folder, which the books' own commands write; and where it is noted that an older
    /// copy was put back.
    Books(PathBuf, &'l AtomicU64),
}

impl Watched<'_> {
    /// The newest checkpoint; `None` when there is none that can be read.
    fn newest(&self) -> Option<SignedCheckpoint> {
        match self {
            Self::Node(ledger) => Some(ledger.checkpoint().borrow().clone()),
            Self::Books(folder, _) => {
                let bytes = FolderStore::read_only(folder).read(&Resource::Checkpoint).ok()??;
                SignedCheckpoint::parse(&bytes).ok()
            }
        }
    }

    fn add_checkpoint(&self, signed: &SignedCheckpoint, old: u64) -> Result<AddCheckpoint, String> {
        match self {
            Self::Node(ledger) => ledger.add_checkpoint(signed, old).map_err(|error| error.to_string()),
            Self::Books(folder, _) => {
                let store = FolderStore::read_only(folder);
                let tree = Tree::new(&store, signed.checkpoint.size);
                AddCheckpoint::new(&tree, signed, old).map_err(|error| error.to_string())
            }
        }
    }

    /// Whether `signed` extends what a witness shows; `None` when it cannot be read.
    fn extends(&self, shown: &Checkpoint, signed: &SignedCheckpoint) -> Option<bool> {
        let new = &signed.checkpoint;
        if shown.size == new.size {
            return Some(shown.root == new.root);
        }
        let hashes = self.add_checkpoint(signed, shown.size).ok()?.proof;
        let proof = ConsistencyProof { old_size: shown.size, new_size: new.size, hashes };
        Some(proof.verify(&shown.root, &new.root).is_ok())
    }

    /// A witness has shown that the log had more entries, or others.
    fn was_put_back(&self, entries: u64) {
        match self {
            Self::Node(ledger) => ledger.was_put_back(entries),
            Self::Books(folder, longer) => {
                if longer.swap(entries, Ordering::Relaxed) == 0 {
                    tracing::error!(
                        entries,
                        folder = %folder.display(),
                        "witnesses cosigned more entries than the books' log holds: an older copy was put back"
                    );
                }
            }
        }
    }
}

/// What was cosigned of one log.
#[derive(Debug)]
pub(crate) struct Cosigned {
    /// The file `cosigned` of the node's folder.
    path: PathBuf,
    /// The folder in which it is kept what was cosigned when months ended, of a node's own log.
    kept: Option<PathBuf>,
    client: Client,
    /// The newest checkpoint that a quorum cosigned, for whoever asks while witnesses are waited for.
    shown: RwLock<Option<SignedCheckpoint>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Size that each witness cosigned last, as far as this node knows.
    sizes: HashMap<NodeName, u64>,
    newest: Option<SignedCheckpoint>,
    /// By when a quorum under the directory of this version had cosigned that one, by the witnesses' clocks.
    at: Option<(u64, Option<u64>)>,
    /// Which witnesses cosigned the newest checkpoint of all.
    signers: Vec<NodeName>,
    /// Why those that did not did not, the last time.
    refused: HashMap<NodeName, String>,
    /// Whether a quorum has cosigned since this process began.
    heard: bool,
    /// Who was asked and has not answered yet.
    asked: JoinSet<Told>,
    waits_for: Vec<NodeName>,
}

/// What a witness is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To cosign a checkpoint.
    First,
    /// The same, with the proof from the size that it named.
    Again,
    /// To show what it cosigned, after it would not sign.
    Show,
}

/// What a witness answered.
#[derive(Debug)]
struct Told {
    witness: NodeName,
    step: Step,
    /// The checkpoint that it was sent.
    checkpoint: Checkpoint,
    /// Status and content.
    answer: Result<(u16, Vec<u8>), String>,
}

/// How long those that have not answered are waited for, once a quorum has.
const MOMENT: Duration = Duration::from_millis(250);

impl Cosigned {
    /// Of a node's own log.
    pub(crate) fn new(node: &Node) -> Self {
        Self { kept: Some(node.folder.clone()), ..Self::at(node, "cosigned") }
    }

    /// Of the log of an issuer's books.
    pub(crate) fn of_books(node: &Node) -> Self {
        Self::at(node, "cosigned-books")
    }

    fn at(node: &Node, file: &str) -> Self {
        let path = node.folder.join(file);
        let newest = std::fs::read(&path).ok().and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        let shown = RwLock::new(newest.clone());
        let state = Mutex::new(State { newest, ..State::default() });
        Self { path, kept: None, client: node.client(Duration::from_secs(5)), shown, state }
    }

    /// The newest checkpoint that a quorum cosigned.
    pub(crate) fn newest(&self) -> Option<SignedCheckpoint> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, newest: Option<SignedCheckpoint>) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    /// Asks every witness to cosign the newest checkpoint, unless it was cosigned already. Returns how many of the
    /// directory's witnesses did, and whether that is a quorum.
    pub(crate) async fn renew(
        &self,
        watched: &Watched<'_>,
        log: &VerifierKey,
        directory: &Directory,
        now: Timestamp,
    ) -> (usize, bool) {
        let mut state = self.state.lock().await;
        let Some(mut signed) = watched.newest() else { return (0, false) };
        // The directory does not name this log yet.
        if signed.checkpoint.origin != log.name() {
            return (0, false);
        }
        // What was cosigned of a log that ended says nothing of the one that goes on.
        if state.newest.as_ref().is_some_and(|held| held.checkpoint.origin != log.name()) {
            (state.newest, state.at) = (None, None);
            self.show(None);
        }
        // What was cosigned before is known here without any witness.
        // An empty log is asked about too: it may stand where one was taken away.
        let before = state.newest.as_ref().map_or(0, |held| held.checkpoint.size);
        if before > signed.checkpoint.size {
            watched.was_put_back(before);
            return (0, false);
        }
        match state.newest.as_ref().filter(|held| held.checkpoint == signed.checkpoint) {
            Some(held) => signed = held.clone(),
            None => state.signers.clear(),
        }
        if !state.heard {
            // Of an earlier run: the witnesses must say so again.
            state.signers.clear();
        }
        // Who signed, and stands there still, and has no key by now with which it did not sign.
        let witnesses = &directory.content().witnesses;
        let stands = |name: &NodeName| witnesses.iter().find(|one| one.name == *name);
        state.signers.retain(|name| stands(name).is_some_and(|one| is_signed(&signed, one)));
        let missing: Vec<_> = witnesses.iter().filter(|one| !state.signers.contains(&one.name)).collect();
        if missing.is_empty() {
            return (state.signers.len(), true);
        }
        self.ask_all(&mut state, (watched, log), &mut signed, directory, &missing).await;
        let count = state.signers.len();
        let policy = directory.policy(&log.to_string()).ok();
        let policy = policy.filter(|_| state.heard || count >= directory.content().quorum);
        let by =
            |signed: &SignedCheckpoint| Some(policy.as_ref()?.check(signed).ok()?.span.map(|(by, _)| by));
        let Some(at) = by(&signed) else {
            tracing::debug!(count, at = %now, "too few witnesses cosigned the log");
            return (count, false);
        };
        state.heard = true;
        let version = directory.content().version;
        let before = state.newest.as_ref().map(|before| match state.at {
            Some((known, at)) if known == version => (before, at),
            _ => (before, by(before).flatten()),
        });
        self.keep((before, (&signed, at)), directory);
        self.show(Some(signed.clone()));
        (state.newest, state.at) = (Some(signed), Some((version, at)));
        (count, true)
    }

    /// Asks all witnesses that are missing at once, and takes what they answer until all have, or a quorum has and the others had a
    /// moment more: one that hangs holds nobody up. What comes later is taken the next time.
    async fn ask_all(
        &self,
        state: &mut State,
        (watched, log): (&Watched<'_>, &VerifierKey),
        signed: &mut SignedCheckpoint,
        directory: &Directory,
        missing: &[&WitnessCard],
    ) {
        let mut asks = false;
        for witness in missing {
            if !state.waits_for.contains(&witness.name) {
                let known = state.sizes.get(&witness.name).copied().unwrap_or_default();
                self.ask(state, watched, signed, (witness, Step::First, known));
                asks = true;
            }
        }
        let needed = directory.content().quorum;
        let mut end = (state.signers.len() >= needed)
            .then(|| Instant::now() + if asks { MOMENT } else { Duration::ZERO });
        loop {
            let next = match end {
                Some(end) => tokio::time::timeout_at(end, state.asked.join_next()).await.unwrap_or_default(),
                None => state.asked.join_next().await,
            };
            match next {
                None => return,
                // A task that did not come to its end: all are asked anew.
                Some(Err(_)) => {
                    state.asked.abort_all();
                    state.waits_for.clear();
                }
                Some(Ok(told)) => {
                    state.waits_for.retain(|name| *name != told.witness);
                    let witness = directory.content().witnesses.iter().find(|one| one.name == told.witness);
                    if let Some(witness) = witness {
                        self.take(state, (watched, log), signed, (witness, told));
                    }
                }
            }
            if end.is_none() && state.signers.len() >= needed {
                end = Some(Instant::now() + MOMENT);
            }
        }
    }

    /// Sends a witness the checkpoint, or asks it for the one that it holds; the answer comes to [`Cosigned::take`].
    fn ask(
        &self,
        state: &mut State,
        watched: &Watched<'_>,
        signed: &SignedCheckpoint,
        (witness, step, old): (&WitnessCard, Step, u64),
    ) {
        let (message, body) = if step == Step::Show {
            let name = Witness::memory_name(&signed.checkpoint.origin);
            (Message::request("GET", &format!("{}/{name}/checkpoint", witness.url)), Vec::new())
        } else {
            let target = format!("{}/add-checkpoint", witness.url);
            let body = match watched.add_checkpoint(signed, old) {
                Ok(body) => body.to_string().into_bytes(),
                Err(reason) => return state.refused(&witness.name, reason),
            };
            (Message::request("POST", &target).with("content-type", "text/plain"), body)
        };
        let (client, name, checkpoint) =
            (self.client.clone(), witness.name.clone(), signed.checkpoint.clone());
        state.waits_for.push(name.clone());
        state.asked.spawn(async move {
            let answer = client.send(&message, body).await;
            let answer = answer.map(|(answer, content)| (status(&answer), content));
            Told { witness: name, step, checkpoint, answer: answer.map_err(|error| error.to_string()) }
        });
    }

    /// Takes what a witness answered; a size that it corrects (409) is tried once more.
    fn take(
        &self,
        state: &mut State,
        (watched, log): (&Watched<'_>, &VerifierKey),
        signed: &mut SignedCheckpoint,
        (witness, told): (&WitnessCard, Told),
    ) {
        let name = &witness.name;
        let (status, content) = match told.answer {
            Ok(answer) => answer,
            Err(reason) => return state.refused(name, reason),
        };
        let words = String::from_utf8_lossy(&content).into_owned();
        let same = told.checkpoint == signed.checkpoint;
        match (told.step, status, words.trim().parse::<u64>()) {
            (Step::Show, ..) => {
                let shown = SignedCheckpoint::parse(&content).ok().filter(|_| status == 200);
                let reason = disputed(watched, signed, shown.filter(|shown| shown.verify(log).is_ok()));
                state.refused(name, reason);
            }
            (_, 200, _) => {
                state.sizes.insert(name.clone(), told.checkpoint.size);
                let taken = if same { take_lines(signed, &words, witness).map(|()| true) } else { Ok(false) };
                match taken {
                    Ok(true) => state.signers.push(name.clone()),
                    Ok(false) => {}
                    Err(reason) => return state.refused(name, reason),
                }
                state.refused.remove(name);
            }
            (step, 409, Ok(size)) if size <= told.checkpoint.size => {
                state.sizes.insert(name.clone(), size);
                match step {
                    Step::First if same => self.ask(state, watched, signed, (witness, Step::Again, size)),
                    Step::First => {}
                    _ => state.refused(name, "the witness named two different sizes".to_owned()),
                }
            }
            (_, 409 | 422, _) => self.ask(state, watched, signed, (witness, Step::Show, 0)),
            (_, status, _) => state.refused(name, format!("status {status}: {}", words.trim())),
        }
    }

    /// Puts on disk what a quorum cosigned, and what shows later when it was.
    fn keep(&self, (before, now): (Option<Timed<'_>>, Timed<'_>), directory: &Directory) {
        let kept = self.kept.as_ref().map_or(Ok(()), |folder| keep(folder, (before, now), directory));
        let kept = kept.and_then(|()| replace(&self.path, now.0.to_string().as_bytes()));
        if let Err(error) = kept {
            tracing::error!(%error, "what witnesses cosigned is not kept");
        }
    }
}

impl State {
    /// Notes why a witness did not cosign: once for each reason, not twice a second.
    fn refused(&mut self, witness: &NodeName, reason: String) {
        if self.refused.get(witness) != Some(&reason) {
            tracing::warn!(%witness, reason, "no cosignature");
            self.refused.insert(witness.clone(), reason);
        }
    }
}

/// Takes what a witness signed: a good line by each key that the directory names for it, or none at all.
fn take_lines(signed: &mut SignedCheckpoint, lines: &str, witness: &WitnessCard) -> Result<(), String> {
    let keys = witness.keys().map_err(|error| error.to_string())?;
    let mut with = signed.clone();
    with.note.signatures.retain(|line| !keys.iter().any(|key| key.matches(line)));
    with.add_cosignatures(lines, &keys).map_err(|error| error.to_string())?;
    if !is_signed(&with, witness) {
        return Err("it did not sign with every key that the directory names for it".to_owned());
    }
    *signed = with;
    Ok(())
}

/// Whether there is a line by each key of a witness; nothing is said of the signatures.
fn is_signed(signed: &SignedCheckpoint, witness: &WitnessCard) -> bool {
    let claims = |key: &str| {
        let mut names =
            signed.note.signatures.iter().map(|line| format!("{}+{}+", line.name, hex::encode(line.key_id)));
        names.any(|name| key.starts_with(&name))
    };
    claims(&witness.key) && witness.key_ml_dsa_44.as_deref().is_none_or(claims)
}

/// A witness says that it cosigned another state of the log. Its word alone stops nobody: it must show a checkpoint under this
/// log's own key that is longer, or of another tree. What is to be said of it.
fn disputed(watched: &Watched<'_>, signed: &SignedCheckpoint, shown: Option<SignedCheckpoint>) -> String {
    let Some(shown) = shown else { return "it disputes the log and shows nothing".to_owned() };
    let size = shown.checkpoint.size;
    let forked = size <= signed.checkpoint.size && watched.extends(&shown.checkpoint, signed) == Some(false);
    if size > signed.checkpoint.size || forked {
        watched.was_put_back(size);
        return format!("it cosigned {size} entries that are not those of this log");
    }
    "it disputes a log that it cosigned itself".to_owned()
}
