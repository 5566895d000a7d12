//! How long a read takes, banks drawn once: height maps and photographs from the whole circle, a large one, something else.

#![allow(dead_code, clippy::unwrap_used, reason = "a benchmark that stops where it fails")]

#[path = "../tests/it/generator.rs"]
mod generator;

use criterion::{Criterion, criterion_group, criterion_main};
use generator::{Damage, View, four_lights, photograph, random_field, random_word, seeded, strike};
use reader::{ReadOptions, fuse, observe_lights, read_micrograph, read_topography};
use symbology::{Mark, Scheme, geometry};
use topography::{Grid, Length, Micrograph, Pitch, Topography};

fn struck(condition: &str, size: usize) -> Topography {
    let (scheme, mut rng) = (Scheme::open_1(), seeded(77));
    let word = random_word(&mut rng);
    let marks = [Mark::Characters, Mark::Gear];
    let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(&scheme, mark, &word)).collect();
    let view = View { size, pitch_um: 1024.0 / size as f64, ..View::anyhow(&mut rng) };
    strike(&elements, &Damage::named(condition), &view, &mut rng)
}

/// Twelve megapixels of stains without a mark or a scale.
fn something_else() -> Micrograph {
    let (mut rng, n) = (seeded(78), 1000);
    let stains = random_field(n, 9.0, 4.0, &mut rng);
    let intensity = Grid::from_fn(4000, 3000, |x, y| 0.5 + 0.1 * stains[y / 4 * n + x / 4]);
    Micrograph { intensity, pitch: None }
}

fn benchmarks(criterion: &mut Criterion) {
    let options = ReadOptions::new(Scheme::open_1());
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10);
    for condition in ["level-1", "level-3", "level-4"] {
        let surface = struck(condition, 512);
        let damage = Damage::named(condition);
        group.bench_function(format!("512 heights {condition}"), |bench| {
            bench.iter(|| read_topography(&surface, &options).unwrap());
        });
        let picture = photograph(&surface, &damage, false, &mut seeded(79));
        group.bench_function(format!("512 one lamp {condition}"), |bench| {
            bench.iter(|| read_micrograph(&picture, &options).unwrap());
        });
        let lights = four_lights(&surface, &damage, &mut seeded(80));
        let lights: Vec<&Micrograph> = lights.iter().collect();
        group.bench_function(format!("512 four lights {condition}"), |bench| {
            bench.iter(|| {
                let seen: Vec<_> =
                    observe_lights(&lights, &options).unwrap().into_iter().map(|(_, seen)| seen).collect();
                fuse(&seen, &options).unwrap()
            });
        });
    }
    let large = struck("level-2", 2048);
    group.bench_function("2048 heights level-2", |bench| {
        bench.iter(|| read_topography(&large, &options).unwrap());
    });
    let other = something_else();
    group.bench_function("12 megapixels of something else", |bench| {
        bench.iter(|| read_micrograph(&other, &options).unwrap());
    });
    let flat = Topography {
        heights: Grid::from_fn(512, 512, |x, y| ((x * 7 + y * 13) % 11) as f64 * 0.05),
        pitch: Pitch::square(Length::um(2.0)),
    };
    group.bench_function("512 heights of nothing", |bench| {
        bench.iter(|| read_topography(&flat, &options).unwrap());
    });
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
