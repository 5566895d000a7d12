//! Where marked parts can be on each day: no part in two firearms, no two parts of a kind in one.
//!
//! Reports arrive late and in any order. So a change of parts is weighed against everything that is written of the part and of its
//! place in the firearm, what lies after its day among it: one that fits what stands before it may leave a part in two firearms.

use jiff::civil::Date;
use symbology::Code;

use crate::batch::is_of_a_firearm;
use crate::books::history;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event};
use crate::firearm::{FirearmKey, Part};
use crate::rules::{self, Standing};
use crate::store::Session;
use crate::trace::made_on;

/// The number under which being made with a part stands among the moves.
const MAKING: EntryNumber = 0;

/// That of moves that were admitted and are not in the tables yet.
const PENDING: EntryNumber = u64::MAX - 1;

/// One part put into a firearm, or taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    /// `u64::MAX` for an entry that is still to be numbered, 0 for the making.
    pub(crate) number: EntryNumber,
    pub(crate) on: Date,
    pub(crate) firearm: i64,
    pub(crate) part: Part,
    pub(crate) code: Code,
    pub(crate) fitted: bool,
}

impl Move {
    /// That a firearm was made with a part.
    pub(crate) fn made_with((part, code): (Part, Code), firearm: i64, on: Date) -> Self {
        Self { number: MAKING, on, firearm, part, code, fitted: true }
    }

    /// What an entry of a firearm says of a part; `None` for entries of other things.
    pub(crate) fn of(entry: Standing<'_>, firearm: i64) -> Option<Self> {
        let (part, code, fitted) = match entry.event {
            Event::PartFitted { part, code, .. } => (*part, *code, true),
            Event::PartRemoved { part, code, .. } => (*part, *code, false),
            _ => return None,
        };
        Some(Self { number: entry.number, on: entry.on, firearm, part, code, fitted })
    }
}

/// How a move contradicts those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clash {
    /// Taken out of a firearm in which it is not.
    NotIn,
    /// Put into the firearm in which it is.
    Already,
    /// Put in while it is in another firearm.
    Elsewhere(i64),
    /// Put in beside another part of its kind.
    Occupied(Code),
}

/// What is followed through the moves.
trait Follow: Default {
    fn clash(&self, next: &Move) -> Option<Clash>;
    fn take(&mut self, next: &Move);
}

/// The firearms in which one part is: one at most, where nothing contradicts.
#[derive(Default)]
struct PartIn(Vec<i64>);

impl Follow for PartIn {
    fn clash(&self, next: &Move) -> Option<Clash> {
        let here = self.0.contains(&next.firearm);
        match (next.fitted, here, self.0.first()) {
            (false, false, _) => Some(Clash::NotIn),
            (true, true, _) => Some(Clash::Already),
            (true, false, Some(other)) => Some(Clash::Elsewhere(*other)),
            _ => None,
        }
    }

    fn take(&mut self, next: &Move) {
        self.0.retain(|one| *one != next.firearm);
        if next.fitted {
            self.0.push(next.firearm);
        }
    }
}

/// The parts of one kind that are in one firearm: one at most, where nothing contradicts.
#[derive(Default)]
struct RoomFor(Vec<Code>);

impl Follow for RoomFor {
    fn clash(&self, next: &Move) -> Option<Clash> {
        let other = self.0.iter().find(|one| **one != next.code);
        other.filter(|_| next.fitted).map(|other| Clash::Occupied(*other))
    }

    fn take(&mut self, next: &Move) {
        self.0.retain(|one| *one != next.code);
        if next.fitted {
            self.0.push(next.code);
        }
    }
}

/// Goes through moves in the order of their days; those of one day in the order of their numbers, but each next is the first that
/// fits, as for hand-overs.
fn follow<F: Follow>(mut moves: Vec<Move>) -> (F, Vec<(Move, Option<Clash>)>) {
    moves.sort_by_key(|one| (one.on, one.number));
    let (mut state, mut gone) = (F::default(), Vec::with_capacity(moves.len()));
    while let Some(first) = moves.first() {
        let of_day = moves.iter().take_while(|one| one.on == first.on);
        let next = of_day.enumerate().find(|(_, one)| state.clash(one).is_none());
        let next = moves.remove(next.map_or(0, |(place, _)| place));
        gone.push((next, state.clash(&next)));
        state.take(&next);
    }
    (state, gone)
}

fn clashes<F: Follow>(moves: &[Move]) -> Vec<(Move, Clash)> {
    let (_, gone) = follow::<F>(moves.to_vec());
    gone.into_iter().filter_map(|(one, clash)| Some((one, clash?))).collect()
}

/// The moves of one part in their order.
pub(crate) fn in_turn(moves: Vec<Move>) -> Vec<Move> {
    follow::<PartIn>(moves).1.into_iter().map(|(one, _)| one).collect()
}

/// A firearm as far as changes of its parts go.
#[derive(Clone, Copy)]
pub(crate) struct Here<'h> {
    /// Its number; below zero for one that is not yet in the tables.
    pub(crate) id: i64,
    pub(crate) key: &'h FirearmKey,
    /// What stands of it.
    pub(crate) standing: &'h [Standing<'h>],
}

/// What a move is weighed against.
struct Known {
    /// Everything of the part, in all firearms.
    of_part: Vec<Move>,
    /// Everything of parts of its kind in the firearm.
    of_kind: Vec<Move>,
}

impl Known {
    async fn of(
        session: &mut Session,
        here: Here<'_>,
        pending: &[Move],
        (part, code): (Part, Code),
    ) -> Result<Self, BooksError> {
        let mut of_part = moves_of(session, (part, code)).await?;
        of_part.extend(pending.iter().filter(|one| (one.part, one.code) == (part, code)));
        let mut known = Self { of_part, of_kind: moves_in(session, here, part).await? };
        for one in known.of_part.iter_mut().chain(&mut known.of_kind) {
            one.number = one.number.min(PENDING);
        }
        Ok(known)
    }

    fn clashes(&self) -> Vec<(Move, Clash)> {
        let mut found = clashes::<PartIn>(&self.of_part);
        found.extend(clashes::<RoomFor>(&self.of_kind));
        found
    }

    /// Puts a move in the place of an entry.
    fn with(&self, new: Move, replaced: Option<EntryNumber>) -> Self {
        let put = |moves: &[Move]| {
            let kept = moves.iter().filter(|one| Some(one.number) != replaced);
            kept.copied().chain([new]).collect()
        };
        Self { of_part: put(&self.of_part), of_kind: put(&self.of_kind) }
    }
}

/// The first contradiction that a move brings, `None` where it brings none; `replaced` is the entry that it corrects. With `later` all
/// that comes after it counts; without, what comes after it in this firearm may be left to be corrected, too.
fn brought(
    known: &Known,
    new: Move,
    (replaced, later): (Option<EntryNumber>, bool),
) -> Option<(Move, Clash)> {
    let named =
        |one: &Move| if one.number == new.number { replaced.unwrap_or(one.number) } else { one.number };
    let before = known.clashes();
    let is_new = |(one, clash): &(Move, Clash)| {
        !before.iter().any(|(other, same)| other.number == named(one) && same == clash)
    };
    let counts = |(one, _): &(Move, Clash)| later || one.number == new.number || one.firearm != new.firearm;
    let mut found: Vec<_> = known.with(new, replaced).clashes();
    found.retain(|one| is_new(one) && counts(one));
    // What is wrong with the move itself says most.
    found.iter().find(|(one, _)| one.number == new.number).or(found.first()).copied()
}

/// Says whether a change of parts can stand among all that is written of the part and of the firearm; `pending` are moves that are not
/// in the tables yet. Entries of other things pass.
///
/// # Errors
/// [`Refusal::OutOfOrder`] names the first contradiction.
pub(crate) async fn weigh(
    session: &mut Session,
    here: Here<'_>,
    pending: &[Move],
    new: Standing<'_>,
) -> Result<(), BooksError> {
    let Some(new) = Move::of(new, here.id) else { return Ok(()) };
    if let Some((parts, ..)) = made_with(session, here).await? {
        parts.into_iter().try_for_each(is_of_a_firearm)?;
    }
    let known = Known::of(session, here, pending, (new.part, new.code)).await?;
    match brought(&known, new, (None, true)) {
        Some(found) => Err(wording(session, new, found).await?.into()),
        None => Ok(()),
    }
}

/// As [`weigh`], for what takes the place of an entry that stands: another day alone must leave nothing in contradiction, another event
/// may leave later entries of this firearm to be corrected after it.
///
/// # Errors
/// As [`weigh`].
pub(crate) async fn weigh_correction(
    session: &mut Session,
    here: Here<'_>,
    entry: EntryNumber,
    new: Standing<'_>,
) -> Result<(), BooksError> {
    let Some(new) = Move::of(new, here.id) else { return Ok(()) };
    let known = Known::of(session, here, &[], (new.part, new.code)).await?;
    let old = here.standing.iter().find(|one| one.number == entry);
    let day_alone = old
        .and_then(|old| Move::of(*old, here.id))
        .is_some_and(|old| (old.part, old.code, old.fitted) == (new.part, new.code, new.fitted));
    match brought(&known, new, (Some(entry), day_alone)) {
        Some(found) => Err(wording(session, new, found).await?.into()),
        None => Ok(()),
    }
}

/// Every contradiction among the changes of a firearm's parts, entries of other firearms that hold its parts among them, by the
/// entries' numbers, in sentences. `entries` are all that were ever written of it: what was corrected may have left a part where it
/// cannot be.
pub(crate) async fn contradictions(
    session: &mut Session,
    here: Here<'_>,
    entries: &[Entry],
) -> Result<Vec<(EntryNumber, String)>, BooksError> {
    let mut moved: Vec<(Part, Code)> = Vec::new();
    if let Some((parts, code, _)) = made_with(session, here).await? {
        moved.extend(parts.into_iter().map(|part| (part, code)));
    }
    let written = entries.iter().filter_map(|entry| Move::of(entry.into(), here.id));
    for part in written.map(|one| (one.part, one.code)) {
        if !moved.contains(&part) {
            moved.push(part);
        }
    }
    let mut found: Vec<(Move, Clash)> = Vec::new();
    for part in moved {
        let known = Known::of(session, here, &[], part).await?;
        let touches =
            |(one, clash): &(Move, Clash)| one.firearm == here.id || *clash == Clash::Elsewhere(here.id);
        for one in known.clashes().into_iter().filter(touches) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    let mut sentences = Vec::with_capacity(found.len());
    for (one, clash) in found {
        sentences.push((one.number, said(session, here.id, (one, clash)).await?.0));
    }
    Ok(sentences)
}

/// The marked parts that are in a firearm at the end of the book.
///
/// # Errors
/// [`Refusal::OutOfOrder`] where two of a kind are in it, or one is in another firearm as well: then the book does not tell.
pub(crate) async fn parts_in(session: &mut Session, here: Here<'_>) -> Result<Vec<(Part, Code)>, BooksError> {
    let mut candidates = made_with(session, here).await?.map_or_else(Vec::new, |(parts, code, _)| {
        parts.into_iter().map(|part| (part, code)).collect::<Vec<_>>()
    });
    for one in here.standing.iter().filter_map(|one| Move::of(*one, here.id)) {
        if !candidates.contains(&(one.part, one.code)) {
            candidates.push((one.part, one.code));
        }
    }
    let hint = "correct the entry that is wrong; `correct` names what contradicts";
    let mut inside: Vec<(Part, Code)> = Vec::new();
    for (part, code) in candidates {
        let (PartIn(firearms), _) = follow::<PartIn>(moves_of(session, (part, code)).await?);
        if !firearms.contains(&here.id) {
            continue;
        }
        if let Some(other) = firearms.iter().find(|one| **one != here.id) {
            let other = key_of(session, *other).await?;
            let what = format!("by these books the {part} with code {code} is in {other} as well");
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        if let Some((_, other)) = inside.iter().find(|(kind, _)| *kind == part) {
            let what = format!("by these books two of its {part}s are in it, with codes {other} and {code}");
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        inside.push((part, code));
    }
    Ok(inside)
}

/// Everything that stands of one part: the firearm that was made with it, and who put it where.
async fn moves_of(session: &mut Session, (part, code): (Part, Code)) -> Result<Vec<Move>, BooksError> {
    let mut moves = Vec::new();
    let number = encode::code_number(code);
    let issued = session.code(number).await?;
    if let Some(stored) = issued.filter(|stored| encode::parts(stored.parts).contains(&part))
        && let Some(firearm) = stored.firearm_id
        && let Some(on) = made_with_it(session, firearm, number).await?
    {
        moves.push(Move::made_with((part, code), firearm, on));
    }
    for row in session.entries_of_code(number).await? {
        let firearm = row.firearm_id;
        let entry = encode::entry(row)?;
        moves.extend(Move::of(Standing::from(&entry), firearm).filter(|one| one.part == part));
    }
    Ok(moves)
}

/// The day on which a firearm was made with a code; `None` where the code came to it later, or its making was withdrawn.
async fn made_with_it(session: &mut Session, firearm: i64, code: i64) -> Result<Option<Date>, BooksError> {
    let rows = session.entries_of_firearm(firearm).await?;
    let issued = rows.iter().any(|row| row.kind == "manufactured" && row.code == Some(code));
    if !issued {
        return Ok(None);
    }
    let entries = rows.into_iter().map(encode::entry).collect::<Result<Vec<_>, _>>()?;
    Ok(made_on(&entries))
}

/// Everything that stands of parts of one kind in a firearm.
async fn moves_in(session: &mut Session, here: Here<'_>, part: Part) -> Result<Vec<Move>, BooksError> {
    let mut moves = Vec::new();
    if let Some((parts, code, on)) = made_with(session, here).await?
        && parts.contains(&part)
    {
        moves.push(Move::made_with((part, code), here.id, on));
    }
    let later = here.standing.iter().filter_map(|one| Move::of(*one, here.id));
    moves.extend(later.filter(|one| one.part == part));
    Ok(moves)
}

/// The parts and the code that a firearm was made with, and when.
///
/// # Errors
/// [`Refusal::OutOfOrder`] for a box of rounds.
async fn made_with(
    session: &mut Session,
    here: Here<'_>,
) -> Result<Option<(Vec<Part>, Code, Date)>, BooksError> {
    let Some(made) = here.standing.iter().find(|one| rules::is_beginning(one.event)) else {
        return Ok(None);
    };
    let Some(line) = session.find_line(here.key.licence.as_str(), here.key.model.as_str()).await? else {
        return Ok(None);
    };
    let Some((number, ..)) = session.issued_to_serial(line, here.key.serial.as_str()).await? else {
        return Ok(None);
    };
    let Some(stored) = session.code(number).await?.filter(|stored| stored.firearm_id == Some(here.id)) else {
        return Ok(None);
    };
    Ok(Some((encode::parts(stored.parts), encode::code(number)?, made.on)))
}

/// What is said of a contradiction that a move brings.
async fn wording(
    session: &mut Session,
    new: Move,
    (one, clash): (Move, Clash),
) -> Result<Refusal, BooksError> {
    let (what, hint) = said(session, new.firearm, (one, clash)).await?;
    if one.number == new.number {
        return Ok(Refusal::OutOfOrder { what, hint });
    }
    let name = match one.number {
        MAKING => "the making of a firearm".to_owned(),
        PENDING => "a row above".to_owned(),
        number => format!("entry {number}"),
    };
    let done = if new.fitted { "fitted" } else { "removed" };
    let what = format!("with the {} {done} on {} {name} contradicts the book: {what}", new.part, new.on);
    let hint = "check the day; where it is right, withdraw that entry with `correct --void` and enter it again after this one";
    Ok(Refusal::OutOfOrder { what, hint })
}

/// A contradiction as a sentence for whoever looks at a firearm, and what to do.
async fn said(
    session: &mut Session,
    looked_at: i64,
    (Move { on, part, code, firearm, .. }, clash): (Move, Clash),
) -> Result<(String, &'static str), BooksError> {
    let place =
        if firearm == looked_at { "this firearm".to_owned() } else { key_of(session, firearm).await? };
    Ok(match clash {
        Clash::NotIn => (
            format!("the {part} with code {code} is not in {place} on {on}"),
            "check part, code and day, or record first that it was fitted",
        ),
        Clash::Already => (
            format!("the {part} with code {code} is in {place} already on {on}"),
            "record its removal first, or check part, code and day",
        ),
        Clash::Elsewhere(other) if other == looked_at => (
            format!("the {part} with code {code} is in this firearm on {on}, and fitted into {place}"),
            "record its removal first",
        ),
        Clash::Elsewhere(other) => {
            let other = key_of(session, other).await?;
            (format!("the {part} with code {code} is in {other} on {on}"), "record its removal there first")
        }
        Clash::Occupied(there) => {
            (format!("a {part} with code {there} is in {place} on {on}"), "record its removal first")
        }
    })
}

async fn key_of(session: &mut Session, firearm: i64) -> Result<String, BooksError> {
    if firearm < 0 {
        return Ok("the firearm of a row above".to_owned());
    }
    Ok(history(session, firearm).await?.firearm.key.to_string())
}
