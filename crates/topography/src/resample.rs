//! Other pitches, turns and warps of height maps and pictures, with missing points respected.
//!
//! Missing points (`NaN`) weigh nothing. A new sample is measured if at least half of what it rests on is; it is never
//! made up from farther away.
//!
//! ```
//! use topography::resample::{self, Affine};
//! use topography::{Angle, Grid, Length, Pitch, Topography};
//!
//! let heights = Grid::from_fn(100, 80, |x, y| (x + y) as f64);
//! let topography = Topography { heights, pitch: Pitch::square(Length::um(3.125)) };
//! let coarse = resample::to_pitch(&topography, Pitch::square(Length::um(6.25)));
//! assert_eq!((coarse.heights.width(), coarse.heights.height()), (50, 40));
//! assert_eq!(coarse.heights[(0, 0)], 1.0);
//!
//! // A quarter turn clockwise, about the middle.
//! let turn = Affine::rotation(Angle::degrees(90.0), (49.5, 39.5));
//! let turned = resample::warp(&topography.heights, &turn, 100, 80);
//! assert!((turned[(49, 39)] - topography.heights[(49, 40)]).abs() < 1e-9);
//! ```

use rayon::prelude::*;

use crate::filter::catmull_rom;
use crate::{Angle, Grid, Length, Pitch, Topography};

/// A sample that can be blended with others and can be missing (`NaN`): `f32` or `f64`.
pub trait Sample: Copy + Send + Sync {
    /// The sample as a 64-bit number.
    fn to_f64(self) -> f64;
    /// The sample from a 64-bit number.
    fn from_f64(value: f64) -> Self;
}

impl Sample for f64 {
    fn to_f64(self) -> f64 {
        self
    }
    fn from_f64(value: f64) -> Self {
        value
    }
}

impl Sample for f32 {
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

/// A map from places in one picture to places in another, in samples: x to the right, y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// `[a, b, c]` of `x' = a x + b y + c`.
    pub x: [f64; 3],
    /// `[d, e, f]` of `y' = d x + e y + f`.
    pub y: [f64; 3],
}

impl Affine {
    /// Leaves everything where it is.
    pub const IDENTITY: Self = Self { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };

    /// A turn about a place; positive angles turn clockwise as seen on the picture.
    pub fn rotation(angle: Angle, (x, y): (f64, f64)) -> Self {
        let (sin, cos) = angle.to_radians().sin_cos();
        Self { x: [cos, -sin, x - cos * x + sin * y], y: [sin, cos, y - sin * x - cos * y] }
    }

    /// A shift by so many samples.
    pub const fn shift(x: f64, y: f64) -> Self {
        Self { x: [1.0, 0.0, x], y: [0.0, 1.0, y] }
    }

    /// A stretch about the first sample.
    pub const fn scale(x: f64, y: f64) -> Self {
        Self { x: [x, 0.0, 0.0], y: [0.0, y, 0.0] }
    }

    /// This map, and then another.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let row = |[a, b, c]: [f64; 3]| {
            [a * self.x[0] + b * self.y[0], a * self.x[1] + b * self.y[1], a * self.x[2] + b * self.y[2] + c]
        };
        Self { x: row(next.x), y: row(next.y) }
    }

    /// The way back, or nothing where the map flattens the picture.
    pub fn inverse(&self) -> Option<Self> {
        let [a, b, c] = self.x;
        let [d, e, f] = self.y;
        let area = a * e - b * d;
        (area.is_normal()).then(|| Self {
            x: [e / area, -b / area, (b * f - c * e) / area],
            y: [-d / area, a / area, (c * d - a * f) / area],
        })
    }

    /// Where a place goes.
    pub fn apply(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x[0] * x + self.x[1] * y + self.x[2], self.y[0] * x + self.y[1] * y + self.y[2])
    }
}

/// The same field at another pitch: area averages where it becomes coarser, bicubic where it becomes finer.
///
/// The edges of the field stay where they are, so the first sample of a coarser map lies half the difference of the
/// pitches further in. Sizes are rounded; one sample is the least.
pub fn to_pitch(topography: &Topography, pitch: Pitch) -> Topography {
    let heights = &topography.heights;
    let ratio = |new: Length, old: Length| new / old;
    let (x, y) = (ratio(pitch.x, topography.pitch.x), ratio(pitch.y, topography.pitch.y));
    let size = |samples: usize, ratio: f64| ((samples as f64 / ratio).round() as usize).max(1);
    let (width, height) = (size(heights.width(), x), size(heights.height(), y));
    Topography { heights: stretch(heights, (width, x), (height, y)), pitch }
}

/// The same picture in another size: area averages where it shrinks, bicubic where it grows.
///
/// # Panics
///
/// If the new size or the picture is empty.
pub fn resize<T: Sample>(grid: &Grid<T>, width: usize, height: usize) -> Grid<T> {
    assert!(width * height * grid.width() * grid.height() > 0, "an empty picture cannot be resized");
    let ratio = |old: usize, new: usize| old as f64 / new as f64;
    stretch(grid, (width, ratio(grid.width(), width)), (height, ratio(grid.height(), height)))
}

/// Makes both pitches equal to the coarser of the two; a map with square samples comes back as it is.
pub fn to_square(topography: &Topography) -> Topography {
    let pitch = topography.pitch;
    if pitch.x == pitch.y {
        return topography.clone();
    }
    let coarser = if pitch.x > pitch.y { pitch.x } else { pitch.y };
    to_pitch(topography, Pitch::square(coarser))
}

/// Turns a map about its middle, clockwise as seen on the picture; size and pitch stay, corners fall outside.
pub fn rotate(topography: &Topography, angle: Angle) -> Topography {
    let heights = &topography.heights;
    let (width, height) = (heights.width(), heights.height());
    let (px, py) = (topography.pitch.x.to_um(), topography.pitch.y.to_um());
    let middle = ((width as f64 - 1.0) / 2.0 * px, (height as f64 - 1.0) / 2.0 * py);
    let back = Affine::rotation(-angle, middle);
    let map = Affine::scale(px, py).then(&back).then(&Affine::scale(1.0 / px, 1.0 / py));
    Topography { heights: sample_all(heights, &map, width, height), pitch: topography.pitch }
}

/// Moves a picture by `map`: what lies at `p` comes to lie at `map.apply(p)` of a picture of the given size.
///
/// Bicubic (Catmull-Rom) where all sixteen neighbours are measured, bilinear over the measured ones where fewer are;
/// missing where less than half of the bilinear weight is measured. It does not average: shrink with [`resize`] first.
/// A map that flattens the picture gives a picture with nothing measured.
pub fn warp<T: Sample>(grid: &Grid<T>, map: &Affine, width: usize, height: usize) -> Grid<T> {
    match map.inverse() {
        Some(back) => sample_all(grid, &back, width, height),
        None => Grid::filled(width, height, T::from_f64(f64::NAN)),
    }
}

/// The value at a place between samples, as [`warp`] takes it.
pub fn sample_at<T: Sample>(grid: &Grid<T>, x: f64, y: f64) -> f64 {
    // A place within a billionth of a sample is that sample: rounding must not lose a border.
    let snap = |t: f64| if (t - t.round()).abs() < 1e-9 { t.round() } else { t };
    let (x, y) = (snap(x), snap(y));
    let (left, top) = (x.floor(), y.floor());
    let inside = |t: f64, samples: usize| t >= -1.0 && t < samples as f64;
    if !(inside(left, grid.width()) && inside(top, grid.height())) {
        return f64::NAN;
    }
    let (column, row, tx, ty) = (left as isize, top as isize, x - left, y - top);
    bicubic(grid, (column, row), (tx, ty)).unwrap_or_else(|| bilinear(grid, (column, row), (tx, ty)))
}

fn sample_all<T: Sample>(grid: &Grid<T>, back: &Affine, width: usize, height: usize) -> Grid<T> {
    let mut result = vec![T::from_f64(f64::NAN); width * height];
    if width > 0 {
        result.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
            for (x, out) in out.iter_mut().enumerate() {
                let (from_x, from_y) = back.apply((x as f64, y as f64));
                *out = T::from_f64(sample_at(grid, from_x, from_y));
            }
        });
    }
    Grid::from_vec(width, height, result)
}

/// Catmull-Rom over 4 × 4 samples, or nothing if one is missing or outside.
fn bicubic<T: Sample>(grid: &Grid<T>, (column, row): (isize, isize), (tx, ty): (f64, f64)) -> Option<f64> {
    let fits = |first: isize, samples: usize| first >= 1 && first + 2 < samples as isize;
    if !fits(column, grid.width()) || !fits(row, grid.height()) {
        return None;
    }
    let (weights_x, weights_y) = (catmull_rom(tx), catmull_rom(ty));
    let mut sum = 0.0;
    for (weight, y) in weights_y.into_iter().zip(row as usize - 1..) {
        let samples = &grid.row(y)[column as usize - 1..column as usize + 3];
        sum += weight
            * samples.iter().zip(weights_x).map(|(sample, weight)| weight * sample.to_f64()).sum::<f64>();
    }
    (!sum.is_nan()).then_some(sum)
}

/// Bilinear over the measured ones of four samples; missing below half of the weight.
fn bilinear<T: Sample>(grid: &Grid<T>, (column, row): (isize, isize), (tx, ty): (f64, f64)) -> f64 {
    let mut sum = 0.0;
    let mut total = 0.0;
    for (dy, weight_y) in [(0, 1.0 - ty), (1, ty)] {
        for (dx, weight_x) in [(0, 1.0 - tx), (1, tx)] {
            let place = usize::try_from(column + dx).ok().zip(usize::try_from(row + dy).ok());
            let value = place.and_then(|(x, y)| grid.get(x, y)).map_or(f64::NAN, |sample| sample.to_f64());
            let weight = weight_x * weight_y;
            if !value.is_nan() && weight > 0.0 {
                sum += weight * value;
                total += weight;
            }
        }
    }
    if total >= 0.5 - 1e-9 { sum / total } else { f64::NAN }
}

/// Resamples along both axes; each is given as the new number of samples and old samples per new one.
fn stretch<T: Sample>(grid: &Grid<T>, x: (usize, f64), y: (usize, f64)) -> Grid<T> {
    /// Below this the average over an area blurs more than it protects.
    const COARSER: f64 = 1.2;
    if x.1 < COARSER && y.1 < COARSER {
        let map = Affine { x: [x.1, 0.0, (x.1 - 1.0) / 2.0], y: [0.0, y.1, (y.1 - 1.0) / 2.0] };
        return sample_all(grid, &map, x.0, y.0);
    }
    average(grid, &Cells::cut(grid.width(), x), &Cells::cut(grid.height(), y))
}

/// New samples of one axis as ranges of old ones, the outer two in part.
struct Cells(Vec<(usize, Vec<f64>)>);

impl Cells {
    fn cut(samples: usize, (count, ratio): (usize, f64)) -> Self {
        let cell = |index: usize| {
            let (from, to) = (index as f64 * ratio, (index + 1) as f64 * ratio);
            let first = (from.floor() as usize).min(samples - 1);
            let last = ((to.ceil() as usize).max(first + 1)).min(samples);
            let overlap =
                |sample: usize| (to.min(sample as f64 + 1.0) - from.max(sample as f64)).max(0.0) / ratio;
            (first, (first..last).map(overlap).collect())
        };
        Self((0..count).map(cell).collect())
    }
}

/// Area averages over the measured samples; missing where less than half of the area is measured.
fn average<T: Sample>(grid: &Grid<T>, x: &Cells, y: &Cells) -> Grid<T> {
    let width = x.0.len();
    let mut result = vec![T::from_f64(f64::NAN); width * y.0.len()];
    result.par_chunks_mut(width).zip(&y.0).for_each(|(out, (top, rows))| {
        for (out, (left, columns)) in out.iter_mut().zip(&x.0) {
            let (mut sum, mut total) = (0.0, 0.0);
            for (row_weight, row) in rows.iter().zip(*top..) {
                let samples = &grid.row(row)[*left..*left + columns.len()];
                for (sample, column_weight) in samples.iter().zip(columns) {
                    let (value, weight) = (sample.to_f64(), row_weight * column_weight);
                    if !value.is_nan() {
                        sum += weight * value;
                        total += weight;
                    }
                }
            }
            if total >= 0.5 - 1e-9 {
                *out = T::from_f64(sum / total);
            }
        }
    });
    Grid::from_vec(width, y.0.len(), result)
}
