//! Faces whose marks are lines: whether they agree under one motion as no other motion of the same pair makes them agree.
//!
//! Along a line a cell fits anywhere, so that cells cannot find their places one by one; lines also run from cell to cell, so
//! that cells which agree are no independent witnesses. What lines do say they say together: the coefficient of the whole faces
//! under one motion, against what the same faces show half a turn round, where lines run alike and nothing else does.

use crate::cmc::{self, Decided, Seen};
use crate::compare::{CmcCounts, Lines};
use crate::direction::{self, Close, Scratch};
use crate::fourier::{Planner, Spectrum};
use crate::pose::{self, Pose};
use crate::profile;
use crate::surface::{self, Cell, Surface};

/// The smallest coefficient of the whole faces. Firearms that share a third of the energy of their lines reach 0.35.
const LEAST_WHOLE: f64 = 0.42;
/// It must stand out by so many standard deviations from what the pair shows half a turn round (Fisher's transform).
const STANDS_OUT: f64 = 6.0;
/// No other turn may come to this share of it.
const RIVAL: f64 = 0.8;
/// Turns this far apart are other turns, in degrees.
const OTHER_TURN: f64 = 15.0;
/// The smallest overlap looked at, as a share of the smaller measured area, and the smallest of faces moved along their lines.
const LEAST_OVERLAP: f32 = 0.4;
const LEAST_ALONG: f32 = 0.25;
/// How far along its lines a cell may lie, in tolerances: there it fits anywhere.
const ALONG: f64 = 2.0;
/// Steps in degrees by which a turn is made finer.
const FINER: [f64; 3] = [1.5, 0.75, 0.375];
/// Turns about the centre of arcs, by which their faces slide along them, in degrees...
const ALONG_ARCS: [f64; 7] = [0.0, 2.0, 4.0, 8.0, 12.0, 16.0, 30.0];
/// ...by so many micrometres or more.
const FAR: f64 = 800.0;
/// Lines that then still agree this well run through.
const RUN_THROUGH: f64 = 0.65;
/// Lines that have less than this in common are the same in part: those of one firearm have 0.88 to 1.02 of what persists in common, those
/// of firearms that share 30 to 70 % of the energy of their lines 0.44 to 0.84 (*simulation*, two generators).
const THROUGHOUT: f64 = 0.86;
/// Fewer congruent cells are no agreement of faces.
const LEAST_CELLS: usize = 6;

/// What the lines of two faces agree on.
pub(crate) struct Found {
    pub(crate) decided: Decided,
    /// The coefficient of the whole faces.
    pub(crate) whole: f64,
    pub(crate) lines: Lines,
    /// Whether that they are the same in part was measured, or they are merely too few or too short to tell.
    pub(crate) is_known: bool,
}

/// Nothing where they agree no better than chance or another motion would have them.
///
/// Both surfaces with their lines as they are. Only the place across the lines is asked of cells.
pub(crate) fn found((a, b): (&Surface, &Surface), scratch: &mut Scratch) -> Option<Found> {
    let own = Own::new(a, b, &mut scratch.planner);
    let (pose, whole) = aligned((a, b), &own, scratch)?;
    let decided = decided((a, b), pose, scratch)?;
    // Lines too few or too short to say what they have in common are no more than in part the same.
    let common = profile::in_common((a, b), &decided.seen, scratch);
    let lines = if common.is_none_or(|common| common < THROUGHOUT) {
        Lines::InPart
    } else if moved_along((a, b), &own, &pose, &mut scratch.planner) > RUN_THROUGH * whole {
        Lines::RunThrough
    } else {
        Lines::Changing
    };
    let found = Found { decided, whole, lines, is_known: common.is_some() };
    Some(if lines == Lines::Changing { found } else { found.uncounted(lines) })
}

impl Found {
    /// The same where no cell counts, as the lines are of a kind that firearms share: `total` still says how many lie where the faces do.
    pub(crate) fn uncounted(mut self, lines: Lines) -> Self {
        self.decided.counts = CmcCounts { high: 0, convergence: [0, 0], ncma: 0.0, ..self.decided.counts };
        self.decided.seen.iter_mut().for_each(|seen| seen.congruent.fill(false));
        Self { lines, ..self }
    }
}

/// Whether the lines of congruent cells are known to be the same in part: surfaces with their lines as they are.
pub(crate) fn are_in_part(pair: (&Surface, &Surface), seen: &[Seen; 2], scratch: &mut Scratch) -> bool {
    let common = profile::in_common(pair, seen, scratch);
    common.is_some_and(|common| common < THROUGHOUT)
}

/// The cells that lie where the faces do; nothing where they are too few.
fn decided((a, b): (&Surface, &Surface), pose: Pose, scratch: &mut Scratch) -> Option<Decided> {
    let back = pose.inverse();
    let seen = [(a, b, pose), (b, a, back)].map(|(one, other, pose)| {
        let close = direction::closely(one, other, &pose, scratch);
        let congruent: Vec<bool> =
            one.cells.iter().zip(&close).map(|(cell, close)| is_congruent(one, cell, close)).collect();
        Seen { pose, close, congruent }
    });
    let count = |k: usize| seen[k].congruent.iter().filter(|&&c| c).count();
    let counts = [count(0), count(1)];
    if counts[0].min(counts[1]) < LEAST_CELLS {
        return None;
    }
    let evaluated = [0, 1].map(|k| seen[k].close.iter().filter(|cell| cell.joint > 0.0).count());
    let support = |k: usize| {
        let cells = seen[k].close.iter().zip(&seen[k].congruent);
        cells.map(|(cell, &c)| if c { cell.accf * cell.accf } else { 0.0 }).sum::<f64>()
            / seen[k].close.len().max(1) as f64
    };
    let ncma = [(a, 0), (b, 1)].map(|(s, k)| cmc::by_area(s, seen[k].congruent.iter().copied()));
    let counts = CmcCounts {
        original: [0, 0],
        high: counts[0].min(counts[1]),
        total: counts,
        convergence: counts,
        ncma: ncma[0].min(ncma[1]),
    };
    let support = support(0).min(support(1));
    Some(Decided { counts, converged: true, evaluated, support, alone: 0, seen })
}

/// As any cell, but along its lines it may lie farther.
fn is_congruent(surface: &Surface, cell: &Cell, close: &Close) -> bool {
    let preset = &surface.preset;
    let tolerance = preset.shift_tolerance.to_um();
    let [u, v] = close.shift;
    let near = match profile::across(&cell.patch2) {
        Some([x, y]) => (x * u + y * v).abs() <= tolerance && (x * v - y * u).abs() <= ALONG * tolerance,
        None => u.abs() <= tolerance && v.abs() <= tolerance,
    };
    near && close.accf >= preset.threshold(close.joint, surface.level1.pitch)
        && close.turn.abs() <= preset.turn_tolerance
}

/// The motion under which the whole faces agree as under no other, and their coefficient.
fn aligned((a, b): (&Surface, &Surface), own: &Own, scratch: &mut Scratch) -> Option<(Pose, f64)> {
    let poses = pose::search(a, b, &mut scratch.planner);
    let planner = &mut scratch.planner;
    let mut turns: Vec<f64> = Vec::new();
    for pose in &poses {
        let turn = pose.turn.to_degrees();
        if turns.iter().all(|&other| cmc::apart(turn, other) > FINER[0]) {
            turns.push(turn);
        }
    }
    let mut looked: Vec<(f64, Peak)> =
        turns.iter().map(|&turn| (turn, own.against(b, turn, planner).peak())).collect();
    for step in FINER {
        let &(middle, _) = best(&looked)?;
        for turn in [middle - step, middle + step] {
            looked.push((turn, own.against(b, turn, planner).peak()));
        }
    }
    let &(turn, peak) = best(&looked)?;
    let rival = looked.iter().filter(|(other, _)| cmc::apart(*other, turn) > OTHER_TURN);
    let rival = rival.map(|(_, peak)| peak.coefficient).fold(0.0, f64::max);
    let half_turned = own.against(b, turn, planner).half_turned();
    let start = Pose { turn: turn.to_radians(), shift: peak.shift, strength: peak.strength };
    let (pose, whole) = settled(a, b, start, scratch);
    let stands_out = libm::atanh(whole.min(0.999)) / half_turned.spread.max(1e-6);
    let least = rival.max(half_turned.largest) / RIVAL;
    (whole >= LEAST_WHOLE.max(least) && stands_out >= STANDS_OUT).then_some((pose, whole))
}

/// The largest coefficient under motions that leave the direction of lines nearly as it is and move the face far: along straight
/// lines, or about the far centre of arcs.
fn moved_along((a, b): (&Surface, &Surface), own: &Own, pose: &Pose, planner: &mut Planner) -> f64 {
    let least = (FAR / own.pitch).powi(2);
    let radius = 0.65 * a.radius / own.pitch;
    let turns =
        ALONG_ARCS.into_iter().flat_map(|turn: f64| if turn > 0.0 { vec![-turn, turn] } else { vec![turn] });
    let largest = turns.map(|turn| {
        let turned = pose.then(turn.to_radians(), [0.0; 2]);
        let [x, y] = turned.shift.map(|s| s / own.pitch);
        let bend = (turn.to_radians() * radius).powi(2);
        let mut largest = 0.0_f64;
        own.against(b, turned.turn.to_degrees(), planner).each(
            0,
            LEAST_ALONG,
            &mut |coefficient, _, [u, v]| {
                if (u - x).powi(2) + (v - y).powi(2) + bend >= least {
                    largest = largest.max(coefficient);
                }
            },
        );
        largest
    });
    largest.fold(0.0, f64::max)
}

fn best(looked: &[(f64, Peak)]) -> Option<&(f64, Peak)> {
    looked.iter().reduce(|best, one| if one.1.strength > best.1.strength { one } else { best })
}

/// The same motion below a sample and a tenth of a degree: the best neighbour until none is better.
fn settled(a: &Surface, b: &Surface, start: Pose, scratch: &mut Scratch) -> (Pose, f64) {
    const ROUNDS: usize = 4;
    let mut now = (start, direction::whole(a, b, &start, scratch));
    for finer in [1.0, 0.5] {
        let (turn, step) = (0.2_f64.to_radians() * finer, 0.4 * a.level2.pitch * finer);
        for _ in 0..ROUNDS {
            let from = now;
            let moves = [(turn, [0.0, 0.0]), (0.0, [step, 0.0]), (0.0, [0.0, step])];
            for (turn, shift) in moves {
                for sign in [-1.0, 1.0] {
                    let next = from.0.then(sign * turn, shift.map(|s| sign * s));
                    let whole = direction::whole(a, b, &next, scratch);
                    if whole > now.1 {
                        now = (next, whole);
                    }
                }
            }
            if now.1 <= from.1 {
                break;
            }
        }
    }
    now
}

/// A at level 2, transformed.
struct Own {
    n: usize,
    heights: Spectrum,
    mask: Spectrum,
    /// Root mean squares of both surfaces.
    sigma: [f64; 2],
    pitch: f64,
    /// Of the smaller surface, in samples.
    measured: f32,
}

/// Where a correlation is strongest.
#[derive(Clone, Copy)]
struct Peak {
    strength: f64,
    /// Of the whole faces.
    coefficient: f64,
    shift: [f64; 2],
}

/// What unrelated motions come to.
struct Unrelated {
    /// The root mean square of the coefficients, by Fisher's transform.
    spread: f64,
    largest: f64,
}

impl Own {
    fn new(a: &Surface, b: &Surface, planner: &mut Planner) -> Self {
        let extent = [a, b].map(|s| s.level2.width.max(s.level2.height)).into_iter().max().unwrap_or(0);
        let n = surface::room(extent);
        let (heights, mask) = surface::turned_spectra(&a.source2, n, a.centre, 0.0, planner);
        let sigma = [a, b].map(|s| {
            let energy: f64 = s.level2.z.iter().map(|&z| f64::from(z) * f64::from(z)).sum();
            (energy / s.measured().max(1) as f64).sqrt().max(1e-9)
        });
        let measured = a.measured().min(b.measured()) as f32;
        Self { n, heights, mask, sigma, pitch: a.level2.pitch, measured }
    }

    /// Against B turned by so many degrees.
    fn against(&self, b: &Surface, turn: f64, planner: &mut Planner) -> Correlation<'_> {
        let n = self.n;
        let (heights, mask) = surface::turned_spectra(&b.source2, n, b.centre, turn.to_radians(), planner);
        let reach = (n * 3 / 8) as isize;
        let coarse_reach = (n / 8) as isize - 1;
        let fields = [false, true].map(|mirrored| {
            let mut sums = vec![0.0; (2 * reach as usize + 1) * n];
            let mut overlaps = vec![0.0; (n / 4) * (n / 4)];
            planner.size(n).correlate([&self.heights, &heights], mirrored, -reach..reach + 1, &mut sums);
            planner.size(n / 4).correlate(
                [&self.mask, &mask],
                mirrored,
                -coarse_reach..coarse_reach + 1,
                &mut overlaps,
            );
            (sums, overlaps)
        });
        Correlation { own: self, fields }
    }
}

/// Sums of products and overlaps under all shifts, as B lies and half a turn round.
struct Correlation<'a> {
    own: &'a Own,
    fields: [(Vec<f32>, Vec<f32>); 2],
}

impl Correlation<'_> {
    fn peak(&self) -> Peak {
        let mut peak = Peak { strength: 0.0, coefficient: 0.0, shift: [0.0; 2] };
        self.each(0, LEAST_OVERLAP, &mut |coefficient, joint, shift| {
            let strength = coefficient * joint.sqrt();
            if strength > peak.strength {
                peak = Peak { strength, coefficient, shift: shift.map(|s| s * self.own.pitch) };
            }
        });
        peak
    }

    fn half_turned(&self) -> Unrelated {
        let (mut squares, mut n, mut largest) = (0.0, 0.0, 0.0_f64);
        self.each(1, LEAST_OVERLAP, &mut |coefficient, _, _| {
            squares += libm::atanh(coefficient.clamp(-0.99, 0.99)).powi(2);
            n += 1.0;
            largest = largest.max(coefficient);
        });
        Unrelated { spread: (squares / f64::max(n, 1.0)).sqrt(), largest }
    }

    /// Calls `take` with the coefficient, the jointly measured samples and the shift in samples, wherever enough overlaps.
    fn each(&self, field: usize, least: f32, take: &mut impl FnMut(f64, f64, [f64; 2])) {
        let (sums, overlaps) = &self.fields[field];
        let own = self.own;
        let (n, m) = (own.n, own.n / 4);
        let reach = n * 3 / 8;
        let rows = 2 * (n / 8 - 1) + 1;
        // Transforms carry their size; mask samples count sixteen on either side, so that joint samples count as many times.
        let (to_sum, to_joint) = (1.0 / (n * n) as f64, 1.0 / (16 * m * m) as f32);
        for (row, line) in sums.chunks_exact(n).enumerate() {
            let dy = row as f64 - reach as f64;
            let coarse_row = ((dy / 4.0).round() + (n / 8 - 1) as f64).clamp(0.0, rows as f64 - 1.0) as usize;
            for (column, &sum) in line.iter().enumerate() {
                let joint = overlaps[coarse_row * m + ((column + 2) / 4) % m] * to_joint;
                if joint < least * own.measured {
                    continue;
                }
                let dx = if column > n / 2 { column as f64 - n as f64 } else { column as f64 };
                let joint = f64::from(joint);
                let coefficient = f64::from(sum) * to_sum / (joint * own.sigma[0] * own.sigma[1]);
                take(coefficient, joint, [dx, dy]);
            }
        }
    }
}
