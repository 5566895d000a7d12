//! Levelling, form removal, Gaussian filters and the removal of spikes; missing points stay missing.
//!
//! Nothing here fills a missing point: it has no weight in any fit or filter, and it is missing in the result.
//!
//! ```
//! use topography::filter::{self, Gaussian, Order};
//! use topography::{Grid, Length, Pitch, Topography};
//!
//! // A wave of 100 µm on a wave of 20 µm.
//! let wave = |x: usize, length_um: f64| (x as f64 * 2.0 / length_um * std::f64::consts::TAU).sin();
//! let heights = Grid::from_fn(400, 40, |x, _| wave(x, 100.0) + wave(x, 20.0));
//! let topography = Topography { heights, pitch: Pitch::square(Length::um(2.0)) };
//!
//! let cut_off = Gaussian { cut_off: Length::um(45.0), order: Order::Zero, robust: false };
//! let fine = filter::high_pass(&topography, &cut_off)?;
//! // What remains of the long wave is 1 - 0.87, of the short one all but 0.03.
//! assert!((fine.heights[(200, 20)] - 0.97 * wave(200, 20.0) - 0.13 * wave(200, 100.0)).abs() < 0.02);
//! # Ok::<(), filter::FilterError>(())
//! ```

mod axis;
mod fitting;
mod form;
mod gaussian;
mod lanes;
mod median;
mod moments;
mod sphere;
mod spikes;

use crate::Length;

pub(crate) use axis::catmull_rom;
pub use form::{Fit, Form, remove_form};
pub use gaussian::{band_pass, high_pass, low_pass};
pub use spikes::{Spikes, remove_spikes};

/// A Gaussian regression filter after ISO 16610-61 (areal) and ISO 16610-71 (areal, robust).
///
/// Waves as long as the cut-off pass with half their height, whatever the order: the width of the weighting function
/// is `sqrt(ln 2 / π)` = 0.4697 cut-offs for orders 0 and 1, as in ISO 16610-21, and 0.7309 cut-offs for order 2, as in
/// ISO 16610-31.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// The wavelength that passes with half its height.
    pub cut_off: Length,
    /// What is fitted around each point.
    pub order: Order,
    /// Whether points far from the filtered surface lose their weight (Tukey's biweight at 4.4478 median distances).
    pub robust: bool,
}

/// The polynomial that a regression filter fits around each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A height: the weighted mean; bends away from a tilted surface at edges.
    Zero,
    /// A plane: follows tilt up to the edges.
    One,
    /// A paraboloid: follows tilt and curvature up to the edges.
    Two,
}

/// Why a surface was not filtered.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// The cut-off is no length.
    #[error("a cut-off must be longer than nothing and finite, this is {0}")]
    CutOff(Length),
    /// The surface has too few measured points for the form.
    #[error(
        "{points} measured points are too few for this form, which needs {needed} that do not lie on one line"
    )]
    TooFewPoints {
        /// Measured points.
        points: usize,
        /// The least that determine the form.
        needed: usize,
    },
    /// The degree of a polynomial is out of range.
    #[error("a form of degree {0} cannot be removed: degrees 0 to 8 can")]
    Degree(u8),
}
