//! Heights in a few bits a sample: what the index and the prepared scans keep of a surface.
//!
//! Layout: run lengths of missing and measured samples in turn, row after row, missing first, each a byte with 255 meaning
//! "255 and go on"; then the measured samples at `bits` bits each, first sample in the lowest bits of the first byte.

use std::ops::Range;

use crate::raster::Raster;

/// Heights span this many standard deviations either way.
const SPAN: f32 = 3.2;

/// A surface in bytes, with what is needed to read them.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pitch: f64,
    pub(crate) bits: u32,
    /// Micrometres of one standard deviation.
    pub(crate) sigma: f32,
    pub(crate) bytes: Vec<u8>,
}

/// Packs a surface into at most `room` bytes: with as many bits of `bits` as fit, else coarser.
pub(crate) fn within(level: &Raster, bits: &[u32], room: usize) -> Packed {
    let mut level = level.clone();
    loop {
        for &bits in bits {
            let packed = pack(&level, bits);
            if packed.bytes.len() <= room {
                return packed;
            }
        }
        level = level.halved();
    }
}

/// Packs a surface at `bits` bits a sample, 1 to 8.
pub(crate) fn pack(level: &Raster, bits: u32) -> Packed {
    let n = level.w.iter().sum::<f32>().max(1.0);
    let sigma = (level.z.iter().map(|z| z * z).sum::<f32>() / n).sqrt().max(1e-6);
    let mut bytes = runs(&level.w);
    let half = (1_u32 << bits) as f32 / 2.0;
    let top = (1_u32 << bits) - 1;
    let (mut held, mut filled) = (0_u32, 0);
    for (&z, &w) in level.z.iter().zip(&level.w) {
        if w == 0.0 {
            continue;
        }
        let step = ((z / (SPAN * sigma) * half + half).floor().max(0.0) as u32).min(top);
        held |= step << filled;
        filled += bits;
        while filled >= 8 {
            bytes.push((held & 0xff) as u8);
            held >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        bytes.push((held & 0xff) as u8);
    }
    Packed { width: level.width, height: level.height, pitch: level.pitch, bits, sigma, bytes }
}

fn runs(mask: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut measured, mut run) = (false, 0_usize);
    let end = |run: usize, bytes: &mut Vec<u8>| {
        bytes.extend(std::iter::repeat_n(255, run / 255));
        bytes.push((run % 255) as u8);
    };
    for &w in mask {
        if (w > 0.0) != measured {
            end(run, &mut bytes);
            (measured, run) = (!measured, 0);
        }
        run += 1;
    }
    end(run, &mut bytes);
    bytes
}

/// The surface in the bytes; nothing where they do not fill the size.
pub(crate) fn unpacked(
    [width, height]: [usize; 2],
    pitch: f64,
    bits: u32,
    sigma: f32,
    bytes: &[u8],
) -> Option<Raster> {
    // A byte tells of 255 samples at most.
    let count = width.checked_mul(height).filter(|count| *count <= 255 * bytes.len())?;
    let (runs, at) = measured_runs(bytes, count)?;
    let rest = bytes.get(at..)?;
    let measured: usize = runs.iter().map(Range::len).sum();
    if measured * bits as usize > 8 * rest.len() {
        return None;
    }
    let half = (1_u32 << bits) as f32 / 2.0;
    let step = SPAN * sigma / half;
    let heights: Vec<f32> = (0..1_u32 << bits).map(|value| (value as f32 + 0.5 - half) * step).collect();
    let (mut z, mut w) = (vec![0.0; count], vec![0.0; count]);
    let byte = |place: usize| u32::from(*rest.get(place).unwrap_or(&0));
    let mut bit = 0;
    for run in runs {
        w[run.clone()].fill(1.0);
        // Every sample finds its bits by itself, so that none waits for the one before.
        for (z, bit) in z[run.clone()].iter_mut().zip((bit..).step_by(bits as usize)) {
            let two = byte(bit / 8) | byte(bit / 8 + 1) << 8;
            *z = heights[(two >> (bit % 8)) as usize & (heights.len() - 1)];
        }
        bit += run.len() * bits as usize;
    }
    Some(Raster { width, height, pitch, offset: 0.0, z, w })
}

/// Where measured samples lie, and the first byte behind the run lengths; nothing where they do not fill `count`.
fn measured_runs(bytes: &[u8], count: usize) -> Option<(Vec<Range<usize>>, usize)> {
    let (mut runs, mut is_measured, mut at) = (Vec::new(), false, 0);
    let (mut from, mut to) = (0, 0);
    while to < count {
        let &byte = bytes.get(at)?;
        at += 1;
        to += usize::from(byte);
        if to > count {
            return None;
        }
        if byte < 255 || to == count {
            if is_measured && from < to {
                runs.push(from..to);
            }
            (from, is_measured) = (to, !is_measured);
        }
    }
    // A last run whose length is a multiple of 255 is closed by a zero.
    if at > 0 && bytes[at - 1] == 255 {
        at += 1;
    }
    Some((runs, at))
}
