//! The reader against simulated marks and against things that must not read.

mod corpora;
mod fonts;
mod generator;
mod hostile;
mod moderate;
mod nulls;
mod reads;
