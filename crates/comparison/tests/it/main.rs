//! Tests of the comparison room.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail like tests, and skipping is said aloud"
)]

mod evidence;
mod faces;
mod firing_pins;
mod known_pairs;
mod machined;
mod machining;
mod otherwise;
mod pages;
mod published_rules;
mod published_scores;
mod refusals;
mod search;
