//! Photographs of a bowl as relief.
//!
//! The wall of an impression shows every slope at a place of its own, so the slow part of a picture is a chart of how
//! bright each slope looks there: its gradient says how the picture answers to a small change of slope, in strength,
//! direction and sign, whatever lamp and gloss made it (one lamp from a side, a ring, a highlight beyond which the answer
//! turns round). With that, relief is what explains the fine part of all pictures of one view best (least squares; the
//! linear form of photometric stereo, R. J. Woodham, Opt. Eng. 19, 1980, with the gradient of the chart for the lamp).

use topography::Grid;

use crate::corners::solved;
use crate::field::Field;
use crate::vectors::{dot, solve_symmetric};

/// Degree of the polynomial that the chart is, over a disc.
const DEGREE: i32 = 7;
/// The share of the variance of a picture's slow part that a lit bowl explains.
const LIT: f32 = 0.35;

/// One picture: its fine part and how it answers to slopes, both in units of the fine part's root mean square.
pub(crate) struct Shaded {
    pub(crate) fine: Vec<f32>,
    pub(crate) along: Vec<f32>,
    pub(crate) down: Vec<f32>,
}

/// Where the bowl lies in a field, in samples.
#[derive(Clone, Copy)]
pub(crate) struct Disc {
    pub(crate) centre: [f32; 2],
    pub(crate) radius: f32,
}

/// The relief that pictures of one view show together; `module` samples to a module. Nothing where no bowl is lit.
pub(crate) fn relief(pictures: &[Field], disc: Disc, module: f32) -> Option<Field> {
    let shaded: Vec<Shaded> =
        pictures.iter().filter_map(|picture| Shaded::of(picture, disc, module)).collect();
    let first = pictures.first()?;
    if shaded.len() < pictures.len() {
        return None;
    }
    let (width, height) = (first.values.width(), first.values.height());
    let heights = solved(&shaded, (width, height), module);
    let mut relief = first.clone();
    let inside = |x: usize, y: usize| disc.share(x, y, module);
    relief.known = Grid::from_fn(width, height, |x, y| {
        pictures.iter().map(|picture| picture.known[(x, y)]).fold(inside(x, y), f32::min)
    });
    relief.values = Grid::from_fn(width, height, |x, y| heights[y * width + x] * inside(x, y));
    Some(relief)
}

/// The radius of the sphere that a bowl is taken to be, micrometres: that of a firing pin's tip.
const BOWL_UM: f32 = 750.0;

/// Adds to a picture what relief would change of it: the heights (micrometres) at places in micrometres, as the gradient
/// of the chart answers to their slopes. Nothing where no bowl is lit.
pub(crate) fn laid(picture: &mut Field, disc: Disc, height: impl Fn(f32, f32) -> f32) -> Option<()> {
    let chart = Chart::fitted(picture, disc)?;
    let step = picture.pitch_um;
    // Over one micrometre the slope of the bowl grows by one over its radius.
    let answer = BOWL_UM / (disc.radius * step);
    let width = picture.values.width();
    let um = |k: usize| picture.origin_um + k as f32 * step;
    let changed: Vec<f32> = (0..picture.values.samples().len())
        .map(|at| {
            let (x, y) = (um(at % width), um(at / width));
            let along = (height(x + step, y) - height(x - step, y)) / (2.0 * step);
            let down = (height(x, y + step) - height(x, y - step)) / (2.0 * step);
            if along == 0.0 && down == 0.0 {
                return 0.0;
            }
            let [_, dx, dy] = chart.at((at % width) as f32, (at / width) as f32);
            answer * (dx * along + dy * down)
        })
        .collect();
    picture.values.samples_mut().iter_mut().zip(changed).for_each(|(value, change)| *value += change);
    Some(())
}

impl Disc {
    /// 1 inside, 0 a module and a half outside.
    fn share(&self, x: usize, y: usize, module: f32) -> f32 {
        let away = (x as f32 - self.centre[0]).hypot(y as f32 - self.centre[1]) - self.radius;
        (1.0 - away / (1.5 * module)).clamp(0.0, 1.0)
    }
}

impl Shaded {
    fn of(picture: &Field, disc: Disc, module: f32) -> Option<Self> {
        let (width, height) = (picture.values.width(), picture.values.height());
        let chart = Chart::fitted(picture, disc)?;
        let mut fine = vec![0.0; width * height];
        let (mut along, mut down) = (fine.clone(), fine.clone());
        for y in 0..height {
            for x in 0..width {
                let share = disc.share(x, y, module) * picture.known[(x, y)];
                if share > 0.0 {
                    let [value, dx, dy] = chart.at(x as f32, y as f32);
                    let place = y * width + x;
                    fine[place] = share * (picture.values[(x, y)] - value);
                    (along[place], down[place]) = (share * dx, share * dy);
                }
            }
        }
        let inside = fine.iter().filter(|value| **value != 0.0).count().max(1) as f32;
        let rms = (dot(&fine, &fine) / inside).sqrt().max(1e-9);
        // Highlights and soot are no slopes.
        for value in &mut fine {
            *value = (*value / rms).clamp(-3.0, 3.0);
        }
        let answer = ((dot(&along, &along) + dot(&down, &down)) / inside).sqrt().max(1e-12);
        for value in along.iter_mut().chain(&mut down) {
            *value /= answer;
        }
        Some(Self { fine, along, down })
    }
}

/// The slow part of a picture over a disc, as a polynomial.
struct Chart {
    disc: Disc,
    terms: Vec<(i32, i32)>,
    factors: Vec<f32>,
}

impl Chart {
    /// Fits block means, three times, each time with less weight for what stands far off.
    fn fitted(picture: &Field, disc: Disc) -> Option<Self> {
        let terms: Vec<(i32, i32)> =
            (0..=DEGREE).flat_map(|degree| (0..=degree).map(move |k| (degree - k, k))).collect();
        let points = means(picture, disc);
        let n = terms.len();
        if points.len() < 4 * n {
            return None;
        }
        let rows: Vec<Vec<f64>> = points.iter().map(|&(u, v, _)| row(&terms, (u, v))).collect();
        let mut weights = vec![1.0f64; points.len()];
        let mut factors = vec![0.0f64; n];
        let mut explained = 0.0;
        for _ in 0..3 {
            factors = weighted(&rows, &points, &weights)?;
            let rest: Vec<f64> = rows
                .iter()
                .zip(&points)
                .map(|(row, point)| point.2 - row.iter().zip(&factors).map(|(r, f)| r * f).sum::<f64>())
                .collect();
            let mut sizes: Vec<f64> = rest.iter().map(|rest| rest.abs()).collect();
            sizes.sort_by(f64::total_cmp);
            let typical = 1.48 * sizes[sizes.len() / 2] + 1e-9;
            weights = rest.iter().map(|rest| 1.0 / (1.0 + (rest / (2.0 * typical)).powi(4))).collect();
            explained = share_explained(&points, &rest, &weights);
        }
        (explained > LIT).then(|| Self { disc, terms, factors: factors.iter().map(|&k| k as f32).collect() })
    }

    /// Value and gradient at a sample; beyond the edge of the disc those of its edge.
    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let (mut u, mut v) =
            ((x - self.disc.centre[0]) / self.disc.radius, (y - self.disc.centre[1]) / self.disc.radius);
        let beyond = u.hypot(v).max(1.0);
        (u, v) = (u / beyond, v / beyond);
        let (mut us, mut vs) = ([1.0f32; DEGREE as usize + 1], [1.0f32; DEGREE as usize + 1]);
        for k in 1..=DEGREE as usize {
            (us[k], vs[k]) = (us[k - 1] * u, vs[k - 1] * v);
        }
        let mut sums = [0.0f32; 3];
        for (&(i, j), &factor) in self.terms.iter().zip(&self.factors) {
            let (i, j) = (i as usize, j as usize);
            sums[0] += factor * us[i] * vs[j];
            if i > 0 {
                sums[1] += factor * i as f32 * us[i - 1] * vs[j];
            }
            if j > 0 {
                sums[2] += factor * j as f32 * us[i] * vs[j - 1];
            }
        }
        sums
    }
}

/// Means of blocks of samples inside a disc: place in radii of the disc, and value.
fn means(picture: &Field, disc: Disc) -> Vec<(f64, f64, f64)> {
    let block = ((disc.radius / 18.0) as usize).max(1);
    let (width, height) = (picture.values.width(), picture.values.height());
    let mut points = Vec::new();
    for top in (0..height.saturating_sub(block)).step_by(block) {
        for left in (0..width.saturating_sub(block)).step_by(block) {
            let half = 0.5 * (block as f32 - 1.0);
            let u = (left as f32 + half - disc.centre[0]) / disc.radius;
            let v = (top as f32 + half - disc.centre[1]) / disc.radius;
            if u.hypot(v) > 1.0 {
                continue;
            }
            let (mut sum, mut count) = (0.0f64, 0.0f64);
            for y in top..top + block {
                for x in left..left + block {
                    let known = f64::from(picture.known[(x, y)]);
                    sum += known * f64::from(picture.values[(x, y)]);
                    count += known;
                }
            }
            if count > 0.5 * (block * block) as f64 {
                points.push((f64::from(u), f64::from(v), sum / count));
            }
        }
    }
    points
}

fn row(terms: &[(i32, i32)], (u, v): (f64, f64)) -> Vec<f64> {
    terms.iter().map(|&(i, j)| u.powi(i) * v.powi(j)).collect()
}

fn weighted(rows: &[Vec<f64>], points: &[(f64, f64, f64)], weights: &[f64]) -> Option<Vec<f64>> {
    let n = rows.first()?.len();
    let mut matrix = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for ((row, point), &weight) in rows.iter().zip(points).zip(weights) {
        for i in 0..n {
            let scaled = weight * row[i];
            for j in 0..=i {
                matrix[i * n + j] += scaled * row[j];
            }
            right[i] += scaled * point.2;
        }
    }
    // A thousandth of a sample for each term keeps what the disc does not show at nothing.
    (0..n).for_each(|i| matrix[i * n + i] += 1e-3);
    solve_symmetric(matrix, right)
}

fn share_explained(points: &[(f64, f64, f64)], rest: &[f64], weights: &[f64]) -> f32 {
    let total: f64 = weights.iter().sum();
    let mean = points.iter().zip(weights).map(|(point, w)| w * point.2).sum::<f64>() / total;
    let all: f64 = points.iter().zip(weights).map(|(point, w)| w * (point.2 - mean).powi(2)).sum();
    let left: f64 = rest.iter().zip(weights).map(|(rest, w)| w * rest * rest).sum();
    (1.0 - left / all.max(1e-12)) as f32
}
