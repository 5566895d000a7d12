//! The search among the words of the mother code.

use crate::mother::DIMENSION;

use super::best_first::BestFirst;
use super::evidence::{Scores, add_logs};
use super::exact;
use super::information_set::{InformationSet, Ranked};
use super::table::{Table, Weight};

/// What a search brought.
pub(super) struct Found {
    /// Words with their log weights, the best first.
    pub(super) words: Vec<(f64, Vec<u8>)>,
    /// The log of the weight of all other words: exact, or a bound from above.
    pub(super) unlisted: f64,
    /// Whether it is exact.
    pub(super) exact: bool,
    /// The log of how many words there are.
    pub(super) log_count: f64,
    /// How many words were scored.
    pub(super) scored: usize,
}

/// The search stops when what it has not seen weighs less than this part of what it has (in nats).
const PRECISION: f64 = -18.4;

/// Words lighter than the best by this much (in nats) are not kept; they count as if they weighed so much.
const NEGLIGIBLE: Weight = Weight::from_nats(36.0);

/// Words to visit in the first round; every round visits eight times as many as the one before.
const FIRST_ROUND: usize = 64;
const GROWTH: usize = 8;

/// From this many words on, the exact sum over nine symbols is worth its time.
const SUM_FROM: usize = 4096;

/// The best `list` words and the weight of all others.
pub(super) fn words(scores: &Scores, list: usize, effort: usize) -> Found {
    let table = Table::new(scores);
    let mut search = Search::new(&table, list);
    if table.known > DIMENSION {
        let mut round = FIRST_ROUND.min(effort);
        loop {
            search.visit(round);
            if round >= SUM_FROM || table.known <= exact::MOST {
                search.sum_up();
            }
            if round >= effort || search.is_precise() {
                break;
            }
            round = round.saturating_mul(GROWTH).min(effort);
        }
    }
    if search.seen.best.is_empty() {
        search.visit_few();
    }
    search.finish()
}

struct Search<'a> {
    table: &'a Table,
    /// Disjoint sets: the first six ranks, then every six from rank nine on.
    sets: Vec<InformationSet>,
    seen: Seen,
    /// The sum over all words of the likelihoods on the first nine ranks, once it is known.
    sum: Option<f64>,
}

/// The words that were scored.
struct Seen {
    /// The best of them.
    best: Vec<(Weight, Ranked)>,
    list: usize,
    /// The greatest weight, and the sum of all likelihoods that were kept in parts of the likelihood that it stands for.
    greatest: Weight,
    sum: f64,
    /// The sum of their likelihoods on the first nine ranks.
    nine: f64,
    /// How many were not kept, each lighter than the greatest by [`NEGLIGIBLE`].
    dropped: usize,
    /// The sum of those that were kept once but are not among the best any more, in the same parts.
    passed: f64,
    scored: usize,
}

fn first_rank(set: usize) -> usize {
    if set == 0 { 0 } else { exact::MOST + (set - 1) * DIMENSION }
}

impl<'a> Search<'a> {
    fn new(table: &'a Table, list: usize) -> Self {
        let count = 1 + table.known.saturating_sub(exact::MOST) / DIMENSION;
        let at = |set| InformationSet::new(table, std::array::from_fn(|k| first_rank(set) + k));
        let sets = (0..count).map(at).collect();
        let seen = Seen {
            best: Vec::new(),
            list,
            greatest: Weight::NEVER,
            sum: 0.0,
            nine: 0.0,
            dropped: 0,
            passed: 0.0,
            scored: 0,
        };
        Self { table, sets, seen, sum: None }
    }

    /// Visits the combinations of every set that are in reach with about `count` words in all.
    fn visit(&mut self, count: usize) {
        let each = count / self.sets.len();
        for s in 0..self.sets.len() {
            let threshold = self.sets[s].threshold(each);
            let reached: Vec<Weight> = self.sets.iter().map(InformationSet::reached).collect();
            let (table, seen) = (self.table, &mut self.seen);
            let mut see = |word: &Ranked| seen.see(table, word, s, &reached);
            self.sets[s].visit(threshold, &mut see);
        }
    }

    /// Scores the best combinations of the first set, whatever they weigh.
    fn visit_few(&mut self) {
        let logs: Vec<Vec<f64>> = (0..DIMENSION)
            .map(|k| self.sets[0].choices(k).iter().map(|c| c.weight.nats()).collect())
            .collect();
        let lists = std::array::from_fn(|k| logs[k].as_slice());
        for (_, choice) in BestFirst::<DIMENSION>::new(lists).take(self.seen.list) {
            let mut word = [0; 32];
            for (k, at) in choice.into_iter().enumerate() {
                let choice = &self.sets[0].choices(k)[usize::from(at)];
                word.iter_mut().zip(choice.part).for_each(|(w, p)| *w ^= p);
            }
            self.seen.see(self.table, &word, 0, &[]);
        }
        self.sum_up();
    }

    fn sum_up(&mut self) {
        if self.sum.is_none() {
            self.sum = Some(exact::total(&self.sets[0], self.table));
        }
    }

    /// The log of a bound on the weight of all words that were not visited.
    fn unseen(&self) -> f64 {
        let ceilings = |skipped: usize| -> f64 {
            let others = self.sets.iter().enumerate().filter(|(s, _)| *s != skipped);
            others.map(|(_, set)| set.ceiling().nats()).sum()
        };
        let bound = |(s, set): (usize, &InformationSet)| set.rest() + ceilings(s);
        let each = self.sets.iter().enumerate().map(bound).fold(f64::INFINITY, f64::min);
        let by_sum = self.sum.map_or(f64::INFINITY, |sum| {
            ((sum - self.seen.nine).max(0.0) + sum * exact::ROUNDING).ln() + ceilings(0)
        });
        each.min(by_sum)
    }

    fn is_precise(&self) -> bool {
        if self.table.known > exact::MOST {
            return self.unseen() <= self.seen.weight() + PRECISION;
        }
        // All others are known exactly: only the list must hold the best words, and none weighs more than its first
        // six symbols.
        let ceiling = self.sets[0].ceiling();
        let sure = self.seen.best.iter().filter(|(weight, _)| *weight >= ceiling).count();
        sure >= self.seen.list || ceiling.nats() <= self.seen.weight() + PRECISION
    }

    fn finish(mut self) -> Found {
        self.seen.best.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let rest = add_logs(self.unseen(), self.seen.rest());
        let beyond = self.seen.best.iter().skip(self.seen.list);
        let words = self.seen.best.iter().take(self.seen.list).filter(|(w, _)| w.nats() > f64::NEG_INFINITY);
        Found {
            words: words.map(|(weight, word)| (weight.nats(), self.table.unranked(word))).collect(),
            unlisted: beyond.fold(rest, |sum, (weight, _)| add_logs(sum, weight.nats())),
            exact: self.table.known <= exact::MOST,
            log_count: (DIMENSION * 5) as f64 * std::f64::consts::LN_2,
            scored: self.seen.scored,
        }
    }
}

impl Seen {
    /// Scores a word that set `s` has reached, unless another set has reached it before.
    fn see(&mut self, table: &Table, word: &Ranked, s: usize, reached: &[Weight]) {
        let first = table.weight(word, 0..DIMENSION);
        let nine = first + table.weight(word, DIMENSION..exact::MOST);
        let mut weight = nine;
        for (set, &reached) in reached.iter().enumerate() {
            let here = if set == 0 {
                first
            } else {
                let from = first_rank(set);
                let here = table.weight(word, from..from + DIMENSION);
                weight = weight + here;
                here
            };
            if set != s && here >= reached {
                return;
            }
        }
        let rest = if reached.is_empty() { exact::MOST } else { first_rank(reached.len()) };
        weight = weight + table.weight(word, rest..table.known.max(rest));
        self.scored += 1;
        self.nine += table.likelihood(word, 0..exact::MOST);
        self.keep(weight, word);
    }

    fn keep(&mut self, weight: Weight, word: &Ranked) {
        if weight > self.greatest {
            let shrink = (self.greatest - weight).likelihood();
            self.sum *= shrink;
            self.passed *= shrink;
            self.greatest = weight;
        } else if weight < self.greatest - NEGLIGIBLE {
            self.dropped += 1;
            return;
        }
        self.sum += (weight - self.greatest).likelihood();
        self.best.push((weight, *word));
        let (list, most) = (self.list, 64 * self.list.max(16));
        if self.best.len() >= most {
            self.best.select_nth_unstable_by(list, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let lost = self.best.drain(list..);
            self.passed += lost.map(|(weight, _)| (weight - self.greatest).likelihood()).sum::<f64>();
        }
    }

    /// The log of the likelihood of all words seen.
    fn weight(&self) -> f64 {
        self.greatest.nats() + self.sum.ln()
    }

    /// The log of a bound on the likelihood of those that are not among the best.
    fn rest(&self) -> f64 {
        let dropped = self.dropped as f64 * (Weight::ZERO - NEGLIGIBLE).likelihood();
        self.greatest.nats() + (self.passed + dropped).ln()
    }
}
