//! What may be told of a question: the step before, an issuer that closed, what the books say, and the limits.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use registry::{BooksError, ChainEnd, TraceOutcome};
use serde_json::json;
use symbology::{Code, Prefix};

use super::houses::Weighed;
use super::issuer::Issuer;
use crate::api::{
    AgencyCard, Answer, DealerDisposition, NodeName, OutcomeName, Pending, Question, QuestionKind,
};
use crate::federation::{Directory, Route, Told, Unauthorised, authorise, to_books};
use crate::problem::Problem;

/// How long the books may take; then the answer is *cannot say now*, while whoever asked still waits for it.
const BOOKS: Duration = Duration::from_secs(5);

/// What became of looking a question up.
pub(super) enum Looked {
    /// The books said something.
    Weighed(Box<Weighed>),
    /// It may not be asked, or not so.
    Refused(String),
    /// This issuer closed, and another answers.
    Delegated(NodeName),
    /// The books cannot be read now, or those of an issuer that closed are not here.
    Unreadable,
}

/// Which step a question is.
enum Step {
    /// A chain.
    First,
    /// A retail reference, after the chain of this code's firearm.
    After(Code),
    /// A retail reference without the chain that it must come after.
    Missing,
}

impl Issuer {
    /// Looks a question up in the books, if it may be asked.
    ///
    /// # Errors
    /// `no-log` when this node's records cannot be read.
    pub(super) async fn look(
        &self,
        question: &Question,
        agency: &AgencyCard,
        (directory, now): (&Directory, Timestamp),
    ) -> Result<Looked, Problem> {
        if let Err(refusal) = authorise(question, agency) {
            return Ok(Looked::Refused(refusal.to_string()));
        }
        let before = match self.step_before(question, agency)? {
            Step::First => None,
            Step::After(code) => Some(code),
            Step::Missing => return Ok(Looked::Refused(Unauthorised::ChainFirst.to_string())),
        };
        if let Some(Route::Delegated { from, to }) =
            likeliest(question).map(|block| directory.route(block, now))
            && from.node.name == self.node.config.name
        {
            return Ok(Looked::Delegated(to.node.name.clone()));
        }
        let to_us = |block| match directory.route(block, now) {
            Route::Delegated { to, .. } => to.node.name == self.node.config.name,
            Route::Issuer(_) | Route::Nobody => false,
        };
        let request = to_books(question);
        let weighing = self.houses.weigh(&request, now.to_zoned(TimeZone::UTC).date(), to_us);
        let weighed = tokio::time::timeout(BOOKS, weighing).await;
        self.metrics.works("books", matches!(weighed, Ok(Ok(_) | Err(BooksError::Refused(_)))));
        Ok(match weighed {
            // The reference is told of the firearm that the chain was told of, and of no other.
            Ok(Ok(weighed)) if before.is_some() && weighed.code() != before => {
                Looked::Refused(Unauthorised::ChainFirst.to_string())
            }
            Ok(Ok(weighed)) => Looked::Weighed(Box::new(weighed)),
            // The books do not take the question as it is: a date that cannot be, for instance.
            Ok(Err(BooksError::Refused(refusal))) => Looked::Refused(refusal.to_string()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the books could not be read");
                Looked::Unreadable
            }
            Err(_) => {
                tracing::error!("the books took longer than {} seconds", BOOKS.as_secs());
                Looked::Unreadable
            }
        })
    }

    /// Fills in what may be told of it, and counts it where it tells which codes are issued.
    pub(super) fn judge(
        &self,
        answer: &mut Answer,
        looked: Looked,
        (question, agency): (&Question, &AgencyCard),
        (directory, now): (&Directory, Timestamp),
    ) {
        let weighed = match looked {
            Looked::Weighed(weighed) => weighed,
            Looked::Refused(reason) => return refuse(answer, reason),
            Looked::Delegated(to) => {
                answer.outcome = OutcomeName::Delegated;
                answer.statement = vec![format!("this issuer closed; {to} answers in its place")];
                answer.delegated_to = Some(to);
                return;
            }
            Looked::Unreadable => return,
        };
        let block = weighed.code().map(|code| code.prefix()).or_else(|| likeliest(question));
        let for_another = block.and_then(|block| match directory.route(block, now) {
            Route::Delegated { from, to } if to.node.name == self.node.config.name => Some(&from.node.name),
            _ => None,
        });
        if let Some(from) = for_another
            && block.is_some_and(|block| !self.houses.took_over(block))
        {
            tracing::error!(%from, "the directory delegates to this node, whose node.toml names no such books");
            answer.statement = vec![format!("the books of {from}, which closed, are not at this node yet")];
            return;
        }
        let told = Told { at: now, case: question.case_number.clone(), code: weighed.code() };
        if let Err(reason) = self.memory.fishing.take(agency.node.name.as_str(), told) {
            return refuse(answer, reason);
        }
        answer.take(&weighed.outcome, weighed.statement);
        if let Some(from) = for_another {
            answer.delegated_by = Some(from.clone());
            answer.statement.push(format!("delegated: {from} closed, and this issuer answers in its place"));
        }
        if let TraceOutcome::ChainEnds(traced) = &weighed.outcome
            && let ChainEnd::WithLicensee { holder, .. } = &traced.chain.end
            && *holder != weighed.issuer
        {
            answer.pending = Some(Pending {
                licence: holder.licence.clone(),
                due: Question::due(now),
                can_answer: directory.dealer_of(&holder.licence).is_some(),
            });
            self.take_statement_of_dealer(answer, question);
        }
    }

    /// A retail reference that the dealer itself stated before.
    fn take_statement_of_dealer(&self, answer: &mut Answer, question: &Question) {
        let QuestionKind::RetailReference { after, .. } = &question.kind else { return };
        if let Ok(Some(stated)) = self.stated(*after) {
            apply(answer, &stated.disposition, true);
        }
    }

    /// Chain first, retail reference after.
    fn step_before(&self, question: &Question, agency: &AgencyCard) -> Result<Step, Problem> {
        let QuestionKind::RetailReference { after, .. } = &question.kind else { return Ok(Step::First) };
        let Some((by, answer)) = self.answered(*after)? else { return Ok(Step::Missing) };
        let same = by == agency.node.name.as_str() && answer.case_number == question.case_number;
        Ok(match answer.firearm {
            Some(firearm) if same => Step::After(firearm.code),
            _ => Step::Missing,
        })
    }
}

/// The block of the likeliest code.
fn likeliest(question: &Question) -> Option<Prefix> {
    let likeliest = question.codes.iter().max_by(|a, b| a.posterior.total_cmp(&b.posterior))?;
    Some(likeliest.code.prefix())
}

fn refuse(answer: &mut Answer, reason: String) {
    answer.outcome = OutcomeName::NotAuthorised;
    answer.statement = vec![reason];
}

/// Puts a dealer's own part at the end of a chain; the Form 4473 reference only when it was approved.
pub(super) fn apply(answer: &mut Answer, disposition: &DealerDisposition, disclose: bool) {
    let Some(firearm) = &mut answer.firearm else { return };
    answer.pending = None;
    match disposition {
        DealerDisposition::RetailSale { on, form_4473 } => {
            let last = firearm.chain.last().map(|link| (link.name.clone(), link.licence.clone()));
            let (name, licence) = last.unzip();
            let form = disclose.then_some(form_4473);
            firearm.end = json!({
                "end": "retail-sale", "dealer": name, "licence": licence, "on": on, "form_4473": form,
                "stated_by": "dealer",
            });
            firearm.reference_withheld = !disclose;
            answer.outcome = OutcomeName::Found;
            answer.statement.push(format!("the dealer states a retail sale on {on}"));
        }
        DealerDisposition::Transferred { on, to, licence } => {
            firearm.end = json!({"end": "with-licensee", "holder": to, "licence": licence, "since": on, "stated_by": "dealer"});
            answer.statement.push(format!(
                "the dealer states that it went to {to}, licence {licence}, on {on}; ask there"
            ));
        }
        DealerDisposition::InStock { on } => {
            answer.statement.push(format!("the dealer states that the firearm was in its stock on {on}"));
        }
        DealerDisposition::NoRecord {} => {
            answer.statement.push("the dealer states that the firearm is not in its book".to_owned());
        }
    }
}
