//! `conformance`: plays the other side against a node and prints which clauses of the protocol it keeps.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use server::conformance::{
    Clause, Planted, check_agency, check_directory, check_issuer, check_witness, play_issuer,
};
use server::roles::{Agency, Dealer, DirectoryHolder};
use server::{Clock, Node, NodeRole};
use symbology::{Code, Prefix};

use super::books::{exact_prefix, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// How long a node may take to answer. An agency waits ten seconds for an issuer that breaks off.
const TIME: Duration = Duration::from_secs(30);

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// What the node is: issuer, agency, witness or directory.
    role: NodeRole,
    /// Where it is reached, as its directory says.
    url: String,
    /// The folder of a test agency that the directory lists; its own node must not be running. For a directory: not needed.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["key", "tester"])]
    agency: Option<PathBuf>,
    /// To test how an agency takes answers: the folder of a test issuer that the directory lists. Its node must not be
    /// running: the tester answers at its address, badly in every way.
    #[arg(long, value_name = "DIR", requires_all = ["prefix", "token"])]
    tester: Option<PathBuf>,
    /// The test issuer's block; none of its codes may have been issued.
    #[arg(long, value_parser = exact_prefix)]
    prefix: Option<Prefix>,
    /// The file `node/api.token` of the agency that is tested.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// For an issuer: the code of a firearm that was made up for tests and sold at retail in its books. Without it the two steps of a
    /// trace are not tested.
    #[arg(long, value_name = "CODE")]
    planted: Option<Code>,
    /// For an issuer: the folder of a dealer that the directory lists.
    #[arg(long, value_name = "DIR")]
    dealer: Option<PathBuf>,
    /// The directory's key, to check a directory.
    #[arg(long)]
    key: Option<String>,
    /// For a directory under https://: the SHA-256 of its public key, as `node card` and `node certificate` print it.
    #[arg(long, value_name = "PIN", value_parser = super::audit::pin)]
    pin: Option<String>,
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
        if url.starts_with("https://") != arguments.pin.is_some() {
            return Err(Exit::BadInput.because(
                "--pin goes with https://, and https:// with --pin: `tls` in the directory's card",
            ));
        }
        let key = key.parse().or_exit(Exit::BadInput, "--key")?;
        return Ok(check_directory(url, &key, arguments.pin.as_deref()).await);
    }
    if let (NodeRole::Agency, Some(tester)) = (arguments.role, &arguments.tester) {
        return test_agency(arguments, tester, url).await;
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
            let dealer = arguments.dealer.as_ref().map(|folder| Dealer::open(folder, Clock::default()));
            let dealer = dealer.transpose().or_exit(Exit::BadInput, "cannot open the dealer's node")?;
            let planted = Planted { sold: arguments.planted, dealer: dealer.as_ref() };
            if planted.sold.is_none() {
                files::remark("without --planted the rules that need a firearm are not tested".to_owned());
            }
            Ok(check_issuer(card, &agency, &planted).await)
        }
        NodeRole::Witness => {
            let card = content.witnesses.iter().find(|card| card.url == url).ok_or_else(unknown)?;
            Ok(check_witness(card, &agency).await)
        }
        NodeRole::Agency => {
            let card = content.agencies.iter().find(|card| card.node.url == url).ok_or_else(unknown)?;
            Ok(check_agency(&agency.node.client(TIME), &card.node).await)
        }
        NodeRole::Directory | NodeRole::Dealer => Err(unknown()),
    }
}

/// What the agency shows, and how it takes the answers of a false issuer.
async fn test_agency(arguments: &Conformance, tester: &Path, url: &str) -> Result<Vec<Clause>, Failure> {
    let missing = || Exit::BadInput.because("give --prefix and --token");
    let (prefix, token) =
        (arguments.prefix.ok_or_else(missing)?, arguments.token.as_ref().ok_or_else(missing)?);
    let token = files::read(token)?;
    let token = String::from_utf8_lossy(&token).trim().to_owned();
    let node = Node::open(tester).or_exit(Exit::BadInput, "cannot open the test issuer's node")?;
    let holder = DirectoryHolder::new(&node).or_exit(Exit::BadInput, "the directory")?;
    holder.renew(Timestamp::now()).await.or_exit(Exit::Environment, "the directory")?;
    let directory = holder.current(Timestamp::now()).or_exit(Exit::Environment, "the directory")?;
    let card = directory.content().agencies.iter().find(|card| card.node.url == url);
    let card =
        card.ok_or_else(|| Exit::BadInput.because(format!("the directory lists no agency at {url}")))?;
    let place = node.config.url.split_once("://").map_or("", |(_, place)| place).to_owned();
    let listener =
        TcpListener::bind(&place).or_exit(Exit::Environment, format!("cannot listen on {place}"))?;
    let client = node.client(TIME);
    let mut clauses = check_agency(&client, &card.node).await;
    let played = play_issuer((card, &token), (node, prefix), listener, &client).await;
    clauses.extend(played.or_exit(Exit::Environment, "cannot play the issuer")?);
    Ok(clauses)
}
