//! How long decoding, sealing and encoding take.
//!
//! `cargo bench -p symbology`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use symbology::decode::{DecodeOptions, SymbolEvidence, decode};
use symbology::{Code, Scheme, SealingKey, Symbol, UnitNumber};

/// Evidence on the first `count` symbols from `from` on: Gaussian scores with the given strength, some symbols lost.
fn evidence(
    places: std::ops::Range<usize>,
    strength: f64,
    loss: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<SymbolEvidence> {
    let code = Code::new(std::array::from_fn(|_| Symbol::new(rng.random_range(0..32)).unwrap_or_default()));
    let word = code.symbols();
    let mut see = |index: usize| {
        let lost = rng.random_bool(loss);
        let log_likelihoods = (0..32)
            .map(|value| {
                let noise = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                let signal = if value == word[index].value() && !lost { strength } else { 0.0 };
                (strength * (noise + signal) - strength * strength / 2.0) as f32
            })
            .collect();
        SymbolEvidence { index, log_likelihoods, erased: 0.0 }
    };
    places.map(&mut see).collect()
}

fn decoding(c: &mut Criterion) {
    let scheme = Scheme::open_1();
    for (name, places, strength, loss) in [
        ("characters, good", 0..8, 5.0, 0.0),
        ("characters, poor", 0..8, 3.0, 0.1),
        ("pin, good", 0..16, 5.0, 0.0),
        ("pin, moderate", 0..16, 3.5, 0.1),
        ("pin, poor", 0..16, 2.5, 0.2),
        ("all, good", 0..31, 5.0, 0.0),
        ("all, moderate", 0..31, 3.5, 0.2),
        ("all, poor", 0..31, 2.2, 0.3),
        ("all, flat", 0..31, 0.0, 0.0),
    ] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let reads: Vec<Vec<SymbolEvidence>> =
            (0..50).map(|_| evidence(places.clone(), strength, loss, &mut rng)).collect();
        let options = DecodeOptions { erasure: f64::max(loss, 0.001), ..DecodeOptions::default() };
        let mut next = reads.iter().cycle();
        c.bench_function(&format!("decode {name}"), |b| {
            b.iter(|| decode(&scheme, black_box(next.next().map_or(&[], Vec::as_slice)), &options));
        });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let free: Vec<SymbolEvidence> = evidence(0..8, 3.0, 0.1, &mut rng)
        .into_iter()
        .map(|mut one| {
            one.log_likelihoods.extend([-5.0; 4]);
            one
        })
        .collect();
    let plain = Scheme::plain_8();
    c.bench_function("decode plain-8", |b| {
        b.iter(|| decode(&plain, black_box(&free), &DecodeOptions::default()));
    });
}

fn codes(c: &mut Criterion) {
    let key = SealingKey::new(&[7; 32], "open-1");
    let prefix = Code::new([Symbol::default(); 6]).prefix();
    let mut number = 0;
    c.bench_function("seal one unit", |b| {
        b.iter(|| {
            number = (number + 1) % UnitNumber::COUNT;
            UnitNumber::new(number).map(|unit| key.seal(prefix, unit))
        });
    });
    let code = Code::new([Symbol::default(); 6]);
    c.bench_function("all 31 symbols", |b| b.iter(|| black_box(code).symbols()));
    c.bench_function("write and read a code", |b| b.iter(|| black_box(code).to_string().parse::<Code>()));
}

criterion_group!(benches, decoding, codes);
criterion_main!(benches);
