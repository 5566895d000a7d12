//! Any evidence is refused or decoded to probabilities that sum to one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use symbology::Scheme;
use symbology::decode::{DecodeOptions, SymbolEvidence, decode};

fuzz_target!(|bytes: &[u8]| {
    // One symbol of evidence: its index and 33 floats of four bytes.
    let evidence: Vec<SymbolEvidence> = bytes
        .chunks_exact(1 + 33 * 4)
        .map(|chunk| {
            let mut floats = chunk[1..]
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            let erased = floats.next().unwrap_or(0.0);
            SymbolEvidence { index: usize::from(chunk[0] & 31), log_likelihoods: floats.collect(), erased }
        })
        .collect();
    let options = DecodeOptions { effort: 2_000, ..DecodeOptions::default() };
    if let Ok(decoding) = decode(&Scheme::open_1(), &evidence, &options) {
        let listed: f64 = decoding.candidates.iter().map(|candidate| candidate.posterior).sum();
        assert!((listed + decoding.other - 1.0).abs() < 1e-6, "{listed} {}", decoding.other);
    }
});
