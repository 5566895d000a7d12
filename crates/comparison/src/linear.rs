//! Small systems of linear equations.

/// The solution of `m x = y` by Gauss elimination with row exchange; nothing where `m` is singular.
pub(crate) fn solved<const N: usize>(mut m: [[f64; N]; N], mut y: [f64; N]) -> Option<[f64; N]> {
    for pivot in 0..N {
        let largest = (pivot..N).max_by(|&i, &j| m[i][pivot].abs().total_cmp(&m[j][pivot].abs()))?;
        m.swap(pivot, largest);
        y.swap(pivot, largest);
        let scale = m[pivot][pivot];
        if scale.abs() < 1e-12 {
            return None;
        }
        let line = m[pivot].map(|v| v / scale);
        m[pivot] = line;
        y[pivot] /= scale;
        let right = y[pivot];
        for row in (0..N).filter(|&row| row != pivot) {
            let factor = m[row][pivot];
            m[row].iter_mut().zip(line).for_each(|(v, l)| *v -= factor * l);
            y[row] -= factor * right;
        }
    }
    Some(y)
}

/// Adds one observation `terms . x = value` to the normal equations.
pub(crate) fn observe<const N: usize>(m: &mut [[f64; N]; N], y: &mut [f64; N], terms: [f64; N], value: f64) {
    for ((line, right), a) in m.iter_mut().zip(y).zip(terms) {
        line.iter_mut().zip(terms).for_each(|(cell, b)| *cell += a * b);
        *right += a * value;
    }
}
