//! Height maps and micrographs: samples with a pitch.

use crate::{Grid, Length};

/// The distance between neighbouring samples along each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pitch {
    /// Between columns.
    pub x: Length,
    /// Between rows.
    pub y: Length,
}

impl Pitch {
    /// The same distance along both axes.
    pub const fn square(pitch: Length) -> Self {
        Self { x: pitch, y: pitch }
    }
}

/// A height map: heights in micrometres, positive towards the viewer, `NaN` where nothing was measured.
///
/// Sample `(x, y)` lies at `(x * pitch.x, y * pitch.y)` from the first one; rows run down the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Topography {
    /// Heights in micrometres, `NaN` where missing.
    pub heights: Grid<f64>,
    /// The distance between samples.
    pub pitch: Pitch,
}

impl Topography {
    /// The number of points that were measured.
    pub fn valid_points(&self) -> usize {
        self.heights.samples().iter().filter(|height| height.is_finite()).count()
    }

    /// The lowest and the highest measured height, or nothing where no point was measured.
    pub fn height_range(&self) -> Option<(Length, Length)> {
        let mut range: Option<(f64, f64)> = None;
        for &height in self.heights.samples().iter().filter(|height| height.is_finite()) {
            let (low, high) = range.unwrap_or((height, height));
            range = Some((low.min(height), high.max(height)));
        }
        range.map(|(low, high)| (Length::um(low), Length::um(high)))
    }
}

/// A grey picture: linear intensity from 0 (black) to 1 (white), with a pitch where one is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Micrograph {
    /// Intensity in 0..=1, row by row.
    pub intensity: Grid<f32>,
    /// The distance between samples on the object, where known.
    pub pitch: Option<Pitch>,
}
