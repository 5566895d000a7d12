//! Tests of marking through its public face.

mod artwork;
mod layout;
mod quality;
mod relief;
mod tips;

use marking::{LayoutOptions, PlacedMark, lay_out};
use symbology::{Mark, Scheme};

/// A mark of `open-1` on a tip with default options.
fn placed(text: &str, marks: &[Mark], tip: &str) -> PlacedMark {
    let tip = tip.parse().expect("the tips of these tests are well written");
    lay_out(&Scheme::open_1(), text, marks, &tip, &LayoutOptions::default()).expect("it fits")
}
