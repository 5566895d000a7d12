//! One integration binary; each module is one promise of the crate.

#![allow(clippy::unwrap_used, reason = "a failed test should panic where it fails")]
#![allow(clippy::print_stderr, reason = "absent public vectors are said aloud")]

mod audit;
mod bundle;
mod canonical;
mod crash;
mod ending;
mod independent;
mod merkle;
mod notes;
mod vectors;
mod witness;
