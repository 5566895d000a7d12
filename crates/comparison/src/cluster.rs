//! Convergence by clustering, for firing pins (Zhang et al. 2021): every cell searches freely, least squares refine its place
//! and turn, and the largest cluster of places decides.

use crate::areal::Place;
use crate::direction::{self, Close, Scratch, Vote};
use crate::linear;
use crate::pose::Pose;
use crate::preset::Clustering;
use crate::raster::{Frame, Raster};
use crate::surface::{Cell, Surface};

/// The motion on which the largest cluster agrees.
pub(crate) struct Clustered {
    pub(crate) vote: Vote,
    /// Every cell where it found itself, from that motion.
    pub(crate) close: Vec<Close>,
    /// Cells of the cluster.
    pub(crate) members: Vec<bool>,
}

/// Motions that are looked at closely.
const TRIED: usize = 5;
/// Cells below this coefficient are not refined.
const HOPELESS: f64 = 0.25;
/// Rounds of least squares, and the steps that end or limit them: samples of level 1, radians.
const ROUNDS: usize = 6;
const SETTLED: f64 = 0.02;
const LONGEST: f64 = 1.5;
const WIDEST: f64 = 0.06;

/// The turns of the full circle, the middles of both surfaces laid on each other.
pub(crate) fn turns(clustering: &Clustering) -> Vec<Pose> {
    let steps = (360.0 / clustering.turn_step).round() as usize;
    let turn = |step: usize| std::f64::consts::TAU * step as f64 / steps as f64;
    (0..steps).map(|step| Pose { turn: turn(step), ..Pose::default() }).collect()
}

/// The largest cluster over the motions with the strongest support.
pub(crate) fn largest(
    (a, b): (&Surface, &Surface),
    votes: &[Vote],
    clustering: &Clustering,
    scratch: &mut Scratch,
) -> Option<Clustered> {
    let mut order: Vec<&Vote> = votes.iter().collect();
    order.sort_by(|v, w| w.support.total_cmp(&v.support));
    let mut best: Option<Clustered> = None;
    let size = |c: &Clustered| c.members.iter().filter(|&&m| m).count();
    for vote in order.into_iter().take(TRIED) {
        let found = clustered((a, b), &vote.pose, clustering, scratch);
        if best.as_ref().is_none_or(|best| size(&found) > size(best)) {
            best = Some(found);
        }
    }
    best
}

/// Searches freely about `start`, refines, clusters, and moves `start` to where the cluster lies.
fn clustered(
    (a, b): (&Surface, &Surface),
    start: &Pose,
    clustering: &Clustering,
    scratch: &mut Scratch,
) -> Clustered {
    let vote = direction::vote(a, b, start, scratch);
    let mut local = scratch.local();
    let close: Vec<Close> = a
        .cells
        .iter()
        .zip(&vote.places)
        .map(|(cell, place)| {
            if place.accf < HOPELESS {
                return Close { accf: place.accf, shift: place.shift, turn: 0.0, joint: 4.0 * place.joint };
            }
            matched((a, b), &vote.pose, (cell, place), &mut local)
        })
        .collect();
    scratch.keep(local);
    let admitted = |c: &Close| {
        c.accf >= a.preset.threshold(c.joint, a.level1.pitch) && c.turn.abs() <= a.preset.turn_tolerance
    };
    let points: Vec<Option<[f64; 2]>> = close.iter().map(|c| admitted(c).then_some(c.shift)).collect();
    let members = dense(&points, clustering);
    let (motion, close) = direction::moved(a, &close, &members);
    let tolerance = a.preset.shift_tolerance.to_um();
    let members: Vec<bool> = close
        .iter()
        .zip(members)
        .map(|(c, member)| member && c.shift.iter().all(|s| s.abs() <= tolerance))
        .collect();
    let pose = vote.pose.then(motion.turn, motion.shift);
    let places =
        close.iter().map(|c| Place { accf: c.accf, shift: c.shift, joint: 0.25 * c.joint }).collect();
    let weight = |(c, &m): (&Close, &bool)| if m { c.accf * c.accf } else { 0.0 };
    let support = close.iter().zip(&members).map(weight).sum();
    Clustered { vote: Vote { pose, places, support, whole: vote.whole }, close, members }
}

/// The largest cluster of points by DBSCAN (Ester et al. 1996); missing points belong to none.
fn dense(points: &[Option<[f64; 2]>], clustering: &Clustering) -> Vec<bool> {
    let radius = clustering.radius.to_um();
    let beside = |i: usize| -> Vec<usize> {
        let Some(p) = points[i] else { return Vec::new() };
        let near = |j: &usize| points[*j].is_some_and(|q| (p[0] - q[0]).hypot(p[1] - q[1]) <= radius);
        (0..points.len()).filter(near).collect()
    };
    let neighbours: Vec<Vec<usize>> = (0..points.len()).map(beside).collect();
    let is_core = |i: usize| neighbours[i].len() >= clustering.least;
    let mut cluster = vec![0; points.len()];
    let mut sizes = vec![0_usize];
    for start in 0..points.len() {
        if cluster[start] != 0 || !is_core(start) {
            continue;
        }
        let name = sizes.len();
        sizes.push(0);
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if cluster[at] != 0 {
                continue;
            }
            cluster[at] = name;
            sizes[name] += 1;
            if is_core(at) {
                open.extend(neighbours[at].iter().filter(|&&other| cluster[other] == 0));
            }
        }
    }
    let most = (1..sizes.len()).reduce(|best, name| if sizes[name] > sizes[best] { name } else { best });
    cluster.into_iter().map(|name| Some(name) == most).collect()
}

/// Least-squares matching of one cell: heights of A as a scaled, shifted and turned copy of B, at level 1.
fn matched(
    (a, b): (&Surface, &Surface),
    pose: &Pose,
    (cell, place): (&Cell, &Place),
    local: &mut Raster,
) -> Close {
    let mut now = Motion { shift: place.shift, turn: 0.0 };
    let mut best = Close { shift: place.shift, ..Close::default() };
    for _ in 0..ROUNDS {
        let middle = laid((a, b), pose, cell, &now, local);
        let Some(fit) = Fit::of(cell, local, middle) else { break };
        if fit.accf > best.accf {
            best = Close { accf: fit.accf, shift: now.shift, turn: now.turn.to_degrees(), joint: fit.joint };
        }
        let Some([u, v, turn]) = fit.step else { break };
        let limit = (LONGEST / u.hypot(v).max(1e-9)).min(WIDEST / turn.abs().max(1e-9)).min(1.0);
        now.shift = [now.shift[0] + limit * u * a.level1.pitch, now.shift[1] + limit * v * a.level1.pitch];
        now.turn += limit * turn;
        if u.abs().max(v.abs()) < SETTLED {
            break;
        }
    }
    best
}

/// Displacement in micrometres and turn in radians of a cell.
struct Motion {
    shift: [f64; 2],
    turn: f64,
}

/// Samples B under the cell with one sample more on every side; says where on the grid the middle of the cell lies.
fn laid((a, b): (&Surface, &Surface), pose: &Pose, cell: &Cell, now: &Motion, local: &mut Raster) -> f64 {
    let level = &a.level1;
    let patch = &cell.patch1;
    let half = 0.5 * (patch.edge - 1) as f64 * level.pitch;
    let corner = [patch.x, patch.y].map(|v| level.offset + v as f64 * level.pitch);
    let middle = [0, 1].map(|k| corner[k] + half + now.shift[k]);
    let there = direction::place_on_b(a, b, pose, middle);
    let turn = pose.turn + now.turn;
    let back = half + level.pitch;
    let (sin, cos) = (libm::sin(turn), libm::cos(turn));
    let origin = [there[0] - (cos - sin) * back, there[1] - (sin + cos) * back];
    let size = patch.edge + 2;
    b.source1.sampled(&Frame { width: size, height: size, pitch: level.pitch, origin, turn }, local);
    0.5 * (patch.edge - 1) as f64
}

/// One round of least squares.
struct Fit {
    accf: f64,
    joint: f64,
    /// Shift in samples and turn in radians that would fit better.
    step: Option<[f64; 3]>,
}

impl Fit {
    fn of(cell: &Cell, local: &Raster, middle: f64) -> Option<Self> {
        let patch = &cell.patch1;
        let (mut m, mut y) = ([[0.0; 5]; 5], [0.0; 5]);
        let mut squares = 0.0;
        for row in 0..patch.edge {
            for column in 0..patch.edge {
                let at = (row + 1) * local.width + column + 1;
                let cross = [at - 1, at + 1, at - local.width, at + local.width];
                let Some(height) = patch.height(column, row) else { continue };
                if local.w[at] == 0.0 || cross.iter().any(|&i| local.w[i] == 0.0) {
                    continue;
                }
                let slope = [0, 2].map(|k| 0.5 * f64::from(local.z[cross[k + 1]] - local.z[cross[k]]));
                let (u, v) = (column as f64 - middle, row as f64 - middle);
                let around = slope[1] * u - slope[0] * v;
                let height = f64::from(height);
                squares += height * height;
                linear::observe(
                    &mut m,
                    &mut y,
                    [1.0, f64::from(local.z[at]), slope[0], slope[1], around],
                    height,
                );
            }
        }
        let n = m[0][0];
        let energy = (squares - y[0] * y[0] / n) * (m[1][1] - m[0][1] * m[0][1] / n);
        if n < direction::least_joint(patch) || energy <= 0.0 {
            return None;
        }
        let accf = (y[1] - y[0] * m[0][1] / n) / energy.sqrt();
        let step =
            linear::solved(m, y).filter(|x| x[1] > 0.0).map(|x| [x[2] / x[1], x[3] / x[1], x[4] / x[1]]);
        Some(Self { accf, joint: n, step })
    }
}
