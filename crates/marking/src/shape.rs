//! Elements in micrometres: inside or outside, how far, and how large.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use symbology::geometry::{Element, Point};
use topography::Length;

/// An element in micrometres, in the frame of the mark as seen on the case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    element: Element,
    /// For a sector the directions of its two sides, which every distance needs.
    sides: [Point; 2],
}

/// An upright box in micrometres: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Bounds {
    pub(crate) fn around(points: impl IntoIterator<Item = Point>) -> Self {
        let empty = Self {
            left: f64::INFINITY,
            top: f64::INFINITY,
            right: f64::NEG_INFINITY,
            bottom: f64::NEG_INFINITY,
        };
        points.into_iter().fold(empty, |bounds, point| Self {
            left: bounds.left.min(point.x),
            top: bounds.top.min(point.y),
            right: bounds.right.max(point.x),
            bottom: bounds.bottom.max(point.y),
        })
    }

    pub(crate) fn grown(self, by: f64) -> Self {
        Self { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }

    pub(crate) fn touches(&self, other: &Self) -> bool {
        self.left <= other.right
            && other.left <= self.right
            && self.top <= other.bottom
            && other.top <= self.bottom
    }
}

impl Shape {
    /// Scales an element from modules to micrometres.
    pub(crate) fn new(element: &Element, module: Length) -> Self {
        let um = module.to_um();
        let at = |point: &Point| Point { x: point.x * um, y: point.y * um };
        let element = match element {
            Element::Stroke { points, width } => {
                Element::Stroke { points: points.iter().map(at).collect(), width: width * um }
            }
            Element::Sector { inner, outer, from, to } => {
                Element::Sector { inner: inner * um, outer: outer * um, from: *from, to: *to }
            }
            Element::Dot { centre, diameter } => Element::Dot { centre: at(centre), diameter: diameter * um },
            Element::Square { centre, side } => Element::Square { centre: at(centre), side: side * um },
        };
        let sides = match element {
            Element::Sector { from, to, .. } => [polar(1.0, from), polar(1.0, to)],
            _ => [Point::default(); 2],
        };
        Self { element, sides }
    }

    /// The element, its numbers in micrometres.
    pub(crate) fn element(&self) -> &Element {
        &self.element
    }

    /// The distance to the border, positive inside.
    pub(crate) fn distance_inside(&self, at: Point) -> f64 {
        match &self.element {
            Element::Stroke { points, width } => width / 2.0 - distance_to_line(at, points),
            Element::Dot { centre, diameter } => diameter / 2.0 - distance(at, *centre),
            Element::Square { centre, side } => {
                let (dx, dy) = ((at.x - centre.x).abs() - side / 2.0, (at.y - centre.y).abs() - side / 2.0);
                if dx <= 0.0 && dy <= 0.0 { -dx.max(dy) } else { -dx.max(0.0).hypot(dy.max(0.0)) }
            }
            &Element::Sector { inner, outer, from, to } => self.inside_sector(at, (inner, outer), to - from),
        }
    }

    /// The box around it.
    pub(crate) fn bounds(&self) -> Bounds {
        match &self.element {
            Element::Stroke { points, width } => Bounds::around(points.iter().copied()).grown(width / 2.0),
            Element::Dot { centre, diameter } => Bounds::around([*centre]).grown(diameter / 2.0),
            Element::Square { centre, side } => Bounds::around([*centre]).grown(side / 2.0),
            &Element::Sector { inner, outer, from, to } => {
                let corners = [polar(inner, from), polar(inner, to), polar(outer, from), polar(outer, to)];
                let poles = (-8..=8).map(|quarter| f64::from(quarter) * FRAC_PI_2);
                let poles = poles.filter(|&pole| between(pole, from, to)).map(|pole| polar(outer, pole));
                Bounds::around(corners.into_iter().chain(poles))
            }
        }
    }

    /// The width that the engraver sees: pen, dot diameter, side of a square, the smaller side of a sector.
    pub(crate) fn stroke_width(&self) -> f64 {
        match &self.element {
            Element::Stroke { width, .. } => *width,
            Element::Dot { diameter, .. } => *diameter,
            Element::Square { side, .. } => *side,
            &Element::Sector { inner, outer, from, to } => {
                let across =
                    if to - from < PI { 2.0 * inner * ((to - from) / 2.0).sin() } else { f64::INFINITY };
                (outer - inner).min(across)
            }
        }
    }

    /// Points along its border (for a stroke also some inside it), no further apart than `step`.
    pub(crate) fn border(&self, step: f64) -> Vec<Point> {
        match &self.element {
            Element::Stroke { points, width } => stroke_border(points, *width, step),
            Element::Dot { centre, diameter } => arc(*centre, diameter / 2.0, (0.0, TAU), step),
            Element::Square { centre, side } => {
                let half = side / 2.0;
                let corner = |x: f64, y: f64| Point { x: centre.x + x * half, y: centre.y + y * half };
                let corners = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
                (0..4).flat_map(|i| line(corners[i], corners[(i + 1) % 4], step)).collect()
            }
            &Element::Sector { inner, outer, from, to } => {
                let centre = Point::default();
                let mut points = arc(centre, outer, (from, to), step);
                points.extend(arc(centre, inner, (from, to), step));
                if to - from < TAU {
                    points.extend(line(polar(inner, from), polar(outer, from), step));
                    points.extend(line(polar(inner, to), polar(outer, to), step));
                }
                points
            }
        }
    }

    /// The width of the ground between two shapes; 0 or less where they touch.
    pub(crate) fn gap(&self, other: &Self, step: f64) -> f64 {
        let least = |points: Vec<Point>, shape: &Self| {
            points.into_iter().map(|at| -shape.distance_inside(at)).fold(f64::INFINITY, f64::min)
        };
        least(self.border(step), other).min(least(other.border(step), self))
    }

    fn inside_sector(&self, at: Point, (inner, outer): (f64, f64), span: f64) -> f64 {
        let radius = (at.x * at.x + at.y * at.y).sqrt();
        let [from, to] = self.sides;
        let beyond = |a: Point, b: Point| a.x * b.y - a.y * b.x >= 0.0;
        let in_range = if span >= TAU {
            true
        } else if span < PI {
            beyond(from, at) && beyond(at, to)
        } else {
            beyond(from, at) || beyond(at, to)
        };
        let mut nearest = f64::INFINITY;
        if in_range {
            nearest = if inner > 0.0 { (radius - inner).abs() } else { f64::INFINITY };
            nearest = nearest.min((radius - outer).abs());
        }
        if span < TAU {
            let side = |way: Point| {
                let along = (at.x * way.x + at.y * way.y).clamp(inner, outer);
                squared(at.x - along * way.x, at.y - along * way.y)
            };
            nearest = nearest.min(side(from).min(side(to)).sqrt());
        }
        if in_range && (inner..=outer).contains(&radius) { nearest } else { -nearest }
    }

    /// The distance of its furthest point from the middle of the mark.
    pub(crate) fn reach(&self) -> f64 {
        let far = |point: &Point| point.x.hypot(point.y);
        match &self.element {
            Element::Stroke { points, width } => points.iter().map(far).fold(0.0, f64::max) + width / 2.0,
            Element::Dot { centre, diameter } => far(centre) + diameter / 2.0,
            Element::Square { centre, side } => {
                (centre.x.abs() + side / 2.0).hypot(centre.y.abs() + side / 2.0)
            }
            Element::Sector { outer, .. } => *outer,
        }
    }
}

/// The distance from a point to a polyline of at least one point.
pub(crate) fn distance_to_line(at: Point, points: &[Point]) -> f64 {
    match points {
        [] => f64::INFINITY,
        [only] => distance(at, *only),
        _ => points
            .windows(2)
            .map(|ends| squared_distance_to_segment(at, ends[0], ends[1]))
            .fold(f64::INFINITY, f64::min)
            .sqrt(),
    }
}

/// A point at a radius and an angle about the middle of the mark.
pub(crate) fn polar(radius: f64, angle: f64) -> Point {
    Point { x: radius * libm::cos(angle), y: radius * libm::sin(angle) }
}

/// Whether `angle`, plus any number of turns, lies in `from..=to`.
fn between(angle: f64, from: f64, to: f64) -> bool {
    let past = (angle - from).rem_euclid(TAU);
    past <= to - from
}

fn distance(a: Point, b: Point) -> f64 {
    squared(a.x - b.x, a.y - b.y).sqrt()
}

fn squared(x: f64, y: f64) -> f64 {
    x * x + y * y
}

fn squared_distance_to_segment(at: Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length_squared = squared(dx, dy);
    if length_squared == 0.0 {
        return squared(at.x - from.x, at.y - from.y);
    }
    let along = (((at.x - from.x) * dx + (at.y - from.y) * dy) / length_squared).clamp(0.0, 1.0);
    squared(at.x - from.x - along * dx, at.y - from.y - along * dy)
}

fn stroke_border(points: &[Point], width: f64, step: f64) -> Vec<Point> {
    let mut border: Vec<Point> =
        points.iter().flat_map(|&at| arc(at, width / 2.0, (0.0, TAU), step)).collect();
    for ends in points.windows(2) {
        let (dx, dy) = (ends[1].x - ends[0].x, ends[1].y - ends[0].y);
        let length = dx.hypot(dy);
        if length == 0.0 {
            continue;
        }
        for side in [-0.5, 0.5] {
            let (nx, ny) = (-dy / length * width * side, dx / length * width * side);
            let beside = |at: Point| Point { x: at.x + nx, y: at.y + ny };
            border.extend(line(beside(ends[0]), beside(ends[1]), step));
        }
    }
    border
}

fn arc(centre: Point, radius: f64, (from, to): (f64, f64), step: f64) -> Vec<Point> {
    let pieces = (radius * (to - from) / step).ceil().max(1.0) as usize;
    let angle = |i: usize| from + (to - from) * i as f64 / pieces as f64;
    let at = |i| polar(radius, angle(i));
    (0..=pieces).map(at).map(|p| Point { x: centre.x + p.x, y: centre.y + p.y }).collect()
}

fn line(from: Point, to: Point, step: f64) -> Vec<Point> {
    let pieces = (distance(from, to) / step).ceil().max(1.0) as usize;
    let at = |i: usize| i as f64 / pieces as f64;
    (0..=pieces)
        .map(|i| Point { x: from.x + (to.x - from.x) * at(i), y: from.y + (to.y - from.y) * at(i) })
        .collect()
}
