//! Many entries in few round trips, with the same checks as one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::task::yield_now;

use crate::books::Books;
use crate::closing::{closings, was_open};
use crate::digest::{Rows, Written};
use crate::encode;
use crate::entries::{NewEntry, brings_in, not_ahead};
use crate::error::{BooksError, Refusal};
use crate::event::{EntryNumber, Event};
use crate::firearm::{Description, FirearmKey, Licensee, Part};
use crate::known::{Firearms, Known, Spellings};
use crate::moves::{self, Here, Move};
use crate::names::{LicenceNumber, Model, PartyName, Person};
use crate::parts::{SignedBy, Work};
use crate::rules::{self, Standing};
use crate::store::{EntryRow, FirearmRow, Session};

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
    /// Whose name stands where no manufacturer was named.
    issuer: Option<PartyName>,
    by: &'b Person,
    now: Timestamp,
    today: Date,
    /// Who went out of business, and when; read when the first entry is checked.
    closings: Option<HashMap<LicenceNumber, Date>>,
    parties: HashMap<Licensee, i64>,
    /// Models looked up; `None` for those that the books do not have yet.
    lines: HashMap<LicenceNumber, HashMap<Model, Option<i64>>>,
    /// Models that came new in this batch.
    spellings: HashMap<LicenceNumber, Spellings>,
    descriptions: HashMap<Description, i64>,
    firearm_rows: Rows,
    entry_rows: Rows,
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

/// Counts rows, and after some of them gives a turn to whoever does something else at the same time.
#[derive(Default)]
pub(crate) struct Turns(u64);

impl Turns {
    pub(crate) async fn next(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(256) {
            yield_now().await;
        }
    }
}

/// Rows that were checked and numbered, and wait to be written.
pub(crate) struct Checked<'g> {
    pub(crate) refused: Vec<(usize, Refusal)>,
    new_firearms: Vec<(&'g FirearmKey, &'g Description)>,
    firearms: Vec<FirearmRow>,
    admitted: Vec<&'g NewEntry>,
    entries: Vec<EntryRow>,
    /// Entry and code of each change of parts.
    fittings: Vec<(i64, i64)>,
}

impl Checked<'_> {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) async fn write(&self, session: &mut Session) -> Result<(), BooksError> {
        session.put_firearms(&self.firearms).await?;
        session.add_entries(&self.entries).await?;
        session.put_fittings(&self.fittings).await
    }
}

impl<'b> Batch<'b> {
    pub(crate) fn new(hand: Hand<'b>, by: &'b Person, now: Timestamp) -> Self {
        let issuer = match hand {
            Hand::Issuer(books) => Some(books.issuer().name),
            Hand::Party(_) => None,
        };
        Self {
            hand,
            issuer,
            by,
            now,
            today: encode::today(now),
            closings: None,
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
        let checked = self.check(session, groups).await?;
        self.note(&checked).await?;
        checked.write(session).await?;
        let numbers = checked.entries.iter().map(|entry| entry.entry_id as u64).collect();
        Ok(Taken { numbers, refused: checked.refused })
    }

    /// Checks groups of entries in their order, and gives those that the book admits their numbers. They have to be written
    /// ([`Checked::write`]) before the next are checked, and noted ([`Self::note`]).
    pub(crate) async fn check<'g>(
        &mut self,
        session: &mut Session,
        groups: &'g [Vec<NewEntry>],
    ) -> Result<Checked<'g>, BooksError> {
        if self.closings.is_none() {
            self.closings = Some(closings(session).await?);
        }
        let mut firearms = self.known(session, groups).await?;
        let (mut refused, mut admitted, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0;
        for (place, group) in groups.iter().enumerate() {
            let entries = first..first + group.len();
            first = entries.end;
            match self.admit(session, &mut firearms, (entries.start, group)).await {
                Ok(()) => {
                    admitted.extend(group);
                    places.extend_from_slice(&firearms.of_entry[entries]);
                }
                Err(BooksError::Refused(refusal)) => refused.push((place, refusal)),
                Err(other) => return Err(other),
            }
        }
        let (new_firearms, rows) = self.firearm_rows(session, &mut firearms.known).await?;
        let ids = places.iter().map(|place| firearms.known[*place].id);
        let ids: Option<Vec<i64>> = ids.collect();
        let ids = ids.expect("admitted entries are of firearms just numbered or known");
        let mut checked = Checked {
            refused,
            new_firearms,
            firearms: rows,
            admitted,
            entries: Vec::new(),
            fittings: Vec::new(),
        };
        self.number_entries(session, &ids, &mut checked).await?;
        Ok(checked)
    }

    /// Adds what was checked to what the log is to vouch for.
    pub(crate) async fn note(&mut self, checked: &Checked<'_>) -> Result<(), BooksError> {
        let mut turns = Turns::default();
        for (row, (key, description)) in checked.firearms.iter().zip(&checked.new_firearms) {
            self.firearm_rows.add_firearm(row.firearm_id, key, description)?;
            turns.next().await;
        }
        for (row, new) in checked.entries.iter().zip(&checked.admitted) {
            let what = (&new.firearm, &new.event, new.on);
            self.entry_rows.add_entry(row.entry_id, what, (self.by.as_str(), row.recorded_at))?;
            turns.next().await;
        }
        Ok(())
    }

    /// What was written so far, for the record of the act.
    pub(crate) fn written(&self) -> Written {
        Written { firearms: self.firearm_rows.range(), entries: self.entry_rows.range() }
    }

    /// What the book says of every firearm that the groups name.
    async fn known<'g>(
        &mut self,
        session: &mut Session,
        groups: &'g [Vec<NewEntry>],
    ) -> Result<Firearms<'g>, BooksError> {
        let mut firearms = Firearms::named_by(groups);
        let mut keys = Vec::new();
        for firearm in &mut firearms.known {
            firearm.line = self.known_line(session, firearm.key).await?;
            keys.extend(firearm.line.map(|line| (line, firearm.key.serial.shared())));
        }
        let found = session.known_firearms(&keys).await?;
        if found.is_empty() {
            return Ok(firearms);
        }
        let of_line = |(place, firearm): (usize, &Known<'g>)| {
            firearm.line.map(|line| ((line, firearm.key.serial.as_str()), place))
        };
        let names: HashMap<_, _> = firearms.known.iter().enumerate().filter_map(of_line).collect();
        let mut by_id = HashMap::new();
        let mut descriptions: HashMap<String, Arc<Description>> = HashMap::new();
        for one in found {
            let name = (one.line_id, one.serial.as_str());
            let place = *names.get(&name).expect("only firearms asked for are found");
            let described = match descriptions.get(&one.description) {
                Some(described) => Arc::clone(described),
                None => Arc::new(encode::from_json(&one.description)?),
            };
            descriptions.entry(one.description).or_insert_with(|| Arc::clone(&described));
            firearms.known[place].recorded_as = Some(described);
            firearms.known[place].id = Some(one.firearm_id);
            by_id.insert(one.firearm_id, place);
        }
        let ids: Vec<i64> = by_id.keys().copied().collect();
        for row in session.entries_of_firearms(&ids).await? {
            let place = *by_id.get(&row.firearm_id).expect("only entries asked for are found");
            firearms.known[place].stored.push(encode::entry(row)?);
        }
        Ok(firearms)
    }

    /// Adds a group to what is known when nothing speaks against any of its entries; `first` is the place of its first entry
    /// among those of all groups.
    async fn admit<'g>(
        &mut self,
        session: &mut Session,
        firearms: &mut Firearms<'g>,
        (first, group): (usize, &'g [NewEntry]),
    ) -> Result<(), BooksError> {
        for (done, new) in group.iter().enumerate() {
            let place = firearms.of_entry[first + done];
            let pending = firearms.moves(&new.event);
            let id = firearms.id(place);
            let firearm = (&mut firearms.known[place], id);
            if let Err(error) = self.admit_one(session, firearm, &pending, new).await {
                for place in &firearms.of_entry[first..first + done] {
                    firearms.known[*place].withdraw();
                }
                return Err(error);
            }
            firearms.admitted(place, &new.event);
        }
        for place in &firearms.of_entry[first..first + group.len()] {
            let firearm = &firearms.known[*place];
            if firearm.line.is_none() {
                let written = self.spellings.entry(firearm.key.licence.clone()).or_default();
                written.remember(&firearm.key.model);
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

    async fn admit_one<'g>(
        &mut self,
        session: &mut Session,
        (firearm, id): (&mut Known<'g>, i64),
        pending: &[Move],
        new: &'g NewEntry,
    ) -> Result<(), BooksError> {
        not_ahead(new.on, self.today)?;
        rules::plausible(&new.event, new.on)?;
        if let Some(closings) = self.closings.as_ref().filter(|closings| !closings.is_empty()) {
            was_open(closings, &new.event, new.on)?;
        }
        if let Hand::Issuer(books) = self.hand {
            books.signs_for_itself(&new.event)?;
        }
        is_marked_so(session, &new.event).await?;
        if firearm.is_new() && firearm.line.is_none() {
            self.one_spelling(session, firearm.key).await?;
        }
        has_place(firearm.stored.len() + firearm.new.len())?;
        if firearm.is_new() {
            if new.description.is_none() || !brings_in(&new.event) {
                return Err(Refusal::UnknownFirearm(new.firearm.clone()).into());
            }
            firearm.description = new.description.as_ref();
        } else {
            if let (Some(said), Some(standing)) = (&new.description, firearm.described()) {
                rules::same_firearm(standing, said, self.issuer.as_ref())?;
            }
            let standing = firearm.standing();
            let in_the_books = |entry: &Standing<'_>| brings_in(entry.event);
            if !brings_in(&new.event) && Work::of(&new.event).is_none() && !standing.iter().any(in_the_books)
            {
                return Err(Refusal::UnknownFirearm(new.firearm.clone()).into());
            }
            rules::check(&standing, &new.event, new.on)?;
            let here = Here { id, key: firearm.key, standing: &standing };
            moves::weigh(session, here, pending, Standing::of(new)).await?;
        }
        firearm.new.push(new);
        Ok(())
    }

    /// Numbers the firearms that are new, and makes their rows.
    async fn firearm_rows<'g>(
        &mut self,
        session: &mut Session,
        known: &mut [Known<'g>],
    ) -> Result<(Vec<(&'g FirearmKey, &'g Description)>, Vec<FirearmRow>), BooksError> {
        let mut new: Vec<_> =
            known.iter_mut().filter(|firearm| firearm.id.is_none() && !firearm.new.is_empty()).collect();
        if new.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        new.sort_unstable_by_key(|firearm| firearm.key);
        let first = session.take_numbers("firearm", new.len() as i64).await?;
        let (mut firearms, mut rows) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
        for (firearm_id, firearm) in (first..).zip(new) {
            let key = firearm.key;
            let description = firearm.description.ok_or_else(|| Refusal::UnknownFirearm(key.clone()))?;
            rows.push(FirearmRow {
                firearm_id,
                line_id: match firearm.line {
                    Some(line) => line,
                    None => self.line(session, key).await?,
                },
                serial: key.serial.shared(),
                description_id: self.description(session, description).await?,
            });
            firearms.push((key, description));
            firearm.id = Some(firearm_id);
        }
        Ok((firearms, rows))
    }

    /// Numbers the entries that were admitted, and makes their rows; `firearms` are the numbers of their firearms.
    async fn number_entries(
        &mut self,
        session: &mut Session,
        firearms: &[i64],
        checked: &mut Checked<'_>,
    ) -> Result<(), BooksError> {
        if firearms.is_empty() {
            return Ok(());
        }
        let first = session.take_numbers("entry", firearms.len() as i64).await?;
        checked.entries.reserve(firearms.len());
        for ((entry_id, new), firearm_id) in (first..).zip(&checked.admitted).zip(firearms) {
            let row = self.row(session, new, (entry_id, *firearm_id)).await?;
            checked.fittings.extend(row.code.map(|code| (entry_id, code)));
            checked.entries.push(row);
        }
        Ok(())
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
            recorded_by: self.by.shared(),
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

/// Checks that a firearm with so many entries can have another.
pub(crate) fn has_place(entries: usize) -> Result<(), Refusal> {
    if entries < MOST_ENTRIES {
        return Ok(());
    }
    let what = format!("it has {MOST_ENTRIES} entries, the most that one firearm has here");
    Err(Refusal::OutOfOrder { what, hint: "look whether one serial number stands for many firearms" })
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

/// Checks that the code that a change of parts names was issued for such a part; events of other kinds pass.
pub(crate) async fn is_marked_so(session: &mut Session, event: &Event) -> Result<(), BooksError> {
    let (Event::PartFitted { part, code, .. } | Event::PartRemoved { part, code, .. }) = event else {
        return Ok(());
    };
    let issued = session.code(encode::code_number(*code)).await?;
    let issued = issued.ok_or_else(|| Refusal::UnknownCode(code.to_string()))?;
    let parts = encode::parts(issued.parts);
    if !parts.contains(part) {
        let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
        let what = format!("code {code} was issued for {}, not for {part}", parts.join(" and "));
        return Err(Refusal::OutOfOrder { what, hint: "check part and code" }.into());
    }
    Ok(is_of_a_firearm(*part)?)
}
