//! How alike two glyphs look in relief.
//!
//! Each glyph is drawn as a flat ridge on a grid of 2 µm at 19 µm to the module, worn or blurred or cut in half, and
//! compared with every other by the zero-mean correlation `r` over the character's cell, at the most favourable of the
//! shifts up to one pixel. The **distance** is `1 - r`: 0 when two glyphs cannot be told apart, 1 when they have
//! nothing in common; the reader's log-likelihood ratio grows with it.

use symbology::geometry::{Element, GlyphSize, Point, glyph};

/// Micrometres to the pixel and to the module.
const PIXEL: f64 = 2.0;
const MODULE: f64 = 19.0;

/// The cell of a character, in modules.
const CELL: (f64, f64) = (6.2, 10.0);

/// The largest shift, in pixels.
const SHIFT: isize = 1;

/// What was done to the relief before it is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Damage {
    /// What a table calls it.
    pub(crate) name: &'static str,
    /// Standard deviation of the metal's flow blur, in micrometres.
    pub(crate) blur: f64,
    /// Diameter of the pen, in modules.
    pub(crate) pen: f64,
    /// Whether half of the cell is missing (the worst of the four halves counts).
    pub(crate) half: bool,
}

/// What the table lists.
pub(crate) const DAMAGES: [Damage; 4] = [
    Damage { name: "blurred", blur: 5.0, pen: 1.2, half: false },
    Damage { name: "smeared", blur: 12.0, pen: 1.2, half: false },
    Damage { name: "thinned", blur: 5.0, pen: 0.7, half: false },
    Damage { name: "half missing", blur: 5.0, pen: 1.2, half: true },
];

/// A picture of heights.
pub(crate) struct Picture {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

/// The distance of every pair of characters, the nearest pair first.
pub(crate) fn distances(characters: &str, damage: Damage) -> Vec<(f64, char, char)> {
    let characters: Vec<char> = characters.chars().collect();
    let pictures: Vec<Picture> = characters.iter().map(|&c| render(c, damage)).collect();
    let mut pairs = Vec::new();
    for first in 0..characters.len() {
        for second in first + 1..characters.len() {
            let distance = distance(&pictures[first], &pictures[second], damage.half);
            pairs.push((distance, characters[first], characters[second]));
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

/// Draws one glyph in the middle of its cell.
pub(crate) fn render(character: char, damage: Damage) -> Picture {
    let size = GlyphSize { width: 5.0, height: 8.0, pen: 1.2 };
    let strokes = glyph(character, size).expect("all letters and digits have a glyph");
    let pixels = |modules: f64| (modules * MODULE / PIXEL).round() as usize;
    let (width, height) = (pixels(CELL.0), pixels(CELL.1));
    let mut values = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let place = |at: usize, count: usize| (at as f64 + 0.5 - count as f64 / 2.0) * PIXEL / MODULE;
            let here = Point { x: place(column, width), y: place(row, height) };
            let near = strokes.iter().map(|stroke| nearest(stroke, here)).fold(f64::MAX, f64::min);
            // One pixel wide edge.
            values.push(((damage.pen / 2.0 - near) * MODULE / PIXEL + 0.5).clamp(0.0, 1.0));
        }
    }
    blur(&Picture { width, height, values }, damage.blur / PIXEL)
}

/// `1 - r` at the best shift; with half of the cell missing, of the worst half.
fn distance(a: &Picture, b: &Picture, half: bool) -> f64 {
    let (w, h) = (a.width, a.height);
    let whole = [(0..w, 0..h)];
    let halves = [(0..w / 2, 0..h), (w / 2..w, 0..h), (0..w, 0..h / 2), (0..w, h / 2..h)];
    let parts: &[_] = if half { &halves } else { &whole };
    let mut least = f64::MAX;
    for (columns, rows) in parts {
        for dy in -SHIFT..=SHIFT {
            for dx in -SHIFT..=SHIFT {
                least = least.min(1.0 - correlation(a, b, (columns, rows), (dx, dy)));
            }
        }
    }
    least
}

type Part<'a> = (&'a std::ops::Range<usize>, &'a std::ops::Range<usize>);

fn correlation(a: &Picture, b: &Picture, (columns, rows): Part, (dx, dy): (isize, isize)) -> f64 {
    let (mut n, mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for row in rows.clone() {
        for column in columns.clone() {
            let x = a.values[row * a.width + column];
            let y = b.shifted(column as isize + dx, row as isize + dy);
            (n, sa, sb) = (n + 1.0, sa + x, sb + y);
            (saa, sbb, sab) = (saa + x * x, sbb + y * y, sab + x * y);
        }
    }
    (n * sab - sa * sb) / ((n * saa - sa * sa) * (n * sbb - sb * sb)).sqrt().max(1e-12)
}

impl Picture {
    fn shifted(&self, column: isize, row: isize) -> f64 {
        let inside = (0..self.width as isize).contains(&column) && (0..self.height as isize).contains(&row);
        if inside { self.values[row as usize * self.width + column as usize] } else { 0.0 }
    }

    /// Rows of values between 0 (ground) and 1 (full height).
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(self.width)
    }
}

/// The distance of a place from a polyline.
fn nearest(stroke: &Element, at: Point) -> f64 {
    let Element::Stroke { points, .. } = stroke else { return f64::MAX };
    points
        .windows(2)
        .map(|ends| {
            let (from, to) = (ends[0], ends[1]);
            let (ex, ey) = (to.x - from.x, to.y - from.y);
            let along = (((at.x - from.x) * ex + (at.y - from.y) * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
            (at.x - from.x - along * ex).hypot(at.y - from.y - along * ey)
        })
        .fold(f64::MAX, f64::min)
}

fn blur(picture: &Picture, sigma: f64) -> Picture {
    let reach = (3.0 * sigma).ceil() as isize;
    let kernel: Vec<f64> = (-reach..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = kernel.iter().sum();
    let pass = |picture: &Picture, step: (isize, isize)| -> Picture {
        let (width, height) = (picture.width, picture.height);
        let smooth = |at: usize| -> f64 {
            let (column, row) = ((at % width) as isize, (at / width) as isize);
            let weighted = (-reach..=reach).zip(&kernel);
            weighted.map(|(k, g)| g * picture.shifted(column + k * step.0, row + k * step.1)).sum::<f64>()
                / total
        };
        Picture { width, height, values: (0..width * height).map(smooth).collect() }
    };
    pass(&pass(picture, (1, 0)), (0, 1))
}
