//! Questions that arrive together are entered together: one flush of table and log for all of them, and one for their
//! answers.
//!
//! Whoever gets hold of the ledger first serves everybody who waits. When it goes away half way, the others ask again;
//! the log then holds a question more, never an answer less.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::books::Books;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::ledger::{self, Ledger};
use crate::second_step::{SecondStep, step_record};
use crate::store::RecordRow;
use crate::trace::{TraceAnswer, TraceOutcome, TraceRequest, answer_record, question_record};
use crate::wording;

/// Questions entered together at most: what the reader of one answer waits for the others.
const TOGETHER: usize = 256;

/// Questions that wait for whoever holds the ledger.
#[derive(Default)]
pub(crate) struct Desk {
    waiting: Mutex<Vec<Question>>,
}

struct Question {
    request: TraceRequest,
    step: Option<SecondStep>,
    now: Timestamp,
    tell: oneshot::Sender<Result<TraceAnswer, BooksError>>,
}

impl Desk {
    fn put(
        &self,
        request: &TraceRequest,
        step: Option<&SecondStep>,
        now: Timestamp,
    ) -> oneshot::Receiver<Result<TraceAnswer, BooksError>> {
        let (tell, told) = oneshot::channel();
        let question = Question { request: request.clone(), step: step.cloned(), now, tell };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(question);
        told
    }

    fn take(&self) -> Vec<Question> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<Question> = Vec::new();
        // Whoever asked and went away is not asked for.
        waiting.retain(|question| !question.tell.is_closed());
        let count = waiting.len().min(TOGETHER);
        taken.extend(waiting.drain(..count));
        taken
    }
}

impl Books {
    /// Puts a question on the desk and waits for its answer, serving the desk when nobody else does.
    pub(crate) async fn ask(
        &self,
        request: &TraceRequest,
        step: Option<&SecondStep>,
        now: Timestamp,
    ) -> Result<TraceAnswer, BooksError> {
        let mut told = self.desk.put(request, step, now);
        loop {
            tokio::select! {
                biased;
                answer = &mut told => match answer {
                    Ok(answer) => return answer,
                    Err(_) => told = self.desk.put(request, step, now),
                },
                mut ledger = self.ledger.lock() => self.serve(&mut ledger).await,
            }
        }
    }

    async fn serve(&self, ledger: &mut Ledger) {
        let questions = self.desk.take();
        if questions.is_empty() {
            return;
        }
        match self.answer_all(ledger, &questions).await {
            Ok(answers) => {
                for (question, answer) in questions.into_iter().zip(answers) {
                    // Whoever went away has its answer in the log.
                    let _ = question.tell.send(answer);
                }
            }
            Err(error) => {
                for question in questions {
                    let _ = question.tell.send(Err(error.again()));
                }
            }
        }
    }

    /// Enters questions, opens the books, enters the answers.
    async fn answer_all(
        &self,
        ledger: &mut Ledger,
        questions: &[Question],
    ) -> Result<Vec<Result<TraceAnswer, BooksError>>, BooksError> {
        let new = |question: &Question| {
            let mut body = question_record(&question.request);
            if let (Some(step), Value::Object(body)) = (&question.step, &mut body) {
                body.insert("second_step".to_owned(), step_record(step));
            }
            ledger::new_record("trace", &body, question.now)
        };
        let mut records = questions.iter().map(new).collect::<Result<Vec<_>, _>>()?;
        let asked = self.enter_all(ledger, &mut records, &[]).await?;
        let mut outcomes = Vec::with_capacity(questions.len());
        for question in questions {
            outcomes.push(match self.outcome(question).await {
                Err(BooksError::Refused(refusal)) => Err(refusal),
                done => Ok(done?),
            });
        }
        let mut answers = Vec::with_capacity(questions.len());
        let mut answer_records = Vec::with_capacity(questions.len());
        for ((question, record), outcome) in questions.iter().zip(&records).zip(outcomes) {
            let (answer, record) = self.answer(&question.request, question.now, record, outcome)?;
            answers.push(answer);
            answer_records.push(record);
        }
        let given = self.enter_all(ledger, &mut answer_records, &asked).await?;
        self.effect_of(&given).await?.commit().await?;
        let places = asked.iter().zip(&given).map(|(asked, given)| [asked.1 as u64, given.1 as u64]);
        for (answer, places) in answers.iter_mut().zip(places) {
            if let Ok(answer) = answer {
                answer.log_entries = places;
            }
        }
        Ok(answers)
    }

    /// What the books say to one question; a reference only in the second step.
    async fn outcome(&self, question: &Question) -> Result<TraceOutcome, BooksError> {
        let Question { request, step, now, .. } = question;
        let outcome = self.resolve(request, encode::today(*now), step.is_some()).await?;
        if let Some(step) = step {
            self.was_told_before(request, step, &outcome).await?;
        }
        Ok(outcome)
    }

    /// The answer to one question and its record; log entries are still to come.
    fn answer(
        &self,
        request: &TraceRequest,
        now: Timestamp,
        question: &RecordRow,
        outcome: Result<TraceOutcome, Refusal>,
    ) -> Result<(Result<TraceAnswer, BooksError>, RecordRow), BooksError> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(refusal) => {
                let body = json!({"question": question.record_id, "refused": refusal.to_string()});
                return Ok((Err(refusal.into()), ledger::new_record("answer", &body, now)?));
            }
        };
        let answer = TraceAnswer {
            question: question.record_id as u64,
            case_number: request.case_number.clone(),
            answered_at: now,
            statement: wording::statement(&outcome, request),
            outcome,
            log: self.keys.log_verifier.name().to_owned(),
            log_entries: [0, 0],
        };
        let record = ledger::new_record("answer", &answer_record(&answer)?, now)?;
        Ok((Ok(answer), record))
    }
}
