//! The glyphs can be told apart in relief: the figures of the README, pinned.

#[path = "../../examples/confusion/measure.rs"]
mod measure;

use measure::{DAMAGES, distances, render};
use symbology::ALPHABET;
use symbology::geometry::{Element, GlyphSize, Point, glyph};

const ALL: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[test]
fn no_two_glyphs_of_the_alphabet_look_alike() {
    for (damage, floor) in DAMAGES.into_iter().zip([0.33, 0.26, 0.33, 0.21]) {
        let (distance, a, b) = distances(ALPHABET, damage)[0];
        assert!(distance >= floor, "{}: {a} and {b} are only {distance:.3} apart", damage.name);
    }
}

#[test]
fn the_four_characters_left_out_are_in_the_nearest_pairs() {
    for damage in DAMAGES.iter().filter(|damage| damage.half || damage.blur > 10.0) {
        let pairs = distances(ALL, *damage);
        let floor = distances(ALPHABET, *damage)[0].0;
        let nearer = pairs.iter().filter(|pair| pair.0 < floor);
        assert!(nearer.clone().count() > 0);
        for (distance, a, b) in nearer {
            assert!("BIOQ".contains(*a) || "BIOQ".contains(*b), "{}: {a}{b} {distance:.3}", damage.name);
        }
    }
}

#[test]
fn every_glyph_fills_its_box_and_stays_inside() {
    let size = GlyphSize { width: 5.0, height: 8.0, pen: 1.2 };
    for character in ALL.chars() {
        let strokes = glyph(character, size).unwrap();
        let mut places: Vec<Point> = Vec::new();
        for stroke in &strokes {
            let Element::Stroke { points, width } = stroke else {
                panic!("{character} has more than strokes")
            };
            assert_eq!(*width, 1.2);
            assert!(points.len() >= 2);
            places.extend(points);
        }
        for place in &places {
            assert!(place.x.abs() <= 1.9 + 1e-9 && place.y.abs() <= 3.4 + 1e-9, "{character} leaves its box");
        }
        assert!(render(character, DAMAGES[0]).rows().flatten().copied().fold(0.0, f64::max) > 0.5);
    }
    assert_eq!(glyph('*', size), None);
    assert_eq!(glyph('a', size), None);
}
