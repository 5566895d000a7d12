//! Places and shapes of every mark.

use std::f64::consts::{FRAC_PI_2, TAU};

use symbology::geometry::{Element, MarkLayout, Point, draw, layout};
use symbology::{Mark, Scheme};

fn open_1(mark: Mark) -> MarkLayout {
    layout(&Scheme::open_1(), mark).unwrap()
}

/// How far an element reaches from the origin.
fn reach(element: &Element) -> f64 {
    match element {
        Element::Stroke { points, width } => {
            points.iter().map(|p| p.x.hypot(p.y)).fold(0.0, f64::max) + width / 2.0
        }
        Element::Sector { outer, .. } => *outer,
        Element::Dot { centre, diameter } => centre.x.hypot(centre.y) + diameter / 2.0,
        Element::Square { centre, side } => (centre.x.abs() + side / 2.0).hypot(centre.y.abs() + side / 2.0),
    }
}

#[test]
fn every_mark_stays_within_its_extent_and_boxes() {
    for scheme in [Scheme::open_1(), Scheme::plain_8(), Scheme::round_1()] {
        for mark in scheme.marks() {
            let layout = layout(&scheme, mark).unwrap();
            assert_eq!(layout.mark(), mark);
            let range = scheme.symbol_range(mark).unwrap();
            assert_eq!(layout.places().len(), range.len());
            for (place, index) in layout.places().iter().zip(range) {
                assert_eq!(place.index, index);
                assert_eq!(place.values.len(), scheme.alphabet().len());
                for element in place.values.iter().flatten() {
                    assert!(reach(element) <= layout.extent() + 1e-9, "{mark} {index}");
                }
            }
            assert!(layout.fixed().iter().all(|element| reach(element) <= layout.extent() + 1e-9));
        }
    }
}

#[test]
fn the_pin_mark_of_open_1_fits_400_micrometres_at_19_to_the_module() {
    assert!(open_1(Mark::Characters).extent() <= 15.4);
    assert!(open_1(Mark::Gear).extent() * 19.0 <= 400.0);
}

#[test]
fn values_of_a_symbol_are_all_drawn_differently() {
    for mark in Mark::ALL {
        let layout = open_1(mark);
        for index in mark.symbol_range() {
            for a in 0..32 {
                for b in a + 1..32 {
                    assert_ne!(
                        layout.elements(index, a),
                        layout.elements(index, b),
                        "{mark} {index} {a} {b}"
                    );
                }
            }
        }
        assert!(layout.elements(40, 0).is_empty());
        assert!(layout.elements(mark.symbol_range().start, 32).is_empty());
    }
}

#[test]
fn bits_make_the_values() {
    for mark in [Mark::Gear, Mark::Dots, Mark::Radial, Mark::Matrix] {
        for place in open_1(mark).places() {
            assert_eq!(place.bits.len(), 5);
            for (value, elements) in place.values.iter().enumerate() {
                let from_bits: Vec<Element> =
                    (0..5).flat_map(|k| place.bits[k][value >> (4 - k) & 1].clone()).collect();
                assert_eq!(elements, &from_bits);
            }
        }
    }
}

#[test]
fn a_bit_always_leaves_relief_except_in_the_data_matrix() {
    for mark in [Mark::Gear, Mark::Dots, Mark::Radial] {
        for place in open_1(mark).places() {
            for value in &place.values {
                assert_eq!(value.len(), 5, "{mark}");
            }
        }
    }
}

#[test]
fn gear_cells_run_clockwise_from_the_top() {
    let layout = open_1(Mark::Gear);
    let cell = TAU / 44.0;
    let Element::Sector { inner, outer, from, to } = layout.fixed()[0] else {
        panic!("the start mark is a sector")
    };
    assert_eq!((inner, outer), (16.2, 21.0));
    assert!((to + 0.1 * cell - -FRAC_PI_2).abs() < 1e-9, "it ends at the top");
    assert!((to - from - 1.8 * cell).abs() < 1e-9);
    let mut last = -FRAC_PI_2 + cell;
    for place in layout.places() {
        for bit in &place.bits {
            for tooth in bit {
                let Element::Sector { from, to, .. } = tooth[0] else { panic!("teeth are sectors") };
                assert!((f64::midpoint(from, to) - (last + cell)).abs() < cell, "{from} {to} after {last}");
            }
            let Element::Sector { from, to, .. } = bit[0][0] else { panic!("teeth are sectors") };
            assert!(from > last - 1e-9);
            last = to;
        }
    }
    // Value 31 as drawn points outward everywhere; whitening of symbol 8 is 4.
    for tooth in layout.elements(8, 31 ^ 4) {
        let Element::Sector { inner, outer, .. } = tooth else { panic!("teeth are sectors") };
        assert_eq!((*inner, *outer), (18.6, 21.0));
    }
}

#[test]
fn dots_do_not_touch() {
    let layout = open_1(Mark::Dots);
    let mut dots: Vec<(Point, f64)> = Vec::new();
    for bit in layout.places().iter().flat_map(|place| &place.bits).flatten().flatten() {
        let Element::Dot { centre, diameter } = bit else { panic!("dots only") };
        dots.push((*centre, *diameter));
    }
    assert_eq!(dots.len(), 150);
    for (i, (a, diameter)) in dots.iter().enumerate() {
        for (b, _) in &dots[..i] {
            assert!((a.x - b.x).hypot(a.y - b.y) > 1.5 * diameter);
        }
    }
}

/// The dark modules of a drawn Data Matrix as the crate that reads them wants them.
fn pixels(elements: &[Element]) -> (Vec<bool>, usize) {
    let side = 18;
    let mut pixels = vec![false; side * side];
    for element in elements {
        let Element::Square { centre, side: 1.0 } = element else { panic!("modules are unit squares") };
        let at = |c: f64| (c + (side as f64 - 1.0) / 2.0).round() as usize;
        pixels[at(centre.y) * side + at(centre.x)] = true;
    }
    (pixels, side)
}

#[test]
fn any_data_matrix_reader_reads_the_matrix() {
    let scheme = Scheme::open_1();
    for text in ["K73MXP", "000000", "ZZZZZZ", "0H5KAA"] {
        let word = scheme.word(text).unwrap();
        let (pixels, width) = pixels(&draw(&scheme, Mark::Matrix, &word));
        let read = datamatrix::DataMatrix::decode(&pixels, width).unwrap();
        let expected: Vec<u8> = (16..31).map(|i| 63 + (word[i] ^ scheme.whitening(i))).collect();
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn the_matrix_is_drawn_once_and_whole() {
    let scheme = Scheme::open_1();
    let word = scheme.word("K73MXP").unwrap();
    let whole = draw(&scheme, Mark::Matrix, &word);
    for (i, element) in whole.iter().enumerate() {
        assert!(!whole[..i].contains(element), "{element:?} twice");
    }
}

#[test]
fn the_matrix_is_made_of_fixed_modules_bits_and_checks() {
    let scheme = Scheme::open_1();
    let matrix = open_1(Mark::Matrix);
    let bits = matrix.places().iter().flat_map(|place| place.bits.iter().flatten().flatten());
    let known: Vec<&Element> = matrix.fixed().iter().chain(bits).chain(matrix.checks()).collect();
    for (i, element) in known.iter().enumerate() {
        assert!(!known[..i].contains(element), "{element:?} twice");
    }
    assert_eq!(matrix.checks().len(), 14 * 8, "ISO/IEC 16022, table 7: 14 words of correction in 18 x 18");
    for element in draw(&scheme, Mark::Matrix, &scheme.word("K73MXP").unwrap()) {
        assert!(known.contains(&&element), "{element:?} is nowhere");
    }
    for mark in [Mark::Characters, Mark::Gear, Mark::Dots, Mark::Radial] {
        assert_eq!(open_1(mark).checks(), [], "{mark}");
    }
}

#[test]
fn whitening_leaves_no_mark_empty_or_uniform() {
    // Unwhitened, the code of six zeros would draw a gear ring that is the same all round.
    let scheme = Scheme::open_1();
    let gear = draw(&scheme, Mark::Gear, &scheme.word("000000").unwrap());
    let outward =
        gear[1..].iter().filter(|tooth| matches!(tooth, Element::Sector { inner: 18.6, .. })).count();
    assert!((12..=28).contains(&outward), "{outward} of 40 teeth point outward");
}

#[test]
fn rows_are_read_left_to_right_and_top_to_bottom() {
    let layout = open_1(Mark::Characters);
    let centre = |index: usize| layout.place(index).unwrap().centre;
    assert!(centre(0).x < centre(3).x && centre(0).y == centre(3).y);
    assert!(centre(4).y > centre(0).y, "y runs down");
    assert_eq!((centre(0).x, centre(0).y), (-centre(7).x, -centre(7).y));
}

#[test]
fn schemes_draw_only_their_marks() {
    let scheme = Scheme::plain_8();
    let word = scheme.word("0H5K B4M3").unwrap();
    assert!(draw(&scheme, Mark::Gear, &word).is_empty());
    assert_eq!(layout(&scheme, Mark::Gear), None);
    assert!(draw(&scheme, Mark::Characters, &word).len() >= 8);
}
