//! The impression itself: the bowl that the tip leaves, its rim and the metal that flows back.

use topography::Grid;

use crate::contact::Disc;
use crate::frame::Frame;
use crate::{Ammunition, Firearm};

/// Radius of the rounding at the rim, in micrometres.
const RIM: f64 = 12.0;
/// Steepness of the flank of a tip.
const FLANK: f64 = 4.0;

/// How deep the tip goes: plastic work of a spherical indenter gives depth as the root of energy over hardness.
pub(crate) fn depth(firearm: &Firearm, ammunition: &Ammunition) -> f64 {
    (firearm.crater_depth.to_um() * yielding(firearm, ammunition)).min(firearm.protrusion.to_um())
}

/// The root of energy over hardness, relative to the bench and the neutral cup.
pub(crate) fn yielding(firearm: &Firearm, ammunition: &Ammunition) -> f64 {
    let hardness = ammunition.hardness * (1.0 + 0.03 * ammunition.plating.to_um());
    (firearm.energy * 120.0 / hardness).sqrt()
}

/// The bowl about the middle of the mark, 0 on the flat of the primer, negative inside.
pub(crate) fn bowl(frame: Frame, mark: Disc, turn: f64, striker: (&Firearm, &Ammunition)) -> Grid<f32> {
    let (firearm, ammunition) = striker;
    let depth = depth(firearm, ammunition);
    if depth <= 0.0 {
        return Grid::filled(frame.side, frame.side, 0.0);
    }
    let tip = tip_profile(firearm);
    let ridge = (firearm.ridge.to_um() * ammunition.flow_back, firearm.ridge_width.to_um());
    let response = Table::new(-depth, 12.0 * ridge.1, |gap| flow(gap, ridge));
    let (cos, sin) = (libm::cos(turn), libm::sin(turn));
    let aspect = 1.0 / firearm.tip_aspect;
    Grid::from_fn(frame.side, frame.side, |x, y| {
        let (dx, dy) = (frame.place(x) - mark.x, frame.place(y) - mark.y);
        let (u, v) = (cos * dx + sin * dy, (cos * dy - sin * dx) * aspect);
        response.at(tip.at((u * u + v * v).sqrt()) - depth) as f32
    })
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
