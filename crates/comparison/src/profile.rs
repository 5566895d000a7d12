//! Whether the lines of two faces are the same throughout, or only in part.
//!
//! Two cases of one firearm carry the same lines, each under the texture of its own primer; two firearms finished with one tool
//! may share a part of their lines. Either way the faces agree less than wholly. So the mean profile across the lines is taken
//! of two halves of every cell, one farther along the lines than the other. What the halves of one face have in common
//! persists along the lines and is no texture; what a half of one face and the other half of the other have in common is that
//! part of it that both faces carry. Its share is one for the same lines, however rough the primers and however the lines
//! change along their way, and less for lines that are shared in part (the correction for attenuation of Spearman 1904).

use crate::areal::Patch;
use crate::cmc::Seen;
use crate::direction::{self, Scratch};
use crate::raster::Raster;
use crate::surface::Surface;

/// Slopes of a cell that lie so much more across one direction than along it are those of lines (0 to 1).
const LINED: f64 = 0.35;
/// What lies nearer than this share of a cell to the middle between its halves belongs to neither, so that no texture has a part in both.
const GAP: f64 = 0.06;
/// Fewer points make no mean, fewer means no profile.
const LEAST_POINTS: f64 = 5.0;
const LEAST_MEANS: usize = 12;
/// Lines of which less than this share persists from one half to the other say nothing of how much is common...
const LEAST_PERSISTING: f64 = 0.1;
/// ...nor do those of fewer cells, of both faces.
const LEAST_CELLS: usize = 8;

/// The direction across the lines of a cell, of length one; nothing where its slopes point all ways.
pub(crate) fn across(patch: &Patch) -> Option<[f64; 2]> {
    let mut sums = [0.0_f64; 3];
    for row in 1..patch.edge {
        for column in 1..patch.edge {
            let at = |column: usize, row: usize| patch.height(column, row).map(f64::from);
            let (Some(here), Some(left), Some(above)) =
                (at(column, row), at(column - 1, row), at(column, row - 1))
            else {
                continue;
            };
            let (u, v) = (here - left, here - above);
            sums[0] += u * u - v * v;
            sums[1] += 2.0 * u * v;
            sums[2] += u * u + v * v;
        }
    }
    let one_way = sums[0].hypot(sums[1]);
    let turn = 0.5 * libm::atan2(sums[1], sums[0]);
    (one_way > LINED * sums[2]).then(|| [libm::cos(turn), libm::sin(turn)])
}

/// Whether most of the congruent cells of either surface have lines alone to agree by.
pub(crate) fn are_most(surface: &Surface, seen: &Seen) -> bool {
    let cells = surface.cells.iter().zip(&seen.congruent).filter(|(_, congruent)| **congruent);
    let (mut lined, mut all) = (0, 0);
    for (cell, _) in cells {
        lined += usize::from(across(&cell.patch2).is_some());
        all += 1;
    }
    2 * lined > all
}

/// The share, about 0 to 1, that two faces have in common of what persists along the lines of their congruent cells; nothing where few
/// of these have lines, or lines that do not persist.
pub(crate) fn in_common(
    (a, b): (&Surface, &Surface),
    seen: &[Seen; 2],
    scratch: &mut Scratch,
) -> Option<f64> {
    let mut local = scratch.local();
    let (mut sums, mut lined) = (Common::default(), 0);
    for (from, to, seen) in [(a, b, &seen[0]), (b, a, &seen[1])] {
        let cells = from.cells.iter().zip(&seen.close).zip(&seen.congruent);
        for ((cell, close), _) in cells.filter(|(_, congruent)| **congruent) {
            let Some(way) = across(&cell.patch2) else { continue };
            direction::cell_laid((from, to), &seen.pose, (cell, close.shift), close.turn, (0, &mut local));
            if let Some(common) = of_cell(&cell.patch1, &local, way) {
                sums = sums.plus(&common);
                lined += 1;
            }
        }
    }
    scratch.keep(local);
    let persists = sums.own.min(sums.others) >= LEAST_PERSISTING * lined as f64;
    (lined >= LEAST_CELLS && persists).then(|| sums.both / (sums.own * sums.others).sqrt())
}

/// What the halves of a cell, and of what lies on it, have in common, each face taken at its own height.
#[derive(Default)]
struct Common {
    /// Both halves of the cell.
    own: f64,
    /// Both halves of what lies on it.
    others: f64,
    /// A half of the cell and the other half of what lies on it.
    both: f64,
}

impl Common {
    fn plus(&self, more: &Self) -> Self {
        Self { own: self.own + more.own, others: self.others + more.others, both: self.both + more.both }
    }
}

/// One place across the lines: sums of heights and points, of the cell and of what lies on it, half by half.
#[derive(Clone, Copy, Default)]
struct Line {
    heights: [[f64; 2]; 2],
    points: [f64; 2],
}

/// The same of one cell, whose lines run across `way`.
fn of_cell(patch: &Patch, laid: &Raster, way: [f64; 2]) -> Option<Common> {
    let lines = lines(patch, laid, way);
    if lines.len() < LEAST_MEANS {
        return None;
    }
    // The surface, and its half: means about their own mean, a place weighing what its poorer half holds.
    let weights: Vec<f64> = lines.iter().map(|line| line.points[0].min(line.points[1])).collect();
    let all: f64 = weights.iter().sum();
    let profile = |surface: usize, half: usize| -> Vec<f64> {
        let means: Vec<f64> =
            lines.iter().map(|line| line.heights[surface][half] / line.points[half]).collect();
        let middle = means.iter().zip(&weights).map(|(m, w)| m * w).sum::<f64>() / all;
        means.into_iter().map(|m| m - middle).collect()
    };
    let product =
        |p: &[f64], q: &[f64]| -> f64 { p.iter().zip(q).zip(&weights).map(|((p, q), w)| p * q * w).sum() };
    let [own, others] = [0, 1].map(|surface| [0, 1].map(|half| profile(surface, half)));
    let energy = |[one, other]: &[Vec<f64>; 2]| 0.5 * (product(one, one) + product(other, other));
    let energies = [energy(&own), energy(&others)];
    let both = 0.5 * (product(&own[0], &others[1]) + product(&own[1], &others[0]));
    energies.iter().all(|&energy| energy > 0.0).then(|| Common {
        own: product(&own[0], &own[1]) / energies[0],
        others: product(&others[0], &others[1]) / energies[1],
        both: both / (energies[0] * energies[1]).sqrt(),
    })
}

/// The places across the lines at which both halves hold enough points.
fn lines(patch: &Patch, laid: &Raster, [x, y]: [f64; 2]) -> Vec<Line> {
    let (middle, gap) = (0.5 * (patch.edge - 1) as f64, GAP * patch.edge as f64);
    let mut lines = vec![Line::default(); 2 * patch.edge];
    for row in 0..patch.edge {
        for column in 0..patch.edge {
            let at = row * laid.width + column;
            let Some(own) = patch.height(column, row).filter(|_| laid.w[at] > 0.0) else { continue };
            let [u, v] = [column, row].map(|n| n as f64 - middle);
            let along = x * v - y * u;
            if along.abs() < gap {
                continue;
            }
            let line = &mut lines[(x * u + y * v + patch.edge as f64).round() as usize];
            let half = usize::from(along > 0.0);
            line.heights[0][half] += f64::from(own);
            line.heights[1][half] += f64::from(laid.z[at]);
            line.points[half] += 1.0;
        }
    }
    lines.retain(|line| line.points.iter().all(|&n| n >= LEAST_POINTS));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: usize = 40;

    /// A number between -0.5 and 0.5 that nothing else depends on.
    fn lot(seed: u64, at: u64) -> f32 {
        let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at.wrapping_mul(0xd1b5_4a32_d192_ed03);
        z = (z ^ (z >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
        z = (z ^ (z >> 29)).wrapping_mul(0x81da_def4_bc2d_d44d);
        ((z >> 40) as f32) / 16_777_216.0 - 0.5
    }

    /// Lines down the cell of which `share` of the energy is common to all seeds, under as much texture of its own.
    fn face(seed: u64, share: f32, texture: f32) -> Raster {
        let mut face = Raster { width: EDGE, height: EDGE, pitch: 12.5, ..Raster::default() };
        for y in 0..EDGE as u64 {
            for x in 0..EDGE as u64 {
                let line = share.sqrt() * lot(1, x / 2) + (1.0 - share).sqrt() * lot(100 + seed, x / 2);
                face.z.push(line + texture * lot(7 + seed, 1000 + 64 * y + x));
                face.w.push(1.0);
            }
        }
        face
    }

    /// The share that forty pairs of cells come to.
    fn share(share: f32, texture: f32) -> f64 {
        let sum = (0..40).fold(Common::default(), |sum, k| {
            let [one, other] = [0, 1].map(|of| face(1000 * k + 13 * of, share, texture));
            sum.plus(&of_cell(&Patch::cut(&one, 0, 0, EDGE), &other, [1.0, 0.0]).unwrap())
        });
        sum.both / (sum.own * sum.others).sqrt()
    }

    #[test]
    fn texture_takes_nothing_from_what_is_common() {
        for (common, texture) in [(1.0, 0.5), (1.0, 3.0), (0.7, 0.5), (0.7, 3.0), (0.3, 1.0)] {
            let found = share(common, texture);
            assert!((found - f64::from(common)).abs() < 0.08, "{common} under {texture}: {found}");
        }
    }
}
