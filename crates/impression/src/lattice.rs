//! Smooth random fields: white numbers on a lattice, joined by cubic B-splines.
//!
//! A cubic B-spline is within a per cent of a Gaussian of standard deviation 0.577 spacings, so such a field is
//! white noise under a Gaussian filter, at the cost of four multiplications per axis and point.

use rand::Rng;
use topography::Grid;

use crate::chance;

/// Spacings per standard deviation of the kernel: `sqrt(12 / 4)`.
const SPACING: f64 = 1.732_050_807_568_877_2;
/// Square root of the integral of the squared cubic B-spline, 151 / 315: the deviation along one axis.
const DEVIATION: f32 = 0.692_366;

/// A random field of mean 0 and standard deviation 1 over a rectangle.
pub(crate) struct Lattice {
    coefficients: Grid<f32>,
    /// Spacings per micrometre.
    density: (f64, f64),
    origin: (f64, f64),
}

impl Lattice {
    /// Over `low..=high` along both axes, with the kernel's standard deviation along each; all in micrometres.
    pub(crate) fn new(
        low: (f64, f64),
        high: (f64, f64),
        correlation: (f64, f64),
        rng: &mut impl Rng,
    ) -> Self {
        let spacing = (correlation.0 * SPACING, correlation.1 * SPACING);
        let columns = ((high.0 - low.0) / spacing.0) as usize + 5;
        let rows = ((high.1 - low.1) / spacing.1) as usize + 5;
        let coefficients = Grid::from_fn(columns, rows, |_, _| chance::normal(rng) / (DEVIATION * DEVIATION));
        let density = (1.0 / spacing.0, 1.0 / spacing.1);
        Self { coefficients, density, origin: (low.0 - spacing.0, low.1 - spacing.1) }
    }

    /// Over a square about the origin that still covers it when turned.
    pub(crate) fn turned(side: f64, correlation: (f64, f64), rng: &mut impl Rng) -> Self {
        let half = side * std::f64::consts::FRAC_1_SQRT_2;
        Self::new((-half, -half), (half, half), correlation, rng)
    }

    /// The field at one place.
    pub(crate) fn at(&self, x: f64, y: f64) -> f32 {
        let (column, across) = self.weights(x, 0);
        let (row, down) = self.weights(y, 1);
        let mut sum = 0.0;
        for (j, weight) in down.iter().enumerate() {
            let line = &self.coefficients.row(row + j)[column..column + 4];
            sum += weight
                * (line[0] * across[0] + line[1] * across[1] + line[2] * across[2] + line[3] * across[3]);
        }
        sum
    }

    /// The field on an upright grid whose first point is `first` and whose points are `pitch` apart.
    pub(crate) fn grid(&self, size: (usize, usize), first: (f64, f64), pitch: f64) -> Grid<f32> {
        let across: Vec<_> = (0..size.0).map(|x| self.weights(first.0 + x as f64 * pitch, 0)).collect();
        let mut lines = Grid::filled(size.0, self.coefficients.height(), 0.0f32);
        for row in 0..self.coefficients.height() {
            let source = self.coefficients.row(row);
            for (target, (column, weights)) in lines.row_mut(row).iter_mut().zip(&across) {
                let four = &source[*column..column + 4];
                *target =
                    four[0] * weights[0] + four[1] * weights[1] + four[2] * weights[2] + four[3] * weights[3];
            }
        }
        let mut field = Grid::filled(size.0, size.1, 0.0f32);
        for y in 0..size.1 {
            let (row, weights) = self.weights(first.1 + y as f64 * pitch, 1);
            for (j, weight) in weights.iter().enumerate() {
                for (target, source) in field.row_mut(y).iter_mut().zip(lines.row(row + j)) {
                    *target += weight * source;
                }
            }
        }
        field
    }

    /// The first of four coefficients and their weights along one axis.
    fn weights(&self, place: f64, axis: usize) -> (usize, [f32; 4]) {
        let (density, origin, count) = if axis == 0 {
            (self.density.0, self.origin.0, self.coefficients.width())
        } else {
            (self.density.1, self.origin.1, self.coefficients.height())
        };
        let step = ((place - origin) * density - 1.0).clamp(0.0, (count - 4) as f64);
        let first = (step as usize).min(count - 4);
        let t = (step - first as f64) as f32;
        let u = 1.0 - t;
        let sixth = 1.0 / 6.0;
        (
            first,
            [
                u * u * u * sixth,
                (3.0 * t * t * t - 6.0 * t * t + 4.0) * sixth,
                (3.0 * u * u * u - 6.0 * u * u + 4.0) * sixth,
                t * t * t * sixth,
            ],
        )
    }
}
