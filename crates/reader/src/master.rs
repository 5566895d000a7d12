//! The mean mark in polar form: the part that is the same all around finds centres and scales, the rest of it finds turn
//! and side.

use rustfft::num_complex::Complex32;

use crate::bands::{banded, slopes_of};
use crate::bank::Bank;
use crate::field::Field;
use crate::flanks;
use crate::fourier::Transform;
use crate::pose::Pose;
use crate::raster::Canvas;
use crate::search::{Around, Candidate, Rendering, SCALE_STEP, SearchRange};

/// Angles of the polar form.
const ANGLES: usize = 128;
/// Modules between circles of the polar form.
const CIRCLE_STEP: f32 = 0.6;

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
        let drawn = match rendering {
            Rendering::Flanks => flanks::mean(bank),
            _ => bank.expected(&bank.ignorance()),
        };
        let image = banded(&drawn, canvas);
        let count = ((bank.extent + 1.5) / CIRCLE_STEP) as usize;
        let radii: Vec<f32> = (2..count).map(|k| k as f32 * CIRCLE_STEP).collect();
        let [dx, dy] = slopes_of(&image, canvas.size, canvas.per_module);
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
    pub(crate) fn look_around(
        &self,
        field: &Field,
        range: SearchRange,
        around: Around,
        found: &mut Vec<Candidate>,
    ) {
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
    pub(crate) fn centres(&self, field: &Field, range: SearchRange) -> Vec<([f32; 2], f32)> {
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
                    Rendering::Flanks => std::f32::consts::FRAC_PI_2.copysign(value.re),
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
