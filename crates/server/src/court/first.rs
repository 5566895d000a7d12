//! The step before: a retail reference is told after a chain, and the bundle shows who approved that one.

use super::approval::{CourtApproval, Placed, approval};
use super::{CourtError, wrong};
use crate::api::{Question, QuestionKind};
use crate::federation::check_question;

const PART: &str = "agency-log";

/// The question for the chain that a retail reference came after.
#[derive(Debug, Clone, PartialEq)]
pub struct CourtFirst {
    /// What was asked.
    pub question: Question,
    /// Who filed and who approved it; `None` where a local program asked with the node's token.
    pub approval: Option<CourtApproval>,
}

/// What the entries of the first step show: that it was asked before, in the same case, and approved by whom the second names.
pub(super) fn first_step(
    second: &Question,
    asked: &Placed,
    first: &[Placed],
) -> Result<Option<CourtFirst>, CourtError> {
    let QuestionKind::RetailReference { after, second_approver } = &second.kind else {
        return if first.is_empty() { Ok(None) } else { Err(no("a chain has no step before it")) };
    };
    let Some((place, desk)) = first.split_first() else {
        return Err(no("it does not hold the question for the chain before"));
    };
    let content = place.record["body"]["content"].as_str().unwrap_or_default();
    let question = check_question(content.as_bytes()).map_err(|error| wrong(PART, error))?;
    let same =
        (&question.id, &question.case_number, &question.ori) == (after, &second.case_number, &second.ori);
    if !same || !matches!(question.kind, QuestionKind::Chain {}) || place.index >= asked.index {
        return Err(no("the question before is not the chain that it came after"));
    }
    if !question.approver.is(&second.approver) || second_approver.is(&question.requester) {
        return Err(no("it names somebody else as the approver of the chain, or lets its requester approve"));
    }
    let approval = approval(&question, place, desk)?;
    Ok(Some(CourtFirst { question, approval }))
}

fn no(reason: &str) -> CourtError {
    wrong(PART, reason)
}
