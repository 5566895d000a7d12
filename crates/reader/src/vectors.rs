//! Sums over slices, in a fixed order that the machine can do several at a time.

const LANES: usize = 16;

/// The inner product of two slices of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for k in 0..LANES {
            lanes[k] += x[k] * y[k];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `ln(sum(exp(x)))` without overflow.
pub(crate) fn log_sum_exp(values: &[f32]) -> f32 {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most.is_finite() {
        // What is far below the greatest does not count in this precision.
        let sum: f32 =
            values.iter().filter(|&&value| value > most - 17.0).map(|value| (value - most).exp()).sum();
        most + sum.ln()
    } else {
        most
    }
}

/// Probabilities in proportion to `exp(x)`.
pub(crate) fn softmax(values: &[f32]) -> Vec<f32> {
    let total = log_sum_exp(values);
    values.iter().map(|value| (value - total).exp()).collect()
}

/// Solves a symmetric positive definite system by Cholesky's method; nothing where it is not one.
pub(crate) fn solve_symmetric(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let (upper, lower) = (&matrix[j * n..j * n + j], &matrix[i * n..i * n + j]);
            let mut lanes = [0.0f64; 8];
            let mut sum = 0.0;
            for (a, b) in lower.chunks_exact(8).zip(upper.chunks_exact(8)) {
                for k in 0..8 {
                    lanes[k] += a[k] * b[k];
                }
            }
            let done = j / 8 * 8;
            for k in done..j {
                sum += lower[k] * upper[k];
            }
            let left = matrix[i * n + j] - sum - lanes.iter().sum::<f64>();
            if i == j {
                if left <= 0.0 {
                    return None;
                }
                matrix[i * n + i] = left.sqrt();
            } else {
                matrix[i * n + j] = left / matrix[j * n + j];
            }
        }
    }
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| matrix[i * n + k] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| matrix[k * n + i] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * n + i];
    }
    Some(right)
}
