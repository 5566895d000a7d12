//! Nobody can fish: how many answers an agency gets for a case and in all.
//!
//! An uncertain answer says which codes were issued; a certain one tells of a firearm. An honest laboratory needs a few of the
//! first for a bad reading, and of the second as many as it has cases. Whoever guesses codes, or reads the book of an issuer
//! out code by code, needs thousands. One reading is of one firearm: its hash, which an auditor can ask the file for, tells of
//! no second. Codes that were typed by hand need no file, so there are fewer of them.

use std::collections::{HashMap, HashSet, VecDeque};
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
    /// Of these for one case by codes that were typed by hand.
    pub typed_per_case: usize,
    /// Of these for one agency by codes that were typed by hand.
    pub typed_per_agency: usize,
}

impl Default for FishingRules {
    fn default() -> Self {
        Self {
            per_case: 3,
            per_agency: 40,
            firearms_per_case: 20,
            firearms_per_agency: 500,
            typed_per_case: 5,
            typed_per_agency: 50,
        }
    }
}

impl FishingRules {
    /// None: for measuring.
    pub const NONE: Self = Self {
        per_case: usize::MAX,
        per_agency: usize::MAX,
        firearms_per_case: usize::MAX,
        firearms_per_agency: usize::MAX,
        typed_per_case: usize::MAX,
        typed_per_agency: usize::MAX,
    };
}

/// How often as many answers as there may be new ones can be had where firearms are asked for again that were told before.
const AGAIN: usize = 4;
/// One wording for every limit: which of them it was would tell whether a code was issued.
const ENOUGH: &str = "enough was told within 24 hours for this case, this reading or this agency; bring a better reading, \
                      or ask tomorrow";

impl FishingRules {
    /// Whether a question may be answered after these, whatever the books say of it: every budget that some answer would draw on has room.
    fn allow(&self, answers: &VecDeque<Told>, asks: &Asks) -> bool {
        self.allow_uncertain(answers, asks)
            && asks.firearms.iter().all(|code| self.allow_firearm(answers, asks, *code))
    }

    fn allow_uncertain(&self, answers: &VecDeque<Told>, asks: &Asks) -> bool {
        let uncertain = || answers.iter().filter(|one| !one.refused && one.code.is_none());
        uncertain().filter(|one| one.case == asks.case).count() < self.per_case
            && uncertain().count() < self.per_agency
    }

    fn allow_firearm(&self, answers: &VecDeque<Told>, asks: &Asks, code: Code) -> bool {
        let answers = || answers.iter().filter(|one| !one.refused);
        let same_case = |one: &Told| one.case == asks.case;
        let other = |one: &Told| one.reading == asks.reading && one.code.is_some_and(|other| other != code);
        if asks.reading.is_some() && answers().any(other) {
            return false;
        }
        if answers().any(|one| one.code == Some(code) && same_case(one)) {
            return true;
        }
        let codes = |of: &dyn Fn(&Told) -> bool| {
            let codes = answers().filter(|one| of(one)).filter_map(|one| one.code);
            codes.collect::<HashSet<_>>().len()
        };
        let typed = |one: &Told| one.reading.is_none();
        codes(&same_case) < self.firearms_per_case
            && codes(&|_| true) < self.firearms_per_agency
            && (asks.reading.is_some()
                || codes(&|one| typed(one) && same_case(one)) < self.typed_per_case
                    && codes(&typed) < self.typed_per_agency)
    }
}

/// What a question asks, as far as limits go: all of it stands in the question, and nothing is of the books.
#[derive(Debug, Clone)]
pub(crate) struct Asks {
    /// When.
    pub(crate) at: Timestamp,
    pub(crate) case: CaseNumber,
    /// Hash of the reading, unless the codes were typed by hand.
    pub(crate) reading: Option<String>,
    /// Codes of which a firearm could be told, were they issued.
    pub(crate) firearms: Vec<Code>,
    /// The code that alone can be meant.
    pub(crate) certain: Option<Code>,
}

impl Asks {
    /// An answer to it, that tells of this firearm or of none.
    pub(crate) fn told(&self, code: Option<Code>) -> Told {
        let Self { at, case, reading, .. } = self.clone();
        Told { at, case, code, reading, refused: false }
    }
}

/// Counts answers per agency and case.
#[derive(Debug, Default)]
pub(crate) struct FishingWatch {
    rules: FishingRules,
    given: Mutex<Given>,
}

/// One answer: of a case, of which firearm's code if it was certain, and of which reading, if the code was not typed by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) case: CaseNumber,
    pub(crate) code: Option<Code>,
    pub(crate) reading: Option<String>,
    /// Whether nothing was told in the end. It counts as a question all the same: who guesses learns by refusals, too.
    #[serde(default)]
    pub(crate) refused: bool,
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

    /// Whether the books may be asked at all: every answer that they could lead to may be given, and there were not more questions
    /// than there may be answers, refused ones among them. So no refusal follows from what the books say. A firearm that was told for a
    /// case can be asked for again.
    ///
    /// # Errors
    /// The reason in words.
    pub(crate) fn may_ask(&self, agency: &str, asks: &Asks) -> Result<(), String> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answers) = given.get_mut(agency) else { return Ok(()) };
        forget(answers, asks.at);
        let FishingRules { per_case, per_agency, firearms_per_case, firearms_per_agency, .. } = self.rules;
        let most = per_agency.saturating_add(firearms_per_agency);
        let known = |code| is_told(answers, asks, code) && self.rules.allow_firearm(answers, asks, code);
        // Each with a reading of its own would make the list longer for ever.
        if asks.certain.is_some_and(known) && answers.len() < most.saturating_mul(AGAIN) {
            return Ok(());
        }
        let of_case = answers.iter().filter(|one| one.case == asks.case).count();
        if self.rules.allow(answers, asks)
            && of_case < per_case.saturating_add(firearms_per_case)
            && answers.len() < most
        {
            return Ok(());
        }
        Err(ENOUGH.to_owned())
    }

    /// Counts an answer, if another may be given: questions that are asked at the same moment do not get more together. The same
    /// firearm for the same case counts once, and no reading tells of two.
    ///
    /// # Errors
    /// The reason in words; it is counted as refused then, and marked so.
    pub(crate) fn take(&self, agency: &str, asks: &Asks, told: &mut Told) -> Result<(), String> {
        if self.rules == FishingRules::NONE {
            return Ok(());
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = given.entry(agency.to_owned()).or_default();
        forget(answers, told.at);
        let firearm = told.code.is_none_or(|code| self.rules.allow_firearm(answers, asks, code));
        let again = told.code.is_some_and(|code| is_told(answers, asks, code));
        told.refused = !(firearm && (again || self.rules.allow(answers, asks)));
        count(answers, told.clone());
        if told.refused { Err(ENOUGH.to_owned()) } else { Ok(()) }
    }

    /// Counts an answer of an earlier run, as it was counted then.
    pub(crate) fn recall(&self, agency: &str, told: Told) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        count(given.entry(agency.to_owned()).or_default(), told);
    }
}

/// Whether a firearm was told for this case.
fn is_told(answers: &VecDeque<Told>, asks: &Asks, code: Code) -> bool {
    answers.iter().any(|one| !one.refused && one.code == Some(code) && one.case == asks.case)
}

/// Counts an answer; the same firearm, told again for the same case and reading, counts no more.
fn count(answers: &mut VecDeque<Told>, told: Told) {
    let same = |one: &Told| {
        let one = (&one.case, one.code, &one.reading, one.refused);
        told.code.is_some() && one == (&told.case, told.code, &told.reading, false)
    };
    if told.refused || !answers.iter().any(same) {
        answers.push_back(told);
    }
}

fn forget(answers: &mut VecDeque<Told>, now: Timestamp) {
    let yesterday = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    answers.retain(|one| one.at >= yesterday);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(case: &str, code: &str, reading: Option<&str>) -> Asks {
        let code: Code = code.parse().expect("a code");
        Asks {
            at: "2026-11-23T12:00:00Z".parse().expect("a time"),
            case: case.parse().expect("a case"),
            reading: reading.map(str::to_owned),
            firearms: vec![code],
            certain: Some(code),
        }
    }

    #[test]
    fn what_is_taken_back_from_the_records_counts_as_it_did() {
        let (before, after) = (FishingWatch::default(), FishingWatch::default());
        let first = asks("26-0001", CODES[0], Some("ab"));
        for _ in 0..600 {
            let mut told = first.told(first.certain);
            before.take("police", &first, &mut told).expect("the same firearm for the same case");
            after.recall("police", told);
        }
        assert_eq!(before.held(first.at), after.held(first.at));
        let other = asks("26-0002", CODES[1], Some("cd"));
        after.may_ask("police", &other).expect("an honest agency goes on");
    }

    /// Otherwise one agency could let the list, its file and the cost of every answer grow without end.
    #[test]
    fn repetitions_grow_no_list() {
        let watch = FishingWatch::default();
        let answer = |asks: &Asks| {
            watch.may_ask("police", asks)?;
            watch.take("police", asks, &mut asks.told(asks.certain))
        };
        answer(&asks("26-0001", CODES[0], Some("ab"))).expect("the first");
        answer(&asks("26-0001", CODES[1], Some("cd"))).expect("another");
        let length = || watch.held(asks("26-0001", CODES[0], None).at)["police"].len();
        for _ in 0..100 {
            answer(&asks("26-0001", CODES[0], Some("cd"))).expect_err("a reading of another firearm");
        }
        assert_eq!(length(), 2);
        for reading in 0..10_000 {
            let _ = answer(&asks("26-0001", CODES[0], Some(&reading.to_string())));
        }
        assert_eq!(length(), 4 * 540);
    }

    /// What the books would say is not asked for: with either budget used up a code that was issued and one that was not end alike.
    #[test]
    fn whether_the_books_are_asked_depends_on_no_answer_of_theirs() {
        let one = |of: usize, at: usize| FishingRules {
            per_case: of,
            firearms_per_case: at,
            ..FishingRules::default()
        };
        for (rules, first) in [(one(1, 2), None), (one(2, 1), Some(CODES[0]))] {
            let watch = FishingWatch::with(rules, Given::default());
            let told = asks("26-0001", CODES[0], Some("ab"));
            let mut answer = told.told(first.map(|code| code.parse().expect("a code")));
            watch.take("police", &told, &mut answer).expect("the first");
            let next = asks("26-0001", CODES[1], Some("cd"));
            assert_eq!(watch.may_ask("police", &next), Err(ENOUGH.to_owned()), "{rules:?}");
            for mut answer in [next.told(next.certain), next.told(None)] {
                let taken = watch.take("police", &next, &mut answer);
                assert_eq!(taken, Err(ENOUGH.to_owned()), "nor at the same moment: {rules:?}");
            }
            let elsewhere = asks("26-0002", CODES[1], Some("cd"));
            watch.may_ask("police", &elsewhere).expect("another case has its own");
        }
        // A reading that leaves no code likely enough draws on uncertain answers alone.
        let watch = FishingWatch::with(one(2, 1), Given::default());
        let told = asks("26-0001", CODES[0], Some("ab"));
        watch.take("police", &told, &mut told.told(told.certain)).expect("a firearm");
        let vague = Asks { firearms: Vec::new(), certain: None, ..asks("26-0001", CODES[1], Some("cd")) };
        watch.may_ask("police", &vague).expect("no firearm can be told of it");
    }

    const CODES: [&str; 2] = ["K70000", "K70001"];
}
