//! The exact sum over all words of the likelihoods of up to nine symbols.

use crate::mother::DIMENSION;

use super::information_set::InformationSet;
use super::table::Table;

/// The most symbols whose sum is computed.
pub(super) const MOST: usize = 9;

/// The sum is computed to about this relative error.
pub(super) const ROUNDING: f64 = 1e-12;

/// The sum over all 2^30 words of the product of the likelihoods of the first nine ranks, of which `set` is the first
/// six; symbols without evidence count once for every value.
///
/// Partial sums are kept for every value that the checks may take (32^checks of them), symbol by symbol: all terms are
/// positive, so nothing cancels.
pub(super) fn total(set: &InformationSet, table: &Table) -> f64 {
    let checks = DIMENSION..table.known.clamp(DIMENSION, MOST);
    let mut sums = vec![0.0; 1 << (5 * checks.len())];
    sums[0] = 1.0;
    for k in 0..DIMENSION {
        let mut next = vec![0.0; sums.len()];
        for choice in set.choices(k) {
            let step = choice.part[checks.clone()].iter().fold(0, |step, &c| step << 5 | usize::from(c));
            for (state, &sum) in sums.iter().enumerate() {
                if sum > 0.0 {
                    next[state ^ step] += sum * choice.likelihood;
                }
            }
        }
        sums = next;
    }
    let likelihoods = &table.likelihoods[checks];
    let weigh = |state: usize| -> f64 {
        let values = likelihoods.iter().rev().enumerate();
        values.map(|(k, likelihoods)| likelihoods[state >> (5 * k) & 31]).product()
    };
    sums.iter().enumerate().map(|(state, sum)| sum * weigh(state)).sum()
}
