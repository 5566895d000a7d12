//! What the search looks at: neither finer than a stroke nor slower than a mark.

use crate::bank::Window;
use crate::blur::blur;
use crate::raster::Canvas;

/// Blurs by four tenths of a module and takes off what is slower than [`SLOW_MODULES`], as the field is prepared.
pub(crate) fn banded(image: &[f32], canvas: Canvas) -> Vec<f32> {
    let fine = blur(image, canvas.size, canvas.size, 0.4 * canvas.per_module);
    let slow = blur(&fine, canvas.size, canvas.size, SLOW_MODULES * canvas.per_module);
    fine.iter().zip(slow).map(|(a, b)| a - b).collect()
}

/// Waves longer than this (Gaussian sigma, modules) are taken off fields and templates alike.
pub(crate) const SLOW_MODULES: f32 = 2.5;

/// Central differences over one module, per module.
pub(crate) fn slopes_of(image: &[f32], width: usize, per_module: f32) -> [Vec<f32>; 2] {
    let height = image.len() / width;
    let half = (0.5 * per_module).round().max(1.0) as usize;
    let at = |x: usize, y: usize| image[y.min(height - 1) * width + x.min(width - 1)];
    let along = |x: usize, y: usize| at(x + half, y) - at(x.saturating_sub(half), y);
    let across = |x: usize, y: usize| at(x, y + half) - at(x, y.saturating_sub(half));
    let places = || (0..image.len()).map(|i| (i % width, i / width));
    [places().map(|(x, y)| along(x, y)).collect(), places().map(|(x, y)| across(x, y)).collect()]
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
        let slow = separable(shape, self.width, &self.slow);
        self.softened(shape).iter().zip(slow).map(|(a, b)| a - b).collect()
    }

    /// Without what is finer than the search sees.
    pub(crate) fn softened(&self, shape: &[f32]) -> Vec<f32> {
        separable(shape, self.width, &self.fine)
    }

    /// Without slow waves.
    pub(crate) fn quickened(&self, shape: &[f32]) -> Vec<f32> {
        let slow = separable(shape, self.width, &self.slow);
        shape.iter().zip(slow).map(|(a, b)| a - b).collect()
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
