//! Spheres: pin tips and the impressions they leave.

use super::fitting::{Point, Points};
use super::form::{powers, subtract};
use super::{FilterError, Fit};
use crate::Topography;

/// A sphere in scaled coordinates: centre and radius (heights scaled like x and y).
#[derive(Clone, Copy)]
struct Sphere {
    x: f64,
    y: f64,
    z: f64,
    radius: f64,
    /// The visible half: +1 a dome, -1 a bowl.
    side: f64,
}

impl Sphere {
    fn height(&self, point: &Point) -> f64 {
        let rest = self.radius.powi(2) - (point.x - self.x).powi(2) - (point.y - self.y).powi(2);
        self.z + self.side * rest.sqrt()
    }
}

/// Takes the best-fitting sphere away.
pub(super) fn remove(topography: &Topography, fit: Fit) -> Result<Topography, FilterError> {
    let mut points = Points::gather(topography);
    let scale = points.scale;
    points.measured.iter_mut().for_each(|point| point.z /= scale);
    let sphere = fit_sphere(&points, fit)?;
    Ok(subtract(topography, &points, |point| sphere.height(point) * scale))
}

/// An algebraic fit to begin with, then Gauss-Newton on the distances along the height axis.
fn fit_sphere(points: &Points, fit: Fit) -> Result<Sphere, FilterError> {
    let too_few = FilterError::TooFewPoints { points: points.measured.len(), needed: 4 };
    // A paraboloid gives the side and the starting radius.
    let powers = powers(2);
    let model = |point: &Point, terms: &mut [f64]| {
        for (term, &(a, b)) in terms.iter_mut().zip(&powers) {
            *term = point.x.powi(a) * point.y.powi(b);
        }
    };
    let start = points.fit(powers.len(), fit, &model)?;
    let curvature = start[3] + start[5];
    if curvature.abs() < 1e-9 {
        return Err(too_few);
    }
    let radius = 1.0 / curvature.abs();
    let (x, y) = (-start[1] / curvature, -start[2] / curvature);
    let top = start[0] - curvature / 2.0 * (x * x + y * y);
    let mut sphere = Sphere { x, y, z: top + curvature.signum() * radius, radius, side: -curvature.signum() };
    for _ in 0..20 {
        let inside: Vec<Point> = points
            .measured
            .iter()
            .filter_map(|point| {
                let z = point.z - sphere.height(point);
                z.is_finite().then_some(Point { z, ..*point })
            })
            .collect();
        let residuals = Points { measured: inside, centre: points.centre, scale: points.scale };
        let gradient = |point: &Point, terms: &mut [f64]| {
            let root = sphere.height(point) - sphere.z;
            let root = if root.abs() < 1e-6 { 1e-6 } else { root };
            terms.copy_from_slice(&[
                (point.x - sphere.x) / root,
                (point.y - sphere.y) / root,
                1.0,
                sphere.radius / root,
            ]);
        };
        let step = match fit {
            Fit::LeastSquares => residuals.fit(4, fit, &gradient)?,
            Fit::Robust => residuals.refine(&gradient, vec![0.0; 4]),
        };
        sphere = Sphere {
            x: sphere.x + step[0],
            y: sphere.y + step[1],
            z: sphere.z + step[2],
            radius: (sphere.radius + step[3]).abs(),
            side: sphere.side,
        };
        if step.iter().all(|step| step.abs() < 1e-10) {
            break;
        }
    }
    Ok(sphere)
}
