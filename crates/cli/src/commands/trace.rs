//! `trace`: a reading becomes a firearm and its chain.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{CaseNumber, CrimeCode, Ori, Person, Reason};
use registry::{
    Books, CandidateCode, Link, Part, Priority, RetailSale, SecondStep, TimeToCrime, TraceAnswer,
    TraceOutcome, TraceRequest, Traced,
};
use serde::Deserialize;
use serde_json::{Value, json};
use server::api::WrittenCode;
use sha2::{Digest as _, Sha256};
use symbology::Scheme;
use uuid::Uuid;

use super::books::{failure, open, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Codes, each with its posterior where it is not certain: `K73M XPKA` or `"K73M XPKA=0.97"`.
    #[arg(value_name = "CODE[=P]", required_unless_present = "reading")]
    codes: Vec<String>,
    /// A reading as `read --json` printed it, in place of codes; its hash goes into the question.
    #[arg(long, value_name = "FILE", conflicts_with = "codes")]
    reading: Option<PathBuf>,
    /// Scheme in which the codes are written: open-1 for firearms, round-1 for ammunition.
    #[arg(long, default_value = "open-1", value_name = "NAME")]
    scheme: String,
    /// An issuer's folder on this machine; several may be named, and the one whose block it is answers.
    #[arg(long, value_name = "DIR", required_unless_present = "agency")]
    local: Vec<PathBuf>,
    /// Ask the issuers of the directory through this agency's node: its folder. A running node takes questions from here only
    /// if it was made with `--programs-ask`; otherwise people ask at its desk.
    #[arg(long, value_name = "DIR", conflicts_with = "local", requires_all = ["crime_code", "approver"])]
    pub(super) agency: Option<PathBuf>,
    /// Take the directory from this file or address instead of where the node usually does.
    #[arg(long, value_name = "FILE|URL", requires = "agency")]
    pub(super) directory: Option<String>,
    /// Ask for the Form 4473 reference of the sale at which this question ended, by its number as `trace` told it.
    #[arg(long, value_name = "QUESTION", requires_all = ["approver", "second_approver"])]
    pub(super) after: Option<Earlier>,
    /// Who approved that step, in a second approval.
    #[arg(long, value_name = "PERSON", requires = "after")]
    pub(super) second_approver: Option<Person>,
    /// The agency's ORI number.
    #[arg(long)]
    ori: Ori,
    /// The agency's case number.
    #[arg(long = "case", value_name = "NUMBER")]
    case_number: CaseNumber,
    /// Why it is asked.
    #[arg(long)]
    reason: Reason,
    /// Who asks.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    requester: Person,
    /// Who approved the question; another person than the requester. Without approval the chain alone is told.
    #[arg(long, value_name = "PERSON")]
    approver: Option<Person>,
    /// NCIC code of the crime, four digits.
    #[arg(long, value_name = "NNNN")]
    crime_code: Option<CrimeCode>,
    /// Ask urgently, for this reason.
    #[arg(long, value_name = "REASON")]
    urgent: Option<Reason>,
    /// Day on which the case was recovered.
    #[arg(long, value_name = "DATE")]
    recovered_on: Option<Date>,
    /// The part whose mark was read, firing-pin or breech-face; both where both were. It tells the firearm where parts with one
    /// code came to be in different firearms.
    #[arg(long = "part", value_name = "PART")]
    parts: Vec<Part>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// The question to which another is the second step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Earlier {
    /// One that went through a federation.
    Node(Uuid),
    /// A record of books on this machine.
    Books(u64),
}

impl FromStr for Earlier {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().map(Self::Books).ok();
        number
            .or_else(|| text.parse().map(Self::Node).ok())
            .ok_or("a question is named by its number or its UUID")
    }
}

/// The scheme of serialised ammunition.
const ROUNDS: &str = "round-1";
/// How far the printed probabilities of a reading may be from 1 together.
const ROUNDING: f64 = 1e-6;

/// The part of `microstamp.reading/1` that a question needs.
#[derive(Deserialize)]
struct ReadingFile {
    schema: String,
    #[serde(default)]
    scheme: String,
    outcome: String,
    candidates: Vec<CandidateLine>,
    /// Probability of everything that is not listed.
    other: f64,
}

#[derive(Deserialize)]
struct CandidateLine {
    code: WrittenCode,
    posterior: f64,
}

/// Asks and prints the answer. Exit code 1 when no single firearm was found.
pub(crate) fn trace(arguments: &Trace) -> Result<Exit, Failure> {
    wait(async {
        let request = request(arguments)?;
        if let Some(folder) = &arguments.agency {
            return super::ask::ask(folder, arguments, request).await;
        }
        let books = owner(arguments, &request).await?;
        let answer = match second_step(arguments)? {
            Some(step) => books.trace_reference(&request, &step, Timestamp::now()).await,
            None => books.trace(&request, Timestamp::now()).await,
        };
        let answer = answer.map_err(failure)?;
        books.close().await;
        if arguments.json {
            files::print_line(answer_json(&answer))?;
        } else {
            for line in &answer.statement {
                files::print_line(line)?;
            }
            let [question, told] = answer.log_entries;
            let places = format!("entries {question} and {told} of log {}", answer.log);
            files::remark(format!("question {} of these books; {places}", answer.question));
        }
        Ok(match answer.outcome {
            TraceOutcome::Found(_) | TraceOutcome::ChainEnds(_) => Exit::Done,
            _ => Exit::Negative,
        })
    })
}

/// The second step, where it is one.
fn second_step(arguments: &Trace) -> Result<Option<SecondStep>, Failure> {
    match (arguments.after, &arguments.second_approver) {
        (Some(Earlier::Books(after)), Some(second)) => {
            Ok(Some(SecondStep { after, approver: second.clone() }))
        }
        (Some(Earlier::Node(_)), _) => Err(Exit::BadInput
            .because("a question to books on this machine has a plain number, as `trace` told it")),
        _ => Ok(None),
    }
}

fn request(arguments: &Trace) -> Result<TraceRequest, Failure> {
    let (codes, reading_sha256) = if let Some(file) = &arguments.reading {
        let bytes = files::read(file)?;
        let codes = codes_read(&bytes).map_err(|reason| {
            Exit::BadInput.because(format!("`{}` cannot be asked: {reason}", file.display()))
        })?;
        (codes, Some(hex::encode(Sha256::digest(&bytes))))
    } else {
        let scheme = Scheme::by_name(&arguments.scheme).or_exit(Exit::BadInput, "cannot ask")?;
        let codes = arguments.codes.iter().map(|text| candidate(&scheme, text));
        let codes: Vec<CandidateCode> = codes.collect::<Result<_, _>>()?;
        let sum: f64 = codes.iter().map(|candidate| candidate.posterior).sum();
        if sum > 1.0 + ROUNDING {
            let what = format!("the codes' posteriors add up to {sum}, more than 1");
            return Err(
                Exit::BadInput.because(format!("{what}\nhint: give each its own, as in `K73MXPKA=0.7`"))
            );
        }
        (codes, None)
    };
    Ok(TraceRequest {
        codes,
        reading_sha256,
        ori: arguments.ori.clone(),
        case_number: arguments.case_number.clone(),
        crime_code: arguments.crime_code.clone(),
        priority: arguments.urgent.clone().map_or(Priority::Routine, Priority::Urgent),
        reason: arguments.reason.clone(),
        requester: arguments.requester.clone(),
        approver: arguments.approver.clone(),
        recovered_on: arguments.recovered_on,
        parts: arguments.parts.clone(),
    })
}

/// The candidates of a reading that has some: what `read` calls unreadable or no mark is no ground to ask about anybody.
fn codes_read(bytes: &[u8]) -> Result<Vec<CandidateCode>, String> {
    let reading: ReadingFile =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not one reading: {error}"))?;
    if reading.schema != "microstamp.reading/1" {
        return Err(format!("its schema is `{}`, not `microstamp.reading/1`", reading.schema));
    }
    if !matches!(reading.outcome.as_str(), "accepted" | "candidates") {
        return Err(format!("its outcome is `{}`, so that it names no code", reading.outcome));
    }
    let all = || reading.candidates.iter().map(|one| one.posterior).chain([reading.other]);
    let sum: f64 = all().sum();
    if all().any(|share| !(0.0..=1.0).contains(&share)) || (sum - 1.0).abs() > ROUNDING {
        return Err(format!("its candidates and `other` add up to {sum}, not to 1"));
    }
    let likely = reading.candidates.iter().filter(|one| one.posterior > 0.0);
    Ok(likely.map(|one| CandidateCode { code: one.code.code, posterior: one.posterior }).collect())
}

/// Whether the codes are those of rounds, whose check characters are others: of a reading, what it says itself.
pub(super) fn on_rounds(arguments: &Trace) -> Result<bool, Failure> {
    let Some(file) = &arguments.reading else { return Ok(arguments.scheme == ROUNDS) };
    let reading = serde_json::from_slice::<ReadingFile>(&files::read(file)?);
    Ok(reading.is_ok_and(|reading| reading.scheme == ROUNDS))
}

fn candidate(scheme: &Scheme, text: &str) -> Result<CandidateCode, Failure> {
    let (code, posterior) = text.split_once('=').unwrap_or((text, "1"));
    let code = scheme.code(code).or_exit(Exit::BadInput, "cannot ask")?;
    let number = posterior.trim().parse().ok().filter(|number| *number > 0.0 && *number <= 1.0);
    let number = number.ok_or_else(|| {
        let range = "a posterior is more than 0 and at most 1";
        Exit::BadInput.because(format!("`{posterior}` is no probability of a code\nhint: {range}"))
    })?;
    Ok(CandidateCode { code, posterior: number })
}

/// The books that own the likeliest code's block, or the first ones, which then say that it is not theirs.
async fn owner(arguments: &Trace, request: &TraceRequest) -> Result<Books, Failure> {
    let likeliest = request.codes.iter().max_by(|a, b| a.posterior.total_cmp(&b.posterior));
    let prefix = likeliest.map(|candidate| candidate.code.prefix());
    let mut first = None;
    for folder in &arguments.local {
        let books = open(folder).await?;
        let blocks = books.blocks().await.map_err(failure)?;
        if blocks.iter().any(|block| Some(block.prefix) == prefix) {
            return Ok(books);
        }
        first.get_or_insert(books);
    }
    first.ok_or_else(|| Exit::BadInput.because("name an issuer's folder with --local"))
}

/// An answer as JSON, schema `microstamp.trace/1`; also what the demo keeps.
pub(crate) fn answer_json(answer: &TraceAnswer) -> Value {
    let mut object = json!({
        "schema": "microstamp.trace/1",
        "case_number": answer.case_number,
        "question": answer.question,
        "answered_at": answer.answered_at,
        "outcome": null,
        "firearm": null,
        "chain": null,
        "time_to_crime_days": null,
        "statement": answer.statement,
        "log": {"origin": answer.log, "question": answer.log_entries[0], "answer": answer.log_entries[1]},
    });
    let fields = match &answer.outcome {
        TraceOutcome::Found(traced) => traced_json("found", traced),
        TraceOutcome::ChainEnds(traced) => traced_json("chain-ends", traced),
        TraceOutcome::PartNotFitted { code, parts } => {
            let parts: Vec<&str> = parts.iter().map(|part| part.part.as_str()).collect();
            json!({"outcome": "part-not-fitted", "code": code, "parts": parts})
        }
        TraceOutcome::InSeveralFirearms { code, parts } => {
            json!({"outcome": "in-several-firearms", "code": code, "parts": parts})
        }
        TraceOutcome::Ambiguous { issued, elsewhere } => {
            json!({"outcome": "ambiguous", "issued": issued, "elsewhere": elsewhere})
        }
        TraceOutcome::NotIssued { codes } => json!({"outcome": "not-issued", "codes": codes}),
        TraceOutcome::NotOurs { elsewhere, not_issued } => {
            json!({"outcome": "not-ours", "elsewhere": elsewhere, "not_issued": not_issued})
        }
    };
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

fn traced_json(outcome: &str, traced: &Traced) -> Value {
    let (days, note) = match &traced.time_to_crime {
        TimeToCrime::Days(days) => (Some(*days), "known"),
        TimeToCrime::SuppressedByLoss(_) => (None, "suppressed-by-loss"),
        TimeToCrime::BeforeSale => (None, "before-sale"),
        TimeToCrime::NotWithABuyer => (None, "not-with-a-buyer"),
        TimeToCrime::Unknown => (None, "unknown"),
    };
    json!({
        "outcome": outcome,
        "code": traced.code,
        "posterior": traced.posterior,
        "posterior_given_issued": traced.posterior_given_issued,
        "firearm": traced.firearm,
        "parts": traced.parts,
        "chain": traced.chain.links.iter().map(link_json).collect::<Vec<_>>(),
        "chain_end": server::api::chain_end(&traced.chain.end),
        "later": traced.chain.beyond.later,
        "not_issued": traced.not_issued,
        "first_sale": traced.chain.first_sale.as_ref().map(sale_json),
        "reference_withheld": traced.reference_withheld,
        "time_to_crime_days": days,
        "time_to_crime": note,
    })
}

fn link_json(link: &Link) -> Value {
    json!({
        "role": link.role, "name": link.licensee.name, "licence": link.licensee.licence,
        "from": link.from, "until": link.until,
    })
}

fn sale_json(sale: &RetailSale) -> Value {
    json!({"dealer": sale.dealer.name, "licence": sale.dealer.licence, "on": sale.on, "form_4473": sale.form_4473})
}
