//! Reads of all kinds, each drawn from its number.

use std::collections::HashSet;
use std::io::Write as _;

use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;
use reader::{ReadOptions, fuse};
use symbology::geometry::{self, Element};
use symbology::{Mark, Scheme};

use crate::generator::{View as Pose, random_word, seeded};
use crate::{Seen, line, processor_seconds};

const LEVELS: [&str; 5] = ["level-0", "level-1", "level-2", "level-3", "level-4"];

/// What is struck, and what is asked.
struct Question {
    generator: String,
    scheme: Scheme,
    marks: Vec<Mark>,
    /// Micrometres to a module.
    module: f64,
    elements: Vec<Element>,
    /// The word to be read, where there is one.
    word: Option<Vec<u8>>,
}

/// Reads that are not in the table yet.
pub(crate) fn read(arguments: &[String]) {
    let file = &arguments[0];
    let (count, first): (u64, u64) = (arguments[1].parse().unwrap(), arguments[2].parse().unwrap());
    let number = |line: &str| line.split(',').nth(3)?.parse().ok();
    let done: HashSet<u64> =
        std::fs::read_to_string(file).unwrap_or_default().lines().filter_map(number).collect();
    let mut table = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    for seed in (0..count).map(|k| first * 1_000_000 + k).filter(|seed| !done.contains(seed)) {
        table.write_all(one(seed).as_bytes()).unwrap();
    }
}

fn one(seed: u64) -> String {
    let mut rng = seeded(seed ^ 0x6d69_7865_6400_0000);
    let level = LEVELS[rng.random_range(0..LEVELS.len())];
    let instrument = match rng.random_range(0..100) {
        0..60 => "topography",
        60..94 => "oblique",
        94..97 => "ring",
        _ => "lights",
    };
    let question = Question::draw(&mut rng);
    let seen = if question.generator == "impression" {
        Seen::struck((instrument, level), question.word.as_deref(), &mut rng)
    } else {
        let view = question.view(&mut rng);
        Seen::of(&question.elements, (instrument, level), &view, &mut rng)
    };
    let generator = question.generator.clone();
    format!("{generator},{instrument},{level},{seed},{}\n", question.answered(&seen))
}

/// One question about a mark by itself, or about a bare surface, as the rest of its line.
pub(crate) fn of_kind(kind: &str, (instrument, level): (&str, &str), seed: u64) -> String {
    let mut rng = seeded(seed ^ 0x6b69_6e64_0000_0000);
    let question = Question::named(kind, &mut rng);
    if kind == "struck unmarked" {
        return question.answered(&Seen::struck((instrument, level), None, &mut rng));
    }
    let view = question.view(&mut rng);
    let seen = Seen::of(&question.elements, (instrument, level), &view, &mut rng);
    question.answered(&seen)
}

impl Question {
    fn answered(self, seen: &Seen) -> String {
        let Self { scheme, marks, word, .. } = self;
        let options = ReadOptions { marks, ..ReadOptions::new(scheme.clone()) };
        let start = processor_seconds();
        let reading = fuse(&seen.observed(&options), &options).unwrap();
        let seconds = processor_seconds() - start;
        line(&reading, (&scheme, word.as_deref()), seconds)
    }

    fn named(kind: &str, rng: &mut ChaCha8Rng) -> Self {
        use Mark::{Characters, Dots, Gear, Matrix, Radial};
        let open = Scheme::open_1;
        match kind {
            "gear" => Self::asked(kind, open(), &[Gear], rng),
            "characters" => Self::asked(kind, open(), &[Characters], rng),
            "dots" => Self::asked(kind, open(), &[Dots], rng),
            "radial" => Self::asked(kind, open(), &[Radial], rng),
            "matrix" => Self::asked(kind, open(), &[Matrix], rng),
            "round-1" => Self::asked(kind, Scheme::round_1(), &[Characters, Matrix], rng),
            "plain-8" => Self::asked(kind, Scheme::plain_8(), &[Characters], rng),
            "unmarked" | "struck unmarked" => Self::decoy(91, rng),
            "unmarked dots" => {
                Self { elements: Vec::new(), word: None, ..Self::asked(kind, open(), &[Dots], rng) }
            }
            "unmarked matrix" => {
                Self { elements: Vec::new(), word: None, ..Self::asked(kind, open(), &[Matrix], rng) }
            }
            other => panic!("nothing is called {other}"),
        }
    }

    fn draw(rng: &mut ChaCha8Rng) -> Self {
        use Mark::{Characters, Dots, Gear, Matrix, Radial};
        let open = Scheme::open_1;
        match rng.random_range(0..100) {
            0..30 => Self::asked("impression", open(), &[Characters, Gear], rng),
            30..64 => Self::asked("rough", open(), &[Characters, Gear], rng),
            64..69 => Self::asked("rough gear", open(), &[Gear], rng),
            69..73 => Self::asked("rough characters", open(), &[Characters], rng),
            73..78 => Self::asked("rough dots", open(), &[Dots], rng),
            78..81 => Self::asked("rough radial", open(), &[Radial], rng),
            81..84 => Self::asked("rough matrix", open(), &[Matrix], rng),
            84..87 => Self::asked("rough round-1", Scheme::round_1(), &[Characters, Matrix], rng),
            87..91 => Self::asked("rough plain-8", Scheme::plain_8(), &[Characters], rng),
            kind => Self::decoy(kind, rng),
        }
    }

    fn asked(name: &str, scheme: Scheme, marks: &[Mark], rng: &mut ChaCha8Rng) -> Self {
        let word = if scheme.name() == "plain-8" {
            (0..8).map(|_| rng.random_range(0..36)).collect()
        } else {
            random_word(rng)
        };
        let breech = marks.iter().all(|mark| matches!(mark, Mark::Dots | Mark::Radial));
        Self {
            generator: name.to_owned(),
            elements: marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect(),
            marks: marks.to_vec(),
            module: if breech { 60.0 } else { 19.0 },
            scheme,
            word: Some(word),
        }
    }

    /// What is no code of the scheme that is asked for.
    fn decoy(kind: u32, rng: &mut ChaCha8Rng) -> Self {
        let marks = [Mark::Characters, Mark::Gear];
        let (name, elements) = match kind {
            91..93 => ("unmarked", Vec::new()),
            93..95 => {
                let word: Vec<u8> = (0..8).map(|_| rng.random_range(0..36)).collect();
                ("plain-8 for open-1", geometry::draw(&Scheme::plain_8(), Mark::Characters, &word))
            }
            95..98 => {
                let word: Vec<u8> = (0..31).map(|_| rng.random_range(0..32)).collect();
                let drawn = marks.iter().flat_map(|&mark| geometry::draw(&Scheme::open_1(), mark, &word));
                ("no code", drawn.collect())
            }
            _ => {
                let words = [random_word(rng), random_word(rng)];
                let drawn = marks.iter().zip(&words);
                let drawn = drawn.flat_map(|(&mark, word)| geometry::draw(&Scheme::open_1(), mark, word));
                ("two codes", drawn.collect())
            }
        };
        let scheme = Scheme::open_1();
        Self { generator: name.to_owned(), elements, marks: marks.to_vec(), module: 19.0, scheme, word: None }
    }

    /// Any turn, either side, any size; a breech face has a small dent and a larger field.
    fn view(&self, rng: &mut ChaCha8Rng) -> Pose {
        let view = Pose::anyhow(rng);
        if self.module < 30.0 {
            return view;
        }
        Pose { pitch_um: 8.0, module_um: self.module, rim_um: 300.0, ..view }
    }
}
