//! Strikes a mark in the test generator, reads it, and writes a picture of what was found.
//!
//! `cargo run -p reader --example overlay -- [FILE.png]` (*simulation*)

#![allow(dead_code, reason = "the generator makes more than this example draws")]

#[path = "../tests/it/generator.rs"]
mod generator;

use std::error::Error;

use generator::{Damage, View, random_word, seeded, strike};
use reader::{ReadOptions, fuse, observe_topography, overlay};
use symbology::{Mark, Scheme, geometry};
use topography::picture;

#[allow(clippy::print_stdout, reason = "the example tells what it did")]
fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "overlay.png".to_owned());
    let scheme = Scheme::open_1();
    let mut rng = seeded(7);
    let word = random_word(&mut rng);
    let marks = [Mark::Characters, Mark::Gear];
    let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect();
    let surface = strike(&elements, &Damage::named("level-2"), &View::anyhow(&mut rng), &mut rng);
    let options = ReadOptions::new(scheme.clone());
    let seen = observe_topography(&surface, &options)?;
    let reading = fuse(std::slice::from_ref(&seen), &options)?;
    println!("true {}, read {:?}: {:?}", scheme.text(&word), reading.outcome, reading.code);
    let colours = overlay(&surface, &seen, &scheme, &reading).ok_or("no mark was found")?;
    std::fs::write(&file, picture::write_colours(&colours, None)?)?;
    println!("wrote {file}");
    Ok(())
}
