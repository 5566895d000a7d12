//! The registry from outside. `behaviour` runs over every database that this machine has.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed test should panic and say so")]

mod ammunition;
mod behaviour;
mod check;
mod codes;
mod epcis;
mod faults;
mod losses;
mod names;
mod outage;
mod parts;
mod place;
mod print;
mod resume;
mod succession;
mod table;
mod versions;
