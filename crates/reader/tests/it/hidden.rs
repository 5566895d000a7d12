//! "No mark" is said only where one would have been seen. *Simulation.*

use reader::{Outcome, ReadOptions, Reading, read_micrograph, read_topography};
use symbology::{Mark, Scheme, geometry};

use crate::generator::{Damage, View, photograph, random_word, seeded, strike};

/// A bare surface or a marked one under one lamp or a ring light.
fn pictured(condition: &str, (marked, ring): (bool, bool), seed: u64) -> Reading {
    let (scheme, mut rng) = (Scheme::open_1(), seeded(seed));
    let damage = Damage::named(condition);
    let word = random_word(&mut rng);
    let marks = [Mark::Characters, Mark::Gear];
    let drawn = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word));
    let elements = if marked { drawn.collect() } else { Vec::new() };
    let view = View::anyhow(&mut rng);
    let surface = strike(&elements, &damage, &view, &mut rng);
    let picture = photograph(&surface, &damage, ring, &mut rng);
    read_micrograph(&picture, &ReadOptions::new(scheme)).expect("a picture of this size is read")
}

#[test]
fn a_clean_picture_of_a_bare_surface_has_no_mark() {
    for seed in [61_000, 61_001] {
        let reading = pictured("level-1", (false, false), seed);
        assert_eq!((reading.outcome, reading.firearms), (Outcome::NoMark, 0), "{seed}");
        assert!(reading.sensitivity.is_some_and(|seen| seen >= 0.5), "{seed}: {:?}", reading.sensitivity);
    }
}

#[test]
fn a_picture_that_would_show_no_ruined_mark_is_not_said_to_have_none() {
    let reading = pictured("level-3", (false, true), 61_010);
    assert_eq!((reading.outcome, reading.firearms), (Outcome::Unreadable, 0));
    assert!(reading.sensitivity.is_some_and(|seen| seen < 0.5), "{:?}", reading.sensitivity);
    assert!(reading.warnings.iter().any(|told| told.contains("may lie hidden")), "{:?}", reading.warnings);
    assert_eq!((reading.code, reading.symbols.len()), (None, 0));
}

#[test]
fn a_ruined_mark_that_is_not_seen_is_not_denied() {
    for seed in [61_020, 61_021] {
        let reading = pictured("level-4", (true, false), seed);
        assert_ne!(reading.outcome, Outcome::NoMark, "{seed}: {:?}", reading.sensitivity);
    }
}

#[test]
fn a_smooth_height_map_of_a_bare_bowl_has_no_mark_and_a_coarse_one_may_hide_one() {
    let read = |rough: f64| {
        let mut rng = seeded(61_030);
        let damage = Damage { rough, ..Damage::named("level-1") };
        let surface = strike(&[], &damage, &View::upright(&mut rng), &mut rng);
        read_topography(&surface, &ReadOptions::new(Scheme::open_1())).expect("it is large enough")
    };
    let clean = read(0.4);
    assert_eq!((clean.outcome, clean.sensitivity), (Outcome::NoMark, Some(1.0)));
    let coarse = read(12.0);
    assert_eq!((coarse.outcome, coarse.firearms), (Outcome::Unreadable, 0), "{:?}", coarse.sensitivity);
}

/// At level 4 most characters by themselves are not found; a height map that hides them does not show that there are none.
#[test]
fn ruined_characters_on_a_height_map_are_not_denied() {
    for seed in 61_040..61_044 {
        let (scheme, mut rng) = (Scheme::open_1(), seeded(seed));
        let drawn = geometry::draw(&scheme, Mark::Characters, &random_word(&mut rng));
        let view = View::anyhow(&mut rng);
        let surface = strike(&drawn, &Damage::named("level-4"), &view, &mut rng);
        let options = ReadOptions { marks: vec![Mark::Characters], ..ReadOptions::new(scheme) };
        let reading = read_topography(&surface, &options).expect("it is large enough");
        assert_ne!(reading.outcome, Outcome::NoMark, "{seed}: {:?}", reading.sensitivity);
    }
}
