//! Weighted local regression through moment images: separable, masked, on nodes or on samples.

use rayon::prelude::*;

use super::Order;
use super::axis::Axis;
use super::wide::wide;
use crate::Grid;

/// A pivot below this share of the total weight means that the points do not span the polynomial.
const LEAST_PIVOT: f64 = 1e-5;

/// Values times weights, and weights, of the same shape.
pub(super) struct Weighted {
    pub(super) values: Grid<f64>,
    pub(super) weights: Grid<f64>,
}

impl Weighted {
    /// Both images at the nodes of the two axes.
    pub(super) fn onto_nodes(self, x: &Axis, y: &Axis) -> Self {
        let convert = |grid: Grid<f64>| -> Grid<f64> {
            let grid = if let Some(kernel) = &x.prefilter { thin_rows(&grid, x, kernel) } else { grid };
            if let Some(kernel) = &y.prefilter { thin_columns(&grid, y, kernel) } else { grid }
        };
        Self { values: convert(self.values), weights: convert(self.weights) }
    }
}

/// The regression's height at every node where `wanted(x, y)`; `NaN` elsewhere and where there is no weight.
pub(super) fn regress(
    weighted: &Weighted,
    x: &Axis,
    y: &Axis,
    order: Order,
    wanted: impl Fn(usize, usize) -> bool + Sync,
) -> Grid<f64> {
    let degree = degree(order);
    let along_x = |grid: &Grid<f64>, moments: usize| -> Vec<Grid<f64>> {
        x.moments[..=moments].iter().map(|kernel| correlate_rows(grid, kernel)).collect()
    };
    let weights = along_x(&weighted.weights, 2 * degree);
    let values = along_x(&weighted.values, degree);
    let (width, height) = (x.nodes, y.nodes);
    let mut result = vec![f64::NAN; width * height];
    result.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
        if (0..width).any(|column| wanted(column, row)) {
            let sums = RowSums::gather(&weights, &values, y, row, degree);
            for (column, out) in out.iter_mut().enumerate() {
                if wanted(column, row) {
                    *out = sums.solve(column, degree);
                }
            }
        }
    });
    Grid::from_vec(width, height, result)
}

pub(super) const fn degree(order: Order) -> usize {
    match order {
        Order::Zero => 0,
        Order::One => 1,
        Order::Two => 2,
    }
}

/// The moment images of one row: `weights[a][b]` and `values[a][b]` for powers `a` of x and `b` of y.
struct RowSums {
    weights: Vec<Vec<Vec<f64>>>,
    values: Vec<Vec<Vec<f64>>>,
}

impl RowSums {
    fn gather(weights: &[Grid<f64>], values: &[Grid<f64>], y: &Axis, row: usize, degree: usize) -> Self {
        let sum = |images: &[Grid<f64>], most: usize| -> Vec<Vec<Vec<f64>>> {
            let power = |(a, image): (usize, &Grid<f64>)| {
                (0..=most - a).map(|b| correlate_column(image, &y.moments[b], row)).collect()
            };
            images.iter().enumerate().map(power).collect()
        };
        Self { weights: sum(weights, 2 * degree), values: sum(values, degree) }
    }

    /// The constant of the fitted polynomial, of a lower degree where the points do not span the wanted one.
    fn solve(&self, column: usize, degree: usize) -> f64 {
        /// Powers of x and y, the constant last, so that elimination ends with the number wanted.
        const POWERS: [(usize, usize); 6] = [(0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0)];
        let total = self.weights[0][0][column];
        if total <= f64::MIN_POSITIVE {
            return f64::NAN;
        }
        for terms in [6, 3].into_iter().filter(|&terms| terms <= [1, 3, 6][degree]) {
            let powers = &POWERS[6 - terms..];
            let mut rows = [[0.0; 7]; 6];
            for (row, &(a, b)) in rows.iter_mut().zip(powers) {
                for (place, &(c, d)) in row.iter_mut().zip(powers) {
                    *place = self.weights[a + c][b + d][column];
                }
                row[terms] = self.values[a][b][column];
            }
            if let Some(constant) = eliminate(&mut rows, terms, LEAST_PIVOT * total) {
                return constant;
            }
        }
        self.values[0][0][column] / total
    }
}

/// The last unknown of a symmetric positive definite system, or nothing if a pivot is too small.
fn eliminate(rows: &mut [[f64; 7]; 6], terms: usize, least: f64) -> Option<f64> {
    for pivot in 0..terms {
        let head = rows[pivot];
        if head[pivot] < least {
            return None;
        }
        for row in rows.iter_mut().take(terms).skip(pivot + 1) {
            let factor = row[pivot] / head[pivot];
            for column in pivot + 1..=terms {
                row[column] -= factor * head[column];
            }
        }
    }
    Some(rows[terms - 1][terms] / rows[terms - 1][terms - 1])
}

/// Each row correlated with a centred kernel; outside the grid there is nothing.
fn correlate_rows(grid: &Grid<f64>, kernel: &[f64]) -> Grid<f64> {
    let (width, height) = (grid.width(), grid.height());
    let mut result = vec![0.0; width * height];
    result.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
        let row = grid.row(y);
        if row.iter().any(|&sample| sample != 0.0) {
            let reach = kernel.len() / 2;
            for (tap, &weight) in kernel.iter().enumerate() {
                // out[x] += weight * row[x + tap - reach]
                let (from, to) = (reach.saturating_sub(tap).min(width), tap.saturating_sub(reach).min(width));
                let length = width - from.max(to);
                add_scaled(&mut out[from..from + length], &row[to..to + length], weight);
            }
        }
    });
    Grid::from_vec(width, height, result)
}

/// One row of a grid correlated with a centred kernel along the columns.
fn correlate_column(grid: &Grid<f64>, kernel: &[f64], row: usize) -> Vec<f64> {
    let mut out = vec![0.0; grid.width()];
    let reach = kernel.len() / 2;
    for (tap, &weight) in kernel.iter().enumerate() {
        if let Some(y) = (row + tap).checked_sub(reach).filter(|&y| y < grid.height()) {
            add_scaled(&mut out, grid.row(y), weight);
        }
    }
    out
}

wide! {
    fn add_scaled(out: &mut [f64], row: &[f64], weight: f64) {
        for (out, &sample) in out.iter_mut().zip(row) {
            *out += weight * sample;
        }
    }
}

/// Smooths each row and keeps the nodes.
fn thin_rows(grid: &Grid<f64>, axis: &Axis, kernel: &[f64]) -> Grid<f64> {
    let reach = (kernel.len() / 2) as isize;
    let mut result = vec![0.0; axis.nodes * grid.height()];
    result.par_chunks_mut(axis.nodes).enumerate().for_each(|(y, out)| {
        let row = grid.row(y);
        for (node, out) in out.iter_mut().enumerate() {
            let first = axis.place(node) - reach;
            let from = first.clamp(0, row.len() as isize) as usize;
            let to = (first + kernel.len() as isize).clamp(0, row.len() as isize) as usize;
            if from < to {
                let at = (from as isize - first) as usize;
                *out = dot(&row[from..to], &kernel[at..at + to - from]);
            }
        }
    });
    Grid::from_vec(axis.nodes, grid.height(), result)
}

/// Smooths each column and keeps the nodes.
fn thin_columns(grid: &Grid<f64>, axis: &Axis, kernel: &[f64]) -> Grid<f64> {
    let reach = (kernel.len() / 2) as isize;
    let width = grid.width();
    let mut result = vec![0.0; width * axis.nodes];
    result.par_chunks_mut(width).enumerate().for_each(|(node, out)| {
        for (tap, &weight) in kernel.iter().enumerate() {
            let y = axis.place(node) - reach + tap as isize;
            if (0..axis.samples as isize).contains(&y) {
                add_scaled(out, grid.row(y as usize), weight);
            }
        }
    });
    Grid::from_vec(width, axis.nodes, result)
}

/// A dot product in four lanes, so that the sum is the same on every machine and still quick.
fn dot(one: &[f64], other: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (mut ones, mut others) = (one.chunks_exact(4), other.chunks_exact(4));
    for (a, b) in ones.by_ref().zip(others.by_ref()) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}
