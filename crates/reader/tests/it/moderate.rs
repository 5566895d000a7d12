//! Two hundred cases at moderate damage from the simulator, which shares no code with the reader: a wrong code is never
//! accepted, and the share accepted is printed. Everything here is *simulation*.

#![allow(clippy::unwrap_used, reason = "a failed test should panic where it fails")]

use impression::instrument::{Confocal, Light, confocal, oblique};
use impression::{Ammunition, Conditions, Firearm};
use marking::{Form, LayoutOptions, Relief, View};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use rayon::prelude::*;
use reader::{Outcome, ReadOptions, Reading, read_micrograph, read_topography};
use symbology::{ALPHABET, Code, Mark, Scheme};
use topography::{Angle, Length, Topography};

const CASES: u64 = 200;

/// One case: its true code and what was read.
struct Case {
    truth: String,
    reading: Reading,
}

#[test]
fn no_wrong_code_is_accepted_at_moderate_damage() {
    let cases: Vec<Case> = (0..CASES).into_par_iter().map(fire_and_read).collect();
    let accepted = cases.iter().filter(|case| case.reading.outcome == Outcome::Accepted).count();
    let first = cases
        .iter()
        .filter(|case| case.reading.candidates.first().is_some_and(|best| best.code == case.truth));
    println!("level-2, {CASES} cases (simulation): {accepted} accepted, {} right first", first.count());
    for (seed, case) in cases.iter().enumerate() {
        let code = case.reading.code.as_ref();
        assert!(
            code.is_none_or(|code| *code == case.truth),
            "case {seed}: {code:?} instead of {}",
            case.truth
        );
    }
    assert!(accepted as u64 * 2 > CASES, "only {accepted} of {CASES} were accepted");
}

/// Even seeds are measured by a confocal microscope, odd ones photographed under one lamp.
fn fire_and_read(seed: u64) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(40_000 + seed);
    let (truth, tool) = tool(&mut rng);
    let mut shot = Conditions::preset("level-2").unwrap();
    shot.set("turn", "180deg").unwrap();
    let struck =
        impression::strike(&tool, &Firearm::default(), &Ammunition::default(), &shot, None, &mut rng)
            .unwrap();
    let options = ReadOptions::new(Scheme::open_1());
    let reading = if seed.is_multiple_of(2) {
        read_topography(&confocal(&struck.surface, &Confocal::under(&shot), &mut rng), &options)
    } else {
        let azimuth = Angle::degrees(rng.random_range(-180.0..180.0));
        let lamp = Light::under(&shot).from(azimuth, Angle::degrees(32.0));
        read_micrograph(&oblique(&struck.surface, &lamp, &mut rng), &options)
    };
    Case { truth, reading: reading.unwrap() }
}

fn tool(rng: &mut ChaCha8Rng) -> (String, Topography) {
    let payload: String =
        (0..6).map(|_| char::from(ALPHABET.as_bytes()[rng.random_range(0..ALPHABET.len())])).collect();
    let code: Code = payload.parse().unwrap();
    let marks = [Mark::Characters, Mark::Gear];
    let tip = "hemispherical:1.7mm".parse().unwrap();
    let placed =
        marking::lay_out(&Scheme::open_1(), &code.to_string(), &marks, &tip, &LayoutOptions::default())
            .unwrap();
    let tool =
        marking::height_map(&placed, Length::um(2.0), Relief::Raised, View::Tool, Form::Without).unwrap();
    (code.to_string(), tool)
}
