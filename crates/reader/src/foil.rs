//! Marks that nobody makes, to tell a mark from chance.
//!
//! A surface without a mark fits the best of many poses well by chance alone, and how well depends on the surface. A foil
//! has as many parts as the mark, in places like them, with characters and a number of cells that no mark has; looked for
//! in the same way it fits what carries no mark as well as the mark does. What the mark fits better is evidence. (The
//! target and decoy competition of proteomics: J. E. Elias and S. P. Gygi, Nat. Methods 4, 2007.)

use std::f64::consts::{FRAC_PI_2, TAU};

use symbology::geometry::{Element, Place, Point};

/// Cells all around the rings of the foils of a ring of 44: as many less as more.
pub(crate) const FOILS: [usize; 2] = [39, 49];

/// How a mark becomes a foil.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Foil {
    /// Angles from the top grow by this.
    stretch: f64,
    /// The angle of a cell, and where the first begins, radians from the top.
    cell: f64,
    begins: f64,
}

impl Foil {
    /// A ring of `own` cells, the first `start` of them a start mark centred on the top, as one of `cells`.
    pub(crate) fn of((own, start): (usize, usize), cells: usize) -> Self {
        let cell = TAU / cells as f64;
        Self { stretch: own as f64 / cells as f64, cell, begins: -0.5 * start as f64 * cell }
    }

    /// An angle of the mark in the foil.
    pub(crate) fn angle(&self, angle: f64) -> f64 {
        (angle + FRAC_PI_2) * self.stretch - FRAC_PI_2
    }

    /// What is drawn in the foil where the mark has an element at a place: characters lie on their sides in
    /// the boxes that they had, and what lies on circles moves along them; nothing where the circle is full.
    pub(crate) fn redrawn(&self, element: &Element, place: Option<&Place>) -> Option<Element> {
        match element {
            Element::Stroke { points, width } => {
                let place = place?;
                let aspect = place.half_width / place.half_height;
                let turned = |point: &Point| Point {
                    x: place.centre.x + (point.y - place.centre.y) * aspect,
                    y: place.centre.y + (point.x - place.centre.x) / aspect,
                };
                Some(Element::Stroke { points: points.iter().map(turned).collect(), width: *width })
            }
            Element::Sector { inner, outer, from, to } => {
                let (from, to) = (self.angle(*from), self.angle(*to));
                self.holds(from, to).then_some(Element::Sector { inner: *inner, outer: *outer, from, to })
            }
            Element::Dot { centre, diameter } => {
                Some(Element::Dot { centre: self.moved(*centre)?, diameter: *diameter })
            }
            Element::Square { centre, side } => {
                Some(Element::Square { centre: self.moved(*centre)?, side: *side })
            }
        }
    }

    /// Whether what lies between two angles comes before the circle closes.
    fn holds(&self, from: f64, to: f64) -> bool {
        0.5 * (from + to) + FRAC_PI_2 < TAU + self.begins
    }

    fn moved(&self, point: Point) -> Option<Point> {
        let radius = point.x.hypot(point.y);
        // Angles from the first cell on, so that the circle is cut where the ring begins.
        let own = (point.y.atan2(point.x) + FRAC_PI_2 + 0.5 * self.cell).rem_euclid(TAU) - 0.5 * self.cell;
        let angle = self.angle(own - FRAC_PI_2);
        self.holds(angle, angle).then(|| Point { x: radius * angle.cos(), y: radius * angle.sin() })
    }
}
