//! Rows of characters.

use super::{Element, GlyphSize, MarkLayout, Place, Point, glyphs};
use crate::scheme_file::CharacterBlock;
use crate::{Mark, Scheme};

/// The rows are centred on the origin, each row on the vertical axis.
pub(super) fn layout(scheme: &Scheme, block: &CharacterBlock) -> MarkLayout {
    let size = GlyphSize { width: block.glyph_width, height: block.cap_height, pen: block.pen };
    let mut places = Vec::new();
    for (row, &columns) in block.rows.iter().enumerate() {
        let y = (row as f64 - (block.rows.len() - 1) as f64 / 2.0) * block.row_pitch;
        for column in 0..columns {
            let x = (column as f64 - (columns - 1) as f64 / 2.0) * block.column_pitch;
            places.push(place(scheme, places.len(), Point { x, y }, size));
        }
    }
    let extent = places.iter().flat_map(|place| place.values.iter().flatten()).map(reach).fold(0.0, f64::max);
    MarkLayout { mark: Mark::Characters, places, fixed: Vec::new(), checks: Vec::new(), extent }
}

fn place(scheme: &Scheme, index: usize, centre: Point, size: GlyphSize) -> Place {
    let alphabet = scheme.alphabet();
    let values = (0..alphabet.len() as u8)
        .map(|value| {
            let drawn = alphabet[usize::from(value ^ scheme.whitening(index))];
            let strokes = glyphs::strokes(drawn, size).unwrap_or_default();
            strokes.into_iter().map(|stroke| moved(stroke, centre)).collect()
        })
        .collect();
    Place {
        index,
        centre,
        half_width: size.width / 2.0,
        half_height: size.height / 2.0,
        values,
        bits: Vec::new(),
    }
}

fn moved(element: Element, by: Point) -> Element {
    match element {
        Element::Stroke { points, width } => Element::Stroke {
            points: points.into_iter().map(|p| Point { x: p.x + by.x, y: p.y + by.y }).collect(),
            width,
        },
        other => other,
    }
}

/// How far from the origin a stroke reaches.
fn reach(element: &Element) -> f64 {
    match element {
        Element::Stroke { points, width } => {
            points.iter().map(|p| p.length()).fold(0.0, f64::max) + width / 2.0
        }
        _ => 0.0,
    }
}
