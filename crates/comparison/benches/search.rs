//! How long the stages of a search and the making of faces take.

use comparison::search::{self, Features, Firearm, Model, Origin, Query, Stages, Store};
use comparison::{MarkKind, Preset, prepare};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use topography::Length;

fn benchmarks(criterion: &mut Criterion) {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let model = Model::draw(&mut rng);
    let firearm = Firearm::draw(&model, &mut rng);
    criterion.bench_function("draw a firearm", |bench| {
        bench.iter(|| Firearm::draw(&model, &mut ChaCha8Rng::seed_from_u64(2)));
    });
    criterion.bench_function("fire a case, 25 um", |bench| {
        bench.iter(|| firearm.fire(Length::um(25.0), &mut ChaCha8Rng::seed_from_u64(3)));
    });
    criterion.bench_function("fire a case and take its features", |bench| {
        bench.iter(|| firearm.features(&mut ChaCha8Rng::seed_from_u64(3)));
    });
    let scan =
        prepare(&firearm.fire(Length::um(12.5), &mut rng), &preset).expect("made-up faces can be compared");
    criterion.bench_function("features of a prepared scan", |bench| {
        bench.iter(|| Features::of(&scan, Origin::Simulated));
    });
    criterion.bench_function("make a query ready", |bench| bench.iter(|| Query::new(&scan)));
    let mut file = search::header(&preset);
    (0..1000).for_each(|_| {
        file.extend(Firearm::draw(&model, &mut rng).features(&mut rng).bytes());
    });
    let (query, store) =
        (Query::new(&scan).expect("it has relief"), Store::open(&file).expect("it was just made"));
    for (what, registered, compared) in [
        ("1000 codes", 0, 0),
        ("1000 codes, 100 registered", 100, 0),
        ("1000 codes, 10 registered and compared", 10, 10),
    ] {
        criterion.bench_function(what, |bench| {
            bench.iter_batched(
                || Stages { registered, compared },
                |stages| search::search(&query, &store, &|_| true, stages),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
