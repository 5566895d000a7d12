//! DXF of release 12 (`AC1009`), the dialect that every engraver's program reads.

use std::fmt::{Display, Write as _};

use super::drawing::{Figure, Layer, Vertex};
use super::{ArtworkOptions, metadata};
use crate::PlacedMark;

pub(super) fn write(mark: &PlacedMark, options: ArtworkOptions, layers: &[Layer]) -> String {
    let mut file = Groups(String::new());
    for (name, value) in metadata(mark, options) {
        file.put(999, format_args!("{name}: {}", printable(&value)));
    }
    let half = (mark.extent() + PlacedMark::FIELD_MARGIN).to_mm();
    file.header(half);
    file.layer_table(layers);
    file.put(0, "SECTION");
    file.put(2, "ENTITIES");
    for layer in layers {
        for figure in &layer.figures {
            file.figure(&layer.name, figure);
        }
    }
    file.put(0, "ENDSEC");
    file.put(0, "EOF");
    file.0
}

/// Pairs of a group code and a value, a line each.
struct Groups(String);

impl Groups {
    fn put(&mut self, code: u16, value: impl Display) {
        write!(self.0, "{code:>3}\r\n{value}\r\n").expect("writing to a string cannot fail");
    }

    /// A point; the file's y points up.
    fn put_point(&mut self, x: f64, y: f64) {
        self.put(10, number(x));
        self.put(20, number(-y));
        self.put(30, number(0.0));
    }

    fn header(&mut self, half: f64) {
        self.put(0, "SECTION");
        self.put(2, "HEADER");
        self.put(9, "$ACADVER");
        self.put(1, "AC1009");
        for (name, at) in [("$EXTMIN", -half), ("$EXTMAX", half)] {
            self.put(9, name);
            self.put(10, number(at));
            self.put(20, number(at));
            self.put(30, number(0.0));
        }
        self.put(0, "ENDSEC");
    }

    fn layer_table(&mut self, layers: &[Layer]) {
        self.put(0, "SECTION");
        self.put(2, "TABLES");
        self.put(0, "TABLE");
        self.put(2, "LTYPE");
        self.put(70, 1);
        for (code, value) in [
            (0, "LTYPE"),
            (2, "CONTINUOUS"),
            (70, "0"),
            (3, "Solid line"),
            (72, "65"),
            (73, "0"),
            (40, "0.0"),
        ] {
            self.put(code, value);
        }
        self.put(0, "ENDTAB");
        self.put(0, "TABLE");
        self.put(2, "LAYER");
        self.put(70, layers.len());
        for (colour, layer) in (1..=7).cycle().zip(layers) {
            self.put(0, "LAYER");
            self.put(2, layer_name(&layer.name));
            self.put(70, 0);
            self.put(62, colour);
            self.put(6, "CONTINUOUS");
        }
        self.put(0, "ENDTAB");
        self.put(0, "ENDSEC");
    }

    fn figure(&mut self, layer: &str, figure: &Figure) {
        match figure {
            Figure::Line { vertices, closed, pen } => {
                // Wide lines of this release end straight and have spiked corners: only pens that end straight are
                // drawn with their width, that of round pens is in the comments.
                let pen = pen.filter(|pen| !pen.round);
                self.polyline(layer, vertices, *closed, pen.map(|pen| pen.width));
            }
            Figure::Circle { centre, radius } => {
                self.put(0, "CIRCLE");
                self.put(8, layer_name(layer));
                self.put_point(centre.x, centre.y);
                self.put(40, number(*radius));
            }
            Figure::Touch { at, .. } => {
                self.put(0, "POINT");
                self.put(8, layer_name(layer));
                self.put_point(at.x, at.y);
            }
        }
    }

    fn polyline(&mut self, layer: &str, vertices: &[Vertex], closed: bool, width: Option<f64>) {
        self.put(0, "POLYLINE");
        self.put(8, layer_name(layer));
        self.put(66, 1);
        self.put_point(0.0, 0.0);
        self.put(70, u8::from(closed));
        if let Some(width) = width {
            self.put(40, number(width));
            self.put(41, number(width));
        }
        for vertex in vertices {
            self.put(0, "VERTEX");
            self.put(8, layer_name(layer));
            self.put_point(vertex.at.x, vertex.at.y);
            if vertex.bulge != 0.0 {
                // Positive is counter-clockwise in a frame whose y points up; ours is positive clockwise to the eye.
                self.put(42, number(-vertex.bulge));
            }
        }
        self.put(0, "SEQEND");
        self.put(8, layer_name(layer));
    }
}

/// Release 12 layer names: upper case letters, digits, `$`, `-`, `_`, at most 31.
fn layer_name(name: &str) -> String {
    name.to_ascii_uppercase().chars().take(31).collect()
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Millimetres to the nanometre.
fn number(mm: f64) -> String {
    let text = format!("{mm:.6}");
    if text == "-0.000000" { text[1..].to_owned() } else { text }
}
