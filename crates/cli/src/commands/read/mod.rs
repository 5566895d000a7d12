//! `read`: what marks a scan or a picture carries, and how sure that is.

mod inputs;
mod question;
mod table;
mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use rayon::prelude::*;
use reader::{Outcome, Reading};
use sha2::{Digest as _, Sha256};
use symbology::{Mark, Scheme};
use topography::Length;

pub(crate) use self::question::{answer_plainly, draw_overlay};
pub(crate) use self::words::describe;

use self::question::{Inputs, Question};
use self::table::Table;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::progress;
use crate::surfaces::Loaded;
use crate::wire::reading::ReadingJson;

/// Arguments of `read`.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// X3P scans and PNG, TIFF, JPEG or BMP pictures; a folder stands for those in it and below it.
    #[arg(required_unless_present = "case", value_name = "FILE|FOLDER")]
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
    /// How large a module is on the case, where the mark was not engraved at its nominal size; 15 % around it are tried.
    #[arg(long, value_name = "LENGTH")]
    module: Option<Length>,
    /// Take all files as one question, each as a case of its own: several cases of one firearm, or of several. Images of
    /// one case: see --case.
    #[arg(long)]
    fuse: bool,
    /// Images of one case, with commas: they count as one witness together, and pictures of them that show one view under
    /// several lights are read as one relief. May be given for several cases; all files are then one question. A file
    /// that no case names is a case of its own.
    #[arg(long, value_name = "FILE,FILE…")]
    case: Vec<String>,
    /// The share of accepted codes that may be wrong in the long run.
    #[arg(long, default_value_t = 1e-4)]
    bound: f64,
    /// Write a picture of the mark that was found in each input, upright, with the best code drawn over it, one below the
    /// other. Where several questions are asked this names a folder, with one picture for each.
    #[arg(long, value_name = "FILE.png|FOLDER")]
    overlay: Option<PathBuf>,
    /// Write the readings into a table instead of printing them: .csv, or .jsonl (schema microstamp.reading/1).
    #[arg(short, long, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Go on with the table that `--output` names: read only what is not in it with the same contents and options.
    #[arg(long, requires = "output")]
    resume: bool,
    /// Print JSON, one object a line (schema microstamp.reading/1).
    #[arg(long)]
    json: bool,
}

/// Reads, prints, and says by the exit code whether every reading was accepted.
pub(crate) fn read(arguments: &Read) -> Result<Exit, Failure> {
    if !(arguments.bound > 0.0 && arguments.bound < 1.0) {
        return Err(Exit::BadInput.because(format!(
            "`--bound {}` is no share of wrong answers\nhint: give a number between 0 and 1, such as 1e-4",
            arguments.bound
        )));
    }
    let schemes = question::schemes(&arguments.scheme)?;
    let mut questions = questions(arguments)?;
    let mut table =
        arguments.output.as_deref().map(|file| Table::open(file, arguments.resume)).transpose()?;
    let settings = settings(&schemes, arguments);
    if let Some(table) = table.as_ref().filter(|table| !table.done.is_empty()) {
        let keys: Vec<Option<String>> =
            questions.par_iter().map(|question| table::key(question, &settings)).collect();
        // A file that cannot be opened is read again, so that it is complained of again.
        let mut keys = keys.into_iter();
        questions.retain(|_| keys.next().flatten().is_none_or(|key| !table.done.contains(&key)));
    }
    let overlays = Overlays::of(arguments.overlay.as_deref(), questions.len())?;
    let bar = progress::bar(questions.len() as u64, "reading");
    let mut tally = Tally::default();
    // Answers appear in the order of the questions, a batch at a time: whatever ends the run, what was printed is whole.
    for batch in questions.chunks(4 * rayon::current_num_threads()) {
        let answers: Vec<_> = batch
            .par_iter()
            .map(|question| answer(question, &schemes, arguments, &overlays).inspect(|_| bar.inc(1)))
            .collect();
        for answer in answers {
            match answer {
                Ok((question, reading)) => {
                    tally.count(reading.outcome);
                    bar.suspend(|| show(&question, (&reading, &settings), arguments, table.as_mut()))?;
                }
                Err(failure) => tally.fail(bar.suspend(|| failure.report())),
            }
        }
    }
    bar.finish_and_clear();
    Ok(tally.end(questions.len()))
}

/// The files that are meant, in the questions that they are asked in.
fn questions(arguments: &Read) -> Result<Vec<Question>, Failure> {
    let files = inputs::expand(&arguments.files)?;
    if !arguments.fuse && arguments.case.is_empty() {
        let alone = |file: PathBuf| Question { files: vec![file], cases: vec![None] };
        return Ok(files.into_iter().map(alone).collect());
    }
    let mut question = Question { cases: vec![None; files.len()], files };
    for (case, images) in arguments.case.iter().enumerate() {
        let named: Vec<PathBuf> = images.split(',').map(PathBuf::from).collect();
        let images = inputs::expand(&named)?;
        question.cases.extend(vec![Some(case); images.len()]);
        question.files.extend(images);
    }
    Ok(vec![question])
}

/// What, beside the files, decides how a question is answered: `--resume` goes on only with the same.
fn settings(schemes: &[Scheme], arguments: &Read) -> String {
    let schemes: Vec<String> = schemes
        .iter()
        .map(|scheme| {
            let whole = format!("{scheme:?}");
            format!("{}:{}", scheme.name(), &hex::encode(Sha256::digest(whole))[..8])
        })
        .collect();
    let marks: Vec<String> = arguments.marks.iter().map(Mark::to_string).collect();
    let length = |length: Option<Length>| length.map_or_else(|| "-".to_owned(), |length| length.to_string());
    format!(
        "{} marks={} bound={:e} pitch={} module={}",
        schemes.join("+"),
        if marks.is_empty() { "-".to_owned() } else { marks.join("+") },
        arguments.bound,
        length(arguments.pitch),
        length(arguments.module)
    )
}

/// Loads what one question is about and reads it.
fn answer(
    question: &Question,
    schemes: &[Scheme],
    arguments: &Read,
    overlays: &Overlays<'_>,
) -> Result<(Vec<Loaded>, Reading), Failure> {
    let inputs = Inputs::load(question, arguments)?;
    let answer = question::answer(&inputs, schemes, arguments)?;
    if let Some(file) = overlays.place(&inputs.loaded[0]) {
        draw_overlay(&inputs.loaded.iter().collect::<Vec<_>>(), &answer, &file)?;
    }
    Ok((inputs.loaded, answer.reading))
}

fn show(
    question: &[Loaded],
    (reading, settings): (&Reading, &str),
    arguments: &Read,
    table: Option<&mut Table>,
) -> Result<(), Failure> {
    if let Some(table) = table {
        return table.add(question, reading, settings);
    }
    if arguments.json {
        let json = serde_json::to_string(&ReadingJson::of(&question.iter().collect::<Vec<_>>(), reading))
            .or_exit(Exit::Environment, "cannot write JSON")?;
        return files::print_line(json);
    }
    files::print(describe(question, reading).as_bytes())
}

/// Where pictures go.
enum Overlays<'a> {
    None,
    File(&'a Path),
    Folder(&'a Path),
}

impl<'a> Overlays<'a> {
    fn of(place: Option<&'a Path>, questions: usize) -> Result<Self, Failure> {
        match place {
            None => Ok(Self::None),
            Some(place) if questions > 1 || place.is_dir() => {
                files::create_folder(place)?;
                Ok(Self::Folder(place))
            }
            Some(place) => Ok(Self::File(place)),
        }
    }

    /// The file for one input. Files of one name in several folders are told apart by their hash.
    fn place(&self, input: &Loaded) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::File(file) => Some((*file).to_owned()),
            Self::Folder(folder) => {
                let stem = input.file.file_stem().unwrap_or_default().to_string_lossy();
                Some(folder.join(format!("{stem}-{}.png", &input.sha256[..8])))
            }
        }
    }
}

/// How many questions ended how.
#[derive(Default)]
struct Tally {
    accepted: usize,
    candidates: usize,
    unreadable: usize,
    no_mark: usize,
    failed: usize,
    worst: Option<Exit>,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Candidates => self.candidates += 1,
            Outcome::Unreadable => self.unreadable += 1,
            Outcome::NoMark => self.no_mark += 1,
        }
    }

    fn fail(&mut self, exit: Exit) {
        self.failed += 1;
        self.worst = self.worst.max(Some(exit));
    }

    /// Says how a batch went, and how the run ends: a file that could not be read weighs more than a mark that could not.
    fn end(&self, questions: usize) -> Exit {
        if questions != 1 {
            files::remark(format!(
                "{questions} read: {} accepted, {} candidates, {} unreadable, {} no mark, {} failed",
                self.accepted, self.candidates, self.unreadable, self.no_mark, self.failed
            ));
        }
        let all_accepted = self.accepted == questions;
        self.worst.unwrap_or(if all_accepted { Exit::Done } else { Exit::Negative })
    }
}
