//! Codes that are given out one after the other tell nothing of their order.

use std::collections::BTreeSet;

use crate::place::{Place, run};

/// Sealed units of a run of 4,096, 20 bits each, in the order of issue.
async fn sealed_units() -> Vec<u32> {
    let place = Place::sqlite().await.unwrap();
    let unit = |symbols: &[symbology::Symbol]| {
        symbols[2..].iter().fold(0, |number, symbol| number << 5 | u32::from(symbol.value()))
    };
    place.issue(&run("AB0001", 4096)).await.iter().map(|one| unit(one.code.payload())).collect()
}

/// Each figure is a standard normal score; a fresh key exceeds 6 once in 5 × 10⁸ runs.
fn check(name: &str, score: f64) {
    assert!(score.abs() < 6.0, "{name}: {score}");
}

#[tokio::test]
async fn sealed_units_look_random() {
    let units = sealed_units().await;
    let count = units.len() as f64;
    let distinct: BTreeSet<u32> = units.iter().copied().collect();
    assert_eq!(distinct.len(), units.len(), "a code was issued twice");
    for bit in 0..20 {
        let values: Vec<bool> = units.iter().map(|unit| unit >> bit & 1 == 1).collect();
        // Monobit and runs tests (NIST SP 800-22, sections 2.1 and 2.3), for each bit over the run.
        let ones = values.iter().filter(|value| **value).count() as f64;
        check("ones", (2.0 * ones - count) / count.sqrt());
        let share = ones / count;
        let runs = 1.0 + values.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64;
        let expected = 2.0 * count * share * (1.0 - share);
        check("runs", (runs - expected) / (2.0 * count.sqrt() * share * (1.0 - share)));
    }
}

#[tokio::test]
async fn sealed_units_show_no_order() {
    let units = sealed_units().await;
    let count = units.len() as f64;
    let mean = f64::from((1 << 20) - 1) / 2.0;
    let deviation = f64::from(1 << 20) / 12_f64.sqrt();
    let scores: Vec<f64> = units.iter().map(|unit| (f64::from(*unit) - mean) / deviation).collect();
    // Correlation with the code 1, 2, 3 and 10 places on, and with the order of issue itself.
    for lag in [1, 2, 3, 10] {
        let sum: f64 = scores.iter().zip(&scores[lag..]).map(|(a, b)| a * b).sum();
        check("serial correlation", sum / (count - lag as f64).sqrt());
    }
    let place = |index: usize| (index as f64 - (count - 1.0) / 2.0) / (count / 12_f64.sqrt());
    let trend: f64 = scores.iter().enumerate().map(|(index, score)| score * place(index)).sum();
    check("trend", trend / count.sqrt());
    let rising = units.windows(2).filter(|pair| pair[0] < pair[1]).count() as f64;
    check("rising steps", (rising - (count - 1.0) / 2.0) / ((count + 1.0) / 12.0).sqrt());
    // Neighbours differ in half of their bits on average.
    let flips: f64 = units.windows(2).map(|pair| f64::from((pair[0] ^ pair[1]).count_ones())).sum();
    check("bits that differ", (flips - 10.0 * (count - 1.0)) / (5.0 * (count - 1.0)).sqrt());
}

#[tokio::test]
async fn another_issuer_seals_otherwise() {
    let [one, two] = [sealed_units().await, sealed_units().await];
    assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < 10, "two issuers share a key");
}
