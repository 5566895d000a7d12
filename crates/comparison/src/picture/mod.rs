//! A page that shows a comparison: both surfaces side by side, the cells in register, their correlation, the alignment, and
//! the pair among the reference pairs.
//!
//! One self-contained HTML page, a pure function of its inputs: heights travel as grey values, a few lines of script draw
//! them. Nothing is loaded from anywhere.

mod canvas;
mod histogram;
mod letters;
mod register;

use std::fmt::Write as _;

use crate::compare::Comparison;
use crate::evidence::{Calibration, LikelihoodRatio, verbal};
use crate::raster::Raster;
use crate::surface::Surface;

pub use register::{in_register, side_by_side};

/// Heights of this many standard deviations are black and white.
const CONTRAST: f32 = 2.5;

/// The page for a comparison of two named surfaces, with its weight where a calibration gave one.
pub fn page(
    surfaces: [(&str, &Surface); 2],
    comparison: &Comparison,
    weight: Option<(&Calibration, &LikelihoodRatio)>,
) -> String {
    let [(one, a), (other, b)] = surfaces;
    let title = format!("{} against {}", escaped(one), escaped(other));
    let mut page = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title><style>{STYLE}</style></head><body>\
         <h1>{title}</h1>"
    );
    page.push_str(&facts(comparison, weight));
    page.push_str(&figures(surfaces, comparison));
    if let Some((calibration, _)) = weight {
        let _ = write!(
            page,
            "<h2>Among the reference pairs</h2><figure>{}<figcaption>{}</figcaption></figure>",
            histogram::histogram(calibration, comparison.agreeing),
            escaped(&histogram::caption(calibration))
        );
    }
    let _ = write!(
        page,
        "<script>const A={},B={},cells={},turn={},shift=[{},{}];",
        image(a),
        image(b),
        cells(comparison),
        comparison.lies.turn,
        -comparison.lies.shift[0],
        -comparison.lies.shift[1]
    );
    page.push_str(SCRIPT);
    page.push_str("</script></body></html>\n");
    page
}

/// The four pictures with what they show, in words.
fn figures([(one, a), (other, b)]: [(&str, &Surface); 2], comparison: &Comparison) -> String {
    let canvas = |id: &str, caption: &str| {
        format!(
            "<figure><canvas id={id} width=560 height=560></canvas><figcaption>{caption}</figcaption></figure>"
        )
    };
    let heights =
        |surface: &Surface| format!("black to white: ± {:.1} µm", CONTRAST * sigma(&surface.level1));
    let where_found = if let Some(rotation) = comparison.rotation {
        format!(
            "turned by {:.1}° to lie as A does, with the congruent cells where they were found",
            rotation.to_degrees()
        )
    } else {
        "where it lies least badly on A: the cells found no common place".to_owned()
    };
    let on_a = format!(
        "<b>A</b> {}: its cells by number, green where congruent, dashed where not; {}",
        escaped(one),
        heights(a)
    );
    let on_b = format!("<b>B</b> {}, {where_found}; {}", escaped(other), heights(b));
    let map = "Areal cross-correlation of every cell of A at its place on B (ACCF, 0 to 1; a dash where too little is measured on \
               both); green outline: congruent";
    let maps = "Correlation map of every cell of A: the coefficient for shifts of up to 300 µm about the common place, which is the \
                middle, from the heights as drawn; a cell that belongs there is bright in the middle and nowhere else";
    let lies = if comparison.converged { "in register" } else { "where it lies least badly" };
    let slide = format!(
        "Alignment: A <input id=t type=range min=0 max=100 value=0 aria-label=\"from A to B\"> B, {lies}"
    );
    [
        "<div class=pair>",
        &canvas("a", &on_a),
        &canvas("b", &on_b),
        &canvas("m", map),
        &canvas("s", &slide),
        &canvas("k", maps),
        "</div>",
    ]
    .concat()
}

fn facts(comparison: &Comparison, weight: Option<(&Calibration, &LikelihoodRatio)>) -> String {
    let cmc = &comparison.cmc;
    let is_published = comparison.preset.sweep.is_some();
    let mut rows = vec![
        ("Congruent cells", format!("{} of {}", comparison.congruent(), comparison.joint_cells())),
        (
            if is_published {
                "Original (Song 2013), both directions"
            } else {
                "Found freely, both directions"
            },
            format!("{} and {}", cmc.original[0], cmc.original[1]),
        ),
        (if is_published { "High (Tong 2015)" } else { "At turns near by" }, cmc.high.to_string()),
        ("Congruent area (NCMA)", format!("{:.1} %", 100.0 * cmc.ncma)),
        ("Whole surface (ACCF)", format!("{:.3}", comparison.accf_max)),
        (
            "Turn",
            comparison.rotation.map_or_else(
                || "no common place found".to_owned(),
                |rotation| format!("{:.2}°", rotation.to_degrees()),
            ),
        ),
        ("Preset", format!("{}, rules: {}", comparison.preset.name, comparison.preset.rules())),
    ];
    if let Some((calibration, ratio)) = weight {
        rows.push(("log10 likelihood ratio", ratio.told()));
        rows.push(("In words (ENFSI)", verbal(ratio.log10)));
        let of = &calibration.provenance;
        rows.push(("Calibrated on", format!("{} ({})", of.set, of.measured_on)));
    }
    let mut table = String::from("<table>");
    for (name, value) in rows {
        let _ = write!(table, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value));
    }
    table.push_str("</table>");
    for warning in &comparison.warnings {
        let _ = write!(table, "<p class=note>{}</p>", escaped(warning));
    }
    table
}

/// Level 1 as grey bytes in base 64; 0 is missing.
fn image(surface: &Surface) -> String {
    let level = &surface.level1;
    let grey = grey(level);
    format!(
        "{{w:{},h:{},p:{},o:{},c:[{},{}],d:\"{}\"}}",
        level.width,
        level.height,
        level.pitch,
        level.offset,
        surface.centre[0],
        surface.centre[1],
        base64(&grey)
    )
}

/// The root mean square height in micrometres.
fn sigma(level: &Raster) -> f32 {
    let n = level.w.iter().sum::<f32>().max(1.0);
    (level.z.iter().map(|z| z * z).sum::<f32>() / n).sqrt().max(1e-6)
}

fn grey(level: &Raster) -> Vec<u8> {
    let sigma = sigma(level);
    let byte = |(&z, &w): (&f32, &f32)| {
        if w > 0.0 { (128.0 + 126.0 * (z / (CONTRAST * sigma)).clamp(-1.0, 1.0)) as u8 } else { 0 }
    };
    level.z.iter().zip(&level.w).map(byte).collect()
}

fn cells(comparison: &Comparison) -> String {
    let mut list = String::from("[");
    for cell in &comparison.cells {
        let _ = write!(
            list,
            "[{:.1},{:.1},{:.1},{:.1},{:.1},{:.3},{:.2},{}],",
            cell.on_a.0.to_um(),
            cell.on_a.1.to_um(),
            cell.on_b.0.to_um(),
            cell.on_b.1.to_um(),
            cell.side.to_um(),
            cell.accf,
            cell.turn.to_degrees(),
            u8::from(cell.congruent)
        );
    }
    list.push(']');
    list
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let three = group.iter().fold(0_u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(three >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
