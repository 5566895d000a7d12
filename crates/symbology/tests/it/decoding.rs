//! Soft decoding: against counting all words by hand, against simulated channels, and at the edges.

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use symbology::decode::{DecodeError, DecodeOptions, Decoding, NoneOfOurs, SymbolEvidence, decode};
use symbology::{Code, Scheme, Symbol, mother};

const IMPOSSIBLE: f32 = f32::NEG_INFINITY;

fn open_1(evidence: &[SymbolEvidence], options: &DecodeOptions) -> Decoding {
    decode(&Scheme::open_1(), evidence, options).expect("the evidence is in order")
}

fn random_word(rng: &mut ChaCha8Rng) -> [u8; 31] {
    let payload = std::array::from_fn(|_| Symbol::new(rng.random_range(0..32)).expect("below 32"));
    mother::encode(&payload).map(Symbol::value)
}

fn some_places(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..31).collect();
    places.shuffle(rng);
    places.truncate(count);
    places
}

/// What a noisy observation of a symbol says: Gaussian scores whose mean for the true value is `strength` standard deviations
/// above that of the others, or noise alone where the symbol is lost.
fn observe(index: usize, truth: u8, strength: f64, lost: bool, rng: &mut ChaCha8Rng) -> SymbolEvidence {
    let log_likelihoods = (0..32)
        .map(|value| {
            let noise: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            let signal = if value == truth && !lost { strength } else { 0.0 };
            (strength * (noise + signal) - strength * strength / 2.0) as f32
        })
        .collect();
    SymbolEvidence { index, log_likelihoods, erased: 0.0 }
}

/// Evidence on `count` symbols in which six allow four values each, so that 4,096 words can be counted by hand.
fn countable(count: usize, strength: f64, rng: &mut ChaCha8Rng) -> (Vec<SymbolEvidence>, Vec<[u8; 31]>) {
    let word = random_word(rng);
    let places = some_places(count, rng);
    let mut evidence: Vec<SymbolEvidence> =
        places.iter().map(|&place| observe(place, word[place], strength, false, rng)).collect();
    let mut allowed = Vec::new();
    for one in &mut evidence[..6] {
        let mut values: Vec<u8> = (0..32).filter(|&v| v != word[one.index]).collect();
        values.shuffle(rng);
        for &value in &values[3..] {
            one.log_likelihoods[usize::from(value)] = IMPOSSIBLE;
        }
        one.erased = IMPOSSIBLE;
        let four = [values[0], values[1], values[2], word[one.index]];
        allowed.push(four);
    }
    let words = (0..4096_usize)
        .map(|number| {
            let known = std::array::from_fn(|k| {
                (places[k], Symbol::new(allowed[k][number >> (2 * k) & 3]).expect("below 32"))
            });
            mother::restore(&known).map(Symbol::value)
        })
        .collect();
    (evidence, words)
}

/// ln of the likelihood of a word, erasures considered.
fn likelihood(evidence: &[SymbolEvidence], word: &[u8], erasure: f64) -> f64 {
    evidence
        .iter()
        .map(|one| {
            let seen = f64::from(one.log_likelihoods[usize::from(word[one.index])]).exp();
            ((1.0 - erasure) * seen + erasure * f64::from(one.erased).exp()).ln()
        })
        .sum()
}

/// The posterior of every word, by counting.
fn posteriors(evidence: &[SymbolEvidence], words: &[[u8; 31]], options: &DecodeOptions) -> Vec<f64> {
    let likelihoods: Vec<f64> =
        words.iter().map(|word| likelihood(evidence, word, options.erasure).exp()).collect();
    let any: f64 = evidence
        .iter()
        .map(|one| {
            let of = |v: usize| {
                (1.0 - options.erasure) * f64::from(one.log_likelihoods[v]).exp()
                    + options.erasure * f64::from(one.erased).exp()
            };
            (0..32).map(of).sum::<f64>() / 32.0
        })
        .product();
    let ours = (1.0 - options.foreign) / f64::from(1_u32 << 30);
    let total = ours * likelihoods.iter().sum::<f64>() + options.foreign * any;
    likelihoods.iter().map(|l| ours * l / total).collect()
}

#[test]
fn posteriors_agree_with_counting() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let options = DecodeOptions { erasure: 0.05, ..DecodeOptions::default() };
    for case in 0..120 {
        let (evidence, words) = countable(6 + case % 26, 0.5 + 0.05 * case as f64, &mut rng);
        let counted = posteriors(&evidence, &words, &options);
        let decoding = open_1(&evidence, &options);
        for candidate in &decoding.candidates {
            let at = words.iter().position(|word| candidate.word == word).unwrap();
            assert!(
                (candidate.posterior - counted[at]).abs() < 2e-8,
                "{} {}",
                candidate.posterior,
                counted[at]
            );
        }
        let best = counted.iter().copied().fold(0.0, f64::max);
        assert!((decoding.candidates[0].posterior - best).abs() < 2e-8);
    }
}

#[test]
fn a_cut_search_never_overstates() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for case in 0..400 {
        let options = DecodeOptions { effort: 1 + case % 64, list: 3, ..DecodeOptions::default() };
        let (evidence, words) = countable(6 + case % 26, 0.3 + 0.01 * case as f64, &mut rng);
        let counted = posteriors(&evidence, &words, &options);
        let decoding = open_1(&evidence, &options);
        let mut listed = 0.0;
        for candidate in &decoding.candidates {
            let at = words.iter().position(|word| candidate.word == word).unwrap();
            assert!(candidate.posterior <= counted[at] + 1e-9);
            listed += counted[at];
        }
        let others = counted.iter().sum::<f64>() - listed;
        assert!(decoding.unlisted >= others - 1e-9, "{} {others}", decoding.unlisted);
        let sum: f64 = decoding.candidates.iter().map(|c| c.posterior).sum::<f64>() + decoding.other;
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
}

/// What became of simulated reads.
#[derive(Default)]
struct Tally {
    accepted: usize,
    wrongly: usize,
    first: usize,
    expected: f64,
}

fn simulate(count: usize, strength: f64, loss: f64, rng: &mut ChaCha8Rng) -> Tally {
    let options = DecodeOptions { erasure: loss.max(0.001), effort: 20_000, ..DecodeOptions::default() };
    let mut tally = Tally::default();
    for _ in 0..100 {
        let word = random_word(rng);
        let places = some_places(count, rng);
        let mut see = |place: usize| observe(place, word[place], strength, rng.random_bool(loss), rng);
        let evidence: Vec<SymbolEvidence> = places.into_iter().map(&mut see).collect();
        let decoding = open_1(&evidence, &options);
        let best = &decoding.candidates[0];
        let right = best.word == word;
        tally.expected += best.posterior;
        tally.first += usize::from(right);
        tally.accepted += usize::from(best.posterior > 0.99);
        tally.wrongly += usize::from(best.posterior > 0.99 && !right);
    }
    tally
}

#[test]
fn simulated_reads_are_right_as_often_as_they_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    // Up to nine symbols the posteriors are exact, so that their sum is the number of right answers to expect, give
    // or take three standard deviations of at most 5.
    for (count, strength, loss) in
        [(6, 3.0, 0.0), (7, 3.0, 0.05), (8, 3.0, 0.0), (8, 4.0, 0.1), (9, 3.0, 0.2)]
    {
        let Tally { first, expected, .. } = simulate(count, strength, loss, &mut rng);
        assert!(
            (first as f64 - expected).abs() < 15.0,
            "{count} symbols: {first} right, {expected:.1} expected"
        );
    }
    // With more symbols they are bounds.
    for (count, strength, loss) in [(12, 3.0, 0.1), (16, 3.0, 0.2), (31, 3.0, 0.3)] {
        let Tally { accepted, wrongly, first, expected } = simulate(count, strength, loss, &mut rng);
        assert!(expected < first as f64 + 15.0, "{count} symbols: {first} right, {expected:.1} expected");
        assert!(
            accepted > 60 && wrongly <= 3,
            "{count} symbols: {accepted} accepted, {wrongly} of them wrong"
        );
    }
}

#[test]
fn flat_evidence_has_no_winner() {
    for count in [0, 1, 6, 7, 8, 9, 10, 16, 31] {
        let flat = |index| SymbolEvidence { index, log_likelihoods: vec![-3.0; 32], erased: -3.0 };
        let decoding = open_1(&(0..count).map(flat).collect::<Vec<_>>(), &DecodeOptions::default());
        for candidate in &decoding.candidates {
            let even = 0.999 / f64::from(1_u32 << 30);
            assert!((candidate.posterior / even - 1.0).abs() < 1e-6, "{count}: {}", candidate.posterior);
        }
        assert!(decoding.other > 0.999_999);
        assert!((decoding.foreign - 0.001).abs() < 1e-9);
        assert_eq!(decoding.margin, 0);
    }
}

fn certain(index: usize, value: u8) -> SymbolEvidence {
    let mut log_likelihoods = vec![IMPOSSIBLE; 32];
    log_likelihoods[usize::from(value)] = 0.0;
    SymbolEvidence { index, log_likelihoods, erased: IMPOSSIBLE }
}

#[test]
fn certain_symbols_leave_one_word() {
    let code: Code = "K73MXP".parse().unwrap();
    let word = code.symbols().map(Symbol::value);
    for places in [0..8, 8..16, 16..31, 0..31, 3..13] {
        let evidence: Vec<SymbolEvidence> = places.clone().map(|i| certain(i, word[i])).collect();
        let decoding = open_1(&evidence, &DecodeOptions::default());
        assert_eq!(decoding.candidates.len(), 1);
        assert_eq!(decoding.candidates[0].code, Some(code));
        assert!(decoding.candidates[0].posterior > 0.97, "{}", decoding.candidates[0].posterior);
        assert_eq!(decoding.margin, places.len() - 6);
        assert!(decoding.bits.iter().sum::<f64>() > 5.0 * places.len() as f64 - 1e-9);
    }
}

#[test]
fn contradictions_have_no_candidates() {
    let word = random_word(&mut ChaCha8Rng::seed_from_u64(4));
    // The same symbol is surely two things at once.
    let evidence = [certain(3, 7), certain(3, 8)];
    let decoding = open_1(&evidence, &DecodeOptions::default());
    assert!(decoding.candidates.is_empty());
    assert_eq!((decoding.other, decoding.margin), (1.0, 0));
    // Symbols that are sure, and of no word.
    let wrong = |i: usize| certain(i, if i == 20 { word[i] ^ 1 } else { word[i] });
    let decoding = open_1(&(0..31).map(wrong).collect::<Vec<_>>(), &DecodeOptions::default());
    assert!(decoding.candidates.is_empty());
    assert!(decoding.foreign > 0.999_999);
}

#[test]
fn no_mark_of_ours_competes() {
    let word = random_word(&mut ChaCha8Rng::seed_from_u64(5));
    let evidence: Vec<SymbolEvidence> = (0..8).map(|i| certain(i, word[i])).collect();
    let none = |log_likelihood| {
        let none = Some(NoneOfOurs { prior: 0.5, log_likelihood });
        open_1(&evidence, &DecodeOptions { none, foreign: 0.0, erasure: 0.0, ..DecodeOptions::default() })
    };
    // The word has the likelihood 1 and the prior 2^-31.
    assert!(none(-100.0).candidates[0].posterior > 0.999_999);
    let even = none(-30.0 * std::f64::consts::LN_2);
    assert!((even.candidates[0].posterior - 0.5).abs() < 1e-9);
    assert!((even.none - 0.5).abs() < 1e-9);
    assert!(none(0.0).candidates[0].posterior < 1e-8);
}

#[test]
fn evidence_adds() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let word = random_word(&mut rng);
    let once: Vec<SymbolEvidence> = (0..16)
        .map(|i| SymbolEvidence { erased: IMPOSSIBLE, ..observe(i, word[i], 2.0, false, &mut rng) })
        .collect();
    let options = DecodeOptions { erasure: 0.0, ..DecodeOptions::default() };
    let doubled: Vec<SymbolEvidence> = once
        .iter()
        .map(|one| {
            let log_likelihoods = one.log_likelihoods.iter().map(|log| 2.0 * log).collect();
            SymbolEvidence { log_likelihoods, ..one.clone() }
        })
        .collect();
    let twice = open_1(&[once.clone(), once].concat(), &options);
    let doubled = open_1(&doubled, &options);
    assert_eq!(twice.candidates[0].word, doubled.candidates[0].word);
    assert!((twice.candidates[0].posterior - doubled.candidates[0].posterior).abs() < 1e-9);
}

#[test]
fn free_words_are_ranked_exactly() {
    let scheme = Scheme::plain_8();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let evidence: Vec<SymbolEvidence> = (0..8)
        .map(|index| {
            // Three values are possible, so that 6,561 words can be counted by hand.
            let mut log_likelihoods = vec![IMPOSSIBLE; 36];
            log_likelihoods[..3].fill_with(|| rng.random_range(-4.0..0.0));
            SymbolEvidence { index, log_likelihoods, erased: IMPOSSIBLE }
        })
        .collect();
    let decoding = decode(&scheme, &evidence, &DecodeOptions::default()).unwrap();
    let mut counted: Vec<(f64, Vec<u8>)> = (0..6561_usize)
        .map(|number| {
            let word: Vec<u8> = (0..8).map(|i| (number / 3_usize.pow(i) % 3) as u8).collect();
            (likelihood(&evidence, &word, 0.0).exp(), word)
        })
        .collect();
    let total: f64 = counted.iter().map(|(likelihood, _)| likelihood).sum();
    counted.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert_eq!(decoding.candidates.len(), 20);
    assert!(decoding.exact);
    for (candidate, (likelihood, word)) in decoding.candidates.iter().zip(&counted) {
        assert_eq!(&candidate.word, word);
        assert!((candidate.posterior - likelihood / total).abs() < 1e-9);
        assert_eq!(candidate.code, None);
    }
    assert_eq!(scheme.text(&[0, 17, 5, 20, 11, 4, 22, 3]), "0H5K B4M3");
}

#[test]
fn senseless_evidence_is_refused() {
    let scheme = Scheme::open_1();
    let good = certain(0, 0);
    let refused = |evidence: SymbolEvidence| {
        decode(&scheme, &[evidence], &DecodeOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(SymbolEvidence { index: 31, ..good.clone() }),
        "symbol 31 does not exist, words of open-1 have 31 symbols"
    );
    assert_eq!(
        refused(SymbolEvidence { log_likelihoods: vec![0.0; 36], ..good.clone() }),
        "symbol 0 has 36 log-likelihoods, the alphabet has 32 characters"
    );
    for bad in [f32::NAN, f32::INFINITY] {
        let evidence = SymbolEvidence { erased: bad, ..good.clone() };
        assert!(matches!(
            decode(&scheme, &[evidence], &DecodeOptions::default()),
            Err(DecodeError::Value { index: 0, .. })
        ));
    }
    let options = DecodeOptions { foreign: 1.0, ..DecodeOptions::default() };
    assert_eq!(decode(&scheme, &[good], &options), Err(DecodeError::Prior));
}

fn any_log() -> impl Strategy<Value = f32> {
    prop_oneof![8 => -40.0..40.0_f32, 1 => Just(IMPOSSIBLE), 1 => -f32::MAX..f32::MAX, 2 => Just(0.0)]
}

fn any_evidence() -> impl Strategy<Value = SymbolEvidence> {
    (0..31_usize, proptest::collection::vec(any_log(), 32), any_log())
        .prop_map(|(index, log_likelihoods, erased)| SymbolEvidence { index, log_likelihoods, erased })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_evidence_gives_probabilities(
        evidence in proptest::collection::vec(any_evidence(), 0..20),
        list in 0..30_usize,
        effort in 0..3000_usize,
    ) {
        let decoding = open_1(&evidence, &DecodeOptions { list, effort, ..DecodeOptions::default() });
        prop_assert!(decoding.candidates.len() <= list);
        prop_assert!(decoding.candidates.is_sorted_by(|a, b| a.posterior >= b.posterior));
        let listed: f64 = decoding.candidates.iter().map(|candidate| candidate.posterior).sum();
        prop_assert!((listed + decoding.other - 1.0).abs() < 1e-6, "{listed} {}", decoding.other);
        for candidate in &decoding.candidates {
            let code = candidate.code.expect("open-1 has codes");
            prop_assert_eq!(code.symbols().map(Symbol::value).to_vec(), candidate.word.clone());
        }
    }
}
