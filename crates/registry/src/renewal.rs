//! The log of books that were put back from a copy, or taken over from another issuer, goes on under another name and key.
//!
//! Witnesses cosigned what was entered after a copy was made, so they sign nothing else under the log's old name; and two heirs of
//! one issuer must not write in one log. It ends with a note by both keys, `keys/log.ended`; the entries that are left are the first of the next log, so that the tables agree with it
//! as before.

use std::fs;

use rand::Rng as _;
use transparency::{FolderStore, KeyKind, Log, LogEnd, SigningKey, VerifierKey};

use crate::error::BooksError;
use crate::folder::{Folder, private};

/// Ends the log of books that nobody has open, and lets another go on from its entries. Returns the key that ended.
pub(crate) fn renew_log(folder: &Folder, reason: &str) -> Result<VerifierKey, BooksError> {
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
    log.go_on_as(new.clone()).map_err(refused)?;
    replace(folder, "log.key", &format!("{}\n", new.to_secret_text()))?;
    replace(folder, "log.pub", &format!("{}\n", new.verifier()))?;
    replace(folder, "log.ended", &note)?;
    Ok(old.verifier().clone())
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
