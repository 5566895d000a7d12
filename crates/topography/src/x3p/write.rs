//! Writing: a file that strict readers accept, the same bytes every time.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use md5::{Digest, Md5};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::heights::hexadecimal;
use super::{Scale, X3p, ZType, mask};
use crate::FileError;

/// The schema demands a date where a creator is named; this one means that none is known.
pub(super) const NO_DATE: &str = "1970-01-01T00:00:00Z";
const DATA: &str = "bindata/data.bin";
const VALID: &str = "bindata/valid.bin";
const MASK: &str = "bindata/mask.png";

/// Writes a scan as the bytes of an X3P file; equal scans give equal bytes.
///
/// 64-bit and text heights keep every bit of the metres that a file can hold; 32-bit heights keep 24 bits; whole
/// numbers keep the steps that the scan was read with, or the finest that cover its range. [`X3p::warnings`] are
/// not written. A missing date is written as 1 January 1970 where the schema demands one.
///
/// # Errors
///
/// [`FileError::Parameter`] if the surface has fewer than two rows or columns, if its pitch is not a positive length,
/// or if the mask has another shape than the heights.
pub fn write(scan: &X3p) -> Result<Vec<u8>, FileError> {
    check(scan)?;
    let points = encode_points(scan);
    let mask = scan.mask.as_ref().map(mask::encode).transpose()?;
    let document = write_document(scan, &points);
    let mut parts: Vec<(&str, &[u8])> = vec![("main.xml", document.as_bytes())];
    let sum = format!("{} *main.xml\n", hexadecimal(&Md5::digest(document.as_bytes())));
    parts.push(("md5checksum.hex", sum.as_bytes()));
    if scan.z_type != ZType::Text {
        parts.push((DATA, &points.data));
    }
    if let Some(valid) = &points.valid {
        parts.push((VALID, valid));
    }
    if let Some(mask) = &mask {
        parts.push((MASK, mask));
    }
    pack(&parts).map_err(|error| FileError::Parameter(format!("the scan cannot be packed: {error}")))
}

struct Points {
    data: Vec<u8>,
    valid: Option<Vec<u8>>,
    scale: Scale,
}

fn check(scan: &X3p) -> Result<(), FileError> {
    let heights = &scan.topography.heights;
    let (width, height) = (heights.width(), heights.height());
    if width < 2 || height < 2 {
        return Err(FileError::Parameter(format!(
            "a surface needs two rows and columns, this has {width} x {height}"
        )));
    }
    let pitch = scan.topography.pitch;
    if ![pitch.x, pitch.y].iter().all(|length| length.to_um().is_finite() && length.to_um() > 0.0) {
        return Err(FileError::Parameter(format!(
            "a pitch must be positive, this is {} by {}",
            pitch.x, pitch.y
        )));
    }
    if scan.mask.as_ref().is_some_and(|mask| (mask.marked.width(), mask.marked.height()) != (width, height)) {
        return Err(FileError::Parameter("the mask has another shape than the heights".to_owned()));
    }
    Ok(())
}

fn encode_points(scan: &X3p) -> Points {
    let heights = scan.topography.heights.samples();
    let plain = Scale { increment: 1.0, offset: 0.0 };
    let metres =
        || heights.iter().map(|&height| if height.is_finite() { to_metres(height) } else { f64::NAN });
    match scan.z_type {
        ZType::Text => Points { data: Vec::new(), valid: None, scale: plain },
        ZType::Float64 => {
            Points { data: metres().flat_map(f64::to_le_bytes).collect(), valid: None, scale: plain }
        }
        ZType::Float32 => Points {
            data: metres().flat_map(|height| (height as f32).to_le_bytes()).collect(),
            valid: None,
            scale: plain,
        },
        ZType::Int16 => {
            let scale = choose_scale(scan, f64::from(i16::MIN), f64::from(i16::MAX));
            let step = |height: f64| (steps(height, scale) as i16).to_le_bytes();
            Points { data: metres().flat_map(step).collect(), valid: valid_bits(heights), scale }
        }
        ZType::Int32 => {
            let scale = choose_scale(scan, f64::from(i32::MIN), f64::from(i32::MAX));
            let step = |height: f64| (steps(height, scale) as i32).to_le_bytes();
            Points { data: metres().flat_map(step).collect(), valid: valid_bits(heights), scale }
        }
    }
}

/// The metres whose product with a million is the height, if a number of 64 bits has that product.
fn to_metres(micrometres: f64) -> f64 {
    let metres = micrometres / 1e6;
    let exact = |candidate: &f64| *candidate * 1e6 == micrometres;
    [metres, metres.next_up(), metres.next_down()].into_iter().find(exact).unwrap_or(metres)
}

/// Steps of the increment, 0 where missing.
fn steps(metres: f64, scale: Scale) -> f64 {
    if metres.is_finite() { ((metres - scale.offset) / scale.increment).round() } else { 0.0 }
}

/// The scale that the scan was read with, if it still covers the heights, otherwise the finest that does.
fn choose_scale(scan: &X3p, least: f64, most: f64) -> Scale {
    let Some((low, high)) = scan.topography.height_range() else {
        return Scale { increment: 1e-9, offset: 0.0 };
    };
    let (low, high) = (to_metres(low.to_um()), to_metres(high.to_um()));
    let covers = |scale: &Scale| {
        let ends = [steps(low, *scale), steps(high, *scale)];
        ends.iter().all(|&end| (least..=most).contains(&end))
    };
    if let Some(scale) = scan.scale.filter(covers) {
        return scale;
    }
    // One step is left free at either end, so that rounding cannot leave the range.
    let increment = ((high - low) / (most - least - 2.0)).max(1e-13);
    Scale { increment, offset: low + (high - low) / 2.0 }
}

/// One bit a point, least significant bit first, or nothing where all are valid.
fn valid_bits(heights: &[f64]) -> Option<Vec<u8>> {
    if heights.iter().all(|height| height.is_finite()) {
        return None;
    }
    let byte = |points: &[f64]| {
        points.iter().enumerate().fold(0_u8, |bits, (at, height)| bits | u8::from(height.is_finite()) << at)
    };
    Some(heights.chunks(8).map(byte).collect())
}

fn write_document(scan: &X3p, points: &Points) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:ISO5436_2 \
         xmlns:p=\"http://www.opengps.eu/2008/ISO5436_2\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://www.opengps.eu/2008/ISO5436_2 \
         http://www.opengps.eu/2008/ISO5436_2/ISO5436_2.xsd\">\n",
    );
    write_axes(&mut xml, scan, points.scale);
    write_history(&mut xml, scan);
    write_points(&mut xml, scan, points);
    xml.push_str(
        "  <Record4>\n    <ChecksumFile>md5checksum.hex</ChecksumFile>\n  </Record4>\n</p:ISO5436_2>\n",
    );
    xml
}

fn write_axes(xml: &mut String, scan: &X3p, scale: Scale) {
    xml.push_str(
        "  <Record1>\n    <Revision>ISO5436 - 2000</Revision>\n    <FeatureType>SUR</FeatureType>\n    <Axes>\n",
    );
    let mut axis = |name: &str, kind: char, data: char, increment: f64, offset: f64| {
        let _ = write!(
            xml,
            "      <{name}>\n        <AxisType>{kind}</AxisType>\n        <DataType>{data}</DataType>\n        \
             <Increment>{increment:e}</Increment>\n        <Offset>{offset:e}</Offset>\n      </{name}>\n"
        );
    };
    let pitch = scan.topography.pitch;
    axis("CX", 'I', 'D', to_metres(pitch.x.to_um()), 0.0);
    axis("CY", 'I', 'D', to_metres(pitch.y.to_um()), 0.0);
    axis("CZ", 'A', scan.z_type.letter(), scale.increment, scale.offset);
    xml.push_str("    </Axes>\n  </Record1>\n");
}

fn write_history(xml: &mut String, scan: &X3p) {
    if [&scan.date, &scan.creator, &scan.instrument, &scan.comment].iter().all(|text| text.is_none()) {
        return;
    }
    let text = |text: &Option<String>, otherwise: &str| escape(text.as_deref().unwrap_or(otherwise));
    let date = text(&scan.date, NO_DATE);
    let _ = writeln!(xml, "  <Record2>\n    <Date>{date}</Date>");
    if scan.creator.is_some() {
        let _ = writeln!(xml, "    <Creator>{}</Creator>", text(&scan.creator, ""));
    }
    let _ = write!(
        xml,
        "    <Instrument>\n      <Manufacturer>not available</Manufacturer>\n      <Model>{}</Model>\n      \
         <Serial>not available</Serial>\n      <Version>not available</Version>\n    </Instrument>\n    \
         <CalibrationDate>{date}</CalibrationDate>\n    <ProbingSystem>\n      <Type>Software</Type>\n      \
         <Identification>not available</Identification>\n    </ProbingSystem>\n",
        text(&scan.instrument, "not available")
    );
    if scan.comment.is_some() {
        let _ = writeln!(xml, "    <Comment>{}</Comment>", text(&scan.comment, ""));
    }
    xml.push_str("  </Record2>\n");
}

fn write_points(xml: &mut String, scan: &X3p, points: &Points) {
    let heights = &scan.topography.heights;
    let _ = write!(
        xml,
        "  <Record3>\n    <MatrixDimension>\n      <SizeX>{}</SizeX>\n      <SizeY>{}</SizeY>\n      \
         <SizeZ>1</SizeZ>\n    </MatrixDimension>\n",
        heights.width(),
        heights.height()
    );
    if scan.z_type == ZType::Text {
        write_list(xml, heights.samples());
    } else {
        let sum = hexadecimal(&Md5::digest(&points.data));
        let _ = write!(
            xml,
            "    <DataLink>\n      <PointDataLink>{DATA}</PointDataLink>\n      \
             <MD5ChecksumPointData>{sum}</MD5ChecksumPointData>\n"
        );
        if let Some(valid) = &points.valid {
            let sum = hexadecimal(&Md5::digest(valid));
            let _ = write!(
                xml,
                "      <ValidPointsLink>{VALID}</ValidPointsLink>\n      \
                 <MD5ChecksumValidPoints>{sum}</MD5ChecksumValidPoints>\n"
            );
        }
        xml.push_str("    </DataLink>\n");
    }
    if let Some(mask) = &scan.mask {
        let colour = mask::colour_text(mask.background);
        let _ = writeln!(
            xml,
            "    <Mask>\n      <Background>{colour}</Background>\n      <Link>{MASK}</Link>\n    </Mask>"
        );
    }
    xml.push_str("  </Record3>\n");
}

fn write_list(xml: &mut String, heights: &[f64]) {
    xml.push_str("    <DataList>\n");
    for &height in heights {
        if height.is_finite() {
            let _ = writeln!(xml, "      <Datum>{:e}</Datum>", to_metres(height));
        } else {
            xml.push_str("      <Datum/>\n");
        }
    }
    xml.push_str("    </DataList>\n");
}

fn escape(text: &str) -> String {
    let legal = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let text: String = text.chars().filter(legal).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn pack(parts: &[(&str, &[u8])]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
