//! SVG 1.1 (W3C Recommendation, second edition, 2011).

use std::fmt::Write as _;

use super::drawing::{Figure, Layer, Vertex};
use super::{ArtworkOptions, metadata};
use crate::PlacedMark;

/// Outlines are drawn this wide, in millimetres, so that they can be seen.
const HAIRLINE_MM: f64 = 0.001;

pub(super) fn write(mark: &PlacedMark, options: ArtworkOptions, layers: &[Layer]) -> String {
    let half = number((mark.extent() + PlacedMark::FIELD_MARGIN).to_mm());
    let side = number(2.0 * (mark.extent() + PlacedMark::FIELD_MARGIN).to_mm());
    let mut text = String::new();
    push(&mut text, format_args!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    push(
        &mut text,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:inkscape=\"http://www.inkscape.org/namespaces/inkscape\" \
             xmlns:microstamp=\"urn:microstamp:artwork:1\" version=\"1.1\" \
             width=\"{side}mm\" height=\"{side}mm\" viewBox=\"-{half} -{half} {side} {side}\">\n"
        ),
    );
    let title = format!("{} ({}, {} view)", mark.text(), mark.scheme(), options.view);
    push(&mut text, format_args!("<title>{}</title>\n<metadata>\n<microstamp:artwork", escaped(&title)));
    for (name, value) in metadata(mark, options) {
        push(&mut text, format_args!("\n  {name}=\"{}\"", escaped(&value)));
    }
    text.push_str("/>\n</metadata>\n");
    for layer in layers {
        push_layer(&mut text, layer);
    }
    text.push_str("</svg>\n");
    text
}

fn push_layer(text: &mut String, layer: &Layer) {
    let name = escaped(&layer.name);
    push(
        text,
        format_args!(
            "<g id=\"{name}\" inkscape:groupmode=\"layer\" inkscape:label=\"{name}\" fill=\"none\" \
             stroke=\"#000000\" stroke-width=\"{HAIRLINE_MM}\" stroke-linejoin=\"round\">\n"
        ),
    );
    for figure in &layer.figures {
        push_figure(text, figure);
    }
    text.push_str("</g>\n");
}

fn push_figure(text: &mut String, figure: &Figure) {
    match figure {
        Figure::Line { vertices, closed, pen } => {
            push(text, format_args!("<path d=\"{}\"", path(vertices, *closed)));
            if let Some(pen) = pen {
                let cap = if pen.round { "round" } else { "butt" };
                let width = number(pen.width);
                push(text, format_args!(" stroke-width=\"{width}\" stroke-linecap=\"{cap}\""));
            }
            text.push_str("/>\n");
        }
        Figure::Circle { centre, radius } => {
            let (x, y, r) = (number(centre.x), number(centre.y), number(*radius));
            push(text, format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>\n"));
        }
        Figure::Touch { at, width } => {
            let (x, y, width) = (number(at.x), number(at.y), number(*width));
            push(
                text,
                format_args!(
                    "<path d=\"M {x} {y} L {x} {y}\" stroke-width=\"{width}\" stroke-linecap=\"round\"/>\n"
                ),
            );
        }
    }
}

fn path(vertices: &[Vertex], closed: bool) -> String {
    let mut path = String::new();
    for (i, vertex) in vertices.iter().enumerate() {
        let (x, y) = (number(vertex.at.x), number(vertex.at.y));
        match i.checked_sub(1).map(|before| vertices[before]) {
            None => push(&mut path, format_args!("M {x} {y}")),
            Some(before) if before.bulge == 0.0 => push(&mut path, format_args!(" L {x} {y}")),
            Some(before) => {
                let radius = number(arc_radius(&before, vertex));
                // In SVG, sweep 1 is the way of rising angles, which is clockwise to the eye as y points down.
                let sweep = u8::from(before.bulge > 0.0);
                push(&mut path, format_args!(" A {radius} {radius} 0 0 {sweep} {x} {y}"));
            }
        }
    }
    if closed {
        path.push_str(" Z");
    }
    path
}

/// Chord and bulge give the radius: `chord (1 + b²) / (4 |b|)`.
fn arc_radius(from: &Vertex, to: &Vertex) -> f64 {
    let chord = (to.at.x - from.at.x).hypot(to.at.y - from.at.y);
    chord * (1.0 + from.bulge * from.bulge) / (4.0 * from.bulge.abs())
}

/// Millimetres to the nanometre, without idle zeros.
fn number(mm: f64) -> String {
    let text = format!("{mm:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a string cannot fail");
}
