//! Two prepared surfaces in, one comparison out.

use topography::{Angle, Length};

use crate::cmc::{self, Direction};
use crate::direction::{self, Scratch};
use crate::error::ComparisonError;
use crate::joint;
use crate::pose::{self, Pose};
use crate::preset::Preset;
use crate::surface::Surface;

/// What the comparison of two surfaces found, with everything needed to repeat it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The parameters.
    pub preset: Preset,
    /// Congruent matching cells.
    pub cmc: CmcCounts,
    /// Cells of A and of B.
    pub cells_of_each: [usize; 2],
    /// Cells with enough measured points on both, of A on B and of B on A.
    pub evaluated: [usize; 2],
    /// How many cells of the poorer direction both scans can have measured: one number where the pair converged, else one for
    /// each of 24 turns, the circles about both areas laid on each other. What the count is weighed against.
    pub joint: Vec<usize>,
    /// Whether freely searching cells of both directions came together in one place: conditions I and II of Chen 2017, the first
    /// as a bound on what chance would do.
    pub converged: bool,
    /// The areal cross-correlation of the whole surfaces at 25 µm (for breech faces) in the pose on which most cells agree, -1
    /// to 1; the larger of the two directions.
    pub accf_max: f64,
    /// How far B must be turned, counter-clockwise as seen, to lie as A does.
    pub rotation: Angle,
    /// How far the middle of B then lies from the middle of A, to the right and down.
    pub shift: (Length, Length),
    /// The one number by which results are ranked: congruent cells of the poorer direction, and behind the point the mean
    /// squared coefficient of the cells that agree on the pose.
    pub score: f64,
    /// Every evaluated cell of A.
    pub cells: Vec<CellResult>,
    /// What the reader of the result should know.
    pub warnings: Vec<String>,
}

/// Counts under each decision rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CmcCounts {
    /// Song 2013: A on B, B on A.
    pub original: [usize; 2],
    /// Tong 2015.
    pub high: usize,
    /// Within the tolerances about the reference: A on B, B on A.
    pub total: [usize; 2],
    /// Chen 2017: A on B, B on A.
    pub convergence: [usize; 2],
    /// After Chen 2018: area of the congruent cells over the area of all cells, 0 to 1, the poorer direction; 0 without
    /// convergence.
    pub ncma: f64,
}

/// One cell of A and where it was found on B.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellResult {
    /// The middle of the cell on A, from the upper left corner of the measured area.
    pub on_a: (Length, Length),
    /// The middle of its place on B, likewise.
    pub on_b: (Length, Length),
    /// Edge of the cell.
    pub side: Length,
    /// The areal cross-correlation there, -1 to 1.
    pub accf: f64,
    /// Turn beyond that of the whole surface, same sign.
    pub turn: Angle,
    /// Displacement beyond that of the whole surface.
    pub displacement: (Length, Length),
    /// Whether the cell is congruent with the others.
    pub congruent: bool,
}

impl Comparison {
    /// Congruent cells under convergence of the poorer direction.
    pub fn congruent(&self) -> usize {
        self.cmc.convergence[0].min(self.cmc.convergence[1])
    }

    /// Whether the two scans show the very same measurement, be it turned, resampled or with noise added, so that nothing
    /// follows about firearms.
    pub fn is_same_scan(&self) -> bool {
        self.accf_max > SAME_SCAN
    }

    /// Cells that both scans have measured: in the pose found, or on average over those that were possible.
    pub fn joint_cells(&self) -> usize {
        mean(&self.joint)
    }
}

const LITTLE_SHARED: &str = "both scans may share little area: that they do not agree says little";

/// Cases of one firearm do not agree this well over the whole surface: two files hold one measurement, turned, resampled or with
/// noise added. Of the 63 pairs of one slide (csafe-fadul, *real cases*) none passes 0.90; other sets are published with
/// 0.82 ± 0.06 (Weller 2012).
const SAME_SCAN: f64 = 0.97;
/// From here on it may be so.
const NEARLY_SAME: f64 = 0.93;
/// Measured areas whose circles differ by more than this cannot both be whole faces at the right scale.
const LARGER: f64 = 1.3;

/// Compares two prepared surfaces, both directions.
///
/// The search runs over the full circle and all shifts that leave a fifth of the smaller surface in overlap: a masked
/// correlation of the whole surfaces proposes poses, then all cells search freely about each of them.
///
/// # Errors
///
/// [`ComparisonError::Mismatch`] where the two were not prepared with the same preset.
pub fn compare(a: &Surface, b: &Surface) -> Result<Comparison, ComparisonError> {
    checked(a, b)?;
    SCRATCH.with_borrow_mut(|scratch| {
        let poses = pose::search(a, b, &mut scratch.planner);
        Ok(compared(a, b, &poses, scratch))
    })
}

/// The same where the poses of A on B that are worth a look are known already.
pub(crate) fn compare_at(a: &Surface, b: &Surface, poses: &[Pose]) -> Result<Comparison, ComparisonError> {
    checked(a, b)?;
    SCRATCH.with_borrow_mut(|scratch| Ok(compared(a, b, poses, scratch)))
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
}

fn checked(a: &Surface, b: &Surface) -> Result<(), ComparisonError> {
    if a.preset.mark != b.preset.mark {
        return Err(ComparisonError::Mismatch("one is a breech face, the other a firing pin".to_owned()));
    }
    if a.preset != b.preset {
        let (a, b) = (a.preset.name, b.preset.name);
        return Err(ComparisonError::Mismatch(format!("`{a}` and `{b}`")));
    }
    Ok(())
}

fn compared(a: &Surface, b: &Surface, poses: &[Pose], scratch: &mut Scratch) -> Comparison {
    let back: Vec<_> = poses.iter().map(Pose::inverse).collect();
    let [of_a, of_b] = [a.cells.len(), b.cells.len()];
    let forward = cmc::direction(a, b, poses, scratch).unwrap_or_else(|| Direction::nowhere(of_a));
    let backward = cmc::direction(b, a, &back, scratch).unwrap_or_else(|| Direction::nowhere(of_b));
    let preset = &a.preset;
    let (convergence, converged) = cmc::convergence(&forward, &backward, preset);
    let accf_max =
        direction::whole(a, b, &forward.pose, scratch).max(direction::whole(b, a, &backward.pose, scratch));
    let support =
        (forward.support / a.cells.len().max(1) as f64).min(backward.support / b.cells.len().max(1) as f64);
    let counts = CmcCounts {
        original: [forward.original, backward.original],
        high: cmc::high(&forward, &backward, preset),
        total: [forward.total, backward.total],
        convergence,
        ncma: if converged { ncma(a, &forward).min(ncma(b, &backward)) } else { 0.0 },
    };
    let mut warnings: Vec<String> = a.warnings.iter().chain(&b.warnings).cloned().collect();
    if accf_max > SAME_SCAN {
        warnings
            .push("both scans show the very same measurement: that says nothing about firearms".to_owned());
    } else if accf_max > NEARLY_SAME {
        warnings.push(
            "the scans agree as hardly two cases do: make sure that they are not one case scanned or filtered twice".to_owned(),
        );
    }
    let across = [a, b].map(|s| 2.0 * s.radius);
    if !converged && across[0].max(across[1]) > LARGER * across[0].min(across[1]) {
        warnings.push(format!(
            "the measured areas are {:.1} and {:.1} mm across: if both are whole faces, look at the pitch in the files",
            0.001 * across[0],
            0.001 * across[1]
        ));
    }
    let joint =
        if converged { vec![forward.evaluated.min(backward.evaluated)] } else { joint::possible(a, b) };
    let least = joint.iter().copied().min().unwrap_or(0);
    if !converged && 3 * least < a.cells.len().min(b.cells.len()) {
        warnings.push(LITTLE_SHARED.to_owned());
    }
    Comparison {
        preset: preset.clone(),
        cmc: counts,
        cells_of_each: [a.cells.len(), b.cells.len()],
        evaluated: [forward.evaluated, backward.evaluated],
        joint,
        converged,
        accf_max,
        // The pose turns A onto B in a frame whose y axis points down; B turns back, counter-clockwise positive.
        rotation: Angle::radians(principal(forward.pose.turn)),
        shift: (Length::um(-forward.pose.shift[0]), Length::um(-forward.pose.shift[1])),
        score: convergence[0].min(convergence[1]) as f64 + support.clamp(0.0, 0.999),
        cells: cells(a, b, &forward),
        warnings,
    }
}

/// The mean of some numbers, rounded.
pub(crate) fn mean(numbers: &[usize]) -> usize {
    let many = numbers.len().max(1);
    (numbers.iter().sum::<usize>() + many / 2) / many
}

/// The same turn between minus half a circle and half a circle.
fn principal(turn: f64) -> f64 {
    let turn = turn.rem_euclid(std::f64::consts::TAU);
    if turn > std::f64::consts::PI { turn - std::f64::consts::TAU } else { turn }
}

fn ncma(surface: &Surface, direction: &Direction) -> f64 {
    let (mut congruent, mut evaluated) = (0.0, 0.0);
    for (cell, &c) in surface.cells.iter().zip(&direction.congruent) {
        evaluated += cell.valid;
        congruent += if c { cell.valid } else { 0.0 };
    }
    if evaluated > 0.0 { congruent / evaluated } else { 0.0 }
}

fn cells(a: &Surface, b: &Surface, forward: &Direction) -> Vec<CellResult> {
    let length = |at: [f64; 2]| (Length::um(at[0]), Length::um(at[1]));
    let close = forward.close.iter().zip(&forward.congruent);
    a.cells
        .iter()
        .zip(close)
        .map(|(cell, (close, &congruent))| {
            let middle = cell.middle();
            let moved = [0, 1].map(|k| middle[k] + close.shift[k]);
            CellResult {
                on_a: length(middle),
                on_b: length(direction::place_on_b(a, b, &forward.pose, moved)),
                side: Length::um(cell.side),
                accf: close.accf,
                turn: Angle::degrees(close.turn),
                displacement: length(close.shift),
                congruent,
            }
        })
        .collect()
}
