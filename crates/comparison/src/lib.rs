#![doc = include_str!("../README.md")]

mod again;
mod areal;
mod cluster;
mod cmc;
mod compare;
mod deep;
mod direction;
mod error;
pub mod evidence;
mod fourier;
mod joint;
mod linear;
mod lines;
mod otherwise;
pub mod picture;
mod pose;
mod prepare;
mod preset;
mod profile;
mod raster;
mod region;
mod regular;
mod rings;
pub mod search;
mod surface;
mod verdict;

pub use compare::{CellResult, CmcCounts, Comparison, Lines, compare};
pub use error::ComparisonError;
pub use prepare::prepare;
pub use preset::{Clustering, ClusteringParameters, MarkKind, Parameters, Preset, Sweep};
pub use surface::Surface;
