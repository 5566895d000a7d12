//! What may be told of a question: the step before, an issuer that closed, what the books say, and the limits.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use registry::{BooksError, ChainEnd, TraceOutcome};
use serde_json::json;
use symbology::Code;

use super::houses::Weighed;
use super::issuer::Issuer;
use crate::api::{
    AgencyCard, Answer, DealerDisposition, FirearmAnswer, NodeName, OutcomeName, Pending, Question,
    QuestionKind,
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
    /// The case is older than the firearm of the likeliest code. This too tells that it was issued, and counts.
    Older,
    /// This issuer closed, and another answers.
    Delegated(NodeName),
    /// The books cannot be read now, or those of an issuer that closed are not here.
    Unreadable,
}

/// Which step a question is.
enum Step {
    /// A chain.
    First,
    /// A retail reference, after the chain of this firearm.
    After(Box<FirearmAnswer>),
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
            Step::After(firearm) => Some(firearm),
            Step::Missing => return Ok(Looked::Refused(Unauthorised::ChainFirst.to_string())),
        };
        let asks = (&question.case_number, likeliest(question));
        if before.is_none()
            && let Err(reason) = self.memory.fishing.may_ask(agency.node.name.as_str(), asks, now)
        {
            return Ok(Looked::Refused(reason));
        }
        if let Some(Route::Delegated { from, to }) =
            likeliest(question).map(|code| directory.route(code.prefix(), now))
            && from.node.name == self.node.config.name
        {
            return Ok(Looked::Delegated(to.node.name.clone()));
        }
        if self.whole_books().is_err() {
            self.metrics.works("books", false);
            return Ok(Looked::Unreadable);
        }
        let to_us = |block| match directory.route(block, now) {
            Route::Delegated { to, .. } => to.node.name == self.node.config.name,
            Route::Issuer(_) | Route::Nobody => false,
        };
        let (request, today) = (to_books(question), now.to_zoned(TimeZone::UTC).date());
        // A clock may be a day ahead; what the books refuse beyond this tells of a code.
        if request.recovered_on.is_some_and(|day| day > today.tomorrow().unwrap_or(today)) {
            return Ok(Looked::Refused("the day of recovery is in the future".to_owned()));
        }
        let weighing = self.houses.weigh(&request, today, to_us);
        let weighed = tokio::time::timeout(BOOKS, weighing).await;
        self.metrics.works("books", matches!(weighed, Ok(Ok(_) | Err(BooksError::Refused(_)))));
        Ok(match weighed {
            // The reference is told of the firearm that the chain was told of, and of no other.
            Ok(Ok(weighed)) if before.is_some_and(|before| !weighed.tells_of(&before)) => {
                Looked::Refused(Unauthorised::ChainFirst.to_string())
            }
            Ok(Ok(weighed)) => Looked::Weighed(Box::new(weighed)),
            // Its form was looked at before, so this comes of what the books know.
            Ok(Err(BooksError::Refused(refusal))) => {
                tracing::info!(%refusal, "the books refuse a question");
                Looked::Older
            }
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
    ) -> Option<Told> {
        let told = |code| Told {
            at: now,
            case: question.case_number.clone(),
            code,
            reading: question.reading_sha256.as_ref().map(|hash| hash.to_lowercase()),
            refused: false,
        };
        let asks = agency.node.name.as_str();
        let weighed = match looked {
            Looked::Weighed(weighed) => weighed,
            Looked::Refused(reason) => return refuse(answer, reason),
            Looked::Older => {
                let mut told = told(likeliest(question));
                let older =
                    "the case is older than the firearm with this code; look at the day of recovery again";
                let taken = self.memory.fishing.take(asks, &mut told);
                let _ = refuse(answer, taken.err().unwrap_or_else(|| older.to_owned()));
                return Some(told);
            }
            Looked::Delegated(to) => {
                answer.outcome = OutcomeName::Delegated;
                answer.statement = vec![format!("this issuer closed; {to} answers in its place")];
                answer.delegated_to = Some(to);
                return None;
            }
            Looked::Unreadable => return None,
        };
        let block = weighed.code().or_else(|| likeliest(question)).map(|code| code.prefix());
        let for_another = block.and_then(|block| match directory.route(block, now) {
            Route::Delegated { from, to } if to.node.name == self.node.config.name => Some(&from.node.name),
            _ => None,
        });
        if let Some(from) = for_another
            && block.is_some_and(|block| !self.houses.took_over(block))
        {
            tracing::error!(%from, "the directory delegates to this node, whose node.toml names no such books");
            answer.statement = vec![format!("the books of {from}, which closed, are not at this node yet")];
            return None;
        }
        let mut told = told(weighed.code());
        if let Err(reason) = self.memory.fishing.take(asks, &mut told) {
            let _ = refuse(answer, reason);
            return Some(told);
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
        Some(told)
    }

    /// What the dealer itself stated before: to the question before this one, or once and for all of this firearm.
    fn take_statement_of_dealer(&self, answer: &mut Answer, question: &Question) {
        let disclose = match &question.kind {
            QuestionKind::RetailReference { after, .. } => Some(*after),
            QuestionKind::Chain {} => None,
        };
        let before = disclose.and_then(|after| self.stated(after).ok().flatten());
        let stated = before.or_else(|| self.stated_of(answer).ok().flatten());
        if let Some(stated) = stated {
            apply(answer, &stated.disposition, (question.recovered_on, disclose.is_some()));
        }
    }

    /// Chain first, retail reference after.
    fn step_before(&self, question: &Question, agency: &AgencyCard) -> Result<Step, Problem> {
        let QuestionKind::RetailReference { after, .. } = &question.kind else { return Ok(Step::First) };
        let Some((by, answer)) = self.answered(*after)? else { return Ok(Step::Missing) };
        let same = by == agency.node.name.as_str() && answer.case_number == question.case_number;
        Ok(match answer.firearm {
            Some(firearm) if same => Step::After(Box::new(firearm)),
            _ => Step::Missing,
        })
    }
}

/// The likeliest code.
fn likeliest(question: &Question) -> Option<Code> {
    let likeliest = question.codes.iter().max_by(|a, b| a.posterior.total_cmp(&b.posterior));
    likeliest.map(|one| one.code)
}

fn refuse(answer: &mut Answer, reason: String) -> Option<Told> {
    answer.outcome = OutcomeName::NotAuthorised;
    answer.statement = vec![reason];
    None
}

/// How the books say that their chain ends at a licensee; not true any more once the licensee has spoken.
const ENDS_HERE: &str = "these books end at ";

/// Puts a dealer's own part at the end of a chain; the Form 4473 reference only when it was approved.
pub(super) fn apply(
    answer: &mut Answer,
    disposition: &DealerDisposition,
    (recovered_on, disclose): (Option<Date>, bool),
) {
    let Some(firearm) = &mut answer.firearm else { return };
    answer.pending = None;
    let until = |firearm: &mut FirearmAnswer, on: Date| {
        if let Some(link) = firearm.chain.last_mut() {
            link.until = Some(on);
        }
    };
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
            until(firearm, *on);
            if let (Some(day), "unknown") = (recovered_on, firearm.time_to_crime.as_str()) {
                let days = i64::from(on.until(day).map_or(0, |span| span.get_days()));
                let known = days >= 0;
                firearm.time_to_crime_days = known.then_some(days);
                if known { "known" } else { "before-sale" }.clone_into(&mut firearm.time_to_crime);
            }
            answer.outcome = OutcomeName::Found;
            answer.statement.retain(|line| !line.starts_with(ENDS_HERE));
            let reference = form.map_or_else(
                || ", Form 4473 reference withheld".to_owned(),
                |form| format!(", Form 4473 transaction {form}"),
            );
            answer.statement.push(format!("the dealer states a retail sale on {on}{reference}"));
        }
        DealerDisposition::Transferred { on, to, licence } => {
            firearm.end = json!({"end": "with-licensee", "holder": to, "licence": licence, "since": on, "stated_by": "dealer"});
            until(firearm, *on);
            answer.statement.retain(|line| !line.starts_with(ENDS_HERE));
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

/// Whether a dealer's part can be: not before it had the firearm, and not tomorrow.
///
/// # Errors
/// The reason in words.
pub(super) fn plausible(answer: &Answer, disposition: &DealerDisposition, today: Date) -> Result<(), String> {
    let (DealerDisposition::RetailSale { on, .. }
    | DealerDisposition::Transferred { on, .. }
    | DealerDisposition::InStock { on }) = disposition
    else {
        return Ok(());
    };
    let chain = answer.firearm.iter().flat_map(|firearm| &firearm.chain);
    if let Some(from) = chain.filter_map(|link| link.from).max().filter(|from| on < from) {
        return Err(format!("{on} lies before {from}, the day on which the firearm came to this dealer"));
    }
    // A clock may be a day behind.
    if *on > today.tomorrow().unwrap_or(today) {
        return Err(format!("{on} is in the future"));
    }
    Ok(())
}
