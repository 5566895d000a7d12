//! One input read under several schemes: which of them is it?

use crate::reading::{Outcome, Reading};

/// The reading under the likeliest of several schemes, and its place among those given, each scheme as likely before.
///
/// The likelihoods of all are over nothing there, so they can be compared. The posteriors are those over all codes of all
/// schemes and nonsense; a code is accepted only if it stays above the bound with the other schemes in sight. Nothing for
/// no readings; one reading comes back as it is.
pub fn likeliest_scheme(readings: &[Reading]) -> Option<(usize, Reading)> {
    let [_, _, ..] = readings else { return readings.first().map(|only| (0, only.clone())) };
    // What is no code in one scheme is text in another, and that one is read here too: only the rest is left beside codes.
    let beside = |reading: &Reading| {
        let Reading { hypotheses: of, .. } = reading;
        reading.log_evidence + ((of.nonsense + of.none) / of.code.max(1e-300)).ln()
    };
    let none = readings.iter().map(beside).fold(f64::NEG_INFINITY, f64::max);
    let most = readings.iter().map(|reading| reading.log_evidence).fold(none, f64::max);
    let weight = |reading: &Reading| (reading.log_evidence - most).exp();
    let total = readings.iter().map(weight).sum::<f64>() + (none - most).exp();
    let seen = |reading: &Reading| reading.firearms > 0;
    let open = |reading: &Reading| reading.outcome != Outcome::NoMark;
    let (place, chosen) = readings.iter().enumerate().max_by(|(i, a), (j, b)| {
        // Where none is seen, what may lie hidden is said before that there is none.
        let order = seen(a).cmp(&seen(b)).then(open(a).cmp(&open(b)));
        let order = order.then(a.log_evidence.total_cmp(&b.log_evidence));
        order.then(j.cmp(i))
    })?;
    let share = weight(chosen) / total;
    let mut reading = chosen.clone();
    let factor = (share / chosen.hypotheses.code.max(1e-300)).min(1.0 / chosen.hypotheses.code.max(1e-300));
    for candidate in &mut reading.candidates {
        candidate.posterior = (candidate.posterior * factor).min(share);
    }
    reading.other = 1.0 - reading.candidates.iter().map(|candidate| candidate.posterior).sum::<f64>();
    reading.posterior = reading.posterior.map(|posterior| (posterior * factor).min(share));
    if reading.posterior.is_some_and(|posterior| posterior <= 1.0 - reading.bound) {
        reading.outcome = Outcome::Candidates;
        (reading.code, reading.posterior) = (None, None);
        for group in &mut reading.groups {
            (group.outcome, group.code, group.posterior) = (Outcome::Candidates, None, None);
        }
    }
    if seen(&reading) {
        reading
            .warnings
            .push(format!("of the schemes tried {} has a probability of {share:.4}", reading.scheme));
    }
    Some((place, reading))
}
