//! Tools with a form of their own, and parts that press flat.

use impression::{Ammunition, Conditions, Firearm, strike};
use marking::{Form, LayoutOptions, Relief, Tip, View, height_map, lay_out};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use symbology::{Mark, Scheme};
use topography::{Length, Topography};

use crate::mark::{UPRIGHT, bench, with};

const PIN: [Mark; 2] = [Mark::Characters, Mark::Gear];

fn engraved(tip: &str, form: Form, relief: Relief) -> Topography {
    let tip: Tip = tip.parse().expect("it is a tip");
    let placed =
        lay_out(&Scheme::open_1(), "K73MXP", &PIN, &tip, &LayoutOptions::default()).expect("it fits");
    height_map(&placed, Length::um(2.0), relief, View::Tool, form).expect("the pitch is allowed")
}

fn clean() -> Conditions {
    let mut settings = UPRIGHT.to_vec();
    settings.extend([("roughness", "0um"), ("machining", "0um"), ("depth", "25um")]);
    with("level-0", &settings)
}

#[test]
fn relief_is_the_same_with_and_without_form() {
    for tip in ["hemispherical:1.7mm", "hemispherical:2.3mm", "flat:1.5mm", "elliptical:1.7x2.4mm"] {
        for relief in [Relief::Raised, Relief::Sunk] {
            let plain = bench(&engraved(tip, Form::Without, relief), &clean(), 1).truth;
            let formed = bench(&engraved(tip, Form::With, relief), &clean(), 1).truth;
            assert!(
                (plain.transfer / formed.transfer - 1.0).abs() < 0.1,
                "{tip}: {} {}",
                plain.transfer,
                formed.transfer
            );
            let mut most = 0.0f64;
            for y in 56..456 {
                for x in 56..456 {
                    if (x as f64 - 255.5).hypot(y as f64 - 255.5) < 200.0 {
                        let (a, b) = (plain.mark.heights[(x, y)], formed.mark.heights[(x, y)]);
                        most = most.max((a / plain.transfer - b / formed.transfer).abs());
                    }
                }
            }
            assert!(most < 1.0, "{tip}, {relief:?}: relief is off by {most} µm");
        }
    }
}

#[test]
fn the_bowl_is_the_mirror_of_the_tip() {
    let tool = engraved("hemispherical:1.7mm", Form::With, Relief::Raised);
    let bowl =
        bench(&tool, &with("level-0", &[("depth", "0um"), UPRIGHT[0], UPRIGHT[1], UPRIGHT[2]]), 1).surface;
    let rise = bowl.heights[(256 + 150, 256)] - bowl.heights[(256, 256)];
    let sagitta = 850.0 - (850.0f64 * 850.0 - 300.0 * 300.0).sqrt();
    assert!((rise - sagitta).abs() < 2.0, "{rise} instead of {sagitta}");
}

#[test]
fn a_breech_face_prints_dots_on_a_flat_primer() {
    let tool = super::tool::engraved("K73MXP", &[Mark::Dots], Length::um(60.0));
    let shot = with("level-1", &[("field", "4000um"), ("pitch", "4um")]);
    let firearm = Firearm::preset("breech-face").expect("it is built in");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let struck = strike(&tool, &firearm, &Ammunition::default(), &shot, None, &mut rng).expect("it strikes");
    assert_eq!(struck.truth.crater, Length::ZERO);
    let (low, high) = struck.surface.height_range().expect("nothing is missing");
    assert!(low > Length::um(-16.0) && high < Length::um(8.0), "{low} to {high}");
    let sunk = struck.truth.mark.heights.samples().iter().filter(|z| **z < -3.0).count();
    assert!(sunk > 1000, "{sunk} points of dots");
}
