//! Other pitches, turns and warps, with gaps.

use proptest::prelude::*;
use topography::resample::{self, Affine};
use topography::{Angle, Grid, Length, Pitch, Topography};

fn map(width: usize, height: usize, z: impl FnMut(usize, usize) -> f64) -> Topography {
    Topography { heights: Grid::from_fn(width, height, z), pitch: Pitch::square(Length::um(2.0)) }
}

#[test]
fn a_coarser_pitch_averages_areas() {
    let fine = map(6, 4, |x, y| (x + 10 * y) as f64);
    let coarse = resample::to_pitch(&fine, Pitch::square(Length::um(4.0)));
    assert_eq!(coarse.heights.samples(), [5.5, 7.5, 9.5, 25.5, 27.5, 29.5]);
    // Cells that cut samples in two: 6 columns of 2 µm as 4 of 3 µm.
    let cut = resample::to_pitch(&fine, Pitch { x: Length::um(3.0), y: Length::um(2.0) });
    assert_eq!((cut.heights.width(), cut.heights.height()), (4, 4));
    assert!((cut.heights[(0, 0)] - 1.0 / 3.0).abs() < 1e-12);
    assert!((cut.heights[(1, 0)] - 5.0 / 3.0).abs() < 1e-12);
}

#[test]
fn a_coarse_sample_needs_half_of_its_area() {
    let mut fine = map(4, 2, |_, _| 1.0);
    for (x, y) in [(0, 0), (0, 1), (2, 0), (2, 1), (3, 0)] {
        fine.heights[(x, y)] = f64::NAN;
    }
    let coarse = resample::to_pitch(&fine, Pitch::square(Length::um(4.0)));
    assert_eq!(coarse.heights[(0, 0)], 1.0);
    assert!(coarse.heights[(1, 0)].is_nan());
}

#[test]
fn a_finer_pitch_follows_a_smooth_surface() {
    let wave = |x: f64, y: f64| (x * 0.2).sin() + (y * 0.15).cos();
    let coarse = map(60, 50, |x, y| wave(x as f64 * 2.0, y as f64 * 2.0));
    let fine = resample::to_pitch(&coarse, Pitch::square(Length::um(0.5)));
    assert_eq!((fine.heights.width(), fine.heights.height()), (240, 200));
    for (x, y) in [(40, 40), (101, 57), (130, 150)] {
        // The field's edges stay: the first fine sample lies 0.75 µm before the first coarse one.
        let expected = wave(x as f64 * 0.5 - 0.75, y as f64 * 0.5 - 0.75);
        assert!((fine.heights[(x, y)] - expected).abs() < 0.01);
    }
    let back = resample::to_pitch(&fine, coarse.pitch);
    assert!((back.heights[(20, 20)] - coarse.heights[(20, 20)]).abs() < 0.02);
}

#[test]
fn unequal_pitches_become_square() {
    let long = Topography {
        heights: Grid::from_fn(100, 40, |x, y| x as f64 * 2.0 + y as f64 * 5.0),
        pitch: Pitch { x: Length::um(2.0), y: Length::um(5.0) },
    };
    let square = resample::to_square(&long);
    assert_eq!(square.pitch, Pitch::square(Length::um(5.0)));
    assert_eq!((square.heights.width(), square.heights.height()), (40, 40));
    // Samples cut in two make the average lean by up to a tenth of a sample.
    assert!((square.heights[(10, 10)] - square.heights[(9, 10)] - 5.0).abs() <= 0.2 + 1e-9);
    assert!((square.heights[(10, 10)] - square.heights[(8, 10)] - 10.0).abs() < 1e-9);
    let already = map(5, 5, |x, _| x as f64);
    assert_eq!(resample::to_square(&already), already);
}

#[test]
fn turns_agree_with_exact_quarter_turns() {
    let topography = map(31, 31, |x, y| if x == 3 { f64::NAN } else { (x * 7 + y * y) as f64 });
    let turned = resample::rotate(&topography, Angle::degrees(90.0));
    let exact = topography.heights.quarter_turned();
    for (a, b) in turned.heights.samples().iter().zip(exact.samples()) {
        assert!(a.is_nan() == b.is_nan() && (a.is_nan() || (a - b).abs() < 1e-6), "{a} for {b}");
    }
    assert_eq!(topography.heights.mirrored().mirrored().row(4)[5..], topography.heights.row(4)[5..]);
}

#[test]
fn a_warp_takes_places_where_the_map_says() {
    let topography = map(80, 60, |x, y| x as f64 * 0.5 + y as f64 * 0.25);
    let there = Affine::rotation(Angle::degrees(17.0), (40.0, 30.0))
        .then(&Affine::scale(1.3, 0.9))
        .then(&Affine::shift(-4.0, 2.5));
    let back = there.inverse().unwrap();
    let warped = resample::warp(&topography.heights, &there, 110, 70);
    for place in [(20.0, 30.0), (41.0, 22.0), (60.0, 40.0)] {
        let (x, y) = there.apply(place);
        let (rx, ry) = back.apply((x, y));
        assert!((rx - place.0).abs() < 1e-9 && (ry - place.1).abs() < 1e-9);
        let found = resample::sample_at(&warped, x, y);
        assert!((found - (place.0 * 0.5 + place.1 * 0.25)).abs() < 1e-6, "{found} at {x}, {y}");
    }
    let flat = Affine { x: [1.0, 0.0, 0.0], y: [2.0, 0.0, 0.0] };
    assert!(resample::warp(&topography.heights, &flat, 5, 5).samples().iter().all(|z| z.is_nan()));
}

proptest! {
    #[test]
    fn nothing_is_made_up(
        width in 3_usize..30, height in 3_usize..30, gap in 0.0_f64..1.0, factor in 0.3_f64..4.0, turn in 0.0_f64..360.0
    ) {
        let missing = |x: usize, y: usize| ((x * 7919 + y * 104_729) % 1000) as f64 / 1000.0 < gap;
        let flat = map(width, height, |x, y| if missing(x, y) { f64::NAN } else { 3.0 });
        let pitch = Pitch::square(Length::um(2.0 * factor));
        for other in [resample::to_pitch(&flat, pitch), resample::rotate(&flat, Angle::degrees(turn))] {
            prop_assert!(other.heights.samples().iter().all(|z| z.is_nan() || (z - 3.0).abs() < 1e-9));
        }
        if gap == 0.0 {
            prop_assert_eq!(resample::to_pitch(&flat, pitch).valid_points(), resample::to_pitch(&flat, pitch).heights.samples().len());
        }
        let small = resample::resize(&flat.heights.map(|&z| z as f32), width.div_ceil(2), height);
        prop_assert_eq!((small.width(), small.height()), (width.div_ceil(2), height));
    }

    #[test]
    fn averages_keep_the_mean(width in 2_usize..40, height in 2_usize..40, columns in 1_usize..20, rows in 1_usize..20) {
        prop_assume!(columns * 2 <= width && rows * 2 <= height);
        let grid = Grid::from_fn(width, height, |x, y| ((x * 31 + y * 17) % 23) as f64);
        let mean = |grid: &Grid<f64>| grid.samples().iter().sum::<f64>() / grid.samples().len() as f64;
        prop_assert!((mean(&resample::resize(&grid, columns, rows)) - mean(&grid)).abs() < 1e-9);
    }
}
