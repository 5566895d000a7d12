//! Any bytes as a picture, and as a height picture: an answer, quickly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use topography::picture::{self, HeightScale};
use topography::{Length, Limits};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { samples: 1 << 20, unpacked_bytes: 1 << 24, ..Limits::default() };
    if let Ok(picture) = picture::read(bytes, &limits) {
        assert!(picture.micrograph.intensity.samples().iter().all(|grey| (0.0..=1.0).contains(grey)));
    }
    let _ = picture::read_heights(bytes, &limits, &HeightScale { step: Length::um(1.0), pitch: None });
});
