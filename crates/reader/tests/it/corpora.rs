//! Folders of cases with their truth, and a folder of things that must not read. Pictures are made from what the folders
//! say. *Simulation.*
//!
//! One case of every folder, or all with `MICROSTAMP_EVERY=1 cargo test -p reader --test it corpora -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a failed test should panic where it fails")]

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use rand::{Rng, RngExt as _};
use reader::{Outcome, ReadOptions, Reading, fuse, observe_lights, observe_topography};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use symbology::geometry::{self, Element, GlyphSize, Point};
use symbology::{Mark, Scheme};
use topography::{Micrograph, Topography};

use crate::generator::{Damage, View, four_lights, photograph, random_word, seeded, strike};

/// A folder of marks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    generator: String,
    instrument: String,
    condition: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    seed: u64,
    code: String,
}

/// A folder of things that carry no mark of ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    draws: String,
    instrument: String,
    condition: String,
    seeds: Vec<u64>,
    no_mark: bool,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpora")
}

fn folders<T: DeserializeOwned>(of: &str) -> BTreeMap<String, T> {
    let read = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("corpus.toml")).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    };
    let entries = std::fs::read_dir(root().join(of)).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path))).collect()
}

/// Whether all cases are read, or the first of each folder.
fn every() -> bool {
    std::env::var_os("MICROSTAMP_EVERY").is_some()
}

#[test]
fn corpora_of_marks_reach_their_pass_marks_and_are_never_wrong() {
    let text = std::fs::read_to_string(root().join("pass-marks.toml")).unwrap();
    let pass_marks: BTreeMap<String, usize> = toml::from_str(&text).unwrap();
    let folders: BTreeMap<String, Marks> = folders("marks");
    assert!(
        pass_marks.keys().eq(folders.keys()),
        "every folder has its pass mark, and every pass mark its folder"
    );
    let mut short = Vec::new();
    for (name, folder) in &folders {
        assert_eq!(folder.generator, "rough", "{name}");
        let taken = if every() { folder.cases.len() } else { 1 };
        let accepted = folder.cases.iter().take(taken).filter(|case| accepted(folder, case)).count();
        println!(
            "{name}: {accepted} of {taken} accepted, at least {} of {}",
            pass_marks[name],
            folder.cases.len()
        );
        // One case must be accepted where all must be.
        let enough = if every() { pass_marks[name] } else { pass_marks[name] / folder.cases.len() };
        if accepted < enough {
            short.push(name);
        }
    }
    assert!(short.is_empty(), "fewer accepted than their pass marks say: {short:?}");
}

/// Whether a case is accepted; a wrong code fails.
fn accepted(folder: &Marks, case: &Case) -> bool {
    let scheme = Scheme::open_1();
    let word = scheme.word(&case.code).unwrap();
    let marks = [Mark::Characters, Mark::Gear];
    let elements: Vec<Element> =
        marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect();
    let reading = read(&elements, &folder.condition, &folder.instrument, case.seed);
    let code = scheme.text(&word);
    assert!(reading.code.as_ref().is_none_or(|read| *read == code), "{} read as {:?}", code, reading.code);
    reading.outcome == Outcome::Accepted
}

#[test]
fn corpora_of_nothing_are_never_read() {
    for (name, folder) in folders::<Nothing>("nothing") {
        let taken = if every() { folder.seeds.len() } else { 1 };
        let mut told = 0;
        for &seed in folder.seeds.iter().take(taken) {
            let elements = drawn(&folder.draws, &mut seeded(seed));
            let reading = read(&elements, &folder.condition, &folder.instrument, seed);
            assert!(reading.code.is_none(), "{name} {seed} was read as {:?}", reading.code);
            assert!(
                !folder.no_mark || reading.outcome == Outcome::NoMark,
                "{name} {seed}: {:?}",
                reading.outcome
            );
            told += usize::from(reading.outcome == Outcome::NoMark);
        }
        println!("{name}: {told} of {taken} no mark, none read");
    }
}

fn read(elements: &[Element], condition: &str, instrument: &str, seed: u64) -> Reading {
    let options = ReadOptions::new(Scheme::open_1());
    let mut rng = seeded(seed);
    let damage = Damage::named(condition);
    let surface: Topography = strike(elements, &damage, &View::anyhow(&mut rng), &mut rng);
    let pictures: Vec<Micrograph> = match instrument {
        "heights" => return fuse(&[observe_topography(&surface, &options).unwrap()], &options).unwrap(),
        "one-lamp" => vec![photograph(&surface, &damage, false, &mut rng)],
        "ring-light" => vec![photograph(&surface, &damage, true, &mut rng)],
        "four-lamps" => four_lights(&surface, &damage, &mut rng),
        other => panic!("no instrument is called {other}"),
    };
    let pictures: Vec<&Micrograph> = pictures.iter().collect();
    let seen: Vec<_> =
        observe_lights(&pictures, &options).unwrap().into_iter().map(|(_, seen)| seen).collect();
    fuse(&seen, &options).unwrap()
}

/// Things that are not marks of the scheme, in modules.
fn drawn(what: &str, rng: &mut impl Rng) -> Vec<Element> {
    match what {
        "unmarked" | "noise" => Vec::new(),
        "scratches" => (0..30).map(|_| scratch(rng)).collect(),
        "serial" => lines(&["SN482", "13377"], 5.5, rng),
        "text" => lines(&["MADE", "BY HAND", "IN 1911"], 3.5, rng),
        "headstamp" => around("9MM LUGER 24 NATO ", 16.0),
        "plain-8" => geometry::draw(&Scheme::plain_8(), Mark::Characters, &[5, 17, 3, 30, 8, 21, 11, 35]),
        "other-ring" => ring(rng.random_range(28..40), rng),
        "dots" => geometry::draw(&Scheme::open_1(), Mark::Dots, &random_word(rng)),
        other => panic!("nothing is called {other}"),
    }
}

fn scratch(rng: &mut impl Rng) -> Element {
    let mut end = || Point { x: rng.random_range(-22.0..22.0), y: rng.random_range(-22.0..22.0) };
    Element::Stroke { points: vec![end(), end()], width: 0.8 }
}

/// Lines of characters of some height about the middle.
fn lines(text: &[&str], height: f64, rng: &mut impl Rng) -> Vec<Element> {
    let size = GlyphSize { width: 0.62 * height, height, pen: 0.16 * height };
    let lean = rng.random_range(-0.1..0.1);
    let mut drawn = Vec::new();
    for (row, line) in text.iter().enumerate() {
        let y = (row as f64 - (text.len() - 1) as f64 / 2.0) * 1.35 * height;
        for (column, letter) in line.chars().enumerate() {
            let x = (column as f64 - (line.len() - 1) as f64 / 2.0) * 0.8 * height;
            drawn.extend(placed(letter, size, (Point { x, y }, lean)));
        }
    }
    drawn
}

/// Characters around a circle, as on the head of a case.
fn around(text: &str, radius: f64) -> Vec<Element> {
    let size = GlyphSize { width: 3.2, height: 5.0, pen: 0.8 };
    let step = TAU / text.len() as f64;
    let at = |k: usize| {
        let angle = k as f64 * step;
        (Point { x: radius * angle.sin(), y: -radius * angle.cos() }, angle)
    };
    text.chars().enumerate().flat_map(|(k, letter)| placed(letter, size, at(k))).collect()
}

/// A character turned about its middle and moved.
fn placed(letter: char, size: GlyphSize, (to, turn): (Point, f64)) -> Vec<Element> {
    let (sin, cos) = turn.sin_cos();
    let moved = |point: &Point| Point {
        x: to.x + cos * point.x - sin * point.y,
        y: to.y + sin * point.x + cos * point.y,
    };
    geometry::glyph(letter, size)
        .unwrap_or_default()
        .into_iter()
        .map(|element| match element {
            Element::Stroke { points, width } => {
                Element::Stroke { points: points.iter().map(moved).collect(), width }
            }
            other => other,
        })
        .collect()
}

/// A ring of another scheme: other cells, teeth outward or inward.
fn ring(cells: usize, rng: &mut impl Rng) -> Vec<Element> {
    let step = TAU / cells as f64;
    let cell = |k: usize| {
        let (inner, outer) = if rng.random_bool(0.5) { (18.6, 21.0) } else { (16.2, 18.6) };
        let from = k as f64 * step;
        Element::Sector { inner, outer, from, to: from + 0.8 * step }
    };
    (0..cells).map(cell).collect()
}
