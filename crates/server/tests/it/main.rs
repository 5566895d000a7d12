//! Tests of the federation: processes' worth of nodes in one process, on ports that the system gives.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod access;
mod authenticator;
mod court;
mod delegation;
mod desk;
mod directory;
mod door;
mod enrolment;
mod erasure;
mod evasion;
mod exchange;
mod faults;
mod forged;
mod guessing;
mod hostile;
mod kill;
mod ledger;
mod limits;
mod outage;
mod people;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::print_stderr,
    reason = "the books' tests need more of it"
)]
#[path = "../../../registry/tests/it/place.rs"]
mod place;
mod proofs;
mod registrar;
mod relay;
mod renewal;
mod rollback;
mod schemathesis;
mod stated;
mod statistics;
mod tls;
mod trace;
mod vectors;
mod witnesses;
mod world;
