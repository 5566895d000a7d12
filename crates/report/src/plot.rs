//! Plots as SVG.

use std::fmt::Write as _;

use crate::axis::Axis;
use crate::page::escape;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line through the points, in order.
    Line,
    /// A staircase: each value holds until the next place.
    Step,
    /// A small disc at each point.
    Points,
    /// A bar from zero to each point.
    Bars,
}

/// A named row of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    shape: Shape,
    points: Vec<(f64, f64)>,
}

impl Series {
    /// A series of `(x, y)` points; points that are not finite are left out of the drawing.
    pub fn new(name: impl Into<String>, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), shape, points }
    }
}

/// A plot with two linear axes and a legend.
///
/// ```
/// use report::{Plot, Series, Shape};
/// let plot = Plot::new("Bits per symbol", "symbol", "bits").with(Series::new("case 1", Shape::Bars, vec![(0.0, 4.9)]));
/// assert!(plot.to_svg(300, 200).starts_with("<svg"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    title: String,
    x_label: String,
    y_label: String,
    series: Vec<Series>,
}

/// Colours that stay apart for most colour-blind readers (Okabe and Ito 2008), and differ in lightness.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// The share of the letter height that an average character of a sans-serif face takes.
const ADVANCE: f64 = 0.56;
const FONT: f64 = 11.0;

impl Plot {
    /// An empty plot. The labels state the units.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Self { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), series: Vec::new() }
    }

    /// This plot with one series more.
    #[must_use]
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// The picture, `width` by `height` pixels; the same data give the same bytes.
    pub fn to_svg(&self, width: u32, height: u32) -> String {
        let frame = Frame::around(self, f64::from(width), f64::from(height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"{FONT}\">\n",
            escape(&self.title)
        );
        frame.draw_axes(self, &mut svg);
        for (index, series) in self.series.iter().enumerate() {
            frame.draw_series(series, COLOURS[index % COLOURS.len()], &mut svg);
        }
        frame.draw_legend(&self.series, &mut svg);
        svg.push_str("</svg>\n");
        svg
    }
}

/// Where the data lie on the picture.
struct Frame {
    x: Axis,
    y: Axis,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    fn around(plot: &Plot, width: f64, height: f64) -> Self {
        let points = || plot.series.iter().flat_map(|series| series.points.iter());
        let has_bars = plot.series.iter().any(|series| series.shape == Shape::Bars);
        let zero = has_bars.then_some(0.0);
        let x = Axis::showing(points().map(|point| point.0));
        let y = Axis::showing(points().map(|point| point.1).chain(zero));
        let widest = y.ticks().iter().map(|(_, label)| label.len()).max().unwrap_or(1);
        let left = (widest as f64 * FONT * ADVANCE + 30.0).min(width * 0.4);
        let top = 24.0 + if plot.series.len() > 1 { 14.0 } else { 0.0 };
        Self { x, y, left, top, right: width - 12.0, bottom: height - 38.0 }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = self.left + self.x.share(x) * (self.right - self.left);
        (across, self.bottom - self.y.share(y) * (self.bottom - self.top))
    }

    fn draw_axes(&self, plot: &Plot, svg: &mut String) {
        let (left, top, right, bottom) = (self.left, self.top, self.right, self.bottom);
        let middle = f64::midpoint(left, right);
        text(
            svg,
            (middle, 15.0),
            "middle",
            &format!("<tspan font-weight=\"bold\">{}</tspan>", escape(&plot.title)),
        );
        text(svg, (middle, bottom + 32.0), "middle", &escape(&plot.x_label));
        let height = f64::midpoint(top, bottom);
        let _ = writeln!(
            svg,
            "<text transform=\"translate(12 {height:.2}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(&plot.y_label)
        );
        for (value, label) in self.x.ticks() {
            let x = self.place((value, self.y.low)).0;
            line(svg, (x, top), (x, bottom), "#ddd");
            text(svg, (x, bottom + 15.0), "middle", &label);
        }
        for (value, label) in self.y.ticks() {
            let y = self.place((self.x.low, value)).1;
            line(svg, (left, y), (right, y), "#ddd");
            text(svg, (left - 5.0, y + 4.0), "end", &label);
        }
        line(svg, (left, bottom), (right, bottom), "#333");
        line(svg, (left, top), (left, bottom), "#333");
    }

    fn draw_series(&self, series: &Series, colour: &str, svg: &mut String) {
        let finite = series.points.iter().filter(|point| point.0.is_finite() && point.1.is_finite());
        let places: Vec<_> = finite.map(|&point| self.place(point)).collect();
        match series.shape {
            Shape::Line => polyline(svg, &places, colour),
            Shape::Step => polyline(svg, &staircase(&places), colour),
            Shape::Points => {
                for (x, y) in places {
                    let _ =
                        writeln!(svg, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"2.5\" fill=\"{colour}\"/>");
                }
            }
            Shape::Bars => self.draw_bars(&places, colour, svg),
        }
    }

    fn draw_bars(&self, places: &[(f64, f64)], colour: &str, svg: &mut String) {
        let zero = self.place((self.x.low, 0.0)).1;
        let width = ((self.right - self.left) / (places.len() as f64 + 1.0) * 0.7).max(1.0);
        for &(x, y) in places {
            let (top, height) = (y.min(zero), (y - zero).abs());
            let left = x - width / 2.0;
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.2}\" y=\"{top:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{colour}\" fill-opacity=\"0.75\"/>"
            );
        }
    }

    fn draw_legend(&self, series: &[Series], svg: &mut String) {
        if series.len() < 2 {
            return;
        }
        let mut x = self.left;
        for (index, series) in series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let _ = writeln!(svg, "<rect x=\"{x:.2}\" y=\"22\" width=\"9\" height=\"9\" fill=\"{colour}\"/>");
            text(svg, (x + 13.0, 31.0), "start", &escape(&series.name));
            x += series.name.chars().count() as f64 * FONT * ADVANCE + 28.0;
        }
    }
}

fn staircase(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut stairs = Vec::with_capacity(places.len() * 2);
    for &(x, y) in places {
        if let Some(&(_, before)) = stairs.last() {
            stairs.push((x, before));
        }
        stairs.push((x, y));
    }
    stairs
}

fn polyline(svg: &mut String, places: &[(f64, f64)], colour: &str) {
    let points: Vec<_> = places.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>"
    );
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{colour}\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, markup: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\">{markup}</text>");
}
