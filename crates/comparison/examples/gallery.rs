//! Draws a gallery of comparisons of made-up firearms: one page each, and a list of them.
//!
//! ```text
//! cargo run -p comparison --example gallery -- FOLDER
//! ```
//!
//! Everything drawn is simulation.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use comparison::evidence::Calibration;
use comparison::search::{Firearm, Model};
use comparison::{MarkKind, Preset, compare, picture, prepare};
use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use topography::{Grid, Length, Topography};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args().nth(1) else { return Err("give a folder".into()) };
    draw(Path::new(&folder))
}

fn draw(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut list = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Gallery</title><h1>Made-up firearms</h1><ul>\n",
    );
    for (name, page) in pages()? {
        let file = format!("{}.html", name.replace(", ", "-").replace(' ', "-"));
        std::fs::write(folder.join(&file), page)?;
        writeln!(list, "<li><a href={file}>{name}</a>")?;
    }
    std::fs::write(folder.join("index.html"), list + "</ul></html>\n")?;
    Ok(())
}

/// Name and page of every pair.
fn pages() -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let model = Model::draw(&mut rng);
    let firearms = [0, 1].map(|_| Firearm::draw(&model, &mut rng));
    let mut fire = |which: usize| firearms[which].fire(Length::um(6.25), &mut rng);
    let (one, again, other) = (fire(0), fire(0), fire(1));
    let half = part(&again, |x, _, width, _| 2 * x < width);
    let strip = part(&again, |_, y, _, height| 4 * y < height);
    let cases = [
        ("one firearm", &one, &again),
        ("two firearms of one production run", &one, &other),
        ("one firearm, half of the face", &one, &half),
        ("one firearm, a quarter of the face", &one, &strip),
        ("one measurement twice", &one, &one),
    ];
    let preset = Preset::default_for(MarkKind::BreechFace);
    let calibration = Calibration::built_in();
    let drawn = |(name, a, b): (&'static str, &Topography, &Topography)| {
        let (a, b) = (prepare(a, &preset)?, prepare(b, &preset)?);
        let result = compare(&a, &b)?;
        let weight = if result.is_same_scan() { None } else { Some(calibration.weigh(&result)?) };
        let page = picture::page(
            [("first case", &a), ("second case", &b)],
            &result,
            weight.as_ref().map(|w| (&calibration, w)),
        );
        Ok((name, page))
    };
    cases.into_iter().map(drawn).collect()
}

/// The scan where `kept` says so of column, row, width and height; missing elsewhere.
fn part(scan: &Topography, kept: impl Fn(usize, usize, usize, usize) -> bool) -> Topography {
    let (width, height) = (scan.heights.width(), scan.heights.height());
    let z = |x: usize, y: usize| {
        if kept(x, y, width, height) { scan.heights[(x, y)] } else { f64::NAN }
    };
    Topography { heights: Grid::from_fn(width, height, z), pitch: scan.pitch }
}
