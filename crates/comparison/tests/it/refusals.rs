//! What cannot be compared gets one sentence.

use comparison::evidence::Calibration;
use comparison::{ComparisonError, MarkKind, Preset, compare, prepare};
use topography::{Angle, Grid, Length, Pitch, Topography, resample};

use crate::faces;

fn refusal(scan: &Topography) -> String {
    prepare(scan, &Preset::default_for(MarkKind::BreechFace)).expect_err("this scan is refused").to_string()
}

fn check(heights: Grid<f64>, pitch_um: f64, expected: &str) {
    let told = refusal(&Topography { heights, pitch: Pitch::square(Length::um(pitch_um)) });
    assert!(told.contains(expected), "{told}");
}

#[test]
fn hopeless_scans_are_refused() {
    check(Grid::filled(400, 400, 3.0), 6.25, "flat");
    check(Grid::from_fn(400, 400, |x, y| 0.2 * x as f64 - 0.1 * y as f64), 6.25, "flat");
    check(Grid::filled(400, 400, f64::NAN), 6.25, "% of the scan is measured");
    check(Grid::filled(40, 40, f64::NAN), 6.25, "% of the scan is measured");
    check(faces::face(1).heights, 40.0, "a sample every 40 µm");
    check(faces::face(1).heights.crop(60, 260, 60, 60), 6.25, "cells");
    check(Grid::from_fn(3, 3, |x, y| (x * 7 % 5 + y) as f64), 6.25, "cells");
    check(Grid::from_fn(20_000, 3, |x, y| ((x * 7919 + y) % 97) as f64), 6.25, "no primer is that large");
    check(Grid::from_fn(3, 600, |x, y| ((x * 7919 + y * 31) % 97) as f64), 6.25, "cells");
    check(Grid::filled(0, 0, 0.0), 6.25, "% of the scan is measured");
    for (width, height) in [(3, 1300), (1300, 3), (2, 2000), (30, 2000)] {
        check(
            Grid::from_fn(width, height, |x, y| ((x * 7919 + y * 31) % 97) as f64),
            6.25,
            "narrower than half a cell",
        );
    }
}

/// Some programs write a number where nothing is measured.
#[test]
fn a_number_for_missing_points_is_taken_for_missing() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let turned = prepare(&faces::turned(1, 40.0), &preset).unwrap();
    let plain = prepare(&faces::face(1), &preset).unwrap();
    assert!(!plain.notes().iter().any(|note| note.contains("taken for missing")), "{:?}", plain.notes());
    for filler in [0.0, -87.5] {
        let mut scan = faces::face(1);
        scan.heights.samples_mut().iter_mut().filter(|z| z.is_nan()).for_each(|z| *z = filler);
        let filled = prepare(&scan, &preset).unwrap();
        assert!(filled.notes().iter().any(|note| note.contains("taken for missing")), "{:?}", filled.notes());
        let [one, other] = [&plain, &filled].map(|scan| compare(scan, &turned).unwrap());
        assert!(one.congruent() >= 12, "{:?}", one.cmc);
        assert_eq!(one.cmc, other.cmc);
    }
}

#[test]
fn little_area_is_answered_with_a_warning() {
    let mut scan = faces::face(1);
    for y in 0..560 {
        for x in 0..560 {
            if y > 100 {
                scan.heights[(x, y)] = f64::NAN;
            }
        }
    }
    let preset = Preset::default_for(MarkKind::BreechFace);
    let [part, whole] = [prepare(&scan, &preset).unwrap(), prepare(&faces::face(1), &preset).unwrap()];
    let result = compare(&part, &whole).unwrap();
    assert!(result.warnings.iter().any(|w| w.contains("measured")), "{:?}", result.warnings);
}

/// A sector of the ring so wide that less than 15 % of the frame is measured.
fn sector(scan: &Topography) -> Topography {
    let mut scan = scan.clone();
    for y in 0..560 {
        for x in 0..560 {
            let (u, v) = (x as f64 - 280.0, y as f64 - 280.0);
            if !(0.0..0.9).contains(&v.atan2(u)) {
                scan.heights[(x, y)] = f64::NAN;
            }
        }
    }
    scan
}

#[test]
fn a_small_part_of_a_face_misleads_nobody() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let part = sector(&faces::face(1));
    let share = part.valid_points() as f64 / (560.0 * 560.0);
    assert!((0.05..0.15).contains(&share), "{share}");
    let part = prepare(&part, &preset).unwrap();
    let calibration = Calibration::built_in();
    let weight = |other: &Topography| {
        let result = compare(&part, &prepare(other, &preset).unwrap()).unwrap();
        assert!(result.warnings.iter().any(|w| w.contains("measured")), "{:?}", result.warnings);
        calibration.weigh(&result).unwrap().log10
    };
    assert!(weight(&faces::turned(1, 30.0)) > 0.5);
    for seed in 2..5 {
        assert!((-1.0..0.3).contains(&weight(&faces::face(seed))), "{seed}");
    }
}

#[test]
fn one_measurement_twice_says_nothing_about_firearms() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let scan = faces::face(1);
    let a = prepare(&scan, &preset).unwrap();
    // Turned by resampling, scaled, with noise of a tenth of the relief: the same measurement still.
    let turned = resample::rotate(&scan, Angle::degrees(17.3));
    let mut noisy = scan.clone();
    for (i, z) in noisy.heights.samples_mut().iter_mut().enumerate() {
        *z = 1.3 * *z + 0.1 * (((i * 2_654_435_761) % 1000) as f64 / 500.0 - 1.0);
    }
    for again in [&turned, &noisy] {
        let result = compare(&a, &prepare(again, &preset).unwrap()).unwrap();
        assert!(result.is_same_scan(), "{}", result.accf_max);
        assert!(result.warnings.iter().any(|w| w.contains("very same measurement")), "{:?}", result.warnings);
    }
}

#[test]
fn a_wrong_pitch_is_asked_about_and_gives_no_ratio() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let scan = faces::face(1);
    for (seed, pitch) in [(1, 9.4), (1, 3.125), (2, 9.4), (2, 4.5)] {
        let mislabelled = Topography { pitch: Pitch::square(Length::um(pitch)), ..faces::face(seed) };
        let result =
            compare(&prepare(&scan, &preset).unwrap(), &prepare(&mislabelled, &preset).unwrap()).unwrap();
        assert!(result.warnings.iter().any(|w| w.contains("look at the pitch")), "{:?}", result.warnings);
        let refused = Calibration::built_in().weigh(&result);
        assert!(matches!(refused, Err(ComparisonError::Unweighable(_))), "{seed} {pitch}: {refused:?}");
    }
}

#[test]
fn surfaces_of_different_kinds_are_not_compared() {
    let scan = faces::face(1);
    let face = prepare(&scan, &Preset::named("microstamp-1").unwrap()).unwrap();
    let other = prepare(&scan, &Preset::named("chen2017").unwrap()).unwrap();
    assert!(matches!(compare(&face, &other), Err(ComparisonError::Mismatch(_))));
    assert!(Preset::named("nonesuch").unwrap_err().to_string().contains("chen2017"));
}
