//! The court bundle: made through an agency's node, verified offline.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use server::access::Role;
use server::api::{NodeName, Question};
use server::federation::Message;
use server::roles::Agency;
use server::{Clock, CourtApproval, CourtBundle, CourtReport, CourtStep, Node};
use transparency::{Approval, VerifierKey};
use uuid::Uuid;

use super::ask::running;
use super::audit::witnesses;
use super::books::wait;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// How a court bundle begins.
pub(super) const HEADER: &[u8] = b"microstamp.court/";

/// Arguments of `audit court`.
#[derive(Debug, Args)]
pub(super) struct Court {
    /// The agency's folder; its node may be running or not.
    #[arg(long, value_name = "DIR")]
    agency: PathBuf,
    /// Number of the question, as `trace` printed it.
    #[arg(long)]
    question: Uuid,
    /// The issuer whose answer is wanted, when several were asked.
    #[arg(long, value_name = "NAME")]
    issuer: Option<NodeName>,
    /// The bundle; `-` for standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Collects request, answer, signatures, proofs and cosigned checkpoints of both logs into one file.
pub(super) fn court(arguments: &Court) -> Result<Exit, Failure> {
    wait(async {
        let node = Node::open(&arguments.agency).or_exit(Exit::BadInput, "cannot open the agency's node")?;
        let bytes = match running(&node).await {
            Some(client) => {
                let token = node.token().or_exit(Exit::Environment, "cannot ask the node")?;
                let mut target = format!("{}/agency/v1/court/{}", node.config.url, arguments.question);
                if let Some(issuer) = &arguments.issuer {
                    target = format!("{target}?issuer={issuer}");
                }
                let message =
                    Message::request("GET", &target).with("authorization", &format!("Bearer {token}"));
                let answer = client.send(&message, Vec::new()).await;
                let (answer, bytes) = answer.or_exit(Exit::Environment, "cannot ask the node")?;
                if answer.start != server::federation::Start::Answer(200) {
                    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                    return Err(
                        Exit::Environment.because(problem["detail"].as_str().unwrap_or("the node refused"))
                    );
                }
                bytes
            }
            None => by_itself(arguments).await?,
        };
        files::write_private(&arguments.output, &bytes)?;
        Ok(Exit::Done)
    })
}

async fn by_itself(arguments: &Court) -> Result<Vec<u8>, Failure> {
    let agency = Agency::open(&arguments.agency, Clock::default())
        .or_exit(Exit::Environment, "cannot open the agency's node")?;
    let _ = agency.directory.renew(Timestamp::now()).await;
    let bundle = agency.court_bundle(arguments.question, arguments.issuer.as_ref()).await;
    let bundle = bundle.or_exit(Exit::Environment, "cannot make the bundle")?;
    Ok(bundle.to_string().into_bytes())
}

/// Verifies a court bundle under the directory's key and prints what it shows.
pub(super) fn verify(
    bytes: &[u8],
    (directory, witnesses): (&VerifierKey, &[VerifierKey]),
    json: bool,
) -> Result<Exit, Failure> {
    let checked = CourtBundle::parse(bytes).and_then(|bundle| bundle.verify_with(directory, witnesses));
    if checked.is_ok() && witnesses.is_empty() {
        files::remark(
            "whose cosignatures count is the word of the directory's keeper\nhint: give the keys of witnesses that you know with --witness",
        );
    }
    let exit = if checked.is_ok() { Exit::Done } else { Exit::Negative };
    match &checked {
        Ok(report) if json => files::print_line(report_json(report))?,
        Ok(report) => tell(report)?,
        Err(error) if json => {
            files::print_line(
                json!({"schema": "microstamp.court-audit/1", "ok": false, "findings": [error.to_string()]}),
            )?;
        }
        Err(error) => files::print_line(format!("does not verify: {error}"))?,
    }
    Ok(exit)
}

fn report_json(report: &CourtReport) -> Value {
    let log = |approval: &Approval| json!({"log": approval.log, "witnesses": witnesses(approval)});
    json!({
        "schema": "microstamp.court-audit/1", "ok": true, "agency": report.agency, "asked_at": report.asked_at,
        "approval": report.approval.as_ref().map(approval_json),
        "first": report.first.as_ref().map(|first| json!({
            "question": first.question, "approval": first.approval.as_ref().map(approval_json),
        })),
        "question": report.question, "answer": report.answer, "again": report.again,
        "directory": {"version": report.directory.0, "sha256": report.directory.1},
        "directory_log": report.directory_log.as_ref().map(log),
        "issuer_log": log(&report.issuer_log), "agency_log": log(&report.agency_log), "findings": [],
    })
}

fn approval_json(approval: &CourtApproval) -> Value {
    let step = |step: &CourtStep| json!({"by": step.by, "roles": step.roles, "at": step.at});
    json!({
        "filed": step(&approval.filed), "read": approval.read.as_ref().map(step),
        "approved": step(&approval.approved), "draft_sha256": approval.draft_sha256,
    })
}

fn tell_approval(approval: Option<&CourtApproval>) -> Result<(), Failure> {
    let Some(approval) = approval else {
        return files::print_line(
            "asked by a program with the node's token: requester and approver are its word, no account approved",
        );
    };
    let read = approval.read.as_ref().map(|step| ("reading attached", step));
    let steps = [("filed", &approval.filed)].into_iter().chain(read);
    for (what, step) in steps.chain([("approved", &approval.approved)]) {
        let held: Vec<Role> = step.roles.clone().into();
        let roles: Vec<_> = held.iter().map(ToString::to_string).collect();
        files::print_line(format!("{what} on {} by {} ({})", step.at, step.by, roles.join(", ")))?;
    }
    files::print_line(format!("approved draft: sha256 {}", approval.draft_sha256))
}

fn tell(report: &CourtReport) -> Result<(), Failure> {
    let (question, answer) = (&report.question, &report.answer);
    files::print_line(format!("verified: question {}", question.id))?;
    files::print_line(format!(
        "asked on {} by {} (ORI {}), requester {}, approver {}, case {}, crime code {}",
        report.asked_at,
        report.agency,
        question.ori,
        question.requester,
        question.approver,
        question.case_number,
        question.crime_code
    ))?;
    files::print_line(format!("reason: {}", question.reason))?;
    if let Some(first) = &report.first {
        let Question { id, requester, approver, .. } = &first.question;
        files::print_line(format!(
            "after the chain of question {id}, requester {requester}, approver {approver}:"
        ))?;
        tell_approval(first.approval.as_ref())?;
        files::print_line("and this question:")?;
    }
    tell_approval(report.approval.as_ref())?;
    files::print_line(format!(
        "answered on {} by {}: {}",
        answer.answered_at,
        answer.issuer,
        answer.outcome.as_str()
    ))?;
    if report.again {
        files::print_line("  (given again: the statement is that of an earlier sending of this question)")?;
    }
    for line in &answer.statement {
        files::print_line(format!("  {}", files::printable(line)))?;
    }
    files::print_line(format!("directory: version {}, sha256 {}", report.directory.0, report.directory.1))?;
    for approval in [&report.issuer_log, &report.agency_log].into_iter().chain(&report.directory_log) {
        let also = |name| if approval.ml_dsa.contains(name) { " (also by ML-DSA-44)" } else { "" };
        let witnesses: Vec<_> =
            approval.witnesses.iter().map(|(name, _)| format!("{name}{}", also(name))).collect();
        files::print_line(format!("log {}: cosigned by {}", approval.log, witnesses.join(", ")))?;
    }
    Ok(())
}
