//! Any small surface, alone and beside another: a reading, and probabilities that sum to one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reader::{Observation, Outcome, ReadOptions, fuse, observe_micrograph, observe_topography};
use symbology::{Mark, Scheme};
use topography::{Grid, Length, Micrograph, Pitch, Topography};

fuzz_target!(|bytes: &[u8]| {
    let [kind, width, pitch, case, samples @ ..] = bytes else { return };
    if samples.is_empty() {
        return;
    }
    let (width, height) = (16 + usize::from(width % 80), 16 + usize::from(kind >> 2));
    let pitch = Pitch::square(Length::um(2.0 + f64::from(*pitch)));
    let at = |x: usize, y: usize| f64::from(samples[(y * width + x) % samples.len()]);
    // 255 stands for a point that was not measured.
    let heights = Grid::from_fn(width, height, |x, y| if at(x, y) > 254.0 { f64::NAN } else { 0.1 * at(x, y) });
    let scheme = if kind & 1 == 0 { Scheme::open_1() } else { Scheme::plain_8() };
    let options = ReadOptions { marks: vec![Mark::Characters], ..ReadOptions::new(scheme) };
    let seen: Result<Observation, _> = if kind & 2 == 0 {
        observe_topography(&Topography { heights, pitch }, &options)
    } else {
        let intensity = heights.map(|&height| (height / 25.5) as f32);
        observe_micrograph(&Micrograph { intensity, pitch: Some(pitch) }, &options)
    };
    let Ok(seen) = seen else { return };
    let cases = [seen.clone().of_case(Some(0)), seen.of_case(Some(usize::from(case & 1)))];
    let reading = fuse(&cases, &options).expect("what was observed is fused");
    let listed: f64 = reading.candidates.iter().map(|candidate| candidate.posterior).sum();
    assert!((listed + reading.other - 1.0).abs() < 1e-6, "{listed} {}", reading.other);
    assert!(reading.outcome != Outcome::Accepted || reading.posterior.is_some_and(|p| p > 1.0 - reading.bound));
});
