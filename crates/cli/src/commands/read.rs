//! `read`: what marks a scan or a picture carries, and how sure that is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rayon::prelude::*;
use reader::{Observation, Outcome, ReadOptions, Reading};
use symbology::{Mark, Scheme};
use topography::Length;

use crate::commands::scheme;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::progress;
use crate::surfaces::{self, Loaded, Surface};
use crate::wire::reading::ReadingJson;

/// Arguments of `read`.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// X3P scans and PNG, TIFF, JPEG or BMP pictures.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The scheme: open-1, plain-8, round-1, a scheme file, or auto to try those that are built in.
    #[arg(long, default_value = "open-1", value_name = "NAME|FILE|auto")]
    scheme: String,
    /// The marks to look for, with commas: characters, gear, dots, radial, matrix [default: those of the pin].
    #[arg(long, value_delimiter = ',', value_name = "MARKS")]
    marks: Vec<Mark>,
    /// The distance between samples, such as 2um; replaces what the file says.
    #[arg(long)]
    pitch: Option<Length>,
    /// Take all files as one question: one case seen several times, or several cases of one firearm.
    #[arg(long)]
    fuse: bool,
    /// The share of accepted codes that may be wrong in the long run.
    #[arg(long, default_value_t = 1e-4)]
    bound: f64,
    /// Write a picture of the mark that was found, upright, with the best code drawn over it (of the first file).
    #[arg(long, value_name = "FILE.png")]
    overlay: Option<PathBuf>,
    /// Print JSON, one object a line (schema microstamp.reading/1).
    #[arg(long)]
    json: bool,
}

/// Reads, prints, and says by the exit code whether every reading was accepted.
pub(crate) fn read(arguments: &Read) -> Result<Exit, Failure> {
    let schemes = schemes(&arguments.scheme)?;
    let bar = progress::bar(arguments.files.len() as u64, "reading");
    let loaded: Vec<Result<Loaded, Failure>> = arguments
        .files
        .par_iter()
        .map(|file| surfaces::load(file, arguments.pitch).inspect(|_| bar.inc(1)))
        .collect();
    bar.finish_and_clear();
    let loaded = loaded.into_iter().collect::<Result<Vec<_>, _>>()?;
    let questions: Vec<&[Loaded]> = if arguments.fuse { vec![&loaded] } else { loaded.chunks(1).collect() };
    let answers: Vec<Result<Reading, Failure>> =
        questions.par_iter().map(|question| answer(question, &schemes, arguments)).collect();
    let mut all_accepted = true;
    for (question, reading) in questions.iter().zip(answers) {
        let reading = reading?;
        all_accepted &= reading.outcome == Outcome::Accepted;
        print(question, &reading, arguments)?;
        if let Some(file) = arguments.overlay.as_ref().filter(|_| std::ptr::eq(*question, questions[0])) {
            draw_overlay(&question[0], &reading, file)?;
        }
    }
    Ok(if all_accepted { Exit::Done } else { Exit::Negative })
}

fn schemes(name: &str) -> Result<Vec<Scheme>, Failure> {
    if name == "auto" {
        return Ok(vec![Scheme::open_1(), Scheme::round_1(), Scheme::plain_8()]);
    }
    Ok(vec![scheme::named(name)?])
}

/// Reads one question under each scheme in turn; the first that is accepted ends it, else the one that says most.
fn answer(question: &[Loaded], schemes: &[Scheme], arguments: &Read) -> Result<Reading, Failure> {
    let mut best: Option<Reading> = None;
    for scheme in schemes {
        let mut options = ReadOptions { bound: arguments.bound, ..ReadOptions::new(scheme.clone()) };
        if !arguments.marks.is_empty() {
            options.marks.clone_from(&arguments.marks);
        }
        let reading = read_one(question, &options)?;
        let accepted = reading.outcome == Outcome::Accepted;
        if best.as_ref().is_none_or(|best| rank(&reading) < rank(best)) {
            best = Some(reading);
        }
        if accepted {
            break;
        }
    }
    Ok(best.expect("there is at least one scheme"))
}

fn rank(reading: &Reading) -> u8 {
    match reading.outcome {
        Outcome::Accepted => 0,
        Outcome::Candidates => 1,
        Outcome::Unreadable => 2,
        Outcome::NoMark => 3,
    }
}

fn read_one(question: &[Loaded], options: &ReadOptions) -> Result<Reading, Failure> {
    let observations = question
        .iter()
        .map(|input| observe(input, options))
        .collect::<Result<Vec<Observation>, Failure>>()?;
    reader::fuse(&observations, options).or_exit(Exit::BadInput, "cannot read")
}

/// What one input says, before it is decided.
pub(crate) fn observe(input: &Loaded, options: &ReadOptions) -> Result<Observation, Failure> {
    let observation = match &input.surface {
        Surface::Heights(topography) => reader::observe_topography(topography, options),
        Surface::Picture(micrograph) => reader::observe_micrograph(micrograph, options),
    };
    observation.or_exit(Exit::BadInput, format!("cannot read `{}`", input.file.display()))
}

/// Writes the picture of what was found in one input, or says that there is nothing to draw.
pub(crate) fn draw_overlay(input: &Loaded, reading: &Reading, file: &Path) -> Result<(), Failure> {
    let scheme = scheme::named(&reading.scheme).unwrap_or_else(|_| Scheme::open_1());
    let options = ReadOptions::new(scheme);
    let code =
        reading.code.as_deref().or(reading.candidates.first().map(|candidate| candidate.code.as_str()));
    let seen = observe(input, &options)?;
    let Some(colours) = reader::overlay(&input.surface.as_heights(), &seen, &options.scheme, code) else {
        files::remark(format!("no mark was found in `{}`: no overlay written", input.file.display()));
        return Ok(());
    };
    files::write(file, &surfaces::colours(&colours)?)
}

fn print(question: &[Loaded], reading: &Reading, arguments: &Read) -> Result<(), Failure> {
    if arguments.json {
        let json = serde_json::to_string(&ReadingJson::of(&question.iter().collect::<Vec<_>>(), reading))
            .or_exit(Exit::Environment, "cannot write JSON")?;
        return files::print_line(json);
    }
    files::print(describe(question, reading).as_bytes())
}

/// A reading in words.
pub(crate) fn describe(question: &[Loaded], reading: &Reading) -> String {
    let names: Vec<_> = question.iter().map(|input| name(&input.file)).collect();
    let mut text = format!("{}: {}\n", names.join(" + "), headline(reading));
    if reading.outcome != Outcome::Accepted {
        for candidate in reading.candidates.iter().take(5) {
            let _ = writeln!(text, "  {}  {:.6}", candidate.code, candidate.posterior);
        }
    }
    let legible = reading.symbols.iter().filter(|symbol| !symbol.erased).count();
    if reading.outcome != Outcome::NoMark {
        let _ = writeln!(
            text,
            "  {legible} of {} symbols legible, {:.0} bits carried of {:.0} needed, margin {}",
            reading.symbols.len(),
            reading.bits_carried,
            reading.bits_needed,
            reading.margin
        );
    }
    for warning in question.iter().flat_map(|input| &input.warnings).chain(&reading.warnings) {
        let _ = writeln!(text, "  note: {warning}");
    }
    text
}

fn headline(reading: &Reading) -> String {
    match (&reading.outcome, &reading.code, reading.posterior) {
        (Outcome::Accepted, Some(code), Some(posterior)) => {
            format!(
                "{code}  accepted, posterior {posterior:.6} (bound {:e}, checked on simulation only)",
                reading.bound
            )
        }
        (Outcome::NoMark, ..) => "no mark".to_owned(),
        (Outcome::Candidates, ..) => "candidates only; none is sure".to_owned(),
        _ => "a mark that cannot be read".to_owned(),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
