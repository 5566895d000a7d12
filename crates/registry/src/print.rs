//! The bound book as it is printed: a line for each stay of a firearm with a licensee, acquisition on the left and
//! disposition on the right (27 CFR 478.125(e)).

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use transparency::{FolderStore, SignedCheckpoint};

use crate::books::{Books, History};
use crate::chain::corrected_by;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, Recipient, Source, View};
use crate::firearm::{Description, Firearm, FirearmKey, Licensee};
use crate::ledger;
use crate::names::Person;

/// Firearms read at a time.
const PAGE: i64 = 1_000;
/// Lines of one print at most; more than anybody turns over on paper.
const MOST: usize = 200_000;

/// One line of the printed book: a firearm's stay with one licensee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLine {
    /// The firearm, described as the view shows it.
    pub firearm: Firearm,
    /// Whose line it is.
    pub holder: Licensee,
    /// How it came; `None` where the book does not say.
    pub acquired: Option<BookSide>,
    /// How it went; `None` while it is there or where the book does not say.
    pub disposed: Option<BookSide>,
    /// What else is written: parts, reports, corrections.
    pub remarks: Vec<String>,
}

/// One side of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSide {
    /// The entry that says so.
    pub entry: EntryNumber,
    /// The day.
    pub on: Date,
    /// From whom or to whom: name and licence, or the reference in place of an unlicensed person.
    pub party: String,
}

/// A book ready to be printed, and where the print stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPrint {
    /// The lines; firearms in the order in which they came into the book.
    pub lines: Vec<BookLine>,
    /// SHA-256 over the lines as JSON, one a row, 64 hexadecimal digits: it is in the record of this print.
    pub lines_sha256: String,
    /// The log entry that says that this was printed.
    pub log_entry: u64,
    /// The log's checkpoint that covers that entry.
    pub checkpoint: SignedCheckpoint,
}

impl Books {
    /// The lines of the printed book, of all firearms or of one. The act and the hash of the lines are in the log
    /// before they are handed out.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`]; [`Refusal::Request`] for more than 200,000 lines; [`BooksError::Log`] when the log
    /// does not take the act.
    pub async fn print(
        &self,
        view: View,
        which: Option<&FirearmKey>,
        by: &Person,
        now: Timestamp,
    ) -> Result<BookPrint, BooksError> {
        // Nobody writes between the lines and the entry that vouches for them.
        let mut ledger = self.ledger.lock().await;
        let lines = match which {
            Some(key) => {
                let history = self.history(key).await?;
                lines_of(view, &history.ok_or_else(|| Refusal::UnknownFirearm(key.clone()))?)
            }
            None => self.all_lines(view).await?,
        };
        let mut hash = Sha256::new();
        for line in &lines {
            hash.update(encode::json(line)?);
            hash.update([b'\n']);
        }
        let lines_sha256 = hex::encode(hash.finalize());
        let body = json!({
            "view": view, "firearm": which, "lines": lines.len(), "lines_sha256": lines_sha256, "by": by
        });
        let entered = self.enter(&mut ledger, "print", &body, now).await?;
        self.effect(&entered).await?.commit().await?;
        let checkpoint = ledger::checkpoint(&FolderStore::read_only(ledger.folder()))?;
        Ok(BookPrint { lines, lines_sha256, log_entry: entered.log_index, checkpoint })
    }

    async fn all_lines(&self, view: View) -> Result<Vec<BookLine>, BooksError> {
        let mut session = self.store.read().await?;
        let (mut lines, mut after) = (Vec::new(), 0);
        loop {
            let page = session.firearm_page(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(lines) };
            after = *last;
            let ids: Vec<i64> = page.iter().map(|(id, _)| *id).collect();
            let mut entries: HashMap<i64, Vec<Entry>> = HashMap::new();
            for row in session.entries_of_firearms(&ids).await? {
                entries.entry(row.firearm_id).or_default().push(encode::entry(row)?);
            }
            for (id, stored) in page {
                let entries = entries.remove(&id).unwrap_or_default();
                lines.extend(lines_of(view, &History::new(encode::firearm(stored)?, entries)));
            }
            if lines.len() > MOST {
                let what = format!("the book has more than the {MOST} lines that one print takes");
                let hint = "print single firearms, or write all of it with `export`";
                return Err(Refusal::Request { what, hint }.into());
            }
        }
    }
}

/// The lines of one firearm in a view.
fn lines_of(view: View, history: &History) -> Vec<BookLine> {
    let mut shown = view.of(&history.entries);
    if view == View::Corrected {
        shown.sort_by_key(|entry| (entry.on, entry.number));
    }
    let firearm = if view == View::Corrected { &history.firearm } else { &history.recorded_as };
    let mut lines: Vec<BookLine> = Vec::new();
    for entry in shown {
        let blank = || BookLine {
            firearm: described(firearm, entry.description.as_ref().filter(|_| view == View::Both)),
            holder: entry.event.holder().clone(),
            acquired: None,
            disposed: None,
            remarks: Vec::new(),
        };
        let separate = view == View::Both && entry.corrects.is_some();
        if separate {
            lines.push(correction(blank(), entry));
        } else if let Some(side) = acquired(entry) {
            lines.push(BookLine { acquired: Some(side), ..blank() });
        } else if let Some(side) = disposed(entry) {
            let open = |line: &&mut BookLine| line.holder.is(entry.event.holder()) && line.disposed.is_none();
            match lines.iter_mut().rev().find(open) {
                Some(line) => line.disposed = Some(side),
                None => lines.push(BookLine { disposed: Some(side), ..blank() }),
            }
        } else {
            if lines.is_empty() {
                lines.push(blank());
            }
            let line = lines.last_mut().expect("one was just made");
            line.remarks.push(format!("{} {}", entry.on, remark(&entry.event)));
        }
        if let (View::Both, Some(by)) = (view, corrected_by(&history.entries, entry.number)) {
            let named = |line: &BookLine| {
                [&line.acquired, &line.disposed].into_iter().flatten().any(|side| side.entry == entry.number)
            };
            let at = lines.iter().rposition(named).unwrap_or(lines.len() - 1);
            lines[at].remarks.push(format!("entry {} corrected by entry {by}", entry.number));
        }
    }
    lines
}

/// A correction beside what it corrects, for the view that shows both.
fn correction(blank: BookLine, entry: &Entry) -> BookLine {
    let mut line = blank;
    if let Some(corrects) = &entry.corrects {
        let (number, old, reason) = (entry.number, corrects.entry, &corrects.reason);
        let says = if corrects.void { "did not happen" } else { "is corrected by this line" };
        line.remarks.push(format!("entry {number}: entry {old} {says}: {reason}"));
        if corrects.void {
            return line;
        }
    }
    line.acquired = acquired(entry);
    line.disposed = disposed(entry);
    if line.acquired.is_none() && line.disposed.is_none() {
        line.remarks.push(format!("{} {}", entry.on, remark(&entry.event)));
    }
    line
}

fn described(firearm: &Firearm, description: Option<&Description>) -> Firearm {
    let description = description.unwrap_or(&firearm.description);
    Firearm { key: firearm.key.clone(), description: description.clone() }
}

fn acquired(entry: &Entry) -> Option<BookSide> {
    let party = match &entry.event {
        Event::Manufactured { .. } => "manufactured".to_owned(),
        Event::Imported { .. } => "imported".to_owned(),
        Event::Acquired { source: Source::Licensee(from), .. } => from.to_string(),
        Event::Acquired { source: Source::Public(reference), .. } => format!("public, reference {reference}"),
        Event::Recovered { incident, .. } => format!("found again, incident {incident}"),
        _ => return None,
    };
    Some(BookSide { entry: entry.number, on: entry.on, party })
}

fn disposed(entry: &Entry) -> Option<BookSide> {
    let party = match &entry.event {
        Event::Disposed { to, .. } => match to {
            Recipient::Licensee(to) => to.to_string(),
            Recipient::Form4473(form) => format!("Form 4473 number {form}"),
            Recipient::Government(agency) => agency.to_string(),
            Recipient::Export { country, permit } => format!("exported to {country}, permit {permit}"),
        },
        Event::Destroyed { reason, .. } => format!("destroyed: {reason}"),
        Event::Lost { loss, .. } => {
            let report = loss.police_report.as_ref().map(|report| format!(", police report {report}"));
            format!("{}, incident {}{}", loss.how.as_str(), loss.incident, report.unwrap_or_default())
        }
        _ => return None,
    };
    Some(BookSide { entry: entry.number, on: entry.on, party })
}

fn remark(event: &Event) -> String {
    match event {
        Event::PartFitted { by, part, code } => format!("{part} {code} fitted by {by}"),
        Event::PartRemoved { by, part, code } => format!("{part} {code} removed by {by}"),
        Event::MultipleSale { reference, .. } => format!("multiple sale report {reference}"),
        other => other.kind().to_owned(),
    }
}
