//! From images to cases, and from cases to a firearm: what each symbol may be, counted once.
//!
//! Images of one case are no independent witnesses: a chip, a fold of metal, a second strike is in all of them. So a case has
//! one vote for each symbol, to which every image adds by how much it tells. Cases of one firearm are added, but what is
//! wrong with a symbol of the pin itself is on all of them: however many cases there are, a symbol is taken to be something
//! the model does not know one time in a hundred.

use symbology::Scheme;
use symbology::decode::{DecodeOptions, Decoding, SymbolEvidence, decode};

use crate::observation::{Observation, PartSeen};
use crate::reading::ReadError;
use crate::symbols::doubted;
use crate::vectors::softmax;

/// Prior probability that a symbol did not come over; what is lost within a symbol is in its evidence already.
const ERASURE: f64 = 0.02;

/// One mark of one image, with the input that it stands in.
#[derive(Clone)]
pub(crate) struct Sight<'a> {
    pub(crate) input: usize,
    pub(crate) parts: Vec<&'a PartSeen>,
}

/// All images of one case, and what they say of each symbol together.
#[derive(Clone)]
pub(crate) struct Case<'a> {
    pub(crate) sights: Vec<Sight<'a>>,
    votes: Votes,
    /// Evidence for what is always drawn at these poses, natural log.
    base: f64,
    /// Among how many poses it was chosen for agreeing with other cases.
    among: f64,
}

/// For every symbol of the word its log-likelihoods and how many cases they are from; empty where there is no evidence.
#[derive(Clone)]
pub(crate) struct Votes(Vec<(Vec<f32>, usize)>);

/// Cases from observations: those that name one case together, every other by itself, and every further mark in a frame.
pub(crate) fn cases<'a>(scheme: &Scheme, observations: &'a [Observation]) -> Vec<Case<'a>> {
    let mut grouped: Vec<(Option<usize>, Vec<Sight<'a>>)> = Vec::new();
    for (input, seen) in observations.iter().enumerate() {
        let sight = Sight { input, parts: seen.parts.iter().collect() };
        match grouped.iter_mut().find(|(case, _)| case.is_some() && *case == seen.case) {
            Some((_, sights)) => sights.push(sight),
            None => grouped.push((seen.case, vec![sight])),
        }
        grouped.extend(seen.further.iter().map(|part| (None, vec![Sight { input, parts: vec![part] }])));
    }
    grouped.into_iter().map(|(_, sights)| Case::of(scheme, sights)).collect()
}

impl<'a> Case<'a> {
    pub(crate) fn of(scheme: &Scheme, sights: Vec<Sight<'a>>) -> Self {
        let mut votes = Votes::none(scheme);
        for (index, vote) in votes.0.iter_mut().enumerate() {
            let images = sights.iter().flat_map(|sight| &sight.parts).filter(|part| part.possible);
            let said: Vec<&[f32]> = images
                .flat_map(|part| &part.symbols)
                .filter(|symbol| symbol.evidence.index == index)
                .map(|symbol| symbol.evidence.log_likelihoods.as_slice())
                .collect();
            if !said.is_empty() {
                *vote = (one_vote(&said), 1);
            }
        }
        let base = sights.iter().flat_map(|sight| &sight.parts).map(|part| f64::from(part.base)).sum();
        Self { sights, votes, base, among: 1.0 }
    }

    /// The same case with one of its marks at another pose that could be the right one, for all of these.
    pub(crate) fn at_other_poses(&self, scheme: &Scheme) -> Vec<Self> {
        self.with_parts(scheme, |part| part.rivals.iter().collect())
    }

    /// The same also at poses that only other cases could make likely.
    pub(crate) fn at_any_pose(&self, scheme: &Scheme) -> Vec<Self> {
        self.with_parts(scheme, |part| part.rivals.iter().chain(&part.faint).collect())
    }

    /// The same case with one of its marks as each of these has it, for all marks.
    fn with_parts(&self, scheme: &Scheme, of: impl Fn(&'a PartSeen) -> Vec<&'a PartSeen>) -> Vec<Self> {
        let mut others = Vec::new();
        for (at, sight) in self.sights.iter().enumerate() {
            for (k, &part) in sight.parts.iter().enumerate() {
                for other in of(part) {
                    let mut sights = self.sights.clone();
                    sights[at].parts[k] = other;
                    others.push(Self { among: self.among, ..Self::of(scheme, sights) });
                }
            }
        }
        others
    }

    /// The same, its poses chosen among so many for agreeing with other cases.
    pub(crate) fn chosen_among(self, among: f64) -> Self {
        Self { among, ..self }
    }

    /// Among how many poses it was chosen for agreeing with other cases.
    pub(crate) fn among(&self) -> f64 {
        self.among
    }

    /// Whether one of its marks is there whatever the code.
    pub(crate) fn is_found(&self) -> bool {
        self.sights.iter().flat_map(|sight| &sight.parts).any(|part| part.found)
    }

    pub(crate) fn votes(&self) -> &Votes {
        &self.votes
    }

    /// Evidence for what is always drawn at these poses, natural log.
    pub(crate) fn base(&self) -> f64 {
        self.base
    }
}

/// The mean of what images of one case say of one symbol, each counted by what it tells; as much as one image in all.
fn one_vote(said: &[&[f32]]) -> Vec<f32> {
    let told: Vec<f32> = said.iter().map(|logs| 1e-3 + information(logs)).collect();
    let all: f32 = told.iter().sum();
    (0..said[0].len())
        .map(|value| said.iter().zip(&told).map(|(logs, told)| told / all * logs[value]).sum())
        .collect()
}

/// Bits that log-likelihoods tell about the value: those of a choice among all less the entropy that is left.
pub(crate) fn information(logs: &[f32]) -> f32 {
    let left: f32 = softmax(logs).iter().filter(|p| **p > 0.0).map(|p| -p * p.log2()).sum();
    (logs.len() as f32).log2() - left
}

impl Votes {
    pub(crate) fn none(scheme: &Scheme) -> Self {
        Self(vec![(Vec::new(), 0); scheme.length()])
    }

    /// What one case says of the first symbols.
    #[cfg(test)]
    pub(crate) fn told(scheme: &Scheme, symbols: Vec<Vec<f32>>) -> Self {
        let mut votes = Self::none(scheme);
        votes.0.iter_mut().zip(symbols).for_each(|(vote, logs)| *vote = (logs, 1));
        votes
    }

    /// Adds the votes of a case, each of which may come from a symbol that did not come over at all.
    pub(crate) fn add(&mut self, case: &Self) {
        for (sum, (vote, cases)) in self.0.iter_mut().zip(&case.0) {
            if vote.is_empty() {
                continue;
            }
            if sum.0.is_empty() {
                sum.0 = vec![0.0; vote.len()];
            }
            let erased = ERASURE.ln();
            for (sum, &log) in sum.0.iter_mut().zip(vote) {
                let came = f64::from(log) + (-ERASURE).ln_1p();
                let (low, high) = if came < erased { (came, erased) } else { (erased, came) };
                *sum += (high + (low - high).exp().ln_1p()) as f32;
            }
            sum.1 += cases;
        }
    }

    /// Nats by which what was seen speaks for a word, over every value of every symbol as likely.
    pub(crate) fn for_word(&self, word: &[u8]) -> f64 {
        let said = |index: usize| self.of(index).map(|logs| f64::from(logs[usize::from(word[index])]));
        (0..self.0.len()).filter_map(said).sum::<f64>() - self.without_a_word()
    }

    /// What is known of a symbol of the firearm; damage to the pin counts once however many cases show it.
    pub(crate) fn of(&self, index: usize) -> Option<Vec<f32>> {
        let (logs, cases) = self.0.get(index)?;
        match cases {
            0 => None,
            1 => Some(logs.clone()),
            _ => Some(doubted(logs)),
        }
    }

    pub(crate) fn evidence(&self) -> Vec<SymbolEvidence> {
        (0..self.0.len())
            .filter_map(|index| {
                let log_likelihoods = self.of(index)?;
                Some(SymbolEvidence { index, log_likelihoods, erased: f32::NEG_INFINITY })
            })
            .collect()
    }

    /// Weighs all words; `foreign` is the prior probability that there is none.
    pub(crate) fn decoded(&self, scheme: &Scheme, foreign: f64, list: usize) -> Result<Decoding, ReadError> {
        let options = DecodeOptions { erasure: 0.0, foreign, list, ..DecodeOptions::default() };
        Ok(decode(scheme, &self.evidence(), &options)?)
    }

    /// The natural logarithm of the likelihood of what was seen with the best word that is found among so many.
    pub(crate) fn likeliest(&self, scheme: &Scheme, effort: usize) -> Result<Option<f64>, ReadError> {
        let options =
            DecodeOptions { erasure: 0.0, foreign: 0.0, list: 1, effort, ..DecodeOptions::default() };
        Ok(decode(scheme, &self.evidence(), &options)?.candidates.first().map(|best| best.log_likelihood))
    }

    /// The natural logarithm of the likelihood of what was seen if every symbol were as likely to have any value: no word
    /// at all.
    pub(crate) fn without_a_word(&self) -> f64 {
        let mean = |logs: Vec<f32>| {
            let most = f64::from(logs.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let sum: f64 = logs.iter().map(|&log| (f64::from(log) - most).exp()).sum();
            most + (sum / logs.len() as f64).ln()
        };
        (0..self.0.len()).filter_map(|index| self.of(index)).map(mean).sum()
    }

    /// The same of cases that need not show the same nonsense, over that of one nonsense for all; not less than 0. Cases that
    /// contradict each other fit one word badly, whichever it is: that is no evidence for any.
    pub(crate) fn apart(&self, cases: &[Case], scheme: &Scheme) -> f64 {
        let own = |case: &Case| {
            let mut votes = Self::none(scheme);
            votes.add(&case.votes);
            votes.without_a_word()
        };
        (cases.iter().map(own).sum::<f64>() - self.without_a_word()).max(0.0)
    }

    /// The natural logarithm of the likelihood of what was seen if it is some word of the scheme, all as likely.
    pub(crate) fn with_a_word(&self, scheme: &Scheme) -> Result<f64, ReadError> {
        Ok(log_with_a_word(&self.decoded(scheme, 0.0, 4)?, scheme))
    }
}

/// The natural logarithm of the mean likelihood of what was decoded over all words.
pub(crate) fn log_with_a_word(decoding: &Decoding, scheme: &Scheme) -> f64 {
    let Some(best) = decoding.candidates.first() else { return f64::NEG_INFINITY };
    let listed: f64 = decoding.candidates.iter().map(|candidate| candidate.posterior).sum();
    let share = best.posterior.max(1e-300) / (listed + decoding.unlisted).max(1e-300);
    best.log_likelihood - share.ln() - words_log2(scheme) * std::f64::consts::LN_2
}

/// The logarithm to base 2 of the number of words of a scheme.
pub(crate) fn words_log2(scheme: &Scheme) -> f64 {
    let free = match scheme.check() {
        symbology::CheckRule::Mother => 6.min(scheme.length()),
        symbology::CheckRule::None => scheme.length(),
    };
    free as f64 * (scheme.alphabet().len() as f64).log2()
}
