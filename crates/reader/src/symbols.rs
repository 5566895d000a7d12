//! From the shapes of parts to the values of symbols.

use symbology::decode::{DecodeOptions, SymbolEvidence, decode};
use symbology::{CheckRule, Scheme};

use crate::bank::{Bank, Part};
use crate::vectors::log_sum_exp;

/// What each symbol of a bank may be, by the log-likelihoods of the shapes of its parts; symbols in the order in which
/// their parts come.
pub(crate) fn evidence_of(scheme: &Scheme, bank: &Bank, shapes: &[Vec<f32>]) -> Vec<SymbolEvidence> {
    let alphabet = scheme.alphabet().len();
    let mut symbols: Vec<SymbolEvidence> = Vec::new();
    for (part, shapes) in bank.parts.iter().zip(shapes) {
        let Some(index) = part.symbol else { continue };
        let at = symbols.iter().position(|symbol| symbol.index == index).unwrap_or_else(|| {
            symbols.push(SymbolEvidence { index, log_likelihoods: vec![0.0; alphabet], erased: 0.0 });
            symbols.len() - 1
        });
        // A whole symbol is doubted below, once.
        let shapes = if part.bit.is_some() { doubted(shapes) } else { shapes.clone() };
        for (value, log) in symbols[at].log_likelihoods.iter_mut().enumerate() {
            *log += shown_by(part, &shapes, part.bit.map_or(value, |bit| value >> bit & 1));
        }
    }
    for symbol in &mut symbols {
        symbol.log_likelihoods = doubted(&symbol.log_likelihoods);
    }
    symbols
}

/// Bits by which symbols agree with some code beyond what choosing it costs; nothing where they cannot tell: too few, or
/// of a scheme without checks.
pub(crate) fn agreement(scheme: &Scheme, symbols: &[SymbolEvidence]) -> Option<f64> {
    if scheme.check() != CheckRule::Mother || symbols.len() <= 6 {
        return None;
    }
    let decoding = decode(scheme, symbols, &DecodeOptions::default()).ok()?;
    Some(decoding.bits.iter().sum::<f64>() - 30.0)
}

/// The log-likelihood of a value of a part: the mean over the shapes that show it.
fn shown_by(part: &Part, shapes: &[f32], value: usize) -> f32 {
    let of = part.values.iter().zip(shapes).filter(|(shown, _)| **shown == value);
    let logs: Vec<f32> = of.map(|(_, log)| *log).collect();
    if let [only] = logs[..] { only } else { log_sum_exp(&logs) - (logs.len().max(1) as f32).ln() }
}

/// How often what was seen of a symbol, or of one of its bits, is something that the model does not know: a chip, a
/// highlight, a shadow. Then every value is as likely, however well one of them fits.
const UNKNOWN: f32 = 0.01;

/// Likelihoods that allow for what the model does not know.
pub(crate) fn doubted(logs: &[f32]) -> Vec<f32> {
    let most = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let least = most + (UNKNOWN / logs.len() as f32).ln();
    logs.iter().map(|&log| log.max(least) + (-(log - least).abs()).exp().ln_1p()).collect()
}
