//! Copies of the books that can be trusted: a snapshot of the tables, the log, the keys, and a list of their hashes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use transparency::{FolderStore, StoreError};

use crate::books::{Books, LOG_RENEWED, unit_counter};
use crate::error::{BooksError, Refusal};
use crate::folder::{Database, Folder, MANIFEST, make_private, private};
use crate::import::sha256;
use crate::moving::{USED, Used, may_go_on, moves_in};
use crate::names::Person;
use crate::renewal::renew_log;
use crate::store::Store;

/// What the issuer's node keeps beside the books.
const NODE: &str = "node";
/// Put back last, with its mark.
const ISSUER: &str = "issuer.toml";
/// The tables of a copy, wherever those of the books lie.
const TABLES: &str = "books.sqlite";

impl Books {
    /// Writes a copy of the books into a new folder: tables, log, keys, and `SHA256SUMS` over all of it. The act is in
    /// the log before anything is copied. Tables on a PostgreSQL server become a SQLite file in the copy. The folder of a node
    /// (`node`) is copied as well; the node must not run. Whoever has the copy has the keys: keep it as safe as the books.
    ///
    /// Returns the number of files. The rest of the house waits meanwhile. The copy bears a mark under which nothing opens it
    /// but [`restore`]: a copy that went on as books would issue codes a second time.
    ///
    /// # Errors
    /// [`BooksError::Folder`] when the folder exists or cannot be written; nothing is left behind.
    pub async fn backup(&self, to: &Path, by: &Person, now: Timestamp) -> Result<usize, BooksError> {
        self.copy_to(to, by, now, false).await
    }

    /// Writes a copy, which may be the last one.
    pub(crate) async fn copy_to(
        &self,
        to: &Path,
        by: &Person,
        now: Timestamp,
        last: bool,
    ) -> Result<usize, BooksError> {
        let mut ledger = self.writing().await?;
        let node = hold_node(&self.root.join(NODE))?;
        let part = Part::new(to)?;
        if last {
            self.end_here(&mut ledger, by, now).await?;
        } else {
            let entered = self.enter(&mut ledger, "backup", &json!({"by": by}), now).await?;
            self.effect(&entered).await?.commit().await?;
            // The copy is to be as new as the books are when they are closed.
            self.rest(&mut ledger).await;
        }
        self.store.snapshot(&part.0.join(TABLES), now.as_microsecond()).await?;
        Folder::new(&part.0).mark_copy(&self.root.join(ISSUER))?;
        for name in ["keys", "log"] {
            copy(&self.root.join(name), &part.0.join(name))?;
        }
        if let Some((node, _held)) = &node {
            copy(node, &part.0.join(NODE))?;
        }
        let hashes = hashes(&part.0)?;
        let lines: Vec<String> = hashes.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
        let manifest = lines.concat();
        write(&part.0.join(MANIFEST), manifest.as_bytes())?;
        part.finish(to)?;
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

    /// Enters in the new log which log ended, and how.
    async fn note_renewal(&self, note: &str, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        let mut ledger = self.ledger.lock().await;
        let body = json!({"note": note, "by": by});
        let entered = self.enter(&mut ledger, LOG_RENEWED, &body, now).await?;
        self.effect(&entered).await?.commit().await
    }
}

/// A folder under another name until it is whole; it goes when it is not finished.
struct Part(PathBuf);

impl Part {
    /// Beside `to`, which must not be there.
    fn new(to: &Path) -> Result<Self, BooksError> {
        if to.exists() {
            let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(BooksError::folder("cannot make", to, error));
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        make_private(Path::new(&name), false)?;
        Ok(Self(name.into()))
    }

    fn finish(self, to: &Path) -> Result<(), BooksError> {
        fs::rename(&self.0, to).map_err(|error| BooksError::folder("cannot make", to, error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the last step there is nothing under this name any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a copy is put back, for [`restore`].
#[derive(Debug, Clone, Copy)]
pub struct Restore<'r> {
    /// Where the tables go: into the folder, or to a PostgreSQL server, into an empty database.
    pub database: &'r Database,
    /// The books go on as they were: the copy must be one that closed them ([`Books::move_out`]), and serves for that once. Otherwise their
    /// blocks are closed, because codes could be issued a second time, and their log goes on as another.
    pub latest: bool,
    /// Who does it.
    pub by: &'r Person,
}

/// Puts a copy back into a new folder after checking every file against the list, both ways, and books against log.
/// Returns the number of files.
///
/// Unless the copy is the latest, the log goes on under another name and key: witnesses cosigned what was entered since, and sign
/// nothing else under the old name.
///
/// Until all of that is done, the blocks closed among it, the folder bears a mark under which it cannot be opened: what is
/// left of an attempt that failed issues nothing.
///
/// # Errors
/// [`BooksError::Damaged`] names the first file that is missing, altered or not in the list; [`BooksError::Folder`] when
/// the target exists or cannot be written; [`Refusal::Request`] where the books are to go on as they were with a copy that does not
/// close what it was made of, or with which they do already.
pub async fn restore(
    from: &Path,
    to: &Path,
    options: &Restore<'_>,
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
    for beside in [MANIFEST, USED] {
        found.remove(beside);
    }
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
    let moves = moves_in(&from.join(TABLES)).await?;
    if options.latest && !Folder::new(from).ended_after(moves)? {
        return Err(may_go_on().into());
    }
    if let Database::Postgres(url) = options.database {
        Store::postgres(url).await?.admit_new(now.as_microsecond()).await?;
    }
    let used = if options.latest { Some(Used::mark(from, to, now)?) } else { None };
    make_private(to, false)?;
    for path in listed.keys().filter(|path| *path != ISSUER) {
        let target = to.join(path);
        let folder = target.parent().unwrap_or(to);
        make_private(folder, true)?;
        copy(&from.join(path), &target)?;
    }
    let folder = Folder::new(to);
    folder.begin_restoring(&from.join(ISSUER), options.database, moves)?;
    if let Database::Postgres(url) = options.database {
        let server = Store::postgres(url).await?;
        Box::pin(server.fill(&folder.sqlite(), now.as_microsecond())).await?;
        let path = folder.sqlite();
        fs::remove_file(&path).map_err(|error| BooksError::folder("cannot remove", path, error))?;
    }
    let books = Box::pin(Books::open_restoring(to, now)).await?;
    let found = Box::pin(books.reconcile()).await?;
    if !found.agrees() {
        let first =
            found.faults.first().cloned().unwrap_or_else(|| "records were altered or removed".to_owned());
        return Err(BooksError::damaged(format!("the copy's books and log do not agree: {first}")));
    }
    if options.latest {
        books.go_on_here(options.by, now).await?;
    }
    books.close().await;
    if !options.latest {
        // What was entered since the copy stands in the log as witnesses know it, and cannot be entered a second time.
        let note = renew_log(&folder, "the books were put back from a copy")?;
        let books = Box::pin(Books::open_restoring(to, now)).await?;
        // Nothing is issued any more from the blocks of an issuer that closed.
        if !books.is_closed() {
            books.close_blocks(options.by, now).await?;
        }
        books.note_renewal(&note, options.by, now).await?;
        books.close().await;
    }
    folder.end_restoring()?;
    if let Some(used) = used {
        used.keep();
    }
    Ok(listed.len())
}

/// The folder of the issuer's node, if there is one, and the lock of its log: a node that runs would write while it is
/// copied.
fn hold_node(node: &Path) -> Result<Option<(PathBuf, FolderStore)>, BooksError> {
    if !node.join("log").is_dir() {
        return Ok(None);
    }
    match FolderStore::open(&node.join("log")) {
        Ok(held) => Ok(Some((node.to_owned(), held))),
        Err(StoreError::Locked(_)) => {
            let what = "the issuer's node is running and writes in its folder".to_owned();
            Err(Refusal::Request { what, hint: "stop the node, make the copy, and start it again" }.into())
        }
        Err(error) => Err(BooksError::Log(Box::new(error))),
    }
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
    let written = private().open(path).and_then(|mut file| {
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
