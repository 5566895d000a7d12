//! What may be told of a question: the step before, an issuer that closed, what the books say, and the limits.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use registry::{BooksError, CERTAIN, READ, TraceOutcome};
use symbology::Code;

use super::houses::Weighed;
use super::issuer::Issuer;
use super::statement::waits_for;
use crate::api::{AgencyCard, Answer, FirearmAnswer, NodeName, OutcomeName, Pending, Question, QuestionKind};
use crate::federation::{Asks, Directory, Route, Told, Unauthorised, authorise, to_books};
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
    /// A retail reference that is approved by who requested the chain.
    ByRequester,
}

impl Issuer {
    /// Looks a question up in the books, if it may be asked; one that was answered and is asked again counts no more.
    ///
    /// # Errors
    /// `no-log` when this node's records cannot be read.
    pub(super) async fn look(
        &self,
        question: &Question,
        agency: &AgencyCard,
        (directory, now): (&Directory, Timestamp),
        again: bool,
    ) -> Result<Looked, Problem> {
        if let Err(refusal) = authorise(question, agency) {
            return Ok(Looked::Refused(refusal.to_string()));
        }
        let before = match self.step_before(question, agency)? {
            Step::First => None,
            Step::After(firearm) => Some(firearm),
            Step::Missing => return Ok(Looked::Refused(Unauthorised::ChainFirst.to_string())),
            Step::ByRequester => return Ok(Looked::Refused(Unauthorised::AskedFirst.to_string())),
        };
        if before.is_none()
            && !again
            && let Err(reason) = self.memory.fishing.may_ask(agency.node.name.as_str(), &asks(question, now))
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
        let (asks, by) = (asks(question, now), agency.node.name.as_str());
        let weighed = match looked {
            Looked::Weighed(weighed) => weighed,
            Looked::Refused(reason) => return refuse(answer, reason),
            Looked::Older => {
                let mut told = asks.told(likeliest(question));
                let older =
                    "the case is older than the firearm with this code; look at the day of recovery again";
                let taken = self.memory.fishing.take(by, &asks, &mut told);
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
        let closed = match self.in_whose_place(&weighed, question, (directory, now)) {
            Ok(closed) => closed,
            Err(reason) => {
                answer.statement = vec![reason];
                return None;
            }
        };
        let mut told = asks.told(weighed.code());
        if let Err(reason) = self.memory.fishing.take(by, &asks, &mut told) {
            let _ = refuse(answer, reason);
            return Some(told);
        }
        self.tell(answer, (*weighed, closed), (directory, now), None);
        Some(told)
    }

    /// What may be told now of a question that waits for a dealer; nothing where that is what was told before, and where it may
    /// not be asked any more.
    ///
    /// # Errors
    /// As [`Issuer::look`].
    pub(super) async fn weigh_again(
        &self,
        given: &Answer,
        (question, agency): (&Question, &AgencyCard),
        (directory, now): (&Directory, Timestamp),
    ) -> Result<Option<Answer>, Problem> {
        let Looked::Weighed(weighed) = self.look(question, agency, (directory, now), true).await? else {
            return Ok(None);
        };
        let Ok(closed) = self.in_whose_place(&weighed, question, (directory, now)) else { return Ok(None) };
        let mut answer = Answer::blank(question, given.question_sha256.clone(), (&given.issuer, now));
        self.tell(&mut answer, (*weighed, closed), (directory, now), given.pending.as_ref());
        let news = Answer { answered_at: given.answered_at, ..answer.clone() } != *given;
        Ok(news.then_some(answer))
    }

    /// The issuer that closed and in whose place this one answers, where it does.
    ///
    /// # Errors
    /// In words, when its books are not here.
    fn in_whose_place(
        &self,
        weighed: &Weighed,
        question: &Question,
        (directory, now): (&Directory, Timestamp),
    ) -> Result<Option<NodeName>, String> {
        let Some(block) = weighed.code().or_else(|| likeliest(question)).map(|code| code.prefix()) else {
            return Ok(None);
        };
        let Route::Delegated { from, to } = directory.route(block, now) else { return Ok(None) };
        if to.node.name != self.node.config.name {
            return Ok(None);
        }
        let from = from.node.name.clone();
        if self.houses.took_over(block) {
            return Ok(Some(from));
        }
        tracing::error!(%from, "the directory delegates to this node, whose node.toml names no such books");
        Err(format!("the books of {from}, which closed, are not at this node yet"))
    }

    /// Fills in what the books say, and for whom it waits: since when it waits for that dealer is kept from `waited`.
    fn tell(
        &self,
        answer: &mut Answer,
        (weighed, closed): (Weighed, Option<NodeName>),
        (directory, now): (&Directory, Timestamp),
        waited: Option<&Pending>,
    ) {
        answer.take(&weighed.outcome, weighed.statement);
        if let Some(from) = closed {
            answer.statement.push(format!("delegated: {from} closed, and this issuer answers in its place"));
            answer.delegated_by = Some(from);
        }
        let TraceOutcome::ChainEnds(traced) = &weighed.outcome else { return };
        let Some(holder) = waits_for(&traced.chain, &weighed.issuer) else { return };
        let waited = waited.filter(|waited| waited.licence == holder.licence).map(|waited| waited.due);
        let due = waited.or_else(|| self.memory.pending.due(answer.question, &holder.licence));
        let due = due.unwrap_or_else(|| Question::due(now));
        if let Some((at, says)) = self.looked_for(&traced.firearm.key, (holder, &traced.chain)) {
            answer.statement.extend(says.sentence(holder));
            if Question::due(at) >= due {
                return;
            }
        }
        let can_answer = directory.dealer_of(&holder.licence).is_some();
        answer.pending = Some(Pending { licence: holder.licence.clone(), due, can_answer });
    }

    /// Chain first, retail reference after.
    fn step_before(&self, question: &Question, agency: &AgencyCard) -> Result<Step, Problem> {
        let QuestionKind::RetailReference { after, second_approver } = &question.kind else {
            return Ok(Step::First);
        };
        let Some((by, answer)) = self.answered(*after)? else { return Ok(Step::Missing) };
        if by != agency.node.name.as_str() || answer.case_number != question.case_number {
            return Ok(Step::Missing);
        }
        let Some(firearm) = answer.firearm else { return Ok(Step::Missing) };
        let Some(first) = self.asked(*after)?.filter(|first| is_the_same(first, question)) else {
            return Ok(Step::Missing);
        };
        // Two people for each step, and of four places nobody may stand on both sides.
        if second_approver.is(&first.requester) {
            return Ok(Step::ByRequester);
        }
        Ok(if first.approver.is(&question.approver) { Step::After(Box::new(firearm)) } else { Step::Missing })
    }
}

/// Whether a second step asks for what the first was approved for: the same reading in the same case, as urgent and for the same
/// reason.
fn is_the_same(first: &Question, second: &Question) -> bool {
    let of = |question: &Question| {
        let Question { ori, crime_code, priority, reason, reading_sha256, recovered_on, parts, .. } =
            question.clone();
        let reading = reading_sha256.map(|hash| hash.to_lowercase());
        (ori, crime_code, priority, reason, reading, recovered_on, parts)
    };
    let known = |code| first.codes.contains(code);
    // It names who approved the first step; whoever asked that does not approve the second.
    let QuestionKind::RetailReference { second_approver, .. } = &second.kind else { return false };
    let persons = second.approver.is(&first.approver) && !second_approver.is(&first.requester);
    persons
        && of(first) == of(second)
        && first.codes.len() == second.codes.len()
        && second.codes.iter().all(known)
}

/// What limits are held against: the books tell of a firearm only by a code that the reading itself makes likely enough.
fn asks(question: &Question, now: Timestamp) -> Asks {
    let at_least =
        |share: f64| question.codes.iter().filter(move |one| one.posterior >= share).map(|one| one.code);
    Asks {
        at: now,
        case: question.case_number.clone(),
        reading: question.reading_sha256.as_ref().map(|hash| hash.to_lowercase()),
        firearms: at_least(READ).collect(),
        certain: at_least(CERTAIN).next(),
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
