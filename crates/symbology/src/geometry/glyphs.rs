//! The stroke font: 36 glyphs drawn for relief.
//!
//! Centre lines on a grid of 40 by 70 units, `x` to the right and `y` down, corners cut instead of rounded so that an
//! engraver's tool follows straight pieces only.
//!
//! Every character was given several shapes that a person would still read; the set whose nearest pairs are farthest
//! apart was chosen, and its corners were then moved by a few units to drive the nearest pairs further apart. The
//! measure is the one of `examples/confusion`: blurred, smeared, thinned and with one half missing. That is why crossbars
//! sit high or low, stems lean and serifs are found on some glyphs only: every departure from the usual shape makes
//! some pair easier to tell apart.

use super::{Element, GlyphSize, Point};

type Line = &'static [(i16, i16)];

const GRID_WIDTH: f64 = 40.0;
const GRID_HEIGHT: f64 = 70.0;

#[rustfmt::skip]
const GLYPHS: [(char, &[Line]); 36] = [
    ('0', &[&[(24, 8), (40, 12), (38, 46), (18, 68), (0, 52), (2, 26), (24, 8)], &[(14, 30), (14, 32)]]),
    ('1', &[&[(10, 6), (20, 6), (22, 66)], &[(0, 70), (40, 70)]]),
    ('2', &[&[(0, 16), (22, 4), (40, 10), (40, 32), (0, 66), (36, 70)]]),
    ('3', &[&[(0, 0), (40, 0), (40, 70), (4, 70)], &[(8, 42), (38, 36)]]),
    ('4', &[&[(14, 0), (0, 40), (40, 46)], &[(23, 16), (27, 70)]]),
    ('5', &[&[(38, 0), (0, 0), (0, 20), (26, 22), (40, 38), (40, 54), (22, 68), (0, 60)]]),
    ('6', &[&[(22, 10), (0, 44), (0, 70), (34, 70), (34, 42), (0, 44)]]),
    ('7', &[&[(0, 22), (0, 0), (40, 0), (2, 70)]]),
    ('8', &[&[(10, 0), (28, 0), (28, 22), (14, 16), (10, 0)], &[(0, 20), (40, 22), (40, 70), (0, 70), (0, 20)]]),
    ('9', &[&[(20, 70), (40, 26), (38, 0), (6, 0), (0, 28), (40, 26)]]),
    ('A', &[&[(0, 70), (26, 0), (40, 62)], &[(12, 54), (38, 52)]]),
    ('B', &[&[(0, 0), (0, 70), (28, 70), (40, 60), (40, 46), (28, 36), (0, 36)]]),
    ('C', &[&[(40, 0), (0, 0), (0, 70), (36, 70)]]),
    ('D', &[&[(0, 0), (40, 30), (0, 70), (0, 0)]]),
    ('E', &[&[(40, 0), (14, 0), (0, 6), (22, 25), (0, 48), (20, 70), (34, 64)], &[(22, 25), (26, 31)]]),
    ('F', &[&[(40, 0), (16, 0), (12, 70)], &[(0, 37), (40, 43)]]),
    ('G', &[&[(40, 12), (22, 0), (14, 4), (0, 14), (0, 54), (18, 62), (40, 68), (36, 46), (24, 34)]]),
    ('H', &[&[(0, 6), (0, 70)], &[(40, 10), (40, 64)], &[(0, 20), (40, 14)]]),
    ('I', &[&[(10, 0), (10, 70)], &[(0, 0), (24, 0)], &[(0, 70), (24, 70)]]),
    ('J', &[&[(32, 2), (32, 64), (18, 70), (0, 70)]]),
    ('K', &[&[(0, 6), (0, 70)], &[(38, 8), (0, 42), (34, 70)]]),
    ('L', &[&[(8, 6), (4, 64), (40, 70), (40, 54)]]),
    ('M', &[&[(0, 60), (0, 0), (40, 0), (40, 70)], &[(20, 6), (16, 48)]]),
    ('N', &[&[(0, 60), (0, 0), (38, 70), (40, 22)]]),
    ('O', &[&[(12, 20), (28, 20), (40, 35), (28, 50), (12, 50), (0, 35), (12, 20)]]),
    ('P', &[&[(0, 70), (0, 0), (32, 0), (40, 10), (40, 40), (28, 47), (0, 43)]]),
    ('Q', &[&[(0, 0), (40, 0), (40, 50), (0, 50), (0, 0)], &[(22, 34), (40, 70)]]),
    ('R', &[&[(8, 70), (6, 0)], &[(0, 0), (26, 0), (36, 18), (38, 20), (26, 40), (10, 44)], &[(18, 42), (40, 70)]]),
    ('S', &[&[(40, 0), (0, 24), (40, 60), (4, 70)]]),
    ('T', &[&[(0, 0), (40, 0)], &[(22, 6), (28, 70)]]),
    ('U', &[&[(0, 0), (0, 38), (26, 66), (40, 56), (40, 0)]]),
    ('V', &[&[(0, 6), (20, 62), (40, 20), (40, 2)]]),
    ('W', &[&[(0, 0), (0, 70), (40, 70), (36, 10)], &[(24, 24), (16, 66)]]),
    ('X', &[&[(0, 6), (0, 10), (40, 52), (40, 68)], &[(38, 0), (40, 12), (0, 54), (0, 70)]]),
    ('Y', &[&[(0, 2), (18, 18), (40, 10)], &[(18, 18), (18, 70)]]),
    ('Z', &[&[(4, 0), (40, 2), (0, 70), (40, 70)], &[(0, 35), (40, 29)]]),
];

pub(super) fn has(character: char) -> bool {
    GLYPHS.iter().any(|(c, _)| *c == character)
}

/// The strokes of a character in a box about the origin; the pen stays inside the box.
pub(super) fn strokes(character: char, size: GlyphSize) -> Option<Vec<Element>> {
    let (_, lines) = GLYPHS.iter().find(|(c, _)| *c == character)?;
    let scale_x = (size.width - size.pen) / GRID_WIDTH;
    let scale_y = (size.height - size.pen) / GRID_HEIGHT;
    let to_modules = |&(x, y): &(i16, i16)| Point {
        x: (f64::from(x) - GRID_WIDTH / 2.0) * scale_x,
        y: (f64::from(y) - GRID_HEIGHT / 2.0) * scale_y,
    };
    let stroke =
        |line: &Line| Element::Stroke { points: line.iter().map(to_modules).collect(), width: size.pen };
    Some(lines.iter().map(stroke).collect())
}
