//! What a role remembers of its records, kept on disk so that a start does not read them all again.
//!
//! The file lies open to whoever has the machine. So its hash is an act in the log, and a file that is not the one of which the newest
//! such act speaks is not believed: everything is read from the records then. These are compared with the log as they are read.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::index::{Key, Place};
use super::vouched::Vouched;
use super::{Act, Ledger, LedgerError, Stored, failed, records};
use crate::config::replace;

/// The kind of the act that speaks of a file.
const KIND: &str = "kept";

/// A memory and how far into the records it reaches.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Kept<T> {
    /// Every record before this is in the memory, and none behind it.
    pub(crate) through: Place,
    /// The memory.
    pub(crate) memory: T,
}

/// What was found of a memory at the start.
#[derive(Debug, Default)]
pub(crate) struct Recalled<T> {
    /// What the file holds; empty where there is none, or none that the log knows.
    pub(crate) kept: Kept<T>,
    /// What stands in the log beside the hash, and up to which record it speaks.
    pub(crate) beside: Option<(Place, Value)>,
}

/// The act.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    file: String,
    sha256: String,
    through: Place,
    beside: Value,
}

impl Ledger {
    /// What was kept in a file, if it is the one of which the log speaks.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when log or records cannot be read.
    pub(crate) fn kept<T: DeserializeOwned + Default>(&self, file: &str) -> Result<Recalled<T>, LedgerError> {
        let Some(stored) = self.find(Key::of_text(KIND, file))? else { return Ok(Recalled::default()) };
        let bound = serde_json::from_value::<Bound>(stored.body.clone()).ok();
        let Some(bound) = bound.filter(|bound| {
            bound.file == file && Vouched::new(&self.folder, self.end_of_log()).is_what_it_holds(&stored)
        }) else {
            self.state.records_fail(stored.entered.index);
            return Ok(Recalled::default());
        };
        // A crash may have come between the act and the name that the file gets by it.
        let mut files = [file.to_owned(), beside(file)].into_iter();
        let kept = files.find_map(|name| read(&self.folder.join(name), &bound));
        if kept.is_none() {
            tracing::error!(
                file,
                "it is not the file of which the log speaks: it was lost or altered; all records are read"
            );
        }
        Ok(Recalled { kept: kept.unwrap_or_default(), beside: Some((bound.through, bound.beside)) })
    }

    /// Keeps a memory: its file, and the act that speaks of it. `beside` stands in the act itself.
    ///
    /// # Errors
    /// [`LedgerError`]; what was kept before holds then.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        file: &str,
        (kept, with): (&Kept<T>, Value),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let bytes = serde_json::to_vec(kept).map_err(failed)?;
        let bound = Bound {
            file: file.to_owned(),
            sha256: hex::encode(Sha256::digest(&bytes)),
            through: kept.through,
            beside: with,
        };
        let (path, new) = (self.folder.join(file), self.folder.join(beside(file)));
        let written = new.clone();
        let write = tokio::task::spawn_blocking(move || replace(&written, &bytes));
        write.await.map_err(failed)?.map_err(failed)?;
        let act = Act::new(KIND, json!(bound)).found_by(Key::of_text(KIND, file));
        self.enter(&[act], now).await?;
        std::fs::rename(new, path).map_err(failed)
    }

    /// Every record from a place on, oldest first, as far as the log vouches for it. One that was altered is told and passed over.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when a file cannot be read.
    pub(crate) fn since(&self, place: Place, mut take: impl FnMut(Place, Stored)) -> Result<(), LedgerError> {
        let mut vouched = Vouched::new(&self.folder, self.end_of_log());
        records::scan(&self.folder, place, |place, line| {
            match records::stored(line) {
                Some(stored) if vouched.is_what_it_holds(&stored) => take(place, stored),
                stored => self.state.records_fail(stored.map_or(0, |stored| stored.entered.index)),
            }
            Ok(true)
        })
        .map_err(failed)
    }
}

/// The name under which a file is written before the log knows it.
fn beside(file: &str) -> String {
    format!("{file}.new")
}

/// A file, if it is the one that an act speaks of.
fn read<T: DeserializeOwned>(path: &Path, bound: &Bound) -> Option<Kept<T>> {
    let bytes = std::fs::read(path).ok()?;
    if hex::encode(Sha256::digest(&bytes)) != bound.sha256 {
        return None;
    }
    let kept = serde_json::from_slice::<Kept<T>>(&bytes).ok()?;
    (kept.through == bound.through).then_some(kept)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use transparency::SigningKey;

    use super::*;

    const FILE: &str = "counts.json";

    fn key() -> SigningKey {
        SigningKey::log("node.example/log", &[7; 32]).expect("a name")
    }

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    async fn enter(ledger: &Ledger, number: u64) {
        ledger.enter(&[Act::new("seen", json!({"at": number}))], now()).await.expect("entered");
    }

    /// What a memory that counts records comes to: from the file, and with the records since.
    fn counted(ledger: &Ledger) -> (Vec<u64>, usize) {
        let Recalled { kept: Kept { through, memory }, .. } = ledger.kept::<Vec<u64>>(FILE).expect("read");
        let (held, mut since) = (memory, 0);
        ledger.since(through, |_, stored| since += usize::from(stored.kind == "seen")).expect("read");
        (held, since)
    }

    #[tokio::test]
    async fn a_file_that_the_log_does_not_know_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Ledger::open(folder.path(), &key()).expect("opened");
        let ledger = open();
        for number in 0..3 {
            enter(&ledger, number).await;
        }
        let file = folder.path().join(FILE);
        let keep = async |ledger: &Ledger, memory: Vec<u64>| {
            let kept = Kept { through: ledger.end(), memory };
            ledger.keep(FILE, (&kept, json!({"note": 1})), now()).await.expect("kept");
        };
        keep(&ledger, vec![0, 1, 2]).await;
        enter(&ledger, 3).await;
        let older = fs::read(&file).expect("a file");
        drop(ledger);
        assert_eq!(counted(&open()), (vec![0, 1, 2], 1));
        // Whoever has the machine writes another one, as new as can be.
        let through = open().end();
        let forged = serde_json::to_vec(&Kept { through, memory: Vec::<u64>::new() }).expect("bytes");
        fs::write(&file, &forged).expect("written");
        assert_eq!(counted(&open()), (vec![], 4), "all is read from the records");
        let note = open().kept::<Vec<u64>>(FILE).expect("read").beside.expect("an act");
        assert_eq!(note.1, json!({"note": 1}), "what the log itself says stays");
        // Or puts an older one back, or takes it away.
        let ledger = open();
        keep(&ledger, vec![0, 1, 2, 3]).await;
        drop(ledger);
        assert_eq!(counted(&open()), (vec![0, 1, 2, 3], 0));
        fs::write(&file, older).expect("written");
        assert_eq!(counted(&open()), (vec![], 4));
        fs::remove_file(&file).expect("removed");
        assert_eq!(counted(&open()), (vec![], 4));
    }

    #[tokio::test]
    async fn a_record_that_was_altered_is_told_and_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::open(folder.path(), &key()).expect("opened");
        for number in 0..4 {
            enter(&ledger, number).await;
        }
        drop(ledger);
        let file = folder.path().join("records/2026-11.jsonl");
        let text = fs::read_to_string(&file).expect("records");
        fs::write(&file, text.replace("{\"at\":2}", "{\"at\":7}")).expect("written");
        let ledger = Ledger::open(folder.path(), &key()).expect("opened");
        assert!(ledger.state().is_complete(), "its length and its ends are as they were");
        assert_eq!(counted(&ledger), (vec![], 3));
        assert!(!ledger.state().is_complete());
    }
}
