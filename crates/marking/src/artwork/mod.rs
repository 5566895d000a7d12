//! Artwork for engravers: SVG and DXF, as centre lines and as outlines.

mod drawing;
mod dxf;
mod lattice;
mod svg;

use symbology::geometry::Element;

use crate::{PlacedMark, Relief, View};
use drawing::Layer;

/// What goes into an artwork file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArtworkOptions {
    /// The surface that is drawn; [`View::Tool`], the default, is what the engraver needs.
    pub view: View,
    /// Whether the marks of that surface stand out of it or lie in it; written into the file's metadata.
    pub relief: Relief,
    /// Which lines are drawn.
    pub lines: Lines,
}

/// How the elements of a mark become lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// The way of a pen (or laser spot) as wide as the stroke: one layer per mark.
    CentreLines,
    /// The border of the relief: one layer per mark.
    Outlines,
    /// Both, on layers of their own.
    #[default]
    Both,
}

/// The mark as SVG 1.1 in millimetres, the origin in the middle of the picture, `y` down.
///
/// Every mark has up to two layers (`characters-centre-lines`, `characters-outlines`), which Inkscape shows as such.
/// In the layer of centre lines the width of each line is that of the stroke, so it looks as the mark will; outlines are
/// hairlines. The `metadata` element says what is drawn: code, scheme, marks, module, tip, relief, view, mirrored or not.
///
/// ```
/// # use marking::{ArtworkOptions, LayoutOptions, lay_out, svg};
/// # use symbology::{Mark, Scheme};
/// # let tip = "flat:1.5mm".parse()?;
/// # let mark = lay_out(&Scheme::plain_8(), "0H5KB4M3", &[Mark::Characters], &tip, &LayoutOptions::default())?;
/// let text = svg(&mark, ArtworkOptions::default());
/// assert!(text.contains("mirrored=\"true\""));
/// # Ok::<(), marking::MarkingError>(())
/// ```
pub fn svg(mark: &PlacedMark, options: ArtworkOptions) -> String {
    svg::write(mark, options, &layers(mark, options))
}

/// The mark as an ASCII DXF of release 12 in millimetres, the origin in the middle of the mark.
///
/// DXF has `y` **up**: the file's `y` is the negative of the mark's, which turns nothing round to the eye. Layers are
/// those of [`svg()`]; centre lines are `POLYLINE` (round dots: `POINT`), outlines are closed `POLYLINE` with bulges for
/// arcs, and `CIRCLE`. Teeth and squares carry their width, round pens do not, because wide lines of release 12 end
/// straight: their width is the `pen-um` of the comments. What is drawn is written in comments (group 999) at the head of the file.
///
/// ```
/// # use marking::{ArtworkOptions, LayoutOptions, dxf, lay_out};
/// # use symbology::{Mark, Scheme};
/// # let tip = "flat:1.5mm".parse()?;
/// # let mark = lay_out(&Scheme::plain_8(), "0H5KB4M3", &[Mark::Characters], &tip, &LayoutOptions::default())?;
/// assert!(dxf(&mark, ArtworkOptions::default()).ends_with("EOF\r\n"));
/// # Ok::<(), marking::MarkingError>(())
/// ```
pub fn dxf(mark: &PlacedMark, options: ArtworkOptions) -> String {
    dxf::write(mark, options, &layers(mark, options))
}

fn layers(mark: &PlacedMark, options: ArtworkOptions) -> Vec<Layer> {
    let wanted: &[bool] = match options.lines {
        Lines::CentreLines => &[false],
        Lines::Outlines => &[true],
        Lines::Both => &[false, true],
    };
    let mut layers = Vec::new();
    for (name, shapes) in mark.parts() {
        for &outlines in wanted {
            let layer =
                if outlines { Layer::outlines(name, shapes) } else { Layer::centre_lines(name, shapes) };
            layers.push(if options.view.is_mirrored() { layer.mirrored() } else { layer });
        }
    }
    layers
}

/// What the file says about itself, in the same words in every format.
fn metadata(mark: &PlacedMark, options: ArtworkOptions) -> Vec<(&'static str, String)> {
    let marks: Vec<&str> = mark.parts().map(|(name, _)| name).collect();
    vec![
        ("code", mark.text().to_owned()),
        ("scheme", mark.scheme().to_owned()),
        ("marks", marks.join(",")),
        ("tip", mark.tip().to_string()),
        ("view", options.view.to_string()),
        ("mirrored", options.view.is_mirrored().to_string()),
        ("relief", options.relief.to_string()),
        ("relief-height-um", mark.relief_height().to_um().to_string()),
        ("edge-rounding-um", mark.edge_rounding().to_um().to_string()),
        ("module-um", mark.module().to_um().to_string()),
        ("pen-um", pens(mark)),
        ("diameter-um", format!("{:.1}", 2.0 * mark.extent().to_um())),
        ("units", "mm".to_owned()),
        ("scale", "1:1".to_owned()),
    ]
}

/// The widths of the round pens: strokes and dots.
fn pens(mark: &PlacedMark) -> String {
    let width = |element: &Element| match element {
        Element::Stroke { width, .. } => Some(*width),
        Element::Dot { diameter, .. } => Some(*diameter),
        Element::Sector { .. } | Element::Square { .. } => None,
    };
    let modules = mark.elements().filter_map(|(_, element)| width(element));
    let mut pens: Vec<String> = modules.map(|pen| format!("{:.1}", (mark.module() * pen).to_um())).collect();
    pens.sort_unstable();
    pens.dedup();
    if pens.is_empty() { "none".to_owned() } else { pens.join(",") }
}
