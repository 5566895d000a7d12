//! X3P scans (ISO 25178-72, formerly ISO 5436-2): zip, XML, binary heights and MD5 sums.
//!
//! What is read, assumed, warned about and refused is written down in `docs/x3p.md` of this crate.
//!
//! ```
//! use topography::{Grid, Length, Limits, Pitch, Topography, x3p};
//!
//! let heights = Grid::from_fn(4, 3, |x, y| if (x, y) == (1, 1) { f64::NAN } else { x as f64 });
//! let topography = Topography { heights, pitch: Pitch::square(Length::um(6.25)) };
//! let bytes = x3p::write(&x3p::X3p::new(topography))?;
//!
//! let scan = x3p::read(&bytes, &Limits::default())?;
//! assert_eq!(scan.topography.valid_points(), 11);
//! assert_eq!(scan.topography.pitch.x, Length::um(6.25));
//! assert_eq!(scan.topography.height_range(), Some((Length::um(0.0), Length::um(3.0))));
//! assert!(scan.warnings.is_empty());
//! # Ok::<(), topography::FileError>(())
//! ```

mod container;
mod document;
mod heights;
mod mask;
mod plausible;
mod read;
mod write;

use crate::{Grid, Topography};

pub use read::read;
pub use write::write;

/// A scan and what its file says about it.
#[derive(Clone, Debug)]
pub struct X3p {
    /// The heights; the first row of the file's matrix is the first row here.
    pub topography: Topography,
    /// How the file keeps its heights.
    pub z_type: ZType,
    /// Maker and model of the instrument, as far as stated.
    pub instrument: Option<String>,
    /// Who made the file, if stated.
    pub creator: Option<String>,
    /// When the surface was measured, as written (`xsd:dateTime`), if stated.
    pub date: Option<String>,
    /// A free remark, if there is one.
    pub comment: Option<String>,
    /// An examiner's mask, where the file has one (an extension of x3ptools and fix3p).
    pub mask: Option<Mask>,
    /// What was odd about the file and what was assumed, one sentence each, for people.
    pub warnings: Vec<String>,
    scale: Option<Scale>,
}

impl X3p {
    /// A scan without history: heights as 64-bit numbers, nothing stated about its origin.
    pub fn new(topography: Topography) -> Self {
        Self {
            topography,
            z_type: ZType::Float64,
            instrument: None,
            creator: None,
            date: None,
            comment: None,
            mask: None,
            warnings: Vec::new(),
            scale: None,
        }
    }
}

/// How a file keeps its heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZType {
    /// 16-bit whole numbers times an increment (`I`); missing points in a separate bit list.
    Int16,
    /// 32-bit whole numbers times an increment (`L`); missing points in a separate bit list.
    Int32,
    /// 32-bit floating point (`F`).
    Float32,
    /// 64-bit floating point (`D`).
    Float64,
    /// A list of numbers inside the XML.
    Text,
}

impl ZType {
    /// The name used in reports: `int16`, `int32`, `float32`, `float64` or `text`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Text => "text",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Int16 => 'I',
            Self::Int32 => 'L',
            Self::Float32 => 'F',
            Self::Float64 | Self::Text => 'D',
        }
    }

    /// Bytes for one point in the binary part.
    const fn bytes(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int32 | Self::Float32 => 4,
            Self::Float64 | Self::Text => 8,
        }
    }
}

/// An examiner's mask: the points painted in another colour than the background.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// The background colour: red, green, blue.
    pub background: [u8; 3],
    /// True where painted; of the same shape as the heights.
    pub marked: Grid<bool>,
}

/// The metres of a stored number: `number * increment + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    increment: f64,
    offset: f64,
}
