//! Layout: what fits, what is refused and how.

use marking::{Fit, Guards, LayoutOptions, MarkingError, NominalGeometry, Rule, Tip, check, lay_out};
use proptest::prelude::*;
use symbology::geometry::Element;
use symbology::{Mark, Scheme};
use topography::{Angle, Length};

use crate::placed;

const PIN: [Mark; 2] = [Mark::Characters, Mark::Gear];

#[test]
fn a_usual_pin_has_room_for_characters_and_gear() {
    for tip in ["hemispherical:1.7mm", "hemispherical:2.3mm", "flat:1.5mm"] {
        let pin = placed("K73MXP", &PIN, tip);
        assert_eq!(pin.module(), Length::um(19.0));
        assert_eq!(pin.extent(), Length::um(399.0));
        assert_eq!(pin.text(), Scheme::open_1().text(&Scheme::open_1().word("K73MXP").expect("a code")));
        for finding in check(&pin) {
            assert!(finding.passed(), "{tip}: {finding}");
        }
    }
}

fn refusal(scheme: &Scheme, text: &str, marks: &[Mark], tip: &str, options: &LayoutOptions) -> MarkingError {
    let tip: Tip = tip.parse().expect("well written");
    lay_out(scheme, text, marks, &tip, options).expect_err("it must be refused")
}

#[test]
fn what_does_not_fit_is_refused_with_the_largest_that_does() {
    let check = |marks: &[Mark], tip: &str, expected: Option<(&[Mark], f64)>| {
        let error = refusal(&Scheme::open_1(), "K73MXP", marks, tip, &LayoutOptions::default());
        let MarkingError::TooLarge { wanted, largest, .. } = &error else { panic!("{tip}: {error}") };
        assert_eq!(wanted.marks, marks);
        match (largest, expected) {
            (Some(fit), Some((marks, module))) => {
                assert_eq!(fit.marks, marks, "{tip}: {error}");
                assert!((fit.module.to_um() - module).abs() < 0.06, "{tip}: {error}");
                let options = LayoutOptions { module: Some(fit.module), ..LayoutOptions::default() };
                let tip = tip.parse().expect("well written");
                lay_out(&Scheme::open_1(), "K73MXP", &fit.marks, &tip, &options).expect("the hint holds");
            }
            (None, None) => {}
            _ => panic!("{tip}: {error}"),
        }
    };
    // Half of the 30 degree circle less the edge guard: 750 µm · sin 30° - 25 µm = 350 µm, over 21 modules.
    check(&PIN, "hemispherical:1.5mm", Some((&PIN, 16.6)));
    check(&PIN, "chisel:0.8x1.6mm", Some((&PIN, 13.0)));
    // Strokes thinner than 15 µm cannot be engraved: characters alone, so that the module stays large.
    check(&PIN, "hemispherical:1.1mm", Some((&PIN[..1], 17.1)));
    check(&PIN, "hemispherical:0.3mm", None);
    check(&[Mark::Characters], "breech-face", None);
}

#[test]
fn every_guard_refuses_in_its_own_words() {
    let open = Scheme::open_1();
    let options = LayoutOptions::default();
    let with = |guards: Guards| LayoutOptions { guards, ..options };
    let tall = LayoutOptions { relief: Length::um(40.0), ..options };
    let sharp = LayoutOptions { edge_rounding: Length::um(0.5), ..options };
    let cases = [
        (tall, "relief: 40.0 µm, must be at most 30.0 µm"),
        (sharp, "edge radius: 0."),
        (with(Guards { stroke: Length::um(30.0), ..Guards::default() }), "thinnest stroke: 22.8 µm"),
        (with(Guards { gap: Length::um(60.0), ..Guards::default() }), "narrowest gap: "),
        (
            with(Guards { slope: Angle::degrees(10.0), ..Guards::default() }),
            "does not fit on hemispherical:1.7mm",
        ),
        (with(Guards { contact_depth: Length::um(50.0), ..Guards::default() }), "does not fit"),
        (with(Guards { edge: Length::um(100.0), ..Guards::default() }), "does not fit"),
        (with(Guards { slope: Angle::degrees(f64::NAN), ..Guards::default() }), "does not fit"),
        (with(Guards { contact_depth: Length::um(f64::NAN), ..Guards::default() }), "does not fit"),
        (with(Guards { relief: Length::um(f64::NAN), ..Guards::default() }), "relief: 25.0 µm"),
        (LayoutOptions { module: Some(Length::um(-3.0)), ..options }, "a module of -3 µm is outside"),
        (LayoutOptions { relief: Length::um(f64::NAN), ..options }, "a relief of NaN µm is outside"),
    ];
    for (options, expected) in cases {
        let error = refusal(&open, "K73MXP", &PIN, "hemispherical:1.7mm", &options).to_string();
        assert!(error.contains(expected), "{error}\nshould contain {expected}");
    }
}

#[test]
fn marks_that_make_no_sense_are_refused() {
    let options = LayoutOptions::default();
    let cases: [(Scheme, &str, &[Mark], &str); 5] = [
        (Scheme::open_1(), "K73MXP", &[], "no mark was asked for"),
        (Scheme::open_1(), "K73MXP", &[Mark::Gear, Mark::Gear], "gear is asked for twice"),
        (Scheme::plain_8(), "0H5KB4M3", &[Mark::Gear], "the scheme plain-8 has no gear"),
        (
            Scheme::open_1(),
            "K73MXP",
            &[Mark::Characters, Mark::Matrix],
            "characters and matrix lie on one another",
        ),
        (Scheme::open_1(), "K7*MXP", &PIN, "*"),
    ];
    for (scheme, text, marks, expected) in cases {
        let error = refusal(&scheme, text, marks, "flat:1.5mm", &options).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn foreign_schemes_are_laid_out_as_well() {
    let tip = "flat:1.5mm".parse().expect("well written");
    let options = LayoutOptions::default();
    let plain = lay_out(&Scheme::plain_8(), "0H5K B4M3", &[Mark::Characters], &tip, &options).expect("fits");
    assert_eq!((plain.text(), plain.scheme()), ("0H5K B4M3", "plain-8"));
    let round = lay_out(&Scheme::round_1(), "K73MXP", &[Mark::Characters], &tip, &options).expect("fits");
    assert!(round.extent() > Length::um(400.0), "eight characters in one row");
}

#[test]
fn the_fit_prints_like_a_drawing() {
    let fit = Fit { marks: PIN.to_vec(), module: Length::um(16.0), diameter: Length::um(672.0) };
    assert_eq!(fit.to_string(), "characters and gear at a module of 16.0 µm (672 µm across)");
}

#[test]
fn the_nominal_geometry_is_that_of_the_layout() {
    let nominal = NominalGeometry::new(&Scheme::open_1(), &PIN).expect("open-1 has both");
    let pin = placed("K73MXP", &PIN, "flat:1.5mm");
    for (mark, element) in pin.elements() {
        let layout = &nominal.mark(mark).expect("asked for").layout;
        let known =
            layout.places().iter().flat_map(|place| place.values.iter().flatten()).chain(layout.fixed());
        assert!(known.clone().any(|one| one == element), "{mark}: {element:?}");
    }
    assert!(nominal.marks.iter().all(|mark| mark.module == pin.module()));
    assert_eq!(nominal.mark(Mark::Characters).expect("asked for").stroke(), Length::um(19.0 * 1.2));
    assert!(nominal.mark(Mark::Dots).is_none());
    assert!(NominalGeometry::new(&Scheme::plain_8(), &[Mark::Dots]).is_err());
}

/// Points of an element that reach furthest out, in modules.
fn outermost(element: &Element) -> Vec<(f64, f64, f64)> {
    match element {
        Element::Stroke { points, width } => points.iter().map(|p| (p.x, p.y, width / 2.0)).collect(),
        Element::Dot { centre, diameter } => vec![(centre.x, centre.y, diameter / 2.0)],
        Element::Square { centre, side } => vec![(centre.x, centre.y, side / 2.0)],
        &Element::Sector { outer, from, to, .. } => (0..=8)
            .map(|i| from + (to - from) * f64::from(i) / 8.0)
            .map(|angle| (outer * angle.cos(), outer * angle.sin(), 0.0))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn everything_drawn_stays_within_the_guard(
        text in "[0-9AC-HJ-NPR-Z]{6}",
        module in 13.0..25.0,
        diameter in 0.8..3.0,
        flat in any::<bool>(),
        slope in 15.0..45.0,
    ) {
        let guards = Guards { slope: Angle::degrees(slope), ..Guards::default() };
        let options = LayoutOptions { module: Some(Length::um(module)), guards, ..LayoutOptions::default() };
        let diameter = Length::mm(diameter);
        let tip = if flat { Tip::Flat { diameter } } else { Tip::Hemispherical { diameter } };
        let radius = diameter.to_um() / 2.0;
        let allowed = if flat {
            radius - (0.4 * radius).min(100.0)
        } else {
            let touching = (2.0 * radius * 300.0 - 300.0_f64.powi(2)).max(0.0).sqrt();
            let touching = if radius < 300.0 { radius } else { touching };
            (radius * slope.to_radians().sin()).min(touching)
        } - 25.0;
        match lay_out(&Scheme::open_1(), &text, &PIN, &tip, &options) {
            Ok(placed) => for (_, element) in placed.elements() {
                for (x, y, reach) in outermost(element) {
                    prop_assert!((x.hypot(y) + reach) * module <= allowed + 1e-6);
                }
            },
            Err(MarkingError::TooLarge { .. }) => prop_assert!(21.0 * module > allowed - 1e-6),
            Err(MarkingError::Guard(finding)) => prop_assert_eq!(finding.rule, Rule::Gap),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
