//! The registry from outside. `behaviour` runs over every database that this machine has.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed test should panic and say so")]

mod behaviour;
mod codes;
mod epcis;
mod faults;
mod names;
mod outage;
mod place;
mod print;
mod resume;
mod succession;
mod table;
