//! Where the parts that carry a code were on a day, and who moved them.

use std::collections::HashMap;

use jiff::civil::Date;
use symbology::Code;

use crate::books::history;
use crate::encode;
use crate::error::BooksError;
use crate::event::{Entry, EntryNumber, Event, Recipient, Source};
use crate::firearm::{FirearmKey, Licensee, Part};
use crate::moves::{Move, in_turn};
use crate::store::{Session, StoredCode};
use crate::trace::PartState;

/// Where one part was up to a day.
pub(crate) struct Place {
    pub(crate) part: Part,
    /// The firearm it is in, or was in last, whether it is in it, and since when; `None` for a part never fitted.
    now: Option<(i64, bool, Date)>,
    /// Since when it is out of firearms in which it was before.
    left: HashMap<i64, Date>,
    /// Who moved it last without ever having had the firearm.
    stranger: Option<Licensee>,
    /// The other firearm in which it was before that.
    before: Option<(i64, Option<FirearmKey>)>,
}

impl Place {
    pub(crate) fn firearm(&self) -> Option<i64> {
        self.now.map(|(firearm, ..)| firearm)
    }

    /// Goes on by a fitting or a removal. A part is where it was fitted last, whatever is said later of where it was before.
    fn take(&mut self, firearm: i64, fitted: bool, on: Date, stranger: Option<Licensee>) {
        match self.now {
            Some((before, ..)) if before != firearm && !fitted => {
                self.left.insert(firearm, on);
                return;
            }
            Some((before, ..)) if before != firearm => {
                self.left.entry(before).or_insert(on);
                self.before = Some((before, None));
            }
            _ => {}
        }
        if fitted {
            self.left.remove(&firearm);
        } else {
            self.left.insert(firearm, on);
        }
        // Who had the firearm vouches for what was fitted into it.
        if fitted || stranger.is_some() {
            self.stranger = stranger;
        }
        self.now = Some((firearm, fitted, on));
    }

    /// What is told of it beside a firearm.
    pub(crate) fn state(&self, firearm: i64) -> PartState {
        let out = self.left.get(&firearm).copied();
        let (fitted, since, elsewhere) = match self.now {
            Some((here, true, since)) if here == firearm => (true, Some(since), false),
            Some((here, ..)) => (false, out, here != firearm),
            None => (false, None, false),
        };
        let before = self.before.as_ref().and_then(|(_, key)| key.clone());
        let moved_by = self.stranger.clone();
        PartState {
            part: self.part,
            fitted,
            since,
            elsewhere,
            before: before.filter(|_| moved_by.is_some()),
            moved_by,
        }
    }

    /// What is told of it where no firearm is named.
    pub(crate) fn alone(&self) -> PartState {
        let (fitted, since) = self.now.map_or((false, None), |(_, fitted, since)| (fitted, Some(since)));
        PartState { part: self.part, fitted, since, elsewhere: false, moved_by: None, before: None }
    }
}

/// Follows every part that carries a code to the firearm in which it was on a day; `made` is the day on which the firearm was made
/// that the code was issued for.
pub(crate) async fn places(
    session: &mut Session,
    (code, stored): (Code, &StoredCode),
    (day, made): (Date, Option<Date>),
    issuer: &Licensee,
) -> Result<Vec<Place>, BooksError> {
    let now = stored.firearm_id.zip(made).map(|(firearm, made)| (firearm, true, made));
    let start = |part| Place { part, now, left: HashMap::new(), stranger: None, before: None };
    let mut places: Vec<Place> = encode::parts(stored.parts).into_iter().map(start).collect();
    let mut moves = Vec::new();
    for row in session.entries_of_code(encode::code_number(code)).await? {
        let firearm = row.firearm_id;
        moves.push((encode::entry(row)?, firearm));
    }
    moves.retain(|(entry, _)| entry.on <= day);
    let houses = houses(session, &moves).await?;
    let by: HashMap<EntryNumber, &Licensee> =
        moves.iter().map(|(entry, _)| (entry.number, entry.event.holder())).collect();
    for place in &mut places {
        let made = now.map(|(firearm, _, on)| Move::made_with((place.part, code), firearm, on));
        let of_part = moves.iter().filter_map(|(entry, firearm)| Move::of(entry.into(), *firearm));
        let of_part = of_part.filter(|one| one.part == place.part);
        for one in in_turn(made.into_iter().chain(of_part).collect()) {
            let Some(by) = by.get(&one.number) else { continue };
            let had = by.is(issuer) || houses[&one.firearm].iter().any(|house| house.is(by));
            place.take(one.firearm, one.fitted, one.on, (!had).then(|| (*by).clone()));
        }
    }
    for place in places.iter_mut().filter(|place| place.stranger.is_some()) {
        if let Some((firearm, key)) = &mut place.before {
            *key = Some(history(session, *firearm).await?.recorded_as.key);
        }
    }
    Ok(places)
}

/// Every licensee who by the book had each of the firearms, on whatever day: other licensees' entries arrive late.
async fn houses(
    session: &mut Session,
    moves: &[(Entry, i64)],
) -> Result<HashMap<i64, Vec<Licensee>>, BooksError> {
    let mut houses: HashMap<i64, Vec<Licensee>> = HashMap::new();
    for (_, firearm) in moves {
        if houses.contains_key(firearm) {
            continue;
        }
        let entries = history(session, *firearm).await?.entries;
        let standing = crate::event::View::Corrected.of(&entries);
        houses.insert(*firearm, standing.into_iter().flat_map(|entry| had(&entry.event)).collect());
    }
    Ok(houses)
}

/// The licensees who by an event had the firearm.
fn had(event: &Event) -> Vec<Licensee> {
    let other = match event {
        Event::Acquired { source: Source::Licensee(other), .. }
        | Event::Disposed { to: Recipient::Licensee(other), .. } => Some(other.clone()),
        Event::PartFitted { .. } | Event::PartRemoved { .. } => return Vec::new(),
        _ => None,
    };
    std::iter::once(event.holder().clone()).chain(other).collect()
}
