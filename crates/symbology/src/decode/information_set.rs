//! Six symbols, and the words through their most probable values.

use std::ops::Range;

use crate::mother::{self, DIMENSION};
use crate::{Symbol, field};

use super::table::{Table, Weight};

/// Width of the bins in which combinations are counted, and how many there are: 0.25 nats, 60 nats in all.
const BIN: Weight = Weight::from_nats(0.25);
const BINS: usize = 240;

/// A word of the mother code in the order of a [`Table`], padded to a power of two.
pub(super) type Ranked = [u8; 32];

/// One value of a symbol.
pub(super) struct Choice {
    pub(super) weight: Weight,
    pub(super) likelihood: f64,
    /// What it adds to every symbol of the word.
    pub(super) part: Ranked,
}

/// Six symbols that determine all others, with the combinations of their values in reach.
///
/// The combinations are visited in shells: all whose weight lies between two thresholds, with the word each determines.
pub(super) struct InformationSet {
    /// For each of the six its values, the best first, with their weights.
    choices: Vec<Vec<Choice>>,
    /// How many combinations lie in each bin of falling weight.
    counts: Vec<f64>,
    /// The sum of the likelihoods of all combinations, and of those that were visited.
    total: f64,
    visited: f64,
    /// All combinations of at least this weight were visited.
    reached: Weight,
}

impl InformationSet {
    /// The set of the symbols at six ranks of the table.
    pub(super) fn new(table: &Table, ranks: [usize; DIMENSION]) -> Self {
        let choices: Vec<Vec<Choice>> = (0..DIMENSION)
            .map(|k| {
                let known =
                    std::array::from_fn(|j| (table.order[ranks[j]], Symbol::masked(u32::from(j == k))));
                let unit = table.ranked(&mother::restore(&known).map(Symbol::value));
                let mut choices: Vec<Choice> = (0..32_u8)
                    .map(|value| {
                        let weight = table.weights[ranks[k]][usize::from(value)];
                        Choice {
                            weight,
                            likelihood: weight.likelihood(),
                            part: unit.map(|u| field::mul(u, value)),
                        }
                    })
                    .collect();
                choices.sort_by_key(|choice| std::cmp::Reverse(choice.weight));
                choices
            })
            .collect();
        let sum = |choices: &Vec<Choice>| choices.iter().map(|c| c.likelihood).sum::<f64>();
        let total = choices.iter().map(sum).product();
        let counts = counts(&choices);
        Self { choices, counts, total, visited: 0.0, reached: Weight::ABOVE }
    }

    /// No combination that was not visited weighs more than this.
    pub(super) fn ceiling(&self) -> Weight {
        self.reached.min(Weight::ZERO)
    }

    /// The natural logarithm of the likelihood of all combinations that were not visited.
    pub(super) fn rest(&self) -> f64 {
        ((self.total - self.visited).max(0.0) + ROUNDING * self.total).ln()
    }

    /// The threshold at which about `count` combinations are in reach.
    pub(super) fn threshold(&self, count: usize) -> Weight {
        let mut sum = 0.0;
        let bins = self.counts.iter().take_while(|&&c| {
            sum += c;
            sum <= count as f64
        });
        match bins.count() {
            0 => Weight::ABOVE,
            bins => Weight::ZERO - (bins as i64 * 2 - 1) * BIN.half(),
        }
    }

    /// Hands every word whose combination weighs at least `threshold` and was not visited before to `see`, with the
    /// combination's weight.
    pub(super) fn visit(&mut self, threshold: Weight, see: &mut impl FnMut(&Ranked)) {
        if threshold >= self.reached {
            return;
        }
        let shell = threshold..self.reached;
        let start = Node { weight: Weight::ZERO, likelihood: 1.0, word: [0; 32] };
        self.visited += descend(&self.choices, &shell, &start, see);
        self.reached = threshold;
    }

    /// What the `value`th best choice of symbol `k` adds to every symbol, with its weight.
    pub(super) fn choices(&self, k: usize) -> &[Choice] {
        &self.choices[k]
    }

    /// The threshold down to which all combinations were visited.
    pub(super) fn reached(&self) -> Weight {
        self.reached
    }
}

/// Sums are computed to about this relative error, which is added to every remainder.
const ROUNDING: f64 = 1e-12;

/// A combination of the first few of the six.
struct Node {
    weight: Weight,
    likelihood: f64,
    word: Ranked,
}

/// Visits what lies in the shell below a node, and returns the sum of its likelihoods.
fn descend(
    choices: &[Vec<Choice>],
    shell: &Range<Weight>,
    node: &Node,
    see: &mut impl FnMut(&Ranked),
) -> f64 {
    let Some((first, rest)) = choices.split_first() else {
        if node.weight >= shell.end {
            return 0.0;
        }
        see(&node.word);
        return node.likelihood;
    };
    let mut visited = 0.0;
    for choice in first {
        let weight = node.weight + choice.weight;
        if weight < shell.start {
            break;
        }
        let mut word = node.word;
        word.iter_mut().zip(&choice.part).for_each(|(w, p)| *w ^= p);
        let likelihood = node.likelihood * choice.likelihood;
        visited += descend(rest, shell, &Node { weight, likelihood, word }, see);
    }
    visited
}

/// How many combinations lie in each bin.
fn counts(choices: &[Vec<Choice>]) -> Vec<f64> {
    let mut counts = vec![0.0; BINS];
    counts[0] = 1.0;
    for list in choices {
        let mut next = vec![0.0; BINS];
        for choice in list {
            let bin = choice.weight.below(BIN);
            if bin < BINS {
                for (to, from) in next[bin..].iter_mut().zip(&counts) {
                    *to += from;
                }
            }
        }
        counts = next;
    }
    counts
}
