//! `engrave` from the shell: the files it writes, and how it refuses.

use std::fs;

use assert_cmd::Command;
use topography::{Limits, x3p};

/// Runs `microstamp engrave …` and returns exit code, standard output and standard error.
fn engrave(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("microstamp").unwrap();
    let output = command.arg("engrave").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_kind_of_artwork_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let heads: [(&str, &[u8]); 4] = [
        ("pin.svg", b"<?xml"),
        ("pin.dxf", b"999\r\ncode: K73M XPKA"),
        ("pin.x3p", b"PK"),
        ("pin.png", b"\x89PNG"),
    ];
    for (name, head) in heads {
        let path = folder.path().join(name);
        let (exit, out, remark) = engrave(&["K73M XPKA", "-o", path.to_str().unwrap()]);
        assert_eq!((exit, out.as_str()), (0, ""), "{remark}");
        assert_eq!(remark, "K73M XPKA on hemispherical:1.7mm: module 19.0 µm, 798 µm across, tool raised\n");
        assert!(fs::read(path).unwrap().starts_with(head), "{name}");
    }
    let (exit, out, _) = engrave(&["0H5K B4M3", "--scheme", "plain-8", "--view", "case", "-o", "-"]);
    assert_eq!(exit, 0);
    assert!(out.contains("mirrored=\"false\"") && out.contains("code=\"0H5K B4M3\""));
}

#[test]
fn a_height_map_is_the_mark_alone_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mark.x3p");
    let path = path.to_str().unwrap();
    let mut mirrored = Vec::new();
    for view in ["case", "tool"] {
        let (exit, _, _) =
            engrave(&["K73MXP", "--view", view, "--form", "without", "--pitch", "2um", "-o", path]);
        assert_eq!(exit, 0);
        let scan = x3p::read(&fs::read(path).unwrap(), &Limits::default()).unwrap();
        assert!(scan.warnings.is_empty(), "{:?}", scan.warnings);
        let heights = scan.topography.heights;
        assert_eq!((heights.width(), heights.height()), (501, 501));
        let (low, high) =
            heights.samples().iter().fold((0.0_f64, 0.0_f64), |(l, h), &z| (l.min(z), h.max(z)));
        assert!(low == 0.0 && (high - 25.0).abs() < 0.1, "{low} to {high} µm");
        mirrored.push(heights);
    }
    for y in 0..501 {
        let turned: Vec<f64> = mirrored[1].row(y).iter().rev().copied().collect();
        assert_eq!(turned, mirrored[0].row(y));
    }
}

#[test]
fn refusals_say_what_would_do() {
    let check = |arguments: &[&str], exit: i32, says: &str| {
        let (code, _, text) = engrave(&[arguments, &["-o", "-"]].concat());
        assert_eq!(code, exit, "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    };
    check(
        &["K73MXP", "--tip", "hemispherical:1.4mm"],
        4,
        "the largest that fits is characters and gear at a module of 15.4 µm",
    );
    check(&["K73MXP", "--height", "40um"], 4, "relief: 40.0 µm, must be at most 30.0 µm");
    check(&["K73MXP", "--marks", "characters,matrix"], 4, "lie on one another");
    check(&["K73MXP", "--tip", "round"], 2, "hint: hemispherical:1.7mm");
    check(&["K73MXP", "--scheme", "open-2"], 2, "open-1, plain-8, round-1");
    check(&["K73MXPKB"], 2, "`K73M XPKA`");
    let (code, _, text) = engrave(&["K73MXP", "-o", "pin.pdf"]);
    assert_eq!(code, 2);
    assert!(text.contains("end it in .svg, .dxf"), "{text}");
}
