#![doc = include_str!("../README.md")]

mod code;
pub mod decode;
mod field;
pub mod geometry;
mod mark;
pub mod mother;
mod nearest;
mod scheme;
mod scheme_file;
mod seal;
mod symbol;

pub use code::{Code, CodeError, Prefix, UnitNumber};
pub use mark::{Mark, MarkError};
pub use scheme::{CheckRule, Scheme, SchemeError};
pub use seal::SealingKey;
pub use symbol::{ALPHABET, Symbol};
