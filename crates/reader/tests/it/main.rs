//! The reader against simulated marks and against things that must not read.

mod generator;
mod moderate;
mod nulls;
mod reads;
