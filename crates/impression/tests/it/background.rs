//! Real surfaces with simulated marks.

use std::path::PathBuf;

use impression::{Ammunition, Conditions, Firearm, StrikeError, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Grid, Length, Limits, Pitch, Topography, x3p};

use crate::mark::with;

fn struck_into(scan: &Topography, shot: &Conditions, seed: u64) -> Result<impression::Strike, StrikeError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let tool = super::tool::pin();
    strike(tool, &Firearm::default(), &Ammunition::default(), shot, Some(scan), &mut rng)
}

/// A scan with a hole: 2 mm, 3 µm, texture that says where it is.
fn patchwork() -> Topography {
    let heights = Grid::from_fn(700, 700, |x, y| {
        let hole = (x as f64 - 500.0).hypot(y as f64 - 200.0) < 30.0;
        if hole { f64::NAN } else { 40.0 + 0.01 * x as f64 + ((x * 7 + y * 13) % 5) as f64 * 0.1 }
    });
    Topography { heights, pitch: Pitch::square(Length::um(3.0)) }
}

#[test]
fn a_background_keeps_its_texture_and_its_holes() {
    let scan = patchwork();
    let blank = with("level-0", &[("depth", "0um"), ("pitch", "3um"), ("field", "1020um")]);
    let struck = struck_into(&scan, &blank, 4).expect("it strikes");
    let ((x, y), valid) = struck.truth.region.expect("a region was taken");
    assert!(valid > 0.96);
    let (x, y) = ((x.to_um() / 3.0).round() as usize, (y.to_um() / 3.0).round() as usize);
    let offset = scan.heights[(x + 170, y + 170)] - struck.surface.heights[(170, 170)];
    for (column, row) in [(0, 0), (10, 300), (339, 339), (200, 17)] {
        let (real, ours) = (scan.heights[(x + column, y + row)], struck.surface.heights[(column, row)]);
        assert!(real.is_nan() == ours.is_nan());
        assert!(real.is_nan() || (real - ours - offset).abs() < 1e-3, "{real} {ours} {offset}");
    }
}

#[test]
fn backgrounds_that_cannot_serve_are_refused_with_a_reason() {
    let check = |scan: &Topography, expected: &str| {
        let error = struck_into(scan, &with("level-0", &[]), 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let flat = |side, height, pitch| Topography {
        heights: Grid::filled(side, side, height),
        pitch: Pitch::square(Length::um(pitch)),
    };
    check(&flat(100, 0.0, 3.0), "less than the field of 1024 µm");
    check(&flat(600, f64::NAN, 3.0), "measured to 0 %");
    check(&flat(600, 0.0, f64::NAN), "a pitch of NaN x NaN µm cannot be used");
}

#[test]
fn real_primers_take_marks() {
    let folder = std::env::var_os("MICROSTAMP_REALDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/realdata")),
        PathBuf::from,
    );
    let raw = folder.join("cmcr-fadul-raw");
    if !raw.is_dir() {
        eprintln!("SKIPPED: no real scans at {} (set MICROSTAMP_REALDATA)", raw.display());
        return;
    }
    for name in ["fadul1.1_raw.x3p", "fadul2.1_raw.x3p"] {
        let bytes = std::fs::read(raw.join(name)).expect("the scan can be read");
        let scan = x3p::read(&bytes, &Limits::default()).expect("the scan is good").topography;
        let shot = with("level-2", &[]);
        let mut corners = Vec::new();
        for seed in 0..4 {
            let struck = struck_into(&scan, &shot, seed).expect("it strikes");
            let (corner, valid) = struck.truth.region.expect("a region was taken");
            assert!(valid > 0.8, "{name}: only {valid} of the region is measured");
            let share = struck.surface.valid_points() as f64 / struck.surface.heights.samples().len() as f64;
            assert!(share > 0.7, "{name}: only {share} of the surface is there");
            corners.push(format!("{corner:?}"));
        }
        corners.sort();
        corners.dedup();
        assert!(corners.len() > 1, "{name}: every seed took the same region");
    }
}
