//! Pairs whose truth is known: made here, and real ones where they are at hand.

use std::path::PathBuf;

use comparison::{Comparison, MarkKind, Preset, Surface, compare, prepare};
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;
use topography::{Limits, Topography, x3p};

#[path = "../../examples/hard_conditions/conditions.rs"]
mod conditions;

use crate::faces;

fn prepared(scan: &Topography) -> Surface {
    prepare(scan, &Preset::default_for(MarkKind::BreechFace)).unwrap()
}

fn compared(a: &Topography, b: &Topography) -> Comparison {
    compare(&prepared(a), &prepared(b)).unwrap()
}

#[test]
fn a_turned_face_is_found_and_its_turn_told() {
    for degrees in [0.0, 17.3, -141.0, 180.0] {
        let result = compared(&faces::face(1), &faces::turned(1, degrees));
        assert!(result.congruent() >= 12, "{degrees}: {:?}", result.cmc);
        // Turned clockwise, so it must be turned back counter-clockwise by as much.
        let off = (result.rotation.unwrap().to_degrees() - degrees).rem_euclid(360.0);
        assert!(off.min(360.0 - off) < 0.2, "{degrees}: {:?}", result.rotation);
    }
}

#[test]
fn two_faces_share_nothing() {
    for seed in 2..6 {
        let result = compared(&faces::face(1), &faces::face(seed));
        assert!(result.congruent() <= 1, "{seed}: {:?}", result.cmc);
        assert!(!result.converged);
        // What did not come together lies nowhere.
        assert!(result.rotation.is_none() && result.shift.is_none());
    }
}

#[test]
fn heights_may_be_scaled_and_points_missing() {
    let a = faces::face(3);
    let mut b = faces::turned(3, 40.0);
    for (i, z) in b.heights.samples_mut().iter_mut().enumerate() {
        *z *= 0.7;
        if i % 10 == 3 {
            *z = f64::NAN;
        }
        if i % 977 == 5 {
            *z += 30.0;
        }
    }
    let result = compared(&a, &b);
    assert!(result.congruent() >= 12, "{:?}", result.cmc);
}

#[test]
fn both_orders_give_the_same_answer() {
    let [a, b] = [prepared(&faces::face(4)), prepared(&faces::turned(4, 77.0))];
    let [one, other] = [compare(&a, &b).unwrap(), compare(&b, &a).unwrap()];
    assert!(one.congruent().abs_diff(other.congruent()) <= 2, "{:?} {:?}", one.cmc, other.cmc);
    assert!((one.rotation.unwrap().to_degrees() + other.rotation.unwrap().to_degrees()).abs() < 0.3);
}

#[test]
fn the_same_question_has_the_same_answer_on_any_thread() {
    let [a, b] = [prepared(&faces::face(5)), prepared(&faces::turned(5, 12.0))];
    let here = format!("{:?}", compare(&a, &b).unwrap());
    let there = std::thread::scope(|s| s.spawn(|| format!("{:?}", compare(&a, &b).unwrap())).join().unwrap());
    assert_eq!(here, there);
}

#[test]
fn a_scan_against_itself_says_so() {
    let a = prepared(&faces::face(6));
    let result = compare(&a, &a).unwrap();
    assert!(result.is_same_scan());
    assert!(result.warnings.iter().any(|w| w.contains("very same")), "{:?}", result.warnings);
}

/// A firearm that marks very alike makes no two measurements one.
#[test]
fn faces_that_agree_but_for_a_part_are_two_measurements() {
    let one = faces::face(6);
    let other = faces::face(7);
    let mut again = one.clone();
    let width = one.heights.width();
    for (i, z) in again.heights.samples_mut().iter_mut().enumerate() {
        *z += if i % width < width / 3 { 0.35 * other.heights.samples()[i] } else { 0.0 };
    }
    let result = compare(&prepared(&one), &prepared(&again)).unwrap();
    assert!(result.accf_max > 0.97 && !result.is_same_scan(), "{}", result.accf_max);
    assert!(result.warnings.iter().any(|w| w.contains("hardly two cases")), "{:?}", result.warnings);
}

/// Cells then find places that lie together, in no common position.
#[test]
fn a_pitch_a_twentieth_too_large_excludes_nothing() {
    let Some(folder) = real("csafe-fadul") else { return };
    let read = |name: &str, factor: f64| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let scan = x3p::read(&bytes, &Limits::default()).unwrap().topography;
        prepared(&Topography { pitch: topography::Pitch::square(scan.pitch.x * factor), ..scan })
    };
    let one = read("Fadul 1-1.x3p", 1.0);
    for factor in [1.04, 1.05] {
        let result = compare(&one, &read("Fadul 1-2.x3p", factor)).unwrap();
        let weight = comparison::evidence::Calibration::built_in().weigh(&result);
        assert!(weight.is_err() || result.congruent() >= 6, "{factor}: {:?}", result.cmc);
    }
}

/// A folder of real scans, or nothing, said aloud.
pub(crate) fn real(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("MICROSTAMP_REALDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/realdata")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if !path.is_dir() {
        eprintln!("SKIPPED: no real scans at {}; set MICROSTAMP_REALDATA", path.display());
        return None;
    }
    Some(path)
}

pub(crate) fn read(path: PathBuf) -> Topography {
    x3p::read(&std::fs::read(path).unwrap(), &Limits::default()).unwrap().topography
}

#[test]
fn real_processed_scans_tell_slides_apart() {
    let Some(folder) = real("csafe-fadul") else { return };
    let scan = |name: &str| prepared(&read(folder.join(format!("Fadul {name}.x3p"))));
    let (one, same, also, other) = (scan("2-1"), scan("2-2"), scan("C"), scan("7-1"));
    for same in [&same, &also] {
        let result = compare(&one, same).unwrap();
        assert!(result.congruent() >= 12, "{:?}", result.cmc);
    }
    let result = compare(&one, &other).unwrap();
    assert!(result.congruent() <= 1, "{:?}", result.cmc);
}

/// What chance brings together takes from an exclusion and is no agreement.
#[test]
fn cells_of_a_pair_that_did_not_converge_weigh_and_do_not_count() {
    let Some(folder) = real("csafe-fadul") else { return };
    let calibration = comparison::evidence::Calibration::built_in();
    let scan = |name: &str| prepared(&read(folder.join(format!("Fadul {name}.x3p"))));
    let [one, by_chance, other] = ["9-1", "4-1", "7-1"].map(scan);
    let [told, plain] = [&by_chance, &other].map(|scan| compare(&one, scan).unwrap());
    assert!(!told.converged && !plain.converged);
    assert_eq!((told.congruent(), told.agreeing, plain.congruent(), plain.agreeing), (0, 1, 0, 0));
    assert!(
        told.warnings.iter().any(|note| note.contains("weighed, but not counted")),
        "{:?}",
        told.warnings
    );
    let [told, plain] = [told, plain].map(|result| calibration.weigh(&result).unwrap().log10);
    assert!(plain < -1.5 && (plain + 0.5..=0.0).contains(&told), "{plain} {told}");
}

/// All forty are band-passed: none is masked again, whole or half.
#[test]
fn real_processed_scans_are_not_taken_for_raw() {
    let Some(folder) = real("csafe-fadul") else { return };
    let half = conditions::ALL.iter().find(|c| c.name == "half").unwrap();
    for (name, seed) in [("10-1", 1), ("8-2", 2), ("B", 3), ("M", 4), ("1-1", 5)] {
        let scan = read(folder.join(format!("Fadul {name}.x3p")));
        let part = half.applied(&scan, true, &mut ChaCha8Rng::seed_from_u64(seed));
        for scan in [&scan, &part] {
            let surface = prepared(scan);
            let told = compare(&surface, &surface).unwrap().warnings;
            assert!(!told.iter().any(|w| w.contains("raw")), "{name}: {told:?}");
        }
    }
}

#[test]
fn real_raw_scans_run_from_raw_to_result() {
    let Some(folder) = real("cmcr-fadul-raw") else { return };
    let scan = |name: &str| prepared(&read(folder.join(format!("fadul{name}_raw.x3p"))));
    let (one, same, other) = (scan("1.1"), scan("1.2"), scan("2.1"));
    let result = compare(&one, &same).unwrap();
    assert!(result.congruent() >= 15, "{:?}", result.cmc);
    let result = compare(&one, &other).unwrap();
    assert!(result.congruent() <= 1, "{:?}", result.cmc);
}

#[test]
fn one_thread_or_two_give_the_same_bytes() {
    let scans = [faces::face(5), faces::turned(5, 12.0), faces::face(6)];
    let told = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let surfaces: Vec<Surface> = scans.par_iter().map(prepared).collect();
            let pairs = [(0, 1), (0, 2), (1, 2)];
            let one =
                |&(i, j): &(usize, usize)| format!("{:?}", compare(&surfaces[i], &surfaces[j]).unwrap());
            pairs.par_iter().map(one).collect::<Vec<_>>()
        })
    };
    assert_eq!(told(1), told(2));
}

/// Two slides, two cases each, under conditions simulated on them.
#[test]
fn real_scans_stay_apart_under_hard_conditions() {
    let Some(folder) = real("csafe-fadul") else { return };
    let [one, same, other] = ["2-1", "2-2", "7-1"].map(|name| read(folder.join(format!("Fadul {name}.x3p"))));
    let wanted = ["half", "noise", "coarse", "turned", "dropped", "spikes-2%"];
    for condition in conditions::ALL.iter().filter(|c| wanted.contains(&c.name)) {
        let under = |scan: &Topography, second: bool, seed: u64| {
            prepared(&condition.applied(scan, second, &mut ChaCha8Rng::seed_from_u64(seed)))
        };
        let first = under(&one, false, 1);
        let result = compare(&first, &under(&same, true, 2)).unwrap();
        assert!(result.congruent() >= 4, "{}: {:?}", condition.name, result.cmc);
        let result = compare(&first, &under(&other, true, 3)).unwrap();
        assert!(result.congruent() <= 3 && !result.converged, "{}: {:?}", condition.name, result.cmc);
    }
}
