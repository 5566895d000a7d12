//! The mother code: a systematic Reed–Solomon code `[31, 6]` over GF(32) with minimum distance 26.
//!
//! Symbol `i` of a word is the coefficient of `x^(30-i)`; a word is a code word when it vanishes at
//! `2^1, 2^2, …, 2^25`. The six payload symbols come first. Because the code is maximum distance separable, **any**
//! six symbols determine the other 25. (I. S. Reed and G. Solomon, "Polynomial codes over certain finite fields",
//! SIAM J. 8, 1960; decoder: E. R. Berlekamp, "Algebraic coding theory", 1968; J. L. Massey, IEEE Trans. IT-15,
//! 1969; G. D. Forney, IEEE Trans. IT-11, 1965.)

use crate::Symbol;
use crate::field::{ORDER, evaluate, exp, inverse, mul};

/// Symbols in a word.
pub const LENGTH: usize = 31;
/// Symbols of the payload: the first six of a word.
pub const DIMENSION: usize = 6;
/// The least number of places in which two words differ.
pub const DISTANCE: usize = LENGTH - DIMENSION + 1;

const CHECKS: usize = LENGTH - DIMENSION;

/// The whole word of a payload.
///
/// ```
/// use symbology::{Symbol, mother};
/// let payload = "K73MXP".chars().filter_map(Symbol::from_char).collect::<Vec<_>>();
/// let word = mother::encode(payload[..].try_into()?);
/// assert_eq!(word[..6], payload[..]);
/// # Ok::<(), std::array::TryFromSliceError>(())
/// ```
pub fn encode(payload: &[Symbol; DIMENSION]) -> [Symbol; LENGTH] {
    let generator = &PARITY.0;
    let mut word = [Symbol::default(); LENGTH];
    word[..DIMENSION].copy_from_slice(payload);
    for (check, place) in word[DIMENSION..].iter_mut().enumerate() {
        let sum = (0..DIMENSION).fold(0, |sum, i| sum ^ mul(payload[i].value(), generator[i][check]));
        *place = symbol(sum);
    }
    word
}

/// The word that differs from what was read in fewest places, by hard decisions alone.
///
/// `None` in `read` is an erased symbol. Finds the word whenever `2 · errors + erasures ≤ 25`, and otherwise says
/// `None` or, rarely, finds another word within that distance. The soft decoder in [`crate::decode`] does better
/// wherever likelihoods are known.
///
/// ```
/// use symbology::{Code, mother};
/// let code: Code = "K73MXP".parse()?;
/// let mut read = code.symbols().map(Some);
/// read[..25].fill(None);
/// assert_eq!(mother::correct(&read), Some(code.symbols()));
/// # Ok::<(), symbology::CodeError>(())
/// ```
pub fn correct(read: &[Option<Symbol>; LENGTH]) -> Option<[Symbol; LENGTH]> {
    let mut word = read.map(|symbol| symbol.map_or(0, Symbol::value));
    let erased: Vec<u8> = (0..LENGTH).filter(|&i| read[i].is_none()).map(locator).collect();
    if erased.len() > CHECKS {
        return None;
    }
    let syndromes = syndromes(&word);
    let locators = berlekamp_massey(&syndromes, &erased);
    repair(&mut word, &syndromes, &locators)?;
    let distance = (0..LENGTH).filter(|&i| read[i].is_some_and(|s| s.value() != word[i])).count();
    (2 * distance + erased.len() <= CHECKS).then(|| word.map(symbol))
}

/// The word that agrees with six given symbols.
///
/// `known` are six different places (0 to 30) with their symbols; any six will do.
///
/// # Panics
///
/// When a place is above 30 or two places are equal.
pub fn restore(known: &[(usize, Symbol); DIMENSION]) -> [Symbol; LENGTH] {
    let payload: [u8; DIMENSION] = std::array::from_fn(|place| interpolate(known, place));
    encode(&payload.map(symbol))
}

/// The rows of the parity part of the systematic generator matrix: `PARITY.0[i][j]` is check symbol `6 + j` of the
/// word whose payload is 1 at place `i` and 0 elsewhere.
struct Parity([[u8; CHECKS]; DIMENSION]);

static PARITY: std::sync::LazyLock<Parity> = std::sync::LazyLock::new(|| {
    // g(x) = (x - 2)(x - 2^2) … (x - 2^25), highest coefficient first.
    let mut generator = vec![1_u8];
    for power in 1..=CHECKS {
        let root = exp(power);
        let shifted: Vec<u8> = std::iter::once(0).chain(generator.iter().map(|&c| mul(c, root))).collect();
        generator.push(0);
        generator.iter_mut().zip(shifted).for_each(|(c, s)| *c ^= s);
    }
    Parity(std::array::from_fn(|i| {
        let mut rest = [0; LENGTH];
        rest[i] = 1;
        for at in i..DIMENSION {
            let factor = rest[at];
            for (offset, &g) in generator.iter().enumerate() {
                rest[at + offset] ^= mul(factor, g);
            }
        }
        rest[DIMENSION..].try_into().expect("31 - 6 = 25 places are left")
    }))
});

fn symbol(value: u8) -> Symbol {
    Symbol::masked(u32::from(value))
}

/// The field element that stands for a place of the word.
fn locator(place: usize) -> u8 {
    exp(LENGTH - 1 - place)
}

/// The symbol at `place` of the word through six places: words are the values at the locators of polynomials of
/// degree below six, so this is Lagrange's formula.
fn interpolate(known: &[(usize, Symbol); DIMENSION], place: usize) -> u8 {
    let x = locator(place);
    let mut sum = 0;
    for (k, &(at, value)) in known.iter().enumerate() {
        let xk = locator(at);
        let (mut above, mut below) = (1, 1);
        for (j, &(other, _)) in known.iter().enumerate() {
            if j != k {
                above = mul(above, x ^ locator(other));
                below = mul(below, xk ^ locator(other));
            }
        }
        sum ^= mul(value.value(), mul(above, inverse(below)));
    }
    sum
}

fn syndromes(word: &[u8; LENGTH]) -> [u8; CHECKS] {
    std::array::from_fn(|j| word.iter().fold(0, |sum, &c| mul(sum, exp(j + 1)) ^ c))
}

/// The polynomial (lowest coefficient first) whose roots are the inverse locators of all wrong and erased places.
fn berlekamp_massey(syndromes: &[u8; CHECKS], erased: &[u8]) -> Vec<u8> {
    let mut current = erased.iter().fold(vec![1], |product, &x| multiply(&product, &[1, x]));
    let mut previous = current.clone();
    let (mut degree, mut gap, mut last) = (erased.len(), 1, 1_u8);
    for n in erased.len()..CHECKS {
        let discrepancy =
            (0..current.len().min(n + 1)).fold(0, |sum, i| sum ^ mul(current[i], syndromes[n - i]));
        if discrepancy == 0 {
            gap += 1;
            continue;
        }
        let factor = mul(discrepancy, inverse(last));
        let before = current.clone();
        if current.len() < previous.len() + gap {
            current.resize(previous.len() + gap, 0);
        }
        for (i, &c) in previous.iter().enumerate() {
            current[i + gap] ^= mul(factor, c);
        }
        if 2 * degree <= n + erased.len() {
            degree = n + 1 + erased.len() - degree;
            (previous, last, gap) = (before, discrepancy, 1);
        } else {
            gap += 1;
        }
    }
    while current.last() == Some(&0) {
        current.pop();
    }
    current
}

/// Chien search and Forney's formula; `None` when the locators do not all have a place.
fn repair(word: &mut [u8; LENGTH], syndromes: &[u8; CHECKS], locators: &[u8]) -> Option<()> {
    let mut evaluator = multiply(locators, syndromes);
    evaluator.truncate(CHECKS);
    let derivative: Vec<u8> =
        locators.iter().enumerate().skip(1).map(|(i, &c)| if i % 2 == 1 { c } else { 0 }).collect();
    let mut found = 0;
    for (place, symbol) in word.iter_mut().enumerate() {
        let root = inverse(locator(place));
        if evaluate(locators, root) == 0 {
            found += 1;
            let below = evaluate(&derivative, root);
            if below == 0 {
                return None;
            }
            *symbol ^= mul(evaluate(&evaluator, root), inverse(below));
        }
    }
    (found + 1 == locators.len() && self::syndromes(word).iter().all(|&s| s == 0)).then_some(())
}

fn multiply(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut product = vec![0; a.len() + b.len() - 1];
    for (i, &x) in a.iter().enumerate() {
        for (j, &y) in b.iter().enumerate() {
            product[i + j] ^= mul(x, y);
        }
    }
    product
}

const _: () = assert!(LENGTH == ORDER);
