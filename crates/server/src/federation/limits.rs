//! Nobody can fish: how many answers an agency gets for a case and in all.
//!
//! An uncertain answer says which codes were issued; a certain one tells of a firearm. An honest laboratory needs a few of the
//! first for a bad reading, and of the second as many as it has cases. Whoever guesses codes, or reads the book of an issuer
//! out code by code, needs thousands.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use registry::names::CaseNumber;
use serde::{Deserialize, Serialize};
use symbology::Code;

/// How much is told within 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FishingRules {
    /// Uncertain answers for one case of one agency.
    pub per_case: usize,
    /// Uncertain answers for one agency.
    pub per_agency: usize,
    /// Different firearms for one case of one agency.
    pub firearms_per_case: usize,
    /// Different firearms for one agency.
    pub firearms_per_agency: usize,
}

impl Default for FishingRules {
    fn default() -> Self {
        Self { per_case: 3, per_agency: 40, firearms_per_case: 20, firearms_per_agency: 500 }
    }
}

impl FishingRules {
    /// None: for measuring.
    pub const NONE: Self = Self {
        per_case: usize::MAX,
        per_agency: usize::MAX,
        firearms_per_case: usize::MAX,
        firearms_per_agency: usize::MAX,
    };
}

/// Counts answers per agency and case.
#[derive(Debug, Default)]
pub(crate) struct FishingWatch {
    rules: FishingRules,
    given: Mutex<Given>,
}

/// One answer: of a case, and of which firearm's code if it was certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) case: CaseNumber,
    pub(crate) code: Option<Code>,
}

/// Answers by agency, oldest first.
pub(crate) type Given = HashMap<String, VecDeque<Told>>;

impl FishingWatch {
    /// A watch under these rules that goes on from what was given before.
    pub(crate) fn with(rules: FishingRules, given: Given) -> Self {
        Self { rules, given: Mutex::new(given) }
    }

    /// What was given within the last 24 hours.
    pub(crate) fn held(&self, now: Timestamp) -> Given {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.values_mut().for_each(|answers| forget(answers, now));
        given.retain(|_, answers| !answers.is_empty());
        given.clone()
    }

    /// Counts an answer, if another may be given. The same firearm for the same case counts once.
    ///
    /// # Errors
    /// The reason in words; nothing is counted then.
    pub(crate) fn take(&self, agency: &str, told: Told) -> Result<(), String> {
        if self.rules == FishingRules::NONE {
            return Ok(());
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = given.entry(agency.to_owned()).or_default();
        forget(answers, told.at);
        let again =
            told.code.is_some() && answers.iter().any(|one| (one.code, &one.case) == (told.code, &told.case));
        if again {
            return Ok(());
        }
        let (per_case, per_agency, what) = match told.code {
            Some(_) => (self.rules.firearms_per_case, self.rules.firearms_per_agency, "firearms"),
            None => (self.rules.per_case, self.rules.per_agency, "uncertain answers"),
        };
        let alike = || answers.iter().filter(|one| one.code.is_some() == told.code.is_some());
        let (of_case, of_agency) = (alike().filter(|one| one.case == told.case).count(), alike().count());
        if of_case >= per_case {
            return Err(format!(
                "{of_case} {what} were told for this case within 24 hours; bring a better reading, or ask tomorrow"
            ));
        }
        if of_agency >= per_agency {
            return Err(format!("{of_agency} {what} were told to this agency within 24 hours; ask tomorrow"));
        }
        answers.push_back(told);
        Ok(())
    }

    /// Counts an answer of an earlier run.
    pub(crate) fn recall(&self, agency: &str, told: Told) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.entry(agency.to_owned()).or_default().push_back(told);
    }
}

fn forget(answers: &mut VecDeque<Told>, now: Timestamp) {
    let yesterday = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    answers.retain(|one| one.at >= yesterday);
}
