//! Schema `microstamp.comparison/1`, and the parts of it that leads share.

use comparison::evidence::{self, Calibration, LikelihoodRatio, ModelKind, Provenance};
use comparison::{Comparison, MarkKind, Parameters};
use serde::Serialize;

/// One comparison, with everything needed to repeat it.
#[derive(Serialize)]
pub(crate) struct ComparisonJson<'a> {
    schema: &'static str,
    version: &'static str,
    a: &'a str,
    b: &'a str,
    inputs: [InputJson<'a>; 2],
    mark: MarkKind,
    preset: &'static str,
    /// Whose rules counted: `published`, `microstamp` (whose original, high and total are quick counterparts) or `zhang2021`.
    rules: &'static str,
    parameters: Parameters,
    cells_evaluated: usize,
    cmc: Cmc,
    converged: bool,
    accf_max: f64,
    /// Null where the pair has no common position.
    rotation_deg: Option<f64>,
    shift_um: Option<[f64; 2]>,
    score: f64,
    joint_cells: &'a [usize],
    likelihood_ratio: Option<RatioJson<'a>>,
    /// By the other models on the same reference pairs.
    other_models: Vec<OtherModel<'a>>,
    conclusion_support: Option<String>,
    calibration: Option<CalibrationJson<'a>>,
    cells: Vec<Cell>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Cmc {
    original: [usize; 2],
    high: usize,
    total: usize,
    convergence: usize,
    ncma: f64,
}

/// A likelihood ratio, here and in leads.
#[derive(Serialize)]
pub(crate) struct RatioJson<'a> {
    log10: f64,
    interval_log10: [f64; 2],
    bounded: bool,
    /// On which side the interval is open, where the ratio lies at its bound: `above` or `below`.
    interval_open: Option<&'static str>,
    calibration: &'a str,
}

#[derive(Serialize)]
struct OtherModel<'a> {
    model: ModelKind,
    #[serde(flatten)]
    ratio: RatioJson<'a>,
}

/// A scan that was read.
#[derive(Serialize)]
struct InputJson<'a> {
    file: &'a str,
    sha256: &'a str,
}

/// A calibration by its hash and where it comes from, here and in leads.
#[derive(Serialize)]
pub(crate) struct CalibrationJson<'a> {
    sha256: &'a str,
    model: ModelKind,
    #[serde(flatten)]
    provenance: &'a Provenance,
}

/// A scan as it was named, with the hash of its file.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) sha256: String,
}

/// A calibration with the hash of its file.
pub(crate) struct Weigher {
    pub(crate) calibration: Calibration,
    pub(crate) sha256: String,
}

impl<'a> From<&'a Weigher> for CalibrationJson<'a> {
    fn from(weigher: &'a Weigher) -> Self {
        let Weigher { calibration, sha256 } = weigher;
        Self { sha256, model: calibration.kind(), provenance: &calibration.provenance }
    }
}

impl<'a> From<&'a LikelihoodRatio> for RatioJson<'a> {
    fn from(ratio: &'a LikelihoodRatio) -> Self {
        let LikelihoodRatio { log10, interval_log10, bounded, calibration } = ratio;
        let interval_open = bounded.then_some(if *log10 > 0.0 { "above" } else { "below" });
        let (log10, interval_log10, bounded) = (*log10, *interval_log10, *bounded);
        Self { log10, interval_log10, bounded, interval_open, calibration }
    }
}

#[derive(Serialize)]
struct Cell {
    a_um: [f64; 2],
    b_um: [f64; 2],
    side_um: f64,
    accf: f64,
    rotation_deg: f64,
    displacement_um: [f64; 2],
    congruent: bool,
}

impl<'a> ComparisonJson<'a> {
    pub(crate) fn new(
        inputs: &'a [Input; 2],
        result: &'a Comparison,
        (ratio, beside): (Option<&'a LikelihoodRatio>, &'a [(ModelKind, LikelihoodRatio)]),
        weigher: Option<&'a Weigher>,
    ) -> Self {
        let preset = &result.preset;
        let cmc = &result.cmc;
        let um = |at: (topography::Length, topography::Length)| [at.0.to_um(), at.1.to_um()];
        let cell = |cell: &comparison::CellResult| Cell {
            a_um: um(cell.on_a),
            b_um: um(cell.on_b),
            side_um: cell.side.to_um(),
            accf: cell.accf,
            rotation_deg: cell.turn.to_degrees(),
            displacement_um: um(cell.displacement),
            congruent: cell.congruent,
        };
        Self {
            schema: "microstamp.comparison/1",
            version: env!("CARGO_PKG_VERSION"),
            a: &inputs[0].name,
            b: &inputs[1].name,
            inputs: inputs.each_ref().map(|input| InputJson { file: &input.name, sha256: &input.sha256 }),
            mark: preset.mark,
            preset: preset.name,
            rules: preset.rules(),
            parameters: preset.parameters(),
            cells_evaluated: result.joint_cells(),
            cmc: Cmc {
                original: cmc.original,
                high: cmc.high,
                total: cmc.total[0].min(cmc.total[1]),
                convergence: result.congruent(),
                ncma: cmc.ncma,
            },
            converged: result.converged,
            accf_max: result.accf_max,
            rotation_deg: result.rotation.map(topography::Angle::to_degrees),
            shift_um: result.shift.map(um),
            score: result.score,
            joint_cells: &result.joint,
            likelihood_ratio: ratio.map(RatioJson::from),
            other_models: beside
                .iter()
                .map(|(model, ratio)| OtherModel { model: *model, ratio: ratio.into() })
                .collect(),
            conclusion_support: ratio.map(|r| evidence::verbal(r.log10)),
            calibration: weigher.map(CalibrationJson::from),
            cells: result.cells.iter().map(cell).collect(),
            warnings: &result.warnings,
        }
    }
}
