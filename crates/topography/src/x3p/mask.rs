//! The mask of x3ptools and fix3p: a PNG beside the heights, painted on a background colour.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};

use super::Mask;
use super::container::Container;
use super::document::Document;
use crate::{FileError, Grid, Limits};

const DEFAULT_LINK: &str = "bindata/mask.png";
/// Paint of a smoothed edge lies this far from the background in some channel.
const SAME_COLOUR: u8 = 8;

/// The mask, or nothing where the file has none; what cannot be used becomes a warning, never a refusal.
pub(super) fn read(
    container: &mut Container<'_>,
    document: &Document,
    entry: usize,
    shape: (usize, usize),
    limits: &Limits,
    warnings: &mut Vec<String>,
) -> Option<Mask> {
    let link = document.text("Record3/Mask/Link");
    let found = container.find(entry, link.unwrap_or(DEFAULT_LINK));
    let Some(found) = found else {
        if let Some(link) = link {
            warnings.push(format!("the mask `{link}` is not in the file: ignored"));
        }
        return None;
    };
    let read =
        container.read(found, limits.unpacked_bytes).and_then(|png| decode(&png, document, shape, limits));
    match read {
        Ok(mask) => Some(mask),
        Err(error) => {
            warnings.push(format!("the mask cannot be used ({error}): ignored"));
            None
        }
    }
}

/// A PNG of the mask: black paint on the background colour.
pub(super) fn encode(mask: &Mask) -> Result<Vec<u8>, FileError> {
    let colours: Vec<u8> = mask
        .marked
        .samples()
        .iter()
        .flat_map(|&marked| if marked { contrast(mask.background) } else { mask.background })
        .collect();
    let mut png = Cursor::new(Vec::new());
    let size = (mask.marked.width() as u32, mask.marked.height() as u32);
    image::write_buffer_with_format(
        &mut png,
        &colours,
        size.0,
        size.1,
        image::ExtendedColorType::Rgb8,
        ImageFormat::Png,
    )
    .map_err(|error| FileError::Parameter(format!("the mask cannot be written: {error}")))?;
    Ok(png.into_inner())
}

/// `#rrggbb`, as in `Record3/Mask/Background`.
pub(super) fn colour_text([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn contrast([red, green, blue]: [u8; 3]) -> [u8; 3] {
    if u32::from(red) + u32::from(green) + u32::from(blue) > 384 { [0, 0, 0] } else { [255, 255, 255] }
}

fn decode(
    png: &[u8],
    document: &Document,
    (width, height): (usize, usize),
    limits: &Limits,
) -> Result<Mask, FileError> {
    let unreadable =
        |error: image::ImageError| FileError::damaged(format!("its picture is unreadable: {error}"));
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(width as u32);
    allowed.max_image_height = Some(height as u32);
    allowed.max_alloc = Some(limits.unpacked_bytes);
    reader.limits(allowed);
    let picture = reader.decode().map_err(unreadable)?.into_rgba8();
    if (picture.width() as usize, picture.height() as usize) != (width, height) {
        return Err(FileError::damaged(format!(
            "it has {} x {} points, the heights {width} x {height}",
            picture.width(),
            picture.height()
        )));
    }
    let background = document.text("Record3/Mask/Background").and_then(parse_colour);
    let background = background.unwrap_or_else(|| commonest_colour(&picture));
    let is_paint = |pixel: &image::Rgba<u8>| {
        let [red, green, blue, alpha] = pixel.0;
        let far = |a: u8, b: u8| a.abs_diff(b) > SAME_COLOUR;
        alpha >= 128 && (far(red, background[0]) || far(green, background[1]) || far(blue, background[2]))
    };
    let marked = Grid::from_vec(width, height, picture.pixels().map(is_paint).collect());
    Ok(Mask { background, marked })
}

fn parse_colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.trim().strip_prefix('#')?;
    let channel = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

fn commonest_colour(picture: &image::RgbaImage) -> [u8; 3] {
    let mut counts = std::collections::BTreeMap::new();
    for pixel in picture.pixels().filter(|pixel| pixel.0[3] >= 128) {
        *counts.entry([pixel.0[0], pixel.0[1], pixel.0[2]]).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map_or([255; 3], |(colour, _)| colour)
}
