//! Fitting linear models to the measured points, by least squares or robustly.

use super::gaussian::median;
use super::{FilterError, Fit};
use crate::Topography;

/// A measured point, scaled so that the field spans -1..=1 and heights stay in micrometres.
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) z: f64,
}

pub(super) struct Points {
    pub(super) measured: Vec<Point>,
    pub(super) centre: (f64, f64),
    /// Half of the longer side of the field, in micrometres.
    pub(super) scale: f64,
}

impl Points {
    pub(super) fn gather(topography: &Topography) -> Self {
        let heights = &topography.heights;
        let (pitch_x, pitch_y) = (topography.pitch.x.to_um(), topography.pitch.y.to_um());
        let field = (heights.width() as f64 * pitch_x, heights.height() as f64 * pitch_y);
        let mut points = Self {
            measured: Vec::new(),
            centre: (field.0 / 2.0, field.1 / 2.0),
            scale: field.0.max(field.1) / 2.0,
        };
        for y in 0..heights.height() {
            for (x, &z) in heights.row(y).iter().enumerate().filter(|(_, z)| z.is_finite()) {
                let point = points.place(x as f64 * pitch_x, y as f64 * pitch_y, z);
                points.measured.push(point);
            }
        }
        points
    }

    /// A place in micrometres from the first sample, and its height.
    pub(super) fn place(&self, x_um: f64, y_um: f64, z: f64) -> Point {
        Point { x: (x_um - self.centre.0) / self.scale, y: (y_um - self.centre.1) / self.scale, z }
    }

    /// The coefficients of the terms that come nearest to the points.
    pub(super) fn fit(
        &self,
        terms: usize,
        fit: Fit,
        model: &impl Fn(&Point, &mut [f64]),
    ) -> Result<Vec<f64>, FilterError> {
        let too_few = FilterError::TooFewPoints { points: self.measured.len(), needed: terms };
        let whole = least_squares(&self.measured, terms, model, |_| 1.0).ok_or(too_few)?;
        match fit {
            Fit::LeastSquares => Ok(whole),
            Fit::Robust => Ok(self.refine(model, self.likeliest_start(model, whole))),
        }
    }

    /// Tukey's biweight, from a start that is near enough; every n-th point where there are very many, all at the end.
    pub(super) fn refine(&self, model: &impl Fn(&Point, &mut [f64]), start: Vec<f64>) -> Vec<f64> {
        let mut coefficients = start;
        for round in 0..ROUNDS {
            let most = if round + 1 == ROUNDS { usize::MAX } else { MOST_POINTS };
            let sampled = self.every(most);
            let mut distance = distances(model, coefficients.clone());
            let end = 4.4478 * median(sampled.iter().map(|point| distance(point)).collect()).max(1e-9);
            let weight = |point: &Point| (1.0 - (distance(point) / end).powi(2)).max(0.0).powi(2);
            let Some(better) = least_squares(sampled, coefficients.len(), model, weight) else { break };
            coefficients = better;
        }
        coefficients
    }

    /// The form with the least median distance among `whole` and those through a few points each (Rousseeuw 1984).
    ///
    /// Least squares and even least distances follow a pit that lies to one side; this does not while the pit takes less
    /// than half of the points. Which points are tried is fixed, so that the answer is.
    fn likeliest_start(&self, model: &impl Fn(&Point, &mut [f64]), whole: Vec<f64>) -> Vec<f64> {
        const TRIALS: usize = 400;
        let judges = self.every(1000);
        let judge = |coefficients: &[f64]| {
            let mut distance = distances(model, coefficients.to_vec());
            median(judges.iter().map(|point| distance(point)).collect())
        };
        let (terms, mut best) = (whole.len(), (judge(&whole), whole));
        let mut state = 0_u64;
        let mut pick = || {
            // Knuth's linear congruential generator; the upper bits are good enough to pick points.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            &self.measured[(state >> 33) as usize % self.measured.len()]
        };
        for _ in 0..TRIALS {
            let few: Vec<&Point> = (0..terms).map(|_| pick()).collect();
            if let Some(through) = least_squares(few, terms, model, |_| 1.0) {
                let middle = judge(&through);
                if middle < best.0 {
                    best = (middle, through);
                }
            }
        }
        best.1
    }

    /// At most about so many points, evenly taken.
    fn every(&self, most: usize) -> Vec<&Point> {
        self.measured.iter().step_by(self.measured.len().div_ceil(most).max(1)).collect()
    }
}

const ROUNDS: usize = 12;
const MOST_POINTS: usize = 50_000;

/// The distance of points from the form with these coefficients.
fn distances(model: &impl Fn(&Point, &mut [f64]), coefficients: Vec<f64>) -> impl FnMut(&Point) -> f64 {
    let mut row = vec![0.0; coefficients.len()];
    move |point| {
        model(point, &mut row);
        (point.z - inner(&row, &coefficients)).abs()
    }
}

pub(super) fn inner(terms: &[f64], coefficients: &[f64]) -> f64 {
    terms.iter().zip(coefficients).map(|(term, coefficient)| term * coefficient).sum()
}

/// Weighted least squares through the normal equations, or nothing if the points do not span the terms.
fn least_squares<'a>(
    points: impl IntoIterator<Item = &'a Point>,
    terms: usize,
    model: &impl Fn(&Point, &mut [f64]),
    mut weight: impl FnMut(&Point) -> f64,
) -> Option<Vec<f64>> {
    let mut matrix = vec![vec![0.0; terms + 1]; terms];
    let mut row = vec![0.0; terms];
    for point in points {
        model(point, &mut row);
        let weight = weight(point);
        for i in 0..terms {
            let scaled = weight * row[i];
            for j in i..terms {
                matrix[i][j] += scaled * row[j];
            }
            matrix[i][terms] += scaled * point.z;
        }
    }
    solve(matrix)
}

/// Gauss elimination of a symmetric positive definite system, of which only the upper half is filled in.
fn solve(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let terms = matrix.len();
    let largest = (0..terms).map(|at| matrix[at][at]).fold(0.0, f64::max);
    for pivot in 0..terms {
        let head = matrix[pivot].clone();
        if head[pivot].is_nan() || head[pivot] <= 1e-12 * largest {
            return None;
        }
        for (at, row) in matrix.iter_mut().enumerate().skip(pivot + 1) {
            let factor = head[at] / head[pivot];
            for column in at..=terms {
                row[column] -= factor * head[column];
            }
        }
    }
    let mut solution = vec![0.0; terms];
    for row in (0..terms).rev() {
        let known: f64 = (row + 1..terms).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (matrix[row][terms] - known) / matrix[row][row];
    }
    Some(solution)
}
