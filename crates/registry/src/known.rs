//! What is known of firearms and models while a batch is checked, entries of the batch among it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use symbology::Code;

use crate::entries::NewEntry;
use crate::event::{Entry, Event, View};
use crate::firearm::{Description, FirearmKey};
use crate::moves::Move;
use crate::names::{Model, folded};
use crate::rules::Standing;

/// A licensee's models.
#[derive(Default)]
pub(crate) struct Spellings {
    pub(crate) models: HashSet<Model>,
    by_look: HashMap<String, Vec<Model>>,
    /// How often the tables were asked for models that look like one.
    pub(crate) asked: u32,
}

impl Spellings {
    /// A model that cannot be told from this one.
    pub(crate) fn mistaken_for(&self, model: &Model) -> Option<&Model> {
        let looks = folded(model.as_str());
        let mut others = looks.iter().filter_map(|look| self.by_look.get(look)).flatten();
        others.find(|other| model.is_mistaken_for(other.as_str()))
    }

    pub(crate) fn remember(&mut self, model: &Model) {
        if self.models.insert(model.clone()) {
            for look in folded(model.as_str()) {
                self.by_look.entry(look).or_default().push(model.clone());
            }
        }
    }
}

/// What the book says of one firearm, entries of this batch among it.
pub(crate) struct Known<'g> {
    pub(crate) key: &'g FirearmKey,
    /// The number of its licensee's model, where the books had it before.
    pub(crate) line: Option<i64>,
    pub(crate) id: Option<i64>,
    pub(crate) stored: Vec<Entry>,
    pub(crate) new: Vec<&'g NewEntry>,
    /// What the entry of this batch that brings it into the books says it is.
    pub(crate) description: Option<&'g Description>,
    /// What the books say it was first recorded as.
    pub(crate) recorded_as: Option<Arc<Description>>,
}

impl<'g> Known<'g> {
    fn nothing(key: &'g FirearmKey) -> Self {
        Self {
            key,
            line: None,
            id: None,
            stored: Vec::new(),
            new: Vec::new(),
            description: None,
            recorded_as: None,
        }
    }

    /// What it is as corrections leave it.
    pub(crate) fn described(&self) -> Option<&Description> {
        let mut standing = View::Corrected.of(&self.stored).into_iter().rev();
        let corrected = standing.find_map(|entry| entry.description.as_ref());
        corrected.or(self.recorded_as.as_deref()).or(self.description)
    }

    pub(crate) fn is_new(&self) -> bool {
        self.id.is_none() && self.new.is_empty()
    }

    /// What stands of it, in the order written.
    pub(crate) fn standing(&self) -> Vec<Standing<'_>> {
        let new = self.new.iter().map(|new| Standing::of(new));
        View::Corrected.of(&self.stored).into_iter().map(Standing::from).chain(new).collect()
    }

    /// Takes the last entry back.
    pub(crate) fn withdraw(&mut self) {
        self.new.pop();
        if self.is_new() {
            self.description = None;
        }
    }
}

/// The firearms that groups of entries name, and which of them each entry means.
pub(crate) struct Firearms<'g> {
    pub(crate) known: Vec<Known<'g>>,
    pub(crate) of_entry: Vec<usize>,
    /// Those in which entries of this batch put each part, or took it out of.
    moved: HashMap<Code, Vec<usize>>,
}

impl<'g> Firearms<'g> {
    pub(crate) fn named_by(groups: &'g [Vec<NewEntry>]) -> Self {
        let mut known: Vec<Known<'g>> = Vec::new();
        let mut of_entry: Vec<usize> = Vec::new();
        let mut places = HashMap::with_capacity(groups.len());
        for new in groups.iter().flatten() {
            let key = &new.firearm;
            let place = match of_entry.last() {
                Some(last) if known[*last].key == key => *last,
                _ => *places.entry(key).or_insert_with(|| {
                    known.push(Known::nothing(key));
                    known.len() - 1
                }),
            };
            of_entry.push(place);
        }
        Self { known, of_entry, moved: HashMap::new() }
    }
    /// The number of a firearm; below zero where it has none yet.
    pub(crate) fn id(&self, place: usize) -> i64 {
        self.known[place].id.unwrap_or_else(|| -1 - place as i64)
    }

    /// What admitted entries of this batch say of the part that an event moves.
    pub(crate) fn moves(&self, event: &Event) -> Vec<Move> {
        let (Event::PartFitted { code, .. } | Event::PartRemoved { code, .. }) = event else {
            return Vec::new();
        };
        let places = self.moved.get(code).into_iter().flatten();
        let of_firearm = |place: &usize| {
            let id = self.id(*place);
            self.known[*place].new.iter().filter_map(move |new| Move::of(Standing::of(new), id))
        };
        places.flat_map(of_firearm).collect()
    }

    /// Notes that an entry was admitted, which may be withdrawn again.
    pub(crate) fn admitted(&mut self, place: usize, event: &Event) {
        if let Event::PartFitted { code, .. } | Event::PartRemoved { code, .. } = event {
            let places = self.moved.entry(*code).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
}
