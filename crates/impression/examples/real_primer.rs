//! Strikes a mark into real primer scans (X3P) and draws what each instrument sees: real surfaces with simulated marks.
//!
//! `cargo run -p impression --example real_primer -- OUT.png PRESET SCAN.x3p…`

use image::{GrayImage, Luma};
use impression::instrument::{Light, Sem, oblique, ring, sem};
use impression::{Ammunition, Conditions, Firearm, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Limits, x3p};

#[path = "../tests/it/tool.rs"]
mod tool;

const TILE: u32 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(out), Some(preset)) = (arguments.next(), arguments.next()) else {
        return Err("usage: real_primer OUT.png PRESET SCAN.x3p…".into());
    };
    let scans: Vec<String> = arguments.collect();
    let shot = Conditions::preset(&preset)?;
    let mut sheet = GrayImage::new(TILE * scans.len() as u32, TILE * 3);
    for (column, name) in scans.iter().enumerate() {
        let scan = x3p::read(&std::fs::read(name)?, &Limits::default())?.topography;
        let mut rng = ChaCha8Rng::seed_from_u64(column as u64);
        let (firearm, ammunition) = (Firearm::default(), Ammunition::default());
        let struck = strike(tool::pin(), &firearm, &ammunition, &shot, Some(&scan), &mut rng)?;
        let light = Light::under(&shot);
        let pictures = [
            oblique(&struck.surface, &light, &mut rng),
            ring(&struck.surface, &light, &mut rng),
            sem(&struck.surface, &Sem::under(&shot), &mut rng),
        ];
        for (row, picture) in pictures.iter().enumerate() {
            for (x, y, pixel) in
                (0..TILE).flat_map(|y| (0..TILE).map(move |x| (x, y))).filter_map(|(x, y)| {
                    picture.intensity.get(x as usize, y as usize).map(|value| (x, y, (value * 255.0) as u8))
                })
            {
                sheet.put_pixel(column as u32 * TILE + x, row as u32 * TILE + y, Luma([pixel]));
            }
        }
    }
    sheet.save(&out)?;
    Ok(())
}
