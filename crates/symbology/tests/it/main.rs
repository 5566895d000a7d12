//! What `symbology` promises, tested through its public face.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failing test is meant to say so")]

mod codes;
mod decoding;
mod geometry;
mod glyphs;
mod mother_code;
mod schemes;
mod sealing;
mod specification;
