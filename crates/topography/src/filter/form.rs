//! Fitting a plane, a polynomial or a sphere to the measured points, and taking it away.

use super::fitting::{Point, Points, inner};
use super::{FilterError, sphere};
use crate::Topography;

/// The shape that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Tilt and height.
    Plane,
    /// A polynomial of this degree in both directions together: 2 takes curvature, up to 8.
    Polynomial(u8),
    /// A sphere, for pin tips and firing-pin impressions.
    Sphere,
}

/// How the shape is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Least squares: right where all points belong to the shape.
    LeastSquares,
    /// Least median distance, then Tukey's biweight: follows the larger part of the surface and ignores holes and ridges.
    Robust,
}

/// Takes the best-fitting form away; what remains are distances along the height axis.
///
/// Missing points have no part in the fit and stay missing. Points beside a fitted sphere become missing.
///
/// # Errors
///
/// [`FilterError::TooFewPoints`] if the measured points do not determine the form, [`FilterError::Degree`] for a polynomial
/// of a degree above 8.
///
/// ```
/// use topography::filter::{Fit, Form, remove_form};
/// use topography::{Grid, Length, Pitch, Topography};
///
/// // A tilted surface with a pit that takes a quarter of it.
/// let height = |x: usize, y: usize| 0.5 * x as f64 - 0.2 * y as f64 - if x < 20 && y < 20 { 50.0 } else { 0.0 };
/// let topography =
///     Topography { heights: Grid::from_fn(40, 40, height), pitch: Pitch::square(Length::um(1.0)) };
/// let level = remove_form(&topography, Form::Plane, Fit::Robust)?;
/// assert!(level.heights[(30, 30)].abs() < 1e-6, "{}", level.heights[(30, 30)]);
/// assert!((level.heights[(5, 5)] + 50.0).abs() < 1e-6);
/// # Ok::<(), topography::filter::FilterError>(())
/// ```
pub fn remove_form(topography: &Topography, form: Form, fit: Fit) -> Result<Topography, FilterError> {
    let degree = match form {
        Form::Plane => 1,
        Form::Polynomial(degree) if degree <= 8 => degree,
        Form::Polynomial(degree) => return Err(FilterError::Degree(degree)),
        Form::Sphere => return sphere::remove(topography, fit),
    };
    let powers = powers(usize::from(degree));
    let points = Points::gather(topography);
    let model = |point: &Point, terms: &mut [f64]| fill_terms(point, &powers, terms);
    let coefficients = points.fit(powers.len(), fit, &model)?;
    let mut terms = vec![0.0; powers.len()];
    Ok(subtract(topography, &points, |point| {
        fill_terms(point, &powers, &mut terms);
        inner(&terms, &coefficients)
    }))
}

/// All pairs of powers whose sum is at most the degree, the constant first.
pub(super) fn powers(degree: usize) -> Vec<(i32, i32)> {
    (0..=degree as i32).flat_map(|sum| (0..=sum).map(move |a| (sum - a, a))).collect()
}

/// Chebyshev polynomials, which stay well apart on -1..=1.
fn fill_terms(point: &Point, powers: &[(i32, i32)], terms: &mut [f64]) {
    let degree = powers.last().map_or(0, |&(a, b)| (a + b) as usize);
    let chebyshev = |t: f64| {
        let mut values = [1.0, t, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        for n in 2..=degree {
            values[n] = 2.0 * t * values[n - 1] - values[n - 2];
        }
        values
    };
    let (x, y) = (chebyshev(point.x), chebyshev(point.y));
    for (term, &(a, b)) in terms.iter_mut().zip(powers) {
        *term = x[a as usize] * y[b as usize];
    }
}

/// The heights less the form's, which is asked for at every measured point.
pub(super) fn subtract(
    topography: &Topography,
    points: &Points,
    mut form: impl FnMut(&Point) -> f64,
) -> Topography {
    let (pitch_x, pitch_y) = (topography.pitch.x.to_um(), topography.pitch.y.to_um());
    let heights = &topography.heights;
    let mut result = heights.clone();
    for y in 0..heights.height() {
        for (x, height) in result.row_mut(y).iter_mut().enumerate() {
            if height.is_finite() {
                *height -= form(&points.place(x as f64 * pitch_x, y as f64 * pitch_y, *height));
            } else {
                *height = f64::NAN;
            }
        }
    }
    Topography { heights: result, pitch: topography.pitch }
}
