//! The tables of `docs/specification.md` are those of the code.

use symbology::geometry::{Element, GlyphSize, draw, glyph};
use symbology::{ALPHABET, Mark, Scheme, Symbol, mother};

const SPECIFICATION: &str = include_str!("../../../../docs/specification.md");

fn holds(line: &str) {
    assert!(SPECIFICATION.lines().any(|l| l == line), "docs/specification.md lacks the line\n{line}");
}

#[test]
fn powers_of_alpha() {
    // 2^k is symbol 30 - k's locator; the word of a polynomial x is the list of all of them.
    let mut element = 1_u8;
    let mut powers = Vec::new();
    for _ in 0..31 {
        powers.push(element.to_string());
        element = element << 1 ^ if element & 16 == 16 { 0b10_0101 } else { 0 };
    }
    holds(&powers.join(" "));
}

#[test]
fn generator_rows() {
    for place in 0..6 {
        let mut payload = [Symbol::default(); 6];
        payload[place] = Symbol::new(1).unwrap();
        let word = mother::encode(&payload);
        let checks: Vec<String> = word[6..].iter().map(|s| s.value().to_string()).collect();
        holds(&format!("| {place} | {} |", checks.join(" ")));
    }
}

#[test]
fn whitening_rows() {
    for scheme in [Scheme::open_1(), Scheme::round_1()] {
        let values: Vec<String> = (0..31).map(|i| scheme.whitening(i).to_string()).collect();
        holds(&format!("| `{}` | {} |", scheme.name(), values.join(" ")));
    }
}

#[test]
fn glyph_rows() {
    // A pen of no width in a box of 40 by 70 modules gives back the grid.
    let size = GlyphSize { width: 40.0, height: 70.0, pen: 0.0 };
    for character in (0..36).filter_map(|digit| char::from_digit(digit, 36)) {
        let character = character.to_ascii_uppercase();
        let lines: Vec<String> = glyph(character, size)
            .unwrap()
            .iter()
            .map(|stroke| {
                let Element::Stroke { points, .. } = stroke else { panic!("strokes only") };
                let points: Vec<String> =
                    points.iter().map(|p| format!("{},{}", p.x + 20.0, p.y + 35.0)).collect();
                points.join(" ")
            })
            .collect();
        let value = ALPHABET.find(character).map_or_else(|| "–".to_owned(), |value| value.to_string());
        holds(&format!("| {value} | {character} | {} |", lines.join(" ; ")));
    }
}

#[test]
fn the_worked_example() {
    let scheme = Scheme::open_1();
    let word = scheme.word("K73MXP").unwrap();
    let values = |word: &[u8]| word.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
    holds(&values(&word));
    let drawn: Vec<u8> = word.iter().enumerate().map(|(i, v)| v ^ scheme.whitening(i)).collect();
    holds(&values(&drawn));
    let teeth: String = draw(&scheme, Mark::Gear, &word)[1..]
        .iter()
        .map(|tooth| if matches!(tooth, Element::Sector { inner: 18.6, .. }) { '1' } else { '0' })
        .collect();
    let symbols: Vec<&str> = (0..8).map(|k| &teeth[5 * k..5 * k + 5]).collect();
    holds(&symbols.join(" "));
}
