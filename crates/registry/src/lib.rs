#![doc = include_str!("../README.md")]

mod agreement;
mod audit;
mod backup;
mod batch;
mod books;
mod certificate;
mod chain;
mod closing;
mod compare;
mod desk;
mod digest;
mod encode;
mod entries;
mod epcis;
mod erase;
mod error;
mod event;
mod export;
mod firearm;
mod folder;
mod import;
mod issue;
mod known;
mod lasting;
mod ledger;
mod moves;
mod moving;
pub mod names;
mod order;
pub mod parts;
mod placement;
mod print;
mod reference;
mod renewal;
mod rules;
mod said;
mod second_step;
mod stated;
mod store;
mod succession;
#[cfg(feature = "synthetic")]
mod synthetic;
mod trace;
mod wording;

pub use audit::Reconciliation;
pub use backup::{Restore, restore};
pub use books::{Block, Books, History};
pub use certificate::Certificate;
pub use chain::{
    Beyond, Chain, ChainEnd, Link, RetailSale, Role, TimeToCrime, chain, chain_on, time_to_crime,
};
pub use entries::{Correction, NewEntry};
pub use epcis::event_hashes;
pub use error::{BooksError, Refusal};
pub use event::{Corrects, Entry, EntryNumber, Event, Loss, LossKind, Recipient, Source, View};
pub use firearm::{Description, Firearm, FirearmKey, FirearmKind, Licensee, Part};
pub use folder::{Database, NewIssuer};
pub use import::{ImportOptions, Imported, Mapping, Rejected};
pub use issue::{IssueRun, Issued, serial_run};
pub use print::{BookLine, BookPrint, BookSide, PrintOptions};
pub use second_step::SecondStep;
pub use stated::{OwnWord, Says, Stated};
pub use succession::{HandedOver, SuccessionManifest, SuccessorIdentity, SuccessorKey, take_over};
pub use trace::{
    CERTAIN, CandidateCode, MAX_CANDIDATES, PartState, Priority, READ, TraceAnswer, TraceOutcome,
    TraceRequest, Traced,
};
