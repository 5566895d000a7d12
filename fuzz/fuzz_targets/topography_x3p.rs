//! Any bytes as a scan: an answer, quickly, and what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use topography::{Limits, x3p};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { samples: 1 << 20, unpacked_bytes: 1 << 24, ..Limits::default() };
    if let Ok(scan) = x3p::read(bytes, &limits) {
        let again = x3p::write(&scan).and_then(|bytes| x3p::read(&bytes, &Limits::default()));
        let again = again.expect("what was read can be written and read");
        // Absurd increments may carry heights beyond what 32 bits hold; none may appear from nowhere.
        assert!(again.topography.valid_points() <= scan.topography.valid_points());
    }
});
