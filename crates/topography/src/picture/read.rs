//! Reading pictures.

use std::io::Cursor;

use image::error::ImageError;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::density::{self, Stated};
use super::tiff_file::{self, Tiff};
use super::{HeightScale, Picture};
use crate::{FileError, Grid, Length, Limits, Micrograph, Topography};

/// Reads a PNG, TIFF, JPEG or BMP as a grey picture; which one it is, its first bytes tell.
///
/// A floating-point TIFF whose numbers leave 0..=1 is stretched to fit, with a warning. A pitch is taken from the file only
/// where it is finer than 60 µm: anything coarser is a printer's resolution.
///
/// # Errors
///
/// [`FileError::Damaged`], [`FileError::Unsupported`] for other formats, [`FileError::Limit`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Picture, FileError> {
    limits.check_file(bytes)?;
    refuse_cut_jpeg(bytes)?;
    match guess(bytes)? {
        ImageFormat::Tiff => from_tiff(tiff_file::decode(bytes, limits)?),
        format => {
            let stated = match format {
                ImageFormat::Png => density::of_png(bytes),
                ImageFormat::Jpeg => density::of_jpeg(bytes),
                _ => density::of_bmp(bytes),
            };
            let intensity = decode(bytes, format, limits)?;
            Ok(finish(intensity, stated.as_ref(), Vec::new()))
        }
    }
}

/// A JPEG that ends before its end marker has lost a part of the picture, which a decoder would fill with grey.
fn refuse_cut_jpeg(bytes: &[u8]) -> Result<(), FileError> {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    if bytes.starts_with(&[0xFF, 0xD8]) && last([0xFF, 0xD9]) < last([0xFF, 0xDA]) {
        return Err(FileError::damaged("the picture is damaged: it ends before the end marker of a JPEG"));
    }
    Ok(())
}

/// Reads a TIFF (8, 16, 32 bits or floating point) or a PNG (8, 16 bits) as a height map.
///
/// Floating-point numbers that are not finite become missing points; whole numbers have no missing points.
///
/// # Errors
///
/// [`FileError::Parameter`] if neither `scale` nor the file gives a pitch, otherwise as [`read`]; [`FileError::Unsupported`]
/// also for colour pictures and JPEG, whose numbers are no heights.
pub fn read_heights(bytes: &[u8], limits: &Limits, scale: &HeightScale) -> Result<Topography, FileError> {
    limits.check_file(bytes)?;
    let format = guess(bytes)?;
    let (heights, stated) = match format {
        ImageFormat::Tiff => {
            let tiff = tiff_file::decode(bytes, limits)?;
            if tiff.channels != 1 {
                return Err(FileError::unsupported("a TIFF in colour holds no heights"));
            }
            (Grid::from_vec(tiff.width, tiff.height, tiff.numbers), tiff.stated)
        }
        ImageFormat::Png => {
            let picture = decode_image(bytes, format, limits)?;
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let levels: Vec<f32> = match picture {
                DynamicImage::ImageLuma8(picture) => picture.iter().copied().map(f32::from).collect(),
                DynamicImage::ImageLuma16(picture) => picture.iter().copied().map(f32::from).collect(),
                _ => return Err(FileError::unsupported("a PNG in colour holds no heights")),
            };
            (Grid::from_vec(width, height, levels), density::of_png(bytes))
        }
        _ => return Err(FileError::unsupported("heights are read from TIFF and PNG only")),
    };
    let from_file = || stated.and_then(|stated| stated.credible(&mut Vec::new()));
    let Some(pitch) = scale.pitch.or_else(from_file) else {
        return Err(FileError::Parameter(
            "the file states no pitch\nhint: give the distance between samples".to_owned(),
        ));
    };
    let step = scale.step / Length::um(1.0);
    let height = |&number: &f32| if number.is_finite() { f64::from(number) * step } else { f64::NAN };
    Ok(Topography { heights: heights.map(height), pitch })
}

fn guess(bytes: &[u8]) -> Result<ImageFormat, FileError> {
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Tiff | ImageFormat::Jpeg | ImageFormat::Bmp)) => {
            Ok(format)
        }
        Ok(other) => Err(FileError::unsupported(format!(
            "{} pictures are not read; PNG, TIFF, JPEG and BMP are",
            other.extensions_str().first().unwrap_or(&"such")
        ))),
        Err(_) if bytes.is_empty() => Err(FileError::damaged("the file is empty")),
        Err(_) => Err(FileError::damaged("the file does not begin like a PNG, TIFF, JPEG or BMP picture")),
    }
}

fn decode_image(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<DynamicImage, FileError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.unpacked_bytes);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(u64::from(width), u64::from(height))?;
    limits.check_unpacked(decoder.total_bytes())?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Grid<f32>, FileError> {
    let picture = decode_image(bytes, format, limits)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let samples: Vec<f32> = match &picture {
        DynamicImage::ImageLuma8(picture) => {
            picture.pixels().map(|pixel| f32::from(pixel.0[0]) / 255.0).collect()
        }
        DynamicImage::ImageRgb8(picture) => {
            picture.pixels().map(|pixel| luminance(pixel.0.map(f32::from)) / 255.0).collect()
        }
        DynamicImage::ImageLuma16(picture) => {
            picture.pixels().map(|pixel| f32::from(pixel.0[0]) / 65_535.0).collect()
        }
        other => {
            let colour = |pixel: &image::Rgba<f32>| {
                let [red, green, blue, alpha] = pixel.0;
                (luminance([red, green, blue]) * alpha).clamp(0.0, 1.0)
            };
            other.to_rgba32f().pixels().map(colour).collect()
        }
    };
    Ok(Grid::from_vec(width, height, samples))
}

fn from_tiff(tiff: Tiff) -> Result<Picture, FileError> {
    let Tiff { width, height, channels, has_alpha, white, numbers, stated, mut warnings } = tiff;
    let grey = if channels == 1 {
        numbers
    } else {
        to_grey(&numbers, channels, has_alpha, white.unwrap_or(1.0) as f32)
    };
    let (low, high) = match white {
        Some(white) => (0.0, white as f32),
        None => float_range(&grey, &mut warnings)?,
    };
    let scaled =
        |number: f32| if number.is_finite() { ((number - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
    let intensity = Grid::from_vec(width, height, grey.into_iter().map(scaled).collect());
    Ok(finish(intensity, stated.as_ref(), warnings))
}

/// Luminance times opacity for each place of several numbers.
fn to_grey(numbers: &[f32], channels: usize, has_alpha: bool, white: f32) -> Vec<f32> {
    let colours = channels - usize::from(has_alpha);
    let grey = |place: &[f32]| {
        let value = if colours == 1 { place[0] } else { luminance([place[0], place[1], place[2]]) };
        if has_alpha { value * (place[channels - 1] / white) } else { value }
    };
    numbers.chunks_exact(channels).map(grey).collect()
}

/// 0 and 1 where the numbers stay between, otherwise the lowest and the highest.
fn float_range(numbers: &[f32], warnings: &mut Vec<String>) -> Result<(f32, f32), FileError> {
    let finite = || numbers.iter().copied().filter(|number| number.is_finite());
    let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    if low > high {
        return Err(FileError::damaged("the TIFF holds no finite number"));
    }
    if low >= 0.0 && high <= 1.0 {
        return Ok((0.0, 1.0));
    }
    warnings.push(format!("the numbers go from {low} to {high}: stretched to black and white"));
    Ok((low, if high > low { high } else { low + 1.0 }))
}

fn finish(intensity: Grid<f32>, stated: Option<&Stated>, mut warnings: Vec<String>) -> Picture {
    let pitch = stated.and_then(|stated| stated.credible(&mut warnings));
    let pitch_source = pitch.and(stated.map(|stated| stated.source));
    Picture { micrograph: Micrograph { intensity, pitch }, pitch_source, warnings }
}

fn luminance([red, green, blue]: [f32; 3]) -> f32 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn refuse(error: ImageError) -> FileError {
    match error {
        ImageError::Unsupported(what) => {
            FileError::unsupported(format!("the picture cannot be read: {what}"))
        }
        ImageError::Limits(_) => {
            FileError::damaged("the picture asks for more memory than its size can need")
        }
        other => FileError::damaged(format!("the picture is damaged: {other}")),
    }
}
