//! A surface on the instrument's own grid, blurred laterally, with its missing points kept.

use topography::{Grid, Topography};

use crate::filter;
use crate::frame::{Affine, warp_to};

/// Heights on an instrument's grid.
pub(crate) struct Seen {
    /// Micrometres; nothing is missing here.
    pub(crate) heights: Grid<f32>,
    /// Which points were not measured.
    pub(crate) missing: Grid<bool>,
    /// Distance between points, in micrometres.
    pub(crate) pitch: f64,
}

/// Looks at `surface` with points `pitch` micrometres apart and a Gaussian blur of deviation `blur` micrometres.
pub(crate) fn look(surface: &Topography, pitch: f64, blur: f64) -> Seen {
    let own = (surface.pitch.x.to_um(), surface.pitch.y.to_um());
    let (width, height) = (surface.heights.width(), surface.heights.height());
    let mut missing = surface.heights.map(|height| !height.is_finite());
    let mut heights = surface.heights.map(|height| *height as f32);
    let any_missing = missing.samples().iter().any(|missing| *missing);
    if any_missing {
        filter::hold_missing(&mut heights);
    }
    let same = (own.0 / pitch - 1.0).abs() < 1e-9 && (own.1 / pitch - 1.0).abs() < 1e-9;
    if !same {
        let size = (
            ((width as f64 * own.0 / pitch) as usize).max(2),
            ((height as f64 * own.1 / pitch) as usize).max(2),
        );
        // Points between the old ones; a coarser grid averages over its own pitch first.
        filter::gaussian(&mut heights, 0.3 * (pitch / own.0 - 1.0).max(0.0));
        let map = Affine::stretch(pitch / own.0, pitch / own.1);
        heights = warp_to(&heights, size, map);
        missing = Grid::from_fn(size.0, size.1, |x, y| {
            let (u, v) = map.apply(x as f64, y as f64);
            missing[((u.round() as usize).min(width - 1), (v.round() as usize).min(height - 1))]
        });
    }
    filter::gaussian(&mut heights, blur / pitch);
    Seen { heights, missing, pitch }
}

/// Slopes along x and y at every point, by central differences.
pub(crate) fn slopes(heights: &Grid<f32>, pitch: f64) -> (Grid<f32>, Grid<f32>) {
    let (width, height) = (heights.width(), heights.height());
    let scale = (0.5 / pitch) as f32;
    let mut along_x = Grid::filled(width, height, 0.0f32);
    let mut along_y = Grid::filled(width, height, 0.0f32);
    for y in 0..height {
        let row = heights.row(y);
        let target = along_x.row_mut(y);
        for x in 1..width - 1 {
            target[x] = scale * (row[x + 1] - row[x - 1]);
        }
        target[0] = 2.0 * scale * (row[1] - row[0]);
        target[width - 1] = 2.0 * scale * (row[width - 1] - row[width - 2]);
        let (above, below) = (heights.row(y.saturating_sub(1)), heights.row((y + 1).min(height - 1)));
        let step = if y == 0 || y + 1 == height { 2.0 * scale } else { scale };
        for ((target, a), b) in along_y.row_mut(y).iter_mut().zip(above).zip(below) {
            *target = step * (b - a);
        }
    }
    (along_x, along_y)
}

/// Sets the contrast as an operator does: the darkest half per cent at 0.02, the brightest at 0.98.
pub(crate) fn stretch(picture: &mut Grid<f32>, missing: &Grid<bool>) {
    let mut some: Vec<f32> = picture
        .samples()
        .iter()
        .zip(missing.samples())
        .step_by(7)
        .filter_map(|(sample, missing)| (!missing).then_some(*sample))
        .collect();
    if some.len() < 2 {
        return;
    }
    let tail = some.len() / 200;
    let low = *some.select_nth_unstable_by(tail, f32::total_cmp).1;
    let top = some.len() - 1 - tail;
    let high = *some.select_nth_unstable_by(top, f32::total_cmp).1;
    let scale = 0.96 / (high - low).max(1e-6);
    for sample in picture.samples_mut() {
        *sample = (0.02 + (*sample - low) * scale).clamp(0.0, 1.0);
    }
}
