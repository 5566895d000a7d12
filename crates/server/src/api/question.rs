//! What an agency asks: the fields of an eTrace request (ATF F 3312.1), the reading in place of the serial number.

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{
    CaseNumber, Country, CrimeCode, LicenceNumber, Ori, PartyName, Person, Reason, Reference,
};
use registry::{Description, Event, FirearmKey, Licensee, Loss, LossKind, NewEntry, Part, Recipient, Says};
use serde::{Deserialize, Serialize};
use symbology::Code;
use uuid::Uuid;

use super::names::WrittenCode;

/// A question, JSON schema `microstamp.question/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// `microstamp.question/1`.
    pub schema: String,
    /// Number of the question, UUID version 7; one number, one answer.
    pub id: Uuid,
    /// What is asked for.
    pub kind: QuestionKind,
    /// The agency that asks.
    pub ori: Ori,
    /// The agency's case.
    pub case_number: CaseNumber,
    /// What crime is investigated, as an NCIC code.
    pub crime_code: CrimeCode,
    /// How urgent it is.
    pub priority: Urgency,
    /// Why it is asked.
    pub reason: Reason,
    /// Who asks.
    pub requester: Person,
    /// Who approved it; another person than the requester.
    pub approver: Person,
    /// The reading: codes with their posteriors, at most 20.
    pub codes: Vec<AskedCode>,
    /// SHA-256 of the reading's file, 64 hexadecimal digits; without it `typed_by` says whose word the codes are.
    pub reading_sha256: Option<String>,
    /// Who read the mark by eye and typed the codes, where no file of a reading is behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<Person>,
    /// Day on which the case was recovered.
    pub recovered_on: Option<Date>,
    /// Which parts' marks were read, where that is known: the parts of a code can be in two firearms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// One code of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct AskedCode {
    /// The code.
    pub code: Code,
    /// Whether it was read off a round, where its check characters are others.
    pub on_round: bool,
    /// Its posterior probability, 0 to 1.
    pub posterior: f64,
}

/// The same in JSON: the code is spelled as it stands on the mark.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    code: WrittenCode,
    posterior: f64,
}

impl From<Written> for AskedCode {
    fn from(Written { code: WrittenCode { code, on_round }, posterior }: Written) -> Self {
        Self { code, on_round, posterior }
    }
}

impl From<AskedCode> for Written {
    fn from(AskedCode { code, on_round, posterior }: AskedCode) -> Self {
        Self { code: WrittenCode { code, on_round }, posterior }
    }
}

/// A reading that an examiner attaches to a question that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachedReading {
    /// Codes with their posteriors, at most 20; they take the place of those that were filed.
    pub codes: Vec<AskedCode>,
    /// SHA-256 of the reading's file, 64 hexadecimal digits.
    pub reading_sha256: String,
    /// Which parts' marks were read; those of the draft stay where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// An entry that a registrar records in the issuer's books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryDraft {
    /// Licence, model and serial number.
    pub firearm: FirearmKey,
    /// What happened.
    pub event: Event,
    /// The day on which it happened.
    pub on: Date,
    /// What the firearm is; with the entry that brings it into the books only.
    #[serde(default)]
    pub description: Option<Description>,
}

impl From<EntryDraft> for NewEntry {
    fn from(draft: EntryDraft) -> Self {
        Self { firearm: draft.firearm, event: draft.event, on: draft.on, description: draft.description }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum QuestionKind {
    /// The firearm and its chain, without the reference of a retail sale.
    Chain {},
    /// The Form 4473 reference of the sale that an answered question ended at.
    RetailReference {
        /// Number of that question.
        after: Uuid,
        /// Who approved this second step, and that it is another person than the requester.
        second_approver: Person,
    },
}

/// How urgent a question is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Urgency {
    /// In the order of arrival.
    Routine,
    /// At once, for a written reason.
    Urgent {
        /// The reason.
        justification: Reason,
    },
}

/// Asks what a dealer has to answer, schema `microstamp.pending-query/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingQuery {
    /// `microstamp.pending-query/1`.
    pub schema: String,
}

/// A dealer's own part of a chain, schema `microstamp.dealer-statement/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealerStatement {
    /// `microstamp.dealer-statement/1`.
    pub schema: String,
    /// Number of the question.
    pub question: Uuid,
    /// Who states it, as the dealer's house knows them.
    pub by: Person,
    /// What its book says.
    pub disposition: DealerDisposition,
}

/// What a dealer's book says of a firearm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DealerDisposition {
    /// Sold at retail.
    RetailSale {
        /// Day of sale.
        on: Date,
        /// Transaction number of the Form 4473, told to the agency only after a second approval.
        form_4473: Reference,
    },
    /// Passed on to another licensee.
    Transferred {
        /// Day.
        on: Date,
        /// Its name.
        to: PartyName,
        /// Its licence.
        licence: LicenceNumber,
    },
    /// Stolen or lost (ATF F 3310.11).
    Lost {
        /// Day on which that was found out.
        on: Date,
        /// Theft, loss, or loss in transit, which the sender reports.
        how: LossKind,
        /// Incident number of the authority.
        incident: Reference,
        /// The local police report.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        police_report: Option<Reference>,
    },
    /// Destroyed.
    Destroyed {
        /// Day.
        on: Date,
        /// Why, and how that was witnessed.
        reason: Reason,
    },
    /// Sold to a government body.
    Government {
        /// Day of the disposition.
        on: Date,
        /// Which body.
        agency: PartyName,
    },
    /// Sent out of the country.
    Exported {
        /// Day of the disposition.
        on: Date,
        /// Country of destination.
        country: Country,
        /// Export permit or licence.
        permit: Reference,
    },
    /// Still there.
    InStock {
        /// Day on which it was looked for.
        on: Date,
    },
    /// Not in the book.
    NoRecord {},
}

impl DealerDisposition {
    /// The same as the issuer's books take it.
    pub(crate) fn says(&self, dealer: &Licensee) -> Says {
        let holder = dealer.clone();
        let let_go = |to: Recipient| Event::Disposed { holder: dealer.clone(), to };
        let (event, on) = match self.clone() {
            Self::RetailSale { on, form_4473 } => (let_go(Recipient::Form4473(form_4473)), on),
            Self::Transferred { on, to, licence } => {
                (let_go(Recipient::Licensee(Licensee { licence, name: to })), on)
            }
            Self::Lost { on, how, incident, police_report } => {
                let loss = Loss { how, incident, police_report, reported_by: None };
                (Event::Lost { holder, loss }, on)
            }
            Self::Destroyed { on, reason } => (Event::Destroyed { holder, reason }, on),
            Self::Government { on, agency } => (let_go(Recipient::Government(agency)), on),
            Self::Exported { on, country, permit } => (let_go(Recipient::Export { country, permit }), on),
            Self::InStock { on } => return Says::InStock(on),
            Self::NoRecord {} => return Says::NoRecord,
        };
        Says::Happened(event, on)
    }
}

impl Question {
    /// The question whoever approved it, to be compared with another.
    pub(crate) fn but_for_approvers(&self) -> Self {
        let mut same = self.clone();
        same.approver = same.requester.clone();
        if let QuestionKind::RetailReference { second_approver, .. } = &mut same.kind {
            *second_approver = same.requester.clone();
        }
        same
    }

    /// The schema's name.
    pub const SCHEMA: &'static str = "microstamp.question/1";

    /// When whatever is due then was asked.
    pub(crate) fn asked_at(due: Timestamp) -> Timestamp {
        due - jiff::SignedDuration::from_hours(24)
    }

    /// Until when a person must have answered it: 24 hours (18 U.S.C. 923(g)(7)).
    pub fn due(asked_at: Timestamp) -> Timestamp {
        asked_at + jiff::SignedDuration::from_hours(24)
    }
}
