//! How long a whole scan takes: read, filter, resample. The surface is made up, of the size of a real raw scan.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use topography::filter::{self, Fit, Form, Gaussian, Order, Spikes};
use topography::{Angle, Grid, Length, Limits, Pitch, Topography, resample, x3p};

/// 1231 × 1231 points at 3.125 µm, waves on a bowl, the corners missing.
fn scan() -> Topography {
    let heights = Grid::from_fn(1231, 1231, |x, y| {
        let (dx, dy) = (x as f64 - 615.0, y as f64 - 615.0);
        let fine = (x as f64 * 0.37).sin() + (y as f64 * 0.23 + x as f64 * 0.11).cos();
        if dx.hypot(dy) > 560.0 { f64::NAN } else { fine + 2e-4 * (dx * dx + dy * dy) }
    });
    Topography { heights, pitch: Pitch::square(Length::um(3.125)) }
}

fn files(criterion: &mut Criterion) {
    let bytes = x3p::write(&x3p::X3p::new(scan())).expect("the scan is in order");
    criterion.bench_function("x3p/read float64 1231²", |bencher| {
        bencher.iter(|| x3p::read(black_box(&bytes), &Limits::default()));
    });
}

fn filters(criterion: &mut Criterion) {
    let scan = scan();
    for (cut_off, order, robust) in [
        (250.0, Order::Zero, false),
        (250.0, Order::Two, false),
        (250.0, Order::Two, true),
        (16.0, Order::Zero, false),
        (16.0, Order::Two, false),
        (16.0, Order::Two, true),
    ] {
        let filter = Gaussian { cut_off: Length::um(cut_off), order, robust };
        let kind = if robust { "robust" } else { "plain" };
        criterion.bench_function(&format!("filter/{cut_off} µm order {order:?} {kind} 1231²"), |bencher| {
            bencher.iter(|| filter::low_pass(black_box(&scan), &filter));
        });
    }
    criterion.bench_function("filter/robust plane 1231²", |bencher| {
        bencher.iter(|| filter::remove_form(black_box(&scan), Form::Plane, Fit::Robust));
    });
    criterion.bench_function("filter/spikes 1231²", |bencher| {
        bencher.iter(|| filter::remove_spikes(black_box(&scan), &Spikes::default()));
    });
}

fn resampling(criterion: &mut Criterion) {
    let scan = scan();
    criterion.bench_function("resample/3.125 to 6.25 µm 1231²", |bencher| {
        bencher.iter(|| resample::to_pitch(black_box(&scan), Pitch::square(Length::um(6.25))));
    });
    criterion.bench_function("resample/turn by 17° 1231²", |bencher| {
        bencher.iter(|| resample::rotate(black_box(&scan), Angle::degrees(17.0)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = files, filters, resampling
}
criterion_main!(benches);
