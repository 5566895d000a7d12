//! What comes back from a strike: the surface, and what was done to it.

use topography::{Angle, Grid, Length, Topography};

/// A struck case, and what was done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike {
    /// The surface of the case, as it is: no instrument has looked at it yet.
    pub surface: Topography,
    /// What was done, for tests and studies; a reader must not see it.
    pub truth: Truth,
}

/// What was done to a struck case.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// How the mark lies on the surface.
    pub pose: Pose,
    /// The mark alone, as transferred: µm above the surface without it.
    pub mark: Topography,
    /// How fully the metal met the tool, 0 to 1, on the surface's grid.
    pub contact: Grid<f32>,
    /// Radius of the mark on the case.
    pub radius: Length,
    /// Wear of the tool, 0 to 1.
    pub wear: f64,
    /// Height of the mark on the case over that on the tool, where contact is full.
    pub transfer: f64,
    /// Depth of the impression that holds the mark.
    pub crater: Length,
    /// Length constant and direction of the drag (clockwise from the right as seen on the case).
    pub drag: (Length, Angle),
    /// Where the first of two strikes lay relative to the second, and how deep it still is.
    pub first_strike: Option<FirstStrike>,
    /// Particles of debris.
    pub particles: usize,
    /// The first corner of the region taken from a real background, and the share of measured points in the middle
    /// four fifths of its sides.
    pub region: Option<((Length, Length), f64)>,
}

/// How a mark lies on a surface, relative to its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// To the right.
    pub x: Length,
    /// Down.
    pub y: Length,
    /// Clockwise as seen on the case.
    pub turn: Angle,
    /// Size over nominal size.
    pub scale: f64,
}

/// The first of two strikes, relative to the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstStrike {
    /// To the right.
    pub x: Length,
    /// Down.
    pub y: Length,
    /// Clockwise as seen on the case.
    pub turn: Angle,
    /// Depth relative to the second.
    pub depth: f64,
}
