//! The largest mark that a tip has room for.

use std::f64::consts::TAU;

use symbology::Mark;
use symbology::geometry::{Element, Point};
use topography::Length;

use crate::shape::Shape;
use crate::{Fit, Guards, Tip};

/// The nearest and furthest points of a set of marks in every direction, in modules.
///
/// Every usable region is star-shaped about the middle (the breech face less a hole about the middle), so these decide.
pub(crate) struct Silhouette {
    marks: Vec<Mark>,
    points: Vec<Point>,
    reach: f64,
    thinnest: f64,
}

const DIRECTIONS: usize = 720;
/// Modules are tried in these steps, from the one asked for downwards.
const STEP_UM: f64 = 0.1;

impl Silhouette {
    pub(crate) fn new<'a>(marks: Vec<Mark>, elements: impl Iterator<Item = &'a Element>) -> Self {
        let mut far = vec![Point::default(); DIRECTIONS];
        let mut near = vec![None; DIRECTIONS];
        let (mut reach, mut thinnest) = (0.0_f64, f64::INFINITY);
        for element in elements {
            let shape = Shape::new(element, Length::um(1.0));
            reach = reach.max(shape.reach());
            thinnest = thinnest.min(shape.stroke_width());
            for point in shape.border(0.05) {
                let turn = libm::atan2(point.y, point.x).rem_euclid(TAU) / TAU;
                let direction = (turn * DIRECTIONS as f64) as usize % DIRECTIONS;
                let length = |point: Point| point.x.hypot(point.y);
                if length(point) > length(far[direction]) {
                    far[direction] = point;
                }
                if near[direction].is_none_or(|nearest| length(point) < length(nearest)) {
                    near[direction] = Some(point);
                }
            }
        }
        let points = far.into_iter().chain(near.into_iter().flatten()).collect();
        Self { marks, points, reach, thinnest }
    }

    pub(crate) fn at(&self, module: Length) -> Fit {
        Fit { marks: self.marks.clone(), module, diameter: module * (2.0 * self.reach) }
    }

    /// The largest module up to `most` at which the marks fit and their thinnest stroke can be engraved.
    pub(crate) fn largest(&self, tip: &Tip, guards: &Guards, most: Length) -> Option<Fit> {
        let region = tip.usable(guards);
        let fits = |module: f64| {
            let room = |p: &Point| region.distance_inside(p.x * module, p.y * module);
            self.points.iter().all(|point| room(point) >= guards.edge.to_um())
        };
        let least = guards.stroke.to_um() / self.thinnest;
        let steps = (most.to_um() / STEP_UM).round() as usize;
        let modules = (1..=steps).rev().map(|step| step as f64 * STEP_UM);
        let module = modules.take_while(|&module| module >= least).find(|&module| fits(module))?;
        Some(self.at(Length::um(module)))
    }
}
