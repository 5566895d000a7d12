//! What lies on the metal: debris and lacquer.

use rand::Rng;
use topography::Grid;

use crate::chance;
use crate::filter;
use crate::frame::Frame;

/// Standard deviation over which a film levels itself, in micrometres.
const LEVELLING: f64 = 12.0;

/// A film of `thickness` micrometres: hollows fill, but by no more than twice the thickness.
pub(crate) fn lacquer(surface: &mut Grid<f32>, frame: Frame, thickness: f64) {
    if thickness <= 0.0 {
        return;
    }
    let mut level = surface.clone();
    filter::gaussian(&mut level, LEVELLING / frame.pitch);
    let thickness = thickness as f32;
    for (sample, level) in surface.samples_mut().iter_mut().zip(level.samples()) {
        *sample += (level + thickness - *sample).clamp(0.0, 2.0 * thickness);
    }
}

/// Adds particles of residue, `density` per square millimetre, 4 to 25 µm in radius; gives back how many.
pub(crate) fn debris(surface: &mut Grid<f32>, frame: Frame, density: f64, rng: &mut impl Rng) -> usize {
    let area = frame.extent() * frame.extent() * 1e-6;
    let count = (density * area + chance::unit(rng)) as usize;
    for _ in 0..count {
        let half = 0.5 * frame.extent();
        let centre = (half * chance::sign(rng), half * chance::sign(rng));
        let radius = 4.0 * libm::pow(25.0 / 4.0, chance::unit(rng));
        let height = radius * chance::between(rng, 0.25, 0.7);
        let (aspect, turn) = (chance::between(rng, 0.5, 1.0), chance::direction(rng));
        particle(surface, frame, centre, (radius, height, aspect, turn));
    }
    count
}

/// One rounded particle: `(radius, height, aspect, turn)`.
fn particle(surface: &mut Grid<f32>, frame: Frame, centre: (f64, f64), shape: (f64, f64, f64, f64)) {
    let (radius, height, aspect, turn) = shape;
    let (cos, sin) = (libm::cos(turn), libm::sin(turn));
    let index = |place: f64| ((place - frame.first()) / frame.pitch).clamp(0.0, frame.side as f64) as usize;
    for y in index(centre.1 - radius)..index(centre.1 + radius + frame.pitch) {
        for x in index(centre.0 - radius)..index(centre.0 + radius + frame.pitch) {
            let (dx, dy) = (frame.place(x) - centre.0, frame.place(y) - centre.1);
            let (u, v) = ((cos * dx + sin * dy) / radius, (cos * dy - sin * dx) / (radius * aspect));
            let left = 1.0 - u * u - v * v;
            if left > 0.0 {
                surface[(x, y)] += (height * left * (2.0 - left)) as f32;
            }
        }
    }
}
