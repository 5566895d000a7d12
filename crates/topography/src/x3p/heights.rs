//! The point data: binary or text to heights in micrometres, checked against the stated MD5 sums.

use md5::{Digest, Md5};

use super::container::Container;
use super::document::Document;
use super::plausible::{self, Unit};
use super::{Scale, ZType};
use crate::FileError;

const LINK: &str = "Record3/DataLink";

/// Where the heights of a document are, found before anything large is read.
pub(super) struct Source {
    pub(super) document: usize,
    pub(super) data: Option<usize>,
    pub(super) points: usize,
}

/// Heights as the file means them (increment and offset applied), `NaN` where missing.
pub(super) fn read_numbers(
    container: &mut Container<'_>,
    document: &mut Document,
    source: &Source,
    z_type: ZType,
    warnings: &mut Vec<String>,
) -> Result<Vec<f64>, FileError> {
    let mut numbers = match source.data {
        Some(entry) => read_binary(container, document, entry, z_type, source.points, warnings)?,
        None => document.heights.take().unwrap_or_default(),
    };
    if numbers.len() != source.points {
        return Err(FileError::damaged(format!(
            "main.xml states {} points and lists {}",
            source.points,
            numbers.len()
        )));
    }
    for number in &mut numbers {
        if !number.is_finite() {
            *number = f64::NAN;
        }
    }
    if let Some(link) = document.text(&format!("{LINK}/ValidPointsLink")) {
        let Some(entry) = container.find(source.document, link) else {
            return Err(FileError::damaged(format!(
                "`{link}`, which says where points are missing, is not in the file"
            )));
        };
        blank_invalid(container, document, entry, &mut numbers)?;
    }
    Ok(numbers)
}

/// Applies increment and offset, and the unit; the result is in micrometres.
pub(super) fn to_micrometres(
    numbers: &mut [f64],
    scale: Scale,
    pitch: Unit,
    warnings: &mut Vec<String>,
) -> Unit {
    if scale.increment != 1.0 || scale.offset != 0.0 {
        for number in numbers.iter_mut() {
            *number = *number * scale.increment + scale.offset;
        }
    }
    let unit = plausible::height_unit(numbers, pitch, warnings);
    for number in numbers.iter_mut() {
        *number *= unit.micrometres;
    }
    unit
}

fn read_binary(
    container: &mut Container<'_>,
    document: &Document,
    entry: usize,
    z_type: ZType,
    points: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<f64>, FileError> {
    let expected = (points * z_type.bytes()) as u64;
    let held = container.unpacked_bytes(entry)?;
    if held != expected {
        return Err(FileError::damaged(format!(
            "`{}` holds {held} bytes, but {points} points of type {} need {expected}",
            container.name(entry),
            z_type.name()
        )));
    }
    let mut sum = Md5::new();
    let mut numbers = Vec::with_capacity(points);
    let mut rest: Vec<u8> = Vec::with_capacity(8);
    container.stream(entry, |piece| {
        sum.update(piece);
        decode_piece(piece, z_type, &mut rest, &mut numbers);
        Ok(())
    })?;
    let stated = document.text(&format!("{LINK}/MD5ChecksumPointData"));
    if stated.is_none() {
        warnings.push("the file states no MD5 sum of its heights, so damage cannot be seen".to_owned());
    }
    check_sum(stated, &sum.finalize(), "heights")?;
    Ok(numbers)
}

/// Decodes whole numbers of `piece`, keeping a cut one in `rest` for the next piece.
fn decode_piece(mut piece: &[u8], z_type: ZType, rest: &mut Vec<u8>, numbers: &mut Vec<f64>) {
    let size = z_type.bytes();
    if !rest.is_empty() {
        let missing = (size - rest.len()).min(piece.len());
        rest.extend_from_slice(&piece[..missing]);
        piece = &piece[missing..];
        if rest.len() == size {
            numbers.push(decode_number(rest, z_type));
            rest.clear();
        }
    }
    let whole = piece.len() / size * size;
    numbers.extend(piece[..whole].chunks_exact(size).map(|bytes| decode_number(bytes, z_type)));
    rest.extend_from_slice(&piece[whole..]);
}

fn decode_number(bytes: &[u8], z_type: ZType) -> f64 {
    let four = || [bytes[0], bytes[1], bytes[2], bytes[3]];
    match z_type {
        ZType::Int16 => f64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
        ZType::Int32 => f64::from(i32::from_le_bytes(four())),
        ZType::Float32 => f64::from(f32::from_le_bytes(four())),
        ZType::Float64 | ZType::Text => f64::from_le_bytes([
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
        ]),
    }
}

/// One bit a point, least significant bit first; a cleared bit is a missing point.
fn blank_invalid(
    container: &mut Container<'_>,
    document: &Document,
    entry: usize,
    numbers: &mut [f64],
) -> Result<(), FileError> {
    let expected = numbers.len().div_ceil(8) as u64;
    let bits = container.read(entry, expected + 4096)?;
    if (bits.len() as u64) < expected {
        return Err(FileError::damaged(format!(
            "`{}` holds {} bytes, but {} points need {expected}",
            container.name(entry),
            bits.len(),
            numbers.len()
        )));
    }
    check_sum(
        document.text(&format!("{LINK}/MD5ChecksumValidPoints")),
        &Md5::digest(&bits),
        "list of valid points",
    )?;
    for (index, number) in numbers.iter_mut().enumerate() {
        if bits[index / 8] >> (index % 8) & 1 == 0 {
            *number = f64::NAN;
        }
    }
    Ok(())
}

fn check_sum(stated: Option<&str>, computed: &[u8], what: &str) -> Result<(), FileError> {
    let Some(stated) = stated else { return Ok(()) };
    if same_sum(stated, computed) {
        Ok(())
    } else {
        Err(FileError::damaged(format!(
            "the MD5 sum of the {what} does not match the one in main.xml, so they were changed or damaged"
        )))
    }
}

/// Whether a sum as written (first word, upper or lower case) is the computed one.
pub(super) fn same_sum(stated: &str, computed: &[u8]) -> bool {
    let stated = stated.split_whitespace().next().unwrap_or_default();
    stated.eq_ignore_ascii_case(&hexadecimal(computed))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
