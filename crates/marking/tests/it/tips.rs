//! Tips: names, shapes, limits.

use marking::Tip;
use proptest::prelude::*;
use topography::Length;

#[test]
fn tips_are_read_and_written() {
    let cases = [
        ("hemispherical:1.7mm", Tip::Hemispherical { diameter: Length::mm(1.7) }),
        ("flat:1.5mm", Tip::Flat { diameter: Length::mm(1.5) }),
        ("elliptical:1x2mm", Tip::Elliptical { x: Length::mm(1.0), y: Length::mm(2.0) }),
        ("chisel:0.8x1.6mm", Tip::Chisel { width: Length::mm(0.8), length: Length::mm(1.6) }),
        ("breech-face", Tip::BREECH_FACE),
        ("breech-face:2.2x4.2mm", Tip::BreechFace { aperture: Length::mm(2.2), flat: Length::mm(4.2) }),
    ];
    for (text, tip) in cases {
        assert_eq!(text.parse(), Ok(tip), "{text}");
        assert_eq!(tip.to_string(), text);
    }
    let same = ["elliptical:1mmx2mm", "elliptical:1000umx2mm", "elliptical: 1 x 2 mm", "elliptical:1×2mm"];
    for text in same {
        assert_eq!(text.parse(), Ok(cases[2].1), "{text}");
    }
}

#[test]
fn wrong_tips_are_refused_with_the_right_ones() {
    for text in [
        "",
        "round:1mm",
        "hemispherical",
        "hemispherical:",
        "hemispherical:1.7",
        "hemispherical:1.7x1.7mm",
        "hemispherical:-1.7mm",
        "hemispherical:1.7m",
        "flat:NaNmm",
        "elliptical:1mm",
        "elliptical:x2mm",
        "chisel:0.8x1.6",
        "chisel:0.01x1.6mm",
        "breech-face:3mm",
        "breech-face:4x3mm",
    ] {
        let error = text.parse::<Tip>().expect_err(text).to_string();
        assert!(error.contains("hint: hemispherical:1.7mm, flat:1.5mm"), "{error}");
    }
}

#[test]
fn heights_are_those_of_the_ideal_shapes() {
    let cases = [
        ("hemispherical:2mm", (0.0, 0.0), Some(0.0)),
        ("hemispherical:2mm", (0.0, 800.0), Some(-400.0)),
        ("hemispherical:2mm", (800.0, 800.0), None),
        ("flat:1.5mm", (649.0, 0.0), Some(0.0)),
        ("flat:1.5mm", (710.0, 0.0), Some(-20.0)),
        ("flat:1.5mm", (751.0, 0.0), None),
        ("elliptical:1x2mm", (300.0, 0.0), Some(-100.0)),
        ("elliptical:1x2mm", (0.0, 600.0), Some(-100.0)),
        ("chisel:0.8x1.6mm", (299.0, -699.0), Some(0.0)),
        ("chisel:0.8x1.6mm", (360.0, 0.0), Some(-20.0)),
        ("breech-face", (1e6, -1e6), Some(0.0)),
    ];
    for (tip, (x, y), expected) in cases {
        let height = tip.parse::<Tip>().expect(tip).height(Length::um(x), Length::um(y)).map(Length::to_um);
        match (height, expected) {
            (Some(height), Some(expected)) => assert!((height - expected).abs() < 1e-6, "{tip}: {height}"),
            _ => assert_eq!(height, expected, "{tip} at {x}, {y}"),
        }
    }
}

proptest! {
    #[test]
    fn an_ellipse_with_equal_axes_is_a_hemisphere(size in 0.5..5.0, x in -2500.0..2500.0, y in -2500.0..2500.0) {
        let (x, y) = (Length::um(x), Length::um(y));
        let round = Tip::Hemispherical { diameter: Length::mm(size) };
        let ellipse = Tip::Elliptical { x: Length::mm(size), y: Length::mm(size) };
        prop_assert_eq!(round.height(x, y), ellipse.height(x, y));
    }

    #[test]
    fn tips_fall_off_evenly_from_the_middle(kind in 0..5_usize, x in 0.0..1.0, y in 0.0..1.0, nearer in 0.0..1.0) {
        let tips = ["hemispherical:1.7mm", "flat:1.5mm", "elliptical:1x2mm", "chisel:0.8x1.6mm", "breech-face"];
        let tip: Tip = tips[kind].parse().expect("well written");
        let height = |x: f64, y: f64| tip.height(Length::mm(x), Length::mm(y));
        prop_assert_eq!(height(x, y), height(-x, y));
        prop_assert_eq!(height(x, y), height(x, -y));
        if let Some(far) = height(x, y) {
            let near = height(x * nearer, y * nearer).expect("nearer points are on the tip too");
            prop_assert!(far <= near && near <= Length::ZERO);
        }
    }
}
