//! A stereo microscope under a ring light or a light from one side.

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use topography::{Angle, Grid, Length, Micrograph, Pitch, Topography};

use super::resample::{Seen, look, slopes, stretch};
use crate::lattice::Lattice;
use crate::{Conditions, chance, filter};

/// A photograph through a microscope.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// Distance between picture points on the case.
    pub pitch: Length,
    /// Standard deviation of the blur.
    pub blur: Length,
    /// Standard deviation of the noise, with 1 for white.
    pub noise: f64,
    /// Where an oblique light stands, clockwise from the right of the picture; a ring light has no side.
    pub azimuth: Angle,
    /// Height of the light above the case's plane.
    pub elevation: Angle,
    /// Strength of the shine on the metal, 0 dull.
    pub shine: f64,
    /// Standard deviation of the stains on the metal.
    pub mottle: f64,
    /// Share of the picture under specks of soot.
    pub soot: f64,
    /// Whether an oblique light casts shadows.
    pub shadows: bool,
}

impl Default for Light {
    /// 2 µm points, light from the upper left at 34°, shine 0.35, stains 4 %, soot 1 %, no cast shadows: assumed.
    fn default() -> Self {
        Self {
            pitch: Length::um(2.0),
            blur: Length::um(2.0),
            noise: 0.015,
            azimuth: Angle::degrees(-135.0),
            elevation: Angle::degrees(34.0),
            shine: 0.35,
            mottle: 0.04,
            soot: 0.01,
            shadows: false,
        }
    }
}

impl Light {
    /// The microscope that `conditions` describe.
    pub fn under(conditions: &Conditions) -> Self {
        Self {
            pitch: conditions.pitch,
            blur: conditions.optical_blur,
            noise: conditions.optical_noise,
            azimuth: conditions.light_azimuth,
            elevation: conditions.light_elevation,
            shadows: conditions.shadows >= 0.5,
            ..Self::default()
        }
    }

    /// The same microscope with its light elsewhere.
    #[must_use]
    pub fn from(self, azimuth: Angle, elevation: Angle) -> Self {
        Self { azimuth, elevation, ..self }
    }
}

/// The shine of Blinn with the exponent 14, by products so that it is the same everywhere.
fn gloss(mirror: f32) -> f32 {
    let second = mirror.max(0.0) * mirror.max(0.0);
    let fourth = second * second;
    fourth * fourth * fourth * second
}

/// A picture under one light from the side.
///
/// ```
/// use impression::instrument::{Light, oblique};
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
/// use topography::{Grid, Length, Pitch, Topography};
/// let ramp = |x: usize| if x < 32 { 0.5 * x as f64 } else { 0.5 * (64 - x) as f64 };
/// let roof = Topography { heights: Grid::from_fn(64, 64, |x, _| ramp(x)), pitch: Pitch::square(Length::um(2.0)) };
/// let picture = oblique(&roof, &Light::default(), &mut ChaCha8Rng::seed_from_u64(1));
/// // The light stands on the left: the left side of the roof is the brighter one.
/// assert!(picture.intensity[(16, 32)] > picture.intensity[(48, 32)]);
/// ```
pub fn oblique(surface: &Topography, settings: &Light, rng: &mut impl Rng) -> Micrograph {
    let seen = look(surface, settings.pitch.to_um(), 0.0);
    let light = towards(settings.azimuth, settings.elevation);
    let half = halfway(light);
    let shine = settings.shine as f32;
    let mut picture = shade(&seen, |gx, gy| {
        let norm = 1.0 / (1.0 + gx * gx + gy * gy).sqrt();
        let lit = (light[2] - gx * light[0] - gy * light[1]) * norm;
        let mirror = (half[2] - gx * half[0] - gy * half[1]) * norm;
        if lit <= 0.0 { 0.0 } else { lit + shine * gloss(mirror) }
    });
    if settings.shadows {
        cast_shadows(&mut picture, &seen, settings);
    }
    expose(picture, &seen, settings, rng)
}

/// A picture under a closed ring of light.
///
/// The answer depends on steepness alone, so it is tabulated once from 16 lights about the circle.
pub fn ring(surface: &Topography, settings: &Light, rng: &mut impl Rng) -> Micrograph {
    let seen = look(surface, settings.pitch.to_um(), 0.0);
    let table = ring_table(settings);
    let last = (table.len() - 2) as f32;
    let picture = shade(&seen, |gx, gy| {
        // Steepness 0..inf as the sine of the slope, 0..1.
        let squared = gx * gx + gy * gy;
        let step = ((squared / (1.0 + squared)).sqrt() * (last + 1.0)).min(last);
        let index = step as usize;
        let t = step - index as f32;
        table[index] + t * (table[index + 1] - table[index])
    });
    expose(picture, &seen, settings, rng)
}

fn ring_table(settings: &Light) -> Vec<f32> {
    let count = 2048;
    (0..count)
        .map(|i| {
            let sine = f64::from(i) / f64::from(count - 1);
            let cosine = (1.0 - sine * sine).sqrt();
            let mut sum = 0.0;
            for k in 0..16 {
                let light = towards(Angle::degrees(22.5 * f64::from(k)), settings.elevation).map(f64::from);
                let half = halfway(light.map(|part| part as f32)).map(f64::from);
                let lit = light[2] * cosine - light[0] * sine;
                if lit > 0.0 {
                    let mirror = (half[2] * cosine - half[0] * sine) as f32;
                    sum += lit + settings.shine * f64::from(gloss(mirror));
                }
            }
            (sum / 16.0) as f32
        })
        .collect()
}

/// The unit vector towards a light: right, down, towards the viewer.
fn towards(azimuth: Angle, elevation: Angle) -> [f32; 3] {
    let (a, e) = (azimuth.to_radians(), elevation.to_radians());
    [(libm::cos(a) * libm::cos(e)) as f32, (libm::sin(a) * libm::cos(e)) as f32, libm::sin(e) as f32]
}

/// Between a light and the viewer straight above.
fn halfway(light: [f32; 3]) -> [f32; 3] {
    let sum = [light[0], light[1], light[2] + 1.0];
    let norm = (sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]).sqrt();
    sum.map(|part| part / norm)
}

/// Brightness of every point from its slopes.
fn shade(seen: &Seen, mut brightness: impl FnMut(f32, f32) -> f32) -> Grid<f32> {
    let (mut along_x, along_y) = slopes(&seen.heights, seen.pitch);
    for (gx, gy) in along_x.samples_mut().iter_mut().zip(along_y.samples()) {
        *gx = brightness(*gx, *gy);
    }
    along_x
}

/// Darkens what lies behind higher ground as seen from the light, walking away from it row by row or column by column.
fn cast_shadows(picture: &mut Grid<f32>, seen: &Seen, settings: &Light) {
    let light = towards(settings.azimuth, settings.elevation);
    let (ux, uy) = (light[0], light[1]);
    let transposed = uy.abs() > ux.abs();
    let (lead, side) = if transposed { (uy, ux) } else { (ux, uy) };
    let (width, height) = (seen.heights.width(), seen.heights.height());
    let (lines, across) = if transposed { (height, width) } else { (width, height) };
    let at = |line: usize, place: usize| if transposed { (place, line) } else { (line, place) };
    // One step towards the light moves one line and `slant` places, and the ray rises by `rise`.
    let slant = side / lead.abs();
    let rise = light[2] / lead.abs() * seen.pitch as f32;
    let mut horizon = vec![f32::NEG_INFINITY; across];
    for step in 0..lines {
        let line = if lead > 0.0 { lines - 1 - step } else { step };
        let earlier = horizon.clone();
        for place in 0..across {
            let from = (place as f32 + slant).clamp(0.0, (across - 1) as f32);
            let low = (from as usize).min(across.saturating_sub(2));
            let t = from - low as f32;
            let ray = (1.0 - t) * earlier[low] + t * earlier[low + 1] - rise;
            let own = seen.heights[at(line, place)];
            let ray = if ray.is_nan() { f32::NEG_INFINITY } else { ray };
            if ray > own {
                // A penumbra of one micrometre.
                picture[at(line, place)] *= 0.15 + 0.85 * (1.0 - (ray - own)).max(0.0);
            }
            horizon[place] = ray.max(own);
        }
    }
}

/// Stains and soot of the case, then blur, exposure and noise of the camera.
fn expose(mut picture: Grid<f32>, seen: &Seen, settings: &Light, rng: &mut impl Rng) -> Micrograph {
    stain(&mut picture, seen, settings);
    for (sample, missing) in picture.samples_mut().iter_mut().zip(seen.missing.samples()) {
        *sample = if *missing { 0.0 } else { *sample };
    }
    filter::gaussian(&mut picture, settings.blur.to_um() / seen.pitch);
    stretch(&mut picture, &seen.missing);
    let noise = settings.noise as f32;
    for sample in picture.samples_mut() {
        *sample = (*sample + noise * chance::normal(rng)).clamp(0.0, 1.0);
    }
    Micrograph { intensity: picture, pitch: Some(Pitch::square(settings.pitch)) }
}

/// Stains of 20 µm and specks of soot of 6 µm, drawn from the surface itself.
fn stain(picture: &mut Grid<f32>, seen: &Seen, settings: &Light) {
    if settings.mottle <= 0.0 && settings.soot <= 0.0 {
        return;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(case_number(&seen.heights));
    let size = (picture.width(), picture.height());
    let high = (size.0 as f64 * seen.pitch, size.1 as f64 * seen.pitch);
    let mut layer = |length: f64| {
        Lattice::new((0.0, 0.0), high, (length, length), &mut rng).grid(size, (0.0, 0.0), seen.pitch)
    };
    let (stains, soot) = (layer(20.0), layer(6.0));
    let mottle = settings.mottle as f32;
    let bound = upper_quantile(settings.soot);
    for ((sample, stain), soot) in picture.samples_mut().iter_mut().zip(stains.samples()).zip(soot.samples())
    {
        let albedo = (1.0 + mottle * stain).max(0.2);
        let speck = 1.0 - 0.7 * (2.0 * (soot - bound)).clamp(0.0, 1.0);
        *sample *= albedo * speck;
    }
}

/// The value that a normal number exceeds with this chance (Abramowitz and Stegun 26.2.23).
fn upper_quantile(share: f64) -> f32 {
    if share <= 0.0 {
        return f32::INFINITY;
    }
    let t = (-2.0 * libm::log(share.min(0.5))).sqrt();
    let above = 2.515517 + t * (0.802853 + t * 0.010328);
    let below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    (t - above / below) as f32
}

/// A number that only this surface has: its heights to a hundredth of a micrometre, one in 64.
fn case_number(heights: &Grid<f32>) -> u64 {
    heights.samples().iter().step_by(64).fold(0xcbf2_9ce4_8422_2325, |hash, height| {
        (hash ^ ((f64::from(*height) * 100.0).round() as i64 as u64)).wrapping_mul(0x0100_0000_01b3)
    })
}
