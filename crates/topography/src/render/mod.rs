//! Pictures of height maps: lights on them, and heights as colours.
//!
//! These are drawings of a surface for people, pure functions without shadows, noise or optics; a simulated instrument
//! is something else.

mod colour;
mod lettering;
mod light;

use crate::{Angle, Length};

pub use colour::false_colour;
pub use light::shade;

/// A way to light a surface.
///
/// Azimuths say where the light comes from, clockwise as seen, 0 from the top of the picture. Elevations are above the
/// plane of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Light {
    /// One distant lamp on a dull surface: a map's hill shading.
    Hill {
        /// Where the light comes from.
        azimuth: Angle,
        /// How high it stands.
        elevation: Angle,
    },
    /// A ring of lamps around the objective: slopes become dark, whatever their direction.
    Ring {
        /// How high the ring stands.
        elevation: Angle,
    },
    /// One lamp on metal: dull and mirror-like reflection together.
    Oblique {
        /// Where the light comes from.
        azimuth: Angle,
        /// How high it stands.
        elevation: Angle,
    },
    /// Like a scanning electron microscope: slopes and convex edges shine, pits are dark.
    Sem,
}

/// How heights are drawn as colours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FalseColour {
    /// The heights of the first and the last colour; the middle 99 % of the heights where nothing is given.
    pub range: Option<(Length, Length)>,
    /// Whether a hill shading is laid over the colours.
    pub shaded: bool,
}
