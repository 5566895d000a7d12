//! How long a strike and a look at it take: the field of 1 mm at 2 µm, on one core.

use criterion::{Criterion, criterion_group, criterion_main};
use impression::instrument::{Confocal, Light, Sem, confocal, oblique, ring, sem};
use impression::{Ammunition, Conditions, Firearm, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

#[path = "../tests/it/tool.rs"]
mod tool;

fn strikes(criterion: &mut Criterion) {
    let tool = tool::pin();
    let (firearm, ammunition) = (Firearm::default(), Ammunition::default());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for preset in ["level-1", "level-3", "level-4"] {
        let shot = Conditions::preset(preset).expect("it is built in");
        criterion.bench_function(&format!("strike {preset}"), |b| {
            b.iter(|| strike(tool, &firearm, &ammunition, &shot, None, &mut rng).expect("it strikes"));
        });
    }
    let shot = Conditions::preset("level-3").expect("it is built in");
    let case = strike(tool, &firearm, &ammunition, &shot, None, &mut rng).expect("it strikes").surface;
    let (light, scope) = (Light::under(&shot), Confocal::under(&shot));
    criterion.bench_function("confocal", |b| b.iter(|| confocal(&case, &scope, &mut rng)));
    criterion.bench_function("oblique", |b| b.iter(|| oblique(&case, &light, &mut rng)));
    criterion.bench_function("ring", |b| b.iter(|| ring(&case, &light, &mut rng)));
    criterion.bench_function("sem", |b| b.iter(|| sem(&case, &Sem::under(&shot), &mut rng)));
}

criterion_group!(benches, strikes);
criterion_main!(benches);
