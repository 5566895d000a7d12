//! Posteriors, margin and bits from what the search brought.

use crate::mother::DIMENSION;
use crate::{CheckRule, Code, Scheme, Symbol};

use super::evidence::{Scores, add_logs};
use super::search::{self, Found};
use super::{Candidate, DecodeOptions, Decoding, free};

pub(super) fn decoding(scheme: &Scheme, scores: &Scores, options: &DecodeOptions) -> Decoding {
    if scores.offset == f64::NEG_INFINITY {
        return nothing(options);
    }
    let mother = scheme.check() == CheckRule::Mother;
    let found = if mother {
        search::words(scores, options.list, options.effort)
    } else {
        free::words(scores, options.list)
    };
    let foreign_prior = if mother { options.foreign } else { 0.0 };
    let none_prior = options.none.map_or(0.0, |none| none.prior);
    let ours = (1.0 - foreign_prior - none_prior).ln() - found.log_count;
    let foreign = foreign_prior.ln() + scores.order.iter().map(|&i| scores.mean(i)).sum::<f64>();
    let none = options.none.map_or(f64::NEG_INFINITY, |n| n.prior.ln() + n.log_likelihood - scores.offset);
    let total = found
        .words
        .iter()
        .map(|(log, _)| ours + log)
        .chain([ours + found.unlisted, foreign, none])
        .fold(f64::NEG_INFINITY, add_logs);
    let candidates: Vec<Candidate> = found
        .words
        .iter()
        .map(|(log, word)| Candidate {
            word: word.clone(),
            code: mother.then(|| code_of(word)),
            posterior: (ours + log - total).exp(),
            log_likelihood: log + scores.offset,
        })
        .collect();
    let unlisted = (ours + found.unlisted - total).exp();
    let (foreign, none) = ((foreign - total).exp(), (none - total).exp());
    Decoding {
        other: (unlisted + foreign + none).min(1.0),
        foreign,
        none,
        unlisted,
        exact: found.exact,
        margin: margin(scores, &found, mother),
        bits: bits(scores, &found),
        scored: found.scored,
        candidates,
    }
}

/// The evidence rules out every word.
fn nothing(options: &DecodeOptions) -> Decoding {
    let none = if options.none.is_some() { 1.0 } else { 0.0 };
    Decoding {
        candidates: Vec::new(),
        other: 1.0,
        foreign: 1.0 - none,
        none,
        unlisted: 0.0,
        exact: true,
        margin: 0,
        bits: Vec::new(),
        scored: 0,
    }
}

fn code_of(word: &[u8]) -> Code {
    Code::new(std::array::from_fn(|i| Symbol::masked(u32::from(word[i]))))
}

fn bits(scores: &Scores, found: &Found) -> Vec<f64> {
    let Some((_, best)) = found.words.first() else { return Vec::new() };
    let bits_of = |i: usize| (scores.logs[i][usize::from(best[i])] - scores.mean(i)) / std::f64::consts::LN_2;
    (0..best.len()).map(|i| if scores.order.contains(&i) { bits_of(i) } else { 0.0 }).collect()
}

/// A symbol is legible when one value has more than half of its probability. Another word agrees with the best in at
/// most five places, so it fits at most five of the `agreeing` legible symbols and all `disagreeing` ones.
fn margin(scores: &Scores, found: &Found, mother: bool) -> usize {
    let Some((_, best)) = found.words.first() else { return 0 };
    if !mother {
        return 0;
    }
    let (mut agreeing, mut disagreeing) = (0_usize, 0_usize);
    for &i in &scores.order {
        let half = scores.mean(i) + (scores.logs[i].len() as f64).ln() - std::f64::consts::LN_2;
        match scores.logs[i].iter().position(|&log| log > half) {
            Some(value) if value == usize::from(best[i]) => agreeing += 1,
            Some(_) => disagreeing += 1,
            None => {}
        }
    }
    let by_count = agreeing.saturating_sub(disagreeing + DIMENSION);
    let rivals = found.words[1..].iter().map(|(_, rival)| losses_to_tie(scores, best, rival));
    rivals.fold(by_count, usize::min)
}

/// How many symbols can be lost, at worst, with the best word still ahead of a rival.
fn losses_to_tie(scores: &Scores, best: &[u8], rival: &[u8]) -> usize {
    let lead = |&i: &usize| scores.logs[i][usize::from(best[i])] - scores.logs[i][usize::from(rival[i])];
    let mut leads: Vec<f64> = scores.order.iter().map(lead).filter(|lead| !lead.is_nan()).collect();
    leads.sort_by(|a, b| b.total_cmp(a));
    let mut left: f64 = leads.iter().filter(|lead| lead.is_finite()).sum();
    let mut sure = leads.iter().filter(|lead| **lead == f64::INFINITY).count();
    let mut losses = 0;
    for lead in leads {
        if lead == f64::INFINITY {
            sure -= 1;
        } else {
            left -= lead;
        }
        if sure == 0 && left <= 0.0 {
            return losses;
        }
        losses += 1;
    }
    losses
}
