//! The maker's quality check on the geometry of a mark.

use std::fmt;

use symbology::geometry::Point;
use topography::Length;

use crate::PlacedMark;
use crate::shape::Shape;

/// One requirement, what the mark has, and what it must have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Which requirement.
    pub rule: Rule,
    /// What was measured on the geometry.
    pub measured: Length,
    /// The guard.
    pub limit: Length,
}

/// What a mark must keep to; see [`Guards`](crate::Guards) for the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The least distance of any relief from the border of the usable part of the tip.
    Edge,
    /// The thinnest stroke, bar, tooth or dot.
    Stroke,
    /// The narrowest ground between elements that do not touch; the edge of the field where nothing is that near.
    Gap,
    /// The height of the relief.
    Relief,
    /// The smallest radius of curvature on the shoulder of a wall.
    EdgeRadius,
}

impl Finding {
    /// Whether the requirement is met.
    pub fn passed(&self) -> bool {
        match self.rule {
            Rule::Relief => self.measured <= self.limit,
            // A layout on the limit is within it, whatever the last bit says.
            _ => self.measured >= self.limit - Length::um(1e-6),
        }
    }
}

/// Measures a mark against its guards: always one finding for each [`Rule`], passed or not, so that a certificate can
/// state the figures.
///
/// This looks at the geometry that is sent to the engraver. Whether the engraved part came out like that is seen from a
/// scan of it.
///
/// ```
/// use marking::{LayoutOptions, check, lay_out};
/// use symbology::{Mark, Scheme};
///
/// let marks = [Mark::Characters, Mark::Gear];
/// let pin = lay_out(&Scheme::open_1(), "K73MXP", &marks, &"flat:1.5mm".parse()?, &LayoutOptions::default())?;
/// let findings = check(&pin);
/// assert!(findings.iter().all(marking::Finding::passed));
/// assert_eq!(findings[1].to_string(), "thinnest stroke: 22.8 µm, must be at least 15.0 µm");
/// # Ok::<(), marking::MarkingError>(())
/// ```
pub fn check(mark: &PlacedMark) -> Vec<Finding> {
    let guards = mark.guards();
    vec![
        Finding { rule: Rule::Edge, measured: edge(mark), limit: guards.edge },
        Finding { rule: Rule::Stroke, measured: stroke(mark), limit: guards.stroke },
        Finding { rule: Rule::Gap, measured: gap(mark), limit: guards.gap },
        Finding { rule: Rule::Relief, measured: mark.relief_height(), limit: guards.relief },
        Finding {
            rule: Rule::EdgeRadius,
            measured: edge_radius(mark.relief_height(), mark.edge_rounding()),
            limit: guards.edge_radius,
        },
    ]
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.rule {
            Rule::Edge => "distance from the edge of the usable tip",
            Rule::Stroke => "thinnest stroke",
            Rule::Gap => "narrowest gap",
            Rule::Relief => "relief",
            Rule::EdgeRadius => "edge radius",
        };
        let way = if self.rule == Rule::Relief { "most" } else { "least" };
        let (measured, limit) = (self.measured.to_um(), self.limit.to_um());
        write!(f, "{name}: {measured:.1} µm, must be at {way} {limit:.1} µm")
    }
}

/// The spacing of points along borders, in micrometres.
const STEP_UM: f64 = 1.0;

fn edge(mark: &PlacedMark) -> Length {
    let region = mark.tip().usable(mark.guards());
    let room = |at: Point| region.distance_inside(at.x, at.y);
    let points = mark.shapes().flat_map(|shape| shape.border(STEP_UM));
    Length::um(points.map(room).fold(f64::INFINITY, f64::min))
}

fn stroke(mark: &PlacedMark) -> Length {
    Length::um(mark.shapes().map(Shape::stroke_width).fold(f64::INFINITY, f64::min))
}

/// Only pairs nearer than twice the module can be the nearest, because characters are.
fn gap(mark: &PlacedMark) -> Length {
    let mut narrowest = PlacedMark::FIELD_MARGIN.to_um();
    let placed: Vec<_> = mark.shapes().map(|shape| (shape, shape.bounds())).collect();
    for (i, (shape, bounds)) in placed.iter().enumerate() {
        for (other, other_bounds) in &placed[..i] {
            if !bounds.grown(narrowest).touches(other_bounds) {
                continue;
            }
            let gap = shape.gap(other, STEP_UM);
            // Elements on one another are one piece; so are squares and teeth that share a side.
            if gap > 1e-6 {
                narrowest = narrowest.min(gap);
            }
        }
    }
    Length::um(narrowest)
}

/// The smallest radius of curvature of a wall `h Φ(x / σ)`, where it is rounded to the top: the minimum over `u = x / σ`
/// of `(1 + z'²)^(3/2) / |z''|` with `z' = h φ(u) / σ` and `z'' = -h u φ(u) / σ²`.
fn edge_radius(relief: Length, rounding: Length) -> Length {
    let (height, sigma) = (relief.to_um(), rounding.to_um());
    if sigma <= 0.0 {
        return Length::ZERO;
    }
    let radius = |step: u32| {
        let u = f64::from(step) * 0.01;
        let density = libm::exp(-u * u / 2.0) / std::f64::consts::TAU.sqrt();
        let slope = height * density / sigma;
        (1.0 + slope * slope).powf(1.5) * sigma * sigma / (height * u * density)
    };
    Length::um((1..=400).map(radius).fold(f64::INFINITY, f64::min))
}
