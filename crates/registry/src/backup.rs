//! Copies of the books that can be trusted: a snapshot of the tables, the log, the keys, and a list of their hashes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use crate::books::{Books, unit_counter};
use crate::error::BooksError;
use crate::folder::{Database, Folder};
use crate::import::sha256;
use crate::names::Person;
use crate::store::Store;

/// The list of files and hashes, in the form that `sha256sum --check` reads.
const MANIFEST: &str = "SHA256SUMS";

impl Books {
    /// Writes a copy of the books into a new folder: tables, log, keys, and `SHA256SUMS` over all of it. The act is in
    /// the log before anything is copied. Tables on a PostgreSQL server become a SQLite file in the copy. Whoever has the copy has the keys: keep it as safe as the books.
    ///
    /// Returns the number of files. The rest of the house waits meanwhile.
    ///
    /// # Errors
    /// [`BooksError::Folder`] when the folder exists or cannot be written.
    pub async fn backup(&self, to: &Path, by: &Person, now: Timestamp) -> Result<usize, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "backup", &json!({"by": by}), now).await?;
        self.effect(&entered).await?.commit().await?;
        fs::create_dir(to).map_err(|error| BooksError::folder("cannot make", to, error))?;
        self.store.snapshot(&to.join("books.sqlite"), now.as_microsecond()).await?;
        for part in ["issuer.toml", "keys", "log"] {
            copy(&self.root.join(part), &to.join(part))?;
        }
        let hashes = hashes(to)?;
        let lines: Vec<String> = hashes.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
        let manifest = lines.concat();
        write(&to.join(MANIFEST), manifest.as_bytes())?;
        Ok(hashes.len())
    }

    /// Gives up every unit that is left in the open blocks, so that no code can be issued from them again: what must be
    /// done to books that were restored from a copy older than their last act. They count as issued from then on.
    ///
    /// # Errors
    /// [`BooksError::Log`], [`BooksError::Database`].
    pub async fn close_blocks(&self, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        let blocks = self.blocks().await?;
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "close-blocks", &json!({"by": by}), now).await?;
        let mut session = self.effect(&entered).await?;
        for block in blocks.iter().filter(|block| block.left > 0) {
            session.take_numbers(&unit_counter(block.prefix), i64::from(block.left)).await?;
        }
        session.commit().await
    }
}

/// Puts a copy back into a new folder after checking every file against the list, both ways. Returns their number. With
/// an address the tables go to that PostgreSQL server, which must be empty, and otherwise into the folder.
///
/// A copy does not know what was done after it was made. Unless it is certain that nothing was, open the restored books
/// and call [`Books::close_blocks`]: otherwise codes could be issued a second time.
///
/// # Errors
/// [`BooksError::Damaged`] names the first file that is missing, altered or not in the list; [`BooksError::Folder`] when
/// the target exists or cannot be written.
pub async fn restore(
    from: &Path,
    to: &Path,
    database: &Database,
    now: Timestamp,
) -> Result<usize, BooksError> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| BooksError::folder("cannot read", &path, error))?;
    let listed: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, path)| (path.to_owned(), hash.to_owned()))
        .collect();
    let mut found = hashes(from)?;
    found.remove(MANIFEST);
    for (path, hash) in &listed {
        match found.get(path) {
            None => return Err(BooksError::damaged(format!("`{path}` is missing from the copy"))),
            Some(other) if other != hash => {
                return Err(BooksError::damaged(format!("`{path}` in the copy was altered")));
            }
            Some(_) => {}
        }
    }
    if let Some(path) = found.keys().find(|path| !listed.contains_key(*path)) {
        return Err(BooksError::damaged(format!("`{path}` is not in the copy's list")));
    }
    fs::create_dir(to).map_err(|error| BooksError::folder("cannot make", to, error))?;
    for path in listed.keys() {
        let target = to.join(path);
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|error| BooksError::folder("cannot make", folder, error))?;
        copy(&from.join(path), &target)?;
    }
    let folder = Folder::new(to);
    if let Database::Postgres(url) = database {
        Store::postgres(url).await?.fill(&folder.sqlite(), now.as_microsecond()).await?;
        let path = folder.sqlite();
        fs::remove_file(&path).map_err(|error| BooksError::folder("cannot remove", path, error))?;
    }
    folder.place(database)?;
    Ok(listed.len())
}

/// Copies a file or a folder with all that is in it; locks and journals of a running writer stay behind.
fn copy(from: &Path, to: &Path) -> Result<(), BooksError> {
    let cannot = |error| BooksError::folder("cannot copy", from, error);
    if from.is_dir() {
        fs::create_dir_all(to).map_err(cannot)?;
        for entry in fs::read_dir(from).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            if !name.to_string_lossy().starts_with('.') {
                copy(&from.join(&name), &to.join(&name))?;
            }
        }
        return Ok(());
    }
    fs::copy(from, to).map_err(cannot)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(cannot)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BooksError> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| BooksError::folder("cannot write", path, error))
}

/// SHA-256 of every file below a folder, by its path from there.
fn hashes(root: &Path) -> Result<BTreeMap<String, String>, BooksError> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let cannot = |error| BooksError::folder("cannot read", &here, error);
        for entry in fs::read_dir(&here).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let path = folder.join(entry.file_name());
            if entry.file_type().map_err(cannot)?.is_dir() {
                folders.push(path);
            } else {
                let file = File::open(root.join(&path)).map_err(cannot)?;
                found.insert(path.to_string_lossy().into_owned(), sha256(file).map_err(cannot)?);
            }
        }
    }
    Ok(found)
}
