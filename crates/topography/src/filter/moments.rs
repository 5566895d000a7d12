//! Weighted local regression through moment images: separable, masked, on nodes or on samples.

use rayon::prelude::*;

use super::Order;
use super::axis::Axis;
use super::lanes::{self, Images, LANES, Lanes, MOMENTS};
use crate::{Grid, wide};

/// A pivot below this share of the total weight means that the points do not span the polynomial.
const LEAST_PIVOT: f64 = 1e-5;

/// Weights at the samples, and values times weights, to be filled in row by row.
pub(super) fn images(x: &Axis, y: &Axis) -> Images {
    Images::empty(2, [x.samples, y.samples], y.overhang())
}

/// The regression's height at every node that is wanted; `NaN` where there is no weight.
///
/// Nodes beside wanted ones may have one as well. Where all that is wanted weighs the same, `is_even` saves work.
pub(super) fn regress(
    weighted: Images,
    [x, y]: [&Axis; 2],
    order: Order,
    wanted: &Grid<bool>,
    is_even: bool,
) -> Grid<f64> {
    let degree = degree(order);
    let is_direct = x.prefilter.is_none() && y.prefilter.is_none();
    let whole = (is_even && is_direct).then(|| Whole::new([x, y], degree, wanted));
    let weighted = if y.prefilter.is_some() { thinned_columns(&weighted, x, y) } else { weighted };
    // Sums along a row are asked for where something is wanted within reach above or below.
    let reach = y.moments.len() - 1;
    let along_x = |image: usize, moments: usize, needed: &Grid<bool>| {
        let mut sums = Images::empty(moments + 1, [x.nodes, y.nodes], reach);
        sums.rows_mut().enumerate().for_each_init(<[Vec<f64>; 2]>::default, |[nodes, padded], (row, out)| {
            if !needed.row(row).contains(&true) {
                return;
            }
            let samples = &weighted.row(image, row)[..x.samples];
            let samples = if x.prefilter.is_some() { thinned_row(samples, x, nodes) } else { samples };
            lanes::pad(samples, &x.moments, padded);
            lanes::along_row(padded, &x.moments, needed.row(row), out);
        });
        sums
    };
    let of_values = blocks(wanted, |_, _, wanted| wanted.contains(&true));
    let of_weights = blocks(wanted, |block, row, wanted| {
        let is_whole = whole.as_ref().is_some_and(|whole| whole.holds([block * LANES, row], wanted));
        wanted.contains(&true) && !is_whole
    });
    let sums = Sums {
        weights: along_x(0, 2 * degree, &within(&of_weights, reach)),
        values: along_x(1, degree, &within(&of_values, reach)),
    };
    let (width, height) = (x.nodes, y.nodes);
    let mut result = vec![f64::NAN; width * height];
    result.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
        let all = out.chunks_mut(LANES).zip(wanted.row(row).chunks(LANES)).enumerate();
        for (block, (out, wanted)) in all.filter(|(_, (_, wanted))| wanted.contains(&true)) {
            let place = [block * LANES, row];
            let whole = whole.as_ref().filter(|whole| whole.holds(place, wanted));
            let heights = match (whole, degree) {
                (Some(whole), 2) => second_order_of_whole(&sums.values, place, &y.moments, whole.factors),
                (Some(whole), _) => mean_of_whole(&sums.values, place, &y.moments, whole.factors),
                (None, 2) => second_order(&sums, place, &y.moments),
                (None, 1) => first_order(&sums, place, &y.moments),
                (None, _) => mean(&sums, place, &y.moments),
            };
            out.copy_from_slice(&heights[..out.len()]);
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

/// What holds of the blocks of columns, given block, row and what is wanted of it.
fn blocks(wanted: &Grid<bool>, holds: impl Fn(usize, usize, &[bool]) -> bool) -> Grid<bool> {
    Grid::from_fn(wanted.width().div_ceil(LANES), wanted.height(), |block, row| {
        let end = ((block + 1) * LANES).min(wanted.width());
        holds(block, row, &wanted.row(row)[block * LANES..end])
    })
}

/// Blocks with one that holds so many rows above or below, or the edge.
fn within(blocks: &Grid<bool>, rows: usize) -> Grid<bool> {
    blocks.map(|holds| !holds).eroded([0, rows]).map(|far| !far)
}

/// Both images at the nodes of the second axis.
fn thinned_columns(weighted: &Images, x: &Axis, y: &Axis) -> Images {
    let mut nodes = Images::empty(2, [x.samples, y.nodes], 0);
    let taps = y.prefilter.as_deref().unwrap_or_default();
    nodes.rows_mut().enumerate().for_each(|(node, out)| weighted.smoothed(y.place(node), taps, out));
    nodes
}

/// A row at the nodes of the first axis.
fn thinned_row<'a>(row: &[f64], x: &Axis, nodes: &'a mut Vec<f64>) -> &'a [f64] {
    let kernel = &x.row_prefilter;
    let reach = (kernel.len() / 2) as isize;
    nodes.clear();
    nodes.extend((0..x.nodes).map(|node| {
        let first = x.place(node) - reach;
        let from = first.clamp(0, row.len() as isize) as usize;
        let to = (first + kernel.len() as isize).clamp(0, row.len() as isize) as usize;
        let at = (from as isize - first) as usize;
        if from < to { dot(&row[from..to], &kernel[at..at + to - from]) } else { 0.0 }
    }));
    nodes
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

/// Moments along the rows: an image for each power of x.
struct Sums {
    weights: Images,
    values: Images,
}

/// The moments of a block of nodes: `weights[a][b]` and `values[a][b]` for powers `a` of x and `b` of y.
type Weights = [[Lanes; 5]; 5];
type Values = [[Lanes; 3]; 3];

/// Samples about which everything in reach of the kernels is measured: weights are the same everywhere, and so is the system.
struct Whole {
    samples: Grid<bool>,
    /// What the height takes of the values, of their second moments along x, and along y.
    factors: [f64; 3],
}

impl Whole {
    fn new([x, y]: [&Axis; 2], degree: usize, measured: &Grid<bool>) -> Self {
        let total = |axis: &Axis, moment: usize| -> f64 {
            // The middle is halved, and odd moments vanish.
            let all: f64 = axis.moments.iter().map(|taps| taps[moment]).sum();
            if moment.is_multiple_of(2) { 2.0 * all } else { 0.0 }
        };
        let weights: Weights =
            std::array::from_fn(|a| std::array::from_fn(|b| [total(x, a) * total(y, b); LANES]));
        let factor = |a: usize, b: usize| {
            let mut values = Values::default();
            values[a][b] = [1.0; LANES];
            let solved =
                if degree == 2 { constant::<6>(&weights, &values) } else { constant::<1>(&weights, &values) };
            solved[0]
        };
        let reach = [x, y].map(|axis| axis.moments.len() - 1);
        Self { samples: measured.eroded(reach), factors: [factor(0, 0), factor(2, 0), factor(0, 2)] }
    }

    /// Whether all that is wanted of a block is such.
    fn holds(&self, [column, row]: [usize; 2], wanted: &[bool]) -> bool {
        wanted.iter().zip(&self.samples.row(row)[column..]).all(|(wanted, whole)| !wanted || *whole)
    }
}

wide! {
    fn second_order_of_whole(values: &Images, place: [usize; 2], taps: &[[f64; MOMENTS]], factors: [f64; 3]) -> Lanes {
        let [plain, _, along_y] = values.moments::<3>(0, place, taps);
        let [along_x] = values.moments::<1>(2, place, taps);
        let mut heights = [0.0; LANES];
        for lane in 0..LANES {
            heights[lane] = factors[0] * plain[lane] + factors[1] * along_x[lane] + factors[2] * along_y[lane];
        }
        heights
    }
}

wide! {
    fn mean_of_whole(values: &Images, place: [usize; 2], taps: &[[f64; MOMENTS]], factors: [f64; 3]) -> Lanes {
        let [plain] = values.moments::<1>(0, place, taps);
        plain.map(|sum| factors[0] * sum)
    }
}

wide! {
    fn second_order(sums: &Sums, place: [usize; 2], taps: &[[f64; MOMENTS]]) -> Lanes {
        let (mut weights, mut values) = ([[[0.0; LANES]; 5]; 5], [[[0.0; LANES]; 3]; 3]);
        weights[0] = sums.weights.moments::<5>(0, place, taps);
        weights[1][..4].copy_from_slice(&sums.weights.moments::<4>(1, place, taps));
        weights[2][..3].copy_from_slice(&sums.weights.moments::<3>(2, place, taps));
        weights[3][..2].copy_from_slice(&sums.weights.moments::<2>(3, place, taps));
        weights[4][..1].copy_from_slice(&sums.weights.moments::<1>(4, place, taps));
        values[0] = sums.values.moments::<3>(0, place, taps);
        values[1][..2].copy_from_slice(&sums.values.moments::<2>(1, place, taps));
        values[2][..1].copy_from_slice(&sums.values.moments::<1>(2, place, taps));
        let mut heights = constant::<6>(&weights, &values);
        if heights.iter().any(|z| z.is_nan()) {
            instead(&mut heights, &constant::<3>(&weights, &values));
            instead(&mut heights, &constant::<1>(&weights, &values));
        }
        heights
    }
}

wide! {
    fn first_order(sums: &Sums, place: [usize; 2], taps: &[[f64; MOMENTS]]) -> Lanes {
        let (mut weights, mut values) = ([[[0.0; LANES]; 5]; 5], [[[0.0; LANES]; 3]; 3]);
        weights[0][..3].copy_from_slice(&sums.weights.moments::<3>(0, place, taps));
        weights[1][..2].copy_from_slice(&sums.weights.moments::<2>(1, place, taps));
        weights[2][..1].copy_from_slice(&sums.weights.moments::<1>(2, place, taps));
        values[0][..2].copy_from_slice(&sums.values.moments::<2>(0, place, taps));
        values[1][..1].copy_from_slice(&sums.values.moments::<1>(1, place, taps));
        let mut heights = constant::<3>(&weights, &values);
        instead(&mut heights, &constant::<1>(&weights, &values));
        heights
    }
}

wide! {
    fn mean(sums: &Sums, place: [usize; 2], taps: &[[f64; MOMENTS]]) -> Lanes {
        let (mut weights, mut values) = ([[[0.0; LANES]; 5]; 5], [[[0.0; LANES]; 3]; 3]);
        weights[0][..1].copy_from_slice(&sums.weights.moments::<1>(0, place, taps));
        values[0][..1].copy_from_slice(&sums.values.moments::<1>(0, place, taps));
        constant::<1>(&weights, &values)
    }
}

/// Puts others where there is no number.
fn instead(heights: &mut Lanes, others: &Lanes) {
    for (z, other) in heights.iter_mut().zip(others) {
        if z.is_nan() {
            *z = *other;
        }
    }
}

/// The constant of the polynomial of `N` terms through the points about each node; `NaN` where they do not span it.
#[inline(always)]
fn constant<const N: usize>(weights: &Weights, values: &Values) -> Lanes {
    /// Powers of x and y, the constant last, so that elimination ends with the number wanted.
    const POWERS: [(usize, usize); 6] = [(0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0)];
    let powers = &POWERS[6 - N..];
    // The system is symmetric: of the rows only what lies to the right of the diagonal.
    let (mut rows, mut rights) = ([[[0.0; LANES]; N]; N], [[0.0; LANES]; N]);
    for (i, &(a, b)) in powers.iter().enumerate() {
        for (j, &(c, d)) in powers.iter().enumerate().skip(i) {
            rows[i][j] = weights[a + c][b + d];
        }
        rights[i] = values[a][b];
    }
    let total = weights[0][0];
    let mut smallest = [f64::INFINITY; LANES];
    for pivot in 0..N {
        let (head, right) = (rows[pivot], rights[pivot]);
        let mut inverse = [0.0; LANES];
        for lane in 0..LANES {
            let size = head[pivot][lane];
            smallest[lane] = if size < smallest[lane] { size } else { smallest[lane] };
            inverse[lane] = 1.0 / size;
        }
        for i in pivot + 1..N {
            let mut factor = [0.0; LANES];
            for lane in 0..LANES {
                factor[lane] = head[i][lane] * inverse[lane];
                rights[i][lane] -= factor[lane] * right[lane];
            }
            for j in i..N {
                for lane in 0..LANES {
                    rows[i][j][lane] -= factor[lane] * head[j][lane];
                }
            }
        }
    }
    let mut heights = [0.0; LANES];
    for lane in 0..LANES {
        let is_sound = total[lane] > f64::MIN_POSITIVE && smallest[lane] >= LEAST_PIVOT * total[lane];
        heights[lane] = if is_sound { rights[N - 1][lane] / rows[N - 1][N - 1][lane] } else { f64::NAN };
    }
    heights
}
