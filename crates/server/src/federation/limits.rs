//! Nobody can fish: how many answers other than one certain firearm an agency gets for a case.
//!
//! Such an answer says which codes were issued. An honest laboratory needs a few for a bad reading; whoever wants to find
//! codes by guessing needs thousands.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use registry::names::CaseNumber;

/// How many uncertain answers are given within 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FishingRules {
    /// For one case of one agency.
    pub per_case: usize,
    /// For one agency.
    pub per_agency: usize,
}

impl Default for FishingRules {
    fn default() -> Self {
        Self { per_case: 3, per_agency: 40 }
    }
}

/// Counts uncertain answers per agency and case.
#[derive(Debug, Default)]
pub(crate) struct FishingWatch {
    rules: FishingRules,
    given: Mutex<Given>,
}

/// Uncertain answers by agency, oldest first.
pub(crate) type Given = HashMap<String, VecDeque<(Timestamp, CaseNumber)>>;

impl FishingWatch {
    /// A watch under these rules that goes on from what was given before.
    pub(crate) fn with(rules: FishingRules, given: Given) -> Self {
        Self { rules, given: Mutex::new(given) }
    }

    /// What was given within the last 24 hours.
    pub(crate) fn held(&self, now: Timestamp) -> Given {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let yesterday = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        for answers in given.values_mut() {
            answers.retain(|(at, _)| *at >= yesterday);
        }
        given.retain(|_, answers| !answers.is_empty());
        given.clone()
    }

    /// Whether another uncertain answer may be given.
    ///
    /// # Errors
    /// The reason in words.
    pub(crate) fn permits(&self, agency: &str, case: &CaseNumber, now: Timestamp) -> Result<(), String> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answers) = given.get_mut(agency) else { return Ok(()) };
        let yesterday = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        while answers.front().is_some_and(|(at, _)| *at < yesterday) {
            answers.pop_front();
        }
        let of_case = answers.iter().filter(|(_, other)| other == case).count();
        if of_case >= self.rules.per_case {
            return Err(format!(
                "{of_case} answers of this kind were given for this case within 24 hours; bring a better reading"
            ));
        }
        if answers.len() >= self.rules.per_agency {
            return Err(format!(
                "{} answers of this kind were given to this agency within 24 hours",
                answers.len()
            ));
        }
        Ok(())
    }

    /// Counts an uncertain answer.
    pub(crate) fn count(&self, agency: &str, case: &CaseNumber, at: Timestamp) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.entry(agency.to_owned()).or_default().push_back((at, case.clone()));
    }
}
