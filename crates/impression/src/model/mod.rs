//! What is assumed about a firearm, its ammunition and one shot.

pub(crate) mod parameters;
pub(crate) mod presets;

mod ammunition;
mod conditions;
mod firearm;

pub use ammunition::Ammunition;
pub use conditions::Conditions;
pub use firearm::Firearm;
pub use parameters::{Parameter, ParameterError};
