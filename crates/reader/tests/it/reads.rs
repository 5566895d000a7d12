//! Marks that must read, at damage that leaves no doubt.

use reader::{
    Outcome, ReadOptions, Reading, fuse, observe_lights, observe_topography, read_micrograph, read_topography,
};
use symbology::{Mark, Scheme, geometry};

use crate::generator::{Damage, View, four_lights, photograph, random_word, seeded, strike};

/// Reads `count` marks of a condition; none may be wrong, and all but `spared` must be accepted.
fn check(condition: &str, (count, spared): (u64, usize), from_one_side: bool) {
    let scheme = Scheme::open_1();
    let options = ReadOptions::new(scheme.clone());
    let mut accepted = 0;
    for seed in 0..count {
        let mut rng = seeded(500 + seed);
        let word = random_word(&mut rng);
        let marks = [Mark::Characters, Mark::Gear];
        let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect();
        let damage = Damage::named(condition);
        let surface = strike(&elements, &damage, &View::upright(&mut rng), &mut rng);
        let reading: Reading = if from_one_side {
            read_micrograph(&photograph(&surface, &damage, false, &mut rng), &options)
        } else {
            read_topography(&surface, &options)
        }
        .expect("a surface of this size is read");
        let total: f64 = reading.candidates.iter().map(|candidate| candidate.posterior).sum();
        assert!((total + reading.other - 1.0).abs() < 1e-9);
        accepted += usize::from(reading.outcome == Outcome::Accepted);
        assert!(reading.code.is_none_or(|code| code == scheme.text(&word)), "{condition} {seed} is wrong");
    }
    assert!(accepted + spared >= count as usize, "{condition}: only {accepted} of {count} were accepted");
}

#[test]
fn height_maps_are_accepted() {
    check("level-0", (2, 0), false);
    check("level-1", (2, 1), false);
}

#[test]
fn photographs_from_one_side_are_accepted() {
    check("level-0", (2, 1), true);
}

#[test]
fn a_foreign_case_that_can_be_read_too_is_told_and_nothing_is_preferred() {
    let scheme = Scheme::open_1();
    let options = ReadOptions::new(scheme.clone());
    let damage = Damage::named("level-3");
    let mut rng = seeded(900);
    let (ours, theirs) = (random_word(&mut rng), random_word(&mut rng));
    let observations: Vec<_> = [&ours, &ours, &theirs]
        .into_iter()
        .map(|word| {
            let marks = [Mark::Characters, Mark::Gear];
            let elements: Vec<_> =
                marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, word)).collect();
            let surface = strike(&elements, &damage, &View::anyhow(&mut rng), &mut rng);
            observe_topography(&surface, &options).expect("a surface of this size is read")
        })
        .collect();
    let reading = fuse(&observations, &options).expect("three observations are fused");
    assert_eq!((reading.outcome, reading.code), (Outcome::Candidates, None));
    assert_eq!((reading.left_out, reading.firearms), (vec![2], 2));
    let groups: Vec<_> = reading.groups.into_iter().map(|group| (group.inputs, group.code)).collect();
    assert_eq!(groups, [(vec![0, 1], Some(scheme.text(&ours))), (vec![2], Some(scheme.text(&theirs)))]);
}

#[test]
fn one_case_each_of_two_guns_is_never_accepted_whatever_the_order() {
    let scheme = Scheme::open_1();
    let options = ReadOptions::new(scheme.clone());
    let damage = Damage::named("level-1");
    let mut rng = seeded(910);
    let words = [random_word(&mut rng), random_word(&mut rng)];
    let mut observations: Vec<_> = words
        .iter()
        .map(|word| {
            let marks = [Mark::Characters, Mark::Gear];
            let elements: Vec<_> =
                marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, word)).collect();
            let surface = strike(&elements, &damage, &View::upright(&mut rng), &mut rng);
            observe_topography(&surface, &options).expect("a surface of this size is read")
        })
        .collect();
    for _ in 0..2 {
        let reading = fuse(&observations, &options).expect("there are observations");
        assert_eq!((reading.outcome, reading.firearms, reading.code), (Outcome::Candidates, 2, None));
        observations.reverse();
    }
}

/// Photographs of two cases, `lights` of each, all together.
fn two_cases(condition: &str, seed: u64) -> (Vec<topography::Micrograph>, [String; 2]) {
    let scheme = Scheme::open_1();
    let mut rng = seeded(seed);
    let mut pictures = Vec::new();
    let mut codes = Vec::new();
    for _ in 0..2 {
        let word = random_word(&mut rng);
        let marks = [Mark::Characters, Mark::Gear];
        let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect();
        let damage = Damage::named(condition);
        let surface = strike(&elements, &damage, &View::anyhow(&mut rng), &mut rng);
        pictures.extend(four_lights(&surface, &damage, &mut rng));
        codes.push(scheme.text(&word));
    }
    (pictures, codes.try_into().expect("there are two"))
}

#[test]
fn four_lights_of_a_case_are_read_as_one_relief() {
    let options = ReadOptions::new(Scheme::open_1());
    let (pictures, codes) = two_cases("level-3", 920);
    let pictures: Vec<_> = pictures.iter().collect();
    for (lights, code) in pictures.chunks(4).zip(codes) {
        let views = observe_lights(lights, &options).expect("the pictures are large enough");
        let inputs: Vec<_> = views.iter().map(|(inputs, _)| inputs.clone()).collect();
        assert_eq!(inputs, [vec![0, 1, 2, 3]]);
        let reading = fuse(&[views[0].1.clone()], &options).expect("there is an observation");
        assert_eq!(reading.code, Some(code));
    }
}
