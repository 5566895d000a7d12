//! Each condition changes what it says it changes, by the amount it says.

use impression::{Ammunition, Conditions, Firearm, Strike, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::Topography;

use crate::mark::{UPRIGHT, bench, block, centroid, with};

/// A pristine shot that lies as nominal, without texture, with some settings changed.
fn clean(settings: &[(&str, &str)]) -> Conditions {
    let mut all = UPRIGHT.to_vec();
    all.extend([("roughness", "0um"), ("machining", "0um")]);
    all.extend(settings);
    with("level-0", &all)
}

fn differences<'a>(a: &'a Topography, b: &'a Topography) -> impl Iterator<Item = f64> + 'a {
    a.heights.samples().iter().zip(b.heights.samples()).map(|(a, b)| a - b)
}

fn deviation(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn volume(struck: &Strike) -> f64 {
    struck.truth.mark.heights.samples().iter().map(|height| height.abs()).sum()
}

fn deepest(struck: &Strike) -> f64 {
    struck.truth.mark.heights.samples().iter().fold(0.0f64, |most, height| most.max(-height))
}

fn steepest(struck: &Strike) -> f64 {
    let heights = &struck.truth.mark.heights;
    (0..heights.height())
        .flat_map(|y| heights.row(y).windows(2).map(|pair| (pair[1] - pair[0]).abs()))
        .fold(0.0, f64::max)
}

#[test]
fn textures_have_the_deviation_that_is_asked_for() {
    let tool = block(25.0, (0.0, 0.0), 30.0);
    for (setting, value) in [("roughness", 1.5), ("machining", 0.7), ("drag-striae", 0.8)] {
        for seed in 0..4 {
            let plain = bench(&tool, &clean(&[]), seed);
            let textured = bench(&tool, &clean(&[(setting, &format!("{value}um"))]), seed);
            let found = deviation(differences(&textured.surface, &plain.surface));
            assert!((found / value - 1.0).abs() < 0.15, "{setting} of {value} µm came out as {found}");
        }
    }
}

#[test]
fn one_condition_leaves_the_chances_of_the_others_alone() {
    let tool = super::tool::pin();
    let base = with("level-3", &[("depth", "0um")]);
    let plain = bench(tool, &base, 5);
    for (setting, value) in
        [("drag", "34um"), ("double", "30um"), ("missing", "0.3"), ("wear", "0.8"), ("tilt", "0.9")]
    {
        let mut changed = base.clone();
        changed.set(setting, value).expect("it is a parameter");
        // Without depth none of these can be seen; texture and bowl stay as they are.
        let other = bench(tool, &changed, 5);
        let most = differences(&plain.surface, &other.surface).fold(0.0f64, |most, d| most.max(d.abs()));
        assert!(most < 1e-4, "{setting} moved the surface by {most} µm");
    }
}

#[test]
fn drag_carries_the_mark_along_by_its_length() {
    let tool = block(25.0, (40.0, 20.0), 60.0);
    for seed in 0..5 {
        for length in [6.0, 15.0, 34.0] {
            let still = centroid(&bench(&tool, &clean(&[]), seed).truth.mark);
            let struck = bench(&tool, &clean(&[("drag", &format!("{length}um"))]), seed);
            let (moved, (_, direction)) = (centroid(&struck.truth.mark), struck.truth.drag);
            let expected = (length * direction.to_radians().cos(), length * direction.to_radians().sin());
            let found = (moved.0 - still.0, moved.1 - still.1);
            let off = (found.0 - expected.0).hypot(found.1 - expected.1);
            // The causal kernel on whole samples lags by less than one sample.
            assert!(off < 2.1, "{found:?} instead of {expected:?}");
            assert!((volume(&struck) / volume(&bench(&tool, &clean(&[]), seed)) - 1.0).abs() < 0.02);
        }
    }
}

#[test]
fn a_double_strike_adds_a_flatter_copy_at_its_offset() {
    let tool = block(25.0, (0.0, 0.0), 20.0);
    for seed in 0..5 {
        let single = bench(&tool, &clean(&[]), seed);
        let double = bench(&tool, &clean(&[("double", "100um"), ("double-turn", "0deg")]), seed);
        let first = double.truth.first_strike.expect("it was struck twice");
        let distance = first.x.to_um().hypot(first.y.to_um());
        assert!((80.0..=120.0).contains(&distance));
        let extra: Vec<f64> = differences(&double.truth.mark, &single.truth.mark).collect();
        let middle = double.truth.mark.heights.width() as f64 * 0.5 - 0.5;
        let index = |offset: f64| (offset / 2.0 + middle).round() as usize;
        let width = double.truth.mark.heights.width();
        let at_copy = extra[index(first.y.to_um()) * width + index(first.x.to_um())];
        assert!((at_copy + 10.0 * first.depth).abs() < 0.3, "{at_copy} for a depth of {}", first.depth);
    }
}

#[test]
fn missing_is_the_share_of_the_mark_without_contact() {
    let tool = super::tool::pin();
    for share in [0.05, 0.12, 0.3, 0.6] {
        for seed in 0..3 {
            let struck = bench(tool, &clean(&[("missing", &share.to_string())]), seed);
            let radius = struck.truth.radius.to_um();
            let (mut inside, mut bare) = (0.0, 0.0);
            for y in 0..512usize {
                for x in 0..512usize {
                    let (dx, dy) = (2.0 * (x as f64 - 255.5), 2.0 * (y as f64 - 255.5));
                    if dx.hypot(dy) < radius {
                        inside += 1.0;
                        bare += f64::from(u8::from(struck.truth.contact[(x, y)] < 0.5));
                    }
                }
            }
            assert!((bare / inside - share).abs() < 0.02, "{} instead of {share}", bare / inside);
        }
    }
}

#[test]
fn tilt_and_eccentricity_take_depth_from_one_edge() {
    let tool = super::tool::pin();
    let least = |settings: &[(&str, &str)]| {
        let contact = bench(tool, &clean(settings), 2).truth.contact;
        // Inside the circle of the mark: the corners of the field lie outside the impression.
        let near = |x: usize, y: usize| (x as f64 - 255.5).hypot(y as f64 - 255.5) < 195.0;
        let inside = (0..512).flat_map(|y| (0..512).map(move |x| (x, y))).filter(|&(x, y)| near(x, y));
        inside.map(|place| contact[place]).fold(1.0f32, f32::min)
    };
    assert!(least(&[]) > 0.99);
    assert!(least(&[("tilt", "0.2")]) < 0.81);
    assert!(least(&[("off-centre", "400um")]) < least(&[("off-centre", "100um")]));
}

#[test]
fn wear_only_ever_takes_away() {
    let tool = super::tool::pin();
    let mut before: Option<(f64, f64, f64)> = None;
    for wear in ["0", "0.15", "0.4", "0.7", "1"] {
        let struck = bench(tool, &clean(&[("wear", wear)]), 1);
        let now = (volume(&struck), deepest(&struck), steepest(&struck));
        if let Some(then) = before {
            assert!(
                now.0 < then.0 && now.1 <= then.1 + 1e-6 && now.2 < then.2,
                "{now:?} after {then:?} at {wear}"
            );
        }
        before = Some(now);
    }
}

#[test]
fn rounds_wear_a_pin_towards_its_life() {
    let tool = block(25.0, (0.0, 0.0), 60.0);
    let wear = |rounds: &str| bench(&tool, &clean(&[("rounds", rounds)]), 1).truth.wear;
    assert_eq!(wear("0"), 0.0);
    assert!((wear("5000") - 0.632).abs() < 0.001);
    assert!(wear("600") < wear("2500") && wear("2500") < 0.45);
}

#[test]
fn flow_blur_makes_walls_gentle_and_keeps_volume() {
    let tool = block(25.0, (0.0, 0.0), 60.0);
    let (sharp, blurred) = (bench(&tool, &clean(&[]), 1), bench(&tool, &clean(&[("flow-blur", "9um")]), 1));
    assert!(steepest(&blurred) < 0.35 * steepest(&sharp));
    assert!((volume(&blurred) / volume(&sharp) - 1.0).abs() < 0.01);
}

#[test]
fn lacquer_fills_and_smooths_and_debris_lies_on_top() {
    let tool = block(25.0, (0.0, 0.0), 60.0);
    let rough = [("roughness", "0.8um")];
    let bare = bench(&tool, &clean(&rough), 1).surface;
    let film = bench(&tool, &clean(&[rough[0], ("lacquer", "2um")]), 1).surface;
    let added: Vec<f64> = differences(&film, &bare).collect();
    assert!(added.iter().all(|z| (-1e-4..=4.0001).contains(z)));
    // Second differences see texture and not the bowl.
    let bend = |row: &[f64]| row.windows(3).map(|z| z[0] - 2.0 * z[1] + z[2]).collect::<Vec<_>>();
    let roughness = |map: &Topography| deviation((0..512).flat_map(|y| bend(&map.heights.row(y)[100..180])));
    assert!(roughness(&film) < 0.5 * roughness(&bare));

    let dirty = bench(&tool, &clean(&[rough[0], ("debris", "80")]), 1);
    assert!((82..=84).contains(&dirty.truth.particles), "{} particles", dirty.truth.particles);
    let piled: Vec<f64> = differences(&dirty.surface, &bare).collect();
    assert!(piled.iter().all(|z| *z >= -1e-4) && piled.iter().any(|z| *z > 3.0));
}

#[test]
fn depth_follows_the_root_of_energy_over_hardness() {
    let tool = block(25.0, (0.0, 0.0), 60.0);
    let strike = |energy: f64, hardness: f64| {
        let firearm = Firearm { energy, ..Firearm::default() };
        let ammunition = Ammunition { hardness, ..Ammunition::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let truth =
            strike(&tool, &firearm, &ammunition, &clean(&[]), None, &mut rng).expect("it strikes").truth;
        (truth.crater.to_um(), truth.transfer)
    };
    let (depth, transfer) = strike(1.0, 120.0);
    assert!((depth - 250.0).abs() < 1e-9 && (transfer - 0.4).abs() < 1e-6);
    for (energy, hardness) in [(2.0, 120.0), (1.0, 160.0), (0.5, 90.0)] {
        let (other, taken) = strike(energy, hardness);
        let factor = (energy * 120.0 / hardness).sqrt();
        assert!((other / depth - factor).abs() < 1e-9 && (taken / transfer - factor).abs() < 1e-6);
    }
}

#[test]
fn a_light_strike_leaves_the_ring_out() {
    let tool = super::tool::pin();
    let reached = |energy: &str| {
        let struck = bench(tool, &clean(&[("energy", energy)]), 1);
        // On the ring, 353 µm right of the middle, and in the middle.
        (struck.truth.contact[(432, 256)], struck.truth.contact[(256, 256)])
    };
    assert_eq!(reached("1"), (1.0, 1.0));
    assert_eq!(reached("0.08"), (0.0, 1.0));
}

#[test]
fn a_part_prints_the_same_finish_on_every_case() {
    let tool = super::tool::pin();
    let print = |finish: f64, seed: u64| {
        let firearm = Firearm { finish: topography::Length::um(finish), ..Firearm::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shot = clean(&[]);
        strike(tool, &firearm, &Ammunition::default(), &shot, None, &mut rng).expect("it strikes").surface
    };
    let finish = |seed| -> Vec<f64> { differences(&print(0.5, seed), &print(0.0, seed)).collect() };
    let (one, two) = (finish(1), finish(2));
    assert!((deviation(one.iter().copied()) / 0.5 - 1.0).abs() < 0.15);
    assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() < 1e-4));
}
