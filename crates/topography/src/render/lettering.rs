//! Figures and the few letters of units, five dots wide and seven high, drawn for this purpose.

use crate::Grid;

/// Dots from the beginning of one letter to the next.
const ADVANCE: usize = 6;
pub(super) const LETTER_HEIGHT: usize = 7;

/// Each row is five bits, the leftmost the highest.
const LETTERS: [(char, [u8; LETTER_HEIGHT]); 16] = [
    ('0', [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('µ', [0b00000, 0b10010, 0b10010, 0b10010, 0b11101, 0b10000, 0b10000]),
    ('m', [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101]),
    ('n', [0b00000, 0b00000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001]),
    (' ', [0; LETTER_HEIGHT]),
];

/// The width of a text in dots.
pub(super) fn text_width(text: &str) -> usize {
    (text.chars().count() * ADVANCE).saturating_sub(1)
}

/// Writes a text with its upper left corner at a place, each dot `zoom` samples wide; letters without a drawing are blank.
pub(super) fn write(
    picture: &mut Grid<[u8; 3]>,
    (left, top): (usize, usize),
    text: &str,
    zoom: usize,
    ink: [u8; 3],
) {
    for (at, letter) in text.chars().enumerate() {
        let rows =
            LETTERS.iter().find(|(known, _)| *known == letter).map_or([0; LETTER_HEIGHT], |(_, rows)| *rows);
        for (row, bits) in rows.into_iter().enumerate() {
            for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                let corner = (left + (at * ADVANCE + column) * zoom, top + row * zoom);
                fill(picture, corner, (zoom, zoom), ink);
            }
        }
    }
}

/// Fills a rectangle, as far as it lies inside the picture.
pub(super) fn fill(picture: &mut Grid<[u8; 3]>, corner: (usize, usize), size: (usize, usize), ink: [u8; 3]) {
    let right = (corner.0 + size.0).min(picture.width());
    for y in corner.1..(corner.1 + size.1).min(picture.height()) {
        picture.row_mut(y)[corner.0.min(right)..right].fill(ink);
    }
}
