//! Files that must be refused: in one sentence, quickly, and without much memory.

use topography::{FileError, Limits, x3p};

use crate::handmade::{Handmade, plain, zip_up};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Damaged,
    Unsupported,
    Limit,
}

fn check(bytes: &[u8], kind: Kind, sentence: &str) {
    let error = x3p::read(bytes, &Limits::default()).unwrap_err();
    let seen = match error {
        FileError::Damaged(_) => Kind::Damaged,
        FileError::Unsupported(_) => Kind::Unsupported,
        FileError::Limit { .. } => Kind::Limit,
        FileError::Parameter(_) => panic!("nobody asked for anything: {error}"),
    };
    let text = error.to_string();
    assert_eq!(seen, kind, "{text}");
    assert!(text.contains(sentence), "`{sentence}` not in `{text}`");
    assert!(!text.contains('\n') && !text.ends_with('.'), "not one sentence: {text}");
}

#[test]
fn what_is_no_scan_is_refused() {
    check(b"", Kind::Damaged, "empty");
    check(b"\x89PNG\r\n", Kind::Damaged, "does not begin like a zip file");
    check(b"PK\x03\x04 and then nothing", Kind::Damaged, "table of contents");
    check(&zip_up(&[("readme.txt".to_owned(), b"hello".to_vec())]), Kind::Damaged, "no main.xml");
    let html = zip_up(&[("main.xml".to_owned(), b"<html><body/></html>".to_vec())]);
    check(&html, Kind::Damaged, "none of the records");
    let broken = zip_up(&[("main.xml".to_owned(), b"<ISO5436_2><Record1></Record2>".to_vec())]);
    check(&broken, Kind::Damaged, "not well-formed");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let whole = plain().bytes();
    for kept in 0..whole.len() {
        assert!(
            x3p::read(&whole[..kept], &Limits::default()).is_err(),
            "{kept} of {} bytes were read",
            whole.len()
        );
    }
}

#[test]
fn changed_heights_are_refused() {
    let sum = Some("0123456789abcdef0123456789abcdef");
    check(
        &Handmade { data_sum: sum, ..plain() }.bytes(),
        Kind::Damaged,
        "MD5 sum of the heights does not match",
    );
    let mut bytes = plain().bytes();
    let at = bytes.windows(8).position(|window| window == b"data.bin").unwrap() + 20;
    bytes[at] ^= 0x40;
    assert!(x3p::read(&bytes, &Limits::default()).is_err());
}

#[test]
fn contradictions_are_refused() {
    check(
        &Handmade { size: ("5", "3", "1"), ..plain() }.bytes(),
        Kind::Damaged,
        "15 points of type float64 need 120",
    );
    check(&Handmade { z_type: "F", ..plain() }.bytes(), Kind::Damaged, "holds 96 bytes");
    check(
        &Handmade { list: Some(vec!["1e-6"; 11]), ..plain() }.bytes(),
        Kind::Damaged,
        "states 12 points and lists 11",
    );
    check(&Handmade { list: Some(vec!["x"; 12]), ..plain() }.bytes(), Kind::Damaged, "not a number: `x`");
    check(&Handmade { valid: Some(vec![0xff]), ..plain() }.bytes(), Kind::Damaged, "holds 1 bytes");
    check(&Handmade { size: ("four", "3", "1"), ..plain() }.bytes(), Kind::Damaged, "not a number: `four`");
    check(&Handmade { size: ("0", "3", "1"), ..plain() }.bytes(), Kind::Damaged, "no points");
    check(&Handmade { size: ("-4", "3", "1"), ..plain() }.bytes(), Kind::Damaged, "not a count");
    check(
        &Handmade { pitch: ("0", "1e-6"), ..plain() }.bytes(),
        Kind::Damaged,
        "distance between points (CX)",
    );
    check(&Handmade { z_type: "", ..plain() }.bytes(), Kind::Damaged, "type of the heights");
}

#[test]
fn other_kinds_of_measurement_are_named() {
    check(&Handmade { size: ("4", "3", "2"), ..plain() }.bytes(), Kind::Unsupported, "2 layers");
    check(&Handmade { feature: "PRF", ..plain() }.bytes(), Kind::Unsupported, "profile");
    check(&Handmade { size: ("12", "1", "1"), ..plain() }.bytes(), Kind::Unsupported, "profile of 12 x 1");
    check(&Handmade { feature: "PCL", ..plain() }.bytes(), Kind::Unsupported, "point cloud");
    check(&Handmade { z_type: "Q", ..plain() }.bytes(), Kind::Unsupported, "type `Q`");
    let extra = "<ListDimension>12</ListDimension>";
    check(&Handmade { extra, ..plain() }.bytes(), Kind::Unsupported, "free points");
    let absolute =
        String::from_utf8(plain().xml().into_bytes()).unwrap().replacen("<AxisType>I", "<AxisType>A", 1);
    let file = zip_up(&[
        ("main.xml".to_owned(), absolute.into_bytes()),
        ("bindata/data.bin".to_owned(), vec![0; 96]),
    ]);
    check(&file, Kind::Unsupported, "one by one");
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_asked_for() {
    for size in ["4294967295", "999999999999", "1e17"] {
        check(
            &Handmade { size: (size, size, "1"), ..plain() }.bytes(),
            Kind::Limit,
            "too many samples a side",
        );
    }
    check(
        &Handmade { size: ("30000", "30000", "1"), ..plain() }.bytes(),
        Kind::Limit,
        "too many samples: 900000000",
    );
    check(&Handmade { size: ("8000", "8000", "1"), ..plain() }.bytes(), Kind::Damaged, "holds 96 bytes");
}

#[test]
fn a_zip_bomb_is_refused() {
    let bomb = Handmade { size: ("5000", "4000", "1"), data: vec![0; 5000 * 4000 * 8], ..plain() };
    check(&bomb.bytes(), Kind::Damaged, "zip bomb");
    let bomb = Handmade { junk: vec![("main.xml", vec![b' '; 65 << 20])], folder: "x/", ..plain() };
    // The bomb is not the scan, and the scan is read without unpacking it.
    assert!(x3p::read(&bomb.bytes(), &Limits::default()).is_ok());
    let bomb = zip_up(&[("main.xml".to_owned(), vec![b'<'; 130 << 20])]);
    check(&bomb, Kind::Damaged, "zip bomb");
    let nested = zip_up(&[("main.xml".to_owned(), "<a>".repeat(1_000_000).into_bytes())]);
    check(&nested, Kind::Damaged, "nests");
    let wide = zip_up(&[(
        "main.xml".to_owned(),
        format!("<r>{}</r>", (0..20_000).map(|n| format!("<a{n}/>")).collect::<String>()).into_bytes(),
    )]);
    check(&wide, Kind::Limit, "too many elements");
}

#[test]
fn the_callers_limits_hold() {
    let bytes = plain().bytes();
    let strict = [
        Limits { file_bytes: 100, ..Limits::default() },
        Limits { side: 3, ..Limits::default() },
        Limits { samples: 11, ..Limits::default() },
        Limits { unpacked_bytes: 95, ..Limits::default() },
    ];
    for limits in strict {
        assert!(matches!(x3p::read(&bytes, &limits), Err(FileError::Limit { .. })), "{limits:?}");
    }
    let exact = Limits { file_bytes: bytes.len() as u64, side: 4, samples: 12, unpacked_bytes: 4096 };
    assert!(x3p::read(&bytes, &exact).is_ok());
}
