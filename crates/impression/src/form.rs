//! The impression itself: the bowl that the tip leaves, its rim and the metal that flows back.

use topography::Grid;

use crate::fit::Form;
use crate::frame::{Affine, Frame};
use crate::{Ammunition, Conditions, Firearm};

/// Radius of the rounding at the rim, in micrometres.
const RIM: f64 = 12.0;
/// Steepness of the flank of a tip.
const FLANK: f64 = 4.0;
/// How far below the flat of the primer, in micrometres, the metal takes the tool's relief in full.
const TOUCH: f64 = 20.0;

/// The root of energy over hardness, relative to the bench and the neutral cup: plastic work of a spherical indenter
/// grows as the square of depth.
pub(crate) fn yielding(firearm: &Firearm, ammunition: &Ammunition, conditions: &Conditions) -> f64 {
    let hardness = ammunition.hardness * (1.0 + 0.03 * ammunition.plating.to_um());
    (firearm.energy * conditions.energy * 120.0 / hardness).sqrt()
}

/// The tip over the flat of the primer after it has gone as deep as it goes.
pub(crate) struct Impression<'a> {
    depth: f64,
    ridge: (f64, f64),
    shape: Shape<'a>,
    /// From a place on the case to one about the tip's axis.
    to_tip: Affine,
}

/// The form of a tip: round or stretched by the firearm's numbers, or as the tool's own map has it.
enum Shape<'a> {
    Nominal { profile: Table, aspect: f64 },
    Own(&'a Form),
}

impl<'a> Impression<'a> {
    pub(crate) fn new(
        striker: (&Firearm, &Ammunition, &Conditions),
        own: Option<&'a Form>,
        to_tip: Affine,
    ) -> Self {
        let (firearm, ammunition, conditions) = striker;
        let wanted = firearm.crater_depth.to_um() * yielding(firearm, ammunition, conditions);
        let shape = match own {
            Some(form) => Shape::Own(form),
            None => Shape::Nominal { profile: tip_profile(firearm), aspect: 1.0 / firearm.tip_aspect },
        };
        Self {
            depth: wanted.min(firearm.protrusion.to_um()),
            ridge: (firearm.ridge.to_um() * ammunition.flow_back, firearm.ridge_width.to_um()),
            shape,
            to_tip,
        }
    }

    /// How deep the tip goes, in micrometres; 0 where a part only presses flat.
    pub(crate) fn depth(&self) -> f64 {
        self.depth
    }

    /// The bowl, 0 on the flat of the primer, negative inside, and how far the tip touches, 0 to 1.
    pub(crate) fn bowl(&self, frame: Frame) -> (Grid<f32>, Grid<f32>) {
        let mut contact = Grid::filled(frame.side, frame.side, 1.0f32);
        if self.depth <= 0.0 {
            return (Grid::filled(frame.side, frame.side, 0.0), contact);
        }
        let response = Table::new(-self.depth, 12.0 * self.ridge.1, |gap| flow(gap, self.ridge));
        let bowl = Grid::from_fn(frame.side, frame.side, |x, y| {
            let (u, v) = self.to_tip.apply(frame.place(x), frame.place(y));
            let gap = self.behind(u, v) - self.depth;
            contact[(x, y)] = (-gap / TOUCH).clamp(0.0, 1.0) as f32;
            response.at(gap) as f32
        });
        (bowl, contact)
    }

    /// How far the free tip lies behind its foremost point.
    fn behind(&self, u: f64, v: f64) -> f64 {
        match &self.shape {
            Shape::Nominal { profile, aspect } => profile.at((u * u + v * v * aspect * aspect).sqrt()),
            Shape::Own(form) => form.behind(u, v),
        }
    }
}

/// Height of the free tip above its apex, over the distance from its axis.
fn tip_profile(firearm: &Firearm) -> Table {
    let (radius, edge) = (firearm.tip_radius.to_um(), 0.5 * firearm.tip_width.to_um());
    let sphere = move |r: f64| {
        if radius <= 0.0 { 0.0 } else { radius - (radius * radius - r * r).max(0.0).sqrt() }
    };
    Table::new(0.0, 12_000.0, move |r| {
        let reach = if radius > 0.0 { edge.min(0.95 * radius) } else { edge };
        if r <= reach { sphere(r) } else { sphere(reach) + FLANK * (r - reach) }
    })
}

/// Height of the metal where the free tip stands `gap` above the flat primer: the tip inside, a ridge outside.
fn flow(gap: f64, (height, width): (f64, f64)) -> f64 {
    // A rounded corner instead of min(gap, 0).
    let inside = if gap < -8.0 * RIM { gap } else { -RIM * libm::log1p(libm::exp(-gap / RIM)) };
    let t = (gap / width).max(0.0);
    inside + height * t * libm::exp(1.0 - t)
}

/// A function by linear interpolation between 8,192 places, held at its ends.
struct Table {
    low: f64,
    steps: f64,
    values: Vec<f64>,
}

impl Table {
    fn new(low: f64, high: f64, function: impl Fn(f64) -> f64) -> Self {
        let last = 8191.0;
        let values = (0..8192).map(|i| function(low + (high - low) * f64::from(i) / last)).collect();
        Self { low, steps: last / (high - low), values }
    }

    fn at(&self, place: f64) -> f64 {
        let step = ((place - self.low) * self.steps).clamp(0.0, 8190.0);
        let index = step as usize;
        let t = step - index as f64;
        self.values[index] + t * (self.values[index + 1] - self.values[index])
    }
}
