//! Artwork: what an engraver's program sees in the files.

use std::collections::BTreeSet;

use marking::{
    ArtworkOptions, Form, LayoutOptions, Lines, PlacedMark, Relief, View, dxf, height_map, lay_out, svg,
};
use symbology::{Mark, Scheme};
use topography::Length;

use crate::placed;

const PIN: [Mark; 2] = [Mark::Characters, Mark::Gear];

/// A closed path of straight lines and arcs, as an SVG reader understands it.
#[derive(Clone, Debug, Default)]
struct Path {
    points: Vec<(f64, f64)>,
}

impl Path {
    /// The signed area: positive clockwise to the eye.
    fn area(&self) -> f64 {
        let count = self.points.len();
        let cross = |i: usize| {
            let ((ax, ay), (bx, by)) = (self.points[i], self.points[(i + 1) % count]);
            ax * by - bx * ay
        };
        (0..count).map(cross).sum::<f64>() / 2.0
    }

    /// SVG 1.1, appendix F.6.5, for circular arcs of less than half a turn.
    fn arc_to(&mut self, radius: f64, sweep: bool, to: (f64, f64)) {
        let from = *self.points.last().expect("an arc starts somewhere");
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let chord = dx.hypot(dy);
        let height = (radius * radius - chord * chord / 4.0).max(0.0).sqrt() * if sweep { 1.0 } else { -1.0 };
        let centre = (
            f64::midpoint(from.0, to.0) - dy / chord * height,
            f64::midpoint(from.1, to.1) + dx / chord * height,
        );
        let start = (from.1 - centre.1).atan2(from.0 - centre.0);
        let half = (chord / 2.0 / radius).min(1.0).asin() * if sweep { 1.0 } else { -1.0 };
        for i in 1..=40 {
            let angle = start + 2.0 * half * f64::from(i) / 40.0;
            self.points.push((centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin()));
        }
        let end = self.points.last().expect("just pushed");
        assert!((end.0 - to.0).hypot(end.1 - to.1) < 1e-5, "the arc ends where it says");
    }
}

fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let start = element.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{element} has no {name}"));
    element[start + name.len() + 3..].split('"').next().expect("an attribute is closed")
}

fn path(d: &str) -> Path {
    let mut words = d.split(' ');
    let mut path = Path::default();
    while let Some(word) = words.next() {
        let mut number = || words.next().expect("a number").parse::<f64>().expect("a number");
        match word {
            "M" | "L" => {
                let at = (number(), number());
                path.points.push(at);
            }
            "A" => {
                let [radius, same, turn, large, sweep, x, y] = std::array::from_fn(|_| number());
                assert_eq!((radius, turn, large), (same, 0.0, 0.0));
                path.arc_to(radius, sweep == 1.0, (x, y));
            }
            "Z" => assert_eq!(words.next(), None),
            other => panic!("{other} is not in the paths of this program"),
        }
    }
    path
}

/// The lines of one layer, between its `<g>` and `</g>`.
fn layer<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = text.find(&format!("<g id=\"{name}\"")).unwrap_or_else(|| panic!("no layer {name}"));
    text[start..].lines().skip(1).take_while(|line| *line != "</g>").collect()
}

fn outlined_area_um(text: &str, marks: &[Mark]) -> f64 {
    let mut area = 0.0;
    for mark in marks {
        for line in layer(text, &format!("{mark}-outlines")) {
            area += if line.starts_with("<circle") {
                let radius: f64 = attribute(line, "r").parse().expect("a number");
                std::f64::consts::PI * radius * radius
            } else {
                path(attribute(line, "d")).area()
            };
        }
    }
    area * 1e6
}

fn drawn_area_um(mark: &PlacedMark, pitch: f64) -> f64 {
    let map =
        height_map(mark, Length::um(pitch), Relief::Raised, View::Case, Form::Without).expect("allowed");
    map.heights.samples().iter().sum::<f64>() / mark.relief_height().to_um() * pitch * pitch
}

fn case() -> ArtworkOptions {
    ArtworkOptions { view: View::Case, relief: Relief::Sunk, lines: Lines::Both }
}

fn samples() -> Vec<(PlacedMark, Vec<Mark>)> {
    let tip = "flat:1.5mm".parse().expect("a tip");
    let plain =
        |text| lay_out(&Scheme::plain_8(), text, &[Mark::Characters], &tip, &LayoutOptions::default());
    vec![
        (placed("K73MXP", &PIN, "hemispherical:1.7mm"), PIN.to_vec()),
        (placed("0A4R8P", &[Mark::Matrix], "flat:1.5mm"), vec![Mark::Matrix]),
        (plain("0H5KB4M3").expect("it fits"), vec![Mark::Characters]),
        (plain("08QBDOAW").expect("it fits"), vec![Mark::Characters]),
    ]
}

#[test]
fn outlines_enclose_what_is_drawn() {
    for (mark, marks) in samples() {
        let (outlined, drawn) = (outlined_area_um(&svg(&mark, case()), &marks), drawn_area_um(&mark, 2.0));
        assert!((outlined / drawn - 1.0).abs() < 3e-3, "{}: {outlined} against {drawn}", mark.text());
    }
}

#[test]
fn breech_face_marks_are_outlined_as_well() {
    for marks in [[Mark::Dots], [Mark::Radial]] {
        let mark = placed("K73MXP", &marks, "breech-face");
        let (outlined, drawn) = (outlined_area_um(&svg(&mark, case()), &marks), drawn_area_um(&mark, 5.0));
        assert!((outlined / drawn - 1.0).abs() < 3e-3, "{marks:?}: {outlined} against {drawn}");
        assert_eq!(mark.module(), Length::um(60.0));
    }
}

#[test]
fn the_tool_is_the_mirror_image_of_the_case() {
    for (mark, _) in samples() {
        let tool = svg(&mark, ArtworkOptions { view: View::Tool, ..case() });
        let case = svg(&mark, case());
        let drawn = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| line.starts_with("<path") || line.starts_with("<circle"))
                .map(str::to_owned)
                .collect()
        };
        let (tool, case) = (drawn(&tool), drawn(&case));
        assert_eq!(tool.len(), case.len());
        for (tool, case) in tool.iter().zip(&case) {
            assert_eq!(&turned(tool), case);
            assert_eq!(&turned(&turned(tool)), tool);
        }
    }
}

/// A path or circle with every `x` negated and every arc turned round.
fn turned(line: &str) -> String {
    let negated = |x: &str| match x.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None if x == "0" => x.to_owned(),
        None => format!("-{x}"),
    };
    if line.starts_with("<circle") {
        let x = attribute(line, "cx");
        return line.replacen(&format!("cx=\"{x}\""), &format!("cx=\"{}\"", negated(x)), 1);
    }
    let d = attribute(line, "d");
    let mut words: Vec<String> = d.split(' ').map(str::to_owned).collect();
    for i in 0..words.len() {
        match words[i].as_str() {
            "M" | "L" => words[i + 1] = negated(&words[i + 1]),
            "A" => {
                words[i + 5] = String::from(if words[i + 5] == "1" { "0" } else { "1" });
                words[i + 6] = negated(&words[i + 6]);
            }
            _ => {}
        }
    }
    line.replacen(d, &words.join(" "), 1)
}

#[test]
fn svg_says_what_it_shows() {
    let pin = placed("K73MXP", &PIN, "hemispherical:1.7mm");
    let check = |options: ArtworkOptions, expected: &[(&str, &str)]| {
        let text = svg(&pin, options);
        let head = text.split("</metadata>").next().expect("there is metadata").replace('\n', " ");
        for (name, value) in expected {
            assert_eq!(attribute(&head, name), *value, "{name}");
        }
    };
    let tool = [("view", "tool"), ("mirrored", "true"), ("relief", "raised"), ("module-um", "19")];
    check(ArtworkOptions::default(), &tool);
    let read = [("view", "case"), ("mirrored", "false"), ("relief", "sunk"), ("code", "K73M XPKA")];
    check(case(), &read);
    check(case(), &[("width", "0.998mm"), ("viewBox", "-0.499 -0.499 0.998 0.998"), ("pen-um", "22.8")]);
    let names = |lines| {
        let text = svg(&pin, ArtworkOptions { lines, ..case() });
        text.lines()
            .filter(|line| line.starts_with("<g "))
            .map(|line| attribute(line, "id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Lines::CentreLines), ["characters-centre-lines", "gear-centre-lines"]);
    assert_eq!(names(Lines::Outlines), ["characters-outlines", "gear-outlines"]);
    assert_eq!(names(Lines::Both).len(), 4);
}

/// The pairs of group code and value of a DXF file.
fn groups(text: &str) -> Vec<(u16, &str)> {
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.last(), Some(&""));
    let pairs = lines[..lines.len() - 1].chunks_exact(2);
    assert!(pairs.remainder().is_empty());
    pairs.map(|pair| (pair[0].trim().parse().expect("a group code"), pair[1])).collect()
}

#[test]
fn dxf_is_well_formed_and_in_millimetres() {
    for (mark, marks) in samples() {
        let text = dxf(&mark, case());
        assert!(text.is_ascii());
        let groups = groups(&text);
        let count = |value: &str| groups.iter().filter(|group| **group == (0, value)).count();
        assert_eq!((count("SECTION"), count("ENDSEC"), count("EOF")), (3, 3, 1));
        assert_eq!(count("POLYLINE"), count("SEQEND"));
        assert!(groups.contains(&(999, "units: mm")));
        let used: BTreeSet<&str> =
            groups.iter().filter(|(code, _)| *code == 8).map(|(_, name)| *name).collect();
        let declared: BTreeSet<&str> =
            groups.windows(2).filter(|two| two[0] == (0, "LAYER")).map(|two| two[1].1).collect();
        assert_eq!(used, declared);
        assert_eq!(used.len(), 2 * marks.len());
        let reach = mark.extent().to_mm() + 1e-6;
        let entities = groups.iter().skip_while(|group| **group != (2, "ENTITIES"));
        for (code, value) in entities.filter(|(code, _)| [10, 20].contains(code)) {
            let value: f64 = value.parse().expect("a number");
            assert!(value.abs() <= reach, "{code}: {value}");
        }
    }
}

#[test]
fn dxf_and_svg_have_the_same_corners() {
    let pin = placed("K73MXP", &[Mark::Characters], "hemispherical:1.7mm");
    let options = ArtworkOptions { lines: Lines::CentreLines, ..case() };
    let text = dxf(&pin, options);
    let groups = groups(&text);
    let vertices = groups.windows(4).filter(|four| four[0] == (0, "VERTEX"));
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let dxf_corners: Vec<(f64, f64)> = vertices.map(|v| (number(v[2].1), number(v[3].1))).collect();
    let text = svg(&pin, options);
    let svg_corners: Vec<(f64, f64)> = layer(&text, "characters-centre-lines")
        .iter()
        .flat_map(|line| path(attribute(line, "d")).points)
        .map(|(x, y)| (x, -y))
        .collect();
    assert_eq!(dxf_corners, svg_corners);
}
