//! The middle stage: whole surfaces correlated at 50 micrometres, at the turn that the coarse codes propose.

use std::sync::OnceLock;

use super::code::DIRECTIONS;
use crate::fourier::{Planner, Spectrum};
use crate::pose::Pose;
use crate::raster::{Frame, Raster};

/// Samples along an edge: 4.8 mm at 50 micrometres, so that shifts of a millimetre do not wrap round.
const N: usize = 96;
/// Mask samples along an edge, four by four pooled.
const M: usize = N / 4;
/// Shifts looked at either way, in samples.
const REACH: usize = 36;
/// The smallest overlap that counts, as a share of the smaller measured area.
const LEAST_OVERLAP: f32 = 0.2;
/// Heights beyond this many standard deviations are limited.
const LIMIT: f32 = 3.0;
/// Half the square over which roughness is evened, in samples.
const EVENED: usize = 8;

/// Transforms of heights and mask, turned about `centre`.
struct Spectra {
    heights: Spectrum,
    mask: Spectrum,
    measured: f32,
    centre: [f64; 2],
}

/// A query turned in equal steps over half a circle; the other half are mirror images. A turn is made when it is first asked for:
/// few candidates ask for few of them, and many ask from all threads.
pub(crate) struct TurnedQuery {
    source: Raster,
    turns: Vec<OnceLock<Spectra>>,
}

/// How a candidate lies best on the query near one turn, and half a circle from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registration {
    /// A correlation sum over the root of its overlap: standard deviations of the product of unrelated samples.
    pub(crate) strength: f32,
    poses: [Lying; 2],
    centres: [[f64; 2]; 2],
}

/// A turn in radians and, on the candidate, the way from its middle to where the middle of the query lies.
#[derive(Clone, Copy, Debug, Default)]
struct Lying {
    turn: f64,
    way: [f64; 2],
    strength: f64,
}

impl Registration {
    /// The poses of surface `a` (the query) on `b` (the candidate), given the middles that poses are counted from.
    pub(crate) fn poses(&self, a: [f64; 2], b: [f64; 2]) -> [Pose; 2] {
        let [query, candidate] = self.centres;
        self.poses.map(|Lying { turn, way, strength }| {
            let (sin, cos) = (libm::sin(turn), libm::cos(turn));
            let q = [0, 1].map(|k| way[k] + candidate[k] - b[k]);
            let shift =
                [a[0] - query[0] + cos * q[0] + sin * q[1], a[1] - query[1] + cos * q[1] - sin * q[0]];
            Pose { turn, shift, strength }
        })
    }
}

impl TurnedQuery {
    /// From the level at 25 micrometres.
    pub(crate) fn new(level: &Raster) -> Self {
        let source = level.clone().centred(LIMIT).evened(EVENED).centred(LIMIT).boxed();
        Self { source, turns: (0..DIRECTIONS).map(|_| OnceLock::new()).collect() }
    }

    fn at(&self, step: usize, planner: &mut Planner) -> &Spectra {
        let turn = std::f64::consts::PI * step as f64 / DIRECTIONS as f64;
        self.turns[step].get_or_init(|| turned(&self.source, turn, planner))
    }

    /// Where and how strongly a candidate agrees when the query is turned by `turn` steps, or by half a circle more.
    pub(crate) fn register(&self, candidate: &Raster, turn: usize, planner: &mut Planner) -> Registration {
        let level = candidate.halved().centred(LIMIT).evened(EVENED / 2).centred(LIMIT);
        let other = laid(&level, planner);
        let own = self.at(turn % DIRECTIONS, planner);
        let least = LEAST_OVERLAP * own.measured.min(other.measured);
        let mut sums = vec![0.0; (2 * REACH + 1) * N];
        let mut overlaps = vec![0.0; M * M];
        let (reach, half) = (REACH as isize, M as isize / 2);
        let angle = std::f64::consts::PI * turn as f64 / DIRECTIONS as f64;
        let poses = [false, true].map(|mirrored| {
            let heights = [&own.heights[..], &other.heights];
            planner.size(N).correlate(heights, mirrored, -reach..reach + 1, &mut sums);
            let masks = [&own.mask[..], &other.mask];
            planner.size(M).correlate(masks, mirrored, -half..half, &mut overlaps);
            let (strength, [x, y]) = peak(&sums, &overlaps, least);
            let pitch = if mirrored { -level.pitch } else { level.pitch };
            let turn = if mirrored { std::f64::consts::PI - angle } else { -angle };
            Lying { turn, way: [pitch * x, pitch * y], strength: f64::from(strength) }
        });
        let strength = poses[0].strength.max(poses[1].strength) as f32;
        Registration { strength, poses, centres: [own.centre, other.centre] }
    }
}

/// The largest sum over the root of its overlap, and its shift in samples.
fn peak(sums: &[f32], overlaps: &[f32], least: f32) -> (f32, [f64; 2]) {
    // Sums carry the size of their transform; mask samples count sixteen on either side and carry that of theirs.
    let scale = (16 * M * M) as f32;
    let (mut best, mut at) = (0.0_f32, (0, REACH));
    let (mut values, mut overlap, mut lies_at) = ([0.0; N], [0.0; N], usize::MAX);
    for (row, line) in sums.chunks_exact(N).enumerate() {
        let down = ((row as f32 - REACH as f32) / 4.0).round() as isize + (M / 2) as isize;
        let down = down.clamp(0, M as isize - 1) as usize;
        if down != lies_at {
            let coarse = &overlaps[down * M..][..M];
            overlap.iter_mut().enumerate().for_each(|(column, wide)| *wide = coarse[(column + 2) / 4 % M]);
            lies_at = down;
        }
        // All of a row at once, without a branch; where the largest lies is asked of few rows.
        let mut largest = 0.0_f32;
        for ((value, &sum), &overlap) in values.iter_mut().zip(line).zip(&overlap) {
            let strength = sum * sum.abs() / overlap;
            *value = if overlap >= least * scale { strength } else { 0.0 };
        }
        for &value in &values {
            largest = if value > largest { value } else { largest };
        }
        if largest > best {
            let column = values.iter().position(|value| *value == largest).unwrap_or(0);
            (best, at) = (largest, (column, row));
        }
    }
    let across = if at.0 > N / 2 { at.0 as f64 - N as f64 } else { at.0 as f64 };
    (best.sqrt() * scale.sqrt() / (N * N) as f32, [across, at.1 as f64 - REACH as f64])
}

/// The spectra of a smooth surface turned about the middle of its measured area, which comes to lie in the middle of the grid.
fn turned(source: &Raster, turn: f64, planner: &mut Planner) -> Spectra {
    let pitch = 2.0 * source.pitch;
    let half = 0.5 * N as f64 * pitch;
    let (sin, cos) = (libm::sin(turn), libm::cos(turn));
    let centre = middle(source).map(|v| source.offset + source.pitch * v as f64);
    let origin = [centre[0] - (cos - sin) * half, centre[1] - (sin + cos) * half];
    let mut grid = Raster::default();
    source.sampled(&Frame { width: N, height: N, pitch, origin, turn }, &mut grid);
    spectra(grid, centre, planner)
}

/// The spectra of a surface as it lies, its middle in the middle of the grid.
fn laid(level: &Raster, planner: &mut Planner) -> Spectra {
    let at = middle(level);
    let centre = at.map(|v| level.offset + level.pitch * v as f64);
    let mut grid =
        Raster { width: N, height: N, z: vec![0.0; N * N], w: vec![0.0; N * N], ..Raster::default() };
    for y in 0..level.height {
        let to_y = y + N / 2;
        if to_y < at[1] || to_y - at[1] >= N {
            continue;
        }
        let from = at[0].saturating_sub(N / 2);
        let to = level.width.min(at[0] + N / 2);
        let start = (to_y - at[1]) * N + N / 2 + from - at[0];
        grid.z[start..start + to - from]
            .copy_from_slice(&level.z[y * level.width + from..y * level.width + to]);
        grid.w[start..start + to - from]
            .copy_from_slice(&level.w[y * level.width + from..y * level.width + to]);
    }
    spectra(grid, centre, planner)
}

fn spectra(mut grid: Raster, centre: [f64; 2], planner: &mut Planner) -> Spectra {
    let measured = grid.w.iter().sum();
    let mask = planner.size(M).spectrum(&mut pooled(&grid.w));
    Spectra { heights: planner.size(N).spectrum(&mut grid.z), mask, measured, centre }
}

/// The middle of the measured area, to a sample.
fn middle(raster: &Raster) -> [usize; 2] {
    let (mut sum, mut at) = (0.0_f64, [0.0; 2]);
    for (y, row) in raster.w.chunks_exact(raster.width.max(1)).enumerate() {
        let across: f32 = row.iter().sum();
        let along: f32 = row.iter().enumerate().map(|(x, &w)| w * x as f32).sum();
        sum += f64::from(across);
        at[0] += f64::from(along);
        at[1] += f64::from(across) * y as f64;
    }
    at.map(|total| (total / sum.max(1.0)).round() as usize)
}

/// Sums of the mask over four by four samples, placed so that the middle sample stays in the middle.
fn pooled(mask: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; M * M];
    for (y, row) in mask.chunks_exact(N).enumerate() {
        let sums = &mut out[(y + 2) / 4 % M * M..][..M];
        // The first square lies half on either edge.
        sums[0] += row[0] + row[1] + row[N - 2] + row[N - 1];
        for (sum, four) in sums[1..].iter_mut().zip(row[2..].as_chunks::<4>().0) {
            *sum += four[0] + four[1] + four[2] + four[3];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooled_mask_keeps_its_middle() {
        let mask: Vec<f32> = (0..N * N).map(|k| f32::from(u8::from((k * 7919) % 11 > 3))).collect();
        let mut expected = vec![0.0; M * M];
        for y in 0..N {
            for x in 0..N {
                expected[((y + 2) / 4 % M) * M + (x + 2) / 4 % M] += mask[y * N + x];
            }
        }
        assert_eq!(pooled(&mask), expected);
    }
}
