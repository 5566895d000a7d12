//! How good likelihood ratios are: cost, calibration and discrimination.
//!
//! All functions take decimal log ratios of pairs known to be of the same source and of different sources. Where there is no
//! pair of one kind nothing is known: costs and shares are then not a number.

use super::scores::Pav;

/// Log-likelihood-ratio cost in bits: 0 is perfect, 1 says nothing (Brümmer & du Preez 2006).
///
/// ```
/// let cost = comparison::evidence::cllr(&[3.0, 3.0], &[-3.0, -3.0]);
/// assert!((cost - 0.0014).abs() < 1e-4);
/// ```
pub fn cllr(same: &[f64], different: &[f64]) -> f64 {
    0.5 * (mean(same.iter().map(|x| surprise(-x))) + mean(different.iter().map(|x| surprise(*x))))
}

/// The cost that remains after the best monotone recalibration: what the scores cannot tell apart.
pub fn cllr_min(same: &[f64], different: &[f64]) -> f64 {
    let pav = Pav::fitted(same, different);
    let again = |scores: &[f64]| scores.iter().map(|&x| pav.log10_unbounded(x)).collect::<Vec<_>>();
    cllr(&again(same), &again(different))
}

/// Empirical cross-entropy in bits at each prior log10 odds: the ratios, the best recalibration, and no ratio at all.
///
/// Ramos et al. 2013, J. Forensic Sci. 58:1503.
pub fn ece(same: &[f64], different: &[f64], prior_log10: &[f64]) -> Vec<[f64; 3]> {
    let pav = Pav::fitted(same, different);
    let best = |x: f64| pav.log10_unbounded(x);
    prior_log10
        .iter()
        .map(|&odds| {
            let p = 1.0 / (1.0 + libm::pow(10.0, -odds));
            let at = |of: &dyn Fn(f64) -> f64| {
                p * mean(same.iter().map(|&x| surprise(-of(x) - odds)))
                    + (1.0 - p) * mean(different.iter().map(|&x| surprise(of(x) + odds)))
            };
            [at(&|x| x), at(&best), at(&|_| 0.0)]
        })
        .collect()
}

/// For each threshold: the share of same-source and of different-source pairs with a larger decimal log ratio.
pub fn tippett(same: &[f64], different: &[f64], thresholds: &[f64]) -> Vec<[f64; 2]> {
    let above = |scores: &[f64], t: f64| mean(scores.iter().map(|&x| f64::from(u8::from(x > t))));
    thresholds.iter().map(|&t| [above(same, t), above(different, t)]).collect()
}

/// One step of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// Mean stated probability of the same source at even priors.
    pub stated: f64,
    /// The share of same-source pairs among them, both kinds weighed evenly.
    pub observed: f64,
    /// Pairs in this step.
    pub pairs: usize,
}

/// Stated against observed probabilities in `steps` equal steps from 0 to 1; empty steps are left out.
pub fn reliability(same: &[f64], different: &[f64], steps: usize) -> Vec<Reliability> {
    let mut sums = vec![[0.0; 3]; steps.max(1)];
    let mut counts = vec![0; steps.max(1)];
    for (scores, kind) in [(same, 1.0), (different, 0.0)] {
        for &x in scores {
            let p = 1.0 / (1.0 + libm::pow(10.0, -x));
            let step = ((p * sums.len() as f64) as usize).min(sums.len() - 1);
            let weight = 1.0 / scores.len() as f64;
            counts[step] += 1;
            for (sum, term) in sums[step].iter_mut().zip([weight, weight * p, weight * kind]) {
                *sum += term;
            }
        }
    }
    let steps = sums.iter().zip(counts).filter(|(_, pairs)| *pairs > 0);
    steps.map(|(s, pairs)| Reliability { stated: s[1] / s[0], observed: s[2] / s[0], pairs }).collect()
}

/// `log2(1 + 10^x)` without overflow.
fn surprise(x: f64) -> f64 {
    let nats = x * std::f64::consts::LN_10;
    let soft = if nats > 30.0 { nats } else { libm::log1p(libm::exp(nats)) };
    soft / std::f64::consts::LN_2
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}
