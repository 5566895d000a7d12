//! Whether tables and log agree.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use transparency::{Commitment, FolderStore, Frontier, Hash, Salt, Tree};

use crate::books::{Books, CLOCK_IS_RIGHT, CLOCK_WAS_AHEAD, SET_BACK};
use crate::compare::{PAGE, noted};
use crate::erase::Blank;
use crate::error::BooksError;
use crate::ledger::{against_witnesses, checkpoint, commitment, salt};
use crate::renewal::against_endings;
use crate::said::Said;
use crate::store::{RecordRow, Session};

/// How far a record's time may lie before the latest one, in microseconds: a clock is set back by seconds, and each act may lie
/// [`SET_BACK`] before the one before it, but nobody sets a clock back by that twelve times over.
const BEHIND: i64 = 12 * SET_BACK;

/// What [`Books::reconcile`] found. [`Reconciliation::agrees`] sums it up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Entries in the log.
    pub log_entries: u64,
    /// Records that are in the log, took effect, and can be read.
    pub agreed: u64,
    /// Records that took no effect, in or out of the log: acts cut off by a crash, a full disk or a refusal. Harmless.
    pub without_effect: Vec<u64>,
    /// Records whose text is not what the log vouches for: altered after the fact.
    pub altered: Vec<u64>,
    /// Log entries without any record: records were deleted, or the log was written by someone else.
    pub unexplained: Vec<u64>,
    /// Questions and answers whose text was erased when its time was over; that they were there stays in the log.
    pub erased: u64,
    /// Those of them that went by this machine's clock alone: no witness knew the time.
    #[serde(default)]
    pub erased_unwitnessed: u64,
    /// What stands in the tables and is not what records say was done, or the other way round; in sentences.
    pub faults: Vec<String>,
}

impl Reconciliation {
    /// Whether log and tables agree.
    pub fn agrees(&self) -> bool {
        self.altered.is_empty() && self.unexplained.is_empty() && self.faults.is_empty()
    }
}

impl Books {
    /// Salt and canonical bytes of what was entered under a number of the log: with the log they prove it. `None` when there is no
    /// such entry, and when its text was erased.
    ///
    /// # Errors
    /// [`BooksError::Database`], [`BooksError::Damaged`].
    pub async fn opening(&self, log_index: u64) -> Result<Option<(Salt, Vec<u8>)>, BooksError> {
        let Ok(index) = i64::try_from(log_index) else { return Ok(None) };
        let record = self.store.read().await?.record_at(index).await?;
        let record = record.filter(|record| !is_erased(record));
        record.map(|record| Ok((salt(&record)?, record.body.into_bytes()))).transpose()
    }

    /// Compares every record with the log, and what stands in the tables with what the records say was done. Tree and
    /// signatures are `transparency`'s to check; this tells whether the log speaks of these tables.
    ///
    /// # Errors
    /// [`BooksError::Log`] when the log cannot be read.
    pub async fn reconcile(&self) -> Result<Reconciliation, BooksError> {
        let ledger = self.ledger.lock().await;
        let store = FolderStore::read_only(ledger.folder());
        let log = LogReader::open(&store)?;
        let signed = checkpoint(&store)?;
        let found = Reconciliation { log_entries: log.size, ..Reconciliation::default() };
        let mut pass = Pass {
            log,
            found,
            said: Said::default(),
            last_index: None,
            newest: 0,
            previous: 0,
            blanks: Vec::new(),
        };
        let mut session = self.store.read().await?;
        let mut after = 0;
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record_id;
            for record in &page {
                self.account(&mut session, record, &mut pass).await?;
            }
        }
        let Pass { mut log, mut found, said, blanks, .. } = pass;
        let root = log.root_of_entries()?;
        if signed.verify(&self.keys.log_verifier).is_err() {
            found.faults.push("the log's checkpoint is not signed by the log's key".to_owned());
        }
        if root != signed.checkpoint.root {
            found
                .faults
                .push("the log's entries are not those that its checkpoint was signed for".to_owned());
        }
        found.unexplained = log.unexplained()?;
        // A question that was cut off by a crash and erased since has its place in the log somewhere behind the record before it.
        for (blank, behind) in &blanks {
            let its_own =
                |entry: &u64| (behind.map_or(0, |index| index + 1)..*entry).all(|one| !log.is_taken(one));
            if said.erasures.took(blank).is_some()
                && let Some(at) = found.unexplained.iter().position(its_own)
            {
                found.unexplained.remove(at);
            }
        }
        let vouched = against_witnesses(ledger.folder(), log.size, &self.keys.log_verifier)?;
        found.faults.extend(vouched.and_then(|fault| fault.lines().next().map(ToOwned::to_owned)));
        let ends = against_endings(
            &self.root,
            self.log_name(),
            &self.keys.log_verifier,
            (&store, found.log_entries),
        );
        found.faults.extend(ends);
        found.faults.extend(said.erasures.faults());
        if let Some(number) = said.after_hand_over.filter(|_| !self.issuer.taken_over) {
            found.faults.push(format!("record {number} was entered after these books were handed over"));
        }
        if let Some(number) = said.went_on {
            found.faults.push(format!(
                "record {number} was entered where these books had ended, and moved elsewhere"
            ));
        }
        for blank in &said.erased {
            match said.erasures.took(blank) {
                Some(witnessed) => {
                    found.erased += 1;
                    found.erased_unwitnessed += u64::from(!witnessed);
                }
                None => found.altered.push(blank.record as u64),
            }
        }
        self.compare_tables(&mut session, &said, &mut found.faults).await?;
        Ok(found)
    }

    /// Accounts for one record: in the log, and in the tables.
    async fn account(
        &self,
        session: &mut Session,
        record: &RecordRow,
        pass: &mut Pass<'_>,
    ) -> Result<(), BooksError> {
        if pass.is_dated_back(record) {
            let fault =
                format!("record {} is dated before those that were entered before it", record.record_id);
            pass.found.faults.push(fault);
        }
        let (Pass { log, found, said, last_index, newest, blanks, .. }, number) =
            (pass, record.record_id as u64);
        match record.log_index {
            None => {
                log.loose.extend(commitment(record).ok());
                found.without_effect.push(number);
                if is_erased(record) {
                    said.last_after = None;
                    let behind = last_index.map(|index| index as u64);
                    blanks.push((Blank::of(record, *newest), behind));
                } else {
                    noted(said.follows(record, &mut found.faults), &mut found.faults)?;
                }
                if matches!(record.kind.as_str(), "issue" | "issue-part") {
                    said.cut_off(record);
                }
                return Ok(());
            }
            Some(index) if is_erased(record) => {
                if log.take(index as u64, None)? {
                    said.erased.push(Blank::of(record, *newest));
                    said.last_after = None;
                } else {
                    found.altered.push(number);
                }
            }
            Some(index) if log.holds(index as u64, record)? => {
                found.agreed += 1;
                // Whoever affirms the clock says of the times before that they were wrong.
                *newest = if record.kind == CLOCK_WAS_AHEAD { 0 } else { *newest }.max(record.recorded_at);
                noted(said.take(record, &mut found.faults), &mut found.faults)?;
                let compared = self.compare(session, record, said).await;
                noted(compared.map(|fault| found.faults.extend(fault)), &mut found.faults)?;
            }
            Some(_) => found.altered.push(number),
        }
        // Records are numbered and entered under one lock.
        if record.log_index <= *last_index {
            found.faults.push(format!("record {number} is not numbered in the order of the log"));
        }
        *last_index = (*last_index).max(record.log_index);
        (said.logged, said.last_effect) = (said.logged + 1, record.record_id);
        Ok(())
    }
}

/// What was found so far, record by record.
struct Pass<'s> {
    log: LogReader<'s>,
    found: Reconciliation,
    said: Said,
    /// Highest place in the log so far.
    last_index: Option<i64>,
    /// The latest time so far, in microseconds.
    newest: i64,
    /// The time of the record before.
    previous: i64,
    /// Records without effect whose text is gone, and the place in the log of what came before each.
    blanks: Vec<(Blank, Option<u64>)>,
}

impl Pass<'_> {
    /// Whether a record has a time at which the books would not have taken it.
    fn is_dated_back(&mut self, record: &RecordRow) -> bool {
        let at = record.recorded_at;
        let before = std::mem::replace(&mut self.previous, at);
        let affirmed = matches!(record.kind.as_str(), CLOCK_WAS_AHEAD | CLOCK_IS_RIGHT);
        !affirmed && (at < before - SET_BACK || at < self.newest - BEHIND)
    }
}

/// Whether a record is a question or an answer whose salt and text were erased.
pub(crate) fn is_erased(record: &RecordRow) -> bool {
    matches!(record.kind.as_str(), "trace" | "answer") && record.salt.is_empty() && record.body.is_empty()
}

/// The log, read forward, and which of its entries were accounted for.
pub(crate) struct LogReader<'s> {
    tree: Tree<'s, FolderStore>,
    size: u64,
    /// The 256 entries read last, and which they are.
    bundle: Option<(u64, Vec<Vec<u8>>)>,
    /// One bit for each entry of the log.
    taken: Vec<u64>,
    /// Commitments of records that never took effect; the log may hold them.
    loose: HashSet<Commitment>,
}

impl<'s> LogReader<'s> {
    pub(crate) fn open(store: &'s FolderStore) -> Result<Self, BooksError> {
        let size = checkpoint(store)?.checkpoint.size;
        let taken = vec![0; size.div_ceil(64) as usize];
        Ok(Self { tree: Tree::new(store, size), size, bundle: None, taken, loose: HashSet::new() })
    }

    fn at(&mut self, index: u64) -> Result<Commitment, BooksError> {
        let wanted = index / 256;
        if self.bundle.as_ref().is_none_or(|(number, _)| *number != wanted) {
            let entries = self.tree.bundle(wanted).map_err(|error| BooksError::Log(Box::new(error)))?;
            self.bundle = Some((wanted, entries));
        }
        let entry = self.bundle.as_ref().and_then(|(_, entries)| entries.get((index % 256) as usize));
        let entry = entry.and_then(|entry| <[u8; 32]>::try_from(entry.as_slice()).ok());
        let entry =
            entry.ok_or_else(|| BooksError::damaged(format!("log entry {index} is no commitment")))?;
        Ok(Commitment::from_bytes(entry))
    }

    /// Accounts for an entry, once, if it is the one expected; with `None`, whatever it is.
    fn take(&mut self, index: u64, expected: Option<&Commitment>) -> Result<bool, BooksError> {
        if index >= self.size || self.is_taken(index) {
            return Ok(false);
        }
        let fits = match expected {
            Some(expected) => self.at(index)? == *expected,
            None => true,
        };
        self.taken[(index / 64) as usize] |= u64::from(fits) << (index % 64);
        Ok(fits)
    }

    fn is_taken(&self, index: u64) -> bool {
        self.taken[(index / 64) as usize] >> (index % 64) & 1 == 1
    }

    /// Accounts for an entry if it is the hash of this record.
    fn holds(&mut self, index: u64, record: &RecordRow) -> Result<bool, BooksError> {
        commitment(record).map_or(Ok(false), |commitment| self.take(index, Some(&commitment)))
    }

    /// Whether a record is what the log holds at its place; one that took no effect may not be there.
    pub(crate) fn vouches(&mut self, record: &RecordRow) -> Result<bool, BooksError> {
        match record.log_index {
            Some(index) => self.holds(index as u64, record),
            None => Ok(true),
        }
    }

    /// The root over all entries as they are.
    fn root_of_entries(&mut self) -> Result<Hash, BooksError> {
        let mut frontier = Frontier::default();
        for index in 0..self.size {
            frontier.push(Hash::leaf(self.at(index)?.as_ref()));
        }
        Ok(frontier.root())
    }

    /// Entries that no record accounts for.
    fn unexplained(&mut self) -> Result<Vec<u64>, BooksError> {
        let mut left = Vec::new();
        for index in 0..self.size {
            if self.is_taken(index) {
                continue;
            }
            let entry = self.at(index)?;
            if !self.loose.contains(&entry) {
                left.push(index);
            }
        }
        Ok(left)
    }
}
