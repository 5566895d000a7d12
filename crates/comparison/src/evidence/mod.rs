//! From counts of congruent cells to likelihood ratios, and how good those are.
//!
//! A likelihood ratio says how many times more probable a result is if both cases come from one firearm than if they come
//! from two. It is learnt from comparisons of known origin and never claims more than their number supports.

mod calibration;
mod counts;
mod metrics;
mod model;
mod priors;
mod reference;
mod scores;

pub use calibration::{Calibration, Counted, LikelihoodRatio, Provenance, leave_sources_out, verbal};
pub use metrics::{Reliability, cllr, cllr_min, ece, reliability, tippett};
pub use model::ModelKind;
pub use priors::Priors;
pub use reference::Reference;
pub use scores::{Kde, Logistic, Pav};
