//! Which pose, where several could be the right one: the codes that they lead to decide.
//!
//! The likelihoods of a pose are against nothing being there, so poses of one surface compare: the probability of a pose
//! is in proportion to the mean likelihood of all evidence over the codes. The posterior of a code is the mean over the
//! poses.

use symbology::decode::Decoding;

use crate::evidence::{Case, Votes, log_with_a_word};
use crate::reading::{ReadError, ReadOptions};

/// Cases at the poses that their codes make likeliest together.
pub(crate) struct Settled<'a> {
    pub(crate) cases: Vec<Case<'a>>,
    pub(crate) votes: Votes,
    /// What they say together.
    pub(crate) decoding: Decoding,
    /// The log of the mean likelihood of all evidence over the codes at these poses, over nothing there.
    pub(crate) log_evidence: f64,
    /// How many poses were tried.
    pub(crate) tried: usize,
}

/// Settles the pose of every mark, one after the other, with all others where they are; `foreign` is the prior probability
/// that there is no code.
pub(crate) fn settled<'a>(
    cases: &[&Case<'a>],
    options: &ReadOptions,
    foreign: f64,
) -> Result<Settled<'a>, ReadError> {
    let decoded =
        |cases: &[Case]| votes_of(cases, options).decoded(&options.scheme, foreign, options.list.max(1));
    let mut chosen: Vec<Case<'a>> = cases.iter().map(|&case| case.clone()).collect();
    let drawn = |cases: &[Case]| cases.iter().map(Case::base).sum::<f64>();
    let first = decoded(&chosen)?;
    let mut best = (weight(&first) + drawn(&chosen), first);
    let mut others: Vec<(f64, Decoding)> = Vec::new();
    for (one, case) in cases.iter().enumerate() {
        for other in case.at_other_poses(&options.scheme) {
            let now = std::mem::replace(&mut chosen[one], other);
            let with = decoded(&chosen)?;
            let with = (weight(&with) + drawn(&chosen), with);
            if with.0 > best.0 {
                others.push(std::mem::replace(&mut best, with));
            } else {
                chosen[one] = now;
                others.push(with);
            }
        }
    }
    let (most, mut best) = best;
    let log_evidence = log_with_a_word(&best, &options.scheme);
    mix((most, &mut best), &others);
    let votes = votes_of(&chosen, options);
    Ok(Settled { votes, cases: chosen, decoding: best, log_evidence, tried: 1 + others.len() })
}

fn votes_of(cases: &[Case], options: &ReadOptions) -> Votes {
    let mut votes = Votes::none(&options.scheme);
    for case in cases {
        votes.add(case.votes());
    }
    votes
}

/// The log of the mean likelihood of all evidence over the codes, up to a constant.
fn weight(decoding: &Decoding) -> f64 {
    decoding
        .candidates
        .first()
        .map_or(f64::NEG_INFINITY, |best| best.log_likelihood - best.posterior.max(1e-300).ln())
}

/// Posteriors as means over poses, each as probable as its evidence makes it.
fn mix((most, best): (f64, &mut Decoding), others: &[(f64, Decoding)]) {
    let shares: Vec<f64> = others.iter().map(|(weight, _)| (weight - most).exp()).collect();
    let total = 1.0 + shares.iter().sum::<f64>();
    for candidate in &mut best.candidates {
        for ((_, other), share) in others.iter().zip(&shares) {
            let same = other.candidates.iter().find(|also| also.word == candidate.word);
            candidate.posterior += share * same.map_or(0.0, |also| also.posterior);
        }
        candidate.posterior /= total;
    }
    let foreign: f64 = others.iter().zip(&shares).map(|((_, other), share)| share * other.foreign).sum();
    best.foreign = (best.foreign + foreign) / total;
    best.candidates.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
}
