//! Draws a scan: heights in false colours, and what remains of it between 16 and 250 µm under an oblique lamp.
//!
//! ```sh
//! cargo run -p topography --example picture_of_a_scan -- scan.x3p pictures/
//! ```
//!
//! Without a scan it makes one up (a pit in a turned face), so that there is something to look at.

use std::path::{Path, PathBuf};

use topography::filter::{self, Fit, Form, Gaussian, Order, Spikes};
use topography::picture::{self, Depth};
use topography::render::{self, FalseColour, Light};
use topography::{Angle, Grid, Length, Limits, Pitch, Topography, x3p};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let scan = match arguments.next() {
        Some(path) => x3p::read(&std::fs::read(path)?, &Limits::default())?.topography,
        None => made_up(),
    };
    let folder = arguments.next().unwrap_or_else(|| PathBuf::from("target/pictures"));
    std::fs::create_dir_all(&folder)?;
    draw(&scan, &folder)
}

fn draw(scan: &Topography, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let level = filter::remove_form(scan, Form::Plane, Fit::Robust)?;
    let colours = render::false_colour(&level, &FalseColour { range: None, shaded: true });
    std::fs::write(folder.join("heights.png"), picture::write_colours(&colours, None)?)?;

    let at = |um: f64| Gaussian { cut_off: Length::um(um), order: Order::Two, robust: true };
    let clean = filter::remove_spikes(&level, &Spikes::default());
    let band = filter::band_pass(&clean, &at(16.0), &at(250.0))?;
    let lamp = Light::Oblique { azimuth: Angle::degrees(315.0), elevation: Angle::degrees(30.0) };
    std::fs::write(folder.join("band.png"), picture::write_png(&render::shade(&band, lamp), Depth::Eight)?)?;
    Ok(())
}

/// A turned face with a round pit and a missing rim, 3 mm wide.
fn made_up() -> Topography {
    let height = |x: usize, y: usize| {
        let (dx, dy) = ((x as f64 - 240.0) * 6.25, (y as f64 - 240.0) * 6.25);
        let away = dx.hypot(dy);
        let grooves = 0.8 * (dx * 0.11 + dy * 0.02).sin();
        let pit = 60.0 * (1.0 - (away / 600.0).powi(2)).max(0.0);
        if away > 1450.0 { f64::NAN } else { grooves + 0.004 * dx - pit }
    };
    Topography { heights: Grid::from_fn(480, 480, height), pitch: Pitch::square(Length::um(6.25)) }
}
