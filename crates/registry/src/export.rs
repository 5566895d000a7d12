//! The bound book as a table, in its three views.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use crate::books::Books;
use crate::encode;
use crate::error::BooksError;
use crate::event::{Entry, Event, Loss, Recipient, Source, View};
use crate::firearm::{Description, FirearmKey, Licensee};
use crate::names::Person;

/// Entries read at a time, so that a book of any size is written in the same memory.
const PAGE: i64 = 1_000;

const COLUMNS: [&str; 32] = [
    "entry",
    "licence",
    "model",
    "serial",
    "manufacturer",
    "importer",
    "type",
    "calibre",
    "country",
    "event",
    "on",
    "holder_licence",
    "holder_name",
    "other_licence",
    "other_name",
    "form_4473",
    "government",
    "export_country",
    "permit",
    "loss",
    "incident",
    "police_report",
    "reference",
    "part",
    "code",
    "recorded_at",
    "recorded_by",
    "corrects",
    "correction",
    "reported_by",
    "signed_key",
    "signed_sha256",
];

impl Books {
    /// Writes the book as CSV, one line an entry, in the order written; returns the number of entries.
    ///
    /// The columns serve 27 CFR 478.125(e): importer and manufacturer, type, model, calibre, country, serial number,
    /// date and the other party of each acquisition and disposition. `correction` is the reason, `void: …` for an
    /// entry that says that something never happened; `signed_key` and `signed_sha256` name who signed a change of parts, or
    /// stated its own part of a chain, and the text.
    ///
    /// # Errors
    /// [`BooksError::Stream`] when `out` does not take a line; [`BooksError::Log`] when the log does not take the
    /// export, which then does not happen.
    pub async fn export(
        &self,
        view: View,
        by: &Person,
        now: Timestamp,
        out: impl Write,
    ) -> Result<u64, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let entered = self.enter(&mut ledger, "export", &json!({"view": view, "by": by}), now).await?;
        self.effect(&entered).await?.commit().await?;
        drop(ledger);
        let mut table = csv::Writer::from_writer(out);
        table.write_record(COLUMNS).map_err(BooksError::table)?;
        let mut session = self.store.read().await?;
        let (mut after, mut written) = (0, 0);
        loop {
            let page = session.book_page(after, PAGE, view as i64).await?;
            let Some(last) = page.last() else { break };
            after = last.entry.entry_id;
            for row in page {
                let key = encode::key(row.key)?;
                table.write_record(cells(&key, &encode::entry(row.entry)?)?).map_err(BooksError::table)?;
                written += 1;
            }
        }
        table.flush().map_err(BooksError::Stream)?;
        Ok(written)
    }
}

fn cells(key: &FirearmKey, entry: &Entry) -> Result<[String; COLUMNS.len()], BooksError> {
    let incomplete = || BooksError::damaged(format!("entry {} has no description", entry.number));
    let Description { manufacturer, importer, kind, calibre, country } =
        entry.description.as_ref().ok_or_else(incomplete)?;
    let text = |value: Option<&dyn ToString>| value.map(ToString::to_string).unwrap_or_default();
    let other = other(&entry.event);
    let mut cells: [String; COLUMNS.len()] = Default::default();
    cells[0] = entry.number.to_string();
    cells[1..4].clone_from_slice(&[key.licence.to_string(), key.model.to_string(), key.serial.to_string()]);
    cells[4] = manufacturer.to_string();
    cells[5] = text(importer.as_ref().map(|name| name as _));
    cells[6..9].clone_from_slice(&[kind.as_str().to_owned(), calibre.to_string(), country.to_string()]);
    cells[9..11].clone_from_slice(&[entry.event.kind().to_owned(), entry.on.to_string()]);
    let holder = entry.event.holder();
    cells[11..13].clone_from_slice(&[holder.licence.to_string(), holder.name.to_string()]);
    cells[13] = text(other.map(|other| &other.licence as _));
    cells[14] = text(other.map(|other| &other.name as _));
    details(&entry.event, &mut cells[15..25]);
    cells[25..27].clone_from_slice(&[entry.recorded_at.to_string(), entry.recorded_by.to_string()]);
    if let Some(corrects) = &entry.corrects {
        cells[27] = corrects.entry.to_string();
        cells[28] = format!("{}{}", if corrects.void { "void: " } else { "" }, corrects.reason);
    }
    if let Event::Lost { loss: Loss { reported_by: Some(agency), .. }, .. }
    | Event::Recovered { reported_by: Some(agency), .. } = &entry.event
    {
        cells[29] = agency.to_string();
    }
    if let Some(signed) = &entry.signed {
        cells[30..32].clone_from_slice(&[signed.key.clone(), signed.statement.clone()]);
    }
    if let Some(stated) = &entry.stated {
        cells[30..32].clone_from_slice(&[stated.key.clone(), stated.sha256.clone()]);
    }
    Ok(cells)
}

/// The ten columns from `form_4473` to `code`.
fn details(event: &Event, cells: &mut [String]) {
    match event {
        Event::Disposed { to: Recipient::Form4473(form), .. } => cells[0] = form.to_string(),
        Event::Disposed { to: Recipient::Government(agency), .. } => cells[1] = agency.to_string(),
        Event::Disposed { to: Recipient::Export { country, permit }, .. } => {
            cells[2..4].clone_from_slice(&[country.to_string(), permit.to_string()]);
        }
        Event::Lost { loss, .. } => {
            cells[4..6].clone_from_slice(&[loss.how.as_str().to_owned(), loss.incident.to_string()]);
            cells[6] = loss.police_report.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        Event::Recovered { incident, .. } => cells[5] = incident.to_string(),
        Event::Acquired { source: Source::Public(reference), .. } | Event::MultipleSale { reference, .. } => {
            cells[7] = reference.to_string();
        }
        Event::Destroyed { reason, .. } => cells[7] = reason.to_string(),
        Event::PartFitted { part, code, .. } | Event::PartRemoved { part, code, .. } => {
            cells[8..10].clone_from_slice(&[part.to_string(), code.to_string()]);
        }
        Event::Manufactured { .. }
        | Event::Imported { .. }
        | Event::Acquired { .. }
        | Event::Disposed { .. } => {}
    }
}

fn other(event: &Event) -> Option<&Licensee> {
    match event {
        Event::Acquired { source: Source::Licensee(other), .. }
        | Event::Disposed { to: Recipient::Licensee(other), .. } => Some(other),
        _ => None,
    }
}
