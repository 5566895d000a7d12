//! Compares two X3P scans and writes the page that shows how they lie on each other.
//!
//! ```text
//! cargo run -p comparison --example side_by_side -- one.x3p other.x3p page.html
//! ```

use std::error::Error;

use comparison::evidence::Calibration;
use comparison::{MarkKind, Preset, Surface, compare, picture, prepare};
use topography::{Limits, x3p};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [one, other, output] = &arguments[..] else { return Err("give two scans and an output file".into()) };
    let preset = Preset::default_for(MarkKind::BreechFace);
    let surface = |path: &String| -> Result<Surface, Box<dyn Error>> {
        let scan = x3p::read(&std::fs::read(path)?, &Limits::default())?;
        Ok(prepare(&scan.topography, &preset)?)
    };
    let (a, b) = (surface(one)?, surface(other)?);
    let result = compare(&a, &b)?;
    let calibration = Calibration::built_in();
    let weight = calibration.weigh(&result)?;
    std::fs::write(output, picture::page([(one, &a), (other, &b)], &result, Some((&calibration, &weight))))?;
    Ok(())
}
