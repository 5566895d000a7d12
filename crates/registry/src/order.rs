//! The order of entries: of their days, and within a day that in which whoever lets a firearm go has it.
//!
//! Reports of other licensees arrive late and in any order, so the order of writing says nothing of the order of one day's
//! hand-overs: a drop shipment's sale may be written before the shipment.

use jiff::civil::Date;

use crate::event::{Entry, EntryNumber, Event};
use crate::rules::State;

/// One day's entries at most of which every order is tried; of more, each next is the first written that fits.
const TRIED: usize = 7;

/// An entry as far as its order goes.
pub(crate) trait Dated<'e>: Copy {
    /// Its day, and its number.
    fn when(&self) -> (Date, EntryNumber);
    /// What happened.
    fn what(self) -> &'e Event;
}

impl<'e> Dated<'e> for &'e Entry {
    fn when(&self) -> (Date, EntryNumber) {
        (self.on, self.number)
    }

    fn what(self) -> &'e Event {
        &self.event
    }
}

/// Puts entries in their order; those of one day keep the order of their numbers wherever another fits no better.
pub(crate) fn in_order<'e, E: Dated<'e>>(mut entries: Vec<E>) -> Vec<E> {
    entries.sort_by_key(Dated::when);
    let mut state = State::default();
    let mut from = 0;
    while from < entries.len() {
        let day = entries[from].when().0;
        let days = from + entries[from..].partition_point(|entry| entry.when().0 == day);
        if days - from > 1 {
            let best = order_of(&entries[from..days], &state);
            let of_day: Vec<E> = best.into_iter().map(|at| entries[from + at]).collect();
            entries[from..days].copy_from_slice(&of_day);
        }
        for entry in &entries[from..days] {
            fits(&mut state, *entry);
        }
        from = days;
    }
    entries
}

/// Takes an entry; whether it contradicts nothing before it.
fn fits<'e>(state: &mut State<'e>, entry: impl Dated<'e>) -> bool {
    state.take(entry.what(), entry.when().0).is_ok()
}

/// The order of one day's entries that contradicts itself least.
fn order_of<'e, E: Dated<'e>>(entries: &[E], state: &State<'e>) -> Vec<usize> {
    let written: Vec<usize> = (0..entries.len()).collect();
    let mut end = state.clone();
    let misfits = entries.iter().filter(|entry| !fits(&mut end, **entry)).count();
    if misfits == 0 {
        return written;
    }
    if entries.len() > TRIED {
        return one_by_one(entries, state.clone());
    }
    let mut search = Search { entries, best: written, misfits, taken: Vec::new() };
    search.go_on(state, 0);
    search.best
}

fn one_by_one<'e, E: Dated<'e>>(entries: &[E], mut state: State<'e>) -> Vec<usize> {
    let mut left: Vec<usize> = (0..entries.len()).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let next = left.iter().position(|at| fits(&mut state, entries[*at]));
        order.push(left.remove(next.unwrap_or(0)));
    }
    order
}

/// All orders, the first with the fewest entries that do not fit.
struct Search<'s, E> {
    entries: &'s [E],
    best: Vec<usize>,
    misfits: usize,
    taken: Vec<usize>,
}

impl<E> Search<'_, E> {
    fn go_on<'e>(&mut self, state: &State<'e>, misfits: usize)
    where
        E: Dated<'e>,
    {
        if misfits >= self.misfits {
            return;
        }
        if self.taken.len() == self.entries.len() {
            (self.misfits, self.best) = (misfits, self.taken.clone());
            return;
        }
        for at in 0..self.entries.len() {
            if self.taken.contains(&at) {
                continue;
            }
            let mut next = state.clone();
            let misfit = usize::from(!fits(&mut next, self.entries[at]));
            self.taken.push(at);
            self.go_on(&next, misfits + misfit);
            self.taken.pop();
        }
    }
}
