//! Issuing codes: for a run of new firearms, and for single parts.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use symbology::{Code, Prefix, UnitNumber};

use crate::batch::{has_place, is_of_a_firearm, spelled_as_before};
use crate::books::{Books, Entered, cut_counter, unit_counter};
use crate::encode;
use crate::entries::{entry_row, not_in_the_future};
use crate::error::{BooksError, Refusal};
use crate::event::{Event, View};
use crate::firearm::{Description, FirearmKey, FirearmKind, Part};
use crate::moves::{self, Here};
use crate::names::{Model, NameError, Person, Serial};
use crate::parts::Work;
use crate::rules::{self, Standing};
use crate::store::{CodeRow, RunRows, Session, persistently};

/// Firearms in one record, one log entry and one transaction. A run that is cut off keeps whole chunks. Sealed codes fall
/// anywhere in their index, so fewer and larger transactions write its pages fewer times.
const CHUNK: usize = 65_536;

/// A run of new firearms of one model, for [`Books::issue`].
#[derive(Debug, Clone)]
pub struct IssueRun {
    /// Model of every firearm.
    pub model: Model,
    /// Maker, type, calibre and country of every firearm.
    pub description: Description,
    /// Serial numbers in the order in which codes are given out.
    pub serials: Vec<Serial>,
    /// Parts that carry the code; on a new firearm the pin and the breech face carry the same one.
    pub parts: Vec<Part>,
    /// The block to take codes from; `None` takes the oldest block with room for the whole run.
    pub prefix: Option<Prefix>,
    /// Day of making, for the bound book.
    pub made_on: Date,
    /// Serial numbers that have a code already get that code again; without it they refuse the whole run.
    pub resume: bool,
}

/// A code that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The code.
    pub code: Code,
    /// Serial number of the firearm.
    pub serial: Serial,
    /// When it was issued; for a serial number that had its code before, when that was.
    pub issued_at: Timestamp,
}

/// `count` serial numbers that count up from `first` in its last group of digits, which keeps its width.
///
/// # Errors
/// [`Refusal::Request`] when there are no digits to count, they run over, or there are far more than a block has codes.
///
/// ```
/// let serials = registry::serial_run(&"AB-098".parse()?, 3)?;
/// assert_eq!(serials.last().map(|serial| serial.as_str()), Some("AB-100"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serial_run(first: &Serial, count: u32) -> Result<Vec<Serial>, BooksError> {
    let text = first.as_str();
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count().min(18);
    let (head, number) = text.split_at(text.len() - digits);
    let refuse = |what: String| Refusal::Request { what, hint: "give a first serial number such as AB10001" };
    if count == 0 {
        return Err(refuse("a run of no serial numbers".to_owned()).into());
    }
    // What no block can hold is refused by the block; here, what memory should not.
    if count > 2 * UnitNumber::COUNT {
        return Err(refuse(format!(
            "{count} serial numbers in one run, and a block has {} codes",
            UnitNumber::COUNT
        ))
        .into());
    }
    let start: u64 =
        number.parse().map_err(|_| refuse(format!("serial number {first} does not end in digits")))?;
    let last = start + u64::from(count.saturating_sub(1));
    if last.to_string().len() > digits {
        let what = format!("{count} serial numbers from {first} need more than its {digits} digits");
        return Err(refuse(what).into());
    }
    let serial = |number: u64| format!("{head}{number:0digits$}").parse();
    (start..start + u64::from(count)).map(serial).collect::<Result<_, NameError>>().map_err(BooksError::from)
}

/// What is said where a run is gone on with as another.
const AS_BEGUN: &str = "go on with the run as it was begun: the same parts and the same description";

fn listed(parts: &[Part]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
    parts.join(" and ")
}

/// Refuses a part that is named twice, none, and rounds anywhere but in boxes.
fn can_be_marked(run: &IssueRun) -> Result<(), Refusal> {
    let refuse = |what: &str, hint| Err(Refusal::Request { what: what.to_owned(), hint });
    let twice = |(at, part): (usize, &Part)| run.parts[..at].contains(part);
    if run.parts.is_empty() || run.parts.iter().enumerate().any(twice) {
        return refuse("a run of no part, or of one part twice", "name each part once");
    }
    let boxes = run.description.kind == FirearmKind::Ammunition;
    if run.parts.iter().any(|part| (*part == Part::Round) != boxes) {
        return refuse(
            "rounds are marked in boxes, and nothing else is",
            "issue codes for boxes with `ammunition issue`",
        );
    }
    Ok(())
}

impl Books {
    /// Issues a code for every serial number of a run and enters the firearms as manufactured.
    ///
    /// `take` is called with each chunk after it is on disk and in the log: what it was given is never lost. When
    /// the run is cut off, chunks that were not given out did not happen; the same run with `resume` goes on. Returns
    /// how many codes were new.
    ///
    /// # Errors
    /// [`Refusal::BlockExhausted`], [`Refusal::SerialTwice`], [`Refusal::KnownFirearm`] and [`Refusal::Request`] for parts that cannot be
    /// marked, or a run that is gone on with as another, before anything is issued;
    /// [`BooksError::Log`] when the log does not take a chunk, which then is not issued.
    pub async fn issue(
        &self,
        run: &IssueRun,
        by: &Person,
        now: Timestamp,
        mut take: impl FnMut(&[Issued]),
    ) -> Result<u64, BooksError> {
        self.keys.own()?;
        let (prefix, known) = self.admit(run, now).await?;
        let mut new = 0;
        for serials in run.serials.chunks(CHUNK) {
            let (old, fresh) = self.split_known(run, serials, &known).await?;
            take(&old);
            if fresh.is_empty() {
                continue;
            }
            // Between chunks others may ask and be answered.
            let mut ledger = self.writing().await?;
            let chunk = self.seal_chunk(prefix, &fresh, now).await?;
            let body = json!({
                "model": run.model, "description": run.description, "by": by, "made_on": run.made_on,
                "prefix": prefix, "first_unit": chunk.first_unit, "count": fresh.len(), "parts": run.parts,
                "codes_sha256": chunk.digest(),
            });
            let entered = self.enter(&mut ledger, "issue", &body, now).await?;
            persistently!(self.write_chunk(run, &chunk, &entered, (by, now)))?;
            new += chunk.issued.len() as u64;
            take(&chunk.issued);
        }
        Ok(new)
    }

    /// Checks a run as [`Books::issue`] would and issues nothing; returns how many codes would be new.
    ///
    /// # Errors
    /// As [`Books::issue`].
    pub async fn rehearse(&self, run: &IssueRun, now: Timestamp) -> Result<u64, BooksError> {
        let (_, known) = self.admit(run, now).await?;
        Ok((run.serials.len() - known.len()) as u64)
    }

    /// Issues a code of its own for a single part: a replacement pin, or a spare that is not yet in any firearm.
    ///
    /// With a firearm, the part is entered as fitted to it on that day by this issuer.
    ///
    /// # Errors
    /// As [`Books::issue`]; [`Refusal::UnknownFirearm`].
    pub async fn issue_part(
        &self,
        part: Part,
        fitted: Option<(&FirearmKey, Date)>,
        by: &Person,
        now: Timestamp,
    ) -> Result<Code, BooksError> {
        self.keys.own()?;
        is_of_a_firearm(part)?;
        let mut ledger = self.writing().await?;
        let prefix = self.block_for(None, 1).await?;
        let first_unit = next_unit(&mut self.store.read().await?, prefix).await?;
        let code = self.seal(prefix, first_unit)?;
        if let Some((key, on)) = fitted {
            self.can_be_fitted((part, code), (key, on), None, now).await?;
        }
        let body = json!({
            "part": part, "firearm": fitted.map(|(key, _)| key), "by": by, "code": code,
            "prefix": prefix, "first_unit": first_unit, "count": 1,
        });
        let entered = self.enter(&mut ledger, "issue-part", &body, now).await?;
        let unit = (prefix, first_unit);
        persistently!(self.write_part((part, code), unit, fitted, &entered, (by, now)))?;
        Ok(code)
    }

    /// Says whether a new part can be issued and fitted in the place of one that is removed on the same day. Nothing is entered.
    ///
    /// # Errors
    /// As [`Books::issue_part`].
    pub async fn may_replace(
        &self,
        (part, removed): (Part, Code),
        (key, on): (&FirearmKey, Date),
        now: Timestamp,
    ) -> Result<(), BooksError> {
        is_of_a_firearm(part)?;
        let prefix = self.block_for(None, 1).await?;
        let code = self.seal(prefix, next_unit(&mut self.store.read().await?, prefix).await?)?;
        self.can_be_fitted((part, code), (key, on), Some(removed), now).await
    }

    /// Whether this issuer can fit a part with a new code: as any other entry, and where no other part of the kind is left.
    async fn can_be_fitted(
        &self,
        (part, code): (Part, Code),
        (key, on): (&FirearmKey, Date),
        removed: Option<Code>,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let by = self.issuer();
        let event = Event::PartFitted { by: by.clone(), part, code };
        not_in_the_future(on, now)?;
        rules::plausible(&event, on)?;
        let history = self.history(key).await?.ok_or_else(|| Refusal::UnknownFirearm(key.clone()))?;
        has_place(history.entries.len())?;
        let taken_out = removed.map(|code| Event::PartRemoved { by, part, code });
        let mut standing: Vec<_> =
            View::Corrected.of(&history.entries).into_iter().map(Standing::from).collect();
        let mut session = self.store.read().await?;
        let id = self.firearm_id(&mut session, key).await?.unwrap_or_default();
        for event in taken_out.iter().chain([&event]) {
            rules::check(&standing, event, on)?;
            let new = Standing { number: u64::MAX, on, event };
            moves::weigh(&mut session, Here { id, key, standing: &standing }, &[], new).await?;
            standing.push(new);
        }
        Ok(())
    }

    async fn write_part(
        &self,
        (part, code): (Part, Code),
        (prefix, first_unit): (Prefix, i64),
        fitted: Option<(&FirearmKey, Date)>,
        entered: &Entered,
        (by, now): (&Person, Timestamp),
    ) -> Result<(), BooksError> {
        let mut session = self.effect(entered).await?;
        take_units(&mut session, prefix, first_unit, 1).await?;
        let firearm_id = match fitted {
            Some((key, _)) => self.firearm_id(&mut session, key).await?,
            None => None,
        };
        let unit = UnitNumber::new(first_unit as u32).map_err(BooksError::damaged)?;
        let row = CodeRow {
            code: encode::code_number(code),
            unit: encode::unit_number(prefix, unit),
            parts: encode::part_bits(&[part]),
            firearm_id,
            record_id: entered.record_id,
            issued_at: now.as_microsecond(),
        };
        session.put_code(&row).await?;
        if let (Some((key, on)), Some(firearm_id)) = (fitted, firearm_id) {
            let event = Event::PartFitted { by: self.issuer(), part, code };
            let signed = self.sign_own(&mut session, key, (Work::Fitted { part, code }, on), now).await?;
            let mut row = entry_row(&mut session, &event, on, Some(signed)).await?;
            row.firearm_id = firearm_id;
            row.recorded_at = now.as_microsecond();
            row.recorded_by = by.shared();
            self.put_entry(&mut session, row, &event).await?;
        }
        session.commit().await
    }

    /// The block a run takes its codes from and the serial numbers that have theirs, if nothing speaks against it.
    async fn admit(&self, run: &IssueRun, now: Timestamp) -> Result<(Prefix, HashSet<Serial>), BooksError> {
        not_in_the_future(run.made_on, now)?;
        rules::plausible(&Event::Manufactured { by: self.issuer() }, run.made_on)?;
        refuse_doubles(&run.serials)?;
        can_be_marked(run)?;
        let known = self.known_serials(run).await?;
        let prefix = self.block_for(run.prefix, (run.serials.len() - known.len()) as u32).await?;
        Ok((prefix, known))
    }

    /// The block to issue from: the one asked for, or the oldest with room.
    async fn block_for(&self, wanted: Option<Prefix>, count: u32) -> Result<Prefix, BooksError> {
        let blocks = self.blocks().await?;
        let block = if let Some(prefix) = wanted {
            *blocks.iter().find(|block| block.prefix == prefix).ok_or(Refusal::NotOurBlock(prefix))?
        } else {
            let roomy = blocks.iter().find(|block| block.left >= count);
            *roomy.or(blocks.last()).ok_or_else(|| BooksError::damaged("no block is open"))?
        };
        if block.left < count {
            return Err(
                Refusal::BlockExhausted { prefix: block.prefix, left: block.left, wanted: count }.into()
            );
        }
        Ok(block.prefix)
    }

    /// Serial numbers of the run that are in the books already; refused unless the run goes on with an earlier one.
    async fn known_serials(&self, run: &IssueRun) -> Result<HashSet<Serial>, BooksError> {
        let mut session = self.store.read().await?;
        let licence = &self.issuer.licence;
        let Some(line) = session.find_line(licence.as_str(), run.model.as_str()).await? else {
            spelled_as_before(&mut session, licence, &run.model).await?;
            return Ok(HashSet::new());
        };
        let mut known = HashSet::new();
        for serials in run.serials.chunks(CHUNK) {
            let keys: Vec<_> = serials.iter().map(|serial| (line, serial.shared())).collect();
            for one in session.known_firearms(&keys).await? {
                let serial: Serial = one.serial.parse()?;
                let described: Description = encode::from_json(&one.description)?;
                if run.resume && described != run.description {
                    let Description { kind, calibre, country, .. } = described;
                    let what = format!(
                        "serial number {serial} is in the books as a {}, {calibre}, {country}",
                        kind.as_str()
                    );
                    return Err(Refusal::Request { what, hint: AS_BEGUN }.into());
                }
                if !run.resume {
                    let key = FirearmKey { licence: licence.clone(), model: run.model.clone(), serial };
                    return Err(Refusal::KnownFirearm(key).into());
                }
                known.insert(serial);
            }
        }
        Ok(known)
    }

    /// Parts a chunk into codes issued before and serial numbers that still need one.
    async fn split_known(
        &self,
        run: &IssueRun,
        serials: &[Serial],
        known: &HashSet<Serial>,
    ) -> Result<(Vec<Issued>, Vec<Serial>), BooksError> {
        if known.is_empty() {
            return Ok((Vec::new(), serials.to_vec()));
        }
        let mut session = self.store.read().await?;
        let line = session.find_line(self.issuer.licence.as_str(), run.model.as_str()).await?;
        let line = line.ok_or_else(|| BooksError::damaged(format!("model {} is gone", run.model)))?;
        let (mut old, mut fresh) = (Vec::new(), Vec::new());
        for serial in serials {
            if !known.contains(serial) {
                fresh.push(serial.clone());
                continue;
            }
            let issued = session.issued_to_serial(line, serial.as_str()).await?;
            if issued.is_some() && session.was_withdrawn(line, serial.as_str()).await? {
                let what = format!(
                    "the making of serial number {serial} was withdrawn, so its code is on no firearm"
                );
                let hint = "leave it out of the run; a firearm that was made after all gets codes with `part fitted` or `part replace`";
                return Err(Refusal::OutOfOrder { what, hint }.into());
            }
            let Some((code, issued_at, parts)) = issued else {
                let (licence, model) = (self.issuer.licence.clone(), run.model.clone());
                return Err(
                    Refusal::KnownFirearm(FirearmKey { licence, model, serial: serial.clone() }).into()
                );
            };
            if parts != encode::part_bits(&run.parts) {
                let what = format!("serial number {serial} was issued for {}", listed(&encode::parts(parts)));
                return Err(Refusal::Request { what, hint: AS_BEGUN }.into());
            }
            let (code, issued_at) = (encode::code(code)?, encode::time(issued_at)?);
            old.push(Issued { code, serial: serial.clone(), issued_at });
        }
        Ok((old, fresh))
    }

    async fn seal_chunk(
        &self,
        prefix: Prefix,
        serials: &[Serial],
        now: Timestamp,
    ) -> Result<Chunk, BooksError> {
        let first_unit = next_unit(&mut self.store.read().await?, prefix).await?;
        let issued = (first_unit..).zip(serials).map(|(unit, serial)| {
            Ok(Issued { code: self.seal(prefix, unit)?, serial: serial.clone(), issued_at: now })
        });
        Ok(Chunk { prefix, first_unit, issued: issued.collect::<Result<_, BooksError>>()? })
    }

    fn seal(&self, prefix: Prefix, unit: i64) -> Result<Code, BooksError> {
        let exhausted = Refusal::BlockExhausted { prefix, left: 0, wanted: 1 };
        let unit = u32::try_from(unit).ok().and_then(|unit| UnitNumber::new(unit).ok()).ok_or(exhausted)?;
        Ok(self.sealing.as_ref().ok_or(Refusal::Closed(self.keys.closed()))?.seal(prefix, unit))
    }

    async fn write_chunk(
        &self,
        run: &IssueRun,
        chunk: &Chunk,
        entered: &Entered,
        (by, now): (&Person, Timestamp),
    ) -> Result<(), BooksError> {
        let count = chunk.issued.len() as i64;
        let mut session = self.effect(entered).await?;
        take_units(&mut session, chunk.prefix, chunk.first_unit, count).await?;
        let line_id = session.line(self.issuer.licence.as_str(), run.model.as_str()).await?;
        let description_id = session.description(&encode::json(&run.description)?).await?;
        let issuer = self.issuer();
        let units = chunk.issued.iter();
        let rows = RunRows {
            line_id,
            description_id,
            parts: encode::part_bits(&run.parts),
            record_id: entered.record_id,
            holder: session.party(issuer.licence.as_str(), issuer.name.as_str()).await?,
            made_on: encode::day_number(run.made_on),
            issued_at: now.as_microsecond(),
            recorded_by: by.as_str(),
            first_unit: i64::from(chunk.prefix.index()) << 20 | chunk.first_unit,
            first_firearm: session.take_numbers("firearm", count).await?,
            first_entry: session.take_numbers("entry", count).await?,
            units: units.map(|one| (one.serial.as_str(), encode::code_number(one.code))).collect(),
        };
        session.issue(&rows).await?;
        session.commit().await
    }
}

/// Codes sealed and not yet issued.
struct Chunk {
    prefix: Prefix,
    first_unit: i64,
    issued: Vec<Issued>,
}

impl Chunk {
    fn digest(&self) -> String {
        digest(self.issued.iter().map(|issued| (encode::code_number(issued.code), issued.serial.as_str())))
    }
}

/// What the log vouches for: every code (30 bits in eight bytes, big end first) with its serial number, in order.
pub(crate) fn digest<'s>(codes: impl Iterator<Item = (i64, &'s str)>) -> String {
    let mut hash = Sha256::new();
    for (code, serial) in codes {
        hash.update(code.to_be_bytes());
        hash.update([b' ']);
        hash.update(serial);
        hash.update([b'\n']);
    }
    hex::encode(hash.finalize())
}

/// The next unit of a block: behind those that were taken, and behind those of the last record that was to issue codes of it. An
/// act that was cut off has its units in the log, and whoever sets a counter back must not get a code a second time.
async fn next_unit(session: &mut Session, prefix: Prefix) -> Result<i64, BooksError> {
    let taken = session.numbers_taken(&unit_counter(prefix)).await?;
    let last = session.last_issue(&format!("%\"prefix\":\"{prefix}\"%")).await?;
    let last = last.map(|body| encode::from_json(&body)).transpose()?;
    Ok(last.map_or(taken, |Units { first_unit, count }| taken.max(first_unit + count)))
}

/// Units that a record was to issue.
#[derive(Deserialize)]
pub(crate) struct Units {
    pub(crate) first_unit: i64,
    pub(crate) count: i64,
}

/// Takes the units that were sealed, and those that are passed over; refuses when another writer took some of them in between.
async fn take_units(session: &mut Session, prefix: Prefix, first: i64, count: i64) -> Result<(), BooksError> {
    let over = first - session.numbers_taken(&unit_counter(prefix)).await?;
    // Counters begin at 1, units at 0.
    if over < 0 || session.take_numbers(&unit_counter(prefix), over + count).await? != first + 1 - over {
        return Err(BooksError::Busy { attempts: 1 });
    }
    if over > 0 {
        session.take_numbers(&cut_counter(prefix), over).await?;
    }
    Ok(())
}

fn refuse_doubles(serials: &[Serial]) -> Result<(), Refusal> {
    let mut seen = HashSet::with_capacity(serials.len());
    match serials.iter().find(|serial| !seen.insert(serial.as_str())) {
        Some(serial) => Err(Refusal::SerialTwice(serial.clone())),
        None => Ok(()),
    }
}
