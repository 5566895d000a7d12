//! The kinds of score models that a calibration may hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration::Reference;
use super::counts::{BetaBinomial, Tally};
use super::scores::{Kde, Pav};

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

impl std::str::FromStr for ModelKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beta-binomial" => Ok(Self::BetaBinomial),
            "kde" => Ok(Self::Kde),
            "pav" => Ok(Self::Pav),
            _ => Err("models are beta-binomial, kde and pav".to_owned()),
        }
    }
}

/// Same source and different sources, as counts of cells.
///
/// Same source: a beta-binomial for `k` congruent of `n` jointly measured cells (Song et al. 2020, Forensic Sci. Int.
/// 317:110502), mixed with every count being equally probable (conditions unlike the reference pairs; the fewer cells, the
/// more of it), with the different-source model where so few cells could not come together, and with the same for a case
/// that took no mark. Different sources: a beta-binomial for `k` of all the cells that searched, since each of them may fall
/// into place by chance whatever area is shared, mixed with the same-source model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) same: BetaBinomial,
    pub(crate) different: BetaBinomial,
}

/// Pairs of one source may differ much; two sources agree by chance alone, but never so regularly as a binomial says.
const SAME_WEIGHTS: (f64, f64) = (1.0, 100.0);
const DIFFERENT_WEIGHTS: (f64, f64) = (30.0, 60.0);
/// Cells that weigh as much as the doubt whether the conditions are those of the reference set.
const DOUBT: f64 = 0.8;
/// So many freely searching cells must come together before a pair can converge...
const NEEDED: usize = 3;
/// ...and with this probability a cell that has its place finds it.
const FINDS: f64 = 0.8;
/// How often two scans of one face are taken to measure parts of it at any turn to each other. Otherwise both measure what a
/// case shows, and what one lacks the other mostly lacks too: so it was in every reference pair.
const PARTS: f64 = 0.1;

impl Counts {
    pub(crate) fn fitted(references: &[Reference], weight: impl Fn(&Reference) -> f64) -> Self {
        let tallies = |same: bool| -> Vec<Tally> {
            let mut counts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
            for reference in references.iter().filter(|r| r.is_same_source() == same) {
                let cells = if same { reference.cells() } else { reference.searched };
                *counts.entry((reference.congruent, cells.max(reference.congruent).max(1))).or_default() +=
                    weight(reference);
            }
            counts.into_iter().collect()
        };
        Self {
            same: BetaBinomial::fitted(&tallies(true), SAME_WEIGHTS),
            different: BetaBinomial::fitted(&tallies(false), DIFFERENT_WEIGHTS),
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        [self.same, self.different]
            .iter()
            .all(|b| b.mean > 0.0 && b.mean < 1.0 && b.weight > 0.0 && b.weight.is_finite())
    }

    /// Over the numbers of jointly measured cells that are possible; `low` and `high` are the shares that bound the ratio.
    pub(crate) fn log10_ratio(&self, pair: &Reference, (low, high): (f64, f64)) -> f64 {
        let (k, possible) = (pair.congruent, pair.joint.len());
        let Some(&most) = pair.joint.iter().max() else { return 0.0 };
        let different = libm::exp(self.different.log_probability(k, pair.searched.max(k)));
        let of = |n: usize| self.of_one_source(k, n.max(k), different);
        let at_any_turn = pair.joint.iter().copied().map(of).sum::<f64>() / possible as f64;
        let same = match pair.joint[..] {
            [_] => at_any_turn,
            // Without convergence chance explains the cells that agree: they never speak for one source.
            _ => different.min((1.0 - PARTS) * of(most) + PARTS * at_any_turn),
        };
        let (numerator, denominator) =
            ((1.0 - low) * same + low * different, (1.0 - high) * different + high * same);
        libm::log10(numerator / denominator)
    }

    /// The probability of `k` of `n` cells for one source, where chance alone has the probability `different`.
    fn of_one_source(&self, k: usize, n: usize, different: f64) -> f64 {
        let doubt = 1.0 / (1.0 + DOUBT * n as f64);
        let plain = 1.0 / (n as f64 + 1.0);
        let found = (1.0 - doubt) * libm::exp(self.same.log_probability(k, n)) + doubt * plain;
        let lost = lost(n);
        (1.0 - lost) * found + lost * different
    }
}

/// The probability that of `n` cells too few find their place for the pair to be seen.
fn lost(n: usize) -> f64 {
    let mut term = libm::pow(1.0 - FINDS, n as f64);
    let mut sum = 0.0;
    for i in 0..NEEDED.min(n + 1) {
        sum += term;
        term *= (n - i) as f64 / (i + 1) as f64 * FINDS / (1.0 - FINDS);
    }
    sum.min(1.0)
}

/// A model of scores, fitted on the pairs that it is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fitted {
    Kde(Kde),
    Pav(Pav),
}

impl Fitted {
    /// Every pair as many times as `times` says.
    pub(crate) fn on(
        kind: ModelKind,
        pairs: &[(usize, usize, f64)],
        times: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let scores = |same: bool| -> Vec<f64> {
            let of = pairs.iter().filter(|(a, b, _)| (a == b) == same);
            of.flat_map(|&(a, b, score)| std::iter::repeat_n(score, times(a, b))).collect()
        };
        let (same, different) = (scores(true), scores(false));
        match kind {
            ModelKind::Pav => Self::Pav(Pav::fitted(&same, &different)),
            _ => Self::Kde(Kde::fitted(&same, &different)),
        }
    }

    /// Within what half a pair of either kind supports.
    pub(crate) fn log10(&self, score: f64, [low, high]: [f64; 2]) -> f64 {
        let ratio = match self {
            Self::Kde(kde) => kde.log10(score),
            Self::Pav(pav) => pav.log10(score),
        };
        ratio.clamp(low, high)
    }
}
