//! An engraved pin to strike with: symbols drawn straight from their geometry, mirrored, raised.

use std::sync::OnceLock;

use symbology::geometry::{Element, Point};
use symbology::{Mark, Scheme, geometry};
use topography::{Grid, Length, Pitch, Topography};

/// The tool view of `marks` of a code, raised by 25 µm on a flat ground.
pub(crate) fn engraved(text: &str, marks: &[Mark], module: Length) -> Topography {
    let scheme = Scheme::open_1();
    let word = scheme.word(text).expect("the test's code is good");
    let elements: Vec<Element> =
        marks.iter().flat_map(|mark| geometry::draw(&scheme, *mark, &word)).collect();
    let extent =
        marks.iter().filter_map(|mark| geometry::layout(&scheme, *mark)).map(|layout| layout.extent());
    let module = module.to_um();
    let pitch = if module < 30.0 { 1.0 } else { 2.0 };
    let half = (extent.fold(0.0, f64::max) * module + 20.0) / pitch;
    raise(&elements, half as usize, (module, pitch))
}

/// The pin mark of `open-1` at 19 µm a module, drawn once.
pub(crate) fn pin() -> &'static Topography {
    static PIN: OnceLock<Topography> = OnceLock::new();
    PIN.get_or_init(|| engraved("K73MXP", &[Mark::Characters, Mark::Gear], Length::um(19.0)))
}

fn raise(elements: &[Element], half: usize, (module, pitch): (f64, f64)) -> Topography {
    let side = 2 * half + 1;
    let mut heights = Grid::filled(side, side, 0.0);
    for element in elements {
        let (middle, radius) = bounds(element);
        // Mirrored: x on the tool is -x on the case.
        let index =
            |place: f64| (place * module / pitch + half as f64).clamp(0.0, (side - 1) as f64) as usize;
        for y in index(middle.y - radius)..=index(middle.y + radius) {
            for x in index(-middle.x - radius)..=index(-middle.x + radius) {
                let place = Point {
                    x: -(x as f64 - half as f64) * pitch / module,
                    y: (y as f64 - half as f64) * pitch / module,
                };
                if inside(element, place) {
                    heights[(x, y)] = 25.0;
                }
            }
        }
    }
    Topography { heights, pitch: Pitch::square(Length::um(pitch)) }
}

fn bounds(element: &Element) -> (Point, f64) {
    match element {
        Element::Stroke { points, width } => {
            let middle = points[points.len() / 2];
            let reach = points.iter().map(|p| (p.x - middle.x).hypot(p.y - middle.y)).fold(0.0, f64::max);
            (middle, reach + width)
        }
        Element::Sector { inner, outer, from, to } => {
            let (radius, angle) = (0.5 * (inner + outer), 0.5 * (from + to));
            let middle = Point { x: radius * angle.cos(), y: radius * angle.sin() };
            (middle, outer - inner + outer * (to - from))
        }
        Element::Dot { centre, diameter } => (*centre, *diameter),
        Element::Square { centre, side } => (*centre, *side),
    }
}

fn inside(element: &Element, place: Point) -> bool {
    match element {
        Element::Stroke { points, width } => {
            let single = points.len() == 1 && distance(place, points[0], points[0]) <= 0.5 * width;
            single || points.windows(2).any(|pair| distance(place, pair[0], pair[1]) <= 0.5 * width)
        }
        Element::Sector { inner, outer, from, to } => {
            let radius = place.x.hypot(place.y);
            let angle = (place.y.atan2(place.x) - from).rem_euclid(std::f64::consts::TAU);
            radius >= *inner && radius <= *outer && angle <= to - from
        }
        Element::Dot { centre, diameter } => distance(place, *centre, *centre) <= 0.5 * diameter,
        Element::Square { centre, side } => {
            (place.x - centre.x).abs() <= 0.5 * side && (place.y - centre.y).abs() <= 0.5 * side
        }
    }
}

fn distance(place: Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { ((place.x - from.x) * dx + (place.y - from.y) * dy) / length } else { 0.0 };
    let t = t.clamp(0.0, 1.0);
    (place.x - from.x - t * dx).hypot(place.y - from.y - t * dy)
}
