//! Made-up breech faces: smooth noise on a ring.

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use topography::{Grid, Length, Pitch, Topography};

/// A ring of 3.4 mm with a hole of 1.2 mm, rough on scales of about 60 to 200 micrometres.
pub(crate) fn face(seed: u64) -> Topography {
    turned(seed, 0.0)
}

/// The same, turned clockwise about its middle by so many degrees.
pub(crate) fn turned(seed: u64, degrees: f64) -> Topography {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let waves: Vec<[f64; 3]> = (0..160)
        .map(|_| {
            let length = 60.0 + 140.0 * rng.random::<f64>();
            let direction = std::f64::consts::TAU * rng.random::<f64>();
            let wave = std::f64::consts::TAU / length;
            [wave * direction.cos(), wave * direction.sin(), std::f64::consts::TAU * rng.random::<f64>()]
        })
        .collect();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let height = |x: usize, y: usize| {
        let (u, v) = ((x as f64 - 280.0) * 6.25, (y as f64 - 280.0) * 6.25);
        let radius = u.hypot(v);
        if !(600.0..1700.0).contains(&radius) {
            return f64::NAN;
        }
        let (u, v) = (cos * u + sin * v, cos * v - sin * u);
        waves.iter().map(|w| (w[0] * u + w[1] * v + w[2]).sin()).sum::<f64>() * 0.1
    };
    Topography { heights: Grid::from_fn(560, 560, height), pitch: Pitch::square(Length::um(6.25)) }
}
