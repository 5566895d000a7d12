//! Beta-binomial models of `k` congruent cells among `n`.

use serde::{Deserialize, Serialize};

/// The share of congruent cells varies from pair to pair as a beta distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BetaBinomial {
    /// Mean share, 0 to 1.
    pub(crate) mean: f64,
    /// `alpha + beta`: the larger, the less pairs differ.
    pub(crate) weight: f64,
}

/// `k` of `n`, and how many pairs showed it.
pub(crate) type Tally = ((usize, usize), f64);

impl BetaBinomial {
    /// Natural logarithm of the probability of `k` of `n`.
    pub(crate) fn log_probability(&self, k: usize, n: usize) -> f64 {
        let (alpha, beta) = (self.mean * self.weight, (1.0 - self.mean) * self.weight);
        let (k, n) = (k.min(n) as f64, n as f64);
        log_beta(k + alpha, n - k + beta)
            - log_beta(alpha, beta)
            - (n + 1.0).ln()
            - log_beta(k + 1.0, n - k + 1.0)
    }

    /// The most likely model, its weight kept within `weights`.
    ///
    /// Half a pair of one congruent cell in two is added, so that a set without any exception does not claim certainty.
    pub(crate) fn fitted(tallies: &[Tally], weights: (f64, f64)) -> Self {
        let score = |mean: f64, weight: f64| {
            let model = Self { mean, weight };
            let prior = 0.5 * (mean.ln() + (1.0 - mean).ln());
            tallies.iter().map(|&((k, n), times)| times * model.log_probability(k, n)).sum::<f64>() + prior
        };
        let (from, to) = (weights.0.ln(), weights.1.ln());
        let best_mean = |log_weight: f64| maximum(-7.0, 7.0, |x| score(logistic(x), log_weight.exp()));
        let log_weight = maximum(from, to, |w| score(logistic(best_mean(w)), w.exp()));
        // Rounded, so that a calibration read from its file is the one that was written.
        let rounded = |x: f64| (x * 1e6).round() * 1e-6;
        Self { mean: rounded(logistic(best_mean(log_weight))).max(1e-6), weight: rounded(log_weight.exp()) }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// Where a function with one peak is largest: golden-section search.
fn maximum(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_a, mut at_b) = (value(a), value(b));
    for _ in 0..28 {
        if at_a < at_b {
            (low, a, at_a) = (a, b, at_b);
            b = low + GOLDEN * (high - low);
            at_b = value(b);
        } else {
            (high, b, at_b) = (b, a, at_a);
            a = high - GOLDEN * (high - low);
            at_a = value(a);
        }
    }
    0.5 * (low + high)
}
