//! Gaussian and exponential smoothing of a grid, with edges held.

use topography::Grid;

/// Gaussian smoothing of standard deviation `sigma` in samples; nothing below a tenth of a sample.
pub(crate) fn gaussian(grid: &mut Grid<f32>, sigma: f64) {
    if sigma < 0.1 || grid.samples().is_empty() {
        return;
    }
    let kernel = half_kernel(sigma);
    smooth_rows(grid, &kernel);
    smooth_columns(grid, &kernel);
}

/// The one-sided exponential smear of length constant `length` in samples, towards the end of each row.
pub(crate) fn smear_rows(grid: &mut Grid<f32>, length: f64) {
    if length <= 0.0 {
        return;
    }
    let keep = libm::exp(-1.0 / length) as f32;
    for y in 0..grid.height() {
        let mut carried = 0.0f32;
        for sample in grid.row_mut(y) {
            carried = keep * carried + (1.0 - keep) * *sample;
            *sample = carried;
        }
    }
}

/// Replaces each missing height by the last one measured before it, row by row.
pub(crate) fn hold_missing(heights: &mut Grid<f32>) {
    let mut last = heights.samples().iter().copied().find(|height| height.is_finite()).unwrap_or(0.0);
    for sample in heights.samples_mut() {
        if sample.is_finite() {
            last = *sample;
        } else {
            *sample = last;
        }
    }
}

/// The middle and one side of the kernel; the whole sums to 1.
fn half_kernel(sigma: f64) -> Vec<f32> {
    let reach = (3.5 * sigma).ceil() as usize;
    let weights: Vec<f64> =
        (0..=reach).map(|i| libm::exp(-0.5 * (i as f64 / sigma) * (i as f64 / sigma))).collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - weights[0];
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

fn smooth_rows(grid: &mut Grid<f32>, kernel: &[f32]) {
    let reach = kernel.len() - 1;
    let width = grid.width();
    let mut padded = vec![0.0f32; width + 2 * reach];
    for y in 0..grid.height() {
        let row = grid.row_mut(y);
        padded[..reach].fill(row[0]);
        padded[reach..reach + width].copy_from_slice(row);
        padded[reach + width..].fill(row[width - 1]);
        for (target, source) in row.iter_mut().zip(&padded[reach..]) {
            *target = kernel[0] * source;
        }
        for (i, weight) in kernel.iter().enumerate().skip(1) {
            let (left, right) = (&padded[reach - i..][..width], &padded[reach + i..][..width]);
            for ((target, a), b) in row.iter_mut().zip(left).zip(right) {
                *target += weight * (a + b);
            }
        }
    }
}

fn smooth_columns(grid: &mut Grid<f32>, kernel: &[f32]) {
    let source = grid.clone();
    let last = grid.height() - 1;
    for y in 0..grid.height() {
        let row = grid.row_mut(y);
        for sample in row.iter_mut() {
            *sample *= kernel[0];
        }
        for (i, weight) in kernel.iter().enumerate().skip(1) {
            let (above, below) = (source.row(y.saturating_sub(i)), source.row((y + i).min(last)));
            for ((target, a), b) in row.iter_mut().zip(above).zip(below) {
                *target += weight * (a + b);
            }
        }
    }
}
