//! What a person looks at beside a lead: both reliefs in register, in greys.

use topography::{Grid, Micrograph, Pitch};

use crate::compare::Comparison;
use crate::direction::place_on_b;
use crate::raster::{Frame, Raster};
use crate::surface::Surface;

/// Heights of this many standard deviations are black and white.
const CONTRAST: f32 = 2.5;
/// The grey of what is not measured.
const MISSING: f32 = 0.12;

/// Micrometres left free about both.
const MARGIN: f64 = 60.0;

/// Both surfaces as pictures of one size that hold the whole of either, the second turned and shifted to lie as the first;
/// bright is high.
///
/// The comparison must be that of `a` with `b`, in this order. What was not measured is dark.
pub fn in_register(a: &Surface, b: &Surface, comparison: &Comparison) -> [Micrograph; 2] {
    let pitch = a.level1.pitch;
    let pose = comparison.lies;
    let other = place_on_b(b, a, &pose.inverse(), b.circle);
    let from = [0, 1].map(|k| (a.circle[k] - a.radius).min(other[k] - b.radius) - MARGIN);
    let to = [0, 1].map(|k| (a.circle[k] + a.radius).max(other[k] + b.radius) + MARGIN);
    let [width, height] = [0, 1].map(|k| ((to[k] - from[k]) / pitch).ceil() as usize);
    let laid = |source: &Raster, origin: [f64; 2], turn: f64| {
        let mut laid = Raster::default();
        source.sampled(&Frame { width, height, pitch, origin, turn }, &mut laid);
        grey(&laid)
    };
    [laid(&a.source1, from, 0.0), laid(&b.source1, place_on_b(a, b, &pose, from), pose.turn)]
}

fn grey(level: &Raster) -> Micrograph {
    let measured = level.w.iter().sum::<f32>().max(1.0);
    let sigma = (level.z.iter().map(|z| z * z).sum::<f32>() / measured).sqrt().max(1e-6);
    let grey = |x: usize, y: usize| {
        let at = y * level.width + x;
        let height = (level.z[at] / (CONTRAST * sigma)).clamp(-1.0, 1.0);
        if level.w[at] > 0.0 { 0.55 + 0.45 * height } else { MISSING }
    };
    let pitch = Pitch::square(topography::Length::um(level.pitch));
    Micrograph { intensity: Grid::from_fn(level.width, level.height, grey), pitch: Some(pitch) }
}
