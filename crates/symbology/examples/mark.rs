//! Draws every mark of a code, as seen on the case, into one SVG picture.
//!
//! `cargo run -p symbology --example mark [code] [mark.svg]`

use std::fmt::Write as _;
use std::fs;

use symbology::geometry::{Element, Point, draw, layout};
use symbology::{Mark, Scheme};

/// Room round a mark, and pixels to the module.
const ROOM: f64 = 2.0;
const SCALE: f64 = 12.0;

#[allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "K73M XPKA".to_owned());
    let path = std::env::args().nth(2).unwrap_or_else(|| "mark.svg".to_owned());
    let scheme = Scheme::open_1();
    let word = scheme.word(&text)?;
    // Characters and gear ring share a place: they are engraved together.
    let groups: [&[Mark]; 4] =
        [&[Mark::Characters, Mark::Gear], &[Mark::Dots], &[Mark::Radial], &[Mark::Matrix]];
    let mut body = String::new();
    let mut left = 0.0;
    let mut height: f64 = 0.0;
    for group in groups {
        let extents = group.iter().filter_map(|&mark| layout(&scheme, mark)).map(|layout| layout.extent());
        let extent = ROOM + extents.fold(0.0, f64::max);
        writeln!(body, r#"<g transform="translate({} {extent})">"#, left + extent)?;
        for element in group.iter().flat_map(|&mark| draw(&scheme, mark, &word)) {
            writeln!(body, "{}", shape(&element))?;
        }
        writeln!(body, "</g>")?;
        left += 2.0 * extent;
        height = height.max(2.0 * extent);
    }
    let picture = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" viewBox="0 0 {left} {height}">
<rect width="{left}" height="{height}" fill="#fff"/>
{body}</svg>
"##,
        left * SCALE,
        height * SCALE
    );
    fs::write(&path, picture)?;
    println!("{} drawn to {path}", scheme.text(&word));
    Ok(())
}

fn shape(element: &Element) -> String {
    let list = |points: &[Point]| -> String {
        points.iter().map(|p| format!("{:.3},{:.3}", p.x, p.y)).collect::<Vec<_>>().join(" ")
    };
    match element {
        Element::Stroke { points, width } => format!(
            r#"<polyline points="{}" fill="none" stroke="black" stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round"/>"#,
            list(points)
        ),
        Element::Sector { inner, outer, from, to } => {
            let steps = 8;
            let angle = |k: i32| from + (to - from) * f64::from(k) / f64::from(steps);
            let at = |radius: f64, angle: f64| Point { x: radius * angle.cos(), y: radius * angle.sin() };
            let mut points: Vec<Point> = (0..=steps).map(|k| at(*outer, angle(k))).collect();
            points.extend((0..=steps).rev().map(|k| at(*inner, angle(k))));
            format!(r#"<polygon points="{}"/>"#, list(&points))
        }
        Element::Dot { centre, diameter } => {
            format!(r#"<circle cx="{:.3}" cy="{:.3}" r="{}"/>"#, centre.x, centre.y, diameter / 2.0)
        }
        Element::Square { centre, side } => {
            let corner = |c: f64| c - side / 2.0;
            format!(
                r#"<rect x="{:.3}" y="{:.3}" width="{side}" height="{side}"/>"#,
                corner(centre.x),
                corner(centre.y)
            )
        }
    }
}
