//! What single records say was done, against the rows that they wrote.
//!
//! Acts are done one after the other, so each wrote the numbers that follow those of the one before: whatever else has a number in
//! the tables was written by nobody. Every column of a row is compared with what the record says, or hashed in it, or follows from
//! the other columns; `agreement` does the same for the tables that are compared as a whole.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use symbology::{Code, Prefix};

use crate::books::{Books, History, LOG_RENEWED, history};
use crate::digest::{Range, Rows, Written};
use crate::encode;
use crate::entries::{Correction, NewEntry};
use crate::erase::{Blank, Erasures};
use crate::error::BooksError;
use crate::event::{Entry, EntryNumber, Event};
use crate::firearm::{Description, FirearmKey, Licensee, Part};
use crate::issue::{Units, digest};
use crate::moving::{MOVED, PUT_BACK};
use crate::names::{LicenceNumber, Model, Person, Reason};
use crate::parts::{PartyKind, SignedChange, Work};
use crate::stated::{STATED, STATED_ANEW, Stated};
use crate::store::{ClosureRow, CodeRow, IssuedAs, RecordRow, Session, StoredEntry};
use crate::succession::HAND_OVER;

/// Rows read at a time.
pub(crate) const PAGE: i64 = 1_000;

/// What records say, summed up.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) blocks: BTreeMap<i64, BlockSaid>,
    pub(crate) keys: HashMap<String, KeySaid>,
    pub(crate) closures: BTreeMap<String, ClosureRow>,
    pub(crate) hand_overs: i64,
    /// The first record of another kind that took effect after a hand-over.
    pub(crate) after_hand_over: Option<i64>,
    /// How often the books moved, and whether nothing was entered since.
    pub(crate) moves: i64,
    just_moved: bool,
    /// The first record that took effect in the place where the books had ended.
    pub(crate) went_on: Option<i64>,
    /// Records that took effect.
    pub(crate) logged: i64,
    /// Records whose text is gone.
    pub(crate) erased: Vec<Blank>,
    pub(crate) erasures: Erasures,
    /// Numbers given so far.
    pub(crate) entries: Numbers,
    pub(crate) firearms: Numbers,
    /// The last record that took effect, and what the record before said of that.
    pub(crate) last_effect: i64,
    pub(crate) last_after: Option<i64>,
    /// Whether records say when they were written; since then every change of parts is signed.
    stamped: bool,
    /// The first entry that was written since.
    pub(crate) signed_from: Option<i64>,
}

/// A block as records say it is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct BlockSaid {
    /// Codes issued from it.
    pub(crate) issued: i64,
    /// Units that acts without effect were to issue, and that were passed over.
    pub(crate) cut: i64,
    /// Behind the last unit that any act was to issue.
    tried: i64,
    pub(crate) closed: bool,
    /// Absent in records of the first programs.
    pub(crate) key_check: Option<String>,
    pub(crate) opened_at: i64,
}

/// A key as records say it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeySaid {
    pub(crate) party: Licensee,
    pub(crate) kind: PartyKind,
    pub(crate) valid: (Timestamp, Timestamp),
    pub(crate) registered_at: i64,
    pub(crate) revoked: Option<(i64, Reason)>,
}

/// How many numbers were given; unknown after tables that were taken before records said how many rows they wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers(pub(crate) Option<i64>);

impl Default for Numbers {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Numbers {
    /// Goes on by so many numbers, and says whether they are the next ones.
    fn take(&mut self, first: i64, count: i64) -> bool {
        if count == 0 {
            return true;
        }
        let fits = self.0.is_none_or(|given| first == given + 1);
        self.0 = Some(first + count - 1);
        fits
    }
}

impl Numbers {
    /// Goes on by numbers that were not found as they were written.
    fn skip(&mut self, count: i64) {
        self.0 = self.0.map(|given| given + count);
    }
}

impl Said {
    /// Compares what a record says of itself with its columns, and of the record before with what had taken effect by then. Kind and
    /// time are columns beside the text, and stand in it too. Whoever takes acts out of the tables leaves records that name them, be it
    /// that these took no effect themselves.
    pub(crate) fn follows(&mut self, record: &RecordRow, faults: &mut Vec<String>) -> Result<(), BooksError> {
        let Stamped { act } = encode::from_json(&record.body)?;
        let number = record.record_id;
        let Some(Act { kind, at, after }) = act else {
            if self.stamped {
                faults.push(format!("record {number} does not say what it is, and records before it do"));
            }
            return Ok(());
        };
        if (kind.as_str(), at.as_microsecond()) != (record.kind.as_str(), record.recorded_at) {
            faults.push(format!("kind or time of record {number} were altered after the fact"));
        }
        self.stamped = true;
        // Acts that are entered together have all of them the same before them.
        let (last, before) = (self.last_effect, self.last_after);
        let fits = after
            .is_none_or(|after| after == last || before.is_none_or(|before| after == before && after < last));
        if !fits {
            let after = after.unwrap_or_default();
            faults.push(format!(
                "record {number} was entered when record {after} was the last that had taken effect, and now that is record {last}: \
                 acts were undone or added in the tables"
            ));
        }
        self.last_after = after;
        Ok(())
    }

    /// Takes down what a record says that took effect.
    pub(crate) fn take(&mut self, record: &RecordRow, faults: &mut Vec<String>) -> Result<(), BooksError> {
        self.erasures.pass(record.recorded_at);
        self.follows(record, faults)?;
        if self.hand_overs > 0 && record.kind != HAND_OVER {
            self.after_hand_over.get_or_insert(record.record_id);
        }
        self.goes_on(record);
        match record.kind.as_str() {
            "block" => {
                let BlockRecord { prefix, key_check } = encode::from_json(&record.body)?;
                let opened_at = record.recorded_at;
                let block = BlockSaid { key_check, opened_at, ..BlockSaid::default() };
                self.blocks.insert(prefix.index().into(), block);
            }
            "close-blocks" => self.blocks.values_mut().for_each(|block| block.closed = true),
            "closure" => {
                let record_said: ClosureRecord = encode::from_json(&record.body)?;
                self.closed(record_said, record.recorded_at);
            }
            "erase" => {
                let EraseRecord { before, witnessed, records } = encode::from_json(&record.body)?;
                self.erasures.add(record.record_id as u64, (before, witnessed.is_some()), records);
            }
            "party-key" => {
                let KeyRecord { key, party, kind, valid_from, valid_until } =
                    encode::from_json(&record.body)?;
                let (valid, registered_at) = ((valid_from, valid_until), record.recorded_at);
                self.keys.insert(key, KeySaid { party, kind, valid, registered_at, revoked: None });
            }
            "party-key-revoked" => {
                let RevokedRecord { key, reason } = encode::from_json(&record.body)?;
                if let Some(said) = self.keys.get_mut(&key) {
                    said.revoked = Some((record.recorded_at, reason));
                }
            }
            HAND_OVER => self.hand_overs += 1,
            _ => {}
        }
        Ok(())
    }

    /// Books that moved go on with an act that says how they were put back.
    fn goes_on(&mut self, record: &RecordRow) {
        let put_back = matches!(record.kind.as_str(), PUT_BACK | "close-blocks" | LOG_RENEWED);
        if self.just_moved && !put_back {
            self.went_on.get_or_insert(record.record_id);
        }
        self.just_moved = record.kind == MOVED;
        self.moves += i64::from(self.just_moved);
    }

    /// Whether the key of a signed change had been revoked, whatever times stand in the tables.
    fn was_revoked(&self, signed: &SignedChange) -> bool {
        let claimed = format!("{}+", signed.claimed_key());
        let is_it =
            |(key, one): &(&String, &KeySaid)| key.starts_with(&claimed) && one.party.is(&signed.change().by);
        let mut keys = self.keys.iter().filter(is_it).peekable();
        keys.peek().is_some() && keys.all(|(_, one)| one.revoked.is_some())
    }

    /// Takes down the closing of a licensee: the last word counts, and it may be that there was none.
    fn closed(&mut self, said: ClosureRecord, recorded_at: i64) {
        let ClosureRecord { licence, closed_on, records_at } = said;
        let licence = licence.to_string();
        let before = self.closures.remove(&licence);
        let Some(closed_on) = closed_on.map(encode::day_number) else { return };
        let records_at = records_at.or(before.map(|row| row.records_at)).unwrap_or_default();
        let row = ClosureRow { licence: licence.clone(), closed_on, records_at, recorded_at };
        self.closures.insert(licence, row);
    }

    /// Goes on by entries of an act, and says whether they have the next numbers.
    fn wrote(&mut self, first: i64, count: i64) -> bool {
        if self.stamped && count > 0 {
            self.signed_from.get_or_insert(first);
        }
        self.entries.take(first, count)
    }

    /// The number of the one of some entries that an act wrote now: of the same words said twice each is an entry.
    fn next_of<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Option<EntryNumber> {
        let is_next = |number: &EntryNumber| self.entries.0.is_none_or(|given| *number == given as u64 + 1);
        entries.map(|entry| entry.number).find(is_next)
    }

    /// The number of the next unit of a block, which an act takes with some more.
    fn units(&mut self, prefix: Prefix, count: i64) -> i64 {
        let block = self.blocks.entry(prefix.index().into()).or_default();
        let given = block.issued + block.cut;
        let first = given.max(block.tried);
        block.cut += first - given;
        block.issued += count;
        block.tried = first + count;
        i64::from(prefix.index()) << 20 | first
    }

    /// Notes the units that an act without effect was to issue: nothing is issued under them.
    pub(crate) fn cut_off(&mut self, record: &RecordRow) {
        let Ok(CutOff { prefix, units, .. }) = encode::from_json(&record.body) else { return };
        if let Some(block) = self.blocks.get_mut(&prefix.index().into()) {
            block.tried = block.tried.max(units.first_unit + units.count);
        }
    }
}

/// What is damaged is a fault like others, and the comparison goes on.
pub(crate) fn noted(result: Result<(), BooksError>, faults: &mut Vec<String>) -> Result<(), BooksError> {
    match result {
        Err(BooksError::Damaged(what) | BooksError::Statement(what)) => faults.push(what),
        Err(BooksError::Name(error)) => faults.push(error.to_string().replace('\n', "; ")),
        other => return other,
    }
    Ok(())
}

impl Books {
    /// Compares what a record says was done with what stands in the tables; the sentence says what does not agree.
    pub(crate) async fn compare(
        &self,
        session: &mut Session,
        record: &RecordRow,
        said: &mut Said,
    ) -> Result<Option<String>, BooksError> {
        let number = record.record_id;
        let (stands, fault) = match record.kind.as_str() {
            "issue" => (
                self.run_stands(session, record, said).await?,
                format!("the codes issued under record {number} are not those in the table"),
            ),
            "issue-part" => (
                self.part_stands(session, record, said).await?,
                format!("the part of record {number} is not in the tables as it was issued"),
            ),
            "correction" | STATED_ANEW => (
                self.correction_stands(session, record, said).await?,
                format!("the correction of record {number} is not in the book as it was recorded"),
            ),
            "entry" | STATED | "entries" | "import" | "part-change" => {
                let RowsRecord { rows, statement, entry, by, stated } = encode::from_json(&record.body)?;
                if let Some(text) = &statement {
                    let signed = SignedChange::parse(text.as_bytes())?;
                    if said.was_revoked(&signed) {
                        let fault = format!(
                            "the change of record {number} is signed with a key that was revoked before"
                        );
                        return Ok(Some(fault));
                    }
                    if !self.change_stands(session, &signed).await? {
                        let fault = format!(
                            "the signed change of record {number} is not in the book as it was signed"
                        );
                        return Ok(Some(fault));
                    }
                }
                match (rows, entry) {
                    (Some(rows), None) => (
                        rows_stand(session, (record, &by), &rows, said).await?,
                        format!("the entries of record {number} are not in the book as they were recorded"),
                    ),
                    (rows, Some(entry)) => (
                        match rows {
                            Some(rows) => {
                                rows_stand(session, (record, &by), &rows, said).await?
                                    && self.is_the_row(session, &entry, &rows).await?
                            }
                            None => {
                                self.entry_stands(session, record, (&entry, &by, stated.as_ref()), said)
                                    .await?
                            }
                        },
                        format!("the entry of record {number} is not in the book as it was recorded"),
                    ),
                    // Records older than this rule say nothing of their rows.
                    (None, None) if said.stamped => {
                        let fault = format!("record {number} does not say which rows it wrote");
                        return Ok(Some(fault));
                    }
                    (None, None) => {
                        (said.entries, said.firearms) = (Numbers(None), Numbers(None));
                        return Ok(None);
                    }
                }
            }
            #[cfg(feature = "synthetic")]
            "invented" => {
                said.entries = Numbers(None);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(Some(fault).filter(|_| !stands))
    }

    /// Whether the codes and firearms of a run stand as they were issued.
    async fn run_stands(
        &self,
        session: &mut Session,
        record: &RecordRow,
        said: &mut Said,
    ) -> Result<bool, BooksError> {
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
            parts: encode::part_bits(&run.parts),
            issued_at: record.recorded_at,
        };
        let found = session.issued_as(&issued).await?;
        let in_turn = said.units(run.prefix, run.count) == first;
        if (found.count, found.in_order) != (run.count, true) {
            said.firearms.skip(run.count);
            said.entries.skip(run.count);
            return Ok(false);
        }
        let next = [
            in_turn,
            said.firearms.take(found.first_firearm, run.count),
            said.wrote(found.first_entry, run.count),
        ];
        Ok(digest(rows.iter().map(|(code, serial)| (*code, serial.as_str()))) == run.codes_sha256
            && next == [true; 3])
    }

    /// Whether the code of a part is there, and its fitting, if it was fitted when it was issued. The day of that stands in the
    /// change of parts that the issuer signed.
    async fn part_stands(
        &self,
        session: &mut Session,
        record: &RecordRow,
        said: &mut Said,
    ) -> Result<bool, BooksError> {
        let PartRecord { code, part, firearm, by } = encode::from_json(&record.body)?;
        let unit = said.units(code.prefix(), 1);
        let firearm_id = match &firearm {
            Some(key) => self.firearm_id(session, key).await?,
            None => None,
        };
        let issued = CodeRow {
            code: encode::code_number(code),
            unit,
            parts: encode::part_bits(&[part]),
            firearm_id,
            record_id: record.record_id,
            issued_at: record.recorded_at,
        };
        let there = session.code_at_unit(unit).await? == Some(issued);
        if firearm.is_none() {
            return Ok(there);
        }
        let Some(firearm) = firearm_id else { return is_next(session, None, said).await };
        let fitted = Event::PartFitted { by: self.issuer(), part, code };
        let stands = |one: &&Entry| {
            (&one.event, one.recorded_at.as_microsecond()) == (&fitted, record.recorded_at)
                && (&one.recorded_by, &one.corrects, &one.description, &one.stated)
                    == (&by, &None, &None, &None)
        };
        let entries = history(session, firearm).await?.entries;
        let found = said.next_of(entries.iter().filter(stands));
        Ok(is_next(session, found, said).await? && there)
    }

    /// Whether a single entry stands as it was recorded: what a licensee stated itself, or any in books of the first programs.
    async fn entry_stands(
        &self,
        session: &mut Session,
        record: &RecordRow,
        (entry, by, stated): (&NewEntry, &Person, Option<&Stated>),
        said: &mut Said,
    ) -> Result<bool, BooksError> {
        let stands = |one: &&Entry| {
            (&one.event, one.on, &one.recorded_by, one.stated.as_ref())
                == (&entry.event, entry.on, by, stated)
                && (one.recorded_at.as_microsecond(), &one.corrects) == (record.recorded_at, &None)
        };
        let Some(firearm) = self.firearm_id(session, &entry.firearm).await? else {
            return is_next(session, None, said).await;
        };
        if said.firearms.0.is_some_and(|given| firearm == given + 1) {
            said.firearms.take(firearm, 1);
        }
        let entries = history(session, firearm).await?.entries;
        let found = said.next_of(entries.iter().filter(stands));
        is_next(session, found, said).await
    }

    /// Whether the one row that an act wrote is the entry that it tells.
    async fn is_the_row(
        &self,
        session: &mut Session,
        entry: &NewEntry,
        Written { entries: Range { first, count, .. }, .. }: &Written,
    ) -> Result<bool, BooksError> {
        let firearm = self.firearm_id(session, &entry.firearm).await?;
        let row = session.entry_range(*first, first + 1).await?.pop();
        let Some(row) = row.filter(|row| *count == 1 && firearm == Some(row.entry.firearm_id)) else {
            return Ok(false);
        };
        let stored = encode::whole_entry(row.entry)?;
        Ok((&stored.event, stored.on) == (&entry.event, entry.on))
    }

    async fn correction_stands(
        &self,
        session: &mut Session,
        record: &RecordRow,
        said: &mut Said,
    ) -> Result<bool, BooksError> {
        let CorrectionRecord { correction, by, stated } = encode::from_json(&record.body)?;
        let Some(firearm) = self.firearm_id(session, &correction.firearm).await? else {
            return is_next(session, None, said).await;
        };
        let History { entries, .. } = history(session, firearm).await?;
        let Some(old) = entries.iter().find(|one| one.number == correction.entry) else {
            return is_next(session, None, said).await;
        };
        let (event, on) = match &correction.becomes {
            Some((event, on)) => (event, *on),
            None => (&old.event, old.on),
        };
        let void = correction.becomes.is_none() && correction.description.is_none();
        let description = correction.description.as_ref().or(old.description.as_ref());
        let unchanged = (event, on) == (&old.event, old.on);
        let stands = |one: &&Entry| {
            let corrects = one.corrects.as_ref().is_some_and(|corrects| {
                (corrects.entry, corrects.void, &corrects.reason)
                    == (correction.entry, void, &correction.reason)
            });
            let signed = if unchanged {
                one.signed.as_ref() == old.signed.as_ref().filter(|_| !void)
            } else {
                one.signed.is_some() == Work::of(event).is_some()
            };
            corrects
                && signed
                && one.stated == stated
                && (&one.event, one.on, one.description.as_ref()) == (event, on, description)
                && (one.recorded_at.as_microsecond(), &one.recorded_by) == (record.recorded_at, &by)
        };
        let found = said.next_of(entries.iter().filter(stands));
        is_next(session, found, said).await
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
}

/// Whether an entry that was found has the next number, and its row nothing but what it says.
async fn is_next(
    session: &mut Session,
    found: Option<EntryNumber>,
    said: &mut Said,
) -> Result<bool, BooksError> {
    let Some(number) = found.and_then(|number| i64::try_from(number).ok()) else {
        // What comes after it is not accused with it.
        said.entries.skip(1);
        return Ok(false);
    };
    for row in session.entry_range(number, number + 1).await? {
        encode::whole_entry(row.entry)?;
    }
    Ok(said.wrote(number, 1))
}

/// Whether the rows that an act wrote stand as it wrote them, at its time and by whom it names: a hash alone says what stands there, not
/// that the act says so.
async fn rows_stand(
    session: &mut Session,
    (record, by): (&RecordRow, &Person),
    written: &Written,
    said: &mut Said,
) -> Result<bool, BooksError> {
    let (mut entries, mut firearms) = (Rows::default(), Rows::default());
    let Written { entries: Range { first, count, .. }, .. } = &written;
    let mut next = said.wrote(*first, *count);
    for from in (*first..first + count).step_by(PAGE as usize) {
        for row in session.entry_range(from, (from + PAGE).min(first + count)).await? {
            let StoredEntry { recorded_at, recorded_by, corrects, .. } = &row.entry;
            next &= (*recorded_at, recorded_by.as_str()) == (record.recorded_at, by.as_str());
            next &= corrects.is_none() && !row.entry.void;
            entries.add_stored(row)?;
        }
    }
    let Written { firearms: Range { first, count, .. }, .. } = &written;
    next &= said.firearms.take(*first, *count);
    for from in (*first..first + count).step_by(PAGE as usize) {
        for (number, stored) in session.firearm_page(from - 1, PAGE.min(first + count - from)).await? {
            let firearm = encode::firearm(stored)?;
            firearms.add_firearm(number, &firearm.key, &firearm.description)?;
        }
    }
    Ok(next && (entries.range(), firearms.range()) == (written.entries.clone(), written.firearms.clone()))
}

/// Whether a record's columns are what its text says of itself; those of the first programs say nothing.
pub(crate) fn is_as_stamped(record: &RecordRow) -> bool {
    encode::from_json::<Stamped>(&record.body).is_ok_and(|Stamped { act }| {
        act.is_none_or(|act| {
            (act.kind.as_str(), act.at.as_microsecond()) == (record.kind.as_str(), record.recorded_at)
        })
    })
}

/// What every record says of itself, but those of the first programs.
#[derive(Deserialize)]
struct Stamped {
    act: Option<Act>,
}

#[derive(Deserialize)]
struct Act {
    kind: String,
    at: Timestamp,
    /// The last record that had taken effect.
    after: Option<i64>,
}

/// What an act that took no effect was to issue.
#[derive(Deserialize)]
struct CutOff {
    prefix: Prefix,
    #[serde(flatten)]
    units: Units,
    /// Those of the first programs gave the units out again.
    #[serde(rename = "act")]
    _act: Act,
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
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct PartRecord {
    code: Code,
    part: Part,
    firearm: Option<FirearmKey>,
    by: Person,
}

#[derive(Deserialize)]
struct BlockRecord {
    prefix: Prefix,
    key_check: Option<String>,
}

#[derive(Deserialize)]
struct ClosureRecord {
    licence: LicenceNumber,
    /// Absent where the closing was withdrawn.
    closed_on: Option<Date>,
    records_at: Option<String>,
}

#[derive(Deserialize)]
struct EraseRecord {
    before: Timestamp,
    witnessed: Option<Timestamp>,
    /// Those of the first programs name none, and took none that can be told from one that was taken away.
    #[serde(default)]
    records: Vec<(i64, i64)>,
}

/// Which rows an act wrote, and the signed text that it entered, or the single entry, if any.
#[derive(Deserialize)]
struct RowsRecord {
    rows: Option<Written>,
    statement: Option<String>,
    entry: Option<NewEntry>,
    by: Person,
    stated: Option<Stated>,
}

#[derive(Deserialize)]
struct CorrectionRecord {
    correction: Correction,
    by: Person,
    stated: Option<Stated>,
}

/// A key, whose it is, and when it is valid.
#[derive(Deserialize)]
struct KeyRecord {
    key: String,
    party: Licensee,
    kind: PartyKind,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

#[derive(Deserialize)]
struct RevokedRecord {
    key: String,
    reason: Reason,
}
