//! An agency collects what a court needs: its own records, both logs' proofs, cosigned checkpoints.

use jiff::Timestamp;
use serde_json::{Value, json};
use transparency::{SignedCheckpoint, VerifierKey};
use uuid::Uuid;

use super::agency::{ANSWERED, Agency, answer_of};
use super::desk::{FILED, READ};
use super::issuer::fields_record;
use super::witnessing::{Cosigned, Watched};
use crate::api::{Answer, Evidence, NodeCard, NodeName, Question, QuestionKind, SealedAnswer};
use crate::court::{CourtBundle, CourtError, Exchange, remote_bundle};
use crate::federation::{Directory, Message};
use crate::ledger::{Act, Entered, Key, LedgerError};
use crate::renewal::cosigned_of_ended;

/// Checks what an issuer gives with its answer as the entries of its log: this very question under this very request, and this statement.
/// That the log holds both is shown by a court bundle.
///
/// # Errors
/// What does not hold.
pub(super) fn check_evidence(
    sealed: &SealedAnswer,
    issuer: &NodeCard,
    (request, asked): (&Message, &[u8]),
) -> Result<(), String> {
    let Evidence { log, question, answer } = &sealed.evidence;
    // Which of its logs, where one ended meanwhile, a newer directory says.
    if !log.strip_prefix(issuer.name.as_str()).is_some_and(|rest| rest.starts_with('/')) {
        return Err(format!("its evidence is of the log {log}"));
    }
    let opened = |entered: &Entered| {
        let salt = hex::decode(&entered.salt).is_ok_and(|salt| salt.len() == 32);
        serde_json::from_str::<Value>(&entered.record).ok().filter(|_| salt).unwrap_or_default()
    };
    let (asked_record, answered) = (opened(question), opened(answer));
    let holds = question.index != answer.index
        && asked_record["kind"] == "question"
        && asked_record["body"]["content"] == *String::from_utf8_lossy(asked)
        && asked_record["body"]["request"] == fields_record(request)
        && answered["kind"] == "answer"
        && answered["body"]["statement"] == *sealed.statement;
    if holds { Ok(()) } else { Err("its evidence is not of this question and this statement".to_owned()) }
}

/// Checks that an answer is of the question's case, and tells of nothing that was not asked: other codes, or a reference where a chain
/// was asked for. Whoever asks demands it, and so does a court.
///
/// # Errors
/// What does not hold.
pub(crate) fn check_told(answer: &Answer, question: &Question) -> Result<(), String> {
    if (&answer.case_number, &answer.typed_by) != (&question.case_number, &question.typed_by) {
        return Err("it is of another case, or says that somebody else typed the codes".to_owned());
    }
    let of_firearm = answer.firearm.iter().map(|firearm| &firearm.code);
    let mut told = of_firearm.chain(&answer.issued).chain(&answer.not_issued).chain(&answer.elsewhere);
    if let Some(code) = told.find(|told| !question.codes.iter().any(|one| one.code == **told)) {
        return Err(format!("it tells of {code}, which was not asked"));
    }
    let discloses = answer.firearm.as_ref().is_some_and(|firearm| firearm.form_4473().is_some());
    if discloses && matches!(question.kind, QuestionKind::Chain {}) {
        return Err("it discloses a Form 4473 reference where a chain was asked for".to_owned());
    }
    Ok(())
}

impl Agency {
    /// Makes the court bundle of an answered question; of several issuers that answered it, that of the one named or else of
    /// the one that answered last. Has this agency's log cosigned first if need be; the issuer's must
    /// have been cosigned since the answer. What does not verify is not given out, and what is given out is in the log.
    ///
    /// # Errors
    /// [`CourtError`] names the part that cannot be had.
    pub async fn court_bundle(
        &self,
        question: Uuid,
        issuer: Option<&NodeName>,
    ) -> Result<CourtBundle, CourtError> {
        let wrong = |part, reason: &dyn std::fmt::Display| CourtError { part, reason: reason.to_string() };
        let now = self.clock.now();
        let exchange = self.exchange_of(question, issuer)?;
        // The directory under which it was asked; there are newer ones by now.
        let asked_under = exchange.asked["directory"].as_str().unwrap_or_default();
        let directory = self.directory.version(asked_under).map_err(|error| wrong("directory", &error))?;
        let opened: SealedAnswer = serde_json::from_value(exchange.answered["opened"].clone())
            .map_err(|error| wrong("statement", &error))?;
        // What was kept when it was answered needs nobody any more; without it the issuer is asked.
        let bundle = match self.bundle_from_kept((&directory, &exchange), (question, &opened)) {
            Some(bundle) => bundle,
            None => self.bundle_from_issuer((&directory, &exchange), &opened, now).await?,
        };
        let act = Act::new("court-bundle", json!({"question": question}));
        let entered = self.ledger.enter(&[act], now).await;
        entered.map_err(|error| wrong("agency-log", &error))?;
        Ok(bundle)
    }

    /// The bundle out of what lies with the records, if it verifies.
    fn bundle_from_kept(
        &self,
        (directory, exchange): (&Directory, &Exchange),
        (question, opened): (Uuid, &SealedAnswer),
    ) -> Option<CourtBundle> {
        let (issuer_log, own) = self.kept_proof(exchange, (question, opened))?;
        let agency_log = self.ledger.bundle(&own, &exchange.entries()).ok()?;
        let bundle = CourtBundle::new(directory, exchange, &issuer_log, &agency_log).ok()?;
        bundle.verify(self.directory.key()).is_ok().then_some(bundle)
    }

    /// The bundle under what witnesses cosigned last of both logs.
    async fn bundle_from_issuer(
        &self,
        (directory, exchange): (&Directory, &Exchange),
        opened: &SealedAnswer,
        now: Timestamp,
    ) -> Result<CourtBundle, CourtError> {
        let wrong = |part, reason: &dyn std::fmt::Display| CourtError { part, reason: reason.to_string() };
        let node = directory.node_of_log(&opened.evidence.log);
        let node = node.ok_or_else(|| wrong("issuer-log", &"the directory knows no such log"))?;
        let signed = known_lines(directory, ("issuer-log", &node.log), self.cosigned_of(node).await?)?;
        let evidence = [opened.evidence.question.clone(), opened.evidence.answer.clone()];
        covers("issuer-log", &signed, &evidence)?;
        let issuer_log = remote_bundle(&self.client, node, &signed, &evidence).await?;
        let own = self.own_cosigned(directory, now).await?;
        let log = directory.node_of_log(&own.checkpoint.origin).map(|card| card.log.as_str());
        let own = known_lines(directory, ("agency-log", log.unwrap_or_default()), own)?;
        let entries = exchange.entries();
        covers("agency-log", &own, &entries)?;
        let agency_log = self.ledger.bundle(&own, &entries).map_err(|error| wrong("agency-log", &error))?;
        let bundle = CourtBundle::new(directory, exchange, &issuer_log, &agency_log)?;
        bundle.verify(self.directory.key())?;
        Ok(bundle)
    }

    /// The newest checkpoint of another node's log that a quorum cosigned; of a log that ended meanwhile, the last.
    pub(super) async fn cosigned_of(&self, node: &NodeCard) -> Result<SignedCheckpoint, CourtError> {
        let wrong =
            |reason: &dyn std::fmt::Display| CourtError { part: "issuer-log", reason: reason.to_string() };
        let log: VerifierKey = node.log.parse().map_err(|error| wrong(&error))?;
        for path in ["cosigned".to_owned(), format!("ended/{}", hex::encode(log.id()))] {
            let answer = self.client.get(&format!("{}/log/{path}", node.url)).await;
            let (status, bytes) = answer.map_err(|error| wrong(&error))?;
            let signed = SignedCheckpoint::parse(&bytes).ok().filter(|_| status == 200);
            if let Some(signed) = signed.filter(|signed| signed.verify(&log).is_ok()) {
                return Ok(signed);
            }
        }
        Err(wrong(&"no quorum of witnesses has cosigned it yet"))
    }

    /// The same of this agency's log, as the directory named it when it asked.
    async fn own_cosigned(
        &self,
        asked_under: &Directory,
        now: Timestamp,
    ) -> Result<SignedCheckpoint, CourtError> {
        let wrong = |reason: &str| CourtError { part: "agency-log", reason: reason.to_owned() };
        let (name, own) = (&self.node.config.name, self.node.log.verifier());
        let card = asked_under.content().agencies.iter().find(|card| card.node.name == *name);
        let log: Option<VerifierKey> = card.and_then(|card| card.node.log.parse().ok());
        if let Some(ended) = log.filter(|log| log != own) {
            let kept = std::fs::read(cosigned_of_ended(&self.node.folder, &ended)).ok();
            let kept = kept.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
            return kept.ok_or_else(|| wrong("it ended, and nothing is kept that witnesses cosigned of it"));
        }
        let directory = self.directory.newest().ok_or_else(|| wrong("no directory"))?;
        let cosigned = Cosigned::new(&self.node);
        cosigned.renew(&Watched::Node(&self.ledger), own, &directory, now).await;
        cosigned.newest().ok_or_else(|| wrong("no quorum of witnesses cosigns this agency's log"))
    }

    /// The records of a question and of its answer.
    fn exchange_of(&self, question: Uuid, issuer: Option<&NodeName>) -> Result<Exchange, CourtError> {
        let wrong =
            |reason: &dyn std::fmt::Display| CourtError { part: "question", reason: reason.to_string() };
        let key = issuer
            .map_or_else(|| Key::new(ANSWERED, question), |issuer| Key::new(&answer_of(issuer), question));
        let none = || wrong(&"these records hold no answered question of that number");
        let answered = self.ledger.find(key).map_err(|error| wrong(&error))?.ok_or_else(none)?;
        let place = answered.body["entry"].as_u64().ok_or_else(none)?;
        let asked = self.ledger.from_entry(place, 1).map_err(|error| wrong(&error))?;
        let asked = asked.into_iter().next().filter(|asked| asked.entered.index == place).ok_or_else(none)?;
        let desk = match asked.body["approved"].as_u64() {
            Some(place) => self.desk_steps(question, place).map_err(|error| wrong(&error))?,
            None => Vec::new(),
        };
        Ok(Exchange {
            desk,
            question: asked.entered,
            asked: asked.body,
            answer: answered.entered,
            answered: answered.body,
        })
    }

    /// Who filed a question, who attached its reading, and the approval at that place of the log.
    fn desk_steps(&self, question: Uuid, approved: u64) -> Result<Vec<Entered>, LedgerError> {
        let filed = self.ledger.find(Key::new(FILED, question))?;
        let read = self.ledger.find(Key::new(READ, question))?;
        let approved = self.ledger.from_entry(approved, 1)?;
        Ok(filed.into_iter().chain(read).chain(approved).map(|stored| stored.entered).collect())
    }
}

/// A checkpoint with the signature lines that are known to the directory of a bundle: evidence holds nothing that nobody can check.
pub(super) fn known_lines(
    directory: &Directory,
    (part, log): (&'static str, &str),
    mut signed: SignedCheckpoint,
) -> Result<SignedCheckpoint, CourtError> {
    let kept = directory.keep_known_lines(log, &mut signed);
    kept.map_err(|error| CourtError { part, reason: error.to_string() })?;
    Ok(signed)
}

fn covers(part: &'static str, signed: &SignedCheckpoint, entries: &[Entered]) -> Result<(), CourtError> {
    let size = signed.checkpoint.size;
    if entries.iter().all(|entry| entry.index < size) {
        return Ok(());
    }
    let reason = "the newest cosigned checkpoint is older than the answer; try again in a moment".to_owned();
    Err(CourtError { part, reason })
}
