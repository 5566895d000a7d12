//! The book as GS1 EPCIS 2.0 events, and such events as entries of the book. `docs/epcis.md` has the table.

mod check;
mod document;
mod encoding;
mod hash;
mod read;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use self::encoding::Encoding;
pub use self::hash::event_hashes;
use self::read::{entry_of, spaces_of};
use self::write::{context, document_event};
use crate::books::{Books, history};
use crate::encode;
use crate::entries::NewEntry;
use crate::error::{BooksError, Refusal};
use crate::event::{Corrects, Entry, Event, LossKind, View};
use crate::import::{ImportOptions, Imported, Rejected, sha256};
use crate::names::Person;
use crate::store::Session;

/// Entries read at a time.
const PAGE: i64 = 1_000;
/// The bytes of a document are held in memory, its events one at a time; larger books travel as CSV.
const MAX_BYTES: u64 = 64 << 20;

/// What an event tells of.
enum Told {
    Entry(Box<NewEntry>),
    Encoding(Box<Encoding>),
}

/// What an event tells of, and whether its writer has declared it wrong.
fn told_by(event: &Value, spaces: &BTreeMap<String, String>) -> Result<(Told, bool), String> {
    if let Some(said) = Encoding::of_event(event, spaces)? {
        return Ok((Told::Encoding(Box::new(said)), event.get("errorDeclaration").is_some()));
    }
    entry_of(event, spaces).map(|(entry, wrong)| (Told::Entry(Box::new(entry)), wrong))
}

/// What a later entry says of an earlier one.
struct Withdrawn {
    on: Timestamp,
    void: bool,
    by: String,
}

impl Books {
    /// Writes the book as one EPCIS 2.0 JSON document, one event an entry, in the order written; returns the number of
    /// events. Every event bears its CBV event hash as its identity. With [`View::Both`] an entry that was corrected
    /// carries an error declaration that names the event in its place; an entry that only voids another is no event. With `codes` an event
    /// of each code follows that was issued: whoever has these knows what every mark means, so they are not for trading partners.
    ///
    /// # Errors
    /// [`BooksError::Stream`] when `out` does not take a line; [`BooksError::Log`] when the log does not take the
    /// export, which then does not happen.
    pub async fn export_epcis(
        &self,
        (view, codes): (View, bool),
        by: &Person,
        now: Timestamp,
        mut out: impl Write,
    ) -> Result<u64, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let mut body = json!({"view": view, "format": "epcis", "by": by});
        if codes {
            body["codes"] = json!(true);
        }
        let entered = self.enter(&mut ledger, "export", &body, now).await?;
        self.effect(&entered).await?.commit().await?;
        drop(ledger);
        let withdrawn = if view == View::Both { self.withdrawn().await? } else { HashMap::new() };
        let head = json!({"@context": context(), "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": now});
        let head = head.to_string();
        write!(out, "{},\"epcisBody\":{{\"eventList\":[", &head[..head.len() - 1])
            .map_err(BooksError::Stream)?;
        let mut session = self.store.read().await?;
        let (mut after, mut written) = (0, 0);
        let mut write = |event: &Value| {
            let comma = if written == 0 { "\n" } else { ",\n" };
            written += 1;
            write!(out, "{comma}{event}").map_err(BooksError::Stream)
        };
        loop {
            let page = session.book_page(after, PAGE, view as i64).await?;
            let Some(last) = page.last() else { break };
            after = last.entry.entry_id;
            for row in page {
                let (firearm, key) = (row.entry.firearm_id, encode::key(row.key)?);
                let entry = encode::entry(row.entry)?;
                if entry.corrects.as_ref().is_some_and(|corrects| corrects.void) {
                    continue;
                }
                let ended = loss_that_ends(&mut session, firearm, &entry).await?;
                write(&document_event(&key, &entry, ended, withdrawn.get(&entry.number))?)?;
            }
        }
        if codes {
            let (issuer, mut after) = (self.issuer(), -1);
            loop {
                let page = session.code_page(after, PAGE).await?;
                let Some((last, _)) = page.last() else { break };
                after = last.unit;
                for (row, firearm) in page {
                    let said = (row.code, row.parts, row.issued_at);
                    let recorded_at = encode::time(row.issued_at)?;
                    write(&Encoding::of_row(said, firearm, &issuer)?.event(recorded_at)?)?;
                }
            }
        }
        out.write_all(b"\n]}}\n").and_then(|()| out.flush()).map_err(BooksError::Stream)?;
        Ok(written)
    }

    /// Entries that later ones correct.
    async fn withdrawn(&self) -> Result<HashMap<u64, Withdrawn>, BooksError> {
        let mut session = self.store.read().await?;
        let (mut after, mut found) = (0, HashMap::new());
        loop {
            let page = session.book_page(after, PAGE, View::Both as i64).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.entry.entry_id;
            for row in page.into_iter().filter(|row| row.entry.corrects.is_some()) {
                let (firearm, key) = (row.entry.firearm_id, encode::key(row.key)?);
                let entry = encode::entry(row.entry)?;
                let ended = loss_that_ends(&mut session, firearm, &entry).await?;
                let Some(Corrects { entry: corrected, void, .. }) = entry.corrects else { continue };
                let event = document_event(&key, &entry, ended, None)?;
                let by = event["eventID"].as_str().unwrap_or_default().to_owned();
                found.insert(corrected, Withdrawn { on: entry.recorded_at, void, by });
            }
        }
    }

    /// Takes the events of an EPCIS 2.0 JSON document as entries: one record, one log entry, one transaction. Events
    /// that their writer has declared wrong are left out, and rejected when they stand in these books; those of codes that were issued
    /// become no entries, and are rejected where these books say otherwise. `rejected` is called with each event that cannot be taken, its
    /// place in the document counted from 1.
    ///
    /// # Errors
    /// As [`Books::import`]; [`BooksError::Table`] when it is no such document or has more than 64 MiB.
    pub async fn import_epcis(
        &self,
        document: impl Read,
        options: &ImportOptions,
        (by, now): (&Person, Timestamp),
        mut rejected: impl FnMut(Rejected),
    ) -> Result<Imported, BooksError> {
        let mut bytes = Vec::new();
        let read = document.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(BooksError::Stream)?;
        let spaces = spaces_of(&bytes)?;
        let mut entries = Vec::new();
        let read = document::read(&bytes, |place, event| entries.push((place, told_by(&event, &spaces))));
        read.map_err(|error| BooksError::Table(error.to_string()))?;
        let mut imported = Imported { rows: entries.len() as u64, ..Imported::default() };
        let (mut places, mut groups) = (Vec::new(), Vec::new());
        for (place, entry) in entries {
            let taken = match entry {
                Ok((Told::Entry(entry), true)) => self.is_absent(&entry).await?,
                Ok((Told::Entry(entry), false)) => Ok(Some(*entry)),
                Ok((Told::Encoding(said), wrong)) => {
                    let agreed = self.vouches_for(&said, wrong).await?;
                    if agreed.is_ok() {
                        imported.codes += 1;
                        continue;
                    }
                    agreed.map(|()| None)
                }
                Err(reason) => Err(reason),
            };
            match taken {
                Ok(Some(entry)) => {
                    places.push(place);
                    groups.push(vec![entry]);
                }
                Ok(None) => imported.left_out += 1,
                Err(reason) => {
                    imported.rejected += 1;
                    rejected(Rejected { line: place, reason });
                }
            }
        }
        let mut ledger = self.ledger.lock().await;
        if !options.dry_run {
            ledger.hold()?;
        }
        let (taken, written) = self.rehearse_groups(&groups, (by, now)).await?;
        imported.entries = taken.numbers.len() as u64;
        let mut refused = HashSet::new();
        for (group, refusal) in taken.refused {
            imported.rejected += 1;
            refused.insert(group);
            let reason = refusal.to_string().lines().next().unwrap_or_default().to_owned();
            rejected(Rejected { line: places[group], reason });
        }
        if options.dry_run {
            return Ok(imported);
        }
        if imported.rejected > 0 && !options.skip_rejected {
            return Err(Refusal::Rows { rejected: imported.rejected, rows: imported.rows }.into());
        }
        let groups: Vec<_> = groups
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !refused.contains(at))
            .map(|(_, one)| one)
            .collect();
        let sha256 = sha256(bytes.as_slice()).map_err(BooksError::Stream)?;
        let body = json!({
            "document_sha256": sha256, "format": "epcis", "skip_rejected": options.skip_rejected, "by": by,
        });
        self.write_groups(&mut ledger, ("import", body), &groups, &written, (by, now)).await?;
        Ok(imported)
    }

    /// What becomes of an event that is declared wrong: nothing, unless it stands in these books.
    async fn is_absent(&self, declared: &NewEntry) -> Result<Result<Option<NewEntry>, String>, BooksError> {
        let Some(history) = self.history(&declared.firearm).await? else { return Ok(Ok(None)) };
        let says = |entry: &&Entry| (&entry.event, entry.on) == (&declared.event, declared.on);
        let standing = View::Corrected.of(&history.entries).into_iter().find(says).map(|entry| entry.number);
        Ok(standing.map_or(Ok(None), |number| {
            Err(format!(
                "it is declared wrong, and stands in these books as entry {number}: correct that entry"
            ))
        }))
    }
}

/// How the firearm went missing that an entry says was found again.
async fn loss_that_ends(
    session: &mut Session,
    firearm: i64,
    entry: &Entry,
) -> Result<Option<LossKind>, BooksError> {
    let Event::Recovered { incident, .. } = &entry.event else { return Ok(None) };
    let entries = history(session, firearm).await?.entries;
    let mut losses = View::Corrected.of(&entries).into_iter().rev().filter_map(|one| match &one.event {
        Event::Lost { loss, .. } => Some(loss),
        _ => None,
    });
    Ok(losses.find(|loss| loss.incident == *incident).map(|loss| loss.how))
}
