//! Marks by themselves: those without a gear ring are found by what is drawn whatever the code. *Simulation.*

use reader::{Outcome, ReadOptions, Reading, read_topography};
use symbology::{Mark, Scheme, geometry};

use crate::generator::{Damage, View, random_word, seeded, strike};

/// A mark at level 0 at any turn, from either side, in or out of the surface; where it lies is drawn from the seed.
fn check(mark: Mark, module_um: f64, seed: u64) {
    let scheme = Scheme::open_1();
    let mut rng = seeded(seed);
    let word = random_word(&mut rng);
    let anyhow = View::anyhow(&mut rng);
    let view =
        if module_um < 30.0 { anyhow } else { View { pitch_um: 8.0, module_um, rim_um: 300.0, ..anyhow } };
    let damage = Damage::named("level-0");
    let surface = strike(&geometry::draw(&scheme, mark, &word), &damage, &view, &mut rng);
    let options = ReadOptions { marks: vec![mark], ..ReadOptions::new(scheme.clone()) };
    let reading: Reading = read_topography(&surface, &options).expect("a surface of this size is read");
    assert_eq!(reading.code, Some(scheme.text(&word)), "{mark} {seed}: {:?}", reading.outcome);
    assert_eq!(reading.outcome, Outcome::Accepted);
    assert_eq!(reading.marks[0].mirrored, view.mirrored, "{mark} {seed}");
}

#[test]
fn dots_are_read_at_any_turn() {
    (0..4).for_each(|seed| check(Mark::Dots, 60.0, 7_100 + seed));
}

#[test]
fn bars_are_read_at_any_turn() {
    (0..3).for_each(|seed| check(Mark::Radial, 60.0, 7_200 + seed));
}

#[test]
fn a_data_matrix_is_read_by_itself() {
    (0..4).for_each(|seed| check(Mark::Matrix, 19.0, 7_300 + seed));
}
