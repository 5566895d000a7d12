//! Strikes marks in the simulator `impression`, reads them, and prints how far the posteriors can be believed.
//!
//! `cargo run -p reader --example calibration -- [COUNT] [SEED] [confocal,oblique,ring,font,blank] [CONDITION,…]`
//!
//! COUNT reads for every instrument and condition. `font` reads marks whose characters are drawn in another font
//! (slanted, narrower, with serifs) beside a right ring, and the same without a ring; `blank` reads struck surfaces
//! without a mark; both come from the generator of this crate's tests. Everything is *simulation*.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "an example that prints its findings"
)]

#[path = "../tests/it/generator.rs"]
mod generator;

use generator::{Damage, View as Pose, photograph, random_word, seeded};
use impression::instrument::{Confocal, Light, confocal, oblique, ring};
use impression::{Ammunition, Conditions, Firearm};
use marking::{Form, LayoutOptions, Relief, View};
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;
use reader::{Outcome, ReadOptions, Reading, read_micrograph, read_topography};
use symbology::geometry::{self, Element, Point};
use symbology::{Mark, Scheme};
use topography::{Angle, Length};

const CONDITIONS: [&str; 11] = [
    "level-0", "level-1", "level-2", "level-3", "level-4", "blur", "missing", "drag", "double", "worn",
    "rough",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |k: usize, default: &str| arguments.get(k).cloned().unwrap_or_else(|| default.to_owned());
    let (count, seed): (u64, u64) = (argument(0, "4").parse().unwrap(), argument(1, "1").parse().unwrap());
    let (instruments, conditions) = (argument(2, "confocal,oblique"), argument(3, &CONDITIONS.join(",")));
    println!("{count} reads a line, seed {seed}, simulation");
    println!("instrument condition      n accepted wrong first unreadable no_mark  bits   ece sets");
    let mut all = Tally::default();
    for instrument in instruments.split(',') {
        for (number, condition) in conditions.split(',').enumerate() {
            let mut tally = Tally::default();
            for k in 0..count {
                let seed = seed * 1_000_000 + number as u64 * 10_000 + k;
                let (truth, reading) = one(instrument, condition, seed);
                tally.add(truth.as_deref(), &reading);
                all.add(truth.as_deref(), &reading);
            }
            tally.print(instrument, condition);
        }
    }
    all.print("all", "");
    all.print_reliability();
}

/// The true word (nothing where there is none of ours) and what was read.
fn one(instrument: &str, condition: &str, seed: u64) -> (Option<Vec<u8>>, Reading) {
    let options = ReadOptions::new(Scheme::open_1());
    let mut rng = seeded(seed);
    match instrument {
        "font" | "blank" => {
            let (word, elements) = match instrument {
                "font" => foreign(seed.is_multiple_of(2), &mut rng),
                _ => (None, Vec::new()),
            };
            let damage = Damage::named(condition);
            let surface = generator::strike(&elements, &damage, &Pose::anyhow(&mut rng), &mut rng);
            let reading = if seed % 4 < 2 {
                read_topography(&surface, &options)
            } else {
                read_micrograph(&photograph(&surface, &damage, false, &mut rng), &options)
            };
            (word, reading.unwrap())
        }
        _ => struck(instrument, condition, &options, &mut rng),
    }
}

fn struck(
    instrument: &str,
    condition: &str,
    options: &ReadOptions,
    rng: &mut ChaCha8Rng,
) -> (Option<Vec<u8>>, Reading) {
    let word = random_word(rng);
    let text = options.scheme.text(&word);
    let tip = "hemispherical:1.7mm".parse().unwrap();
    let marks = [Mark::Characters, Mark::Gear];
    let placed = marking::lay_out(&options.scheme, &text, &marks, &tip, &LayoutOptions::default()).unwrap();
    let tool =
        marking::height_map(&placed, Length::um(2.0), Relief::Raised, View::Tool, Form::Without).unwrap();
    let mut shot = Conditions::preset(condition).unwrap();
    shot.set("turn", "180deg").unwrap();
    let surface = impression::strike(&tool, &Firearm::default(), &Ammunition::default(), &shot, None, rng)
        .unwrap()
        .surface;
    let lamp = Light::under(&shot);
    let reading = match instrument {
        "confocal" => read_topography(&confocal(&surface, &Confocal::under(&shot), rng), options),
        "ring" => read_micrograph(&ring(&surface, &lamp, rng), options),
        _ => {
            let azimuth = Angle::degrees(rng.random_range(-180.0..180.0));
            let lamp = lamp.from(azimuth, Angle::degrees(rng.random_range(25.0..42.0)));
            read_micrograph(&oblique(&surface, &lamp, rng), options)
        }
    };
    (Some(word), reading.unwrap())
}

/// A random code whose characters come from another font, with its ring (then its word too) or without.
fn foreign(ringed: bool, rng: &mut ChaCha8Rng) -> (Option<Vec<u8>>, Vec<Element>) {
    let scheme = Scheme::open_1();
    let word = random_word(rng);
    let mut elements = if ringed { geometry::draw(&scheme, Mark::Gear, &word) } else { Vec::new() };
    let (slant, wide) = (rng.random_range(0.15..0.35), rng.random_range(0.75..0.9));
    let layout = geometry::layout(&scheme, Mark::Characters).unwrap();
    for (place, value) in layout.places().iter().zip(&word) {
        for element in layout.elements(place.index, *value) {
            let Element::Stroke { points, width } = element else { continue };
            let moved: Vec<Point> = points
                .iter()
                .map(|point| {
                    let (x, y) = (point.x - place.centre.x, point.y - place.centre.y);
                    Point { x: place.centre.x + wide * x - slant * y, y: place.centre.y + 0.92 * y }
                })
                .collect();
            for end in [moved.first(), moved.last()].into_iter().flatten() {
                let serif = |by: f64| Point { x: end.x + by, y: end.y };
                elements.push(Element::Stroke { points: vec![serif(-0.9), serif(0.9)], width: 0.8 * width });
            }
            elements.push(Element::Stroke { points: moved, width: 1.15 * width });
        }
    }
    (ringed.then_some(word), elements)
}

#[derive(Default)]
struct Tally {
    count: u32,
    accepted: u32,
    wrong: u32,
    first: u32,
    unreadable: u32,
    no_mark: u32,
    bits: f64,
    /// For every tenth of the posterior of the first candidate: how many, their sum, how many were right.
    tenths: [(u32, f64, u32); 10],
    /// Symbols in the 95 % sets that were right, and all.
    sets: (u32, u32),
}

impl Tally {
    fn add(&mut self, truth: Option<&[u8]>, reading: &Reading) {
        let text = truth.map(|word| Scheme::open_1().text(word));
        self.count += 1;
        self.accepted += u32::from(reading.outcome == Outcome::Accepted);
        self.wrong += u32::from(reading.code.is_some() && reading.code != text);
        self.unreadable += u32::from(reading.outcome == Outcome::Unreadable);
        self.no_mark += u32::from(reading.outcome == Outcome::NoMark);
        self.bits += reading.bits_carried;
        if let Some(best) = reading.candidates.first() {
            let right = u32::from(Some(&best.code) == text.as_ref());
            self.first += right;
            let tenth = &mut self.tenths[((best.posterior * 10.0) as usize).min(9)];
            *tenth = (tenth.0 + 1, tenth.1 + best.posterior, tenth.2 + right);
        }
        for symbol in reading.symbols.iter().filter(|_| reading.outcome != Outcome::NoMark) {
            let Some(value) = truth.and_then(|word| word.get(symbol.index)) else { continue };
            let shown = Scheme::open_1().alphabet()[usize::from(*value)];
            let mut sum = symbol.posterior;
            let mut inside = symbol.value == shown;
            for (other, posterior) in &symbol.alternatives {
                inside |= sum < 0.95 && *other == shown;
                sum += posterior;
            }
            // Sets that the listed alternatives do not fill hold the true value as often as they leave out.
            self.sets = (self.sets.0 + u32::from(inside || sum < 0.95), self.sets.1 + 1);
        }
    }

    fn error(&self) -> f64 {
        let total: u32 = self.tenths.iter().map(|tenth| tenth.0).sum();
        self.tenths.iter().map(|(_, sum, right)| (sum - f64::from(*right)).abs()).sum::<f64>()
            / f64::from(total.max(1))
    }

    fn print(&self, instrument: &str, condition: &str) {
        println!(
            "{instrument:10} {condition:10} {:5} {:8} {:5} {:5} {:10} {:7} {:5.1} {:5.3} {:4.2}",
            self.count,
            self.accepted,
            self.wrong,
            self.first,
            self.unreadable,
            self.no_mark,
            self.bits / f64::from(self.count),
            self.error(),
            f64::from(self.sets.0) / f64::from(self.sets.1.max(1))
        );
    }

    fn print_reliability(&self) {
        println!("posterior of the first candidate: mean, share right, n");
        for (count, sum, right) in self.tenths.iter().filter(|tenth| tenth.0 > 0) {
            let n = f64::from(*count);
            println!("  {:.4}  {:.4}  {count}", sum / n, f64::from(*right) / n);
        }
    }
}
