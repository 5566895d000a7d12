//! A question on an agency's desk: as it is filed, and what becomes of it.

use jiff::Timestamp;
use jiff::civil::Date;
use registry::Part;
use registry::names::{CaseNumber, CrimeCode, Ori, Person, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::api::{AskedCode, AttachedReading, Question, QuestionKind, Urgency};
use crate::problem::{Problem, ProblemKind};

/// A question as a requester files it, JSON schema `microstamp.question-draft/1`: the question without its number and
/// without the persons, who are those that are signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What is asked for.
    pub kind: DraftKind,
    /// The agency that asks.
    pub ori: Ori,
    /// The agency's case.
    pub case_number: CaseNumber,
    /// What crime is investigated, as an NCIC code.
    pub crime_code: CrimeCode,
    /// How urgent it is.
    pub priority: Urgency,
    /// Why it is asked.
    pub reason: Reason,
    /// The reading: codes with their posteriors, at most 20.
    pub codes: Vec<AskedCode>,
    /// SHA-256 of the reading's file, 64 hexadecimal digits; or else `typed_by`.
    #[serde(default)]
    pub reading_sha256: Option<String>,
    /// Who read the mark by eye and typed the codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<Person>,
    /// Day on which the case was recovered.
    #[serde(default)]
    pub recovered_on: Option<Date>,
    /// Which parts' marks were read, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// What a draft asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DraftKind {
    /// The firearm and its chain.
    Chain {},
    /// The Form 4473 reference of the sale that an answered question ended at.
    RetailReference {
        /// Number of that question.
        after: Uuid,
    },
}

/// A question on the desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filed {
    /// Its number, UUID version 7: in the order of filing.
    pub id: Uuid,
    /// What is asked.
    pub draft: Draft,
    /// Who filed it.
    pub requester: Person,
    /// When.
    pub filed_at: Timestamp,
    /// Who attached the reading, when it was not filed with the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examiner: Option<Person>,
    /// Who attached a reading that was replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_examiners: Vec<Person>,
    /// What became of it.
    #[serde(flatten)]
    pub state: FiledState,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum FiledState {
    /// It waits for an approver. `not_asked` says why an attempt failed.
    Waiting {
        /// Why the last attempt failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_asked: Option<String>,
    },
    /// It was approved, and the answer is under way.
    Approved {
        /// By whom.
        approver: Person,
    },
    /// It was approved, asked and answered.
    Answered {
        /// By whom it was approved.
        approver: Person,
        /// One for each issuer that was asked.
        answers: Value,
    },
    /// An approver refused it.
    Refused {
        /// Who.
        approver: Person,
        /// Why.
        reason: Reason,
    },
    /// Its requester took it back.
    Withdrawn,
}

impl Filed {
    /// SHA-256 of the draft as this node writes it, hexadecimal: what an approver says that it saw.
    pub fn draft_sha256(&self) -> String {
        hex::encode(Sha256::digest(self.draft_text()))
    }

    /// The draft as this node writes it.
    pub(super) fn draft_text(&self) -> String {
        serde_json::to_string(&self.draft).unwrap_or_default()
    }

    /// Whether somebody may approve it as seen: two people, of whom neither can pass for the other, and of whom the second saw
    /// what is asked and did not write it.
    ///
    /// # Errors
    /// [`Problem`].
    pub(super) fn may_be_approved(&self, by: &Person, draft_sha256: &str) -> Result<(), Problem> {
        match &self.state {
            // What was approved and is not on its way was cut off: its answer may be asked for again, by any approver.
            FiledState::Waiting { .. } | FiledState::Approved { .. } => {}
            _ => return Err(ProblemKind::Conflict.because("this question does not wait for an approver")),
        }
        if by.is(&self.requester) || self.examiner.iter().chain(&self.earlier_examiners).any(|one| by.is(one))
        {
            return Err(ProblemKind::Forbidden
                .because("who files a question or attaches its reading does not approve it"));
        }
        if draft_sha256 == self.draft_sha256() {
            return Ok(());
        }
        Err(ProblemKind::Conflict
            .because("this is not the question that was seen: it was changed since; look at it again"))
    }

    /// Whether one of its answers waits for a dealer's own part of the chain.
    pub(super) fn waits_for_dealer(&self) -> bool {
        let FiledState::Answered { answers, .. } = &self.state else { return false };
        answers.as_array().into_iter().flatten().any(|one| one["answer"]["pending"].is_object())
    }

    /// Whether an issuer that was asked has not answered, while others have.
    pub(super) fn waits_for_issuer(&self) -> bool {
        let FiledState::Answered { answers, .. } = &self.state else { return false };
        answers
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| one["error"].is_string() && one["issuer"].is_string())
    }

    /// Takes a reading in place of the one that it was filed with.
    pub(super) fn take_reading(&mut self, by: Person, reading: AttachedReading) {
        self.draft.take_reading(reading);
        let before = self.examiner.replace(by);
        self.earlier_examiners.extend(before.filter(|before| !self.earlier_examiners.contains(before)));
    }
}

impl Draft {
    /// Takes a reading in place of its own.
    pub(crate) fn take_reading(&mut self, reading: AttachedReading) {
        self.codes = reading.codes;
        if !reading.parts.is_empty() {
            self.parts = reading.parts;
        }
        (self.reading_sha256, self.typed_by) = (Some(reading.reading_sha256), None);
    }

    /// Whether a question asks just this.
    pub(crate) fn is_asked_by(&self, question: &Question) -> bool {
        let kind = match (&self.kind, &question.kind) {
            (DraftKind::Chain {}, QuestionKind::Chain {}) => true,
            (DraftKind::RetailReference { after }, QuestionKind::RetailReference { after: asked, .. }) => {
                after == asked
            }
            _ => false,
        };
        kind && (&self.ori, &self.case_number, &self.crime_code)
            == (&question.ori, &question.case_number, &question.crime_code)
            && (&self.priority, &self.reason) == (&question.priority, &question.reason)
            && (&self.codes, &self.reading_sha256) == (&question.codes, &question.reading_sha256)
            && (&self.typed_by, self.recovered_on, &self.parts)
                == (&question.typed_by, question.recovered_on, &question.parts)
    }
}
