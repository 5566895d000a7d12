//! The tables as a whole, against what all records together say: nothing is missing and nothing was added.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use symbology::{Prefix, UnitNumber};
use transparency::VerifierKey;

use crate::books::{Books, cut_counter, unit_counter};
use crate::compare::{PAGE, noted};
use crate::encode;
use crate::error::BooksError;
use crate::event::Entry;
use crate::firearm::{FirearmKey, Licensee};
use crate::folder::OwnKeys;
use crate::moving::MOVES;
use crate::parts::{PartyKind, RegisteredKey, SignedBy, SignedChange, Work, registered};
use crate::said::{BlockSaid, KeySaid, Said};
use crate::store::Session;
use crate::succession::HAND_OVERS;

impl Books {
    /// Compares what is not of one record alone: numbers, blocks, closings, keys, changes of parts and their signatures.
    pub(crate) async fn compare_tables(
        &self,
        session: &mut Session,
        said: &Said,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        self.compare_numbers(session, said, faults).await?;
        self.compare_blocks(session, said, faults).await?;
        let table = session.closures().await?;
        let table: BTreeMap<_, _> = table.into_iter().map(|one| (one.licence.clone(), one)).collect();
        for licence in differing(&table, &said.closures) {
            faults.push(format!("the closing of licence {licence} is not in the table as it was recorded"));
        }
        let keys = compare_keys(session, &said.keys, faults).await;
        noted(keys, faults)?;
        self.compare_parts(session, said, faults).await
    }

    /// Compares every numbered table with its counter, and both with what was written.
    async fn compare_numbers(
        &self,
        session: &mut Session,
        said: &Said,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        let mut counters: BTreeMap<_, _> = session.counters().await?.into_iter().collect();
        for (table, rows, highest) in session.tallies().await? {
            let taken = match table.as_str() {
                "logged" => said.logged,
                name => counters.remove(name).unwrap_or_default(),
            };
            let written = match table.as_str() {
                "entry" => said.entries.0,
                "firearm" => said.firearms.0,
                _ => None,
            };
            let written = written.unwrap_or(taken);
            let high = if table == "logged" { rows } else { highest };
            let table = named(&table);
            if (rows, high) != (written, written) {
                faults.push(format!(
                    "the book has {rows} {table}, the last numbered {highest}; {written} were written"
                ));
            }
            if taken != written {
                faults.push(format!("the counter of {table} stands at {taken}; {written} were written"));
            }
        }
        for (table, number) in session.orphans().await? {
            faults.push(match table.as_str() {
                "revocation" => "a key was revoked in the tables that is not registered".to_owned(),
                name => format!("number {number} of the {} is borne by nothing in the book", named(name)),
            });
        }
        let expected = said.hand_overs - i64::from(self.issuer.taken_over);
        let counted = counters.remove(HAND_OVERS).unwrap_or_default();
        if counted != said.hand_overs && counted != expected {
            faults.push(format!("{counted} hand-overs are counted; {} were entered", said.hand_overs));
        }
        let counted = counters.remove(MOVES).unwrap_or_default();
        if counted != said.moves {
            faults.push(format!("{counted} moves of the books are counted; {} were entered", said.moves));
        }
        for prefix in said.blocks.keys() {
            let prefix = prefix_of(*prefix)?;
            counters.remove(&unit_counter(prefix));
            counters.remove(&cut_counter(prefix));
        }
        faults
            .extend(counters.keys().map(|name| format!("a counter `{name}` counts nothing of these books")));
        Ok(())
    }

    /// Compares blocks and codes with what was opened and issued.
    async fn compare_blocks(
        &self,
        session: &mut Session,
        said: &Said,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        let codes: i64 = said.blocks.values().map(|one| one.issued).sum();
        let in_table = session.count_codes().await?;
        if in_table != codes {
            faults.push(format!("the table has {in_table} codes; {codes} were issued"));
        }
        let rows = session.block_rows().await?;
        let open: Vec<i64> = rows.iter().map(|(block, ..)| *block).collect();
        if !open.iter().eq(said.blocks.keys()) {
            faults.push(format!("blocks {open:?} are open, not those that were opened"));
        }
        // The records of the first programs do not say which key it was, and all blocks were opened with one.
        let first = rows.first().map(|(_, check, _)| check.clone());
        let own = self.keys.own.as_ref().map(OwnKeys::sealing_check);
        let known = said.blocks.values().find_map(|block| block.key_check.clone()).or(own).or(first);
        for (number, check, opened_at) in &rows {
            let block = said.blocks.get(number);
            let fits = |block: &BlockSaid| {
                Some(check) == block.key_check.as_ref().or(known.as_ref()) && *opened_at == block.opened_at
            };
            if !block.is_some_and(fits) {
                faults.push(format!("block {number} is not in the table as it was opened"));
            }
        }
        for (number, BlockSaid { issued, cut, closed, .. }) in &said.blocks {
            let prefix = prefix_of(*number)?;
            let taken = session.numbers_taken(&unit_counter(prefix)).await?;
            let passed = session.numbers_taken(&cut_counter(prefix)).await?;
            if passed != *cut {
                faults.push(format!("block {prefix} counts {passed} codes as passed over; {cut} were"));
            }
            let expected = if *closed { i64::from(UnitNumber::COUNT) } else { issued + cut };
            if taken != expected {
                faults.push(format!("block {prefix} counts {taken} codes as issued; {expected} were"));
            }
        }
        Ok(())
    }

    /// Compares the table of fittings with the entries that change parts, and these with what was signed.
    async fn compare_parts(
        &self,
        session: &mut Session,
        said: &Said,
        faults: &mut Vec<String>,
    ) -> Result<(), BooksError> {
        for entry in session.wrong_fittings().await? {
            faults.push(format!("entry {entry} and the table of fitted parts do not agree"));
        }
        let own = std::fs::read_to_string(self.root.join("keys/signing.pub")).unwrap_or_default();
        let own: Option<VerifierKey> = own.trim().parse().ok();
        let own = own.map(|key| Signer { key, party: self.issuer(), kind: PartyKind::Maker, house: None });
        let rows = session.party_keys().await?.into_iter();
        let houses = rows.filter_map(|row| registered(row).ok()).map(Signer::of);
        let keys: Vec<_> = own.into_iter().chain(houses).collect();
        let (mut after, mut used) = (0, HashSet::<[u8; 32]>::new());
        loop {
            let page = session.part_entries(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.entry.entry_id;
            for row in page {
                let number = row.entry.entry_id;
                let read = encode::key(row.key).and_then(|key| Ok((key, encode::whole_entry(row.entry)?)));
                let signed = match read {
                    Ok((key, entry)) => self.signature(session, (&key, &entry), (&keys, said)).await,
                    Err(error) => Err(error),
                };
                match signed {
                    Ok(Some(statement)) => {
                        used.insert(statement);
                    }
                    Ok(None) => {}
                    Err(BooksError::Damaged(what)) => {
                        faults.push(format!("the change of parts of entry {number}: {what}"));
                    }
                    other => noted(other.map(drop), faults)?,
                }
            }
        }
        let kept = session.numbers_taken("statement").await?;
        if kept != used.len() as i64 {
            faults.push(format!("{kept} signed changes of parts are kept; entries name {}", used.len()));
        }
        Ok(())
    }

    /// The hash of the text that an entry is signed under, after that was verified; `None` where nobody has to sign.
    async fn signature(
        &self,
        session: &mut Session,
        (firearm, entry): (&FirearmKey, &Entry),
        (keys, said): (&[Signer], &Said),
    ) -> Result<Option<[u8; 32]>, BooksError> {
        let Some(SignedBy { key, kind, statement }) = &entry.signed else {
            let unsigned =
                said.signed_from.is_some_and(|from| entry.number >= from as u64) && entry.corrects.is_none();
            return if unsigned { Err(BooksError::damaged("nobody signed it")) } else { Ok(None) };
        };
        let text = session.statement(statement).await?;
        let text = text.ok_or_else(|| BooksError::damaged("what was signed is gone"))?;
        let signed = SignedChange::parse(text.as_bytes())?;
        let change = signed.change();
        // A correction of something else keeps the signature, whatever became of the key since.
        let entered = entry.corrects.is_none().then_some(entry.recorded_at);
        let by = keys
            .iter()
            .any(|one| one.kind == *kind && one.signs_for(&change.by, entered) && signed.is_by(&one.key));
        let says =
            change.change.events(&change.by).iter().any(|event| Work::of(event) == Work::of(&entry.event));
        let same = says
            && (&change.firearm, change.on, change.books.as_str()) == (firearm, entry.on, self.log_name())
            && change.by.is(entry.event.holder());
        let hash = signed.sha256();
        if !by || !same || (&hash, &signed.claimed_key()) != (statement, key) {
            return Err(BooksError::damaged("it is not what was signed"));
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(&hash, &mut bytes).map_err(BooksError::damaged)?;
        Ok(Some(bytes))
    }
}

/// Whose signatures on changes of parts count.
struct Signer {
    key: VerifierKey,
    party: Licensee,
    kind: PartyKind,
    /// Of a registered key: since when it was, from when until when it is valid, and when it was revoked.
    house: Option<(Timestamp, (Timestamp, Timestamp), Option<Timestamp>)>,
}

impl Signer {
    fn of(one: RegisteredKey) -> Self {
        let house =
            (one.registered_at, (one.key.valid_from, one.key.valid_until), one.revoked.map(|(at, _)| at));
        Self { key: one.key.key, party: one.key.party, kind: one.key.kind, house: Some(house) }
    }

    /// Whether it is this house's key, and was when something was entered.
    fn signs_for(&self, party: &Licensee, entered: Option<Timestamp>) -> bool {
        let held = |at: Timestamp| {
            self.house.is_none_or(|(registered, (from, until), revoked)| {
                registered <= at && from <= at && at < until && revoked.is_none_or(|revoked| at <= revoked)
            })
        };
        self.party.is(party) && entered.is_none_or(held)
    }
}

/// Compares the table of keys with what records say of them.
async fn compare_keys(
    session: &mut Session,
    recorded: &HashMap<String, KeySaid>,
    faults: &mut Vec<String>,
) -> Result<(), BooksError> {
    let rows: Result<Vec<_>, _> = session.party_keys().await?.into_iter().map(registered).collect();
    let said = rows?.into_iter().map(|one| {
        let said = KeySaid {
            party: one.key.party,
            kind: one.key.kind,
            valid: (one.key.valid_from, one.key.valid_until),
            registered_at: one.registered_at.as_microsecond(),
            revoked: one.revoked.map(|(at, reason)| (at.as_microsecond(), reason)),
        };
        (one.key.key.to_string(), said)
    });
    let table: BTreeMap<_, _> = said.collect();
    let recorded = recorded.iter().map(|(key, said)| (key.clone(), said.clone())).collect();
    for key in differing(&table, &recorded) {
        faults.push(format!("the key {key} is not registered as it was recorded"));
    }
    Ok(())
}

/// What stands in one of the two alone, or in each in another way.
fn differing<'m, T: PartialEq>(
    table: &'m BTreeMap<String, T>,
    recorded: &'m BTreeMap<String, T>,
) -> impl Iterator<Item = &'m String> {
    let names = table.keys().chain(recorded.keys().filter(|name| !table.contains_key(*name)));
    names.filter(|name| table.get(*name) != recorded.get(*name))
}

fn prefix_of(block: i64) -> Result<Prefix, BooksError> {
    let prefix = u16::try_from(block).ok().and_then(Prefix::from_index);
    prefix.ok_or_else(|| BooksError::damaged(format!("block {block}")))
}

/// A numbered table as people call it.
fn named(table: &str) -> &str {
    match table {
        "record" => "records",
        "logged" => "places in the log",
        "party" => "licensees",
        "line" => "models",
        "description" => "descriptions",
        "firearm" => "firearms",
        "entry" => "entries",
        _ => "signed changes of parts",
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;
    use transparency::{KeyKind, SigningKey};

    use super::*;
    use crate::batch::{Batch, Hand};
    use crate::entries::NewEntry;
    use crate::event::{Event, Recipient};
    use crate::firearm::{Description, FirearmKind, Part};
    use crate::folder::{Database, NewIssuer};
    use crate::issue::IssueRun;
    use crate::parts::{Change, PartyKey};

    fn now() -> Timestamp {
        "2026-01-15T12:00:00Z".parse().expect("a time")
    }

    fn house(licence: &str) -> Licensee {
        Licensee::new(licence, "A house (synthetic)").expect("a licence")
    }

    /// Books with one pistol that the dealer has, and the dealer's and a gunsmith's keys.
    async fn books(
        root: &std::path::Path,
        keys: &[(&Licensee, &SigningKey)],
    ) -> (Books, FirearmKey, symbology::Code) {
        let new = NewIssuer {
            name: "Example Arms (synthetic)".parse().expect("a name"),
            licence: Some("1-23-456-78-9A-12345".parse().expect("a licence")),
            prefix: "K7".parse().expect("a prefix"),
            database: Database::Embedded,
        };
        let books = Books::create(root, &new, now()).await.expect("a folder");
        let run = IssueRun {
            model: "M9".parse().expect("a model"),
            description: Description {
                manufacturer: new.name.clone(),
                importer: None,
                kind: FirearmKind::Pistol,
                calibre: "9 mm Luger".parse().expect("a calibre"),
                country: "US".parse().expect("a country"),
            },
            serials: vec!["AB0001".parse().expect("a serial number")],
            parts: Part::ALL.to_vec(),
            prefix: None,
            made_on: "2024-01-02".parse().expect("a day"),
            resume: false,
        };
        let (by, mut code) = ("clerk".parse().expect("a person"), None);
        books
            .issue(&run, &by, now(), |issued| code = issued.first().map(|one| one.code).or(code))
            .await
            .expect("room");
        let firearm = FirearmKey {
            licence: books.issuer().licence,
            model: run.model.clone(),
            serial: run.serials[0].clone(),
        };
        let to = Recipient::Licensee(house("1-23-456-01-9A-33333"));
        let entry = NewEntry {
            firearm: firearm.clone(),
            event: Event::Disposed { holder: books.issuer(), to },
            on: "2024-02-01".parse().expect("a day"),
            description: None,
        };
        books.record(&entry, &by, now()).await.expect("it fits");
        for (party, key) in keys {
            let key = PartyKey {
                key: key.verifier().clone(),
                party: (*party).clone(),
                kind: PartyKind::Dealer,
                valid_from: "2024-01-01T00:00:00Z".parse().expect("a time"),
                valid_until: "2030-01-01T00:00:00Z".parse().expect("a time"),
            };
            books.register_key(&key, &by, now()).await.expect("a new key");
        }
        (books, firearm, code.expect("it was issued"))
    }

    /// Enters the removal of a part under any key, with log and tables as they should be, and does not ask whose key it is.
    async fn enter_unasked(
        books: &Books,
        (firearm, code): (&FirearmKey, symbology::Code),
        (by, key, kind): (&Licensee, &SigningKey, PartyKind),
        at: Timestamp,
    ) {
        let (part, on) = (Part::FiringPin, "2024-03-01".parse().expect("a day"));
        let work = Work::Removed { part, code };
        let change = Change::new(books.log_name(), firearm.clone(), by.clone(), work, (on, at));
        let signed = change.sign(key).expect("a key that signs");
        let event = Event::PartRemoved { by: by.clone(), part, code };
        let group = [vec![NewEntry { firearm: firearm.clone(), event, on, description: None }]];
        let (clerk, mut ledger) =
            ("clerk".parse().expect("a person"), books.writing().await.expect("nobody else writes"));
        let mut rehearsal = books.store.write().await.expect("a session");
        let signer = signed.keep(&mut rehearsal, kind).await.expect("room");
        let mut batch = Batch::new(Hand::Party(&signer), &clerk, at);
        let taken = batch.take(&mut rehearsal, &group).await.expect("a session");
        assert!(taken.refused.is_empty(), "{:?}", taken.refused);
        let written = batch.written();
        drop(rehearsal);
        let body = json!({"statement": signed.to_string(), "kind": kind, "by": clerk, "rows": written});
        let entered = books.enter(&mut ledger, "part-change", &body, at).await.expect("a log");
        let mut session = books.effect(&entered).await.expect("a session");
        let signer = signed.keep(&mut session, kind).await.expect("room");
        Batch::new(Hand::Party(&signer), &clerk, at).take(&mut session, &group).await.expect("a session");
        session.commit().await.expect("a disk");
    }

    fn key(name: &str, seed: u8) -> SigningKey {
        let mut bytes = [0; 32];
        bytes[0] = seed;
        SigningKey::from_seed(name, KeyKind::Log, &bytes).expect("a name")
    }

    /// A change of parts counts under a key of the house that made it, while that is valid, and under no other: whoever writes the
    /// log could otherwise put it into any house's mouth.
    #[tokio::test]
    async fn a_change_counts_under_a_key_of_its_own_house() {
        let (dealer, gunsmith) = (house("1-23-456-01-9A-33333"), house("1-23-456-01-9A-44444"));
        let (own, others) = (key("corner.example/bench", 1), key("back-street.example/bench", 2));
        for case in ["its own", "the issuer's", "another house's", "revoked", "out of its time"] {
            let folder = tempfile::tempdir().expect("room");
            let (books, firearm, code) = books(folder.path(), &[(&dealer, &own), (&gunsmith, &others)]).await;
            let (mut signing, mut kind, mut at) = (&own, PartyKind::Dealer, now());
            match case {
                "the issuer's" => {
                    (signing, kind) = (&books.keys.own().expect("the issuer's").signing, PartyKind::Maker);
                }
                "another house's" => signing = &others,
                "revoked" => {
                    let (reason, by) = ("it was stolen".parse(), "clerk".parse().expect("a person"));
                    let reason = reason.expect("a reason");
                    books.revoke_key(own.verifier(), &reason, &by, now()).await.expect("it is registered");
                    at = now() + SignedDuration::from_hours(1);
                }
                "out of its time" => {
                    let (reason, by) = ("books at rest".parse(), "clerk".parse().expect("a person"));
                    at = "2031-01-01T00:00:00Z".parse().expect("a time");
                    books.affirm_clock(&reason.expect("a reason"), &by, at).await.expect("far ahead");
                }
                _ => {}
            }
            enter_unasked(&books, (&firearm, code), (&dealer, signing, kind), at).await;
            let found = books.reconcile().await.expect("it can be read");
            let named = found.faults.iter().any(|fault| fault.contains("it is not what was signed"));
            assert_eq!((found.agrees(), named), (case == "its own", case != "its own"), "{case}: {found:?}");
        }
    }
}
