//! A second look at pairs that did not converge: poses that the whole faces do not point at.
//!
//! Where either case took the marks of the firearm over a part of the face alone, the rest of both adds noise to every coefficient
//! of the whole faces, and the true pose need not be among the strongest. Its cells agree all the same. So the poses behind the
//! strongest are asked how many squares of the coarsest level agree by themselves, and the best of them are looked at as the
//! strongest were.

use crate::pose::Pose;
use crate::raster::{Frame, Raster};
use crate::surface::Surface;

/// Edge of the squares, in samples of the coarsest level.
const SQUARE: usize = 9;
/// Squares must share this many samples to tell anything...
const LEAST_JOINT: f32 = 36.0;
/// ...agree this well to speak for a pose...
const AGREES: f32 = 0.5;
/// ...and as many must speak for it.
const LEAST_SQUARES: usize = 4;
/// So many poses are looked at again...
const LOOKS: usize = 2;
/// ...and fewer congruent cells are no agreement there: more poses were tried than chance is reckoned with.
pub(crate) const LEAST_CELLS: usize = 6;
/// Samples by which a square may lie off its place, either way.
const REACH: usize = 1;

/// The poses on which most squares agree, best first; none where few squares agree on any.
pub(crate) fn promising((a, b): (&Surface, &Surface), poses: &[Pose]) -> Vec<Pose> {
    let own = Squares::new(a);
    let mut laid = Raster::default();
    let mut found: Vec<(f64, Pose)> = Vec::new();
    for pose in poses {
        own.lay(b, pose, &mut laid);
        let (squares, support) = own.agreeing(&laid);
        if squares >= LEAST_SQUARES {
            found.push((support, *pose));
        }
    }
    found.sort_by(|p, q| q.0.total_cmp(&p.0));
    found.into_iter().take(LOOKS).map(|(_, pose)| pose).collect()
}

/// A at the coarsest level, in whole squares.
struct Squares<'a> {
    a: &'a Surface,
    level: Raster,
    /// Where its first sample lies.
    first: [f64; 2],
}

impl<'a> Squares<'a> {
    fn new(a: &'a Surface) -> Self {
        let source = a.coarsest();
        let pitch = 2.0 * source.pitch;
        let size = |n: usize| n.div_ceil(2).next_multiple_of(SQUARE);
        let first = [source.offset; 2];
        let frame =
            Frame { width: size(source.width), height: size(source.height), pitch, origin: first, turn: 0.0 };
        let mut level = Raster::default();
        source.sampled(&frame, &mut level);
        Self { a, level, first }
    }

    /// B under these squares, with a margin.
    fn lay(&self, b: &Surface, pose: &Pose, out: &mut Raster) {
        let pitch = self.level.pitch;
        let first = self.first.map(|v| v - REACH as f64 * pitch);
        let frame = Frame {
            width: self.level.width + 2 * REACH,
            height: self.level.height + 2 * REACH,
            pitch,
            origin: crate::direction::place_on_b(self.a, b, pose, first),
            turn: pose.turn,
        };
        b.coarsest().sampled(&frame, out);
    }

    /// How many squares agree near their place, and the sum of the squares of their coefficients.
    fn agreeing(&self, laid: &Raster) -> (usize, f64) {
        let (mut squares, mut support) = (0, 0.0);
        for y in (0..self.level.height).step_by(SQUARE) {
            for x in (0..self.level.width).step_by(SQUARE) {
                if let Some(best) = self.best(laid, [x, y])
                    && best >= AGREES
                {
                    squares += 1;
                    support += f64::from(best * best);
                }
            }
        }
        (squares, support)
    }

    /// The largest coefficient of a square near its place; nothing where too little is measured on both.
    ///
    /// Heights are about zero already, so that no mean is taken away.
    fn best(&self, laid: &Raster, [x, y]: [usize; 2]) -> Option<f32> {
        let mut best: Option<f32> = None;
        for dy in 0..=2 * REACH {
            for dx in 0..=2 * REACH {
                let own = y * self.level.width + x;
                let there = (y + dy) * laid.width + x + dx;
                let own = ([&self.level.z[own..], &self.level.w[own..]], self.level.width);
                let [joint, both, own, others] =
                    of_square(own, ([&laid.z[there..], &laid.w[there..]], laid.width));
                if joint >= LEAST_JOINT && own * others > 0.0 {
                    let coefficient = both / (own * others).sqrt();
                    best = Some(best.map_or(coefficient, |best| best.max(coefficient)));
                }
            }
        }
        best
    }
}

topography::wide! {
    /// Of a square of either surface: joint points, products, and heights squared where the other is measured.
    fn of_square(own: ([&[f32]; 2], usize), others: ([&[f32]; 2], usize)) -> [f32; 4] {
        let (([zp, wp], own), ([zq, wq], others)) = (own, others);
        let mut sums = [[0.0_f32; SQUARE]; 4];
        for row in 0..SQUARE {
            let [at, there] = [row * own, row * others];
            let (zp, wp) = (&zp[at..at + SQUARE], &wp[at..at + SQUARE]);
            let (zq, wq) = (&zq[there..there + SQUARE], &wq[there..there + SQUARE]);
            for i in 0..SQUARE {
                let (p, v, q, w) = (zp[i], wp[i], zq[i], wq[i]);
                sums[0][i] += v * w;
                sums[1][i] += p * q;
                sums[2][i] += p * p * w;
                sums[3][i] += q * q * v;
            }
        }
        sums.map(|columns| columns.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::Planner;
    use crate::preset::{MarkKind, Preset};

    /// A ring whose left part shows one texture, whoever asks, and the rest one of `seed`.
    fn face(seed: u64) -> Surface {
        let (n, pitch) = (560, 6.25);
        let texture = |seed: u64, u: f64, v: f64| -> f64 {
            let waves = (0..60_u64).map(|k| {
                let lot = |of: u64| ((seed * 977 + 31 * k + of) as f64 * 0.618_033_988_75).fract();
                let (length, turn) = (70.0 + 150.0 * lot(1), std::f64::consts::TAU * lot(k + 2));
                let across = u * libm::cos(turn) + v * libm::sin(turn);
                libm::sin(std::f64::consts::TAU * (across / length + lot(3)))
            });
            0.2 * waves.sum::<f64>()
        };
        let mut face = Raster { width: n, height: n, pitch, ..Raster::default() };
        for y in 0..n {
            for x in 0..n {
                let [u, v] = [x, y].map(|at| (at as f64 - 280.0) * pitch);
                let is_measured = (600.0..1700.0).contains(&u.hypot(v));
                let z = texture(if u < -150.0 { 0 } else { seed }, u, v);
                face.z.push(if is_measured { z as f32 } else { 0.0 });
                face.w.push(f32::from(u8::from(is_measured)));
            }
        }
        let preset = Preset::default_for(MarkKind::BreechFace);
        Surface::build(&face, &preset, &mut Planner::default()).expect("a ring is measured")
    }

    #[test]
    fn the_pose_of_a_part_of_the_face_is_found_behind_others() {
        let [a, b] = [1, 2].map(face);
        let wrong = (1..40).map(|k| Pose {
            turn: 0.15 * f64::from(k),
            shift: [40.0 * f64::from(k % 5), -60.0 * f64::from(k % 7)],
            strength: 5.0,
        });
        let mut poses: Vec<Pose> = wrong.collect();
        poses.insert(30, Pose::default());
        let found = promising((&a, &b), &poses);
        assert!(found.first().is_some_and(|pose| pose.turn == 0.0), "{found:?}");
        assert!(found.len() <= LOOKS);
        poses.remove(30);
        let other = promising((&a, &b), &poses);
        assert!(other.iter().all(|pose| pose.turn != 0.0));
    }
}
