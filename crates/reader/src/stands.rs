//! Whether a code stands without any one of the cases that tell it.
//!
//! Where poses were chosen for agreeing, two wrong ones may agree by chance. What such a pair says falls with either of the two. A
//! code that is really there is told by what is left when any one case is taken away (leave one out: M. Stone, J. R. Stat.
//! Soc. B 36:111, 1974).

use symbology::Scheme;
use symbology::decode::Decoding;

use crate::evidence::{Case, Votes, words_log2};

/// Bits by which the other cases must speak for a code beyond what choosing it, and their poses, costs.
const LEFT: f64 = 6.6;

/// Whether the best code stands without any one case whose mark nothing but agreement tells; always where no pose was chosen
/// for agreeing.
pub(crate) fn stands(scheme: &Scheme, cases: &[Case], decoding: &Decoding) -> bool {
    let Some(best) = decoding.candidates.first() else { return false };
    if cases.iter().all(|case| case.among() <= 1.0) {
        return true;
    }
    let without = |one: usize| {
        let (before, after) = (&cases[..one], &cases[one + 1..]);
        let rest: Vec<Case> = before.iter().chain(after).cloned().collect();
        let mut votes = Votes::none(scheme);
        for case in &rest {
            votes.add(case.votes());
        }
        let spent = words_log2(scheme) + rest.iter().map(|case| case.among().log2()).sum::<f64>();
        (votes.for_word(&best.word) - votes.apart(&rest, scheme)) / std::f64::consts::LN_2 - spent
    };
    (0..cases.len()).filter(|&one| !cases[one].is_found()).all(|one| without(one) >= LEFT)
}
