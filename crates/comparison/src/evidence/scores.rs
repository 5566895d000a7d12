//! Likelihood ratios of any score: kernel densities, isotonic (PAV) and logistic regression.

/// Isotonic regression by pooling adjacent violators: the best monotone step function from score to log ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct Pav {
    /// Upper score of each step and its probability of the same source at even priors.
    steps: Vec<(f64, f64)>,
    pairs: (usize, usize),
}

impl Pav {
    /// Fits the steps; both kinds weigh the same.
    pub fn fitted(same: &[f64], different: &[f64]) -> Self {
        let weights = (1.0 / same.len().max(1) as f64, 1.0 / different.len().max(1) as f64);
        let mut points: Vec<(f64, f64, f64)> = same.iter().map(|&x| (x, weights.0, weights.0)).collect();
        points.extend(different.iter().map(|&x| (x, 0.0, weights.1)));
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
        for (x, hit, weight) in points {
            match blocks.last_mut() {
                Some(last) if last.0 == x => *last = (x, last.1 + hit, last.2 + weight),
                _ => blocks.push((x, hit, weight)),
            }
        }
        let mut pooled: Vec<(f64, f64, f64)> = Vec::new();
        for block in blocks {
            pooled.push(block);
            while let [.., a, b] = pooled[..]
                && a.1 * b.2 >= b.1 * a.2
            {
                pooled.truncate(pooled.len() - 2);
                pooled.push((b.0, a.1 + b.1, a.2 + b.2));
            }
        }
        let steps = pooled.into_iter().map(|(x, hit, weight)| (x, hit / weight)).collect();
        Self { steps, pairs: (same.len(), different.len()) }
    }

    /// Decimal log ratio, kept within what half a pair of either kind supports.
    pub fn log10(&self, score: f64) -> f64 {
        let bound = |pairs: usize| (2.0 * (pairs as f64 + 1.0)).log10();
        self.log10_unbounded(score).clamp(-bound(self.pairs.0), bound(self.pairs.1))
    }

    pub(crate) fn log10_unbounded(&self, score: f64) -> f64 {
        let at = self.steps.partition_point(|step| step.0 < score).min(self.steps.len().saturating_sub(1));
        let p = self.steps.get(at).map_or(0.5, |step| step.1);
        // Finite, so that means stay meaningful.
        (p / (1.0 - p)).log10().clamp(-12.0, 12.0)
    }
}

/// Gaussian kernel densities of both kinds (Silverman's width), after Baiker-Sørensen et al. 2023.
#[derive(Clone, Debug, PartialEq)]
pub struct Kde {
    same: (Vec<f64>, f64),
    different: (Vec<f64>, f64),
}

impl Kde {
    /// Keeps the scores and a width for each kind.
    pub fn fitted(same: &[f64], different: &[f64]) -> Self {
        let kind = |scores: &[f64]| (scores.to_vec(), width(scores));
        Self { same: kind(same), different: kind(different) }
    }

    /// Decimal log ratio; each density is mixed with half a pair of the other, which bounds it.
    pub fn log10(&self, score: f64) -> f64 {
        let density = |(scores, width): &(Vec<f64>, f64)| {
            let n = scores.len().max(1) as f64;
            let sum: f64 = scores.iter().map(|x| libm::exp(-0.5 * ((score - x) / width).powi(2))).sum();
            sum / (n * width)
        };
        let (same, different) = (density(&self.same), density(&self.different));
        let half = |kind: &(Vec<f64>, f64)| 0.5 / (kind.0.len() as f64 + 1.0);
        let (low, high) = (half(&self.same), half(&self.different));
        let (up, down) = ((1.0 - low) * same + low * different, (1.0 - high) * different + high * same);
        if up > 0.0 && down > 0.0 { libm::log10(up / down) } else { 0.0 }
    }
}

fn width(scores: &[f64]) -> f64 {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let spread = (scores.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    (1.06 * spread * libm::pow(n, -0.2)).max(1e-6)
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
