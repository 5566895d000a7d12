#![doc = include_str!("../README.md")]

mod files;
pub mod filter;
mod grid;
pub mod picture;
pub mod render;
pub mod resample;
mod surface;
mod units;
mod wide;
pub mod x3p;

pub use files::{FileError, Limits};
pub use grid::Grid;
pub use surface::{Micrograph, Pitch, Topography};
pub use units::{Angle, Length, QuantityError};
