//! The working surface: even pitch, missing points filled and remembered, form taken off.

use topography::{Grid, Length, Micrograph, Pitch, Topography};

use crate::blur::blur;

/// Samples on a square grid, with the share of each that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Heights in micrometres or intensities; 0 where nothing was measured.
    pub(crate) values: Grid<f32>,
    /// 0 where nothing was measured, 1 where everything was.
    pub(crate) known: Grid<f32>,
    /// Micrometres between samples.
    pub(crate) pitch_um: f32,
    /// Where sample (0, 0) lies from the first sample of the input, in micrometres.
    pub(crate) origin_um: f32,
}

/// A piece of the input: `[left, top, right, bottom]` in micrometres from its first sample.
pub(crate) type Region = [f32; 4];

/// What was put in front of the reader.
pub(crate) enum Surface<'a> {
    /// A height map.
    Heights(&'a Topography),
    /// A photograph and the pitch to believe.
    Picture(&'a Micrograph, Pitch),
}

impl Surface<'_> {
    /// Width and height of the input in micrometres.
    pub(crate) fn extent_um(&self) -> [f32; 2] {
        let (pitch, width, height) = match self {
            Self::Heights(topography) => {
                (topography.pitch, topography.heights.width(), topography.heights.height())
            }
            Self::Picture(picture, pitch) => (*pitch, picture.intensity.width(), picture.intensity.height()),
        };
        [width as f32 * pitch.x.to_um() as f32, height as f32 * pitch.y.to_um() as f32]
    }

    /// Whether its scale is known, and not presumed.
    pub(crate) fn is_scaled(&self) -> bool {
        match self {
            Self::Heights(_) => true,
            Self::Picture(picture, _) => picture.pitch.is_some(),
        }
    }

    /// Averages or interpolates a region onto a square grid; the field keeps no form removal yet.
    pub(crate) fn sampled(&self, region: Region, pitch: Length) -> Field {
        match self {
            Self::Heights(topography) => {
                resample(&topography.heights, |&height| height as f32, topography.pitch, (region, pitch))
            }
            Self::Picture(picture, own) => resample(&picture.intensity, |&grey| grey, *own, (region, pitch)),
        }
    }
}

fn resample<T>(source: &Grid<T>, value: impl Fn(&T) -> f32, own: Pitch, to: (Region, Length)) -> Field {
    let (region, pitch) = (to.0, to.1.to_um() as f32);
    let step = [own.x.to_um() as f32, own.y.to_um() as f32];
    let count = |low: f32, high: f32| (((high - low) / pitch).floor() as usize).max(8);
    let (width, height) = (count(region[0], region[2]), count(region[1], region[3]));
    let spans = |low: f32, step: f32, count: usize, size: usize| -> Vec<(usize, usize)> {
        let edge = |k: usize| (((low + k as f32 * pitch) / step).round().max(0.0) as usize).min(size);
        (0..count).map(|k| (edge(k), edge(k + 1))).collect()
    };
    let fine = pitch >= 1.3 * step[0] && pitch >= 1.3 * step[1];
    let columns = spans(region[0], step[0], width, source.width());
    let rows = spans(region[1], step[1], height, source.height());
    let mut field = Field {
        values: Grid::filled(width, height, 0.0),
        known: Grid::filled(width, height, 0.0),
        pitch_um: pitch,
        origin_um: 0.5 * pitch - 0.25 * (step[0] + step[1]),
    };
    for (y, &row) in rows.iter().enumerate() {
        for (x, &column) in columns.iter().enumerate() {
            let (sum, weight) = if fine {
                boxed(source, &value, column, row)
            } else {
                let at =
                    |k: usize, low: f32, step: f32| ((low + (k as f32 + 0.5) * pitch) / step - 0.5).max(0.0);
                between(source, &value, at(x, region[0], step[0]), at(y, region[1], step[1]))
            };
            if weight > 0.25 {
                field.values[(x, y)] = sum / weight;
                field.known[(x, y)] = weight.min(1.0);
            }
        }
    }
    field
}

fn boxed<T>(source: &Grid<T>, value: impl Fn(&T) -> f32, x: (usize, usize), y: (usize, usize)) -> (f32, f32) {
    let (mut sum, mut count) = (0.0, 0.0f32);
    for row in y.0..y.1 {
        for sample in &source.row(row)[x.0..x.1.max(x.0)] {
            let sample = value(sample);
            if sample.is_finite() {
                sum += sample;
                count += 1.0;
            }
        }
    }
    let all = ((x.1 - x.0) * (y.1 - y.0)).max(1) as f32;
    (sum / all, count / all)
}

fn between<T>(source: &Grid<T>, value: impl Fn(&T) -> f32, x: f32, y: f32) -> (f32, f32) {
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let (mut sum, mut weight) = (0.0, 0.0);
    for (dx, dy, share) in
        [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)]
    {
        let sample = source.get(x0 + dx, y0 + dy).map_or(f32::NAN, &value);
        if sample.is_finite() {
            sum += share * sample;
            weight += share;
        }
    }
    (sum, weight)
}

impl Field {
    /// The same on wider samples.
    pub(crate) fn coarser(&self, pitch_um: f32) -> Self {
        let ratio = pitch_um / self.pitch_um;
        let (width, height) = (self.values.width(), self.values.height());
        let soft = blur(self.values.samples(), width, height, 0.35 * ratio);
        let soft = Self { values: Grid::from_vec(width, height, soft), ..self.clone() };
        let count = |size: usize| (size as f32 / ratio) as usize;
        let at = |k: usize| ((k as f32 + 0.5) * ratio - 0.5).max(0.0);
        let of =
            |x: usize, y: usize| soft.at(at(x).min(width as f32 - 1.01), at(y).min(height as f32 - 1.01));
        Self {
            values: Grid::from_fn(count(width), count(height), |x, y| of(x, y).0),
            known: Grid::from_fn(count(width), count(height), |x, y| of(x, y).1),
            pitch_um,
            origin_um: self.origin_um + 0.5 * (pitch_um - self.pitch_um),
        }
    }

    /// Takes off the least-squares quadric, three times, each time leaving out what stands far off.
    pub(crate) fn take_quadric(&mut self) {
        let (width, height) = (self.values.width(), self.values.height());
        let terms = |x: usize, y: usize| {
            let u = 2.0 * x as f64 / width as f64 - 1.0;
            let v = 2.0 * y as f64 / height as f64 - 1.0;
            [1.0, u, v, u * u, u * v, v * v]
        };
        let mut limit = f64::INFINITY;
        for _ in 0..3 {
            let mut normal = [[0.0f64; 7]; 6];
            let mut spread = (0.0, 0.0);
            for y in (0..height).step_by(2) {
                for x in (0..width).step_by(2) {
                    let value = f64::from(self.values[(x, y)]);
                    if self.known[(x, y)] == 0.0 || value.abs() > limit {
                        continue;
                    }
                    spread = (spread.0 + value * value, spread.1 + 1.0);
                    let row = terms(x, y);
                    for i in 0..6 {
                        for j in 0..6 {
                            normal[i][j] += row[i] * row[j];
                        }
                        normal[i][6] += row[i] * value;
                    }
                }
            }
            let Some(solution) = solve_six(normal) else { return };
            let mut rest = (0.0, 0.0);
            for y in 0..height {
                for x in 0..width {
                    if self.known[(x, y)] > 0.0 {
                        let form: f64 = terms(x, y).iter().zip(solution).map(|(t, s)| t * s).sum();
                        let value = f64::from(self.values[(x, y)]) - form;
                        self.values[(x, y)] = value as f32;
                        rest = (rest.0 + value.abs(), rest.1 + 1.0);
                    }
                }
            }
            limit = 3.0 * rest.0 / f64::max(rest.1, 1.0);
        }
    }

    /// Subtracts the Gaussian mean of the measured points; missing points become 0.
    pub(crate) fn take_slow_waves(&mut self, sigma: f32) {
        let slow = self.smoothed(sigma);
        for (i, value) in self.values.samples_mut().iter_mut().enumerate() {
            *value = if self.known.samples()[i] > 0.0 { *value - slow[i] } else { 0.0 };
        }
    }

    /// The Gaussian mean of the measured points about every sample.
    pub(crate) fn smoothed(&self, sigma: f32) -> Vec<f32> {
        let (width, height) = (self.values.width(), self.values.height());
        let weighted: Vec<f32> =
            self.values.samples().iter().zip(self.known.samples()).map(|(v, w)| v * w).collect();
        let top = blur(&weighted, width, height, sigma);
        let below = blur(self.known.samples(), width, height, sigma);
        top.iter().zip(below).map(|(t, b)| if b > 1e-6 { t / b } else { 0.0 }).collect()
    }

    /// Divides by the local root mean square (never below a floor) and clips, so that no one feature rules.
    pub(crate) fn evened(&self, sigma: f32, clip: f32) -> Self {
        let (width, height) = (self.values.width(), self.values.height());
        let squares: Vec<f32> = self.values.samples().iter().map(|v| v * v).collect();
        let local = blur(&squares, width, height, sigma);
        let known = blur(self.known.samples(), width, height, sigma);
        let mean = squares.iter().sum::<f32>() / self.known.samples().iter().sum::<f32>().max(1.0);
        let mut even = self.clone();
        for (i, value) in even.values.samples_mut().iter_mut().enumerate() {
            let rms = (local[i] / known[i].max(0.05) + 0.05 * mean).sqrt().max(1e-12);
            *value = (*value / rms).clamp(-clip, clip);
        }
        even
    }

    /// The bilinear value and share known at a place in samples; nothing outside.
    pub(crate) fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let (width, height) = (self.values.width(), self.values.height());
        if !(x >= 0.0 && y >= 0.0 && x < (width - 1) as f32 && y < (height - 1) as f32) {
            return (0.0, 0.0);
        }
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let at = y0 * width + x0;
        let mix = |s: &[f32]| {
            (s[at] * (1.0 - fx) + s[at + 1] * fx) * (1.0 - fy)
                + (s[at + width] * (1.0 - fx) + s[at + width + 1] * fx) * fy
        };
        (mix(self.values.samples()), mix(self.known.samples()))
    }
}

fn solve_six(mut normal: [[f64; 7]; 6]) -> Option<[f64; 6]> {
    for column in 0..6 {
        let pivot =
            (column..6).max_by(|&a, &b| normal[a][column].abs().total_cmp(&normal[b][column].abs()))?;
        normal.swap(column, pivot);
        if normal[column][column].abs() < 1e-9 {
            return None;
        }
        for row in 0..6 {
            if row != column {
                let factor = normal[row][column] / normal[column][column];
                let pivot = normal[column];
                for (value, pivot) in normal[row].iter_mut().zip(pivot).skip(column) {
                    *value -= factor * pivot;
                }
            }
        }
    }
    let mut solution = [0.0; 6];
    for (k, value) in solution.iter_mut().enumerate() {
        *value = normal[k][6] / normal[k][k];
    }
    Some(solution)
}
