//! Spikes and dropouts: points that stand out from their nearest neighbours.

use rayon::prelude::*;

use super::gaussian::median;
use super::wide::wide;
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
        let mut x = 0;
        while x < width {
            if !heights[(x, y)].is_finite() {
                x += 1;
            } else if let Some(block) = whole_block(heights, reach, [x, y]) {
                out[x..x + LANES].copy_from_slice(&block);
                x += LANES;
            } else {
                out[x] = median_about(heights, reach, [x, y], &mut window);
                x += 1;
            }
        }
    });
    medians
}

/// The median about one measured point.
fn median_about(heights: &Grid<f64>, reach: usize, [x, y]: [usize; 2], window: &mut Vec<f64>) -> f64 {
    window.clear();
    let near = |at: usize, most: usize| at.saturating_sub(reach)..(at + reach + 1).min(most);
    let columns = near(x, heights.width());
    for row in near(y, heights.height()) {
        let samples = heights.row(row)[columns.clone()].iter().enumerate();
        let others = samples.filter(|&(at, z)| z.is_finite() && (at + columns.start, row) != (x, y));
        window.extend(others.map(|(_, z)| *z));
    }
    if window.is_empty() {
        return f64::NAN;
    }
    let middle = window.len() / 2;
    *window.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Points of a row whose medians are found together.
const LANES: usize = 8;
/// The other points of a window of 5 × 5.
const OTHERS: usize = 24;

type Lanes = [f64; LANES];

/// The medians of a block of points whose windows of 5 × 5 are all measured, from this place to the right; nothing where one is
/// not, or the windows are of another size.
fn whole_block(heights: &Grid<f64>, reach: usize, [x, y]: [usize; 2]) -> Option<Lanes> {
    let is_inside = reach == 2
        && x >= reach
        && y >= reach
        && x + LANES + reach <= heights.width()
        && y + reach < heights.height();
    if !is_inside {
        return None;
    }
    let mut others = [[0.0; LANES]; OTHERS];
    let mut sums = [0.0; LANES];
    let mut place = 0;
    for row in y - 2..=y + 2 {
        let samples = &heights.row(row)[x - 2..x + LANES + 2];
        for column in 0..5 {
            let lanes = &samples[column..column + LANES];
            // One that is not measured makes its sum no number.
            sums.iter_mut().zip(lanes).for_each(|(sum, z)| *sum += z);
            if (column, row) != (2, y) {
                others[place].copy_from_slice(lanes);
                place += 1;
            }
        }
    }
    sums.iter().all(|sum| sum.is_finite()).then(|| upper_median(&mut others))
}

wide! {
    /// The thirteenth of 24 values by size, lane by lane.
    ///
    /// Of any fourteen of them neither the smallest nor the largest can be it: both are forgotten, another is taken in their
    /// place, and so on with ever fewer, until two are left.
    fn upper_median(values: &mut [Lanes; OTHERS]) -> Lanes {
        const FIRST: usize = OTHERS / 2 + 2;
        for begin in 0..FIRST - 3 {
            let last = FIRST - 1;
            for other in begin + 1..=last {
                order(values, begin, other);
            }
            for other in begin + 1..last {
                order(values, other, last);
            }
            if FIRST + begin < OTHERS {
                values[last] = values[FIRST + begin];
            }
        }
        let mut larger = values[FIRST - 3];
        for (one, other) in larger.iter_mut().zip(&values[FIRST - 2]) {
            *one = if *one > *other { *one } else { *other };
        }
        larger
    }
}

#[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
#[inline(always)]
fn order(values: &mut [Lanes; OTHERS], low: usize, high: usize) {
    let (one, other) = (values[low], values[high]);
    for lane in 0..LANES {
        let (a, b) = (one[lane], other[lane]);
        values[low][lane] = if a < b { a } else { b };
        values[high][lane] = if a < b { b } else { a };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points taken together have the medians that each has by itself, gaps and edges included.
    #[test]
    fn medians_of_whole_blocks_are_those_of_every_point() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 40
        };
        for (width, height, gaps) in [(64, 40, 0), (41, 23, 60), (12, 5, 0), (11, 9, 7), (5, 5, 0)] {
            // Many ties, heights of either sign.
            let heights = Grid::from_fn(width, height, |_, _| {
                let value = next();
                if gaps > 0 && value % gaps == 0 { f64::NAN } else { (value % 41) as f64 - 20.0 }
            });
            let medians = local_medians(&heights, 2);
            let mut window = Vec::new();
            for (at, median) in medians.iter().enumerate() {
                let place = [at % width, at / width];
                let is_measured = heights.samples()[at].is_finite();
                let alone =
                    if is_measured { median_about(&heights, 2, place, &mut window) } else { f64::NAN };
                assert!(
                    *median == alone || median.is_nan() && alone.is_nan(),
                    "{width} {at}: {median} {alone}"
                );
            }
        }
    }
}
