//! The reader against simulated marks and against things that must not read.

mod fonts;
mod generator;
mod moderate;
mod nulls;
mod reads;
