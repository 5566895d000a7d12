//! `audit bundle`: entries of a log with their records, salts and proofs, in one file.

use std::path::{Path, PathBuf};

use clap::Args;
use server::Ledger;
use transparency::{Bundle, EntryProof, Salt, SignedCheckpoint, Tree};

use super::source::{Place, Source, log_folder};
use crate::commands::books::{failure, open_to_read, wait};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

#[derive(Debug, Args)]
pub(super) struct Pack {
    /// The folder of a log, an issuer's or a node's folder, or the address under which a node serves its log.
    #[arg(value_name = "DIR|URL")]
    log: Place,
    /// Number of the entry; may be repeated. Salt and record are taken out of the tables or records beside the log, unless both
    /// are given for each entry, in the same order.
    #[arg(long, value_name = "N", required = true)]
    entry: Vec<u64>,
    /// The record's salt, 64 hexadecimal digits.
    #[arg(long, value_name = "HEX", requires = "record")]
    salt: Vec<String>,
    /// The record's canonical bytes.
    #[arg(long, value_name = "FILE", requires = "salt")]
    record: Vec<PathBuf>,
    /// Prove the entries under the newest checkpoint with the log's signature alone, for whoever knows no witness. Otherwise it
    /// is the one that witnesses cosigned, where there is one that covers the entries.
    #[arg(long)]
    without_cosignatures: bool,
    /// For an https address: SHA-256 of the public key of the server's certificate, as in the node's card (`tls`).
    #[arg(long, value_name = "PIN", value_parser = super::pin)]
    pin: Option<String>,
    /// The bundle; `-` for standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What was entered.
type Opening = (Salt, Vec<u8>);

/// Packs entries with all that it takes to verify them offline.
pub(super) fn pack(arguments: &Pack) -> Result<Exit, Failure> {
    let openings =
        if arguments.salt.is_empty() { opened_here(arguments)? } else { opened_by_hand(arguments)? };
    let source = arguments.log.open(arguments.pin.as_deref())?;
    let signed = checkpoint(arguments, &source)?;
    let tree = Tree::new(&source, signed.checkpoint.size);
    let mut entries = Vec::new();
    for (index, (salt, record)) in arguments.entry.iter().zip(&openings) {
        let proof = EntryProof::new(&tree, &signed, *index, (salt, record));
        entries.push(proof.or_exit(Exit::BadInput, format!("entry {index}"))?);
    }
    files::write_private(&arguments.output, Bundle { entries }.to_string().as_bytes())?;
    Ok(Exit::Done)
}

/// The checkpoint under which the entries are proved.
fn checkpoint(arguments: &Pack, source: &Source) -> Result<SignedCheckpoint, Failure> {
    let covers = |signed: &SignedCheckpoint| arguments.entry.iter().all(|one| *one < signed.checkpoint.size);
    if !arguments.without_cosignatures
        && let Some(cosigned) = source.cosigned()?.filter(covers)
    {
        return Ok(cosigned);
    }
    source.newest()?.ok_or_else(|| super::no_log(&arguments.log))
}

fn opened_by_hand(arguments: &Pack) -> Result<Vec<Opening>, Failure> {
    let Pack { entry, salt, record, .. } = arguments;
    if entry.len() != salt.len() || entry.len() != record.len() {
        return Err(Exit::BadInput.because(
            "the numbers of --entry, --salt and --record differ\nhint: give all three for each entry, in the same order",
        ));
    }
    let opening = |(salt, record): (&String, &PathBuf)| {
        let salt =
            salt_of(salt).ok_or_else(|| Exit::BadInput.because("a salt is not 64 hexadecimal digits"))?;
        Ok((salt, files::read(record)?))
    };
    salt.iter().zip(record).map(opening).collect()
}

/// Salts and records out of an issuer's tables, or the records beside a node's log.
fn opened_here(arguments: &Pack) -> Result<Vec<Opening>, Failure> {
    let nowhere = || {
        Exit::BadInput.because(format!(
            "`{}` has neither an issuer's tables nor a node's records beside the log\nhint: give --salt and --record for each entry",
            arguments.log
        ))
    };
    let log = log_folder(arguments.log.folder().ok_or_else(nowhere)?);
    let log = std::fs::canonicalize(&log).map_err(|_| super::no_log(&arguments.log))?;
    let above = log.parent().ok_or_else(nowhere)?;
    let found = if above.join("issuer.toml").exists() {
        of_books(above, &arguments.entry)?
    } else if above.join("records").is_dir() {
        of_node(above, &arguments.entry)?
    } else {
        return Err(nowhere());
    };
    let there = |(entry, opening): (&u64, Option<Opening>)| {
        opening.ok_or_else(|| {
            Exit::BadInput
                .because(format!("entry {entry} has no record here: there is none, or it was erased"))
        })
    };
    arguments.entry.iter().zip(found).map(there).collect()
}

fn of_books(folder: &Path, entries: &[u64]) -> Result<Vec<Option<Opening>>, Failure> {
    wait(async {
        let books = open_to_read(folder).await?;
        let mut found = Vec::new();
        for entry in entries {
            found.push(books.opening(*entry).await.map_err(failure)?);
        }
        books.close().await;
        Ok(found)
    })
}

fn of_node(folder: &Path, entries: &[u64]) -> Result<Vec<Option<Opening>>, Failure> {
    let mut found = vec![None; entries.len()];
    let read = Ledger::records(folder, |stored| {
        for (entry, opening) in entries.iter().zip(&mut found) {
            if *entry == stored.entered.index {
                let salt = salt_of(&stored.entered.salt);
                *opening = salt.map(|salt| (salt, stored.entered.record.clone().into_bytes()));
            }
        }
    });
    read.or_exit(Exit::Environment, "cannot read the node's records")?;
    Ok(found)
}

fn salt_of(hex: &str) -> Option<Salt> {
    Some(Salt::from_bytes(hex::decode(hex).ok()?.try_into().ok()?))
}
