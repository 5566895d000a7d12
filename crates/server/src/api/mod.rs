//! Wire types: what nodes send each other. They are not the domain's types; every border converts.

mod answer;
mod card;
mod names;
mod question;

pub use answer::{
    Answer, Evidence, FirearmAnswer, LinkAnswer, OutcomeName, Pending, SealedAnswer, chain_end,
};
pub use card::{AgencyCard, DealerCard, IssuerCard, NodeCard, PublicKey, WitnessCard};
pub use names::{NodeName, NodeNameError, WrittenCode};
pub use question::{
    AskedCode, AttachedReading, DealerDisposition, DealerStatement, EntryDraft, PendingQuery, Question,
    QuestionKind, Urgency,
};
