//! Likelihood ratios of any score: kernel densities, isotonic (PAV) and logistic regression.

use super::model::Bounds;
use super::reference::Pairs;

/// Log ratios that never fall as the score rises: straight lines between points, level beyond the outermost.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve(Vec<(f64, f64)>);

impl Curve {
    pub(crate) fn at(&self, score: f64) -> f64 {
        let points = &self.0;
        let above = points.partition_point(|point| point.0 < score);
        match (above.checked_sub(1).and_then(|at| points.get(at)), points.get(above)) {
            (Some(&(x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (score - x0) / (x1 - x0),
            (_, Some(&(_, y))) | (Some(&(_, y)), None) => y,
            (None, None) => 0.0,
        }
    }
}

/// A step of the regression: its lowest and highest score, the weight of same-source pairs, and all of it.
type Step = (f64, f64, f64, f64);

/// The best monotone steps through weighted points; both kinds weigh the same in all.
fn steps(points: impl Iterator<Item = (f64, bool, f64)>) -> Vec<Step> {
    let mut points: Vec<(f64, bool, f64)> = points.filter(|point| point.2 > 0.0).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = |same: bool| points.iter().filter(|p| p.1 == same).map(|p| p.2).sum::<f64>();
    let totals = [total(false), total(true)].map(|sum| sum.max(f64::MIN_POSITIVE));
    let mut pooled: Vec<Step> = Vec::new();
    let mut open = 0.0;
    for (at, &(x, same, weight)) in points.iter().enumerate() {
        let weight = weight / totals[usize::from(same)];
        let hit = if same { weight } else { 0.0 };
        match pooled.last_mut() {
            Some(last) if at > 0 && open == x => *last = (last.0, x, last.2 + hit, last.3 + weight),
            _ => pooled.push((x, x, hit, weight)),
        }
        open = x;
        if points.get(at + 1).is_some_and(|next| next.0 == x) {
            continue;
        }
        while let [.., a, b] = pooled[..]
            && a.2 * b.3 >= b.2 * a.3
        {
            pooled.truncate(pooled.len() - 2);
            pooled.push((a.0, b.1, a.2 + b.2, a.3 + b.3));
        }
    }
    pooled
}

/// Isotonic regression as a curve: level on every step, straight between steps, so that a score between those that were
/// seen says no more than its neighbours.
pub(crate) fn isotonic(points: impl Iterator<Item = (f64, bool, f64)>, [low, high]: [f64; 2]) -> Curve {
    let mut curve = Vec::new();
    for (from, to, hit, weight) in steps(points) {
        let y = log_odds(hit / weight).clamp(low, high);
        curve.push((from, y));
        if to > from {
            curve.push((to, y));
        }
    }
    Curve(curve)
}

/// Finite, so that means stay meaningful.
fn log_odds(p: f64) -> f64 {
    libm::log10(p / (1.0 - p)).clamp(-12.0, 12.0)
}

fn unweighted(same: &[f64], different: &[f64]) -> impl Iterator<Item = (f64, bool, f64)> {
    let of = |scores: &[f64], kind: bool| scores.iter().map(|&x| (x, kind, 1.0)).collect::<Vec<_>>();
    of(same, true).into_iter().chain(of(different, false))
}

/// Isotonic regression by pooling adjacent violators: the best monotone function from score to log ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct Pav {
    /// Upper score of each step and its log ratio.
    steps: Vec<(f64, f64)>,
    curve: Curve,
}

impl Pav {
    /// Fits the steps; both kinds weigh the same.
    pub fn fitted(same: &[f64], different: &[f64]) -> Self {
        let limits = Bounds::of([same.len() as f64, different.len() as f64], usize::MAX).limits();
        let steps = steps(unweighted(same, different));
        let steps = steps.into_iter().map(|(_, x, hit, weight)| (x, log_odds(hit / weight))).collect();
        Self { steps, curve: isotonic(unweighted(same, different), limits) }
    }

    /// Decimal log ratio, kept within what half a pair of either kind supports; between two steps on the straight line.
    pub fn log10(&self, score: f64) -> f64 {
        self.curve.at(score)
    }

    /// The step of a score that the regression was fitted on.
    pub(crate) fn log10_unbounded(&self, score: f64) -> f64 {
        let at = self.steps.partition_point(|step| step.0 < score).min(self.steps.len().saturating_sub(1));
        self.steps.get(at).map_or(0.0, |step| step.1)
    }
}

/// Gaussian kernel densities of both kinds (Silverman's widths), after Baiker-Sørensen et al. 2023.
///
/// Where one kind shows far less spread than the other, its width is half of the other's: scores that nobody has seen are not
/// thereby impossible. The ratio never falls as the score rises, and beyond the outermost score it stays what it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Kde(Curve);

impl Kde {
    /// Fits both densities; each is mixed with half a pair of the other, which bounds the ratio.
    pub fn fitted(same: &[f64], different: &[f64]) -> Self {
        let kernels = Kernels::new([same, different], 0.0);
        let masses = [same, different].map(|scores| kernels.binned(scores.iter().map(|&x| (x, 1.0))));
        let bounds = Bounds::of([same.len() as f64, different.len() as f64], usize::MAX);
        Self(kernels.through(&masses, bounds))
    }

    /// Decimal log ratio.
    pub fn log10(&self, score: f64) -> f64 {
        self.0.at(score)
    }
}

/// Where densities are evaluated, and the two kernels there.
#[derive(Clone, Debug)]
pub(crate) struct Kernels {
    from: f64,
    step: f64,
    /// Of a distance in steps, for one firearm and for two.
    of_kind: [Vec<f64>; 2],
}

/// Points at which densities are evaluated.
const POINTS: usize = 200;

impl Kernels {
    /// For scores of congruent cells, where kernels are no narrower than a cell.
    pub(crate) fn of(pairs: &Pairs) -> Self {
        let scores = |same: bool| -> Vec<f64> {
            pairs.rows.iter().filter(|row| row.is_same_source() == same).map(|row| row.5).collect()
        };
        Self::new([&scores(true), &scores(false)], 1.0)
    }

    fn new(scores: [&[f64]; 2], least: f64) -> Self {
        let all = || scores.into_iter().flatten().copied();
        let (from, to) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let step = if to > from { (to - from) / (POINTS - 1) as f64 } else { 1.0 };
        let widths = scores.map(width);
        let least = least.max(0.5 * widths[0].max(widths[1])).max(2.0 * step);
        let kernel = |width: f64| {
            let width = width.max(least) / step;
            (0..POINTS).map(|i| libm::exp(-0.5 * (i as f64 / width).powi(2)) / width).collect()
        };
        Self { from: if from.is_finite() { from } else { 0.0 }, step, of_kind: widths.map(kernel) }
    }

    /// The curve of pairs that weigh as told.
    pub(crate) fn curve(
        &self,
        pairs: &Pairs,
        weight: &dyn Fn(usize, usize) -> f64,
        limits: [f64; 2],
    ) -> Curve {
        let of = |same: bool| {
            let rows = pairs.rows.iter().filter(move |row| row.is_same_source() == same);
            rows.map(|row| (row.5, weight(row.0, row.1)))
        };
        let bounds = Bounds { low: libm::pow(10.0, limits[0]), high: libm::pow(10.0, -limits[1]) };
        self.through(&[self.binned(of(true)), self.binned(of(false))], bounds)
    }

    /// Weights shared out to the two points about each score; they sum to one.
    fn binned(&self, scores: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
        let mut mass = vec![0.0; POINTS];
        for (score, weight) in scores {
            let at = ((score - self.from) / self.step).clamp(0.0, (POINTS - 1) as f64);
            let (left, right) = (at as usize, (at as usize + 1).min(POINTS - 1));
            mass[left] += weight * (1.0 - at.fract());
            mass[right] += weight * at.fract();
        }
        let total: f64 = mass.iter().sum();
        mass.into_iter().map(|m| m / total.max(f64::MIN_POSITIVE)).collect()
    }

    fn through(&self, masses: &[Vec<f64>; 2], Bounds { low, high }: Bounds) -> Curve {
        let density = |kind: usize, at: usize| -> f64 {
            let kernel = &self.of_kind[kind];
            masses[kind].iter().enumerate().map(|(i, m)| m * kernel[at.abs_diff(i)]).sum()
        };
        let ratio = |at: usize| {
            let (same, different) = (density(0, at), density(1, at));
            let (up, down) = ((1.0 - low) * same + low * different, (1.0 - high) * different + high * same);
            if up > 0.0 && down > 0.0 { libm::log10(up / down) } else { 0.0 }
        };
        let raw: Vec<f64> = (0..POINTS).map(ratio).collect();
        let points = monotone(&raw).into_iter().enumerate();
        Curve(points.map(|(i, y)| (self.from + self.step * i as f64, y)).collect())
    }
}

/// Of the values between the largest so far and the smallest still to come the one nearest to zero.
fn monotone(raw: &[f64]) -> Vec<f64> {
    let mut to_come = raw.to_vec();
    for at in (1..raw.len()).rev() {
        to_come[at - 1] = to_come[at - 1].min(to_come[at]);
    }
    let mut so_far = f64::NEG_INFINITY;
    raw.iter()
        .zip(to_come)
        .map(|(&y, least)| {
            so_far = so_far.max(y);
            0.0_f64.clamp(least, so_far)
        })
        .collect()
}

fn width(scores: &[f64]) -> f64 {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let spread = (scores.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    1.06 * spread * libm::pow(n, -0.2)
}
/// How strongly intercept and slope are pulled towards nothing.
const PULL: f64 = 0.05;

/// Logistic regression of the score, both kinds weighing the same, with a mild pull towards no slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    intercept: f64,
    slope: f64,
}

impl Logistic {
    /// Newton's method on the penalised likelihood of the standardised score.
    pub fn fitted(same: &[f64], different: &[f64]) -> Self {
        let n = (same.len() + different.len()).max(1) as f64;
        let all = || same.iter().chain(different);
        let middle = all().sum::<f64>() / n;
        let spread = (all().map(|x| (x - middle).powi(2)).sum::<f64>() / n).sqrt().max(1e-9);
        let (mut intercept, mut slope) = (0.0, 0.0);
        for _ in 0..60 {
            let mut g = [-PULL * intercept, -PULL * slope];
            let mut h = [[PULL, 0.0], [0.0, PULL]];
            for (scores, kind) in [(same, 1.0), (different, 0.0)] {
                let weight = 0.5 * n / scores.len().max(1) as f64;
                for x in scores.iter().map(|x| (x - middle) / spread) {
                    let p = 1.0 / (1.0 + libm::exp(-(intercept + slope * x)));
                    let (miss, bend) = (weight * (kind - p), weight * p * (1.0 - p));
                    g = [g[0] + miss, g[1] + miss * x];
                    h = [[h[0][0] + bend, h[0][1] + bend * x], [0.0, h[1][1] + bend * x * x]];
                }
            }
            let determinant = h[0][0] * h[1][1] - h[0][1] * h[0][1];
            intercept += ((h[1][1] * g[0] - h[0][1] * g[1]) / determinant).clamp(-1.0, 1.0);
            slope += ((h[0][0] * g[1] - h[0][1] * g[0]) / determinant).clamp(-1.0, 1.0);
        }
        Self { intercept: intercept - slope * middle / spread, slope: slope / spread }
    }

    /// Decimal log ratio.
    pub fn log10(&self, score: f64) -> f64 {
        (self.intercept + self.slope * score) / std::f64::consts::LN_10
    }
}
