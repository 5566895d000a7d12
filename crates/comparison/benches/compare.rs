//! How long preparing and comparing take on made-up faces the size of real ones.

use comparison::{MarkKind, Preset, compare, prepare};
use criterion::{Criterion, criterion_group, criterion_main};
use topography::{Grid, Length, Pitch, Topography};

/// A ring of waves in many directions.
fn face(seed: f64) -> Topography {
    let height = |x: usize, y: usize| {
        let (u, v) = ((x as f64 - 280.0) * 6.25, (y as f64 - 280.0) * 6.25);
        if !(600.0..1700.0).contains(&u.hypot(v)) {
            return f64::NAN;
        }
        let wave = |k: usize| {
            let (turn, length) = (seed + 2.4 * k as f64, 60.0 + 5.0 * k as f64);
            ((u * turn.cos() + v * turn.sin()) * std::f64::consts::TAU / length + turn).sin()
        };
        (0..30).map(wave).sum::<f64>() * 0.2
    };
    Topography { heights: Grid::from_fn(560, 560, height), pitch: Pitch::square(Length::um(6.25)) }
}

fn benchmarks(criterion: &mut Criterion) {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let [one, other] = [face(0.3), face(1.7)];
    let [a, b] =
        [&one, &other].map(|scan| prepare(scan, &preset).expect("the made-up faces can be compared"));
    criterion.bench_function("prepare", |bench| bench.iter(|| prepare(&one, &preset)));
    criterion.bench_function("compare two sources, both directions", |bench| bench.iter(|| compare(&a, &b)));
    criterion.bench_function("compare one source, both directions", |bench| bench.iter(|| compare(&a, &a)));
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
