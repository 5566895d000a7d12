//! What the public is told of the answers, and what it is not.

use jiff::Timestamp;
use serde_json::{Value, json};
use server::api::OutcomeName;
use server::roles::Statistics;

use crate::world::{World, question};

fn table(cells: &[(&str, OutcomeName, bool, usize)], now: &str) -> Value {
    let mut statistics = Statistics::default();
    for (at, outcome, urgent, count) in cells {
        let at: Timestamp = at.parse().unwrap();
        (0..*count).for_each(|_| statistics.count(at, (*outcome, *urgent), 250));
    }
    statistics.to_json(now.parse().unwrap())["months"].clone()
}

#[test]
fn small_cells_are_told_neither_by_themselves_nor_by_a_total() {
    let (may, june, now) = ("2026-05-10T00:00:00Z", "2026-06-10T00:00:00Z", "2026-07-01T00:00:00Z");
    let months = table(
        &[
            (may, OutcomeName::Found, false, 30),
            (may, OutcomeName::NotIssued, false, 12),
            (june, OutcomeName::Found, false, 30),
            (june, OutcomeName::Found, true, 1),
            (june, OutcomeName::NotIssued, false, 1),
        ],
        now,
    );
    assert_eq!((&months[0]["month"], &months[0]["total"]), (&json!("2026-05"), &json!(40)));
    assert_eq!(
        months[0]["cells"][0],
        json!({"outcome": "found", "priority": "routine", "answers": 30, "mean_cost_us": 300})
    );
    assert_eq!(months[1]["total"], Value::Null, "32 - 30 would be 1 + 1");
    let small: Vec<_> =
        months[1]["cells"].as_array().unwrap().iter().filter(|cell| cell["answers"] == "<10").collect();
    assert_eq!(small.len(), 2);
    assert!(small.iter().all(|cell| cell["mean_cost_us"].is_null()));
}

#[test]
fn a_month_is_published_when_it_is_over() {
    let cells = [("2026-05-10T00:00:00Z", OutcomeName::Found, false, 30)];
    assert_eq!(table(&cells, "2026-05-31T23:59:59Z"), json!([]));
    assert_eq!(table(&cells, "2026-06-01T00:00:00Z")[0]["total"], 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_counts_are_for_the_nodes_own_people_alone() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap();
    let told = world.metrics("issuer").await;
    assert!(told.contains("microstamp_outcomes_total{outcome=\"found\"} 1"), "{told}");
    let issuer = world.node("issuer").config.url;
    let (status, text) = world.client.get(&format!("{issuer}/metrics")).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(status == 401 && !text.contains("_total"), "{status} {text}");
}
