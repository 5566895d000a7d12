//! Medians without sorting.

/// So few values are selected from directly.
const FEW: usize = 1 << 13;
/// Values are first told apart by so many of their leading bits.
const LEADING: u32 = 16;

/// The upper median, 0 of nothing.
///
/// Of many values the leading bits are counted, and the median is looked for among those that share its own.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.len() < FEW {
        return if values.is_empty() { 0.0 } else { *select(&mut values, middle) };
    }
    let mut counts = vec![0_u32; 1 << LEADING];
    for value in &values {
        counts[leading(*value)] += 1;
    }
    let mut before = 0;
    let own = counts.iter().position(|&count| {
        let is_own = before + count as usize > middle;
        before += if is_own { 0 } else { count as usize };
        is_own
    });
    values.retain(|value| Some(leading(*value)) == own);
    *select(&mut values, middle - before)
}

fn select(values: &mut [f64], at: usize) -> &f64 {
    values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The leading bits of a number in the order of [`f64::total_cmp`].
fn leading(value: f64) -> usize {
    let bits = value.to_bits();
    let ordered = if value.is_sign_negative() { !bits } else { bits | 1 << 63 };
    (ordered >> (64 - LEADING)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_have_the_median_that_sorting_gives() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        for count in [0, 1, 2, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            for kind in 0..4 {
                let value = |lot: f64| match kind {
                    0 => lot,
                    1 => lot - 0.7,
                    2 => (9.0 * lot).floor() - 4.0,
                    _ => 1.0 + 1e-13 * lot,
                };
                let values: Vec<f64> = (0..count).map(|_| value(next())).collect();
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                assert_eq!(median(values), sorted.get(count / 2).copied().unwrap_or(0.0), "{count} {kind}");
            }
        }
    }
}
