//! Photographs and other flat pictures: PNG, TIFF, JPEG and BMP to and from grey micrographs and height maps.
//!
//! Grey values are the file's numbers scaled to 0..=1, with no gamma undone; colours become their luminance
//! (ITU-R BT.709), transparency becomes black. A JPEG comes out upright as its camera recorded.
//!
//! ```
//! use topography::picture::{self, Depth, PitchSource};
//! use topography::{Grid, Length, Limits, Micrograph, Pitch};
//!
//! let intensity = Grid::from_fn(8, 4, |x, _| x as f32 / 7.0);
//! let micrograph = Micrograph { intensity, pitch: Some(Pitch::square(Length::um(2.0))) };
//! let bytes = picture::write_png(&micrograph, Depth::Sixteen)?;
//!
//! let back = picture::read(&bytes, &Limits::default())?;
//! assert!((back.micrograph.intensity[(3, 1)] - 3.0 / 7.0).abs() < 1e-4);
//! assert_eq!(back.micrograph.pitch, Some(Pitch::square(Length::um(2.0))));
//! assert_eq!(back.pitch_source, Some(PitchSource::Png));
//! # Ok::<(), topography::FileError>(())
//! ```

mod density;
mod read;
mod tiff_file;
mod write;

use crate::{Length, Micrograph, Pitch};

pub use read::{read, read_heights};
pub use write::{write_colours, write_heights, write_png, write_tiff};

/// A picture and what its file says about it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The grey values, and the pitch where the file states a credible one.
    pub micrograph: Micrograph,
    /// Where the pitch comes from. It is what some program wrote, not a calibration: tell the user.
    pub pitch_source: Option<PitchSource>,
    /// What was odd about the file and what was assumed, one sentence each, for people.
    pub warnings: Vec<String>,
}

/// The entry of a file that a pitch was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PitchSource {
    /// `pHYs` of a PNG.
    Png,
    /// `XResolution` and `YResolution` of a TIFF.
    Tiff,
    /// The density of a JPEG's JFIF header.
    Jpeg,
    /// The pixels per metre of a BMP.
    Bmp,
}

/// Bits of a grey value in a written PNG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 256 levels, for looking at.
    Eight,
    /// 65,536 levels, for measuring.
    Sixteen,
}

/// How the numbers of a picture are heights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeightScale {
    /// The height of one level of a whole number, or of 1 in a floating-point picture.
    pub step: Length,
    /// The distance between samples; the file's own where nothing is given.
    pub pitch: Option<Pitch>,
}
