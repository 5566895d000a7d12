//! Heights with a mask in single precision, at one pitch: what every kernel of this crate works on.

use topography::Topography;

/// A square-pitch height map whose missing points are zero and carry weight zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raster {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Micrometres between samples.
    pub(crate) pitch: f64,
    /// Micrometres from the origin of the surface to the first sample, along either axis.
    pub(crate) offset: f64,
    /// Heights, zero where missing.
    pub(crate) z: Vec<f32>,
    /// One where measured, zero where missing.
    pub(crate) w: Vec<f32>,
}

/// Where a grid lies in another raster: `source = origin + turn * (place on the grid)`, all in micrometres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pitch: f64,
    /// The source place of the grid's first sample.
    pub(crate) origin: [f64; 2],
    /// The turn in radians.
    pub(crate) turn: f64,
}

impl Raster {
    pub(crate) fn from_topography(surface: &Topography) -> Self {
        let samples = surface.heights.samples();
        Self {
            width: surface.heights.width(),
            height: surface.heights.height(),
            pitch: surface.pitch.x.to_um(),
            offset: 0.0,
            z: samples.iter().map(|&z| if z.is_finite() { z as f32 } else { 0.0 }).collect(),
            w: samples.iter().map(|&z| f32::from(u8::from(z.is_finite()))).collect(),
        }
    }

    pub(crate) fn valid(&self) -> usize {
        self.w.iter().filter(|&&w| w > 0.0).count()
    }

    /// The rectangle of measured points: first column, first row, one past the last column and row.
    pub(crate) fn bounds(&self) -> Option<[usize; 4]> {
        let mut bounds = [usize::MAX, usize::MAX, 0, 0];
        for y in 0..self.height {
            let row = &self.w[y * self.width..(y + 1) * self.width];
            let Some(first) = row.iter().position(|&w| w > 0.0) else { continue };
            let last = row.iter().rposition(|&w| w > 0.0).unwrap_or(first);
            bounds = [bounds[0].min(first), bounds[1].min(y), bounds[2].max(last + 1), bounds[3].max(y + 1)];
        }
        (bounds[2] > 0).then_some(bounds)
    }

    /// Cuts the rectangle `bounds` out.
    pub(crate) fn cropped(&self, bounds: [usize; 4]) -> Self {
        let [x0, y0, x1, y1] = bounds;
        let cut = |samples: &[f32]| {
            (y0..y1).flat_map(|y| samples[y * self.width + x0..y * self.width + x1].iter().copied()).collect()
        };
        Self {
            width: x1 - x0,
            height: y1 - y0,
            pitch: self.pitch,
            offset: self.offset,
            z: cut(&self.z),
            w: cut(&self.w),
        }
    }

    /// What lies in one of these squares, given by left and top edge and side in micrometres from the origin; all else is missing.
    pub(crate) fn within(&self, squares: &[([f64; 2], f64)]) -> Self {
        let mut inside = vec![0.0; self.w.len()];
        for &(corner, side) in squares {
            let [[x0, x1], [y0, y1]] =
                [(corner[0], self.width), (corner[1], self.height)].map(|(from, samples)| {
                    [from, from + side]
                        .map(|v| (((v - self.offset) / self.pitch).round().max(0.0) as usize).min(samples))
                });
            (y0..y1).for_each(|y| inside[y * self.width + x0..y * self.width + x1].fill(1.0));
        }
        let kept = |samples: &[f32]| samples.iter().zip(&inside).map(|(v, inside)| v * inside).collect();
        Self {
            width: self.width,
            height: self.height,
            pitch: self.pitch,
            offset: self.offset,
            z: kept(&self.z),
            w: kept(&self.w),
        }
    }

    /// The mean of the measured points of every two by two samples, where two or more of the four are measured.
    ///
    /// The result keeps the pitch and lies half a sample further right and down.
    pub(crate) fn boxed(&self) -> Self {
        let (width, height) = (self.width.saturating_sub(1), self.height.saturating_sub(1));
        let mut z = Vec::with_capacity(width * height);
        let mut w = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = y * self.width + x;
                let below = at + self.width;
                let weight = self.w[at] + self.w[at + 1] + self.w[below] + self.w[below + 1];
                let sum = self.z[at] + self.z[at + 1] + self.z[below] + self.z[below + 1];
                let measured = weight >= 2.0;
                z.push(if measured { sum / weight } else { 0.0 });
                w.push(f32::from(u8::from(measured)));
            }
        }
        Self { width, height, pitch: self.pitch, offset: self.offset + 0.5 * self.pitch, z, w }
    }

    /// Every other sample along each axis.
    pub(crate) fn thinned(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let thin = |samples: &[f32]| {
            (0..height)
                .flat_map(|y| {
                    samples[2 * y * self.width..(2 * y + 1) * self.width].iter().step_by(2).copied()
                })
                .collect()
        };
        Self {
            width,
            height,
            pitch: 2.0 * self.pitch,
            offset: self.offset,
            z: thin(&self.z),
            w: thin(&self.w),
        }
    }

    /// What [`boxed`](Self::boxed) and then [`thinned`](Self::thinned) give, without what the second throws away.
    pub(crate) fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut z = Vec::with_capacity(width * height);
        let mut w = Vec::with_capacity(width * height);
        for y in 0..height {
            let [above, below] = [2 * y, 2 * y + 1].map(|row| row * self.width..row * self.width + 2 * width);
            let heights = self.z[above.clone()].chunks_exact(2).zip(self.z[below.clone()].chunks_exact(2));
            let weights = self.w[above].chunks_exact(2).zip(self.w[below].chunks_exact(2));
            for ((z0, z1), (w0, w1)) in heights.zip(weights) {
                let weight = w0[0] + w0[1] + w1[0] + w1[1];
                let sum = z0[0] + z0[1] + z1[0] + z1[1];
                let measured = weight >= 2.0;
                z.push(if measured { sum / weight } else { 0.0 });
                w.push(f32::from(u8::from(measured)));
            }
        }
        Self { width, height, pitch: 2.0 * self.pitch, offset: self.offset + 0.5 * self.pitch, z, w }
    }

    /// Rows counted the other way, heights with the other sign, or both. The last column goes where their number is even, so that
    /// every other sample keeps its place.
    pub(crate) fn flipped(&self, mirrored: bool, negated: bool) -> Self {
        let width = if mirrored { self.width - (self.width + 1) % 2 } else { self.width };
        let sign = if negated { -1.0 } else { 1.0 };
        let flip = |samples: &[f32], sign: f32| -> Vec<f32> {
            let rows = samples.chunks_exact(self.width.max(1));
            rows.flat_map(|row| (0..width).map(move |x| sign * row[if mirrored { width - 1 - x } else { x }]))
                .collect()
        };
        Self {
            width,
            height: self.height,
            pitch: self.pitch,
            offset: self.offset,
            z: flip(&self.z, sign),
            w: flip(&self.w, 1.0),
        }
    }

    /// Subtracts the mean of the measured points and limits heights to `limit` standard deviations.
    pub(crate) fn centred(mut self, limit: f32) -> Self {
        let n = (self.valid() as f32).max(1.0);
        let mean = self.z.iter().sum::<f32>() / n;
        let energy: f32 = self.z.iter().zip(&self.w).map(|(&z, &w)| w * (z - mean) * (z - mean)).sum();
        let bound = limit * (energy / n).sqrt();
        for (z, &w) in self.z.iter_mut().zip(&self.w) {
            *z = w * (*z - mean).clamp(-bound, bound);
        }
        self
    }

    /// Divides heights by the root of their root mean square over squares of `2 reach + 1` samples, so that no rough patch
    /// outweighs the rest, and that a smooth part, which is mostly noise, does not outweigh the marks.
    pub(crate) fn half_evened(self, reach: usize) -> Self {
        self.evened_by(reach, f32::sqrt)
    }

    /// The same by the whole root mean square, after which every place is as rough as any other.
    pub(crate) fn evened(self, reach: usize) -> Self {
        self.evened_by(reach, |rough| rough)
    }

    fn evened_by(mut self, reach: usize, share: impl Fn(f32) -> f32) -> Self {
        let energy: Vec<f32> = self.z.iter().map(|z| z * z).collect();
        let energy = self.box_sums(&energy, reach);
        let points = self.box_sums(&self.w, reach);
        for (i, z) in self.z.iter_mut().enumerate() {
            if self.w[i] > 0.0 {
                *z /= share((energy[i] / points[i].max(1.0)).sqrt().max(1e-6));
            }
        }
        self
    }

    /// Sums over squares, every one added up from its first sample to its last, row by row.
    fn box_sums(&self, samples: &[f32], reach: usize) -> Vec<f32> {
        let width = self.width;
        let add = |out: &mut [f32], line: &[f32]| out.iter_mut().zip(line).for_each(|(o, v)| *o += v);
        let mut across = vec![0.0; samples.len()];
        for (line, out) in samples.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
            // All sums of a row grow together, a neighbour at a time from the left.
            for left in (1..=reach.min(width - 1)).rev() {
                add(&mut out[left..], &line[..width - left]);
            }
            for right in 0..=reach.min(width - 1) {
                add(&mut out[..width - right], &line[right..]);
            }
        }
        let mut out = vec![0.0; samples.len()];
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            for other in y.saturating_sub(reach)..(y + reach + 1).min(self.height) {
                add(out, &across[other * width..(other + 1) * width]);
            }
        }
        out
    }

    /// Samples this raster on a turned grid, bilinear over measured points; missing where less than half is measured.
    pub(crate) fn sampled(&self, frame: &Frame, out: &mut Self) {
        out.width = frame.width;
        out.height = frame.height;
        out.pitch = frame.pitch;
        out.z.clear();
        out.z.resize(frame.width * frame.height, 0.0);
        out.w.clear();
        out.w.resize(frame.width * frame.height, 0.0);
        let scale = 1.0 / self.pitch;
        let (sin, cos) = (libm::sin(frame.turn), libm::cos(frame.turn));
        let step = [(frame.pitch * cos * scale) as f32, (frame.pitch * sin * scale) as f32];
        for y in 0..frame.height {
            let down = y as f64 * frame.pitch;
            let start = [
                ((frame.origin[0] - self.offset - sin * down) * scale) as f32,
                ((frame.origin[1] - self.offset + cos * down) * scale) as f32,
            ];
            let row = y * frame.width..(y + 1) * frame.width;
            self.sample_line(start, step, &mut out.z[row.clone()], &mut out.w[row]);
        }
    }

    fn sample_line(&self, start: [f32; 2], step: [f32; 2], z: &mut [f32], w: &mut [f32]) {
        let last = [self.width as f32 - 1.0, self.height as f32 - 1.0];
        let [right, bottom] = last;
        let range = possible(start, step, last, z.len());
        for i in range {
            let x = start[0] + step[0] * i as f32;
            let y = start[1] + step[1] * i as f32;
            if !(x >= 0.0 && y >= 0.0 && x < right && y < bottom) {
                continue;
            }
            // Neither is negative: this is what rounding down does, without a call.
            let (column, row) = (x as i32, y as i32);
            let at = row as usize * self.width + column as usize;
            let (u, v) = (x - column as f32, y - row as f32);
            let below = at + self.width;
            let (w0, w1) = (&self.w[at..at + 2], &self.w[below..below + 2]);
            let (a, b, c, d) = ((1.0 - u) * (1.0 - v), u * (1.0 - v), (1.0 - u) * v, u * v);
            let weight = a * w0[0] + b * w0[1] + c * w1[0] + d * w1[1];
            if weight >= 0.5 {
                let (z0, z1) = (&self.z[at..at + 2], &self.z[below..below + 2]);
                z[i] = (a * z0[0] + b * z0[1] + c * z1[0] + d * z1[1]) / weight;
                w[i] = 1.0;
            }
        }
    }
}

/// Which samples of a line of so many may lie between zero and `last` along both axes: all that do, and few others.
fn possible(start: [f32; 2], step: [f32; 2], last: [f32; 2], samples: usize) -> std::ops::Range<usize> {
    /// Along a line this steep against an axis, rounding moves no end by as much as the margin.
    const STEEP: f64 = 1e-2;
    const MARGIN: f64 = 2.0;
    let (mut from, mut to) = (0.0_f64, samples as f64);
    for axis in 0..2 {
        let step = f64::from(step[axis]);
        if step.abs() > STEEP {
            let ends = [0.0, f64::from(last[axis])].map(|end| (end - f64::from(start[axis])) / step);
            from = from.max(ends[0].min(ends[1]) - MARGIN);
            to = to.min(ends[0].max(ends[1]) + MARGIN);
        }
    }
    let (from, to) = (from.max(0.0) as usize, to.max(0.0) as usize);
    from.min(to)..to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A raster of any size with gaps, its heights and sums of whole numbers.
    fn gappy(width: usize, height: usize) -> Raster {
        let of = |k: usize| (k * 7919 + k / 3 * 104_729) % 97;
        let w: Vec<f32> = (0..width * height).map(|k| f32::from(u8::from(of(k) % 4 > 0))).collect();
        let z = w.iter().enumerate().map(|(k, w)| w * of(k) as f32).collect();
        Raster { width, height, pitch: 2.0, offset: 3.0, z, w }
    }

    #[test]
    fn halving_is_boxing_and_thinning() {
        for (width, height) in [(2, 2), (3, 2), (8, 7), (7, 8), (31, 30), (30, 31)] {
            let source = gappy(width, height);
            let (one, other) = (source.halved(), source.boxed().thinned());
            assert_eq!((one.width, one.height, one.z, one.w), (other.width, other.height, other.z, other.w));
            assert_eq!((one.pitch, one.offset), (other.pitch, other.offset));
        }
    }

    #[test]
    fn sums_over_squares_end_at_the_edge() {
        for (width, height, reach) in [(1, 1, 2), (9, 5, 2), (5, 9, 8), (12, 12, 1)] {
            let source = gappy(width, height);
            let sums = source.box_sums(&source.z, reach);
            for (at, sum) in sums.iter().enumerate() {
                let near = |k: usize, most: usize| k.saturating_sub(reach)..(k + reach + 1).min(most);
                let (x, y) = (at % width, at / width);
                let rows = near(y, height).flat_map(|y| near(x, width).map(move |x| y * width + x));
                assert_eq!(*sum, rows.map(|k| source.z[k]).sum::<f32>());
            }
        }
    }

    /// However a line runs, its ends are where its samples leave the source.
    #[test]
    fn every_sample_inside_is_taken_and_none_outside() {
        let (width, height) = (60, 47);
        let source = Raster {
            width,
            height,
            pitch: 2.0,
            offset: 3.0,
            z: vec![1.0; width * height],
            w: vec![1.0; width * height],
        };
        let mut out = Raster::default();
        for turn in [0.0, 1e-7, 0.004, 0.02, 0.7, 1.57, std::f64::consts::FRAC_PI_2, 2.9, 4.4] {
            for origin in [[3.0, 3.0], [-40.5, 20.25], [90.0, 70.0], [500.0, 0.0]] {
                let frame = Frame { width: 90, height: 80, pitch: 1.7, origin, turn };
                source.sampled(&frame, &mut out);
                let (sin, cos) = turn.sin_cos();
                for (at, w) in out.w.iter().enumerate() {
                    let [p, q] = [at % 90, at / 90].map(|n| n as f64 * 1.7);
                    let place = [origin[0] + cos * p - sin * q, origin[1] + sin * p + cos * q];
                    let [x, y] = place.map(|v| (v - 3.0) / 2.0);
                    let within = |x: f64, samples: usize, by: f64| x >= by && x < samples as f64 - 1.0 - by;
                    // Rounding decides on the very edge.
                    if within(x, width, 1e-3) && within(y, height, 1e-3) {
                        assert!(*w > 0.0, "{turn} {origin:?} {x} {y}");
                    } else if !within(x, width, -1e-3) || !within(y, height, -1e-3) {
                        assert!(*w == 0.0, "{turn} {origin:?} {x} {y}");
                    }
                }
            }
        }
    }
}
