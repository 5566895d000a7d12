//! `microstamp`: the one executable. It reads arguments, opens files, calls the rooms and prints what they answer.

mod commands;
mod demo;
mod exit;
mod files;
mod progress;
mod surfaces;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::exit::{Exit, Failure};

/// Ballistic identification tagging: issue, engrave, simulate, read, trace and compare marks on cartridge cases.
///
/// Results go to standard output, everything else to standard error.
///
/// Exit codes: 0 done · 1 the answer is negative or inconclusive · 2 bad input or usage · 3 environment (disk, database) · 4 refused.
#[derive(Debug, Parser)]
#[command(
    name = "microstamp",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub(crate) struct Arguments {
    /// Use at most this many cores.
    #[arg(long, global = true, value_name = "N", env = "MICROSTAMP_THREADS")]
    threads: Option<usize>,

    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return exit::report_usage(&usage),
    };
    outlive_full_files();
    match limit_threads(arguments.threads).and_then(|()| commands::run(arguments.command)) {
        Ok(done) => done.code(),
        Err(failure) => failure.report().code(),
    }
}

/// Where a file must not grow any more (`ulimit -f`) the system sends a signal of which a program dies without a word. With a
/// handler the write fails instead and is told like that on a full disk. The handler stays when its stream is dropped.
#[cfg(unix)]
fn outlive_full_files() {
    /// SIGXFSZ on Linux, macOS and the BSDs.
    const FILE_TOO_LARGE: i32 = 25;
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() {
        let _inside = runtime.enter();
        // Without the handler everything works but that one message.
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_TOO_LARGE));
    }
}

#[cfg(not(unix))]
fn outlive_full_files() {}

fn limit_threads(threads: Option<usize>) -> Result<(), Failure> {
    let Some(threads) = threads else { return Ok(()) };
    if threads == 0 {
        return Err(Exit::BadInput.because("`--threads` is 0\nhint: give at least 1, or leave it out"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Exit::Environment.because(format!("cannot start {threads} threads: {error}")))
}
