//! A made-up face the size of real ones.

use topography::{Grid, Length, Pitch, Topography};

/// A ring of waves in many directions.
pub(crate) fn face(seed: f64) -> Topography {
    let height = |x: usize, y: usize| {
        let (u, v) = ((x as f64 - 280.0) * 6.25, (y as f64 - 280.0) * 6.25);
        if !(600.0..1700.0).contains(&u.hypot(v)) {
            return f64::NAN;
        }
        let wave = |k: usize| {
            let (turn, length) = (seed + 2.4 * k as f64, 60.0 + 5.0 * k as f64);
            ((u * turn.cos() + v * turn.sin()) * std::f64::consts::TAU / length + turn).sin()
        };
        (0..30).map(wave).sum::<f64>() * 0.2
    };
    Topography { heights: Grid::from_fn(560, 560, height), pitch: Pitch::square(Length::um(6.25)) }
}
