//! The canvas in small squares, each with a strength of its own.

use crate::bank::Window;

/// Samples along a side of the blocks that each have a strength of their own.
pub(super) const BLOCK: usize = 6;
/// How far strengths stray from their neighbours'.
pub(super) const STRENGTH_SPREAD: f32 = 0.35;

/// `ln` of the likelihood ratio of a known form of unknown strength against nothing.
pub(super) fn present_evidence(cross: f32, own: f32, strength: f32) -> f32 {
    let trust = 1.0 / STRENGTH_SPREAD.powi(2);
    let mean = strength * trust;
    0.5 * ((cross + mean).powi(2) / (own + trust) - strength * mean) - 0.5 * (own / trust).ln_1p()
}

/// A block and the eight around it, nearer ones with more weight.
pub(super) fn neighbours(block: usize, across: usize) -> impl Iterator<Item = (usize, f32)> {
    let (x, y) = ((block % across) as isize, (block / across) as isize);
    (-1..=1isize).flat_map(move |dy| {
        (-1..=1isize).filter_map(move |dx| {
            let (nx, ny) = (x + dx, y + dy);
            let inside = nx >= 0 && ny >= 0 && nx < across as isize && ny < across as isize;
            let share = [1.0, 0.4, 0.2][(dx.abs() + dy.abs()) as usize];
            inside.then(|| (ny as usize * across + nx as usize, share))
        })
    })
}

/// Where a window cuts the lattice of blocks.
pub(super) struct Blocks {
    window: Window,
    across: usize,
}

impl Blocks {
    pub(super) fn of(window: Window, size: usize) -> Self {
        Self { window, across: size / BLOCK }
    }

    /// For each block inside the window: its number, the inner product of the two, and that of the second with itself.
    pub(super) fn products(&self, seen: &[f32], form: &[f32]) -> Vec<(usize, f32, f32)> {
        let Window { x, y, width, height } = self.window;
        let (left, right) = (x / BLOCK, (x + width - 1) / BLOCK);
        let (top, bottom) = (y / BLOCK, (y + height - 1) / BLOCK);
        let columns = right - left + 1;
        let mut products = vec![(0usize, 0.0f32, 0.0f32); columns * (bottom - top + 1)];
        for (k, product) in products.iter_mut().enumerate() {
            product.0 = (top + k / columns) * self.across + left + k % columns;
        }
        for row in 0..height {
            let line = ((y + row) / BLOCK - top) * columns;
            for column in left..=right {
                let from = (column * BLOCK).max(x) - x + row * width;
                let to = ((column + 1) * BLOCK).min(x + width) - x + row * width;
                let (seen, form) = (&seen[from..to], &form[from..to]);
                let product = &mut products[line + column - left];
                for (s, f) in seen.iter().zip(form) {
                    product.1 += s * f;
                    product.2 += f * f;
                }
            }
        }
        products
    }
}
