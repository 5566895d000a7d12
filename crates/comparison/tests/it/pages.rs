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

/// What is drawn in register lies wholly within the frame, whichever way and however far one lies on the other; congruent cells
/// are outlined on both and cover the same relief.
#[test]
fn pictures_in_register_cut_nothing_off() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let whole = faces::face(3);
    let part = |scan: &topography::Topography, left: usize, top: usize| topography::Topography {
        heights: scan.heights.crop(left, top, 560 - left, 560 - top),
        pitch: scan.pitch,
    };
    let a = prepare(&part(&whole, 0, 180), &preset).unwrap();
    for (degrees, left, top, is_one) in
        [(0.0, 200, 0, true), (77.0, 0, 0, true), (180.0, 150, 150, true), (0.0, 0, 200, false)]
    {
        let scan = faces::turned(if is_one { 3 } else { 4 }, degrees);
        let b = prepare(&part(&scan, left, top), &preset).unwrap();
        let result = compare(&a, &b).unwrap();
        assert_eq!(result.converged, is_one);
        let [one, other] = picture::in_register(&a, &b, &result);
        assert_eq!((one.width(), one.height()), (other.width(), other.height()));
        let green = |[r, g, b]: [u8; 3]| g > 200 && r < 100 && b < 150;
        for picture in [&one, &other] {
            let ground = picture[(0, 0)];
            let (right, bottom) = (picture.width() - 1, picture.height() - 1);
            let edge = (0..=right).flat_map(|x| [(x, 0), (x, bottom)]);
            let edge = edge.chain((0..=bottom).flat_map(|y| [(0, y), (right, y)]));
            assert!(
                edge.into_iter().all(|at| picture[at] == ground),
                "{degrees}: something reaches the edge"
            );
            let outlined = picture.samples().iter().filter(|colour| green(**colour)).count();
            assert_eq!(outlined > 100, is_one, "{degrees}: {outlined}");
        }
        if is_one {
            // Grey where both are measured: in register the two agree.
            let relief = |[r, g, b]: [u8; 3]| (r == g && g == b).then_some(f64::from(r));
            let pairs: Vec<[f64; 2]> = one
                .samples()
                .iter()
                .zip(other.samples())
                .filter_map(|(p, q)| Some([relief(*p)?, relief(*q)?]))
                .collect();
            assert!(correlation(&pairs) > 0.8, "{degrees}: {}", correlation(&pairs));
        }
    }
}

fn correlation(pairs: &[[f64; 2]]) -> f64 {
    let n = pairs.len() as f64;
    let mean = [0, 1].map(|k| pairs.iter().map(|pair| pair[k]).sum::<f64>() / n);
    let product =
        |i: usize, j: usize| pairs.iter().map(|pair| (pair[i] - mean[i]) * (pair[j] - mean[j])).sum::<f64>();
    product(0, 1) / (product(0, 0) * product(1, 1)).sqrt()
}

/// Rows of different size stand below each other, each under its own words.
#[test]
fn rows_of_pictures_hold_every_picture_and_its_words() {
    let plain = |width: usize, height: usize, grey: u8| topography::Grid::filled(width, height, [grey; 3]);
    let words = |text: &str| [text.to_owned(), "no common place found".to_owned()];
    let rows = [
        ([plain(500, 200, 90), plain(500, 200, 91)], words("1: case_a.x3p")),
        ([plain(40, 30, 92), plain(40, 30, 93)], words(&"long ".repeat(100))),
    ];
    let picture = picture::side_by_side(&rows);
    for (grey, samples) in [(90, 100_000), (91, 100_000), (92, 1200), (93, 1200)] {
        assert_eq!(
            picture.samples().iter().filter(|colour| **colour == [grey; 3]).count(),
            samples,
            "{grey}"
        );
    }
    let written = |from: usize, to: usize, half: usize| {
        let width = picture.width() / 2;
        (from..to).any(|y| (half * width..(half + 1) * width).any(|x| picture[(x, y)] == [255; 3]))
    };
    let second = 200 + (picture.height() - 230) / 2;
    assert!((0..2).all(|half| written(0, 30, half) && written(second, picture.height() - 40, half)));
}
