//! Log-likelihoods in fixed point, in the order of what they tell.

use std::ops::{Add, Mul, Range, Sub};

use crate::mother::LENGTH;

use super::evidence::Scores;
use super::information_set::Ranked;

/// A natural logarithm of a likelihood in steps of 2^-32.
///
/// Sums of weights are exact whatever their order, so that two ways to one word agree on whether it was in reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight(i64);

const STEPS: f64 = 4294967296.0;

impl Weight {
    /// Certainty: the greatest weight that a symbol has.
    pub(super) const ZERO: Self = Self(0);
    /// More than any combination can weigh.
    pub(super) const ABOVE: Self = Self(1);
    /// Less than any likelihood that counts: its exponential is zero.
    pub(super) const NEVER: Self = Self(-(1 << 50));

    pub(super) const fn from_nats(nats: f64) -> Self {
        if nats > -100_000.0 { Self((nats * STEPS) as i64) } else { Self::NEVER }
    }

    pub(super) fn nats(self) -> f64 {
        if self <= Self::NEVER { f64::NEG_INFINITY } else { self.0 as f64 / STEPS }
    }

    pub(super) fn likelihood(self) -> f64 {
        self.nats().exp()
    }

    pub(super) const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// How many bins of a width this weight lies below zero, rounded.
    pub(super) const fn below(self, bin: Self) -> usize {
        ((bin.0 / 2 - self.0) / bin.0) as usize
    }
}

impl Add for Weight {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Weight {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<Weight> for i64 {
    type Output = Weight;
    fn mul(self, weight: Weight) -> Weight {
        Weight(self * weight.0)
    }
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::ZERO, Add::add)
    }
}

/// The weights of all values of all 31 symbols; a symbol's **rank** is its place in the order of what it tells.
pub(super) struct Table {
    /// The symbols in the order of rank: first those with evidence, the one that tells most first.
    pub(super) order: Vec<usize>,
    /// How many symbols have evidence.
    pub(super) known: usize,
    /// For each rank the weights of the 32 values, and their likelihoods.
    pub(super) weights: Vec<[Weight; 32]>,
    pub(super) likelihoods: Vec<[f64; 32]>,
}

impl Table {
    pub(super) fn new(scores: &Scores) -> Self {
        let mut order = scores.order.clone();
        order.extend((0..LENGTH).filter(|i| !scores.order.contains(i)));
        let weights: Vec<[Weight; 32]> = order
            .iter()
            .map(|&symbol| std::array::from_fn(|value| Weight::from_nats(scores.logs[symbol][value])))
            .collect();
        let likelihoods = weights.iter().map(|values| values.map(Weight::likelihood)).collect();
        Self { order, known: scores.order.len(), weights, likelihoods }
    }

    /// A word in the order of rank.
    pub(super) fn ranked(&self, word: &[u8; LENGTH]) -> Ranked {
        std::array::from_fn(|rank| self.order.get(rank).map_or(0, |&symbol| word[symbol]))
    }

    /// The word in its own order.
    pub(super) fn unranked(&self, ranked: &Ranked) -> Vec<u8> {
        let mut word = vec![0; LENGTH];
        for (&symbol, &value) in self.order.iter().zip(ranked) {
            word[symbol] = value;
        }
        word
    }

    /// The likelihood of the symbols at some ranks of a word.
    pub(super) fn likelihood(&self, word: &Ranked, ranks: Range<usize>) -> f64 {
        let values = self.likelihoods[ranks.clone()].iter().zip(&word[ranks]);
        values.map(|(likelihoods, &value)| likelihoods[usize::from(value & 31)]).product()
    }

    /// The weight of the symbols at some ranks of a word.
    pub(super) fn weight(&self, word: &Ranked, ranks: Range<usize>) -> Weight {
        self.weights[ranks.clone()]
            .iter()
            .zip(&word[ranks])
            .map(|(weights, &value)| weights[usize::from(value & 31)])
            .sum()
    }
}
