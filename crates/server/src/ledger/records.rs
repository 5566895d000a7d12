//! The files of records, one a month: a line for each entry of the log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use transparency::Piece;

use super::index::{Key, Place};
use super::{Entered, Stored};
use crate::config::replace;

/// Where records lie that the log never took, or of which it was put back.
const ASIDE: &str = "unacknowledged.jsonl";

/// A line as it lies in the file.
#[derive(Deserialize)]
pub(super) struct Line<'l> {
    pub(super) index: u64,
    salt: String,
    #[serde(default)]
    pub(super) keys: Vec<String>,
    #[serde(borrow)]
    record: &'l RawValue,
}

#[derive(Serialize, Deserialize)]
struct Record {
    kind: String,
    at: Timestamp,
    body: Value,
}

/// Makes the file of a month if need be, and cuts off what lies behind `end`: half a batch that was never acknowledged.
pub(super) fn begin(folder: &Path, end: Place) -> io::Result<()> {
    let records = folder.join("records");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path(&records, end.month))?;
    File::open(&records).and_then(|folder| folder.sync_all())?;
    if file.metadata()?.len() > end.offset {
        file.set_len(end.offset)?;
    }
    Ok(())
}

/// Lines behind the last, to be written with the log's append.
pub(super) fn lines_at(end: Place, lines: String) -> Option<Piece> {
    Piece::new("records", &name(end.month), end.offset, lines.into_bytes())
}

/// One line for an entry.
pub(super) fn line(index: u64, salt: &str, keys: &[Key], record: &str) -> String {
    let keys = keys.iter().map(|key| format!("\"{}\"", key.to_hex())).collect::<Vec<_>>().join(",");
    let keys = if keys.is_empty() { String::new() } else { format!("\"keys\":[{keys}],") };
    format!("{{\"index\":{index},\"salt\":\"{salt}\",{keys}\"record\":{record}}}\n")
}

/// Every line from a place on, oldest first, until `take` says that it has enough.
pub(super) fn scan(
    folder: &Path,
    from: Place,
    mut take: impl FnMut(Place, &[u8]) -> io::Result<bool>,
) -> io::Result<()> {
    for month in months(folder)?.into_iter().filter(|month| *month >= from.month) {
        let mut place = if month == from.month { from } else { Place { month, offset: 0 } };
        let mut file = File::open(path(&folder.join("records"), month))?;
        file.seek(SeekFrom::Start(place.offset))?;
        let (mut file, mut line) = (BufReader::with_capacity(1 << 16, file), Vec::new());
        while file.read_until(b'\n', &mut line)? > 0 {
            // Half a line was never acknowledged.
            if line.ends_with(b"\n") && !take(place, &line)? {
                return Ok(());
            }
            place.offset += line.len() as u64;
            line.clear();
        }
    }
    Ok(())
}

/// What lies at a place.
pub(super) enum Found {
    /// The record of the key.
    Record(Box<Stored>),
    /// Nothing: its file was deleted.
    Deleted,
    /// Something else: the index is not of these files.
    Another,
}

/// What lies where the index says that the record of a key is.
pub(super) fn at(folder: &Path, (place, key): (Place, Key)) -> io::Result<Found> {
    let mut file = match File::open(path(&folder.join("records"), place.month)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Deleted),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(place.offset))?;
    let mut line = Vec::new();
    BufReader::new(file.take(16 << 20)).read_until(b'\n', &mut line)?;
    let hex = key.to_hex();
    let keyed = serde_json::from_slice::<Line<'_>>(&line).is_ok_and(|line| line.keys.contains(&hex));
    Ok(match stored(&line).filter(|_| keyed) {
        Some(stored) => Found::Record(Box::new(stored)),
        None => Found::Another,
    })
}

/// The number of a line's entry.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Line<'_>>(line).ok().map(|line| line.index)
}

/// Deletes the files of months.
pub(super) fn remove(folder: &Path, months: &[u32]) -> io::Result<()> {
    let records = folder.join("records");
    months.iter().try_for_each(|month| fs::remove_file(path(&records, *month)))?;
    File::open(&records)?.sync_all()
}

/// Takes out of what was set aside the records of all months before one. A piece of a line, which says no month, goes with the record
/// before it, and with all others where there is none.
pub(super) fn forget_aside(folder: &Path, month: u32) -> io::Result<()> {
    let path = folder.join(ASIDE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mut kept, mut keeps) = (Vec::with_capacity(bytes.len()), false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        keeps = stored(line).map_or(keeps, |stored| month_of(stored.at) >= month);
        kept.extend_from_slice(if keeps { line } else { b"" });
    }
    if kept.len() == bytes.len() {
        return Ok(());
    }
    if kept.is_empty() {
        fs::remove_file(&path)?;
        return File::open(folder)?.sync_all();
    }
    replace(&path, &kept).map_err(io::Error::other)
}

/// Whether a record can be found by a number.
pub(super) fn has_keys(line: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(line).is_ok_and(|line| !line.keys.is_empty())
}

pub(super) fn stored(line: &[u8]) -> Option<Stored> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let record: Record = serde_json::from_str(line.record.get()).ok()?;
    let entered = Entered { index: line.index, salt: line.salt, record: line.record.get().to_owned() };
    Some(Stored { entered, kind: record.kind, at: record.at, body: record.body })
}

/// The month of a moment as its file is named.
pub(super) fn month_of(at: Timestamp) -> u32 {
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    u32::from(date.year().unsigned_abs()) * 100 + u32::from(date.month().unsigned_abs())
}

/// The months of which there are files, in order.
pub(super) fn months(folder: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(folder.join("records")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut months = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let month = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        months.extend(month.and_then(|month| month.replace('-', "").parse::<u32>().ok()));
    }
    months.sort_unstable();
    Ok(months)
}

/// Bytes in the file of a month; 0 when there is none.
pub(super) fn length(folder: &Path, month: u32) -> io::Result<u64> {
    match fs::metadata(path(&folder.join("records"), month)) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Moves what lies behind a place, in every month, into `unacknowledged.jsonl`: an operator who put an older log back must not
/// lose records by that. Nothing is taken away before its copy is on disk.
pub(super) fn set_aside(folder: &Path, end: Place) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut aside = options.open(folder.join(ASIDE))?;
    let (records, mut later) = (folder.join("records"), Vec::new());
    for month in months(folder)?.into_iter().filter(|month| *month >= end.month) {
        let mut file = File::open(path(&records, month))?;
        if month == end.month {
            file.seek(SeekFrom::Start(end.offset))?;
        } else {
            later.push(path(&records, month));
        }
        io::copy(&mut file, &mut aside)?;
    }
    aside.sync_all()?;
    File::open(folder)?.sync_all()?;
    later.iter().try_for_each(fs::remove_file)?;
    let last = OpenOptions::new().write(true).open(path(&records, end.month))?;
    last.set_len(end.offset)?;
    last.sync_all()?;
    File::open(&records)?.sync_all()
}

fn path(records: &Path, month: u32) -> PathBuf {
    records.join(name(month))
}

fn name(month: u32) -> String {
    format!("{:04}-{:02}.jsonl", month / 100, month % 100)
}
