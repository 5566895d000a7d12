//! Writing in the book: entries, and corrections that leave the old entry as it is.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::batch::{Batch, Hand, Taken, is_marked_so};
use crate::books::{Books, Entered};
use crate::chain;
use crate::closing::{closings, was_open};
use crate::digest::Written;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, View};
use crate::firearm::{Description, FirearmKey};
use crate::ledger::Ledger;
use crate::moves::{self, Here};
use crate::names::{Person, Reason};
use crate::parts::{SignedBy, Work};
use crate::rules::{self, Standing};
use crate::store::{EntryRow, Session, persistently};

/// An entry to be written, for [`Books::record`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    /// The firearm.
    pub firearm: FirearmKey,
    /// What happened to it.
    pub event: Event,
    /// The day on which it happened.
    pub on: Date,
    /// What the firearm is; needed with the entry that brings it into the books, kept out of all others.
    pub description: Option<Description>,
}

/// A correction, for [`Books::correct`]. The entry it corrects stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The firearm.
    pub firearm: FirearmKey,
    /// The entry that is wrong.
    pub entry: EntryNumber,
    /// What really happened and when; `None` when nothing of the kind did.
    pub becomes: Option<(Event, Date)>,
    /// What the firearm really is, if that was wrong.
    pub description: Option<Description>,
    /// Why the entry was wrong.
    pub reason: Reason,
}

impl Books {
    /// Writes one entry. An entry that makes, imports or acquires an unknown firearm brings it into the books. A change
    /// of parts by the issuer is signed with its key; anybody else's needs [`Books::enter_change`].
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`], [`Refusal::OutOfOrder`] when the event contradicts the book, [`Refusal::Unsigned`].
    pub async fn record(
        &self,
        new: &NewEntry,
        by: &Person,
        now: Timestamp,
    ) -> Result<EntryNumber, BooksError> {
        let (groups, body) = ([vec![new.clone()]], json!({"entry": new, "by": by}));
        let mut ledger = self.writing().await?;
        let numbers = self.write_all(&mut ledger, ("entry", body), &groups, (by, now)).await?;
        numbers.first().copied().ok_or_else(|| BooksError::damaged("an entry was written without a number"))
    }

    /// Writes many entries, all or none: one record, one log entry, one transaction.
    ///
    /// # Errors
    /// As [`Books::record`], for the first entry that the book does not admit.
    pub async fn record_all(
        &self,
        new: &[NewEntry],
        by: &Person,
        now: Timestamp,
    ) -> Result<Vec<EntryNumber>, BooksError> {
        let mut hash = Sha256::new();
        for entry in new {
            hash.update(encode::json(entry)?);
            hash.update([b'\n']);
        }
        let body = json!({"entries": new.len(), "entries_sha256": hex::encode(hash.finalize()), "by": by});
        let groups: Vec<Vec<NewEntry>> = new.iter().map(|entry| vec![entry.clone()]).collect();
        let mut ledger = self.writing().await?;
        self.write_all(&mut ledger, ("entries", body), &groups, (by, now)).await
    }

    async fn write_all(
        &self,
        ledger: &mut Ledger,
        act: (&str, Value),
        groups: &[Vec<NewEntry>],
        (by, now): (&Person, Timestamp),
    ) -> Result<Vec<EntryNumber>, BooksError> {
        let (taken, written) = self.rehearse_groups(groups, (by, now)).await?;
        if let Some((_, refusal)) = taken.refused.into_iter().next() {
            return Err(refusal.into());
        }
        self.write_groups(ledger, act, groups, &written, (by, now)).await
    }

    /// What groups of entries would come to, and what would be written. Nothing is.
    pub(crate) async fn rehearse_groups(
        &self,
        groups: &[Vec<NewEntry>],
        (by, now): (&Person, Timestamp),
    ) -> Result<(Taken, Written), BooksError> {
        let mut rehearsal = self.store.write().await?;
        let mut batch = Batch::new(Hand::Issuer(self), by, now);
        let taken = batch.take(&mut rehearsal, groups).await?;
        Ok((taken, batch.written()))
    }

    /// Enters an act of which it was rehearsed what it writes, and lets it take effect.
    pub(crate) async fn write_groups(
        &self,
        ledger: &mut Ledger,
        (kind, mut body): (&str, Value),
        groups: &[Vec<NewEntry>],
        written: &Written,
        (by, now): (&Person, Timestamp),
    ) -> Result<Vec<EntryNumber>, BooksError> {
        body["rows"] = json!(written);
        let entered = self.enter(ledger, kind, &body, now).await?;
        persistently!(async {
            let mut session = self.effect(&entered).await?;
            let mut batch = Batch::new(Hand::Issuer(self), by, now);
            let taken = batch.take(&mut session, groups).await?;
            as_rehearsed(&batch.written(), written)?;
            session.commit().await?;
            Ok(taken.numbers)
        })
    }

    /// Corrects an entry by a new one (ATF Ruling 2016-1); the old entry stays as it is.
    ///
    /// # Errors
    /// [`Refusal::UnknownEntry`]; [`Refusal::CorrectedBefore`] when a later entry corrects it already;
    /// [`Refusal::OutOfOrder`] when the corrected event contradicts the rest of the book; [`Refusal::Unsigned`] when it
    /// would put words into the mouth of somebody who signs for itself.
    pub async fn correct(
        &self,
        correction: &Correction,
        by: &Person,
        now: Timestamp,
    ) -> Result<EntryNumber, BooksError> {
        let mut ledger = self.writing().await?;
        let (old, event, on) = self.correctable(correction, now).await?;
        let entered =
            self.enter(&mut ledger, "correction", &json!({"correction": correction, "by": by}), now).await?;
        persistently!(self.put_correction(&entered, correction, (&old, &event, on), (by, now)))
    }

    async fn put_correction(
        &self,
        entered: &Entered,
        correction: &Correction,
        (old, event, on): (&Entry, &Event, Date),
        (by, now): (&Person, Timestamp),
    ) -> Result<EntryNumber, BooksError> {
        let mut session = self.effect(entered).await?;
        let void = correction.becomes.is_none() && correction.description.is_none();
        let signed = match Work::of(event) {
            Some(_) if (event, on) == (&old.event, old.on) => old.signed.clone().filter(|_| !void),
            Some(work) => Some(self.sign_own(&mut session, &correction.firearm, (work, on), now).await?),
            None => None,
        };
        let mut row = entry_row(&mut session, event, on, signed).await?;
        let firearm = self.firearm_id(&mut session, &correction.firearm).await?;
        row.firearm_id = firearm.ok_or_else(|| Refusal::UnknownFirearm(correction.firearm.clone()))?;
        row.recorded_at = now.as_microsecond();
        row.recorded_by = by.shared();
        row.corrects = Some(old.number as i64);
        row.void = void;
        let mut body: encode::Body =
            row.body.as_deref().map_or_else(|| Ok(encode::Body::default()), encode::from_json)?;
        body.correction = Some(correction.reason.clone());
        row.body = Some(encode::json(&body)?);
        if let Some(description) = correction.description.as_ref().or(old.description.as_ref()) {
            row.description_id = Some(session.description(&encode::json(description)?).await?);
        }
        let number = self.put_entry(&mut session, row, event).await?;
        session.commit().await?;
        Ok(number)
    }

    /// What in the book of a firearm contradicts what stands before it, by the entries' numbers, in sentences; where its parts went into
    /// other firearms, entries of these are among them. A correction may leave such entries behind: whoever makes it is to correct them, too.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`], [`BooksError::Database`].
    pub async fn contradictions(
        &self,
        firearm: &FirearmKey,
    ) -> Result<Vec<(EntryNumber, String)>, BooksError> {
        let history = self.history(firearm).await?;
        let history = history.ok_or_else(|| Refusal::UnknownFirearm(firearm.clone()))?;
        let standing: Vec<_> = View::Corrected.of(&history.entries).into_iter().map(Standing::from).collect();
        let mut session = self.store.read().await?;
        let id = self.firearm_id(&mut session, firearm).await?.unwrap_or_default();
        let here = Here { id, key: firearm, standing: &standing };
        let of_parts = moves::contradictions(&mut session, here, &history.entries).await?;
        let misfits = rules::misfits(standing).into_iter();
        Ok(misfits.map(|(number, refusal)| (number, refusal.what())).chain(of_parts).collect())
    }

    /// The entry to be corrected, and the event and day that take its place.
    async fn correctable(
        &self,
        correction: &Correction,
        now: Timestamp,
    ) -> Result<(Entry, Event, Date), BooksError> {
        let history = self.history(&correction.firearm).await?;
        let history = history.ok_or_else(|| Refusal::UnknownFirearm(correction.firearm.clone()))?;
        let entry = correction.entry;
        let old =
            history.entries.iter().find(|old| old.number == entry).ok_or(Refusal::UnknownEntry(entry))?;
        if let Some(by) = chain::corrected_by(&history.entries, entry) {
            return Err(Refusal::CorrectedBefore { entry, by }.into());
        }
        let Some((event, on)) = &correction.becomes else {
            return Ok((old.clone(), old.event.clone(), old.on));
        };
        if (event, *on) != (&old.event, old.on) {
            self.signs_for_itself(event)?;
            rules::plausible(event, *on)?;
        } else if correction.description.is_none() {
            let what = format!("the correction says what entry {entry} says");
            let hint =
                "give the right day, event or description, or withdraw the entry with `correct --void`";
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        not_in_the_future(*on, now)?;
        let mut rest = View::Corrected.of(&history.entries);
        let other = |standing: &&Entry| standing.number != entry && brings_in(&standing.event);
        if !brings_in(event) && !rest.iter().any(other) {
            let what = format!("entry {entry} says how it came into the books, and nothing else would");
            return Err(Refusal::OutOfOrder {
                what,
                hint: "withdraw it with `correct --void` if it did not happen",
            }
            .into());
        }
        let whole: Vec<Standing<'_>> = rest.iter().copied().map(Standing::from).collect();
        rest.retain(|standing| standing.number != entry && (standing.on, standing.number) < (*on, entry));
        let rest: Vec<Standing<'_>> = rest.into_iter().map(Standing::from).collect();
        rules::check(&rest, event, *on)?;
        if *event == old.event {
            rules::can_move(&whole, entry, *on)?;
        }
        let mut session = self.store.read().await?;
        if (event, *on) != (&old.event, old.on) {
            was_open(&closings(&mut session).await?, event, *on)?;
        }
        is_marked_so(&mut session, event).await?;
        if let Some(id) = self.firearm_id(&mut session, &correction.firearm).await? {
            let here = Here { id, key: &correction.firearm, standing: &whole };
            let new = Standing { number: u64::MAX, on: *on, event };
            moves::weigh_correction(&mut session, here, entry, new).await?;
        }
        Ok((old.clone(), event.clone(), *on))
    }

    pub(crate) async fn put_entry(
        &self,
        session: &mut Session,
        mut row: EntryRow,
        event: &Event,
    ) -> Result<EntryNumber, BooksError> {
        row.entry_id = session.take_numbers("entry", 1).await?;
        if let (Event::PartFitted { .. } | Event::PartRemoved { .. }, Some(code)) = (event, row.code) {
            session.put_fittings(&[(row.entry_id, code)]).await?;
        }
        let number = row.entry_id as u64;
        session.put_entries(&[row]).await?;
        Ok(number)
    }
}

/// What is written must be what the log vouches for; it is not when somebody else wrote in between.
pub(crate) fn as_rehearsed(written: &Written, rehearsed: &Written) -> Result<(), BooksError> {
    if written == rehearsed {
        return Ok(());
    }
    let source = "other entries were written meanwhile, so nothing was done".into();
    Err(BooksError::Database { what: "write what was checked", source })
}

pub(crate) fn not_in_the_future(on: Date, now: Timestamp) -> Result<(), Refusal> {
    not_ahead(on, encode::today(now))
}

/// As [`not_in_the_future`], on a day that is known.
pub(crate) fn not_ahead(on: Date, today: Date) -> Result<(), Refusal> {
    if !lies_ahead(on, today) {
        return Ok(());
    }
    let hint = "check the date and this machine's clock";
    Err(Refusal::OutOfOrder { what: format!("{on} is in the future"), hint })
}

/// Whether a day lies ahead everywhere: it has begun somewhere on Earth up to 14 hours before it begins in UTC.
pub(crate) fn lies_ahead(on: Date, today: Date) -> bool {
    on > today.tomorrow().unwrap_or(Date::MAX)
}

/// A row for an event, with everything but numbers, writer and firearm.
pub(crate) async fn entry_row(
    session: &mut Session,
    event: &Event,
    on: Date,
    signed: Option<SignedBy>,
) -> Result<EntryRow, BooksError> {
    let (other, code, body) = encode::columns(event, signed);
    let holder = event.holder();
    let holder = session.party(holder.licence.as_str(), holder.name.as_str()).await?;
    let other = match other {
        Some(other) => Some(session.party(other.licence.as_str(), other.name.as_str()).await?),
        None => None,
    };
    Ok(EntryRow {
        entry_id: 0,
        firearm_id: 0,
        kind: event.kind(),
        holder,
        other,
        happened_on: encode::day_number(on),
        recorded_at: 0,
        recorded_by: "".into(),
        description_id: None,
        code,
        corrects: None,
        void: false,
        body: body.map(|body| encode::json(&body)).transpose()?,
    })
}

/// Whether an event can be the first that the books hold of a firearm.
pub(crate) fn brings_in(event: &Event) -> bool {
    matches!(event, Event::Manufactured { .. } | Event::Imported { .. } | Event::Acquired { .. })
}
