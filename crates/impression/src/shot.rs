//! What happens between the tool and the case, in the order in which it happens.

use rand::{SeedableRng, rngs::ChaCha8Rng};
use topography::{Angle, Grid, Length, Pitch, Topography};

use crate::background::Region;
use crate::chance::{self, Factor, Streams};
use crate::contact::{self, Disc};
use crate::filter;
use crate::form::{self, Impression};
use crate::frame::{Affine, Frame};
use crate::press::{Press, case_to_mark, press};
use crate::residue;
use crate::texture;
use crate::tool::{self, Tool};
use crate::truth::{FirstStrike, Pose, Strike, Truth};
use crate::{Ammunition, Conditions, Firearm};

/// Everything a shot needs but the tool and the surface.
pub(crate) struct Shot<'a> {
    pub(crate) firearm: &'a Firearm,
    pub(crate) ammunition: &'a Ammunition,
    pub(crate) conditions: &'a Conditions,
    pub(crate) frame: Frame,
    pub(crate) streams: Streams,
}

impl Shot<'_> {
    /// Presses the tool, then scratches and covers the surface.
    pub(crate) fn fire(&self, mut tool: Tool, region: Option<Region>) -> Strike {
        let pose = self.pose();
        let seed = tool::fingerprint(&tool.relief);
        let transfer = self.transfer(&tool);
        let wear = self.wear();
        tool::wear(&mut tool, wear);
        let disc =
            Disc { x: pose.x.to_um(), y: pose.y.to_um(), radius: (tool.radius * pose.scale).max(20.0) };
        let (drag, first_strike) = (self.drag(pose), self.first_strike());
        let mut mark = press(
            &tool,
            self.frame,
            &Press { pose, drag, first_strike, flow: self.conditions.flow_blur, transfer },
        );
        let mut contact = self.contact(disc);
        let found = region.as_ref().map(|r| ((Length::um(r.corner.0), Length::um(r.corner.1)), r.valid));
        let ground = match region {
            Some(region) => Ground::real(region),
            None => self.primer(&tool, pose, &mut contact),
        };
        multiply(&mut mark, &contact);
        let (surface, particles) = self.finish(&ground, &mark, (drag.1, pose, seed));
        let truth = Truth {
            pose,
            mark: self.topography(&mark),
            contact,
            radius: Length::um(disc.radius),
            wear,
            transfer,
            crater: Length::um(ground.depth),
            drag,
            first_strike,
            particles,
            region: found,
        };
        Strike { surface: self.topography(&surface), truth }
    }

    /// Everything on top of the mark: scratches, film, particles, and the holes of a real background.
    fn finish(
        &self,
        ground: &Ground,
        mark: &Grid<f32>,
        (along, pose, seed): (Angle, Pose, u64),
    ) -> (Grid<f32>, usize) {
        let mut surface = ground.heights.clone();
        add(&mut surface, mark);
        self.scratch(&mut surface, along, (pose, seed));
        let particles = self.cover(&mut surface);
        if let Some(missing) = &ground.missing {
            for (sample, missing) in surface.samples_mut().iter_mut().zip(missing.samples()) {
                *sample = if *missing { f32::NAN } else { *sample };
            }
        }
        (surface, particles)
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
        self.conditions.wear + (1.0 - self.conditions.wear) * (1.0 - left)
    }

    /// The share of the tool's relief that the metal takes over.
    fn transfer(&self, tool: &Tool) -> f64 {
        let depth =
            self.conditions.depth.to_um() * form::yielding(self.firearm, self.ammunition, self.conditions);
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

    /// A primer's own surface: bowl, roughness and machining; takes from the contact what the tip does not reach.
    fn primer(&self, tool: &Tool, pose: Pose, contact: &mut Grid<f32>) -> Ground {
        // The bowl is seen in the mirror as the mark is, but every tip is symmetric about its axes.
        let striker = (self.firearm, self.ammunition, self.conditions);
        let impression =
            Impression::new(striker, tool.form.as_ref(), case_to_mark(Pose { scale: 1.0, ..pose }));
        let (mut heights, touch) = impression.bowl(self.frame);
        multiply(contact, &touch);
        let smoothing = libm::pow(0.5, self.ammunition.plating.to_um() / 10.0);
        let roughness = together(self.conditions.roughness, self.ammunition.finish) * smoothing;
        if roughness > 0.0 {
            let rng = &mut self.streams.of(Factor::Roughness);
            add(&mut heights, &texture::roughness(self.frame, roughness, rng));
        }
        let machining = together(self.conditions.machining, self.ammunition.grooves) * smoothing;
        if machining > 0.0 {
            let rng = &mut self.streams.of(Factor::Machining);
            add(&mut heights, &texture::machining(self.frame, machining, self.conditions.concentric, rng));
        }
        Ground { heights, missing: None, depth: impression.depth() }
    }

    /// Scratches along the drag, and the tool's own finish.
    fn scratch(&self, surface: &mut Grid<f32>, drag: Angle, (pose, seed): (Pose, u64)) {
        let striae = self.conditions.drag_striae.to_um();
        if striae > 0.0 {
            let along = Affine::turn(-drag.to_radians());
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

/// The surface before the mark.
struct Ground {
    heights: Grid<f32>,
    missing: Option<Grid<bool>>,
    /// Depth of the bowl that was made, in micrometres.
    depth: f64,
}

impl Ground {
    fn real(region: Region) -> Self {
        let missing = region.heights.map(|height| height.is_nan());
        let mut heights = region.heights;
        filter::hold_missing(&mut heights);
        Self { heights, missing: Some(missing), depth: 0.0 }
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

fn multiply(grid: &mut Grid<f32>, factors: &Grid<f32>) {
    for (sample, factor) in grid.samples_mut().iter_mut().zip(factors.samples()) {
        *sample *= factor;
    }
}
