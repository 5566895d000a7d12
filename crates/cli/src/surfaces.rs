//! Scans and pictures from files: what they are, their scale and where it came from, and their hash.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use topography::picture::{self, Depth};
use topography::render::{self, FalseColour};
use topography::{Length, Limits, Micrograph, Pitch, Topography, x3p};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// A scan or a picture, read from a file.
pub(crate) struct Loaded {
    /// Where it lies.
    pub(crate) file: PathBuf,
    /// What it holds.
    pub(crate) surface: Surface,
    /// Where the scale came from.
    pub(crate) pitch_source: PitchSource,
    /// SHA-256 of the file's bytes, in hexadecimal digits.
    pub(crate) sha256: String,
    /// What had to be assumed.
    pub(crate) warnings: Vec<String>,
}

/// Heights or grey values.
pub(crate) enum Surface {
    /// A height map.
    Heights(Topography),
    /// A photograph or an electron micrograph.
    Picture(Micrograph),
}

impl Surface {
    /// The word for it in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Heights(_) => "topography",
            Self::Picture(_) => "photograph",
        }
    }

    /// Heights to draw: those of a scan; for a picture its grey values, so that it can be shown in the same way.
    pub(crate) fn as_heights(&self) -> Topography {
        match self {
            Self::Heights(topography) => topography.clone(),
            Self::Picture(micrograph) => {
                let across = micrograph.intensity.width().min(micrograph.intensity.height()).max(1);
                let assumed = Pitch::square(Length::um(1024.0 / across as f64));
                Topography {
                    heights: micrograph.intensity.map(|&grey| 10.0 * f64::from(grey)),
                    pitch: micrograph.pitch.unwrap_or(assumed),
                }
            }
        }
    }

    /// The distance between samples, where known.
    pub(crate) fn pitch(&self) -> Option<Pitch> {
        match self {
            Self::Heights(topography) => Some(topography.pitch),
            Self::Picture(micrograph) => micrograph.pitch,
        }
    }
}

/// Where a scale came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PitchSource {
    /// The file states it.
    File,
    /// The user stated it.
    Given,
    /// Nobody stated it; it was assumed.
    Derived,
}

/// Reads a scan or a picture; a pitch given by the user replaces that of the file.
pub(crate) fn load(path: &Path, given: Option<Length>) -> Result<Loaded, Failure> {
    let bytes = read_recognised(path)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let (mut surface, mut warnings) = decode(path, &bytes)?;
    let pitch_source = match (given, surface.pitch()) {
        (Some(_), _) => PitchSource::Given,
        (None, Some(_)) => PitchSource::File,
        (None, None) => PitchSource::Derived,
    };
    if let Some(pitch) = given {
        if !(0.05..=100.0).contains(&pitch.to_um()) {
            return Err(Exit::BadInput.because(format!(
                "a pitch of {pitch} is no pitch of a microscope\nhint: give 0.05um to 100um"
            )));
        }
        match &mut surface {
            Surface::Heights(topography) => {
                if topography.pitch != Pitch::square(pitch) {
                    warnings.push(format!(
                        "the file says {} between columns; took {pitch} as you said",
                        topography.pitch.x
                    ));
                }
                topography.pitch = Pitch::square(pitch);
            }
            Surface::Picture(micrograph) => micrograph.pitch = Some(Pitch::square(pitch)),
        }
    }
    Ok(Loaded { file: path.to_owned(), surface, pitch_source, sha256, warnings })
}

/// Reads a file that must hold heights.
pub(crate) fn load_heights(path: &Path) -> Result<Topography, Failure> {
    match load(path, None)?.surface {
        Surface::Heights(topography) => Ok(topography),
        Surface::Picture(_) => Err(Exit::BadInput.because(format!(
            "`{}` is a picture, and heights are needed\nhint: give an X3P scan",
            path.display()
        ))),
    }
}

/// Reads a file whose first bytes are those of a scan or a picture; anything else is refused before it is read.
pub(crate) fn read_recognised(path: &Path) -> Result<Vec<u8>, Failure> {
    const HEADS: [&[u8]; 6] = [b"PK", b"\x89PNG", b"\xFF\xD8", b"II", b"MM", b"BM"];
    let head = files::head(path)?;
    if HEADS.iter().any(|known| head.starts_with(known)) {
        return files::read(path);
    }
    Err(Exit::BadInput.because(format!(
        "cannot read `{}`: it begins like neither an X3P scan nor a PNG, TIFF, JPEG or BMP picture",
        path.display()
    )))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<(Surface, Vec<String>), Failure> {
    let cannot = || format!("cannot read `{}`", path.display());
    if bytes.starts_with(b"PK") {
        let scan = x3p::read(bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
        return Ok((Surface::Heights(scan.topography), scan.warnings));
    }
    let picture = picture::read(bytes, &Limits::default()).or_exit(Exit::BadInput, cannot())?;
    Ok((Surface::Picture(picture.micrograph), picture.warnings))
}

/// Writes heights as an X3P scan.
pub(crate) fn write_heights(path: &Path, heights: &Topography) -> Result<(), Failure> {
    let mut scan = x3p::X3p::new(heights.clone());
    scan.creator = Some(format!("microstamp {}", env!("CARGO_PKG_VERSION")));
    let bytes = x3p::write(&scan).or_exit(Exit::Environment, format!("cannot write `{}`", path.display()))?;
    files::write(path, &bytes)
}

/// Heights as a picture in colours with a scale bar, as PNG.
pub(crate) fn false_colour(heights: &Topography) -> Result<Vec<u8>, Failure> {
    let colours = render::false_colour(heights, &FalseColour { range: None, shaded: true });
    picture::write_colours(&colours, Some(heights.pitch))
        .or_exit(Exit::Environment, "cannot draw the heights")
}

/// Colours as PNG.
pub(crate) fn colours(colours: &topography::Grid<[u8; 3]>) -> Result<Vec<u8>, Failure> {
    picture::write_colours(colours, None).or_exit(Exit::Environment, "cannot write a picture")
}

/// Grey values as PNG, with their pitch where known.
pub(crate) fn png(micrograph: &Micrograph) -> Result<Vec<u8>, Failure> {
    picture::write_png(micrograph, Depth::Eight).or_exit(Exit::Environment, "cannot write a picture")
}
