//! Square grids about a middle, and straight maps between them.

use topography::Grid;

/// A square grid of `side` points, `pitch` micrometres apart, whose middle is the origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) side: usize,
    pub(crate) pitch: f64,
}

impl Frame {
    /// The frame that covers `extent` micrometres.
    pub(crate) fn covering(extent: f64, pitch: f64) -> Self {
        Self { side: ((extent / pitch).round() as usize).max(8), pitch }
    }

    /// Where the first point lies along either axis, in micrometres.
    pub(crate) fn first(self) -> f64 {
        -0.5 * (self.side as f64 - 1.0) * self.pitch
    }

    /// The whole side, in micrometres.
    pub(crate) fn extent(self) -> f64 {
        self.side as f64 * self.pitch
    }

    /// Where the point with this index lies along either axis, in micrometres.
    pub(crate) fn place(self, index: usize) -> f64 {
        self.first() + index as f64 * self.pitch
    }
}

/// `(x, y) -> (a x + b y + e, c x + d y + f)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) c: f64,
    pub(crate) d: f64,
    pub(crate) e: f64,
    pub(crate) f: f64,
}

impl Affine {
    /// A turn by `angle` radians, from `+x` towards `+y`.
    pub(crate) fn turn(angle: f64) -> Self {
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        Self { a: cos, b: -sin, c: sin, d: cos, e: 0.0, f: 0.0 }
    }

    /// Stretching each axis.
    pub(crate) fn stretch(x: f64, y: f64) -> Self {
        Self { a: x, b: 0.0, c: 0.0, d: y, e: 0.0, f: 0.0 }
    }

    /// A shift.
    pub(crate) fn shift(x: f64, y: f64) -> Self {
        Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: x, f: y }
    }

    /// This map first, then `next`.
    pub(crate) fn then(self, next: Self) -> Self {
        let (e, f) = next.apply(self.e, self.f);
        Self {
            a: next.a * self.a + next.b * self.c,
            b: next.a * self.b + next.b * self.d,
            c: next.c * self.a + next.d * self.c,
            d: next.c * self.b + next.d * self.d,
            e,
            f,
        }
    }

    pub(crate) fn apply(self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.b * y + self.e, self.c * x + self.d * y + self.f)
    }
}

/// As [`warp`], onto any size, with the last row and column held beyond the edge.
pub(crate) fn warp_to(source: &Grid<f32>, size: (usize, usize), map: Affine) -> Grid<f32> {
    let (right, bottom) = (source.width() as f64 - 1.001, source.height() as f64 - 1.001);
    Grid::from_fn(size.0, size.1, |x, y| {
        let (u, v) = map.apply(x as f64, y as f64);
        let (u, v) = (u.clamp(0.0, right), v.clamp(0.0, bottom));
        let (column, row) = (u as usize, v as usize);
        let (s, t) = ((u - column as f64) as f32, (v - row as f64) as f32);
        let (top, low) = (&source.row(row)[column..column + 2], &source.row(row + 1)[column..column + 2]);
        let (above, below) = (top[0] + s * (top[1] - top[0]), low[0] + s * (low[1] - low[0]));
        above + t * (below - above)
    })
}

/// Samples `source` bilinearly at `map(x, y)` for every index of a square grid; `map` goes from index to index, and
/// nothing lies outside `source`.
pub(crate) fn warp(source: &Grid<f32>, side: usize, map: Affine) -> Grid<f32> {
    let mut target = Grid::filled(side, side, 0.0f32);
    let (width, height) = (source.width() as f64 - 1.0, source.height() as f64 - 1.0);
    let samples = source.samples();
    let stride = source.width();
    for y in 0..side {
        let (mut u, mut v) = map.apply(0.0, y as f64);
        for sample in target.row_mut(y) {
            if u >= 0.0 && v >= 0.0 && u < width && v < height {
                let (column, row) = (u as usize, v as usize);
                let (s, t) = ((u - column as f64) as f32, (v - row as f64) as f32);
                let at = row * stride + column;
                let (top, bottom) = (&samples[at..at + 2], &samples[at + stride..at + stride + 2]);
                let above = top[0] + s * (top[1] - top[0]);
                let below = bottom[0] + s * (bottom[1] - bottom[0]);
                *sample = above + t * (below - above);
            }
            u += map.a;
            v += map.c;
        }
    }
    target
}
