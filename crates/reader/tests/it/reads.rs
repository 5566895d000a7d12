//! Marks that must read, at damage that leaves no doubt.

use reader::{Outcome, ReadOptions, read_micrograph, read_topography};
use symbology::{Mark, Scheme, geometry};

use crate::generator::{Damage, View, photograph, random_word, seeded, strike};

fn marked(seed: u64) -> (Vec<geometry::Element>, String, rand::rngs::ChaCha8Rng) {
    let (scheme, mut rng) = (Scheme::open_1(), seeded(seed));
    let word = random_word(&mut rng);
    let elements = [Mark::Characters, Mark::Gear]
        .iter()
        .flat_map(|&mark| geometry::draw(&scheme, mark, &word))
        .collect();
    (elements, scheme.text(&word), rng)
}

fn check_topography(condition: &str, seed: u64) {
    let (elements, truth, mut rng) = marked(seed);
    let view = View::upright(&mut rng);
    let surface = strike(&elements, &Damage::named(condition), &view, &mut rng);
    let reading = read_topography(&surface, &ReadOptions::new(Scheme::open_1())).unwrap();
    assert_eq!((reading.outcome, reading.code), (Outcome::Accepted, Some(truth)), "{condition} {seed}");
    let total: f64 = reading.candidates.iter().map(|candidate| candidate.posterior).sum();
    assert!((total + reading.other - 1.0).abs() < 1e-9);
}

#[test]
fn height_maps_with_ordinary_damage_are_accepted() {
    for (condition, seed) in [("level-0", 1), ("level-1", 2), ("level-2", 3), ("worn", 4)] {
        check_topography(condition, seed);
    }
}

#[test]
fn a_photograph_from_one_side_is_accepted() {
    let (elements, truth, mut rng) = marked(5);
    let damage = Damage::named("level-0");
    let surface = strike(&elements, &damage, &View::upright(&mut rng), &mut rng);
    let picture = photograph(&surface, &damage, false, &mut rng);
    let reading = read_micrograph(&picture, &ReadOptions::new(Scheme::open_1())).unwrap();
    assert_eq!(reading.code, Some(truth));
}
