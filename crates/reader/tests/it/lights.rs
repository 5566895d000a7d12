//! Photographs of one case under several lights, and photographs that are none.

use reader::{Outcome, ReadOptions, fuse, observe_lights, observe_micrograph};
use symbology::{Mark, Scheme, geometry};
use topography::Micrograph;

use crate::generator::{Damage, View, photographs, random_word, seeded, strike};

/// The lamp of an azimuth in degrees, 34 degrees up.
fn lamp(azimuth: f64) -> Vec<[f64; 3]> {
    let (sin, cos) = azimuth.to_radians().sin_cos();
    let (rise, run) = 34.0f64.to_radians().sin_cos();
    vec![[cos * run, sin * run, rise]]
}

/// A case in a fixture, which puts every mark at the same place and turn, under lamps of these azimuths.
fn in_fixture(word: &[u8], condition: &str, seed: u64, lamps: &[f64]) -> Vec<Micrograph> {
    let scheme = Scheme::open_1();
    let mut rng = seeded(seed);
    let marks = [Mark::Characters, Mark::Gear];
    let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, word)).collect();
    let damage = Damage::named(condition);
    let surface = strike(&elements, &damage, &View::default(), &mut rng);
    let shots: Vec<_> = lamps.iter().map(|&azimuth| lamp(azimuth)).collect();
    photographs(&surface, &damage, &shots, &mut rng)
}

fn options() -> ReadOptions {
    ReadOptions::new(Scheme::open_1())
}

/// Two guns in one fixture under one lamp, which a wrong build read as one view of one of them.
fn two_guns(seed: u64, condition: &str) -> Vec<Micrograph> {
    let mut rng = seeded(seed);
    let mut pictures = in_fixture(&random_word(&mut rng), condition, seed + 1, &[20.0]);
    pictures.extend(in_fixture(&random_word(&mut rng), condition, seed + 2, &[20.0]));
    pictures
}

#[test]
fn photographs_of_two_guns_in_one_fixture_are_two_guns() {
    for (seed, condition) in [(10, "level-1"), (30, "level-2")] {
        let observations: Vec<_> = two_guns(seed, condition)
            .iter()
            .map(|picture| observe_micrograph(picture, &options()).expect("it is large enough"))
            .collect();
        let reading = fuse(&observations, &options()).expect("there are observations");
        assert_eq!((reading.outcome, reading.firearms), (Outcome::Candidates, 2), "{condition} {seed}");
        assert!(reading.groups.iter().all(|group| group.outcome == Outcome::Accepted), "{condition} {seed}");
    }
}

#[test]
fn two_guns_that_were_said_to_be_lights_of_one_case_are_told_apart() {
    for (seed, condition) in [(10, "level-1"), (30, "level-2")] {
        let pictures = two_guns(seed, condition);
        let pictures: Vec<&Micrograph> = pictures.iter().collect();
        let views = observe_lights(&pictures, &options()).expect("the pictures are large enough");
        let observations: Vec<_> = views.into_iter().map(|(_, seen)| seen.of_case(Some(0))).collect();
        let reading = fuse(&observations, &options()).expect("there are observations");
        assert_ne!(reading.outcome, Outcome::Accepted, "{condition} {seed}");
        assert_eq!((observations.len(), reading.firearms), (2, 2), "{condition} {seed}");
    }
}

#[test]
fn lights_of_one_case_make_one_relief() {
    let word = random_word(&mut seeded(4));
    let pictures = in_fixture(&word, "level-2", 90, &[20.0, 110.0]);
    let pictures: Vec<&Micrograph> = pictures.iter().collect();
    let views = observe_lights(&pictures, &options()).expect("the pictures are large enough");
    assert_eq!(views.len(), 1);
    let reading = fuse(&[views[0].1.clone()], &options()).expect("there is an observation");
    assert_eq!(reading.code, Some(Scheme::open_1().text(&word)));
}
