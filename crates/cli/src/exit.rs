//! How a run ends: the documented exit codes and the one place where an error is printed.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The answer is negative or inconclusive where a script would want to know.
    Negative = 1,
    /// Bad input or usage.
    BadInput = 2,
    /// Disk, network or database.
    Environment = 3,
    /// Authority or rule.
    Refused = 4,
}

impl Exit {
    /// The code for the operating system.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// A failure that ends the run with this code.
    pub(crate) fn because(self, reason: impl Display) -> Failure {
        Failure { exit: self, reason: reason.to_string() }
    }
}

/// Why a run cannot go on, in one sentence, with the exit code that it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    reason: String,
}

impl Failure {
    /// Prints the reason to standard error. A closed pipe is no failure: nobody wants the rest.
    pub(crate) fn report(&self) -> Exit {
        let _ = writeln!(io::stderr(), "error: {}", self.reason);
        self.exit
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Prints a usage message, help or version as clap wrote it.
pub(crate) fn report_usage(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    if usage.use_stderr() { Exit::BadInput.code() } else { Exit::Done.code() }
}

/// Puts a place or a task in front of an error of a library and chooses the exit code.
pub(crate) trait OrExit<T> {
    /// `Err` becomes a failure with this exit code, introduced by `context`.
    fn or_exit(self, exit: Exit, context: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit, context: impl Display) -> Result<T, Failure> {
        self.map_err(|error| exit.because(format!("{context}: {error}")))
    }
}
