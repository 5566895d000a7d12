//! Lines on layers, in millimetres, before any file format.

use symbology::geometry::{Element, Point};

use super::lattice;
use crate::contour;
use crate::shape::{Shape, polar};

/// The lines of one mark.
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

/// One line, or a circle.
pub(super) enum Figure {
    /// Straight lines and arcs from vertex to vertex.
    Line { vertices: Vec<Vertex>, closed: bool, pen: Option<Pen> },
    /// A circle.
    Circle { centre: Point, radius: f64 },
    /// A pen set down and lifted: a round dot of its width.
    Touch { at: Point, width: f64 },
}

/// A corner of a line and the bend of the piece after it.
#[derive(Clone, Copy)]
pub(super) struct Vertex {
    pub(super) at: Point,
    /// The tangent of a quarter of the angle that the arc to the next vertex turns through; 0 for a straight line,
    /// positive where it turns clockwise to the eye (from `+x` towards `+y`, which points down).
    pub(super) bulge: f64,
}

/// How wide a line is and how it ends.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) width: f64,
    pub(super) round: bool,
}

const MM_PER_UM: f64 = 1e-3;

impl Layer {
    /// The way of a pen whose width is that of each element. Sectors and squares are drawn by a pen that ends straight.
    pub(super) fn centre_lines(mark: &str, shapes: &[Shape]) -> Self {
        let figures = shapes.iter().map(centre_line).collect();
        Self { name: format!("{mark}-centre-lines"), figures }
    }

    /// The borders. Strokes that touch are outlined together, and so are squares that share a side.
    pub(super) fn outlines(mark: &str, shapes: &[Shape]) -> Self {
        let is_stroke = |shape: &&Shape| matches!(shape.element(), Element::Stroke { .. });
        let strokes: Vec<&Shape> = shapes.iter().filter(is_stroke).collect();
        let mut figures = Vec::new();
        for group in touching(&strokes) {
            figures.extend(contour::outlines(&group).iter().map(|polygon| closed(polygon.iter().copied())));
        }
        figures.extend(lattice::outlines(shapes).into_iter().map(closed));
        figures.extend(shapes.iter().filter_map(outline));
        Self { name: format!("{mark}-outlines"), figures }
    }

    /// The layer with `x` turned round.
    pub(super) fn mirrored(self) -> Self {
        let flip = |at: Point| Point { x: -at.x, y: at.y };
        let figures = self.figures.into_iter().map(|figure| match figure {
            Figure::Line { vertices, closed, pen } => {
                let vertices = vertices.iter().map(|v| Vertex { at: flip(v.at), bulge: -v.bulge }).collect();
                Figure::Line { vertices, closed, pen }
            }
            Figure::Circle { centre, radius } => Figure::Circle { centre: flip(centre), radius },
            Figure::Touch { at, width } => Figure::Touch { at: flip(at), width },
        });
        Self { name: self.name, figures: figures.collect() }
    }
}

fn centre_line(shape: &Shape) -> Figure {
    match shape.element() {
        Element::Stroke { points, width } if points.len() < 2 => {
            Figure::Touch { at: mm(points.first().copied().unwrap_or_default()), width: width * MM_PER_UM }
        }
        Element::Stroke { points, width } => {
            let vertices = points.iter().map(|&at| straight(at)).collect();
            Figure::Line { vertices, closed: false, pen: Some(Pen { width: width * MM_PER_UM, round: true }) }
        }
        Element::Dot { centre, diameter } => Figure::Touch { at: mm(*centre), width: diameter * MM_PER_UM },
        Element::Square { centre, side } => {
            let end = |sign: f64| straight(Point { x: centre.x + sign * side / 2.0, y: centre.y });
            let pen = Some(Pen { width: side * MM_PER_UM, round: false });
            Figure::Line { vertices: vec![end(-1.0), end(1.0)], closed: false, pen }
        }
        &Element::Sector { inner, outer, from, to } => {
            let pen = Some(Pen { width: (outer - inner) * MM_PER_UM, round: false });
            Figure::Line { vertices: arc(f64::midpoint(inner, outer), from, to), closed: false, pen }
        }
    }
}

/// The border of an element that is outlined alone.
fn outline(shape: &Shape) -> Option<Figure> {
    match shape.element() {
        Element::Stroke { .. } | Element::Square { .. } => None,
        Element::Dot { centre, diameter } => {
            Some(Figure::Circle { centre: mm(*centre), radius: diameter / 2.0 * MM_PER_UM })
        }
        &Element::Sector { inner, outer, from, to } => {
            let mut vertices = arc(outer, from, to);
            vertices.extend(arc(inner, to, from));
            Some(Figure::Line { vertices, closed: true, pen: None })
        }
    }
}

/// An arc about the middle of the mark, in pieces of less than half a turn; the last vertex has no bend.
fn arc(radius: f64, from: f64, to: f64) -> Vec<Vertex> {
    let pieces = ((to - from).abs() / 3.0).ceil().max(1.0) as usize;
    let step = (to - from) / pieces as f64;
    let vertex = |i: usize| Vertex {
        at: mm(polar(radius, from + step * i as f64)),
        bulge: if i < pieces { libm::tan(step / 4.0) } else { 0.0 },
    };
    (0..=pieces).map(vertex).collect()
}

/// Groups of strokes that hang together.
fn touching<'a>(strokes: &[&'a Shape]) -> Vec<Vec<&'a Shape>> {
    let mut groups: Vec<Vec<&'a Shape>> = Vec::new();
    for &stroke in strokes {
        let meets =
            |other: &&Shape| stroke.bounds().touches(&other.bounds()) && stroke.gap(other, 1.0) <= 0.0;
        let (mine, rest): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.iter().any(&meets));
        groups = rest;
        groups.push(mine.into_iter().flatten().chain([stroke]).collect());
    }
    groups
}

fn closed(points: impl IntoIterator<Item = Point>) -> Figure {
    Figure::Line { vertices: points.into_iter().map(straight).collect(), closed: true, pen: None }
}

fn straight(at: Point) -> Vertex {
    Vertex { at: mm(at), bulge: 0.0 }
}

fn mm(at: Point) -> Point {
    Point { x: at.x * MM_PER_UM, y: at.y * MM_PER_UM }
}
