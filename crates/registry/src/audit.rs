//! Whether tables and log agree.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use symbology::{Code, Prefix, UnitNumber};
use transparency::{Commitment, FolderStore, Salt, Tree};

use crate::books::{Books, History, history, unit_counter};
use crate::digest::{Range, Rows, Written};
use crate::encode;
use crate::entries::{Correction, NewEntry};
use crate::erase::Erasures;
use crate::error::BooksError;
use crate::event::Entry;
use crate::firearm::{Description, FirearmKey, Licensee, Part};
use crate::issue::digest;
use crate::ledger::{against_witnesses, checkpoint, commitment, salt};
use crate::names::{LicenceNumber, Model, Person};
use crate::parts::{SignedChange, Work, registered};
use crate::renewal::against_endings;
use crate::stated::{STATED, STATED_ANEW, Stated};
use crate::store::{IssuedAs, RecordRow, Session};

/// Records read at a time.
const PAGE: i64 = 1_000;

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
        let mut log = LogReader::open(&store)?;
        let mut found = Reconciliation { log_entries: log.size, ..Reconciliation::default() };
        let mut session = self.store.read().await?;
        let (mut after, mut said) = (0, Said::default());
        loop {
            let page = session.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record_id;
            for record in &page {
                let number = record.record_id as u64;
                match record.log_index {
                    None => {
                        log.loose.extend(commitment(record).ok());
                        found.without_effect.push(number);
                    }
                    Some(index) if is_erased(record) => {
                        if log.take(index as u64, None)? {
                            said.erased.push((number, record.recorded_at));
                        } else {
                            found.altered.push(number);
                        }
                    }
                    Some(index) if log.holds(index as u64, record)? => {
                        found.agreed += 1;
                        said.take(record)?;
                        self.compare(&mut session, record, &mut found.faults).await?;
                    }
                    Some(_) => found.altered.push(number),
                }
            }
        }
        found.unexplained = log.unexplained()?;
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
        for (number, recorded_at) in &said.erased {
            match said.erasures.took(*recorded_at) {
                Some(witnessed) => {
                    found.erased += 1;
                    found.erased_unwitnessed += u64::from(!witnessed);
                }
                None => found.altered.push(*number),
            }
        }
        self.compare_counts(&mut session, &said, &mut found.faults).await?;
        compare_keys(&mut session, &said.keys, &mut found.faults).await?;
        Ok(found)
    }

    /// Compares what a record says was done with what stands in the tables.
    async fn compare(
        &self,
        session: &mut Session,
        record: &RecordRow,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        let number = record.record_id;
        let fault = match record.kind.as_str() {
            "issue" if !self.run_stands(session, record).await? => {
                format!("the codes issued under record {number} are not those in the table")
            }
            "issue-part" if !self.part_stands(session, record).await? => {
                format!("the part of record {number} is not in the tables as it was issued")
            }
            "entry" | STATED if !self.entry_stands(session, record).await? => {
                format!("the entry of record {number} is not in the book as it was recorded")
            }
            "correction" | STATED_ANEW if !self.correction_stands(session, record).await? => {
                format!("the correction of record {number} is not in the book as it was recorded")
            }
            "entry" | "entries" | "import" | "part-change" => {
                let RowsRecord { rows, statement } = encode::from_json(&record.body)?;
                if let Some(text) = &statement
                    && !self.change_stands(session, &SignedChange::parse(text.as_bytes())?).await?
                {
                    faults.push(format!(
                        "the signed change of record {number} is not in the book as it was signed"
                    ));
                }
                // Records older than this rule have no hash of their rows.
                let Some(rows) = rows else { return Ok(()) };
                if rows_stand(session, &rows).await? {
                    return Ok(());
                }
                format!("the entries of record {number} are not in the book as they were recorded")
            }
            "closure" => {
                let ClosureRecord { licence, closed_on, records_at } = encode::from_json(&record.body)?;
                if session.closure(licence.as_str()).await?
                    == Some((encode::day_number(closed_on), records_at))
                {
                    return Ok(());
                }
                format!("the closing of licence {licence} is not in the table as record {number} says")
            }
            _ => return Ok(()),
        };
        faults.push(fault);
        Ok(())
    }

    /// Whether the codes and firearms of a run stand as they were issued.
    async fn run_stands(&self, session: &mut Session, record: &RecordRow) -> Result<bool, BooksError> {
        let run: IssueRecord = encode::from_json(&record.body)?;
        let first = i64::from(run.prefix.index()) << 20 | run.first_unit;
        let units = (first, first + run.count);
        let rows = session.issued_units(units.0, units.1).await?;
        let issuer = self.issuer();
        let issued = IssuedAs {
            units,
            holder: (issuer.licence.as_str(), issuer.name.as_str()),
            model: run.model.as_str(),
            description: &encode::json(&run.description)?,
            made_on: encode::day_number(run.made_on),
            recorded_by: run.by.as_str(),
            record_id: record.record_id,
        };
        Ok(digest(rows.iter().map(|(code, serial)| (*code, serial.as_str()))) == run.codes_sha256
            && session.count_issued_as(&issued).await? == run.count)
    }

    /// Whether the code of a part is there, and its fitting, if it was fitted when it was issued.
    async fn part_stands(&self, session: &mut Session, record: &RecordRow) -> Result<bool, BooksError> {
        let PartRecord { code, part, firearm } = encode::from_json(&record.body)?;
        let there = session.code(encode::code_number(code)).await?.is_some();
        let Some(key) = firearm.filter(|_| there) else { return Ok(there) };
        let Some(firearm) = self.firearm_id(session, &key).await? else { return Ok(false) };
        let fitted = Work::Fitted { part, code };
        let stands = |one: &Entry| {
            Work::of(&one.event).as_ref() == Some(&fitted)
                && one.recorded_at.as_microsecond() == record.recorded_at
                && one.event.holder().is(&self.issuer())
        };
        Ok(history(session, firearm).await?.entries.iter().any(stands))
    }

    /// Whether a single entry stands as it was recorded; of a record of many nothing is said here.
    async fn entry_stands(&self, session: &mut Session, record: &RecordRow) -> Result<bool, BooksError> {
        let EntryRecord { entry, stated } = encode::from_json(&record.body)?;
        let Some(entry) = entry else { return Ok(true) };
        let stands = |one: &Entry| {
            (&one.event, one.on, &one.stated) == (&entry.event, entry.on, &stated)
                && one.recorded_at.as_microsecond() == record.recorded_at
        };
        let Some(firearm) = self.firearm_id(session, &entry.firearm).await? else { return Ok(false) };
        Ok(history(session, firearm).await?.entries.iter().any(stands))
    }

    async fn correction_stands(&self, session: &mut Session, record: &RecordRow) -> Result<bool, BooksError> {
        let CorrectionRecord { correction, stated } = encode::from_json(&record.body)?;
        let Some(firearm) = self.firearm_id(session, &correction.firearm).await? else { return Ok(false) };
        let History { entries, .. } = history(session, firearm).await?;
        let old = entries.iter().find(|one| one.number == correction.entry);
        Ok(entries.iter().any(|one| {
            let says = one.corrects.as_ref().is_some_and(|corrects| {
                (corrects.entry, &corrects.reason) == (correction.entry, &correction.reason)
            });
            let becomes = match &correction.becomes {
                Some((event, on)) => (event, *on) == (&one.event, one.on),
                None => old.is_some_and(|old| (&old.event, old.on) == (&one.event, one.on)),
            };
            let described = correction.description.is_none() || one.description == correction.description;
            says && becomes
                && described
                && one.stated == stated
                && one.recorded_at.as_microsecond() == record.recorded_at
        }))
    }

    /// Whether the entries of a signed change stand in the book under its text.
    async fn change_stands(&self, session: &mut Session, signed: &SignedChange) -> Result<bool, BooksError> {
        let (change, hash) = (signed.change(), signed.sha256());
        let kept = session.statement(&hash).await?.is_some_and(|text| text == signed.to_string());
        let Some(firearm) = self.firearm_id(session, &change.firearm).await? else { return Ok(false) };
        let entries = history(session, firearm).await?.entries;
        let stands = |work: Option<Work>| {
            entries.iter().any(|one| {
                Work::of(&one.event) == work
                    && (one.on, one.event.holder().is(&change.by)) == (change.on, true)
                    && one.signed.as_ref().is_some_and(|by| by.statement == hash)
            })
        };
        Ok(kept && change.change.events(&change.by).iter().map(Work::of).all(stands))
    }

    async fn compare_counts(
        &self,
        session: &mut Session,
        said: &Said,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        let ((rows, highest), written) =
            (session.count_entries().await?, session.numbers_taken("entry").await?);
        if rows != written || highest != written {
            faults.push(format!(
                "the book has {rows} entries, the last numbered {highest}; {written} were written"
            ));
        }
        let codes: i64 = said.blocks.values().map(|one| one.0).sum();
        let in_table = session.count_codes().await?;
        if in_table != codes {
            faults.push(format!("the table has {in_table} codes; {codes} were issued"));
        }
        let mut open: Vec<i64> = session.blocks().await?.into_iter().map(|(block, _)| block).collect();
        open.sort_unstable();
        if !open.iter().eq(said.blocks.keys()) {
            faults.push(format!("blocks {open:?} are open, not those that were opened"));
        }
        for (block, (issued, closed)) in &said.blocks {
            let prefix = u16::try_from(*block).ok().and_then(Prefix::from_index);
            let prefix = prefix.ok_or_else(|| BooksError::damaged(format!("block {block}")))?;
            let taken = session.numbers_taken(&unit_counter(prefix)).await?;
            let expected = if *closed { i64::from(UnitNumber::COUNT) } else { *issued };
            if taken != expected {
                faults.push(format!("block {prefix} counts {taken} codes as issued; {expected} were"));
            }
        }
        Ok(())
    }
}

/// What records say, summed up.
#[derive(Default)]
struct Said {
    /// For each block, how many codes were issued from it, and whether it was closed.
    blocks: BTreeMap<i64, (i64, bool)>,
    keys: HashMap<String, KeyState>,
    /// Records whose text is gone, and when they were written.
    erased: Vec<(u64, i64)>,
    erasures: Erasures,
}

impl Said {
    fn take(&mut self, record: &RecordRow) -> Result<(), BooksError> {
        self.erasures.pass(record.recorded_at);
        match record.kind.as_str() {
            "block" => {
                let BlockRecord { prefix } = encode::from_json(&record.body)?;
                self.blocks.insert(prefix.index().into(), (0, false));
            }
            "close-blocks" => self.blocks.values_mut().for_each(|block| block.1 = true),
            "issue" => {
                let IssueRecord { prefix, count, .. } = encode::from_json(&record.body)?;
                self.blocks.entry(prefix.index().into()).or_default().0 += count;
            }
            "issue-part" => {
                let PartRecord { code, .. } = encode::from_json(&record.body)?;
                self.blocks.entry(code.prefix().index().into()).or_default().0 += 1;
            }
            "erase" => {
                let EraseRecord { before, witnessed } = encode::from_json(&record.body)?;
                self.erasures.add(record.record_id as u64, before, witnessed.is_some());
            }
            _ => note_key(record, &mut self.keys)?,
        }
        Ok(())
    }
}

/// Whether a record is a question or an answer whose salt and text were erased.
fn is_erased(record: &RecordRow) -> bool {
    matches!(record.kind.as_str(), "trace" | "answer") && record.salt.is_empty() && record.body.is_empty()
}

/// Whether the rows that an act wrote stand as it wrote them.
async fn rows_stand(session: &mut Session, written: &Written) -> Result<bool, BooksError> {
    let (mut entries, mut firearms) = (Rows::default(), Rows::default());
    let Written { entries: Range { first, count, .. }, .. } = &written;
    for from in (*first..first + count).step_by(PAGE as usize) {
        for row in session.entry_range(from, (from + PAGE).min(first + count)).await? {
            entries.add_stored(row)?;
        }
    }
    let Written { firearms: Range { first, count, .. }, .. } = &written;
    for from in (*first..first + count).step_by(PAGE as usize) {
        for (number, stored) in session.firearm_page(from - 1, PAGE.min(first + count - from)).await? {
            let firearm = encode::firearm(stored)?;
            firearms.add_firearm(number, &firearm.key, &firearm.description)?;
        }
    }
    Ok((entries.range(), firearms.range()) == (written.entries.clone(), written.firearms.clone()))
}

/// What records say that can be checked.
#[derive(Deserialize)]
struct IssueRecord {
    prefix: Prefix,
    first_unit: i64,
    count: i64,
    codes_sha256: String,
    model: Model,
    description: Description,
    made_on: Date,
    by: Person,
}

#[derive(Deserialize)]
struct PartRecord {
    code: Code,
    part: Part,
    firearm: Option<FirearmKey>,
}

#[derive(Deserialize)]
struct BlockRecord {
    prefix: Prefix,
}

#[derive(Deserialize)]
struct ClosureRecord {
    licence: LicenceNumber,
    closed_on: Date,
    records_at: String,
}

#[derive(Deserialize)]
struct EraseRecord {
    before: Timestamp,
    witnessed: Option<Timestamp>,
}

/// Which rows an act wrote, and the signed text that it entered, if any.
#[derive(Deserialize)]
struct RowsRecord {
    rows: Option<Written>,
    statement: Option<String>,
}

#[derive(Deserialize)]
struct EntryRecord {
    entry: Option<NewEntry>,
    stated: Option<Stated>,
}

#[derive(Deserialize)]
struct CorrectionRecord {
    correction: Correction,
    stated: Option<Stated>,
}

/// What a record says of a key: whose it is and when it is valid, or nothing but that it was revoked.
#[derive(Deserialize)]
struct KeyRecord {
    key: String,
    party: Option<Licensee>,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
}

/// A key as records say it is: licence, days, and whether it was revoked.
type KeyState = (Option<Licensee>, Option<Timestamp>, Option<Timestamp>, bool);

/// Notes what a record says of a key.
fn note_key(record: &RecordRow, keys: &mut HashMap<String, KeyState>) -> Result<(), BooksError> {
    match record.kind.as_str() {
        "party-key" => {
            let new: KeyRecord = encode::from_json(&record.body)?;
            keys.insert(new.key, (new.party, new.valid_from, new.valid_until, false));
        }
        "party-key-revoked" => {
            let KeyRecord { key, .. } = encode::from_json(&record.body)?;
            keys.entry(key).or_default().3 = true;
        }
        _ => {}
    }
    Ok(())
}

/// Compares the table of keys with what records say of them.
async fn compare_keys(
    session: &mut Session,
    recorded: &HashMap<String, KeyState>,
    faults: &mut Vec<String>,
) -> Result<(), BooksError> {
    let rows: Result<Vec<_>, _> = session.party_keys().await?.into_iter().map(registered).collect();
    let table: HashMap<String, KeyState> = rows?
        .into_iter()
        .map(|one| {
            let state = (
                Some(one.key.party),
                Some(one.key.valid_from),
                Some(one.key.valid_until),
                one.revoked.is_some(),
            );
            (one.key.key.to_string(), state)
        })
        .collect();
    let names = table.keys().chain(recorded.keys().filter(|key| !table.contains_key(*key)));
    for key in names.filter(|key| table.get(*key) != recorded.get(*key)) {
        faults.push(format!("the key {key} is not registered as it was recorded"));
    }
    Ok(())
}

/// The log, read forward, and which of its entries were accounted for.
struct LogReader<'s> {
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
    fn open(store: &'s FolderStore) -> Result<Self, BooksError> {
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
