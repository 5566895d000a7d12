//! The registry from outside. `behaviour` runs over every database that this machine has.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed test should panic and say so")]

mod ammunition;
mod at_recovery;
mod behaviour;
mod check;
mod clocks;
mod codes;
mod columns;
mod epcis;
mod epcis_documents;
mod faults;
mod look_ups;
mod losses;
mod moves;
mod moving;
mod names;
mod outage;
mod parts;
mod place;
mod placement;
mod print;
mod renewal;
mod resume;
mod second_step;
mod stated;
mod succession;
mod table;
mod undone;
mod untrue;
mod versions;
mod weighed;
