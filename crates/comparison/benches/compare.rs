//! How long preparing and comparing take on made-up faces the size of real ones.

mod faces;

use comparison::{MarkKind, Preset, compare, prepare};
use criterion::{Criterion, criterion_group, criterion_main};

fn benchmarks(criterion: &mut Criterion) {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let [one, other] = [0.3, 1.7].map(faces::face);
    let [a, b] =
        [&one, &other].map(|scan| prepare(scan, &preset).expect("the made-up faces can be compared"));
    criterion.bench_function("prepare", |bench| bench.iter(|| prepare(&one, &preset)));
    criterion.bench_function("compare two sources, both directions", |bench| bench.iter(|| compare(&a, &b)));
    criterion.bench_function("compare one source, both directions", |bench| bench.iter(|| compare(&a, &a)));
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
