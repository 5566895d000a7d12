//! Shapes on a square grid: the share of each cell that they cover, softened by the rounding of their edges.

use symbology::geometry::Point;
use topography::Grid;

use crate::shape::{Bounds, Shape};

/// A square grid whose middle sample lies on the middle of the mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Raster {
    /// The distance between samples, in micrometres.
    pub(crate) pitch: f64,
    /// The number of samples on either side of the middle one.
    pub(crate) half: usize,
    /// The standard deviation of the edge rounding, in micrometres.
    pub(crate) rounding: f64,
}

/// Cells are divided until their parts are no larger than this.
const FINEST_UM: f64 = 0.5;

impl Raster {
    /// The number of samples along one side.
    pub(crate) const fn side(&self) -> usize {
        2 * self.half + 1
    }

    /// The mean over each cell of the union of the shapes convolved with a Gaussian: 0 on the ground, 1 on top.
    ///
    /// Every cell is divided into parts of at most half a micrometre, each part is covered in proportion to the signed
    /// distance from its middle to the border, and rows and columns are then smoothed by the exact integral of the
    /// Gaussian over a cell.
    pub(crate) fn cover<'a>(&self, shapes: impl Iterator<Item = &'a Shape>) -> Grid<f32> {
        let parts = (self.pitch / FINEST_UM).ceil().max(1.0) as usize;
        let fine = self.pitch / parts as f64;
        let kernel = cell_kernel(self.rounding, self.pitch, fine, parts);
        let reach = (kernel.len() - parts) / 2;
        let fine_side = self.side() * parts + 2 * reach;
        let origin = -(fine_side as f64) / 2.0 * fine;
        let placed: Vec<(&Shape, Bounds)> = shapes.map(|shape| (shape, shape.bounds().grown(fine))).collect();

        let mut rows: Vec<Option<Vec<f32>>> = Vec::with_capacity(fine_side);
        let mut line = vec![0.0_f32; fine_side];
        for row in 0..fine_side {
            let y = origin + (row as f64 + 0.5) * fine;
            line.fill(0.0);
            let drawn = placed.iter().filter(|(_, bounds)| (bounds.top..=bounds.bottom).contains(&y));
            let drawn =
                drawn.map(|(shape, bounds)| add_row(&mut line, shape, *bounds, (origin, fine, y))).count();
            rows.push((drawn > 0).then(|| self.condense(&line, &kernel, parts)));
        }
        self.condense_rows(&rows, &kernel, parts)
    }

    fn condense(&self, line: &[f32], kernel: &[f32], parts: usize) -> Vec<f32> {
        let sum = |x: usize| line[x * parts..].iter().zip(kernel).map(|(cover, weight)| cover * weight).sum();
        (0..self.side()).map(sum).collect()
    }

    fn condense_rows(&self, rows: &[Option<Vec<f32>>], kernel: &[f32], parts: usize) -> Grid<f32> {
        let mut grid = Grid::filled(self.side(), self.side(), 0.0);
        for y in 0..self.side() {
            let target = grid.row_mut(y);
            for (row, weight) in rows[y * parts..].iter().zip(kernel) {
                for (sum, cover) in target.iter_mut().zip(row.iter().flatten()) {
                    *sum += cover * weight;
                }
            }
        }
        grid
    }
}

fn add_row(line: &mut [f32], shape: &Shape, bounds: Bounds, (origin, fine, y): (f64, f64, f64)) {
    let first = ((bounds.left - origin) / fine).floor().max(0.0) as usize;
    let past = ((bounds.right - origin) / fine).ceil().max(0.0) as usize;
    let past = past.min(line.len());
    for (i, cover) in line[first.min(past)..past].iter_mut().enumerate() {
        let x = origin + ((first + i) as f64 + 0.5) * fine;
        let inside = (shape.distance_inside(Point { x, y }) / fine + 0.5).clamp(0.0, 1.0);
        *cover = (*cover + inside as f32).min(1.0);
    }
}

/// The weights of the fine parts about a cell: the mean over the cell of a Gaussian centred on each part.
fn cell_kernel(rounding: f64, pitch: f64, fine: f64, parts: usize) -> Vec<f32> {
    let reach = (4.0 * rounding / fine).ceil() as usize;
    let count = parts + 2 * reach;
    let below = |x: f64| {
        if rounding > 0.0 {
            0.5 * (1.0 + libm::erf(x / rounding / 2.0_f64.sqrt()))
        } else {
            f64::from(u8::from(x > 0.0))
        }
    };
    let weight = |i: usize| {
        let offset = (i as f64 + 0.5 - count as f64 / 2.0) * fine;
        below(offset + pitch / 2.0) - below(offset - pitch / 2.0)
    };
    let weights: Vec<f64> = (0..count).map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / total) as f32).collect()
}
