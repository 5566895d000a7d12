//! How long a height map of a whole pin takes.

use criterion::{Criterion, criterion_group, criterion_main};
use marking::{Form, LayoutOptions, Relief, View, height_map, lay_out};
use symbology::{Mark, Scheme};
use topography::Length;

fn height_maps(criterion: &mut Criterion) {
    let tip = "hemispherical:1.7mm".parse().expect("a tip");
    let marks = [Mark::Characters, Mark::Gear];
    let pin = lay_out(&Scheme::open_1(), "K73MXP", &marks, &tip, &LayoutOptions::default()).expect("it fits");
    for pitch in [Length::um(1.0), Length::um(2.0)] {
        criterion.bench_function(&format!("height map of a pin at {pitch}"), |bencher| {
            bencher.iter(|| height_map(&pin, pitch, Relief::Raised, View::Tool, Form::With));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = height_maps
}
criterion_main!(benches);
