//! One question: the inputs that are read together, and the schemes that they are read under.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use reader::{Observation, ReadOptions, Reading};
use symbology::Scheme;
use topography::{Grid, Micrograph};

use crate::commands::read::Read;
use crate::commands::scheme;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::surfaces::{self, Loaded, Surface};

/// Files that are read as one question, with the case that each was said to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) cases: Vec<Option<usize>>,
}

/// The inputs of a question, each file once.
pub(crate) struct Inputs {
    pub(crate) loaded: Vec<Loaded>,
    cases: Vec<Option<usize>>,
    warnings: Vec<String>,
}

/// What was read, and what each input showed.
pub(crate) struct Answer {
    pub(crate) reading: Reading,
    options: ReadOptions,
    /// What was observed, with the inputs that it was observed in.
    seen: Vec<(Vec<usize>, Observation)>,
}

/// The schemes to read under: one by name, or all that are built in.
pub(crate) fn schemes(name: &str) -> Result<Vec<Scheme>, Failure> {
    if name == "auto" {
        return Ok(vec![Scheme::open_1(), Scheme::round_1(), Scheme::plain_8()]);
    }
    Ok(vec![scheme::named(name)?])
}

impl Inputs {
    /// Loads the files of a question. A file that is there twice is one witness; two cases that share a file are one.
    pub(crate) fn load(question: &Question, arguments: &Read) -> Result<Self, Failure> {
        let all: Vec<Loaded> = question
            .files
            .par_iter()
            .map(|file| surfaces::load(file, arguments.pitch))
            .collect::<Result<_, _>>()?;
        let mut cases = question.cases.clone();
        let mut inputs = Self { loaded: Vec::new(), cases: Vec::new(), warnings: Vec::new() };
        for (place, loaded) in all.into_iter().enumerate() {
            let Some(first) = inputs.loaded.iter().position(|known| known.sha256 == loaded.sha256) else {
                inputs.loaded.push(loaded);
                inputs.cases.push(cases[place]);
                continue;
            };
            inputs.warnings.push(format!(
                "`{}` is the same file as `{}`: counted once",
                loaded.file.display(),
                inputs.loaded[first].file.display()
            ));
            // Two cases that share a file are one case.
            match (inputs.cases[first], cases[place]) {
                (Some(kept), Some(merged)) => cases
                    .iter_mut()
                    .chain(&mut inputs.cases)
                    .filter(|case| **case == Some(merged))
                    .for_each(|case| *case = Some(kept)),
                (None, case) => inputs.cases[first] = case,
                _ => {}
            }
        }
        Ok(inputs)
    }
}

/// Reads one question under each scheme and answers under the likeliest.
pub(crate) fn answer(inputs: &Inputs, schemes: &[Scheme], arguments: &Read) -> Result<Answer, Failure> {
    let mut answers = Vec::new();
    for scheme in schemes {
        let mut options = ReadOptions { bound: arguments.bound, ..ReadOptions::new(scheme.clone()) };
        options.module = arguments.module;
        if !arguments.marks.is_empty() {
            options.marks.clone_from(&arguments.marks);
        }
        answers.push(read_one(inputs, options)?);
    }
    let readings: Vec<Reading> = answers.iter().map(|answer| answer.reading.clone()).collect();
    let (place, reading) = reader::likeliest_scheme(&readings).expect("there is at least one scheme");
    let mut answer = answers.swap_remove(place);
    answer.reading = reading;
    answer.reading.warnings.extend(inputs.warnings.iter().cloned());
    Ok(answer)
}

/// Reads inputs as one question. Photographs that were said to show one case and look like one view under several lights
/// make one observation; the reading names the first of them.
fn read_one(inputs: &Inputs, options: ReadOptions) -> Result<Answer, Failure> {
    let mut seen: Vec<(Vec<usize>, Observation)> = Vec::new();
    let alone = |place: &usize| {
        inputs.cases[*place].is_none() || !matches!(inputs.loaded[*place].surface, Surface::Picture(_))
    };
    let scans: Vec<usize> = (0..inputs.loaded.len()).filter(alone).collect();
    let observed = |place: usize| Ok((vec![place], observe(&inputs.loaded[place], &options)?));
    seen.extend(scans.into_par_iter().map(observed).collect::<Result<Vec<_>, Failure>>()?);
    let mut pictured: Vec<usize> = inputs.cases.iter().copied().flatten().collect();
    pictured.sort_unstable();
    pictured.dedup();
    for case in pictured {
        let of_case = |place: &usize| inputs.cases[*place] == Some(case) && !alone(place);
        let places: Vec<usize> = (0..inputs.loaded.len()).filter(of_case).collect();
        let pictures: Vec<&Micrograph> = places
            .iter()
            .filter_map(|&place| match &inputs.loaded[place].surface {
                Surface::Picture(picture) => Some(picture),
                Surface::Heights(_) => None,
            })
            .collect();
        if pictures.is_empty() {
            continue;
        }
        let views = reader::observe_lights(&pictures, &options).or_exit(Exit::BadInput, "cannot read")?;
        seen.extend(
            views.into_iter().map(|(view, seen)| (view.into_iter().map(|k| places[k]).collect(), seen)),
        );
    }
    seen.sort_by_key(|(places, _)| places[0]);
    let observations: Vec<Observation> = seen
        .iter()
        .map(|(places, seen)| {
            let name = inputs.loaded[places[0]].file.display().to_string();
            seen.clone().named(name).of_case(inputs.cases[places[0]])
        })
        .collect();
    let reading = reader::fuse(&observations, &options).or_exit(Exit::BadInput, "cannot read")?;
    let reading = named(reading, &seen);
    Ok(Answer { reading, options, seen })
}

/// Puts the places of the inputs where a reading has those of its observations.
fn named(mut reading: Reading, seen: &[(Vec<usize>, Observation)]) -> Reading {
    let inputs = |observations: &[usize]| {
        let mut inputs: Vec<usize> = observations.iter().flat_map(|&k| seen[k].0.clone()).collect();
        inputs.sort_unstable();
        inputs
    };
    for mark in &mut reading.marks {
        mark.input = seen[mark.input].0[0];
    }
    for group in &mut reading.groups {
        group.inputs = inputs(&group.inputs);
    }
    reading.left_out = inputs(&reading.left_out);
    for (view, _) in seen.iter().filter(|(view, _)| view.len() > 1) {
        reading
            .warnings
            .push(format!("{} photographs show one view: read together as one relief", view.len()));
    }
    reading
}

/// What one input says, before it is decided.
pub(crate) fn observe(input: &Loaded, options: &ReadOptions) -> Result<Observation, Failure> {
    let observation = match &input.surface {
        Surface::Heights(topography) => reader::observe_topography(topography, options),
        Surface::Picture(micrograph) => reader::observe_micrograph(micrograph, options),
    };
    observation.or_exit(Exit::BadInput, format!("cannot read `{}`", input.file.display()))
}

/// Writes the picture of what was found in each input, one below the other, or says that there is nothing to draw.
pub(crate) fn draw_overlay(inputs: &[&Loaded], answer: &Answer, file: &Path) -> Result<(), Failure> {
    let mut panels: Vec<Grid<[u8; 3]>> = Vec::new();
    for (places, seen) in &answer.seen {
        for &place in places {
            let heights = inputs[place].surface.as_heights();
            let reading = of_input(&answer.reading, place);
            match reader::overlay(&heights, seen, &answer.options.scheme, &reading) {
                Some(panel) => panels.push(panel),
                None => files::remark(format!(
                    "no mark was found in `{}`: not drawn",
                    inputs[place].file.display()
                )),
            }
        }
    }
    let Some(first) = panels.first() else {
        files::remark("no mark was found: no overlay written");
        return Ok(());
    };
    let (width, height) = (first.width(), panels.iter().map(Grid::height).sum());
    let mut rows = panels.iter().flat_map(|panel| (0..panel.height()).map(move |y| panel.row(y)));
    let samples = (0..height).filter_map(|_| rows.next()).flat_map(<[_]>::to_vec).collect();
    files::write(file, &surfaces::colours(&Grid::from_vec(width, height, samples))?)
}

/// The reading as far as it is about one input: with the codes of the group which that is in.
fn of_input(reading: &Reading, input: usize) -> Reading {
    let mut reading = reading.clone();
    reading.marks.retain(|mark| mark.input == input);
    if let Some(group) = reading.groups.iter().find(|group| group.inputs.contains(&input)) {
        (reading.code, reading.candidates) = (group.code.clone(), group.candidates.clone());
    }
    reading
}

/// Reads inputs that nobody sorted, under one scheme; for programs that ask without a command line.
pub(crate) fn answer_plainly(inputs: &[&Loaded], options: &ReadOptions) -> Result<Answer, Failure> {
    let observed = |(place, input): (usize, &&Loaded)| Ok((vec![place], observe(input, options)?));
    let seen: Vec<(Vec<usize>, Observation)> =
        inputs.par_iter().enumerate().map(observed).collect::<Result<_, Failure>>()?;
    let observations: Vec<Observation> = seen.iter().map(|(_, seen)| seen.clone()).collect();
    let reading = reader::fuse(&observations, options).or_exit(Exit::BadInput, "cannot read")?;
    Ok(Answer { reading, options: options.clone(), seen })
}
