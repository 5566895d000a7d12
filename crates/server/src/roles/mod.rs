//! What the nodes do.

mod agency;
mod dealer;
mod decision;
mod desk;
mod directory;
mod enrolment;
mod evidence;
mod filed;
mod held;
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
pub(crate) use desk::PAGE;
pub use directory::DirectoryKeeper;
pub use enrolment::{Card, EnrolError, EnrolRules, Enrolled, Enrolment, check_url, enrol};
pub use filed::{Draft, DraftKind, Filed, FiledState};
pub(crate) use held::DeskStep;
pub use holder::DirectoryHolder;
pub(crate) use holder::shows;
pub(crate) use issuer::fields_record;
pub use issuer::{Issuer, StartError};
pub use statistics::Statistics;
pub use witness::WitnessNode;
pub(crate) use witnessing::{Cosigned, Watched};
