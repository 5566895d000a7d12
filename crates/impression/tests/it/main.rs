//! What the simulator promises.

mod background;
mod documentation;
mod factors;
mod instruments;
mod levels;
mod mark;
mod models;
mod tips;
mod tool;
