//! One axis of a Gaussian regression: kernels, and the coarser nodes that long cut-offs are computed on.
//!
//! A Gaussian of variance `s²` is a Gaussian of variance `a²` followed by one of `s² - a²`. Where `s` spans many samples,
//! the first is applied at full resolution but evaluated only at every `step`-th place, and the second, with all moments,
//! runs on these nodes. With `a = step = s / 3` or finer, the spectrum that folds back is below 10⁻⁷ of the signal.

use super::lanes::{MOMENTS, Taps};

/// Samples per node of the coarse grid: at least this many nodes to one standard deviation.
const NODES_PER_SIGMA: f64 = 3.0;
/// Where the weighting function ends, in standard deviations.
const REACH: f64 = 5.0;
/// Nodes beyond either end of the samples, enough for the reach of the first Gaussian.
const MARGIN: usize = 5;

pub(super) struct Axis {
    /// The number of samples.
    pub(super) samples: usize,
    /// Samples from one node to the next; 1: the nodes are the samples.
    pub(super) step: usize,
    /// The number of nodes.
    pub(super) nodes: usize,
    /// Nodes before the first sample.
    pub(super) margin: usize,
    /// The first Gaussian, or nothing where the nodes are the samples.
    pub(super) prefilter: Option<Taps>,
    /// The same from end to end.
    pub(super) row_prefilter: Vec<f64>,
    /// Over nodes: the moments 0, 1, 2… of the whole Gaussian, in units of its standard deviation.
    pub(super) moments: Taps,
}

impl Axis {
    /// Plans an axis of so many samples for a Gaussian of so many samples' standard deviation.
    pub(super) fn plan(samples: usize, sigma: f64) -> Self {
        let step = (sigma / NODES_PER_SIGMA).floor().max(1.0) as usize;
        if step == 1 {
            let moments = taps(&std::array::from_fn(|moment| kernel(sigma, |u| u.powi(moment as i32))));
            let row_prefilter = Vec::new();
            return Self {
                samples,
                step,
                nodes: samples,
                margin: 0,
                prefilter: None,
                row_prefilter,
                moments,
            };
        }
        let first = step as f64;
        let second = (sigma * sigma - first * first).sqrt() / first;
        // Moments of the whole Gaussian from the second one alone: a derivative passes through the first Gaussian.
        let spread = (sigma / first / second).powi(2);
        let moments = taps(&std::array::from_fn(|moment| {
            kernel(second, |u| whole_moment(moment, u * spread.sqrt(), spread))
        }));
        let nodes = (samples - 1).div_ceil(step) + 1 + 2 * MARGIN;
        let row_prefilter = kernel(first, |_| 1.0);
        let none = vec![0.0; row_prefilter.len()];
        let prefilter =
            taps(&std::array::from_fn(|n| if n == 0 { row_prefilter.clone() } else { none.clone() }));
        Self { samples, step, nodes, margin: MARGIN, prefilter: Some(prefilter), row_prefilter, moments }
    }

    /// How many samples beyond either end the first Gaussian looks at from the outermost nodes.
    pub(super) fn overhang(&self) -> usize {
        self.prefilter.as_ref().map_or(0, |taps| (self.margin + 1) * self.step + taps.len())
    }

    /// The sample index of a node, which may lie outside the samples.
    pub(super) fn place(&self, node: usize) -> isize {
        (node as isize - self.margin as isize) * self.step as isize
    }

    /// The first of the four nodes around a sample and their Catmull-Rom weights.
    pub(super) fn interpolation(&self, sample: usize) -> (usize, [f64; 4]) {
        let node = sample / self.step + self.margin;
        let t = (sample % self.step) as f64 / self.step as f64;
        (node - 1, catmull_rom(t))
    }
}

/// Weights of four equidistant values at `t` between the second and the third (Catmull and Rom 1974).
pub(crate) fn catmull_rom(t: f64) -> [f64; 4] {
    [
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (-2.5 + 1.5 * t),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (-0.5 + 0.5 * t),
    ]
}

/// A centred kernel `factor(u) * gaussian(u)` with `u` in standard deviations, the Gaussian summing to 1.
fn kernel(sigma: f64, factor: impl Fn(f64) -> f64) -> Vec<f64> {
    let reach = (REACH * sigma).ceil() as isize;
    let u = |offset: isize| offset as f64 / sigma;
    let weight = |offset: isize| (-0.5 * u(offset) * u(offset)).exp();
    let total: f64 = (-reach..=reach).map(weight).sum();
    (-reach..=reach).map(|offset| factor(u(offset)) * weight(offset) / total).collect()
}

/// One side of centred kernels of one length.
fn taps(kernels: &[Vec<f64>; MOMENTS]) -> Taps {
    let middle = kernels[0].len() / 2;
    let at = |far: usize| kernels.each_ref().map(|kernel| kernel[middle + far]);
    let mut taps: Taps = (0..=middle).map(at).collect();
    taps[0] = taps[0].map(|weight| 0.5 * weight);
    taps
}

/// What the second Gaussian must be multiplied with to give `(x / s)^moment` times the whole Gaussian after the first.
///
/// `x^n G` is a combination of the derivatives of `G` (Hermite polynomials); derivatives of the whole Gaussian are
/// derivatives of the second one, smoothed by the first. `spread` is the whole variance over the second one's, and
/// `v = x sqrt(spread) / second's standard deviation`, so that `v` is minus the first derivative times `s`.
fn whole_moment(moment: usize, v: f64, spread: f64) -> f64 {
    // Derivatives of the second Gaussian times powers of s: hermite[n] = (-s)^n G2^(n) / G2.
    let hermite = [
        1.0,
        v,
        v * v - spread,
        v * (v * v - 3.0 * spread),
        v * v * (v * v - 6.0 * spread) + 3.0 * spread * spread,
    ];
    match moment {
        0 => 1.0,
        1 => hermite[1],
        2 => hermite[2] + 1.0,
        3 => hermite[3] + 3.0 * hermite[1],
        _ => hermite[4] + 6.0 * hermite[2] + 3.0,
    }
}
