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
