//! Which program's files these are: the file `format` of a node's folder.

use std::io;
use std::path::Path;

use super::{LedgerError, failed, records};
use crate::config::replace;

/// The second: since it, records tell by which numbers they are found.
const FORMAT: &str = "microstamp.node/2";

/// Refuses a folder of another program, and marks a new one.
pub(super) fn check(folder: &Path) -> Result<(), LedgerError> {
    let file = folder.join("format");
    let said = match std::fs::read_to_string(&file) {
        Ok(said) => said.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if is_older(folder).map_err(failed)? {
                return Err(LedgerError::Failed(format!(
                    "`{}` is of an older program, whose answers cannot be found by their numbers\nhint: keep it for audits \
                     (`audit fsck`, `audit bundle`), and make a node of another name for new questions",
                    folder.display()
                )));
            }
            return replace(&file, format!("{FORMAT}\n").as_bytes()).map_err(failed);
        }
        Err(error) => return Err(failed(format!("{}: {error}", file.display()))),
    };
    if said == FORMAT {
        return Ok(());
    }
    Err(LedgerError::Failed(format!(
        "`{}` is of the format `{said}`, and this program knows `{FORMAT}`\nhint: use the program that made it, or a newer one",
        folder.display()
    )))
}

/// Whether an answer lies there that has no key; such programs wrote no `format`.
fn is_older(folder: &Path) -> io::Result<bool> {
    let mut older = false;
    records::scan(folder, super::Place::default(), |_, line| {
        let Some(stored) = records::stored(line).filter(|stored| stored.kind == "answer") else {
            return Ok(true);
        };
        // An agency's answer that did not hold is found by no number.
        let held = stored.body["statement"].is_string() || stored.body["opened"].is_object();
        older = held && !records::has_keys(line);
        Ok(!held)
    })?;
    Ok(older)
}
