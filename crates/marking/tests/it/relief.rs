//! Height maps: mirror, relief, form, area, exactness.

use marking::{Form, LayoutOptions, MarkingError, PlacedMark, Relief, View, height_map, lay_out, picture};
use proptest::prelude::*;
use symbology::geometry::Element;
use symbology::{Mark, Scheme};
use topography::{Grid, Length, Topography};

use crate::placed;

const PIN: [Mark; 2] = [Mark::Characters, Mark::Gear];
const TIP: &str = "hemispherical:1.7mm";

fn map(mark: &PlacedMark, pitch: f64, relief: Relief, view: View, form: Form) -> Topography {
    height_map(mark, Length::um(pitch), relief, view, form).expect("the pitch is allowed")
}

fn mirrored(heights: &Grid<f64>) -> Grid<f64> {
    Grid::from_fn(heights.width(), heights.height(), |x, y| heights[(heights.width() - 1 - x, y)])
}

fn same(a: &Grid<f64>, b: &Grid<f64>) -> bool {
    let equal = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
    a.width() == b.width() && a.samples().iter().zip(b.samples()).all(equal)
}

#[test]
fn a_strike_turns_the_tool_into_the_case() {
    let pin = placed("K73MXP", &PIN, TIP);
    for form in [Form::With, Form::Without] {
        for relief in [Relief::Raised, Relief::Sunk] {
            let tool = map(&pin, 4.0, relief, View::Tool, form).heights;
            let case = map(&pin, 4.0, relief.opposite(), View::Case, form).heights;
            let struck = mirrored(&tool.map(|z| -z));
            assert!(same(&struck, &case), "{relief} tool, {form} form");
            assert!(same(&mirrored(&mirrored(&tool)), &tool));
            assert!(!same(&mirrored(&tool), &tool), "a mark is never its own mirror image");
        }
    }
}

#[test]
fn the_case_reads_from_left_to_right() {
    // The middle of every stroke's first piece, in modules as seen on the case; the tool has it at the negative of x.
    let mark = placed("K73MXP", &[Mark::Characters], TIP);
    let middles: Vec<(f64, f64)> = mark
        .elements()
        .filter_map(|(_, element)| match element {
            Element::Stroke { points, .. } => {
                let (a, b) = (points[0], points[1]);
                Some((f64::midpoint(a.x, b.x), f64::midpoint(a.y, b.y)))
            }
            _ => None,
        })
        .collect();
    let heights = |map: &Topography, mirror: f64| -> Vec<f64> {
        let middle = (map.heights.width() / 2) as f64;
        let sample = |modules: f64| (modules * 19.0 / 2.0 + middle).round() as usize;
        middles.iter().map(|&(x, y)| map.heights[(sample(mirror * x), sample(y))]).collect()
    };
    for (view, mirror) in [(View::Case, 1.0), (View::Tool, -1.0)] {
        let raised = map(&mark, 2.0, Relief::Raised, view, Form::Without);
        assert!(heights(&raised, mirror).iter().all(|&z| z > 24.0), "{view}");
        assert!(!heights(&raised, -mirror).iter().all(|&z| z > 24.0), "{view}");
        let sunk = map(&mark, 2.0, Relief::Sunk, view, Form::Without);
        assert!(heights(&sunk, mirror).iter().all(|&z| z < -24.0), "{view}");
    }
}

#[test]
fn the_field_is_centred_and_about_a_millimetre() {
    let pin = placed("K73MXP", &PIN, TIP);
    for (pitch, side) in [(0.5, 1997), (1.0, 999), (2.0, 501), (5.0, 201)] {
        let map = map(&pin, pitch, Relief::Raised, View::Tool, Form::Without);
        assert_eq!((map.heights.width(), map.heights.height()), (side, side));
        assert_eq!(map.pitch.x, Length::um(pitch));
        assert!(map.heights.row(0).iter().all(|&z| z == 0.0), "the margin is bare ground");
        let (low, high) = map.height_range().expect("nothing is missing");
        assert_eq!(low, Length::ZERO);
        assert!((high.to_um() - 25.0).abs() < 0.1, "{high}");
    }
    for pitch in [0.4, 5.1, f64::NAN, -2.0] {
        let refused = height_map(&pin, Length::um(pitch), Relief::Raised, View::Tool, Form::With);
        assert!(refused.is_err(), "{pitch}");
    }
}

#[test]
fn a_field_too_large_for_its_pitch_is_refused() {
    let options = LayoutOptions { module: Some(Length::um(200.0)), ..LayoutOptions::default() };
    let tip = "flat:10mm".parse().expect("a tip");
    let large = lay_out(&Scheme::open_1(), "K73MXP", &PIN, &tip, &options).expect("it fits");
    let refused = height_map(&large, Length::um(0.5), Relief::Raised, View::Tool, Form::Without);
    assert!(matches!(refused, Err(MarkingError::Field { samples: 295_874_401, .. })));
}

#[test]
fn the_form_lies_under_the_mark() {
    let pin = placed("K73MXP", &PIN, "hemispherical:1.7mm");
    let bare = map(&pin, 2.0, Relief::Raised, View::Tool, Form::Without).heights;
    let formed = map(&pin, 2.0, Relief::Raised, View::Tool, Form::With).heights;
    let middle = bare.width() / 2;
    for (x, y) in [(middle, middle), (middle + 100, middle), (0, 0)] {
        let (dx, dy) = (2.0 * x.abs_diff(middle) as f64, 2.0 * y.abs_diff(middle) as f64);
        let sphere = (850.0_f64.powi(2) - dx * dx - dy * dy).sqrt() - 850.0;
        assert!((formed[(x, y)] - bare[(x, y)] - sphere).abs() < 1e-9);
    }
    // A field wider than the tip: what lies beyond is missing.
    let small = placed("K73MXP", &[Mark::Characters], "chisel:0.8x1.6mm");
    let formed = map(&small, 2.0, Relief::Raised, View::Case, Form::With);
    assert!(formed.heights[(0, 0)].is_finite() == (small.extent().to_um() + 100.0 < 400.0));
}

#[test]
fn coarse_maps_are_means_of_fine_ones() {
    let pin = placed("K73MXP", &PIN, TIP);
    let fine = map(&pin, 1.0, Relief::Raised, View::Case, Form::Without).heights;
    let coarse = map(&pin, 3.0, Relief::Raised, View::Case, Form::Without).heights;
    let (fine_middle, middle) = (fine.width() / 2, coarse.width() / 2);
    let mut worst = 0.0_f64;
    for y in middle - 150..=middle + 150 {
        for x in middle - 150..=middle + 150 {
            let (fx, fy) = (fine_middle + 3 * x - 3 * middle, fine_middle + 3 * y - 3 * middle);
            let cell = (fy - 1..=fy + 1).flat_map(|y| (fx - 1..=fx + 1).map(move |x| (x, y)));
            let mean = cell.map(|at| fine[at]).sum::<f64>() / 9.0;
            worst = worst.max((mean - coarse[(x, y)]).abs());
        }
    }
    assert!(worst < 1e-3, "{worst} µm of 25 µm");
}

/// The area of an element in square modules.
fn area(element: &Element) -> f64 {
    match element {
        Element::Dot { diameter, .. } => std::f64::consts::PI * diameter * diameter / 4.0,
        Element::Square { side, .. } => side * side,
        Element::Sector { inner, outer, from, to } => (outer * outer - inner * inner) * (to - from) / 2.0,
        Element::Stroke { .. } => panic!("strokes overlap: their area is measured otherwise"),
    }
}

/// The share of a fine lattice that lies in any of the strokes, by the definition of a stroke alone.
fn stroke_area(elements: &[Element], half: f64, step: f64) -> f64 {
    let near = |x: f64, y: f64, element: &Element| {
        let Element::Stroke { points, width } = element else { panic!("characters are strokes") };
        points.windows(2).any(|ends| {
            let (ux, uy) = (ends[1].x - ends[0].x, ends[1].y - ends[0].y);
            let (px, py) = (x - ends[0].x, y - ends[0].y);
            let t = ((px * ux + py * uy) / (ux * ux + uy * uy)).clamp(0.0, 1.0);
            (px - t * ux).hypot(py - t * uy) <= width / 2.0
        })
    };
    let steps = (2.0 * half / step) as usize;
    let place = |i: usize| -half + (i as f64 + 0.5) * step;
    let inside = |&(x, y): &(usize, usize)| elements.iter().any(|one| near(place(x), place(y), one));
    let count = (0..steps).flat_map(|y| (0..steps).map(move |x| (x, y))).filter(inside).count();
    count as f64 * step * step
}

fn drawn_area(mark: &PlacedMark, pitch: f64) -> f64 {
    let map = map(mark, pitch, Relief::Raised, View::Tool, Form::Without);
    map.heights.samples().iter().sum::<f64>() / 25.0 * pitch * pitch
}

#[test]
fn the_drawn_area_of_strokes_is_theirs() {
    let mark = placed("K73MXP", &[Mark::Characters], TIP);
    let elements: Vec<Element> = mark.elements().map(|(_, element)| element.clone()).collect();
    let expected = stroke_area(&elements, 16.0, 0.02) * 19.0 * 19.0;
    let drawn = drawn_area(&mark, 2.0);
    assert!((drawn / expected - 1.0).abs() < 2e-3, "{drawn} against {expected}");
}

#[test]
fn pictures_show_what_is_engraved() {
    let pin = placed("K73MXP", &PIN, TIP);
    let tool = picture(&pin, Length::um(1.0), View::Tool).expect("allowed");
    let case = picture(&pin, Length::um(1.0), View::Case).expect("allowed");
    let width = tool.intensity.width();
    assert!(tool.intensity.samples().iter().all(|v| (0.0..=1.0).contains(v)));
    for y in 0..width {
        let turned: Vec<f32> = tool.intensity.row(y).iter().rev().copied().collect();
        assert_eq!(turned, case.intensity.row(y));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_drawn_area_of_teeth_is_theirs(text in "[0-9AC-HJ-NPR-Z]{6}", pitch in 1.0..5.0) {
        let mark = placed(&text, &[Mark::Gear], TIP);
        let expected: f64 = mark.elements().map(|(_, element)| area(element)).sum::<f64>() * 19.0 * 19.0;
        let drawn = drawn_area(&mark, pitch);
        prop_assert!((drawn / expected - 1.0).abs() < 2e-3, "{} against {}", drawn, expected);
    }
}
