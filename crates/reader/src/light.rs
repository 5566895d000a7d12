//! One lamp from one side: where it stands, and the relief that its shading stands for.

use rustfft::num_complex::Complex32;
use topography::{Grid, Length};

use crate::bands::SLOW_MODULES;
use crate::field::{Field, Surface};
use crate::fourier::Transform;

/// The directions along which a picture may be a slope, radians: one where the bowl tells (from its even shading from
/// one side to the other), else some all around. The sign stays open.
pub(crate) fn directions(field: &Field) -> Vec<f32> {
    let (width, height) = (field.values.width(), field.values.height());
    let middle = [0.5 * width as f32, 0.5 * height as f32];
    let reach = 0.36 * width.min(height) as f32;
    let mut sums = [0.0f64; 5];
    let mut count = 0.0f64;
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f32 - middle[0], y as f32 - middle[1]);
            if dx * dx + dy * dy < reach * reach && field.known[(x, y)] > 0.0 {
                let value = f64::from(field.values[(x, y)]);
                let (dx, dy) = (f64::from(dx), f64::from(dy));
                sums = [
                    sums[0] + value,
                    sums[1] + value * dx,
                    sums[2] + value * dy,
                    sums[3] + value * value,
                    sums[4] + 0.5 * (dx * dx + dy * dy),
                ];
                count += 1.0;
            }
        }
    }
    let spread = sums[3] - sums[0] * sums[0] / count.max(1.0);
    let slope = (sums[1].powi(2) + sums[2].powi(2)) / sums[4].max(1.0);
    if slope > 0.15 * spread {
        return vec![sums[2].atan2(sums[1]) as f32];
    }
    (0..6).map(|k| std::f32::consts::PI * k as f32 / 6.0).collect()
}

/// Whether a picture is lit from one side, as far as its bowl tells.
pub(crate) fn one_sided(surface: &Surface) -> bool {
    lamp(surface).is_some()
}

/// The direction of the light of a picture that is lit from one side, whichever way along it.
pub(crate) fn lamp(surface: &Surface) -> Option<[f32; 2]> {
    let [width, height] = surface.extent_um();
    let pitch = (width.min(height) / 64.0).max(1.0);
    let field = surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)));
    let [only] = directions(&field)[..] else { return None };
    let (sin, cos) = only.sin_cos();
    Some([cos, sin])
}

/// The relief whose slope along a direction the field is, as far as the noise allows (a Wiener filter).
pub(crate) fn lifted(field: &Field, direction: f32, module: f32) -> Field {
    let (width, height) = (field.values.width(), field.values.height());
    let margin = (4.0 * module) as usize;
    let size = |k: usize| (k + margin).div_ceil(16) * 16;
    let (across, down) = (size(width), size(height));
    let transform = Transform::of(across, down);
    let mut frame = vec![0.0; across * down];
    for y in 0..height {
        frame[y * across..y * across + width].copy_from_slice(field.values.row(y));
    }
    let mut spectrum = transform.spectrum(&frame);
    let (sin, cos) = direction.sin_cos();
    let floor = (std::f32::consts::TAU * LOWEST).powi(2);
    for (place, value) in spectrum.iter_mut().enumerate() {
        let (fx, fy) = transform.frequency(place);
        let along = std::f32::consts::TAU * module * (cos * fx + sin * fy);
        *value *= Complex32::new(0.0, -along / (along * along + floor));
    }
    let plane = transform.real(spectrum);
    let mut lifted = field.clone();
    lifted.values = Grid::from_fn(width, height, |x, y| plane[y * across + x]);
    lifted.take_slow_waves(SLOW_MODULES * module);
    lifted.evened(2.0 * SLOW_MODULES * module, 2.5)
}

/// Slower slopes than this (cycles per module) say little about relief.
const LOWEST: f32 = 0.2;
