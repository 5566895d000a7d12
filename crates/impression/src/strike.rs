//! One shot: a tool's mark is pressed into a primer.

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use topography::{Angle, Grid, Length, Pitch, Topography};

use crate::background::{self, Region};
use crate::chance::{self, Factor, Streams};
use crate::contact::{self, Disc};
use crate::filter;
use crate::form;
use crate::frame::{Affine, Frame, warp};
use crate::residue;
use crate::texture;
use crate::tool::{self, Tool};
use crate::{Ammunition, Conditions, Firearm, ParameterError};

/// Why a tool could not be struck.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrikeError {
    /// The tool's map is too small or has no measured point.
    #[error(
        "a tool of {0} x {1} points, {2} of them measured, is too little to strike with\nhint: give the height map of an engraved tool"
    )]
    Tool(usize, usize, usize),
    /// A map's pitch is not a positive length.
    #[error("a pitch of {0} x {1} µm cannot be used\nhint: set the scale of the map")]
    Pitch(f64, f64),
    /// A setting is out of its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The surface would have too many points.
    #[error(
        "a surface of {0} x {0} points is above the limit of 8192 x 8192\nhint: choose a smaller `field` or a larger `pitch`"
    )]
    Size(usize),
    /// The background is smaller than the field.
    #[error("the background covers {:.0} x {:.0} µm, less than the field of {wanted_um:.0} µm\nhint: choose a smaller `field`", has_um.0, has_um.1)]
    BackgroundSize {
        /// The field's side.
        wanted_um: f64,
        /// The background's sides.
        has_um: (f64, f64),
    },
    /// No region of the background has enough measured points.
    #[error("the best region of {wanted_um:.0} µm of the background is measured to {:.0} %, and 50 % are needed\nhint: choose a smaller `field` or another scan", 100.0 * best)]
    BackgroundValid {
        /// The share of measured points of the best region.
        best: f64,
        /// The field's side.
        wanted_um: f64,
    },
}

/// A struck case, and what was done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike {
    /// The surface of the case, as it is: no instrument has looked at it yet.
    pub surface: Topography,
    /// What was done, for tests and studies; a reader must not see it.
    pub truth: Truth,
}

/// What was done to a struck case.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// How the mark lies on the surface.
    pub pose: Pose,
    /// The mark alone, as transferred: µm above the surface without it.
    pub mark: Topography,
    /// How fully the metal met the tool, 0 to 1, on the surface's grid.
    pub contact: Grid<f32>,
    /// Radius of the mark on the case.
    pub radius: Length,
    /// Wear of the tool, 0 to 1.
    pub wear: f64,
    /// Height of the mark on the case over that on the tool, where contact is full.
    pub transfer: f64,
    /// Depth of the impression that holds the mark.
    pub crater: Length,
    /// Length constant and direction of the drag (clockwise from the right as seen on the case).
    pub drag: (Length, Angle),
    /// Where the first of two strikes lay relative to the second, and how deep it still is.
    pub first_strike: Option<FirstStrike>,
    /// Particles of debris.
    pub particles: usize,
    /// The first corner of the region taken from a real background, and its share of measured points.
    pub region: Option<((Length, Length), f64)>,
}

/// How a mark lies on a surface, relative to its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// To the right.
    pub x: Length,
    /// Down.
    pub y: Length,
    /// Clockwise as seen on the case.
    pub turn: Angle,
    /// Size over nominal size.
    pub scale: f64,
}

/// The first of two strikes, relative to the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstStrike {
    /// To the right.
    pub x: Length,
    /// Down.
    pub y: Length,
    /// Clockwise as seen on the case.
    pub turn: Angle,
    /// Depth relative to the second.
    pub depth: f64,
}

/// Strikes `tool` into a primer.
///
/// `tool` is the relief of the tool **as seen on the tool**, on a flat ground at 0, positive where raised, its middle
/// the middle of the mark; missing points count as ground. What is raised on the tool is sunk on the case, and the
/// case shows the mirror image. `background` is a real scan to strike into; a region as large as the field is drawn
/// from it, with its own texture, form and missing points, and neither bowl, roughness nor machining is added.
/// Heights of the result are micrometres above the flat of the primer (above the region's median with a background).
///
/// The same arguments and generator state give the same surface to the last bit, and each factor draws from its own
/// stream, so that changing one condition leaves the chances of the others as they were.
///
/// # Errors
///
/// [`StrikeError`] where the tool or the background cannot be used or a parameter is out of its range.
///
/// ```
/// use impression::{Ammunition, Conditions, Firearm, strike};
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
/// use topography::{Grid, Length, Pitch, Topography};
///
/// let bar = Grid::from_fn(200, 200, |x, y| if x.abs_diff(130) < 10 && y.abs_diff(100) < 60 { 25.0 } else { 0.0 });
/// let tool = Topography { heights: bar, pitch: Pitch::square(Length::um(2.0)) };
/// let shot = Conditions::preset("level-1")?;
/// let mut rng = ChaCha8Rng::seed_from_u64(7);
/// let struck = strike(&tool, &Firearm::default(), &Ammunition::default(), &shot, None, &mut rng)?;
/// assert_eq!(struck.surface.heights.width(), 512);
/// // Raised right of the middle on the tool, therefore sunk left of the middle on the case.
/// assert!(struck.truth.mark.heights[(220, 256)] < -4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn strike(
    tool: &Topography,
    firearm: &Firearm,
    ammunition: &Ammunition,
    conditions: &Conditions,
    background: Option<&Topography>,
    rng: &mut impl Rng,
) -> Result<Strike, StrikeError> {
    conditions.check()?;
    firearm.check()?;
    ammunition.check()?;
    let frame = Frame::covering(conditions.field.to_um(), conditions.pitch.to_um());
    if frame.side > 8192 {
        return Err(StrikeError::Size(frame.side));
    }
    let streams = Streams::new(rng);
    let shot = Shot { firearm, ammunition, conditions, frame, streams };
    let region = background
        .map(|scan| background::region(scan, frame, &mut shot.streams.of(Factor::Region)))
        .transpose()?;
    let tool = tool::prepare(tool)?;
    Ok(shot.fire(tool, region))
}

/// Everything a shot needs but the tool and the surface.
struct Shot<'a> {
    firearm: &'a Firearm,
    ammunition: &'a Ammunition,
    conditions: &'a Conditions,
    frame: Frame,
    streams: Streams,
}

impl Shot<'_> {
    fn fire(&self, mut tool: Tool, region: Option<Region>) -> Strike {
        let pose = self.pose();
        let seed = tool::fingerprint(&tool.relief);
        let transfer = self.transfer(&tool);
        let wear = self.wear();
        tool::wear(&mut tool, wear);
        let radius = (tool.radius * pose.scale).max(20.0);
        let disc = Disc { x: pose.x.to_um(), y: pose.y.to_um(), radius };
        let drag = self.drag(pose);
        let first_strike = self.first_strike();
        let mut mark = self.press(&tool, pose, (drag, first_strike), transfer);
        let contact = self.contact(disc);
        for (sample, contact) in mark.samples_mut().iter_mut().zip(contact.samples()) {
            *sample *= contact;
        }
        let found = region.as_ref().map(|r| ((Length::um(r.corner.0), Length::um(r.corner.1)), r.valid));
        let (mut surface, missing) = self.ground(region, disc, pose);
        add(&mut surface, &mark);
        self.scratch(&mut surface, drag, (pose, seed));
        let particles = self.cover(&mut surface);
        for (sample, missing) in surface.samples_mut().iter_mut().zip(missing) {
            *sample = if missing { f32::NAN } else { *sample };
        }
        let crater = if found.is_some() { 0.0 } else { form::depth(self.firearm, self.ammunition) };
        let truth = Truth {
            pose,
            mark: self.topography(&mark),
            contact,
            radius: Length::um(radius),
            wear,
            transfer,
            crater: Length::um(crater),
            drag,
            first_strike,
            particles,
            region: found,
        };
        Strike { surface: self.topography(&surface), truth }
    }

    fn pose(&self) -> Pose {
        let mut rng = self.streams.of(Factor::Pose);
        let mut shift = || self.conditions.shift * chance::sign(&mut rng);
        let (x, y) = (shift(), shift());
        let turn = self.conditions.turn * chance::sign(&mut rng);
        Pose { x, y, turn, scale: 1.0 + self.conditions.stretch * chance::sign(&mut rng) }
    }

    fn wear(&self) -> f64 {
        let left = libm::exp(-self.conditions.rounds / self.firearm.pin_life);
        1.0 - (1.0 - self.conditions.wear) * left
    }

    /// The share of the tool's relief that the metal takes over.
    fn transfer(&self, tool: &Tool) -> f64 {
        let depth = self.conditions.depth.to_um() * form::yielding(self.firearm, self.ammunition);
        if tool.height == 0.0 { 0.0 } else { (depth / tool.height.abs()).min(1.0) }
    }

    fn drag(&self, pose: Pose) -> (Length, Angle) {
        let mut rng = self.streams.of(Factor::Drag);
        let direction = self.firearm.drag_direction + self.firearm.drag_spread * chance::sign(&mut rng);
        (self.conditions.drag + self.firearm.drag, pose.turn + direction)
    }

    fn first_strike(&self) -> Option<FirstStrike> {
        let mut rng = self.streams.of(Factor::Double);
        let happens = chance::unit(&mut rng) < self.firearm.double_chance;
        let distance = self.conditions.double * chance::between(&mut rng, 0.8, 1.2);
        let direction = chance::direction(&mut rng);
        let turn = self.conditions.double_turn * chance::sign(&mut rng);
        let depth = chance::between(&mut rng, 0.45, 0.75);
        (happens && self.conditions.double > Length::ZERO).then(|| FirstStrike {
            x: distance * libm::cos(direction),
            y: distance * libm::sin(direction),
            turn,
            depth,
        })
    }

    /// The mark on the case under full contact: pose, first strike, drag, flow.
    fn press(
        &self,
        tool: &Tool,
        pose: Pose,
        ((drag, direction), first): ((Length, Angle), Option<FirstStrike>),
        transfer: f64,
    ) -> Grid<f32> {
        let pitch = self.frame.pitch;
        let dragged = drag > Length::ZERO;
        let (work, angle) = if dragged {
            let tail = 5.0 * drag.to_um()
                + 4.0 * self.conditions.flow_blur.to_um()
                + 1.3 * self.conditions.double.to_um();
            let off = libm::hypot(pose.x.to_um(), pose.y.to_um());
            let reach = (1.1 * tool.radius + off + tail + 20.0)
                .min(0.5 * self.frame.extent() * std::f64::consts::SQRT_2);
            (Frame::covering(2.0 * reach, pitch), direction.to_radians())
        } else {
            (self.frame, 0.0)
        };
        let on_case = places(work).then(Affine::turn(angle));
        let mut mark = warp(&tool.relief, work.side, on_case.then(case_to_tool(tool, pose)));
        if let Some(first) = first {
            let earlier =
                Pose { x: pose.x + first.x, y: pose.y + first.y, turn: pose.turn + first.turn, ..pose };
            let copy = warp(&tool.relief, work.side, on_case.then(case_to_tool(tool, earlier)));
            keep_deeper(&mut mark, &copy, first.depth as f32);
        }
        filter::smear_rows(&mut mark, drag.to_um() / pitch);
        let flow = self.conditions.flow_blur.to_um() / pitch;
        // Sampling once more between the points blurs by a sixth of a squared pitch on average.
        let flow = if dragged { (flow * flow - 1.0 / 6.0).max(0.0).sqrt() } else { flow };
        filter::gaussian(&mut mark, flow);
        if dragged {
            let back = places(self.frame).then(Affine::turn(-angle)).then(indices(work));
            mark = warp(&mark, self.frame.side, back);
        }
        let sunk = -(transfer as f32);
        mark.samples_mut().iter_mut().for_each(|sample| *sample *= sunk);
        mark
    }

    /// How fully the metal met the tool.
    fn contact(&self, mark: Disc) -> Grid<f32> {
        let mut rng = self.streams.of(Factor::Tilt);
        let direction = chance::direction(&mut rng);
        let off_centre = self.conditions.off_centre + self.firearm.off_centre;
        let eccentric = 0.2 * off_centre.to_mm() * 2.0 * mark.radius / 1000.0;
        let loss = (self.conditions.tilt + self.firearm.tilt + eccentric).min(1.0);
        let mut contact = contact::tilt(self.frame, mark, loss, direction);
        if self.conditions.missing > 0.0 {
            let amount = (self.conditions.missing, self.conditions.missing_scale.to_um());
            let patches = contact::patches(self.frame, mark, amount, &mut self.streams.of(Factor::Missing));
            for (sample, patch) in contact.samples_mut().iter_mut().zip(patches.samples()) {
                *sample *= patch;
            }
        }
        contact
    }

    /// The surface before the mark, and which of its points are missing.
    fn ground(&self, region: Option<Region>, mark: Disc, pose: Pose) -> (Grid<f32>, Vec<bool>) {
        if let Some(region) = region {
            return filled(region.heights);
        }
        let mut surface =
            form::bowl(self.frame, mark, pose.turn.to_radians(), (self.firearm, self.ammunition));
        let smoothing = libm::pow(0.5, self.ammunition.plating.to_um() / 10.0);
        let roughness = together(self.conditions.roughness, self.ammunition.finish) * smoothing;
        if roughness > 0.0 {
            let rng = &mut self.streams.of(Factor::Roughness);
            add(&mut surface, &texture::roughness(self.frame, roughness, rng));
        }
        let machining = together(self.conditions.machining, self.ammunition.grooves) * smoothing;
        if machining > 0.0 {
            let rng = &mut self.streams.of(Factor::Machining);
            add(&mut surface, &texture::machining(self.frame, machining, self.conditions.concentric, rng));
        }
        let missing = vec![false; surface.samples().len()];
        (surface, missing)
    }

    /// Scratches along the drag, and the tool's own finish.
    fn scratch(&self, surface: &mut Grid<f32>, drag: (Length, Angle), (pose, seed): (Pose, u64)) {
        let striae = self.conditions.drag_striae.to_um();
        if striae > 0.0 {
            let along = Affine::turn(-drag.1.to_radians());
            let rng = &mut self.streams.of(Factor::Striae);
            add(surface, &texture::lines(self.frame, striae, (120.0, 3.0), along, rng));
        }
        let finish = self.firearm.finish.to_um();
        if finish > 0.0 {
            // The same marks on every case of the same tool, and they lie as the mark lies.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let along = case_to_mark(pose).then(Affine::turn(chance::direction(&mut rng)));
            add(surface, &texture::lines(self.frame, finish, (400.0, 6.0), along, &mut rng));
        }
    }

    /// Lacquer, then debris.
    fn cover(&self, surface: &mut Grid<f32>) -> usize {
        let thickness = self.conditions.lacquer + self.ammunition.lacquer;
        residue::lacquer(surface, self.frame, thickness.to_um());
        let mut rng = self.streams.of(Factor::Debris);
        residue::debris(surface, self.frame, self.conditions.debris, &mut rng)
    }

    fn topography(&self, heights: &Grid<f32>) -> Topography {
        let pitch = Pitch::square(Length::um(self.frame.pitch));
        Topography { heights: heights.map(|height| f64::from(*height)), pitch }
    }
}

/// From indices to places.
fn places(frame: Frame) -> Affine {
    Affine::stretch(frame.pitch, frame.pitch).then(Affine::shift(frame.first(), frame.first()))
}

/// From places to indices.
fn indices(frame: Frame) -> Affine {
    Affine::shift(-frame.first(), -frame.first()).then(Affine::stretch(1.0 / frame.pitch, 1.0 / frame.pitch))
}

/// From a place on the case to one in the frame of the mark, as seen on the case.
fn case_to_mark(pose: Pose) -> Affine {
    Affine::shift(-pose.x.to_um(), -pose.y.to_um())
        .then(Affine::turn(-pose.turn.to_radians()))
        .then(Affine::stretch(1.0 / pose.scale, 1.0 / pose.scale))
}

/// From a place on the case to an index of the tool's map, which is the mirror image.
fn case_to_tool(tool: &Tool, pose: Pose) -> Affine {
    let centre = (0.5 * (tool.relief.width() as f64 - 1.0), 0.5 * (tool.relief.height() as f64 - 1.0));
    case_to_mark(pose)
        .then(Affine::stretch(-1.0 / tool.pitch.0, 1.0 / tool.pitch.1))
        .then(Affine::shift(centre.0, centre.1))
}

/// Keeps the deeper of two impressions, the second flattened.
fn keep_deeper(mark: &mut Grid<f32>, other: &Grid<f32>, flattened: f32) {
    for (sample, other) in mark.samples_mut().iter_mut().zip(other.samples()) {
        let other = flattened * other;
        if other.abs() > sample.abs() {
            *sample = other;
        }
    }
}

fn add(surface: &mut Grid<f32>, layer: &Grid<f32>) {
    for (sample, layer) in surface.samples_mut().iter_mut().zip(layer.samples()) {
        *sample += layer;
    }
}

/// Two independent deviations together, in micrometres.
fn together(a: Length, b: Length) -> f64 {
    (a.to_um() * a.to_um() + b.to_um() * b.to_um()).sqrt()
}

/// The same heights with each missing point replaced by the last one measured in its row, and which were missing.
fn filled(mut heights: Grid<f32>) -> (Grid<f32>, Vec<bool>) {
    let missing = heights.samples().iter().map(|height| height.is_nan()).collect();
    for y in 0..heights.height() {
        let row = heights.row_mut(y);
        let mut last = row.iter().copied().find(|height| height.is_finite()).unwrap_or(0.0);
        for sample in row {
            if sample.is_finite() {
                last = *sample;
            } else {
                *sample = last;
            }
        }
    }
    (heights, missing)
}
