#![doc = include_str!("../README.md")]

mod axis;
mod page;
mod pdf;
mod plot;

pub use page::{Cell, Page, Table};
pub use pdf::{Document, MAX_CELLS, Moment, Pdf, PdfError};
pub use plot::{Plot, Series, Shape};
