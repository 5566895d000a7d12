//! Any text is a code or an error, and a code is read as it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use symbology::{Code, Prefix};

fuzz_target!(|text: &str| {
    if let Ok(code) = text.parse::<Code>() {
        assert_eq!(code.to_string().parse(), Ok(code));
    }
    let _ = text.parse::<Prefix>();
});
