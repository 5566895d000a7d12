//! The bound book as it is printed: a line for each stay of a firearm with a licensee, acquisition on the left and
//! disposition on the right (27 CFR 478.125(e)).

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use transparency::{FolderStore, SignedCheckpoint};

use crate::books::{Books, History, history};
use crate::chain::corrected_by;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, EntryNumber, Event, Loss, Recipient, Source, View};
use crate::firearm::{Description, Firearm, FirearmKey, Licensee};
use crate::ledger;
use crate::names::Person;
use crate::order::in_order;
use crate::store::Session;

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
    /// The day of the entry that begins the line.
    pub begun_on: Date,
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

/// What is printed, for [`Books::print`].
#[derive(Debug, Clone, Copy)]
pub struct PrintOptions<'p> {
    /// Entries as first written, as corrected, or both.
    pub view: View,
    /// One firearm; `None` for all.
    pub which: Option<&'p FirearmKey>,
    /// Only lines that begin in this year. Every line begins in one year, so the years together are the whole book.
    pub year: Option<i16>,
    /// Lines handed out at a time, at least 1.
    pub lines_at_a_time: usize,
}

/// What stands on every page of a print, and where the print stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPrint {
    /// How many lines it has.
    pub lines: usize,
    /// SHA-256 over the lines as JSON, one a row, 64 hexadecimal digits: it is in the record of this print.
    pub lines_sha256: String,
    /// The log entry that says that this was printed.
    pub log_entry: u64,
    /// The log's checkpoint that covers that entry.
    pub checkpoint: SignedCheckpoint,
}

impl Books {
    /// Hands out the lines of the printed book, some at a time; firearms in the order in which they came into the book. The
    /// act and the hash of the lines are in the log before the first are handed out. The book is read twice, so that one of
    /// any length is printed in the same memory; both times it is read as it stood when the act was entered.
    ///
    /// `take` is called with at least one, possibly empty, part, and ends the print early with [`ControlFlow::Break`].
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`]; [`Refusal::Request`] for more than 200,000 lines; [`BooksError::Log`] when the log
    /// does not take the act.
    pub async fn print(
        &self,
        options: &PrintOptions<'_>,
        by: &Person,
        now: Timestamp,
        mut take: impl FnMut(&BookPrint, &[BookLine]) -> ControlFlow<()>,
    ) -> Result<BookPrint, BooksError> {
        // Nobody writes between the lines and the entry that vouches for them.
        let mut ledger = self.ledger.lock().await;
        let mut session = self.store.read().await?;
        let (mut hash, mut count) = (Sha256::new(), 0);
        self.each_line(&mut session, options, |line| {
            count += 1;
            hash.update(encode::json(&line)?);
            hash.update([b'\n']);
            if count <= MOST { Ok(ControlFlow::Continue(())) } else { Err(too_long().into()) }
        })
        .await?;
        let lines_sha256 = hex::encode(hash.finalize());
        let PrintOptions { view, which, year, .. } = options;
        let body = json!({
            "view": view, "firearm": which, "year": year, "lines": count, "lines_sha256": lines_sha256, "by": by
        });
        let entered = self.enter(&mut ledger, "print", &body, now).await?;
        self.effect(&entered).await?.commit().await?;
        let checkpoint = ledger::checkpoint(&FolderStore::read_only(ledger.folder()))?;
        drop(ledger);
        let print = BookPrint { lines: count, lines_sha256, log_entry: entered.log_index, checkpoint };
        let mut part = Vec::new();
        let mut handed_out = 0;
        self.each_line(&mut session, options, |line| {
            part.push(line);
            if part.len() < options.lines_at_a_time {
                return Ok(ControlFlow::Continue(()));
            }
            handed_out += part.len();
            let goes_on = take(&print, &part);
            part.clear();
            Ok(goes_on)
        })
        .await?;
        if !part.is_empty() || handed_out == 0 {
            let _ = take(&print, &part);
        }
        Ok(print)
    }

    /// Goes through the lines, a page of firearms in memory at a time.
    async fn each_line(
        &self,
        session: &mut Session,
        options: &PrintOptions<'_>,
        mut see: impl FnMut(BookLine) -> Result<ControlFlow<()>, BooksError>,
    ) -> Result<(), BooksError> {
        let mut see_all = |history: &History| {
            let lines = lines_of(options.view, history).into_iter();
            for line in lines.filter(|line| options.year.is_none_or(|year| line.begun_on.year() == year)) {
                if see(line)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok::<_, BooksError>(ControlFlow::Continue(()))
        };
        if let Some(key) = options.which {
            let unknown = || Refusal::UnknownFirearm(key.clone());
            let firearm = self.firearm_id(session, key).await?.ok_or_else(unknown)?;
            return see_all(&history(session, firearm).await?).map(drop);
        }
        let mut after = 0;
        loop {
            let page = session.firearm_page(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let ids: Vec<i64> = page.iter().map(|(id, _)| *id).collect();
            let mut entries: HashMap<i64, Vec<Entry>> = HashMap::new();
            for row in session.entries_of_firearms(&ids).await? {
                entries.entry(row.firearm_id).or_default().push(encode::entry(row)?);
            }
            for (id, stored) in page {
                let entries = entries.remove(&id).unwrap_or_default();
                if see_all(&History::new(encode::firearm(stored)?, entries))?.is_break() {
                    return Ok(());
                }
            }
        }
    }
}

fn too_long() -> Refusal {
    let what = format!("this is more than the {MOST} lines that one print takes");
    Refusal::Request { what, hint: "print it year by year with `--year`, or write all of it with `export`" }
}

/// The lines of one firearm in a view.
fn lines_of(view: View, history: &History) -> Vec<BookLine> {
    // Entries of other licensees arrive late, and those of one day in any order; what corrects others stands behind them, in the order
    // written.
    let corrects = |entry: &Entry| view == View::Both && entry.corrects.is_some();
    let (mut later, shown): (Vec<_>, Vec<_>) =
        view.of(&history.entries).into_iter().partition(|entry| corrects(entry));
    later.sort_by_key(|entry| entry.number);
    let shown = in_order(shown).into_iter().chain(later);
    let firearm = if view == View::Corrected { &history.firearm } else { &history.recorded_as };
    let mut lines: Vec<BookLine> = Vec::new();
    for entry in shown {
        let blank = || BookLine {
            firearm: described(firearm, entry.description.as_ref().filter(|_| view == View::Both)),
            holder: entry.event.holder().clone(),
            begun_on: entry.on,
            acquired: None,
            disposed: None,
            remarks: Vec::new(),
        };
        if corrects(entry) {
            lines.push(correction(blank(), entry));
        } else if let Some(side) = acquired(entry) {
            // Received and let go on one day is one stay, whichever was written first.
            let that_day = |line: &&mut BookLine| {
                line.begun_on == entry.on && line.acquired.is_none() && line.holder.is(entry.event.holder())
            };
            match lines.iter_mut().rev().find(that_day) {
                Some(line) => line.acquired = Some(side),
                None => lines.push(BookLine { acquired: Some(side), ..blank() }),
            }
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
            line.remarks.push(remark(entry));
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
        line.remarks.push(remark(entry));
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
        Event::Recovered { incident, reported_by: None, .. } => format!("found again, incident {incident}"),
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
        Event::Lost { loss, .. } if loss.reported_by.is_none() => missing(loss),
        _ => return None,
    };
    Some(BookSide { entry: entry.number, on: entry.on, party })
}

fn missing(loss: &Loss) -> String {
    let report = loss.police_report.as_ref().map(|report| format!(", police report {report}"));
    format!("{}, incident {}{}", loss.how.as_str(), loss.incident, report.unwrap_or_default())
}

/// What is neither an acquisition nor a disposition, in words.
fn remark(entry: &Entry) -> String {
    let text = match &entry.event {
        Event::Lost { loss: loss @ Loss { reported_by: Some(agency), .. }, .. } => {
            format!("{}, reported by {agency}", missing(loss))
        }
        Event::Recovered { incident, reported_by: Some(agency), .. } => {
            format!("found again by {agency}, incident {incident}")
        }
        Event::PartFitted { by, part, code } => format!("{part} {code} fitted by {by}"),
        Event::PartRemoved { by, part, code } => format!("{part} {code} removed by {by}"),
        Event::MultipleSale { reference, .. } => format!("multiple sale report {reference}"),
        other => other.kind().to_owned(),
    };
    let signed = entry.signed.as_ref().map(|signed| format!(", signed {}", signed.key));
    format!("{} {text}{}", entry.on, signed.unwrap_or_default())
}
