//! The engraved surface as a height map, and the mark as a picture.

use std::fmt;
use std::str::FromStr;

use topography::{Grid, Length, Micrograph, Pitch, Topography};

use crate::raster::Raster;
use crate::{MarkingError, PlacedMark};

/// Whether the marks stand out of the surface that is drawn, or lie in it.
///
/// This is always the relief of the surface **as drawn**: with [`View::Tool`] that of the part, with [`View::Case`]
/// that of the case. A strike turns one into the other: see [`Relief::opposite`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relief {
    /// The marks are the highest part: positive heights.
    #[default]
    Raised,
    /// The marks are the lowest part: negative heights.
    Sunk,
}

/// Which surface is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The part itself, as its engraver sees it: the mirror image of what a reader sees.
    #[default]
    Tool,
    /// The case as its reader sees it: text reads from left to right.
    Case,
}

/// Whether the shape of the tip is in the height map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The relief lies on the shape of the tip (seen on the case: in its bowl).
    #[default]
    With,
    /// The relief lies on a plane at height 0.
    Without,
}

impl Relief {
    /// The relief of the other surface of a strike: what is raised on the tool is sunk on the case.
    ///
    /// ```
    /// assert_eq!(marking::Relief::Raised.opposite(), marking::Relief::Sunk);
    /// ```
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Raised => Self::Sunk,
            Self::Sunk => Self::Raised,
        }
    }
}

impl View {
    /// Whether `x` of this view runs against `x` of the mark's frame.
    pub const fn is_mirrored(self) -> bool {
        matches!(self, Self::Tool)
    }
}

/// The pitches that a height map can have, in micrometres.
const PITCHES_UM: std::ops::RangeInclusive<f64> = 0.5..=5.0;
/// The most samples of a height map: half a gibibyte of heights.
const MOST_SAMPLES: usize = 64_000_000;

/// The marked surface, seen in one view, its middle sample on the middle of the mark.
///
/// Heights are in micrometres, positive towards the viewer; a height is the mean over the cell of one sample. The field
/// is square, has an odd number of samples, and reaches [`PlacedMark::FIELD_MARGIN`] past the mark: about 1 mm for
/// characters and gear at the default module. Without form the ground is 0 and the mark is
/// [`PlacedMark::relief_height`] above it (raised) or below it (sunk). With form the foremost point of the ground is 0,
/// the ground falls off on the tool and rises on the case, and samples beyond the tip are missing (`NaN`).
///
/// # Errors
///
/// [`MarkingError::Pitch`] when `pitch` lies outside 0.5 µm to 5 µm, [`MarkingError::Field`] when the field would have more
/// than 64 million samples.
///
/// ```
/// use marking::{Form, LayoutOptions, Relief, View, height_map, lay_out};
/// use symbology::{Mark, Scheme};
/// use topography::Length;
///
/// let tip = "hemispherical:1.7mm".parse()?;
/// let marks = [Mark::Characters, Mark::Gear];
/// let mark = lay_out(&Scheme::open_1(), "K73MXP", &marks, &tip, &LayoutOptions::default())?;
/// let tool = height_map(&mark, Length::um(2.0), Relief::Raised, View::Tool, Form::Without)?;
/// assert_eq!(tool.heights.width(), tool.heights.height());
/// let (low, high) = tool.height_range().expect("nothing is missing");
/// assert!(low.to_um() == 0.0 && (high.to_um() - 25.0).abs() < 0.5);
/// # Ok::<(), marking::MarkingError>(())
/// ```
pub fn height_map(
    mark: &PlacedMark,
    pitch: Length,
    relief: Relief,
    view: View,
    form: Form,
) -> Result<Topography, MarkingError> {
    let raster = raster(mark, pitch)?;
    let cover = cover(mark, raster, view);
    let height = match relief {
        Relief::Raised => mark.relief_height().to_um(),
        Relief::Sunk => -mark.relief_height().to_um(),
    };
    let place = |sample: usize| Length::um((sample as f64 - raster.half as f64) * raster.pitch);
    let ground = |x: usize, y: usize| match (form, view) {
        (Form::Without, _) => 0.0,
        // Every tip is symmetric about its axes, so its form is the same in the mirror.
        (Form::With, View::Tool) => mark.tip().height(place(x), place(y)).map_or(f64::NAN, Length::to_um),
        (Form::With, View::Case) => mark.tip().height(place(x), place(y)).map_or(f64::NAN, |z| -z.to_um()),
    };
    let heights =
        Grid::from_fn(cover.width(), cover.height(), |x, y| ground(x, y) + height * f64::from(cover[(x, y)]));
    Ok(Topography { heights, pitch: Pitch::square(pitch) })
}

/// The mark as a picture: 1 (white) where there is relief, 0 on the ground, grey along the edges. The field is that of
/// [`height_map`].
///
/// # Errors
///
/// [`MarkingError::Pitch`] when `pitch` lies outside 0.5 µm to 5 µm, [`MarkingError::Field`] when the field would have more
/// than 64 million samples.
pub fn picture(mark: &PlacedMark, pitch: Length, view: View) -> Result<Micrograph, MarkingError> {
    let raster = Raster { rounding: 0.0, ..raster(mark, pitch)? };
    Ok(Micrograph { intensity: cover(mark, raster, view), pitch: Some(Pitch::square(pitch)) })
}

fn raster(mark: &PlacedMark, pitch: Length) -> Result<Raster, MarkingError> {
    if !PITCHES_UM.contains(&pitch.to_um()) {
        return Err(MarkingError::Pitch(pitch));
    }
    let half = (mark.extent() + PlacedMark::FIELD_MARGIN) / pitch;
    // A whole number of samples up to a rounding error is that whole number.
    let half = (half - 1e-6).ceil() as usize;
    let raster = Raster { pitch: pitch.to_um(), half, rounding: mark.edge_rounding().to_um() };
    let samples = raster.side() * raster.side();
    if samples > MOST_SAMPLES {
        let side = (mark.extent() + PlacedMark::FIELD_MARGIN) * 2.0;
        return Err(MarkingError::Field { side, samples, limit: MOST_SAMPLES });
    }
    Ok(raster)
}

fn cover(mark: &PlacedMark, raster: Raster, view: View) -> Grid<f32> {
    let mut cover = raster.cover(mark.shapes());
    if view.is_mirrored() {
        for y in 0..cover.height() {
            cover.row_mut(y).reverse();
        }
    }
    cover
}

impl fmt::Display for Relief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raised => "raised",
            Self::Sunk => "sunk",
        })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Case => "case",
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::With => "with",
            Self::Without => "without",
        })
    }
}

impl FromStr for Relief {
    type Err = MarkingError;

    fn from_str(text: &str) -> Result<Self, MarkingError> {
        match text {
            "raised" => Ok(Self::Raised),
            "sunk" => Ok(Self::Sunk),
            _ => Err(MarkingError::choice("relief", text, "`raised` or `sunk`")),
        }
    }
}

impl FromStr for View {
    type Err = MarkingError;

    fn from_str(text: &str) -> Result<Self, MarkingError> {
        match text {
            "tool" => Ok(Self::Tool),
            "case" => Ok(Self::Case),
            _ => Err(MarkingError::choice("view", text, "`tool` or `case`")),
        }
    }
}

impl FromStr for Form {
    type Err = MarkingError;

    fn from_str(text: &str) -> Result<Self, MarkingError> {
        match text {
            "with" => Ok(Self::With),
            "without" => Ok(Self::Without),
            _ => Err(MarkingError::choice("form", text, "`with` or `without`")),
        }
    }
}
