//! Poses that only several cases of one firearm together tell.
//!
//! Where a mark hardly shows, chance fits some wrong pose as well as the mark fits the right one, and what one case carries
//! does not tell them apart. Cases of one firearm carry one code: at their right poses they agree about it by far more than
//! at wrong ones. So poses are chosen that agree, first those of the two cases that agree best, then those of every other
//! case that agrees with what was chosen; a choice among so many poses then asks for as many times the odds.

use rayon::prelude::*;
use symbology::CheckRule;

use crate::evidence::{Case, Votes, words_log2};
use crate::reading::{ReadError, ReadOptions};

/// Nats by which a pose must agree with other cases, beyond what the best of so many poses does by chance.
const SHARED: f64 = 2.0;
/// Doubtful cases of which pairs are tried, and pairs that are followed up.
const PAIRED: usize = 8;
const FOLLOWED: usize = 6;
/// Words that are weighed to see whether cases agree.
const EFFORT: usize = 1024;

/// A case at one of its poses.
struct Posed<'a> {
    case: Case<'a>,
    votes: Votes,
    /// The log of the likelihood of what was seen where it shows no word.
    apart: f64,
    /// Nats by which it agrees with some code, less what choosing one costs.
    agrees: f64,
}

/// Poses of cases that were chosen together: case and pose.
#[derive(Clone)]
struct Together {
    chosen: Vec<(usize, usize)>,
    votes: Votes,
    /// The log of the likelihood of what was seen where each shows a nonsense of its own.
    apart: f64,
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
    let all: Vec<Vec<Posed>> =
        cases.par_iter().map(|case| poses_of(case, options)).collect::<Result<_, _>>()?;
    let mut open: Vec<usize> = (0..all.len()).collect();
    let mut cases = cases;
    while let Some(with) = together(&all, &mut open, options)? {
        let count = with.chosen.len();
        if count == 1 {
            continue;
        }
        // Which of the cases agree was chosen, too: so many of all, a share of the choice to each.
        let share = ways(all.len(), count).powf(1.0 / count as f64);
        for (k, pose) in with.chosen {
            cases[k] = all[k][pose].case.clone().chosen_among(share * all[k].len() as f64);
        }
    }
    Ok(cases)
}

/// How many ways there are to choose so many of all.
fn ways(all: usize, count: usize) -> f64 {
    (0..count).map(|k| (all - k) as f64 / (k + 1) as f64).product()
}

fn poses_of<'a>(case: &Case<'a>, options: &ReadOptions) -> Result<Vec<Posed<'a>>, ReadError> {
    std::iter::once(case.clone())
        .chain(case.at_any_pose(&options.scheme))
        .map(|case| {
            let mut votes = Votes::none(&options.scheme);
            votes.add(case.votes());
            let apart = votes.without_a_word();
            Ok(Posed { agrees: agreement(&votes, apart, options)?, case, votes, apart })
        })
        .collect()
}

/// Nats by which what was seen agrees with the best code, less what choosing one costs; `apart` is the likelihood of what was
/// seen where every case shows a nonsense of its own.
fn agreement(votes: &Votes, apart: f64, options: &ReadOptions) -> Result<f64, ReadError> {
    let best = votes.likeliest(&options.scheme, EFFORT)?;
    let choice = words_log2(&options.scheme) * std::f64::consts::LN_2;
    Ok(best.map_or(0.0, |best| best - votes.without_a_word().max(apart) - choice))
}

/// The open cases that agree best, by themselves or with one other, with all that agree with them; nothing where none do
/// better than by chance.
fn together(
    all: &[Vec<Posed>],
    open: &mut Vec<usize>,
    options: &ReadOptions,
) -> Result<Option<Together>, ReadError> {
    let mut order = open.clone();
    let most = |k: usize| all[k].iter().map(|posed| posed.agrees).fold(f64::NEG_INFINITY, f64::max);
    order.sort_by(|&a, &b| most(b).total_cmp(&most(a)).then(a.cmp(&b)));
    let single = |k: usize| (0..all[k].len()).map(move |pose| vec![(k, pose)]);
    let pair = |(a, b): (usize, usize)| {
        let poses = (0..all[a].len()).flat_map(move |one| (0..all[b].len()).map(move |other| (one, other)));
        poses.map(move |(one, other)| vec![(a, one), (b, other)])
    };
    let first = &order[..order.len().min(PAIRED)];
    let begun: Vec<Vec<(usize, usize)>> =
        order.iter().flat_map(|&k| single(k)).chain(pairs_of(first).flat_map(pair)).collect();
    let mut begun: Vec<Together> = begun
        .into_par_iter()
        .map(|chosen| Together::of(all, &chosen, open.len(), options))
        .collect::<Result<_, _>>()?;
    begun.retain(|one| one.agrees > SHARED - FOLLOW_UP);
    begun.sort_by(|a, b| b.agrees.total_cmp(&a.agrees));
    begun.truncate(FOLLOWED);
    let joined: Vec<Together> =
        begun.into_par_iter().map(|one| one.joined_by(all, open, options)).collect::<Result<_, _>>()?;
    let best = joined.into_iter().max_by(|a, b| a.agrees.total_cmp(&b.agrees));
    let Some(best) = best.filter(|best| best.agrees > SHARED) else { return Ok(None) };
    open.retain(|case| best.chosen.iter().all(|(chosen, _)| chosen != case));
    Ok(Some(best))
}

/// Nats that a third case may add to a pair that by itself agrees no better than by chance.
const FOLLOW_UP: f64 = 6.0;

fn pairs_of(cases: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    cases.iter().enumerate().flat_map(|(k, &a)| cases[k + 1..].iter().map(move |&b| (a, b)))
}

impl Together {
    /// These of so many cases at these poses.
    fn of(
        all: &[Vec<Posed>],
        chosen: &[(usize, usize)],
        cases: usize,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let mut votes = Votes::none(&options.scheme);
        let mut apart = 0.0;
        for &(case, pose) in chosen {
            votes.add(&all[case][pose].votes);
            apart += all[case][pose].apart;
        }
        let plainly = agreement(&votes, apart, options)?;
        let poses: f64 = chosen.iter().map(|&(case, _)| (all[case].len() as f64).ln()).sum();
        let agrees = plainly - poses - ways(cases, chosen.len()).ln();
        Ok(Self { chosen: chosen.to_vec(), votes, apart, agrees, plainly })
    }

    /// The same with all open cases that agree with it at some pose.
    fn joined_by(
        mut self,
        all: &[Vec<Posed>],
        open: &[usize],
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        loop {
            let mut best: Option<Self> = None;
            let left = open.iter().filter(|case| self.chosen.iter().all(|(chosen, _)| chosen != *case));
            for &case in left {
                for (pose, posed) in all[case].iter().enumerate() {
                    let mut votes = self.votes.clone();
                    votes.add(&posed.votes);
                    let apart = self.apart + posed.apart;
                    let plainly = agreement(&votes, apart, options)?;
                    let gain = plainly - self.plainly - (all[case].len() as f64).ln();
                    if gain > SHARED && best.as_ref().is_none_or(|best| self.agrees + gain > best.agrees) {
                        let chosen = self.chosen.iter().copied().chain([(case, pose)]).collect();
                        let agrees = self.agrees + gain;
                        best = Some(Self { chosen, votes, apart, agrees, plainly });
                    }
                }
            }
            let Some(more) = best else { return Ok(self) };
            self = more;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
    use symbology::Scheme;

    use super::*;

    /// What a case seems to show where there is nothing: some value of every symbol, each rather sure of itself.
    fn nonsense(rng: &mut ChaCha8Rng) -> Votes {
        let mut symbol = || (0..32).map(|_| 3.0 * rng.random_range(-1.0f32..1.0).powi(3)).collect();
        Votes::told(&Scheme::open_1(), (0..16).map(|_| symbol()).collect())
    }

    #[test]
    fn cases_that_contradict_each_other_agree_with_no_code() {
        let options = ReadOptions::new(Scheme::open_1());
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut most = [f64::NEG_INFINITY; 2];
        for _ in 0..60 {
            let cases = [nonsense(&mut rng), nonsense(&mut rng)];
            let mut votes = Votes::none(&options.scheme);
            for case in &cases {
                votes.add(case);
            }
            let apart = cases.iter().map(Votes::without_a_word).sum();
            for (most, apart) in most.iter_mut().zip([apart, f64::NEG_INFINITY]) {
                *most = most.max(agreement(&votes, apart, &options).expect("the evidence is valid"));
            }
        }
        // Weighed against one nonsense for both alone, they would agree better.
        assert!(most[0] < most[1] - 0.3 && most[0] < 60f64.ln() + 2.0, "{most:?}");
    }
}
