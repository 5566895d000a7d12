//! One binary for all integration tests of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::format_collect,
    reason = "tests may stop, and must say aloud what they could not test"
)]

mod filters;
mod forms;
mod handmade;
mod pictures;
mod real_scans;
mod renderings;
mod resampling;
mod x3p_refusals;
mod x3p_round_trip;
mod x3p_traps;
