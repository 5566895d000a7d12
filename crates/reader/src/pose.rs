//! Where a mark lies on a surface.

use crate::field::Field;
use crate::raster::Canvas;

/// Turns places of a mark (modules) into places of a field (samples): `centre + matrix * (u, v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    /// The middle of the mark, in samples of the field.
    pub(crate) centre: [f32; 2],
    /// Samples of the field to a module, row by row; a negative determinant is a mirrored mark.
    pub(crate) matrix: [f32; 4],
}

impl Pose {
    /// A similar picture of the mark: `module` samples to a module, turned by `rotation` radians (from +x to +y).
    pub(crate) fn similar(centre: [f32; 2], module: f32, rotation: f32, mirrored: bool) -> Self {
        let (sin, cos) = rotation.sin_cos();
        let side = if mirrored { -1.0 } else { 1.0 };
        Self { centre, matrix: [module * cos * side, -module * sin, module * sin * side, module * cos] }
    }

    /// The field place of a mark place.
    pub(crate) fn place(&self, u: f32, v: f32) -> (f32, f32) {
        let [a, b, c, d] = self.matrix;
        (self.centre[0] + a * u + b * v, self.centre[1] + c * u + d * v)
    }

    /// The mark place of a field place.
    pub(crate) fn within(&self, x: f32, y: f32) -> [f32; 2] {
        let [a, b, c, d] = self.matrix;
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        [(d * dx - b * dy) / self.determinant(), (a * dy - c * dx) / self.determinant()]
    }

    /// Samples of the field to a module.
    pub(crate) fn module(&self) -> f32 {
        self.determinant().abs().sqrt()
    }

    /// How much longer the mark is drawn along one axis than along the other, as a share.
    pub(crate) fn distortion(&self) -> f32 {
        let [a, b, c, d] = self.matrix;
        // The singular values of the matrix are the sum and the difference of these.
        let (same, apart) = (0.5 * (a + d).hypot(c - b), 0.5 * (a - d).hypot(c + b));
        2.0 * same.min(apart) / (same - apart).abs().max(1e-12)
    }

    /// Whether the mark is seen from behind.
    pub(crate) fn mirrored(&self) -> bool {
        self.determinant() < 0.0
    }

    /// The turn from upright, radians, from +x to +y of the field.
    pub(crate) fn rotation(&self) -> f32 {
        let [a, b, c, d] = self.matrix;
        if self.mirrored() { (-b - c).atan2(d - a) } else { (c - b).atan2(a + d) }
    }

    /// Whether marks at both poses lie on each other, but for a small part of a stroke.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let apart = (self.centre[0] - other.centre[0]).hypot(self.centre[1] - other.centre[1]);
        let (sin, cos) = (self.rotation() - other.rotation()).sin_cos();
        self.mirrored() == other.mirrored()
            && apart < 0.5 * self.module()
            && sin.atan2(cos).abs() < 0.025
            && (self.module() / other.module()).ln().abs() < 0.02
    }

    fn determinant(&self) -> f32 {
        let [a, b, c, d] = self.matrix;
        a * d - b * c
    }

    /// The same pose in a field with another pitch whose samples begin at another corner.
    pub(crate) fn moved(&self, factor: f32, shift: [f32; 2]) -> Self {
        Self {
            centre: [self.centre[0] * factor + shift[0], self.centre[1] * factor + shift[1]],
            matrix: self.matrix.map(|value| value * factor),
        }
    }

    /// First this change of the mark's own frame (modules), then the pose.
    pub(crate) fn after(&self, shift: [f32; 2], change: [f32; 4]) -> Self {
        let [a, b, c, d] = self.matrix;
        let [p, q, r, s] = change;
        let (x, y) = self.place(shift[0], shift[1]);
        Self { centre: [x, y], matrix: [a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s] }
    }

    /// The values of the field seen in the frame of the mark, row by row, in spans (row, first, end); 0 elsewhere.
    pub(crate) fn values(&self, field: &Field, canvas: Canvas, spans: &[[usize; 3]]) -> Vec<f32> {
        let mut values = vec![0.0; canvas.size * canvas.size];
        let (width, height) = (field.values.width(), field.values.height());
        let samples = field.values.samples();
        let [a, _, c, _] = self.matrix;
        let step = 1.0 / canvas.per_module;
        let limit = [(width - 1) as f32, (height - 1) as f32];
        for &[y, from, to] in spans {
            let (mut px, mut py) = self.place(canvas.modules_of(from as f32), canvas.modules_of(y as f32));
            for value in &mut values[y * canvas.size + from..y * canvas.size + to] {
                if px >= 0.0 && py >= 0.0 && px < limit[0] && py < limit[1] {
                    let (x, y) = (px as u32, py as u32);
                    let (fx, fy) = (px - x as f32, py - y as f32);
                    let at = y as usize * width + x as usize;
                    let (upper, lower) = (&samples[at..at + 2], &samples[at + width..at + width + 2]);
                    let top = upper[0] + fx * (upper[1] - upper[0]);
                    *value = top + fy * (lower[0] + fx * (lower[1] - lower[0]) - top);
                }
                px += a * step;
                py += c * step;
            }
        }
        values
    }

    /// The field seen in the frame of the mark: values and shares known, row by row.
    pub(crate) fn rectify(&self, field: &Field, canvas: Canvas) -> (Vec<f32>, Vec<f32>) {
        let mut values = Vec::with_capacity(canvas.size * canvas.size);
        let mut known = Vec::with_capacity(canvas.size * canvas.size);
        let [a, _, c, _] = self.matrix;
        let step = 1.0 / canvas.per_module;
        for y in 0..canvas.size {
            let (mut px, mut py) = self.place(canvas.modules_of(0.0), canvas.modules_of(y as f32));
            for _ in 0..canvas.size {
                let (value, share) = field.at(px, py);
                values.push(value);
                known.push(share);
                px += a * step;
                py += c * step;
            }
        }
        (values, known)
    }
}
