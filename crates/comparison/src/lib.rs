#![doc = include_str!("../README.md")]

mod areal;
mod cmc;
mod compare;
mod direction;
mod error;
mod fourier;
mod pose;
mod preset;
mod raster;
mod surface;
pub mod evidence;

pub use compare::{CellResult, CmcCounts, Comparison, compare};
pub use error::ComparisonError;
pub use preset::{MarkKind, Preset};
pub use surface::Surface;

#[doc(hidden)]
pub mod trial {
    use crate::*;
    pub fn build(t: &topography::Topography, preset: &Preset) -> Surface {
        Surface::build(&raster::Raster::from_topography(t), preset, &mut fourier::Planner::default()).unwrap()
    }
}
