//! Where the strokes, teeth and dots of a mark lie, in modules.
//!
//! One frame for all marks of a part: the origin is the middle of the mark, `x` runs to the right and `y` runs down
//! as a reader sees the mark **on the case**. Angles run from `+x` towards `+y`. One module is the X-dimension of
//! the mark: `marking` says how many micrometres that is.

/// A place in the frame of a mark, in modules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right, in modules.
    pub x: f64,
    /// Down, in modules.
    pub y: f64,
}

/// One thing that an engraver makes: raised (or sunk) inside its outline, nothing outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// A pen of a round tip of `width` modules drawn along the polyline.
    Stroke {
        /// The centre line.
        points: Vec<Point>,
        /// The diameter of the pen, in modules.
        width: f64,
    },
    /// A piece of a ring about the origin, between two radii and two angles (radians, `from < to`).
    Sector {
        /// The inner radius, in modules.
        inner: f64,
        /// The outer radius, in modules.
        outer: f64,
        /// The angle where it begins, in radians.
        from: f64,
        /// The angle where it ends, in radians.
        to: f64,
    },
    /// A round dot.
    Dot {
        /// Its middle.
        centre: Point,
        /// Its diameter, in modules.
        diameter: f64,
    },
    /// An upright square module (Data Matrix), by its middle.
    Square {
        /// Its middle.
        centre: Point,
        /// The length of a side, in modules.
        side: f64,
    },
}
