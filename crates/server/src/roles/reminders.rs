//! When a person is reminded of what it must answer within 24 hours (18 U.S.C. 923(g)(7)).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// Hours after the question at which it is called to mind: half time, four hours before the end, and the end.
const HOURS: [i64; 3] = [12, 20, 24];

/// The last reminder of each thing that waits. After a restart the last one comes once more, and none is lost.
#[derive(Debug, Default)]
pub(super) struct Reminders {
    told: Mutex<HashMap<Uuid, i64>>,
}

impl Reminders {
    /// Reminders that have come due among what is open, with the hours since it began: of each the latest, and once.
    pub(super) fn due(
        &self,
        open: impl IntoIterator<Item = (Uuid, Timestamp)>,
        now: Timestamp,
    ) -> Vec<(Uuid, i64)> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut next, mut due) = (HashMap::new(), Vec::new());
        for (number, since) in open {
            let waited = now.duration_since(since);
            let passed = HOURS.into_iter().rev().find(|hours| waited >= SignedDuration::from_hours(*hours));
            let Some(hours) = passed else { continue };
            if told.get(&number).is_none_or(|before| *before < hours) {
                due.push((number, hours));
            }
            next.insert(number, hours);
        }
        // What is not open any more is forgotten.
        *told = next;
        due
    }
}

/// A page of what waits for somebody, by the questions' numbers: schema `microstamp.reminders/1`.
pub(super) fn waiting_page(mut all: Vec<(Uuid, Value)>, (after, most): (Option<Uuid>, usize)) -> Value {
    all.retain(|(id, _)| after.is_none_or(|after| *id > after));
    // A question that waits for a dealer and for an issuer stands there once, so that no page ends between the two.
    all.sort_by_key(|(id, _)| *id);
    all.dedup_by_key(|(id, _)| *id);
    let more = all.len() > most;
    all.truncate(most);
    let next = all.last().filter(|_| more).map(|(id, _)| *id);
    let waiting: Vec<Value> = all.into_iter().map(|(_, line)| line).collect();
    json!({"schema": "microstamp.reminders/1", "waiting": waiting, "more": more, "next": next})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_that_waits_stands_on_one_page() {
        let ids: Vec<Uuid> = (0..205_u128).map(|at| Uuid::from_u128(at * 7)).collect();
        let line = |id: &Uuid| (*id, json!({"question": id}));
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            // One of them waits twice, for a dealer and for an issuer.
            let all = ids.iter().rev().chain([&ids[99]]).map(line).collect();
            let page = waiting_page(all, (after, 100));
            seen.extend(page["waiting"].as_array().cloned().unwrap_or_default());
            assert_eq!(page["more"], !page["next"].is_null());
            after = page["next"].as_str().and_then(|id| id.parse().ok());
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<Value> = ids.iter().map(|id| line(id).1).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn each_reminder_comes_once_and_of_several_the_latest() {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let at = |hours: i64| start + SignedDuration::from_hours(hours);
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let open = [(one, start), (other, at(10))];
        let reminders = Reminders::default();
        let cases: [(i64, &[(Uuid, i64)]); 7] = [
            (11, &[]),
            (12, &[(one, 12)]),
            (13, &[]),
            (22, &[(one, 20), (other, 12)]),
            (24, &[(one, 24)]),
            (40, &[(other, 24)]),
            (400, &[]),
        ];
        for (hours, expected) in cases {
            assert_eq!(reminders.due(open, at(hours)), expected, "after {hours} hours");
        }
        assert_eq!(Reminders::default().due(open, at(25)), [(one, 24), (other, 12)], "after a restart");
        assert_eq!(reminders.due([], at(41)), []);
        assert_eq!(reminders.due([(other, at(10))], at(42)), [(other, 24)], "closed, and open again");
    }
}
