//! The coarse search: where and how far turned the second surface best lies on the first, over the full circle.

use rustfft::num_complex::Complex32;

use crate::fourier::{Planner, Spectrum};
use crate::surface::{HALF_TURNS, Surface, Turned};

/// A turn and a shift: place `p` of A lies on `centre_b + turn * (p - centre_a + shift)` of B.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pose {
    /// Radians.
    pub(crate) turn: f64,
    /// Micrometres.
    pub(crate) shift: [f64; 2],
    /// Correlation sum over the root of the overlap, in units of its own spread.
    pub(crate) strength: f64,
}

/// Every so manyth turn of the search is looked at for scans that were taken wrongly.
const FLIPPED_STEPS: usize = 2;
/// The best of these have both their neighbours looked at.
const FLIPPED_BEST: usize = 4;
/// Poses looked at per pair.
pub(crate) const POSES: usize = 5;
/// Poses known of a pair, those looked at among them.
pub(crate) const MANY: usize = 60;
/// The smallest overlap that counts, as a share of the smaller measured area.
const LEAST_OVERLAP: f32 = 0.2;

impl Pose {
    /// The same motion seen from B.
    pub(crate) fn inverse(&self) -> Self {
        let (sin, cos) = (libm::sin(self.turn), libm::cos(self.turn));
        let [x, y] = self.shift;
        Self { turn: -self.turn, shift: [sin * y - cos * x, -sin * x - cos * y], strength: self.strength }
    }

    /// This pose of A on B and then that of B on C: A on C.
    pub(crate) fn followed_by(&self, next: &Self) -> Self {
        let (sin, cos) = (libm::sin(self.turn), libm::cos(self.turn));
        let [x, y] = next.shift;
        let back = [cos * x + sin * y, cos * y - sin * x];
        let shift = [0, 1].map(|k| self.shift[k] + back[k]);
        Self { turn: self.turn + next.turn, shift, strength: self.strength.min(next.strength) }
    }

    /// The pose after a further turn and shift `q = turn q + shift` in the frame of A.
    pub(crate) fn then(&self, turn: f64, shift: [f64; 2]) -> Self {
        let total = [self.shift[0] + shift[0], self.shift[1] + shift[1]];
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        let back = [cos * total[0] + sin * total[1], cos * total[1] - sin * total[0]];
        Self { turn: self.turn + turn, shift: back, strength: self.strength }
    }
}

/// The strongest poses, best first, no two close to each other.
pub(crate) fn search(a: &Surface, b: &Surface, fourier: &mut Planner) -> Vec<Pose> {
    let (mut poses, _) = search_and_lowest(a, b, fourier);
    poses.truncate(POSES);
    poses
}

/// The same with the [`MANY`] behind them, and how strongly A agrees with B where heights and depths of one are exchanged.
pub(crate) fn search_and_lowest(a: &Surface, b: &Surface, fourier: &mut Planner) -> (Vec<Pose>, f64) {
    // The smaller one is laid on the turned larger one, so that the order of the question does not matter.
    if (a.turned_edge(), a.measured()) > (b.turned_edge(), b.measured()) {
        let (poses, lowest) = search_and_lowest(b, a, fourier);
        return (poses.iter().map(Pose::inverse).collect(), lowest);
    }
    let pitch = 8.0 * a.base;
    let (mut poses, mut lowest) = (Vec::new(), 0.0_f64);
    let mut coarse = Coarse::new(a, b, fourier);
    let turned = b.turned(fourier);
    for step in 0..2 * HALF_TURNS {
        let turn = std::f64::consts::PI * step as f64 / HALF_TURNS as f64;
        coarse.correlate(turned, step, fourier);
        for (strength, shift) in peaks(&coarse) {
            poses.push(Pose { turn, shift: shift.map(|s| s * pitch), strength });
        }
        if step % FLIPPED_STEPS == 0 {
            lowest = lowest.max(strongest_of(&coarse, -1.0));
        }
    }
    (strongest(poses, MANY, 4.0 * pitch), lowest)
}

/// How strongly A agrees with B in a mirror, and in a mirror with heights and depths exchanged: at wider steps than those of the
/// search, and at those of the search beside the best.
pub(crate) fn mirrored(a: &Surface, b: &Surface, fourier: &mut Planner) -> [f64; 2] {
    if (a.turned_edge(), a.measured()) > (b.turned_edge(), b.measured()) {
        return mirrored(b, a, fourier);
    }
    let mut coarse = Coarse::new(a, b, fourier);
    let turned = b.turned(fourier);
    let mut looked: Vec<(usize, [f64; 2])> = Vec::new();
    let mut look = |step: usize| {
        // All turns of a mirror image are the mirror images of all turns, its mask among them.
        coarse.correlate_mirrored(turned, step, fourier);
        [1.0, -1.0].map(|sign| strongest_of(&coarse, sign))
    };
    looked.extend((0..2 * HALF_TURNS).step_by(FLIPPED_STEPS).map(|step| (step, look(step))));
    let mut best = [0.0; 2];
    for (sign, best) in best.iter_mut().enumerate() {
        looked.sort_by(|p, q| q.1[sign].total_cmp(&p.1[sign]));
        let beside =
            looked.iter().take(FLIPPED_BEST).flat_map(|(step, _)| [step + 2 * HALF_TURNS - 1, step + 1]);
        let finer = beside.map(|step| look(step % (2 * HALF_TURNS))[sign]).fold(0.0, f64::max);
        *best = looked.first().map_or(0.0, |(_, found)| found[sign]).max(finer);
    }
    best
}

/// Correlations of A as it lies with turned copies of B, at level 3.
struct Coarse {
    n: usize,
    reach: usize,
    heights: Spectrum,
    mask: Spectrum,
    sums: Vec<f32>,
    overlaps: Vec<f32>,
    /// The smallest overlap that counts.
    least: f32,
    mirror: [Spectrum; 2],
}

impl Coarse {
    fn new(a: &Surface, b: &Surface, fourier: &mut Planner) -> Self {
        let n = b.turned_edge();
        let (heights, mask) = a.unturned(n, fourier);
        let least = least_overlap(n, mask[0].re.min(b.turned(fourier).masks[0][0].re));
        let reach = n * 3 / 8;
        let (sums, overlaps) = (vec![0.0; (2 * reach + 1) * n], vec![0.0; (n / 4) * (n / 4)]);
        Self { n, reach, heights, mask, sums, overlaps, least, mirror: Default::default() }
    }

    fn correlate(&mut self, turned: &Turned, step: usize, fourier: &mut Planner) {
        let k = step % HALF_TURNS;
        self.run([&turned.heights[k], &turned.masks[k]], step >= HALF_TURNS, fourier);
    }

    fn correlate_mirrored(&mut self, turned: &Turned, step: usize, fourier: &mut Planner) {
        let k = step % HALF_TURNS;
        let [mut heights, mut mask] = std::mem::take(&mut self.mirror);
        mirror(&turned.heights[k], self.n, &mut heights);
        mirror(&turned.masks[k], self.n / 4, &mut mask);
        self.run([&heights, &mask], step >= HALF_TURNS, fourier);
        self.mirror = [heights, mask];
    }

    fn run(&mut self, [heights, mask]: [&Spectrum; 2], half_turned: bool, fourier: &mut Planner) {
        let (reach, coarse_reach) = (self.reach as isize, (self.n / 8) as isize - 1);
        let rows = -reach..reach + 1;
        fourier.size(self.n).correlate([&self.heights, heights], half_turned, rows, &mut self.sums);
        let rows = -coarse_reach..coarse_reach + 1;
        fourier.size(self.n / 4).correlate([&self.mask, mask], half_turned, rows, &mut self.overlaps);
    }

    /// The overlaps of a row of the sums, four columns to each; see [`overlap`].
    fn overlaps(&self, row: usize) -> &[f32] {
        let m = self.n / 4;
        let middle = (self.n / 8 - 1) as isize;
        let dy = row as isize - self.reach as isize;
        let coarse_row = ((dy as f64 / 4.0).round() as isize + middle).clamp(0, 2 * middle) as usize;
        &self.overlaps[coarse_row * m..(coarse_row + 1) * m]
    }
}

/// The overlap of a column of a row of sums.
fn overlap(overlaps: &[f32], column: usize) -> f32 {
    let at = (column + 2) / 4;
    overlaps[if at < overlaps.len() { at } else { at - overlaps.len() }]
}

/// The spectrum of a grid whose columns are counted the other way about the first: of real samples the conjugate of its rows
/// counted the other way.
fn mirror(spectrum: &Spectrum, n: usize, out: &mut Spectrum) {
    out.clear();
    for column in spectrum.chunks_exact(n) {
        out.push(column[0].conj());
        out.extend(column[1..].iter().rev().map(Complex32::conj));
    }
}

/// The smallest overlap that counts, in the units of the mask correlation.
///
/// Masks are pooled over 16 samples, so their correlation counts each joint sample 16 times; transforms scale by their size.
fn least_overlap(n: usize, smaller: f32) -> f32 {
    let m = (n / 4) as f32;
    LEAST_OVERLAP * smaller * 16.0 * m * m
}

const PER_TURN: usize = 2;

fn peaks(coarse: &Coarse) -> [(f64, [f64; 2]); PER_TURN] {
    let mut best = [(0.0_f64, [0.0_f64; 2]); PER_TURN];
    let (n, reach, sums) = (coarse.n, coarse.reach, &coarse.sums);
    let root = coarse.least.sqrt();
    for row in 1..2 * reach {
        let line = &sums[row * n..(row + 1) * n];
        // Nothing overlaps by less than the least, so that most rows, and most values of the others, need no look at how much they do.
        let is_low = |value: f32, best: f64| value <= 0.0 || f64::from(value) <= best * f64::from(root);
        if is_low(largest(line, 1.0), best[PER_TURN - 1].0) {
            continue;
        }
        let overlaps = coarse.overlaps(row);
        for (column, &value) in line.iter().enumerate() {
            if is_low(value, best[PER_TURN - 1].0) {
                continue;
            }
            let overlap = overlap(overlaps, column);
            if overlap < coarse.least {
                continue;
            }
            let strength = f64::from(value / overlap.sqrt());
            if strength <= best[PER_TURN - 1].0 || !is_peak(sums, n, row, column) {
                continue;
            }
            let dx = if column > n / 2 { column as f64 - n as f64 } else { column as f64 };
            let at = best.iter().position(|b| strength > b.0).unwrap_or(PER_TURN - 1);
            best[at..].rotate_right(1);
            best[at] = (strength, [dx, row as f64 - reach as f64]);
        }
    }
    best
}

/// The strength of the highest sum, or of the lowest where `sign` is -1.
fn strongest_of(coarse: &Coarse, sign: f32) -> f64 {
    let (n, root) = (coarse.n, coarse.least.sqrt());
    let mut best = 0.0_f32;
    for row in 1..2 * coarse.reach {
        let line = &coarse.sums[row * n..(row + 1) * n];
        if largest(line, sign) <= best * root {
            continue;
        }
        let overlaps = coarse.overlaps(row);
        for (column, value) in line.iter().map(|value| sign * value).enumerate() {
            if value > best * root {
                let overlap = overlap(overlaps, column);
                if overlap >= coarse.least {
                    best = best.max(value / overlap.sqrt());
                }
            }
        }
    }
    f64::from(best)
}

/// The largest of `sign` times the values of a row, eight abreast; rows are as long as transforms, a multiple of eight.
fn largest(line: &[f32], sign: f32) -> f32 {
    const ABREAST: usize = 8;
    let mut most = [f32::NEG_INFINITY; ABREAST];
    for values in line.chunks_exact(ABREAST) {
        for (most, value) in most.iter_mut().zip(values) {
            let value = sign * value;
            *most = if value > *most { value } else { *most };
        }
    }
    most.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

fn is_peak(sums: &[f32], n: usize, row: usize, column: usize) -> bool {
    let value = sums[row * n + column];
    let (left, right) = ((column + n - 1) % n, (column + 1) % n);
    [row - 1, row, row + 1].iter().all(|&r| [left, column, right].iter().all(|&c| sums[r * n + c] <= value))
}

fn strongest(mut poses: Vec<Pose>, count: usize, apart: f64) -> Vec<Pose> {
    poses.sort_by(|p, q| q.strength.total_cmp(&p.strength));
    let step = std::f64::consts::PI / HALF_TURNS as f64;
    let mut kept: Vec<Pose> = Vec::with_capacity(count);
    for pose in poses {
        let near = |other: &Pose| {
            let turn = (pose.turn - other.turn).rem_euclid(std::f64::consts::TAU);
            turn.min(std::f64::consts::TAU - turn) < 2.5 * step
                && (pose.shift[0] - other.shift[0]).hypot(pose.shift[1] - other.shift[1]) < apart
        };
        if pose.strength > 0.0 && !kept.iter().any(near) {
            kept.push(pose);
            if kept.len() == count {
                break;
            }
        }
    }
    kept
}
