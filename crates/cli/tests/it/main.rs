//! The program as a shell sees it: exit codes, standard output, standard error.

#![allow(clippy::unwrap_used, reason = "a failed test should panic where it fails")]
#![allow(clippy::print_stderr, reason = "a test that finds no real scans says so")]

mod audit;
mod books;
mod compare;
mod database;
mod engrave;
mod faults;
mod federation;
mod help;
mod kill;
mod nodes;
mod outputs;
mod parts;
mod print;
mod read;
