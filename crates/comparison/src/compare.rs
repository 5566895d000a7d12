//! Two prepared surfaces in, one comparison out.

use topography::{Angle, Length};

use crate::again;
use crate::cmc::{self, Decided, Seen};
use crate::direction::{self, Scratch};
use crate::error::ComparisonError;
use crate::joint;
use crate::otherwise::{self, Otherwise};
use crate::pose::{self, POSES, Pose};
use crate::preset::Preset;
use crate::surface::Surface;
use crate::verdict::{self, Stamped, Verdict};

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
    /// Whether freely searching cells of both directions came together in one place. Published rules: conditions I and II of Chen
    /// 2017. This crate's own: that chance would hardly bring as many together as closely, that both directions describe one
    /// motion, and that no other motion is supported half as well.
    pub converged: bool,
    /// How large the measured areas are: the diameters of the smallest circles about them.
    pub across: [Length; 2],
    /// The areal cross-correlation of the whole surfaces at four times the pitch of the preset (25 µm for most), -1 to 1: the
    /// largest over the poses proposed by the coarse search and the one on which most cells agree, of both directions.
    pub accf_max: f64,
    /// How far B must be turned, counter-clockwise as seen, to lie as A does; nothing where the pair did not converge and so has
    /// no common position.
    pub rotation: Option<Angle>,
    /// How far the middle of B then lies from the middle of A, to the right and down; likewise.
    pub shift: Option<(Length, Length)>,
    /// The cells by which the pair is weighed, of the poorer direction: congruent ones where it converged; else those that found one
    /// place by themselves, though chance may have brought them there, and which therefore do not count (published rules:
    /// which count all the same).
    pub agreeing: usize,
    /// The one number by which results are ranked: the cells by which the pair is weighed, and behind the point the mean
    /// squared coefficient of the cells that agree on the pose.
    pub score: f64,
    /// Every cell of A. Where the pair did not converge their places on B mean little.
    pub cells: Vec<CellResult>,
    /// What the reader of the result should know.
    pub warnings: Vec<String>,
    /// How B is drawn on A, converged or not.
    pub(crate) lies: Pose,
    /// Where lines agree, marks that a tool may leave on many firearms, and little else does: how. Cells of lines alone are asked for
    /// their place across them only.
    pub lines: Option<Lines>,
    /// What became of what stands far above or below its face.
    pub(crate) stamped: Option<Stamped>,
    /// How one of the two must have been scanned for them to agree.
    pub(crate) otherwise: Option<Otherwise>,
    pub(crate) faces: Faces,
    /// The coefficient that nine in ten of the cells of A pass which both scans have measured.
    poorer_cells: f64,
}

/// How lines agree where little else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Through the whole face: no cell counts and nothing follows about firearms; `cmc.total` says how many cells agree.
    RunThrough,
    /// They agree in part, as those of firearms finished with one tool do: likewise.
    InPart,
    /// They change along their way: cells count, and no ratio passes the inverse of
    /// [`Priors::shared_lines`](crate::evidence::Priors::shared_lines).
    Changing,
    /// Cells agree by what is left once the lines of both faces were weakened, or by little but lines: cells count, and
    /// the ratio is kept as low.
    Weakened,
}

/// What is known of both faces together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faces {
    /// Regular machining marks of either were weakened.
    weakened: bool,
    /// Both are measured all the way round.
    whole: bool,
}

/// Counts under each decision rule.
///
/// Under a preset with a [`Sweep`](crate::Sweep) these are the published rules, read from a table of all cells and turns at the
/// pitch of the preset. Under the others (`microstamp-1`, `zhang2021`) `convergence` is the count by which this crate
/// decides, and `original`, `high` and `total` are quick counterparts over the few poses it looks at: not the papers' figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CmcCounts {
    /// Song 2013: A on B, B on A. Quick: cells that find the common turn and place by themselves.
    pub original: [usize; 2],
    /// Tong 2015, the smaller direction. Quick: over turns within 9° of the pose found.
    pub high: usize,
    /// Total of Chen 2017: A on B, B on A. Quick: congruent with the pose found, whether the pair converged or not.
    pub total: [usize; 2],
    /// Chen 2017, or this crate's own rule, by which no cell of a pair counts that did not converge: A on B, B on A.
    pub convergence: [usize; 2],
    /// Chen 2018: measured area of the cells that `convergence` counts over that of all cells, 0 to 1, the poorer direction.
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
    /// follows about firearms: the whole surfaces agree as hardly two cases do, and so do all but a few of the cells.
    pub fn is_same_scan(&self) -> bool {
        self.accf_max > SAME_SCAN && self.poorer_cells > SAME_CELLS
    }

    /// Why nothing follows about firearms from a pair: only lines agree that run through or that are the same in part, or only what may be stamped; or nothing does
    /// and the scans may have been taken in different ways, two faces measured all the way round differ in size as
    /// faces at one scale do not (a pitch may be wrong), what the cells might have agreed on was weakened, or cells of both find places that lie
    /// together without a common position.
    pub fn unweighable(&self) -> Option<String> {
        let [one, other] = self.across.map(Length::to_um);
        if self.converged {
            match self.lines {
                Some(Lines::RunThrough) => Some(RUN_THROUGH.to_owned()),
                Some(Lines::InPart) => Some(IN_PART.to_owned()),
                Some(Lines::Changing | Lines::Weakened) | None => None,
            }
        } else if let Some(Stamped { pieces, alone: true }) = self.stamped {
            Some(format!(
                "only what stands far above or below its face agrees ({pieces} areas of both scans, which may be stamped): nothing follows about firearms"
            ))
        } else if let Some(otherwise) = self.otherwise {
            Some(otherwise.told())
        } else if self.faces.whole && one.max(other) > LARGER * one.min(other) {
            Some(format!(
                "the faces are {:.1} and {:.1} mm across: look at the pitch in the files; nothing follows about firearms",
                0.001 * one,
                0.001 * other
            ))
        } else if self.faces.weakened {
            Some(REGULAR.to_owned())
        } else {
            let [one, other] = self.cmc.original;
            (self.preset.rules() == "microstamp" && one.min(other) >= cmc::LEAST_FOUND)
                .then(|| APART.to_owned())
        }
    }

    /// Cells that both scans have measured: in the pose found, or on average over those that were possible.
    pub fn joint_cells(&self) -> usize {
        mean(&self.joint)
    }
}

const REGULAR: &str = "the cells found no common place once lines or rings were weakened, which may be the firearm's own: nothing follows about firearms";
const APART: &str = "cells of both scans find places of their own that lie together, but no common position: look at the pitch in the files and for distortion; nothing follows about firearms";
const LINES: &str = "only lines agree, which change along their way: cells were asked for their place across them alone, and the ratio is kept low, as a tool may leave lines on many firearms";
const LEFT: &str = "cells agree by what is left once the lines of both faces were weakened: the ratio is kept low, as a tool may leave lines on many firearms";
const RUN_THROUGH: &str = "only lines agree that run through the whole face, as a tool leaves them on one firearm after the other: no cell counts, and nothing follows about firearms";
const IN_PART: &str = "only lines agree, and these in part, as the lines of firearms finished with one tool may: no cell counts, and nothing follows about firearms";
const LITTLE_SHARED: &str = "both scans may share little area: that they do not agree says little";

/// Cases of one firearm do not agree this well over the whole surface: two files hold one measurement, turned, resampled or with
/// noise added. Of the 63 pairs of one slide (csafe-fadul, *real cases*) none passes 0.90; other sets are published with
/// 0.82 ± 0.06 (Weller 2012).
const SAME_SCAN: f64 = 0.97;
/// Where a firearm marks very alike, cases still differ in the part of the face that they touched: nine cells in ten of one measurement
/// agree this well.
const SAME_CELLS: f64 = 0.96;
/// From here on it may be so.
const NEARLY_SAME: f64 = 0.93;
/// Faces whose circles differ by more than this are not both at the right scale.
const LARGER: f64 = 1.25;

/// Compares two prepared surfaces, both directions.
///
/// The search runs over the full circle and all shifts that leave a fifth of the smaller surface in overlap: a masked
/// correlation of the whole surfaces proposes poses, then all cells search freely about each of them. Which of the two is named
/// first makes no difference but to how the result is told (but for the published rules, which sweep from the first).
///
/// # Errors
///
/// [`ComparisonError::Mismatch`] where the two were not prepared with the same preset.
pub fn compare(a: &Surface, b: &Surface) -> Result<Comparison, ComparisonError> {
    checked(a, b)?;
    SCRATCH.with_borrow_mut(|scratch| {
        let swapped = a.preset.sweep.is_none() && b.key < a.key;
        let pair = if swapped { (b, a) } else { (a, b) };
        let (poses, negated) = pose::search_and_lowest(pair.0, pair.1, &mut scratch.planner);
        let (first, others) = poses.split_at(poses.len().min(POSES));
        let mut result = compared(pair, swapped, first, scratch);
        if !result.converged && a.preset.rules() == "microstamp" {
            let promising = again::promising(pair, others);
            if !promising.is_empty() {
                let second = compared(pair, swapped, &promising, scratch);
                if second.converged && second.congruent() >= again::LEAST_CELLS {
                    return Ok(second);
                }
            }
            let strength = poses.first().map_or(0.0, |pose| pose.strength);
            result.otherwise =
                otherwise::found(pair, [strength, negated], scratch, &mut |other, poses, scratch| {
                    compared((pair.0, other), false, poses, scratch).converged
                });
            result.warnings.extend(result.otherwise.map(Otherwise::told));
        }
        Ok(result)
    })
}

/// The same where the poses of A on B that are worth a look are known already.
pub(crate) fn compare_at(a: &Surface, b: &Surface, poses: &[Pose]) -> Result<Comparison, ComparisonError> {
    checked(a, b)?;
    SCRATCH.with_borrow_mut(|scratch| Ok(compared((a, b), false, poses, scratch)))
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

/// Compares the two in this order, and tells of them in the other order where they are `swapped`.
fn compared(
    (a, b): (&Surface, &Surface),
    swapped: bool,
    poses: &[Pose],
    scratch: &mut Scratch,
) -> Comparison {
    let verdict = verdict::of((a, b), poses, scratch);
    let joint = if verdict.decided.converged {
        vec![verdict.decided.evaluated[0].min(verdict.decided.evaluated[1])]
    } else {
        joint::possible(verdict.grids[0], verdict.grids[1])
    };
    if swapped { told((b, a), joint, turned_round(verdict)) } else { told((a, b), joint, verdict) }
}

/// The same from the other surface.
fn turned_round(verdict: Verdict) -> Verdict {
    let back = |[a, b]: [usize; 2]| [b, a];
    let Verdict { decided, grids: [one, other], .. } = verdict;
    let (counts, [of_a, of_b]) = (decided.counts, decided.seen);
    let counts = CmcCounts {
        original: back(counts.original),
        total: back(counts.total),
        convergence: back(counts.convergence),
        ..counts
    };
    let decided = Decided { counts, evaluated: back(decided.evaluated), seen: [of_b, of_a], ..decided };
    Verdict { decided, grids: [other, one], ..verdict }
}

fn told((a, b): (&Surface, &Surface), joint: Vec<usize>, verdict: Verdict) -> Comparison {
    let Verdict { decided, grids, accf_max, lines, stamped } = verdict;
    let (counts, converged, pose) = (decided.counts, decided.converged, decided.seen[0].pose);
    let agreeing = if converged { counts.convergence[0].min(counts.convergence[1]) } else { decided.alone };
    let mut comparison = Comparison {
        preset: a.preset.clone(),
        cmc: counts,
        cells_of_each: grids.map(|grid| grid.cells.len()),
        evaluated: decided.evaluated,
        joint,
        converged,
        across: [a, b].map(|s| Length::um(2.0 * s.radius)),
        accf_max,
        // The pose turns A onto B in a frame whose y axis points down; B turns back, counter-clockwise positive.
        rotation: converged.then(|| Angle::radians(principal(pose.turn))),
        shift: converged.then(|| (Length::um(-pose.shift[0]), Length::um(-pose.shift[1]))),
        agreeing,
        score: agreeing as f64 + decided.support.clamp(0.0, 0.999),
        cells: cells((a, b), grids[0], &decided.seen[0]),
        warnings: a.warnings.iter().chain(&b.warnings).cloned().collect(),
        lies: pose,
        lines,
        faces: Faces { weakened: a.is_regular || b.is_regular, whole: a.is_whole && b.is_whole },
        stamped,
        otherwise: None,
        poorer_cells: poorer(&decided.seen[0]),
    };
    let notes = notes(&comparison);
    comparison.warnings.extend(notes);
    comparison
}

/// What the reader of the result should know of the pair.
fn notes(result: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    if result.is_same_scan() {
        notes.push("both scans show the very same measurement: that says nothing about firearms".to_owned());
    } else if result.accf_max > NEARLY_SAME {
        notes.push(
            "the scans agree as hardly two cases do: make sure that they are not one case scanned or filtered twice".to_owned(),
        );
    }
    if let Some(fault) = result.unweighable() {
        notes.push(fault);
    }
    match result.lines {
        Some(Lines::Changing) => notes.push(LINES.to_owned()),
        Some(Lines::Weakened) => notes.push(LEFT.to_owned()),
        Some(Lines::RunThrough | Lines::InPart) | None => {}
    }
    if !result.converged && result.agreeing > result.congruent() {
        let plural = if result.agreeing == 1 { "cell finds its place" } else { "cells find one place" };
        notes.push(format!(
            "{} {plural} without bringing the pair together, as chance may have it: weighed, but not counted",
            result.agreeing
        ));
    }
    if let Some(Stamped { pieces, alone: false }) = result.stamped {
        notes.push(format!("{pieces} areas of both scans stand far above or below their face, may be stamped, and were left out"));
    }
    let least = result.joint.iter().copied().min().unwrap_or(0);
    if !result.converged && 3 * least < result.cells_of_each[0].min(result.cells_of_each[1]) {
        notes.push(LITTLE_SHARED.to_owned());
    }
    notes
}

/// The coefficient that nine in ten of the jointly measured cells pass; none without any.
fn poorer(seen: &Seen) -> f64 {
    let mut found: Vec<f64> =
        seen.close.iter().filter(|cell| cell.joint > 0.0).map(|cell| cell.accf).collect();
    let tenth = found.len() / 10;
    if found.is_empty() { 0.0 } else { *found.select_nth_unstable_by(tenth, f64::total_cmp).1 }
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

fn cells((a, b): (&Surface, &Surface), grid: &Surface, seen: &Seen) -> Vec<CellResult> {
    let length = |at: [f64; 2]| (Length::um(at[0]), Length::um(at[1]));
    let close = seen.close.iter().zip(&seen.congruent);
    grid.cells
        .iter()
        .zip(close)
        .map(|(cell, (close, &congruent))| {
            let middle = cell.middle();
            let moved = [0, 1].map(|k| middle[k] + close.shift[k]);
            CellResult {
                on_a: length(middle),
                on_b: length(direction::place_on_b(a, b, &seen.pose, moved)),
                side: Length::um(cell.side),
                accf: close.accf,
                turn: Angle::degrees(close.turn),
                displacement: length(close.shift),
                congruent,
            }
        })
        .collect()
}
