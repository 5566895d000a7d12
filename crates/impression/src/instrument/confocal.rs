//! A confocal microscope: heights, with noise and without points on steep slopes.

use rand::Rng;
use topography::{Grid, Length, Pitch, Topography};

use super::resample::{look, slopes};
use crate::{Conditions, chance};

/// A confocal microscope.
#[derive(Clone, Debug, PartialEq)]
pub struct Confocal {
    /// Distance between points.
    pub pitch: Length,
    /// Standard deviation of the lateral blur.
    pub blur: Length,
    /// Standard deviation of the height noise.
    pub noise: Length,
    /// Slope (rise over run) at which half of the points are lost; the tangent of what the objective accepts.
    pub slope_limit: f64,
    /// Share of points lost at random everywhere.
    pub dropout: f64,
}

impl Default for Confocal {
    /// 2 µm points, 1 µm blur and 0.08 µm noise, half the points lost at 63°, one point in two thousand lost
    /// anywhere: assumed.
    fn default() -> Self {
        Self {
            pitch: Length::um(2.0),
            blur: Length::um(1.0),
            noise: Length::um(0.08),
            slope_limit: 2.0,
            dropout: 0.0005,
        }
    }
}

impl Confocal {
    /// The microscope that `conditions` describe.
    pub fn under(conditions: &Conditions) -> Self {
        Self {
            pitch: conditions.pitch,
            blur: conditions.optical_blur * 0.5,
            noise: conditions.height_noise,
            ..Self::default()
        }
    }
}

/// Measures `surface`: heights in micrometres, `NaN` where the surface has none or is too steep.
///
/// ```
/// use impression::instrument::{Confocal, confocal};
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
/// use topography::{Grid, Length, Pitch, Topography};
/// let plate = Topography { heights: Grid::filled(64, 64, 3.0), pitch: Pitch::square(Length::um(2.0)) };
/// let scan = confocal(&plate, &Confocal::default(), &mut ChaCha8Rng::seed_from_u64(1));
/// let (low, high) = scan.height_range().expect("a plate is measured");
/// assert!(low > Length::um(2.6) && high < Length::um(3.4));
/// ```
pub fn confocal(surface: &Topography, settings: &Confocal, rng: &mut impl Rng) -> Topography {
    let seen = look(surface, settings.pitch.to_um(), settings.blur.to_um());
    let (along_x, along_y) = slopes(&seen.heights, seen.pitch);
    let noise = settings.noise.to_um() as f32;
    let limit = (settings.slope_limit * settings.slope_limit).max(1e-9) as f32;
    let mut heights = Grid::filled(seen.heights.width(), seen.heights.height(), f64::NAN);
    for (i, target) in heights.samples_mut().iter_mut().enumerate() {
        let (gx, gy) = (along_x.samples()[i], along_y.samples()[i]);
        let steepness = (gx * gx + gy * gy) / limit;
        let error = noise * chance::normal(rng);
        // Lost for certain from 1.4 times the limit, never below 0.7 of it.
        let lost = settings.dropout + f64::from(((steepness - 0.5) / 1.5).clamp(0.0, 1.0));
        if !seen.missing.samples()[i] && chance::unit(rng) >= lost {
            *target = f64::from(seen.heights.samples()[i] + error);
        }
    }
    Topography { heights, pitch: Pitch::square(settings.pitch) }
}
