//! Poses that only several cases of one firearm together tell.
//!
//! Where a mark hardly shows, chance fits some wrong pose as well as the mark fits the right one, and what one case carries
//! does not tell them apart. Cases of one firearm carry one code: at their right poses they agree about it by far more than
//! at wrong ones. So poses are chosen that agree, first those of the two cases that agree best, then those of every other
//! case that agrees with what was chosen; a choice among so many poses then asks for as many times the odds.

use symbology::CheckRule;

use crate::evidence::{Case, Votes, words_log2};
use crate::reading::{ReadError, ReadOptions};

/// Nats by which a case must agree with some code by itself to stay where it is.
const SURE: f64 = 10.0;
/// Nats by which a pose must agree with other cases, beyond what the best of so many poses does by chance.
const SHARED: f64 = 2.0;
/// Doubtful cases of which pairs are tried, and pairs that are followed up.
const PAIRED: usize = 8;
const FOLLOWED: usize = 4;
/// Words that are weighed to see whether cases agree.
const EFFORT: usize = 4096;

/// A case at one of its poses.
struct Posed<'a> {
    case: Case<'a>,
    votes: Votes,
    /// Nats by which it agrees with some code, less what choosing one costs.
    agrees: f64,
}

/// Poses of cases that were chosen together: case and pose.
#[derive(Clone)]
struct Together {
    chosen: Vec<(usize, usize)>,
    votes: Votes,
    /// Nats by which all agree with one code, less what choosing it costs, and less the logarithm of how many choices there
    /// were.
    agrees: f64,
    /// The first of these without the last.
    plainly: f64,
}

/// Cases at the poses at which they agree with each other, where that tells; as they are else.
pub(crate) fn posed<'a>(cases: Vec<Case<'a>>, options: &ReadOptions) -> Result<Vec<Case<'a>>, ReadError> {
    let others = |case: &Case| !case.at_any_pose(&options.scheme).is_empty();
    if cases.len() < 2 || options.scheme.check() != CheckRule::Mother || !cases.iter().any(others) {
        return Ok(cases);
    }
    let all: Vec<Vec<Posed>> = cases.iter().map(|case| poses_of(case, options)).collect::<Result<_, _>>()?;
    let sure = |poses: &[Posed]| poses.iter().any(|posed| posed.agrees > SURE) || poses[0].case.is_found();
    let (known, mut open): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&k| sure(&all[k]));
    let mut chosen: Vec<(usize, usize)> = Vec::new();
    for k in known {
        let best = (0..all[k].len()).max_by(|&a, &b| all[k][a].agrees.total_cmp(&all[k][b].agrees));
        let first = Together::of(&all, &[(k, best.unwrap_or(0))], 1.0, options)?;
        let with = first.joined_by(&all, &mut open, options)?;
        chosen.extend(with.chosen.into_iter().skip(1));
    }
    while let Some(with) = paired(&all, &mut open, options)? {
        chosen.extend(with.chosen);
    }
    let mut cases = cases;
    // Which of the cases agree was chosen, too: so many of all.
    let mut which: f64 = (0..chosen.len()).map(|k| (cases.len() - k) as f64 / (k + 1) as f64).product();
    for (k, pose) in chosen {
        cases[k] = all[k][pose].case.clone().chosen_among(which * all[k].len().max(2) as f64);
        which = 1.0;
    }
    Ok(cases)
}

fn poses_of<'a>(case: &Case<'a>, options: &ReadOptions) -> Result<Vec<Posed<'a>>, ReadError> {
    std::iter::once(case.clone())
        .chain(case.at_any_pose(&options.scheme))
        .map(|case| {
            let mut votes = Votes::none(&options.scheme);
            votes.add(case.votes());
            Ok(Posed { agrees: agreement(&votes, options)?, case, votes })
        })
        .collect()
}

/// Nats by which what was seen agrees with the best code, less what choosing one costs.
fn agreement(votes: &Votes, options: &ReadOptions) -> Result<f64, ReadError> {
    let best = votes.likeliest(&options.scheme, EFFORT)?;
    let choice = words_log2(&options.scheme) * std::f64::consts::LN_2;
    Ok(best.map_or(0.0, |best| best - votes.without_a_word() - choice))
}

/// The doubtful cases that agree best, with all that agree with them; nothing where none do better than by chance.
fn paired(
    all: &[Vec<Posed>],
    open: &mut Vec<usize>,
    options: &ReadOptions,
) -> Result<Option<Together>, ReadError> {
    let first = &open[..open.len().min(PAIRED)];
    let mut pairs: Vec<Together> = Vec::new();
    let count: usize = pairs_of(first).map(|(a, b)| all[a].len() * all[b].len()).sum();
    for (a, b) in pairs_of(first) {
        for one in 0..all[a].len() {
            for other in 0..all[b].len() {
                pairs.push(Together::of(all, &[(a, one), (b, other)], count as f64, options)?);
            }
        }
    }
    pairs.retain(|pair| pair.agrees > SHARED - FOLLOW_UP);
    pairs.sort_by(|a, b| b.agrees.total_cmp(&a.agrees));
    let mut best: Option<(Together, Vec<usize>)> = None;
    for pair in pairs.into_iter().take(FOLLOWED) {
        let mut left: Vec<usize> =
            open.iter().copied().filter(|k| pair.chosen.iter().all(|(chosen, _)| chosen != k)).collect();
        let with = pair.joined_by(all, &mut left, options)?;
        if with.agrees > SHARED && best.as_ref().is_none_or(|(best, _)| with.agrees > best.agrees) {
            best = Some((with, left));
        }
    }
    Ok(best.map(|(with, left)| {
        *open = left;
        with
    }))
}

/// Nats that a third case may add to a pair that by itself agrees no better than by chance.
const FOLLOW_UP: f64 = 6.0;

fn pairs_of(cases: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    cases.iter().enumerate().flat_map(|(k, &a)| cases[k + 1..].iter().map(move |&b| (a, b)))
}

impl Together {
    /// These cases at these poses, chosen among so many.
    fn of(
        all: &[Vec<Posed>],
        chosen: &[(usize, usize)],
        among: f64,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let mut votes = Votes::none(&options.scheme);
        for &(case, pose) in chosen {
            votes.add(&all[case][pose].votes);
        }
        let plainly = agreement(&votes, options)?;
        Ok(Self { chosen: chosen.to_vec(), votes, agrees: plainly - among.ln(), plainly })
    }

    /// The same with all open cases that agree with it at some pose, which are open no more.
    fn joined_by(
        mut self,
        all: &[Vec<Posed>],
        open: &mut Vec<usize>,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        loop {
            let mut best: Option<Self> = None;
            for &case in open.iter() {
                for (pose, posed) in all[case].iter().enumerate() {
                    let mut votes = self.votes.clone();
                    votes.add(&posed.votes);
                    let plainly = agreement(&votes, options)?;
                    let gain = plainly - self.plainly - (all[case].len() as f64).ln();
                    if gain > SHARED && best.as_ref().is_none_or(|best| self.agrees + gain > best.agrees) {
                        let chosen = self.chosen.iter().copied().chain([(case, pose)]).collect();
                        best = Some(Self { chosen, votes, agrees: self.agrees + gain, plainly });
                    }
                }
            }
            let Some(more) = best else { return Ok(self) };
            open.retain(|case| more.chosen.last().is_none_or(|(last, _)| last != case));
            self = more;
        }
    }
}
