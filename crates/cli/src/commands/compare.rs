//! `compare`: two scans, or all pairs of a folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use comparison::evidence::{self, Calibration, LikelihoodRatio, ModelKind, Provenance, Reference};
use comparison::{Comparison, ComparisonError, MarkKind, Preset, Surface};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use topography::{Limits, x3p};

use crate::commands::calibrate::{self, Truth};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::wire::comparison::{ComparisonJson, Input, Weigher};
use crate::{files, progress};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Two X3P scans.
    #[arg(num_args = 0..=2, value_name = "SCAN", required_unless_present = "all")]
    scans: Vec<PathBuf>,
    /// Compare every pair of X3P scans in this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "scans", requires = "output")]
    all: Option<PathBuf>,
    /// Where to write the table of all pairs; `-` prints it.
    #[arg(short, long, value_name = "FILE.csv", requires = "all")]
    output: Option<PathBuf>,
    /// The mark: breech-face or firing-pin.
    #[arg(long, default_value = "breech-face")]
    mark: Mark,
    /// A published set of parameters, such as chen2017 [default: microstamp-1, for firing pins zhang2021].
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A calibration file for likelihood ratios [default: the built-in one where it fits].
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Which firearm fired which scan of the folder: a CSV file whose first columns are file and firearm.
    #[arg(long, value_name = "FILE.csv", requires = "all")]
    truth: Option<PathBuf>,
    /// Learn a calibration from the pairs of known origin and write it here.
    #[arg(long, value_name = "FILE.json", requires = "truth")]
    calibrate: Option<PathBuf>,
    /// The model of that calibration and of the figures: beta-binomial, kde or pav.
    #[arg(long, value_name = "MODEL", default_value = "beta-binomial", requires = "truth")]
    model: ModelKind,
    /// What the calibration says it was learnt on, with the publication [default: the name of the folder].
    #[arg(long, value_name = "TEXT", requires = "calibrate")]
    set: Option<String>,
    /// What kind of pairs those are, such as `real cases` or `simulation`.
    #[arg(long, value_name = "TEXT", requires = "calibrate", default_value = "scans named by the user")]
    measured_on: String,
    /// Write a page with score histogram, Tippett, cross-entropy and reliability plots of the pairs of known origin.
    #[arg(long, value_name = "FILE.html", requires = "truth")]
    figures: Option<PathBuf>,
    /// Write a page with both surfaces, the cells and the alignment.
    #[arg(long, value_name = "FILE.html", conflicts_with = "all")]
    picture: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "all")]
    json: bool,
}

/// A mark as it is written on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(pub(crate) MarkKind);

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "breech-face" => Ok(Self(MarkKind::BreechFace)),
            "firing-pin" => Ok(Self(MarkKind::FiringPin)),
            _ => Err("marks are breech-face and firing-pin".to_owned()),
        }
    }
}

/// Compares what was asked for.
pub(crate) fn compare(arguments: &Compare) -> Result<Exit, Failure> {
    let mark = arguments.mark.0;
    let preset = match &arguments.preset {
        Some(name) => Preset::named(name).or_exit(Exit::BadInput, "cannot compare")?,
        None => Preset::default_for(mark),
    };
    if preset.mark != mark {
        return Err(Exit::BadInput.because(format!("preset `{}` is for the other kind of mark", preset.name)));
    }
    let weigher = weigher(arguments.calibration.as_deref(), &preset)?;
    match (&arguments.all, &arguments.output, &arguments.scans[..]) {
        (Some(folder), Some(output), _) => {
            let counted = all_pairs(folder, output, &preset, weigher.as_ref().map(|w| &w.calibration))?;
            learnt(folder, arguments, &preset, &counted)
        }
        (_, _, [a, b]) => one_pair([a, b], arguments, &preset, weigher.as_ref()),
        _ => {
            Err(Exit::BadInput
                .because("one scan alone cannot be compared\nhint: give two scans, or `--all DIR`"))
        }
    }
}

/// The calibration that was named, or the built-in one where it fits; refused where a named one does not.
fn weigher(path: Option<&Path>, preset: &Preset) -> Result<Option<Weigher>, Failure> {
    let hashed = |text: &str, calibration| {
        let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        Weigher { calibration, sha256 }
    };
    let Some(path) = path else {
        let built_in = Calibration::built_in();
        return Ok(built_in.fits(preset).is_ok().then(|| hashed(Calibration::BUILT_IN, built_in)));
    };
    let cannot = format!("cannot use `{}`", path.display());
    let text = files::read_text(path)?;
    let calibration = Calibration::from_json(&text).or_exit(Exit::BadInput, &cannot)?;
    calibration.fits(preset).or_exit(Exit::Refused, &cannot)?;
    Ok(Some(hashed(&text, calibration)))
}

/// Reads and prepares one scan.
fn surface(path: &Path, preset: &Preset) -> Result<(Surface, Input), Failure> {
    let cannot = || format!("cannot compare `{}`", path.display());
    let bytes = files::read(path)?;
    let scan = x3p::read(&bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    let surface = comparison::prepare(&scan.topography, preset).or_exit(Exit::BadInput, cannot())?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok((surface, Input { name: path.display().to_string(), sha256 }))
}

fn one_pair(
    paths: [&PathBuf; 2],
    arguments: &Compare,
    preset: &Preset,
    weigher: Option<&Weigher>,
) -> Result<Exit, Failure> {
    let [(a, one), (b, other)] = [surface(paths[0], preset)?, surface(paths[1], preset)?];
    let mut result = comparison::compare(&a, &b).or_exit(Exit::BadInput, "cannot compare")?;
    if one.sha256 == other.sha256 {
        result.warnings.push("both files are the same, byte for byte".to_owned());
    }
    let ratio = match weighed(&result, weigher.map(|w| &w.calibration)) {
        Ok(ratio) => ratio,
        Err(misfit) => {
            result.warnings.push(format!("no likelihood ratio: {misfit}"));
            None
        }
    };
    let inputs = [one, other];
    if let Some(path) = &arguments.picture {
        let names = paths.map(|path| file_name(path));
        let weight = weigher.map(|w| &w.calibration).zip(ratio.as_ref());
        let page = comparison::picture::page([(&names[0], &a), (&names[1], &b)], &result, weight);
        files::write(path, page.as_bytes())?;
    }
    if arguments.json {
        let json = ComparisonJson::new(&inputs, &result, ratio.as_ref(), weigher);
        files::print_line(
            serde_json::to_string(&json).or_exit(Exit::Environment, "cannot print the result")?,
        )?;
    } else {
        files::print(summary(&inputs, &result, ratio.as_ref()).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The likelihood ratio, where there is a calibration; a scan against itself says nothing about firearms.
///
/// An error where a model of scores does not know such pairs.
pub(crate) fn weighed(
    result: &Comparison,
    calibration: Option<&Calibration>,
) -> Result<Option<LikelihoodRatio>, ComparisonError> {
    let wanted = calibration.filter(|_| !result.is_same_scan());
    wanted.map(|calibration| calibration.weigh(result)).transpose()
}

fn summary(inputs: &[Input; 2], result: &Comparison, ratio: Option<&LikelihoodRatio>) -> String {
    let cmc = &result.cmc;
    let mut text = format!(
        "{} against {}\npreset {}: {} congruent of {} cells (original {} and {}, High {}, NCMA {:.2}), ACCF {:.2}, turned {:.1}°\n",
        inputs[0].name,
        inputs[1].name,
        result.preset.name,
        result.congruent(),
        result.joint_cells(),
        cmc.original[0],
        cmc.original[1],
        cmc.high,
        cmc.ncma,
        result.accf_max,
        result.rotation.to_degrees(),
    );
    if let Some(ratio) = ratio {
        let [low, high] = ratio.interval_log10;
        let bound = if ratio.bounded { ", at the bound of the reference set" } else { "" };
        let words = evidence::verbal(ratio.log10);
        let _ = writeln!(text, "log10 LR {:.2} ({low:.2} to {high:.2}{bound}): {words}", ratio.log10);
        let _ = writeln!(text, "calibrated on {}", ratio.calibration);
    }
    for warning in &result.warnings {
        let _ = writeln!(text, "note: {warning}");
    }
    text
}

fn all_pairs(
    folder: &Path,
    output: &Path,
    preset: &Preset,
    calibration: Option<&Calibration>,
) -> Result<Vec<Reference>, Failure> {
    let paths = scans_in(folder)?;
    let bar = progress::bar(paths.len() as u64, "preparing");
    let prepared: Vec<_> = paths
        .par_iter()
        .map(|path| {
            let prepared = surface(path, preset);
            bar.inc(1);
            prepared
        })
        .collect();
    bar.finish_and_clear();
    let mut scans = Vec::new();
    for (path, surface) in paths.iter().zip(prepared) {
        match surface {
            Ok((surface, _)) => scans.push((file_name(path), surface)),
            Err(failure) => files::remark(format!("left out: {failure}")),
        }
    }
    if scans.len() < 2 {
        return Err(Exit::BadInput.because(format!("`{}` holds fewer than two scans", folder.display())));
    }
    let pairs: Vec<_> = (0..scans.len()).flat_map(|i| (i + 1..scans.len()).map(move |j| (i, j))).collect();
    let bar = progress::bar(pairs.len() as u64, "comparing");
    let rows: Result<Vec<(String, Reference)>, ComparisonError> = pairs
        .par_iter()
        .map(|&(i, j)| {
            let row = row(&scans[i], &scans[j], calibration);
            bar.inc(1);
            row
        })
        .collect();
    bar.finish_and_clear();
    let mut table = HEADER.to_owned();
    let mut counted = Vec::with_capacity(pairs.len());
    for (row, pair) in rows.or_exit(Exit::BadInput, "cannot compare")? {
        table.push_str(&row);
        counted.push(pair);
    }
    files::write(output, table.as_bytes())?;
    Ok(counted)
}

/// What pairs of known origin teach, where their origin was given.
fn learnt(folder: &Path, arguments: &Compare, preset: &Preset, pairs: &[Reference]) -> Result<Exit, Failure> {
    let Some(truth) = &arguments.truth else { return Ok(Exit::Done) };
    let references = Truth::read(truth)?.references(pairs);
    let name = file_name(folder);
    if let Some(path) = &arguments.calibrate {
        let set = arguments.set.as_ref().unwrap_or(&name);
        let provenance = Provenance::new(set, &arguments.measured_on, preset);
        calibrate::learn(&references, arguments.model, provenance, path)?;
    }
    if let Some(path) = &arguments.figures {
        calibrate::figures(&references, arguments.model, &name, path)?;
    }
    // Beside the table, which may be printed.
    files::remark(calibrate::costs(&references).trim_end());
    Ok(Exit::Done)
}

const HEADER: &str =
    "a,b,score,cmc_convergence,cmc_original,cmc_high,ncma,cells,accf_max,log10_lr,cpu_seconds\n";

fn row(
    (one, a): &(String, Surface),
    (other, b): &(String, Surface),
    calibration: Option<&Calibration>,
) -> Result<(String, Reference), ComparisonError> {
    let start = cpu_seconds();
    let result = comparison::compare(a, b)?;
    let ratio = weighed(&result, calibration).ok().flatten();
    let ratio = ratio.map(|r| format!("{:.4}", r.log10)).unwrap_or_default();
    let cmc = &result.cmc;
    let counted = Reference::new([one.clone(), other.clone()], &result);
    let row = format!(
        "{},{},{:.4},{},{},{},{:.4},{},{:.4},{ratio},{:.4}\n",
        quoted(one),
        quoted(other),
        result.score,
        result.congruent(),
        cmc.original[0].min(cmc.original[1]),
        cmc.high,
        cmc.ncma,
        result.joint_cells(),
        result.accf_max,
        cpu_seconds() - start,
    );
    Ok((row, counted))
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// The X3P files of a folder, by name.
pub(crate) fn scans_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = || format!("cannot list `{}`", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).or_exit(Exit::BadInput, cannot())? {
        let path = entry.or_exit(Exit::Environment, cannot())?.path();
        if files::extension(&path) == "x3p" {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Processor seconds of this thread where the system tells them, else seconds on the clock.
pub(crate) fn cpu_seconds() -> f64 {
    thread_local! {
        static START: std::time::Instant = std::time::Instant::now();
    }
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns * 1e-9)
}
