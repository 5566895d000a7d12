//! What an issuer answers: a signed statement, and what a proof of both log entries needs, sealed together.

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{CaseNumber, LicenceNumber, PartyName, Person, Reference};
use registry::{
    Chain, ChainEnd, FirearmKey, FirearmKind, PartState, RetailSale, Role, TimeToCrime, TraceOutcome, Traced,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use symbology::Code;
use uuid::Uuid;

use super::names::NodeName;
use super::question::Question;
use crate::ledger::Entered;

/// An answer, JSON schema `microstamp.answer/1`: the text of the issuer's signed statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `microstamp.answer/1`.
    pub schema: String,
    /// Number of the question.
    pub question: Uuid,
    /// SHA-256 of the question's content as it was sent, hexadecimal.
    pub question_sha256: String,
    /// The agency's case.
    pub case_number: CaseNumber,
    /// The node that answers.
    pub issuer: NodeName,
    /// When.
    pub answered_at: Timestamp,
    /// How it ends.
    pub outcome: OutcomeName,
    /// The firearm, with `found` and `chain-ends`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firearm: Option<FirearmAnswer>,
    /// Codes that were issued, with `ambiguous`; nothing more is told of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issued: Vec<Code>,
    /// Codes of this issuer's blocks that were never issued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_issued: Vec<Code>,
    /// Codes of other issuers' blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Code>,
    /// The node that answers in this one's place, with `delegated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<NodeName>,
    /// The issuer that closed and in whose place this one answers, by its signed delegation in the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_by: Option<NodeName>,
    /// What a person must still answer, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Who typed the codes by hand, where the question names no reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<Person>,
    /// The same in sentences, with what must be said beside it.
    pub statement: Vec<String>,
}

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeName {
    /// One firearm; its chain reaches a retail sale.
    Found,
    /// One firearm; its chain ends before a retail sale.
    ChainEnds,
    /// The code was issued for a part that was in no firearm.
    PartNotFitted,
    /// More than one code can be meant; only which of them are issued is told.
    Ambiguous,
    /// None of the codes was ever issued.
    NotIssued,
    /// The codes belong to other issuers.
    NotOurs,
    /// The agency, the persons or the case do not permit the question.
    NotAuthorised,
    /// The books cannot be read now; ask again.
    CannotSayNow,
    /// Another node answers in this one's place.
    Delegated,
}

/// A firearm and its chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirearmAnswer {
    /// The code.
    pub code: Code,
    /// The code as it stands on the rounds of a box, where its check characters are others than on a firearm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rounds: Option<String>,
    /// Its posterior in the reading, nine decimals.
    pub posterior: String,
    /// Its share after codes that were never issued are struck out, nine decimals.
    pub posterior_given_issued: String,
    /// Licence, model and serial number.
    pub licence: LicenceNumber,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Pistol, revolver, …
    pub kind: String,
    /// Calibre.
    pub calibre: String,
    /// Manufacturer.
    pub manufacturer: PartyName,
    /// Importer.
    pub importer: Option<PartyName>,
    /// Country of manufacture.
    pub country: String,
    /// The marked parts and whether they were in this firearm.
    pub parts: Vec<PartState>,
    /// Licensees in the order of possession.
    pub chain: Vec<LinkAnswer>,
    /// How the chain ends: on the day of recovery, or now where none was given.
    pub end: Value,
    /// The first sale at retail up to there; with its reference only where its buyer lost the firearm and a second approval lets it be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sale: Option<SaleAnswer>,
    /// From which day on the books have the firearm go on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Date>,
    /// Days from the first retail sale to the recovery, where that may be told.
    pub time_to_crime_days: Option<i64>,
    /// Why not, if not.
    pub time_to_crime: String,
    /// True when there is a Form 4473 reference that a second approval would disclose.
    pub reference_withheld: bool,
}

/// A sale at retail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleAnswer {
    /// The dealer.
    pub dealer: PartyName,
    /// Its licence.
    pub licence: LicenceNumber,
    /// Day of sale.
    pub on: Date,
    /// The Form 4473 reference, where the chain does not end at this sale and the reference was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_4473: Option<Reference>,
}

/// One licensee's possession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAnswer {
    /// What the licensee was to this firearm.
    pub role: Role,
    /// Name.
    pub name: PartyName,
    /// Licence.
    pub licence: LicenceNumber,
    /// Since when.
    pub from: Option<Date>,
    /// Until when.
    pub until: Option<Date>,
}

/// What a person must still answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Licence of the dealer whose part of the chain is missing.
    pub licence: LicenceNumber,
    /// Until when it must be answered.
    pub due: Timestamp,
    /// Whether the dealer has a key in the directory and can answer by itself.
    pub can_answer: bool,
}

/// What is sealed to the agency, JSON schema `microstamp.sealed-answer/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedAnswer {
    /// `microstamp.sealed-answer/1`.
    pub schema: String,
    /// The answer as a signed note by the issuer's statement key.
    pub statement: String,
    /// Where question and answer stand in the issuer's log.
    pub evidence: Evidence,
}

/// What proofs of both entries need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Name of the issuer's log.
    pub log: String,
    /// The question's entry.
    pub question: Entered,
    /// The answer's entry.
    pub answer: Entered,
}

impl SealedAnswer {
    /// The schema's name.
    pub const SCHEMA: &'static str = "microstamp.sealed-answer/1";
}

impl OutcomeName {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Found,
        Self::ChainEnds,
        Self::PartNotFitted,
        Self::Ambiguous,
        Self::NotIssued,
        Self::NotOurs,
        Self::NotAuthorised,
        Self::CannotSayNow,
        Self::Delegated,
    ];

    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::ChainEnds => "chain-ends",
            Self::PartNotFitted => "part-not-fitted",
            Self::Ambiguous => "ambiguous",
            Self::NotIssued => "not-issued",
            Self::NotOurs => "not-ours",
            Self::NotAuthorised => "not-authorised",
            Self::CannotSayNow => "cannot-say-now",
            Self::Delegated => "delegated",
        }
    }
}

impl Answer {
    /// The schema's name.
    pub const SCHEMA: &'static str = "microstamp.answer/1";

    /// An answer to a question that says nothing yet.
    pub(crate) fn blank(
        question: &Question,
        question_sha256: String,
        (issuer, now): (&NodeName, Timestamp),
    ) -> Self {
        Self {
            schema: Self::SCHEMA.to_owned(),
            question: question.id,
            question_sha256,
            case_number: question.case_number.clone(),
            issuer: issuer.clone(),
            answered_at: now,
            outcome: OutcomeName::CannotSayNow,
            firearm: None,
            issued: Vec::new(),
            not_issued: Vec::new(),
            elsewhere: Vec::new(),
            delegated_to: None,
            delegated_by: None,
            pending: None,
            typed_by: question.typed_by.clone(),
            statement: vec!["the books cannot be read now; ask again".to_owned()],
        }
    }

    /// Takes over what the books found.
    pub(crate) fn take(&mut self, outcome: &TraceOutcome, statement: Vec<String>) {
        self.statement = statement;
        if let Some(by) = &self.typed_by {
            self.statement
                .push(format!("the code was typed by hand by {by}; no file of a reading is behind it"));
        }
        match outcome {
            TraceOutcome::Found(traced) => self.take_firearm(OutcomeName::Found, traced),
            TraceOutcome::ChainEnds(traced) => self.take_firearm(OutcomeName::ChainEnds, traced),
            TraceOutcome::PartNotFitted { .. } => self.outcome = OutcomeName::PartNotFitted,
            TraceOutcome::InSeveralFirearms { code, .. } => {
                (self.outcome, self.issued) = (OutcomeName::Ambiguous, vec![*code]);
            }
            TraceOutcome::Ambiguous { issued, elsewhere } => {
                self.outcome = OutcomeName::Ambiguous;
                (self.issued, self.elsewhere) = (issued.clone(), elsewhere.clone());
            }
            TraceOutcome::NotIssued { codes } => {
                self.outcome = OutcomeName::NotIssued;
                self.not_issued.clone_from(codes);
            }
            TraceOutcome::NotOurs { elsewhere, not_issued } => {
                self.outcome = OutcomeName::NotOurs;
                (self.elsewhere, self.not_issued) = (elsewhere.clone(), not_issued.clone());
            }
        }
    }

    fn take_firearm(&mut self, outcome: OutcomeName, traced: &Traced) {
        self.not_issued.clone_from(&traced.not_issued);
        self.outcome = outcome;
        let firearm = FirearmAnswer::of(traced);
        let lost = firearm.first_sale.as_ref().and_then(|sale| Some((sale, sale.form_4473.as_ref()?)));
        if let Some((sale, reference)) = lost {
            let SaleAnswer { dealer, licence, on, .. } = sale;
            self.statement.push(format!(
                "it was sold by {dealer}, licence {licence}: Form 4473 transaction {reference} of {on}"
            ));
        }
        self.firearm = Some(firearm);
    }
}

impl FirearmAnswer {
    fn of(traced: &Traced) -> Self {
        let (key, description) = (&traced.firearm.key, &traced.firearm.description);
        let ends_there = matches!(traced.chain.end, ChainEnd::RetailSale(_));
        let (days, note) = match &traced.time_to_crime {
            TimeToCrime::Days(days) => (Some(*days), "known"),
            TimeToCrime::SuppressedByLoss(_) => (None, "suppressed-by-loss"),
            TimeToCrime::BeforeSale => (None, "before-sale"),
            TimeToCrime::NotWithABuyer => (None, "not-with-a-buyer"),
            TimeToCrime::Unknown => (None, "unknown"),
        };
        let link = |link: &registry::Link| LinkAnswer {
            role: link.role,
            name: link.licensee.name.clone(),
            licence: link.licensee.licence.clone(),
            from: link.from,
            until: link.until,
        };
        Self {
            code: traced.code,
            on_rounds: Some(traced.marked_code()).filter(|_| description.kind == FirearmKind::Ammunition),
            posterior: format!("{:.9}", traced.posterior),
            posterior_given_issued: format!("{:.9}", traced.posterior_given_issued),
            licence: key.licence.clone(),
            model: key.model.to_string(),
            serial: key.serial.to_string(),
            kind: description.kind.as_str().to_owned(),
            calibre: description.calibre.to_string(),
            manufacturer: description.manufacturer.clone(),
            importer: description.importer.clone(),
            country: description.country.to_string(),
            parts: traced.parts.clone(),
            chain: traced.chain.links.iter().map(link).collect(),
            end: end_of(&traced.chain),
            first_sale: traced.chain.first_sale.as_ref().map(|sale| SaleAnswer {
                dealer: sale.dealer.name.clone(),
                licence: sale.dealer.licence.clone(),
                on: sale.on,
                form_4473: sale.form_4473.clone().filter(|_| !ends_there),
            }),
            later: traced.chain.beyond.later,
            time_to_crime_days: days,
            time_to_crime: note.to_owned(),
            reference_withheld: traced.reference_withheld,
        }
    }

    /// The firearm's key in the books that told of it.
    pub(crate) fn key(&self) -> Option<FirearmKey> {
        let (model, serial) = (self.model.parse().ok()?, self.serial.parse().ok()?);
        Some(FirearmKey { licence: self.licence.clone(), model, serial })
    }

    /// Whether this answer's chain ends at the same sale as another, or both at none; a sale that the dealer states at whom this one
    /// ends is what it waited for.
    pub(crate) fn names_sale(&self, chain: &Chain) -> bool {
        let waited_for = |sale: &RetailSale| {
            self.end["end"] == "with-licensee" && self.end["licence"] == sale.dealer.licence.as_str()
        };
        match (&chain.end, &chain.first_sale) {
            (ChainEnd::RetailSale(sale), _) => {
                let same = self.end["end"] == "retail-sale" && self.end["on"] == json!(sale.on);
                waited_for(sale) || same && self.end["licence"] == sale.dealer.licence.as_str()
            }
            // The buyer lost it since: the reference is that of the sale to this buyer.
            (_, Some(sale)) if sale.form_4473.is_some() => {
                let told = self.first_sale.as_ref();
                let same =
                    told.is_some_and(|told| (&told.licence, told.on) == (&sale.dealer.licence, sale.on));
                self.end["end"] != "retail-sale" && (same || waited_for(sale))
            }
            _ => self.end["end"] != "retail-sale",
        }
    }

    /// The Form 4473 reference, if it was disclosed.
    pub fn form_4473(&self) -> Option<Reference> {
        let at_the_end = self.end.get("form_4473").and_then(|reference| reference.as_str()?.parse().ok());
        at_the_end.or_else(|| self.first_sale.as_ref()?.form_4473.clone())
    }
}

/// How a chain ends, and whether the books have that from a dealer that was asked.
fn end_of(chain: &Chain) -> Value {
    let mut end = chain_end(&chain.end);
    if chain.stated_by.is_some() {
        end["stated_by"] = json!("dealer");
    }
    end
}

/// How a chain ends, as JSON: `end` and what belongs to it.
pub fn chain_end(end: &ChainEnd) -> Value {
    match end {
        ChainEnd::RetailSale(RetailSale { dealer, on, form_4473 }) => json!({
            "end": "retail-sale", "dealer": dealer.name, "licence": dealer.licence, "on": on,
            "form_4473": form_4473,
        }),
        ChainEnd::Lost { holder, on, loss } => json!({
            "end": loss.how, "holder": holder.name, "on": on, "incident": loss.incident,
            "police_report": loss.police_report, "reported_by": loss.reported_by,
        }),
        ChainEnd::Government { agency, on } => json!({"end": "government", "agency": agency, "on": on}),
        ChainEnd::Export { country, permit, on } => {
            json!({"end": "export", "country": country, "permit": permit, "on": on})
        }
        ChainEnd::Destroyed { on, reason } => json!({"end": "destroyed", "on": on, "reason": reason}),
        ChainEnd::OutOfBusiness { holder, closed_on, records_at } => json!({
            "end": "out-of-business", "holder": holder.name, "licence": holder.licence,
            "closed_on": closed_on, "records_at": records_at,
        }),
        ChainEnd::WithLicensee { holder, since } => json!({
            "end": "with-licensee", "holder": holder.name, "licence": holder.licence, "since": since,
        }),
    }
}
