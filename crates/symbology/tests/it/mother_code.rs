//! The mother code: any six symbols restore a word, and hard decoding works up to half the distance.

use proptest::prelude::*;
use proptest::sample::subsequence;
use symbology::{Symbol, mother};

fn symbols<const N: usize>() -> impl Strategy<Value = [Symbol; N]> {
    proptest::array::uniform::<_, N>(0..32_u8)
        .prop_map(|values| values.map(|v| Symbol::new(v).expect("below 32")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_six_symbols_restore_the_word(
        payload in symbols::<6>(),
        places in subsequence((0..31).collect::<Vec<usize>>(), 6).prop_shuffle(),
    ) {
        let word = mother::encode(&payload);
        let known: [(usize, Symbol); 6] = std::array::from_fn(|k| (places[k], word[places[k]]));
        prop_assert_eq!(mother::restore(&known), word);
    }

    #[test]
    fn any_six_symbols_are_free(
        values in symbols::<6>(),
        places in subsequence((0..31).collect::<Vec<usize>>(), 6).prop_shuffle(),
    ) {
        let known: [(usize, Symbol); 6] = std::array::from_fn(|k| (places[k], values[k]));
        let word = mother::restore(&known);
        prop_assert_eq!(mother::encode(word[..6].try_into().unwrap()), word);
        for (place, value) in known {
            prop_assert_eq!(word[place], value);
        }
    }

    #[test]
    fn errors_and_erasures_within_half_the_distance_are_corrected(
        payload in symbols::<6>(),
        erasures in 0..=25_usize,
        share in 0.0..=1.0_f64,
        damage in Just((0..31).collect::<Vec<usize>>()).prop_shuffle(),
        changes in proptest::array::uniform::<_, 31>(1..32_u8),
    ) {
        let errors = ((25 - erasures) as f64 / 2.0 * share).round() as usize;
        let errors = errors.min((25 - erasures) / 2);
        let word = mother::encode(&payload);
        let mut read = word.map(Some);
        for &place in &damage[..erasures] {
            read[place] = None;
        }
        for &place in &damage[erasures..erasures + errors] {
            read[place] = Symbol::new(word[place].value() ^ changes[place]);
        }
        prop_assert_eq!(mother::correct(&read), Some(word));
    }

    #[test]
    fn corrected_words_are_within_half_the_distance(read in proptest::array::uniform::<_, 31>(0..40_u8)) {
        let read = read.map(Symbol::new);
        if let Some(word) = mother::correct(&read) {
            let erased = read.iter().filter(|s| s.is_none()).count();
            let wrong = read.iter().zip(word).filter(|(r, w)| r.is_some_and(|r| r != *w)).count();
            prop_assert!(2 * wrong + erased <= 25);
            prop_assert_eq!(mother::encode(word[..6].try_into().unwrap()), word);
        }
    }
}

#[test]
fn the_distance_is_26() {
    // The code is linear, so the lightest word but zero tells. Words with five zeros among any six places are all
    // multiples of one word, so that unit payloads and shifted ones cover the lightest class.
    for place in 0..6 {
        let mut payload = [Symbol::default(); 6];
        payload[place] = Symbol::new(1).unwrap();
        let weight = mother::encode(&payload).iter().filter(|s| s.value() != 0).count();
        assert_eq!(weight, mother::DISTANCE);
    }
}

#[test]
fn too_many_erasures_are_refused() {
    let mut read = [Some(Symbol::default()); 31];
    read[..26].fill(None);
    assert_eq!(mother::correct(&read), None);
}
