//! Beta-binomial models of `k` congruent cells among `n`, and what pairs teach about their two parameters.

use std::collections::BTreeMap;

use super::priors::PRIORS;

/// The share of congruent cells varies from pair to pair as a beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BetaBinomial {
    /// Mean share, 0 to 1.
    pub(crate) mean: f64,
    /// `alpha + beta`: the larger, the less pairs differ.
    pub(crate) dispersion: f64,
    norm: f64,
}

impl BetaBinomial {
    pub(crate) fn new(mean: f64, dispersion: f64) -> Self {
        Self { mean, dispersion, norm: log_beta(mean * dispersion, (1.0 - mean) * dispersion) }
    }

    /// The probability of `k` of `n`.
    pub(crate) fn probability(&self, k: usize, n: usize) -> f64 {
        libm::exp(self.log_shape(k, n) + log_choices(k, n))
    }

    /// The logarithm of the same without what all models share.
    fn log_shape(&self, k: usize, n: usize) -> f64 {
        let (alpha, beta) = (self.mean * self.dispersion, (1.0 - self.mean) * self.dispersion);
        let (k, n) = (k.min(n) as f64, n as f64);
        log_beta(k + alpha, n - k + beta) - self.norm
    }
}

/// The logarithm of the number of ways to choose `k` of `n`.
fn log_choices(k: usize, n: usize) -> f64 {
    let (k, n) = (k.min(n) as f64, n as f64);
    -libm::log(n + 1.0) - log_beta(k + 1.0, n - k + 1.0)
}

/// Models on a grid of means and dispersions, and how well each explains every count that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    pub(crate) models: Vec<BetaBinomial>,
    /// Logarithm of the prior, by model.
    prior: Vec<f64>,
    /// Logarithm of the likelihood, count by count for each model.
    table: Vec<f64>,
    tallies: BTreeMap<(usize, usize), usize>,
}

/// Means and dispersions of the grid.
const MEANS: usize = 49;
const DISPERSIONS: usize = 9;
/// The grid reaches so many standard deviations of the posterior either way.
const REACH: f64 = 9.0;

impl Learner {
    /// Learns the place of the grid from all counts `(k, n)`, each weighing the same.
    pub(crate) fn new(counts: &[(usize, usize)], dispersions: [f64; 2]) -> Self {
        let mut tallies = BTreeMap::new();
        for &count in counts {
            let next = tallies.len();
            tallies.entry(count).or_insert(next);
        }
        let mut times = vec![0.0; tallies.len()];
        for count in counts {
            times[tallies[count]] += 1.0;
        }
        let coarse = Self::on(tallies, &spread(-14.0, 9.0, MEANS), dispersions);
        let (mut middle, mut width) = coarse.logit_of_mean(&times);
        // The coarse grid is half a unit fine; finer ones find the place and width of a narrow posterior.
        let mut learner = coarse;
        for _ in 0..3 {
            let reach = REACH * width.max(0.05);
            learner = Self::on(learner.tallies, &spread(middle - reach, middle + reach, MEANS), dispersions);
            (middle, width) = learner.logit_of_mean(&times);
        }
        learner
    }

    fn on(tallies: BTreeMap<(usize, usize), usize>, logits: &[f64], dispersions: [f64; 2]) -> Self {
        let [from, to] = dispersions.map(libm::log);
        let mut models = Vec::with_capacity(logits.len() * DISPERSIONS);
        for &logit in logits {
            let mean = 1.0 / (1.0 + libm::exp(-logit));
            models.extend(
                spread(from, to, DISPERSIONS).into_iter().map(|d| BetaBinomial::new(mean, libm::exp(d))),
            );
        }
        // Per step of the logit the beta prior has the density mean^a (1 - mean)^b.
        let [a, b] = PRIORS.mean_beta;
        let prior = models.iter().map(|m| a * libm::log(m.mean) + b * libm::log(1.0 - m.mean)).collect();
        let mut table = vec![0.0; models.len() * tallies.len()];
        for (model, line) in models.iter().zip(table.chunks_exact_mut(tallies.len().max(1))) {
            for (&(k, n), &at) in &tallies {
                line[at] = model.log_shape(k, n);
            }
        }
        Self { models, prior, table, tallies }
    }

    /// Where a count stands among those that were seen.
    pub(crate) fn place(&self, count: (usize, usize)) -> usize {
        self.tallies.get(&count).copied().unwrap_or(0)
    }

    /// How many different counts were seen.
    pub(crate) fn counts(&self) -> usize {
        self.tallies.len()
    }

    /// The posterior of every model where each count was seen `times` times.
    pub(crate) fn posterior(&self, times: &[f64]) -> Vec<f64> {
        let lines = self.table.chunks_exact(times.len().max(1));
        let mut log: Vec<f64> = self
            .prior
            .iter()
            .zip(lines)
            .map(|(prior, line)| prior + line.iter().zip(times).map(|(l, t)| l * t).sum::<f64>())
            .collect();
        let most = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for l in &mut log {
            *l = if *l > most - 30.0 { libm::exp(*l - most) } else { 0.0 };
        }
        let total: f64 = log.iter().sum();
        log.into_iter().map(|p| p / total).collect()
    }

    /// Mean and standard deviation of the logit of the mean.
    fn logit_of_mean(&self, times: &[f64]) -> (f64, f64) {
        let posterior = self.posterior(times);
        let logit = |m: &BetaBinomial| libm::log(m.mean / (1.0 - m.mean));
        let moment = |power: i32, about: f64| {
            let terms = self.models.iter().zip(&posterior);
            terms.map(|(m, p)| p * (logit(m) - about).powi(power)).sum::<f64>()
        };
        let middle = moment(1, 0.0);
        (middle, moment(2, middle).sqrt())
    }
}

/// `count` numbers from `from` to `to`.
fn spread(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| from + (to - from) * i as f64 / (count - 1) as f64).collect()
}

fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}
