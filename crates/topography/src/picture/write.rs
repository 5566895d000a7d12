//! Writing pictures; the same picture gives the same bytes.

use std::io::Cursor;

use image::{ExtendedColorType, ImageFormat};
use tiff::encoder::{Rational, TiffEncoder, colortype};
use tiff::tags::{ResolutionUnit, Tag};

use super::Depth;
use crate::{FileError, Grid, Micrograph, Pitch, Topography};

/// Writes a grey picture as PNG, with the pitch (rounded to whole dots a metre) where it is known.
///
/// # Errors
///
/// [`FileError::Parameter`] for an empty picture.
pub fn write_png(micrograph: &Micrograph, depth: Depth) -> Result<Vec<u8>, FileError> {
    let grid = &micrograph.intensity;
    let level =
        |value: f32, white: f32| if value.is_nan() { 0.0 } else { (value.clamp(0.0, 1.0) * white).round() };
    let (samples, colour): (Vec<u8>, _) = match depth {
        Depth::Eight => {
            (grid.samples().iter().map(|&value| level(value, 255.0) as u8).collect(), ExtendedColorType::L8)
        }
        Depth::Sixteen => {
            let bytes = |&value: &f32| (level(value, 65_535.0) as u16).to_ne_bytes();
            (grid.samples().iter().flat_map(bytes).collect(), ExtendedColorType::L16)
        }
    };
    encode_png(&samples, (grid.width(), grid.height()), colour, micrograph.pitch)
}

/// Writes a picture in colour (red, green, blue) as PNG.
///
/// # Errors
///
/// [`FileError::Parameter`] for an empty picture.
pub fn write_colours(colours: &Grid<[u8; 3]>, pitch: Option<Pitch>) -> Result<Vec<u8>, FileError> {
    let samples = colours.samples().as_flattened();
    encode_png(samples, (colours.width(), colours.height()), ExtendedColorType::Rgb8, pitch)
}

/// Writes a grey picture as TIFF of 16 bits.
///
/// # Errors
///
/// [`FileError::Parameter`] for an empty picture.
pub fn write_tiff(micrograph: &Micrograph) -> Result<Vec<u8>, FileError> {
    let grid = &micrograph.intensity;
    let level =
        |&value: &f32| if value.is_nan() { 0 } else { (value.clamp(0.0, 1.0) * 65_535.0).round() as u16 };
    let levels: Vec<u16> = grid.samples().iter().map(level).collect();
    encode_tiff::<colortype::Gray16>(&levels, (grid.width(), grid.height()), micrograph.pitch, "intensity")
}

/// Writes heights as a floating-point TIFF (32 bits), in micrometres, missing points as `NaN`.
///
/// # Errors
///
/// [`FileError::Parameter`] for an empty surface.
pub fn write_heights(topography: &Topography) -> Result<Vec<u8>, FileError> {
    let grid = &topography.heights;
    let height = |&height: &f64| if height.is_finite() { height as f32 } else { f32::NAN };
    let heights: Vec<f32> = grid.samples().iter().map(height).collect();
    let remark = "heights in micrometres, NaN = not measured";
    encode_tiff::<colortype::Gray32Float>(
        &heights,
        (grid.width(), grid.height()),
        Some(topography.pitch),
        remark,
    )
}

fn encode_png(
    samples: &[u8],
    (width, height): (usize, usize),
    colour: ExtendedColorType,
    pitch: Option<Pitch>,
) -> Result<Vec<u8>, FileError> {
    check_size((width, height))?;
    let mut png = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut png, samples, width as u32, height as u32, colour, ImageFormat::Png)
        .map_err(|error| FileError::Parameter(format!("the picture cannot be written: {error}")))?;
    let png = png.into_inner();
    Ok(match pitch {
        Some(pitch) => with_density(&png, pitch),
        None => png,
    })
}

/// Puts a `pHYs` chunk behind the header of a PNG, which is always 33 bytes.
fn with_density(png: &[u8], pitch: Pitch) -> Vec<u8> {
    const HEADER: usize = 33;
    let dots = |um: f64| ((1e6 / um).round().clamp(1.0, f64::from(u32::MAX)) as u32).to_be_bytes();
    let mut body = b"pHYs".to_vec();
    body.extend(dots(pitch.x.to_um()));
    body.extend(dots(pitch.y.to_um()));
    body.push(1);
    let mut result = png[..HEADER].to_vec();
    result.extend(9_u32.to_be_bytes());
    result.extend(&body);
    result.extend(checksum(&body).to_be_bytes());
    result.extend(&png[HEADER..]);
    result
}

/// CRC-32 as in the PNG specification, annex D.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(
            sum ^ u32::from(byte),
            |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 },
        )
    })
}

fn encode_tiff<C: colortype::ColorType>(
    samples: &[C::Inner],
    (width, height): (usize, usize),
    pitch: Option<Pitch>,
    remark: &str,
) -> Result<Vec<u8>, FileError>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    check_size((width, height))?;
    let mut bytes = Cursor::new(Vec::new());
    let mut write = || -> tiff::TiffResult<()> {
        let mut encoder = TiffEncoder::new(&mut bytes)?;
        let mut image = encoder.new_image::<C>(width as u32, height as u32)?;
        image.encoder().write_tag(Tag::ImageDescription, remark)?;
        if let Some(pitch) = pitch {
            // Dots a centimetre, as a fraction that keeps a pitch of whole nanometres exact.
            let dots = |um: f64| Rational { n: 10_000_000, d: (um * 1000.0).round().clamp(1.0, 4e9) as u32 };
            image.resolution_unit(ResolutionUnit::Centimeter);
            image.x_resolution(dots(pitch.x.to_um()));
            image.y_resolution(dots(pitch.y.to_um()));
        }
        image.write_data(samples)
    };
    write().map_err(|error| FileError::Parameter(format!("the picture cannot be written: {error}")))?;
    Ok(bytes.into_inner())
}

fn check_size((width, height): (usize, usize)) -> Result<(), FileError> {
    if width * height == 0 {
        return Err(FileError::Parameter(format!("an empty picture cannot be written: {width} x {height}")));
    }
    Ok(())
}
