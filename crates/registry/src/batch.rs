//! Many entries in few round trips, with the same checks as one.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use symbology::Code;

use crate::books::{Books, history};
use crate::digest::{Rows, Written};
use crate::encode;
use crate::entries::{NewEntry, brings_in, not_in_the_future};
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, View};
use crate::firearm::{Description, FirearmKey, Licensee, Part};
use crate::names::{LicenceNumber, Model, Person, folded};
use crate::parts::{SignedBy, Work};
use crate::rules;
use crate::store::{EntryRow, FirearmRow, Session};
use crate::trace::made_on;

/// In whose name entries are written.
#[derive(Clone, Copy)]
pub(crate) enum Hand<'h> {
    /// The issuer's: its own changes of parts are signed with its key, and others' are refused.
    Issuer(&'h Books),
    /// That of whoever signed these changes of parts; the signature was verified.
    Party(&'h SignedBy),
}

/// Writes entries in one session. Names that come again are looked up once.
pub(crate) struct Batch<'b> {
    hand: Hand<'b>,
    by: &'b Person,
    now: Timestamp,
    parties: HashMap<Licensee, i64>,
    /// Models looked up; `None` for those that the books do not have yet.
    lines: HashMap<LicenceNumber, HashMap<Model, Option<i64>>>,
    /// Models that came new in this batch.
    spellings: HashMap<LicenceNumber, Spellings>,
    descriptions: HashMap<Description, i64>,
    firearm_rows: Rows,
    entry_rows: Rows,
}

/// A licensee's models.
#[derive(Default)]
struct Spellings {
    models: HashSet<Model>,
    by_look: HashMap<String, Vec<Model>>,
    /// How often the tables were asked for models that look like one.
    asked: u32,
}

impl Spellings {
    /// A model that cannot be told from this one.
    fn mistaken_for(&self, model: &Model) -> Option<&Model> {
        let looks = folded(model.as_str());
        let mut others = looks.iter().filter_map(|look| self.by_look.get(look)).flatten();
        others.find(|other| model.is_mistaken_for(other.as_str()))
    }

    fn remember(&mut self, model: &Model) {
        if self.models.insert(model.clone()) {
            for look in folded(model.as_str()) {
                self.by_look.entry(look).or_default().push(model.clone());
            }
        }
    }
}

/// So many new models are looked for in the tables one by one, each among all; then all are held in memory.
const ONE_BY_ONE: u32 = 32;

/// Entries of one firearm at most, without corrections: every new one is checked against all of them.
const MOST_ENTRIES: usize = 1_000;

/// What became of a batch: the numbers of the entries written, and the groups refused with the reason.
pub(crate) struct Taken {
    pub(crate) numbers: Vec<EntryNumber>,
    pub(crate) refused: Vec<(usize, Refusal)>,
}

/// What the book says of one firearm, entries of this batch among it.
struct Known {
    id: Option<i64>,
    entries: Vec<Entry>,
    description: Option<Description>,
}

impl<'b> Batch<'b> {
    pub(crate) fn new(hand: Hand<'b>, by: &'b Person, now: Timestamp) -> Self {
        Self {
            hand,
            by,
            now,
            parties: HashMap::new(),
            lines: HashMap::new(),
            spellings: HashMap::new(),
            descriptions: HashMap::new(),
            firearm_rows: Rows::default(),
            entry_rows: Rows::default(),
        }
    }

    /// Checks groups of entries in their order and writes those that the book admits. A group is taken whole or not
    /// at all: a row of a table, or a single entry.
    pub(crate) async fn take(
        &mut self,
        session: &mut Session,
        groups: &[Vec<NewEntry>],
    ) -> Result<Taken, BooksError> {
        let mut known = self.known(session, groups).await?;
        let mut refused = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            if let Err(error) = self.admit(session, &mut known, group).await {
                match error {
                    BooksError::Refused(refusal) => refused.push((place, refusal)),
                    other => return Err(other),
                }
            }
        }
        let refused_places: HashSet<usize> = refused.iter().map(|(place, _)| *place).collect();
        let admitted = groups.iter().enumerate().filter(|(place, _)| !refused_places.contains(place));
        let admitted: Vec<&NewEntry> = admitted.flat_map(|(_, group)| group).collect();
        self.put_firearms(session, &mut known).await?;
        let numbers = self.put_entries(session, &known, &admitted).await?;
        Ok(Taken { numbers, refused })
    }

    /// What was written so far, for the record of the act.
    pub(crate) fn written(&self) -> Written {
        Written { firearms: self.firearm_rows.range(), entries: self.entry_rows.range() }
    }

    /// What the book says of every firearm that the groups name.
    async fn known(
        &mut self,
        session: &mut Session,
        groups: &[Vec<NewEntry>],
    ) -> Result<HashMap<FirearmKey, Known>, BooksError> {
        let mut known: HashMap<FirearmKey, Known> = HashMap::new();
        for new in groups.iter().flatten() {
            if !known.contains_key(&new.firearm) {
                let nothing = Known { id: None, entries: Vec::new(), description: None };
                known.insert(new.firearm.clone(), nothing);
            }
        }
        let (mut keys, mut names) = (Vec::new(), HashMap::new());
        for key in known.keys() {
            let Some(line) = self.known_line(session, key).await? else { continue };
            keys.push((line, key.serial.as_str()));
            names.insert((line, key.serial.as_str()), key);
        }
        let mut by_id = HashMap::new();
        for (line, serial, id) in session.known_firearms(&keys).await? {
            let key = *names.get(&(line, serial.as_str())).expect("only firearms asked for are found");
            by_id.insert(id, key.clone());
        }
        let ids: Vec<i64> = by_id.keys().copied().collect();
        for (id, key) in &by_id {
            known.get_mut(key).expect("only firearms that were asked for are found").id = Some(*id);
        }
        for row in session.entries_of_firearms(&ids).await? {
            let key = by_id.get(&row.firearm_id);
            let firearm = key.and_then(|key| known.get_mut(key)).expect("only entries asked for are found");
            firearm.entries.push(encode::entry(row)?);
        }
        Ok(known)
    }

    /// Adds a group to what is known when nothing speaks against any of its entries.
    async fn admit(
        &mut self,
        session: &mut Session,
        known: &mut HashMap<FirearmKey, Known>,
        group: &[NewEntry],
    ) -> Result<(), BooksError> {
        for (done, new) in group.iter().enumerate() {
            if let Err(error) = self.admit_one(session, known, new).await {
                for new in &group[..done] {
                    let firearm = known.get_mut(&new.firearm).expect("it was admitted before");
                    firearm.entries.pop();
                    if firearm.id.is_none() && firearm.entries.is_empty() {
                        firearm.description = None;
                    }
                }
                return Err(error);
            }
        }
        for new in group {
            if known.get(&new.firearm).is_some_and(|firearm| firearm.id.is_none()) {
                let written = self.spellings.entry(new.firearm.licence.clone()).or_default();
                written.remember(&new.firearm.model);
            }
        }
        Ok(())
    }

    /// Refuses a model that is in the books, or in this batch, with other capital letters or letters that look alike: it would be
    /// two firearms.
    async fn one_spelling(&mut self, session: &mut Session, key: &FirearmKey) -> Result<(), BooksError> {
        if self.known_line(session, key).await?.is_some() {
            return Ok(());
        }
        let written = self.spellings.entry(key.licence.clone()).or_default();
        if written.models.contains(&key.model) {
            return Ok(());
        }
        if written.asked == ONE_BY_ONE {
            for model in session.models(key.licence.as_str()).await? {
                written.remember(&model.parse()?);
            }
        }
        if let Some(other) = written.mistaken_for(&key.model) {
            return Err(mistaken(&key.model, other.as_str()).into());
        }
        written.asked = written.asked.saturating_add(1);
        if written.asked > ONE_BY_ONE {
            return Ok(());
        }
        spelled_as_before(session, &key.licence, &key.model).await
    }

    async fn admit_one(
        &mut self,
        session: &mut Session,
        known: &mut HashMap<FirearmKey, Known>,
        new: &NewEntry,
    ) -> Result<(), BooksError> {
        not_in_the_future(new.on, self.now)?;
        rules::plausible(&new.event, new.on)?;
        if let Hand::Issuer(books) = self.hand {
            books.signs_for_itself(&new.event)?;
        }
        let marked = marked_part(session, &new.event).await?;
        let is_new = |firearm: &Known| firearm.id.is_none() && firearm.entries.is_empty();
        if known.get(&new.firearm).is_some_and(is_new) {
            self.one_spelling(session, &new.firearm).await?;
        }
        let firearm = known.get_mut(&new.firearm).expect("every firearm of the groups is there");
        if firearm.entries.len() >= MOST_ENTRIES {
            let what = format!("it has {MOST_ENTRIES} entries, the most that one firearm has here");
            let hint = "look whether one serial number stands for many firearms";
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        if firearm.id.is_none() && firearm.entries.is_empty() {
            if new.description.is_none() || !brings_in(&new.event) {
                return Err(Refusal::UnknownFirearm(new.firearm.clone()).into());
            }
            firearm.description.clone_from(&new.description);
        } else {
            let standing = View::Corrected.of(&firearm.entries);
            let in_the_books = |entry: &&Entry| brings_in(&entry.event);
            if !brings_in(&new.event) && Work::of(&new.event).is_none() && !standing.iter().any(in_the_books)
            {
                return Err(Refusal::UnknownFirearm(new.firearm.clone()).into());
            }
            rules::check(&standing, &new.event, new.on)?;
            let from_making = marked.is_some() && marked == firearm.id;
            rules::check_part(&standing, &new.event, new.on, from_making)?;
            if let (Event::PartFitted { part, code, .. }, Some(id)) = (&new.event, firearm.id) {
                has_room(session, (id, &new.firearm), &standing, ((*part, Some(*code)), new.on)).await?;
                is_free(session, (*part, *code), (id, marked), new.on).await?;
            }
        }
        firearm.entries.push(Entry {
            number: u64::MAX,
            event: new.event.clone(),
            on: new.on,
            recorded_at: self.now,
            recorded_by: self.by.clone(),
            description: None,
            corrects: None,
            signed: None,
            stated: None,
        });
        Ok(())
    }

    async fn put_firearms(
        &mut self,
        session: &mut Session,
        known: &mut HashMap<FirearmKey, Known>,
    ) -> Result<(), BooksError> {
        let mut new: Vec<_> = known
            .iter_mut()
            .filter(|(_, firearm)| firearm.id.is_none() && !firearm.entries.is_empty())
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        new.sort_by(|a, b| a.0.cmp(b.0));
        let first = session.take_numbers("firearm", new.len() as i64).await?;
        let mut rows = Vec::with_capacity(new.len());
        for (firearm_id, (key, firearm)) in (first..).zip(new) {
            let description = firearm.description.as_ref();
            let description = description.ok_or_else(|| Refusal::UnknownFirearm(key.clone()))?;
            self.firearm_rows.add_firearm(firearm_id, key, description)?;
            rows.push(FirearmRow {
                firearm_id,
                line_id: self.line(session, key).await?,
                serial: key.serial.to_string(),
                description_id: self.description(session, description).await?,
            });
            firearm.id = Some(firearm_id);
        }
        session.put_firearms(&rows).await
    }

    async fn put_entries(
        &mut self,
        session: &mut Session,
        known: &HashMap<FirearmKey, Known>,
        admitted: &[&NewEntry],
    ) -> Result<Vec<EntryNumber>, BooksError> {
        if admitted.is_empty() {
            return Ok(Vec::new());
        }
        let first = session.take_numbers("entry", admitted.len() as i64).await?;
        let (mut rows, mut fittings) = (Vec::with_capacity(admitted.len()), Vec::new());
        for (entry_id, new) in (first..).zip(admitted) {
            let firearm_id = known.get(&new.firearm).and_then(|firearm| firearm.id);
            let firearm_id = firearm_id.expect("admitted entries are of firearms just written or known");
            let row = self.row(session, new, (entry_id, firearm_id)).await?;
            let what = (&new.firearm, &new.event, new.on);
            self.entry_rows.add_entry(entry_id, what, (self.by.as_str(), row.recorded_at))?;
            fittings.extend(row.code.map(|code| (entry_id, code)));
            rows.push(row);
        }
        session.put_entries(&rows).await?;
        session.put_fittings(&fittings).await?;
        Ok((first as u64..).take(admitted.len()).collect())
    }

    async fn row(
        &mut self,
        session: &mut Session,
        NewEntry { firearm, event, on, .. }: &NewEntry,
        (entry_id, firearm_id): (i64, i64),
    ) -> Result<EntryRow, BooksError> {
        let signed = match (self.hand, Work::of(event)) {
            (_, None) => None,
            (Hand::Party(signed), Some(_)) => Some(signed.clone()),
            (Hand::Issuer(books), Some(work)) => {
                Some(books.sign_own(session, firearm, (work, *on), self.now).await?)
            }
        };
        let (other, code, body) = encode::columns(event, signed);
        Ok(EntryRow {
            entry_id,
            firearm_id,
            kind: event.kind(),
            holder: self.party(session, event.holder()).await?,
            other: match other {
                Some(other) => Some(self.party(session, other).await?),
                None => None,
            },
            happened_on: encode::day_number(*on),
            recorded_at: self.now.as_microsecond(),
            recorded_by: self.by.to_string(),
            description_id: None,
            code,
            corrects: None,
            void: false,
            body: body.map(|body| encode::json(&body)).transpose()?,
        })
    }

    async fn party(&mut self, session: &mut Session, licensee: &Licensee) -> Result<i64, BooksError> {
        if let Some(number) = self.parties.get(licensee) {
            return Ok(*number);
        }
        let number = session.party(licensee.licence.as_str(), licensee.name.as_str()).await?;
        self.parties.insert(licensee.clone(), number);
        Ok(number)
    }

    async fn line(&mut self, session: &mut Session, key: &FirearmKey) -> Result<i64, BooksError> {
        if let Some(number) = self.known_line(session, key).await? {
            return Ok(number);
        }
        let number = session.line(key.licence.as_str(), key.model.as_str()).await?;
        self.remember_line(key, Some(number));
        Ok(number)
    }

    /// The number of a licensee's model, if it has one yet.
    async fn known_line(
        &mut self,
        session: &mut Session,
        key: &FirearmKey,
    ) -> Result<Option<i64>, BooksError> {
        if let Some(number) = self.lines.get(&key.licence).and_then(|models| models.get(&key.model)) {
            return Ok(*number);
        }
        let found = session.find_line(key.licence.as_str(), key.model.as_str()).await?;
        self.remember_line(key, found);
        Ok(found)
    }

    fn remember_line(&mut self, key: &FirearmKey, number: Option<i64>) {
        self.lines.entry(key.licence.clone()).or_default().insert(key.model.clone(), number);
    }

    async fn description(&mut self, session: &mut Session, wanted: &Description) -> Result<i64, BooksError> {
        if let Some(number) = self.descriptions.get(wanted) {
            return Ok(*number);
        }
        let number = session.description(&encode::json(wanted)?).await?;
        self.descriptions.insert(wanted.clone(), number);
        Ok(number)
    }
}

/// Checks that no other part of the kind is in a firearm on a day.
pub(crate) async fn has_room(
    session: &mut Session,
    (id, key): (i64, &FirearmKey),
    standing: &[&Entry],
    ((part, own), on): ((Part, Option<Code>), Date),
) -> Result<(), BooksError> {
    let line = session.find_line(key.licence.as_str(), key.model.as_str()).await?;
    let issued = match line {
        Some(line) => session.issued_to_serial(line, key.serial.as_str()).await?,
        None => None,
    };
    let mut made_with = None;
    if let Some((number, _)) = issued
        && standing.iter().any(|entry| rules::is_beginning(&entry.event))
        && let Some(stored) = session.code(number).await?
        && stored.firearm_id == Some(id)
    {
        let parts = encode::parts(stored.parts);
        parts.iter().try_for_each(|part| is_of_a_firearm(*part))?;
        made_with = parts.contains(&part).then(|| encode::code(number)).transpose()?;
    }
    match rules::other_part(standing, (part, own), on, made_with) {
        Some(there) => Err(rules::occupied(part, there, on).into()),
        None => Ok(()),
    }
}

/// Checks that a part is in no other firearm on a day: the one in which it was fitted last, or with which it was made.
async fn is_free(
    session: &mut Session,
    (part, code): (Part, Code),
    (here, made_with): (i64, Option<i64>),
    on: Date,
) -> Result<(), BooksError> {
    let mut moves = Vec::new();
    for row in session.entries_of_code(encode::code_number(code)).await? {
        let firearm = row.firearm_id;
        moves.push((encode::entry(row)?, firearm));
    }
    moves.sort_by_key(|(entry, _)| (entry.on, entry.number));
    let mut at = None;
    if let Some(firearm) = made_with
        && made_on(&history(session, firearm).await?.entries).is_some_and(|made| made <= on)
    {
        at = Some(firearm);
    }
    for (entry, firearm) in moves.iter().filter(|(entry, _)| entry.on <= on) {
        match &entry.event {
            Event::PartFitted { part: moved, .. } if *moved == part => at = Some(*firearm),
            Event::PartRemoved { part: moved, .. } if *moved == part && at == Some(*firearm) => at = None,
            _ => {}
        }
    }
    let Some(elsewhere) = at.filter(|firearm| *firearm != here) else { return Ok(()) };
    let key = history(session, elsewhere).await?.firearm.key;
    let what = format!("the {part} with code {code} is in {key} on {on}");
    Err(Refusal::OutOfOrder { what, hint: "record its removal there first" }.into())
}

/// Refuses a model that cannot be told from another one in the books.
pub(crate) async fn spelled_as_before(
    session: &mut Session,
    licence: &LicenceNumber,
    model: &Model,
) -> Result<(), BooksError> {
    let written = session.spellings(licence.as_str(), model.as_str()).await?;
    match written.iter().find(|other| model.is_mistaken_for(other)) {
        Some(other) => Err(mistaken(model, other).into()),
        None => Ok(()),
    }
}

fn mistaken(model: &Model, written: &str) -> Refusal {
    let what = format!("the model `{model}` is written `{written}` in these books");
    Refusal::OutOfOrder { what, hint: "write it in the same way; serial numbers are its own" }
}

/// Refuses rounds where parts are fitted or removed: the code of a box would lead to a firearm.
pub(crate) fn is_of_a_firearm(part: Part) -> Result<(), Refusal> {
    if part != Part::Round {
        return Ok(());
    }
    let what = "a round is no part of a firearm, and boxes have no parts".to_owned();
    Err(Refusal::OutOfOrder { what, hint: "issue codes for boxes with `ammunition issue`" })
}

/// The firearm that was made with the part that an event names, after checking that the code was issued for such a part;
/// `None` for other events and for parts issued alone.
pub(crate) async fn marked_part(session: &mut Session, event: &Event) -> Result<Option<i64>, BooksError> {
    let (Event::PartFitted { part, code, .. } | Event::PartRemoved { part, code, .. }) = event else {
        return Ok(None);
    };
    let issued = session.code(encode::code_number(*code)).await?;
    let issued = issued.ok_or_else(|| Refusal::UnknownCode(code.to_string()))?;
    let parts = encode::parts(issued.parts);
    if !parts.contains(part) {
        let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
        let what = format!("code {code} was issued for {}, not for {part}", parts.join(" and "));
        return Err(Refusal::OutOfOrder { what, hint: "check part and code" }.into());
    }
    is_of_a_firearm(*part)?;
    Ok(issued.firearm_id)
}
