//! What the simulator promises.

mod mark;
mod tool;
