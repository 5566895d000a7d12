//! The JSON that other programs read: built by hand from domain values, so that those may change without it.

pub(crate) mod comparison;
pub(crate) mod reading;
