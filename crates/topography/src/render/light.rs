//! Lights on a surface.

use rayon::prelude::*;

use super::Light;
use crate::{Angle, Grid, Micrograph, Topography};

/// Lamps of a ring; more change no grey value by a level.
const LAMPS: usize = 16;

/// Lights a surface; missing points are black.
///
/// The surface is dull (Lambert) with, for [`Light::Oblique`], a mirror-like part (Blinn and Phong, exponent 20). Nothing casts
/// a shadow. Slopes are differences to the measured neighbours.
///
/// ```
/// use topography::render::{self, Light};
/// use topography::{Angle, Grid, Length, Pitch, Topography};
///
/// // A ridge: its left flank faces a light from the left.
/// let heights = Grid::from_fn(40, 10, |x, _| -(x as f64 - 20.0).abs());
/// let ridge = Topography { heights, pitch: Pitch::square(Length::um(1.0)) };
/// let light = Light::Hill { azimuth: Angle::degrees(270.0), elevation: Angle::degrees(45.0) };
/// let picture = render::shade(&ridge, light);
/// assert!(picture.intensity[(10, 5)] > 0.99 && picture.intensity[(30, 5)] < 0.01);
/// ```
pub fn shade(topography: &Topography, light: Light) -> Micrograph {
    let heights = &topography.heights;
    let (width, height) = (heights.width(), heights.height());
    let pitch = (topography.pitch.x.to_um(), topography.pitch.y.to_um());
    let mut samples = vec![0.0_f32; width * height];
    if width > 0 {
        samples.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
            for (x, out) in out.iter_mut().enumerate() {
                if heights[(x, y)].is_finite() {
                    let point = Point::at(heights, (x, y), pitch);
                    *out = brightness(&point, light).clamp(0.0, 1.0) as f32;
                }
            }
        });
    }
    Micrograph { intensity: Grid::from_vec(width, height, samples), pitch: Some(topography.pitch) }
}

/// Slopes and mean curvature (times one sample) at a point.
struct Point {
    slope: (f64, f64),
    bend: f64,
}

impl Point {
    fn at(heights: &Grid<f64>, (x, y): (usize, usize), pitch: (f64, f64)) -> Self {
        let here = heights[(x, y)];
        let near = |dx: isize, dy: isize| {
            let place = x.checked_add_signed(dx).zip(y.checked_add_signed(dy));
            place.and_then(|(x, y)| heights.get(x, y)).copied().filter(|height| height.is_finite())
        };
        let along = |before: Option<f64>, after: Option<f64>, pitch: f64| match (before, after) {
            (Some(before), Some(after)) => {
                ((after - before) / (2.0 * pitch), (2.0 * here - before - after) / pitch)
            }
            (Some(before), None) => ((here - before) / pitch, 0.0),
            (None, Some(after)) => ((after - here) / pitch, 0.0),
            (None, None) => (0.0, 0.0),
        };
        let (slope_x, bend_x) = along(near(-1, 0), near(1, 0), pitch.0);
        let (slope_y, bend_y) = along(near(0, -1), near(0, 1), pitch.1);
        Self { slope: (slope_x, slope_y), bend: bend_x + bend_y }
    }

    /// The unit vector away from the surface: right, down, towards the viewer.
    fn normal(&self) -> [f64; 3] {
        let length = (1.0 + self.slope.0.powi(2) + self.slope.1.powi(2)).sqrt();
        [-self.slope.0 / length, -self.slope.1 / length, 1.0 / length]
    }
}

fn brightness(point: &Point, light: Light) -> f64 {
    match light {
        Light::Hill { azimuth, elevation } => dull(point.normal(), towards(azimuth, elevation)),
        Light::Ring { elevation } => {
            let normal = point.normal();
            let lamp = |lamp: usize| Angle::degrees(360.0 * lamp as f64 / LAMPS as f64);
            (0..LAMPS).map(|at| dull(normal, towards(lamp(at), elevation))).sum::<f64>() / LAMPS as f64
        }
        Light::Oblique { azimuth, elevation } => {
            let (normal, lamp) = (point.normal(), towards(azimuth, elevation));
            // Half-way between the lamp and the viewer, who looks straight down.
            let length = (lamp[0].powi(2) + lamp[1].powi(2) + (lamp[2] + 1.0).powi(2)).sqrt();
            let half = [lamp[0] / length, lamp[1] / length, (lamp[2] + 1.0) / length];
            0.5 * dull(normal, lamp) + 0.5 * dull(normal, half).powi(20)
        }
        Light::Sem => {
            // The yield of secondary electrons grows as one over the cosine of the slope, and at convex edges.
            let yield_of_slope = (1.0 / point.normal()[2]).min(4.0);
            0.22 * yield_of_slope + 0.12 + 0.25 * (2.0 * point.bend).clamp(-0.5, 1.5)
        }
    }
}

fn towards(azimuth: Angle, elevation: Angle) -> [f64; 3] {
    let (sin, cos) = azimuth.to_radians().sin_cos();
    let (up, flat) = elevation.to_radians().sin_cos();
    [flat * sin, -flat * cos, up]
}

fn dull(normal: [f64; 3], lamp: [f64; 3]) -> f64 {
    normal.iter().zip(lamp).map(|(a, b)| a * b).sum::<f64>().max(0.0)
}
