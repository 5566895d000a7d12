//! The Gaussian regression filters themselves.

use rayon::prelude::*;

use super::axis::Axis;
use super::moments::{self, Weighted};
use super::{FilterError, Gaussian, Order};
use crate::{Grid, Topography};

/// Tukey's biweight ends at this many median distances, about three standard deviations (ISO 16610-71).
const BIWEIGHT_END: f64 = 4.4478;
/// The weight that the farthest outlier keeps, so that a region of nothing but outliers still has a mean.
const LEAST_WEIGHT: f64 = 1e-4;
/// Robust iteration ends when the median distance changes by less than this share.
const SETTLED: f64 = 0.01;
const MOST_ITERATIONS: usize = 12;

/// What is longer than the cut-off: the filtered mean surface.
///
/// Missing points stay missing and weigh nothing. Near edges and gaps the fit leans on the points that are there: order 0
/// bends away from tilted surfaces, orders 1 and 2 do not. Where the points do not span the polynomial (a speck, a
/// single line), a lower order takes over.
///
/// The height at half-way between the coarse nodes that long cut-offs are computed on is interpolated; waves as long as
/// the cut-off lose at most 0.1 % of their height by it, shorter ones less than 1 %.
///
/// # Errors
///
/// [`FilterError::CutOff`] if the cut-off is not a positive length.
pub fn low_pass(topography: &Topography, filter: &Gaussian) -> Result<Topography, FilterError> {
    let cut_off = filter.cut_off.to_um();
    if !(cut_off.is_finite() && cut_off > 0.0) {
        return Err(FilterError::CutOff(filter.cut_off));
    }
    let heights = &topography.heights;
    let pitch = topography.pitch;
    let sigma = cut_off * relative_sigma(filter.order);
    let moments = 2 * moments::degree(filter.order);
    let plan = Plan {
        x: Axis::plan(heights.width(), sigma / pitch.x.to_um(), moments),
        y: Axis::plan(heights.height(), sigma / pitch.y.to_um(), moments),
        order: filter.order,
    };
    let mean = if filter.robust { smooth_robustly(heights, &plan) } else { smooth(heights, None, &plan) };
    Ok(Topography { heights: mean, pitch })
}

/// What is shorter than the cut-off: the surface less [`low_pass`].
///
/// # Errors
///
/// [`FilterError::CutOff`] if the cut-off is not a positive length.
pub fn high_pass(topography: &Topography, filter: &Gaussian) -> Result<Topography, FilterError> {
    let mut result = low_pass(topography, filter)?;
    let pairs = result.heights.samples_mut().iter_mut().zip(topography.heights.samples());
    pairs.for_each(|(mean, height)| *mean = height - *mean);
    Ok(result)
}

/// What lies between two cut-offs: first [`low_pass`] with `short`, then [`high_pass`] with `long`.
///
/// Breech faces are compared in a band of 16 to 250 µm, order 2, robust (Chen et al. 2017, Forensic Sci. Int. 280:213).
///
/// # Errors
///
/// [`FilterError::CutOff`] if a cut-off is not a positive length.
pub fn band_pass(
    topography: &Topography,
    short: &Gaussian,
    long: &Gaussian,
) -> Result<Topography, FilterError> {
    high_pass(&low_pass(topography, short)?, long)
}

struct Plan {
    x: Axis,
    y: Axis,
    order: Order,
}

/// The standard deviation of the weighting function in cut-offs, so that the cut-off passes with one half.
///
/// A wave of frequency `f` passes orders 0 and 1 with `exp(-u)` and order 2 with `(1 + u) exp(-u)`, `u = 2 π² σ² f²`.
fn relative_sigma(order: Order) -> f64 {
    const HALF: f64 = std::f64::consts::LN_2;
    /// The solution of (1 + u) exp(-u) = 1/2.
    const HALF_OF_ORDER_TWO: f64 = 1.678_346_990_016_661;
    let u = if order == Order::Two { HALF_OF_ORDER_TWO } else { HALF };
    (u / 2.0).sqrt() / std::f64::consts::PI
}

fn smooth(heights: &Grid<f64>, weights: Option<&[f64]>, plan: &Plan) -> Grid<f64> {
    // Heights are taken from their mean, so that a stage position of millimetres costs no digits.
    let level = mean(heights.samples());
    let weight = |index: usize, height: f64| {
        if height.is_finite() { weights.map_or(1.0, |weights| weights[index]) } else { 0.0 }
    };
    let (width, height) = (heights.width(), heights.height());
    let indexed = || heights.samples().iter().enumerate();
    let weighted = Weighted {
        weights: Grid::from_vec(width, height, indexed().map(|(at, &z)| weight(at, z)).collect()),
        values: Grid::from_vec(
            width,
            height,
            indexed().map(|(at, &z)| if z.is_finite() { weight(at, z) * (z - level) } else { 0.0 }).collect(),
        ),
    };
    let is_direct = plan.x.step == 1 && plan.y.step == 1;
    let weighted = weighted.onto_nodes(&plan.x, &plan.y);
    let nodes = moments::regress(&weighted, &plan.x, &plan.y, plan.order, |x, y| {
        !is_direct || heights[(x, y)].is_finite()
    });
    spread_nodes(&nodes, heights, plan, level)
}

/// The robust filter of ISO 16610-71: filter, weigh the distances, filter again, until the median distance settles.
fn smooth_robustly(heights: &Grid<f64>, plan: &Plan) -> Grid<f64> {
    let mut result = smooth(heights, None, plan);
    let mut before = f64::INFINITY;
    for _ in 0..MOST_ITERATIONS {
        let distances: Vec<f64> = heights
            .samples()
            .iter()
            .zip(result.samples())
            .map(|(height, mean)| (height - mean).abs())
            .collect();
        let middle = median(distances.iter().copied().filter(|distance| distance.is_finite()).collect());
        if middle <= f64::MIN_POSITIVE || (before - middle).abs() <= SETTLED * middle {
            break;
        }
        before = middle;
        let end = BIWEIGHT_END * middle;
        let biweight = |distance: &f64| {
            let inside = 1.0 - (distance / end).powi(2);
            if inside > 0.0 { (inside * inside).max(LEAST_WEIGHT) } else { LEAST_WEIGHT }
        };
        let weights: Vec<f64> = distances.iter().map(biweight).collect();
        result = smooth(heights, Some(&weights), plan);
    }
    result
}

/// The nodes' heights at the measured samples.
fn spread_nodes(nodes: &Grid<f64>, heights: &Grid<f64>, plan: &Plan, level: f64) -> Grid<f64> {
    let width = heights.width();
    let is_direct = plan.x.step == 1 && plan.y.step == 1;
    let columns: Vec<(usize, [f64; 4])> = (0..width).map(|x| place(&plan.x, x)).collect();
    let mut result = vec![f64::NAN; width * heights.height()];
    result.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
        let (first, weights) = place(&plan.y, y);
        let blend = |node: usize| -> f64 {
            (0..4)
                .filter(|&tap| weights[tap] != 0.0)
                .map(|tap| weights[tap] * nodes[(node, first + tap)])
                .sum()
        };
        let row: Vec<f64> = (0..nodes.width()).map(blend).collect();
        for ((out, (first, weights)), height) in out.iter_mut().zip(&columns).zip(heights.row(y)) {
            if height.is_finite() {
                let between =
                    || (0..4).filter(|&tap| weights[tap] != 0.0).map(|tap| weights[tap] * row[first + tap]);
                *out = level + if is_direct { row[*first] } else { between().sum() };
            }
        }
    });
    Grid::from_vec(width, heights.height(), result)
}

/// Nodes and weights for a sample; on a direct axis the sample itself.
fn place(axis: &Axis, sample: usize) -> (usize, [f64; 4]) {
    if axis.step == 1 { (sample, [1.0, 0.0, 0.0, 0.0]) } else { axis.interpolation(sample) }
}

fn mean(heights: &[f64]) -> f64 {
    let (sum, count) = heights
        .iter()
        .filter(|height| height.is_finite())
        .fold((0.0, 0_usize), |(sum, count), height| (sum + height, count + 1));
    sum / count.max(1) as f64
}

/// The upper median, 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
