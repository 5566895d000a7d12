//! An agency keeps, a moment after each answer, what shows it to a court: the way from question and answer to the root of the issuer's
//! log, under a checkpoint that a quorum cosigned, and such a checkpoint of its own log. So it needs the issuer no more, nor the
//! witnesses of that time, and an issuer whose log does not hold what it signed is found out while it can be asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use transparency::{Bundle, EntryProof, Hash, InclusionProof, Salt, SignedCheckpoint, VerifierKey};
use uuid::Uuid;

use super::agency::Agency;
use super::unproved::{Lot, NO_PROOF, PROOF, Source, Unproved, Waiting};
use super::witnessing::{Cosigned, Watched};
use crate::api::{Evidence, NodeCard};
use crate::client::Client;
use crate::config::Node;
use crate::court::{CourtError, here, later as no, remote_proofs, wrong};
use crate::federation::Directory;
use crate::ledger::{Act, Entered, Kept, Key, Ledger, LedgerError, Place, Recalled};
use crate::renewal::cosigned_of_ended;

/// Answers whose proofs are kept in one record.
const BATCH: usize = 128;
/// How long proofs are waited for before the log tells that none came.
const BOUND: SignedDuration = SignedDuration::from_mins(5);
/// How long an issuer has for all files of one batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers younger than this are asked for again where other witnesses cosign by now than those under whom it was asked.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);

/// Where what waits lies in a node's folder; the log holds its hash.
const FILE: &str = "unproved.json";

/// What was kept of one answer.
pub(super) struct KeptProof {
    /// The cosigned checkpoint of the issuer's log.
    issuer: SignedCheckpoint,
    /// The same of this agency's.
    pub(super) own: SignedCheckpoint,
    /// Of question and answer.
    paths: [InclusionProof; 2],
}

/// Why proofs cannot be kept yet.
struct NotYet {
    error: CourtError,
    /// Whether the log was cosigned by the witnesses of a newer directory, so that asking again would do.
    by_others: bool,
}

impl From<CourtError> for NotYet {
    fn from(error: CourtError) -> Self {
        Self { error, by_others: false }
    }
}

/// The key of the proofs of an answer, whose record stands at that place of this agency's log.
fn key(answer: u64) -> Key {
    Key::new(PROOF, Uuid::from_u128(u128::from(answer)))
}

impl Agency {
    /// Keeps the proofs of all answers that can be had now, under this checkpoint of this agency's own log, and tells in the log of
    /// those that do not come. One issuer that is away holds no other's proofs back for long.
    pub async fn keep_proofs(&self, own: &SignedCheckpoint) {
        loop {
            let lots = self.proofs.unproved().next(own.checkpoint.size, BATCH);
            let (mut kept, mut full) = (0, false);
            for lot in lots {
                full |= lot.waiting.len() == BATCH;
                kept += self.keep_proofs_of(&lot, own).await;
            }
            if kept == 0 || !full {
                break;
            }
        }
        self.tell_uncovered(own.checkpoint.size).await;
        self.count_unproved();
    }

    /// Tells of late answers of which witnesses have not even cosigned this agency's own record.
    async fn tell_uncovered(&self, size: u64) {
        let sources = self.proofs.unproved().beyond(size);
        for source in sources {
            let reason = "agency-log: no quorum of witnesses has cosigned it since";
            self.tell_late(&source, reason, |place| place >= size).await;
        }
    }

    /// The same of one lot; how many were kept.
    async fn keep_proofs_of(&self, lot: &Lot, own: &SignedCheckpoint) -> usize {
        if self.proofs.pauses(&lot.source.log) {
            return 0;
        }
        let proved = tokio::time::timeout(PATIENCE, self.prove(&lot.source, &lot.waiting, own)).await;
        let late = || NotYet::from(no("issuer-log", "the issuer does not give all files in time"));
        let proved = proved.unwrap_or_else(|_| Err(late()));
        self.proofs.went(&lot.source.log, proved.is_ok());
        let (kept, reason) = match proved {
            Ok(kept) => (kept, "issuer-log: it does not hold these entries, or not yet".to_owned()),
            Err(NotYet { error, by_others }) => {
                if by_others {
                    self.ask_for_others(lot).await;
                }
                (0, error.to_string())
            }
        };
        if kept < lot.waiting.len() {
            tracing::debug!(issuer = %lot.source.issuer, reason, "not all proofs are there yet");
            self.tell_late(&lot.source, &reason, |place| lot.waiting.contains_key(&place)).await;
        }
        kept
    }

    /// Fetches, checks and keeps the proofs of answers of one source; how many.
    async fn prove(
        &self,
        source: &Source,
        waiting: &BTreeMap<u64, Waiting>,
        own: &SignedCheckpoint,
    ) -> Result<usize, NotYet> {
        let directory = self.judge(&source.directory)?;
        let node = directory.node_of_log(&source.log);
        let node = node.ok_or_else(|| no("issuer-log", "the directory knows no such log"))?.clone();
        let url = self.address_of(&node);
        let signed =
            self.approved("issuer-log", (&directory, &node), &self.cosigned_of(&node, &url).await?)?;
        let own = self.approved_own(&directory, own)?;
        let shown = self.directory.proof_of(&directory).await;
        shown.map_err(|error| no("directory-log", error))?;
        let covered = |(place, one): &(&u64, &Waiting)| {
            **place < own.checkpoint.size && one.places.iter().all(|at| *at < signed.checkpoint.size)
        };
        let covered: Vec<(u64, Waiting)> =
            waiting.iter().filter(covered).map(|(at, one)| (*at, one.clone())).collect();
        if covered.is_empty() {
            let reason = "the newest cosigned checkpoint is older than the answer; try again in a moment";
            return Err(no("issuer-log", reason).into());
        }
        let places = covered.iter().flat_map(|(_, one)| one.places).collect();
        let proofs = remote_proofs(&self.proofs.client, &url, &signed, places).await?;
        let proved: Vec<_> = covered
            .iter()
            .zip(proofs.as_chunks::<2>().0)
            .filter(|((_, one), two)| shows(one, two, &signed))
            .collect();
        if proved.is_empty() {
            return Err(wrong(
                "issuer-log",
                "the tree that its witnesses cosigned holds other entries in those places",
            )
            .into());
        }
        let places: Vec<u64> = proved.iter().map(|((place, _), _)| *place).collect();
        let paths = proved.iter().map(|((place, _), paths)| (*place, *paths));
        let body = record(source, (&signed, &own), paths);
        let mut act = Act::new(PROOF, body);
        act.keys = places.iter().map(|place| key(*place)).collect();
        let entered = self.ledger.enter(&[act], self.clock.now()).await;
        entered.map_err(|error| here("agency-log", error))?;
        self.proofs.unproved().done(&places);
        Ok(places.len())
    }

    /// The directory that judges, read once more only where it is not the newest.
    fn judge(&self, sha256: &str) -> Result<Arc<Directory>, CourtError> {
        match self.directory.newest().filter(|newest| newest.sha256() == sha256) {
            Some(newest) => Ok(newest),
            None => self.directory.version(sha256).map(Arc::new).map_err(|error| no("directory", error)),
        }
    }

    /// Where a node is now; it may have moved since it was asked.
    fn address_of(&self, node: &NodeCard) -> String {
        let newest = self.directory.newest();
        let now = newest.as_deref().and_then(|newest| newest.node(&node.name));
        now.map_or_else(|| node.url.clone(), |now| now.url.clone())
    }

    /// A checkpoint with the lines that this directory knows, if they are a quorum's.
    fn approved(
        &self,
        part: &'static str,
        (directory, node): (&Directory, &NodeCard),
        signed: &SignedCheckpoint,
    ) -> Result<SignedCheckpoint, NotYet> {
        let (mut known, log) = (signed.clone(), &node.log);
        directory.keep_known_lines(log, &mut known).map_err(|error| no(part, error))?;
        let policy = directory.policy(log).map_err(|error| no(part, error))?;
        match policy.check(&known) {
            Ok(_) => Ok(known),
            Err(error) => {
                let newest = self.directory.newest();
                let by_others = newest.is_some_and(|newest| {
                    newest.sha256() != directory.sha256()
                        && newest.policy(log).is_ok_and(|policy| policy.check(signed).is_ok())
                });
                Err(NotYet { error: no(part, error), by_others })
            }
        }
    }

    /// The same of this agency's own log; of one that ended since, its last.
    fn approved_own(
        &self,
        directory: &Directory,
        newest: &SignedCheckpoint,
    ) -> Result<SignedCheckpoint, NotYet> {
        let part = "agency-log";
        let card = directory.content().agencies.iter().find(|card| card.node.name == self.node.config.name);
        let node = &card.ok_or_else(|| no(part, "the directory does not list this agency"))?.node;
        let log: VerifierKey = node.log.parse().map_err(|error| no(part, error))?;
        if log == *self.node.log.verifier() {
            return self.approved(part, (directory, node), newest);
        }
        let kept = std::fs::read(cosigned_of_ended(&self.node.folder, &log)).ok();
        let kept = kept.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        let kept =
            kept.ok_or_else(|| no(part, "it ended, and nothing is kept that witnesses cosigned of it"))?;
        self.approved(part, (directory, node), &kept)
    }

    /// The newest checkpoint of another node's log that a quorum cosigned; of a log that ended meanwhile, the last.
    async fn cosigned_of(&self, node: &NodeCard, url: &str) -> Result<SignedCheckpoint, CourtError> {
        let log: VerifierKey = node.log.parse().map_err(|error| no("issuer-log", error))?;
        for path in ["cosigned".to_owned(), format!("ended/{}", hex::encode(log.id()))] {
            let answer = self.proofs.client.get(&format!("{url}/log/{path}")).await;
            let (status, bytes) = answer.map_err(|error| no("issuer-log", error))?;
            let signed = SignedCheckpoint::parse(&bytes).ok().filter(|_| status == 200);
            if let Some(signed) = signed.filter(|signed| signed.verify(&log).is_ok()) {
                return Ok(signed);
            }
        }
        Err(no("issuer-log", "no quorum of witnesses has cosigned it yet"))
    }

    /// Asks again for answers that the witnesses under whom they were asked do not cosign any more, so that those of today do.
    async fn ask_for_others(&self, lot: &Lot) {
        let now = self.clock.now();
        for (place, one) in
            lot.waiting.iter().filter(|(_, one)| now.duration_since(one.since) < YOUNG).take(8)
        {
            if let Err(error) = self.ask_again(&lot.source.issuer, one.question).await {
                tracing::warn!(question = %one.question, %error, "other witnesses cosign by now, and it could not be asked again");
                return;
            }
            let answers = json!([{"entry": place, "question": one.question}]);
            let body = json!({
                "issuer": lot.source.issuer, "log": lot.source.log, "answers": answers, "superseded": true,
                "reason": "other witnesses cosign than those under whom it was asked; it was asked again",
            });
            if self.ledger.enter(&[Act::new(NO_PROOF, body)], now).await.is_ok() {
                self.proofs.unproved().done(&[*place]);
            }
        }
    }

    /// Tells, in the log and to the operator, of answers whose proofs did not come in time: once of each.
    async fn tell_late(&self, source: &Source, reason: &str, of: impl Fn(u64) -> bool) {
        let now = self.clock.now();
        let late = self.proofs.unproved().late(source, now - BOUND, of);
        if late.is_empty() {
            return;
        }
        tracing::error!(
            issuer = %source.issuer, answers = late.len(), reason,
            "answers cannot be brought to court: the issuer's log does not show them"
        );
        let places: Vec<u64> = late.iter().map(|(place, _)| *place).collect();
        let answers: Vec<Value> =
            late.iter().map(|(place, question)| json!({"entry": place, "question": question})).collect();
        let body = json!({
            "issuer": source.issuer, "log": source.log, "answers": answers, "reason": reason, "superseded": false,
        });
        match self.ledger.enter(&[Act::new(NO_PROOF, body)], now).await {
            Ok(_) => self.proofs.unproved().told(&places),
            Err(error) => tracing::error!(%error, "that is not in the log either"),
        }
    }

    fn count_unproved(&self) {
        let (awaited, overdue) = self.proofs.unproved().count(self.clock.now() - BOUND);
        self.metrics.gauge("proofs_awaited", awaited as i64);
        self.metrics.gauge("proofs_overdue", overdue as i64);
    }

    /// Questions whose answers have no proofs in time, and since when.
    pub(super) fn without_proofs(&self) -> Vec<(Uuid, Timestamp)> {
        self.proofs.unproved().overdue(self.clock.now() - BOUND)
    }

    /// Keeps the proofs of what was just answered, for a program that ends then: waits at most so long for issuers and witnesses.
    /// Returns whether nothing is missing.
    pub async fn settle_proofs(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            if self.proofs.unproved().count(Timestamp::MAX).0 == 0 {
                return true;
            }
            if let Some(own) = self.own_cosigned().await {
                self.keep_proofs(&own).await;
            }
            if Instant::now() >= end {
                return self.proofs.unproved().count(Timestamp::MAX).0 == 0;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Has this agency's own log cosigned; the newest checkpoint that a quorum cosigned.
    async fn own_cosigned(&self) -> Option<SignedCheckpoint> {
        let (directory, own) = (self.directory.newest()?, self.node.log.verifier());
        let cosigned = Cosigned::new(&self.node);
        cosigned.renew(&Watched::Node(&self.ledger), own, &directory, self.clock.now()).await;
        cosigned.newest()
    }

    /// The proofs of an answer that were kept, or else that can be had now.
    ///
    /// # Errors
    /// [`CourtError`] says what is missing.
    pub(super) async fn proofs_of(
        &self,
        source: &Source,
        (answer, question, evidence): (&Entered, Uuid, &Evidence),
    ) -> Result<KeptProof, CourtError> {
        let kept = || {
            let stored = self.ledger.find(key(answer.index)).map_err(|error| here("agency-log", error))?;
            Ok::<_, CourtError>(stored.and_then(|stored| KeptProof::of(&stored.body, answer.index, evidence)))
        };
        if let Some(kept) = kept()? {
            return Ok(kept);
        }
        let waiting = Waiting::new(question, evidence, self.clock.now());
        let waiting = waiting.ok_or_else(|| wrong("statement", "its evidence has no salts"))?;
        let own = self.own_cosigned().await;
        let own = own.ok_or_else(|| no("agency-log", "no quorum of witnesses cosigns this agency's log"))?;
        if answer.index >= own.checkpoint.size {
            return Err(no(
                "agency-log",
                "the newest cosigned checkpoint is older than the answer; try again in a moment",
            ));
        }
        let proved = self.prove(source, &BTreeMap::from([(answer.index, waiting)]), &own).await;
        proved.map_err(|not_yet| not_yet.error)?;
        kept()?.ok_or_else(|| no("issuer-log", "its proofs were not kept"))
    }
}

/// What an agency knows of proofs that are not kept yet.
pub(super) struct Proofs {
    client: Client,
    unproved: Mutex<Unproved>,
    /// Of logs that gave nothing: how often in a row, and how often they are left alone now.
    misses: Mutex<HashMap<String, (u32, u32)>>,
    /// A place in the records that was their end some time ago.
    mark: Mutex<Place>,
}

impl Proofs {
    /// Reads what was kept, and the records since.
    pub(super) fn open(node: &Node, ledger: &Ledger) -> Result<Self, LedgerError> {
        let Recalled { kept: Kept { through, memory: mut unproved }, .. } = ledger.kept::<Unproved>(FILE)?;
        ledger.since(through, |_, stored| unproved.apply(&stored))?;
        unproved.caught_up();
        let client = node.client(Duration::from_secs(5));
        let (unproved, mark) = (Mutex::new(unproved), Mutex::new(ledger.end()));
        Ok(Self { client, unproved, misses: Mutex::default(), mark })
    }

    pub(super) fn unproved(&self) -> MutexGuard<'_, Unproved> {
        self.unproved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps on disk which answers wait for their proofs when there were answers enough, so that the next start reads few records.
    pub(super) async fn keep(&self, ledger: &Ledger, now: Timestamp) {
        if !self.unproved().is_worth_keeping() {
            return;
        }
        // What stood in the records some time ago is in the memory by now; what came since is read again, which changes nothing.
        let through =
            std::mem::replace(&mut *self.mark.lock().unwrap_or_else(PoisonError::into_inner), ledger.end());
        let kept = Kept { through, memory: self.unproved().clone() };
        if let Err(error) = ledger.keep(FILE, (&kept, Value::Null), now).await {
            tracing::warn!(%error, "which answers wait for proofs was not kept; the next start reads more records");
        }
    }

    /// Whether a log that gave nothing several times is left alone this time.
    fn pauses(&self, log: &str) -> bool {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, pauses)) = misses.get_mut(log) else { return false };
        let left = *pauses > 0;
        *pauses = pauses.saturating_sub(1);
        left
    }

    /// Notes whether it gave something.
    fn went(&self, log: &str, well: bool) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if well {
            misses.remove(log);
            return;
        }
        let (count, pauses) = misses.entry(log.to_owned()).or_default();
        *count = count.saturating_add(1);
        *pauses = (1 << (*count / 4).min(5)) - 1;
    }
}

impl KeptProof {
    /// Reads what a record keeps of one answer.
    fn of(body: &Value, answer: u64, evidence: &Evidence) -> Option<Self> {
        let checkpoint = |name: &str| SignedCheckpoint::parse(body[name].as_str()?.as_bytes()).ok();
        let (issuer, own) = (checkpoint("checkpoint")?, checkpoint("own")?);
        let hashes = body["hashes"].as_array()?;
        let hashes: Vec<Hash> =
            hashes.iter().map(|hash| Hash::from_base64(hash.as_str()?)).collect::<Option<_>>()?;
        let one = body["answers"].as_array()?.iter().find(|one| one["entry"] == answer)?;
        let path = |at: usize, index: u64| {
            let path = one["paths"][at].as_array()?.iter();
            let path = path.map(|at| hashes.get(usize::try_from(at.as_u64()?).ok()?).copied());
            Some(InclusionProof { index, size: issuer.checkpoint.size, hashes: path.collect::<Option<_>>()? })
        };
        let paths = [path(0, evidence.question.index)?, path(1, evidence.answer.index)?];
        Some(Self { issuer, own, paths })
    }

    /// Question and answer in the issuer's log.
    pub(super) fn issuer_log(&self, evidence: &Evidence) -> Option<Bundle> {
        let entries = [&evidence.question, &evidence.answer].into_iter().zip(&self.paths);
        let proof = |(entered, inclusion): (&Entered, &InclusionProof)| {
            Some(EntryProof {
                record: entered.record.clone().into_bytes(),
                salt: Salt::from_bytes(hex::decode(&entered.salt).ok()?.try_into().ok()?),
                inclusion: inclusion.clone(),
                signed: self.issuer.clone(),
            })
        };
        Some(Bundle { entries: entries.map(proof).collect::<Option<_>>()? })
    }
}

/// Whether both entries of an answer stand where the issuer said.
fn shows(one: &Waiting, paths: &[InclusionProof; 2], signed: &SignedCheckpoint) -> bool {
    let root = &signed.checkpoint.root;
    one.leaves().iter().zip(paths).all(|(leaf, path)| path.verify(leaf, root).is_ok())
}

/// The record that keeps proofs: each hash once, and of each path which ones.
fn record<'p>(
    source: &Source,
    (issuer, own): (&SignedCheckpoint, &SignedCheckpoint),
    paths: impl Iterator<Item = (u64, &'p [InclusionProof; 2])>,
) -> Value {
    let (mut numbers, mut hashes, mut answers) = (HashMap::new(), Vec::new(), Vec::new());
    for (place, two) in paths {
        let path = |proof: &InclusionProof| {
            let number = |hash: &Hash| {
                *numbers.entry(*hash).or_insert_with(|| {
                    hashes.push(hash.to_string());
                    hashes.len() - 1
                })
            };
            proof.hashes.iter().map(number).collect::<Vec<usize>>()
        };
        answers.push(json!({"entry": place, "paths": two.each_ref().map(path)}));
    }
    json!({
        "issuer": source.issuer, "log": source.log, "directory": source.directory,
        "checkpoint": issuer.to_string(), "own": own.to_string(), "hashes": hashes, "answers": answers,
    })
}
