#![doc = include_str!("../README.md")]

mod align;
mod bands;
mod bank;
mod banks;
mod blur;
mod bowl;
mod corners;
mod decide;
mod evidence;
mod evident;
mod field;
mod flanks;
mod foil;
mod fourier;
mod fuse;
mod hidden;
mod jointly;
mod letters;
mod light;
mod lights;
mod locate;
mod master;
mod measured;
mod observation;
mod observe;
mod overlaid;
mod overlay;
mod pose;
mod poses;
mod raster;
mod reading;
mod region;
mod ring;
mod schemes;
mod search;
mod sets;
mod shading;
mod stands;
mod symbols;
mod synthesis;
mod teeth;
mod transfer;
mod vectors;
mod view;
mod whiten;

pub use fuse::fuse;
pub use lights::observe_lights;
pub use observation::{Observation, observe_micrograph, observe_topography};
pub use overlay::overlay;
pub use reading::{
    CodeCandidate, Grade, GroupReading, Hypotheses, MarkReading, Outcome, Quality, ReadError, ReadOptions,
    Reading, SymbolReading,
};
pub use schemes::likeliest_scheme;

use topography::{Micrograph, Topography};

/// Reads one height map.
///
/// ```
/// use reader::{Outcome, ReadOptions, read_topography};
/// use symbology::Scheme;
/// use topography::{Grid, Length, Pitch, Topography};
///
/// let blank = Topography {
///     heights: Grid::from_fn(300, 300, |x, y| ((x * 7 + y * 13) % 11) as f64 * 0.05),
///     pitch: Pitch::square(Length::um(3.0)),
/// };
/// let reading = read_topography(&blank, &ReadOptions::new(Scheme::open_1()))?;
/// assert_eq!(reading.outcome, Outcome::NoMark);
/// # Ok::<(), reader::ReadError>(())
/// ```
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the surface cannot hold a mark.
pub fn read_topography(topography: &Topography, options: &ReadOptions) -> Result<Reading, ReadError> {
    fuse(&[observe_topography(topography, options)?], options)
}

/// Reads one photograph or electron micrograph.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the picture cannot hold a mark.
pub fn read_micrograph(picture: &Micrograph, options: &ReadOptions) -> Result<Reading, ReadError> {
    fuse(&[observe_micrograph(picture, options)?], options)
}
