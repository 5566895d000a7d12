//! `trace --agency`: the question goes through the federation.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use registry::{Priority, TraceRequest};
use serde_json::{Value, json};
use server::api::{AskedCode, Question, QuestionKind, Urgency};
use server::federation::{Message, Start};
use server::roles::{Agency, answer_json};
use server::{Client, Clock, Node};
use uuid::Uuid;

use super::trace::{Earlier, Trace, on_rounds};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// How long a busy node may take to say that it runs, and witnesses that start just now to cosign.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the proofs of an answer are waited for.
const PROOFS: Duration = Duration::from_secs(5);

/// Asks every issuer of the reading's codes and prints what they answer.
pub(super) async fn ask(folder: &Path, arguments: &Trace, request: TraceRequest) -> Result<Exit, Failure> {
    let question = question(arguments, request)?;
    let node = Node::open(folder).or_exit(Exit::BadInput, "cannot open the agency's node")?;
    let answers = match running(&node).await {
        Some(client) => through_node(&client, &node, &question).await?,
        None => by_itself(folder, arguments, &question).await?,
    };
    print(arguments, &question, &answers)
}

fn question(arguments: &Trace, request: TraceRequest) -> Result<Question, Failure> {
    let missing = || Exit::BadInput.because("a question to other nodes needs --crime-code and --approver");
    let kind = match (arguments.after, &arguments.second_approver) {
        (Some(Earlier::Node(after)), Some(second)) => {
            QuestionKind::RetailReference { after, second_approver: second.clone() }
        }
        (Some(Earlier::Books(_)), _) => {
            return Err(Exit::BadInput.because("a question through a node has a UUID, as `trace` told it"));
        }
        _ => QuestionKind::Chain {},
    };
    let on_round = on_rounds(arguments)?;
    let codes =
        request.codes.iter().map(|one| AskedCode { code: one.code, on_round, posterior: one.posterior });
    Ok(Question {
        schema: Question::SCHEMA.to_owned(),
        id: Uuid::now_v7(),
        kind,
        ori: request.ori,
        case_number: request.case_number,
        crime_code: request.crime_code.ok_or_else(missing)?,
        priority: match request.priority {
            Priority::Routine => Urgency::Routine,
            Priority::Urgent(justification) => Urgency::Urgent { justification },
        },
        reason: request.reason,
        requester: request.requester.clone(),
        approver: request.approver.ok_or_else(missing)?,
        codes: codes.collect(),
        // Codes on the command line are the word of whoever asks.
        typed_by: request.reading_sha256.is_none().then(|| request.requester.clone()),
        reading_sha256: request.reading_sha256,
        recovered_on: request.recovered_on,
        parts: request.parts,
    })
}

/// A client, if the agency's node runs and answers under its name. Where nothing listens that is told at once; a busy node is
/// waited for, because its log is its own.
pub(super) async fn running(node: &Node) -> Option<Client> {
    let (_, health) = node.client(PATIENCE).get(&format!("{}/healthz", node.config.url)).await.ok()?;
    let health: Value = serde_json::from_slice(&health).ok()?;
    let same = health["name"].as_str() == Some(node.config.name.as_str());
    same.then(|| node.client(Duration::from_secs(20)))
}

async fn through_node(client: &Client, node: &Node, question: &Question) -> Result<Vec<Value>, Failure> {
    let token = node.token().or_exit(Exit::Environment, "cannot ask through the node")?;
    let content = serde_json::to_vec(question).or_exit(Exit::BadInput, "cannot ask")?;
    let message = Message::request("POST", &format!("{}/agency/v1/traces", node.config.url))
        .with("content-type", "application/json")
        .with("authorization", &format!("Bearer {token}"));
    let (head, content) = client.send(&message, content).await.or_exit(Exit::Environment, "cannot ask")?;
    let answer: Value = serde_json::from_slice(&content).or_exit(Exit::Environment, "the node's answer")?;
    if let Some(answers) = answer["answers"].as_array() {
        return Ok(answers.clone());
    }
    // A rule of the node is nothing that waiting or mending a network would change.
    let refused = matches!(head.start, Start::Answer(400..=499));
    let exit = if refused { Exit::Refused } else { Exit::Environment };
    Err(exit.because(answer["detail"].as_str().unwrap_or("the node refused")))
}

async fn by_itself(folder: &Path, arguments: &Trace, question: &Question) -> Result<Vec<Value>, Failure> {
    let agency =
        Agency::open(folder, Clock::default()).or_exit(Exit::Environment, "cannot open the agency's node")?;
    // Whoever stops the node must not get round its desk.
    if !agency.node.config.programs_ask {
        return Err(Exit::Refused.because(
            "at this node people ask, at the desk of the running node\nhint: `programs_ask = true` in node.toml lets programs ask",
        ));
    }
    let renewed = match &arguments.directory {
        Some(place) => agency.directory.take(&directory(&agency, place).await?, Timestamp::now()),
        None => agency.directory.renew(Timestamp::now()).await,
    };
    if let Err(problem) = renewed {
        files::remark(format!("warning: {problem}; the directory seen last is used"));
    }
    agency.wait_for_witnesses(PATIENCE).await;
    let answers = agency.ask(question).await.or_exit(Exit::Environment, "cannot ask")?;
    if answers.iter().any(Result::is_ok) && !agency.settle_proofs(PROOFS).await {
        files::remark(
            "warning: the proofs that a court will ask for are not here yet; the agency's node fetches them when it runs",
        );
    }
    agency.rest().await;
    Ok(answers.iter().map(answer_json).collect())
}

async fn directory(agency: &Agency, place: &str) -> Result<Vec<u8>, Failure> {
    if !place.contains("://") {
        return files::read(Path::new(place));
    }
    let answer = agency.node.client(Duration::from_secs(10)).get(place).await;
    let (status, bytes) = answer.or_exit(Exit::Environment, "cannot fetch the directory")?;
    if status == 200 {
        return Ok(bytes);
    }
    Err(Exit::Environment.because(format!("cannot fetch the directory: status {status} from {place}")))
}

fn print(arguments: &Trace, question: &Question, answers: &[Value]) -> Result<Exit, Failure> {
    if arguments.json {
        files::print_line(
            json!({"schema": "microstamp.traces/1", "question": question.id, "answers": answers}),
        )?;
    } else {
        files::print_line(format!("question {}", question.id))?;
        for one in answers {
            let issuer = one["answer"]["issuer"].as_str().unwrap_or("no answer");
            if let Some(error) = one["error"].as_str() {
                files::print_line(format!("no answer: {}", files::printable(error)))?;
            }
            for line in one["answer"]["statement"].as_array().into_iter().flatten() {
                files::print_line(format!(
                    "{issuer}: {}",
                    files::printable(line.as_str().unwrap_or_default())
                ))?;
            }
        }
    }
    let outcomes: Vec<_> = answers.iter().map(|one| one["answer"]["outcome"].as_str()).collect();
    Ok(if outcomes.iter().any(|one| matches!(one, Some("found" | "chain-ends"))) {
        Exit::Done
    } else if outcomes.contains(&Some("not-authorised")) {
        Exit::Refused
    } else if outcomes.iter().all(Option::is_none) {
        Exit::Environment
    } else {
        Exit::Negative
    })
}
