#![doc = include_str!("../README.md")]

mod artwork;
mod contour;
mod error;
mod fit;
mod guards;
mod layout;
mod nominal;
mod quality;
mod raster;
mod relief;
mod shape;
mod tip;

pub use artwork::{ArtworkOptions, Lines, dxf, svg};
pub use error::{Fit, MarkingError};
pub use guards::Guards;
pub use layout::{LayoutOptions, PlacedMark, lay_out};
pub use nominal::{NominalGeometry, NominalMark};
pub use quality::{Finding, Rule, check};
pub use relief::{Form, Relief, View, height_map, picture};
pub use tip::Tip;
