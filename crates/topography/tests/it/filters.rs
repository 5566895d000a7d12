//! Gaussian regression filters: transmission, edges, gaps, robustness.

use std::f64::consts::{LN_2, PI, TAU};

use topography::filter::{self, FilterError, Gaussian, Order};
use topography::{Angle, Grid, Length, Pitch, Topography};

const ORDERS: [Order; 3] = [Order::Zero, Order::One, Order::Two];

fn gaussian(cut_off_um: f64, order: Order) -> Gaussian {
    Gaussian { cut_off: Length::um(cut_off_um), order, robust: false }
}

fn surface(width: usize, height: usize, pitch_um: f64, z: impl Fn(f64, f64) -> f64) -> Topography {
    let heights = Grid::from_fn(width, height, |x, y| z(x as f64 * pitch_um, y as f64 * pitch_um));
    Topography { heights, pitch: Pitch::square(Length::um(pitch_um)) }
}

/// What a filter of this order passes of a wave, by the formulas of ISO 16610-21 and -31.
fn ideal(order: Order, cut_off: f64, wavelength: f64) -> f64 {
    let ratio = (cut_off / wavelength).powi(2);
    match order {
        Order::Zero | Order::One => (-LN_2 * ratio).exp(),
        Order::Two => {
            let u = PI * (0.7309 * 0.7309) * ratio;
            (1.0 + u) * (-u).exp()
        }
    }
}

/// The share of a wave's height left inside the field, away from edges.
fn transmission(filter: &Gaussian, wavelength: f64, direction: Angle, pitch_um: f64) -> f64 {
    let (sin, cos) = direction.to_radians().sin_cos();
    let margin = (2.0 * filter.cut_off.to_um() / pitch_um).ceil() as usize + 2;
    let inner = (3.0 * wavelength / pitch_um).ceil() as usize + 40;
    let size = 2 * margin + inner;
    let phase = |x: f64, y: f64| (x * cos + y * sin) * TAU / wavelength + 0.4;
    let filtered =
        filter::low_pass(&surface(size, size, pitch_um, |x, y| phase(x, y).sin()), filter).unwrap();
    let (mut found, mut there) = (0.0, 0.0);
    for y in margin..size - margin {
        for x in margin..size - margin {
            let wave = phase(x as f64 * pitch_um, y as f64 * pitch_um).sin();
            found += filtered.heights[(x, y)] * wave;
            there += wave * wave;
        }
    }
    found / there
}

#[test]
fn the_cut_off_passes_with_one_half() {
    for order in ORDERS {
        // Both ways of computing: on the samples and on coarser nodes, and on the border between them.
        for (cut_off, pitch) in [(16.0, 3.125), (25.0, 1.0), (40.0, 2.0), (250.0, 6.25), (250.0, 3.125)] {
            for direction in [0.0, 90.0, 33.0] {
                let share =
                    transmission(&gaussian(cut_off, order), cut_off, Angle::degrees(direction), pitch);
                assert!((share - 0.5).abs() < 0.002, "{order:?} {cut_off} at {pitch}, {direction}°: {share}");
            }
        }
    }
}

#[test]
fn waves_around_the_cut_off_pass_as_the_standard_says() {
    for order in ORDERS {
        for (cut_off, pitch) in [(30.0, 2.0), (250.0, 6.25)] {
            for factor in [0.33, 0.5, 0.7, 1.5, 2.0, 3.0] {
                let wavelength = cut_off * factor;
                let share = transmission(&gaussian(cut_off, order), wavelength, Angle::degrees(20.0), pitch);
                let expected = ideal(order, cut_off, wavelength);
                assert!((share - expected).abs() < 0.005, "{order:?} {factor}: {share} for {expected}");
            }
        }
    }
}

#[test]
fn anisotropic_pitch_changes_nothing() {
    let topography = Topography {
        heights: Grid::from_fn(400, 200, |x, _| (x as f64 * 2.0 * TAU / 100.0).sin()),
        pitch: Pitch { x: Length::um(2.0), y: Length::um(7.0) },
    };
    let filtered = filter::low_pass(&topography, &gaussian(100.0, Order::Zero)).unwrap();
    for x in 150..250 {
        assert!((filtered.heights[(x, 100)] - 0.5 * topography.heights[(x, 100)]).abs() < 0.002);
    }
}

#[test]
fn each_order_keeps_its_own_forms_up_to_the_edges() {
    let forms: [fn(f64, f64) -> f64; 3] = [
        |_, _| 5000.0,
        |x, y| 5000.0 + 0.3 * x - 0.1 * y,
        |x, y| 5000.0 + 0.3 * x - 0.1 * y + 1e-3 * x * x - 2e-3 * x * y + 5e-4 * y * y,
    ];
    for (order, form) in ORDERS.into_iter().zip(forms) {
        for cut_off in [10.0, 120.0] {
            let mut topography = surface(90, 70, 2.0, form);
            // A gap, a cut corner and a missing row change nothing.
            for y in 0..70 {
                for x in 0..90 {
                    if (30..50).contains(&x) && (20..40).contains(&y) || x + y < 15 || y == 60 {
                        topography.heights[(x, y)] = f64::NAN;
                    }
                }
            }
            let rest = filter::high_pass(&topography, &gaussian(cut_off, order)).unwrap();
            assert_eq!(rest.valid_points(), topography.valid_points());
            let worst = rest
                .heights
                .samples()
                .iter()
                .filter(|z| z.is_finite())
                .fold(0.0_f64, |worst, z| worst.max(z.abs()));
            assert!(worst < 2e-3, "{order:?} {cut_off}: {worst} µm");
        }
    }
}

#[test]
fn missing_points_weigh_nothing_and_stay_missing() {
    let mut topography = surface(300, 60, 2.0, |x, _| if x < 300.0 { 1.0 } else { 9.0 });
    for y in 0..60 {
        for x in 150..300 {
            topography.heights[(x, y)] = if x % 2 == 0 { f64::NAN } else { f64::INFINITY };
        }
    }
    for order in ORDERS {
        for cut_off in [12.0, 200.0] {
            let filtered = filter::low_pass(&topography, &gaussian(cut_off, order)).unwrap();
            for (height, mean) in topography.heights.samples().iter().zip(filtered.heights.samples()) {
                assert_eq!(height.is_finite(), mean.is_finite());
                assert!(mean.is_nan() || (mean - 1.0).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn specks_and_single_lines_fall_back_to_a_lower_order() {
    let mut topography =
        Topography { heights: Grid::filled(80, 80, f64::NAN), pitch: Pitch::square(Length::um(1.0)) };
    topography.heights[(40, 40)] = 7.0;
    for y in 0..80 {
        topography.heights[(5, y)] = y as f64;
    }
    for cut_off in [8.0, 60.0] {
        let filtered = filter::low_pass(&topography, &gaussian(cut_off, Order::Two)).unwrap();
        assert_eq!(filtered.valid_points(), topography.valid_points());
        assert!((filtered.heights[(5, 40)] - 40.0).abs() < 1.0);
    }
    assert!(
        (filter::low_pass(&topography, &gaussian(8.0, Order::Two)).unwrap().heights[(40, 40)] - 7.0).abs()
            < 1e-9
    );
    let nothing = Topography { heights: Grid::filled(9, 9, f64::NAN), pitch: topography.pitch };
    assert_eq!(filter::low_pass(&nothing, &gaussian(8.0, Order::Two)).unwrap().valid_points(), 0);
}

#[test]
fn the_robust_filter_passes_over_a_scratch() {
    let scratch =
        |x: f64, y: f64| if (x - 100.0).abs() < 4.0 { -30.0 } else { 0.02 * x + 0.3 * (y * 2.0).sin() };
    let topography = surface(100, 100, 2.0, scratch);
    for order in ORDERS {
        for cut_off in [40.0, 80.0] {
            let plain = gaussian(cut_off, order);
            let robust = Gaussian { robust: true, ..plain };
            let dip =
                |filter: &Gaussian| 2.0 - filter::low_pass(&topography, filter).unwrap().heights[(50, 50)];
            assert!(dip(&plain) > 1.5, "{order:?}: {}", dip(&plain));
            assert!(dip(&robust).abs() < 0.1, "{order:?}: {}", dip(&robust));
        }
    }
}

#[test]
fn the_robust_filter_stays_near_one_half_at_the_cut_off() {
    // It is not linear: of a lone wave, which has no normal roughness, it takes the crests for outliers a little.
    for order in ORDERS {
        let filter = Gaussian { robust: true, ..gaussian(100.0, order) };
        let share = transmission(&filter, 100.0, Angle::degrees(0.0), 4.0);
        assert!((share - 0.5).abs() < 0.04, "{order:?}: {share}");
    }
}

#[test]
fn a_band_keeps_what_lies_between() {
    let wave = |x: f64, wavelength: f64| (x * TAU / wavelength).sin();
    let topography = surface(700, 60, 2.0, |x, _| wave(x, 60.0) + wave(x, 6.0) + wave(x, 900.0));
    let band =
        filter::band_pass(&topography, &gaussian(16.0, Order::One), &gaussian(250.0, Order::One)).unwrap();
    for x in 300..400 {
        let expected = ideal(Order::One, 16.0, 60.0)
            * (1.0 - ideal(Order::One, 250.0, 60.0))
            * wave(x as f64 * 2.0, 60.0)
            + (1.0 - ideal(Order::One, 250.0, 900.0)) * wave(x as f64 * 2.0, 900.0);
        assert!((band.heights[(x, 30)] - expected).abs() < 0.02);
    }
}

#[test]
fn a_cut_off_that_is_no_length_is_refused() {
    let topography = surface(9, 9, 1.0, |_, _| 0.0);
    for cut_off in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        let refused = filter::low_pass(&topography, &gaussian(cut_off, Order::Zero));
        assert!(matches!(refused, Err(FilterError::CutOff(_))));
    }
    // Far longer than the field: the plain mean.
    let ramp = surface(9, 9, 1.0, |x, _| x);
    let filtered = filter::low_pass(&ramp, &gaussian(1e5, Order::Zero)).unwrap();
    assert!((filtered.heights[(0, 0)] - 4.0).abs() < 1e-3);
}
