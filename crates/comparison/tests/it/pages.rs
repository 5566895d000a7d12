//! The page of a comparison shows what it says.

use comparison::evidence::Calibration;
use comparison::{MarkKind, Preset, compare, picture, prepare};

use crate::faces;

#[test]
fn a_page_marks_the_pair_among_the_reference_pairs() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let [a, b] = [faces::face(1), faces::turned(1, 20.0)].map(|scan| prepare(&scan, &preset).unwrap());
    let result = compare(&a, &b).unwrap();
    let calibration = Calibration::built_in();
    let weight = calibration.weigh(&result).unwrap();
    let page = picture::page([("<one>", &a), ("other", &b)], &result, Some((&calibration, &weight)));
    for expected in [
        "<h1>&lt;one&gt; against other</h1>",
        &format!("this pair: {}", result.congruent()),
        "63 reference pairs of one firearm (blue) and the 717 of two (orange)",
        "real cases",
        "µm",
        "turned by 20.",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    assert!(!page.contains("NaN") && !page.contains("http"), "one file, nothing loaded");
    // Without a calibration there is no reference population to stand among.
    let page = picture::page([("one", &a), ("other", &b)], &result, None);
    assert!(!page.contains("reference pairs"));
}
