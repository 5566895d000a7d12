//! Draws one code for a firing pin: SVG and DXF for the engraver, pictures of the part and of the case that it will mark.
//!
//! `cargo run -p marking --example engrave_pin -- FOLDER` (by default the current folder).

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use marking::{
    ArtworkOptions, Form, LayoutOptions, Lines, Relief, View, check, dxf, height_map, lay_out, picture, svg,
};
use symbology::{Mark, Scheme};
use topography::Length;
use topography::picture::{Depth, write_colours, write_png};
use topography::render::{FalseColour, false_colour};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    fs::create_dir_all(&folder)?;

    let marks = [Mark::Characters, Mark::Gear];
    let tip = "hemispherical:1.7mm".parse()?;
    let pin = lay_out(&Scheme::open_1(), "K73MXP", &marks, &tip, &LayoutOptions::default())?;
    for finding in check(&pin) {
        assert!(finding.passed(), "{finding}");
    }

    // What the engraver gets: the part, its marks raised.
    let tool = ArtworkOptions { view: View::Tool, relief: Relief::Raised, lines: Lines::Both };
    fs::write(folder.join("pin-tool.svg"), svg(&pin, tool))?;
    fs::write(folder.join("pin-tool.dxf"), dxf(&pin, tool))?;
    // What a reader will see: the case, the same marks sunk and the right way round.
    let case = ArtworkOptions { view: View::Case, relief: tool.relief.opposite(), lines: Lines::CentreLines };
    fs::write(folder.join("pin-case.svg"), svg(&pin, case))?;
    fs::write(
        folder.join("pin-case.png"),
        write_png(&picture(&pin, Length::um(1.0), View::Case)?, Depth::Eight)?,
    )?;
    // The engraved tip itself, in false colours.
    let surface = height_map(&pin, Length::um(2.0), Relief::Raised, View::Tool, Form::With)?;
    let colours = false_colour(&surface, &FalseColour::default());
    fs::write(folder.join("pin-tool.png"), write_colours(&colours, None)?)?;
    Ok(())
}
