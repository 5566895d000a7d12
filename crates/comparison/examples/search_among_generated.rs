//! Measures the search: real scans of known origin among generated ones, each real scan asked once.
//!
//! ```text
//! cargo run --release -p comparison --example search_among_generated -- ../shared/realdata/csafe-fadul 100000 features.bin [as-is|turn|half] [registered] [compared]
//! ```
//!
//! The folder holds X3P files and a `ground_truth.csv` whose first two columns are the file and its firearm. `turn` turns
//! every query by a random angle, `half` masks half of its area away. The feature file is kept and used again.

#![allow(clippy::print_stdout, reason = "an example prints what it finds")]

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use comparison::search::{self, Features, Firearm, Model, Origin, Query, Stages, Store};
use comparison::{Preset, Surface, prepare};
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use rayon::prelude::*;
use topography::{Grid, Topography};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, file, rest @ ..] = &arguments[..] else {
        return Err("give a folder, a count and a feature file".into());
    };
    let condition = rest.first().map_or("", String::as_str);
    let preset = Preset::named("microstamp-1")?;
    let real = real(Path::new(folder))?;
    let count: usize = count.parse()?;
    let bytes = store(Path::new(file), &real, count, &preset)?;
    let number = |at: usize, or: usize| rest.get(at).map_or(Ok(or), |text| text.parse());
    let stages = Stages {
        registered: number(1, Stages::default().registered)?,
        compared: number(2, Stages::default().compared)?,
    };
    let store = Store::open(&bytes)?;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut top, mut missing_5, mut missing_10, mut worst) = (0, 0, 0, 0.0_f64);
    for (own, (scan, firearm)) in real.iter().enumerate() {
        let scan = match condition {
            "turn" => turned(scan, rng.random::<f64>() * std::f64::consts::TAU),
            "half" => halved(scan, rng.random::<f64>() * std::f64::consts::TAU),
            _ => scan.clone(),
        };
        let start = Instant::now();
        let surface = prepare(&scan, &preset)?;
        let query = Query::new(&surface)?;
        let ready = start.elapsed().as_secs_f64();
        let found = search::search(&query, &store, &|record| record != own, stages)?;
        let seconds = start.elapsed().as_secs_f64();
        worst = worst.max(seconds);
        let place = |other: usize| found.leads.iter().position(|lead| lead.record == other).map(|p| p + 1);
        let same: Vec<usize> =
            (0..real.len()).filter(|&other| other != own && &real[other].1 == firearm).collect();
        let places: Vec<Option<usize>> = same.iter().map(|&other| place(other)).collect();
        let within = |bound: usize| places.iter().all(|p| p.is_some_and(|p| p <= bound));
        top += usize::from(within(same.len()));
        missing_5 += usize::from(!within(5));
        missing_10 += usize::from(!within(10));
        let best_other = found.leads.iter().find(|lead| !same.contains(&lead.record));
        let scores: Vec<String> = found
            .leads
            .iter()
            .filter(|lead| same.contains(&lead.record))
            .map(|lead| format!("{:.3}/{:.1}/{:.2}", lead.code, lead.strength, lead.comparison.score))
            .collect();
        let other = best_other
            .map(|l| format!("{} {:.3}/{:.1}/{:.2}", l.record, l.code, l.strength, l.comparison.score));
        println!(
            "{own} of {firearm}: places {places:?} [{}] other {other:?} {ready:.2} {seconds:.2} s",
            scores.join(" ")
        );
    }
    println!(
        "{} records, {} queries {condition}: all same-source first for {top}, not within 5 for {missing_5}, not within 10 for {missing_10}; slowest {worst:.2} s",
        store.len(),
        real.len()
    );
    Ok(())
}

fn real(folder: &Path) -> Result<Vec<(Topography, String)>, Box<dyn Error>> {
    let mut scans = Vec::new();
    for row in csv::Reader::from_path(folder.join("ground_truth.csv"))?.records() {
        let row = row?;
        let bytes = std::fs::read(folder.join(&row[0]))?;
        scans.push((
            topography::x3p::read(&bytes, &topography::Limits::default())?.topography,
            row[1].to_owned(),
        ));
    }
    Ok(scans)
}

/// Real scans first, then generated ones of a hundred models; a file that is there is gone on with.
fn store(
    file: &Path,
    real: &[(Topography, String)],
    count: usize,
    preset: &Preset,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = std::fs::read(file).unwrap_or_default();
    if bytes.is_empty() {
        bytes = search::header(preset);
        for (scan, _) in real {
            let surface: Surface = prepare(scan, preset)?;
            bytes.extend(Features::of(&surface, Origin::Real).bytes());
        }
        std::fs::write(file, &bytes)?;
    }
    let models: Vec<Model> =
        (0..100).map(|m| Model::draw(&mut ChaCha8Rng::seed_from_u64(m as u64))).collect();
    let start = Instant::now();
    let first = Store::open(&bytes)?.len();
    let missing: Vec<usize> = (first..count).collect();
    for batch in missing.chunks(256) {
        let made: Vec<Features> = batch
            .par_iter()
            .map(|&i| {
                let mut rng = ChaCha8Rng::seed_from_u64(1000 + i as u64);
                Firearm::draw(&models[i % 100], &mut rng).features(&mut rng)
            })
            .collect();
        let made: Vec<u8> = made.iter().flat_map(Features::bytes).copied().collect();
        std::fs::OpenOptions::new().append(true).open(file)?.write_all(&made)?;
        bytes.extend(made);
    }
    println!("{} generated in {:.1} s", missing.len(), start.elapsed().as_secs_f64());
    Ok(bytes)
}

/// Turned about its middle, nearest sample.
fn turned(scan: &Topography, turn: f64) -> Topography {
    let (width, height) = (scan.heights.width() as f64, scan.heights.height() as f64);
    let edge = width.hypot(height).ceil() as usize;
    let (sin, cos) = turn.sin_cos();
    let heights = Grid::from_fn(edge, edge, |x, y| {
        let (u, v) = (x as f64 - 0.5 * edge as f64, y as f64 - 0.5 * edge as f64);
        let (x, y) = (cos * u + sin * v + 0.5 * width, cos * v - sin * u + 0.5 * height);
        let inside = x >= 0.0 && y >= 0.0 && x < width && y < height;
        if inside { *scan.heights.get(x as usize, y as usize).unwrap_or(&f64::NAN) } else { f64::NAN }
    });
    Topography { heights, pitch: scan.pitch }
}

/// Half of the measured points masked away, on one side of a line in a random direction.
fn halved(scan: &Topography, turn: f64) -> Topography {
    let (sin, cos) = turn.sin_cos();
    let width = scan.heights.width();
    let side = |i: usize| cos * (i % width) as f64 + sin * (i / width) as f64;
    let samples = scan.heights.samples();
    let mut sides: Vec<f64> = (0..samples.len()).filter(|&i| samples[i].is_finite()).map(side).collect();
    sides.sort_by(f64::total_cmp);
    let middle = sides[sides.len() / 2];
    let heights = Grid::from_fn(width, scan.heights.height(), |x, y| {
        let i = y * width + x;
        if side(i) > middle { samples[i] } else { f64::NAN }
    });
    Topography { heights, pitch: scan.pitch }
}
