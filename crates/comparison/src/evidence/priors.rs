//! What is taken for granted when reference pairs are weighed.

use serde::{Deserialize, Serialize};

/// Constants that no reference pair teaches: they were set by hand, and are said with every ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Priors {
    /// The mean share of congruent cells, of either kind of pair, is as likely as this Beta distribution says (Jeffreys).
    pub mean_beta: [f64; 2],
    /// The dispersion (`alpha + beta`) for one firearm is log-uniform between these.
    pub same_dispersion: [f64; 2],
    /// The same for two firearms: chance agreement gathers in few pairs.
    pub different_dispersion: [f64; 2],
    /// Cells that weigh as much as the doubt whether the conditions are those of the reference pairs.
    pub doubt_cells: f64,
    /// The probability with which a cell that has its place on the other scan finds it...
    pub finds: f64,
    /// ...and so many must find it before a pair can converge.
    pub needed: usize,
    /// How often two scans are taken to measure parts of a face at any turn to each other.
    pub parts: f64,
    /// Cells at which the different-source pairs support half of what they support for many cells.
    pub few_cells: f64,
    /// How often two firearms whose faces are finished in lines are taken to carry the same lines, left by one tool, where these
    /// change along their way: where lines alone agree, no ratio passes the inverse.
    pub shared_lines: f64,
}

/// The constants of this version.
pub(crate) const PRIORS: Priors = Priors {
    mean_beta: [0.5, 0.5],
    same_dispersion: [1.0, 300.0],
    different_dispersion: [10.0, 300.0],
    doubt_cells: 0.8,
    finds: 0.8,
    needed: 3,
    parts: 0.1,
    few_cells: 8.0,
    shared_lines: 0.1,
};

/// The filters that leave the band of a preset.
pub(crate) const FILTER: &str = "second-order Gaussian regression, robust for long waves";
