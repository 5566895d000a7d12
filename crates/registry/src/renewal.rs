//! The log of books that were put back from a copy, or taken over from another issuer, goes on under another name and key.
//!
//! Witnesses cosigned what was entered after a copy was made, so they sign nothing else under the log's old name; and two heirs of
//! one issuer must not write in one log. It ends with a note by both keys, `keys/log.ended`; the entries that are left are the first of the next log, so that the tables agree with it
//! as before. The notes of earlier endings stay as `keys/log.ended.1`, `.2`, …, so that what was proved under the first key
//! leads to the last one, however often that was.

use std::fs;
use std::path::Path;

use rand::Rng as _;
use transparency::{FolderStore, KeyKind, Log, LogEnd, SigningKey, Tree, VerifierKey};

use crate::error::BooksError;
use crate::folder::{Folder, private};

/// The note of the last ending, below the folder; those before it have `.1`, `.2`, … added.
const ENDED: &str = "keys/log.ended";

/// Ends the log of books that nobody has open, and lets another go on from its entries. Returns the note by both keys.
pub(crate) fn renew_log(folder: &Folder, reason: &str) -> Result<String, BooksError> {
    let (issuer, keys) = folder.open()?;
    let old = keys.log.ok_or_else(|| BooksError::damaged("keys/log.key is missing"))?;
    let mut rng = rand::rng();
    let mut number = [0; 4];
    rng.fill_bytes(&mut number);
    let name = format!("{}/{}", issuer.origin, hex::encode(number));
    let new = SigningKey::generate(&name, KeyKind::Log, &mut rng).map_err(BooksError::damaged)?;
    let store = FolderStore::open(&folder.log()).map_err(refused)?;
    let log = Log::open(store, old.clone()).map_err(refused)?;
    let checkpoint = &log.checkpoint().checkpoint;
    let note = LogEnd::sign((&old, &new), (checkpoint.size, checkpoint.root), reason).map_err(refused)?;
    let before = notes(&folder.root());
    if let Some((_, last)) = before.last() {
        replace(folder, &format!("log.ended.{}", before.len()), last)?;
    }
    log.go_on_as(new.clone()).map_err(refused)?;
    replace(folder, "log.key", &format!("{}\n", new.to_secret_text()))?;
    replace(folder, "log.pub", &format!("{}\n", new.verifier()))?;
    replace(folder, "log.ended", &note)?;
    Ok(note)
}

/// The files of all notes on logs that ended, by their names below the folder, the oldest first.
pub(crate) fn note_files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for number in 1_u32.. {
        let name = format!("{ENDED}.{number}");
        if !root.join(&name).exists() {
            break;
        }
        files.push(name);
    }
    files.extend(Some(ENDED.to_owned()).filter(|name| root.join(name).exists()));
    files
}

/// What speaks against the notes on the logs that ended: the first must be of the log that bears the books' own name, each must go
/// on as the next, the last as the log that is kept now, and their roots must be those of its first entries.
pub(crate) fn against_endings(
    root: &Path,
    origin: &str,
    log: &VerifierKey,
    (store, size): (&FolderStore, u64),
) -> Vec<String> {
    let (mut faults, mut name, mut key) = (Vec::new(), origin.to_owned(), None);
    for (file, note) in notes(root) {
        let Ok(end) = LogEnd::parse(&note) else {
            faults.push(format!("`{file}` is no note on a log that ended, or was altered"));
            return faults;
        };
        if end.old.name() != name || key.is_some_and(|key| key != end.old) {
            faults.push(format!("`{file}` tells how the log {} ended, not how {name} did", end.old.name()));
        }
        let root = Some(end.size).filter(|kept| *kept <= size).map(|kept| Tree::new(store, kept).root());
        if root.and_then(Result::ok) != Some(end.root) {
            faults.push(format!(
                "the first {} entries of the log are not those that `{file}` hands on",
                end.size
            ));
        }
        end.new.name().clone_into(&mut name);
        key = Some(end.new);
    }
    if name != log.name() || key.is_some_and(|key| key != *log) {
        faults.push(format!("no note tells how the log {name} ended, and this one is {}", log.name()));
    }
    faults
}

/// The notes on logs that ended with the names of their files, the oldest first.
fn notes(root: &Path) -> Vec<(String, String)> {
    let read = |file: String| {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        (file, text)
    };
    note_files(root).into_iter().map(read).collect()
}

/// Writes a file of the keys in the place of the one that is there. The books bear the mark of a copy that is being put back, so
/// half of it is as good as nothing.
fn replace(folder: &Folder, name: &str, text: &str) -> Result<(), BooksError> {
    let path = folder.root().join("keys").join(name);
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let written = private().open(&part).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    });
    let named = written.and_then(|()| fs::rename(&part, &path));
    named.map_err(|error| BooksError::folder("cannot write", path, error))
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> BooksError {
    BooksError::Log(Box::new(error))
}
