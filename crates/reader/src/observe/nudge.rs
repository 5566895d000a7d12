//! Where the pose should move, by what the residual says.

use super::Observer;
use crate::fourier::Transform;
use crate::vectors::{dot, solve_symmetric};

impl Observer<'_> {
    /// Moves the pose by what the residual says (one Gauss-Newton step on turn, scale and shear).
    pub(crate) fn nudge(&mut self) {
        let size = self.bank.canvas.size;
        let canvas = self.bank.canvas;
        let transform = Transform::of(size, size);
        let drawn = transform.spectrum(&self.drawn());
        let shown = transform.real(drawn.iter().zip(&self.kernel.spectrum).map(|(d, k)| d * k).collect());
        let rest: Vec<f32> =
            self.seen.iter().zip(&shown).zip(&self.known).map(|((s, m), k)| (s - m) * k).collect();
        let slope = |place: usize| {
            let (x, y) = (place % size, place / size);
            let at = |x: usize, y: usize| shown[y.min(size - 1) * size + x.min(size - 1)];
            let scale = 0.5 * canvas.per_module;
            [
                scale * (at(x + 1, y) - at(x.saturating_sub(1), y)),
                scale * (at(x, y + 1) - at(x, y.saturating_sub(1))),
            ]
        };
        let slopes: Vec<[f32; 2]> = (0..size * size).map(slope).collect();
        // The drawing at (u, v) moves by J (u, v): four entries of J and two of the shift.
        let column = |k: usize| -> Vec<f32> {
            let at = |(place, [sx, sy]): (usize, &[f32; 2])| {
                let (u, v) =
                    (canvas.modules_of((place % size) as f32), canvas.modules_of((place / size) as f32));
                -self.known[place] * [u * sx, v * sx, u * sy, v * sy, *sx, *sy][k]
            };
            slopes.iter().enumerate().map(at).collect()
        };
        let whitened = |one: &[f32], other: &[f32]| transform.filtered(one, other, &self.whitener.gain);
        let columns: Vec<Vec<f32>> =
            (0..3).flat_map(|k| whitened(&column(2 * k), &column(2 * k + 1))).collect();
        let [rest, _] = whitened(&rest, &vec![0.0; size * size]);
        let mut matrix = vec![0.0; 36];
        for i in 0..6 {
            for j in 0..=i {
                matrix[i * 6 + j] = f64::from(dot(&columns[i], &columns[j]));
            }
            let belief: f64 = if i < 4 { 0.02 } else { 0.05 };
            matrix[i * 6 + i] += belief.powi(-2);
        }
        let right = columns.iter().map(|column| f64::from(dot(column, &rest))).collect();
        if let Some(step) = solve_symmetric(matrix, right) {
            let s: Vec<f32> = step.iter().map(|&value| (0.5 * value as f32).clamp(-0.05, 0.05)).collect();
            self.pose = self.pose.after([0.0, 0.0], [1.0 + s[0], s[1], s[2], 1.0 + s[3]]);
            self.look();
        }
    }
}
