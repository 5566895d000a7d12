//! `issuer hand-over`, `issuer take-over`, `issuer successor-key`: what becomes of the books of an issuer that closes.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use registry::names::Person;
use registry::{SuccessorIdentity, SuccessorKey};
use serde_json::json;
use transparency::VerifierKey;

use super::books::{failure, open, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `issuer hand-over`.
#[derive(Debug, Args)]
pub(crate) struct HandOver {
    /// The issuer's folder. Nothing is written in it afterwards.
    dir: PathBuf,
    /// The successor's key, as `issuer successor-key` or `age-keygen` prints it.
    #[arg(long, value_name = "age1…")]
    to: SuccessorKey,
    /// Where to write the sealed books; the proof of the log entry lies beside them with `.proof` added.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Who does this, as it is written into the log.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `issuer take-over`.
#[derive(Debug, Args)]
pub(crate) struct TakeOver {
    /// The sealed books; the file with `.proof` added must lie beside them.
    file: PathBuf,
    /// The folder to make.
    dir: PathBuf,
    /// A file with the secret key, `AGE-SECRET-KEY-1…`.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// The closing issuer's log key as the directory has it; without it the bundle vouches for itself.
    #[arg(long, value_name = "KEY")]
    log_key: Option<VerifierKey>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `issuer successor-key`.
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The file to make for the secret key; the public one is printed.
    file: PathBuf,
}

/// Seals the books for a successor.
pub(crate) fn hand_over(arguments: &HandOver) -> Result<Exit, Failure> {
    wait(async {
        let books = open(&arguments.dir).await?;
        let done = books.hand_over(&arguments.to, &arguments.output, &arguments.by, Timestamp::now()).await;
        let done = done.map_err(failure)?;
        books.close().await;
        if arguments.json {
            files::print_line(json!({
                "schema": "microstamp.hand-over/1", "file": arguments.output, "proof": done.proof,
                "sha256": done.sha256, "log_entry": done.log_entry, "manifest": done.manifest,
            }))?;
        } else {
            let (manifest, entry) = (&done.manifest, done.log_entry);
            files::print_line(format!("{}  {}", done.sha256, arguments.output.display()))?;
            files::remark(format!(
                "{} firearms, {} codes, {} entries; the hash is log entry {entry}; give the successor `{}` as well",
                manifest.firearms,
                manifest.codes,
                manifest.entries,
                done.proof.display()
            ));
        }
        Ok(Exit::Done)
    })
}

/// Opens sealed books as their successor.
pub(crate) fn take_over(arguments: &TakeOver) -> Result<Exit, Failure> {
    let identity = files::read_text(&arguments.identity)?;
    let identity: SuccessorIdentity = identity.parse().map_err(|error| Exit::BadInput.because(error))?;
    let key = arguments.log_key.as_ref();
    let taken = registry::take_over(&arguments.file, &identity, key, &arguments.dir, Timestamp::now());
    let manifest = wait(async { taken.await.map_err(failure) })?;
    if key.is_none() {
        files::remark("hint: compare the log key with the directory's, or give it with --log-key");
    }
    if arguments.json {
        files::print_line(json!({"schema": "microstamp.take-over/1", "manifest": manifest}))?;
    } else {
        files::print_line(format!(
            "{}: {} firearms, {} codes, {} entries; they answer, and nothing is added to them",
            arguments.dir.display(),
            manifest.firearms,
            manifest.codes,
            manifest.entries
        ))?;
    }
    Ok(Exit::Done)
}

/// Makes a successor's key.
pub(crate) fn new_key(arguments: &NewKey) -> Result<Exit, Failure> {
    let identity = SuccessorIdentity::generate();
    let text = format!("# public key: {}\n{}\n", identity.key(), identity.to_secret_text());
    files::write_secret(&arguments.file, &text).or_exit(Exit::Environment, "cannot make the key")?;
    files::print_line(identity.key())?;
    Ok(Exit::Done)
}
