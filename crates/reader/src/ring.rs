//! The gear ring by itself: where, how large and how turned could one lie?
//!
//! Every cell of the ring has relief on one of two tracks, whatever the code, so the squared difference of the tracks
//! is large in the middle of every cell of a ring. That is looked up at every centre and size; the start mark and the
//! characters then tell which cell is the first, and which side is seen.

use symbology::geometry::{self, Element};
use symbology::{Mark, Scheme};

use crate::align::Extent;
use crate::banks::Banks;
use crate::blur::blur;
use crate::field::Field;
use crate::foil::Foil;
use crate::pose::Pose;
use crate::search::{Candidate, KEPT, Rendering, SearchRange, distinct};

/// What of a gear ring does not depend on the code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    /// Cells all around, those of the start mark among them.
    pub(crate) cells: usize,
    /// Middles of the inner and outer tracks and the pitch line between them, modules.
    radii: [f32; 3],
    /// Where teeth end: inside, at the pitch line, outside; modules.
    pub(crate) reach: [f32; 3],
    /// The share of a cell that a tooth takes.
    pub(crate) tooth: f32,
    /// The middle of a data cell, radians.
    pub(crate) cell: f32,
    /// How many cells before that one the start mark begins.
    pub(crate) start: usize,
}

/// A ring that may be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    score: f32,
    /// Middle of the ring, samples of the field.
    pub(crate) centre: [f32; 2],
    /// Samples to a module.
    pub(crate) module: f32,
    /// The middle of one of the cells, radians in the field.
    pub(crate) phase: f32,
}

/// Angles looked at to a cell.
const PHASES: usize = 4;

/// How far down the list of likely rings and turns the search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thorough {
    Likely,
    All,
    /// Also to rings that hardly show.
    Faint,
}

impl Thorough {
    /// Rings that are unrolled, turns that are compared with all marks, and poses that are kept.
    fn limits(self) -> [usize; 3] {
        match self {
            Self::Likely => [40, 240, KEPT],
            Self::All => [40, 720, KEPT],
            Self::Faint => [160, 2400, 40],
        }
    }
}

const SCALE_STEP: f32 = 1.035;

/// How many turns about the middle leave what the marks of a part may show where it was, and so do not tell themselves
/// apart but by the start mark: whole cells of a gear ring, halves of cells of dots and bars, quarters of a Data Matrix.
pub(crate) fn alike_turns(scheme: &Scheme, marks: &[Mark]) -> Option<usize> {
    if let Some(ring) = Ring::of(scheme, marks) {
        return Some(ring.cells);
    }
    if marks == [Mark::Matrix] {
        return Some(4);
    }
    let around = |mark: &&Mark| matches!(mark, Mark::Dots | Mark::Radial);
    let layout = geometry::layout(scheme, *marks.iter().find(around)?)?;
    let [zero, one] = layout.places().first()?.bits.first()?;
    let angle = |element: &Element| match element {
        Element::Dot { centre, .. } => Some(centre.y.atan2(centre.x)),
        Element::Sector { from, to, .. } => Some(0.5 * (from + to)),
        _ => None,
    };
    // Either value may come first, as the symbol is whitened.
    let apart = (angle(one.first()?)? - angle(zero.first()?)?).rem_euclid(std::f64::consts::TAU);
    let half = apart.min(std::f64::consts::TAU - apart);
    Some((std::f64::consts::TAU / half).round() as usize)
}

/// A pose turned by every number of as many steps all around but none, and the same from behind.
pub(crate) fn turned(pose: &Pose, turns: usize) -> Vec<Pose> {
    let turn = |k: usize| std::f32::consts::TAU * k as f32 / turns as f32;
    let near = (1..turns).map(|k| {
        let (sin, cos) = turn(k).sin_cos();
        pose.after([0.0; 2], [cos, -sin, sin, cos])
    });
    // Cells lie evenly about the top, as far to each side of it: from behind they lie where they lay.
    let behind = (0..turns).map(|k| {
        let (sin, cos) = turn(k).sin_cos();
        pose.after([0.0; 2], [-cos, -sin, -sin, cos])
    });
    near.chain(behind).collect()
}

impl Ring {
    /// The ring of a scheme, if it has one and it is looked for.
    pub(crate) fn of(scheme: &Scheme, marks: &[Mark]) -> Option<Self> {
        let layout = geometry::layout(scheme, Mark::Gear).filter(|_| marks.contains(&Mark::Gear))?;
        let bits = &layout.places().first()?.bits;
        let sector = |bit: usize, value: usize| match bits.get(bit)?[value].first()? {
            Element::Sector { inner, outer, from, to } => {
                Some([0.5 * (inner + outer), 0.5 * (from + to), *inner, *outer, to - from].map(|k| k as f32))
            }
            _ => None,
        };
        let (zero, one, next) = (sector(0, 0)?, sector(0, 1)?, sector(1, 0)?);
        let (low, high) = if zero[0] < one[0] { (zero, one) } else { (one, zero) };
        let cells = (std::f32::consts::TAU / (next[1] - zero[1]).abs()).round() as usize;
        let data: usize = layout.places().iter().map(|place| place.bits.len()).sum();
        Some(Self {
            cells,
            radii: [low[0], high[0], high[2]],
            reach: [low[2], high[2], high[3]],
            tooth: (zero[4] / (next[1] - zero[1])).abs(),
            cell: zero[1],
            start: cells.checked_sub(data)?,
        })
    }

    /// Cells all around, and how many of them the start mark takes.
    pub(crate) fn cells_and_start(&self) -> (usize, usize) {
        (self.cells, self.start)
    }

    /// The ring of a foil.
    pub(crate) fn foiled(&self, foil: &Foil, cells: usize) -> Self {
        Self { cells, cell: foil.angle(f64::from(self.cell)) as f32, ..*self }
    }

    /// The poses where this ring, looked for in `relief`, with all other marks of `banks` around it fits `field` best.
    pub(crate) fn candidates(
        &self,
        relief: &Field,
        (field, azimuth): (&Field, f32),
        (banks, rendering, thorough): (&Banks, Rendering, Thorough),
        range: SearchRange,
    ) -> Vec<Candidate> {
        let Some(teeth) = banks.teeth(rendering) else { return Vec::new() };
        let tracks = Tracks::of(relief, range.module);
        let [places, turns, kept] = thorough.limits();
        let mut found: Vec<(Candidate, [f32; 2])> = self
            .places(&tracks, range, places)
            .iter()
            .flat_map(|place| teeth.turns(self, place, (field, azimuth)))
            .collect();
        for (candidate, ring) in &mut found {
            let worth = range.worth(candidate.pose.module());
            candidate.score *= worth;
            *ring = ring.map(|score| worth * score);
        }
        found.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        found.truncate(turns);
        let matcher = banks.low(rendering);
        let both = |(candidate, ring): (Candidate, [f32; 2])| {
            let worth = range.worth(candidate.pose.module());
            let glyphs = matcher.both(field, &candidate, Extent::Glyphs).map(|score| worth * score);
            let inverted = azimuth + std::f32::consts::PI;
            [
                Candidate { score: ring[0] + glyphs[0], ..candidate },
                Candidate { score: ring[1] + glyphs[1], azimuth: inverted, ..candidate },
            ]
        };
        distinct(found.into_iter().flat_map(both).collect(), range.module, kept)
    }

    /// The likeliest rings, so many at the most, no two of them alike.
    fn places(&self, tracks: &Tracks, range: SearchRange, most: usize) -> Vec<Place> {
        let mut found = Vec::new();
        let mut scale = range.scales[0];
        while scale <= range.scales[1] * 1.001 {
            let module = range.module * scale;
            let offsets = self.offsets(tracks, module);
            let margin = (0.6 * self.radii[1] * module) as usize;
            let step = (0.8 * module).round().max(1.0) as usize;
            for y in (margin..tracks.height.saturating_sub(margin)).step_by(step) {
                for x in (margin..tracks.width.saturating_sub(margin)).step_by(step) {
                    let (score, phase) = tracks.comb(&offsets, (x, y));
                    found.push(Place { score, centre: [x as f32, y as f32], module, phase });
                }
            }
            scale *= SCALE_STEP;
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Place> = Vec::new();
        for place in found {
            let apart = |other: &Place| {
                (place.centre[0] - other.centre[0]).hypot(place.centre[1] - other.centre[1])
                    > 1.5 * range.module
                    || (place.module / other.module).ln().abs() > 0.05
            };
            if kept.iter().all(apart) {
                kept.push(self.climbed(tracks, place));
                if kept.len() == most {
                    break;
                }
            }
        }
        for place in &mut kept {
            place.phase = self.cell + place.phase * std::f32::consts::TAU / self.cells as f32;
        }
        kept
    }

    /// The best ring within a step of one.
    fn climbed(&self, tracks: &Tracks, mut best: Place) -> Place {
        for grow in [0.983, 1.0, 1.017] {
            let module = best.module * grow;
            let offsets = self.offsets(tracks, module);
            let (cx, cy) = (best.centre[0] as usize, best.centre[1] as usize);
            for y in cy.saturating_sub(1)..=cy + 1 {
                for x in cx.saturating_sub(1)..=cx + 1 {
                    let (score, phase) = tracks.comb(&offsets, (x, y));
                    if score > best.score {
                        best = Place { score, centre: [x as f32, y as f32], module, phase };
                    }
                }
            }
        }
        best
    }

    /// Steps in the padded planes from the middle of a ring to its tracks, angle after angle.
    fn offsets(&self, tracks: &Tracks, module: f32) -> Vec<[isize; 3]> {
        let count = PHASES * self.cells;
        (0..count)
            .map(|k| {
                let angle = self.cell + std::f32::consts::TAU * k as f32 / count as f32;
                let (sin, cos) = angle.sin_cos();
                self.radii.map(|radius| {
                    let r = radius * module;
                    (r * sin).round() as isize * tracks.across as isize + (r * cos).round() as isize
                })
            })
            .collect()
    }
}

/// A field made ready for looking up tracks, with nothing all around it.
struct Tracks {
    width: usize,
    height: usize,
    /// Samples to a row of the padded planes, and rows and columns before the field.
    across: usize,
    margin: usize,
    smooth: Vec<f32>,
    /// One over the local square sum.
    inverse: Vec<f32>,
}

impl Tracks {
    fn of(field: &Field, module: f32) -> Self {
        let (width, height) = (field.values.width(), field.values.height());
        let margin = (28.0 * module) as usize + 2;
        let across = width + 2 * margin;
        let padded = |plane: &[f32]| {
            let mut out = vec![0.0; across * (height + 2 * margin)];
            for (y, row) in plane.chunks_exact(width).enumerate() {
                let from = (y + margin) * across + margin;
                out[from..from + width].copy_from_slice(row);
            }
            out
        };
        let smooth = blur(field.values.samples(), width, height, 0.6 * module);
        let squares: Vec<f32> = field.values.samples().iter().map(|value| value * value).collect();
        let power = blur(&squares, width, height, 1.3 * module);
        let mean = power.iter().sum::<f32>() / power.len() as f32;
        let inverse: Vec<f32> = power.iter().map(|power| 1.0 / (power + 0.3 * mean).max(1e-9)).collect();
        Self { width, height, across, margin, smooth: padded(&smooth), inverse: padded(&inverse) }
    }

    /// The squared differences of the tracks at the best phase of the cells, and that phase in cells.
    fn comb(&self, offsets: &[[isize; 3]], (x, y): (usize, usize)) -> (f32, f32) {
        let base = ((y + self.margin) * self.across + x + self.margin) as isize;
        let mut sums = [0.0f32; PHASES];
        for quarter in offsets.chunks_exact(PHASES) {
            for (sum, [low, high, middle]) in sums.iter_mut().zip(quarter) {
                let at = |offset: &isize| (base + offset) as usize;
                let difference = self.smooth[at(high)] - self.smooth[at(low)];
                *sum += difference * difference * self.inverse[at(middle)];
            }
        }
        let turn = (sums[1] - sums[3]).atan2(sums[0] - sums[2]) / std::f32::consts::TAU;
        let swing = (sums[1] - sums[3]).hypot(sums[0] - sums[2]);
        (0.25 * sums.iter().sum::<f32>() + 0.5 * swing, turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_look_alike_are_counted_whatever_the_whitening() {
        let of = |mark: Mark| alike_turns(&Scheme::open_1(), &[mark]);
        assert_eq!(of(Mark::Gear), Some(44), "whole cells: 40 of data and 4 of the start mark");
        assert_eq!(of(Mark::Dots), Some(32), "halves of 16 sectors");
        assert_eq!(of(Mark::Radial), Some(160), "halves of 80 cells");
        assert_eq!(of(Mark::Matrix), Some(4));
        assert_eq!(of(Mark::Characters), None);
    }
}
