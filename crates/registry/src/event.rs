//! What can happen to a firearm, as entries of a bound book, and the three views of that book.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use symbology::Code;

use crate::firearm::{Description, Licensee, Part};
use crate::names::{Country, PartyName, Person, Reason, Reference};
use crate::parts::SignedBy;
use crate::stated::Stated;

/// One thing that happened to one firearm.
///
/// The vocabulary follows the columns of 27 CFR 478.125(e), the theft report ATF F 3310.11 and the business steps of
/// GS1 CBV 2.0, so that an entry can be written as an EPCIS event and read back. There is no place for a purchaser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// Made, serial number assigned.
    Manufactured {
        /// Who made it.
        by: Licensee,
    },
    /// Brought into the country.
    Imported {
        /// Who imported it.
        by: Licensee,
    },
    /// Received into a licensee's inventory.
    Acquired {
        /// Who received it.
        holder: Licensee,
        /// From whom.
        source: Source,
    },
    /// Left a licensee's inventory.
    Disposed {
        /// Who let it go.
        holder: Licensee,
        /// To whom.
        to: Recipient,
    },
    /// Stolen or lost (ATF F 3310.11).
    Lost {
        /// The licensee from whose inventory it is missing; with [`Loss::reported_by`], who writes it down.
        holder: Licensee,
        /// What is known of the loss.
        loss: Loss,
    },
    /// Found again; it must be entered anew.
    Recovered {
        /// Who has it now; with `reported_by`, who writes it down.
        holder: Licensee,
        /// Incident number of the theft or loss that this ends.
        incident: Reference,
        /// The police that found it and gave it back, where no licensee took it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported_by: Option<PartyName>,
    },
    /// Destroyed.
    Destroyed {
        /// Who destroyed it.
        holder: Licensee,
        /// Why, and how that was witnessed.
        reason: Reason,
    },
    /// A marked part was fitted.
    PartFitted {
        /// Maker, dealer or gunsmith who fitted it.
        by: Licensee,
        /// Which part.
        part: Part,
        /// The code the part carries.
        code: Code,
    },
    /// A marked part was taken off.
    PartRemoved {
        /// Maker, dealer or gunsmith who removed it.
        by: Licensee,
        /// Which part.
        part: Part,
        /// The code the part carries.
        code: Code,
    },
    /// The firearm was in a multiple sale report (ATF F 3310.4).
    MultipleSale {
        /// Who reported it.
        holder: Licensee,
        /// Number of the report; the report itself stays where the law puts it.
        reference: Reference,
    },
}

/// Where a firearm came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// Another licensee.
    Licensee(Licensee),
    /// Brought back by its buyer, or bought from an unlicensed person; only the dealer's own reference is kept.
    Public(Reference),
}

/// Where a firearm went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Recipient {
    /// Another licensee.
    Licensee(Licensee),
    /// Sold at retail: the transaction number of the Form 4473 at the dealer, in place of the purchaser; for a box of
    /// ammunition, the number of the dealer's sale record.
    Form4473(Reference),
    /// A government body.
    Government(PartyName),
    /// Out of the country.
    Export {
        /// Country of destination.
        country: Country,
        /// Export permit or licence.
        permit: Reference,
    },
}

/// A theft or loss as reported on ATF F 3310.11.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// How it went missing.
    pub how: LossKind,
    /// The incident number given by the authority.
    pub incident: Reference,
    /// The local police report.
    pub police_report: Option<Reference>,
    /// The police that report it, where it is missing from nobody's inventory: the theft of a firearm from its buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_by: Option<PartyName>,
}

/// How a firearm went missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Burglary, robbery or larceny.
    Theft,
    /// Missing from inventory.
    Loss,
    /// Missing in transit; the sender reports it.
    InTransit,
}

impl LossKind {
    /// The word used in files and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Theft => "theft",
            Self::Loss => "loss",
            Self::InTransit => "in-transit",
        }
    }
}

impl std::str::FromStr for LossKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Theft, Self::Loss, Self::InTransit]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("loss `{text}` is not known\nhint: use theft, loss or in-transit"))
    }
}

/// Number of an entry: entries are numbered through, from 1, over the whole book.
pub type EntryNumber = u64;

/// One line of the book.
///
/// A correction is a new entry; the entry it corrects stays as it was written (ATF Ruling 2016-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number through the whole book.
    pub number: EntryNumber,
    /// What happened.
    pub event: Event,
    /// The day on which it happened.
    pub on: Date,
    /// When it was written down.
    pub recorded_at: Timestamp,
    /// Who wrote it down.
    pub recorded_by: Person,
    /// What the firearm was recorded as, where this entry says so.
    pub description: Option<Description>,
    /// Set when this entry corrects another.
    pub corrects: Option<Corrects>,
    /// Who signed it, where it is a change of marked parts. Books older than this rule have entries that nobody signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedBy>,
    /// Set where the licensee whose act it was stated it itself, see [`Books::state`](crate::Books::state).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<Stated>,
}

/// Which entry a correction replaces, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrects {
    /// The entry corrected.
    pub entry: EntryNumber,
    /// True when the corrected entry describes something that never happened.
    pub void: bool,
    /// Why the entry was wrong.
    pub reason: Reason,
}

/// The three views of a bound book that ATF Ruling 2016-1 demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Entries as first written, no corrections.
    Original,
    /// Entries as they stand now, corrected ones replaced and void ones left out.
    Corrected,
    /// Everything, in the order in which it was written.
    Both,
}

impl std::str::FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "original" => Ok(Self::Original),
            "corrected" => Ok(Self::Corrected),
            "both" => Ok(Self::Both),
            _ => Err(format!("view `{text}` is not known\nhint: use original, corrected or both")),
        }
    }
}

impl View {
    /// Picks the entries of one firearm that this view shows; order is kept.
    ///
    /// `entries` must hold every entry of the firearm in the order written. A correction stands where it was written,
    /// not where the corrected entry stood.
    pub fn of(self, entries: &[Entry]) -> Vec<&Entry> {
        let replaced: Vec<EntryNumber> =
            entries.iter().filter_map(|entry| entry.corrects.as_ref().map(|c| c.entry)).collect();
        let shown = |entry: &&Entry| match self {
            Self::Both => true,
            Self::Original => entry.corrects.is_none(),
            Self::Corrected => {
                !replaced.contains(&entry.number) && entry.corrects.as_ref().is_none_or(|c| !c.void)
            }
        };
        entries.iter().filter(shown).collect()
    }
}

impl Event {
    /// The word under which the event is stored and listed, such as `disposed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Manufactured { .. } => "manufactured",
            Self::Imported { .. } => "imported",
            Self::Acquired { .. } => "acquired",
            Self::Disposed { .. } => "disposed",
            Self::Lost { .. } => "lost",
            Self::Recovered { .. } => "recovered",
            Self::Destroyed { .. } => "destroyed",
            Self::PartFitted { .. } => "part-fitted",
            Self::PartRemoved { .. } => "part-removed",
            Self::MultipleSale { .. } => "multiple-sale",
        }
    }

    /// The licensee whose act it was.
    pub fn holder(&self) -> &Licensee {
        match self {
            Self::Manufactured { by }
            | Self::Imported { by }
            | Self::PartFitted { by, .. }
            | Self::PartRemoved { by, .. } => by,
            Self::Acquired { holder, .. }
            | Self::Disposed { holder, .. }
            | Self::Lost { holder, .. }
            | Self::Recovered { holder, .. }
            | Self::Destroyed { holder, .. }
            | Self::MultipleSale { holder, .. } => holder,
        }
    }
}
