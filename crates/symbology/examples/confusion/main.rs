//! Measures which glyphs of the alphabet look alike in relief, and writes a picture of all of them.
//!
//! `cargo run -p symbology --example confusion [glyphs.pgm]`

mod measure;

use std::fs;

use measure::{DAMAGES, distances, render};
use symbology::ALPHABET;

const ALL: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]
fn main() -> Result<(), std::io::Error> {
    for damage in DAMAGES {
        println!("{} (flow blur {} µm, pen {} modules)", damage.name, damage.blur, damage.pen);
        for (name, characters) in [("32 characters", ALPHABET), ("36 characters", ALL)] {
            let pairs = distances(characters, damage);
            let nearest: Vec<String> =
                pairs.iter().take(16).map(|(distance, a, b)| format!("{a}{b} {distance:.3}")).collect();
            let mean = pairs.iter().map(|pair| pair.0).sum::<f64>() / pairs.len() as f64;
            println!("  {name}: mean {mean:.3}; nearest {}", nearest.join(", "));
        }
        println!("  best four to drop of 36: {}", best_four(&distances(ALL, damage)));
    }
    if let Some(path) = std::env::args().nth(1) {
        fs::write(path, picture())?;
    }
    Ok(())
}

/// The four characters without which the nearest pair is farthest apart, and how far that is.
fn best_four(pairs: &[(f64, char, char)]) -> String {
    let cover = |limit: usize| cover(&pairs[..limit], &mut Vec::new());
    let mut limit = 0;
    let mut dropped = Vec::new();
    while let Some(found) = cover(limit + 1) {
        dropped = found;
        limit += 1;
    }
    dropped.sort_unstable();
    let names: String = dropped.iter().collect();
    format!("{names} (nearest pair then {:.3})", pairs[limit].0)
}

/// At most four characters of which every pair has at least one.
fn cover(pairs: &[(f64, char, char)], dropped: &mut Vec<char>) -> Option<Vec<char>> {
    let open = pairs.iter().find(|(_, a, b)| !dropped.contains(a) && !dropped.contains(b));
    let Some(&(_, a, b)) = open else { return Some(dropped.clone()) };
    if dropped.len() == 4 {
        return None;
    }
    for drop in [a, b] {
        dropped.push(drop);
        let found = cover(pairs, dropped);
        dropped.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// All 36 glyphs in each condition that leaves them whole, as a portable grey map.
fn picture() -> Vec<u8> {
    let mut rows: Vec<u8> = Vec::new();
    let mut width = 0;
    for damage in DAMAGES.iter().filter(|damage| !damage.half) {
        let pictures: Vec<Vec<Vec<f64>>> =
            ALL.chars().map(|c| render(c, *damage).rows().map(<[f64]>::to_vec).collect()).collect();
        for line in pictures.chunks(18) {
            for row in 0..line[0].len() {
                let pixels = line.iter().flat_map(|glyph| &glyph[row]);
                rows.extend(pixels.map(|value| (40.0 + 200.0 * value) as u8));
            }
            width = line.iter().map(|glyph| glyph[0].len()).sum();
        }
    }
    let mut file = format!("P5\n{width} {}\n255\n", rows.len() / width).into_bytes();
    file.extend(rows);
    file
}
