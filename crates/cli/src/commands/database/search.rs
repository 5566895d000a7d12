//! `database search`: leads from a database.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use comparison::evidence::Calibration;
use comparison::search::{self as stages, Query, Stages};
use comparison::{Preset, Surface};
use jiff::civil::Date;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use topography::{Limits, Micrograph, x3p};

use super::catalogue::{Filter, Scan};
use super::folder::{Database, searchable};
use super::leads::{Lead, Order, Report};
use super::pages;
use crate::commands::compare::{beside_each_other, check_ending, file_name, weighed, weigher};
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
    /// Only this calibre. Here and below: a scan of which nothing is known is never left out.
    #[arg(long)]
    calibre: Option<String>,
    /// Only this class characteristic.
    #[arg(long)]
    class: Option<String>,
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
    /// Draw the scan beside each lead, in register, one row for each.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Write a page with the list, and one for each lead: both surfaces, their cells, the alignment.
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
    let wanted = arguments.preset.as_deref().map(searchable).transpose()?;
    let mut database = Database::open(&arguments.database, wanted)?;
    let preset = database.preset.clone();
    let weigher = weigher(arguments.calibration.as_deref(), &preset)?;
    let bytes = files::read(&arguments.scan)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let own = asked(&bytes, &arguments.scan, &preset)?;
    let query = Query::new(&own).or_exit(Exit::BadInput, "cannot search")?;
    let itself = database.catalogue.record_of(&sha256)?;
    let filter = filter(arguments);
    let admitted = if filter.is_open() { None } else { Some(database.catalogue.admitted(&filter)?) };
    let mapped = database.map()?;
    let store = mapped.store()?;
    let admits = |record: usize| {
        itself != Some(record as i64) && admitted.as_ref().is_none_or(|records| records.contains(&record))
    };
    let compared = Stages::default().compared.max(2 * arguments.top);
    let found = stages::search(&query, &store, &admits, Stages { compared, ..Stages::default() })
        .or_exit(Exit::BadInput, "cannot search")?;
    let (leads, surfaces, ordered_by) =
        in_full(&mut database, &own, found.leads, arguments.top, weigher.as_ref().map(|w| &w.calibration))?;
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
        preset: preset.name,
        scans: store.len(),
        searched: found.searched,
        damaged: found.damaged,
        itself,
        notes: own.notes(),
        ordered_by,
        leads: &leads,
    };
    if let Some(path) = &arguments.picture {
        files::write(path, &drawn(&own, &leads, &surfaces)?)?;
    }
    if let Some(folder) = &arguments.html {
        let calibration = weigher.as_ref().map(|w| &w.calibration);
        pages::write(folder, &own, &report, (&surfaces, calibration))?;
    }
    if arguments.json {
        files::print_line(report.json().or_exit(Exit::Environment, "cannot print the result")?)?;
    } else {
        files::print(report.text().as_bytes())?;
    }
    Ok(if leads.iter().any(Lead::supports) { Exit::Done } else { Exit::Negative })
}

fn asked(bytes: &[u8], path: &Path, preset: &Preset) -> Result<Surface, Failure> {
    let cannot = || format!("cannot search for `{}`", path.display());
    let scan = x3p::read(bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    let mut surface = comparison::prepare(&scan.topography, preset).or_exit(Exit::BadInput, cannot())?;
    surface.noted(&file_name(path), &scan.warnings);
    Ok(surface)
}

fn filter(arguments: &Search) -> Filter {
    let day = |date: Option<Date>| date.map(|date| date.to_string());
    Filter {
        calibre: arguments.calibre.clone(),
        class: arguments.class.clone(),
        from: day(arguments.from),
        to: day(arguments.to),
        real_only: arguments.real_only,
    }
}

/// Leads with the surfaces of those that were kept in detail.
type Drawn = (Vec<Lead>, Vec<Option<Surface>>, Order);

/// The best leads, compared in full and weighed where the prepared scan was kept. They are put in order anew only where that
/// was done for all of them.
fn in_full(
    database: &mut Database,
    own: &Surface,
    mut found: Vec<stages::Lead>,
    top: usize,
    calibration: Option<&Calibration>,
) -> Result<Drawn, Failure> {
    found.truncate(top);
    let mut kept = Vec::new();
    for lead in found {
        let record = lead.record as i64;
        let scan = database.catalogue.scan(record)?.ok_or_else(|| {
            Exit::Environment.because(format!("the catalogue of the database lacks record {record}"))
        })?;
        let by_way = match lead.by_way_of {
            None => None,
            Some(link) => {
                let through = database.catalogue.scan(link.record as i64)?.map(|scan| scan.name);
                let through = through.unwrap_or_else(|| format!("record {}", link.record));
                let cells = link.congruent;
                Some(format!(
                    "found by way of `{through}`, with which it agrees in {cells} cells of the index"
                ))
            }
        };
        kept.push((lead, scan, database.catalogue.prepared(record)?, by_way));
    }
    let preset = &database.preset;
    let compared: Result<Vec<(stages::Lead, Lead, Option<Surface>)>, Failure> = kept
        .into_par_iter()
        .map(|(found, scan, bytes, by_way)| {
            let (surface, damage) = match bytes.map(|bytes| stages::unpack(&bytes, preset)).transpose() {
                Ok(surface) => (surface, None),
                Err(damage) => (None, Some(format!("{damage}; compared at what the index keeps"))),
            };
            let lead = lead(own, &found, scan, surface.as_ref(), calibration)?;
            let found = stages::Lead { comparison: lead.comparison.clone(), ..found };
            Ok((
                found,
                Lead { notes: by_way.into_iter().chain(lead.notes).chain(damage).collect(), ..lead },
                surface,
            ))
        })
        .collect();
    let mut compared = compared?;
    let in_full = compared.iter().all(|(_, _, surface)| surface.is_some());
    if in_full {
        compared.sort_by(|(a, ..), (b, ..)| a.order(b));
    }
    let (leads, surfaces) = compared.into_iter().map(|(_, lead, surface)| (lead, surface)).unzip();
    Ok((leads, surfaces, if in_full { Order::Full } else { Order::Index }))
}

/// One lead, compared in full where its surface is at hand; only then is it weighed.
fn lead(
    own: &Surface,
    found: &stages::Lead,
    scan: Scan,
    surface: Option<&Surface>,
    calibration: Option<&Calibration>,
) -> Result<Lead, Failure> {
    let cannot = || format!("cannot compare with `{}`", scan.name);
    let comparison = match surface {
        Some(other) => comparison::compare(own, other).or_exit(Exit::BadInput, cannot())?,
        None => found.comparison.clone(),
    };
    let (ratio, unweighed) = match (surface, weighed(&comparison, calibration)) {
        (None, _) => (None, Some("compared at what the index keeps, too coarse to be weighed".to_owned())),
        (Some(_), Ok(Some(ratio))) => (Some(ratio), None),
        (Some(_), Ok(None)) if comparison.is_same_scan() => {
            (None, Some("the same measurement as the scan that asks: no weight".to_owned()))
        }
        (Some(_), Ok(None)) => (None, Some("no calibration fits".to_owned())),
        (Some(_), Err(misfit)) => (None, Some(misfit.to_string())),
    };
    // What is noted of the scan that asks is said once.
    let notes = comparison.warnings.iter().filter(|note| !own.notes().contains(note)).cloned().collect();
    let (code, strength) = (found.code, found.strength);
    let (in_full, by_way_of) = (surface.is_some(), found.by_way_of);
    Ok(Lead { scan, code, strength, comparison, in_full, by_way_of, ratio, unweighed, notes })
}

/// The scan beside each lead that was compared in full, a row each; leads kept at 25 um alone are passed over.
pub(super) fn drawn(own: &Surface, leads: &[Lead], surfaces: &[Option<Surface>]) -> Result<Vec<u8>, Failure> {
    let rows: Vec<[Micrograph; 2]> = leads
        .iter()
        .zip(surfaces)
        .filter_map(|(lead, surface)| Some(stages::in_register(own, surface.as_ref()?, &lead.comparison)))
        .collect();
    if rows.is_empty() {
        return Err(Exit::Negative.because(
            "there is nothing to draw: no lead was kept in detail\nhint: index the scans without `--features-only`",
        ));
    }
    beside_each_other(&rows)
}
