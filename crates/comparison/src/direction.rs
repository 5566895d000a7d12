//! One direction of a comparison: every cell of A looks for its place on B.

use crate::areal::{self, Ground, Patch, Place, REACH};
use crate::fourier::Planner;
use crate::pose::Pose;
use crate::raster::{Frame, Raster};
use crate::surface::{Cell, Surface};

/// Where the cells of A found themselves under one pose.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    /// The pose, refined over the cells that agree.
    pub(crate) pose: Pose,
    /// Place of each cell relative to the refined pose, in micrometres.
    pub(crate) places: Vec<Place>,
    /// The sum of squared coefficients of the cells that agree.
    pub(crate) support: f64,
    /// The coefficient of the whole surfaces in the pose as it was proposed.
    pub(crate) whole: f64,
}

/// What one cell found near its place under the reference pose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Close {
    pub(crate) accf: f64,
    /// Displacement from the reference in micrometres.
    pub(crate) shift: [f64; 2],
    /// Turn from the reference in degrees.
    pub(crate) turn: f64,
    /// Jointly measured samples of level 1.
    pub(crate) joint: f64,
}

/// Memory that is used again from comparison to comparison.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) planner: Planner,
    turned: Raster,
}

/// Cells agree on a pose where their displacements differ by no more than this many samples of the base pitch.
const AGREE: f64 = 14.4;
/// Cells below this coefficient have no say in the pose.
const LEAST_ACCF: f64 = 0.25;
/// The share of a cell's measured points that must be jointly measured.
pub(crate) const LEAST_JOINT: f64 = 0.35;
/// The largest turn that a refinement may add, in radians: beyond the steps of the coarse search, or half a step of a sweep.
const LARGEST_TURN: f64 = 0.06;
const SHARE_OF_SWEEP: f64 = 0.6;
/// Turns between which the turn of a cell is interpolated, in degrees.
const TURN_STEP: f64 = 2.5;
/// A cell this far below the threshold at level 2 is not looked at more closely.
const HOPELESS: f64 = 0.15;

/// Lets every cell search freely within the window about each pose.
pub(crate) fn votes(a: &Surface, b: &Surface, poses: &[Pose], scratch: &mut Scratch) -> Vec<Vote> {
    poses.iter().map(|pose| vote(a, b, pose, scratch)).collect()
}

/// The same about one pose.
pub(crate) fn vote(a: &Surface, b: &Surface, pose: &Pose, scratch: &mut Scratch) -> Vote {
    let margin = REACH + overhang(a);
    let mut turned = std::mem::take(&mut scratch.turned);
    lay((a, &a.level2), (b, &b.source2), pose, margin, &mut turned);
    let mut ground = Ground::new(&turned);
    let places = a
        .cells
        .iter()
        .map(|cell| {
            let patch = &cell.patch2;
            let at = [patch.x, patch.y].map(|v| (v + margin as isize).max(REACH as isize) as usize);
            let found = ground.best(patch, &cell.spectrum, at, least_joint(patch), &mut scratch.planner);
            Place { shift: found.shift.map(|s| s * a.level2.pitch), ..found }
        })
        .collect();
    let whole = coefficient(&a.level2, &turned, margin);
    scratch.turned = turned;
    agreed(a, pose, places, whole)
}

/// Cells at the edge may stick out of the measured area by nearly their own size.
fn overhang(a: &Surface) -> usize {
    a.cells.iter().map(|cell| cell.patch2.edge).max().unwrap_or(0).next_multiple_of(areal::LANES)
}

pub(crate) fn least_joint(patch: &Patch) -> f64 {
    LEAST_JOINT * f64::from(patch.measured)
}

/// B sampled on the grid of `level` of A under `pose`, with `margin` samples more on every side.
fn lay(
    (a, level): (&Surface, &Raster),
    (b, source): (&Surface, &Raster),
    pose: &Pose,
    margin: usize,
    out: &mut Raster,
) {
    let first = level.offset - margin as f64 * level.pitch;
    let frame = Frame {
        width: level.width + 2 * margin,
        height: level.height + 2 * margin,
        pitch: level.pitch,
        origin: place_on_b(a, b, pose, [first, first]),
        turn: pose.turn,
    };
    source.sampled(&frame, out);
}

/// The areal cross-correlation of all jointly measured points of level 2 under `pose`.
pub(crate) fn whole(a: &Surface, b: &Surface, pose: &Pose, scratch: &mut Scratch) -> f64 {
    whole_of((a, &a.level2), b, pose, scratch)
}

/// The same of the points of A that `level` holds.
pub(crate) fn whole_of(
    (a, level): (&Surface, &Raster),
    b: &Surface,
    pose: &Pose,
    scratch: &mut Scratch,
) -> f64 {
    lay((a, level), (b, &b.source2), pose, 0, &mut scratch.turned);
    coefficient(level, &scratch.turned, 0)
}

/// The coefficient of a level and the other surface, laid on it with so many samples more on every side.
fn coefficient(level: &Raster, laid: &Raster, margin: usize) -> f64 {
    let mut total = [0.0_f64; 6];
    for y in 0..level.height {
        let own = y * level.width..(y + 1) * level.width;
        let from = (y + margin) * laid.width + margin;
        let there = from..from + level.width;
        let mut sums = [[0.0_f32; areal::LANES]; 6];
        let row = [&level.z[own.clone()], &level.w[own], &laid.z[there.clone()], &laid.w[there]];
        areal::add_row(&mut sums, row);
        for (total, lanes) in total.iter_mut().zip(sums) {
            *total += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
    }
    let [n, sa, sb, saa, sbb, sab] = total;
    let energy = (saa - sa * sa / n) * (sbb - sb * sb / n);
    if n > 0.0 && energy > 0.0 { (sab - sa * sb / n) / energy.sqrt() } else { 0.0 }
}

/// The place of B that lies under place `p` of A.
pub(crate) fn place_on_b(a: &Surface, b: &Surface, pose: &Pose, p: [f64; 2]) -> [f64; 2] {
    let q = [0, 1].map(|k| p[k] - a.centre[k] + pose.shift[k]);
    let (sin, cos) = (libm::sin(pose.turn), libm::cos(pose.turn));
    [b.centre[0] + cos * q[0] - sin * q[1], b.centre[1] + sin * q[0] + cos * q[1]]
}

/// The same motion told of two other surfaces cut from the same scans, whose middles may lie elsewhere.
pub(crate) fn restated((a, b): (&Surface, &Surface), (c, d): (&Surface, &Surface), pose: &Pose) -> Pose {
    let (sin, cos) = (libm::sin(pose.turn), libm::cos(pose.turn));
    let [x, y] = [0, 1].map(|k| d.centre[k] - b.centre[k]);
    let back = [cos * x + sin * y, cos * y - sin * x];
    let shift = [0, 1].map(|k| pose.shift[k] + c.centre[k] - a.centre[k] - back[k]);
    Pose { shift, ..*pose }
}

fn largest_turn(a: &Surface) -> f64 {
    a.preset.clustering.map_or(LARGEST_TURN, |clustering| SHARE_OF_SWEEP * clustering.turn_step.to_radians())
}

/// Finds the displacement on which most cells agree and fits a turn and a shift to it.
fn agreed(a: &Surface, pose: &Pose, mut places: Vec<Place>, whole: f64) -> Vote {
    let agree = AGREE * a.base;
    let usable: Vec<usize> = (0..places.len()).filter(|&i| places[i].accf >= LEAST_ACCF).collect();
    let weight = |i: &usize| places[*i].accf * places[*i].accf;
    let apart = |i: usize, at: [f64; 2]| (places[i].shift[0] - at[0]).hypot(places[i].shift[1] - at[1]);
    let near = |at: [f64; 2]| usable.iter().filter(move |&&i| apart(i, at) <= agree);
    let mut seed = ([0.0; 2], 0.0);
    for &i in &usable {
        let support: f64 = near(places[i].shift).map(weight).sum();
        if support > seed.1 {
            seed = (places[i].shift, support);
        }
    }
    let middles: Vec<[f64; 2]> =
        a.cells.iter().map(|c| [0, 1].map(|k| c.middle()[k] - a.centre[k])).collect();
    let mut inliers: Vec<usize> = near(seed.0).copied().collect();
    let mut motion = Motion { turn: 0.0, shift: seed.0 };
    let largest = largest_turn(a);
    for _ in 0..3 {
        motion = Motion::fitted(&middles, &places, &inliers, largest).unwrap_or(motion);
        inliers = usable
            .iter()
            .copied()
            .filter(|&i| apart(i, motion.displacement(middles[i])) <= 0.66 * agree)
            .collect();
    }
    let support = inliers.iter().map(weight).sum();
    for (place, middle) in places.iter_mut().zip(&middles) {
        let expected = motion.displacement(*middle);
        place.shift = [place.shift[0] - expected[0], place.shift[1] - expected[1]];
    }
    Vote { pose: pose.then(motion.turn, motion.shift), places, support, whole }
}

/// The least-squares motion of some cells, and all cells as seen from it.
pub(crate) fn moved(a: &Surface, close: &[Close], members: &[bool]) -> (Motion, Vec<Close>) {
    let middles: Vec<[f64; 2]> =
        a.cells.iter().map(|c| [0, 1].map(|k| c.middle()[k] - a.centre[k])).collect();
    let places: Vec<Place> =
        close.iter().map(|c| Place { accf: c.accf, shift: c.shift, joint: c.joint }).collect();
    let chosen: Vec<usize> = (0..close.len()).filter(|&i| members[i]).collect();
    let still = Motion { turn: 0.0, shift: [0.0; 2] };
    let motion = Motion::fitted(&middles, &places, &chosen, largest_turn(a)).unwrap_or(still);
    let seen = |(c, p): (&Close, &[f64; 2])| {
        let expected = motion.displacement(*p);
        let shift = [0, 1].map(|k| c.shift[k] - expected[k]);
        Close { shift, turn: c.turn - motion.turn.to_degrees(), ..*c }
    };
    (motion, close.iter().zip(&middles).map(seen).collect())
}

/// `q = turn p + shift` about the middle of A.
#[derive(Clone, Copy)]
pub(crate) struct Motion {
    pub(crate) turn: f64,
    pub(crate) shift: [f64; 2],
}

impl Motion {
    /// The least-squares motion of the cells; a shift alone below three, nothing without any.
    fn fitted(middles: &[[f64; 2]], places: &[Place], cells: &[usize], largest: f64) -> Option<Self> {
        let n = cells.len() as f64;
        let mean = |of: &dyn Fn(usize) -> f64| cells.iter().map(|&i| of(i)).sum::<f64>() / n;
        if cells.is_empty() {
            return None;
        }
        let p0 = [0, 1].map(|k| mean(&|i| middles[i][k]));
        let q0 = [0, 1].map(|k| mean(&|i| middles[i][k] + places[i].shift[k]));
        let (mut along, mut across) = (0.0, 0.0);
        for &i in cells {
            let p = [0, 1].map(|k| middles[i][k] - p0[k]);
            let q = [0, 1].map(|k| middles[i][k] + places[i].shift[k] - q0[k]);
            along += p[0] * q[0] + p[1] * q[1];
            across += p[0] * q[1] - p[1] * q[0];
        }
        let turn = if cells.len() < 3 { 0.0 } else { libm::atan2(across, along) };
        let turn = turn.clamp(-largest, largest);
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        Some(Self { turn, shift: [q0[0] - cos * p0[0] + sin * p0[1], q0[1] - sin * p0[0] - cos * p0[1]] })
    }

    /// How far a place moves.
    fn displacement(&self, p: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = (libm::sin(self.turn), libm::cos(self.turn));
        [cos * p[0] - sin * p[1] + self.shift[0] - p[0], sin * p[0] + cos * p[1] + self.shift[1] - p[1]]
    }
}

/// Looks at every cell within the shift tolerance of the reference pose, down to level 1, sub-sample and sub-degree.
pub(crate) fn closely(a: &Surface, b: &Surface, pose: &Pose, scratch: &mut Scratch) -> Vec<Close> {
    let reach = (a.preset.shift_tolerance.to_um() / a.level2.pitch).round() as isize;
    let margin = reach as usize + overhang(a);
    let mut turned = std::mem::take(&mut scratch.turned);
    lay((a, &a.level2), (b, &b.source2), pose, margin, &mut turned);
    let close = a
        .cells
        .iter()
        .map(|cell| {
            let patch = &cell.patch2;
            let at = [patch.x + margin as isize, patch.y + margin as isize];
            let start = areal::best_nearby(patch, &turned, at, reach, least_joint(patch));
            let shift = start.shift.map(|s| s * a.level2.pitch);
            if start.accf < a.preset.least_accf - HOPELESS {
                return Close { accf: start.accf, shift, turn: 0.0, joint: 4.0 * start.joint };
            }
            closer(a, b, pose, (cell, shift), &mut scratch.turned)
        })
        .collect();
    scratch.turned = turned;
    close
}

/// One cell at level 1: three turns about its own place, a parabola between them.
fn closer(
    a: &Surface,
    b: &Surface,
    pose: &Pose,
    (cell, start): (&Cell, [f64; 2]),
    local: &mut Raster,
) -> Close {
    let at = |turn: f64, local: &mut Raster| at_turn(a, b, pose, (cell, start), turn, local);
    let places = [-TURN_STEP, 0.0, TURN_STEP].map(|turn| at(turn, local));
    let best = (0..3).max_by(|&i, &j| places[i].accf.total_cmp(&places[j].accf)).unwrap_or(1);
    let (offset, rise) = areal::vertex(places[0].accf, places[1].accf, places[2].accf);
    let turn = if best == 1 { offset * TURN_STEP } else { (best as f64 - 1.0) * TURN_STEP };
    let place = places[best];
    let accf = if best == 1 { (place.accf + rise).min(1.0) } else { place.accf };
    Close { accf, shift: [0, 1].map(|k| start[k] + place.shift[k]), turn, joint: place.joint }
}

/// The cell's best place within two samples of `start`, B turned by a further `turn` degrees about the cell's middle there.
///
/// Shifts are in micrometres from `start`.
pub(crate) fn at_turn(
    a: &Surface,
    b: &Surface,
    pose: &Pose,
    (cell, start): (&Cell, [f64; 2]),
    turn: f64,
    local: &mut Raster,
) -> Place {
    let (level, patch, reach) = (&a.level1, &cell.patch1, 2);
    cell_laid((a, b), pose, (cell, start), turn, (reach as usize, local));
    let found = areal::best_nearby(patch, local, [reach, reach], reach, least_joint(patch));
    Place { shift: found.shift.map(|s| s * level.pitch), ..found }
}

/// B at level 1 as it lies under a cell moved by `start` and turned about its middle there by a further `turn` degrees, with `reach`
/// samples more on every side.
pub(crate) fn cell_laid(
    (a, b): (&Surface, &Surface),
    pose: &Pose,
    (cell, start): (&Cell, [f64; 2]),
    turn: f64,
    (reach, local): (usize, &mut Raster),
) {
    let (level, patch) = (&a.level1, &cell.patch1);
    let corner = [patch.x, patch.y].map(|v| level.offset + v as f64 * level.pitch);
    let half = 0.5 * (patch.edge - 1) as f64 * level.pitch;
    let middle = [0, 1].map(|k| corner[k] + half + start[k]);
    let there = place_on_b(a, b, pose, middle);
    let total = pose.turn + turn.to_radians();
    let back = half + reach as f64 * level.pitch;
    let (sin, cos) = (libm::sin(total), libm::cos(total));
    let origin = [there[0] - (cos - sin) * back, there[1] - (sin + cos) * back];
    let size = patch.edge + 2 * reach;
    let frame = Frame { width: size + areal::LANES, height: size, pitch: level.pitch, origin, turn: total };
    b.source1.sampled(&frame, local);
}

impl Scratch {
    /// Lends the grid for local samples.
    pub(crate) fn local(&mut self) -> Raster {
        std::mem::take(&mut self.turned)
    }

    /// Takes it back.
    pub(crate) fn keep(&mut self, grid: Raster) {
        self.turned = grid;
    }
}
