//! Fitting linear models to the measured points, by least squares or robustly.

use super::median::median;
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
        let sampled = Design::of(&self.every(MOST_POINTS), coefficients.len(), model);
        for _ in 1..ROUNDS {
            let weights = biweights(sampled.distances(&coefficients));
            let Some(better) = sampled.least_squares(&weights) else { return coefficients };
            coefficients = better;
        }
        // Over all points the terms are worked out twice rather than kept: there may be millions of them.
        let mut distance = distances(model, coefficients.clone());
        let weights = biweights(self.measured.iter().map(&mut distance).collect());
        let mut weights = weights.into_iter();
        let weight = |_: &Point| weights.next().unwrap_or(0.0);
        least_squares(&self.measured, coefficients.len(), model, weight).unwrap_or(coefficients)
    }

    /// The form with the least median distance among `whole` and those through a few points each (Rousseeuw 1984).
    ///
    /// Least squares and even least distances follow a pit that lies to one side; this does not while the pit takes less
    /// than half of the points. Which points are tried is fixed, so that the answer is.
    fn likeliest_start(&self, model: &impl Fn(&Point, &mut [f64]), whole: Vec<f64>) -> Vec<f64> {
        const TRIALS: usize = 400;
        let terms = whole.len();
        let judges = Design::of(&self.every(1000), terms, model);
        let mut best = (median(judges.distances(&whole)), whole);
        let mut state = 0_u64;
        let mut pick = || {
            // Knuth's linear congruential generator; the upper bits are good enough to pick points.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            &self.measured[(state >> 33) as usize % self.measured.len()]
        };
        for _ in 0..TRIALS {
            let few: Vec<&Point> = (0..terms).map(|_| pick()).collect();
            if let Some(through) = least_squares(few, terms, model, |_| 1.0)
                && let Some(middle) = judges.median_below(best.0, &through)
            {
                best = (middle, through);
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
const MOST_POINTS: usize = 10_000;

/// Tukey's weights for these distances.
fn biweights(mut distances: Vec<f64>) -> Vec<f64> {
    let end = 4.4478 * median(distances.clone()).max(1e-9);
    for distance in &mut distances {
        *distance = (1.0 - (*distance / end).powi(2)).max(0.0).powi(2);
    }
    distances
}

/// Points with their terms, which stay the same from fit to fit.
struct Design {
    terms: usize,
    /// The terms of each point in turn.
    rows: Vec<f64>,
    heights: Vec<f64>,
}

impl Design {
    fn of(points: &[&Point], terms: usize, model: &impl Fn(&Point, &mut [f64])) -> Self {
        let mut rows = vec![0.0; terms * points.len()];
        rows.chunks_exact_mut(terms).zip(points).for_each(|(row, point)| model(point, row));
        Self { terms, rows, heights: points.iter().map(|point| point.z).collect() }
    }

    fn points(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.rows.chunks_exact(self.terms).zip(self.heights.iter().copied())
    }

    fn distances(&self, coefficients: &[f64]) -> Vec<f64> {
        self.points().map(|(row, z)| (z - inner(row, coefficients)).abs()).collect()
    }

    /// The (upper) median distance from the form with these coefficients, where it lies below a bound; found out as soon as half of the points
    /// lie beyond that.
    fn median_below(&self, bound: f64, coefficients: &[f64]) -> Option<f64> {
        let count = self.heights.len();
        let mut may_lie_beyond = count - count / 2;
        let mut distances = Vec::with_capacity(count);
        for (row, z) in self.points() {
            let distance = (z - inner(row, coefficients)).abs();
            if distance.is_nan() || distance >= bound {
                may_lie_beyond -= 1;
                if may_lie_beyond == 0 {
                    return None;
                }
            }
            distances.push(distance);
        }
        Some(median(distances))
    }

    fn least_squares(&self, weights: &[f64]) -> Option<Vec<f64>> {
        let mut normal = Normal::new(self.terms);
        for ((row, z), &weight) in self.points().zip(weights) {
            normal.observe(row, z, weight);
        }
        solve(normal.rows())
    }
}

/// The upper half of the normal equations, the right-hand side behind it.
struct Normal {
    terms: usize,
    sums: Vec<f64>,
}

impl Normal {
    fn new(terms: usize) -> Self {
        Self { terms, sums: vec![0.0; terms * (terms + 1)] }
    }

    fn observe(&mut self, row: &[f64], z: f64, weight: f64) {
        if weight == 0.0 {
            return;
        }
        for (i, sums) in self.sums.chunks_exact_mut(self.terms + 1).enumerate() {
            let scaled = weight * row[i];
            sums[i..self.terms].iter_mut().zip(&row[i..]).for_each(|(sum, term)| *sum += scaled * term);
            sums[self.terms] += scaled * z;
        }
    }

    fn rows(&self) -> Vec<Vec<f64>> {
        self.sums.chunks_exact(self.terms + 1).map(<[f64]>::to_vec).collect()
    }
}

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
    let mut normal = Normal::new(terms);
    let mut row = vec![0.0; terms];
    for point in points {
        model(point, &mut row);
        normal.observe(&row, point.z, weight(point));
    }
    solve(normal.rows())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a form lies nearer than a bound is found out early, and as the whole median says.
    #[test]
    fn the_median_below_a_bound_is_the_median() {
        for count in [1, 2, 7, 8, 101] {
            let point = |k: usize| Point { x: k as f64, y: 0.0, z: (k * 37 % 101) as f64 };
            let points: Vec<Point> = (0..count).map(point).collect();
            let one = |_: &Point, terms: &mut [f64]| terms[0] = 1.0;
            let design = Design::of(&points.iter().collect::<Vec<_>>(), 1, &one);
            for height in [0.0, 20.0, 50.5, 300.0] {
                let whole = median(design.distances(&[height]));
                for bound in [0.0, whole - 0.5, whole, whole + 0.5, 1e9, f64::NAN] {
                    let expected = (whole < bound).then_some(whole);
                    let found = design.median_below(bound, &[height]).filter(|_| !bound.is_nan());
                    assert_eq!(found, expected, "{count} {height} {bound}");
                }
            }
        }
    }
}
