//! What a node's operator does while the node is stopped: another log after a copy was put back, and erasing.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{Person, Reason};
use server::roles::StartError;
use server::{LedgerError, ServeError, erase_records, renew_log as renew};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

#[derive(Debug, Args)]
pub(super) struct RenewLog {
    /// The node's folder; the node must not run.
    dir: PathBuf,
    /// Why its log ends; everybody can read it.
    #[arg(long)]
    reason: Reason,
    /// Who does this, as it is written into the log.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The node's folder; the node must not run.
    dir: PathBuf,
    /// The first day of the first month whose records stay; it must lie a year back, by the clocks of the witnesses.
    #[arg(long, value_name = "DATE")]
    before: Date,
    /// Who does this, as it is written into the log.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

pub(super) async fn renew_log(arguments: &RenewLog) -> Result<Exit, Failure> {
    let who = (&arguments.by, &arguments.reason);
    let end = renew(&arguments.dir, who, Timestamp::now()).await;
    let end = end.or_exit(Exit::Environment, "the log does not go on")?;
    files::print_line(format!("{} ended; {} goes on from its {} entries", end.old, end.new, end.size))?;
    files::remark(
        "hint: have the node's new card enrolled: `microstamp node card`, `microstamp node enrol --replace`",
    );
    Ok(Exit::Done)
}

pub(super) async fn erase(arguments: &Erase) -> Result<Exit, Failure> {
    if arguments.before.day() != 1 {
        return Err(Exit::BadInput.because("--before is the first day of a month: records lie in months"));
    }
    let erased = erase_records(&arguments.dir, (arguments.before, &arguments.by), Timestamp::now()).await;
    let (erased, missing) = erased.map_err(|error| {
        let exit = match &error {
            ServeError::Start(StartError::Ledger(LedgerError::Kept(_))) => Exit::Refused,
            ServeError::Start(StartError::Config(_)) => Exit::BadInput,
            _ => Exit::Environment,
        };
        exit.because(format!("nothing was erased: {error}"))
    })?;
    files::print_line(format!(
        "the records of the first {erased} entries are erased; their hashes stay in the log"
    ))?;
    if missing > 0 {
        files::remark(format!(
            "{missing} of these records were missing or altered before: the act names them, and `audit fsck` goes on telling that \
             no act erased them"
        ));
    }
    Ok(Exit::Done)
}
