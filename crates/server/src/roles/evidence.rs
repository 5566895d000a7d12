//! An agency collects what a court needs: its own records, both logs' proofs, cosigned checkpoints.

use serde_json::{Value, json};
use uuid::Uuid;

use super::agency::{ANSWERED, Agency, answer_of};
use super::desk::{FILED, READ};
use super::issuer::fields_record;
use super::unproved::Source;
use crate::api::{Answer, Evidence, NodeCard, NodeName, Question, QuestionKind, SealedAnswer};
use crate::court::{CourtBundle, CourtError, CourtFault, Exchange, here, later};
use crate::federation::Message;
use crate::ledger::{Act, Entered, Key, LedgerError};

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

/// Checks that an answer is of this question's case, and tells of nothing that was not asked: other codes, or a reference where a
/// chain was asked for.
///
/// # Errors
/// What does not hold.
pub(crate) fn check_told(answer: &Answer, question: &Question) -> Result<(), String> {
    if answer.question != question.id || answer.case_number != question.case_number {
        return Err("it is of another question or another case".to_owned());
    }
    if answer.typed_by != question.typed_by {
        return Err("it says something else of who typed the codes".to_owned());
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
    /// the one that answered last. It is made of the proofs that were kept after the answer; where none are kept yet they are had now,
    /// from the issuer. What does not verify is not given out, and what is given out is in the log.
    ///
    /// # Errors
    /// [`CourtError`] names the part that cannot be had.
    pub async fn court_bundle(
        &self,
        question: Uuid,
        issuer: Option<&NodeName>,
    ) -> Result<CourtBundle, CourtError> {
        let now = self.clock.now();
        let exchange = self.exchange_of(question, issuer)?;
        // The directory under which it was asked; there are newer ones by now.
        let asked_under = exchange.asked["directory"].as_str().unwrap_or_default();
        let directory = self.directory.version(asked_under).map_err(|error| here("directory", error))?;
        let opened: SealedAnswer = serde_json::from_value(exchange.answered["opened"].clone())
            .map_err(|error| here("statement", error))?;
        let issuer = exchange.answered["issuer"].as_str().and_then(|name| name.parse().ok());
        let source = Source {
            issuer: issuer.ok_or_else(|| here("statement", "it names no issuer"))?,
            log: opened.evidence.log.clone(),
            directory: asked_under.to_owned(),
        };
        let kept = self.proofs_of(&source, (&exchange.answer, question, &opened.evidence)).await?;
        let issuer_log = kept.issuer_log(&opened.evidence);
        let issuer_log = issuer_log.ok_or_else(|| here("issuer-log", "a salt is no 32 bytes"))?;
        let mut entries = vec![exchange.question.clone(), exchange.answer.clone()];
        entries.extend(exchange.desk.iter().chain(&exchange.first).cloned());
        let agency_log =
            self.ledger.bundle(&kept.own, &entries).map_err(|error| here("agency-log", error))?;
        let shown = self.directory.proof_of(&directory).await;
        let shown = shown.map_err(|error| later("directory-log", error))?.unwrap_or_default();
        let bundle = CourtBundle::new((&directory, &shown), &exchange, &issuer_log, &agency_log)?;
        bundle.verify(self.directory.key())?;
        let act = Act::new("court-bundle", json!({"question": question}));
        let entered = self.ledger.enter(&[act], now).await;
        entered.map_err(|error| here("agency-log", error))?;
        Ok(bundle)
    }

    /// The records of a question and of its answer.
    fn exchange_of(&self, question: Uuid, issuer: Option<&NodeName>) -> Result<Exchange, CourtError> {
        let unread = |error: LedgerError| here("question", error);
        let key = issuer
            .map_or_else(|| Key::new(ANSWERED, question), |issuer| Key::new(&answer_of(issuer), question));
        let none = || CourtError {
            fault: CourtFault::Absent,
            ..here("question", "these records hold no answered question of that number")
        };
        let answered = self.ledger.find(key).map_err(unread)?.ok_or_else(none)?;
        let place = answered.body["entry"].as_u64().ok_or_else(none)?;
        let asked = self.ledger.from_entry(place, 1).map_err(unread)?;
        let asked = asked.into_iter().next().filter(|asked| asked.entered.index == place).ok_or_else(none)?;
        let desk = match asked.body["approved"].as_u64() {
            Some(place) => self.desk_steps(question, place).map_err(unread)?,
            None => Vec::new(),
        };
        let content = asked.body["content"].as_str().unwrap_or_default();
        let before = serde_json::from_str(content).ok().and_then(|question: Question| match question.kind {
            QuestionKind::RetailReference { after, .. } => Some(after),
            QuestionKind::Chain {} => None,
        });
        let first = match before {
            Some(after) => {
                let first = self.exchange_of(after, None).map_err(|error| CourtError {
                    reason: format!("the chain before: {}", error.reason),
                    ..here("agency-log", "")
                })?;
                [first.question].into_iter().chain(first.desk).collect()
            }
            None => Vec::new(),
        };
        Ok(Exchange {
            desk,
            first,
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
