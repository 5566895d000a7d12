//! What a licensee states itself, under its own signature, of a firearm that it had: an entry of the books like any other,
//! weighed by the same rules. The signed text stands in the log of the node that took it, its hash here.
//!
//! A later word of the same licensee corrects its earlier one by a new entry; both stay.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::books::{Books, Entered, history};
use crate::chain::{Chain, ChainEnd, chain};
use crate::closing::{closings, was_open};
use crate::encode;
use crate::entries::{Correction, NewEntry, entry_row, not_in_the_future};
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, View};
use crate::firearm::{FirearmKey, Licensee};
use crate::names::{LicenceNumber, Person, Reason};
use crate::rules;
use crate::store::persistently;

/// Where a licensee's own word stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// The key that signed it, as the directory names it.
    pub key: String,
    /// SHA-256 of the text that was signed, 64 hexadecimal digits.
    pub sha256: String,
}

/// What a licensee states of a firearm that it has or had, for [`Books::state`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWord {
    /// The firearm.
    pub firearm: FirearmKey,
    /// Who states it.
    pub dealer: Licensee,
    /// What.
    pub says: Says,
    /// Who at that licensee said it.
    pub by: Person,
    /// The signed text.
    pub stated: Stated,
}

/// What a licensee can state of its own part of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// It let the firearm go, or the firearm was lost or destroyed there, on that day.
    Happened(Event, Date),
    /// It has the firearm, for which it looked on that day.
    InStock(Date),
    /// Its book does not have the firearm.
    NoRecord,
}

impl Says {
    /// What it tells beside a chain that goes on ending at `dealer`; nothing where the chain says it itself.
    pub fn sentence(&self, dealer: &Licensee) -> Option<String> {
        match self {
            Self::Happened(..) => None,
            Self::InStock(on) => {
                Some(format!("{dealer} states, under its own signature, that it was in its stock on {on}"))
            }
            Self::NoRecord => {
                Some(format!("{dealer} states, under its own signature, that it is not in its book"))
            }
        }
    }
}

/// The act that enters a licensee's first word, and the one that corrects it by a later one.
pub(crate) const STATED: &str = "stated";
pub(crate) const STATED_ANEW: &str = "stated-anew";

/// Entries of one firearm that licensees may state; each is read with every question about it.
const MOST: usize = 100;

/// Whether a record is of a licensee's own word. Books that were taken over take it as well: it is not their issuer's.
pub(crate) fn is_stated(kind: &str) -> bool {
    matches!(kind, STATED | STATED_ANEW)
}

impl Books {
    /// Enters what a licensee that had the firearm states itself. Its later word corrects its earlier one, unless the firearm
    /// has come back to it in between; the same signed text again is the same entry. What is in stock or not in its book makes
    /// no entry: it withdraws what the licensee stated before, if anything, and nothing is returned where it did not.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] when it contradicts the book, as with [`Books::record`], and when the licensee is not in the
    /// chain or had the firearm only later; [`Refusal::UnknownFirearm`].
    pub async fn state(&self, word: &OwnWord, now: Timestamp) -> Result<Option<EntryNumber>, BooksError> {
        let mut ledger = self.writing().await?;
        let entries = self.entries_of(&word.firearm).await?;
        if let Some(number) = entered_before(&entries, word) {
            return Ok(Some(number));
        }
        let closings = closings(&mut self.store.read().await?).await?;
        let Some(change) = plan(&entries, &closings, word, now)? else { return Ok(None) };
        let (kind, body) = change.record(word)?;
        let entered = self.enter(&mut ledger, kind, &body, now).await?;
        persistently!(self.put_stated(&entered, (&change, word), now)).map(Some)
    }

    /// Says whether [`Books::state`] would take it. Nothing is entered.
    ///
    /// # Errors
    /// As [`Books::state`].
    pub async fn may_state(&self, word: &OwnWord, now: Timestamp) -> Result<(), BooksError> {
        let entries = self.entries_of(&word.firearm).await?;
        if entered_before(&entries, word).is_none() {
            plan(&entries, &closings(&mut self.store.read().await?).await?, word, now)?;
        }
        Ok(())
    }

    /// The chain of a firearm as the books have it now, the references of its sales in it: for the issuer's own house.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`], [`BooksError::Database`].
    pub async fn possession(&self, firearm: &FirearmKey) -> Result<Chain, BooksError> {
        let mut session = self.store.read().await?;
        let id = self.firearm_id(&mut session, firearm).await?;
        let id = id.ok_or_else(|| Refusal::UnknownFirearm(firearm.clone()))?;
        let entries = history(&mut session, id).await?.entries;
        self.chain_of(&mut session, &entries).await
    }

    async fn entries_of(&self, firearm: &FirearmKey) -> Result<Vec<Entry>, BooksError> {
        let history = self.history(firearm).await?;
        Ok(history.ok_or_else(|| Refusal::UnknownFirearm(firearm.clone()))?.entries)
    }

    async fn put_stated(
        &self,
        entered: &Entered,
        (change, word): (&Change, &OwnWord),
        now: Timestamp,
    ) -> Result<EntryNumber, BooksError> {
        let mut session = self.effect(entered).await?;
        let mut row = entry_row(&mut session, &change.event, change.on, None).await?;
        let firearm = self.firearm_id(&mut session, &word.firearm).await?;
        row.firearm_id = firearm.ok_or_else(|| Refusal::UnknownFirearm(word.firearm.clone()))?;
        row.recorded_at = now.as_microsecond();
        row.recorded_by = word.by.as_str().into();
        row.corrects = change.replaces.map(|number| number as i64);
        row.void = change.void;
        let mut body: encode::Body =
            row.body.as_deref().map_or_else(|| Ok(encode::Body::default()), encode::from_json)?;
        body.stated = Some(word.stated.clone());
        body.correction = change.replaces.map(|_| stated_anew()).transpose()?;
        row.body = Some(encode::json(&body)?);
        let number = self.put_entry(&mut session, row, &change.event).await?;
        session.commit().await?;
        Ok(number)
    }
}

/// What a licensee's word does to the book.
struct Change {
    /// Its own earlier entry, which this one corrects.
    replaces: Option<EntryNumber>,
    event: Event,
    on: Date,
    /// Whether the earlier entry is withdrawn.
    void: bool,
}

impl Change {
    /// The record of the act.
    fn record(&self, word: &OwnWord) -> Result<(&'static str, serde_json::Value), BooksError> {
        let (firearm, event) = (word.firearm.clone(), self.event.clone());
        let Some(entry) = self.replaces else {
            let entry = NewEntry { firearm, event, on: self.on, description: None };
            return Ok((STATED, json!({"entry": entry, "by": word.by, "stated": word.stated})));
        };
        let becomes = (!self.void).then_some((event, self.on));
        let correction = Correction { firearm, entry, becomes, description: None, reason: stated_anew()? };
        Ok((STATED_ANEW, json!({"correction": correction, "by": word.by, "stated": word.stated})))
    }
}

fn stated_anew() -> Result<Reason, BooksError> {
    Ok("corrected by whoever stated it, under its own signature".parse()?)
}

/// The entry that was made of the same signed text, and stands.
fn entered_before(entries: &[Entry], word: &OwnWord) -> Option<EntryNumber> {
    let standing = View::Corrected.of(entries);
    let same = standing.iter().find(|entry| entry.stated.as_ref() == Some(&word.stated));
    same.map(|entry| entry.number)
}

/// What a word changes, if the book admits it; nothing where there is nothing to enter.
fn plan(
    entries: &[Entry],
    closings: &HashMap<LicenceNumber, Date>,
    word: &OwnWord,
    now: Timestamp,
) -> Result<Option<Change>, Refusal> {
    if entries.iter().filter(|entry| entry.stated.is_some()).count() >= MOST {
        let what = format!("its dealers have stated {MOST} entries, the most that one firearm has here");
        return Err(out_of_order(what, "have the issuer's registrar correct what is wrong"));
    }
    let mut rest = View::Corrected.of(entries);
    let has_it = |chain: &Chain| matches!(&chain.end, ChainEnd::WithLicensee { holder, .. } if holder.is(&word.dealer));
    let own = |entry: &&&Entry| entry.stated.is_some() && entry.event.holder().is(&word.dealer);
    let earlier = rest.iter().filter(own).max_by_key(|entry| entry.number).copied();
    let earlier = earlier.filter(|_| !chain(&rest).is_some_and(|chain| has_it(&chain)));
    rest.retain(|entry| Some(entry.number) != earlier.map(|earlier| earlier.number));
    let before = chain(&rest);
    let links = before.iter().flat_map(|chain| &chain.links);
    let Some(link) = links.rev().find(|link| link.licensee.is(&word.dealer)) else {
        let what = format!("by these books {} never had it", word.dealer);
        return Err(out_of_order(what, "have the issuer's registrar record first how it came there"));
    };
    let day = match &word.says {
        Says::Happened(_, on) | Says::InStock(on) => Some(*on),
        Says::NoRecord => None,
    };
    if let Some(day) = day {
        not_in_the_future(day, now)?;
        if let Some(from) = link.from.filter(|from| day < *from) {
            let what =
                format!("{day} lies before {from}, the day on which the firearm came to {}", word.dealer);
            return Err(out_of_order(what, "check the date"));
        }
    }
    let replaces = earlier.map(|earlier| earlier.number);
    match (&word.says, earlier) {
        (Says::Happened(event, on), _) => {
            if let Some(same) = earlier.filter(|earlier| (&earlier.event, earlier.on) == (event, *on)) {
                let what = format!("entry {} says the same of {on} already", same.number);
                return Err(out_of_order(what, "nothing has to be done"));
            }
            rules::plausible(event, *on)?;
            was_open(closings, event, *on)?;
            let standing: Vec<_> = rest.iter().copied().map(rules::Standing::from).collect();
            rules::check(&standing, event, *on)?;
            Ok(Some(Change { replaces, event: event.clone(), on: *on, void: false }))
        }
        (Says::InStock(_) | Says::NoRecord, _) if !before.as_ref().is_some_and(has_it) => {
            let what = format!("by these books {} does not have it any more", word.dealer);
            Err(out_of_order(what, "look at what else was recorded of it"))
        }
        (Says::InStock(_) | Says::NoRecord, Some(earlier)) => {
            Ok(Some(Change { replaces, event: earlier.event.clone(), on: earlier.on, void: true }))
        }
        (Says::InStock(_) | Says::NoRecord, None) => Ok(None),
    }
}

fn out_of_order(what: String, hint: &'static str) -> Refusal {
    Refusal::OutOfOrder { what, hint }
}
