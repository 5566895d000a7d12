//! What a person looks at beside a lead: both reliefs in register, with the cells that agree.

use topography::Grid;

use super::canvas::{Canvas, Colour};
use super::{CONTRAST, letters, sigma};
use crate::compare::{CellResult, Comparison};
use crate::direction::place_on_b;
use crate::raster::{Frame, Raster};
use crate::surface::Surface;

/// What was not measured.
const MISSING: Colour = [30, 30, 36];
const CONGRUENT: Colour = [62, 232, 107];
const OTHER: Colour = [200, 200, 200];
/// Micrometres left free about everything that is drawn.
const MARGIN: f64 = 60.0;
/// Between the two pictures of a pair and between rows, in samples.
const GAP: usize = 8;
/// Samples to a dot of the words above a pair.
const LETTERS: usize = 2;
/// Letters above each picture that there is room for at least.
const ROOM: usize = 30;

/// Both surfaces as pictures of one size that hold the whole of either and all cells, the second turned and shifted to lie as
/// the first; bright is high. Congruent cells have their number and a solid outline, on both where they were found; the
/// other cells of `a` are dashed.
///
/// The comparison must be that of `a` with `b`, in this order. Samples lie twice as far apart as the preset's. Where the pair did
/// not converge, the second lies where it fits least badly: say so beside it.
pub fn in_register(a: &Surface, b: &Surface, comparison: &Comparison) -> [Grid<Colour>; 2] {
    let pitch = 2.0 * comparison.preset.pitch.to_um();
    let pose = comparison.lies;
    let on_a = |place: [f64; 2]| place_on_b(b, a, &pose.inverse(), place);
    let other = on_a(b.circle);
    let squares: Vec<(Vec<[[f64; 2]; 4]>, &CellResult)> =
        comparison.cells.iter().map(|cell| (outlines(cell, &on_a), cell)).collect();
    let mut from = [0, 1].map(|k| (a.circle[k] - a.radius).min(other[k] - b.radius));
    let mut to = [0, 1].map(|k| (a.circle[k] + a.radius).max(other[k] + b.radius));
    for corner in squares.iter().flat_map(|(outlines, _)| outlines.iter().flatten()) {
        from = [0, 1].map(|k| from[k].min(corner[k]));
        to = [0, 1].map(|k| to[k].max(corner[k]));
    }
    let from = from.map(|v| v - MARGIN);
    let [width, height] = [0, 1].map(|k| ((to[k] + MARGIN - from[k]) / pitch).ceil() as usize);
    let laid = |source: &Raster, origin: [f64; 2], turn: f64| {
        let mut laid = Raster::default();
        source.sampled(&Frame { width, height, pitch, origin, turn }, &mut laid);
        grey(&laid)
    };
    let pictures = [laid(&a.source1, from, 0.0), laid(&b.source1, place_on_b(a, b, &pose, from), pose.turn)];
    let mut side = 0;
    pictures.map(|picture| {
        let mut canvas = Canvas(picture);
        for (number, (outlines, cell)) in (1..).zip(&squares) {
            if let Some(outline) = outlines.get(side) {
                let outline = outline.map(|corner| [0, 1].map(|k| (corner[k] - from[k]) / pitch));
                draw(&mut canvas, outline, number, cell.congruent);
            }
        }
        side += 1;
        canvas.0
    })
}

/// The corners of a cell on A and, where it is congruent, of its place on B as that lies on A.
fn outlines(cell: &CellResult, on_a: &dyn Fn([f64; 2]) -> [f64; 2]) -> Vec<[[f64; 2]; 4]> {
    let half = 0.5 * cell.side.to_um();
    let square = |middle: [f64; 2], turn: f64| {
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        [[-half, -half], [half, -half], [half, half], [-half, half]]
            .map(|[u, v]| [middle[0] + cos * u - sin * v, middle[1] + sin * u + cos * v])
    };
    let um = |at: (topography::Length, topography::Length)| [at.0.to_um(), at.1.to_um()];
    let mut outlines = vec![square(um(cell.on_a), 0.0)];
    if cell.congruent {
        outlines.push(square(on_a(um(cell.on_b)), cell.turn.to_radians()));
    }
    outlines
}

fn draw(canvas: &mut Canvas, outline: [[f64; 2]; 4], number: usize, is_congruent: bool) {
    let colour = if is_congruent { CONGRUENT } else { OTHER };
    for k in 0..4 {
        canvas.line(outline[k], outline[(k + 1) % 4], colour, !is_congruent);
    }
    if is_congruent {
        let middle = [0, 1].map(|k| (0.25 * outline.iter().map(|corner| corner[k]).sum::<f64>()) as isize);
        let text = number.to_string();
        let size = [(letters::ADVANCE * text.len() - 1) as isize, 7];
        let corner = [0, 1].map(|k| middle[k] - size[k] / 2);
        canvas.fill(corner.map(|v| v - 2), size.map(|v| v + 4), MISSING);
        letters::write(canvas, corner, &text, (1, CONGRUENT));
    }
}

/// Pairs of pictures below each other, with a line of words above either picture; nothing is cut off but words that are too long.
pub fn side_by_side(rows: &[([Grid<Colour>; 2], [String; 2])]) -> Grid<Colour> {
    let words = ROOM * letters::ADVANCE * LETTERS;
    let half = rows.iter().map(|([one, _], _)| one.width()).max().unwrap_or(0).max(words);
    let head = (letters::LINE + 2) * LETTERS;
    let height: usize = rows.iter().map(|([one, _], _)| one.height() + head + GAP).sum();
    let mut canvas = Canvas::filled(2 * half + GAP, height.max(1), MISSING);
    let mut top = 0;
    for (pictures, told) in rows {
        for (side, (picture, told)) in pictures.iter().zip(told).enumerate() {
            let left = side * (half + GAP);
            let fitting: String = told.chars().take(half / (letters::ADVANCE * LETTERS)).collect();
            let at = [(left + LETTERS) as isize, (top + 2 * LETTERS) as isize];
            letters::write(&mut canvas, at, &fitting, (LETTERS, [255; 3]));
            canvas.lay(picture, [left + (half - picture.width()) / 2, top + head]);
        }
        top += pictures[0].height() + head + GAP;
    }
    canvas.0
}

fn grey(level: &Raster) -> Grid<Colour> {
    let sigma = sigma(level);
    Grid::from_fn(level.width, level.height, |x, y| {
        let at = y * level.width + x;
        let height = (level.z[at] / (CONTRAST * sigma)).clamp(-1.0, 1.0);
        if level.w[at] > 0.0 { [(140.0 + 115.0 * height) as u8; 3] } else { MISSING }
    })
}
