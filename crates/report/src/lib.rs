#![doc = include_str!("../README.md")]

mod axis;
mod page;
mod plot;

pub use page::{Cell, Page, Table};
pub use plot::{Plot, Series, Shape};
