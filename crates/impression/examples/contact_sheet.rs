//! Draws levels and single factors (columns) as each instrument sees them (rows).
//!
//! `cargo run -p impression --example contact_sheet -- OUT.png [PRESET…]`

use image::{GrayImage, Luma};
use impression::instrument::{Confocal, Light, Sem, confocal, oblique, ring, sem};
use impression::{Ammunition, Conditions, Firearm, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Micrograph, Topography};

#[path = "../tests/it/tool.rs"]
mod tool;

const TILE: u32 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "contact-sheet.png".to_owned());
    let mut presets: Vec<String> = arguments.collect();
    if presets.is_empty() {
        presets = (0..5).map(|level| format!("level-{level}")).collect();
    }
    let tool = tool::pin();
    let mut sheet = GrayImage::new(TILE * presets.len() as u32, TILE * 5);
    for (column, preset) in presets.iter().enumerate() {
        let shot = Conditions::preset(preset)?;
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let struck = strike(tool, &Firearm::default(), &Ammunition::default(), &shot, None, &mut rng)?;
        let light = Light::under(&shot);
        let pictures = [
            heights(&confocal(&struck.surface, &Confocal::under(&shot), &mut rng)),
            oblique(&struck.surface, &light, &mut rng),
            oblique(
                &struck.surface,
                &Light { shadows: true, ..light.clone() }
                    .from(topography::Angle::degrees(20.0), topography::Angle::degrees(27.0)),
                &mut rng,
            ),
            ring(&struck.surface, &light, &mut rng),
            sem(&struck.surface, &Sem::under(&shot), &mut rng),
        ];
        for (row, picture) in pictures.iter().enumerate() {
            paste(&mut sheet, picture, (column as u32 * TILE, row as u32 * TILE));
        }
    }
    sheet.save(&out)?;
    Ok(())
}

/// Heights less a running mean of 50 µm, from -10 µm black to 10 µm white.
fn heights(scan: &Topography) -> Micrograph {
    let reach = 20;
    let grid = &scan.heights;
    let flat = topography::Grid::from_fn(grid.width(), grid.height(), |x, y| {
        let (mut sum, mut count) = (0.0, 0.0);
        for row in (y.saturating_sub(reach)..=(y + reach).min(grid.height() - 1)).step_by(4) {
            for column in (x.saturating_sub(reach)..=(x + reach).min(grid.width() - 1)).step_by(4) {
                if grid[(column, row)].is_finite() {
                    sum += grid[(column, row)];
                    count += 1.0;
                }
            }
        }
        let above = grid[(x, y)] - sum / f64::max(count, 1.0);
        if above.is_finite() { (0.5 + above / 20.0).clamp(0.0, 1.0) as f32 } else { 0.0 }
    });
    Micrograph { intensity: flat, pitch: Some(scan.pitch) }
}

fn paste(sheet: &mut GrayImage, picture: &Micrograph, (left, top): (u32, u32)) {
    let (width, height) = (picture.intensity.width() as u32, picture.intensity.height() as u32);
    for y in 0..height.min(TILE) {
        for x in 0..width.min(TILE) {
            let value = (picture.intensity[(x as usize, y as usize)] * 255.0) as u8;
            sheet.put_pixel(left + x, top + y, Luma([value]));
        }
    }
}
