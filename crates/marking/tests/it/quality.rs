//! The maker's check: figures that a certificate states.

use marking::{Guards, LayoutOptions, Rule, check, lay_out};
use symbology::{Mark, Scheme};
use topography::Length;

use crate::placed;

#[test]
fn the_figures_of_a_usual_pin() {
    let pin = placed("K73MXP", &[Mark::Characters, Mark::Gear], "hemispherical:1.7mm");
    // 850 µm · sin 30° - 399 µm; pen 1.2 modules; 0.2 cells of 1/44 turn at 16.2 modules, as a chord.
    let chord = 2.0 * 16.2 * 19.0 * (0.1 * std::f64::consts::TAU / 44.0).sin();
    let expected = [(Rule::Edge, 26.0), (Rule::Stroke, 22.8), (Rule::Gap, chord), (Rule::Relief, 25.0)];
    let findings = check(&pin);
    assert_eq!(findings.len(), 5);
    for (finding, (rule, measured)) in findings.iter().zip(expected) {
        assert_eq!(finding.rule, rule);
        assert!((finding.measured.to_um() - measured).abs() < 1e-3, "{finding}, not {measured}");
    }
    assert!((findings[4].measured.to_um() - 4.26).abs() < 0.02, "{}", findings[4]);
}

/// The radius of curvature of the wall that a height map has, by differences along a straight edge.
#[test]
fn the_edge_radius_is_that_of_the_height_map() {
    let tip = "flat:1.5mm".parse().expect("a tip");
    let options = LayoutOptions { edge_rounding: Length::um(4.0), ..LayoutOptions::default() };
    // The bar of an L is straight for 100 µm. Its middle line lies between two others of the same height.
    let mark = lay_out(&Scheme::plain_8(), "LLLLLLLL", &[Mark::Characters], &tip, &options).expect("it fits");
    let stated = check(&mark)[4].measured.to_um();
    let map = marking::height_map(
        &mark,
        Length::um(0.5),
        marking::Relief::Raised,
        marking::View::Case,
        marking::Form::Without,
    )
    .expect("allowed");
    let layout = symbology::geometry::layout(&Scheme::plain_8(), Mark::Characters).expect("it has");
    let place = &layout.places()[0];
    let middle = map.heights.width() / 2;
    let row = (middle as f64 + (place.centre.y - 1.0) * 38.0) as usize;
    let left = (middle as f64 + (place.centre.x - place.half_width) * 38.0) as usize;
    let z = |i: usize| map.heights[(left - 30 + i, row)];
    let radius = |i: usize| {
        let (slope, bend) = ((z(i + 1) - z(i - 1)) / 1.0, (z(i + 1) - 2.0 * z(i) + z(i - 1)) / 0.25);
        (1.0 + slope * slope).powf(1.5) / bend.abs()
    };
    let measured = (1..60).map(radius).fold(f64::INFINITY, f64::min);
    assert!((measured / stated - 1.0).abs() < 0.05, "{measured} against {stated}");
}

#[test]
fn a_finding_fails_on_the_right_side_of_its_limit() {
    let check_one = |rule, measured, limit, passed| {
        let finding = marking::Finding { rule, measured: Length::um(measured), limit: Length::um(limit) };
        assert_eq!(finding.passed(), passed, "{finding}");
    };
    check_one(Rule::Relief, 25.0, 30.0, true);
    check_one(Rule::Relief, 30.1, 30.0, false);
    check_one(Rule::Gap, 5.0, 5.0, true);
    check_one(Rule::Gap, 4.9, 5.0, false);
    assert!(Guards::default().relief > LayoutOptions::default().relief);
}
