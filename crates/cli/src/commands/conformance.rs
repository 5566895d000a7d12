//! `conformance`: plays the other side against a node and prints which clauses of the protocol it keeps.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use server::conformance::{Clause, check_agency, check_directory, check_issuer, check_witness};
use server::roles::Agency;
use server::{Clock, NodeRole};

use super::books::wait;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// What the node is: issuer, agency, witness or directory.
    role: NodeRole,
    /// Where it is reached, as its directory says.
    url: String,
    /// The folder of a test agency that the directory lists; its own node must not be running. For a directory: not needed.
    #[arg(long, value_name = "DIR", required_unless_present = "key")]
    agency: Option<PathBuf>,
    /// The directory's key, to check a directory.
    #[arg(long)]
    key: Option<String>,
    /// Print one JSON object a clause.
    #[arg(long)]
    json: bool,
}

/// Checks every clause. Exit code 1 when one does not hold.
pub(crate) fn conformance(arguments: &Conformance) -> Result<Exit, Failure> {
    let clauses = wait(check(arguments))?;
    for clause in &clauses {
        if arguments.json {
            files::print_line(json!({
                "schema": "microstamp.clause/1", "section": clause.section, "clause": clause.text,
                "holds": clause.result.is_ok(), "seen": clause.result.as_ref().err(),
            }))?;
        } else {
            let verdict = if clause.result.is_ok() { "pass" } else { "FAIL" };
            let seen = clause.result.as_ref().err().map(|seen| format!(" ({seen})")).unwrap_or_default();
            files::print_line(format!("{verdict}  {:<4} {}{seen}", clause.section, clause.text))?;
        }
    }
    let failed = clauses.iter().filter(|clause| clause.result.is_err()).count();
    files::remark(format!("{} of {} clauses hold", clauses.len() - failed, clauses.len()));
    Ok(if failed == 0 { Exit::Done } else { Exit::Negative })
}

async fn check(arguments: &Conformance) -> Result<Vec<Clause>, Failure> {
    let url = arguments.url.trim_end_matches('/');
    if arguments.role == NodeRole::Directory {
        let key = arguments.key.as_ref();
        let key = key.ok_or_else(|| {
            Exit::BadInput.because("a directory is checked under its key\nhint: give --key")
        })?;
        return Ok(check_directory(url, &key.parse().or_exit(Exit::BadInput, "--key")?).await);
    }
    let folder = arguments.agency.as_ref().ok_or_else(|| Exit::BadInput.because("give --agency"))?;
    let agency =
        Agency::open(folder, Clock::default()).or_exit(Exit::Environment, "cannot open the agency's node")?;
    agency.directory.renew(Timestamp::now()).await.or_exit(Exit::Environment, "the directory")?;
    let directory = agency.directory.current(Timestamp::now()).or_exit(Exit::Environment, "the directory")?;
    let content = directory.content();
    let unknown =
        || Exit::BadInput.because(format!("the directory lists no {} at {url}", arguments.role.as_str()));
    match arguments.role {
        NodeRole::Issuer => {
            let card = content.issuers.iter().find(|card| card.node.url == url).ok_or_else(unknown)?;
            Ok(check_issuer(card, &agency).await)
        }
        NodeRole::Witness => {
            let card = content.witnesses.iter().find(|card| card.url == url).ok_or_else(unknown)?;
            Ok(check_witness(card, &agency).await)
        }
        NodeRole::Agency => {
            let card = content.agencies.iter().find(|card| card.node.url == url).ok_or_else(unknown)?;
            Ok(check_agency(&card.node).await)
        }
        NodeRole::Directory | NodeRole::Dealer => Err(unknown()),
    }
}
