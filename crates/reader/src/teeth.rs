//! A ring unrolled: every tooth is compared once, whatever the turn and the side.

use std::f32::consts::{PI, TAU};

use crate::align::Forms;
use crate::bank::Window;
use crate::field::Field;
use crate::pose::Pose;
use crate::raster::Canvas;
use crate::ring::{Place, Ring};
use crate::search::{Candidate, Rendering};

/// What a cell of a ring may show, on a strip that follows the ring.
pub(crate) struct Teeth {
    rendering: Rendering,
    /// Samples of the strip to a cell, and before its first cell and after its last.
    per_cell: usize,
    margin: usize,
    /// The circles of the strip, modules.
    radii: Vec<f32>,
    canvas: Canvas,
    tooth: Forms,
    block: Forms,
}

/// Room about a cell for blur and drag, modules.
const ROOM: f32 = 1.75;
/// Samples to a cell: flanks are thin.
const WIDE: usize = 4;
const THIN: usize = 6;

impl Teeth {
    pub(crate) fn of(ring: &Ring, rendering: Rendering) -> Self {
        let per_cell = if rendering == Rendering::Flanks { THIN } else { WIDE };
        let [inner, pitch, outer] = ring.reach;
        let step = TAU * pitch / (ring.cells * per_cell) as f32;
        let rows = ((outer - inner + 2.0 * ROOM) / step).ceil() as usize;
        let low = 0.5 * (inner + outer - (rows - 1) as f32 * step);
        let radii: Vec<f32> = (0..rows).map(|k| low + k as f32 * step).collect();
        let half = 0.5 * ring.tooth * per_cell as f32;
        let reach = (half + ROOM / step).ceil() as usize;
        let canvas = |width: usize| Canvas { size: width, per_module: 1.0 / step };
        // A rectangle of the strip: samples around the middle of the window, and modules from the middle of the mark.
        let drawn = |width: usize, half: f32, [from, to]: [f32; 2]| -> Vec<f32> {
            let middle = 0.5 * (width - 1) as f32;
            let down = |r: f32| ((r - from) / step + 0.5).min((to - r) / step + 0.5).clamp(0.0, 1.0);
            let across = |x: usize| (half - (x as f32 - middle).abs() + 0.5).clamp(0.0, 1.0);
            radii.iter().flat_map(|&r| (0..width).map(move |x| across(x) * down(r))).collect()
        };
        let window = |width: usize| Window { x: 0, y: 0, width, height: rows };
        let about = [0.0, -0.5 * (radii[0] + radii[rows - 1])];
        let width = 2 * reach + 1;
        let shapes = [drawn(width, half, [inner, pitch]), drawn(width, half, [pitch, outer])];
        let tooth = Forms::of((window(width), about), &shapes, (canvas(width), rendering));
        // Two cells filled: the gap between them is filled too.
        let (wide, half) = (width + per_cell - per_cell % 2, half + 0.5 * per_cell as f32);
        let block = [drawn(wide + 1 - wide % 2, half, [inner, outer])];
        let wide = wide + 1 - wide % 2;
        let block = Forms::of((window(wide), about), &block, (canvas(wide), rendering));
        let margin = wide + per_cell;
        let strip = ring.cells * per_cell + 2 * margin;
        Self {
            rendering,
            per_cell,
            margin,
            radii,
            canvas: Canvas { size: strip, per_module: 1.0 / step },
            tooth,
            block,
        }
    }

    /// Every turn and side of a ring that may be there, each with its scores as it is and with relief inverted; `azimuth`
    /// as in [`Candidate`].
    pub(crate) fn turns(
        &self,
        ring: &Ring,
        place: &Place,
        (field, azimuth): (&Field, f32),
    ) -> Vec<(Candidate, [f32; 2])> {
        let cells = ring.cells;
        let step = TAU / cells as f32;
        let strip = self.unrolled(place, field, step / self.per_cell as f32);
        let towards = |cell: f32| match self.rendering {
            Rendering::Height | Rendering::Relief => [azimuth.cos(), 0.0],
            Rendering::Flanks => [azimuth.cos(), azimuth.sin()],
            Rendering::Slope => {
                let (sin, cos) = (azimuth - place.phase - cell * step).sin_cos();
                [sin, cos]
            }
        };
        let scored = |forms: &Forms, cell: f32| {
            let middle = self.margin + (cell * self.per_cell as f32) as usize;
            let window = Window { x: middle - forms.window.width / 2, ..forms.window };
            forms.scores_at(window, &strip, self.canvas, towards(cell))
        };
        let teeth: Vec<[f32; 2]> = (0..cells).map(|cell| scored(&self.tooth, cell as f32)).collect();
        let blocks: Vec<[f32; 2]> = (0..cells).map(|cell| scored(&self.block, cell as f32 + 0.5)).collect();
        let all = teeth.iter().fold([0.0; 2], |sum, tooth| [sum[0] + tooth[0], sum[1] + tooth[1]]);
        let mut turns = Vec::with_capacity(2 * cells);
        for first in 0..cells {
            for mirrored in [false, true] {
                // The start mark lies just before the first data cell, clockwise as seen on the case.
                let before = |by: usize| (if mirrored { first + by } else { first + cells - by }) % cells;
                let block = blocks[before(if mirrored { ring.start - 1 } else { ring.start })];
                let score = [0, 1].map(|sign| {
                    let others: f32 = (1..=ring.start).map(|by| teeth[before(by)][sign]).sum();
                    all[sign] - others + block[sign]
                });
                let angle = place.phase + step * first as f32;
                let rotation = if mirrored { angle - PI + ring.cell } else { angle - ring.cell };
                let pose = Pose::similar(place.centre, place.module, rotation, mirrored);
                turns.push((Candidate { score: score[0].max(score[1]), pose, azimuth }, score));
            }
        }
        turns
    }

    /// The field along a ring: angle after angle, circle after circle; `step` radians between samples.
    fn unrolled(&self, place: &Place, field: &Field, step: f32) -> Vec<f32> {
        let (width, height) = (field.values.width(), field.values.height());
        let samples = field.values.samples();
        let angle = |x: usize| place.phase + (x as f32 - self.margin as f32) * step;
        let rays: Vec<(f32, f32)> = (0..self.canvas.size).map(|x| angle(x).sin_cos()).collect();
        let limit = [(width - 1) as f32, (height - 1) as f32];
        let mut strip = Vec::with_capacity(self.canvas.size * self.radii.len());
        for radius in &self.radii {
            let r = radius * place.module;
            strip.extend(rays.iter().map(|&(sin, cos)| {
                let (px, py) = (place.centre[0] + r * cos, place.centre[1] + r * sin);
                if !(px >= 0.0 && py >= 0.0 && px < limit[0] && py < limit[1]) {
                    return 0.0;
                }
                let (x, y) = (px as u32, py as u32);
                let (fx, fy) = (px - x as f32, py - y as f32);
                let at = y as usize * width + x as usize;
                let (upper, lower) = (&samples[at..at + 2], &samples[at + width..at + width + 2]);
                let top = upper[0] + fx * (upper[1] - upper[0]);
                top + fy * (lower[0] + fx * (lower[1] - lower[0]) - top)
            }));
        }
        strip
    }
}
