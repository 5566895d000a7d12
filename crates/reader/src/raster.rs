//! Elements of a mark as coverage on a grid in modules.

use symbology::geometry::{Element, Point};

/// A square grid of samples in the frame of a mark: `size` x `size`, the origin of the mark at its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canvas {
    /// Samples along a side.
    pub(crate) size: usize,
    /// Samples to a module.
    pub(crate) per_module: f32,
}

impl Canvas {
    /// Sample coordinates of a place in modules.
    pub(crate) fn sample_of(self, modules: f32) -> f32 {
        modules * self.per_module + (self.size as f32 - 1.0) * 0.5
    }

    /// The place in modules of a sample.
    pub(crate) fn modules_of(self, sample: f32) -> f32 {
        (sample - (self.size as f32 - 1.0) * 0.5) / self.per_module
    }

    /// Draws elements: 1 inside, 0 outside, soft over one sample at the edge.
    pub(crate) fn draw(self, elements: &[Element], onto: &mut [f32]) {
        for element in elements {
            match element {
                // Each piece by itself looks at few samples, and the nearest piece decides.
                Element::Stroke { points, width } if points.len() > 1 => {
                    for pair in points.windows(2) {
                        let piece = Element::Stroke { points: pair.to_vec(), width: *width };
                        self.draw_one(&piece, onto);
                    }
                }
                _ => self.draw_one(element, onto),
            }
        }
    }

    fn draw_one(self, element: &Element, onto: &mut [f32]) {
        let (low, high) = bounds(element);
        let span = |low: f64, high: f64| {
            let from = (self.sample_of(low as f32).floor() - 1.0).max(0.0) as usize;
            (from, ((self.sample_of(high as f32).ceil() + 2.0).max(0.0) as usize).min(self.size))
        };
        let ((x0, x1), (y0, y1)) = (span(low.x, high.x), span(low.y, high.y));
        for y in y0..y1 {
            for x in x0..x1 {
                let place = Point {
                    x: f64::from(self.modules_of(x as f32)),
                    y: f64::from(self.modules_of(y as f32)),
                };
                let covered = 0.5 - distance(element, place) * f64::from(self.per_module);
                let sample = &mut onto[y * self.size + x];
                *sample = sample.max(covered.clamp(0.0, 1.0) as f32);
            }
        }
    }
}

/// The smallest upright box around an element.
pub(crate) fn bounds(element: &Element) -> (Point, Point) {
    let around = |points: &[Point], margin: f64| {
        let mut low = Point { x: f64::INFINITY, y: f64::INFINITY };
        let mut high = Point { x: f64::NEG_INFINITY, y: f64::NEG_INFINITY };
        for point in points {
            low = Point { x: low.x.min(point.x - margin), y: low.y.min(point.y - margin) };
            high = Point { x: high.x.max(point.x + margin), y: high.y.max(point.y + margin) };
        }
        (low, high)
    };
    match element {
        Element::Stroke { points, width } => around(points, width / 2.0),
        Element::Dot { centre, diameter } => around(&[*centre], diameter / 2.0),
        Element::Square { centre, side } => around(&[*centre], side / 2.0),
        Element::Sector { inner, outer, from, to } => {
            let steps = 8;
            let corners: Vec<Point> = (0..=steps)
                .flat_map(|step| {
                    let angle = from + (to - from) * f64::from(step) / f64::from(steps);
                    [*inner, *outer].map(|r| Point { x: r * angle.cos(), y: r * angle.sin() })
                })
                .collect();
            around(&corners, 0.1 * (outer - inner))
        }
    }
}

/// Signed distance in modules from a place to the outline of an element; negative inside.
fn distance(element: &Element, place: Point) -> f64 {
    match element {
        Element::Stroke { points, width } => {
            let nearest = match points.as_slice() {
                [] => f64::INFINITY,
                [only] => length(place.x - only.x, place.y - only.y),
                _ => points
                    .windows(2)
                    .map(|pair| to_segment(place, pair[0], pair[1]))
                    .fold(f64::INFINITY, f64::min),
            };
            nearest - width / 2.0
        }
        Element::Dot { centre, diameter } => length(place.x - centre.x, place.y - centre.y) - diameter / 2.0,
        Element::Square { centre, side } => {
            (place.x - centre.x).abs().max((place.y - centre.y).abs()) - side / 2.0
        }
        Element::Sector { inner, outer, from, to } => {
            let radius = length(place.x, place.y);
            let middle = (from + to) / 2.0;
            let turn = std::f64::consts::TAU;
            let angle = (place.y.atan2(place.x) - middle + 2.5 * turn).rem_euclid(turn) - turn / 2.0;
            let along = (angle.abs() - (to - from) / 2.0) * radius;
            (inner - radius).max(radius - outer).max(along)
        }
    }
}

fn to_segment(place: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 { ((place.x - a.x) * dx + (place.y - a.y) * dy) / squared } else { 0.0 };
    let along = along.clamp(0.0, 1.0);
    length(place.x - a.x - along * dx, place.y - a.y - along * dy)
}

fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}
