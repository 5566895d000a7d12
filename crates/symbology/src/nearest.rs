//! The valid codes near to eight characters whose checks disagree.

use crate::mother::{self, DIMENSION};
use crate::{Code, Symbol};

/// How many codes are named at most.
const NAMED: usize = 5;

/// Pairs that are most often mistaken for one another in print, by hand and in relief.
const CONFUSED: [&str; 16] =
    ["0D", "0C", "1L", "1T", "17", "2Z", "38", "5S", "56", "6G", "8S", "CG", "UV", "PR", "EF", "MN"];

/// The valid codes nearest to what was typed, the nearest first, at most five: all at distance one (there is at most
/// one) and two; among equals, those that a common confusion or two swapped neighbours explain come first.
pub(crate) fn codes(typed: [Symbol; 8]) -> Vec<Code> {
    let mut found: Vec<(u32, Code)> = Vec::new();
    for first in 0..8 {
        for second in first + 1..8 {
            let mut known = [(0, Symbol::default()); DIMENSION];
            let kept = (0..8).filter(|&i| i != first && i != second);
            known.iter_mut().zip(kept).for_each(|(k, i)| *k = (i, typed[i]));
            let word = mother::restore(&known);
            let code = Code::new(std::array::from_fn(|i| word[i]));
            if found.iter().all(|(_, other)| *other != code) {
                found.push((cost(typed, &word), code));
            }
        }
    }
    found.sort();
    found.truncate(NAMED);
    found.into_iter().map(|(_, code)| code).collect()
}

/// The second half of the error message.
pub(crate) fn hint(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [only] => format!("\nhint: the nearest valid code is `{only}`"),
        [first, others @ ..] => {
            let others: Vec<String> = others.iter().map(|code| format!("`{code}`")).collect();
            format!("\nhint: the nearest valid code is `{first}`; also near: {}", others.join(", "))
        }
    }
}

/// Ten for every changed character, less for a common confusion; eleven for a swap of neighbours.
fn cost(typed: [Symbol; 8], word: &[Symbol]) -> u32 {
    let changed: Vec<usize> = (0..8).filter(|&i| typed[i] != word[i]).collect();
    if let [a, b] = changed[..]
        && b == a + 1
        && typed[a] == word[b]
        && typed[b] == word[a]
    {
        return 11;
    }
    changed.iter().map(|&i| if confused(typed[i], word[i]) { 6 } else { 10 }).sum()
}

fn confused(a: Symbol, b: Symbol) -> bool {
    CONFUSED.iter().any(|pair| pair.contains(a.to_char()) && pair.contains(b.to_char()))
}
