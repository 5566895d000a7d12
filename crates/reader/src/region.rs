//! The pieces of the input that are looked at, and how the search and the closer look see them.

use topography::Length;

use crate::bands::SLOW_MODULES;
use crate::banks::Banks;
use crate::bowl::bowl_centre;
use crate::field::{Field, Region, Surface};
use crate::search::{Rendering, SearchRange, ring_centres};
use crate::shading::{Disc, relief};

/// Modules between samples of the fields of the search and of the closer look.
pub(crate) const COARSE_PITCH: f32 = 0.42;
pub(crate) const FINE_PITCH: f32 = 0.28;
/// Half a side of a square that is looked at closely, against the extent of the marks.
pub(crate) const HALF: f32 = 1.35;
/// How far beyond the marks a bowl is charted, against their extent.
const BOWL: f32 = 1.13;

/// Where to look closely: all of a small surface, or squares about the likeliest centres of a large one.
pub(crate) fn regions(surface: &Surface, banks: &Banks, rendering: Rendering) -> Vec<Region> {
    let [width, height] = surface.extent_um();
    let half = HALF * banks.coarse.extent * banks.module_um;
    if width.max(height) <= 3.2 * half {
        return vec![[0.0, 0.0, width, height]];
    }
    let pitch = (banks.module_um * 0.8).max(width.max(height) / 640.0);
    let field = surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)));
    let module = banks.module_um / pitch;
    let mut flat = field.clone();
    flat.take_quadric();
    flat.take_slow_waves(SLOW_MODULES * module);
    let flat = flat.evened(2.0 * SLOW_MODULES * module, 2.5);
    let range = SearchRange { module, scales: [0.85, 1.15], centres: 8, bowl: [0.0, 0.0] };
    let mut centres: Vec<[f32; 2]> = Vec::new();
    for centre in ring_centres(&flat, banks.master(rendering), range) {
        let centre = centre.map(|k| k * pitch + field.origin_um);
        if centres.iter().all(|other| (other[0] - centre[0]).hypot(other[1] - centre[1]) > 0.4 * half) {
            centres.push(centre);
        }
    }
    centres.truncate(3);
    centres
        .into_iter()
        .map(|[x, y]| {
            let low = |k: f32, size: f32| (k - half).min(size - 2.0 * half).max(0.0);
            let (x, y) = (low(x, width), low(y, height));
            [x, y, (x + 2.0 * half).min(width), (y + 2.0 * half).min(height)]
        })
        .collect()
}

/// A region as the search and as the closer look see it; nothing where pictures do not show relief.
pub(crate) fn fields(
    surfaces: &[Surface],
    region: Region,
    banks: &Banks,
    rendering: Rendering,
) -> Option<(Field, Field)> {
    let (coarse, fine) = (banks.module_um * COARSE_PITCH, banks.module_um * FINE_PITCH);
    let sampled = |surface: &Surface, pitch: f32| surface.sampled(region, Length::um(f64::from(pitch)));
    if rendering != Rendering::Relief {
        let surface = surfaces.first()?;
        return Some((sampled(surface, coarse), sampled(surface, fine)));
    }
    let pictures: Vec<Field> = surfaces.iter().map(|surface| sampled(surface, fine)).collect();
    let relief = relief(&pictures, bowl_of(&pictures, banks), banks.module_um / fine)?;
    Some((relief.coarser(coarse), relief))
}

/// The disc in which pictures are taken to show a bowl with the marks in it.
pub(crate) fn bowl_of(pictures: &[Field], banks: &Banks) -> Disc {
    let field = pictures[0].coarser(banks.module_um * COARSE_PITCH);
    let module = banks.module_um / field.pitch_um;
    let mut flat = field;
    flat.take_quadric();
    flat.take_slow_waves(SLOW_MODULES * module);
    let middle = bowl_centre(&flat, 8.0 * module, true);
    let ratio = flat.pitch_um / pictures[0].pitch_um;
    let radius = BOWL * banks.coarse.extent * banks.module_um / pictures[0].pitch_um;
    Disc { centre: middle.map(|k| (k + 0.5) * ratio - 0.5), radius }
}
