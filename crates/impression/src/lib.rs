#![doc = include_str!("../README.md")]

mod background;
mod chance;
mod contact;
mod filter;
mod form;
mod frame;
pub mod instrument;
mod lattice;
mod model;
mod residue;
mod strike;
mod texture;
mod tool;

pub use model::{Ammunition, Conditions, Firearm, Parameter, ParameterError};
pub use strike::{FirstStrike, Pose, Strike, StrikeError, Truth, strike};
