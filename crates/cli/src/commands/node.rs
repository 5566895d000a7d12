//! `node`: makes nodes of the federation and enrols them in a directory; a dealer answers from here.

mod enrol;
mod upkeep;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use registry::LossKind;
use registry::names::{Country, LicenceNumber, Ori, PartyName, Person, Reason, Reference};
use serde_json::json;
use server::api::{DealerDisposition, DealerStatement, NodeCard, NodeName};
use server::roles::{Dealer, DirectoryHolder, check_url};
use server::{Clock, Node, NodeConfig, NodeRole, validity};
use uuid::Uuid;

pub(super) use self::enrol::{card, enrol_own};
use super::books::wait;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `node`.
#[derive(Debug, Args)]
pub(crate) struct NodeCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a node's folder and keys. An issuer's node is made in the folder of its books.
    Init(Init),
    /// Print what the directory's operator needs to enrol the node.
    Card(enrol::CardCommand),
    /// Say which directory the node trusts.
    Trust(Trust),
    /// Make the node a certificate of its own for TLS between nodes, and print its pin: the SHA-256 of its public key.
    Certificate(Certificate),
    /// Let an issuer's node answer from books that `issuer take-over` opened, besides its own.
    AnswerFor(AnswerFor),
    /// Enrol cards in a directory's folder; they stand in the next version that it signs.
    Enrol(enrol::Enrol),
    /// After an older copy of a node's folder was put back: end its log, which witnesses know to be longer, and let another go on
    /// from its entries. Prints the note of both keys; the node's new card must be enrolled.
    RenewLog(upkeep::RenewLog),
    /// Delete the records of months that are over for a year, by an act that stands in the log. The hashes stay.
    Erase(upkeep::Erase),
    /// List what a dealer has to answer at an issuer.
    Waiting(AtIssuer),
    /// State what a dealer's book says of a firearm.
    State(State),
}

#[derive(Debug, Args)]
struct Init {
    /// The folder.
    dir: PathBuf,
    /// issuer, agency, witness, directory or dealer.
    #[arg(long)]
    role: NodeRole,
    /// Its name, unique in the directory, such as issuer.example.
    #[arg(long)]
    name: NodeName,
    /// Where others reach it, such as `https://issuer.example`; requests are signed for this address.
    #[arg(long)]
    url: String,
    /// ORI number of an agency; may be repeated.
    #[arg(long)]
    ori: Vec<Ori>,
    /// Licence of a dealer.
    #[arg(long, value_name = "NUMBER")]
    licence: Option<LicenceNumber>,
    /// Let programs that hold the agency's token ask through its node; whoever holds it speaks for requester and approver.
    #[arg(long)]
    programs_ask: bool,
}

#[derive(Debug, Args)]
struct Trust {
    /// The node's folder.
    dir: PathBuf,
    /// Where the directory is fetched.
    #[arg(long, value_name = "URL|FILE")]
    directory: String,
    /// The directory's key, as `node card` of the directory printed it; from a source you trust.
    #[arg(long)]
    key: String,
    /// The pin of the directory's certificate, as `node certificate` printed it, when the directory is fetched over TLS.
    #[arg(long)]
    pin: Option<String>,
}

#[derive(Debug, Args)]
struct Certificate {
    /// The node's folder; its address must begin with https://.
    dir: PathBuf,
    /// Days for which the certificate holds.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
}

#[derive(Debug, Args)]
struct AnswerFor {
    /// The node's folder.
    dir: PathBuf,
    /// The folder of the books that were taken over. They are asked while the directory holds the closed issuer's delegation.
    books: PathBuf,
}

#[derive(Debug, Args)]
struct AtIssuer {
    /// The dealer's folder.
    dir: PathBuf,
    /// The issuer that asked.
    #[arg(long)]
    issuer: NodeName,
}

#[derive(Debug, Args)]
struct State {
    #[command(flatten)]
    at: AtIssuer,
    /// Number of the question.
    #[arg(long)]
    question: Uuid,
    /// Who states it.
    #[arg(long)]
    by: Person,
    /// Day of the disposition, or on which the firearm was looked for.
    #[arg(long)]
    on: Date,
    #[command(flatten)]
    what: Became,
}

#[derive(Debug, Clone, Args)]
struct Became {
    /// Sold at retail under this Form 4473 transaction number.
    #[arg(long, value_name = "NUMBER", group = "became")]
    form_4473: Option<Reference>,
    /// Went to this licensee.
    #[arg(long, value_name = "NAME", requires = "to_licence", group = "became")]
    to: Option<PartyName>,
    /// That licensee's licence.
    #[arg(long, value_name = "NUMBER", requires = "to")]
    to_licence: Option<LicenceNumber>,
    /// Stolen, lost, or lost in transit: theft, loss or in-transit.
    #[arg(long, value_name = "HOW", requires = "incident", group = "became")]
    lost: Option<LossKind>,
    /// Incident number of the theft or loss.
    #[arg(long, value_name = "NUMBER", requires = "lost")]
    incident: Option<Reference>,
    /// The local police report.
    #[arg(long, value_name = "NUMBER", requires = "lost")]
    police_report: Option<Reference>,
    /// Destroyed: why, and how that was witnessed.
    #[arg(long, value_name = "REASON", group = "became")]
    destroyed: Option<Reason>,
    /// Sold to this government body.
    #[arg(long, value_name = "NAME", group = "became")]
    government: Option<PartyName>,
    /// Exported to this country.
    #[arg(long, value_name = "COUNTRY", requires = "permit", group = "became")]
    export: Option<Country>,
    /// Export permit or licence.
    #[arg(long, value_name = "NUMBER", requires = "export")]
    permit: Option<Reference>,
    /// The firearm is not in the book. Without any of these it is stated to be in stock.
    #[arg(long, group = "became")]
    no_record: bool,
}

/// Runs `node`.
pub(crate) fn node(arguments: &NodeCommand) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Init(init) => make(init),
        What::Card(card) => enrol::print_card(card),
        What::Trust(trust) => {
            let mut node = open(&trust.dir)?;
            node.trust(&trust.directory, &trust.key).or_exit(Exit::Environment, "cannot write node.toml")?;
            node.directory_key().or_exit(Exit::BadInput, "--key")?;
            if let Some(pin) = &trust.pin {
                node.trust_peer(pin).or_exit(Exit::BadInput, "--pin")?;
            }
            Ok(Exit::Done)
        }
        What::Certificate(certificate) => {
            let mut node = open(&certificate.dir)?;
            let days = validity(Timestamp::now(), certificate.days);
            node.make_certificate(days).or_exit(Exit::BadInput, "cannot make the certificate")?;
            files::print_line(node.card().tls.unwrap_or_default())?;
            Ok(Exit::Done)
        }
        What::AnswerFor(answer) => answer_for(answer),
        What::Enrol(enrol) => enrol::enrol_all(enrol),
        What::RenewLog(renew) => wait(upkeep::renew_log(renew)),
        What::Erase(erase) => wait(upkeep::erase(erase)),
        What::Waiting(at) => wait(waiting(at)),
        What::State(state) => wait(answer(state)),
    }
}

fn open(folder: &Path) -> Result<Node, Failure> {
    Node::open(folder).or_exit(Exit::BadInput, "cannot open the node")
}

fn make(init: &Init) -> Result<Exit, Failure> {
    if init.role != NodeRole::Dealer {
        check_url(&init.url).or_exit(Exit::BadInput, "--url")?;
    }
    if init.role == NodeRole::Agency && init.ori.is_empty() {
        return Err(Exit::BadInput.because("an agency asks under an ORI\nhint: give --ori, once for each"));
    }
    let mut config = NodeConfig::new(init.role, init.name.clone(), &init.url);
    (config.oris, config.licence) = (init.ori.clone(), init.licence.clone());
    config.programs_ask = init.programs_ask;
    let node = Node::create(&init.dir, config).or_exit(Exit::Environment, "cannot make the node")?;
    if init.role == NodeRole::Directory {
        files::print_line(node.statements.verifier())?;
    }
    files::remark(format!("{}: node {} is made", init.dir.display(), init.name));
    Ok(Exit::Done)
}

fn answer_for(arguments: &AnswerFor) -> Result<Exit, Failure> {
    let mut node = open(&arguments.dir)?;
    let name = || format!("`{}`", arguments.books.display());
    let books = std::fs::canonicalize(&arguments.books).or_exit(Exit::BadInput, name())?;
    let own = std::fs::canonicalize(&arguments.dir).or_exit(Exit::BadInput, name())?;
    if !books.join("issuer.toml").exists() {
        return Err(Exit::BadInput.because(format!("{} holds no issuer's books", name())));
    }
    // Inside the node's own folder they move with it.
    let place = books.strip_prefix(&own).unwrap_or(&books);
    let place = place.to_str().ok_or_else(|| Exit::BadInput.because(format!("{} is no UTF-8", name())))?;
    node.answer_for(place).or_exit(Exit::BadInput, "cannot write node.toml")?;
    files::remark(
        "restart the node, and have the closed issuer's delegation enrolled: `node card DIR --delegate-to NAME`",
    );
    Ok(Exit::Done)
}

async fn waiting(at: &AtIssuer) -> Result<Exit, Failure> {
    let (dealer, issuer) = reach(at).await?;
    let list = dealer.open_questions(&issuer).await.or_exit(Exit::Environment, "cannot ask")?;
    files::print_line(list)?;
    Ok(Exit::Done)
}

async fn answer(state: &State) -> Result<Exit, Failure> {
    let disposition = became(&state.what, state.on);
    let statement = DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: state.question,
        by: state.by.clone(),
        disposition,
    };
    let (dealer, issuer) = reach(&state.at).await?;
    let receipt =
        dealer.state(&issuer, &statement).await.or_exit(Exit::Refused, "the issuer did not take it")?;
    files::print_line(
        json!({"schema": receipt["schema"], "log": receipt["log"], "entry": receipt["entry"][0]["index"]}),
    )?;
    Ok(Exit::Done)
}

fn became(what: &Became, on: Date) -> DealerDisposition {
    let what = what.clone();
    if let Some(form_4473) = what.form_4473 {
        DealerDisposition::RetailSale { on, form_4473 }
    } else if let (Some(to), Some(licence)) = (what.to, what.to_licence) {
        DealerDisposition::Transferred { on, to, licence }
    } else if let (Some(how), Some(incident)) = (what.lost, what.incident) {
        DealerDisposition::Lost { on, how, incident, police_report: what.police_report }
    } else if let Some(reason) = what.destroyed {
        DealerDisposition::Destroyed { on, reason }
    } else if let Some(agency) = what.government {
        DealerDisposition::Government { on, agency }
    } else if let (Some(country), Some(permit)) = (what.export, what.permit) {
        DealerDisposition::Exported { on, country, permit }
    } else if what.no_record {
        DealerDisposition::NoRecord {}
    } else {
        DealerDisposition::InStock { on }
    }
}

async fn reach(at: &AtIssuer) -> Result<(Dealer, NodeCard), Failure> {
    let dealer =
        Dealer::open(&at.dir, Clock::default()).or_exit(Exit::BadInput, "cannot open the dealer's node")?;
    let holder = DirectoryHolder::new(&dealer.node).or_exit(Exit::BadInput, "the directory")?;
    let now = Timestamp::now();
    holder.renew(now).await.or_exit(Exit::Environment, "the directory")?;
    let directory = holder.current(now).or_exit(Exit::Environment, "the directory")?;
    let issuer = directory.issuer(&at.issuer).map(|card| card.node.clone());
    let issuer = issuer
        .ok_or_else(|| Exit::BadInput.because(format!("the directory knows no issuer {}", at.issuer)))?;
    Ok((dealer, issuer))
}
