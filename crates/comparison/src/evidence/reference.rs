//! Comparisons of known origin, and the pairs that a calibration carries.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, mean};

/// A comparison of known origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The two firearms, by any name; equal names mean the same source.
    pub firearms: [String; 2],
    /// The two scans, by any name; a pair of scans teaches once.
    pub scans: [String; 2],
    /// Cells by which the pair is weighed, of the poorer direction ([`Comparison::agreeing`]): congruent where it converged.
    pub congruent: usize,
    /// Cells measured on both scans, as [`Comparison::joint`] tells them: one number where the pair converged.
    pub joint: Vec<usize>,
    /// Cells that looked for a place: all of the smaller surface, whatever area is shared.
    pub searched: usize,
    /// The ranking score ([`Comparison::score`]), for models of scores.
    pub score: f64,
}

impl Reference {
    /// The pair of scans of these two firearms, as it was compared.
    pub fn new(firearms: [String; 2], scans: [String; 2], comparison: &Comparison) -> Self {
        let (congruent, joint) = (comparison.agreeing, comparison.joint.clone());
        let searched = comparison.cells_of_each[0].min(comparison.cells_of_each[1]);
        Self { firearms, scans, congruent, joint, searched, score: comparison.score }
    }

    /// Jointly measured cells, on average over what is possible.
    pub(crate) fn cells(&self) -> usize {
        mean(&self.joint)
    }

    /// Whether the cells came together in one place; a pair that did not never speaks for one source.
    pub(crate) fn converged(&self) -> bool {
        self.joint.len() == 1
    }

    /// Whether both cases come from one firearm.
    pub fn is_same_source(&self) -> bool {
        self.firearms[0] == self.firearms[1]
    }
}

/// Fewer pairs of either kind teach nothing.
const LEAST_PAIRS: usize = 10;
/// Fewer firearms do not show how firearms differ.
const LEAST_FIREARMS: usize = 3;
/// Far more than any reference set holds, and little enough to fit a thousand times.
const MOST_PAIRS: usize = 50_000;
/// No surface is cut into as many cells.
const MOST_CELLS: usize = 4096;
/// Reference pairs show fewer different counts than this.
const MOST_COUNTS: usize = 5_000;

/// What a calibration keeps of its reference pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pairs {
    /// Names in order.
    pub(crate) firearms: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Both firearms by number, congruent cells, cells measured on both, cells that searched, score, both scans by number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row(
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) f64,
    pub(crate) usize,
    pub(crate) usize,
);

impl Row {
    pub(crate) fn is_same_source(&self) -> bool {
        self.0 == self.1
    }
}

impl Pairs {
    pub(crate) fn of(references: &[Reference]) -> Self {
        let names: BTreeSet<&str> =
            references.iter().flat_map(|r| r.firearms.iter().map(String::as_str)).collect();
        let firearms: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let place = |name: &String| firearms.binary_search(name).unwrap_or(0);
        let scans: BTreeSet<&str> =
            references.iter().flat_map(|r| r.scans.iter().map(String::as_str)).collect();
        let scans: Vec<&str> = scans.into_iter().collect();
        let scan = |name: &String| scans.binary_search(&name.as_str()).unwrap_or(0);
        // Rounded, so that a calibration read from its file is the one that was written.
        let row = |r: &Reference| {
            let score = (r.score * 1e4).round() / 1e4;
            let ([a, b], [one, other]) = (r.firearms.each_ref().map(place), r.scans.each_ref().map(scan));
            Row(a, b, r.congruent, r.cells(), r.searched, score, one, other)
        };
        let rows = references.iter().map(row).collect();
        Self { firearms, rows }
    }

    /// Pairs of one firearm and of two.
    pub(crate) fn numbers(&self) -> [usize; 2] {
        let same = self.rows.iter().filter(|row| row.is_same_source()).count();
        [same, self.rows.len() - same]
    }

    /// Firearms with pairs of their own, and couples of firearms: witnesses that have no firearm, or no couple, in common.
    pub(crate) fn independent(&self) -> [f64; 2] {
        let of = |same: bool| {
            let rows = self.rows.iter().filter(|row| row.is_same_source() == same);
            rows.map(|row| [row.0.min(row.1), row.0.max(row.1)]).collect::<BTreeSet<_>>().len() as f64
        };
        [of(true), of(false)]
    }

    /// Why nothing can be learnt from these pairs.
    pub(crate) fn fault(&self) -> Option<String> {
        let ([same, different], firearms) = (self.numbers(), self.firearms.len());
        if firearms < LEAST_FIREARMS || same < LEAST_PAIRS || different < LEAST_PAIRS {
            return Some(format!(
                "{same} same-source and {different} different-source pairs of {firearms} firearms are too few \
                 ({LEAST_PAIRS}, {LEAST_PAIRS} and {LEAST_FIREARMS} are needed)"
            ));
        }
        if self.rows.len() > MOST_PAIRS {
            return Some(format!("{} pairs are more than {MOST_PAIRS}", self.rows.len()));
        }
        let seen: BTreeSet<usize> = self.rows.iter().flat_map(|row| [row.0, row.1]).collect();
        if !self.firearms.is_sorted_by(|a, b| a < b) || !seen.into_iter().eq(0..firearms) {
            return Some("its pairs are not of the firearms that it names".to_owned());
        }
        let sound = |row: &Row| {
            let Row(_, _, congruent, cells, searched, score, ..) = *row;
            searched <= MOST_CELLS
                && congruent.max(cells) <= searched
                && (0.0..=2.0 * MOST_CELLS as f64).contains(&score)
        };
        if !self.rows.iter().all(sound) {
            return Some("a pair shows more cells than there are".to_owned());
        }
        if let Some(fault) = self.repeated() {
            return Some(fault);
        }
        let counts: BTreeSet<[usize; 3]> = self.rows.iter().map(|row| [row.2, row.3, row.4]).collect();
        (counts.len() > MOST_COUNTS).then(|| format!("its pairs show {} different counts", counts.len()))
    }

    /// Why its pairs are fewer than its rows: a scan of two firearms, or with itself, or a pair twice.
    fn repeated(&self) -> Option<String> {
        let mut firearm_of = BTreeMap::new();
        let mut pairs = BTreeSet::new();
        for &Row(a, b, .., one, other) in &self.rows {
            for (scan, firearm) in [(one, a), (other, b)] {
                if *firearm_of.entry(scan).or_insert(firearm) != firearm {
                    return Some(format!("scan {scan} is of two firearms"));
                }
            }
            if one == other {
                return Some(format!("scan {one} is paired with itself"));
            }
            if !pairs.insert([one.min(other), one.max(other)]) {
                return Some(format!("scans {one} and {other} are paired twice"));
            }
        }
        None
    }

    /// The pairs of which neither firearm has one of these names.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let kept = |at: usize| !names.contains(&self.firearms[at].as_str());
        let rows: Vec<Row> = self.rows.iter().filter(|row| kept(row.0) && kept(row.1)).copied().collect();
        let seen: Vec<usize> =
            rows.iter().flat_map(|row| [row.0, row.1]).collect::<BTreeSet<_>>().into_iter().collect();
        let place = |at: usize| seen.binary_search(&at).unwrap_or(0);
        let rows =
            rows.into_iter().map(|r| Row(place(r.0), place(r.1), r.2, r.3, r.4, r.5, r.6, r.7)).collect();
        Self { firearms: seen.iter().map(|&at| self.firearms[at].clone()).collect(), rows }
    }

    /// How many pairs of either kind carry the weight where pairs weigh differently (Kish).
    pub(crate) fn effective(&self, weight: &dyn Fn(usize, usize) -> f64) -> [f64; 2] {
        let mut sums = [[0.0; 2]; 2];
        for row in &self.rows {
            let w = weight(row.0, row.1);
            let sum = &mut sums[usize::from(!row.is_same_source())];
            *sum = [sum[0] + w, sum[1] + w * w];
        }
        sums.map(|[sum, squares]| if squares > 0.0 { sum * sum / squares } else { 0.0 })
    }

    /// Weights of the firearms as the Bayesian bootstrap draws them (Rubin 1981): exponential, of mean one.
    pub(crate) fn drawn(&self, rng: &mut impl Rng) -> Vec<f64> {
        let each: Vec<f64> = self.firearms.iter().map(|_| -libm::log(1.0 - rng.random::<f64>())).collect();
        let total: f64 = each.iter().sum();
        each.iter().map(|w| w * each.len() as f64 / total.max(f64::MIN_POSITIVE)).collect()
    }
}

/// The weight of a pair whose firearms weigh as told.
pub(crate) fn weight(times: &[f64], a: usize, b: usize) -> f64 {
    if a == b { times[a] } else { times[a] * times[b] }
}
