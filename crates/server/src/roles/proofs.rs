//! That an issuer's log holds what it answered: an agency's node looks there a moment after each answer and keeps the proof with its
//! records. So an issuer that does not log what it says is found at once, and a court bundle needs nobody's help years later: not an
//! issuer that has closed or lost its log, nor witnesses that were replaced since.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use transparency::{Bundle, Commitment, EntryProof, Hash, InclusionProof, Salt, SignedCheckpoint};
use uuid::Uuid;

use super::agency::Agency;
use super::evidence::known_lines;
use super::witnessing::Cosigned;
use crate::api::{NodeCard, NodeName, SealedAnswer};
use crate::court::{CourtError, Exchange, remote_paths};
use crate::federation::Directory;
use crate::ledger::{Act, Entered, Kept, Key, Ledger, LedgerError, Place, Recalled, Stored};

/// Where what is still to be proved lies in a node's folder; the log holds its hash.
const FILE: &str = "proofs.json";
/// Answers that are looked up together.
const TOGETHER: usize = 256;
/// Answers after which the list is kept anew.
const KEEP: u64 = 4_096;
/// How long after an answer the witnesses may have cosigned a log without it.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// When somebody is told that an answer has no proof.
const TOLD: SignedDuration = SignedDuration::from_hours(1);
/// How long nothing is asked of a log that could not be looked into.
const PAUSE: SignedDuration = SignedDuration::from_secs(20);

/// An answer that has no proof yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// Its entry in this agency's log.
    entry: u64,
    question: Uuid,
    issuer: NodeName,
    /// SHA-256 of the directory under which it was asked.
    directory: String,
    at: Timestamp,
    /// The issuer's log, and where question and answer are said to stand in it.
    log: String,
    claimed: [Claimed; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Claimed {
    index: u64,
    /// What must stand there, hexadecimal.
    commitment: String,
}

/// What is to be proved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Held {
    open: Vec<Claim>,
    /// Answers that the issuer's log does not hold.
    missing: Vec<Claim>,
}

/// The claims of an agency whose node looks after them; programs that ask once leave that to it.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: Mutex<Option<Held>>,
    /// Logs that could not be looked into, and until when they are let be.
    paused: Mutex<HashMap<String, Timestamp>>,
    /// Answers that were settled since the list was kept, and where the records ended at the last look.
    done: Mutex<(u64, Place)>,
}

/// The record of proofs that were found: all under one checkpoint of the issuer's log, and one of this agency's own that holds the answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proved {
    issuer: NodeName,
    log: String,
    /// Under whose witnesses both count.
    directory: String,
    checkpoint: String,
    own: String,
    hashes: Vec<String>,
    answers: Vec<Paths>,
}

/// The ways from question and answer to the root of the issuer's checkpoint, by the places of their hashes in the record: answers that
/// stand beside each other share most of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paths {
    entry: u64,
    paths: [Vec<usize>; 2],
}

/// Hashes, each once.
#[derive(Default)]
struct Shared {
    hashes: Vec<String>,
    places: HashMap<Hash, usize>,
}

impl Shared {
    fn path(&mut self, path: &InclusionProof) -> Vec<usize> {
        let mut place = |hash: &Hash| {
            *self.places.entry(*hash).or_insert_with(|| {
                self.hashes.push(hash.to_string());
                self.hashes.len() - 1
            })
        };
        path.hashes.iter().map(&mut place).collect()
    }
}

/// What a look into a log came to.
enum Look {
    Proved(Proved, Vec<Uuid>),
    Missing(Vec<Claim>, String),
    Nothing,
}

impl Claim {
    /// Of an answer as it was opened; `None` where it names no entry.
    pub(crate) fn of(
        (entry, question): (u64, Uuid),
        (issuer, directory): (NodeName, String),
        sealed: &SealedAnswer,
        at: Timestamp,
    ) -> Option<Self> {
        let claimed = |entered: &Entered| {
            let commitment = entered.commitment()?;
            Some(Claimed { index: entered.index, commitment: hex::encode(commitment.as_bytes()) })
        };
        let evidence = &sealed.evidence;
        let claimed = [claimed(&evidence.question)?, claimed(&evidence.answer)?];
        Some(Self { entry, question, issuer, directory, at, log: evidence.log.clone(), claimed })
    }

    fn end(&self) -> u64 {
        self.claimed.iter().map(|one| one.index + 1).max().unwrap_or_default()
    }
}

impl Claimed {
    fn leaf(&self) -> Option<Hash> {
        let commitment: [u8; 32] = hex::decode(&self.commitment).ok()?.try_into().ok()?;
        Some(Hash::leaf(Commitment::from_bytes(commitment).as_ref()))
    }
}

impl Held {
    /// Takes a record of an earlier run.
    fn recall(&mut self, stored: &Stored) {
        let body = &stored.body;
        match stored.kind.as_str() {
            "answer" => {
                let claim = || {
                    let sealed: SealedAnswer = serde_json::from_value(body["opened"].clone()).ok()?;
                    let question = serde_json::from_value(body["question"].clone()).ok()?;
                    let issuer = serde_json::from_value(body["issuer"].clone()).ok()?;
                    let directory = body["directory"].as_str()?.to_owned();
                    Claim::of((stored.entered.index, question), (issuer, directory), &sealed, stored.at)
                };
                let new = claim().filter(|new| {
                    !self.open.iter().chain(&self.missing).any(|known| known.entry == new.entry)
                });
                self.open.extend(new);
            }
            PROVED => {
                let proved = serde_json::from_value::<Proved>(body.clone()).ok();
                let entries = proved.iter().flat_map(|proved| &proved.answers).map(|one| one.entry);
                self.settle(&entries.collect::<Vec<_>>());
            }
            MISSING => {
                if let Some(entry) = body["entry"].as_u64() {
                    self.miss(entry);
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, entries: &[u64]) {
        for list in [&mut self.open, &mut self.missing] {
            list.retain(|claim| !entries.contains(&claim.entry));
        }
    }

    fn miss(&mut self, entry: u64) {
        if let Some(at) = self.open.iter().position(|claim| claim.entry == entry) {
            self.missing.push(self.open.remove(at));
        }
    }
}

/// Kinds of the records.
const PROVED: &str = "proved";
const MISSING: &str = "not-in-log";

/// The scope of the proofs of one issuer's answers, by the question's number.
fn proof_of(issuer: &NodeName) -> String {
    format!("proof of {issuer}")
}

impl Claims {
    /// Begins to look after the answers in the records.
    ///
    /// # Errors
    /// [`LedgerError`] when they cannot be read.
    pub(crate) fn begin(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let Recalled { kept: Kept { through, memory: mut held }, .. } = ledger.kept::<Held>(FILE)?;
        ledger.since(through, |_, stored| held.recall(&stored))?;
        *self.held() = Some(held);
        Ok(())
    }

    /// Takes an answer that was just entered.
    pub(super) fn add(&self, claim: Option<Claim>) {
        if let Some(held) = self.held().as_mut() {
            held.open.extend(claim);
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest claims on one log under one directory, as far as it is not let be.
    fn next(&self, now: Timestamp) -> Vec<Claim> {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, until| *until > now);
        let held = self.held();
        let mut open =
            held.iter().flat_map(|held| &held.open).filter(|claim| !paused.contains_key(&claim.log));
        let Some(first) = open.next() else { return Vec::new() };
        let same = open.filter(|one| (&one.log, &one.directory) == (&first.log, &first.directory));
        [first].into_iter().chain(same).take(TOGETHER).cloned().collect()
    }

    fn pause(&self, log: &str, now: Timestamp) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.insert(log.to_owned(), now + PAUSE);
    }

    /// How many answers have no proof, how many of these for long, and how many are not in the issuer's log.
    fn counts(&self, now: Timestamp) -> [i64; 3] {
        let held = self.held();
        let Some(held) = held.as_ref() else { return [0; 3] };
        let late = held.open.iter().filter(|claim| now.duration_since(claim.at) > TOLD).count();
        [held.open.len(), late, held.missing.len()].map(|count| i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl Agency {
    /// Looks for the next answers in their issuer's log, keeps the proofs, and says what is not there.
    pub(crate) async fn prove(&self, cosigned: &Cosigned, now: Timestamp) {
        self.keep_claims(now).await;
        let claims = self.claims.next(now);
        if let Some(first) = claims.first() {
            let done = match self.look(&claims, cosigned).await {
                Ok(look) => self.enter_look(look, now).await,
                Err(error) => {
                    tracing::debug!(log = first.log, %error, "an issuer's log cannot be looked into");
                    Ok(false)
                }
            };
            if !matches!(done, Ok(true)) {
                self.claims.pause(&first.log, now);
            }
        }
        let [open, late, missing] = self.claims.counts(now);
        for (name, count) in
            [("answers_unproved", open), ("answers_unproved_long", late), ("answers_not_in_log", missing)]
        {
            self.metrics.gauge(name, count);
        }
        self.metrics.works("answers", missing == 0);
    }

    /// Looks for claims on one log in it, under a checkpoint that a quorum cosigned.
    async fn look(&self, claims: &[Claim], cosigned: &Cosigned) -> Result<Look, CourtError> {
        let Some(first) = claims.first() else { return Ok(Look::Nothing) };
        let wrong =
            |reason: &dyn std::fmt::Display| CourtError { part: "issuer-log", reason: reason.to_string() };
        let directory = self.directory.version(&first.directory).map_err(|error| wrong(&error))?;
        let node =
            directory.node_of_log(&first.log).ok_or_else(|| wrong(&"the directory knows no such log"))?;
        let signed = known_lines(&directory, ("issuer-log", &node.log), self.cosigned_of(node).await?)?;
        let policy = directory.policy(&node.log).map_err(|error| wrong(&error))?;
        let approval = policy.check(&signed).map_err(|error| wrong(&error))?;
        let size = signed.checkpoint.size;
        let (there, behind): (Vec<&Claim>, Vec<&Claim>) =
            claims.iter().partition(|claim| claim.end() <= size);
        if there.is_empty() {
            // By when the witnesses whose word counts had seen it without.
            let seen =
                approval.span.and_then(|(_, from)| Timestamp::from_second(i64::try_from(from).ok()?).ok());
            let late = |claim: &&&Claim| seen.is_some_and(|seen| seen.duration_since(claim.at) > LATE);
            let late: Vec<Claim> = behind.iter().filter(late).map(|claim| (**claim).clone()).collect();
            return Ok(if late.is_empty() { Look::Nothing } else { Look::Missing(late, signed.to_string()) });
        }
        let Some(own) = own_of(&directory, cosigned)? else { return Ok(Look::Nothing) };
        let there: Vec<&Claim> =
            there.into_iter().filter(|claim| claim.entry < own.checkpoint.size).collect();
        if there.is_empty() {
            return Ok(Look::Nothing);
        }
        self.found(node, (&directory, &there), (&signed, &own)).await
    }

    async fn found(
        &self,
        node: &NodeCard,
        (directory, claims): (&Directory, &[&Claim]),
        (signed, own): (&SignedCheckpoint, &SignedCheckpoint),
    ) -> Result<Look, CourtError> {
        let places: Vec<u64> = claims.iter().flat_map(|claim| &claim.claimed).map(|one| one.index).collect();
        let paths = remote_paths(&self.client, node, signed, &places).await?;
        let mut shared = Shared::default();
        let (mut answers, mut questions, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        // What does not lead to the root shows nothing: files that are damaged are no log without an answer.
        if paths.iter().any(|(leaf, path)| path.verify(leaf, &signed.checkpoint.root).is_err()) {
            return Err(CourtError {
                part: "issuer-log",
                reason: "its files do not fit its checkpoint".to_owned(),
            });
        }
        for (claim, paths) in claims.iter().zip(paths.chunks_exact(2)) {
            if claim.claimed.iter().zip(paths).all(|(one, (leaf, _))| one.leaf() == Some(*leaf)) {
                let paths = [shared.path(&paths[0].1), shared.path(&paths[1].1)];
                answers.push(Paths { entry: claim.entry, paths });
                questions.push(claim.question);
            } else {
                missing.push((*claim).clone());
            }
        }
        if !missing.is_empty() {
            return Ok(Look::Missing(missing, signed.to_string()));
        }
        let (issuer, log) = (claims[0].issuer.clone(), claims[0].log.clone());
        let (checkpoint, own) = (signed.to_string(), own.to_string());
        let hashes = shared.hashes;
        let proved = Proved { issuer, log, directory: directory.sha256(), checkpoint, own, hashes, answers };
        Ok(Look::Proved(proved, questions))
    }

    /// Enters what was found; whether anything was.
    async fn enter_look(&self, look: Look, now: Timestamp) -> Result<bool, LedgerError> {
        match look {
            Look::Nothing => Ok(false),
            Look::Proved(proved, questions) => {
                let mut act = Act::new(PROVED, json!(proved));
                for question in questions {
                    act = act.found_by(Key::new(&proof_of(&proved.issuer), question));
                }
                self.ledger.enter(&[act], now).await?;
                let entries: Vec<u64> = proved.answers.iter().map(|one| one.entry).collect();
                if let Some(held) = self.claims.held().as_mut() {
                    held.settle(&entries);
                }
                self.claims.done.lock().unwrap_or_else(PoisonError::into_inner).0 += entries.len() as u64;
                Ok(true)
            }
            Look::Missing(claims, checkpoint) => {
                for claim in claims {
                    tracing::error!(
                        question = %claim.question, issuer = %claim.issuer, log = claim.log,
                        "the issuer's log does not hold the answer that it gave: it is not one that can be brought to court"
                    );
                    let body = json!({
                        "question": claim.question, "issuer": claim.issuer, "log": claim.log, "entry": claim.entry,
                        "checkpoint": checkpoint,
                    });
                    self.ledger.enter(&[Act::new(MISSING, body)], now).await?;
                    if let Some(held) = self.claims.held().as_mut() {
                        held.miss(claim.entry);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Keeps the list for the next start when enough of it was done.
    async fn keep_claims(&self, now: Timestamp) {
        let end = self.ledger.end();
        // An answer is in the records a moment before it is on the list. What stands on both is taken once.
        let through = {
            let mut done = self.claims.done.lock().unwrap_or_else(PoisonError::into_inner);
            let through = std::mem::replace(&mut done.1, end);
            if done.0 < KEEP {
                return;
            }
            done.0 = 0;
            through
        };
        let Some(memory) = self.claims.held().clone() else { return };
        if let Err(error) = self.ledger.keep(FILE, (&Kept { through, memory }, Value::Null), now).await {
            tracing::warn!(%error, "the list of answers without a proof was not kept; the next start reads more records");
        }
    }

    /// The proof of an answer that was kept, and the checkpoint of this agency's own log that goes with it.
    pub(super) fn kept_proof(
        &self,
        exchange: &Exchange,
        (question, opened): (Uuid, &SealedAnswer),
    ) -> Option<(Bundle, SignedCheckpoint)> {
        let issuer: NodeName = exchange.answered["issuer"].as_str()?.parse().ok()?;
        let stored = self.ledger.find(Key::new(&proof_of(&issuer), question)).ok()??;
        let proved: Proved = serde_json::from_value(stored.body).ok()?;
        let paths = proved.answers.iter().find(|one| one.entry == exchange.answer.index)?;
        let signed = SignedCheckpoint::parse(proved.checkpoint.as_bytes()).ok()?;
        let own = SignedCheckpoint::parse(proved.own.as_bytes()).ok()?;
        let evidence = [&opened.evidence.question, &opened.evidence.answer];
        let entries = evidence.into_iter().zip(&paths.paths).map(|(entered, path)| {
            let hash = |place: &usize| Hash::from_base64(proved.hashes.get(*place)?);
            let hashes = path.iter().map(hash).collect::<Option<Vec<_>>>()?;
            let salt = Salt::from_bytes(hex::decode(&entered.salt).ok()?.try_into().ok()?);
            let inclusion = InclusionProof { index: entered.index, size: signed.checkpoint.size, hashes };
            Some(EntryProof {
                record: entered.record.clone().into_bytes(),
                salt,
                inclusion,
                signed: signed.clone(),
            })
        });
        Some((Bundle { entries: entries.collect::<Option<Vec<_>>>()? }, own))
    }
}

/// This agency's own checkpoint that a quorum of that directory cosigned last.
fn own_of(directory: &Directory, cosigned: &Cosigned) -> Result<Option<SignedCheckpoint>, CourtError> {
    let Some(own) = cosigned.newest() else { return Ok(None) };
    let log = directory.node_of_log(&own.checkpoint.origin).map(|card| card.log.as_str()).unwrap_or_default();
    known_lines(directory, ("agency-log", log), own).map(Some)
}
