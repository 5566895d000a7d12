//! Gaussian means of planes.

/// A Gaussian blur of `sigma` samples by three box means (exact kernel below two samples); nothing beyond the edge.
pub(crate) fn blur(plane: &[f32], width: usize, height: usize, sigma: f32) -> Vec<f32> {
    if sigma < 0.2 {
        return plane.to_vec();
    }
    let rows = blur_rows(plane, width, sigma);
    let columns = blur_rows(&turned(&rows, width, height), height, sigma);
    turned(&columns, height, width)
}

fn turned(plane: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut out = vec![0.0; plane.len()];
    for (y, row) in plane.chunks_exact(width).enumerate() {
        for (x, &value) in row.iter().enumerate() {
            out[x * height + y] = value;
        }
    }
    out
}

fn blur_rows(plane: &[f32], width: usize, sigma: f32) -> Vec<f32> {
    if sigma < 2.0 {
        let reach = (3.5 * sigma).ceil() as isize;
        let kernel: Vec<f32> =
            (-reach..=reach).map(|k| (-(k * k) as f32 / (2.0 * sigma * sigma)).exp()).collect();
        let total: f32 = kernel.iter().sum();
        let mut out = vec![0.0; plane.len()];
        for (row, out) in plane.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            for (x, out) in out.iter_mut().enumerate() {
                let from = (x as isize - reach).max(0);
                let to = (x as isize + reach + 1).min(width as isize);
                let weights = &kernel[(from + reach - x as isize) as usize..];
                *out = row[from as usize..to as usize].iter().zip(weights).map(|(v, w)| v * w).sum::<f32>()
                    / total;
            }
        }
        return out;
    }
    let reach = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
    let mut out = plane.to_vec();
    let mut sums = vec![0.0f64; width + 1];
    for row in out.chunks_exact_mut(width) {
        for _ in 0..3 {
            for x in 0..width {
                sums[x + 1] = sums[x] + f64::from(row[x]);
            }
            for (x, value) in row.iter_mut().enumerate() {
                let (from, to) = (x.saturating_sub(reach), (x + reach + 1).min(width));
                *value = ((sums[to] - sums[from]) / (2 * reach + 1) as f64) as f32;
            }
        }
    }
    out
}
