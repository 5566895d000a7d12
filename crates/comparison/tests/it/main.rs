//! Tests of the comparison room.

mod evidence;
mod faces;
mod known_pairs;
mod refusals;
