//! Sets of values that hold the true one as often as they say.

/// How often a set holds the true value.
const SURE: f64 = 0.95;

/// The likeliest values whose probabilities add up to 95 %: the last of them is left out as often as would be too much,
/// by a lot that the evidence itself draws, so that the same evidence has the same set. Where one value is surer than
/// 95 % its set is empty at times; a set that always held it would hold the true value too often. (V. Vovk, A. Gammerman
/// and G. Shafer, Algorithmic Learning in a Random World, 2005, section 2.2.) Values come with their probabilities, the
/// likeliest first; those hold where there is a symbol, with the probability `legible`. Else every value is as likely.
pub(crate) fn set_of(values: &[(usize, f64)], legible: f64, evidence: &[f32]) -> Vec<usize> {
    let lot = lot_of(evidence);
    let mut before = 0.0;
    let mut set = Vec::new();
    for &(value, probability) in values {
        let probability = legible * probability + (1.0 - legible) / values.len() as f64;
        if before + lot * probability >= SURE {
            break;
        }
        set.push(value);
        before += probability;
    }
    set
}

/// A number from 0 to 1 that the bits of some evidence draw (FNV-1a of G. Fowler, L. C. Noll and K.-P. Vo).
fn lot_of(evidence: &[f32]) -> f64 {
    let hashed = evidence
        .iter()
        .flat_map(|log| log.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    // Low bytes of the last logarithm change the low bits alone: mix once more (the finaliser of S. Vigna's splitmix64).
    let mixed = (hashed ^ (hashed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_the_true_value_as_often_as_they_say() {
        for legible in [1.0, 0.7, 0.01] {
            check(legible);
        }
    }

    fn check(legible: f64) {
        for probabilities in [vec![0.999, 0.001], vec![0.6, 0.3, 0.08, 0.02], vec![0.97, 0.02, 0.01]] {
            let values: Vec<(usize, f64)> = probabilities.iter().copied().enumerate().collect();
            let held = |k: u16| {
                let set = set_of(&values, legible, &[f32::from(k), 1.0]);
                let blind = (1.0 - legible) / values.len() as f64;
                set.iter().map(|&value| legible * probabilities[value] + blind).sum::<f64>()
            };
            let mean = (0..4000).map(held).sum::<f64>() / 4000.0;
            assert!((mean - SURE).abs() < 0.01, "{probabilities:?}: {mean}");
            assert_eq!(set_of(&values, legible, &[3.0]), set_of(&values, legible, &[3.0]));
        }
    }
}
