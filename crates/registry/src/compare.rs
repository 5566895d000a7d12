//! What single records say was done, against the rows that they wrote.
//!
//! Whatever has a number in the tables that no act gave it (`said`) was written by nobody. Every column of a row is compared with what the record says, or hashed in it, or follows from
//! the other columns; `agreement` does the same for the tables that are compared as a whole.

use jiff::civil::Date;
use serde::Deserialize;
use symbology::{Code, Prefix};

use crate::books::{Books, History, history};
use crate::digest::{Range, Rows, Written};
use crate::encode;
use crate::entries::{Correction, NewEntry};
use crate::error::BooksError;
use crate::event::{Entry, EntryNumber, Event};
use crate::firearm::{Description, FirearmKey, Part};
use crate::issue::digest;
use crate::names::{Model, Person};
use crate::parts::{SignedChange, Work};
use crate::said::{Numbers, Said};
use crate::stated::{STATED, STATED_ANEW, Stated};
use crate::store::{CodeRow, IssuedAs, RecordRow, Session, StoredEntry};

/// Rows read at a time.
pub(crate) const PAGE: i64 = 1_000;

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
                return self.written_stands(session, record, said).await;
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

    /// What does not agree of a record that says which rows it wrote.
    async fn written_stands(
        &self,
        session: &mut Session,
        record: &RecordRow,
        said: &mut Said,
    ) -> Result<Option<String>, BooksError> {
        let number = record.record_id;
        let RowsRecord { rows, statement, entry, by, stated } = encode::from_json(&record.body)?;
        let unsigned = match &statement {
            Some(text) => self.unsigned(session, &SignedChange::parse(text.as_bytes())?, said).await?,
            None => None,
        };
        let (stands, fault) = match (rows, entry) {
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
                    None => self.entry_stands(session, record, (&entry, &by, stated.as_ref()), said).await?,
                },
                format!("the entry of record {number} is not in the book as it was recorded"),
            ),
            (None, None) if said.stamped => {
                return Ok(Some(format!("record {number} does not say which rows it wrote")));
            }
            // Those of the first programs say nothing of their rows, nor what they are.
            (None, None) => {
                (said.entries, said.firearms) = (Numbers(None), Numbers(None));
                return Ok(None);
            }
        };
        let unsigned = unsigned.map(|what| format!("the signed change of record {number} {what}"));
        Ok(unsigned.or(Some(fault).filter(|_| !stands)))
    }

    /// What speaks against a signed change that was entered.
    async fn unsigned(
        &self,
        session: &mut Session,
        signed: &SignedChange,
        said: &Said,
    ) -> Result<Option<&'static str>, BooksError> {
        if said.was_revoked(signed) {
            return Ok(Some("is signed with a key that was revoked before"));
        }
        let stands = self.change_stands(session, signed).await?;
        Ok(Some("is not in the book as it was signed").filter(|_| !stands))
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
