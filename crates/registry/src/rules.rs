//! What may follow what in the book of one firearm.
//!
//! Other licensees' entries arrive late and in any order, so gaps are allowed; contradictions are not. The entries that
//! stand are put in the order of their days, each day's as it can have been, with the new one among them; it is refused when that order then holds a
//! contradiction that it did not hold before.

use jiff::civil::Date;

use crate::entries::NewEntry;
use crate::error::Refusal;
use crate::event::{Entry, EntryNumber, Event, Loss, LossKind, Recipient, Source};
use crate::firearm::{Description, Licensee};
use crate::names::PartyName;
use crate::order::{Dated, in_order};
use crate::reference::has_numbers;

/// What the rules look at in an entry that stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'e> {
    /// `u64::MAX` for an entry that is still to be numbered.
    pub(crate) number: EntryNumber,
    pub(crate) on: Date,
    pub(crate) event: &'e Event,
}

impl<'e> Dated<'e> for Standing<'e> {
    fn when(&self) -> (Date, EntryNumber) {
        (self.on, self.number)
    }

    fn what(self) -> &'e Event {
        self.event
    }
}

impl<'e> Standing<'e> {
    /// What is still to be written.
    pub(crate) fn of(new: &'e NewEntry) -> Self {
        Self { number: u64::MAX, on: new.on, event: &new.event }
    }
}

impl<'e> From<&'e Entry> for Standing<'e> {
    fn from(entry: &'e Entry) -> Self {
        Self { number: entry.number, on: entry.on, event: &entry.event }
    }
}

/// Says whether an event can stand among the entries that stand already.
///
/// # Errors
/// [`Refusal::OutOfOrder`] with what contradicts and what to do.
pub(crate) fn check(entries: &[Standing<'_>], event: &Event, on: Date) -> Result<(), Refusal> {
    if let Some(made) = entries.iter().find(|entry| is_beginning(entry.event)) {
        let kind = made.event.kind();
        if is_beginning(event) {
            let what = format!("{} says already that it was {kind} on {}", name(made), made.on);
            return Err(out_of_order(what, "correct that entry instead of adding another"));
        }
        if on < made.on {
            return Err(before_making(event, on, made));
        }
    }
    if let Some(before) = entries.iter().find(|entry| entry.on == on && same(entry.event, event)) {
        let what = format!("{} says the same of {on} already", name(before));
        return Err(out_of_order(what, "nothing has to be done; correct that entry if it is wrong"));
    }
    let mut standing = Vec::with_capacity(entries.len() + 1);
    standing.extend_from_slice(entries);
    standing.push(Standing { number: u64::MAX, on, event });
    let after = contradictions(&in_order(standing));
    if after.is_empty() {
        return Ok(());
    }
    let before = contradictions(&in_order(entries.to_vec()));
    match after.into_iter().find(|one| !before.contains(one)) {
        Some(new) => Err(new),
        None => Ok(()),
    }
}

/// Says whether an entry that stands can move to another day: nothing that comes behind it may then contradict it. A correction of
/// what happened may leave later entries to be corrected after it; one of the day can be made in an order in which none is.
///
/// # Errors
/// [`Refusal::OutOfOrder`] names the first entry that would.
pub(crate) fn can_move(entries: &[Standing<'_>], number: EntryNumber, on: Date) -> Result<(), Refusal> {
    let before = misfits(entries.to_vec());
    let mut moved = entries.to_vec();
    moved.iter_mut().filter(|entry| entry.number == number).for_each(|entry| entry.on = on);
    let after = misfits(moved);
    let new = after.iter().find(|(one, _)| !before.iter().any(|(known, _)| known == one));
    let Some((contradicts, why)) = new else { return Ok(()) };
    let what =
        format!("with entry {number} on {on} entry {contradicts} contradicts the book: {}", why.what());
    Err(out_of_order(what, "check the day, or correct that entry first"))
}

/// The entries that contradict what stands before them.
pub(crate) fn misfits(entries: Vec<Standing<'_>>) -> Vec<(EntryNumber, Refusal)> {
    let made = entries.iter().find(|entry| is_beginning(entry.event)).copied();
    let mut state = State::default();
    let mut found = Vec::new();
    for entry in in_order(entries) {
        let fits = match made.filter(|made| entry.on < made.on) {
            Some(made) => Err(before_making(entry.event, entry.on, &made)),
            None => Ok(()),
        };
        found.extend(fits.and(state.take(entry.event, entry.on)).err().map(|why| (entry.number, why)));
    }
    found
}

fn before_making(event: &Event, on: Date, made: &Standing<'_>) -> Refusal {
    let what = format!("{} on {on} lies before it was {} on {}", event.kind(), made.event.kind(), made.on);
    out_of_order(what, "check the date, or correct the earlier entry")
}

/// The first year of a bound book: firearms older than this have no serial numbers, and a day before it is a slip.
const FIRST_YEAR: i16 = 1800;

/// Says whether an event can be at all, whatever else is in the book.
///
/// # Errors
/// [`Refusal::OutOfOrder`] for a day long ago, and for a licensee that trades with itself; [`Refusal::Request`] for a name where
/// a number belongs.
pub(crate) fn plausible(event: &Event, on: Date) -> Result<(), Refusal> {
    has_numbers(event)?;
    if on.year() < FIRST_YEAR {
        return Err(out_of_order(format!("{on} is before the year {FIRST_YEAR}"), "check the date"));
    }
    let (Event::Acquired { holder, source: Source::Licensee(other) }
    | Event::Disposed { holder, to: Recipient::Licensee(other) }) = event
    else {
        return Ok(());
    };
    if holder.is(other) {
        let what = format!("{holder} cannot be both sides of one entry");
        return Err(out_of_order(what, "check both licences"));
    }
    Ok(())
}

/// Says whether a description is that of a firearm in the books, however it is spelled. The manufacturer `unsaid` stands where none was
/// named.
///
/// # Errors
/// [`Refusal::OutOfOrder`] with the first thing that is not the same.
pub(crate) fn same_firearm(
    standing: &Description,
    said: &Description,
    unsaid: Option<&PartyName>,
) -> Result<(), Refusal> {
    let named = Some(&said.manufacturer).filter(|name| Some(*name) != unsaid);
    let importer = standing.importer.as_ref().map_or("none", PartyName::as_str);
    let told = [
        ("type", standing.kind.as_str(), Some(said.kind.as_str())),
        ("calibre", standing.calibre.as_str(), Some(said.calibre.as_str())),
        ("country", standing.country.as_str(), Some(said.country.as_str())),
        ("manufacturer", standing.manufacturer.as_str(), named.map(PartyName::as_str)),
        ("importer", importer, said.importer.as_ref().map(PartyName::as_str)),
    ];
    for (what, stands, said) in told {
        if let Some(said) = said.filter(|said| *said != stands && letters(said) != letters(stands)) {
            let what = format!("the books have it with {what} `{stands}`, not `{said}`");
            let hint =
                "look whether it is that firearm; then correct the books, or leave the description out";
            return Err(out_of_order(what, hint));
        }
    }
    Ok(())
}

/// Letters and digits of a word, without their case.
fn letters(word: &str) -> String {
    word.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// An entry by its number; in a table those above have none yet.
fn name(entry: &Standing<'_>) -> String {
    if entry.number == u64::MAX { "a row above".to_owned() } else { format!("entry {}", entry.number) }
}

/// Whether two events say the same of the same parties, whatever their names are spelled like.
fn same(one: &Event, other: &Event) -> bool {
    match (one, other) {
        (
            Event::Acquired { holder, source: Source::Licensee(from) },
            Event::Acquired { holder: again, source: Source::Licensee(other) },
        ) => holder.is(again) && from.is(other),
        (
            Event::Disposed { holder, to: Recipient::Licensee(to) },
            Event::Disposed { holder: again, to: Recipient::Licensee(other) },
        ) => holder.is(again) && to.is(other),
        _ => one == other,
    }
}

/// Whether an event begins a firearm's life in the country.
pub(crate) fn is_beginning(event: &Event) -> bool {
    matches!(event, Event::Manufactured { .. } | Event::Imported { .. })
}

fn contradictions(ordered: &[Standing<'_>]) -> Vec<Refusal> {
    let mut state = State::default();
    ordered.iter().filter_map(|entry| state.take(entry.event, entry.on).err()).collect()
}

/// Where a firearm is after some of its entries.
#[derive(Clone, Default)]
pub(crate) struct State<'e> {
    place: Place<'e>,
    /// Every licensee who has or had it, as far as the book says.
    holders: Vec<&'e Licensee>,
    /// Whether any acquisition or disposition stands: before the first, anybody may turn out to hold it.
    moved: bool,
    /// A hand-over that the recipient has entered and the one who gave has not.
    unconfirmed: Option<(&'e Licensee, &'e Licensee)>,
    /// Who sent it last, as long as the recipient has not entered it.
    sender: Option<&'e Licensee>,
    lost: Option<&'e Loss>,
    destroyed: Option<Date>,
}

#[derive(Clone, Default)]
enum Place<'e> {
    #[default]
    Unknown,
    With(&'e Licensee),
    /// No licensee has it: what happened, and when.
    Gone(&'static str, Date),
}

impl<'e> State<'e> {
    /// Goes on by one entry. An entry that contradicts changes nothing.
    pub(crate) fn take(&mut self, event: &'e Event, on: Date) -> Result<(), Refusal> {
        if let Some(destroyed) = self.destroyed.filter(|_| !matches!(event, Event::PartRemoved { .. })) {
            let what = format!("it was destroyed on {destroyed}");
            return Err(out_of_order(what, "correct the destruction if it did not happen"));
        }
        match event {
            Event::Manufactured { by } | Event::Imported { by } => self.has(by),
            Event::Acquired { holder, source } => {
                self.not_missing()?;
                self.acquire(holder, source, on)?;
            }
            Event::Disposed { holder, to } => {
                self.not_missing()?;
                self.dispose(holder, to, on)?;
            }
            Event::Lost { holder, loss } => {
                if let Some(open) = self.lost {
                    let what = format!("it is reported missing already, under incident {}", open.incident);
                    return Err(out_of_order(what, "record its recovery under that incident number first"));
                }
                if loss.reported_by.is_none() {
                    self.may_report(holder, loss.how, on)?;
                }
                self.lost = Some(loss);
            }
            Event::Recovered { holder, incident, reported_by } => {
                if self.lost.is_none_or(|open| open.incident != *incident) {
                    let what = format!("no open theft or loss has incident number {incident}");
                    return Err(out_of_order(what, "check the incident number and the day"));
                }
                self.lost = None;
                if reported_by.is_none() {
                    self.has(holder);
                }
            }
            Event::Destroyed { holder, .. } => {
                self.not_missing()?;
                match &self.place {
                    Place::With(other) if self.moved && !other.is(holder) => {
                        return Err(not_the_holder(holder, other, on));
                    }
                    Place::Gone(gone, day) => {
                        let what =
                            format!("{holder} cannot have destroyed it on {on}: it was {gone} on {day}");
                        return Err(out_of_order(what, "enter first how it came back"));
                    }
                    _ => self.destroyed = Some(on),
                }
            }
            Event::PartFitted { by, .. } | Event::PartRemoved { by, .. } => {
                if let Place::With(other) = self.place
                    && !other.is(by)
                {
                    let what =
                        format!("{by} cannot change parts of it on {on}: the book has it with {other}");
                    return Err(out_of_order(what, "record first how it came there"));
                }
            }
            Event::MultipleSale { .. } => {}
        }
        Ok(())
    }

    fn not_missing(&self) -> Result<(), Refusal> {
        let Some(open) = self.lost else { return Ok(()) };
        let what = format!("it is reported missing under incident {}", open.incident);
        Err(out_of_order(what, "record its recovery under that incident number first"))
    }

    /// The licensee from whose inventory a firearm is missing reports it, and in transit the sender (27 CFR 478.39a).
    fn may_report(&self, holder: &Licensee, how: LossKind, on: Date) -> Result<(), Refusal> {
        let sent = self.sender.filter(|_| how == LossKind::InTransit);
        match (&self.place, sent) {
            (_, Some(sender)) if sender.is(holder) => Ok(()),
            (_, Some(sender)) => {
                let what = format!("{holder} cannot report it missing in transit on {on}: {sender} sent it");
                Err(out_of_order(what, "the sender reports it; or record its receipt first"))
            }
            (Place::With(other), None) if !other.is(holder) => {
                let what = format!("{holder} cannot report it missing on {on}: the book has it with {other}");
                Err(out_of_order(what, "record first how it came there, or name the police that report it"))
            }
            (Place::Gone(gone, day), None) => {
                let what = format!("{holder} cannot report it missing on {on}: it was {gone} on {day}");
                Err(out_of_order(what, "record first how it came back, or name the police that report it"))
            }
            (Place::With(_) | Place::Unknown, None) => Ok(()),
        }
    }

    fn acquire(&mut self, holder: &'e Licensee, source: &'e Source, on: Date) -> Result<(), Refusal> {
        if let (Place::With(other), Source::Public(_)) = (&self.place, source)
            && self.moved
            && !self.holders.iter().any(|had| had.is(holder))
        {
            let what = format!("nobody can bring it to {holder} on {on}: the book has it with {other}");
            let hint = "enter first how it left there, or name the licensee it came from";
            return Err(out_of_order(what, hint));
        }
        let from = match (&self.place, source) {
            (Place::With(already), _) if already.is(holder) => None,
            (_, Source::Licensee(from)) => Some(from),
            (_, Source::Public(_)) => None,
        };
        self.unconfirmed = from.map(|from| (from, holder));
        self.has(holder);
        self.moved = true;
        Ok(())
    }

    /// A licensee has it now.
    fn has(&mut self, holder: &'e Licensee) {
        self.sender = None;
        self.holders.push(holder);
        self.place = Place::With(holder);
    }

    fn dispose(&mut self, holder: &'e Licensee, to: &'e Recipient, on: Date) -> Result<(), Refusal> {
        if let (Some((from, by)), Recipient::Licensee(to)) = (self.unconfirmed, to)
            && from.is(holder)
            && by.is(to)
        {
            self.unconfirmed = None;
            return Ok(());
        }
        match self.place {
            Place::With(other) if self.moved && !other.is(holder) => {
                return Err(not_the_holder(holder, other, on));
            }
            Place::Gone(what, day) => {
                let what = format!("{holder} cannot let it go on {on}: it was {what} on {day}");
                return Err(out_of_order(what, "record first how it came back, or correct that entry"));
            }
            Place::With(_) | Place::Unknown => {}
        }
        self.moved = true;
        self.sender = None;
        self.holders.push(holder);
        self.place = match to {
            Recipient::Licensee(to) => {
                self.has(to);
                self.sender = Some(holder);
                return Ok(());
            }
            Recipient::Form4473(_) => Place::Gone("sold at retail", on),
            Recipient::Government(_) => Place::Gone("sold to a government body", on),
            Recipient::Export { .. } => Place::Gone("exported", on),
        };
        Ok(())
    }
}

fn not_the_holder(who: &Licensee, holder: &Licensee, on: Date) -> Refusal {
    let what = format!("{who} cannot let it go on {on}: the book has it with {holder}");
    out_of_order(what, "record first how it came there, or correct the entry that is wrong")
}

fn out_of_order(what: String, hint: &'static str) -> Refusal {
    Refusal::OutOfOrder { what, hint }
}
