//! A scanning electron microscope: slopes and edges are bright, and charge makes lines drift.

use rand::Rng;
use topography::{Length, Micrograph, Pitch, Topography};

use super::resample::{look, slopes, stretch};
use crate::{Conditions, chance, filter};

/// A scanning electron microscope (secondary electrons).
#[derive(Clone, Debug, PartialEq)]
pub struct Sem {
    /// Distance between picture points on the case.
    pub pitch: Length,
    /// Standard deviation of the blur.
    pub blur: Length,
    /// Standard deviation of the noise, with 1 for white.
    pub noise: f64,
    /// Brightening of edges relative to that of slopes.
    pub edges: f64,
    /// Slow change of brightness from charge, over the height of the picture, with 1 for white.
    pub charging: f64,
    /// Greatest sideways drift of a line from charge.
    pub drift: Length,
}

impl Default for Sem {
    /// 2 µm points, 1 µm blur, 3 % noise, edges as strong as slopes, 8 % charging, 4 µm drift: assumed.
    fn default() -> Self {
        Self {
            pitch: Length::um(2.0),
            blur: Length::um(1.0),
            noise: 0.03,
            edges: 1.0,
            charging: 0.08,
            drift: Length::um(4.0),
        }
    }
}

impl Sem {
    /// The microscope that `conditions` describe.
    pub fn under(conditions: &Conditions) -> Self {
        Self {
            pitch: conditions.pitch,
            blur: conditions.optical_blur * 0.5,
            noise: 2.0 * conditions.optical_noise,
            ..Self::default()
        }
    }
}

/// Half the thickness from which electrons escape, in micrometres: the scale of edge brightening.
const ESCAPE: f64 = 3.0;

/// A picture by secondary electrons: yield as one over the cosine of the slope, convex edges brighter, concave darker.
///
/// ```
/// use impression::instrument::{Sem, sem};
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
/// use topography::{Grid, Length, Pitch, Topography};
/// let step = Grid::from_fn(64, 64, |x, _| if x < 32 { 0.0 } else { 20.0 });
/// let step = Topography { heights: step, pitch: Pitch::square(Length::um(2.0)) };
/// let picture = sem(&step, &Sem::default(), &mut ChaCha8Rng::seed_from_u64(1));
/// assert!(picture.intensity[(32, 40)] > picture.intensity[(10, 40)] + 0.2);
/// ```
pub fn sem(surface: &Topography, settings: &Sem, rng: &mut impl Rng) -> Micrograph {
    let seen = look(surface, settings.pitch.to_um(), 0.0);
    let (along_x, along_y) = slopes(&seen.heights, seen.pitch);
    let mut around = seen.heights.clone();
    filter::gaussian(&mut around, ESCAPE / seen.pitch);
    let edges = (settings.edges / ESCAPE) as f32;
    let mut picture = along_x;
    for (i, sample) in picture.samples_mut().iter_mut().enumerate() {
        let (gx, gy) = (*sample, along_y.samples()[i]);
        let above = seen.heights.samples()[i] - around.samples()[i];
        let tilted = (1.0 + gx * gx + gy * gy).sqrt() - 1.0;
        *sample = (tilted + edges * above).clamp(-1.0, 2.0);
        if seen.missing.samples()[i] {
            *sample = -1.0;
        }
    }
    filter::gaussian(&mut picture, settings.blur.to_um() / seen.pitch);
    stretch(&mut picture, &seen.missing);
    charge(&mut picture, settings, seen.pitch, rng);
    let noise = settings.noise as f32;
    for sample in picture.samples_mut() {
        *sample = (*sample + noise * chance::normal(rng)).clamp(0.0, 1.0);
    }
    Micrograph { intensity: picture, pitch: Some(Pitch::square(settings.pitch)) }
}

/// Lines drift sideways and the picture brightens or darkens on the way down.
fn charge(picture: &mut topography::Grid<f32>, settings: &Sem, pitch: f64, rng: &mut impl Rng) {
    let (phase, waves) = (chance::direction(rng), chance::between(rng, 0.5, 2.0));
    let (sway, sways) = (chance::direction(rng), chance::between(rng, 0.3, 1.2));
    let rows = picture.height();
    for y in 0..rows {
        let down = std::f64::consts::TAU * y as f64 / rows as f64;
        let glow = (settings.charging * libm::sin(phase + waves * down)) as f32;
        let shift = (settings.drift.to_um() / pitch * libm::sin(sway + sways * down)) as f32;
        let row = picture.row_mut(y);
        let source = row.to_vec();
        let last = (source.len() - 1) as f32;
        for (x, sample) in row.iter_mut().enumerate() {
            let from = (x as f32 + shift).clamp(0.0, last - 0.001);
            let index = from as usize;
            let t = from - index as f32;
            *sample = source[index] + t * (source[index + 1] - source[index]) + glow;
        }
    }
}
