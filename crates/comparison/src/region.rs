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
/// Fewer points of a firing pin at the base pitch carry no form.
const LEAST_POINTS: usize = 100;
/// The same area of a breech face on the coarser grid: the first plane touches a domed one in little more.
const LEAST_OF_FACE: usize = 7;
/// The region is fitted and found again this many times.
const ROUNDS: usize = 3;
/// Where it is less than this share of what has no steep slopes, the primer may be domed...
const CUT_DOWN: f64 = 0.8;
/// ...and is where a bent form has so many times the area.
const LARGER: f64 = 1.15;
/// Primers are 4.4 or 5.3 mm across; what is wider is the head of the case...
const WIDEST_UM: f64 = 5600.0;
/// ...and what is narrower is the bottom of the firing-pin impression.
const NARROWEST_UM: f64 = 2500.0;

/// The breech-face impression: the largest connected area near the robust plane of the primer, without the firing-pin
/// impression, the shear at its edge and the roll-off of the primer. Levelled; everything else is missing.
///
/// Forms are as long as the primer is wide: they are found, and fitted, on a coarser grid.
pub(crate) fn breech_face(base: &Topography) -> Result<Topography, ComparisonError> {
    let mut coarse = resample::to_pitch(base, Pitch::square(base.pitch.x * COARSER));
    let mut current = levelled(&coarse, Form::Plane)?;
    if let Some(bounds) = primer(&current)? {
        coarse = within(&coarse, bounds);
        current = levelled(&coarse, Form::Plane)?;
    }
    let (level, mut mask) = settled::<PLANE>(&coarse, current)?;
    let whole = smooth_area(&level);
    if (samples(&mask) as f64) < CUT_DOWN * samples(&whole) as f64
        && let Some(start) = bent(&coarse, &whole)
        && let Ok((_, round)) = settled::<BENT>(&coarse, start)
        && samples(&round) as f64 > LARGER * samples(&mask) as f64
    {
        mask = round;
    }
    Ok(second_degree(&coarse, &mask)?.taken_from(&masked(base, &mask)))
}

/// The flat area about a plane, or a bent surface, and the scan levelled by it, found in turns from a first levelling.
fn settled<const TERMS: usize>(
    coarse: &Topography,
    mut current: Topography,
) -> Result<(Topography, Grid<bool>), ComparisonError> {
    let mut mask = Grid::filled(0, 0, false);
    for _ in 0..ROUNDS {
        mask = flat_area(&current);
        let kept = masked(coarse, &mask);
        if kept.valid_points() < LEAST_OF_FACE {
            return Err(ComparisonError::NoMark("no flat area that could be a breech-face impression"));
        }
        current = Shape::<TERMS>::through(&kept).taken_from(coarse);
    }
    Ok((current, mask))
}

/// The scan less the form of second degree that most of an area follows; nothing where it follows none.
fn bent(coarse: &Topography, area: &Grid<bool>) -> Option<Topography> {
    second_degree(coarse, area).ok().map(|form| form.taken_from(coarse))
}

/// The form of second degree that most of an area follows.
fn second_degree(coarse: &Topography, area: &Grid<bool>) -> Result<Shape<BENT>, ComparisonError> {
    let kept = masked(coarse, area);
    let rest = levelled(&kept, Form::Polynomial(2))?;
    let z = &kept.heights;
    let form = Grid::from_fn(z.width(), z.height(), |x, y| z[(x, y)] - rest.heights[(x, y)]);
    Ok(Shape::through(&Topography { heights: form, pitch: kept.pitch }))
}

/// The largest piece without steep slopes, whatever its form, away from edges.
fn smooth_area(coarse: &Topography) -> Grid<bool> {
    let pitch = coarse.pitch.x.to_um();
    largest(&opened(&closed(&gentle(&coarse.heights, pitch)), 2)).eroded([samples_of(MARGIN_UM, pitch); 2])
}

/// So many samples of that pitch come nearest to a length.
fn samples_of(length_um: f64, pitch_um: f64) -> usize {
    (length_um / pitch_um).round() as usize
}

fn samples(mask: &Grid<bool>) -> usize {
    mask.samples().iter().filter(|&&m| m).count()
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
        let bowl = largest(&below).eroded([samples_of(MARGIN_UM / 2.0, coarse.pitch.x.to_um()); 2]);
        masked(&level, &bowl)
    } else {
        level
    };
    let none = ComparisonError::NoMark("no measured bowl that could be a firing-pin impression");
    if kept.valid_points() < LEAST_POINTS {
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

/// The rectangle of the primer, where the scan shows the head of the case round it; nothing where it shows the primer alone.
///
/// The head is flat as well and larger, and its stamp and turning are those of the maker of the ammunition. Between the two runs
/// a gap: the primer is the piece inside.
fn primer(coarse: &Topography) -> Result<Option<[usize; 4]>, ComparisonError> {
    let pitch = coarse.pitch.x.to_um();
    let (_, pieces) = pieces(&opened(&without_specks(&gentle(&coarse.heights, pitch)), 2));
    let sides = |[x0, y0, x1, y1]: [usize; 4]| [x1 - x0, y1 - y0].map(|n| n as f64 * pitch);
    let Some(largest) = pieces.iter().max_by_key(|piece| piece.size) else { return Ok(None) };
    let [x0, y0, x1, y1] = largest.bounds;
    let is_inside = |piece: &&Piece| {
        let [u0, v0, u1, v1] = piece.bounds;
        let [across, down] = sides(piece.bounds);
        x0 < u0 && y0 < v0 && u1 < x1 && v1 < y1 && across.min(down) >= NARROWEST_UM
    };
    if let Some(inner) = pieces.iter().filter(is_inside).max_by_key(|piece| piece.size) {
        return Ok(Some(inner.bounds));
    }
    let [across, down] = sides(largest.bounds);
    if across.max(down) > WIDEST_UM {
        return Err(ComparisonError::NoMark(
            "a flat area wider than any primer, perhaps the head of the case",
        ));
    }
    Ok(None)
}

/// What lies in the rectangle; all else is missing.
fn within(surface: &Topography, [x0, y0, x1, y1]: [usize; 4]) -> Topography {
    let z = &surface.heights;
    let heights = Grid::from_fn(z.width(), z.height(), |x, y| {
        if (x0..x1).contains(&x) && (y0..y1).contains(&y) { z[(x, y)] } else { f64::NAN }
    });
    Topography { heights, pitch: surface.pitch }
}

/// Measured points without a steep slope beside them.
fn gentle(z: &Grid<f64>, pitch: f64) -> Grid<bool> {
    Grid::from_fn(z.width(), z.height(), |x, y| {
        let here = z[(x, y)];
        // A NaN neighbour makes the slope NaN, which is not steep: dropouts are no edges.
        let slope = |other: Option<&f64>| other.map_or(0.0, |o| (o - here).abs() / pitch);
        let beside = [
            z.get(x + 1, y),
            z.get(x, y + 1),
            x.checked_sub(1).and_then(|x| z.get(x, y)),
            y.checked_sub(1).and_then(|y| z.get(x, y)),
        ];
        here.is_finite() && !beside.into_iter().any(|other| slope(other) > STEEPEST)
    })
}

/// Points near zero on gentle slopes, in one piece, away from edges.
fn flat_area(coarse: &Topography) -> Grid<bool> {
    let z = &coarse.heights;
    let mut distances: Vec<f64> = z.samples().iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    let middle = distances.len() / 2;
    let typical =
        if distances.is_empty() { 0.0 } else { *distances.select_nth_unstable_by(middle, f64::total_cmp).1 };
    let allowed = (WITHIN * 1.4826 * typical).clamp(WITHIN_UM.0, WITHIN_UM.1);
    let pitch = coarse.pitch.x.to_um();
    let gentle = gentle(z, pitch);
    let near = Grid::from_fn(z.width(), z.height(), |x, y| z[(x, y)].abs() <= allowed && gentle[(x, y)]);
    // Close specks (dropouts, pits) before cutting margins, so that they do not grow into holes.
    largest(&opened(&closed(&near), 2)).eroded([samples_of(MARGIN_UM, pitch); 2])
}

/// With small gaps filled; the rim of a groove is none, however thin.
fn without_specks(mask: &Grid<bool>) -> Grid<bool> {
    /// In samples.
    const SMALL: usize = 12;
    let (labels, gaps) = pieces(&inverted(mask));
    let filled = labels.iter().map(|&label| label == 0 || gaps[label - 1].size <= SMALL);
    Grid::from_vec(mask.width(), mask.height(), filled.collect())
}

/// With specks filled, and grooves of two samples.
fn closed(mask: &Grid<bool>) -> Grid<bool> {
    inverted(&opened(&inverted(mask), 1))
}

fn inverted(mask: &Grid<bool>) -> Grid<bool> {
    mask.map(|m| !m)
}

/// Erosion and dilation by a square of `2 reach + 1`.
fn opened(mask: &Grid<bool>, reach: usize) -> Grid<bool> {
    inverted(&inverted(&mask.eroded([reach; 2])).eroded([reach; 2]))
}

/// A piece connected along rows and columns.
struct Piece {
    label: usize,
    /// Its samples.
    size: usize,
    /// First column, first row, one past the last column and row.
    bounds: [usize; 4],
}

/// The largest piece.
fn largest(mask: &Grid<bool>) -> Grid<bool> {
    let (labels, pieces) = pieces(mask);
    let best = pieces.iter().rev().max_by_key(|piece| piece.size).map_or(0, |piece| piece.label);
    Grid::from_vec(mask.width(), mask.height(), labels.into_iter().map(|l| l != 0 && l == best).collect())
}

/// The label of every sample, zero for none, and the pieces in the order of their labels.
fn pieces(mask: &Grid<bool>) -> (Vec<usize>, Vec<Piece>) {
    let (width, height) = (mask.width(), mask.height());
    let mut labels = vec![0_usize; width * height];
    let mut pieces = Vec::new();
    for start in 0..width * height {
        if !mask.samples()[start] || labels[start] != 0 {
            continue;
        }
        let label = pieces.len() + 1;
        let mut piece = Piece { label, size: 0, bounds: [width, height, 0, 0] };
        let mut open = vec![start];
        labels[start] = label;
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            piece.size += 1;
            let [x0, y0, x1, y1] = piece.bounds;
            piece.bounds = [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)];
            let beside = [
                (x + 1 < width).then(|| at + 1),
                (x > 0).then(|| at - 1),
                (y + 1 < height).then(|| at + width),
                (y > 0).then(|| at - width),
            ];
            for other in beside.into_iter().flatten() {
                if mask.samples()[other] && labels[other] == 0 {
                    labels[other] = label;
                    open.push(other);
                }
            }
        }
        pieces.push(piece);
    }
    (labels, pieces)
}

/// The heights where the mask holds, which may be coarser.
fn masked(surface: &Topography, mask: &Grid<bool>) -> Topography {
    let z = &surface.heights;
    let ratio = z.width() as f64 / mask.width() as f64;
    let mut heights = z.clone();
    for y in 0..z.height() {
        let at = (y as f64 / ratio) as usize;
        let row = (at < mask.height()).then(|| mask.row(at));
        for (x, z) in heights.row_mut(y).iter_mut().enumerate() {
            let inside = row.and_then(|row| row.get((x as f64 / ratio) as usize));
            if inside != Some(&true) {
                *z = f64::NAN;
            }
        }
    }
    Topography { heights, pitch: surface.pitch }
}

/// A least-squares plane, or one bent to the second degree, by the number of its terms; at any pitch.
struct Shape<const TERMS: usize> {
    coefficients: [f64; TERMS],
    /// Of the frame, in micrometres.
    size: [f64; 2],
}

const PLANE: usize = 3;
const BENT: usize = 6;

impl<const TERMS: usize> Shape<TERMS> {
    fn through(surface: &Topography) -> Self {
        let z = &surface.heights;
        let pitch = surface.pitch.x.to_um();
        let size = [z.width(), z.height()].map(|n| n as f64 * pitch);
        let (mut m, mut y) = ([[0.0; TERMS]; TERMS], [0.0; TERMS]);
        for row in 0..z.height() {
            for (column, &height) in z.row(row).iter().enumerate().filter(|(_, height)| height.is_finite()) {
                linear::observe(&mut m, &mut y, Self::terms(size, pitch, [column, row]), height);
            }
        }
        Self { coefficients: linear::solved(m, y).unwrap_or([0.0; TERMS]), size }
    }

    /// Constant, slopes, bends, from -1 to 1 across the frame, in the middle of a sample.
    fn terms([width, height]: [f64; 2], pitch: f64, place: [usize; 2]) -> [f64; TERMS] {
        let [x, y] = place.map(|n| (n as f64 + 0.5) * pitch);
        let (u, v) = (2.0 * x / width - 1.0, 2.0 * y / height - 1.0);
        let all: [f64; BENT] = [1.0, u, v, u * u, u * v, v * v];
        std::array::from_fn(|k| all[k])
    }

    fn taken_from(&self, surface: &Topography) -> Topography {
        let mut heights = surface.heights.clone();
        let pitch = surface.pitch.x.to_um();
        for y in 0..heights.height() {
            for (x, z) in heights.row_mut(y).iter_mut().enumerate().filter(|(_, z)| z.is_finite()) {
                let terms = Self::terms(self.size, pitch, [x, y]);
                *z -= terms.iter().zip(&self.coefficients).map(|(term, factor)| term * factor).sum::<f64>();
            }
        }
        Topography { heights, pitch: surface.pitch }
    }
}
