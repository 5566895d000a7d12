//! The Gaussian regression filters themselves.

use rayon::prelude::*;

use super::axis::Axis;
use super::median::median;
use super::moments;
use super::{FilterError, Gaussian, Order};
use crate::{Grid, Topography, wide};

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
    let x = Axis::plan(heights.width(), sigma / pitch.x.to_um());
    let y = Axis::plan(heights.height(), sigma / pitch.y.to_um());
    let smoother = Smoother::new(heights, [x, y], filter.order);
    let mean = if filter.robust { smoother.robustly() } else { smoother.smooth(None) };
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

/// One surface and how it is filtered, whatever its points weigh.
struct Smoother<'a> {
    heights: &'a Grid<f64>,
    x: Axis,
    y: Axis,
    order: Order,
    /// Heights are taken from their mean, so that a stage position of millimetres costs no digits.
    level: f64,
    /// The nodes that measured samples lie between.
    wanted: Grid<bool>,
}

impl<'a> Smoother<'a> {
    fn new(heights: &'a Grid<f64>, [x, y]: [Axis; 2], order: Order) -> Self {
        let wanted = wanted(heights, &x, &y);
        Self { heights, level: mean(heights.samples()), wanted, x, y, order }
    }

    fn smooth(&self, weights: Option<&[f64]>) -> Grid<f64> {
        let width = self.heights.width();
        let mut images = moments::images(&self.x, &self.y);
        let stride = images.stride();
        images.rows_mut().enumerate().for_each(|(y, out)| {
            let own = weights.map(|weights| &weights[y * width..(y + 1) * width]);
            let (weights, values) = out.split_at_mut(stride);
            for (x, (weight, value)) in weights.iter_mut().zip(values).take(width).enumerate() {
                let z = self.heights[(x, y)];
                if z.is_finite() {
                    *weight = own.map_or(1.0, |own| own[x]);
                    *value = *weight * (z - self.level);
                }
            }
        });
        let axes = [&self.x, &self.y];
        let nodes = moments::regress(images, axes, self.order, &self.wanted, weights.is_none());
        self.spread(&nodes)
    }

    /// The robust filter of ISO 16610-71: filter, weigh the distances, filter again, until the median distance settles.
    fn robustly(&self) -> Grid<f64> {
        let mut result = self.smooth(None);
        let mut before = f64::INFINITY;
        let mut weights = Vec::new();
        for _ in 0..MOST_ITERATIONS {
            let pairs = || self.heights.samples().iter().zip(result.samples());
            let distances = || pairs().map(|(height, mean)| (height - mean).abs());
            let middle = median(distances().filter(|distance| distance.is_finite()).collect());
            if middle <= f64::MIN_POSITIVE || (before - middle).abs() <= SETTLED * middle {
                break;
            }
            before = middle;
            let end = BIWEIGHT_END * middle;
            let biweight = |distance: f64| {
                let inside = 1.0 - (distance / end).powi(2);
                if inside > 0.0 { (inside * inside).max(LEAST_WEIGHT) } else { LEAST_WEIGHT }
            };
            weights.clear();
            weights.extend(distances().map(biweight));
            result = self.smooth(Some(&weights));
        }
        result
    }

    /// The nodes' heights at the measured samples.
    fn spread(&self, nodes: &Grid<f64>) -> Grid<f64> {
        let width = self.heights.width();
        let mut result = vec![f64::NAN; width * self.heights.height()];
        let rows = result.par_chunks_mut(width.max(1)).enumerate();
        rows.for_each_init(Vec::new, |blended: &mut Vec<f64>, (y, out)| {
            if self.heights.row(y).iter().all(|z| !z.is_finite()) {
                return;
            }
            blended.clear();
            blended.resize(nodes.width() + 3, 0.0);
            let (first, weights) = place(&self.y, y);
            for (tap, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                add_scaled(blended, nodes.row(first + tap), weight);
            }
            for phase in 0..self.x.step.min(width) {
                let (first, weights) = place(&self.x, phase);
                let out = out[phase..].iter_mut().step_by(self.x.step);
                // A node that is not wanted is no number, and stays none times zero.
                match weights.iter().position(|&weight| weight == 1.0) {
                    Some(tap) => out.zip(&blended[first + tap..]).for_each(|(out, z)| *out = self.level + z),
                    None => out.zip(blended[first..].windows(4)).for_each(|(out, z)| {
                        let terms = z.iter().zip(&weights).map(|(z, weight)| z * weight);
                        *out = self.level + terms.sum::<f64>();
                    }),
                }
            }
            let measured = out.iter_mut().zip(self.heights.row(y));
            measured.filter(|(_, z)| !z.is_finite()).for_each(|(out, _)| *out = f64::NAN);
        });
        Grid::from_vec(width, self.heights.height(), result)
    }
}

wide! {
    fn add_scaled(out: &mut [f64], row: &[f64], weight: f64) {
        for (out, &sample) in out.iter_mut().zip(row) {
            *out += weight * sample;
        }
    }
}

/// Nodes that have a part in the height of a measured sample.
fn wanted(heights: &Grid<f64>, x: &Axis, y: &Axis) -> Grid<bool> {
    let mut wanted = Grid::filled(x.nodes, y.nodes, false);
    let columns: Vec<(usize, [f64; 4])> = (0..heights.width()).map(|column| place(x, column)).collect();
    let taps = |(first, weights): (usize, [f64; 4])| {
        (0..4).filter(move |&tap| weights[tap] != 0.0).map(move |tap| first + tap)
    };
    for row in 0..heights.height() {
        let mut along = vec![false; x.nodes];
        for (_, &column) in heights.row(row).iter().zip(&columns).filter(|(z, _)| z.is_finite()) {
            taps(column).for_each(|node| along[node] = true);
        }
        for node in taps(place(y, row)) {
            wanted.row_mut(node).iter_mut().zip(&along).for_each(|(wanted, along)| *wanted |= along);
        }
    }
    wanted
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where all points weigh the same, whole neighbourhoods take a shorter way to the same heights.
    #[test]
    fn the_short_way_leads_to_the_same_heights() {
        let heights = Grid::from_fn(61, 43, |x, y| {
            let is_gap =
                (20..26).contains(&x) && (10..40).contains(&y) || (x * 7 + y * 11) % 97 == 0 && x > 40;
            if is_gap { f64::NAN } else { ((x * x + 3 * y) % 17) as f64 + 0.2 * x as f64 }
        });
        for order in [Order::Zero, Order::One, Order::Two] {
            for sigma in [0.8, 1.9] {
                let axes = [Axis::plan(61, sigma), Axis::plan(43, 1.3 * sigma)];
                let smoother = Smoother::new(&heights, axes, order);
                let ones = vec![1.0; heights.samples().len()];
                let [short, long] = [smoother.smooth(None), smoother.smooth(Some(&ones))];
                for (one, other) in short.samples().iter().zip(long.samples()) {
                    assert!((one - other).abs() < 1e-9 || one.is_nan() && other.is_nan(), "{one} {other}");
                }
            }
        }
    }
}
