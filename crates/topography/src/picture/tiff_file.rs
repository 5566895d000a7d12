//! TIFF, of which the general picture decoder leaves out floating-point grey.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::PitchSource;
use super::density::Stated;
use crate::{FileError, Limits};

/// All numbers of the first picture of a TIFF.
pub(super) struct Tiff {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Numbers for one place.
    pub(super) channels: usize,
    pub(super) has_alpha: bool,
    /// What full brightness is; nothing for floating point.
    pub(super) white: Option<f64>,
    pub(super) numbers: Vec<f32>,
    pub(super) stated: Option<Stated>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Tiff, FileError> {
    let mut allowed = tiff::decoder::Limits::default();
    allowed.decoding_buffer_size = limits.unpacked_bytes as usize;
    allowed.intermediate_buffer_size = limits.unpacked_bytes as usize;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(|error| refuse(&error))?.with_limits(allowed);
    let (width, height) = decoder.dimensions().map_err(|error| refuse(&error))?;
    let samples = limits.check_size(u64::from(width), u64::from(height))?;
    let colour = decoder.colortype().map_err(|error| refuse(&error))?;
    let (channels, has_alpha) = match colour {
        ColorType::Gray(_) => (1, false),
        ColorType::GrayA(_) => (2, true),
        ColorType::RGB(_) => (3, false),
        ColorType::RGBA(_) => (4, true),
        other => {
            return Err(FileError::unsupported(format!(
                "TIFF pictures of colour type {other:?} are not read"
            )));
        }
    };
    let depth = u64::from(colour.bit_depth().div_ceil(8));
    limits.check_unpacked(samples as u64 * channels as u64 * depth.max(4))?;
    let stated = resolution(&mut decoder);
    let result = decoder.read_image().map_err(|error| refuse(&error))?;
    let mut warnings = Vec::new();
    if decoder.more_images() {
        warnings.push("the TIFF holds several pictures: the first was read".to_owned());
    }
    let (numbers, white) = to_numbers(result, colour.bit_depth())?;
    if numbers.len() != samples * channels {
        return Err(FileError::damaged(format!(
            "the TIFF holds {} numbers for {samples} places of {channels}",
            numbers.len()
        )));
    }
    Ok(Tiff {
        width: width as usize,
        height: height as usize,
        channels,
        has_alpha,
        white,
        numbers,
        stated,
        warnings,
    })
}

fn to_numbers(result: DecodingResult, bits: u8) -> Result<(Vec<f32>, Option<f64>), FileError> {
    let white = |bits: u8| Some(2_f64.powi(i32::from(bits)) - 1.0);
    Ok(match result {
        DecodingResult::U8(numbers) if bits == 8 => (numbers.into_iter().map(f32::from).collect(), white(8)),
        DecodingResult::U16(numbers) => (numbers.into_iter().map(f32::from).collect(), white(bits)),
        DecodingResult::U32(numbers) => (numbers.into_iter().map(|n| n as f32).collect(), white(32)),
        DecodingResult::I16(numbers) => (numbers.into_iter().map(f32::from).collect(), Some(32_767.0)),
        DecodingResult::F32(numbers) => (numbers, None),
        DecodingResult::F64(numbers) => (numbers.into_iter().map(|n| n as f32).collect(), None),
        _ => {
            return Err(FileError::unsupported(
                "TIFF numbers of this kind are not read: 8, 16, 32 bits or floats are",
            ));
        }
    })
}

fn resolution(decoder: &mut Decoder<Cursor<&[u8]>>) -> Option<Stated> {
    let unit = match decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit).ok()?.unwrap_or(2) {
        2 => 25_400.0,
        3 => 10_000.0,
        _ => return None,
    };
    let mut dots = |tag: Tag| -> Option<f64> {
        match decoder.find_tag(tag).ok()?? {
            tiff::decoder::ifd::Value::Rational(over, under) => Some(f64::from(over) / f64::from(under)),
            _ => None,
        }
    };
    let (x, y) = (dots(Tag::XResolution)?, dots(Tag::YResolution)?);
    Some(Stated { um: (unit / x, unit / y), source: PitchSource::Tiff })
}

fn refuse(error: &TiffError) -> FileError {
    match error {
        TiffError::UnsupportedError(what) => {
            FileError::unsupported(format!("the TIFF cannot be read: {what}"))
        }
        TiffError::LimitsExceeded => {
            FileError::damaged("the TIFF asks for more memory than its size can need")
        }
        other => FileError::damaged(format!("the TIFF is damaged: {other}")),
    }
}
