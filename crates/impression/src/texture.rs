//! The metal's own texture: roughness, machining marks, scratches of a drag.

use rand::Rng;
use topography::Grid;

use crate::chance;
use crate::frame::{Affine, Frame};
use crate::lattice::Lattice;

/// Fine texture of standard deviation `amount`, mixed from correlations of 3 µm and 9 µm.
pub(crate) fn roughness(frame: Frame, amount: f64, rng: &mut impl Rng) -> Grid<f32> {
    let (first, last) = (frame.first(), -frame.first());
    let mut layer = |correlation: f64| {
        Lattice::new((first, first), (last, last), (correlation, correlation), rng).grid(
            (frame.side, frame.side),
            (first, first),
            frame.pitch,
        )
    };
    let (mut fine, coarse) = (layer(3.0), layer(9.0));
    let (of_fine, of_coarse) = ((0.75 * amount) as f32, (0.65 * amount) as f32);
    for (sample, other) in fine.samples_mut().iter_mut().zip(coarse.samples()) {
        *sample = of_fine * *sample + of_coarse * other;
    }
    fine
}

/// Machining marks of standard deviation `amount`: parallel lines, or with the chance `concentric` circles about a
/// place that is mostly outside the field.
pub(crate) fn machining(frame: Frame, amount: f64, concentric: f64, rng: &mut impl Rng) -> Grid<f32> {
    if chance::unit(rng) < concentric {
        circles(frame, amount, rng)
    } else {
        let along = Affine::turn(-chance::direction(rng));
        lines(frame, amount, (150.0, 4.0), along, rng)
    }
}

/// Lines of standard deviation `amount`, with their correlations along and across; `along` turns places of the case
/// so that the lines run along `+x`.
pub(crate) fn lines(
    frame: Frame,
    amount: f64,
    shape: (f64, f64),
    along: Affine,
    rng: &mut impl Rng,
) -> Grid<f32> {
    let lattice = Lattice::turned(frame.extent(), shape, rng);
    let amount = amount as f32;
    Grid::from_fn(frame.side, frame.side, |x, y| {
        let (u, v) = along.apply(frame.place(x), frame.place(y));
        amount * lattice.at(u, v)
    })
}

/// Circles of 4 µm correlation across that change slowly along the way round.
fn circles(frame: Frame, amount: f64, rng: &mut impl Rng) -> Grid<f32> {
    let (first, last) = (frame.first(), -frame.first());
    let reach = 0.5 * frame.extent();
    let (x0, y0) = (reach * chance::sign(rng), reach * chance::sign(rng));
    let radii = (3.0 * reach) as usize + 2;
    let profile = Lattice::new((0.0, 0.0), (radii as f64, 1.0), (4.0, 1000.0), rng);
    let other = Lattice::new((0.0, 0.0), (radii as f64, 1.0), (4.0, 1000.0), rng);
    let rings = [profile.grid((radii, 1), (0.0, 0.5), 1.0), other.grid((radii, 1), (0.0, 0.5), 1.0)];
    let rings = rings.each_ref().map(unit_deviation);
    let mix = Lattice::new((first, first), (last, last), (150.0, 150.0), rng).grid(
        (frame.side, frame.side),
        (first, first),
        frame.pitch,
    );
    Grid::from_fn(frame.side, frame.side, |x, y| {
        let (dx, dy) = (frame.place(x) - x0, frame.place(y) - y0);
        let r = (dx * dx + dy * dy).sqrt();
        let index = r as usize;
        let t = (r - index as f64) as f32;
        let ring = |k: usize| {
            let values = rings[k].row(0);
            values[index] + t * (values[index + 1] - values[index])
        };
        let weight = (0.5 + 0.5 * mix[(x, y)]).clamp(0.0, 1.0);
        let norm = (weight * weight + (1.0 - weight) * (1.0 - weight)).sqrt();
        amount as f32 * (weight * ring(0) + (1.0 - weight) * ring(1)) / norm
    })
}

/// The same profile with mean 0 and standard deviation 1 over its length.
fn unit_deviation(profile: &Grid<f32>) -> Grid<f32> {
    let count = profile.samples().len() as f32;
    let mean = profile.samples().iter().sum::<f32>() / count;
    let variance = profile.samples().iter().map(|z| (z - mean) * (z - mean)).sum::<f32>() / count;
    let scale = 1.0 / variance.sqrt().max(1e-6);
    profile.map(|z| (z - mean) * scale)
}
