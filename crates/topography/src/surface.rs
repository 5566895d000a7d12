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

    /// The root mean square height Sq of ISO 25178-2, from the mean height; nothing where no point was measured.
    ///
    /// Level and filter first where the parameter is to describe roughness: tilt and form count here as they are.
    ///
    /// ```
    /// use topography::{Grid, Length, Pitch, Topography};
    /// let heights = Grid::from_vec(3, 2, vec![1.0, 5.0, f64::NAN, 5.0, 1.0, f64::NAN]);
    /// let topography = Topography { heights, pitch: Pitch::square(Length::um(1.0)) };
    /// assert_eq!(topography.sq(), Some(Length::um(2.0)));
    /// assert_eq!(topography.sa(), Some(Length::um(2.0)));
    /// ```
    pub fn sq(&self) -> Option<Length> {
        self.mean_of_distances(|distance| distance * distance).map(|mean| Length::um(mean.sqrt()))
    }

    /// The arithmetic mean height Sa of ISO 25178-2, from the mean height; nothing where no point was measured.
    pub fn sa(&self) -> Option<Length> {
        self.mean_of_distances(f64::abs).map(Length::um)
    }

    fn mean_of_distances(&self, measure: impl Fn(f64) -> f64) -> Option<f64> {
        let count = self.valid_points();
        let finite = || self.heights.samples().iter().filter(|height| height.is_finite());
        let mean = finite().sum::<f64>() / count as f64;
        (count > 0).then(|| finite().map(|height| measure(height - mean)).sum::<f64>() / count as f64)
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
