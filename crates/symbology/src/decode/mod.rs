//! From likelihoods to codes, with a probability for each.
//!
//! Evidence is one vector of log-likelihoods for one symbol, from one observation of one mark; any number of vectors
//! for any subset of the symbols may be given, and vectors for the same symbol add. The answer is a list of words with
//! posterior probabilities, and with the probability left over it sums to one. A posterior is never overstated: what
//! was not searched is bounded from above and counted against the candidates.
//!
//! Three hypotheses compete: a word of the code (all equally probable before the evidence), legible symbols that are
//! **not** a word of the code (another scheme, another issuer's rule), and, when the caller says how probable the
//! evidence is then, no mark of ours at all.
//!
//! # Search and bound
//!
//! Any six symbols are an information set, because the mother code is maximum distance separable. Symbols are put in
//! the order of the information that they carry and cut into disjoint sets of six. For each set the 32^6 combinations
//! are visited best first, each is re-encoded to 31 symbols and scored with all evidence (ordered statistics: M. P.
//! C. Fossorier and S. Lin, IEEE Trans. IT-41, 1995). Let `w(s)` be the product of the likelihoods on set `s`. A word that no
//! list has visited weighs at most `t(s)`, the weight of the next combination, on each set, so all of them together weigh
//! at most `r(s) · Π t(u)` over the other sets `u`, where `r(s)` is the sum of `w(s)` over the combinations not visited:
//! the total is a product of sums, so `r(s)` is known exactly. The least of these bounds counts. Up to nine symbols,
//! the sum over all 2^30 words is computed exactly by a forward pass over the syndromes of the checks (J. K. Wolf,
//! IEEE Trans. IT-24, 1978); with more symbols the same pass over the nine best replaces `r` where that is tighter.

mod assemble;
mod best_first;
mod evidence;
mod exact;
mod free;
mod information_set;
mod search;
mod table;

use crate::{Code, Scheme};

/// What one observation says about one symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolEvidence {
    /// Which symbol of the word, 0 to 30 (to 7 in `plain-8`).
    pub index: usize,
    /// For each value of the **code** symbol (whitening undone) the natural logarithm of the likelihood of what was observed; as many as the
    /// alphabet has characters. Only differences matter, unless [`DecodeOptions::none`] is given. `-inf` is allowed.
    pub log_likelihoods: Vec<f32>,
    /// The log-likelihood of what was observed if the symbol did not come over at all, on the same scale; `-inf` rules
    /// that out.
    pub erased: f32,
}

/// How to decode.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeOptions {
    /// The prior probability that a symbol did not come over in one observation.
    pub erasure: f64,
    /// The prior probability that the symbols are legible but not a word of the code.
    pub foreign: f64,
    /// No mark of ours: its prior probability and the log-likelihood of **all** evidence then.
    pub none: Option<NoneOfOurs>,
    /// How many candidates are listed at most.
    pub list: usize,
    /// How many words are scored at most.
    pub effort: usize,
}

/// The hypothesis that there is no mark of the scheme.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoneOfOurs {
    /// Its probability before the evidence.
    pub prior: f64,
    /// The natural logarithm of the likelihood of all evidence, on the scale of the evidence itself.
    pub log_likelihood: f64,
}

impl Default for DecodeOptions {
    /// Erasure 0.02, foreign 0.001, no third hypothesis, 20 candidates, 300,000 words.
    fn default() -> Self {
        Self { erasure: 0.02, foreign: 1e-3, none: None, list: 20, effort: 300_000 }
    }
}

/// What the evidence says.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoding {
    /// The most probable words, the best first.
    pub candidates: Vec<Candidate>,
    /// The probability left over: `1 - Σ posterior` of the candidates. It holds `foreign`, `none`, and `unlisted`.
    pub other: f64,
    /// The posterior probability of legible symbols that are not a word of the code.
    pub foreign: f64,
    /// The posterior probability of no mark of ours.
    pub none: f64,
    /// The posterior probability of all words that are not listed: exact when `exact`, otherwise an upper bound.
    pub unlisted: f64,
    /// Whether `unlisted` is exact.
    pub exact: bool,
    /// How many further legible symbols could be lost, whichever they are, before another word fits as many legible
    /// symbols as the best candidate, or fits the evidence as well as it. Zero without candidates.
    pub margin: usize,
    /// For every symbol of the word, how many bits it speaks for the best candidate (negative: against it):
    /// log2 of its likelihood over the mean for all values. Zero without evidence; empty without candidates.
    pub bits: Vec<f64>,
    /// How many words were scored.
    pub scored: usize,
}

/// A word and its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The values of all symbols of the word; [`Scheme::text`] writes them.
    pub word: Vec<u8>,
    /// The code, for schemes with the mother code.
    pub code: Option<Code>,
    /// The probability that this is the word, all evidence considered; a lower bound unless [`Decoding::exact`].
    pub posterior: f64,
    /// The natural logarithm of the likelihood of all evidence, erasures considered.
    pub log_likelihood: f64,
}

/// Evidence or options that make no sense. All of these are for the program that called.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// A symbol that the scheme's words do not have.
    #[error("symbol {index} does not exist, words of {scheme} have {length} symbols")]
    Index {
        /// The symbol.
        index: usize,
        /// The name of the scheme.
        scheme: String,
        /// How many symbols its words have.
        length: usize,
    },
    /// A vector that is not as long as the alphabet.
    #[error("symbol {index} has {count} log-likelihoods, the alphabet has {expected} characters")]
    Length {
        /// The symbol.
        index: usize,
        /// How many there are.
        count: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A log-likelihood that is not a number or infinitely large.
    #[error("symbol {index} has the log-likelihood {value}, which is not a number below infinity")]
    Value {
        /// The symbol.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Prior probabilities that are none.
    #[error("the prior probabilities must lie between 0 and 1 and leave something for the code")]
    Prior,
}

/// The words that the evidence speaks for, with their posterior probabilities.
///
/// ```
/// use symbology::{Code, Scheme, decode::{DecodeOptions, SymbolEvidence, decode}};
/// let code: Code = "K73MXP".parse()?;
/// // Eight symbols of the gear ring, each read rightly with 20 nats to spare, and nothing else.
/// let evidence: Vec<SymbolEvidence> = (8..16)
///     .map(|index| {
///         let mut log_likelihoods = vec![-20.0; 32];
///         log_likelihoods[usize::from(code.symbols()[index].value())] = 0.0;
///         SymbolEvidence { index, log_likelihoods, erased: f32::NEG_INFINITY }
///     })
///     .collect();
/// let decoding = decode(&Scheme::open_1(), &evidence, &DecodeOptions::default())?;
/// assert_eq!(decoding.candidates[0].code, Some(code));
/// assert!(decoding.candidates[0].posterior > 0.999_99);
/// assert_eq!(decoding.margin, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`DecodeError`] when evidence or options make no sense.
pub fn decode(
    scheme: &Scheme,
    evidence: &[SymbolEvidence],
    options: &DecodeOptions,
) -> Result<Decoding, DecodeError> {
    let none = options.none.map_or(0.0, |none| none.prior);
    let share = |p: f64| (0.0..1.0).contains(&p);
    if !share(options.erasure) || !share(options.foreign) || !share(none) || options.foreign + none >= 1.0 {
        return Err(DecodeError::Prior);
    }
    if let Some(bad) =
        options.none.map(|none| none.log_likelihood).filter(|l| l.is_nan() || *l == f64::INFINITY)
    {
        return Err(DecodeError::Value { index: 0, value: bad });
    }
    let scores = evidence::Scores::new(scheme, evidence, options.erasure)?;
    Ok(assemble::decoding(scheme, &scores, options))
}
