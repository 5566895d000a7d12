#![doc = include_str!("../README.md")]

mod grid;
mod surface;
mod units;

pub use grid::Grid;
pub use surface::{Micrograph, Pitch, Topography};
pub use units::{Angle, Length, QuantityError};
