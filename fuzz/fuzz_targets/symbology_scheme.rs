//! Any text is a scheme or an error, and a scheme can be laid out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use symbology::{Scheme, geometry};

fuzz_target!(|text: &str| {
    if let Ok(scheme) = Scheme::from_toml(text) {
        for mark in scheme.marks() {
            let layout = geometry::layout(&scheme, mark).expect("the scheme has the mark");
            assert!(layout.extent().is_finite());
        }
    }
});
