//! Form and relief of a tool told apart: a smooth even surface through the ground.

use topography::Grid;

/// Terms of the surface: even powers up to the sixth, because every tip is symmetric about both axes.
const POWERS: [(u32, u32); 10] =
    [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3)];
const TERMS: usize = POWERS.len();
/// Forms flatter than this, in micrometres, are no form.
const LEAST_FORM: f64 = 8.0;

/// The form of a tip: heights about the middle of its map, in micrometres.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    coefficients: [f64; TERMS],
    /// Beyond this radius, in micrometres, the form goes on at 45°.
    reach: f64,
}

impl Form {
    /// How far the free tip lies behind its foremost point, at a place of the tool or of its mirror image.
    pub(crate) fn behind(&self, x: f64, y: f64) -> f64 {
        let r = (x * x + y * y).sqrt();
        let inside = if r > self.reach { self.reach / r } else { 1.0 };
        let here = self.height(x * inside, y * inside);
        (self.coefficients[0] - here).max(0.0) + (r - self.reach).max(0.0)
    }

    /// The radius within which the form was fitted, in micrometres.
    pub(crate) fn reach(&self) -> f64 {
        self.reach
    }

    pub(crate) fn height(&self, x: f64, y: f64) -> f64 {
        let terms = terms(x / self.reach, y / self.reach);
        terms.iter().zip(&self.coefficients).map(|(term, coefficient)| term * coefficient).sum()
    }
}

/// Finds the form under a tool's relief, if it has one.
///
/// Least squares repeated with Cauchy weights whose scale shrinks from 20 µm to 1 µm: relief on less than half of the
/// area, to either side, has no say in the end.
pub(crate) fn form(heights: &Grid<f64>, pitch: (f64, f64)) -> Option<Form> {
    let (points, reach) = ground_points(heights, pitch);
    if points.len() < 10 * TERMS || mostly_flat(&points) {
        return None;
    }
    let mut form = Form { coefficients: [0.0; TERMS], reach };
    for scale in [f64::INFINITY, 20.0, 20.0, 12.0, 8.0, 5.0, 3.0, 2.0, 1.0, 1.0, 1.0] {
        form.coefficients = weighted(&points, &form, scale)?;
    }
    let edge = 0.98 * reach;
    let fall = [(edge, 0.0), (0.0, edge), (0.7 * edge, 0.7 * edge)].map(|(x, y)| form.behind(x, y));
    (fall.iter().fold(0.0f64, |most, fall| most.max(*fall)) > LEAST_FORM).then_some(form)
}

/// About 8,000 measured points of the disc that fits into the map: `(x, y, height)`, and the disc's radius.
fn ground_points(heights: &Grid<f64>, pitch: (f64, f64)) -> (Vec<(f64, f64, f64)>, f64) {
    let (columns, rows) = (heights.width(), heights.height());
    let centre = (0.5 * (columns as f64 - 1.0), 0.5 * (rows as f64 - 1.0));
    let reach = (centre.0 * pitch.0).min(centre.1 * pitch.1);
    let step = (columns.min(rows) / 100).max(1);
    let mut points = Vec::new();
    for y in (0..rows).step_by(step) {
        for x in (0..columns).step_by(step) {
            let place = ((x as f64 - centre.0) * pitch.0, (y as f64 - centre.1) * pitch.1);
            let height = heights[(x, y)];
            if height.is_finite() && place.0 * place.0 + place.1 * place.1 <= reach * reach {
                points.push((place.0, place.1, height));
            }
        }
    }
    (points, reach)
}

/// Whether more than half of the points lie within half a micrometre of their median: a ground without form.
fn mostly_flat(points: &[(f64, f64, f64)]) -> bool {
    let mut heights: Vec<f64> = points.iter().map(|point| point.2).collect();
    let middle = heights.len() / 2;
    let median = *heights.select_nth_unstable_by(middle, f64::total_cmp).1;
    2 * heights.iter().filter(|height| (*height - median).abs() < 0.5).count() > heights.len()
}

fn terms(x: f64, y: f64) -> [f64; TERMS] {
    let (x, y) = (x * x, y * y);
    let power = |base: f64, exponent: u32| (0..exponent).fold(1.0, |product, _| product * base);
    POWERS.map(|(i, j)| power(x, i) * power(y, j))
}

/// One weighted least-squares step; nothing where the points do not determine the surface.
fn weighted(points: &[(f64, f64, f64)], form: &Form, scale: f64) -> Option<[f64; TERMS]> {
    let mut matrix = [[0.0; TERMS + 1]; TERMS];
    for &(x, y, height) in points {
        let off = (height - form.height(x, y)) / scale;
        let weight = 1.0 / (1.0 + off * off);
        let terms = terms(x / form.reach, y / form.reach);
        for (row, a) in matrix.iter_mut().zip(&terms) {
            for (entry, b) in row.iter_mut().zip(&terms) {
                *entry += weight * a * b;
            }
            row[TERMS] += weight * a * height;
        }
    }
    solve(matrix)
}

/// Gaussian elimination with partial pivoting.
fn solve(mut matrix: [[f64; TERMS + 1]; TERMS]) -> Option<[f64; TERMS]> {
    for column in 0..TERMS {
        let pivot =
            (column..TERMS).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        matrix.swap(column, pivot);
        let lead = matrix[column];
        if lead[column].abs() < 1e-9 {
            return None;
        }
        for row in matrix.iter_mut().skip(column + 1) {
            let factor = row[column] / lead[column];
            for (entry, above) in row.iter_mut().zip(&lead) {
                *entry -= factor * above;
            }
        }
    }
    let mut solution = [0.0; TERMS];
    for row in (0..TERMS).rev() {
        let known: f64 = (row + 1..TERMS).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (matrix[row][TERMS] - known) / matrix[row][row];
    }
    Some(solution)
}
