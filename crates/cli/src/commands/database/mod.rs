//! `database`: a folder of scans that can be searched. A catalogue (SQLite) says what each scan is, a feature file what it
//! looks like; what a search returns are leads.

mod calibre;
mod catalogue;
mod characteristics;
mod check;
mod export;
mod filter;
mod folder;
mod generate;
mod index;
mod leads;
mod pages;
mod pictures;
mod seal;
mod search;

use clap::Subcommand;

use self::catalogue::Row;
use self::seal::Fault;
use crate::exit::{Exit, Failure};

/// Arguments of `database`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take the scans of folders into a database; what is there already is passed over, so that a run can be gone on with.
    Index(index::Index),
    /// Take single scans into a database.
    Add(index::Add),
    /// Look for cases that may come from the firearm that marked a scan: leads, never matches.
    Search(search::Search),
    /// Check that records, catalogue and prepared scans are whole and belong together.
    Check(check::Check),
    /// Write the catalogue as CSV.
    Export(export::Export),
    /// Make breech faces up: scans in a folder, or features straight in a database, always labelled as simulated.
    Generate(generate::Generate),
}

/// Runs one of them.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Index(arguments) => index::index(&arguments),
        Command::Add(arguments) => index::add(&arguments),
        Command::Search(arguments) => search::search(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
    }
}

/// Why a database whose records were exchanged is not searched.
fn exchanged(row: &Row, fault: Fault) -> Failure {
    Exit::Environment.because(format!(
        "record {} (`{}`): {}, and a lead might stand under another case's name\n\
         hint: `microstamp database check` lists every such record; restore the folder from a backup, or index again",
        row.record,
        row.scan.name,
        fault.told()
    ))
}
