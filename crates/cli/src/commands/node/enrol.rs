//! Cards: what a node signs for the directory's operator, and what the operator does with them.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use registry::names::Person;
use serde_json::json;
use server::api::{AgencyCard, DealerCard, IssuerCard, NodeName};
use server::federation::delegate;
use server::roles::{Card, EnrolError, EnrolRules, Enrolment, enrol};
use server::{Node, NodeRole, validity};
use symbology::Prefix;

use super::open;
use crate::commands::books::exact_prefix;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

#[derive(Debug, Args)]
pub(super) struct CardCommand {
    /// The node's folder.
    dir: PathBuf,
    /// An issuer's block; may be repeated.
    #[arg(long, value_parser = exact_prefix)]
    prefix: Vec<Prefix>,
    /// Days for which the entry holds, and the delegation if there is one.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// The issuer closes: the node of this name, in the same directory, answers for its blocks.
    #[arg(long, value_name = "NAME")]
    delegate_to: Option<NodeName>,
    /// The node's folder as it was, where it was made anew: its key signs the card too, and so vouches for the new ones.
    #[arg(long, value_name = "DIR")]
    also_by: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// The directory's folder.
    dir: PathBuf,
    /// Cards as `node card` printed them.
    cards: Vec<PathBuf>,
    /// How many witnesses must have cosigned a log.
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
    /// Put cards in the place of what stands under their names.
    #[arg(long)]
    replace: bool,
    /// Take a card also where the key that stands did not sign it: it was lost, and the house said so itself.
    #[arg(long, requires = "replace")]
    without_old_key: bool,
    /// End what stands under this name, before the cards are looked at, so that its ORI or licence can be somebody else's; may be
    /// repeated. Its logs stay known. A witness goes.
    #[arg(long, value_name = "NAME")]
    end: Vec<NodeName>,
    /// Who does it: badge, account or name as the house knows them. It goes into the directory's log; without it, that it was done
    /// on this machine.
    #[arg(long, value_name = "NAME")]
    by: Option<Person>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn print_card(arguments: &CardCommand) -> Result<Exit, Failure> {
    let node = open(&arguments.dir)?;
    if node.config.role == NodeRole::Directory {
        files::print_line(node.statements.verifier())?;
        return Ok(Exit::Done);
    }
    let (from, until) = validity(Timestamp::now(), arguments.days);
    let mut entry = card(&node, &arguments.prefix, (from, until))?;
    if let Some(to) = &arguments.delegate_to {
        let Enrolment::Issuer(card) = &mut entry else {
            return Err(Exit::BadInput.because("only an issuer delegates its blocks"));
        };
        let note = delegate(&node.config.name, to, until, &node.statements);
        card.delegation = Some(note.or_exit(Exit::BadInput, "--delegate-to")?);
    }
    let before = arguments.also_by.as_deref().map(open).transpose()?;
    let signed = Card::sign(&entry, &node.statements, before.as_ref().map(|node| &node.statements));
    let signed = signed.or_exit(Exit::BadInput, "the card")?;
    files::print_line(signed.to_string().trim_end())?;
    files::remark(format!("fingerprint of the key that signed it: {}", signed.fingerprint()));
    Ok(Exit::Done)
}

/// What stands in the directory of a node.
pub(crate) fn card(
    node: &Node,
    prefixes: &[Prefix],
    (valid_from, valid_until): (Timestamp, Timestamp),
) -> Result<Enrolment, Failure> {
    let (prefixes, sealing, oris) = (prefixes.to_vec(), node.sealing.clone(), node.config.oris.clone());
    let card = node.card();
    match node.config.role {
        NodeRole::Issuer if prefixes.is_empty() => {
            Err(Exit::BadInput.because("an issuer's card names its blocks\nhint: give --prefix for each"))
        }
        NodeRole::Issuer => Ok(Enrolment::Issuer(Box::new(IssuerCard {
            node: card,
            prefixes,
            delegation: None,
            books_log: node.books_log(),
            books_log_ended: node.books_log_ended(),
            valid_from,
            valid_until,
        }))),
        NodeRole::Agency => {
            let card = AgencyCard { node: card, oris, sealing, valid_from, valid_until };
            Ok(Enrolment::Agency(Box::new(card)))
        }
        NodeRole::Dealer => {
            let licence = node.config.licence.clone();
            let licence =
                licence.ok_or_else(|| Exit::BadInput.because("the dealer's node has no licence"))?;
            Ok(Enrolment::Dealer(Box::new(DealerCard {
                node: card,
                licence,
                sealing,
                valid_from,
                valid_until,
            })))
        }
        NodeRole::Witness => Ok(Enrolment::Witness(node.witness_card())),
        NodeRole::Directory => Err(Exit::BadInput.because("a directory is not enrolled in itself")),
    }
}

/// Signs an entry of a node that is at hand, and enrols it.
pub(crate) fn enrol_own(
    directory: &Path,
    (node, entry): (&Node, &Enrolment),
    rules: &EnrolRules,
) -> Result<(), Failure> {
    let card = Card::sign(entry, &node.statements, None).or_exit(Exit::BadInput, "the card")?;
    enrol(directory, &[card], rules).map(drop).map_err(|error| refused(&error))
}

pub(super) fn enrol_all(arguments: &Enrol) -> Result<Exit, Failure> {
    let mut cards = Vec::new();
    for path in &arguments.cards {
        let card = Card::parse(&files::read(path)?);
        cards.push(card.or_exit(Exit::BadInput, format!("`{}`", path.display()))?);
    }
    let Enrol { quorum, replace, without_old_key, .. } = *arguments;
    let (end, by) = (arguments.end.clone(), arguments.by.clone());
    let rules = EnrolRules { quorum, replace, without_old_key, end, by };
    let enrolled = enrol(&arguments.dir, &cards, &rules).map_err(|error| refused(&error))?;
    if arguments.json {
        let (changes, entries) = (enrolled.changes, enrolled.entries);
        files::print_line(
            json!({"schema": "microstamp.enrolled/1", "changes": changes, "entries": entries}),
        )?;
        return Ok(Exit::Done);
    }
    for change in enrolled.changes {
        files::print_line(files::printable(&change))?;
    }
    Ok(Exit::Done)
}

fn refused(error: &EnrolError) -> Failure {
    let exit = match error {
        EnrolError::Config(_) | EnrolError::Entries(_) => Exit::Environment,
        EnrolError::Card(_) | EnrolError::Unworkable(_) | EnrolError::Unknown(_) => Exit::BadInput,
        EnrolError::Stands(_) | EnrolError::OldKey(_) => Exit::Refused,
    };
    exit.because(format!("nothing was enrolled: {error}"))
}
