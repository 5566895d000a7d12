//! Instruments that look at a surface: what they make of it is a topography or a picture with a pitch.
//!
//! Every instrument has a lateral pitch and blur of its own and adds noise from the generator it is given. What
//! belongs to the case (stains, soot) is drawn from the surface itself: several pictures of one case under lights
//! from different sides show the same stains.

mod confocal;
mod electron;
mod light;
mod resample;

pub use confocal::{Confocal, confocal};
pub use electron::{Sem, sem};
pub use light::{Light, oblique, ring};
