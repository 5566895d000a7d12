//! Where the metal met the tool, and how fully.

use rand::Rng;
use topography::Grid;

use crate::chance;
use crate::filter;
use crate::frame::{Affine, Frame, warp};
use crate::lattice::Lattice;

/// A disc on the case, in micrometres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disc {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) radius: f64,
}

/// Depth that is left after a linear loss of `loss` from one edge of the mark to the other, towards `direction`.
pub(crate) fn tilt(frame: Frame, mark: Disc, loss: f64, direction: f64) -> Grid<f32> {
    let (cos, sin) = (libm::cos(direction), libm::sin(direction));
    let scale = 0.5 / mark.radius.max(1.0);
    Grid::from_fn(frame.side, frame.side, |x, y| {
        let along = (frame.place(x) - mark.x) * cos + (frame.place(y) - mark.y) * sin;
        (1.0 - loss * (0.5 + along * scale)).clamp(0.0, 1.0) as f32
    })
}

/// Softness of the border of a place without contact, in micrometres.
const BORDER: f64 = 5.0;

/// Contact, 0 to 1, with the share `missing` of the mark's disc without: the highest places of a smooth random field
/// that grows towards a random side.
pub(crate) fn patches(frame: Frame, mark: Disc, missing: (f64, f64), rng: &mut impl Rng) -> Grid<f32> {
    let (share, scale) = missing;
    let coarse = Frame::covering(frame.extent() + 8.0 * BORDER, 4.0f64.max(frame.pitch));
    let (first, last) = (coarse.first(), -coarse.first());
    let side = chance::direction(rng);
    let (cos, sin) = (libm::cos(side) / mark.radius.max(1.0), libm::sin(side) / mark.radius.max(1.0));
    let mut field = Lattice::new((first, first), (last, last), (scale, scale), rng).grid(
        (coarse.side, coarse.side),
        (first, first),
        coarse.pitch,
    );
    let mut inside = Vec::new();
    for y in 0..coarse.side {
        let dy = coarse.place(y) - mark.y;
        for (x, sample) in field.row_mut(y).iter_mut().enumerate() {
            let dx = coarse.place(x) - mark.x;
            *sample += (dx * cos + dy * sin) as f32;
            if dx * dx + dy * dy <= mark.radius * mark.radius {
                inside.push(*sample);
            }
        }
    }
    let keep = ((inside.len() as f64 * (1.0 - share)) as usize).min(inside.len().saturating_sub(1));
    let bound = if inside.is_empty() {
        f32::INFINITY
    } else {
        *inside.select_nth_unstable_by(keep, f32::total_cmp).1
    };
    let mut contact = field.map(|sample| if *sample < bound { 1.0f32 } else { 0.0 });
    filter::gaussian(&mut contact, BORDER / coarse.pitch);
    let step = frame.pitch / coarse.pitch;
    let offset = (frame.first() - coarse.first()) / coarse.pitch;
    warp(&contact, frame.side, Affine::stretch(step, step).then(Affine::shift(offset, offset)))
}
