//! Calibrations: models fitted on comparisons of known origin, kept as files with their provenance.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use super::model::{Counts, Fitted, ModelKind};
use crate::compare::{Comparison, mean};
use crate::error::ComparisonError;
use crate::preset::{MarkKind, Parameters, Preset};

/// A comparison of known origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The two firearms, by any name; equal names mean the same source.
    pub firearms: [String; 2],
    /// Congruent cells of the poorer direction.
    pub congruent: usize,
    /// Cells measured on both scans, as [`Comparison::joint`] tells them.
    pub joint: Vec<usize>,
    /// Cells that looked for a place: all of the smaller surface, whatever area is shared.
    pub searched: usize,
    /// The ranking score ([`Comparison::score`]), for models of scores.
    pub score: f64,
}

impl Reference {
    /// The pair of these two firearms, as it was compared.
    pub fn new(firearms: [String; 2], comparison: &Comparison) -> Self {
        let (congruent, joint) = (comparison.congruent(), comparison.joint.clone());
        let searched = comparison.cells_of_each[0].min(comparison.cells_of_each[1]);
        Self { firearms, congruent, joint, searched, score: comparison.score }
    }

    /// Jointly measured cells, on average over what is possible.
    pub(crate) fn cells(&self) -> usize {
        mean(&self.joint)
    }

    /// Whether both cases come from one firearm.
    pub fn is_same_source(&self) -> bool {
        self.firearms[0] == self.firearms[1]
    }
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
    /// Its numbers: these must be those of a pair to be weighed, the name need not.
    pub parameters: Parameters,
    /// Firearms in the set.
    pub firearms: usize,
    /// Pairs from one firearm.
    pub same_source: usize,
    /// Pairs from two.
    pub different_source: usize,
    /// The program that compared them.
    pub software: String,
}

/// A score model with its bounds.
///
/// No ratio exceeds what the number of reference pairs supports: half a misleading pair might always have been missed.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Where it comes from.
    pub provenance: Provenance,
    model: Model,
    counted: Counted,
    /// Where the model is one of scores: fitted on all pairs, then on each resampled set.
    scores: Vec<Fitted>,
}

/// How many reference pairs came to each number of congruent cells: the number is the place in the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// 95 % interval by resampling the firearms of the reference set.
    pub interval_log10: [f64; 2],
    /// Whether the ratio lies at the bound that the number of reference pairs sets.
    pub bounded: bool,
    /// The set it was learnt on.
    pub calibration: String,
}

const SCHEMA: &str = "microstamp.calibration/3";
const RESAMPLED: usize = 100;
/// Fewer pairs of either kind teach nothing.
const LEAST_PAIRS: usize = 10;
/// Cells at which the reference pairs, which had many more, support only half of what they support for many.
const FEW: f64 = 8.0;
/// A log ratio this close to the bound, as a share of it, is called bounded.
const AT_BOUND: f64 = 0.95;
/// Doubt about the conditions keeps ratios for two firearms farther from theirs.
const AT_LOWER_BOUND: f64 = 0.7;

impl Provenance {
    /// Of pairs compared with this preset; [`Calibration::learn`] fills in the numbers.
    pub fn new(set: &str, measured_on: &str, preset: &Preset) -> Self {
        Self {
            set: set.to_owned(),
            measured_on: measured_on.to_owned(),
            mark: preset.mark,
            preset: preset.name.to_owned(),
            parameters: preset.parameters(),
            firearms: 0,
            same_source: 0,
            different_source: 0,
            software: concat!("microstamp ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Calibration {
    /// Fits the model and resamples the firearms.
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
        let known = Known::of(references);
        let firearms = known.firearms.len();
        if firearms < 3 || known.same < LEAST_PAIRS || known.different < LEAST_PAIRS {
            return Err(ComparisonError::Unlearnable(format!(
                "{} same-source and {} different-source pairs of {firearms} firearms are too few (10, 10 and 3 are needed)",
                known.same, known.different
            )));
        }
        let mut draw = || {
            let mut times = vec![0; firearms];
            (0..firearms).for_each(|_| times[rng.random_range(0..firearms)] += 1);
            times
        };
        let drawn: Vec<Vec<usize>> = (0..RESAMPLED).map(|_| draw()).collect();
        Ok(Self::fitted(references, &known, kind, provenance, drawn))
    }

    fn fitted(
        references: &[Reference],
        known: &Known<'_>,
        kind: ModelKind,
        provenance: Provenance,
        drawn: Vec<Vec<usize>>,
    ) -> Self {
        let provenance = Provenance {
            firearms: known.firearms.len(),
            same_source: known.same,
            different_source: known.different,
            ..provenance
        };
        let place =
            |r: &Reference, k: usize| known.firearms.binary_search(&r.firearms[k].as_str()).unwrap_or(0);
        let model = if kind == ModelKind::BetaBinomial {
            let resampled = drawn
                .iter()
                .map(|times| Counts::fitted(references, |r| repeats(times, place(r, 0), place(r, 1)) as f64));
            Model::BetaBinomial {
                fitted: Counts::fitted(references, |_| 1.0),
                resampled: resampled.collect(),
            }
        } else {
            let pairs = references.iter().map(|r| (place(r, 0), place(r, 1), r.score)).collect();
            let least_cells = references.iter().map(Reference::cells).min().unwrap_or(0);
            let sample = Sample { least_cells, pairs, drawn };
            if kind == ModelKind::Kde { Model::Kde(sample) } else { Model::Pav(sample) }
        };
        Self::of(provenance, model, Counted::of(references))
    }

    fn of(provenance: Provenance, model: Model, counted: Counted) -> Self {
        let scores = match &model {
            Model::BetaBinomial { .. } => Vec::new(),
            Model::Kde(sample) => sample.models(ModelKind::Kde),
            Model::Pav(sample) => sample.models(ModelKind::Pav),
        };
        Self { provenance, model, counted, scores }
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

    /// Reads a calibration file.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Malformed`] if it is not one.
    pub fn from_json(text: &str) -> Result<Self, ComparisonError> {
        let malformed = |reason: String| ComparisonError::Malformed { what: "calibration", reason };
        let told: serde_json::Value =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let schema = told["schema"].as_str().unwrap_or("none");
        if schema != SCHEMA {
            let hint = "learn it again with `compare --all --truth --calibrate`";
            return Err(malformed(format!("its schema is `{schema}`, not `{SCHEMA}`\nhint: {hint}")));
        }
        let file: File = serde_json::from_value(told).map_err(|error| malformed(error.to_string()))?;
        if !file.model.is_sound() || !file.counted.is_sound(&file.provenance) {
            return Err(malformed("a model is out of range".to_owned()));
        }
        Ok(Self::of(file.provenance, file.model, file.counted))
    }

    /// Writes a calibration file.
    ///
    /// # Panics
    ///
    /// Never: numbers and strings always serialise.
    pub fn to_json(&self) -> String {
        let (provenance, model, counted) =
            (self.provenance.clone(), self.model.clone(), self.counted.clone());
        let file = File { schema: SCHEMA.to_owned(), provenance, counted, model };
        serde_json::to_string(&file).expect("numbers and strings always serialise") + "\n"
    }

    /// What the reference pairs came to, for showing a pair among them.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Which kind of model this is.
    pub fn kind(&self) -> ModelKind {
        match self.model {
            Model::BetaBinomial { .. } => ModelKind::BetaBinomial,
            Model::Kde(_) => ModelKind::Kde,
            Model::Pav(_) => ModelKind::Pav,
        }
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
        let unlike = own.parameters.unlike(&preset.parameters());
        if !unlike.is_empty() {
            return Err(ComparisonError::CalibrationMisfit(format!(
                "it was learnt with preset `{}`, the scans were compared with `{}`: {}",
                own.preset,
                preset.name,
                unlike.join(", ")
            )));
        }
        Ok(())
    }

    /// The weight of evidence of a comparison.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] where [`Calibration::fits`] says so, and where a model of scores was learnt on
    /// pairs that share much more area.
    pub fn weigh(&self, comparison: &Comparison) -> Result<LikelihoodRatio, ComparisonError> {
        self.fits(&comparison.preset)?;
        self.weigh_pair(&Reference::new(Default::default(), comparison))
    }

    /// The weight of what a pair showed, whatever firearms it names.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::CalibrationMisfit`] where a model of scores was learnt on pairs that share much more area.
    pub fn weigh_pair(&self, pair: &Reference) -> Result<LikelihoodRatio, ComparisonError> {
        let (low, high) = self.bounds(pair.cells());
        let limits = [low.log10(), -high.log10()];
        let (log10, mut others) = match &self.model {
            Model::BetaBinomial { fitted, resampled } => {
                let ratio = |m: &Counts| m.log10_ratio(pair, (low, high));
                (ratio(fitted), resampled.iter().map(ratio).collect::<Vec<_>>())
            }
            Model::Kde(sample) | Model::Pav(sample) => {
                sample.admits(pair)?;
                let mut all = self.scores.iter().map(|m| m.log10(pair.score, limits));
                (all.next().unwrap_or(0.0), all.collect())
            }
        };
        others.push(log10);
        others.sort_by(f64::total_cmp);
        let at = |share: f64| others[(share * (others.len() - 1) as f64).round() as usize];
        Ok(LikelihoodRatio {
            log10,
            interval_log10: [at(0.025), at(0.975)],
            bounded: log10 <= limits[0] * AT_LOWER_BOUND || log10 >= limits[1] * AT_BOUND,
            calibration: self.provenance.set.clone(),
        })
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

/// What is written to a file.
#[derive(Serialize, Deserialize)]
struct File {
    schema: String,
    provenance: Provenance,
    counted: Counted,
    model: Model,
}

impl Counted {
    fn of(references: &[Reference]) -> Self {
        let of = |same: bool| {
            let mut pairs = Vec::new();
            for reference in references.iter().filter(|r| r.is_same_source() == same) {
                pairs.resize(pairs.len().max(reference.congruent + 1), 0);
                pairs[reference.congruent] += 1;
            }
            pairs
        };
        Self { same_source: of(true), different_source: of(false) }
    }

    fn is_sound(&self, provenance: &Provenance) -> bool {
        /// No scan has more cells.
        const MOST: usize = 4096;
        let all = |pairs: &[usize]| pairs.iter().try_fold(0_usize, |sum, &n| sum.checked_add(n));
        [(&self.same_source, provenance.same_source), (&self.different_source, provenance.different_source)]
            .iter()
            .all(|(pairs, told)| pairs.len() <= MOST && all(pairs) == Some(*told))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Model {
    BetaBinomial {
        fitted: Counts,
        /// Of resampled sets of firearms, for the interval.
        resampled: Vec<Counts>,
    },
    Kde(Sample),
    Pav(Sample),
}

impl Model {
    fn is_sound(&self) -> bool {
        match self {
            Self::BetaBinomial { fitted, resampled } => {
                fitted.is_sound() && resampled.iter().all(Counts::is_sound)
            }
            Self::Kde(sample) | Self::Pav(sample) => sample.is_sound(),
        }
    }
}

/// The reference pairs themselves, for models without parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    /// The fewest cells that a reference pair shares.
    least_cells: usize,
    /// The two firearms by number, and the score.
    pairs: Vec<(usize, usize, f64)>,
    /// How often each firearm was drawn, for each resampled set.
    drawn: Vec<Vec<usize>>,
}

impl Sample {
    /// Of all pairs, and of those of each resampled set.
    fn models(&self, kind: ModelKind) -> Vec<Fitted> {
        let resampled =
            self.drawn.iter().map(|times| Fitted::on(kind, &self.pairs, |a, b| repeats(times, a, b)));
        std::iter::once(Fitted::on(kind, &self.pairs, |_, _| 1)).chain(resampled).collect()
    }

    fn is_sound(&self) -> bool {
        /// Far more than any reference set holds, and little enough to fit a hundred times.
        const MOST: usize = 100_000;
        let firearms = self.pairs.iter().map(|p| p.0.max(p.1) + 1).max().unwrap_or(0);
        let of = |same: bool| self.pairs.iter().filter(|p| (p.0 == p.1) == same).count();
        let drawn = |d: &Vec<usize>| d.len() == firearms && d.iter().sum::<usize>() == firearms;
        self.pairs.len() <= MOST
            && of(true) >= LEAST_PAIRS
            && of(false) >= LEAST_PAIRS
            && self.drawn.len() <= RESAMPLED
            && self.pairs.iter().all(|p| p.2.is_finite())
            && self.drawn.iter().all(drawn)
    }

    /// Scores of pairs that share much less area are not those that the model knows.
    fn admits(&self, pair: &Reference) -> Result<(), ComparisonError> {
        let (cells, least) = (pair.cells(), self.least_cells);
        if 3 * cells < 2 * least {
            return Err(ComparisonError::CalibrationMisfit(format!(
                "the scans share about {cells} cells, the fewest of a reference pair are {least}"
            )));
        }
        Ok(())
    }
}

/// How often a pair is drawn with its firearms.
fn repeats(times: &[usize], a: usize, b: usize) -> usize {
    if a == b { times[a] } else { times[a] * times[b] }
}

/// The firearms of reference pairs in order, and how many pairs there are of either kind.
struct Known<'a> {
    firearms: Vec<&'a str>,
    same: usize,
    different: usize,
}

impl<'a> Known<'a> {
    fn of(references: &'a [Reference]) -> Self {
        let firearms: BTreeSet<&str> =
            references.iter().flat_map(|r| r.firearms.iter().map(String::as_str)).collect();
        let same = references.iter().filter(|r| r.is_same_source()).count();
        Self { firearms: firearms.into_iter().collect(), same, different: references.len() - same }
    }
}

/// The decimal log ratio of every reference pair by a calibration that never saw either of its firearms; zero where it does
/// not fit.
///
/// # Errors
///
/// [`ComparisonError::Unlearnable`] where leaving two firearms out leaves too few pairs.
pub fn leave_sources_out(references: &[Reference], kind: ModelKind) -> Result<Vec<f64>, ComparisonError> {
    let mut known: BTreeMap<[&str; 2], Calibration> = BTreeMap::new();
    let mut out = Vec::with_capacity(references.len());
    for reference in references {
        let mut left_out = [reference.firearms[0].as_str(), reference.firearms[1].as_str()];
        left_out.sort_unstable();
        let calibration = match known.entry(left_out) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let without = |r: &&Reference| r.firearms.iter().all(|f| !left_out.contains(&f.as_str()));
                new.insert(unresampled(
                    &references.iter().filter(without).cloned().collect::<Vec<_>>(),
                    kind,
                )?)
            }
        };
        out.push(calibration.weigh_pair(reference).map_or(0.0, |ratio| ratio.log10));
    }
    Ok(out)
}

/// A calibration for counting only: no interval, no origin.
fn unresampled(references: &[Reference], kind: ModelKind) -> Result<Calibration, ComparisonError> {
    let known = Known::of(references);
    if known.same == 0 || known.different == 0 {
        return Err(ComparisonError::Unlearnable("too few firearms to leave two of them out".to_owned()));
    }
    let provenance = Provenance::new("", "", &Preset::default_for(MarkKind::BreechFace));
    Ok(Calibration::fitted(references, &known, kind, provenance, Vec::new()))
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
