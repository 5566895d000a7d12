#![doc = include_str!("../README.md")]

mod background;
mod chance;
mod contact;
mod filter;
mod fit;
mod form;
mod frame;
pub mod instrument;
mod lattice;
mod model;
mod press;
mod residue;
mod shot;
mod strike;
mod texture;
mod tool;
mod truth;

pub use model::{Ammunition, Conditions, Firearm, Parameter, ParameterError};
pub use strike::{StrikeError, strike};
pub use truth::{FirstStrike, Pose, Strike, Truth};
