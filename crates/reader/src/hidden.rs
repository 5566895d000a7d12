//! What a mark would have shown here: marks that nobody struck, laid on the very surface that shows none.
//!
//! That there is no mark can be said only of a surface on which one would have been seen. Where none is found, a badly
//! struck one is therefore laid on the input itself, some times, each elsewhere and with another code, and taken through
//! the same form removal and, of photographs, the same relief from shading. It would have been seen where it fits better
//! than anything fitted by chance. (Injection and recovery, as detection limits of surveys are measured: J. L.
//! Christiansen et al., Astrophys. J. Suppl. 207:35, 2013.)

use std::f32::consts::PI;

use topography::Length;

use crate::align::prepared;
use crate::bank::Bank;
use crate::banks::Banks;
use crate::blur::blur;
use crate::evident::Evident;
use crate::field::{Field, Region, Surface};
use crate::measured::places;
use crate::pose::Pose;
use crate::raster::Canvas;
use crate::region::{COARSE_PITCH, FINE_PITCH, bowl_of};
use crate::search::{Candidate, Rendering};
use crate::shading::{laid, relief};

/// How badly a mark is struck; lengths in micrometres.
struct Struck {
    /// Relief that is left.
    relief: f32,
    /// How far metal flowed and the tool was worn round, and how far it was dragged.
    flow: f32,
    drag: f32,
    /// How far from the last a first strike lies; flattened to [`FIRST`] of its relief.
    double: f32,
    /// What lies farther than this to one side, against the extent of the mark, did not come over.
    lost: f32,
}

/// As badly as a mark is struck that is still looked for.
const RUINED: Struck = Struck { relief: 3.5, flow: 7.0, drag: 15.0, double: 20.0, lost: 0.49 };
const FIRST: f32 = 0.6;
/// Marks that are laid on.
const LAID: usize = 4;
/// Nats by which one must fit better than what fits by chance, to be seen in a photograph; on a height map it must be as far
/// ahead as marks are that are found whatever the decoder says.
const AHEAD: f32 = 20.0;

/// The share of badly struck marks that would have been seen in a region, where the best that was found fits by `chance`
/// nats; nothing where pictures show no relief.
pub(crate) fn shown(
    surfaces: &[Surface],
    region: Region,
    (banks, rendering): (&Banks, Rendering),
    chance: f32,
) -> Option<f32> {
    let pitch = banks.module_um * if rendering == Rendering::Height { COARSE_PITCH } else { FINE_PITCH };
    let sampled = |surface: &Surface, region| surface.sampled(region, Length::um(f64::from(pitch)));
    // Of a height map marks are laid where it was measured: what is missing shows nothing, but says nothing either.
    let regions = match rendering {
        Rendering::Height => places(surfaces.first()?, banks, LAID),
        _ => vec![region],
    };
    let laid: Vec<Vec<Field>> =
        regions.iter().map(|&region| surfaces.iter().map(|one| sampled(one, region)).collect()).collect();
    let fit = |k: usize| fit_of(&laid[k % laid.len()], (banks, rendering), k);
    let fits: Option<Vec<f32>> = (0..LAID).map(fit).collect();
    let ahead = if rendering == Rendering::Height { Evident::of(rendering).ahead } else { AHEAD };
    let seen = fits?.into_iter().filter(|fit| *fit > chance + ahead).count();
    Some(seen as f32 / LAID as f32)
}

/// How well the mark with one of the codes fits where it was laid, natural log.
fn fit_of(fields: &[Field], (banks, rendering): (&Banks, Rendering), number: usize) -> Option<f32> {
    let mark = Laid::of((&banks.fine, banks.module_um), fields.first()?, &RUINED, number);
    let mut fields = fields.to_vec();
    let coarse = if rendering == Rendering::Height {
        let mut field = fields.swap_remove(0);
        mark.onto(&mut field);
        field
    } else {
        let disc = bowl_of(&fields, banks);
        for field in &mut fields {
            laid(field, disc, |x, y| mark.height(x, y))?;
        }
        let fine = relief(&fields, disc, banks.module_um / fields[0].pitch_um)?;
        fine.coarser(banks.module_um * COARSE_PITCH)
    };
    let (flat, _) = prepared(&coarse, banks.module_um / coarse.pitch_um, false);
    let back = [-flat.origin_um / flat.pitch_um; 2];
    let pose = mark.pose_um.moved(1.0 / flat.pitch_um, back);
    let candidate = Candidate { score: 0.0, pose, azimuth: 0.0 };
    Some(banks.matcher(rendering).climb(&flat, candidate, (2, 0.4)).score)
}

/// A mark that is laid on.
struct Laid {
    canvas: Canvas,
    /// Heights over the canvas, micrometres.
    heights: Vec<f32>,
    /// From modules to micrometres from the corner of the region.
    pose_um: Pose,
}

impl Laid {
    /// About the middle of a field, with a code and at a turn that its number says.
    fn of((bank, module_um): (&Bank, f32), field: &Field, struck: &Struck, number: usize) -> Self {
        let (canvas, size) = (bank.canvas, bank.canvas.size);
        let weights: Vec<Vec<f32>> = bank
            .parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                let count = part.shapes.len();
                let drawn = (index * 7 + number * 13 + index * index * (number + 3)) % count;
                (0..count).map(|shape| f32::from(u8::from(shape == drawn))).collect()
            })
            .collect();
        let turn = 2.4 * number as f32;
        let (sin, cos) = turn.sin_cos();
        let per_um = canvas.per_module / module_um;
        let mut heights =
            doubled(&bank.expected(&weights), size, [cos, sin].map(|k| struck.double * per_um * k));
        for (place, value) in heights.iter_mut().enumerate() {
            let [u, v] = [place % size, place / size].map(|k| canvas.modules_of(k as f32));
            let lost = u * cos + v * sin > struck.lost * bank.extent;
            *value = if lost { 0.0 } else { struck.relief * value.min(1.0) };
        }
        dragged(&mut heights, size, struck.drag * per_um);
        let heights = blur(&heights, size, size, struck.flow * per_um);
        let aside = [(turn + 1.0).cos(), (turn + 1.0).sin()].map(|k| 1.5 * module_um * k);
        let middle = [field.values.width(), field.values.height()]
            .map(|count| field.origin_um + 0.5 * field.pitch_um * (count as f32 - 1.0));
        let centre = [middle[0] + aside[0], middle[1] + aside[1]];
        Self { canvas, heights, pose_um: Pose::similar(centre, module_um, turn - PI, false) }
    }

    /// The height at a place, micrometres from the corner of the region.
    fn height(&self, x: f32, y: f32) -> f32 {
        let [u, v] = self.pose_um.within(x, y);
        let size = self.canvas.size;
        let (x, y) = (self.canvas.sample_of(u), self.canvas.sample_of(v));
        if !(x >= 0.0 && y >= 0.0 && x < (size - 1) as f32 && y < (size - 1) as f32) {
            return 0.0;
        }
        let at = y as usize * size + x as usize;
        let row = |at: usize| self.heights[at] + x.fract() * (self.heights[at + 1] - self.heights[at]);
        row(at) + y.fract() * (row(at + size) - row(at))
    }

    fn onto(&self, field: &mut Field) {
        let um = |k: usize| field.origin_um + k as f32 * field.pitch_um;
        let width = field.values.width();
        let places: Vec<f32> =
            (0..field.values.samples().len()).map(|at| self.height(um(at % width), um(at / width))).collect();
        let known = field.known.samples().to_vec();
        for ((value, height), known) in field.values.samples_mut().iter_mut().zip(places).zip(known) {
            if known > 0.0 {
                *value += height;
            }
        }
    }
}

/// What two strikes leave, the first of them aside by some samples and flattened.
fn doubled(plane: &[f32], width: usize, aside: [f32; 2]) -> Vec<f32> {
    let [right, down] = aside.map(|k| k.round() as isize);
    let height = plane.len() / width;
    let first = |x: usize, y: usize| {
        let (x, y) = (x as isize - right, y as isize - down);
        let inside = x >= 0 && y >= 0 && x < width as isize && y < height as isize;
        if inside { FIRST * plane[y as usize * width + x as usize] } else { 0.0 }
    };
    (0..plane.len()).map(|at| plane[at].max(first(at % width, at / width))).collect()
}

/// Smears rows to the right, ever less over `length` samples.
fn dragged(plane: &mut [f32], width: usize, length: f32) {
    let kept = (-1.0 / length.max(1e-3)).exp();
    for row in plane.chunks_exact_mut(width) {
        let mut smear = 0.0;
        for value in row {
            smear = kept * smear + (1.0 - kept) * *value;
            *value = smear;
        }
    }
}
