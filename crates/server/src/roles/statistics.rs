//! What the public may know: counts by month, outcome and priority. Small counts are not told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::OutcomeName;

/// Counts below this are printed as `<10`: with few cases a count may tell of one.
const SMALLEST: u64 = 10;

/// Counts of answers by month, outcome and priority.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    counts: BTreeMap<(String, OutcomeName, bool), u64>,
}

impl Statistics {
    /// Counts one answer.
    pub fn count(&mut self, at: Timestamp, outcome: OutcomeName, urgent: bool) {
        *self.counts.entry((at.strftime("%Y-%m").to_string(), outcome, urgent)).or_default() += 1;
    }

    /// The public table, schema `microstamp.statistics/1`. A month's total is given only when no single small cell can
    /// be computed from it.
    pub fn to_json(&self) -> Value {
        let mut months: BTreeMap<&str, Vec<(&OutcomeName, bool, u64)>> = BTreeMap::new();
        for ((month, outcome, urgent), count) in &self.counts {
            months.entry(month).or_default().push((outcome, *urgent, *count));
        }
        let month = |(month, cells): (&&str, &Vec<(&OutcomeName, bool, u64)>)| {
            let small = cells.iter().filter(|(_, _, count)| *count < SMALLEST).count();
            let cell = |(outcome, urgent, count): &(&OutcomeName, bool, u64)| {
                let shown = if *count < SMALLEST { json!("<10") } else { json!(count) };
                let priority = if *urgent { "urgent" } else { "routine" };
                json!({"outcome": outcome.as_str(), "priority": priority, "answers": shown})
            };
            let total: u64 = cells.iter().map(|(_, _, count)| count).sum();
            json!({
                "month": month,
                "total": if small == 1 || total < SMALLEST { Value::Null } else { json!(total) },
                "cells": cells.iter().map(cell).collect::<Vec<_>>(),
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
