//! What the public may know: counts by month, outcome and priority. Small counts are not told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::OutcomeName;

/// Counts below this are printed as `<10`: with few cases a count may tell of one.
const SMALLEST: u64 = 10;

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
        let key = (at.strftime("%Y-%m").to_string(), outcome, urgent);
        let cell = self.counts.entry(key).or_default();
        *cell = (cell.0 + 1, cell.1 + microseconds);
    }

    /// The public table, schema `microstamp.statistics/1`. A month's total is given only when none of its cells is small:
    /// two small cells of which the sum is known may be known too. A month is published when it is over: whoever looked at a
    /// running one again and again would see each answer as it is given.
    pub fn to_json(&self, now: Timestamp) -> Value {
        let running = now.strftime("%Y-%m").to_string();
        let mut months: BTreeMap<&str, Vec<(&OutcomeName, bool, Cell)>> = BTreeMap::new();
        for ((month, outcome, urgent), cell) in self.counts.iter().filter(|((month, ..), _)| *month < running)
        {
            months.entry(month).or_default().push((outcome, *urgent, *cell));
        }
        let month = |(month, cells): (&&str, &Vec<(&OutcomeName, bool, Cell)>)| {
            let small = cells.iter().any(|(_, _, (count, _))| *count < SMALLEST);
            let total: u64 = cells.iter().map(|(_, _, (count, _))| count).sum();
            json!({
                "month": month,
                "total": if small { Value::Null } else { json!(total) },
                "cells": cells.iter().map(shown).collect::<Vec<_>>(),
            })
        };
        json!({
            "schema": "microstamp.statistics/1",
            "suppressed_below": SMALLEST,
            "note": "Not all firearms used in crime are traced, not all traced firearms were used in crime, and traced firearms are no random sample.",
            "months": months.iter().map(month).collect::<Vec<_>>(),
        })
    }
}

/// A cell as the public sees it; the cost is the mean in microseconds of the node's work on one answer.
fn shown((outcome, urgent, (count, cost)): &(&OutcomeName, bool, Cell)) -> Value {
    let priority = if *urgent { "urgent" } else { "routine" };
    let small = *count < SMALLEST;
    json!({
        "outcome": outcome.as_str(), "priority": priority,
        "answers": if small { json!("<10") } else { json!(count) },
        "mean_cost_us": if small { Value::Null } else { json!(cost / count) },
    })
}
