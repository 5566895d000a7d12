//! Every oddity seen in real files, one hand-made file each: it must be read, and read rightly.

use topography::{Length, Limits, x3p};

use crate::handmade::{Handmade, doubles, plain};

struct Expected {
    valid: usize,
    low_um: f64,
    high_um: f64,
    /// A word that some warning must hold; empty: there must be no warning at all.
    warning: &'static str,
}

const ALL: Expected = Expected { valid: 12, low_um: 0.0, high_um: 11.0, warning: "" };

fn check(file: &Handmade, expected: &Expected) -> x3p::X3p {
    let scan = x3p::read(&file.bytes(), &Limits::default()).unwrap();
    assert_eq!(scan.topography.valid_points(), expected.valid);
    let (low, high) = scan.topography.height_range().unwrap();
    assert!((low.to_um() - expected.low_um).abs() < 1e-9, "lowest {low}");
    assert!((high.to_um() - expected.high_um).abs() < 1e-9, "highest {high}");
    if expected.warning.is_empty() {
        assert_eq!(scan.warnings, Vec::<String>::new());
    } else {
        let told = scan.warnings.iter().any(|warning| warning.contains(expected.warning));
        assert!(told, "`{}` not in {:?}", expected.warning, scan.warnings);
    }
    scan
}

fn micrometres(heights: &[f64]) -> Vec<u8> {
    doubles(&heights.iter().map(|height| height * 1e-6).collect::<Vec<_>>())
}

#[test]
fn a_file_in_order_is_read_without_a_word() {
    let scan = check(&plain(), &ALL);
    assert_eq!(scan.creator.as_deref(), Some("A & B"));
    assert_eq!(scan.instrument.as_deref(), Some("NanoFocus usurf"));
    assert_eq!(scan.date.as_deref(), Some("2011-01-24T13:00:00"));
    assert_eq!(scan.topography.heights[(1, 0)], 1.0);
    assert_eq!(scan.topography.heights[(0, 1)], 4.0);
    assert_eq!(scan.z_type, x3p::ZType::Float64);
}

#[test]
fn containers_of_every_shape_are_read() {
    check(&Handmade { folder: "sample-land/", ..plain() }, &ALL);
    check(&Handmade { folder: "a\\b\\", ..plain() }, &ALL);
    let finder = vec![
        ("__MACOSX/", Vec::new()),
        ("__MACOSX/scan/._main.xml", vec![0, 5, 22, 7]),
        ("__MACOSX/scan/main.xml", vec![0, 5, 22, 7]),
        ("scan/", Vec::new()),
        (".DS_Store", vec![0; 100]),
        ("scan/._main.xml", vec![1, 2, 3]),
    ];
    check(&Handmade { folder: "scan/", junk: finder, ..plain() }, &ALL);
}

#[test]
fn the_right_one_of_several_documents_is_taken() {
    let several = Expected { warning: "3 documents", ..ALL };
    let other = Handmade { size: ("7", "7", "1"), ..plain() }.xml().into_bytes();
    let junk = vec![("old/deeper/main.xml", other), ("domain.xml", b"<x/>".to_vec())];
    check(&Handmade { junk, ..plain() }, &several);
    // A stray document nearer to the top, without any heights beside it.
    let stray = vec![("main.xml", b"<ISO5436_2><Record1/></ISO5436_2>".to_vec())];
    check(
        &Handmade { junk: stray, folder: "scan/", ..plain() },
        &Expected { warning: "scan/main.xml", ..ALL },
    );
}

#[test]
fn roots_and_revisions_of_every_spelling_are_read() {
    for root in [
        "ISO5436_2",
        "ISO5436",
        "q:ISO5436_2 xmlns:q=\"urn:x\"",
        "ISO5436_2 xmlns=\"http://www.opengps.eu/2008/ISO5436_2\"",
    ] {
        check(&Handmade { root, ..plain() }, &ALL);
    }
    for revision in ["ISO5436-2000", "ISO5436 \u{2013} 2000", "ISO25178-72:2017/DAM1", "  ISO5436 - 2000\r\n"]
    {
        check(&Handmade { revision, ..plain() }, &ALL);
    }
    check(
        &Handmade { revision: "home-made 3", ..plain() },
        &Expected { warning: "revision `home-made 3`", ..ALL },
    );
}

#[test]
fn padded_and_odd_numbers_are_read() {
    let padded = Handmade {
        size: ("\r\n   4\r\n", " 3 ", "\t1"),
        pitch: ("\r\n 6.25e-006 \r\n", "+6.25E-006"),
        increment: "\r\n1.0\r\n",
        ..plain()
    };
    let scan = check(&padded, &ALL);
    assert!((scan.topography.pitch.y.to_um() - 6.25).abs() < 1e-12);
}

#[test]
fn whole_numbers_take_increment_and_offset() {
    let words: Vec<u8> = (0..12_i16).flat_map(|step| (step * 100 - 400).to_le_bytes()).collect();
    let file = Handmade { z_type: "I", increment: "1e-8", offset: "-5e-7", data: words, ..plain() };
    let scan = check(&file, &Expected { valid: 12, low_um: -4.5, high_um: 6.5, warning: "" });
    assert_eq!(scan.z_type, x3p::ZType::Int16);

    let longs: Vec<u8> = (0..12_i32).flat_map(|step| (step * 1_000_000).to_le_bytes()).collect();
    let file = Handmade { z_type: "L", increment: "1e-012", data: longs, ..plain() };
    assert_eq!(check(&file, &ALL).z_type, x3p::ZType::Int32);
}

#[test]
fn floats_are_read_and_an_increment_of_one_changes_nothing() {
    let floats: Vec<u8> = (0..12_u8).flat_map(|step| (f32::from(step) * 0.5e-6).to_le_bytes()).collect();
    let scan =
        x3p::read(&Handmade { z_type: "F", data: floats, ..plain() }.bytes(), &Limits::default()).unwrap();
    assert_eq!(scan.topography.heights[(3, 2)], f64::from(11.0_f32 * 0.5e-6) * 1e6);
    assert_eq!(scan.z_type, x3p::ZType::Float32);
    // An increment that is really the instrument's resolution.
    check(&Handmade { increment: "1e-9", ..plain() }, &Expected { warning: "resolution", ..ALL });
    // Micrometres with the increment that makes them metres.
    let data = doubles(&[0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.]);
    check(&Handmade { increment: "1e-6", data, ..plain() }, &ALL);
}

#[test]
fn the_list_of_valid_points_counts_from_the_lowest_bit() {
    let file = Handmade { valid: Some(vec![0x7f, 0xff]), ..plain() };
    let scan = check(&file, &Expected { valid: 11, ..ALL });
    assert!(scan.topography.heights[(3, 1)].is_nan());
    let file = Handmade { valid: Some(vec![0xfe, 0x07]), ..plain() };
    check(&file, &Expected { valid: 10, low_um: 1.0, high_um: 10.0, warning: "" });
}

#[test]
fn missing_points_of_every_kind_are_missing() {
    let kinds =
        [0x7ff8_0000_0000_0000, 0x7ff0_0000_0000_07a2, 0x7ff8_0000_0000_07a2, 0xfff8_0000_0000_0001_u64];
    for bits in kinds {
        let mut data = micrometres(&[0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.]);
        data[8..16].copy_from_slice(&bits.to_le_bytes());
        data[88..96].copy_from_slice(&f64::INFINITY.to_le_bytes());
        data[..8].copy_from_slice(&f64::NEG_INFINITY.to_le_bytes());
        let scan = check(
            &Handmade { data, ..plain() },
            &Expected { valid: 9, low_um: 2.0, high_um: 10.0, warning: "" },
        );
        assert!(scan.topography.heights.samples().iter().all(|height| !height.is_infinite()));
    }
}

#[test]
fn heights_may_be_a_list_in_the_document() {
    let list = vec![
        "0",
        " 1e-006 ",
        "\r\n2e-6\r\n",
        "",
        "NaN",
        "5.e-6",
        "6E-06",
        "7e-6",
        "INF",
        "9e-6",
        "+1e-5",
        "1.1e-5",
    ];
    let scan = check(&Handmade { list: Some(list), ..plain() }, &Expected { valid: 9, ..ALL });
    assert_eq!(scan.z_type, x3p::ZType::Text);
    assert!(scan.topography.heights[(3, 0)].is_nan());
}

#[test]
fn a_wrong_sum_of_the_document_is_only_told() {
    let file = Handmade { document_sum: Some("00000000000000000000000000000000"), ..plain() };
    check(&file, &Expected { warning: "MD5 sum of main.xml is wrong", ..ALL });
    check(
        &Handmade { data_sum: Some(""), ..plain() },
        &Expected { warning: "no MD5 sum of its heights", ..ALL },
    );
}

#[test]
fn pitches_may_differ_and_may_have_the_wrong_unit() {
    let scan = check(&Handmade { pitch: ("2.27998e-6", "2.27979e-6"), ..plain() }, &ALL);
    assert!(scan.topography.pitch.x > scan.topography.pitch.y);
    for (stated, micrometres, unit) in
        [("7.37", 7.37, "micrometres"), ("0.00625", 6.25, "millimetres"), ("3125", 3.125, "nanometres")]
    {
        let scan =
            check(&Handmade { pitch: (stated, stated), ..plain() }, &Expected { warning: unit, ..ALL });
        assert!((scan.topography.pitch.x - Length::um(micrometres)).to_um().abs() < 1e-9);
    }
}

#[test]
fn heights_may_have_the_wrong_unit() {
    let data = doubles(&[0.5, 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.]);
    check(&Handmade { data, ..plain() }, &Expected { low_um: 0.5, warning: "read as micrometres", ..ALL });
    let grey: Vec<f64> = (0..12).map(|step| f64::from(step) * 20.0 + 27.0).collect();
    let expected = Expected { valid: 12, low_um: 27.0, high_um: 247.0, warning: "grey levels" };
    check(&Handmade { data: doubles(&grey), ..plain() }, &expected);
}

#[test]
fn masks_are_read_where_they_fit() {
    let mut picture = image::RgbImage::from_pixel(4, 3, image::Rgb([0xcd, 0x7f, 0x32]));
    picture.put_pixel(2, 1, image::Rgb([255, 0, 0]));
    let png = |picture: image::RgbImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let extra = "<Mask><Background>#cd7f32</Background><Annotations/><Version>2</Version></Mask>";
    let junk = vec![("bindata/mask.png", png(picture))];
    let mask = check(&Handmade { extra, junk, ..plain() }, &ALL).mask.unwrap();
    assert_eq!(mask.background, [0xcd, 0x7f, 0x32]);
    assert_eq!(mask.marked.samples().iter().filter(|&&marked| marked).count(), 1);
    assert!(mask.marked[(2, 1)]);

    assert!(check(&Handmade { extra, ..plain() }, &ALL).mask.is_none());
    let junk = vec![("bindata/mask.png", png(image::RgbImage::new(2, 2)))];
    let scan =
        check(&Handmade { extra, junk, ..plain() }, &Expected { warning: "mask cannot be used", ..ALL });
    assert!(scan.mask.is_none());
}

#[test]
fn a_stated_rotation_is_told() {
    let axes = "<Rotation><r11>0</r11><r12>1</r12><r22>0</r22></Rotation>";
    check(&Handmade { axes, ..plain() }, &Expected { warning: "rotation", ..ALL });
    let axes = "<Rotation><r11>1</r11><r12>0</r12><r22>1.0</r22></Rotation>";
    check(&Handmade { axes, ..plain() }, &ALL);
}
