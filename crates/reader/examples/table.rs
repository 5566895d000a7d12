//! Reads simulated marks condition by condition and prints how many were accepted, rightly or wrongly.
//!
//! `cargo run -p reader --example table -- [COUNT] [topography|oblique|ring] [upright|anyhow] [CONDITION,…]`
//!
//! Everything is *simulation*: the marks, the damage and the surfaces come from the test generator of this crate.

#[path = "../tests/it/generator.rs"]
mod generator;

use generator::{CONDITIONS, Damage, View, photograph, random_word, seeded, strike};
use reader::{Outcome, ReadOptions, read_micrograph, read_topography};
use symbology::{Mark, Scheme, geometry};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), reader::ReadError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |k: usize, default: &str| arguments.get(k).cloned().unwrap_or_else(|| default.to_owned());
    let count: u64 = argument(0, "4").parse().unwrap_or(4);
    let (instrument, placed, wanted) = (argument(1, "topography"), argument(2, "upright"), argument(3, ""));
    let scheme = Scheme::open_1();
    let options = ReadOptions::new(scheme.clone());
    println!("{instrument}, {placed}, n = {count} a line, simulation");
    println!(
        "{:10} {:>8} {:>6} {:>6} {:>7} {:>6} {:>6} {:>7}",
        "condition", "accepted", "wrong", "first", "no mark", "bits", "cpu s", "ece"
    );
    for (number, name) in CONDITIONS.into_iter().enumerate() {
        if !wanted.is_empty() && !wanted.split(',').any(|one| one == name) {
            continue;
        }
        let damage = Damage::named(name);
        let mut tally = Tally::default();
        for k in 0..count {
            let mut rng = seeded(1000 * number as u64 + k + 77);
            let word = random_word(&mut rng);
            let elements: Vec<_> = [Mark::Characters, Mark::Gear]
                .iter()
                .flat_map(|&mark| geometry::draw(&scheme, mark, &word))
                .collect();
            let view = if placed == "anyhow" { View::anyhow(&mut rng) } else { View::upright(&mut rng) };
            let surface = strike(&elements, &damage, &view, &mut rng);
            let picture = (instrument != "topography")
                .then(|| photograph(&surface, &damage, instrument == "ring", &mut rng));
            let started = processor_seconds();
            let reading = match &picture {
                Some(picture) => read_micrograph(picture, &options)?,
                None => read_topography(&surface, &options)?,
            };
            tally.add(&reading, &scheme.text(&word), processor_seconds() - started);
            if std::env::var_os("VERBOSE").is_some() {
                println!(
                    "   {name} {k}: {:?} {:.4} bits {:.1} {:?}",
                    reading.outcome,
                    reading.candidates.first().map_or(0.0, |c| c.posterior),
                    reading.bits_carried,
                    reading.marks.first().map(|m| (
                        m.rotation_deg - view.rotation.to_degrees(),
                        m.mirrored == view.mirrored,
                        m.scale / view.scale
                    ))
                );
            }
        }
        tally.print(name, count as f64);
    }
    Ok(())
}

/// Processor time of this process so far (user and system), where the system tells.
fn processor_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = told
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|k| k.parse().ok())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}

#[derive(Default)]
struct Tally {
    accepted: u32,
    wrong: u32,
    first: u32,
    no_mark: u32,
    bits: f64,
    seconds: f64,
    gap: f64,
}

impl Tally {
    fn add(&mut self, reading: &reader::Reading, truth: &str, seconds: f64) {
        let right = |code: &str| code == truth;
        self.accepted += u32::from(reading.outcome == Outcome::Accepted);
        self.wrong += u32::from(reading.code.as_deref().is_some_and(|code| !right(code)));
        let best = reading.candidates.first();
        self.first += u32::from(best.is_some_and(|best| right(&best.code)));
        self.no_mark += u32::from(reading.outcome == Outcome::NoMark);
        self.bits += reading.bits_carried;
        self.seconds += seconds;
        self.gap += best.map_or(0.0, |best| best.posterior - f64::from(u8::from(right(&best.code))));
    }

    #[allow(clippy::print_stdout)]
    fn print(&self, name: &str, count: f64) {
        println!(
            "{name:10} {:>8} {:>6} {:>6} {:>7} {:>6.1} {:>6.2} {:>7.3}",
            self.accepted,
            self.wrong,
            self.first,
            self.no_mark,
            self.bits / count,
            self.seconds / count,
            (self.gap / count).abs()
        );
    }
}
