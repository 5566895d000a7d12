//! Calibrations: reference pairs of known origin, kept as files with their provenance, and the weight they give to a comparison.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::model::{Bounds, Fit, Learnt, ModelKind};
use super::priors::{FILTER, PRIORS, Priors};
use super::reference::{Pairs, Reference, weight};
use crate::compare::Comparison;
use crate::error::ComparisonError;
use crate::preset::{MarkKind, Parameters, Preset};

/// Where a calibration comes from; what it may be used for follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The set of scans, with its publication.
    pub set: String,
    /// `real cases`, `real surfaces with simulated marks` or `simulation`.
    pub measured_on: String,
    /// The mark.
    pub mark: MarkKind,
    /// The name of the preset under which the pairs were prepared and compared.
    pub preset: String,
    /// Its numbers and the revision of the rules: these must be those of a pair to be weighed, the name need not.
    pub parameters: Parameters,
    /// The filters that leave the band.
    pub filter: String,
    /// What no reference pair teaches.
    pub priors: Priors,
    /// Firearms in the set.
    pub firearms: usize,
    /// Pairs from one firearm.
    pub same_source: usize,
    /// Pairs from two.
    pub different_source: usize,
    /// The program that compared them.
    pub software: String,
}

/// Reference pairs, and a model learnt from them.
///
/// The pairs themselves are kept: bounds, parameters and intervals follow from them and are worked out anew on reading, so
/// that no file can claim more than its pairs support. No ratio exceeds what their number supports: half a misleading pair
/// might always have been missed.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// Where it comes from.
    pub provenance: Provenance,
    kind: ModelKind,
    seed: u64,
    pairs: Pairs,
    learnt: Learnt,
    fit: Fit,
    /// Of resampled firearms: the model, and how many pairs of either kind carry the weight.
    resampled: Vec<(Fit, [f64; 2])>,
}

/// How many reference pairs came to each number of congruent cells: the number is the place in the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Pairs of one firearm.
    pub same_source: Vec<usize>,
    /// Pairs of two.
    pub different_source: Vec<usize>,
}

/// The weight of evidence of one comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// Decimal logarithm of the ratio: positive speaks for one firearm, negative for two.
    pub log10: f64,
    /// 95 % interval: firearms resampled, parameters drawn from what the resampled pairs leave open. It holds what remains where every
    /// firearm, and every two firearms, count as one pair. Where the ratio lies at its bound the interval is open on that side, and its end says only where the pairs end.
    pub interval_log10: [f64; 2],
    /// Whether the ratio lies at the bound that the number of reference pairs sets.
    pub bounded: bool,
    /// The set it was learnt on.
    pub calibration: String,
}

impl LikelihoodRatio {
    /// The same, but no more than this.
    fn at_most(self, most: f64) -> Self {
        Self {
            log10: self.log10.min(most),
            interval_log10: self.interval_log10.map(|end| end.min(most)),
            bounded: self.bounded || self.log10 >= most,
            ..self
        }
    }

    /// The number with its interval, as it is printed beside the words of the scale.
    pub fn told(&self) -> String {
        let (log10, [low, high]) = (self.log10, self.interval_log10);
        match (self.bounded, log10 > 0.0) {
            (false, _) => format!("{log10:.2} ({low:.2} to {high:.2})"),
            (true, true) => format!("{log10:.2} or more (from {low:.2}), at the bound of the reference set"),
            (true, false) => format!("{log10:.2} or less (to {high:.2}), at the bound of the reference set"),
        }
    }
}

const SCHEMA: &str = "microstamp.calibration/5";
/// Enough for the ends of a 95 % interval: 25 lie beyond either.
const RESAMPLED: usize = 1000;
/// A log ratio this close to the bound, as a share of it, is called bounded.
const AT_BOUND: f64 = 0.95;

impl Provenance {
    /// Of pairs compared with this preset; [`Calibration::learn`] fills in the numbers.
    pub fn new(set: &str, measured_on: &str, preset: &Preset) -> Self {
        Self {
            set: set.to_owned(),
            measured_on: measured_on.to_owned(),
            mark: preset.mark,
            preset: preset.name.to_owned(),
            parameters: preset.parameters(),
            filter: FILTER.to_owned(),
            priors: PRIORS,
            firearms: 0,
            same_source: 0,
            different_source: 0,
            software: concat!("microstamp ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    fn of(self, pairs: &Pairs) -> Self {
        let [same_source, different_source] = pairs.numbers();
        Self { firearms: pairs.firearms.len(), same_source, different_source, ..self }
    }
}

impl Calibration {
    /// Keeps the pairs, fits the model and resamples the firearms.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Unlearnable`] with fewer than three firearms or ten pairs of either kind.
    pub fn learn(
        references: &[Reference],
        kind: ModelKind,
        provenance: Provenance,
        rng: &mut impl Rng,
    ) -> Result<Self, ComparisonError> {
        let pairs = Pairs::of(references);
        if let Some(fault) = pairs.fault() {
            return Err(ComparisonError::Unlearnable(fault));
        }
        // Numbers beyond 2^53 do not survive every reader of JSON.
        Ok(Self::fitted(pairs, kind, provenance, u64::from(rng.random::<u32>())))
    }

    fn fitted(pairs: Pairs, kind: ModelKind, provenance: Provenance, seed: u64) -> Self {
        let learnt = Learnt::of(kind, &pairs);
        let fit = learnt.fit(&pairs, &|_, _| 1.0);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let resampled = (0..RESAMPLED)
            .map(|_| {
                let times = pairs.drawn(&mut rng);
                let weight = |a: usize, b: usize| weight(&times, a, b);
                (learnt.drawn(&pairs, &weight, &mut rng), pairs.effective(&weight))
            })
            .collect();
        Self { provenance: provenance.of(&pairs), kind, seed, pairs, learnt, fit, resampled }
    }

    /// The calibration that comes with this crate: breech faces, preset `microstamp-1`, ten consecutively made slides.
    ///
    /// # Panics
    ///
    /// Never: the file is part of this crate and tested.
    pub fn built_in() -> Self {
        Self::from_json(Self::BUILT_IN).expect("the built-in calibration is tested")
    }

    /// The file of the built-in calibration, for its hash.
    pub const BUILT_IN: &str = include_str!("../../calibration/fadul.json");

    /// Reads a calibration file: its pairs are checked and everything else is learnt from them again.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Malformed`] if it is not one, or states numbers that its pairs do not have.
    pub fn from_json(text: &str) -> Result<Self, ComparisonError> {
        let malformed = |reason: String| ComparisonError::Malformed { what: "calibration", reason };
        let told: serde_json::Value =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let schema = told["schema"].as_str().unwrap_or("none");
        if schema != SCHEMA {
            let hint = "learn it again with `compare --all --truth --calibrate`";
            return Err(malformed(format!("its schema is `{schema}`, not `{SCHEMA}`\nhint: {hint}")));
        }
        let File { provenance, model, seed, pairs, .. } =
            serde_json::from_value(told).map_err(|error| malformed(error.to_string()))?;
        if let Some(fault) = pairs.fault() {
            return Err(malformed(fault));
        }
        if provenance.clone().of(&pairs) != provenance {
            let [same, different] = pairs.numbers();
            return Err(malformed(format!(
                "it states {} same-source and {} different-source pairs of {} firearms and carries {same} and {different} of {}",
                provenance.same_source,
                provenance.different_source,
                provenance.firearms,
                pairs.firearms.len()
            )));
        }
        Ok(Self::fitted(pairs, model, provenance, seed))
    }

    /// Writes a calibration file.
    ///
    /// # Panics
    ///
    /// Never: numbers and strings always serialise.
    pub fn to_json(&self) -> String {
        let file = File {
            schema: SCHEMA.to_owned(),
            provenance: self.provenance.clone(),
            model: self.kind,
            seed: self.seed,
            pairs: self.pairs.clone(),
        };
        // A pair a line, so that two versions of a file can be told apart line by line.
        let text = serde_json::to_string(&file).expect("numbers and strings always serialise");
        text.replace("\"rows\":[[", "\"rows\":[\n[").replace("],[", "],\n[") + "\n"
    }

    /// Which kind of model this is.
    pub fn kind(&self) -> ModelKind {
        self.kind
    }

    /// The same pairs under another model.
    #[must_use]
    pub fn with_model(&self, kind: ModelKind) -> Self {
        Self::fitted(self.pairs.clone(), kind, self.provenance.clone(), self.seed)
    }

    /// The same without the pairs of these firearms, to weigh pairs of theirs.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Unlearnable`] where too few pairs are left.
    pub fn without(&self, firearms: &[&str]) -> Result<Self, ComparisonError> {
        let pairs = self.pairs.without(firearms);
        match pairs.fault() {
            Some(fault) => Err(ComparisonError::Unlearnable(fault)),
            None => Ok(Self::fitted(pairs, self.kind, self.provenance.clone(), self.seed)),
        }
    }

    /// What the reference pairs came to, for showing a pair among them.
    pub fn counted(&self) -> Counted {
        let mut counted = Counted::default();
        for row in &self.pairs.rows {
            let pairs =
                if row.is_same_source() { &mut counted.same_source } else { &mut counted.different_source };
            pairs.resize(pairs.len().max(row.2 + 1), 0);
            pairs[row.2] += 1;
        }
        counted
    }

    /// What the pairs taught of the beta-binomial models, in one sentence; nothing for models of scores.
    pub fn parameters(&self) -> Option<String> {
        let [same, different] = self.learnt.parameters(&self.fit)?;
        let told = |[mean, dispersion]: [[f64; 2]; 2]| {
            format!(
                "mean share {:.5} ± {:.5}, dispersion {:.0} ± {:.0}",
                mean[0], mean[1], dispersion[0], dispersion[1]
            )
        };
        let [from, to] = PRIORS.different_dispersion;
        Some(format!(
            "one firearm: {}; two: {} (few pairs agree at all: mostly the prior, {from} to {to})",
            told(same),
            told(different)
        ))
    }

    /// Whether this calibration was learnt on comparisons made the same way: by mark, parameters and revision of the rules,
    /// whatever the preset is called.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] says what differs.
    pub fn fits(&self, preset: &Preset) -> Result<(), ComparisonError> {
        let own = &self.provenance;
        if own.mark != preset.mark {
            return Err(ComparisonError::CalibrationMisfit(
                "it was learnt on another kind of mark".to_owned(),
            ));
        }
        let unlike = own.parameters.unlike(&preset.parameters());
        if !unlike.is_empty() {
            return Err(ComparisonError::CalibrationMisfit(format!(
                "it was learnt with preset `{}`, the scans were compared with `{}`: {}",
                own.preset,
                preset.name,
                unlike.join(", ")
            )));
        }
        if own.filter != FILTER || own.priors != PRIORS {
            return Err(ComparisonError::CalibrationMisfit(
                "it was learnt with another filter or other prior constants than this version has".to_owned(),
            ));
        }
        Ok(())
    }

    /// The weight of evidence of a comparison.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] where [`Calibration::fits`] says so, and where a model of scores was learnt on
    /// pairs that share much more area; [`ComparisonError::Unweighable`] where nothing follows from a pair
    /// ([`Comparison::unweighable`]).
    pub fn weigh(&self, comparison: &Comparison) -> Result<LikelihoodRatio, ComparisonError> {
        self.fits(&comparison.preset)?;
        if let Some(fault) = comparison.unweighable() {
            return Err(ComparisonError::Unweighable(fault));
        }
        let ratio = self.weigh_pair(&Reference::new(Default::default(), Default::default(), comparison))?;
        Ok(if comparison.lines.is_some() { ratio.at_most(-libm::log10(PRIORS.shared_lines)) } else { ratio })
    }

    /// The weight of what a pair showed, whatever firearms it names.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] where a model of scores was learnt on pairs that share much more area.
    pub fn weigh_pair(&self, pair: &Reference) -> Result<LikelihoodRatio, ComparisonError> {
        admitted(self.kind, &self.pairs, pair)?;
        let bounds = Bounds::of(self.pairs.numbers().map(|n| n as f64), pair.cells());
        let log10 = self.learnt.log10(&self.fit, pair, bounds);
        let resampled = self.resampled.iter();
        let mut others: Vec<f64> = resampled
            .map(|(fit, effective)| self.learnt.log10(fit, pair, Bounds::of(*effective, pair.cells())))
            .collect();
        others.sort_by(f64::total_cmp);
        // The pairs of a firearm, or of two, are no witnesses of their own: what the firearms alone support lies within the interval.
        let alone = Bounds::of(self.pairs.independent(), pair.cells());
        let cautious = self.learnt.log10(&self.fit, pair, alone);
        let at = |share: f64| others[(share * (others.len() - 1) as f64).round() as usize];
        let limits = bounds.limits();
        Ok(LikelihoodRatio {
            log10,
            interval_log10: [at(0.025).min(log10).min(cautious), at(0.975).max(log10).max(cautious)],
            bounded: log10 <= limits[0] * AT_BOUND || log10 >= limits[1] * AT_BOUND,
            calibration: self.provenance.set.clone(),
        })
    }
}

/// What is written to a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    provenance: Provenance,
    model: ModelKind,
    /// Of the resampling.
    seed: u64,
    pairs: Pairs,
}

/// Scores count cells: those of pairs that share much less area, or much more, are not those that a model of scores knows.
fn admitted(kind: ModelKind, pairs: &Pairs, pair: &Reference) -> Result<(), ComparisonError> {
    let numbers = || pairs.rows.iter().map(|row| row.3);
    let (cells, least, most) = (pair.cells(), numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
    if kind != ModelKind::BetaBinomial && (3 * cells < 2 * least || 2 * cells > 3 * most) {
        return Err(ComparisonError::CalibrationMisfit(format!(
            "the scans share about {cells} cells, those of a reference pair {least} to {most}"
        )));
    }
    Ok(())
}

/// The decimal log ratio of every reference pair by a model that never saw either of its firearms; zero where it does not fit.
///
/// # Errors
///
/// [`ComparisonError::Unlearnable`] where leaving two firearms out leaves no pair of either kind.
pub fn leave_sources_out(references: &[Reference], kind: ModelKind) -> Result<Vec<f64>, ComparisonError> {
    let pairs = Pairs::of(references);
    let learnt = Learnt::of(kind, &pairs);
    let mut fits: BTreeMap<[usize; 2], (Fit, [f64; 2])> = BTreeMap::new();
    let mut out = Vec::with_capacity(references.len());
    for (reference, row) in references.iter().zip(&pairs.rows) {
        let left_out = [row.0.min(row.1), row.0.max(row.1)];
        let (fit, numbers) = fits.entry(left_out).or_insert_with(|| {
            let kept =
                |a: usize, b: usize| f64::from(u8::from(!left_out.contains(&a) && !left_out.contains(&b)));
            (learnt.fit(&pairs, &kept), pairs.effective(&kept))
        });
        if numbers.contains(&0.0) {
            return Err(ComparisonError::Unlearnable("too few firearms to leave two of them out".to_owned()));
        }
        let knows = admitted(kind, &pairs, reference).is_ok();
        let log10 = learnt.log10(fit, reference, Bounds::of(*numbers, reference.cells()));
        out.push(if knows { log10 } else { 0.0 });
    }
    Ok(out)
}

/// The words of the ENFSI guideline for evaluative reporting (2015) for a decimal log ratio; they accompany the number.
pub fn verbal(log10: f64) -> String {
    let degree = match log10.abs() {
        x if x < 0.301 => return "no support for one or the other".to_owned(),
        x if x < 1.0 => "weak",
        x if x < 2.0 => "moderate",
        x if x < 3.0 => "moderately strong",
        x if x < 4.0 => "strong",
        x if x < 6.0 => "very strong",
        _ => "extremely strong",
    };
    let side = if log10 > 0.0 { "the same firearm" } else { "different firearms" };
    format!("{degree} support for {side}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits of the search are no result.
    #[test]
    fn no_learnt_parameter_lies_on_a_limit() {
        let calibration = Calibration::built_in();
        let ends = calibration.learnt.at_the_edge(&calibration.fit);
        assert!(ends.iter().all(|share| *share < 1e-3), "{ends:?}");
        let parameters = calibration.learnt.parameters(&calibration.fit).expect("it is a model of counts");
        let within = |[from, to]: [f64; 2], at: f64| from * 1.2 < at && at * 1.2 < to;
        assert!(within(PRIORS.same_dispersion, parameters[0][1][0]), "{parameters:?}");
        assert!(within(PRIORS.different_dispersion, parameters[1][1][0]), "{parameters:?}");
        for (fit, _) in &calibration.resampled {
            let Fit::Counts(drawn) = fit else { panic!("it is a model of counts") };
            assert!(drawn.iter().all(|one| one.len() == 1));
        }
    }
}
