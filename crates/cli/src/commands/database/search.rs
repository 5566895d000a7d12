//! `database search`: leads from a database.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use comparison::evidence::Calibration;
use comparison::search::{self as stages, Query, Stages, Store};
use comparison::{Preset, Surface};
use jiff::civil::Date;
use rayon::prelude::*;
use topography::{Limits, x3p};

use super::catalogue::Row;
use super::characteristics::Characteristics;
use super::filter::Filter;
use super::folder::{Database, searchable};
use super::leads::{Lead, Order, Report};
use super::seal::{self, Fault};
use super::{exchanged, pages, pictures};
use crate::commands::compare::{check_ending, file_name, weighed, weigher};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `database search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The X3P scan to ask with; where it is in the database itself, it is left out.
    scan: PathBuf,
    /// The folder of the database.
    #[arg(long, value_name = "DB")]
    database: PathBuf,
    /// The preset that the database must have been made with [default: whichever it was].
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// How many leads to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Only this calibre, under any of its usual names. Here and in what follows: a scan of which nothing is known is never
    /// left out.
    #[arg(long, alias = "caliber")]
    calibre: Option<String>,
    /// Only these words about the class.
    #[arg(long)]
    class: Option<String>,
    #[command(flatten)]
    characteristics: Characteristics,
    /// Not before this day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Not after this day.
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// A calibration file for likelihood ratios [default: the built-in one].
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Leave simulated scans out.
    #[arg(long)]
    real_only: bool,
    /// Draw the scan beside each lead, in register with the cells that agree, one row for each.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Write a page with the list and a picture of each lead, and a page for each: both surfaces, their cells, the alignment.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Most leads that are listed.
const MOST: usize = 200;

pub(crate) fn search(arguments: &Search) -> Result<Exit, Failure> {
    let start = Instant::now();
    if !(1..=MOST).contains(&arguments.top) {
        return Err(Exit::BadInput.because(format!("`--top` must lie between 1 and {MOST}")));
    }
    if let Some(path) = &arguments.picture {
        check_ending(path, "--picture", &["png"])?;
    }
    let filter = filter(arguments).checked()?;
    let wanted = arguments.preset.as_deref().map(searchable).transpose()?;
    let mut database = Database::open(&arguments.database, wanted)?;
    let preset = database.preset.clone();
    let weigher = weigher(arguments.calibration.as_deref(), &preset)?;
    let bytes = files::read(&arguments.scan)?;
    let sha256 = seal::digest(&bytes);
    let own = asked(&bytes, &arguments.scan, &preset)?;
    let query = Query::new(&own).or_exit(Exit::BadInput, "cannot search")?;
    let itself = database.catalogue.record_of(&sha256)?;
    let mapped = database.map()?;
    let store = mapped.store()?;
    if let Some(record) = mapped.exchanged(&store) {
        let row = database.row(record)?;
        return Err(exchanged(&row, Fault::Exchanged));
    }
    let admitted =
        if filter.is_open() { None } else { Some(database.catalogue.admitted(&filter, store.len())?) };
    let admits = |record: usize| {
        itself != Some(record as i64) && admitted.as_ref().is_none_or(|admitted| admitted[record])
    };
    let compared = Stages::default().compared.max(2 * arguments.top);
    let allowed = Stages { compared, ..Stages::default() };
    let mut found =
        stages::search(&query, &store, &admits, allowed).or_exit(Exit::BadInput, "cannot search")?;
    found.leads.truncate(arguments.top);
    let calibration = weigher.as_ref().map(|w| &w.calibration);
    let listed = std::mem::take(&mut found.leads);
    let (leads, ordered_by) = in_full(&mut database, &store, (&own, listed), calibration)?;
    files::remark(format!(
        "{} of {} scans searched in {:.2} s",
        found.searched,
        store.len(),
        start.elapsed().as_secs_f64()
    ));
    let report = Report {
        file: arguments.scan.display().to_string(),
        sha256,
        database: arguments.database.display().to_string(),
        database_sha256: mapped.digest(&store),
        preset: &preset,
        weigher: weigher.as_ref(),
        filter: &filter,
        allowed,
        found: &found,
        scans: store.len(),
        itself,
        notes: own.notes(),
        ordered_by,
        leads: &leads,
    };
    told(arguments, &report, [&own, query.surface()])?;
    Ok(if leads.iter().any(Lead::supports) { Exit::Done } else { Exit::Negative })
}

/// Prints what was found and draws what was asked for; `own` is the scan that asks, as it is and at what the index keeps.
fn told(arguments: &Search, report: &Report<'_>, own: [&Surface; 2]) -> Result<(), Failure> {
    if let Some(path) = &arguments.picture {
        files::write(path, &pictures::drawn(own, report.leads)?)?;
    }
    if let Some(folder) = &arguments.html {
        pages::write(folder, own, report)?;
    }
    if arguments.json {
        files::print_line(report.json().or_exit(Exit::Environment, "cannot print the result")?)
    } else {
        files::print(report.text().as_bytes())
    }
}

fn asked(bytes: &[u8], path: &Path, preset: &Preset) -> Result<Surface, Failure> {
    let cannot = || format!("cannot search for `{}`", path.display());
    let scan = x3p::read(bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    let mut surface = comparison::prepare(&scan.topography, preset).or_exit(Exit::BadInput, cannot())?;
    surface.noted(&file_name(path), &scan.warnings);
    Ok(surface)
}

fn filter(arguments: &Search) -> Filter {
    Filter {
        calibre: arguments.calibre.clone(),
        class: arguments.class.clone(),
        characteristics: arguments.characteristics.clone(),
        from: arguments.from,
        to: arguments.to,
        real_only: arguments.real_only,
    }
}

/// A lead with what the database keeps of it.
struct Kept {
    found: stages::Lead,
    row: Row,
    prepared: Option<Vec<u8>>,
    by_way_of: Option<String>,
}

/// The leads, compared in full and weighed where the prepared scan was kept. They are put in order anew only where that was done
/// for all of them. Refused where a record is not that of its row: a lead would stand under another case's name.
fn in_full(
    database: &mut Database,
    store: &Store<'_>,
    (own, found): (&Surface, Vec<stages::Lead>),
    calibration: Option<&Calibration>,
) -> Result<(Vec<Lead>, Order), Failure> {
    let kept: Result<Vec<Kept>, Failure> =
        found.into_iter().map(|lead| kept(database, store, lead)).collect();
    let preset = &database.preset;
    let compared: Result<Vec<(stages::Lead, Lead)>, Failure> = kept?
        .into_par_iter()
        .map(|kept| {
            let lead = compared(own, &kept, store, (preset, calibration))?;
            Ok((stages::Lead { comparison: lead.comparison.clone(), ..kept.found }, lead))
        })
        .collect();
    let mut compared = compared?;
    let in_full = compared.iter().all(|(_, lead)| lead.in_full);
    if in_full {
        compared.sort_by(|(a, ..), (b, ..)| a.order(b));
    }
    let leads = compared.into_iter().map(|(_, lead)| lead).collect();
    Ok((leads, if in_full { Order::Full } else { Order::Index }))
}

/// What the database keeps of a lead, after making sure that it is that lead's.
fn kept(database: &mut Database, store: &Store<'_>, found: stages::Lead) -> Result<Kept, Failure> {
    let row = own_row(database, store, found.record)?;
    let by_way_of = match found.by_way_of {
        None => None,
        Some(link) => {
            let through = own_row(database, store, link.record)?.scan.name;
            let cells = link.congruent;
            Some(format!("found by way of `{through}`, with which it agrees in {cells} cells of the index"))
        }
    };
    let prepared = database.catalogue.prepared(row.record)?;
    let is_own = prepared.as_ref().is_none_or(|bytes| seal::is_own(&row, bytes));
    if !is_own && prepared.as_ref().is_some_and(|bytes| stages::unpack(bytes, &database.preset).is_ok()) {
        return Err(exchanged(&row, Fault::PreparedExchanged));
    }
    Ok(Kept { found, row, prepared, by_way_of })
}

fn own_row(database: &mut Database, store: &Store<'_>, record: usize) -> Result<Row, Failure> {
    let row = database.row(record)?;
    seal::fault(&row, store).map_or(Ok(()), |fault| Err(exchanged(&row, fault)))?;
    Ok(row)
}

/// One lead, compared in full where its prepared scan was kept and is sound; only then is it weighed.
fn compared(
    own: &Surface,
    kept: &Kept,
    store: &Store<'_>,
    (preset, calibration): (&Preset, Option<&Calibration>),
) -> Result<Lead, Failure> {
    let Kept { found, row, prepared, by_way_of } = kept;
    let unpacked = prepared.as_ref().map(|bytes| stages::unpack(bytes, preset)).transpose();
    let (surface, damage) = match unpacked {
        Ok(surface) => (surface, None),
        Err(damage) => (None, Some(format!("{damage}; compared at what the index keeps"))),
    };
    let comparison = match &surface {
        Some(other) => comparison::compare(own, other)
            .or_exit(Exit::BadInput, format!("cannot compare with `{}`", row.scan.name))?,
        None => found.comparison.clone(),
    };
    let (ratio, unweighed) = match (&surface, weighed(&comparison, calibration)) {
        (None, _) => (None, Some("compared at what the index keeps, too coarse to be weighed".to_owned())),
        (Some(_), Ok(Some(ratio))) => (Some(ratio), None),
        (Some(_), Ok(None)) if comparison.is_same_scan() => {
            (None, Some("the same measurement as the scan that asks: no weight".to_owned()))
        }
        (Some(_), Ok(None)) => (None, Some("no calibration fits".to_owned())),
        (Some(_), Err(misfit)) => (None, Some(misfit.to_string())),
    };
    // What is noted of the scan that asks is said once.
    let warnings = comparison.warnings.iter().filter(|note| !own.notes().contains(note)).cloned();
    let notes = by_way_of.iter().cloned().chain(warnings).chain(damage).collect();
    let in_full = surface.is_some();
    let surface = surface.or_else(|| store.surface(found.record, preset));
    let (code, strength, by_way_of) = (found.code, found.strength, found.by_way_of);
    Ok(Lead {
        row: row.clone(),
        code,
        strength,
        comparison,
        surface,
        in_full,
        by_way_of,
        ratio,
        unweighed,
        notes,
    })
}
