//! `database index` and `database add`: scans into a database.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use comparison::Preset;
use comparison::search::{self, Features, Origin};
use jiff::civil::Date;
use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use topography::{Limits, x3p};

use super::catalogue::{Particulars, Scan};
use super::characteristics::Characteristics;
use super::folder::{Database, Entry, searchable};
use crate::commands::compare::{file_name, scans_in};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, progress};

/// Arguments of `database index`.
#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folders of X3P scans, or scans.
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// The folder of the database; made where there is none.
    #[arg(long, value_name = "DB")]
    database: PathBuf,
    /// The preset to prepare the scans with [default: that of the database, in a new one microstamp-1].
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A CSV table with the columns `file` and any of `exhibit`, `calibre`, `class`, `date` (YYYY-MM-DD), `firing_pin`,
    /// `breech_face`, `aperture`, `extractor`, `ejector` (their terms: see `database add --help`).
    #[arg(long, value_name = "FILE.csv")]
    metadata: Option<PathBuf>,
    /// Keep features only, not the prepared scans: leads are then compared at 25 um and carry no likelihood ratio.
    #[arg(long)]
    features_only: bool,
}

/// Arguments of `database add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// X3P scans.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder of the database; made where there is none.
    #[arg(long, value_name = "DB")]
    database: PathBuf,
    /// The number of the exhibit.
    #[arg(long, value_name = "ID")]
    exhibit: Option<String>,
    /// The calibre, under any of its usual names.
    #[arg(long, alias = "caliber")]
    calibre: Option<String>,
    /// Class characteristics that have no field of their own, in free words.
    #[arg(long)]
    class: Option<String>,
    /// The day of the event, YYYY-MM-DD.
    #[arg(long)]
    date: Option<Date>,
    #[command(flatten)]
    characteristics: Characteristics,
}

/// How many scans are prepared before they are written together.
const BATCH: usize = 32;

pub(crate) fn index(arguments: &Index) -> Result<Exit, Failure> {
    let mut paths = Vec::new();
    for path in &arguments.paths {
        if path.is_dir() { paths.extend(scans_in(path)?) } else { paths.push(path.clone()) }
    }
    if paths.is_empty() {
        return Err(Exit::BadInput.because("there is no X3P scan in what was named"));
    }
    let metadata = arguments.metadata.as_deref().map(metadata).transpose()?.unwrap_or_default();
    let wanted = arguments.preset.as_deref().map(searchable).transpose()?;
    let database = Database::create(&arguments.database, wanted)?;
    let keep = !arguments.features_only;
    let told = |name: &str| metadata.get(name).cloned().unwrap_or_default();
    take_in(database, &paths, keep, &told)
}

pub(crate) fn add(arguments: &Add) -> Result<Exit, Failure> {
    let database = Database::create(&arguments.database, None)?;
    let told = |_: &str| Particulars {
        exhibit: arguments.exhibit.clone(),
        calibre: arguments.calibre.clone(),
        class: arguments.class.clone(),
        date: arguments.date.map(|date| date.to_string()),
        characteristics: arguments.characteristics.clone(),
    };
    take_in(database, &arguments.files, true, &told)
}

/// Takes scans in, batch by batch; a bad one is reported and passed over.
fn take_in(
    mut database: Database,
    paths: &[PathBuf],
    keep: bool,
    told: &(dyn Fn(&str) -> Particulars + Sync),
) -> Result<Exit, Failure> {
    let bar = progress::bar(paths.len() as u64, "indexing");
    let (mut taken, mut known, mut bad) = (0, 0, 0);
    for batch in paths.chunks(BATCH) {
        let mut fresh: Vec<(&PathBuf, Vec<u8>, String)> = Vec::new();
        for path in batch {
            match files::read(path) {
                Ok(bytes) => {
                    let sha256 = hex::encode(Sha256::digest(&bytes));
                    let twice = fresh.iter().any(|(_, _, other)| *other == sha256);
                    if twice || database.catalogue.record_of(&sha256)?.is_some() {
                        known += 1;
                    } else {
                        fresh.push((path, bytes, sha256));
                    }
                }
                Err(failure) => {
                    bad += 1;
                    files::remark(format!("left out: {failure}"));
                }
            }
        }
        let preset = &database.preset;
        let made: Vec<Result<Entry, Failure>> = fresh
            .par_iter()
            .map(|(path, bytes, sha256)| entry(path, bytes, sha256, preset, keep, told))
            .collect();
        let mut entries = Vec::new();
        for entry in made {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(failure) => {
                    bad += 1;
                    files::remark(format!("left out: {failure}"));
                }
            }
        }
        taken += entries.len();
        database.append(entries)?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let total = database.catalogue.count()?;
    files::print_line(format!(
        "{taken} taken in, {known} there already, {bad} left out; the database holds {total}"
    ))?;
    if taken + known == 0 { Err(Exit::BadInput.because("no scan could be taken in")) } else { Ok(Exit::Done) }
}

fn entry(
    path: &Path,
    bytes: &[u8],
    sha256: &str,
    preset: &Preset,
    keep: bool,
    told: &(dyn Fn(&str) -> Particulars + Sync),
) -> Result<Entry, Failure> {
    let cannot = || format!("cannot take `{}` in", path.display());
    let scan = x3p::read(bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    let simulated = scan.comment.as_deref().is_some_and(|comment| comment.starts_with("simulated"));
    let origin = if simulated { Origin::Simulated } else { Origin::Real };
    let mut surface = comparison::prepare(&scan.topography, preset).or_exit(Exit::BadInput, cannot())?;
    let name = file_name(path);
    surface.noted(&name, &scan.warnings);
    surface.notes().iter().for_each(|note| files::remark(format!("note: {note}")));
    let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let particulars = told(&name);
    let scan = Scan {
        path: Some(place.to_string_lossy().into_owned()),
        sha256: Some(sha256.to_owned()),
        origin,
        particulars,
        name,
    };
    Ok(Entry {
        scan,
        features: Features::of(&surface, origin),
        prepared: keep.then(|| search::pack(&surface)),
    })
}

#[derive(Deserialize)]
struct Row {
    file: String,
    exhibit: Option<String>,
    #[serde(alias = "caliber")]
    calibre: Option<String>,
    class: Option<String>,
    date: Option<Date>,
    firing_pin: Option<String>,
    breech_face: Option<String>,
    aperture: Option<String>,
    extractor: Option<String>,
    ejector: Option<String>,
}

/// The columns of a table of metadata that mean something.
const COLUMNS: [&str; 11] = [
    "file",
    "exhibit",
    "calibre",
    "caliber",
    "class",
    "date",
    "firing_pin",
    "breech_face",
    "aperture",
    "extractor",
    "ejector",
];

/// Particulars by file name.
fn metadata(path: &Path) -> Result<HashMap<String, Particulars>, Failure> {
    let cannot = || format!("cannot use `{}`", path.display());
    let text = files::read_text(path)?;
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let headings = rows.headers().or_exit(Exit::BadInput, cannot())?;
    for unused in headings.iter().filter(|heading| !COLUMNS.contains(heading)) {
        files::remark(format!("note: the column `{unused}` of `{}` is not used", path.display()));
    }
    let mut table = HashMap::new();
    for row in rows.deserialize::<Row>() {
        let row = row.or_exit(Exit::BadInput, cannot())?;
        let characteristics = Characteristics::parsed([
            row.firing_pin,
            row.breech_face,
            row.aperture,
            row.extractor,
            row.ejector,
        ])
        .map_err(|why| Exit::BadInput.because(format!("{}: `{}`: {why}", cannot(), row.file)))?;
        let date = row.date.map(|date| date.to_string());
        let Row { file, exhibit, calibre, class, .. } = row;
        table.insert(file, Particulars { exhibit, calibre, class, date, characteristics });
    }
    Ok(table)
}
