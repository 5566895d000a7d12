//! One shot: a tool's mark is pressed into a primer.

use rand::Rng;
use topography::Topography;

use crate::background;
use crate::chance::{Factor, Streams};
use crate::frame::Frame;
use crate::shot::Shot;
use crate::tool;
use crate::truth::Strike;
use crate::{Ammunition, Conditions, Firearm, ParameterError};

/// Why a tool could not be struck.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrikeError {
    /// The tool's map is too small or has no measured point.
    #[error(
        "a tool of {0} x {1} points, {2} of them measured, is too little to strike with\nhint: give the height map of an engraved tool"
    )]
    Tool(usize, usize, usize),
    /// A map's pitch is not a positive length.
    #[error("a pitch of {0} x {1} µm cannot be used\nhint: set the scale of the map")]
    Pitch(f64, f64),
    /// A setting is out of its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The surface would have too many points.
    #[error(
        "a surface of {0} x {0} points is above the limit of 8192 x 8192\nhint: choose a smaller `field` or a larger `pitch`"
    )]
    Size(usize),
    /// The background is smaller than the field.
    #[error("the background covers {:.0} x {:.0} µm, less than the field of {wanted_um:.0} µm\nhint: choose a smaller `field`", has_um.0, has_um.1)]
    BackgroundSize {
        /// The field's side.
        wanted_um: f64,
        /// The background's sides.
        has_um: (f64, f64),
    },
    /// No region of the background has enough measured points.
    #[error("the best region of {wanted_um:.0} µm of the background is measured to {:.0} %, and 50 % are needed\nhint: choose a smaller `field` or another scan", 100.0 * best)]
    BackgroundValid {
        /// The share of measured points of the best region.
        best: f64,
        /// The field's side.
        wanted_um: f64,
    },
}

/// Strikes `tool` into a primer.
///
/// `tool` is the tool **as seen on the tool**, positive where raised, its middle the middle of the mark: relief on a
/// flat ground at 0, or relief on the form of its tip, which then shapes the bowl. Missing points count as ground. What is raised on the tool is sunk on the case, and the
/// case shows the mirror image. `background` is a real scan to strike into; a region as large as the field is drawn
/// from it, with its own texture, form and missing points, and neither bowl, roughness nor machining is added.
/// Heights of the result are micrometres above the flat of the primer (above the region's median with a background).
///
/// The same arguments and generator state give the same surface to the last bit, and each factor draws from its own
/// stream, so that changing one condition leaves the chances of the others as they were.
///
/// # Errors
///
/// [`StrikeError`] where the tool or the background cannot be used or a parameter is out of its range.
///
/// ```
/// use impression::{Ammunition, Conditions, Firearm, strike};
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
/// use topography::{Grid, Length, Pitch, Topography};
///
/// let bar = Grid::from_fn(200, 200, |x, y| if x.abs_diff(130) < 10 && y.abs_diff(100) < 60 { 25.0 } else { 0.0 });
/// let tool = Topography { heights: bar, pitch: Pitch::square(Length::um(2.0)) };
/// let shot = Conditions::preset("level-1")?;
/// let mut rng = ChaCha8Rng::seed_from_u64(7);
/// let struck = strike(&tool, &Firearm::default(), &Ammunition::default(), &shot, None, &mut rng)?;
/// assert_eq!(struck.surface.heights.width(), 512);
/// // Raised right of the middle on the tool, therefore sunk left of the middle on the case.
/// assert!(struck.truth.mark.heights[(220, 256)] < -4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn strike(
    tool: &Topography,
    firearm: &Firearm,
    ammunition: &Ammunition,
    conditions: &Conditions,
    background: Option<&Topography>,
    rng: &mut impl Rng,
) -> Result<Strike, StrikeError> {
    conditions.check()?;
    firearm.check()?;
    ammunition.check()?;
    let frame = Frame::covering(conditions.field.to_um(), conditions.pitch.to_um());
    if frame.side > 8192 {
        return Err(StrikeError::Size(frame.side));
    }
    let streams = Streams::new(rng);
    let region = background
        .map(|scan| background::region(scan, frame, &mut streams.of(Factor::Region)))
        .transpose()?;
    let tool = tool::prepare(tool)?;
    Ok(Shot { firearm, ammunition, conditions, frame, streams }.fire(tool, region))
}
