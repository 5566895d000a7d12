//! The decision rules of the congruent-matching-cells family.

use crate::areal::Place;
use crate::direction::{self, Close, Scratch, Vote};
use crate::pose::Pose;
use crate::preset::Preset;
use crate::surface::Surface;

/// What one direction of a comparison found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Direction {
    /// The reference pose.
    pub(crate) pose: Pose,
    pub(crate) support: f64,
    pub(crate) close: Vec<Close>,
    /// Cells congruent with the reference.
    pub(crate) congruent: Vec<bool>,
    /// Cells with enough joint points at the reference.
    pub(crate) evaluated: usize,
    pub(crate) original: usize,
    /// Where each cell found itself, searching freely.
    found: Vec<Best>,
    pub(crate) total: usize,
    /// The median distance in micrometres of freely searching cells to their median place.
    pub(crate) spread: f64,
    pub(crate) sweep: Vec<Sweep>,
}

/// One step of the turn sweep about the reference pose.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// Degrees from the reference.
    pub(crate) turn: f64,
    pub(crate) congruent: Vec<bool>,
}

/// The published tolerance of the median distance, in samples of the base pitch.
const CONVERGED: f64 = 20.0;
const SWEEP_STEP: f64 = 3.0;
const SWEEP_STEPS: i32 = 3;

/// Runs one direction: votes under all poses, the reference, and the cells near it.
pub(crate) fn direction(
    a: &Surface,
    b: &Surface,
    poses: &[Pose],
    scratch: &mut Scratch,
) -> Option<Direction> {
    let votes = direction::votes(a, b, poses, scratch);
    let best = votes.iter().reduce(|best, vote| if vote.support > best.support { vote } else { best })?;
    let preset = &a.preset;
    let found: Vec<Best> = (0..a.cells.len()).filter_map(|i| Best::of(i, &votes, a)).collect();
    let close = direction::closely(a, b, &best.pose, scratch);
    let congruent: Vec<bool> = close.iter().map(|cell| is_congruent(cell, a)).collect();
    let total = congruent.iter().filter(|&&c| c).count();
    let sweep = if total >= 3 { sweep(a, b, &best.pose, &close, scratch) } else { Vec::new() };
    Some(Direction {
        pose: best.pose,
        support: best.support,
        evaluated: close.iter().filter(|cell| cell.joint > 0.0).count(),
        original: original(&found, preset),
        found,
        total,
        spread: spread(&best.places, &close),
        close,
        congruent,
        sweep,
    })
}

fn is_congruent(cell: &Close, a: &Surface) -> bool {
    let preset = &a.preset;
    let shift = preset.shift_tolerance.to_um();
    cell.accf >= preset.threshold(cell.joint, a.level1.pitch)
        && cell.shift.iter().all(|s| s.abs() <= shift)
        && cell.turn.abs() <= preset.turn_tolerance
}

/// The best place of a cell over all poses.
#[derive(Clone, Debug)]
struct Best {
    /// The coefficient less what it must be at least.
    above: f64,
    /// Degrees.
    turn: f64,
    /// The middle of the cell, from the middle of A.
    own: [f64; 2],
    /// The place found, from the middle of B, along the axes of B.
    there: [f64; 2],
}

impl Best {
    fn of(i: usize, votes: &[Vote], a: &Surface) -> Option<Self> {
        let vote = votes.iter().max_by(|v, w| v.places[i].accf.total_cmp(&w.places[i].accf))?;
        let place = vote.places[i];
        let own = [0, 1].map(|k| a.cells[i].middle()[k] - a.centre[k]);
        let there = turned([0, 1].map(|k| own[k] + vote.pose.shift[k] + place.shift[k]), vote.pose.turn);
        let above = place.accf - a.preset.threshold(place.joint, a.level2.pitch);
        (place.accf > 0.0).then(|| Self { above, turn: vote.pose.turn.to_degrees(), own, there })
    }

    /// Displacement along the axes of A, B turned back by `turn` degrees.
    fn shift(&self, turn: f64) -> [f64; 2] {
        let q = turned(self.there, -turn.to_radians());
        [q[0] - self.own[0], q[1] - self.own[1]]
    }
}

/// Song 2013: every cell's best place over all poses, counted about the medians over cells of turn and place.
fn original(found: &[Best], preset: &Preset) -> usize {
    about(found, circular_median(&found.iter().map(|f| f.turn).collect::<Vec<_>>()), preset)
}

/// The same about a given turn, in degrees.
fn about(found: &[Best], turn: f64, preset: &Preset) -> usize {
    let tolerance = preset.shift_tolerance.to_um();
    let within: Vec<&Best> = found.iter().filter(|f| apart(f.turn, turn) <= preset.turn_tolerance).collect();
    let middle = [0, 1].map(|k| median(within.iter().map(|f| f.shift(turn)[k]).collect()));
    let near = |f: &&&Best| {
        let shift = f.shift(turn);
        f.above >= 0.0 && (0..2).all(|k| (shift[k] - middle[k]).abs() <= tolerance)
    };
    within.iter().filter(near).count()
}

fn turned(q: [f64; 2], turn: f64) -> [f64; 2] {
    let (sin, cos) = (libm::sin(turn), libm::cos(turn));
    [cos * q[0] - sin * q[1], sin * q[0] + cos * q[1]]
}

/// The smaller way round between two turns, in degrees.
pub(crate) fn apart(a: f64, b: f64) -> f64 {
    let turn = (a - b).rem_euclid(360.0);
    turn.min(360.0 - turn)
}

/// The turn that is nearest to all others.
fn circular_median(turns: &[f64]) -> f64 {
    let cost = |t: f64| turns.iter().map(|&u| apart(t, u)).sum::<f64>();
    let nearer = |best: (f64, f64), at: (f64, f64)| if at.0 < best.0 { at } else { best };
    turns.iter().map(|&t| (cost(t), t)).fold((f64::INFINITY, 0.0), nearer).1
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return f64::INFINITY;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Chen 2017: the median distance to the median place, after leaving out what lies more than three MAD off.
///
/// Only cells that are measured on both surfaces under the reference can say whether they belong there.
fn spread(places: &[Place], close: &[Close]) -> f64 {
    let placed = || places.iter().zip(close).filter(|(p, c)| p.accf > 0.0 && c.joint > 0.0).map(|(p, _)| p);
    let centre = [0, 1].map(|k| median(placed().map(|p| p.shift[k]).collect()));
    let distances: Vec<f64> =
        placed().map(|p| (p.shift[0] - centre[0]).hypot(p.shift[1] - centre[1])).collect();
    let middle = median(distances.clone());
    let mad = median(distances.iter().map(|d| (d - middle).abs()).collect());
    median(distances.into_iter().filter(|d| (d - middle).abs() <= 3.0 * mad).collect())
}

/// Counts congruent cells at turns about the reference, for High CMC.
fn sweep(a: &Surface, b: &Surface, pose: &Pose, close: &[Close], scratch: &mut Scratch) -> Vec<Sweep> {
    let tolerance = a.preset.shift_tolerance.to_um();
    let mut local = scratch.local();
    let steps = (-SWEEP_STEPS..=SWEEP_STEPS).map(|step| {
        let turn = f64::from(step) * SWEEP_STEP;
        let found: Vec<Option<[f64; 2]>> = a
            .cells
            .iter()
            .zip(close)
            .map(|(cell, close)| {
                let least = a.preset.threshold(close.joint, a.level1.pitch);
                if close.accf < least {
                    return None;
                }
                let accf = direction::at_turn(a, b, pose, (cell, close.shift), turn, &mut local).accf;
                // At another turn about the middle of A the same place lies elsewhere in the turned frame.
                let p = [0, 1].map(|k| cell.middle()[k] - a.centre[k] + pose.shift[k]);
                let q = turned([p[0] + close.shift[0], p[1] + close.shift[1]], -turn.to_radians());
                (accf >= least).then_some([q[0] - p[0], q[1] - p[1]])
            })
            .collect();
        let middle = [0, 1].map(|k| median(found.iter().flatten().map(|s| s[k]).collect()));
        let near =
            |s: &Option<[f64; 2]>| s.is_some_and(|s| (0..2).all(|k| (s[k] - middle[k]).abs() <= tolerance));
        Sweep { turn, congruent: found.iter().map(near).collect() }
    });
    let swept = steps.collect();
    scratch.keep(local);
    swept
}

/// Tong 2015: the union over turns whose count is within one of the largest, if those turns lie together.
pub(crate) fn high(forward: &Direction, backward: &Direction, preset: &Preset) -> usize {
    let tau = 1;
    let (mut turns, mut unions) = (Vec::new(), [0, 0]);
    for (k, direction) in [forward, backward].into_iter().enumerate() {
        let counts: Vec<usize> =
            direction.sweep.iter().map(|s| s.congruent.iter().filter(|&&c| c).count()).collect();
        let largest = counts.iter().copied().max().unwrap_or(0);
        let mut union = vec![false; direction.close.len()];
        for (sweep, &count) in direction.sweep.iter().zip(&counts) {
            if count + tau >= largest && count > 0 {
                turns.push(if k == 0 { sweep.turn } else { -sweep.turn });
                union.iter_mut().zip(&sweep.congruent).for_each(|(u, &c)| *u |= c);
            }
        }
        unions[k] = union.into_iter().filter(|&c| c).count();
    }
    let range = turns.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |r, &t| (r.0.min(t), r.1.max(t)));
    let together = !turns.is_empty()
        && range.1 - range.0 <= 2.0 * preset.turn_tolerance
        && same_motion(forward, backward, preset);
    if together { unions[0].min(unions[1]) } else { forward.original.min(backward.original) }
}

/// Chen 2017, conditions I and II; the two directions must also describe the same shift.
fn converged(forward: &Direction, backward: &Direction, preset: &Preset) -> bool {
    let tolerance = CONVERGED * preset.pitch.to_um();
    forward.spread < tolerance && backward.spread < tolerance && same_motion(forward, backward, preset)
}

/// Chen 2017: total counts where the pair converges; otherwise the original counts about the convergence turn of one
/// direction, the one whose cells agree better, and never more than the original counts.
pub(crate) fn convergence(forward: &Direction, backward: &Direction, preset: &Preset) -> ([usize; 2], bool) {
    if converged(forward, backward, preset) {
        return ([forward.total, backward.total], true);
    }
    let count = |d: &Direction, turn: f64| about(&d.found, turn.to_degrees(), preset).min(d.original);
    let share = |d: &Direction| d.support / d.close.len().max(1) as f64;
    let turn = if share(forward) >= share(backward) { forward.pose.turn } else { -backward.pose.turn };
    ([count(forward, turn), count(backward, -turn)], false)
}

fn same_motion(forward: &Direction, backward: &Direction, preset: &Preset) -> bool {
    let back = backward.pose.inverse();
    let tolerance = preset.shift_tolerance.to_um();
    apart(forward.pose.turn.to_degrees(), back.turn.to_degrees()) <= SWEEP_STEP
        && (0..2).all(|k| (forward.pose.shift[k] - back.shift[k]).abs() <= tolerance)
}
