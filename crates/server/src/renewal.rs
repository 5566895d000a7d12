//! A node whose folder was put back from a copy goes on with another log.
//!
//! Witnesses cosigned what was entered since the copy was made, and rightly sign nothing else under that log's name. So it ends,
//! with a note that its key and that of the next one sign, and the next one begins with the entries that are left: records, index
//! and proofs stay as they are. What was cosigned of the old log stays too, for courts.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::Rng as _;
use registry::names::{Person, Reason};
use serde_json::json;
use transparency::{
    FolderStore, Log, LogEnd, LogError, NoteError, SignedCheckpoint, SigningKey, VerifierKey,
};

use crate::config::{ConfigError, Node, NodeRole, replace};
use crate::ledger::{Act, Ledger, LedgerError};
use crate::roles::StartError;

/// Ends the log of a node that is stopped, lets another go on from its entries, and enters that in it. Returns the note. Begun
/// and not ended, it can be called again.
///
/// # Errors
/// [`StartError`]; also where the node keeps no log of questions, or the directory's, to which nodes hold on.
pub async fn renew_log(
    data: &Path,
    (by, reason): (&Person, &Reason),
    now: Timestamp,
) -> Result<LogEnd, StartError> {
    let mut node = Node::open(data)?;
    if !matches!(node.config.role, NodeRole::Issuer | NodeRole::Agency) {
        let reason = "only the log of an issuer's or an agency's node goes on under another name\nhint: witnesses keep none; \
                      put the newest copy of a directory back, or make another and tell every node its key";
        let path = node.folder.join("node.toml");
        return Err(ConfigError::Damaged { path, reason: reason.to_owned() }.into());
    }
    let (end, number) = end_log(&node, reason.as_str())?;
    set_aside(&node.folder, &end.old)?;
    node.keep_log(&number)?;
    let note = node.log_ended.clone();
    // A later end does not take the place of an earlier one.
    replace(&note_of_ended(&node.folder, &end.old), note.as_deref().unwrap_or_default().as_bytes())?;
    let ledger = Ledger::open(&node.folder, &node.log)?;
    let act = Act::new("log-renewed", json!({"by": by, "note": note}));
    ledger.enter(&[act], now).await?;
    Ok(end)
}

/// Where the checkpoint lies that witnesses cosigned last of a log that ended.
pub(crate) fn cosigned_of_ended(folder: &Path, log: &VerifierKey) -> PathBuf {
    folder.join("ended").join(hex::encode(log.id()))
}

/// Where the note lies with which a log ended; that of the last one is `log-ended`, too.
pub(crate) fn note_of_ended(folder: &Path, log: &VerifierKey) -> PathBuf {
    cosigned_of_ended(folder, log).with_extension("note")
}

/// Signs the end of the log and of what goes on; the number of the log that does.
fn end_log(node: &Node, reason: &str) -> Result<(LogEnd, String), LedgerError> {
    let failed = |error: &dyn std::fmt::Display| LedgerError::Failed(error.to_string());
    let folder = node.folder.join("log");
    let store = FolderStore::open(&folder).map_err(|error| failed(&error))?;
    // An earlier attempt that did not end is ended.
    let begun = node.log_end().filter(|(end, _)| end.old == *node.log.verifier());
    let begun = begun.and_then(|(end, _)| Some((end.new.name().rsplit('/').next()?.to_owned(), end)));
    if let Some((number, end)) = begun {
        let new = node.log_key(Some(&number)).map_err(|error| failed(&error))?;
        return match Log::open(store, node.log.clone()) {
            Ok(log) => log.go_on_as(new).map(|_| (end, number)).map_err(|error| failed(&error)),
            // Its checkpoint bears the new name already.
            Err(LogError::Note(NoteError::Unsigned(_))) => Ok((end, number)),
            Err(error) => Err(failed(&error)),
        };
    }
    let log = Log::open(store, node.log.clone()).map_err(|error| failed(&error))?;
    let mut number = [0; 4];
    rand::rng().fill_bytes(&mut number);
    let number = hex::encode(number);
    let new: SigningKey = node.log_key(Some(&number)).map_err(|error| failed(&error))?;
    let checkpoint = &log.checkpoint().checkpoint;
    let note = LogEnd::sign((&node.log, &new), (checkpoint.size, checkpoint.root), reason);
    let note = note.map_err(|error| failed(&error))?;
    replace(&node.folder.join("log-ended"), note.as_bytes()).map_err(|error| failed(&error))?;
    log.go_on_as(new).map_err(|error| failed(&error))?;
    Ok((LogEnd::parse(&note).map_err(|error| failed(&error))?, number))
}

/// Keeps what was cosigned of the log that ended; of the one that goes on nothing was yet.
fn set_aside(folder: &Path, old: &VerifierKey) -> Result<(), ConfigError> {
    let (cosigned, ended) = (folder.join("cosigned"), folder.join("ended"));
    fs::create_dir_all(&ended).map_err(|source| ConfigError::Folder {
        what: "cannot make the folder",
        path: ended,
        source,
    })?;
    let Ok(bytes) = fs::read(&cosigned) else { return Ok(()) };
    let of_old = SignedCheckpoint::parse(&bytes).is_ok_and(|signed| signed.verify(old).is_ok());
    if of_old {
        replace(&cosigned_of_ended(folder, old), &bytes)?;
    }
    let removed = fs::remove_file(&cosigned);
    removed.map_err(|source| ConfigError::Folder { what: "cannot remove", path: cosigned, source })
}
