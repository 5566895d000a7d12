//! The coarse search: where, how turned, how large and which side up could a mark lie?
//!
//! First the part of the mean mark that is the same all around finds centres and scales, then the rest of it, in polar
//! form, finds turn and side for each.

use rustfft::num_complex::Complex32;

use crate::bank::{Bank, Window};
use crate::field::{Field, blur};
use crate::fourier::Transform;
use crate::pose::Pose;
use crate::raster::Canvas;

/// How relief becomes what the instrument shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// The values are heights.
    Height,
    /// Light from one side: the slope towards the light.
    Slope,
    /// Light from all sides, or electrons: edges.
    Edge,
    /// The values are heights, made of pictures by what their bowl shows.
    Relief,
}

/// One place worth a closer look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// How well the mean mark fits (larger is better).
    pub(crate) score: f32,
    pub(crate) pose: Pose,
    /// The direction of the slope in the field, radians (slopes only), or 0 / pi for the sign.
    pub(crate) azimuth: f32,
}

/// What the search goes through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchRange {
    /// Samples of the field to a module at scale 1.
    pub(crate) module: f32,
    /// The smallest and largest scale.
    pub(crate) scales: [f32; 2],
    /// How many centres are looked at closely beside the middle of the bowl.
    pub(crate) centres: usize,
    /// The middle of the bowl, in samples.
    pub(crate) bowl: [f32; 2],
}

const SCALE_STEP: f32 = 1.03;
/// Angles of the polar form.
const ANGLES: usize = 128;
/// Modules between circles of the polar form.
const CIRCLE_STEP: f32 = 0.6;
const KEPT: usize = 16;

/// Finds the poses where the mean mark fits best, over all turns, scales, places and both sides.
pub(crate) fn search(field: &Field, master: &Master, range: SearchRange) -> Vec<Candidate> {
    let mut found = Vec::new();
    let steps = (range.scales[1] / range.scales[0]).ln() / SCALE_STEP.ln();
    let middle = (range.scales[0] * range.scales[1]).sqrt();
    let around = Around {
        centre: range.bowl,
        step: 1.0,
        reach: 3,
        scale: middle,
        scales: (steps / 2.0).ceil() as i32,
    };
    master.look_around(field, range, around, &mut found);
    for (centre, scale) in master.centres(field, range) {
        let around = Around { centre, step: 0.8, reach: 1, scale, scales: 1 };
        master.look_around(field, range, around, &mut found);
    }
    distinct(found, range.module)
}

/// Centres where the circular mean of the marks fits best, at any scale.
pub(crate) fn ring_centres(field: &Field, master: &Master, range: SearchRange) -> Vec<[f32; 2]> {
    master.centres(field, range).into_iter().map(|(centre, _)| centre).collect()
}

/// A neighbourhood of centres and scales.
#[derive(Clone, Copy)]
struct Around {
    centre: [f32; 2],
    /// Modules between centres.
    step: f32,
    /// Steps to each side.
    reach: i32,
    scale: f32,
    /// Steps of scale to each side.
    scales: i32,
}

/// The mean mark without its slow waves, in polar form.
pub(crate) struct Master {
    rendering: Rendering,
    radii: Vec<f32>,
    /// Mean over each circle: real for heights and edges, along the radius for slopes.
    profile: Vec<f32>,
    /// The rest, as spectra over the angle, one circle after another; slopes as `x + iy` in the frame of the mark.
    circles: Vec<Complex32>,
}

impl Master {
    pub(crate) fn of(bank: &Bank, rendering: Rendering) -> Self {
        let canvas = bank.canvas;
        let image = banded(&bank.expected(&bank.ignorance()), canvas);
        let count = ((bank.extent + 1.5) / CIRCLE_STEP) as usize;
        let radii: Vec<f32> = (2..count).map(|k| k as f32 * CIRCLE_STEP).collect();
        let (dx, dy) = slopes_of(&image, canvas.size, canvas.per_module);
        let mut circles = Vec::with_capacity(radii.len() * ANGLES);
        let mut profile = Vec::new();
        for &radius in &radii {
            let mut circle: Vec<Complex32> = (0..ANGLES)
                .map(|k| {
                    let (sin, cos) = angle(k).sin_cos();
                    let at = |plane: &[f32]| lookup(plane, canvas, radius * cos, radius * sin);
                    if rendering == Rendering::Slope {
                        Complex32::new(at(&dx), at(&dy))
                    } else {
                        Complex32::new(at(&image), 0.0)
                    }
                })
                .collect();
            let outward = |k: usize| {
                if rendering == Rendering::Slope {
                    Complex32::from_polar(1.0, angle(k))
                } else {
                    Complex32::new(1.0, 0.0)
                }
            };
            let mean =
                circle.iter().enumerate().map(|(k, value)| (value * outward(k).conj()).re).sum::<f32>()
                    / ANGLES as f32;
            profile.push(mean);
            circle
                .iter_mut()
                .enumerate()
                .for_each(|(k, value)| *value = (*value - outward(k) * mean) * radius);
            Transform::of(ANGLES, 1).forward(&mut circle);
            circles.extend(circle);
        }
        Self { rendering, radii, profile, circles }
    }

    /// The best turns at all centres and scales of a neighbourhood.
    fn look_around(&self, field: &Field, range: SearchRange, around: Around, found: &mut Vec<Candidate>) {
        for finer in -around.scales..=around.scales {
            let scale = around.scale * SCALE_STEP.powi(finer);
            let step = around.step * range.module * scale;
            for dy in -around.reach..=around.reach {
                for dx in -around.reach..=around.reach {
                    let near = [around.centre[0] + dx as f32 * step, around.centre[1] + dy as f32 * step];
                    self.turns(field, near, range.module * scale, found);
                }
            }
        }
    }

    /// Centres and scales where the circular mean fits best.
    fn centres(&self, field: &Field, range: SearchRange) -> Vec<([f32; 2], f32)> {
        let (width, height) = (field.values.width(), field.values.height());
        let (across, down) = (padded(width), padded(height));
        let transform = Transform::of(across, down);
        let mut frame = vec![0.0; across * down];
        for y in 0..height {
            frame[y * across..y * across + width].copy_from_slice(field.values.row(y));
        }
        let spectrum = transform.spectrum(&frame);
        let mut found: Vec<(f32, [f32; 2], f32)> = Vec::new();
        let mut scale = range.scales[0];
        while scale <= range.scales[1] * 1.001 {
            let mut template = self.ring(range.module * scale, (across, down));
            transform.forward(&mut template);
            template.iter_mut().zip(&spectrum).for_each(|(value, image)| *value = image * value.conj());
            transform.inverse(&mut template);
            let score = |x: usize, y: usize| template[y * across + x].norm() / scale;
            for y in 1..height.saturating_sub(1) {
                for x in 1..width.saturating_sub(1) {
                    let here = score(x, y);
                    let near = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
                    if near.iter().all(|&(x, y)| score(x, y) <= here) {
                        found.push((here, [x as f32, y as f32], scale));
                    }
                }
            }
            scale *= SCALE_STEP;
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut kept: Vec<([f32; 2], f32)> = Vec::new();
        for (_, centre, scale) in found {
            let apart = |other: &([f32; 2], f32)| {
                (centre[0] - other.0[0]).hypot(centre[1] - other.0[1]) > 2.0 * range.module
                    || (scale / other.1).ln().abs() > 0.05
            };
            if kept.iter().all(apart) {
                kept.push((centre, scale));
                if kept.len() == range.centres {
                    break;
                }
            }
        }
        kept
    }

    /// The circular mean around sample (0, 0), wrapped, with unit norm at scale 1.
    fn ring(&self, module: f32, frame: (usize, usize)) -> Vec<Complex32> {
        let mut out = vec![Complex32::default(); frame.0 * frame.1];
        let reach =
            ((self.radii[self.radii.len() - 1] * module) as isize).min(frame.0.min(frame.1) as isize / 2 - 1);
        for y in -reach..=reach {
            for x in -reach..=reach {
                let radius = (x as f32).hypot(y as f32) / module;
                let place = ((radius - self.radii[0]) / CIRCLE_STEP).max(0.0);
                let low = place as usize;
                if low + 1 >= self.profile.len() {
                    continue;
                }
                let value = self.profile[low] * (1.0 - place.fract()) + self.profile[low + 1] * place.fract();
                let at = y.rem_euclid(frame.1 as isize) as usize * frame.0
                    + x.rem_euclid(frame.0 as isize) as usize;
                out[at] = if self.rendering == Rendering::Slope {
                    Complex32::from_polar(value, (y as f32).atan2(x as f32))
                } else {
                    Complex32::new(value, 0.0)
                };
            }
        }
        out
    }

    /// The best turns of both sides about one centre at one scale.
    fn turns(&self, field: &Field, centre: [f32; 2], module: f32, found: &mut Vec<Candidate>) {
        let transform = Transform::of(ANGLES, 1);
        let mut sums = [vec![Complex32::default(); ANGLES], vec![Complex32::default(); ANGLES]];
        let mut power = 1e-6f32;
        let rays: Vec<(f32, f32)> = (0..ANGLES).map(|k| angle(k).sin_cos()).collect();
        for (&radius, circle) in self.radii.iter().zip(self.circles.chunks_exact(ANGLES)) {
            let mut seen: Vec<Complex32> = rays
                .iter()
                .map(|&(sin, cos)| {
                    let r = radius * module;
                    Complex32::new(field.at(centre[0] + r * cos, centre[1] + r * sin).0, 0.0)
                })
                .collect();
            let mean = seen.iter().map(|value| value.re).sum::<f32>() / ANGLES as f32;
            power += radius * seen.iter().map(|value| (value.re - mean).powi(2)).sum::<f32>();
            transform.forward(&mut seen);
            for k in 0..ANGLES {
                // A mark turned by t shows at angle b what it has at b - t; its mirror image, what it has at pi - (b - t).
                sums[0][k] += seen[k] * circle[k].conj();
                let other = circle[(ANGLES - k) % ANGLES];
                let half = if k % 2 == 0 { 1.0 } else { -1.0 };
                let mirrored = if self.rendering == Rendering::Slope { -circle[k].conj() } else { other };
                sums[1][k] += seen[k] * mirrored.conj() * half;
            }
        }
        for (side, mut sum) in sums.into_iter().enumerate() {
            transform.inverse(&mut sum);
            for _ in 0..2 {
                let Some(turn) = (0..ANGLES).max_by(|&a, &b| sum[a].norm_sqr().total_cmp(&sum[b].norm_sqr()))
                else {
                    break;
                };
                let rotation = angle(turn);
                let value = sum[turn];
                let azimuth = match self.rendering {
                    Rendering::Slope => rotation - value.arg(),
                    _ if value.re < 0.0 => std::f32::consts::PI,
                    _ => 0.0,
                };
                found.push(Candidate {
                    score: value.norm() / power.sqrt(),
                    pose: Pose::similar(centre, module, rotation, side == 1),
                    azimuth,
                });
                for k in 0..5 {
                    sum[(turn + ANGLES + k - 2) % ANGLES] = Complex32::default();
                }
            }
        }
    }
}

fn angle(k: usize) -> f32 {
    std::f32::consts::TAU * k as f32 / ANGLES as f32
}

fn padded(size: usize) -> usize {
    size.div_ceil(32) * 32
}

fn lookup(plane: &[f32], canvas: Canvas, u: f32, v: f32) -> f32 {
    let size = canvas.size;
    let (x, y) = (canvas.sample_of(u), canvas.sample_of(v));
    if !(x >= 0.0 && y >= 0.0 && x < (size - 1) as f32 && y < (size - 1) as f32) {
        return 0.0;
    }
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = y0 * size + x0;
    let row = |at: usize| plane[at] * (1.0 - fx) + plane[at + 1] * fx;
    row(at) * (1.0 - fy) + row(at + size) * fy
}

/// Blurs by four tenths of a module and takes off what is slower than [`SLOW_MODULES`], as the field is prepared.
fn banded(image: &[f32], canvas: Canvas) -> Vec<f32> {
    let fine = blur(image, canvas.size, canvas.size, 0.4 * canvas.per_module);
    let slow = blur(&fine, canvas.size, canvas.size, SLOW_MODULES * canvas.per_module);
    fine.iter().zip(slow).map(|(a, b)| a - b).collect()
}

/// Waves longer than this (Gaussian sigma, modules) are taken off fields and templates alike.
pub(crate) const SLOW_MODULES: f32 = 2.5;

/// Central differences over one module, per module.
pub(crate) fn slopes_of(image: &[f32], width: usize, per_module: f32) -> (Vec<f32>, Vec<f32>) {
    let height = image.len() / width;
    let half = (0.5 * per_module).round().max(1.0) as usize;
    let at = |x: usize, y: usize| image[y.min(height - 1) * width + x.min(width - 1)];
    let along = |x: usize, y: usize| at(x + half, y) - at(x.saturating_sub(half), y);
    let across = |x: usize, y: usize| at(x, y + half) - at(x, y.saturating_sub(half));
    let places = || (0..image.len()).map(|i| (i % width, i / width));
    (places().map(|(x, y)| along(x, y)).collect(), places().map(|(x, y)| across(x, y)).collect())
}

/// The band filter of [`banded`] over a window that is zero outside: two pairs of small matrices.
pub(crate) struct Bands {
    width: usize,
    fine: [Vec<f32>; 2],
    slow: [Vec<f32>; 2],
}

impl Bands {
    pub(crate) fn over(window: Window, canvas: Canvas) -> Self {
        let pair = |sigma: f32| [weights(window.width, sigma), weights(window.height, sigma)];
        let fine = 0.4 * canvas.per_module;
        let slow = (fine * fine + (SLOW_MODULES * canvas.per_module).powi(2)).sqrt();
        Self { width: window.width, fine: pair(fine), slow: pair(slow) }
    }

    pub(crate) fn apply(&self, shape: &[f32]) -> Vec<f32> {
        let fine = separable(shape, self.width, &self.fine);
        let slow = separable(shape, self.width, &self.slow);
        fine.iter().zip(slow).map(|(a, b)| a - b).collect()
    }
}

/// Gaussian weights from every sample to every other.
fn weights(size: usize, sigma: f32) -> Vec<f32> {
    let scale = 1.0 / (sigma * (2.0 * std::f32::consts::PI).sqrt());
    let of = |i: usize| ((i / size) as f32 - (i % size) as f32) / sigma;
    (0..size * size).map(|i| scale * (-0.5 * of(i) * of(i)).exp()).collect()
}

fn separable(image: &[f32], width: usize, [across, down]: &[Vec<f32>; 2]) -> Vec<f32> {
    let height = image.len() / width;
    let mut rows = vec![0.0; image.len()];
    for (row, out) in image.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        for (value, weights) in row.iter().zip(across.chunks_exact(width)) {
            if *value != 0.0 {
                out.iter_mut().zip(weights).for_each(|(o, w)| *o += value * w);
            }
        }
    }
    let mut out = vec![0.0; image.len()];
    for (to, weights) in out.chunks_exact_mut(width).zip(down.chunks_exact(height)) {
        for (row, weight) in rows.chunks_exact(width).zip(weights) {
            to.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
        }
    }
    out
}

/// The best candidates, no two of them alike.
pub(crate) fn distinct(mut found: Vec<Candidate>, module: f32) -> Vec<Candidate> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in found {
        if kept.iter().all(|other| !alike(&candidate.pose, &other.pose, module)) {
            kept.push(candidate);
            if kept.len() == KEPT {
                break;
            }
        }
    }
    kept
}

fn alike(a: &Pose, b: &Pose, module: f32) -> bool {
    let near = (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]) < 2.0 * module;
    let turn = (a.rotation() - b.rotation()).rem_euclid(std::f32::consts::TAU);
    let turn = turn.min(std::f32::consts::TAU - turn);
    near && a.mirrored() == b.mirrored() && turn < 0.1 && (a.module() / b.module()).ln().abs() < 0.07
}
