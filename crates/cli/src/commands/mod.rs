//! One file per command: its arguments, and what it does with them.

mod audit;
mod code;
mod engrave;
mod shell;

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
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}
