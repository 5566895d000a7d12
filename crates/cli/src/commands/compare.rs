//! `compare`: two scans, or all pairs of a folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use comparison::evidence::{self, Calibration, LikelihoodRatio, ModelKind, Provenance, Reference};
use comparison::{Comparison, ComparisonError, MarkKind, Preset, Surface};
use sha2::{Digest as _, Sha256};
use topography::{Limits, x3p};

use crate::commands::calibrate::{self, Truth};
use crate::commands::pairs::{self, Table};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::wire::comparison::{ComparisonJson, Input, Weigher};

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
    /// Fill the column `cpu_seconds` of the table, which then differs from run to run.
    #[arg(long, requires = "all")]
    timings: bool,
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
    #[arg(long, value_name = "TEXT", requires = "truth")]
    set: Option<String>,
    /// What kind of pairs those are, such as `real cases` or `simulation`.
    #[arg(long, value_name = "TEXT", requires = "truth", default_value = "scans named by the user")]
    measured_on: String,
    /// Write a page with score histogram, Tippett, cross-entropy and reliability plots of the pairs of known origin.
    #[arg(long, value_name = "FILE.html", requires = "truth")]
    figures: Option<PathBuf>,
    /// Write a page with cells and alignment, or as .png both in register.
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
    check_whole(arguments)?;
    if let Some(path) = &arguments.picture {
        check_ending(path, "--picture", &["html", "htm", "png"])?;
    }
    if let Some(path) = &arguments.figures {
        check_ending(path, "--figures", &["html", "htm"])?;
    }
    let weigher = weigher(arguments.calibration.as_deref(), &preset)?;
    match (&arguments.all, &arguments.output, &arguments.scans[..]) {
        (Some(folder), Some(output), _) => {
            let truth = arguments.truth.as_deref().map(Truth::read).transpose()?;
            let calibration = weigher.as_ref().map(|w| &w.calibration);
            let table = Table { output, with_timings: arguments.timings };
            let counted = pairs::all(folder, &table, &preset, calibration, truth.as_ref())?;
            truth.map_or(Ok(Exit::Done), |truth| {
                learnt(folder, arguments, &preset, &truth.references(&counted))
            })
        }
        (_, _, [a, b]) => one_pair([a, b], arguments, &preset, weigher.as_ref()),
        _ => {
            Err(Exit::BadInput
                .because("one scan alone cannot be compared\nhint: give two scans, or `--all DIR`"))
        }
    }
}

/// Options for folders mean nothing for two scans. (The parser lets them pass: what they require conflicts with scans.)
fn check_whole(arguments: &Compare) -> Result<(), Failure> {
    let Compare { output, timings, truth, calibrate, figures, set, .. } = arguments;
    let given = [
        ("--output", output.is_some()),
        ("--timings", *timings),
        ("--truth", truth.is_some()),
        ("--calibrate", calibrate.is_some()),
        ("--figures", figures.is_some()),
        ("--set", set.is_some()),
    ];
    match given.iter().find(|(_, given)| *given && arguments.all.is_none()) {
        Some((option, _)) => Err(Exit::BadInput.because(format!(
            "`{option}` is for all pairs of a folder\nhint: give `--all DIR` in place of two scans"
        ))),
        None => Ok(()),
    }
}

/// Refuses a name that tells of another kind of file than will be written.
pub(crate) fn check_ending(path: &Path, option: &str, endings: &[&str]) -> Result<(), Failure> {
    if endings.contains(&files::extension(path).as_str()) {
        return Ok(());
    }
    let known: Vec<String> = endings.iter().map(|ending| format!("`.{ending}`")).collect();
    Err(Exit::BadInput.because(format!(
        "`{option} {}`: its name must end in {}",
        path.display(),
        known.join(" or ")
    )))
}

/// The calibration that was named, or the built-in one where it fits; refused where a named one does not.
pub(crate) fn weigher(path: Option<&Path>, preset: &Preset) -> Result<Option<Weigher>, Failure> {
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

/// Reads and prepares one scan; what had to be assumed of it is noted under the name of its file.
pub(crate) fn surface(path: &Path, preset: &Preset) -> Result<(Surface, Input), Failure> {
    let cannot = || format!("cannot compare `{}`", path.display());
    let bytes = files::read(path)?;
    let scan = x3p::read(&bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    let mut surface = comparison::prepare(&scan.topography, preset).or_exit(Exit::BadInput, cannot())?;
    surface.noted(&file_name(path), &scan.warnings);
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
    let beside = weigher.map(|w| beside(&w.calibration, &result)).unwrap_or_default();
    if let Some(ratio) = &ratio
        && beside.iter().any(|(_, other)| (other.log10 - ratio.log10).abs() > APART)
    {
        result.warnings.push(CONTRADICTION.to_owned());
    }
    let inputs = [one, other];
    if let Some(path) = &arguments.picture {
        let names = paths.map(|path| file_name(path));
        let weight = weigher.map(|w| &w.calibration).zip(ratio.as_ref());
        let picture = if files::extension(path) == "png" {
            in_register([&a, &b], &names, &result)?
        } else {
            comparison::picture::page([(&names[0], &a), (&names[1], &b)], &result, weight).into_bytes()
        };
        files::write(path, &picture)?;
    }
    if arguments.json {
        let json = ComparisonJson::new(&inputs, &result, (ratio.as_ref(), &beside), weigher);
        files::print_line(
            serde_json::to_string(&json).or_exit(Exit::Environment, "cannot print the result")?,
        )?;
    } else {
        files::print(summary(&inputs, &result, ratio.as_ref(), &beside).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Both in one frame with the cells that agree, as PNG.
fn in_register([a, b]: [&Surface; 2], names: &[String; 2], result: &Comparison) -> Result<Vec<u8>, Failure> {
    let [one, other] = names.clone();
    let other = if result.converged { other } else { format!("{other}: no common place found") };
    let pictures = comparison::picture::in_register(a, b, result);
    let picture = comparison::picture::side_by_side(&[(pictures, [one, other])]);
    topography::picture::write_colours(&picture, None).or_exit(Exit::Environment, "cannot draw the picture")
}

/// Models whose decimal log ratios differ by more than this contradict each other.
const APART: f64 = 1.0;
const CONTRADICTION: &str = "the models contradict each other by more than a factor of ten: no reference pair shows counts like these, and none of the ratios can be relied on";

/// The likelihood ratio, where there is a calibration; a scan against itself says nothing about firearms.
///
/// An error where a model of scores does not know such pairs.
pub(crate) fn weighed(
    result: &Comparison,
    calibration: Option<&Calibration>,
) -> Result<Option<LikelihoodRatio>, ComparisonError> {
    let Some(calibration) = calibration.filter(|_| !result.is_same_scan()) else { return Ok(None) };
    let Provenance { set, measured_on, .. } = &calibration.provenance;
    let ratio = calibration.weigh(result)?;
    Ok(Some(LikelihoodRatio { calibration: format!("{set} ({measured_on})"), ..ratio }))
}

/// What the other models say on the same reference pairs; those that do not know such a pair say nothing.
fn beside(calibration: &Calibration, result: &Comparison) -> Vec<(ModelKind, LikelihoodRatio)> {
    let others = ModelKind::ALL.into_iter().filter(|kind| *kind != calibration.kind());
    others
        .filter_map(|kind| Some((kind, weighed(result, Some(&calibration.with_model(kind))).ok()??)))
        .collect()
}

fn summary(
    inputs: &[Input; 2],
    result: &Comparison,
    ratio: Option<&LikelihoodRatio>,
    beside: &[(ModelKind, LikelihoodRatio)],
) -> String {
    let cmc = &result.cmc;
    let place = result
        .rotation
        .map_or_else(|| "no common position".to_owned(), |turn| format!("turned {:.1}°", turn.to_degrees()));
    let beside_it = if result.preset.sweep.is_some() {
        let [a, b] = cmc.total;
        format!("original {} and {}, High {}, total {a} and {b}", cmc.original[0], cmc.original[1], cmc.high)
    } else {
        format!("{} and {} found freely", cmc.original[0], cmc.original[1])
    };
    let mut text = format!(
        "{} against {}\npreset {}, {} rules: {} congruent of {} cells ({beside_it}, NCMA {:.2}), ACCF {:.2}, {place}\n",
        inputs[0].name,
        inputs[1].name,
        result.preset.name,
        result.preset.rules(),
        result.congruent(),
        result.joint_cells(),
        cmc.ncma,
        result.accf_max,
    );
    if let Some(ratio) = ratio {
        let words = evidence::verbal(ratio.log10);
        let _ = writeln!(text, "log10 LR {}: {words}", ratio.told());
        for (kind, other) in beside {
            let _ = writeln!(text, "beside it, by {}: log10 LR {}", kind.name(), other.told());
        }
        let _ = writeln!(text, "calibrated on {}", ratio.calibration);
    }
    for warning in &result.warnings {
        let _ = writeln!(text, "note: {warning}");
    }
    text
}

/// What pairs of known origin teach.
fn learnt(
    folder: &Path,
    arguments: &Compare,
    preset: &Preset,
    references: &[Reference],
) -> Result<Exit, Failure> {
    let name = file_name(folder);
    let set = arguments.set.as_ref().unwrap_or(&name);
    if let Some(path) = &arguments.calibrate {
        let provenance = Provenance::new(set, &arguments.measured_on, preset);
        calibrate::learn(references, arguments.model, provenance, path)?;
    }
    if let Some(path) = &arguments.figures {
        calibrate::figures(references, arguments.model, (set, &arguments.measured_on), path)?;
    }
    // Beside the table, which may be printed.
    files::remark(calibrate::costs(references, &arguments.measured_on).trim_end());
    Ok(Exit::Done)
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
