//! What the nodes do.

mod agency;
mod dealer;
mod decision;
mod desk;
mod directory;
mod enrolment;
mod evidence;
mod filed;
mod holder;
mod houses;
mod issuer;
mod memory;
mod pending;
mod registrar;
mod reminders;
mod statement;
mod statistics;
mod witness;
mod witnessing;

pub(crate) use agency::read_statement;
pub use agency::{Agency, AskError, Asked, answer_json};
pub use dealer::Dealer;
pub use desk::Desk;
pub(crate) use desk::{DeskStep, PAGE};
pub use directory::DirectoryKeeper;
pub use enrolment::{Card, EnrolError, EnrolRules, Enrolled, Enrolment, check_url, enrol};
pub use filed::{Draft, DraftKind, Filed, FiledState};
pub use holder::DirectoryHolder;
pub use issuer::{Issuer, StartError};
pub use statistics::Statistics;
pub use witness::WitnessNode;
pub(crate) use witnessing::{Cosigned, Watched};
