//! Spikes and dropouts: points that stand out from their nearest neighbours.

use rayon::prelude::*;

use super::gaussian::median;
use crate::{Grid, Topography};

/// What counts as a spike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spikes {
    /// How many samples to each side of a point are its neighbours; 2 makes a window of 5 × 5.
    pub reach: usize,
    /// How many standard deviations (from the median distance) from its neighbours' median a point may lie.
    pub threshold: f64,
}

impl Default for Spikes {
    /// A window of 5 × 5 and eight standard deviations: dropouts of confocal instruments, no tool marks.
    fn default() -> Self {
        Self { reach: 2, threshold: 8.0 }
    }
}

/// Takes away points that stand out from the median of their neighbours; they become missing.
///
/// Standard deviations are 1.4826 times the median distance over the whole surface, and at least a nanometre, so that
/// a smooth surface loses nothing to its last digits. Points without any measured neighbour are taken away too.
pub fn remove_spikes(topography: &Topography, spikes: &Spikes) -> Topography {
    const LEAST_SIGMA_UM: f64 = 1e-3;
    let heights = &topography.heights;
    let medians = local_medians(heights, spikes.reach.max(1));
    let distances: Vec<f64> =
        heights.samples().iter().zip(&medians).map(|(height, middle)| (height - middle).abs()).collect();
    let typical = median(distances.iter().copied().filter(|distance| distance.is_finite()).collect());
    let allowed = spikes.threshold * (1.4826 * typical).max(LEAST_SIGMA_UM);
    let keep = |(height, distance): (&f64, f64)| if distance <= allowed { *height } else { f64::NAN };
    let kept = heights.samples().iter().zip(distances).map(keep).collect();
    Topography { heights: Grid::from_vec(heights.width(), heights.height(), kept), pitch: topography.pitch }
}

/// The median of each measured point's measured neighbours, without itself; `NaN` where there is none.
fn local_medians(heights: &Grid<f64>, reach: usize) -> Vec<f64> {
    let (width, height) = (heights.width(), heights.height());
    let mut medians = vec![f64::NAN; width * height];
    medians.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
        let mut window = Vec::with_capacity((2 * reach + 1).pow(2));
        let rows = y.saturating_sub(reach)..(y + reach + 1).min(height);
        for (x, out) in out.iter_mut().enumerate() {
            if !heights[(x, y)].is_finite() {
                continue;
            }
            window.clear();
            let columns = x.saturating_sub(reach)..(x + reach + 1).min(width);
            for row in rows.clone() {
                let samples = heights.row(row)[columns.clone()].iter().enumerate();
                let others = samples.filter(|&(at, z)| z.is_finite() && (at + columns.start, row) != (x, y));
                window.extend(others.map(|(_, z)| *z));
            }
            if !window.is_empty() {
                let middle = window.len() / 2;
                *out = *window.select_nth_unstable_by(middle, f64::total_cmp).1;
            }
        }
    });
    medians
}
