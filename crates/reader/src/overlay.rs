//! A picture of what was found and read.

use symbology::{Scheme, geometry};
use topography::Grid;

use crate::field::Surface;
use crate::observation::Observation;
use crate::raster::Canvas;

/// Samples along a side of each panel.
const SIDE: usize = 384;

/// Two panels beside each other, upright as the mark is read: on the left the surface seen in the frame of the mark
/// found in it (slow form left out), on the right the same with the outline of `code` (as written) drawn over it in
/// red. Red, green and blue in 0..=255; nothing where no mark was found or the code is not one of the scheme.
pub fn overlay(
    topography: &topography::Topography,
    observation: &Observation,
    scheme: &Scheme,
    code: Option<&str>,
) -> Option<Grid<[u8; 3]>> {
    let part = observation.parts.iter().find(|part| part.possible)?;
    let surface = Surface::Heights(topography);
    let [width, height] = surface.extent_um();
    let pitch = (part.module_um * 0.21).max(width.max(height) / 2000.0);
    let mut field = surface.sampled([0.0, 0.0, width, height], topography::Length::um(f64::from(pitch)));
    field.take_quadric();
    field.take_slow_waves(2.5 * part.module_um / pitch);
    let field = field.evened(5.0 * part.module_um / pitch, 2.5);
    let canvas = Canvas { size: SIDE, per_module: SIDE as f32 / 48.0 };
    let pose = part.pose_um.moved(1.0 / pitch, [-field.origin_um / pitch; 2]);
    let (seen, _) = pose.rectify(&field, canvas);
    let mut drawn = vec![0.0; SIDE * SIDE];
    if let Some(word) = code.and_then(|code| scheme.word(code).ok()) {
        for &mark in &part.marks {
            canvas.draw(&geometry::draw(scheme, mark, &word), &mut drawn);
        }
    }
    let edge = |x: usize, y: usize| {
        let here = drawn[y * SIDE + x];
        here > 0.25 && here < 0.75
    };
    Some(Grid::from_fn(2 * SIDE, SIDE, |x, y| {
        let grey = (128.0 + 48.0 * seen[y * SIDE + x % SIDE]).clamp(0.0, 255.0) as u8;
        if x >= SIDE && edge(x - SIDE, y) { [220, 40, 40] } else { [grey; 3] }
    }))
}
