//! What the laboratory reads and what the issuers answer.

use std::path::Path;

use jiff::Timestamp;
use reader::{Outcome, ReadOptions, Reading};
use registry::{
    Books, BooksError, CandidateCode, ChainEnd, Priority, SecondStep, TimeToCrime, TraceAnswer, TraceOutcome,
    TraceRequest, Traced,
};
use symbology::{Code, Scheme};

use crate::commands::read;
use crate::demo::evidence::Exhibit;
use crate::demo::world::{Maker, RECOVERED_ON, parsed};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::surfaces::{self, Loaded};
use crate::wire::reading::ReadingJson;
use crate::{files, progress};

/// What one case says by itself.
pub(crate) struct Alone {
    /// The files, read.
    pub(crate) inputs: Vec<Loaded>,
    /// Their reading.
    pub(crate) reading: Reading,
}

/// What the cases that carry one code say together, and what its issuer answered.
pub(crate) struct Together {
    /// Which exhibits, by their order.
    pub(crate) exhibits: Vec<usize>,
    /// Their reading.
    pub(crate) reading: Reading,
    /// The issuer's answer, when there was something to ask.
    pub(crate) answer: Option<TraceAnswer>,
}

/// Reads every exhibit by itself and leaves the reading beside it.
pub(crate) fn read_alone(exhibits: &[Exhibit], folder: &Path) -> Result<Vec<Alone>, Failure> {
    let options = ReadOptions::new(Scheme::open_1());
    let bar = progress::bar(exhibits.len() as u64, "reading the cases");
    let mut readings = Vec::new();
    for exhibit in exhibits {
        let inputs =
            exhibit.inputs.iter().map(|file| surfaces::load(file, None)).collect::<Result<Vec<_>, _>>()?;
        let shown: Vec<&Loaded> = inputs.iter().collect();
        let answer = read::answer_plainly(&shown, &options)?;
        save(&inputs, &answer.reading, &folder.join(format!("{}.reading.json", exhibit.shot.exhibit)))?;
        let overlay = folder.join(format!("{}.overlay.png", exhibit.shot.exhibit));
        read::draw_overlay(&shown, &answer, &overlay)?;
        let reading = answer.reading;
        readings.push(Alone { inputs, reading });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(readings)
}

/// Those of the exhibits that the reader finds to carry one code: the largest such group. Nothing but the cases decides.
pub(crate) fn of_one_code(exhibits: &[usize], alone: &[Alone]) -> Result<Vec<usize>, Failure> {
    let owners: Vec<usize> =
        exhibits.iter().flat_map(|&exhibit| alone[exhibit].inputs.iter().map(move |_| exhibit)).collect();
    let inputs: Vec<&Loaded> = exhibits.iter().flat_map(|&exhibit| &alone[exhibit].inputs).collect();
    let reading = fuse(&inputs, &ReadOptions::new(Scheme::open_1()))?;
    let explained = |exhibit: usize| {
        owners
            .iter()
            .enumerate()
            .any(|(input, &owner)| owner == exhibit && !reading.left_out.contains(&input))
    };
    Ok(exhibits.iter().copied().filter(|&exhibit| explained(exhibit)).collect())
}

/// Reads exhibits as one question.
pub(crate) fn read_together(members: &[usize], alone: &[Alone], file: &Path) -> Result<Reading, Failure> {
    let inputs: Vec<&Loaded> = members.iter().flat_map(|&member| &alone[member].inputs).collect();
    let reading = fuse(&inputs, &ReadOptions::new(Scheme::open_1()))?;
    let json = serde_json::to_string_pretty(&ReadingJson::of(&inputs, &reading))
        .or_exit(Exit::Environment, "cannot write JSON")?;
    files::write(file, json.as_bytes())?;
    Ok(reading)
}

fn fuse(inputs: &[&Loaded], options: &ReadOptions) -> Result<Reading, Failure> {
    Ok(read::answer_plainly(inputs, options)?.reading)
}

fn save(inputs: &[Loaded], reading: &Reading, file: &Path) -> Result<(), Failure> {
    let inputs: Vec<&Loaded> = inputs.iter().collect();
    let json = serde_json::to_string_pretty(&ReadingJson::of(&inputs, reading))
        .or_exit(Exit::Environment, "cannot write JSON")?;
    files::write(file, json.as_bytes())
}

/// Asks every issuer in turn until one knows the code. (A directory of prefixes will name the one to ask.)
pub(crate) async fn trace(
    reading: &Reading,
    makers: &[Maker],
    now: Timestamp,
    file: &Path,
) -> Result<Option<TraceAnswer>, Failure> {
    if !matches!(reading.outcome, Outcome::Accepted | Outcome::Candidates) {
        return Ok(None);
    }
    let request = request(reading)?;
    let mut last = None;
    for maker in makers {
        let answer = ask(&maker.books, &request, now).await.or_exit(Exit::Environment, "cannot trace")?;
        let elsewhere = matches!(answer.outcome, TraceOutcome::NotOurs { .. });
        last = Some(answer);
        if !elsewhere {
            break;
        }
    }
    if let Some(answer) = &last {
        let json = serde_json::to_string_pretty(answer).or_exit(Exit::Environment, "cannot write JSON")?;
        files::write(file, json.as_bytes())?;
    }
    Ok(last)
}

/// The chain, and in a second step the reference of the sale at which it ended.
async fn ask(books: &Books, request: &TraceRequest, now: Timestamp) -> Result<TraceAnswer, BooksError> {
    let answer = books.trace(request, now).await?;
    let withheld = traced(&answer.outcome).is_some_and(|traced| traced.reference_withheld);
    match request.approver.clone().filter(|_| withheld) {
        Some(approver) => {
            books.trace_reference(request, &SecondStep { after: answer.question, approver }, now).await
        }
        None => Ok(answer),
    }
}

fn request(reading: &Reading) -> Result<TraceRequest, Failure> {
    let candidates = reading.candidates.iter().map(|candidate| {
        let code: Code = parsed(&candidate.code)?;
        Ok(CandidateCode { code, posterior: candidate.posterior })
    });
    Ok(TraceRequest {
        codes: candidates.collect::<Result<_, Failure>>()?,
        reading_sha256: None,
        ori: parsed("ZZ0000000")?,
        case_number: parsed("DEMO-2026-0914")?,
        crime_code: Some(parsed("1305")?),
        priority: Priority::Routine,
        reason: parsed("synthetic demonstration: cases of two scenes")?,
        requester: parsed("examiner-1 (synthetic)")?,
        approver: Some(parsed("supervisor-1 (synthetic)")?),
        recovered_on: Some(RECOVERED_ON),
        parts: Vec::new(),
    })
}

/// The firearm of an answer, in a few words.
pub(crate) fn firearm(answer: &TraceAnswer) -> String {
    traced(&answer.outcome).map_or_else(
        || answer.statement.first().cloned().unwrap_or_default(),
        |traced| format!("{} {}", traced.firearm.key.model, traced.firearm.key.serial),
    )
}

/// The chain of an answer, in a few words.
pub(crate) fn chain(answer: &TraceAnswer) -> String {
    let Some(traced) = traced(&answer.outcome) else { return String::new() };
    let links: Vec<_> = traced.chain.links.iter().map(|link| link.licensee.name.to_string()).collect();
    let end = match &traced.chain.end {
        ChainEnd::RetailSale(sale) => match &sale.form_4473 {
            Some(form) => format!("Form {form}"),
            None => "Form 4473 withheld".to_owned(),
        },
        ChainEnd::Lost { on, loss, .. } => format!("stolen {on}, incident {}", loss.incident),
        other => format!("{other:?}"),
    };
    format!("{} → {end}", links.join(" → "))
}

/// Time to crime, in a few words.
pub(crate) fn time_to_crime(answer: &TraceAnswer) -> String {
    match traced(&answer.outcome).map(|traced| &traced.time_to_crime) {
        Some(TimeToCrime::Days(days)) => format!("{days} days"),
        Some(TimeToCrime::SuppressedByLoss(_)) => "not told: reported stolen".to_owned(),
        Some(TimeToCrime::NotWithABuyer) => "not told: no longer with a buyer".to_owned(),
        Some(TimeToCrime::BeforeSale) => "before the sale: a date is wrong".to_owned(),
        Some(TimeToCrime::Unknown) | None => "unknown".to_owned(),
    }
}

fn traced(outcome: &TraceOutcome) -> Option<&Traced> {
    match outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => Some(traced),
        _ => None,
    }
}
