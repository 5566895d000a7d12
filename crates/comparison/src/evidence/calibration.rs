//! Calibrations: models fitted on comparisons of known origin, kept as files with their provenance.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use super::counts::{BetaBinomial, Tally};
use crate::compare::Comparison;
use crate::error::ComparisonError;
use crate::preset::{MarkKind, Preset};

/// A comparison of known origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The two firearms, by any name; equal names mean the same source.
    pub firearms: [String; 2],
    /// Congruent cells of the poorer direction.
    pub congruent: usize,
    /// Evaluated cells of the smaller surface.
    pub cells: usize,
}

/// Where a calibration comes from; what it may be used for follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The set of scans, with its publication.
    pub set: String,
    /// `real cases`, `real surfaces with simulated marks` or `simulation`.
    pub measured_on: String,
    /// The mark.
    pub mark: MarkKind,
    /// The preset under which the pairs were prepared and compared.
    pub preset: String,
    /// Firearms in the set.
    pub firearms: usize,
    /// Pairs from one firearm.
    pub same_source: usize,
    /// Pairs from two.
    pub different_source: usize,
}

/// Score models and their bounds.
///
/// Same source: a beta-binomial for `k` congruent of `n` cells (Song et al. 2020, Forensic Sci. Int. 317:110502), mixed with
/// every count being equally probable (conditions unlike the reference pairs; the fewer cells, the more of it) and with the
/// different-source model (a case that took no mark). Different source: a beta-binomial, mixed with the same-source model.
/// The last two shares are half a pair in the number of reference pairs, so that no ratio exceeds what that number supports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    schema: String,
    /// Where it comes from.
    pub provenance: Provenance,
    models: Models,
    /// Models of resampled sets of firearms, for the interval.
    resampled: Vec<Models>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Models {
    same: BetaBinomial,
    different: BetaBinomial,
}

/// The weight of evidence of one comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// Decimal logarithm of the ratio: positive speaks for one firearm, negative for two.
    pub log10: f64,
    /// 95 % interval by resampling the firearms of the reference set.
    pub interval_log10: [f64; 2],
    /// Whether the ratio lies at the bound that the number of reference pairs sets.
    pub bounded: bool,
    /// The set it was learnt on.
    pub calibration: String,
}

const SCHEMA: &str = "microstamp.calibration/1";
const RESAMPLED: usize = 100;
/// Pairs of one source may differ much; two sources agree by chance alone, but never so regularly as a binomial says.
const SAME_WEIGHTS: (f64, f64) = (1.0, 100.0);
const DIFFERENT_WEIGHTS: (f64, f64) = (30.0, 60.0);
/// Cells that weigh as much as the doubt whether the conditions are those of the reference set.
const DOUBT: f64 = 0.8;
/// Cells at which the reference pairs, which had many more, support only half of what they support for many.
const FEW: f64 = 8.0;
/// A log ratio this close to the bound, as a share of it, is called bounded.
const AT_BOUND: f64 = 0.95;
/// Doubt about the conditions keeps ratios for two firearms farther from theirs.
const AT_LOWER_BOUND: f64 = 0.7;

impl Calibration {
    /// Fits the models and resamples the firearms.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Unlearnable`] with fewer than three firearms or ten pairs of either kind.
    pub fn learn(
        references: &[Reference],
        provenance: Provenance,
        rng: &mut impl Rng,
    ) -> Result<Self, ComparisonError> {
        let firearms: BTreeSet<&str> =
            references.iter().flat_map(|r| r.firearms.iter().map(String::as_str)).collect();
        let firearms: Vec<&str> = firearms.into_iter().collect();
        let same = references.iter().filter(|r| r.is_same_source()).count();
        let different = references.len() - same;
        if firearms.len() < 3 || same < 10 || different < 10 {
            return Err(ComparisonError::Unlearnable(format!(
                "{same} same-source and {different} different-source pairs of {} firearms are too few (10, 10 and 3 are needed)",
                firearms.len()
            )));
        }
        let models = Models::fitted(references, |_| 1.0);
        let resampled = (0..RESAMPLED)
            .map(|_| {
                let mut drawn: BTreeMap<&str, f64> = BTreeMap::new();
                for _ in 0..firearms.len() {
                    *drawn.entry(firearms[rng.random_range(0..firearms.len())]).or_default() += 1.0;
                }
                let times = |name: &str| drawn.get(name).copied().unwrap_or(0.0);
                Models::fitted(references, |r| {
                    let [a, b] = [times(&r.firearms[0]), times(&r.firearms[1])];
                    if r.is_same_source() { a } else { a * b }
                })
            })
            .collect();
        let provenance = Provenance {
            firearms: firearms.len(),
            same_source: same,
            different_source: different,
            ..provenance
        };
        Ok(Self { schema: SCHEMA.to_owned(), provenance, models, resampled })
    }

    /// The calibration that comes with this crate: breech faces, preset `microstamp-1`, ten consecutively made slides.
    ///
    /// # Panics
    ///
    /// Never: the file is part of this crate and tested.
    pub fn built_in() -> Self {
        Self::from_json(include_str!("../../calibration/fadul.json"))
            .expect("the built-in calibration is tested")
    }

    /// Reads a calibration file.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Malformed`] if it is not one.
    pub fn from_json(text: &str) -> Result<Self, ComparisonError> {
        let malformed = |reason: String| ComparisonError::Malformed { what: "calibration", reason };
        let calibration: Self = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let shape = |m: &Models| {
            [m.same, m.different]
                .iter()
                .all(|b| b.mean > 0.0 && b.mean < 1.0 && b.weight > 0.0 && b.weight.is_finite())
        };
        if calibration.schema != SCHEMA {
            return Err(malformed(format!("its schema is `{}`, not `{SCHEMA}`", calibration.schema)));
        }
        if !shape(&calibration.models) || !calibration.resampled.iter().all(shape) {
            return Err(malformed("a model is out of range".to_owned()));
        }
        Ok(calibration)
    }

    /// Writes a calibration file.
    ///
    /// # Panics
    ///
    /// Never: numbers and strings always serialise.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings always serialise")
    }

    /// Whether this calibration was learnt on comparisons made the same way.
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
        if own.preset != preset.name {
            let reason = format!(
                "it was learnt with preset `{}`, the scans were compared with `{}`",
                own.preset, preset.name
            );
            return Err(ComparisonError::CalibrationMisfit(reason));
        }
        Ok(())
    }

    /// The weight of evidence of a comparison.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] where [`Calibration::fits`] says so.
    pub fn weigh(&self, comparison: &Comparison) -> Result<LikelihoodRatio, ComparisonError> {
        self.fits(&comparison.preset)?;
        Ok(self.weigh_count(comparison.congruent(), comparison.smaller_cells()))
    }

    /// The weight of `congruent` among `cells`.
    pub fn weigh_count(&self, congruent: usize, cells: usize) -> LikelihoodRatio {
        let bounds = self.bounds(cells);
        let log10 = self.models.log10_ratio(congruent, cells, bounds);
        let mut others: Vec<f64> =
            self.resampled.iter().map(|m| m.log10_ratio(congruent, cells, bounds)).collect();
        others.push(log10);
        others.sort_by(f64::total_cmp);
        let at = |share: f64| others[(share * (others.len() - 1) as f64).round() as usize];
        let limits = [bounds.0.log10(), -bounds.1.log10()];
        LikelihoodRatio {
            log10,
            interval_log10: [at(0.025), at(0.975)],
            bounded: log10 <= limits[0] * AT_LOWER_BOUND || log10 >= limits[1] * AT_BOUND,
            calibration: self.provenance.set.clone(),
        }
    }

    /// Half a pair in the number of pairs: the share of misleading pairs that a set without any still leaves open.
    ///
    /// What the set says about pairs of firearms with few cells it says from pairs with many, so that the share rises there.
    fn bounds(&self, cells: usize) -> (f64, f64) {
        let half = |pairs: usize| 0.5 / (pairs as f64 + 1.0);
        let few = 1.0 + FEW / cells.max(1) as f64;
        (half(self.provenance.same_source), (few * half(self.provenance.different_source)).min(0.5))
    }
}

impl Reference {
    /// Whether both cases come from one firearm.
    pub fn is_same_source(&self) -> bool {
        self.firearms[0] == self.firearms[1]
    }
}

impl Models {
    fn fitted(references: &[Reference], weight: impl Fn(&Reference) -> f64) -> Self {
        let tallies = |same: bool| -> Vec<Tally> {
            let mut counts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
            for reference in references.iter().filter(|r| r.is_same_source() == same) {
                *counts.entry((reference.congruent, reference.cells)).or_default() += weight(reference);
            }
            counts.into_iter().collect()
        };
        Self {
            same: BetaBinomial::fitted(&tallies(true), SAME_WEIGHTS),
            different: BetaBinomial::fitted(&tallies(false), DIFFERENT_WEIGHTS),
        }
    }

    fn log10_ratio(&self, k: usize, n: usize, (low, high): (f64, f64)) -> f64 {
        if n == 0 {
            return 0.0;
        }
        let doubt = 1.0 / (1.0 + DOUBT * n as f64);
        let plain = 1.0 / (n as f64 + 1.0);
        let same = (1.0 - doubt) * libm::exp(self.same.log_probability(k, n)) + doubt * plain;
        let different = libm::exp(self.different.log_probability(k, n));
        let numerator = (1.0 - low) * same + low * different;
        let denominator = (1.0 - high) * different + high * same;
        libm::log10(numerator / denominator)
    }
}

/// The decimal log ratio of every reference pair by a calibration that never saw either of its firearms.
///
/// # Errors
///
/// [`ComparisonError::Unlearnable`] where leaving two firearms out leaves too few pairs.
pub fn leave_sources_out(references: &[Reference]) -> Result<Vec<f64>, ComparisonError> {
    let mut known: BTreeMap<[&str; 2], Calibration> = BTreeMap::new();
    let mut out = Vec::with_capacity(references.len());
    for reference in references {
        let mut left_out = [reference.firearms[0].as_str(), reference.firearms[1].as_str()];
        left_out.sort_unstable();
        let calibration = match known.entry(left_out) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let without = |r: &&Reference| r.firearms.iter().all(|f| !left_out.contains(&f.as_str()));
                new.insert(unresampled(&references.iter().filter(without).cloned().collect::<Vec<_>>())?)
            }
        };
        out.push(calibration.weigh_count(reference.congruent, reference.cells).log10);
    }
    Ok(out)
}

/// A calibration for counting only: no interval, no origin.
fn unresampled(references: &[Reference]) -> Result<Calibration, ComparisonError> {
    let same_source = references.iter().filter(|r| r.is_same_source()).count();
    let different_source = references.len() - same_source;
    if same_source == 0 || different_source == 0 {
        return Err(ComparisonError::Unlearnable("too few firearms to leave two of them out".to_owned()));
    }
    let provenance = Provenance {
        set: String::new(),
        measured_on: String::new(),
        mark: MarkKind::BreechFace,
        preset: String::new(),
        firearms: 0,
        same_source,
        different_source,
    };
    let models = Models::fitted(references, |_| 1.0);
    Ok(Calibration { schema: SCHEMA.to_owned(), provenance, models, resampled: Vec::new() })
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
