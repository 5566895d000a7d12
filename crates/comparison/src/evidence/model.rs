//! The kinds of models that a calibration may use, and how they are learnt from its pairs.

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use super::counts::{BetaBinomial, Learner};
use super::priors::PRIORS;
use super::reference::{Pairs, Reference};
use super::scores::{Curve, Kernels, isotonic};

/// How counts or scores become ratios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Congruent cells out of the jointly measured ones (Song et al. 2020); the only one that knows of shared area.
    #[default]
    BetaBinomial,
    /// Gaussian kernel densities of the score (Baiker-Sørensen et al. 2023).
    Kde,
    /// Isotonic regression of the score by pooling adjacent violators.
    Pav,
}

impl ModelKind {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::BetaBinomial, Self::Kde, Self::Pav];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::BetaBinomial => "beta-binomial",
            Self::Kde => "kde",
            Self::Pav => "pav",
        }
    }
}

impl std::str::FromStr for ModelKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| "models are beta-binomial, kde and pav".to_owned())
    }
}

/// The shares of misleading pairs that a set without any still leaves open: among pairs of one firearm, and of two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Bounds {
    /// Half a pair in the number of pairs of either kind.
    ///
    /// What the set says about pairs of firearms with few cells it says from pairs with many, so that the share rises there.
    pub(crate) fn of([same, different]: [f64; 2], cells: usize) -> Self {
        /// No set of pairs supports a ratio beyond a million.
        const LEAST: f64 = 1e-6;
        let half = |pairs: f64| (0.5 / (pairs + 1.0)).max(LEAST);
        let few = 1.0 + PRIORS.few_cells / cells.max(1) as f64;
        Self { low: half(same), high: (few * half(different)).min(0.5) }
    }

    /// The smallest and the largest log ratio.
    pub(crate) fn limits(self) -> [f64; 2] {
        [libm::log10(self.low), -libm::log10(self.high)]
    }
}

/// What is made once from the pairs, for fitting them with any weights.
#[derive(Clone, Debug)]
pub(crate) enum Learnt {
    Counts(Box<[Learner; 2]>),
    Kde(Kernels),
    Pav,
}

/// A model fitted with some weights of the pairs.
#[derive(Clone, Debug)]
pub(crate) enum Fit {
    /// Which models of either grid are how probable.
    Counts([Vec<(usize, f64)>; 2]),
    Curve(Curve),
}

/// Models less probable than this share of the sum are left out of it.
const NEGLIGIBLE: f64 = 1e-6;

impl Learnt {
    pub(crate) fn of(kind: ModelKind, pairs: &Pairs) -> Self {
        match kind {
            ModelKind::BetaBinomial => {
                let counts = |same: bool| -> Vec<(usize, usize)> {
                    let rows = pairs.rows.iter().filter(|row| row.is_same_source() == same);
                    rows.map(|row| count(row.2, if same { row.3 } else { row.4 })).collect()
                };
                let same = Learner::new(&counts(true), PRIORS.same_dispersion);
                let different = Learner::new(&counts(false), PRIORS.different_dispersion);
                Self::Counts(Box::new([same, different]))
            }
            ModelKind::Kde => Self::Kde(Kernels::of(pairs)),
            ModelKind::Pav => Self::Pav,
        }
    }

    /// The model of pairs that weigh as told; of counts all models, as probable as they are.
    pub(crate) fn fit(&self, pairs: &Pairs, weight: &dyn Fn(usize, usize) -> f64) -> Fit {
        let limits = Bounds::of(pairs.effective(weight), usize::MAX).limits();
        match self {
            Self::Counts(learners) => Fit::Counts(posteriors(learners, pairs, weight).map(|posterior| {
                let many = posterior.into_iter().enumerate();
                many.filter(|(_, p)| *p > NEGLIGIBLE).collect()
            })),
            Self::Kde(kernels) => Fit::Curve(kernels.curve(pairs, weight, limits)),
            Self::Pav => {
                let points = pairs.rows.iter().map(|row| (row.5, row.is_same_source(), weight(row.0, row.1)));
                Fit::Curve(isotonic(points, limits))
            }
        }
    }

    /// The same, of counts one model drawn as often as it is probable.
    pub(crate) fn drawn(
        &self,
        pairs: &Pairs,
        weight: &dyn Fn(usize, usize) -> f64,
        rng: &mut impl Rng,
    ) -> Fit {
        let Self::Counts(learners) = self else { return self.fit(pairs, weight) };
        Fit::Counts(posteriors(learners, pairs, weight).map(|posterior| {
            let mut left = rng.random::<f64>();
            let reached = posterior.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            vec![(reached.unwrap_or(posterior.len() - 1), 1.0)]
        }))
    }

    /// The decimal log ratio of a pair.
    pub(crate) fn log10(&self, fit: &Fit, pair: &Reference, bounds: Bounds) -> f64 {
        match (self, fit) {
            (Self::Counts(learners), Fit::Counts(posteriors)) => {
                let mixed = |at: usize, k: usize, n: usize| {
                    let models: &[BetaBinomial] = &learners[at].models;
                    posteriors[at].iter().map(|&(i, p)| p * models[i].probability(k, n)).sum::<f64>()
                };
                let different = mixed(1, pair.congruent, pair.searched.max(pair.congruent));
                of_counts(pair, different, &|k, n| mixed(0, k, n), bounds)
            }
            (_, Fit::Curve(curve)) => {
                let [low, high] = bounds.limits();
                let ratio = curve.at(pair.score).clamp(low, high);
                // Without convergence chance explains the cells that agree: they never speak for one source.
                if pair.converged() { ratio } else { ratio.min(0.0) }
            }
            (_, Fit::Counts(_)) => 0.0,
        }
    }

    /// Mean and standard deviation of mean share and dispersion, for one firearm and for two.
    pub(crate) fn parameters(&self, fit: &Fit) -> Option<[[[f64; 2]; 2]; 2]> {
        let (Self::Counts(learners), Fit::Counts(posteriors)) = (self, fit) else { return None };
        let told = |at: usize, of: &dyn Fn(&BetaBinomial) -> f64| {
            let moment = |f: &dyn Fn(f64) -> f64| {
                let terms = posteriors[at].iter();
                terms.map(|&(i, p)| p * f(of(&learners[at].models[i]))).sum::<f64>()
            };
            let mean = moment(&|x| x);
            [mean, moment(&|x| (x - mean) * (x - mean)).sqrt()]
        };
        Some([0, 1].map(|at| [told(at, &|m| m.mean), told(at, &|m| m.dispersion)]))
    }

    /// The share of the posterior that lies at either end of the grid of means, for one firearm and for two.
    #[cfg(test)]
    pub(crate) fn at_the_edge(&self, fit: &Fit) -> [f64; 2] {
        let (Self::Counts(learners), Fit::Counts(posteriors)) = (self, fit) else { return [0.0; 2] };
        [0, 1].map(|at| {
            let ends = [0, learners[at].models.len() - 1].map(|i| learners[at].models[i].mean);
            let at_end = |i: usize| ends.contains(&learners[at].models[i].mean);
            posteriors[at].iter().filter(|(i, _)| at_end(*i)).map(|(_, p)| p).sum()
        })
    }
}

/// `k` of at least as many.
fn count(k: usize, n: usize) -> (usize, usize) {
    (k, n.max(k).max(1))
}

fn posteriors(learners: &[Learner; 2], pairs: &Pairs, weight: &dyn Fn(usize, usize) -> f64) -> [Vec<f64>; 2] {
    let mut times = [0, 1].map(|at| vec![0.0; learners[at].counts()]);
    for row in &pairs.rows {
        let same = row.is_same_source();
        let at = usize::from(!same);
        times[at][learners[at].place(count(row.2, if same { row.3 } else { row.4 }))] += weight(row.0, row.1);
    }
    [0, 1].map(|at| learners[at].posterior(&times[at]))
}

/// Same source and different sources, as counts of cells.
///
/// Same source: a beta-binomial for `k` congruent of `n` jointly measured cells (Song et al. 2020, Forensic Sci. Int.
/// 317:110502), mixed with every count being equally probable (conditions unlike the reference pairs; the fewer cells, the
/// more of it), with the different-source model where so few cells could not come together, and with the same for a case
/// that took no mark. Different sources: a beta-binomial for `k` of all the cells that searched, since each of them may fall
/// into place by chance whatever area is shared, mixed with the same-source model.
fn of_counts(
    pair: &Reference,
    different: f64,
    same_of: &dyn Fn(usize, usize) -> f64,
    Bounds { low, high }: Bounds,
) -> f64 {
    let k = pair.congruent;
    let Some(&most) = pair.joint.iter().max() else { return 0.0 };
    let of = |n: usize| of_one_source(n.max(k), different, same_of(k, n.max(k)));
    let mut numbers = pair.joint.clone();
    numbers.sort_unstable();
    let at_any_turn =
        numbers.chunk_by(|a, b| a == b).map(|alike| alike.len() as f64 * of(alike[0])).sum::<f64>()
            / numbers.len() as f64;
    let same = if pair.converged() {
        at_any_turn
    } else {
        // Without convergence chance explains the cells that agree: they never speak for one source.
        different.min((1.0 - PRIORS.parts) * of(most) + PRIORS.parts * at_any_turn)
    };
    let (numerator, denominator) =
        ((1.0 - low) * same + low * different, (1.0 - high) * different + high * same);
    if numerator > 0.0 && denominator > 0.0 { libm::log10(numerator / denominator) } else { 0.0 }
}

/// The probability of a count of `n` cells for one source: `same` by the model, `different` by chance alone.
fn of_one_source(n: usize, different: f64, same: f64) -> f64 {
    let doubt = 1.0 / (1.0 + PRIORS.doubt_cells * n as f64);
    let plain = 1.0 / (n as f64 + 1.0);
    let found = (1.0 - doubt) * same + doubt * plain;
    let lost = lost(n);
    (1.0 - lost) * found + lost * different
}

/// The probability that of `n` cells too few find their place for the pair to be seen.
fn lost(n: usize) -> f64 {
    let missed = 1.0 - PRIORS.finds;
    let mut term = libm::pow(missed, n as f64);
    let mut sum = 0.0;
    for i in 0..PRIORS.needed.min(n + 1) {
        sum += term;
        term *= (n - i) as f64 / (i + 1) as f64 * PRIORS.finds / missed;
    }
    sum.min(1.0)
}
