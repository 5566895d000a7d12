//! The pitch that a picture file states, if it can be one of a microscope.

use super::PitchSource;
use crate::{Length, Pitch};

/// Coarser than this is a printer's resolution (72 dpi is 353 µm), not the pitch of a micrograph.
const COARSEST_UM: f64 = 60.0;
const FINEST_UM: f64 = 1e-4;

/// Micrometres between samples, along x and y, and where they stand in the file.
pub(super) struct Stated {
    pub(super) um: (f64, f64),
    pub(super) source: PitchSource,
}

impl Stated {
    /// The pitch, or nothing and a remark where it is a printer's.
    pub(super) fn credible(&self, warnings: &mut Vec<String>) -> Option<Pitch> {
        let credible = |um: f64| (FINEST_UM..=COARSEST_UM).contains(&um);
        if credible(self.um.0) && credible(self.um.1) {
            return Some(Pitch { x: Length::um(self.um.0), y: Length::um(self.um.1) });
        }
        if self.um.0.is_finite() && self.um.0 > 0.0 {
            let dpi = (25_400.0 / self.um.0).round();
            warnings.push(format!(
                "the file states {dpi} dots per inch, a printer's resolution: not taken as the pitch"
            ));
        }
        None
    }
}

/// The `pHYs` chunk of a PNG, in dots per metre.
pub(super) fn of_png(bytes: &[u8]) -> Option<Stated> {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = big_endian(&head[..4]) as usize;
        match &head[4..] {
            b"pHYs" => {
                let body = bytes.get(at + 8..at + 17)?;
                let um = |dots: u32| 1e6 / f64::from(dots);
                let is_metric = body[8] == 1;
                let um = (um(big_endian(&body[..4])), um(big_endian(&body[4..8])));
                return is_metric.then_some(Stated { um, source: PitchSource::Png });
            }
            b"IDAT" | b"IEND" => return None,
            _ => at = at.checked_add(length)?.checked_add(12)?,
        }
    }
    None
}

/// The density in a JPEG's JFIF header, in dots per inch or per centimetre.
pub(super) fn of_jpeg(bytes: &[u8]) -> Option<Stated> {
    let start = bytes.windows(5).take(64).position(|window| window == b"JFIF\0")?;
    let body = bytes.get(start + 5..start + 12)?;
    let unit = match body[2] {
        1 => 25_400.0,
        2 => 10_000.0,
        _ => return None,
    };
    let um = |pair: &[u8]| unit / f64::from(u16::from_be_bytes([pair[0], pair[1]]));
    Some(Stated { um: (um(&body[3..5]), um(&body[5..7])), source: PitchSource::Jpeg })
}

/// The dots per metre in a BMP's header.
pub(super) fn of_bmp(bytes: &[u8]) -> Option<Stated> {
    let dots = |at: usize| {
        bytes.get(at..at + 4).map(|four| i32::from_le_bytes([four[0], four[1], four[2], four[3]]))
    };
    let (x, y) = (dots(38)?, dots(42)?);
    (x > 0 && y > 0)
        .then(|| Stated { um: (1e6 / f64::from(x), 1e6 / f64::from(y)), source: PitchSource::Bmp })
}

fn big_endian(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
