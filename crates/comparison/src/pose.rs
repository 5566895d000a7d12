//! The coarse search: where and how far turned the second surface best lies on the first, over the full circle.

use crate::fourier::Planner;
use crate::surface::{HALF_TURNS, Surface};

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

/// Poses looked at per pair.
pub(crate) const POSES: usize = 5;
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
    // The smaller one is laid on the turned larger one, so that the order of the question does not matter.
    if (a.turned.n, a.measured()) > (b.turned.n, b.measured()) {
        return search(b, a, fourier).iter().map(Pose::inverse).collect();
    }
    let n = b.turned.n;
    let larger;
    let own = if a.turned.n == n {
        [&a.turned.heights[0], &a.turned.masks[0]]
    } else {
        larger = a.unturned(n, fourier);
        [&larger.0, &larger.1]
    };
    let pitch = 8.0 * a.base;
    let reach = (n * 3 / 8) as isize;
    let coarse_reach = (n / 8) as isize - 1;
    let mut sums = vec![0.0; (2 * reach as usize + 1) * n];
    let mut overlaps = vec![0.0; (n / 4) * (n / 4)];
    let mut poses = Vec::new();
    let least = least_overlap(n, own[1][0].re.min(b.turned.masks[0][0].re));
    for step in 0..2 * HALF_TURNS {
        let (k, mirrored) = (step % HALF_TURNS, step >= HALF_TURNS);
        let heights = [&own[0][..], &b.turned.heights[k]];
        fourier.size(n).correlate(heights, mirrored, -reach..reach + 1, &mut sums);
        let masks = [&own[1][..], &b.turned.masks[k]];
        fourier.size(n / 4).correlate(masks, mirrored, -coarse_reach..coarse_reach + 1, &mut overlaps);
        let turn = std::f64::consts::PI * step as f64 / HALF_TURNS as f64;
        for (strength, shift) in peaks(&sums, &overlaps, n, reach as usize, least) {
            poses.push(Pose { turn, shift: shift.map(|s| s * pitch), strength });
        }
    }
    strongest(poses, POSES, 4.0 * pitch)
}

/// The smallest overlap that counts, in the units of the mask correlation.
///
/// Masks are pooled over 16 samples, so their correlation counts each joint sample 16 times; transforms scale by their size.
fn least_overlap(n: usize, smaller: f32) -> f32 {
    let m = (n / 4) as f32;
    LEAST_OVERLAP * smaller * 16.0 * m * m
}

const PER_TURN: usize = 2;

fn peaks(sums: &[f32], overlaps: &[f32], n: usize, reach: usize, least: f32) -> [(f64, [f64; 2]); PER_TURN] {
    let mut best = [(0.0_f64, [0.0_f64; 2]); PER_TURN];
    let m = n / 4;
    let rows = 2 * (n / 8 - 1) + 1;
    for row in 1..2 * reach {
        let dy = row as isize - reach as isize;
        let coarse_row =
            ((dy as f64 / 4.0).round() as isize + (n / 8 - 1) as isize).clamp(0, rows as isize - 1) as usize;
        for column in 0..n {
            let value = sums[row * n + column];
            if value <= 0.0 {
                continue;
            }
            let overlap = overlaps[coarse_row * m + ((column + 2) / 4) % m];
            if overlap < least {
                continue;
            }
            let strength = f64::from(value / overlap.sqrt());
            if strength <= best[PER_TURN - 1].0 || !is_peak(sums, n, row, column) {
                continue;
            }
            let dx = if column > n / 2 { column as f64 - n as f64 } else { column as f64 };
            let at = best.iter().position(|b| strength > b.0).unwrap_or(PER_TURN - 1);
            best[at..].rotate_right(1);
            best[at] = (strength, [dx, dy as f64]);
        }
    }
    best
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
