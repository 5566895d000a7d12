//! Tests of the federation: processes' worth of nodes in one process, on ports that the system gives.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod faults;
mod trace;
mod vectors;
mod world;
