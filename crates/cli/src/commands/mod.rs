//! One file per command: its arguments, and what it does with them.

mod account;
mod ammunition;
mod ask;
mod audit;
mod book;
mod books;
mod calibrate;
mod code;
mod compare;
mod conformance;
mod court;
mod database;
mod engrave;
mod entries;
mod federation;
mod import;
mod issue;
mod issuer;
mod node;
mod pairs;
mod part;
mod print;
pub(crate) mod read;
pub(crate) mod scheme;
mod serve;
mod shell;
mod statement;
mod strike;
mod succession;
mod trace;
mod x3p;

use clap::Subcommand;

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a log and the evidence out of it.
    Audit(audit::Audit),
    /// Draw a code for engraving on a firing pin or breech face: SVG, DXF, X3P height map.
    Engrave(engrave::Engrave),
    /// Encode, restore or check a code.
    Code(code::Code),
    /// Compare the firearm's own toolmarks on two cases, or on all pairs of a folder.
    Compare(compare::Compare),
    /// Keep scans in a database and search it for leads.
    #[command(subcommand)]
    Database(database::Command),
    /// Make an issuer's books, keys and log; open further blocks of codes; check books against log.
    Issuer(issuer::Issuer),
    /// Issue codes for a run of serial numbers.
    Issue(issue::Issue),
    /// Issue codes for boxes of serialised ammunition.
    Ammunition(ammunition::Ammunition),
    /// Enter that a firearm was received, made or imported.
    Record(entries::Record),
    /// Enter that a firearm went to a licensee, a buyer, a government body, abroad, or was destroyed.
    Dispose(entries::Dispose),
    /// Enter a theft or loss, or the recovery that ends it.
    Theft(entries::Theft),
    /// Enter that a marked part was fitted, removed or replaced; sign such a change; keep the keys of those who sign.
    Part(part::PartCommand),
    /// Correct an entry by a new one; the old one stays.
    Correct(book::Correct),
    /// Show everything written about one firearm.
    Book(book::Book),
    /// Take bound-book rows from a CSV table.
    Import(import::Import),
    /// Write the bound book as CSV.
    Export(book::Export),
    /// Write a signed certificate for one firearm.
    Certificate(book::Certificate),
    /// Ask which firearm carries a code, and where it went.
    Trace(Box<trace::Trace>),
    /// Make nodes of the federation, and enrol them in a directory.
    Node(node::NodeCommand),
    /// Keep the accounts of a node's people, on its own machine.
    Account(account::Account),
    /// Run a node: issuer, agency, witness or directory.
    Serve(serve::Serve),
    /// Play the other side against a node and print which clauses of the protocol it keeps.
    Conformance(conformance::Conformance),
    /// Run a small federation on this machine and trace a code through it.
    Federation(federation::Federation),
    /// Strike an engraved tool into a primer and look at the case: a simulated scan or picture.
    Strike(strike::Strike),
    /// Look into X3P scans, convert them, draw them.
    #[command(subcommand)]
    X3p(x3p::Command),
    /// Read the marks on cases from scans and pictures.
    Read(read::Read),
    /// Run the whole story on synthetic material: two makers, 1,000 pistols, two scenes, five cases.
    Demo(Box<crate::demo::Demo>),
    /// Print a completion script for a shell.
    Completions(shell::Completions),
    /// Print the manual page, or write one page per command into a folder.
    Man(shell::Man),
}

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::Engrave(arguments) => engrave::engrave(&arguments),
        Command::Code(arguments) => code::run(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Database(arguments) => database::run(arguments),
        Command::Issuer(arguments) => issuer::issuer(&arguments),
        Command::Issue(arguments) => issue::issue(&arguments),
        Command::Ammunition(arguments) => ammunition::ammunition(&arguments),
        Command::Record(arguments) => entries::record(&arguments),
        Command::Dispose(arguments) => entries::dispose(&arguments),
        Command::Theft(arguments) => entries::theft(&arguments),
        Command::Part(arguments) => part::part(&arguments),
        Command::Correct(arguments) => book::correct(&arguments),
        Command::Book(arguments) => book::book(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Export(arguments) => book::export(&arguments),
        Command::Certificate(arguments) => book::certificate(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Node(arguments) => node::node(&arguments),
        Command::Account(arguments) => account::account(&arguments),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Conformance(arguments) => conformance::conformance(&arguments),
        Command::Federation(arguments) => federation::federation(&arguments),
        Command::Strike(arguments) => strike::strike(&arguments),
        Command::X3p(arguments) => x3p::run(&arguments),
        Command::Read(arguments) => read::read(&arguments),
        Command::Demo(arguments) => crate::demo::demo(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}
