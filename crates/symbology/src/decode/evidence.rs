//! Evidence, added up.

use super::{DecodeError, SymbolEvidence};
use crate::Scheme;

/// The added log-likelihoods of all symbols of a word.
pub(super) struct Scores {
    /// For every symbol and value the log-likelihood, the greatest of each symbol being zero.
    pub(super) logs: Vec<Vec<f64>>,
    /// The symbols with evidence, the one that tells most first.
    pub(super) order: Vec<usize>,
    /// What was subtracted to make the greatest zero, over all symbols; `-inf` when some symbol cannot have any
    /// value.
    pub(super) offset: f64,
}

impl Scores {
    pub(super) fn new(
        scheme: &Scheme,
        evidence: &[SymbolEvidence],
        erasure: f64,
    ) -> Result<Self, DecodeError> {
        let alphabet = scheme.alphabet().len();
        let mut logs = vec![vec![0.0; alphabet]; scheme.length()];
        let mut seen = vec![false; scheme.length()];
        for one in evidence {
            check(scheme, one)?;
            seen[one.index] = true;
            let erased = f64::from(one.erased) + erasure.ln();
            for (sum, &log) in logs[one.index].iter_mut().zip(&one.log_likelihoods) {
                *sum += add_logs(f64::from(log) + (-erasure).ln_1p(), erased);
            }
        }
        let mut offset = 0.0;
        for symbol in &mut logs {
            let greatest = symbol.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            offset += greatest;
            if greatest.is_finite() {
                for log in symbol {
                    *log -= greatest;
                }
            }
        }
        let mut order: Vec<usize> = (0..logs.len()).filter(|&i| seen[i]).collect();
        order.sort_by(|&a, &b| entropy(&logs[a]).total_cmp(&entropy(&logs[b])).then(a.cmp(&b)));
        Ok(Self { logs, order, offset })
    }

    /// The log of the mean likelihood of a symbol over all its values.
    pub(super) fn mean(&self, index: usize) -> f64 {
        let symbol = &self.logs[index];
        let sum: f64 = symbol.iter().map(|log| log.exp()).sum();
        (sum / symbol.len() as f64).ln()
    }
}

/// `ln(e^a + e^b)`.
pub(super) fn add_logs(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

fn check(scheme: &Scheme, one: &SymbolEvidence) -> Result<(), DecodeError> {
    let index = one.index;
    if index >= scheme.length() {
        return Err(DecodeError::Index { index, scheme: scheme.name().to_owned(), length: scheme.length() });
    }
    let (count, expected) = (one.log_likelihoods.len(), scheme.alphabet().len());
    if count != expected {
        return Err(DecodeError::Length { index, count, expected });
    }
    let bad = |value: &&f32| value.is_nan() || **value == f32::INFINITY;
    match one.log_likelihoods.iter().chain([&one.erased]).find(bad) {
        Some(&value) => Err(DecodeError::Value { index, value: f64::from(value) }),
        None => Ok(()),
    }
}

/// The entropy in nats of the values of a symbol, all equally probable before the evidence.
fn entropy(logs: &[f64]) -> f64 {
    let sum: f64 = logs.iter().map(|log| log.exp()).sum();
    let mean: f64 = logs.iter().filter(|log| log.is_finite()).map(|log| log.exp() * log).sum::<f64>() / sum;
    sum.ln() - mean
}
