//! When a person is reminded of what it must answer within 24 hours (18 U.S.C. 923(g)(7)).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
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

#[cfg(test)]
mod tests {
    use super::*;

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
