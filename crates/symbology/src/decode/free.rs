//! Words whose symbols are all free.

use super::best_first::BestFirst;
use super::evidence::Scores;
use super::search::Found;

/// As many symbols as a scheme can have.
const MOST: usize = 64;

/// The best words, with the exact weight of all others: the total is a product of sums.
pub(super) fn words(scores: &Scores, list: usize) -> Found {
    // Lists after the last symbol have one value of no weight.
    let lists = std::array::from_fn(|i| scores.logs.get(i).map_or(&[0.0][..], Vec::as_slice));
    let words: Vec<(f64, Vec<u8>)> = BestFirst::<MOST>::new(lists)
        .take(list)
        .map(|(weight, values)| (weight, values[..scores.logs.len()].to_vec()))
        .collect();
    let alphabet = scores.logs.first().map_or(1, Vec::len) as f64;
    let total: f64 = (0..scores.logs.len()).map(|i| scores.mean(i) + alphabet.ln()).sum();
    let listed: f64 = words.iter().map(|(weight, _)| (weight - total).exp()).sum();
    let scored = words.len();
    Found {
        words,
        unlisted: total + (1.0 - listed).max(0.0).ln(),
        exact: true,
        log_count: scores.logs.len() as f64 * alphabet.ln(),
        scored,
    }
}
