//! What records say of the books, summed up as they are read: what there must be in the tables when all of them were.
//!
//! Acts are done one after the other, so each wrote the numbers that follow those of the one before, and each names the last one that
//! had taken effect.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use symbology::Prefix;

use crate::books::LOG_RENEWED;
use crate::encode;
use crate::erase::{Blank, Erasures};
use crate::error::BooksError;
use crate::event::{Entry, EntryNumber};
use crate::firearm::Licensee;
use crate::issue::Units;
use crate::moving::{MOVED, PUT_BACK};
use crate::names::{LicenceNumber, Reason};
use crate::parts::{PartyKind, SignedChange};
use crate::store::{ClosureRow, RecordRow};
use crate::succession::HAND_OVER;

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
    pub(crate) stamped: bool,
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
    pub(crate) fn take(&mut self, first: i64, count: i64) -> bool {
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
    pub(crate) fn skip(&mut self, count: i64) {
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
    pub(crate) fn was_revoked(&self, signed: &SignedChange) -> bool {
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
    pub(crate) fn wrote(&mut self, first: i64, count: i64) -> bool {
        if self.stamped && count > 0 {
            self.signed_from.get_or_insert(first);
        }
        self.entries.take(first, count)
    }

    /// The number of the one of some entries that an act wrote now: of the same words said twice each is an entry.
    pub(crate) fn next_of<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Option<EntryNumber> {
        let is_next = |number: &EntryNumber| self.entries.0.is_none_or(|given| *number == given as u64 + 1);
        entries.map(|entry| entry.number).find(is_next)
    }

    /// The number of the next unit of a block, which an act takes with some more.
    pub(crate) fn units(&mut self, prefix: Prefix, count: i64) -> i64 {
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
