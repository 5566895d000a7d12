//! Who filed a question, who read the mark, and who approved it as it was asked: the desk's own entries in the agency's log.

use jiff::Timestamp;
use registry::names::Person;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{CourtError, wrong};
use crate::access::{Role, Roles};
use crate::api::{AttachedReading, Question};
use crate::roles::{DeskStep, Draft};

const PART: &str = "agency-log";

/// Somebody's step at the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourtStep {
    /// Who.
    pub by: Person,
    /// The roles of the account at that moment.
    pub roles: Roles,
    /// When, by the agency's clock.
    pub at: Timestamp,
}

/// How a question was approved at the agency's desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourtApproval {
    /// Who filed it.
    pub filed: CourtStep,
    /// Who attached the reading, where it was not filed with the question.
    pub read: Option<CourtStep>,
    /// Who approved it.
    pub approved: CourtStep,
    /// SHA-256 of the draft that was seen and approved, hexadecimal; the question asks just that.
    pub draft_sha256: String,
}

/// A record out of the log's bundle, and its place.
pub(super) struct Placed {
    pub(super) index: u64,
    pub(super) record: Value,
}

/// What the entries behind a question's record show; `None` where the record names no approval, because a local program asked
/// with the node's token.
pub(super) fn approval(
    question: &Question,
    asked: &Placed,
    desk: &[Placed],
) -> Result<Option<CourtApproval>, CourtError> {
    let Some(named) = asked.record["body"]["approved"].as_u64() else {
        return if desk.is_empty() { Ok(None) } else { Err(no("its question names no approval")) };
    };
    let (first, read, last) = match desk {
        [first, last] => (first, None, last),
        [first, read, last] => (first, Some(read), last),
        _ => return Err(no("it does not hold who filed and who approved the question")),
    };
    let ordered = desk.windows(2).all(|two| two[0].index < two[1].index);
    if !ordered || last.index != named || last.index >= asked.index {
        return Err(no("the question was not approved before it was asked"));
    }
    let (filed, mut draft) = filed(question, first)?;
    let read = read.map(|read| reading(question, read)).transpose()?;
    let read = read.map(|(step, attached)| {
        draft.take_reading(attached);
        step
    });
    let (approved, draft_sha256, seen) = approving(question, last)?;
    if draft != seen || !seen.is_asked_by(question) {
        return Err(no("another draft was approved than was filed or asked"));
    }
    let readers = read.iter().map(|step| &step.by);
    if [&filed.by].into_iter().chain(readers).any(|other| other.is(&approved.by)) {
        return Err(no("who filed the question or attached its reading approved it"));
    }
    Ok(Some(CourtApproval { filed, read, approved, draft_sha256 }))
}

fn filed(question: &Question, placed: &Placed) -> Result<(CourtStep, Draft), CourtError> {
    let (at, DeskStep::Filed { id, by, roles, draft, .. }) = step(placed)? else {
        return Err(no("the first of its desk entries is of no filing"));
    };
    if id != question.id || by != question.requester || !roles.contains(Role::Requester) {
        return Err(no("the question was filed by somebody else than it names"));
    }
    let draft = serde_json::from_str(&draft).map_err(|error| wrong(PART, error))?;
    Ok((CourtStep { by, roles, at }, draft))
}

fn reading(question: &Question, placed: &Placed) -> Result<(CourtStep, AttachedReading), CourtError> {
    let (at, DeskStep::Read { id, by, roles, reading }) = step(placed)? else {
        return Err(no("the second of its desk entries is of no reading"));
    };
    if id != question.id || !roles.contains(Role::Examiner) {
        return Err(no("the reading is of another question, or of nobody who examines"));
    }
    let reading = serde_json::from_str(&reading).map_err(|error| wrong(PART, error))?;
    Ok((CourtStep { by, roles, at }, reading))
}

fn approving(question: &Question, placed: &Placed) -> Result<(CourtStep, String, Draft), CourtError> {
    let (at, DeskStep::Approved { id, by, roles, draft_sha256, draft }) = step(placed)? else {
        return Err(no("the last of its desk entries is of no approval"));
    };
    if id != question.id || by != *question.approved_by() || !roles.contains(Role::Approver) {
        return Err(no("the question was approved by somebody else than it names"));
    }
    if hex::encode(Sha256::digest(&draft)) != draft_sha256 {
        return Err(no("the hash that was approved is not that of the draft"));
    }
    let seen = serde_json::from_str(&draft).map_err(|error| wrong(PART, error))?;
    Ok((CourtStep { by, roles, at }, draft_sha256, seen))
}

fn step(placed: &Placed) -> Result<(Timestamp, DeskStep), CourtError> {
    if placed.record["kind"] != "desk" {
        return Err(no("an entry is not of the desk"));
    }
    let at = serde_json::from_value(placed.record["at"].clone()).map_err(|error| wrong(PART, error))?;
    let step = serde_json::from_value(placed.record["body"].clone()).map_err(|error| wrong(PART, error))?;
    Ok((at, step))
}

fn no(reason: &str) -> CourtError {
    wrong(PART, reason)
}
