//! Characters of another font are never read as ours.

use reader::{Outcome, ReadOptions, read_topography};
use symbology::geometry::{self, Element, Point};
use symbology::{Mark, Scheme};

use crate::generator::{Damage, View, random_word, seeded, strike};

/// Characters slanted, narrowed and given serifs.
fn sister(scheme: &Scheme, word: &[u8]) -> Vec<Element> {
    let layout = geometry::layout(scheme, Mark::Characters).expect("open-1 has characters");
    let mut drawn = Vec::new();
    for (place, value) in layout.places().iter().zip(word) {
        let bent = |point: &Point| {
            let (x, y) = (point.x - place.centre.x, point.y - place.centre.y);
            Point { x: place.centre.x + 0.8 * x - 0.28 * y, y: place.centre.y + 0.92 * y }
        };
        for element in layout.elements(place.index, *value) {
            let Element::Stroke { points, width } = element else { continue };
            let points: Vec<Point> = points.iter().map(bent).collect();
            for end in [points[0], points[points.len() - 1]] {
                let serif = |by: f64| Point { x: end.x + by, y: end.y };
                drawn.push(Element::Stroke { points: vec![serif(-0.9), serif(0.9)], width: *width });
            }
            drawn.push(Element::Stroke { points, width: *width });
        }
    }
    drawn
}

#[test]
fn characters_of_another_font_are_never_confidently_wrong() {
    let scheme = Scheme::open_1();
    for (seed, ringed) in [(1, true), (2, true), (3, false)] {
        let mut rng = seeded(700 + seed);
        let word = random_word(&mut rng);
        let mut elements = sister(&scheme, &word);
        if ringed {
            elements.extend(geometry::draw(&scheme, Mark::Gear, &word));
        }
        let view = View::upright(&mut rng);
        let surface = strike(&elements, &Damage::named("level-1"), &view, &mut rng);
        let reading =
            read_topography(&surface, &ReadOptions::new(scheme.clone())).expect("it is large enough");
        let right = scheme.text(&word);
        assert!(reading.code.is_none_or(|code| ringed && code == right), "{seed}");
        assert!(ringed || reading.outcome != Outcome::Accepted, "{seed}");
    }
}

/// Lines of plain letters in a box of 1 by 1, in no font of ours.
fn plain(letter: char) -> &'static [&'static [[f64; 2]]] {
    match letter {
        'H' => &[&[[0.0, 0.0], [0.0, 1.0]], &[[1.0, 0.0], [1.0, 1.0]], &[[0.0, 0.52], [1.0, 0.52]]],
        'T' => &[&[[0.0, 0.0], [1.0, 0.0]], &[[0.5, 0.0], [0.5, 1.0]]],
        'L' => &[&[[0.0, 0.0], [0.0, 1.0], [0.9, 1.0]]],
        'E' => &[&[[0.9, 0.0], [0.0, 0.0], [0.0, 1.0], [0.9, 1.0]], &[[0.0, 0.5], [0.7, 0.5]]],
        'V' => &[&[[0.0, 0.0], [0.5, 1.0], [1.0, 0.0]]],
        'X' => &[&[[0.0, 0.0], [1.0, 1.0]], &[[1.0, 0.0], [0.0, 1.0]]],
        'N' => &[&[[0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]],
        _ => &[&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]],
    }
}

/// Two rows of four letters, 8 modules high, nearer to each other than those of our schemes and farther from row to row.
fn rows_of(text: &str) -> Vec<Element> {
    let mut drawn = Vec::new();
    for (place, letter) in text.chars().enumerate() {
        let (x, y) = (6.9 * ((place % 4) as f64 - 1.5), 11.4 * ((place / 4) as f64 - 0.5));
        for line in plain(letter) {
            let at = |[u, v]: &[f64; 2]| Point { x: x + 4.3 * (u - 0.5), y: y + 7.0 * (v - 0.5) };
            drawn.push(Element::Stroke { points: line.iter().map(at).collect(), width: 1.0 });
        }
    }
    drawn
}

#[test]
fn letters_of_another_font_size_and_distance_are_read_without_being_accepted() {
    for (seed, text) in [(1, "HTLEVXNZ"), (2, "XVENLHTZ")] {
        let mut rng = seeded(seed);
        let view = View { module_um: 13.0, ..View::anyhow(&mut rng) };
        let surface = strike(&rows_of(text), &Damage::named("level-1"), &view, &mut rng);
        let options = ReadOptions::new(Scheme::plain_8());
        let reading = read_topography(&surface, &options).expect("it is large enough");
        let first = reading.candidates.first().map(|first| first.code.replace(' ', ""));
        assert_eq!(first.as_deref(), Some(text), "{seed}");
        assert_eq!(reading.outcome, Outcome::Candidates, "nothing checks eight free characters");
    }
}
