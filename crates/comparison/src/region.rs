//! Finding the mark in a raw scan of a whole primer.

use topography::filter::Form;
use topography::{Grid, Pitch, Topography, resample};

use crate::error::ComparisonError;
use crate::linear;
use crate::prepare::levelled;

/// The pitch at which regions are found, in samples of the base pitch.
const COARSER: f64 = 4.0;
/// Points belong to the breech-face impression within this many robust standard deviations of its plane...
const WITHIN: f64 = 4.0;
/// ...and within these heights, whatever the deviation.
const WITHIN_UM: (f64, f64) = (4.0, 12.0);
/// A steeper slope is the edge of the firing-pin impression, of the aperture shear or of the primer.
const STEEPEST: f64 = 0.30;
/// What is taken away beside an edge: roll-off and flowed metal.
const MARGIN_UM: f64 = 60.0;
/// Relief of firing-pin marks between the cut-offs stays below this.
const FORM_UM: f64 = 15.0;
/// The region is fitted and found again this many times.
const ROUNDS: usize = 3;

/// The breech-face impression: the largest connected area near the robust plane of the primer, without the firing-pin
/// impression, the shear at its edge and the roll-off of the primer. Levelled; everything else is missing.
pub(crate) fn breech_face(base: &Topography) -> Result<Topography, ComparisonError> {
    let mut current = levelled(base, Form::Plane)?;
    let mut region = None;
    for _ in 0..ROUNDS {
        let mask = flat_area(&current);
        let kept = masked(base, &current, &mask);
        if kept.valid_points() < 100 {
            return Err(ComparisonError::NoMark("no flat area that could be a breech-face impression"));
        }
        let plane = Plane::through(&kept);
        current = plane.taken_from(base);
        region = Some(mask);
    }
    let mask = region.expect("at least one round is run");
    let kept = masked(&current, &current, &mask);
    levelled(&kept, Form::Polynomial(2))
}

/// Whether there is the form of a firing-pin impression, or of a primer with one: more relief than any band leaves.
pub(crate) fn is_bowl(base: &Topography) -> bool {
    let [low, high] = middle_heights(base);
    high - low > FORM_UM
}

/// The firing-pin impression: what lies well below the plane of the primer, in one piece, or the whole scan where it shows
/// nothing else. Its form is taken away: a sphere, or a plane for a flat tip, and what bends remain.
pub(crate) fn firing_pin(base: &Topography) -> Result<Topography, ComparisonError> {
    let level = levelled(base, Form::Plane)?;
    let coarse = resample::to_pitch(&level, Pitch::square(base.pitch.x * COARSER));
    let [depth, _] = middle_heights(&coarse);
    let kept = if depth < -20.0 {
        let below = coarse.heights.map(|&z| z.is_finite() && z < 0.25 * depth);
        let bowl = eroded(&largest(&below), (MARGIN_UM / 2.0 / coarse.pitch.x.to_um()).round() as isize);
        masked(&level, &level, &bowl)
    } else {
        level
    };
    let none = ComparisonError::NoMark("no measured bowl that could be a firing-pin impression");
    if kept.valid_points() < 100 {
        return Err(none);
    }
    let round = levelled(&kept, Form::Sphere).unwrap_or(kept);
    // A bowl that is all dropouts leaves too few points for a form.
    levelled(&round, Form::Polynomial(4)).map_err(|_| none)
}

/// The heights below which one in a hundred points lies, and above which one in a hundred lies, in micrometres.
fn middle_heights(surface: &Topography) -> [f64; 2] {
    let mut z: Vec<f64> = surface.heights.samples().iter().copied().filter(|z| z.is_finite()).collect();
    if z.is_empty() {
        return [0.0; 2];
    }
    let last = z.len() - 1;
    [last / 100, last - last / 100].map(|at| *z.select_nth_unstable_by(at, f64::total_cmp).1)
}

/// Points near zero on gentle slopes, in one piece, away from edges; on the coarser grid.
fn flat_area(surface: &Topography) -> Grid<bool> {
    let coarse = resample::to_pitch(surface, Pitch::square(surface.pitch.x * COARSER));
    let z = &coarse.heights;
    let mut distances: Vec<f64> = z.samples().iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    let middle = distances.len() / 2;
    let typical =
        if distances.is_empty() { 0.0 } else { *distances.select_nth_unstable_by(middle, f64::total_cmp).1 };
    let allowed = (WITHIN * 1.4826 * typical).clamp(WITHIN_UM.0, WITHIN_UM.1);
    let pitch = coarse.pitch.x.to_um();
    let near = Grid::from_fn(z.width(), z.height(), |x, y| {
        let here = z[(x, y)];
        // A NaN neighbour makes the slope NaN, which is not steep: dropouts are no edges.
        let slope = |other: Option<&f64>| other.map_or(0.0, |o| (o - here).abs() / pitch);
        let beside = [
            z.get(x + 1, y),
            z.get(x, y + 1),
            x.checked_sub(1).and_then(|x| z.get(x, y)),
            y.checked_sub(1).and_then(|y| z.get(x, y)),
        ];
        let steep = beside.into_iter().any(|other| slope(other) > STEEPEST);
        here.abs() <= allowed && !steep
    });
    // Close specks (dropouts, pits) before cutting margins, so that they do not grow into holes.
    let closed = inverted(&opened(&inverted(&near), 1));
    eroded(&largest(&opened(&closed, 2)), (MARGIN_UM / pitch).round() as isize)
}

fn inverted(mask: &Grid<bool>) -> Grid<bool> {
    mask.map(|m| !m)
}

/// Erosion and dilation by a square of `2 reach + 1`.
fn opened(mask: &Grid<bool>, reach: isize) -> Grid<bool> {
    inverted(&eroded(&inverted(&eroded(mask, reach)), reach))
}

/// What stays when everything within `reach` of a gap is taken away; outside the frame is a gap.
fn eroded(mask: &Grid<bool>, reach: isize) -> Grid<bool> {
    let along = |mask: &Grid<bool>, step: (isize, isize)| {
        Grid::from_fn(mask.width(), mask.height(), |x, y| {
            (-reach..=reach).all(|k| {
                let (x, y) = (x as isize + k * step.0, y as isize + k * step.1);
                x >= 0 && y >= 0 && mask.get(x as usize, y as usize).copied().unwrap_or(false)
            })
        })
    };
    along(&along(mask, (1, 0)), (0, 1))
}

/// The largest piece connected along rows and columns.
fn largest(mask: &Grid<bool>) -> Grid<bool> {
    let (width, height) = (mask.width(), mask.height());
    let mut label = vec![0_usize; width * height];
    let mut best = (0, 0);
    let mut next = 0;
    for start in 0..width * height {
        if !mask.samples()[start] || label[start] != 0 {
            continue;
        }
        next += 1;
        let (mut open, mut size) = (vec![start], 0);
        label[start] = next;
        while let Some(at) = open.pop() {
            size += 1;
            let (x, y) = (at % width, at / width);
            let beside = [
                (x + 1 < width).then(|| at + 1),
                (x > 0).then(|| at - 1),
                (y + 1 < height).then(|| at + width),
                (y > 0).then(|| at - width),
            ];
            for other in beside.into_iter().flatten() {
                if mask.samples()[other] && label[other] == 0 {
                    label[other] = next;
                    open.push(other);
                }
            }
        }
        if size > best.0 {
            best = (size, next);
        }
    }
    Grid::from_vec(width, height, label.into_iter().map(|l| l != 0 && l == best.1).collect())
}

/// The heights of `values` where the coarser mask holds.
fn masked(values: &Topography, frame: &Topography, mask: &Grid<bool>) -> Topography {
    let ratio = frame.heights.width() as f64 / mask.width() as f64;
    let heights = Grid::from_fn(values.heights.width(), values.heights.height(), |x, y| {
        let at = ((x as f64 / ratio) as usize, (y as f64 / ratio) as usize);
        let inside = mask.get(at.0, at.1).copied().unwrap_or(false);
        if inside { values.heights[(x, y)] } else { f64::NAN }
    });
    Topography { heights, pitch: values.pitch }
}

/// A least-squares plane in samples.
struct Plane([f64; 3]);

impl Plane {
    fn through(surface: &Topography) -> Self {
        let z = &surface.heights;
        let middle = [z.width() as f64 / 2.0, z.height() as f64 / 2.0];
        let (mut m, mut y) = ([[0.0; 3]; 3], [0.0; 3]);
        for row in 0..z.height() {
            for x in 0..z.width() {
                let height = z[(x, row)];
                if height.is_finite() {
                    let terms = [1.0, x as f64 - middle[0], row as f64 - middle[1]];
                    linear::observe(&mut m, &mut y, terms, height);
                }
            }
        }
        let [c, sx, sy] = linear::solved(m, y).unwrap_or_default();
        Self([c - sx * middle[0] - sy * middle[1], sx, sy])
    }

    fn taken_from(&self, surface: &Topography) -> Topography {
        let [c, sx, sy] = self.0;
        let z = &surface.heights;
        let heights =
            Grid::from_fn(z.width(), z.height(), |x, y| z[(x, y)] - c - sx * x as f64 - sy * y as f64);
        Topography { heights, pitch: surface.pitch }
    }
}
