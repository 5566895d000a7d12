//! The reference of a sale is told in a second step: the chain first, and somebody's approval for each.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::books::Books;
use crate::chain::{Chain, ChainEnd, RetailSale};
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::names::Person;
use crate::store::RecordRow;
use crate::trace::{TraceAnswer, TraceOutcome, TraceRequest, Traced, check};

/// Records between a question and its answer at most: questions that arrive together are answered together.
const TOGETHER: i64 = 1_000;

/// The largest number that a record of the log holds: 2^53 - 1.
const MOST_RECORDS: u64 = (1 << 53) - 1;

/// What it takes, beside the question, to be told the reference of the sale at which a chain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondStep {
    /// Number of the question that told the chain: of the same requester, in the same case, with the same crime code, reading, day
    /// of recovery, priority and reason, approved by somebody else.
    pub after: u64,
    /// Who approved this step too; another person than the requester.
    pub approver: Person,
}

impl Books {
    /// Asks the question once more, for the reference of the retail sale (or the sale record of a box): told when the question
    /// that the step names told the chain of the same firearm, and the step was approved as well. Both questions and both answers
    /// are in the log.
    ///
    /// # Errors
    /// As [`Books::trace`]; [`Refusal::Request`] also where no approved question of this requester in this case told the chain
    /// of this firearm before, and where requester and approver are one person.
    pub async fn trace_reference(
        &self,
        request: &TraceRequest,
        step: &SecondStep,
        now: Timestamp,
    ) -> Result<TraceAnswer, BooksError> {
        check(request, encode::today(now))?;
        if step.approver.is(&request.requester) {
            return Err(one_person().into());
        }
        if step.after > MOST_RECORDS {
            return Err(not_told(step.after).into());
        }
        self.ask(request, Some(step), now).await
    }

    /// Refuses an outcome that tells of another firearm than the earlier question did, and a question that nobody approved.
    pub(crate) async fn was_told_before(
        &self,
        request: &TraceRequest,
        step: &SecondStep,
        outcome: &TraceOutcome,
    ) -> Result<(), BooksError> {
        let (TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced)) = outcome else { return Ok(()) };
        let after = step.after as i64;
        let records = self.store.read().await?.records(after - 1, TOGETHER).await?;
        let logged = |kind: &str| {
            let kind = kind.to_owned();
            records.iter().filter(move |record| record.kind == kind && record.log_index.is_some())
        };
        let asked = logged("trace").find(|record| record.record_id == after).and_then(body);
        let answered = logged("answer").filter_map(body).find(|answer| answer["question"] == step.after);
        let same = asked.is_some_and(|asked| is_same_question(&asked, request))
            && answered.is_some_and(|answer| is_same_firearm(&answer["answer"], traced));
        if same {
            return Ok(());
        }
        Err(not_told(step.after).into())
    }
}

fn not_told(after: u64) -> Refusal {
    let what = format!(
        "question {after} is no approved question of this requester in this case, on this reading, that told the chain of this firearm"
    );
    let hint = "ask for the chain first, with somebody's approval, and name that question, with its priority and its reason";
    Refusal::Request { what, hint }
}

/// What is said to whoever approves the own question.
pub(crate) fn one_person() -> Refusal {
    let what = "requester and approver are the same person, or have names that look alike".to_owned();
    Refusal::Request { what, hint: "someone else must approve" }
}

/// What the record of a second step says beside the question.
pub(crate) fn step_record(step: &SecondStep) -> Value {
    json!({"after": step.after, "approver": step.approver})
}

fn body(record: &RecordRow) -> Option<Value> {
    serde_json::from_str(&record.body).ok()
}

fn is_same_question(asked: &Value, request: &TraceRequest) -> bool {
    let person = |name: &str| asked[name].as_str().and_then(|name| name.parse::<Person>().ok());
    let requester = person("requester").is_some_and(|requester| requester.is(&request.requester));
    let approved = person("approver").is_some_and(|approver| !approver.is(&request.requester));
    // What was approved is this case, this crime and this reading, as urgent as it was and for the reason that was given.
    let of_this = json!(request);
    let fields =
        ["case_number", "ori", "crime_code", "reading_sha256", "recovered_on", "parts", "priority", "reason"];
    requester && approved && fields.iter().all(|field| asked[field] == of_this[field])
}

fn is_same_firearm(told: &Value, traced: &Traced) -> bool {
    let (firearm, key) = (&told["firearm"], &traced.firearm.key);
    told["code"] == traced.code.to_string()
        && firearm["licence"] == key.licence.as_str()
        && firearm["model"] == key.model.as_str()
        && firearm["serial"] == key.serial.as_str()
        && is_same_sale(&told["chain"], &traced.chain)
}

/// Whether the chain ends at the sale that was told, and approved, or tells the reference of it where the buyer lost the firearm since; the
/// reference of another must be asked for by itself.
fn is_same_sale(told: &Value, now: &Chain) -> bool {
    let same = |told: &Value, sale: &RetailSale| {
        told["dealer"]["licence"] == sale.dealer.licence.as_str() && told["on"] == json!(sale.on)
    };
    match (&now.end, &now.first_sale) {
        (ChainEnd::RetailSale(sale), _) => told["end"]["end"] == "retail-sale" && same(&told["end"], sale),
        (_, Some(sale)) if sale.form_4473.is_some() && !same(&told["first_sale"], sale) => false,
        _ => told["end"]["end"] != "retail-sale",
    }
}
