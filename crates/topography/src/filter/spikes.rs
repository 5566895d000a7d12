//! Spikes and dropouts: points that stand out from their nearest neighbours.

use rayon::prelude::*;

use super::median::median;
use crate::{Grid, Topography, wide};

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
/// Standard deviations are 1.4826 times the median distance over the whole surface (of a large one, over rows evenly taken), and at
/// least a nanometre, so that a smooth surface loses nothing to its last digits. Points without any measured neighbour are taken
/// away too.
pub fn remove_spikes(topography: &Topography, spikes: &Spikes) -> Topography {
    const LEAST_SIGMA_UM: f64 = 1e-3;
    let heights = &topography.heights;
    let reach = spikes.reach.max(1);
    let allowed = spikes.threshold * (1.4826 * typical_distance(heights, reach)).max(LEAST_SIGMA_UM);
    let width = heights.width();
    let mut kept = vec![f64::NAN; width * heights.height()];
    kept.par_chunks_mut(width.max(1)).enumerate().for_each(|(y, out)| {
        let rows = rows_about(heights, reach, y);
        let whole: Vec<bool> = rows.map_or_else(Vec::new, |rows| {
            (0..width).map(|x| rows.iter().map(|row| row[x]).sum::<f64>().is_finite()).collect()
        });
        let mut x = 0;
        while x < width {
            let windows = x.checked_sub(REACH).and_then(|from| whole.get(from..x + BLOCK + REACH));
            if let Some((rows, windows)) = rows.zip(windows) {
                let is_whole = !windows.contains(&false);
                let block = if is_whole { without_outliers } else { without_outliers_beside_gaps };
                out[x..x + BLOCK].copy_from_slice(&block(&rows, x, allowed));
                x += BLOCK;
            } else {
                if stays(heights, reach, [x, y], allowed) {
                    out[x] = heights[(x, y)];
                }
                x += 1;
            }
        }
    });
    Topography { heights: Grid::from_vec(width, heights.height(), kept), pitch: topography.pitch }
}

/// The median distance of points from the median of their neighbours.
fn typical_distance(heights: &Grid<f64>, reach: usize) -> f64 {
    /// So many points are all looked at; of more, so many tell.
    const ALL: usize = 1 << 19;
    const LOOKED_AT: usize = 1 << 16;
    let points = heights.samples().len();
    let step = if points <= ALL { 1 } else { points / LOOKED_AT };
    let rows: Vec<usize> = (step / 2..heights.height()).step_by(step).collect();
    let distances = rows.into_par_iter().flat_map_iter(|y| {
        let medians = local_medians(heights, reach, y);
        let pairs = heights.row(y).iter().zip(medians);
        pairs.map(|(height, middle)| (height - middle).abs()).filter(|d| d.is_finite()).collect::<Vec<_>>()
    });
    median(distances.collect())
}

/// Whether a point is measured, and no farther from the median of its neighbours than allowed.
///
/// The upper median of `n` values is no less than a bound where at most half of them are, and no more where over half of them are
/// no more.
fn stays(heights: &Grid<f64>, reach: usize, [x, y]: [usize; 2], allowed: f64) -> bool {
    let height = heights[(x, y)];
    if !height.is_finite() {
        return false;
    }
    let (mut below, mut above, mut measured) = (0, 0, 0);
    let near = |at: usize, most: usize| at.saturating_sub(reach)..(at + reach + 1).min(most);
    for row in near(y, heights.height()) {
        for z in &heights.row(row)[near(x, heights.width())] {
            if z.is_finite() {
                below += usize::from(*z < height - allowed);
                above += usize::from(*z > height + allowed);
                measured += 1;
            }
        }
    }
    // The point itself is no neighbour, and neither below nor above itself.
    let others = usize::saturating_sub(measured, 1);
    others > 0 && below <= others / 2 && above < others - others / 2
}

/// The medians of a row: of each measured point's measured neighbours, without itself; `NaN` where there is none.
fn local_medians(heights: &Grid<f64>, reach: usize, y: usize) -> Vec<f64> {
    let width = heights.width();
    let mut medians = vec![f64::NAN; width];
    let mut window = Vec::with_capacity((2 * reach + 1).pow(2));
    let mut x = 0;
    while x < width {
        if !heights[(x, y)].is_finite() {
            x += 1;
        } else if let Some(mut others) = whole_windows(heights, reach, [x, y]) {
            medians[x..x + LANES].copy_from_slice(&upper_median(&mut others));
            x += LANES;
        } else {
            medians[x] = median_about(heights, reach, [x, y], &mut window);
            x += 1;
        }
    }
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

/// Points of a row whose medians are found together, where windows reach this far.
const LANES: usize = 8;
const REACH: usize = 2;
/// Points of a row that are looked at together: so many that the compiler keeps the loops over them, and takes several abreast.
const BLOCK: usize = 32;
type Block = [f64; BLOCK];
/// The other points of a window of 5 × 5.
const OTHERS: usize = 24;

type Lanes = [f64; LANES];

/// The neighbours of a block of points from this place to the right, whose windows of 5 × 5 are all measured; nothing where one is
/// not, or the windows are of another size.
fn whole_windows(heights: &Grid<f64>, reach: usize, [x, y]: [usize; 2]) -> Option<[Lanes; OTHERS]> {
    let is_inside = reach == REACH
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
    sums.iter().all(|sum| sum.is_finite()).then_some(others)
}

/// The rows of windows of 5 × 5 about one row, where all lie inside and windows have that size.
fn rows_about(heights: &Grid<f64>, reach: usize, y: usize) -> Option<[&[f64]; 2 * REACH + 1]> {
    let is_inside = reach == REACH && y >= REACH && y + REACH < heights.height();
    is_inside.then(|| std::array::from_fn(|row| heights.row(y + row - REACH)))
}

wide! {
    /// The block of points that begins at `x` without those that [`stays`] would not leave; their windows are all measured.
    fn without_outliers(rows: &[&[f64]; 2 * REACH + 1], x: usize, allowed: f64) -> Block {
        staying::<true>(rows, x, allowed)
    }
}

wide! {
    /// The same where something is missing.
    fn without_outliers_beside_gaps(rows: &[&[f64]; 2 * REACH + 1], x: usize, allowed: f64) -> Block {
        staying::<false>(rows, x, allowed)
    }
}

#[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
#[inline(always)]
fn staying<const WHOLE: bool>(rows: &[&[f64]; 2 * REACH + 1], x: usize, allowed: f64) -> Block {
    let block = |row: usize, x: usize| rows[row][x..].first_chunk::<BLOCK>().unwrap_or(&[f64::NAN; BLOCK]);
    let own = block(REACH, x);
    let (mut below, mut above, mut measured) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let (mut low, mut high) = ([0.0; BLOCK], [0.0; BLOCK]);
    for lane in 0..BLOCK {
        (low[lane], high[lane]) = (own[lane] - allowed, own[lane] + allowed);
    }
    // The point itself is neither below nor above itself.
    for row in 0..=2 * REACH {
        for column in 0..=2 * REACH {
            let other = block(row, x + column - REACH);
            for lane in 0..BLOCK {
                let one = if WHOLE || other[lane].abs() <= f64::MAX { 1.0 } else { 0.0 };
                below[lane] += if other[lane] < low[lane] { one } else { 0.0 };
                above[lane] += if other[lane] > high[lane] { one } else { 0.0 };
                measured[lane] += one;
            }
        }
    }
    let mut kept = [f64::NAN; BLOCK];
    for lane in 0..BLOCK {
        let others = if WHOLE { OTHERS as f64 } else { measured[lane] - 1.0 };
        let half = (0.5 * others).floor();
        let is_measured = WHOLE || (own[lane].abs() <= f64::MAX && others > 0.0);
        let stays = is_measured && below[lane] <= half && above[lane] < others - half;
        kept[lane] = if stays { own[lane] } else { f64::NAN };
    }
    kept
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
    use crate::{Length, Pitch};

    /// Points taken together have the medians, and stay or go, as each does by itself, gaps and edges included.
    #[test]
    fn blocks_are_treated_as_every_point_is() {
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
            let mut window = Vec::new();
            let medians: Vec<f64> = (0..height).flat_map(|y| local_medians(&heights, 2, y)).collect();
            for threshold in [0.3, 0.6, 1.0] {
                let allowed = threshold * 1.4826 * typical_distance(&heights, 2);
                let surface = Topography { heights: heights.clone(), pitch: Pitch::square(Length::um(1.0)) };
                let kept = remove_spikes(&surface, &Spikes { reach: 2, threshold });
                for (at, median) in medians.iter().enumerate() {
                    let place = [at % width, at / width];
                    let height = heights.samples()[at];
                    let alone = median_about(&heights, 2, place, &mut window);
                    assert!(!height.is_finite() || *median == alone, "{width} {at}: {median} {alone}");
                    let stays = height.is_finite() && (height - alone).abs() <= allowed;
                    assert_eq!(kept.heights.samples()[at].is_finite(), stays, "{width} {at} {threshold}");
                }
            }
        }
    }
}
