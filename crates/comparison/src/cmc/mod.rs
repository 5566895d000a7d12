//! The decision rules of the congruent-matching-cells family: this crate's own here, the published ones in [`published`].

mod published;
mod table;

use crate::areal::{Place, REACH};
use crate::cluster::{self, Clustered};
use crate::compare::CmcCounts;
use crate::direction::{self, Close, Scratch, Vote};
use crate::pose::{self, POSES, Pose};
use crate::preset::{Clustering, Preset};
use crate::surface::Surface;

/// What one direction of a comparison found.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    /// The reference pose.
    pub(crate) pose: Pose,
    pub(crate) support: f64,
    pub(crate) close: Vec<Close>,
    /// Cells congruent with the reference.
    pub(crate) congruent: Vec<bool>,
    /// Cells with enough joint points at the reference.
    pub(crate) evaluated: usize,
    /// Cells that find the common turn and place by themselves.
    pub(crate) original: Vec<usize>,
    /// Where each cell found itself, searching freely.
    found: Vec<Best>,
    /// The largest coefficient of the whole surfaces over the poses looked at.
    whole: f64,
    pub(crate) total: usize,
    /// The probability that freely searching cells come together as closely by chance.
    chance: f64,
    /// The median distance of those cells from the reference, in micrometres.
    spread: f64,
    /// Whether either surface is regularly machined.
    regular: bool,
    pub(crate) sweep: Vec<Sweep>,
    /// The support of the best other motion over that of the reference.
    rival: f64,
}

/// What the rules made of a pair.
pub(crate) struct Decided {
    pub(crate) counts: CmcCounts,
    pub(crate) converged: bool,
    /// From A, and from B where that was asked for.
    pub(crate) seen: [Seen; 2],
    /// Cells with enough joint points, of either direction.
    pub(crate) evaluated: [usize; 2],
    /// The mean squared coefficient of the cells that agree, of the poorer direction.
    pub(crate) support: f64,
    /// Where the pair did not converge: cells of the poorer direction that agree all the same.
    pub(crate) alone: usize,
}

/// What the cells of one surface show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How the other surface lies by these cells.
    pub(crate) pose: Pose,
    /// The cells as seen from there, and which of them count.
    pub(crate) close: Vec<Close>,
    pub(crate) congruent: Vec<bool>,
}

/// One step of the turn sweep about the reference pose.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// Degrees from the reference.
    pub(crate) turn: f64,
    pub(crate) congruent: Vec<bool>,
}

/// Decimal logarithm of the chance, of both directions on average, beyond which cells come together for a reason.
const BY_CHANCE: f64 = 4.5;
/// Another motion with this share of the support leaves the place open.
const RIVAL: f64 = 0.5;
const RIVAL_OF_REGULAR: f64 = 0.4;
/// So many cells of either direction must have their best place of all about one turn and shift. Texture that firearms share in part brings
/// cells together near one pose, of which few would have chosen it.
pub(crate) const LEAST_FOUND: usize = 4;
/// That share of the cells need not: rough scans of a part of a face have few to choose with.
const MANY: f64 = 0.3;
/// Only cells that chance would seldom bring together are worth a look at what else they fit.
const PROMISING: f64 = 0.01;
/// The support per cell, that of a surface on itself being one, from which a surface is similar to itself in another position.
const SELF_SIMILAR: f64 = 0.05;
/// Twice the published tolerance of the median distance, in samples of the base pitch: cells slide along lines.
const CONVERGED: f64 = 40.0;
/// Poses within so many degrees and micrometres describe nearly the same motion.
const NEXT_TO: (f64, f64) = (15.0, 500.0);
const SWEEP_STEP: f64 = 3.0;
const SWEEP_STEPS: i32 = 3;

impl Direction {
    /// What two surfaces show that lie on each other in no pose: nothing.
    pub(crate) fn nowhere(cells: usize) -> Self {
        Self {
            close: vec![Close::default(); cells],
            congruent: vec![false; cells],
            pose: Pose::default(),
            support: 0.0,
            evaluated: 0,
            original: Vec::new(),
            found: Vec::new(),
            whole: 0.0,
            total: 0,
            chance: 1.0,
            spread: f64::INFINITY,
            regular: false,
            sweep: Vec::new(),
            rival: f64::INFINITY,
        }
    }
}

/// Runs the rules of the preset on both directions.
pub(crate) fn decided(
    (a, b): (&Surface, &Surface),
    [forward, backward]: [&Direction; 2],
    scratch: &mut Scratch,
) -> Decided {
    if let Some(sweep) = a.preset.sweep {
        // Registration comes first, as in the papers: by the direction whose cells agree better.
        let ahead = share(forward) >= share(backward);
        let turn = if ahead { forward.pose.turn } else { -backward.pose.turn };
        return published::decided((a, b), turn.to_degrees(), sweep, scratch);
    }
    let converged = converged(forward, backward, &a.preset);
    let cells =
        [forward, backward].map(|d| if converged { d.congruent.clone() } else { vec![false; d.close.len()] });
    let [of_a, of_b] = &cells;
    let counts = CmcCounts {
        original: [forward.original.len(), backward.original.len()],
        // Without a cluster of both directions there is no turn about which cells of a firing pin could be joined.
        high: if converged || a.preset.clustering.is_none() { high(forward, backward, &a.preset) } else { 0 },
        total: [forward.total, backward.total],
        convergence: [of_a, of_b].map(|cells| cells.iter().filter(|&&c| c).count()),
        ncma: by_area(a, of_a.iter().copied()).min(by_area(b, of_b.iter().copied())),
    };
    let [of_a, of_b] = cells;
    let seen = |direction: &Direction, congruent: Vec<bool>| Seen {
        pose: direction.pose,
        close: direction.close.clone(),
        congruent,
    };
    Decided {
        counts,
        converged,
        seen: [seen(forward, of_a), seen(backward, of_b)],
        evaluated: [forward.evaluated, backward.evaluated],
        support: share(forward).min(share(backward)),
        alone: if converged { 0 } else { alone(forward, backward, &a.preset) },
    }
}

/// The support per cell.
fn share(direction: &Direction) -> f64 {
    direction.support / direction.close.len().max(1) as f64
}

/// The measured area of congruent cells over that of all cells.
pub(crate) fn by_area(surface: &Surface, congruent: impl Iterator<Item = bool>) -> f64 {
    let (mut part, mut all) = (0.0, 0.0);
    for (cell, congruent) in surface.cells.iter().zip(congruent) {
        all += cell.valid;
        part += if congruent { cell.valid } else { 0.0 };
    }
    if all > 0.0 { part / all } else { 0.0 }
}

/// The largest coefficient of the whole surfaces over the poses proposed and the one that cells agree on.
pub(crate) fn whole(forward: &Direction, backward: &Direction) -> f64 {
    forward.whole.max(backward.whole)
}

/// Runs one direction: votes under all poses, the reference, and the cells near it.
pub(crate) fn direction(
    a: &Surface,
    b: &Surface,
    poses: &[Pose],
    scratch: &mut Scratch,
) -> Option<Direction> {
    if let Some(clustering) = a.preset.clustering {
        return clustered((a, b), poses, &clustering, scratch);
    }
    let votes = direction::votes(a, b, poses, scratch);
    let best = votes.iter().reduce(|best, vote| if vote.support > best.support { vote } else { best })?;
    let preset = &a.preset;
    let found: Vec<Best> = (0..a.cells.len()).filter_map(|i| Best::of(i, &votes, a)).collect();
    let close = direction::closely(a, b, &best.pose, scratch);
    let congruent: Vec<bool> = close.iter().map(|cell| is_congruent(cell, a)).collect();
    let total = congruent.iter().filter(|&&c| c).count();
    let sweep = if total >= 3 { sweep(a, b, &best.pose, &close, scratch) } else { Vec::new() };
    let window = 2.0 * REACH as f64 * a.level2.pitch;
    let apart = distances(&best.places, &close);
    let chance = chance(&apart, window);
    let mut rival = rival(best, &votes);
    if chance < PROMISING {
        rival = rival.max(own_rival(a, b, best, scratch));
    }
    Some(Direction {
        pose: best.pose,
        support: best.support,
        evaluated: close.iter().filter(|cell| cell.joint > 0.0).count(),
        original: original(&found, preset),
        found,
        whole: largest_whole(&votes).max(direction::whole(a, b, &best.pose, scratch)),
        total,
        chance,
        spread: median(apart),
        regular: a.is_regular || b.is_regular,
        close,
        congruent,
        sweep,
        rival,
    })
}

/// The same for firing pins: poses from the sweep of the full circle as well, the reference where the largest cluster lies.
fn clustered(
    (a, b): (&Surface, &Surface),
    poses: &[Pose],
    clustering: &Clustering,
    scratch: &mut Scratch,
) -> Option<Direction> {
    let all = [poses, &cluster::turns(clustering)].concat();
    let votes = direction::votes(a, b, &all, scratch);
    let found: Vec<Best> = (0..a.cells.len()).filter_map(|i| Best::of(i, &votes, a)).collect();
    let Clustered { vote, close, members } = cluster::largest((a, b), &votes, clustering, scratch)?;
    let total = members.iter().filter(|&&c| c).count();
    let sweep = if total >= 3 { sweep(a, b, &vote.pose, &close, scratch) } else { Vec::new() };
    let apart = distances(&vote.places, &close);
    Some(Direction {
        pose: vote.pose,
        support: vote.support,
        evaluated: close.iter().filter(|cell| cell.joint > 0.0).count(),
        original: original(&found, &a.preset),
        found,
        whole: largest_whole(&votes).max(direction::whole(a, b, &vote.pose, scratch)),
        total,
        chance: chance(&apart, 2.0 * REACH as f64 * a.level2.pitch),
        spread: median(apart),
        regular: a.is_regular || b.is_regular,
        close,
        congruent: members,
        sweep,
        rival: rival(&vote, &votes),
    })
}

fn largest_whole(votes: &[Vote]) -> f64 {
    votes.iter().map(|vote| vote.whole).fold(-1.0, f64::max)
}

/// The support of the best other motion over that of the reference.
fn rival(reference: &Vote, votes: &[Vote]) -> f64 {
    let other = votes.iter().filter(|vote| !is_near(&vote.pose, &reference.pose));
    other.map(|vote| vote.support).fold(0.0, f64::max) / reference.support.max(f64::MIN_POSITIVE)
}

/// The same for the motions that end where the reference does after one under which A agrees with itself.
///
/// A face that looks the same turned or shifted fits another as well in each of those positions; what fits in one of them says
/// nothing about the firearm unless it fits there much better than in the others.
fn own_rival(a: &Surface, b: &Surface, reference: &Vote, scratch: &mut Scratch) -> f64 {
    let motions = a.own_motions.get_or_init(|| own_motions(a, scratch));
    let supports = motions.iter().map(|motion| {
        let first = turned(motion.shift, motion.turn);
        direction::vote(a, b, &reference.pose.then(motion.turn, first), scratch).support
    });
    supports.fold(0.0, f64::max) / reference.support.max(f64::MIN_POSITIVE)
}

/// The motions, other than none, under which the cells of a surface find more agreement on itself than chance brings.
fn own_motions(a: &Surface, scratch: &mut Scratch) -> Vec<Pose> {
    let still = Pose::default();
    let all: Vec<Pose> =
        pose::search(a, a, &mut scratch.planner).into_iter().filter(|p| !is_near(p, &still)).collect();
    let votes = direction::votes(a, a, &all, scratch);
    let least = SELF_SIMILAR * a.cells.len() as f64;
    votes.into_iter().filter(|vote| vote.support >= least).map(|vote| vote.pose).collect()
}

fn is_near(pose: &Pose, other: &Pose) -> bool {
    apart(pose.turn.to_degrees(), other.turn.to_degrees()) <= NEXT_TO.0
        && (pose.shift[0] - other.shift[0]).hypot(pose.shift[1] - other.shift[1]) <= NEXT_TO.1
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
    /// The number of the cell.
    cell: usize,
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
        (place.accf > 0.0).then(|| Self { cell: i, above, turn: vote.pose.turn.to_degrees(), own, there })
    }

    /// Displacement along the axes of A, B turned back by `turn` degrees.
    fn shift(&self, turn: f64) -> [f64; 2] {
        let q = turned(self.there, -turn.to_radians());
        [q[0] - self.own[0], q[1] - self.own[1]]
    }
}

/// After Song 2013, but over the poses looked at alone: every cell's best place, about the medians over cells of turn and place.
fn original(found: &[Best], preset: &Preset) -> Vec<usize> {
    about(found, circular_median(&found.iter().map(|f| f.turn).collect::<Vec<_>>()), preset)
}

/// The same about a given turn, in degrees.
fn about(found: &[Best], turn: f64, preset: &Preset) -> Vec<usize> {
    let tolerance = preset.shift_tolerance.to_um();
    let within: Vec<&Best> = found.iter().filter(|f| apart(f.turn, turn) <= preset.turn_tolerance).collect();
    let middle = [0, 1].map(|k| median(within.iter().map(|f| f.shift(turn)[k]).collect()));
    let near = |f: &&&Best| {
        let shift = f.shift(turn);
        f.above >= 0.0 && (0..2).all(|k| (shift[k] - middle[k]).abs() <= tolerance)
    };
    within.iter().filter(near).map(|f| f.cell).collect()
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

/// The probability that as many cells as close to one place come together by chance, searching a square `window` wide.
///
/// `apart` holds the distances in ascending order. The least over all numbers of cells, times the number of places that might
/// have been tried.
fn chance(apart: &[f64], window: f64) -> f64 {
    let cells = apart.len();
    // One cell, or none, agrees with nothing.
    if cells < 2 {
        return 1.0;
    }
    let tail = |(k, &d): (usize, &f64)| {
        // One cell is spent on the place itself.
        at_least(k, cells - 1, (std::f64::consts::PI * (d / window).powi(2)).max(1e-6))
    };
    let least = apart.iter().enumerate().skip(1).map(tail).fold(1.0, f64::min);
    (least * (cells * POSES) as f64).clamp(f64::MIN_POSITIVE, 1.0)
}

/// How far freely searching cells lie from the reference, in ascending order.
///
/// Only cells that are measured on both surfaces under the reference can say whether they belong there.
fn distances(places: &[Place], close: &[Close]) -> Vec<f64> {
    let placed = places.iter().zip(close).filter(|(p, c)| p.accf > 0.0 && c.joint > 0.0);
    let mut apart: Vec<f64> = placed.map(|(p, _)| p.shift[0].hypot(p.shift[1])).collect();
    apart.sort_by(f64::total_cmp);
    apart
}

/// The probability of `k` or more successes in `n` trials of probability `p`; one where `p` is a half or more.
fn at_least(k: usize, n: usize, p: f64) -> f64 {
    if p >= 0.5 {
        return 1.0;
    }
    let mut term = libm::pow(1.0 - p, n as f64);
    let mut sum = 0.0;
    for i in 0..=n {
        if i >= k {
            sum += term;
        }
        term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
    }
    sum
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

/// After Tong 2015, near the reference alone: the union over turns whose count is within one of the largest, if those turns lie
/// together.
fn high(forward: &Direction, backward: &Direction, preset: &Preset) -> usize {
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
    if together { unions[0].min(unions[1]) } else { forward.original.len().min(backward.original.len()) }
}

/// Whether freely searching cells come together in one place, the same in both directions, and nowhere else.
///
/// The rule of this crate, not that of Chen et al. 2017, who ask that the median distance from the median place be below 20 samples in both directions (condition I)
/// and that the turns agree (II). Registration here is finer, so the condition on distances is that chance would hardly bring
/// as many cells as close together: that also holds for a pair of which less than half the area carries marks, and does not
/// hold for five cells that happen to lie within 20 samples. Marks that agree nearly as well in another position, such as
/// rings under any turn, have no one place. Regularly machined surfaces, whose cells err by whole periods and not at random,
/// must come within twice the published distance as well. Of others some cells must find one turn and place among all poses looked at.
fn converged(forward: &Direction, backward: &Direction, preset: &Preset) -> bool {
    let rival = (forward.rival * backward.rival).sqrt();
    let tolerance = CONVERGED * preset.pitch.to_um();
    let settled = if forward.regular {
        rival < RIVAL_OF_REGULAR && forward.spread < tolerance && backward.spread < tolerance
    } else {
        rival < RIVAL
    };
    // Along lines a cell fits in many places: which of them is its best says little.
    let placed = forward.regular
        || preset.clustering.is_some()
        || forward.original.len().min(backward.original.len()) >= LEAST_FOUND
        || [forward, backward].iter().all(|d| d.total as f64 >= MANY * d.evaluated as f64);
    same_motion(forward, backward, preset) && is_unlikely(forward, backward) && settled && placed
}

/// Whether chance would hardly bring as many freely searching cells as close together.
pub(crate) fn is_unlikely(forward: &Direction, backward: &Direction) -> bool {
    let [one, other] = [forward.chance, backward.chance].map(f64::log10);
    one.max(other) < -0.5 * BY_CHANCE && 0.5 * (one + other) < -BY_CHANCE
}

/// Of a pair that did not converge, in which no cell counts: how many cells, of the poorer direction, find the turn of one direction,
/// the one whose cells agree better, and one place by themselves, never more than [`original`].
///
/// Two directions that describe different motions have found no common place, and cells of regularly machined surfaces find
/// the same wrong place by themselves: none then.
fn alone(forward: &Direction, backward: &Direction, preset: &Preset) -> usize {
    // What lies in no cluster is congruent with nothing.
    if !same_motion(forward, backward, preset) || forward.regular || preset.clustering.is_some() {
        return 0;
    }
    let turn = if share(forward) >= share(backward) { forward.pose.turn } else { -backward.pose.turn };
    let found =
        |d: &Direction, turn: f64| about(&d.found, turn.to_degrees(), preset).len().min(d.original.len());
    found(forward, turn).min(found(backward, -turn))
}

fn same_motion(forward: &Direction, backward: &Direction, preset: &Preset) -> bool {
    let back = backward.pose.inverse();
    let tolerance = preset.shift_tolerance.to_um();
    apart(forward.pose.turn.to_degrees(), back.turn.to_degrees()) <= SWEEP_STEP
        && (0..2).all(|k| (forward.pose.shift[k] - back.shift[k]).abs() <= tolerance)
}
