//! Which answers an agency cannot bring to court by itself yet: the proofs that the issuer's log holds them are still with the issuer.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transparency::Hash;
use uuid::Uuid;

use crate::api::{Evidence, NodeName, SealedAnswer};
use crate::ledger::Stored;

/// Kinds of the records that end an answer's wait for its proofs, or tell of it.
pub(super) const PROOF: &str = "proof";
pub(super) const NO_PROOF: &str = "no-proof";

/// Answers after which they are kept for the next start.
const KEEP: usize = 2048;
/// Answers of which one record tells that they have no proofs.
const MOST_TOLD: usize = 128;

/// Answers whose proofs are not kept, by where they were had and under which directory.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Unproved {
    lots: Vec<Lot>,
    /// Questions that came to no end yet, by the places of their records.
    #[serde(default)]
    unended: BTreeMap<u64, Unended>,
    /// Under which directory questions were asked whose answers are read next.
    #[serde(skip)]
    asked: HashMap<u64, String>,
    /// Answers that were noted since it was kept last.
    #[serde(skip)]
    noted: usize,
}

/// A question that was sent, and of which the log holds neither an answer nor that none came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Unended {
    pub(super) issuer: NodeName,
    pub(super) question: Uuid,
    pub(super) since: Timestamp,
}

/// Answers of one log that one directory is to judge, by the places of their records in the agency's own log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lot {
    pub(super) source: Source,
    pub(super) waiting: BTreeMap<u64, Waiting>,
}

/// Whose log is to prove answers, and who judges its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) issuer: NodeName,
    /// Name of the log.
    pub(super) log: String,
    /// SHA-256 of the directory under which it was asked.
    pub(super) directory: String,
}

/// One answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) question: Uuid,
    pub(super) since: Timestamp,
    /// Places of question and answer in the issuer's log, as it said.
    pub(super) places: [u64; 2],
    /// Hashes of the leaves that must stand there.
    leaves: [[u8; 32]; 2],
    /// Whether the log holds that no proof came.
    pub(super) told: bool,
    /// How often it was looked for since the start.
    #[serde(skip)]
    tries: u32,
}

impl Lot {
    fn next(&mut self, size: u64, most: usize) -> Self {
        let mut order: Vec<(u32, u64)> =
            self.waiting.range(..size).map(|(place, one)| (one.tries, *place)).collect();
        if order.len() > most {
            order.select_nth_unstable(most);
            order.truncate(most);
        }
        let mut waiting = BTreeMap::new();
        for (_, place) in order {
            if let Some(one) = self.waiting.get_mut(&place) {
                one.tries = one.tries.saturating_add(1);
                waiting.insert(place, one.clone());
            }
        }
        Self { source: self.source.clone(), waiting }
    }
}

impl Waiting {
    /// `None` for evidence without good salts, which no answer that was taken has.
    pub(super) fn new(question: Uuid, evidence: &Evidence, since: Timestamp) -> Option<Self> {
        let entries = [&evidence.question, &evidence.answer];
        let [asked, answered] = entries.map(|entered| entered.leaf().map(|leaf| *leaf.as_bytes()));
        let places = entries.map(|entered| entered.index);
        Some(Self { question, since, places, leaves: [asked?, answered?], told: false, tries: 0 })
    }

    pub(super) fn leaves(&self) -> [Hash; 2] {
        self.leaves.map(Hash::from_bytes)
    }
}

impl Unended {
    fn of(stored: &Stored) -> Option<Self> {
        let issuer = stored.body["issuer"].as_str()?.parse().ok()?;
        let question = serde_json::from_value(stored.body["question"].clone()).ok()?;
        Some(Self { issuer, question, since: stored.at })
    }
}

impl Unproved {
    /// Notes an answer whose record stands at that place.
    pub(super) fn add(&mut self, source: Source, (place, waiting): (u64, Waiting)) {
        self.noted += 1;
        match self.lots.iter_mut().find(|lot| lot.source == source) {
            Some(lot) => lot.waiting.insert(place, waiting).map_or((), drop),
            None => self.lots.push(Lot { source, waiting: BTreeMap::from([(place, waiting)]) }),
        }
    }

    /// Lets a record hold that was read again.
    pub(super) fn apply(&mut self, stored: &Stored) {
        match stored.kind.as_str() {
            "question" => {
                let directory = stored.body["directory"].as_str().unwrap_or_default().to_owned();
                self.asked.insert(stored.entered.index, directory);
                if let Some(unended) = Unended::of(stored) {
                    self.asked((stored.entered.index, unended), stored.body["before"].as_u64());
                }
            }
            "answer" => {
                self.end_of(stored);
                self.answered(stored).unwrap_or_default();
            }
            "no-answer" => self.end_of(stored),
            PROOF => self.done(&answers(&stored.body)),
            NO_PROOF if stored.body["superseded"] == true => self.done(&answers(&stored.body)),
            NO_PROOF => self.told(&answers(&stored.body)),
            _ => {}
        }
    }

    /// Notes that a question was sent, perhaps in the place of an earlier sending.
    pub(super) fn asked(&mut self, (place, unended): (u64, Unended), before: Option<u64>) {
        before.and_then(|before| self.unended.remove(&before));
        self.unended.insert(place, unended);
    }

    /// A sending whose record stands at that place came to an end.
    pub(super) fn ended(&mut self, place: u64) {
        self.unended.remove(&place);
    }

    /// The same as a record says it; those of earlier programs name no place where no answer came.
    fn end_of(&mut self, stored: &Stored) {
        if let Some(place) = stored.body["entry"].as_u64() {
            return self.ended(place);
        }
        let said = |one: &Unended| {
            (stored.body["question"].as_str(), stored.body["issuer"].as_str())
                == (Some(&*one.question.to_string()), Some(one.issuer.as_str()))
        };
        self.unended.retain(|_, one| !said(one));
    }

    /// Questions that were sent between two times and came to no end, and whom they asked.
    pub(super) fn unended(
        &self,
        (from, before): (Timestamp, Timestamp),
        most: usize,
    ) -> Vec<(u64, (NodeName, Uuid))> {
        let late = self.unended.iter().filter(|(_, one)| from <= one.since && one.since < before);
        late.take(most).map(|(place, one)| (*place, (one.issuer.clone(), one.question))).collect()
    }

    fn answered(&mut self, stored: &Stored) -> Option<()> {
        let directory = self.asked.remove(&stored.body["entry"].as_u64()?)?;
        let opened: SealedAnswer = serde_json::from_value(stored.body["opened"].clone()).ok()?;
        let question = serde_json::from_value(stored.body["question"].clone()).ok()?;
        let waiting = Waiting::new(question, &opened.evidence, stored.at)?;
        let issuer = stored.body["issuer"].as_str()?.parse().ok()?;
        self.add(Source { issuer, log: opened.evidence.log, directory }, (stored.entered.index, waiting));
        Some(())
    }

    /// Whether enough was noted for the next start to be slow without it; then it begins to count anew.
    pub(super) fn is_worth_keeping(&mut self) -> bool {
        let enough = self.noted >= KEEP;
        if enough {
            self.noted = 0;
        }
        enough
    }

    /// Forgets what was asked and not answered in the records that were read.
    pub(super) fn caught_up(&mut self) {
        self.asked = HashMap::new();
    }

    /// These answers have their proofs, or need none any more.
    pub(super) fn done(&mut self, places: &[u64]) {
        for lot in &mut self.lots {
            for place in places {
                lot.waiting.remove(place);
            }
        }
        self.lots.retain(|lot| !lot.waiting.is_empty());
    }

    /// The log holds that these have no proofs.
    pub(super) fn told(&mut self, places: &[u64]) {
        for lot in &mut self.lots {
            for place in places {
                if let Some(waiting) = lot.waiting.get_mut(place) {
                    waiting.told = true;
                }
            }
        }
    }

    /// What waits, of each source at most so many that a checkpoint of the agency's own log covers: those that were looked for least
    /// often, so that none that cannot be proved stands before those that can.
    pub(super) fn next(&mut self, size: u64, most: usize) -> Vec<Lot> {
        let lots = self.lots.iter_mut().map(|lot| lot.next(size, most));
        lots.filter(|lot| !lot.waiting.is_empty()).collect()
    }

    /// Sources of answers that no checkpoint of that size covers.
    pub(super) fn beyond(&self, size: u64) -> Vec<Source> {
        let waits = |lot: &&Lot| lot.waiting.range(size..).next().is_some();
        self.lots.iter().filter(waits).map(|lot| lot.source.clone()).collect()
    }

    /// Of one source and of these places, those that wait since before a time and of which the log does not tell yet.
    pub(super) fn late(
        &self,
        source: &Source,
        before: Timestamp,
        of: impl Fn(u64) -> bool,
    ) -> Vec<(u64, Uuid)> {
        let lot = self.lots.iter().find(|lot| lot.source == *source);
        let waiting = lot.into_iter().flat_map(|lot| &lot.waiting);
        let late = waiting.filter(|(place, one)| one.since < before && !one.told && of(**place));
        late.take(MOST_TOLD).map(|(place, one)| (*place, one.question)).collect()
    }

    /// How many wait, and how many since before a time.
    pub(super) fn count(&self, before: Timestamp) -> (usize, usize) {
        let all = || self.lots.iter().flat_map(|lot| lot.waiting.values());
        (all().count(), all().filter(|one| one.since < before).count())
    }

    /// The questions whose answers wait since before a time, and since when.
    pub(super) fn overdue(&self, before: Timestamp) -> Vec<(Uuid, Timestamp)> {
        let all = self.lots.iter().flat_map(|lot| lot.waiting.values());
        all.filter(|one| one.since < before).map(|one| (one.question, one.since)).collect()
    }
}

/// The places that a record names.
fn answers(body: &Value) -> Vec<u64> {
    let answers = body["answers"].as_array().into_iter().flatten();
    answers.filter_map(|one| one["entry"].as_u64()).collect()
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Lot, Source, Timestamp, Unproved, Uuid, Waiting};

    fn noted(unproved: &mut Unproved, places: std::ops::Range<u64>) {
        let name = || "issuer.example".parse().unwrap();
        for place in places {
            let source =
                Source { issuer: name(), log: "issuer.example/log".to_owned(), directory: String::new() };
            let (question, since) = (Uuid::from_u128(u128::from(place)), Timestamp::UNIX_EPOCH);
            let (places, leaves) = ([place, place + 1], [[0; 32]; 2]);
            unproved.add(source, (place, Waiting { question, since, places, leaves, told: false, tries: 0 }));
        }
    }

    fn places(lots: &[Lot]) -> Vec<u64> {
        lots.iter().map(|lot| &lot.waiting).flat_map(BTreeMap::keys).copied().collect()
    }

    /// An issuer that names places which its log will never have must not keep an agency from the proofs of what it answers later.
    #[test]
    fn answers_that_nobody_can_prove_stand_before_no_others() {
        let mut unproved = Unproved::default();
        noted(&mut unproved, 0..300);
        let looked: Vec<Vec<u64>> = (0..3).map(|_| places(&unproved.next(u64::MAX, 128))).collect();
        let mut all: Vec<u64> = looked.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 300, "each was looked for");
        noted(&mut unproved, 300..301);
        assert!(places(&unproved.next(u64::MAX, 128)).contains(&300), "the new one at once");
        assert!(
            places(&unproved.next(100, 128)).iter().all(|place| *place < 100),
            "none that is not covered"
        );
    }
}
