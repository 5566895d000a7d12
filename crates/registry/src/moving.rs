//! Books that move: a last copy that closes them where they were, so that they go on in one place alone.
//!
//! A code is never issued twice as long as one folder issues. Whoever carries books to another disk, machine or database therefore ends
//! them first: the act stands in their log and in the copy, nothing is entered behind it in the old place, and the copy is the only thing
//! with which the books go on as they were. How often they moved is counted in the tables, and each folder knows how often they had when
//! they came into it; where the tables count more, the books are elsewhere by now.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::json;

use crate::books::Books;
use crate::error::{BooksError, Refusal};
use crate::folder::private;
use crate::names::Person;
use crate::store::Store;

/// The act that ends the books in one place.
pub(crate) const MOVED: &str = "moved";

/// The act with which they go on in another.
pub(crate) const PUT_BACK: &str = "put-back";

/// The counter of the times that books moved.
pub(crate) const MOVES: &str = "moved";

/// What lies in a copy with which books went on.
pub(crate) const USED: &str = "PUT-BACK";

impl Books {
    /// Ends the books here and writes the copy with which they go on elsewhere, as [`Books::backup`] does otherwise. Nothing is entered
    /// here any more, nor by another process that has them open; a copy that was lost, or could not be written, is made again by the same
    /// call.
    ///
    /// # Errors
    /// As [`Books::backup`]; where the folder of the copy cannot be made, nothing happened.
    pub async fn move_out(&self, to: &Path, by: &Person, now: Timestamp) -> Result<usize, BooksError> {
        self.copy_to(to, by, now, true).await
    }

    /// Enters that the books end here.
    pub(crate) async fn end_here(
        &self,
        ledger: &mut crate::ledger::Ledger,
        by: &Person,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        if self.moved.load(Ordering::Relaxed) {
            return Ok(());
        }
        let entered = self.enter(ledger, MOVED, &json!({"by": by}), now).await?;
        let mut session = self.effect(&entered).await?;
        session.take_numbers(MOVES, 1).await?;
        session.commit().await?;
        self.moved.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Enters that the books go on here.
    pub(crate) async fn go_on_here(&self, by: &Person, now: Timestamp) -> Result<(), BooksError> {
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, PUT_BACK, &json!({"by": by}), now).await?;
        self.effect(&entered).await?.commit().await
    }
}

/// How often the books had moved whose tables lie in a folder.
pub(crate) async fn moves_in(tables: &Path) -> Result<i64, BooksError> {
    let store = Store::sqlite_to_read(tables)?;
    let moves = store.read().await?.numbers_taken(MOVES).await;
    store.close().await;
    moves
}

/// What is said of a copy that does not close what it was made of.
pub(crate) fn may_go_on() -> Refusal {
    let what = "the books of which this copy was made may go on, and would issue the same codes: it does not close them".to_owned();
    let hint = "make the last copy with `issuer backup --and-close`; where the books are gone, put the copy back without --latest, \
                which closes its blocks";
    Refusal::Request { what, hint }
}

/// The mark of a copy with which books go on: a second time they cannot. It goes again where they did not go on after all.
pub(crate) struct Used {
    file: PathBuf,
    kept: bool,
}

impl Used {
    /// Marks a copy.
    ///
    /// # Errors
    /// [`Refusal::Request`] for one that bears the mark; [`BooksError::Folder`] where it cannot be written.
    pub(crate) fn mark(copy: &Path, to: &Path, now: Timestamp) -> Result<Self, BooksError> {
        let file = copy.join(USED);
        let cannot = |error| BooksError::folder("cannot mark the copy as put back:", &file, error);
        match private().open(&file) {
            Ok(mut open) => {
                let written = writeln!(open, "put back into {} at {now}", to.display());
                written.and_then(|()| open.sync_all()).map_err(cannot)?;
                Ok(Self { file, kept: false })
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let said = fs::read_to_string(&file).unwrap_or_default();
                let what = format!("with this copy the books go on elsewhere: {}", said.trim());
                let hint = "put it back without --latest, which closes its blocks; where that folder never came to be, delete the file \
                            PUT-BACK of the copy";
                Err(Refusal::Request { what, hint }.into())
            }
            Err(error) => Err(cannot(error)),
        }
    }

    /// The books go on.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.file);
        }
    }
}
