//! Reads simulated cases, keeps every result in a table that a later run goes on with, and tells what they show.
//!
//! `cargo run -p reader --example measure -- read TABLE.csv COUNT SEED [INSTRUMENTS] [CONDITIONS] [GENERATORS]`
//! `cargo run -p reader --example measure -- mixed TABLE.csv COUNT SEED`
//! `cargo run -p reader --example measure -- tell TABLE.csv…`
//!
//! `mixed` draws for every read what it reads: marks, scheme, level, light, or things that are no code at all.
//! COUNT reads for every instrument, condition and generator; lists have commas. Instruments: `topography`, `oblique`,
//! `ring`, `lights` (four, one view), `both` (height maps of the pin's marks and of dots on the breech face, `rough` alone), and with a number before them as many cases of one firearm fused, such as
//! `3xtopography`. Generators: `impression` (the simulator) and `rough` (that of this crate's tests: any turn, either
//! side, 14 % in size); `gear`, `characters`, `dots`, `radial`, `matrix`, `round-1`, `plain-8` are those marks by themselves, struck
//! by `rough`, `unmarked` and `struck unmarked` are bare surfaces of the two, `unmarked dots` and `unmarked matrix` the same asked for those. Everything is *simulation*.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "an example that prints its findings"
)]

#[path = "../tests/it/generator.rs"]
mod generator;
#[path = "measure/mixed.rs"]
mod mixed;
#[path = "measure/tell.rs"]
mod tell;

use std::collections::HashSet;
use std::io::Write as _;

use generator::{Damage, View as Pose, random_word, seeded};
use impression::instrument::{Confocal, Light, confocal, oblique, ring};
use impression::{Ammunition, Conditions, Firearm};
use marking::{Form, LayoutOptions, Relief, View};
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;
use reader::{Observation, Outcome, ReadOptions, Reading, fuse, observe_lights, observe_topography};
use symbology::geometry::{self, Element};
use symbology::{Mark, Scheme};
use topography::{Angle, Length, Micrograph, Topography};

const CONDITIONS: &str = "level-0,level-1,level-2,level-3,level-4,blur,missing,drag,double,worn,rough";
/// Powers of the symbols' likelihoods whose log scores are kept, for learning the temperature.
pub(crate) const POWERS: [f64; 9] = [0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("read") if arguments.len() >= 4 => read(&arguments[1..]),
        Some("mixed") if arguments.len() == 4 => mixed::read(&arguments[1..]),
        Some("tell") if arguments.len() >= 2 => tell::tell(&arguments[1..]),
        _ => println!(
            "usage: measure read TABLE.csv COUNT SEED [INSTRUMENTS] [CONDITIONS] [GENERATORS] | mixed TABLE.csv COUNT SEED \
             | tell TABLE.csv…"
        ),
    }
}

fn read(arguments: &[String]) {
    let argument = |k: usize, default: &str| arguments.get(k).cloned().unwrap_or_else(|| default.to_owned());
    let file = &arguments[0];
    let (count, first): (u64, u64) = (arguments[1].parse().unwrap(), arguments[2].parse().unwrap());
    let done: HashSet<String> = std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .map(|line| line.split(',').take(4).collect::<Vec<_>>().join(","))
        .collect();
    let mut table = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    let (instruments, conditions) = (argument(3, "topography,oblique"), argument(4, CONDITIONS));
    for k in 0..count {
        for generator in argument(5, "impression,rough").split(',') {
            for instrument in instruments.split(',') {
                for condition in conditions.split(',') {
                    let seed = first * 1_000_000 + k;
                    let key = format!("{generator},{instrument},{condition},{seed}");
                    if !done.contains(&key) {
                        let line = format!("{key},{}\n", one(generator, instrument, condition, seed));
                        table.write_all(line.as_bytes()).unwrap();
                    }
                }
            }
        }
    }
}

/// One question, as the rest of its line.
fn one(generator: &str, instrument: &str, condition: &str, seed: u64) -> String {
    if !matches!(generator, "impression" | "rough") {
        return mixed::of_kind(generator, (instrument, condition), seed);
    }
    let mut options = ReadOptions::new(Scheme::open_1());
    if instrument.ends_with("both") {
        options.marks.push(Mark::Dots);
    }
    let number = CONDITIONS.split(',').position(|other| other == condition).unwrap_or(99) as u64;
    let mut rng = seeded(seed * 1_000 + number * 8 + u64::from(generator == "rough"));
    let (cases, instrument) = match instrument.split_once('x') {
        Some((cases, instrument)) => (cases.parse().unwrap(), instrument),
        None => (1, instrument),
    };
    let word = random_word(&mut rng);
    let mut seconds = 0.0;
    let mut observations: Vec<Observation> = Vec::new();
    for case in 0..cases {
        let seen = match (generator, instrument) {
            (_, "both") => Seen::of_both_parts(condition, &word, &mut rng).into(),
            ("rough", _) => vec![Seen::rough(instrument, condition, &word, &mut rng)],
            _ => vec![Seen::struck((instrument, condition), Some(&word), &mut rng)],
        };
        let start = processor_seconds();
        let observed = seen.iter().flat_map(|seen| seen.observed(&options));
        observations
            .extend(observed.map(|seen| if instrument == "both" { seen.of_case(Some(case)) } else { seen }));
        seconds += processor_seconds() - start;
    }
    let start = processor_seconds();
    let reading = fuse(&observations, &options).unwrap();
    seconds += processor_seconds() - start;
    line(&reading, (&Scheme::open_1(), Some(&word)), seconds)
}

/// Seconds that a processor spent on the threads of this process, as far as the system tells; 0 elsewhere.
fn processor_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let nanoseconds = threads.filter_map(|thread| {
        let told = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split(' ').next()?.parse::<f64>().ok()
    });
    1e-9 * nanoseconds.sum::<f64>()
}

/// What the instrument brought.
enum Seen {
    Heights(Topography),
    Pictures(Vec<Micrograph>),
}

impl Seen {
    fn observed(&self, options: &ReadOptions) -> Vec<Observation> {
        match self {
            Self::Heights(heights) => vec![observe_topography(heights, options).unwrap()],
            Self::Pictures(pictures) => {
                let pictures: Vec<&Micrograph> = pictures.iter().collect();
                observe_lights(&pictures, options).unwrap().into_iter().map(|(_, seen)| seen).collect()
            }
        }
    }

    fn rough(instrument: &str, condition: &str, word: &[u8], rng: &mut ChaCha8Rng) -> Self {
        let marks = [Mark::Characters, Mark::Gear];
        let elements: Vec<_> =
            marks.iter().flat_map(|&mark| geometry::draw(&Scheme::open_1(), mark, word)).collect();
        let elements = if condition == "blank" { Vec::new() } else { elements };
        let condition = if condition == "blank" { "level-3" } else { condition };
        let view = Pose::anyhow(rng);
        Self::of(&elements, (instrument, condition), &view, rng)
    }

    /// The tip of the pin and the breech face on one case.
    fn of_both_parts(condition: &str, word: &[u8], rng: &mut ChaCha8Rng) -> [Self; 2] {
        let pin = Self::rough("topography", condition, word, rng);
        let dots = geometry::draw(&Scheme::open_1(), Mark::Dots, word);
        let view = Pose { pitch_um: 8.0, module_um: 60.0, rim_um: 300.0, ..Pose::anyhow(rng) };
        [pin, Self::of(&dots, ("topography", condition), &view, rng)]
    }

    /// What an instrument shows of elements struck by the rough generator.
    fn of(
        elements: &[Element],
        (instrument, condition): (&str, &str),
        view: &Pose,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let damage = Damage::named(condition);
        let surface = generator::strike(elements, &damage, view, rng);
        match instrument {
            "topography" => Self::Heights(surface),
            "lights" => Self::Pictures(generator::four_lights(&surface, &damage, rng)),
            _ => Self::Pictures(vec![generator::photograph(&surface, &damage, instrument == "ring", rng)]),
        }
    }

    /// A case of the simulator; without a word the pin is smooth.
    fn struck((instrument, condition): (&str, &str), word: Option<&[u8]>, rng: &mut ChaCha8Rng) -> Self {
        let scheme = Scheme::open_1();
        let tip = "hemispherical:1.7mm".parse().unwrap();
        let marks = [Mark::Characters, Mark::Gear];
        let placed = marking::lay_out(
            &scheme,
            &scheme.text(word.unwrap_or(&[0; 31])),
            &marks,
            &tip,
            &LayoutOptions::default(),
        )
        .unwrap();
        let mut tool =
            marking::height_map(&placed, Length::um(2.0), Relief::Raised, View::Tool, Form::Without).unwrap();
        if word.is_none() {
            tool.heights.samples_mut().fill(0.0);
        }
        let mut shot = Conditions::preset(condition).unwrap();
        shot.set("turn", "180deg").unwrap();
        let surface =
            impression::strike(&tool, &Firearm::default(), &Ammunition::default(), &shot, None, rng)
                .unwrap()
                .surface;
        let (lamp, first) = (Light::under(&shot), rng.random_range(-180.0..180.0));
        let up = Angle::degrees(rng.random_range(25.0..42.0));
        match instrument {
            "topography" => Self::Heights(confocal(&surface, &Confocal::under(&shot), rng)),
            "ring" => Self::Pictures(vec![ring(&surface, &lamp, rng)]),
            "lights" => Self::Pictures(
                [0.0, 90.0, 180.0, 270.0]
                    .map(|turn| oblique(&surface, &lamp.clone().from(Angle::degrees(first + turn), up), rng))
                    .into(),
            ),
            _ => Self::Pictures(vec![oblique(&surface, &lamp.from(Angle::degrees(first), up), rng)]),
        }
    }
}

/// What became of a question; without a word there was none to read.
fn line(reading: &Reading, (scheme, word): (&Scheme, Option<&[u8]>), seconds: f64) -> String {
    let text = word.map(|word| scheme.text(word));
    let outcome = match reading.outcome {
        Outcome::Accepted => "accepted",
        Outcome::Candidates => "candidates",
        Outcome::Unreadable => "unreadable",
        Outcome::NoMark => "no_mark",
    };
    let wrong = reading.code.as_ref().is_some_and(|code| Some(code) != text.as_ref());
    let first = reading.candidates.first();
    let right = first.is_some_and(|best| Some(&best.code) == text.as_ref());
    let mut scores = [0.0; POWERS.len()];
    let (mut inside, mut symbols, mut surest, mut exactly) = (0u32, 0u32, 0u32, 0u32);
    for (symbol, word) in reading.symbols.iter().filter_map(|symbol| Some((symbol, word?))) {
        let truth = usize::from(word[symbol.index]);
        for (score, power) in scores.iter_mut().zip(POWERS) {
            *score += posteriors(&symbol.log_likelihoods, power)[truth].max(1e-30).log2();
        }
        inside += u32::from(in_set(&posteriors(&symbol.log_likelihoods, 1.0), truth));
        exactly += u32::from(symbol.set.contains(&scheme.alphabet()[truth]));
        symbols += 1;
        surest += u32::from(symbol.log_likelihoods.iter().all(|log| *log <= symbol.log_likelihoods[truth]));
    }
    let scores: Vec<String> = scores.iter().map(|score| format!("{score:.2}")).collect();
    let mark = reading.marks.first();
    let pose = mark.map_or(String::new(), |mark| {
        let foiled = mark.foiled.map_or([0.0; 3], |foiled| foiled);
        format!(
            "{:.1} {} {:.3} {:.0} {:.0} {:.3} {:.0} {:.0} {:.0}",
            mark.rotation_deg,
            u8::from(mark.mirrored),
            mark.scale,
            mark.evidence[0],
            mark.evidence[1],
            mark.explained,
            foiled[0],
            foiled[1],
            foiled[2]
        )
    });
    let shown = reading.sensitivity.map_or(String::new(), |share| format!("{share:.2}"));
    format!(
        "{outcome},{},{},{:.6},{:.1},{:.1},{inside},{symbols},{seconds:.3},{},{pose},{surest},{exactly},{shown}",
        u8::from(right),
        u8::from(wrong),
        first.map_or(0.0, |best| best.posterior),
        reading.bits_carried,
        reading.bits_spare,
        scores.join(" ")
    )
}

fn posteriors(logs: &[f32], power: f64) -> Vec<f64> {
    let most = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logs.iter().map(|log| (power * f64::from(log - most)).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// Whether the smallest set of values with 95 % of the posterior holds the true one.
fn in_set(posteriors: &[f64], truth: usize) -> bool {
    let before: f64 = posteriors.iter().filter(|&&other| other > posteriors[truth]).sum();
    before < 0.95
}
