//! `completions` and `man`: what a shell and `man` need to know about this program.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::Arguments;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that will read the script.
    shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page per command into this folder instead.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints a completion script.
pub(crate) fn completions(arguments: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "microstamp", &mut script);
    files::print(&script)?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes a folder of them.
pub(crate) fn man(arguments: &Man) -> Result<Exit, Failure> {
    let command = Arguments::command();
    if let Some(folder) = &arguments.output {
        files::create_folder(folder)?;
        clap_mangen::generate_to(command, folder)
            .or_exit(Exit::Environment, "cannot write the manual pages")?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .or_exit(Exit::Environment, "cannot print the manual page")?;
        files::print(&page)?;
    }
    Ok(Exit::Done)
}
