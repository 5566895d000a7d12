//! One question: the inputs that are read together, and the schemes that they are read under.

use std::path::Path;

use reader::{Observation, Outcome, ReadOptions, Reading};
use symbology::Scheme;
use topography::Micrograph;

use crate::commands::read::Read;
use crate::commands::scheme;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::surfaces::{self, Loaded, Surface};

/// The schemes to read under: one by name, or all that are built in.
pub(crate) fn schemes(name: &str) -> Result<Vec<Scheme>, Failure> {
    if name == "auto" {
        return Ok(vec![Scheme::open_1(), Scheme::round_1(), Scheme::plain_8()]);
    }
    Ok(vec![scheme::named(name)?])
}

/// Reads one question under each scheme in turn; the first that is accepted ends it, else the one that says most.
pub(crate) fn answer(question: &[Loaded], schemes: &[Scheme], arguments: &Read) -> Result<Reading, Failure> {
    let mut best: Option<Reading> = None;
    for scheme in schemes {
        let mut options = ReadOptions { bound: arguments.bound, ..ReadOptions::new(scheme.clone()) };
        options.module = arguments.module;
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

/// Reads inputs as one question. Photographs that show one case through one microscope under several lights make one
/// observation; the reading names the first of them.
fn read_one(question: &[Loaded], options: &ReadOptions) -> Result<Reading, Failure> {
    let mut inputs: Vec<Vec<usize>> = Vec::new();
    let mut observations: Vec<Observation> = Vec::new();
    let mut pictures: Vec<(usize, &Micrograph)> = Vec::new();
    for (place, input) in question.iter().enumerate() {
        match &input.surface {
            Surface::Picture(picture) if question.len() > 1 => pictures.push((place, picture)),
            _ => {
                inputs.push(vec![place]);
                observations.push(observe(input, options)?);
            }
        }
    }
    let alone: Vec<&Micrograph> = pictures.iter().map(|(_, picture)| *picture).collect();
    let views = reader::observe_pictures(&alone, options).or_exit(Exit::BadInput, "cannot read")?;
    for (view, observation) in views {
        inputs.push(view.into_iter().map(|k| pictures[k].0).collect());
        observations.push(observation);
    }
    let reading = reader::fuse(&observations, options).or_exit(Exit::BadInput, "cannot read")?;
    Ok(named(reading, &inputs))
}

/// Puts the places of the inputs where a reading has those of its observations.
fn named(mut reading: Reading, inputs: &[Vec<usize>]) -> Reading {
    for mark in &mut reading.marks {
        mark.input = inputs[mark.input][0];
    }
    reading.left_out = reading.left_out.iter().flat_map(|&k| inputs[k].clone()).collect();
    reading.left_out.sort_unstable();
    for view in inputs.iter().filter(|view| view.len() > 1) {
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

/// Writes the picture of what was found in one input, or says that there is nothing to draw.
pub(crate) fn draw_overlay(input: &Loaded, reading: &Reading, file: &Path) -> Result<(), Failure> {
    let scheme = scheme::named(&reading.scheme).unwrap_or_else(|_| Scheme::open_1());
    let options = ReadOptions::new(scheme);
    let seen = observe(input, &options)?;
    let Some(colours) = reader::overlay(&input.surface.as_heights(), &seen, &options.scheme, reading) else {
        files::remark(format!("no mark was found in `{}`: no overlay written", input.file.display()));
        return Ok(());
    };
    files::write(file, &surfaces::colours(&colours)?)
}
