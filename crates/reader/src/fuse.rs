//! Several observations as one question: do they show one code, and which?

use symbology::decode::DecodeOptions;

use crate::decide::{answer, evidence_of};
use crate::observation::Observation;
use crate::poses::settled;
use crate::reading::{Outcome, ReadError, ReadOptions, Reading};

/// Observations are added when this many nats speak for one code rather than two.
const SAME_CODE: f64 = 0.0;

/// Adds the evidence of several observations (lights of one case, marks, cases) and answers once.
///
/// Observations that speak for another code than the rest are left out, and the reading says how many firearms are
/// needed to explain all of them.
///
/// # Errors
///
/// [`ReadError::Nothing`] without observations, and what the decoder refuses.
pub fn fuse(observations: &[Observation], options: &ReadOptions) -> Result<Reading, ReadError> {
    if observations.is_empty() {
        return Err(ReadError::Nothing);
    }
    let groups = groups_of(observations, options)?;
    let mut reading = answer(&groups[0].iter().map(|&k| &observations[k]).collect::<Vec<_>>(), options)?;
    reading.left_out = groups[1..].iter().flatten().copied().collect();
    reading.left_out.sort_unstable();
    for mark in &mut reading.marks {
        mark.input = groups[0][mark.input];
    }
    if groups.len() > 1 {
        reading.firearms = groups.len();
        reading.warnings.push(format!(
            "{} firearms are needed to explain all inputs; read the largest group",
            groups.len()
        ));
        if is_tied(&groups, observations, options)? {
            withhold(&mut reading);
        }
    }
    if reading.outcome == Outcome::NoMark {
        reading.firearms = 0;
        reading.symbols.clear();
    }
    Ok(reading)
}

/// Whether another group of the same size carries a code of its own: then nothing says which of them was asked about.
fn is_tied(
    groups: &[Vec<usize>],
    observations: &[Observation],
    options: &ReadOptions,
) -> Result<bool, ReadError> {
    for group in groups[1..].iter().filter(|group| group.len() == groups[0].len()) {
        let rival = answer(&group.iter().map(|&k| &observations[k]).collect::<Vec<_>>(), options)?;
        if matches!(rival.outcome, Outcome::Accepted | Outcome::Candidates) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn withhold(reading: &mut Reading) {
    if reading.outcome == Outcome::Accepted {
        reading.outcome = Outcome::Candidates;
        (reading.code, reading.posterior) = (None, None);
    }
    reading.warnings.push("as many inputs speak for another code: ask about each by itself".to_owned());
}

/// Observations by the code they speak for, the largest group first: each joins the group with which it is most
/// probably one code, or begins its own.
fn groups_of(observations: &[Observation], options: &ReadOptions) -> Result<Vec<Vec<usize>>, ReadError> {
    let mut order: Vec<usize> = (0..observations.len()).collect();
    let support = |k: usize| observations[k].parts.iter().map(|part| part.support).fold(0.0, f32::max);
    order.sort_by(|&a, &b| support(b).total_cmp(&support(a)).then(a.cmp(&b)));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for one in order {
        let alone = log_likelihood(&[&observations[one]], options)?;
        let mut best: Option<(f64, usize)> = None;
        for (at, group) in groups.iter().enumerate() {
            let apart: Vec<&Observation> = group.iter().map(|&k| &observations[k]).collect();
            let joined: Vec<&Observation> = apart.iter().copied().chain([&observations[one]]).collect();
            let gain = log_likelihood(&joined, options)? - log_likelihood(&apart, options)? - alone;
            if gain >= SAME_CODE && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, at));
            }
        }
        match best {
            Some((_, at)) => groups[at].push(one),
            None => groups.push(vec![one]),
        }
    }
    // Groups began in the order of their support, which a stable sort keeps among groups of one size.
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    for group in &mut groups {
        group.sort_unstable();
    }
    Ok(groups)
}

/// The log of the mean likelihood of the evidence over all codes (lower bound: over those that were listed).
fn log_likelihood(observations: &[&Observation], options: &ReadOptions) -> Result<f64, ReadError> {
    if evidence_of(observations).is_empty() {
        return Ok(0.0);
    }
    let words = 5.0 * 6.0 * std::f64::consts::LN_2;
    Ok(settled(observations, options, &DecodeOptions::default())?.log_likelihood - words)
}
