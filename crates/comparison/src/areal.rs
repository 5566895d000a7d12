//! The areal cross-correlation of one cell: a windowed search and the exact coefficient on jointly measured points.

use crate::fourier::{Planner, Spectrum};
use crate::raster::Raster;

/// Shifts searched along each axis: `-REACH..=REACH` samples.
pub(crate) const REACH: usize = 14;
const SHIFTS: usize = 2 * REACH + 1;
/// Columns of a patch are summed in strips as wide as this: most cells are one.
const STRIP: usize = 40;
/// Samples are handled four abreast.
pub(crate) const LANES: usize = 4;

/// A cell cut out of a level, rows padded with missing points to a multiple of four samples.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    pub(crate) x: isize,
    pub(crate) y: isize,
    pub(crate) edge: usize,
    stride: usize,
    z: Vec<f32>,
    w: Vec<f32>,
    pub(crate) measured: f32,
}

/// The exact coefficient at one whole-sample shift.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Accf {
    pub(crate) value: f64,
    /// Jointly measured samples.
    pub(crate) joint: f64,
}

impl Patch {
    /// Cuts `edge` by `edge` samples whose first lies at `(x, y)`.
    pub(crate) fn cut(level: &Raster, x: isize, y: isize, edge: usize) -> Self {
        let stride = edge.next_multiple_of(LANES);
        let (mut z, mut w) = (vec![0.0; stride * edge], vec![0.0; stride * edge]);
        for row in 0..edge {
            let source_y = y + row as isize;
            if source_y < 0 || source_y >= level.height as isize {
                continue;
            }
            for column in 0..edge {
                let source_x = x + column as isize;
                if source_x >= 0 && source_x < level.width as isize {
                    let at = source_y as usize * level.width + source_x as usize;
                    z[row * stride + column] = level.z[at];
                    w[row * stride + column] = level.w[at];
                }
            }
        }
        let measured = w.iter().sum();
        Self { x, y, edge, stride, z, w, measured }
    }

    /// The coefficient with the patch laid at `(x, y)` of `b`; none outside or where less than `least` is jointly measured.
    pub(crate) fn accf(&self, b: &Raster, x: isize, y: isize, least: f64) -> Option<Accf> {
        let inside =
            x >= 0 && y >= 0 && x as usize + self.stride <= b.width && y as usize + self.edge <= b.height;
        if !inside {
            return None;
        }
        let there = y as usize * b.width + x as usize;
        let place = [self.edge, self.stride, b.width];
        let totals = sums([&self.z, &self.w], [&b.z[there..], &b.w[there..]], place);
        let [n, sa, saa, sb, sbb, sab] = totals;
        if n < least {
            return None;
        }
        let energy = (saa - sa * sa / n) * (sbb - sb * sb / n);
        (energy > 0.0).then(|| Accf { value: (sab - sa * sb / n) / energy.sqrt(), joint: n })
    }

    /// How many samples wide the patch is, with the padding of its rows.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The transform of the patch on a grid of `n x n` samples.
    pub(crate) fn spectrum_of(&self, n: usize, planner: &mut Planner) -> Spectrum {
        let mut grid = vec![0.0; n * n];
        for (line, own) in grid.chunks_exact_mut(n).zip(self.z.chunks_exact(self.stride)) {
            line[..self.edge].copy_from_slice(&own[..self.edge]);
        }
        planner.size(n).spectrum(&mut grid)
    }

    /// The height at a column and row; none where it is missing.
    pub(crate) fn height(&self, column: usize, row: usize) -> Option<f32> {
        let at = row * self.stride + column;
        (self.w[at] > 0.0).then_some(self.z[at])
    }

    /// The transform of the patch, with room for every shift of a window.
    pub(crate) fn spectrum(&self, planner: &mut Planner) -> Spectrum {
        self.spectrum_of(self.window(), planner)
    }

    /// The edge of the transform: the patch and all its shifts, rounded up to a size that transforms fast.
    fn window(&self) -> usize {
        let least = self.edge + 2 * REACH;
        [32, 36, 40, 48, 54, 60, 64, 72, 80, 96, 108, 128]
            .into_iter()
            .find(|&n| n >= least)
            .unwrap_or(least.next_power_of_two())
    }
}

topography::wide! {
    /// Sums over a patch and what lies under it, given its rows, and the samples from a row to the next of either: joint points, heights of the
    /// patch and their squares, heights of the other and their squares, products.
    ///
    /// Columns are summed abreast, and then one after the other.
    fn sums(own: [&[f32]; 2], others: [&[f32]; 2], place: [usize; 3]) -> [f64; 6] {
        let [rows, stride, width] = place;
        let mut totals = [0.0; 6];
        for from in (0..stride).step_by(STRIP) {
            let to = (from + STRIP).min(stride);
            let mut columns = [[0.0_f32; STRIP]; 6];
            for row in 0..rows {
                let (here, there) = (row * stride + from..row * stride + to, row * width + from..row * width + to);
                let of_own = own.map(|samples| &samples[here.clone()]);
                add_row_of([of_own[0], of_own[1], &others[0][there.clone()], &others[1][there]], &mut columns);
            }
            for (total, columns) in totals.iter_mut().zip(&columns) {
                for &v in columns {
                    *total += f64::from(v);
                }
            }
        }
        totals
    }
}

/// Adds a row column by column.
///
/// In two loops: of more sums than these the compiler takes one column after the other.
#[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
#[inline(always)]
fn add_row_of([za, wa, zb, wb]: [&[f32]; 4], columns: &mut [[f32; STRIP]; 6]) {
    let width = za.len().min(STRIP);
    let (za, wa, zb, wb) = (&za[..width], &wa[..width], &zb[..width], &wb[..width]);
    let [n, own, own_squares, others, others_squares, products] = columns;
    let (n, own, own_squares) = (&mut n[..width], &mut own[..width], &mut own_squares[..width]);
    for i in 0..width {
        let (a, p, q) = (za[i], wa[i], wb[i]);
        n[i] += p * q;
        own[i] += a * q;
        own_squares[i] += a * a * q;
    }
    let (others, others_squares, products) =
        (&mut others[..width], &mut others_squares[..width], &mut products[..width]);
    for i in 0..width {
        let (b, a, p) = (zb[i], za[i], wa[i]);
        others[i] += b * p;
        others_squares[i] += b * b * p;
        products[i] += a * b;
    }
}

/// Adds what one row contributes to the sums of a coefficient: joint points, heights, squares and products.
#[inline]
pub(crate) fn add_row(sums: &mut [[f32; LANES]; 6], [za, wa, zb, wb]: [&[f32]; 4]) {
    let abreast = za
        .chunks_exact(LANES)
        .zip(wa.chunks_exact(LANES))
        .zip(zb.chunks_exact(LANES))
        .zip(wb.chunks_exact(LANES));
    for (((za, wa), zb), wb) in abreast {
        for lane in 0..LANES {
            let (a, p, b, q) = (za[lane], wa[lane], zb[lane], wb[lane]);
            sums[0][lane] += p * q;
            sums[1][lane] += a * q;
            sums[2][lane] += b * p;
            sums[3][lane] += a * a * q;
            sums[4][lane] += b * b * p;
            sums[5][lane] += a * b;
        }
    }
}

/// Running sums over rectangles of squared heights and of measured points.
pub(crate) struct Boxes {
    width: usize,
    energy: Vec<f64>,
    points: Vec<f64>,
}

impl Boxes {
    pub(crate) fn new(b: &Raster) -> Self {
        let width = b.width + 1;
        let (mut energy, mut points) = (vec![0.0; width * (b.height + 1)], vec![0.0; width * (b.height + 1)]);
        for y in 0..b.height {
            let (mut sum, mut count) = (0.0, 0.0);
            for x in 0..b.width {
                let at = y * b.width + x;
                sum += f64::from(b.z[at] * b.z[at]);
                count += f64::from(b.w[at]);
                let to = (y + 1) * width + x + 1;
                energy[to] = energy[to - width] + sum;
                points[to] = points[to - width] + count;
            }
        }
        Self { width, energy, points }
    }

    /// Energy and measured points in the square of `edge` samples at `(x, y)`.
    pub(crate) fn at(&self, x: usize, y: usize, edge: usize) -> (f64, f64) {
        let (top, bottom) = (y * self.width + x, (y + edge) * self.width + x);
        let take = |v: &[f64]| v[bottom + edge] - v[bottom] - v[top + edge] + v[top];
        (take(&self.energy), take(&self.points))
    }
}

/// A place of a cell: the shift in samples (sub-sample) and its coefficient.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) accf: f64,
    pub(crate) shift: [f64; 2],
    pub(crate) joint: f64,
}

const CANDIDATES: usize = 5;

/// B turned into the frame of A, with what a free search needs.
pub(crate) struct Ground<'a> {
    pub(crate) b: &'a Raster,
    pub(crate) boxes: Boxes,
    products: Vec<f32>,
    window: Vec<f32>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(b: &'a Raster) -> Self {
        Self { b, boxes: Boxes::new(b), products: Vec::new(), window: Vec::new() }
    }

    /// The best place of the patch within `REACH` samples of `(x, y)`: products by transform, the best few exactly.
    pub(crate) fn best(
        &mut self,
        patch: &Patch,
        own: &Spectrum,
        at: [usize; 2],
        least: f64,
        planner: &mut Planner,
    ) -> Place {
        let n = patch.window();
        self.correlate(patch, own, at, planner);
        let mut best = [(0.0_f64, 0_usize, 0_usize); CANDIDATES];
        for dy in 1..SHIFTS - 1 {
            for dx in 1..SHIFTS - 1 {
                let value = self.products[dy * n + dx];
                if value <= 0.0 || !is_top(&self.products, n, dx, dy) {
                    continue;
                }
                let (energy, points) = self.boxes.at(at[0] + dx - REACH, at[1] + dy - REACH, patch.edge);
                let score = f64::from(value) / energy.max(1e-12).sqrt();
                if points < least || score <= best[CANDIDATES - 1].0 {
                    continue;
                }
                let slot = best.iter().position(|b| score > b.0).unwrap_or(CANDIDATES - 1);
                best[slot..].rotate_right(1);
                best[slot] = (score, dx, dy);
            }
        }
        self.renormalised(patch, &best, at, least)
    }

    fn correlate(&mut self, patch: &Patch, own: &Spectrum, at: [usize; 2], planner: &mut Planner) {
        let n = patch.window();
        let cut = patch.edge + 2 * REACH;
        self.window.clear();
        self.window.resize(n * n, 0.0);
        for (row, line) in self.window.chunks_exact_mut(n).take(cut).enumerate() {
            let from = (at[1] + row - REACH) * self.b.width + at[0] - REACH;
            line[..cut].copy_from_slice(&self.b.z[from..from + cut]);
        }
        let plan = planner.size(n);
        let there = plan.spectrum(&mut self.window);
        self.products.resize(SHIFTS * n, 0.0);
        plan.correlate([own, &there], false, 0..SHIFTS as isize, &mut self.products);
    }

    /// The candidate with the highest exact coefficient.
    fn renormalised(
        &self,
        patch: &Patch,
        candidates: &[(f64, usize, usize)],
        at: [usize; 2],
        least: f64,
    ) -> Place {
        let mut found = Place::default();
        for &(_, dx, dy) in candidates.iter().filter(|candidate| candidate.0 > 0.0) {
            let shift = [dx as isize - REACH as isize, dy as isize - REACH as isize];
            let (x, y) = (at[0] as isize + shift[0], at[1] as isize + shift[1]);
            if let Some(accf) = patch.accf(self.b, x, y, least)
                && accf.value > found.accf
            {
                found = Place { accf: accf.value, shift: shift.map(|s| s as f64), joint: accf.joint };
            }
        }
        found
    }
}

pub(crate) fn is_top(products: &[f32], n: usize, dx: usize, dy: usize) -> bool {
    let at = dy * n + dx;
    let value = products[at];
    // Beside it first: there most fail.
    let row = |at: usize| products[at - 1..=at + 1].iter().all(|&p| p <= value);
    products[at - 1] <= value && products[at + 1] <= value && row(at - n) && row(at + n)
}

/// The best place within `reach` samples of `(x, y)`, by the exact coefficient everywhere, refined below a sample.
pub(crate) fn best_nearby(patch: &Patch, b: &Raster, at: [isize; 2], reach: isize, least: f64) -> Place {
    let side = (2 * reach + 1) as usize;
    let mut values = vec![f64::NEG_INFINITY; side * side];
    let (mut top, mut joint) = (None, 0.0);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let Some(accf) = patch.accf(b, at[0] + dx, at[1] + dy, least) else { continue };
            let slot = (dy + reach) as usize * side + (dx + reach) as usize;
            values[slot] = accf.value;
            if top.is_none_or(|top: usize| accf.value > values[top]) {
                top = Some(slot);
                joint = accf.joint;
            }
        }
    }
    let Some(top) = top else { return Place::default() };
    let (column, row) = (top % side, top / side);
    let across = |step: usize, inside: bool| {
        if inside { vertex(values[top - step], values[top], values[top + step]) } else { (0.0, 0.0) }
    };
    let (u, rise_u) = across(1, column > 0 && column + 1 < side);
    let (v, rise_v) = across(side, row > 0 && row + 1 < side);
    Place {
        accf: (values[top] + rise_u + rise_v).min(1.0),
        shift: [column as f64 - reach as f64 + u, row as f64 - reach as f64 + v],
        joint,
    }
}

/// Where a parabola through three neighbours peaks, relative to the middle one, and how far above it.
pub(crate) fn vertex(before: f64, middle: f64, after: f64) -> (f64, f64) {
    let bend = before - 2.0 * middle + after;
    if !before.is_finite() || !after.is_finite() || bend >= 0.0 {
        return (0.0, 0.0);
    }
    let at = (0.5 * (before - after) / bend).clamp(-0.5, 0.5);
    (at, -0.25 * (before - after) * at)
}
