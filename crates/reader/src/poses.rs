//! Which pose, where several could be the right one: the codes that they lead to decide.
//!
//! The likelihoods of a pose are against nothing being there, so poses of one surface compare: the probability of a pose
//! is in proportion to the mean likelihood of all evidence over the codes. The posterior of a code is the mean over the
//! poses.

use symbology::decode::{DecodeOptions, Decoding, decode};

use crate::decide::evidence_of;
use crate::observation::Observation;
use crate::reading::{ReadError, ReadOptions};

/// Observations at the poses that their codes make likeliest together.
pub(crate) struct Settled {
    pub(crate) observations: Vec<Observation>,
    /// What they say together.
    pub(crate) decoding: Decoding,
    /// The log of the mean likelihood of all evidence over the codes at these poses, up to a constant.
    pub(crate) log_likelihood: f64,
    /// How many poses were tried.
    pub(crate) tried: usize,
}

/// Settles the pose of every part, one after the other, with all others where they are.
pub(crate) fn settled(
    observations: &[&Observation],
    options: &ReadOptions,
    how: &DecodeOptions,
) -> Result<Settled, ReadError> {
    let mut chosen: Vec<Observation> = observations.iter().map(|&seen| seen.clone()).collect();
    let mut best = decoded(&chosen, options, how)?;
    let mut others: Vec<Decoding> = Vec::new();
    for one in 0..chosen.len() {
        for part in 0..chosen[one].parts.len() {
            for rival in observations[one].parts[part].rivals.clone() {
                let now = std::mem::replace(&mut chosen[one].parts[part], rival);
                let with = decoded(&chosen, options, how)?;
                if weight(&with) > weight(&best) {
                    chosen[one].parts[part].found |= now.found;
                    others.push(std::mem::replace(&mut best, with));
                } else {
                    chosen[one].parts[part] = now;
                    others.push(with);
                }
            }
        }
    }
    let (tried, log_likelihood) = (1 + others.len(), weight(&best));
    mix(&mut best, &others);
    Ok(Settled { observations: chosen, decoding: best, log_likelihood, tried })
}

fn decoded(
    observations: &[Observation],
    options: &ReadOptions,
    how: &DecodeOptions,
) -> Result<Decoding, ReadError> {
    let evidence = evidence_of(&observations.iter().collect::<Vec<_>>());
    Ok(decode(&options.scheme, &evidence, how)?)
}

/// The log of the mean likelihood of all evidence over the codes, up to a constant.
fn weight(decoding: &Decoding) -> f64 {
    decoding
        .candidates
        .first()
        .map_or(f64::NEG_INFINITY, |best| best.log_likelihood - best.posterior.max(1e-300).ln())
}

/// Posteriors as means over poses, each as probable as its evidence makes it.
fn mix(best: &mut Decoding, others: &[Decoding]) {
    let most = weight(best);
    let shares: Vec<f64> = others.iter().map(|other| (weight(other) - most).exp()).collect();
    let total = 1.0 + shares.iter().sum::<f64>();
    for candidate in &mut best.candidates {
        for (other, share) in others.iter().zip(&shares) {
            let same = other.candidates.iter().find(|also| also.word == candidate.word);
            candidate.posterior += share * same.map_or(0.0, |also| also.posterior);
        }
        candidate.posterior /= total;
    }
    best.candidates.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
}
