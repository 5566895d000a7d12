//! Reading: which document, what it promises, and whether the heights keep the promise.

use md5::{Digest, Md5};

use super::container::Container;
use super::document::Document;
use super::heights::{self, Source};
use super::plausible::{self, Unit};
use super::{Scale, X3p, ZType, mask};
use crate::{FileError, Grid, Length, Limits, Pitch, Topography};

const LONGEST_DOCUMENT: u64 = 64 << 20;
const AXES: &str = "Record1/Axes";

/// Reads a scan from the bytes of an X3P file.
///
/// Heights come out in micrometres, missing points as `NaN`, whatever the file uses: cleared bits of a list of valid
/// points, any kind of `NaN`, infinity, or empty `Datum` elements. What is odd but readable is told in
/// [`X3p::warnings`], among it a pitch or heights that cannot be metres and the unit assumed instead.
///
/// # Errors
///
/// [`FileError::Damaged`] for anything that is not an X3P file, is cut short, contradicts itself, or whose heights do
/// not match their MD5 sum; [`FileError::Unsupported`] for profiles, point lists, several layers and freely placed
/// points; [`FileError::Limit`] for files that ask for more than `limits`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<X3p, FileError> {
    let mut container = Container::open(bytes, limits)?;
    let mut warnings = Vec::new();
    let (entry, mut document) = open_document(&mut container, limits, &mut warnings)?;
    check_kind(&document, &mut warnings)?;
    let (width, height) = read_shape(&document)?;
    let points = limits.check_size(width, height)?;
    let (width, height) = (width as usize, height as usize);
    let data = find_data(&container, &document, entry)?;
    let z_type = read_z_type(&document, data.is_some())?;
    let scale = read_scale(&document, z_type, &mut warnings)?;
    let (pitch, pitch_unit) = read_pitch(&document, &mut warnings)?;

    let source = Source { document: entry, data, points };
    let mut numbers = heights::read_numbers(&mut container, &mut document, &source, z_type, &mut warnings)?;
    let scale = doubt_scale(&numbers, scale, z_type, &mut warnings);
    let unit = heights::to_micrometres(&mut numbers, scale, pitch_unit, &mut warnings);
    let mask = mask::read(&mut container, &document, entry, (width, height), limits, &mut warnings);
    Ok(X3p {
        topography: Topography { heights: Grid::from_vec(width, height, numbers), pitch },
        z_type,
        instrument: read_instrument(&document),
        creator: read_text(&document, "Record2/Creator"),
        date: read_text(&document, "Record2/Date").filter(|date| date != super::write::NO_DATE),
        comment: read_text(&document, "Record2/Comment"),
        mask,
        warnings,
        scale: (unit == plausible::METRES).then_some(scale),
    })
}

/// Takes the likeliest document that parses and whose heights are there.
fn open_document(
    container: &mut Container<'_>,
    limits: &Limits,
    warnings: &mut Vec<String>,
) -> Result<(usize, Document), FileError> {
    let candidates = container.documents();
    let mut refusal = None;
    for &entry in &candidates {
        let attempt = container.read(entry, LONGEST_DOCUMENT).and_then(|bytes| {
            let document = Document::parse(&bytes, limits)?;
            find_data(container, &document, entry)?;
            Ok((bytes, document))
        });
        match attempt {
            Ok((bytes, document)) => {
                if candidates.len() > 1 {
                    let (count, name) = (candidates.len(), container.name(entry));
                    warnings
                        .push(format!("the file has {count} documents called main.xml: `{name}` was read"));
                }
                check_document_sum(container, entry, &document, &bytes, warnings);
                return Ok((entry, document));
            }
            Err(error) => {
                refusal.get_or_insert(error);
            }
        }
    }
    Err(refusal
        .unwrap_or_else(|| FileError::damaged("the zip file has no main.xml, so it is not an X3P scan")))
}

/// A wrong sum of the document is common in files that open everywhere, so it is told and not refused.
fn check_document_sum(
    container: &mut Container<'_>,
    entry: usize,
    document: &Document,
    bytes: &[u8],
    warnings: &mut Vec<String>,
) {
    let link = document.text("Record4/ChecksumFile").unwrap_or("md5checksum.hex");
    let stated = container.find(entry, link).and_then(|found| container.read(found, 4096).ok());
    match stated {
        None => warnings.push("the file has no MD5 sum of main.xml".to_owned()),
        Some(stated) if heights::same_sum(&String::from_utf8_lossy(&stated), &Md5::digest(bytes)) => {}
        Some(_) => {
            warnings.push("the MD5 sum of main.xml is wrong: its text was changed after writing".to_owned());
        }
    }
}

fn check_kind(document: &Document, warnings: &mut Vec<String>) -> Result<(), FileError> {
    let refuse =
        |what: &str| Err(FileError::unsupported(format!("the file holds {what}; only surfaces are read")));
    match document.text("Record1/FeatureType").map(str::to_uppercase).as_deref() {
        Some("SUR") => {}
        Some("PRF") => return refuse("a profile (PRF), a single line of heights"),
        Some("PCL") => return refuse("a point cloud (PCL)"),
        Some(other) => warnings.push(format!("the feature type `{other}` is unknown: read as a surface")),
        None => warnings.push("the feature type is not stated: read as a surface".to_owned()),
    }
    if document.has("Record3/ListDimension") {
        return refuse("a list of free points");
    }
    for axis in ["CX", "CY"] {
        let kind = document.text(&format!("{AXES}/{axis}/AxisType"));
        if kind.is_some_and(|kind| kind.to_uppercase().starts_with('A')) {
            return refuse("points placed one by one (absolute x or y axis)");
        }
    }
    let revision = document.text("Record1/Revision").unwrap_or_default();
    let plain: String =
        revision.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    if !["ISO54362000", "ISO25178722017", "ISO5436", "ISO25178"].iter().any(|known| plain.starts_with(known))
    {
        warnings.push(format!("the revision `{revision}` is unknown: read as ISO 25178-72"));
    }
    if is_rotated(document)? {
        warnings.push("the file states a rotation of its axes, which is ignored".to_owned());
    }
    Ok(())
}

fn is_rotated(document: &Document) -> Result<bool, FileError> {
    for (row, column) in (1..=3).flat_map(|row| (1..=3).map(move |column| (row, column))) {
        let stated = document.number(&format!("{AXES}/Rotation/r{row}{column}"))?;
        let neutral = if row == column { 1.0 } else { 0.0 };
        if stated.is_some_and(|stated| (stated - neutral).abs() > 1e-9) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_shape(document: &Document) -> Result<(u64, u64), FileError> {
    let size = |axis: &str| document.size(&format!("Record3/MatrixDimension/Size{axis}"));
    let (Some(width), Some(height)) = (size("X")?, size("Y")?) else {
        return Err(FileError::damaged("main.xml does not state the size of the surface (MatrixDimension)"));
    };
    let layers = size("Z")?.unwrap_or(1);
    if width == 0 || height == 0 || layers == 0 {
        return Err(FileError::damaged(format!("the surface has no points: {width} x {height} x {layers}")));
    }
    if layers > 1 {
        return Err(FileError::unsupported(format!(
            "the file holds {layers} layers; only single surfaces are read"
        )));
    }
    if width == 1 || height == 1 {
        return Err(FileError::unsupported(format!(
            "the file holds a profile of {width} x {height} points; only surfaces are read"
        )));
    }
    Ok((width, height))
}

/// The entry with the binary heights, or nothing where they are listed in the document.
fn find_data(
    container: &Container<'_>,
    document: &Document,
    entry: usize,
) -> Result<Option<usize>, FileError> {
    match document.text("Record3/DataLink/PointDataLink") {
        Some(link) => match container.find(entry, link) {
            Some(found) => Ok(Some(found)),
            None => Err(FileError::damaged(format!("the heights `{link}` are not in the file"))),
        },
        None if document.heights.is_some() => Ok(None),
        None => Err(FileError::damaged("main.xml neither lists heights nor names the file that holds them")),
    }
}

fn read_z_type(document: &Document, is_binary: bool) -> Result<ZType, FileError> {
    if document.text(&format!("{AXES}/CZ/AxisType")).is_some_and(|kind| kind.eq_ignore_ascii_case("I")) {
        return Err(FileError::unsupported("the z axis is incremental, so the file holds no heights"));
    }
    if !is_binary {
        return Ok(ZType::Text);
    }
    let letter = document.text(&format!("{AXES}/CZ/DataType")).unwrap_or_default();
    match letter.to_uppercase().as_str() {
        "I" | "INT16" => Ok(ZType::Int16),
        "L" | "INT32" => Ok(ZType::Int32),
        "F" | "FLOAT" | "FLOAT32" => Ok(ZType::Float32),
        "D" | "DOUBLE" | "FLOAT64" => Ok(ZType::Float64),
        "" => Err(FileError::damaged("main.xml does not state the type of the heights")),
        other => {
            Err(FileError::unsupported(format!("heights of type `{other}` are not read; I, L, F and D are")))
        }
    }
}

fn read_scale(document: &Document, z_type: ZType, warnings: &mut Vec<String>) -> Result<Scale, FileError> {
    let increment = document.number(&format!("{AXES}/CZ/Increment"))?;
    let offset = document.number(&format!("{AXES}/CZ/Offset"))?.unwrap_or(0.0);
    let is_whole = matches!(z_type, ZType::Int16 | ZType::Int32);
    if is_whole && increment.is_none_or(|increment| increment == 0.0) {
        warnings.push("the height of one step is not stated: read as 1".to_owned());
    }
    let increment = increment.filter(|&increment| increment != 0.0).unwrap_or(1.0);
    Ok(Scale { increment, offset })
}

/// Some writers state a resolution as the increment of floating-point heights that are metres already.
fn doubt_scale(numbers: &[f64], scale: Scale, z_type: ZType, warnings: &mut Vec<String>) -> Scale {
    const LEAST_RELIEF_M: f64 = 1e-10;
    let is_real = !matches!(z_type, ZType::Int16 | ZType::Int32);
    let Some((low, high)) = plausible::spread(numbers) else { return scale };
    let relief = high - low;
    if is_real && (LEAST_RELIEF_M..=0.02).contains(&relief) && relief * scale.increment.abs() < LEAST_RELIEF_M
    {
        warnings.push(format!(
            "the increment {} would flatten the heights to nothing: taken as a resolution and not applied",
            scale.increment
        ));
        return Scale { increment: 1.0, ..scale };
    }
    scale
}

fn read_pitch(document: &Document, warnings: &mut Vec<String>) -> Result<(Pitch, Unit), FileError> {
    let mut along = |axis: &str| -> Result<f64, FileError> {
        let number = document.number(&format!("{AXES}/{axis}/Increment"))?.unwrap_or(0.0);
        if number == 0.0 {
            return Err(FileError::damaged(format!(
                "main.xml does not state the distance between points ({axis})"
            )));
        }
        if number < 0.0 {
            warnings.push(format!(
                "the increment of {axis} is negative: its size was taken, rows and columns stay"
            ));
        }
        Ok(number.abs())
    };
    let (x, y) = (along("CX")?, along("CY")?);
    let unit = plausible::pitch_unit(x.max(y), warnings);
    let length = |number: f64| Length::um(number * unit.micrometres);
    let pitch = Pitch { x: length(x), y: length(y) };
    let finest = pitch.x.to_um().min(pitch.y.to_um());
    if finest < 1e-5 || x.max(y) / x.min(y) > 100.0 {
        return Err(FileError::damaged(format!("the distances between points make no sense: {x} and {y}")));
    }
    Ok((pitch, unit))
}

fn read_text(document: &Document, path: &str) -> Option<String> {
    let text = document.text(path)?;
    let is_placeholder = ["not available", "n/a", "na", "unknown"].contains(&text.to_lowercase().as_str());
    (!is_placeholder).then(|| text.to_owned())
}

fn read_instrument(document: &Document) -> Option<String> {
    let part = |name: &str| read_text(document, &format!("Record2/Instrument/{name}"));
    let parts: Vec<String> = [part("Manufacturer"), part("Model")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
