//! Policy files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transparency::Policy;

fuzz_target!(|text: &str| {
    let _ = text.parse::<Policy>();
});
