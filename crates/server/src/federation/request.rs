//! Whether a question may be asked: form first, then the agency, the persons and the step before.

use jiff::Timestamp;
use registry::{CandidateCode, MAX_CANDIDATES, Priority, TraceRequest};

use super::directory::Directory;
use crate::api::{AgencyCard, Question, QuestionKind, Urgency};
use crate::problem::{Problem, ProblemKind};

/// Why a well-formed question is not answered; goes into the log and into a signed answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorised {
    /// The ORI is none of the agency's.
    #[error("this agency may not ask under that ORI")]
    Ori,
    /// One person alone.
    #[error("requester and approver are the same person; someone else must approve")]
    OnePerson,
    /// No second approval.
    #[error("the second approval must be by someone other than the requester")]
    SecondApproval,
    /// No answered chain before.
    #[error("a retail reference is told only after the chain, for the same agency, case, code and question")]
    ChainFirst,
}

/// Reads and checks the form of a question.
///
/// # Errors
/// A problem of kind `malformed` that names the field.
pub fn check_question(content: &[u8]) -> Result<Question, Problem> {
    let malformed = |what: &dyn std::fmt::Display| ProblemKind::Malformed.because(what);
    let question: Question = serde_json::from_slice(content).map_err(|error| malformed(&error))?;
    if question.schema != Question::SCHEMA {
        return Err(malformed(&"the schema is not microstamp.question/1"));
    }
    if question.id.get_version_num() != 7 {
        return Err(malformed(&"`id` is no UUID of version 7"));
    }
    let codes = &question.codes;
    if codes.is_empty() || codes.len() > MAX_CANDIDATES {
        return Err(malformed(&"`codes` must hold 1 to 20 codes of one reading"));
    }
    let sum: f64 = codes.iter().map(|one| one.posterior).sum();
    if !codes.iter().all(|one| (0.0..=1.0).contains(&one.posterior)) || sum > 1.0 + 1e-6 {
        return Err(malformed(&"the posteriors are no probabilities that sum to 1 at most"));
    }
    if codes.iter().enumerate().any(|(at, one)| codes[..at].iter().any(|other| other.code == one.code)) {
        return Err(malformed(&"a code stands twice"));
    }
    if question.parts.iter().enumerate().any(|(at, part)| question.parts[..at].contains(part)) {
        return Err(malformed(&"a part stands twice"));
    }
    if let Some(field) = unseen(&question) {
        return Err(malformed(&format_args!(
            "`{field}` holds characters that cannot be seen and turn others round"
        )));
    }
    let hash = question.reading_sha256.as_ref();
    if hash.is_some_and(|hash| hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(malformed(&"`reading_sha256` is not 64 hexadecimal digits"));
    }
    if hash.is_some() == question.typed_by.is_some() {
        return Err(malformed(
            &"either `reading_sha256` names the reading that the codes are of, or `typed_by` who typed them by hand",
        ));
    }
    Ok(question)
}

/// The first field with a character that cannot be seen (general category Cf): those turn the direction of what is read, or make two
/// numbers look alike. In names of people the joiners stay, which some scripts need; names are compared without them.
fn unseen(question: &Question) -> Option<&'static str> {
    let justification = match &question.priority {
        Urgency::Urgent { justification } => Some(justification.as_str()),
        Urgency::Routine => None,
    };
    let second = match &question.kind {
        QuestionKind::RetailReference { second_approver, .. } => Some(second_approver.as_str()),
        QuestionKind::Chain {} => None,
    };
    let texts = [
        ("case_number", Some(question.case_number.as_str())),
        ("reason", Some(question.reason.as_str())),
        ("justification", justification),
    ];
    let names = [
        ("requester", Some(question.requester.as_str())),
        ("approver", Some(question.approver.as_str())),
        ("second_approver", second),
        ("typed_by", question.typed_by.as_ref().map(registry::names::Person::as_str)),
    ];
    let text = texts.into_iter().find(|(_, text)| text.is_some_and(|text| text.chars().any(is_format)));
    let name = || names.into_iter().find(|(_, name)| name.is_some_and(|name| name.chars().any(turns)));
    text.or_else(name).map(|(field, _)| field)
}

/// Whether a character turns the direction of those behind it.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is of the general category Cf (Unicode 16).
fn is_format(c: char) -> bool {
    turns(c)
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Checks the agency and the two persons. The step before and the limits are the issuer's to check.
///
/// # Errors
/// [`Unauthorised`].
pub fn authorise(question: &Question, agency: &AgencyCard) -> Result<(), Unauthorised> {
    if !agency.oris.contains(&question.ori) {
        return Err(Unauthorised::Ori);
    }
    if question.requester.is(&question.approver) {
        return Err(Unauthorised::OnePerson);
    }
    match &question.kind {
        QuestionKind::RetailReference { second_approver, .. } if second_approver.is(&question.requester) => {
            Err(Unauthorised::SecondApproval)
        }
        _ => Ok(()),
    }
}

/// The question as the books take it. Only a second approval makes them tell a retail reference.
pub(crate) fn to_books(question: &Question) -> TraceRequest {
    let code = |one: &crate::api::AskedCode| CandidateCode { code: one.code, posterior: one.posterior };
    TraceRequest {
        codes: question.codes.iter().map(code).collect(),
        reading_sha256: question.reading_sha256.clone(),
        ori: question.ori.clone(),
        case_number: question.case_number.clone(),
        crime_code: Some(question.crime_code.clone()),
        priority: match &question.priority {
            Urgency::Routine => Priority::Routine,
            Urgency::Urgent { justification } => Priority::Urgent(justification.clone()),
        },
        reason: question.reason.clone(),
        requester: question.requester.clone(),
        approver: match &question.kind {
            QuestionKind::Chain {} => None,
            QuestionKind::RetailReference { second_approver, .. } => Some(second_approver.clone()),
        },
        recovered_on: question.recovered_on,
        parts: question.parts.clone(),
    }
}

/// The key of an agency or dealer that the directory vouches for at `now`.
pub(crate) fn key_in(directory: &Directory, key_id: &str, now: Timestamp) -> Option<crate::api::PublicKey> {
    let agency = directory.agency(key_id, now).map(|card| card.node.signing);
    agency.or_else(|| directory.dealer(key_id, now).map(|card| card.node.signing))
}
