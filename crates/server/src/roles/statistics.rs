//! What the public may know: counts of past months by outcome and priority, rounded. Small counts are not told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::OutcomeName;

/// Counts below this are printed as `<10`: with few cases a count may tell of one.
const SMALLEST: u64 = 10;
/// What is told is a multiple of this.
const STEP: u64 = 5;
/// Mean costs are told in steps of so many microseconds.
const COST_STEP: u64 = 100;

/// Counts of answers by month, outcome and priority.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct Statistics {
    counts: BTreeMap<(String, OutcomeName, bool), Cell>,
}

/// Answers, and microseconds that the node worked on them.
type Cell = (u64, u64);

/// Month, outcome, whether urgent; count and cost.
type Row = ((String, OutcomeName, bool), Cell);

impl From<Vec<Row>> for Statistics {
    fn from(rows: Vec<Row>) -> Self {
        Self { counts: rows.into_iter().collect() }
    }
}

impl From<Statistics> for Vec<Row> {
    fn from(statistics: Statistics) -> Self {
        statistics.counts.into_iter().collect()
    }
}

impl Statistics {
    /// Counts one answer and what it cost: microseconds from its arrival to its signed statement.
    pub fn count(&mut self, at: Timestamp, (outcome, urgent): (OutcomeName, bool), microseconds: u64) {
        let key = (month_of(at), outcome, urgent);
        let cell = self.counts.entry(key).or_default();
        *cell = (cell.0 + 1, cell.1 + microseconds);
    }

    /// The public table at `now`, schema `microstamp.statistics/1`. The month that runs is left out: who asks twice would see
    /// the answers between. A month's total is the sum of its rounded cells, and is withheld where one of them is: whatever is
    /// told, no count that is not told can be computed from it.
    pub fn to_json(&self, now: Timestamp) -> Value {
        let runs = month_of(now);
        let mut months: BTreeMap<&str, Vec<(&OutcomeName, bool, Cell)>> = BTreeMap::new();
        for ((month, outcome, urgent), cell) in &self.counts {
            if *month < runs {
                months.entry(month).or_default().push((outcome, *urgent, *cell));
            }
        }
        let month = |(month, cells): (&&str, &Vec<(&OutcomeName, bool, Cell)>)| {
            let counts: Option<Vec<u64>> = cells.iter().map(|(_, _, (count, _))| told(*count)).collect();
            json!({
                "month": month, "total": counts.map(|counts| counts.iter().sum::<u64>()),
                "cells": cells.iter().map(shown).collect::<Vec<_>>(),
            })
        };
        json!({
            "schema": "microstamp.statistics/1",
            "suppressed_below": SMALLEST, "rounded_to": STEP,
            "note": "Not all firearms used in crime are traced, not all traced firearms were used in crime, and traced firearms are no random sample.",
            "months": months.iter().map(month).collect::<Vec<_>>(),
        })
    }
}

/// A count as it is told; `None` for one that is not.
fn told(count: u64) -> Option<u64> {
    (count >= SMALLEST).then(|| (count + STEP / 2) / STEP * STEP)
}

fn month_of(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

/// A cell as the public sees it; the cost is the mean in microseconds of the node's work on one answer.
fn shown((outcome, urgent, (count, cost)): &(&OutcomeName, bool, Cell)) -> Value {
    let priority = if *urgent { "urgent" } else { "routine" };
    let cost = told(*count).map(|_| (cost / count + COST_STEP / 2) / COST_STEP * COST_STEP);
    json!({
        "outcome": outcome.as_str(), "priority": priority,
        "answers": told(*count).map_or_else(|| json!("<10"), |count| json!(count)), "mean_cost_us": cost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(counts: &[(&str, OutcomeName, u64)], now: &str) -> Value {
        let mut statistics = Statistics::default();
        for (day, outcome, count) in counts {
            for _ in 0..*count {
                statistics.count(day.parse().expect("a time"), (*outcome, false), 1_234);
            }
        }
        statistics.to_json(now.parse().expect("a time"))
    }

    #[test]
    fn the_month_that_runs_is_not_told() {
        let counts = [
            ("2026-10-31T23:59:59Z", OutcomeName::Found, 50),
            ("2026-11-01T00:00:00Z", OutcomeName::Found, 50),
        ];
        let table = table(&counts, "2026-11-30T23:59:59Z");
        let months = table["months"].as_array().expect("months");
        assert_eq!(months.len(), 1);
        assert_eq!(months[0]["month"], "2026-10");
    }

    #[test]
    fn whatever_is_told_no_small_count_can_be_computed() {
        let day = "2026-10-02T00:00:00Z";
        let of = |small: &[u64]| {
            let outcomes = [OutcomeName::NotIssued, OutcomeName::Ambiguous];
            let mut counts = vec![(day, OutcomeName::Found, 23)];
            counts.extend(outcomes.into_iter().zip(small).map(|(outcome, count)| (day, outcome, *count)));
            table(&counts, "2026-11-02T00:00:00Z")["months"][0].clone()
        };
        // Whatever the small ones are, the table is the same.
        let same = [of(&[1, 1]), of(&[9, 1]), of(&[4, 7])];
        assert!(same.iter().all(|one| *one == same[0]), "{same:?}");
        assert_eq!(same[0]["total"], Value::Null);
        assert_eq!(of(&[3])["total"], Value::Null);
        let large = of(&[11]);
        assert_eq!((&large["total"], &large["cells"][0]["answers"]), (&json!(35), &json!(25)));
        assert_eq!(large["cells"][0]["mean_cost_us"], 1_200);
    }
}
