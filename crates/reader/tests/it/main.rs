//! The reader against simulated marks and against things that must not read.

mod apart;
mod corpora;
mod fonts;
mod fusing;
mod generator;
mod hidden;
mod hostile;
mod lights;
mod moderate;
mod nulls;
mod reads;
