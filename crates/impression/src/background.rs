//! A real surface under a simulated mark.

use rand::Rng;
use topography::{Grid, Topography};

use crate::StrikeError;
use crate::frame::Frame;

/// The least share of measured points that a region must have.
const LEAST_VALID: f64 = 0.5;
/// Regions within this share of the best one are as good.
const TOLERANCE: f64 = 0.06;
/// The part of a region's side that counts: marks do not reach the edges.
const CORE: f64 = 0.8;

/// A region of a scan on the frame's grid, with the scan's own texture and its missing points, and where it lay.
pub(crate) struct Region {
    /// Heights about their median, in micrometres; `NaN` where the scan has none.
    pub(crate) heights: Grid<f32>,
    /// The region's first corner in the scan, in micrometres.
    pub(crate) corner: (f64, f64),
    /// The share of measured points in its core.
    pub(crate) valid: f64,
}

/// Draws a region the size of the frame among the places of the scan that have nearly the most measured points.
pub(crate) fn region(scan: &Topography, frame: Frame, rng: &mut impl Rng) -> Result<Region, StrikeError> {
    let pitch = (scan.pitch.x.to_um(), scan.pitch.y.to_um());
    if !(pitch.0 > 0.0 && pitch.1 > 0.0 && pitch.0.is_finite() && pitch.1.is_finite()) {
        return Err(StrikeError::Pitch(pitch.0, pitch.1));
    }
    let window = (
        ((frame.extent() / pitch.0).ceil() as usize + 1).max(2),
        ((frame.extent() / pitch.1).ceil() as usize + 1).max(2),
    );
    let (width, height) = (scan.heights.width(), scan.heights.height());
    if window.0 > width || window.1 > height {
        return Err(StrikeError::BackgroundSize {
            wanted_um: frame.extent(),
            has_um: (width as f64 * pitch.0, height as f64 * pitch.1),
        });
    }
    let places = places(&scan.heights, window);
    let best = places.iter().map(|place| place.2).fold(0.0, f64::max);
    if best < LEAST_VALID {
        return Err(StrikeError::BackgroundValid { best, wanted_um: frame.extent() });
    }
    let good: Vec<_> = places.into_iter().filter(|place| place.2 >= best - TOLERANCE).collect();
    let (x, y, valid) = good[(rng.next_u64() % good.len() as u64) as usize];
    let corner = (x as f64 * pitch.0, y as f64 * pitch.1);
    let mut heights = resample(scan, frame, corner);
    level(&mut heights);
    Ok(Region { heights, corner, valid })
}

/// Every eighth place a window can take, with the share of measured points in its core.
fn places(heights: &Grid<f64>, window: (usize, usize)) -> Vec<(usize, usize, f64)> {
    let (width, height) = (heights.width(), heights.height());
    let mut sums = Grid::filled(width + 1, height + 1, 0u32);
    for y in 0..height {
        let mut line = 0;
        for x in 0..width {
            line += u32::from(heights[(x, y)].is_finite());
            sums[(x + 1, y + 1)] = sums[(x + 1, y)] + line;
        }
    }
    let rim = |side: usize| (0.5 * (1.0 - CORE) * side as f64) as usize;
    let (across, down) = (rim(window.0), rim(window.1));
    let all = ((window.0 - 2 * across) * (window.1 - 2 * down)) as f64;
    let mut places = Vec::new();
    for y in (0..=height - window.1).step_by(8) {
        for x in (0..=width - window.0).step_by(8) {
            let (left, top) = (x + across, y + down);
            let (right, bottom) = (x + window.0 - across, y + window.1 - down);
            let count = sums[(right, bottom)] + sums[(left, top)] - sums[(right, top)] - sums[(left, bottom)];
            places.push((x, y, f64::from(count) / all));
        }
    }
    places
}

/// Bilinear samples; missing where any of the four neighbours is.
fn resample(scan: &Topography, frame: Frame, corner: (f64, f64)) -> Grid<f32> {
    let pitch = (scan.pitch.x.to_um(), scan.pitch.y.to_um());
    let last = (scan.heights.width() - 1, scan.heights.height() - 1);
    Grid::from_fn(frame.side, frame.side, |x, y| {
        let u = (corner.0 + x as f64 * frame.pitch) / pitch.0;
        let v = (corner.1 + y as f64 * frame.pitch) / pitch.1;
        let (column, row) = ((u as usize).min(last.0 - 1), (v as usize).min(last.1 - 1));
        let (s, t) = (u - column as f64, v - row as f64);
        let at = |i: usize, j: usize| scan.heights[(column + i, row + j)];
        let above = at(0, 0) + s * (at(1, 0) - at(0, 0));
        let below = at(0, 1) + s * (at(1, 1) - at(0, 1));
        (above + t * (below - above)) as f32
    })
}

/// Puts the median at 0.
fn level(heights: &mut Grid<f32>) {
    let mut measured: Vec<f32> = heights.samples().iter().copied().filter(|z| z.is_finite()).collect();
    if measured.is_empty() {
        return;
    }
    let middle = measured.len() / 2;
    let median = *measured.select_nth_unstable_by(middle, f32::total_cmp).1;
    for sample in heights.samples_mut() {
        *sample -= median;
    }
}
