//! The part that carries the mark: its shape, and where on it a mark may lie.

use std::fmt;
use std::str::FromStr;

use topography::Length;

use crate::{Guards, MarkingError};

/// The shape of the part that is engraved, seen along the axis of the strike.
///
/// Dimensions named *width* or *x* run along the `x` axis of the mark, *length* or *y* along its `y` axis. The shapes
/// are ideal; the README says which of them follow a source and which are our choice.
///
/// ```
/// use marking::Tip;
/// use topography::Length;
///
/// let tip: Tip = "hemispherical:1.7mm".parse()?;
/// assert_eq!(tip, Tip::Hemispherical { diameter: Length::mm(1.7) });
/// assert_eq!("chisel:0.8x1.6mm".parse::<Tip>()?.to_string(), "chisel:0.8x1.6mm");
/// assert!("hemispherical".parse::<Tip>().is_err());
/// # Ok::<(), marking::MarkingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tip {
    /// Half a sphere, the usual centre-fire firing pin: `hemispherical:1.7mm`.
    Hemispherical {
        /// The diameter of the pin.
        diameter: Length,
    },
    /// A plane disc with a rounded rim: `flat:1.5mm`.
    Flat {
        /// The diameter of the pin, rounded rim included.
        diameter: Length,
    },
    /// Half an ellipsoid whose height is its smaller half axis, an idealised striker: `elliptical:1x2mm`.
    Elliptical {
        /// The whole axis along `x`.
        x: Length,
        /// The whole axis along `y`.
        y: Length,
    },
    /// A plane rectangle with rounded edges: `chisel:0.8x1.6mm`.
    Chisel {
        /// The side along `x`, rounded edges included.
        width: Length,
        /// The side along `y`, rounded edges included.
        length: Length,
    },
    /// The plane that the primer is pressed against, around the aperture of the firing pin: `breech-face` for
    /// [`Tip::BREECH_FACE`], `breech-face:2.2x4.2mm` for others.
    BreechFace {
        /// The diameter of the aperture.
        aperture: Length,
        /// The diameter of the flat disc of the primer that touches the face.
        flat: Length,
    },
}

/// The radius of the rounded rim of flat and chisel tips, as long as it is less than a fifth of the smaller side.
const RIM_RADIUS_UM: f64 = 100.0;
/// Pins outside these sizes are typing errors, not parts of a firearm.
const DIMENSIONS_UM: std::ops::RangeInclusive<f64> = 200.0..=10_000.0;

impl Tip {
    /// The breech face of a small pistol primer (4.45 mm): an aperture of 2.4 mm, which public pictures show as 2.4 mm to
    /// 2.6 mm (a Ruger), in a flat of 3.5 mm, which public scans show as 3.4 mm to 3.6 mm.
    pub const BREECH_FACE: Self = Self::BreechFace { aperture: Length::mm(2.4), flat: Length::mm(3.5) };

    /// How far the surface of the tool lies from its foremost point, at a place of the mark: 0 in the middle,
    /// negative further back; nothing where the tip ends.
    ///
    /// ```
    /// use marking::Tip;
    /// use topography::Length;
    ///
    /// let tip: Tip = "hemispherical:2mm".parse()?;
    /// let z = tip.height(Length::um(600.0), Length::ZERO).expect("the tip is 1000 µm in radius");
    /// assert!((z.to_um() + 200.0).abs() < 1e-9); // 3-4-5
    /// assert!(tip.height(Length::mm(1.1), Length::ZERO).is_none());
    /// # Ok::<(), marking::MarkingError>(())
    /// ```
    pub fn height(&self, x: Length, y: Length) -> Option<Length> {
        let (x, y) = (x.to_um(), y.to_um());
        let z = match *self {
            Self::BreechFace { .. } => Some(0.0),
            Self::Hemispherical { diameter } => dome(x, y, diameter.to_um() / 2.0, diameter.to_um() / 2.0),
            Self::Elliptical { x: along_x, y: along_y } => {
                dome(x, y, along_x.to_um() / 2.0, along_y.to_um() / 2.0)
            }
            Self::Flat { diameter } => {
                let radius = diameter.to_um() / 2.0;
                rim((x.hypot(y) - radius + rim_radius(radius)).max(0.0), rim_radius(radius))
            }
            Self::Chisel { width, length } => {
                let (half_x, half_y) = (width.to_um() / 2.0, length.to_um() / 2.0);
                let radius = rim_radius(half_x.min(half_y));
                let past = |place: f64, half: f64| (place.abs() - half + radius).max(0.0);
                rim(past(x, half_x).hypot(past(y, half_y)), radius)
            }
        };
        z.map(Length::um)
    }

    /// Refuses a size that no pin has.
    ///
    /// # Errors
    ///
    /// [`MarkingError::Tip`] when a dimension lies outside 0.2 mm to 10 mm.
    pub(crate) fn validated(self) -> Result<Self, MarkingError> {
        let sizes = match self {
            Self::Hemispherical { diameter } | Self::Flat { diameter } => vec![diameter],
            Self::Elliptical { x, y } => vec![x, y],
            Self::Chisel { width, length } => vec![width, length],
            Self::BreechFace { aperture, flat } if aperture < flat => vec![aperture, flat],
            Self::BreechFace { .. } => {
                return Err(MarkingError::Tip(format!("{self}: the aperture is no smaller than the flat")));
            }
        };
        match sizes.into_iter().find(|size| !DIMENSIONS_UM.contains(&size.to_um())) {
            Some(size) => Err(MarkingError::Tip(format!("{self}: {size} is not the size of a firing pin"))),
            None => Ok(self),
        }
    }

    /// The part of the tip that may carry relief under `guards`, before the edge guard is taken off.
    pub(crate) fn usable(&self, guards: &Guards) -> Region {
        match *self {
            Self::BreechFace { aperture, flat } => {
                Region::Ring { inner: aperture.to_um() / 2.0, outer: flat.to_um() / 2.0 }
            }
            Self::Hemispherical { diameter } => {
                domed_region(diameter.to_um() / 2.0, diameter.to_um() / 2.0, guards)
            }
            Self::Elliptical { x, y } => domed_region(x.to_um() / 2.0, y.to_um() / 2.0, guards),
            Self::Flat { diameter } => {
                let radius = diameter.to_um() / 2.0;
                Region::ellipse(radius - rim_radius(radius), radius - rim_radius(radius))
            }
            Self::Chisel { width, length } => {
                let (half_x, half_y) = (width.to_um() / 2.0, length.to_um() / 2.0);
                let radius = rim_radius(half_x.min(half_y));
                Region::Rectangle { half_x: half_x - radius, half_y: half_y - radius }
            }
        }
    }
}

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hemispherical { diameter } => write!(f, "hemispherical:{}mm", millimetres(*diameter)),
            Self::Flat { diameter } => write!(f, "flat:{}mm", millimetres(*diameter)),
            Self::Elliptical { x, y } => write!(f, "elliptical:{}x{}mm", millimetres(*x), millimetres(*y)),
            Self::Chisel { width, length } => {
                write!(f, "chisel:{}x{}mm", millimetres(*width), millimetres(*length))
            }
            _ if *self == Self::BREECH_FACE => f.write_str("breech-face"),
            Self::BreechFace { aperture, flat } => {
                write!(f, "breech-face:{}x{}mm", millimetres(*aperture), millimetres(*flat))
            }
        }
    }
}

impl FromStr for Tip {
    type Err = MarkingError;

    fn from_str(text: &str) -> Result<Self, MarkingError> {
        let unknown = || MarkingError::Tip(format!("`{text}` is no tip that we know"));
        let text = text.trim();
        let (kind, sizes) = text.split_once(':').unwrap_or((text, ""));
        let tip = match kind {
            "breech-face" if sizes.is_empty() => Self::BREECH_FACE,
            "breech-face" => {
                let (aperture, flat) = two_sizes(sizes, text)?;
                Self::BreechFace { aperture, flat }
            }
            "hemispherical" => Self::Hemispherical { diameter: one_size(sizes, text)? },
            "flat" => Self::Flat { diameter: one_size(sizes, text)? },
            "elliptical" => {
                let (x, y) = two_sizes(sizes, text)?;
                Self::Elliptical { x, y }
            }
            "chisel" => {
                let (width, length) = two_sizes(sizes, text)?;
                Self::Chisel { width, length }
            }
            _ => return Err(unknown()),
        };
        tip.validated()
    }
}

/// A region about the middle of the mark, in micrometres.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Region {
    /// Inside all of these ellipses, each given by its half axes.
    Ellipses(Vec<(f64, f64)>),
    /// Between two circles.
    Ring { inner: f64, outer: f64 },
    /// An upright rectangle.
    Rectangle { half_x: f64, half_y: f64 },
}

impl Region {
    fn ellipse(half_x: f64, half_y: f64) -> Self {
        Self::Ellipses(vec![(half_x, half_y)])
    }

    /// The distance to the border in micrometres: positive inside, negative outside.
    pub(crate) fn distance_inside(&self, x: f64, y: f64) -> f64 {
        match self {
            Self::Ellipses(ellipses) => {
                ellipses.iter().map(|&(a, b)| inside_ellipse(x, y, a, b)).fold(f64::INFINITY, f64::min)
            }
            Self::Ring { inner, outer } => (x.hypot(y) - inner).min(outer - x.hypot(y)),
            Self::Rectangle { half_x, half_y } => {
                let (dx, dy) = (x.abs() - half_x, y.abs() - half_y);
                if dx <= 0.0 && dy <= 0.0 { -dx.max(dy) } else { -dx.max(0.0).hypot(dy.max(0.0)) }
            }
        }
    }
}

fn dome(x: f64, y: f64, a: f64, b: f64) -> Option<f64> {
    let rest = 1.0 - (x / a).powi(2) - (y / b).powi(2);
    (rest > 0.0).then(|| a.min(b) * (rest.sqrt() - 1.0))
}

fn rim(past: f64, radius: f64) -> Option<f64> {
    (past < radius).then(|| (radius * radius - past * past).sqrt() - radius)
}

fn rim_radius(half_side: f64) -> f64 {
    RIM_RADIUS_UM.min(0.4 * half_side)
}

/// Where a half ellipsoid is shallower than the contact depth, and where it is less steep than the slope limit. Both
/// borders are ellipses: `z = c(q - 1)`, `q² = 1 - x²/a² - y²/b²`, slope² = `c²(x²/a⁴ + y²/b⁴)/q²`.
fn domed_region(a: f64, b: f64, guards: &Guards) -> Region {
    let height = a.min(b);
    // A guard that is no number leaves nothing usable.
    let at_most = |value: f64, most: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, most) };
    let steepest = at_most(guards.slope.to_radians(), 1.5).tan();
    let gentle = |half: f64| steepest / (height / (half * half)).hypot(steepest / half);
    let depth = at_most(guards.contact_depth.to_um() / height, 1.0);
    let touching = (1.0 - (1.0 - depth).powi(2)).sqrt();
    Region::Ellipses(vec![(gentle(a), gentle(b)), (touching * a, touching * b)])
}

/// The signed distance from a point to an ellipse, positive inside, by bisection on the Lagrange multiplier
/// (D. Eberly, *Distance from a Point to an Ellipse*, Geometric Tools, 2013).
fn inside_ellipse(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 {
        return -x.hypot(y);
    }
    if (a - b).abs() < 1e-9 {
        return a - x.hypot(y);
    }
    // Eberly's frame: the longer axis first, first quadrant.
    let (e0, e1, y0, y1) = if a > b { (a, b, x.abs(), y.abs()) } else { (b, a, y.abs(), x.abs()) };
    let outside = (x / a).powi(2) + (y / b).powi(2) > 1.0;
    let (near0, near1) = nearest_on_ellipse(e0, e1, y0, y1);
    let distance = (near0 - y0).hypot(near1 - y1);
    if outside { -distance } else { distance }
}

fn nearest_on_ellipse(e0: f64, e1: f64, y0: f64, y1: f64) -> (f64, f64) {
    if y1 <= 0.0 {
        let crossing = (e0 * e0 - e1 * e1) / e0;
        if y0 < crossing {
            let x0 = e0 * e0 * y0 / (e0 * e0 - e1 * e1);
            return (x0, e1 * (1.0 - (x0 / e0).powi(2)).max(0.0).sqrt());
        }
        return (e0, 0.0);
    }
    let side = |t: f64| (e0 * y0 / (t + e0 * e0)).powi(2) + (e1 * y1 / (t + e1 * e1)).powi(2) - 1.0;
    let (mut low, mut high) = (-e1 * e1 + e1 * y1, -e1 * e1 + (e0 * y0).hypot(e1 * y1));
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if side(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let t = f64::midpoint(low, high);
    (e0 * e0 * y0 / (t + e0 * e0), e1 * e1 * y1 / (t + e1 * e1))
}

fn millimetres(length: Length) -> f64 {
    (length.to_um() * 10.0).round() / 10_000.0
}

fn one_size(size: &str, text: &str) -> Result<Length, MarkingError> {
    size.parse().map_err(|_| MarkingError::Tip(format!("`{text}` lacks a diameter with a unit")))
}

fn two_sizes(sizes: &str, text: &str) -> Result<(Length, Length), MarkingError> {
    let lacking = || MarkingError::Tip(format!("`{text}` lacks two sizes with a unit"));
    let (first, second) = sizes.split_once(['x', '×']).ok_or_else(lacking)?;
    let second_size: Length = second.parse().map_err(|_| lacking())?;
    let bare: Option<f64> = first.trim().parse().ok();
    let first_size = match bare {
        Some(_) => {
            let unit = second.trim().trim_start_matches(|c: char| !c.is_alphabetic());
            format!("{first}{unit}").parse().map_err(|_| lacking())?
        }
        None => first.parse().map_err(|_| lacking())?,
    };
    Ok((first_size, second_size))
}
