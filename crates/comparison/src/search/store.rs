//! The feature store: records of one size behind a header, in bytes that somebody else reads, maps and appends.
//!
//! ```text
//! file    header (8192 bytes), then records (8192 bytes each)
//! header  "MSFEAT\0\x02", u32 record size, 32 bytes preset name padded with zeros, u32 version of the rules by which scans are
//!         prepared and counted (`Parameters::rule`), u32 version of the features, zeros, u64 checksum of what precedes it
//! record  u16 width, u16 height, f32 pitch in um, f32 sigma in um, u8 bits, u8 origin (0 real, 1 simulated),
//!         u8 regular marks weakened (0 no, 1 yes), u8 zero, u32 bytes of heights, u32 zero,
//!         u64 checksum of the record without these eight bytes, 32 bytes seal,
//!         960 bytes coarse code, heights (see `packed`), zeros
//! ```
//! All numbers are little-endian. A record that was not written to its end has the wrong length or the wrong checksum. The seal
//! is whatever the keeper of the store binds the record to what is known of its scan with; here it is only kept.

use std::ops::Range;

use super::code::{self, Code, DIRECTIONS};
use super::packed;
use crate::error::ComparisonError;
use crate::fourier::Planner;
use crate::preset::Preset;
use crate::raster::Raster;
use crate::surface::Surface;

/// Bytes of one record, and of the header.
pub const RECORD_BYTES: usize = 8192;
/// Bytes of the seal of a record.
pub const SEAL_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"MSFEAT\0\x02";
/// The first version of the file: without the versions of what it holds.
const OLDER: &[u8; 8] = b"MSFEAT\0\x01";
const NAME: Range<usize> = 12..44;
pub(super) const RULE: Range<usize> = 44..48;
pub(super) const REVISION: Range<usize> = 48..52;
/// Grows by one whenever the same surface may come to another record.
const FEATURES: u32 = 3;
pub(super) const CHECKSUM: Range<usize> = 24..32;
const SEAL: Range<usize> = CHECKSUM.end..CODE;
const CODE: usize = 64;
pub(super) const HEIGHTS: usize = CODE + 8 * DIRECTIONS;
/// No level kept here is larger along an axis.
const LARGEST: usize = 1024;
/// Bits a sample, most first; whichever fits.
const BITS: [u32; 3] = [4, 3, 2];

/// Where the scan behind a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A measured case.
    Real,
    /// A generated one; stays labelled so wherever it goes.
    Simulated,
}

/// What the store keeps of one scan: its coarse code, and its heights at 25 µm (for breech faces) in two to four bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Features(Vec<u8>);

impl Features {
    /// The features of a prepared surface.
    pub fn of(surface: &Surface, origin: Origin) -> Self {
        Self::of_level(&surface.level2, origin, surface.is_regular, &mut Planner::default())
    }

    pub(crate) fn of_level(level: &Raster, origin: Origin, is_regular: bool, planner: &mut Planner) -> Self {
        let code = code::code(level, planner);
        let packed = packed::within(level, &BITS, RECORD_BYTES - HEIGHTS);
        let mut bytes = vec![0; RECORD_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &(packed.width.min(LARGEST) as u16).to_le_bytes());
        put(2, &(packed.height.min(LARGEST) as u16).to_le_bytes());
        put(4, &(packed.pitch as f32).to_le_bytes());
        put(8, &packed.sigma.to_le_bytes());
        put(12, &[packed.bits as u8, u8::from(origin == Origin::Simulated), u8::from(is_regular)]);
        put(16, &(packed.bytes.len() as u32).to_le_bytes());
        for (i, word) in code.iter().enumerate() {
            put(CODE + 8 * i, &word.to_le_bytes());
        }
        put(HEIGHTS, &packed.bytes);
        Self(bytes).summed()
    }

    /// The same record under a seal: a digest of [`Self::content`] and of whatever else says whose record it is, so that records
    /// that were exchanged no longer fit. Without one it is zeros.
    #[must_use]
    pub fn sealed(mut self, seal: &[u8; SEAL_BYTES]) -> Self {
        self.0[SEAL].copy_from_slice(seal);
        self.summed()
    }

    /// What a seal binds: the record without its checksum and without the seal itself.
    pub fn content(&self) -> [&[u8]; 2] {
        content(&self.0)
    }

    fn summed(mut self) -> Self {
        let sum = record_checksum(&self.0);
        self.0[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        self
    }

    /// The record, [`RECORD_BYTES`] of them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn content(record: &[u8]) -> [&[u8]; 2] {
    [&record[..CHECKSUM.start], &record[SEAL.end..]]
}

/// The header of a new feature file.
pub fn header(preset: &Preset) -> Vec<u8> {
    let mut bytes = vec![0; RECORD_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&(RECORD_BYTES as u32).to_le_bytes());
    let name = preset.name.as_bytes();
    bytes[NAME][..name.len().min(NAME.len())].copy_from_slice(&name[..name.len().min(NAME.len())]);
    bytes[RULE].copy_from_slice(&preset.parameters().rule.to_le_bytes());
    bytes[REVISION].copy_from_slice(&FEATURES.to_le_bytes());
    let sum = checksum_of_header(&bytes);
    bytes[RECORD_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Of all but its last eight bytes, where it belongs.
pub(super) fn checksum_of_header(header: &[u8]) -> u64 {
    checksum(&header[..RECORD_BYTES - 8], FIRST)
}

/// A feature file in memory, open for searching.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    records: &'a [u8],
    preset: &'static str,
    /// Micrometres between the samples that records keep; large faces are kept two, four or eight times as coarse.
    pitch: f64,
}

impl<'a> Store<'a> {
    /// Looks at the header and counts the whole records; each record is checked when it is used.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Malformed`] for bytes that are no feature file, and for one whose scans were prepared or described by
    /// other rules than those of this version: they must be indexed again.
    ///
    /// ```
    /// use comparison::{MarkKind, Preset, search};
    ///
    /// let empty = search::header(&Preset::default_for(MarkKind::BreechFace));
    /// assert_eq!(search::Store::open(&empty)?.len(), 0);
    /// assert!(search::Store::open(b"something else").is_err());
    /// # Ok::<(), comparison::ComparisonError>(())
    /// ```
    pub fn open(bytes: &'a [u8]) -> Result<Self, ComparisonError> {
        let malformed =
            |reason: &str| ComparisonError::Malformed { what: "feature store", reason: reason.to_owned() };
        if bytes.starts_with(OLDER) {
            return Err(malformed(&outdated("an older version of this program")));
        }
        if bytes.len() < RECORD_BYTES || !bytes.starts_with(MAGIC) {
            return Err(malformed("it does not begin like one of this version"));
        }
        let (header, records) = bytes.split_at(RECORD_BYTES);
        let (told, sum) = header.split_at(RECORD_BYTES - 8);
        if number(sum) != checksum(told, FIRST) || header[8..12] != (RECORD_BYTES as u32).to_le_bytes() {
            return Err(malformed("its header is damaged"));
        }
        let name = header[NAME].split(|&b| b == 0).next().unwrap_or_default();
        let preset = std::str::from_utf8(name).ok().and_then(|name| Preset::named(name).ok());
        let preset =
            preset.ok_or_else(|| malformed("it was made with a preset that this version does not know"))?;
        let made = [RULE, REVISION].map(|place| number(&header[place]));
        let own = [preset.parameters().rule, FEATURES].map(u64::from);
        if made != own {
            return Err(malformed(&outdated(&format!(
                "rules {} and features {}, and this version makes {} and {}",
                made[0], made[1], own[0], own[1]
            ))));
        }
        Ok(Self { records, preset: preset.name, pitch: 4.0 * preset.pitch.to_um() })
    }

    /// How many whole records there are.
    pub fn len(&self) -> usize {
        self.records.len() / RECORD_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes behind the last whole record: what a write left that did not come to its end.
    pub fn torn(&self) -> usize {
        self.records.len() % RECORD_BYTES
    }

    /// The name of the preset its scans were prepared with.
    pub fn preset(&self) -> &'static str {
        self.preset
    }

    /// Whether a record reads: its checksum fits and its heights unpack.
    pub fn is_sound(&self, record: usize) -> bool {
        record < self.len() && self.level(record).is_some()
    }

    /// Whether a record was generated, not measured.
    pub fn origin(&self, record: usize) -> Origin {
        if self.record(record)[13] == 0 { Origin::Real } else { Origin::Simulated }
    }

    /// The seal of a record, as [`Features::sealed`] put it there.
    pub fn seal(&self, record: usize) -> [u8; SEAL_BYTES] {
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&self.record(record)[SEAL]);
        seal
    }

    /// What that seal binds, as [`Features::content`] gave it.
    pub fn content(&self, record: usize) -> [&'a [u8]; 2] {
        content(self.record(record))
    }

    /// The surface that a record keeps; nothing where it is damaged, too little of it is left, or the preset is another one.
    pub fn surface(&self, record: usize, preset: &Preset) -> Option<Surface> {
        let level = (preset.name == self.preset).then(|| self.level(record))??;
        let levels = [level.clone(), level];
        Surface::from_levels(levels, self.is_regular(record), preset, &mut Planner::default())
    }

    /// Whether regular machining marks of the scan were weakened.
    pub(crate) fn is_regular(&self, record: usize) -> bool {
        self.record(record)[14] != 0
    }

    fn record(&self, at: usize) -> &'a [u8] {
        &self.records[at * RECORD_BYTES..(at + 1) * RECORD_BYTES]
    }

    pub(crate) fn code(&self, at: usize) -> Code {
        let bytes = &self.record(at)[CODE..HEIGHTS];
        let mut code = [0; DIRECTIONS];
        code.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        code
    }

    /// The heights of a record; nothing where it is damaged.
    pub(crate) fn level(&self, at: usize) -> Option<Raster> {
        let record = self.record(at);
        if number(&record[CHECKSUM]) != record_checksum(record) {
            return None;
        }
        let size = [0, 2].map(|at| usize::from(u16::from_le_bytes([record[at], record[at + 1]])));
        let real =
            |at: usize| f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let (pitch, sigma, bits) = (f64::from(real(4)), real(8), u32::from(record[12]));
        let length = u32::from_le_bytes([record[16], record[17], record[18], record[19]]) as usize;
        let sound = size.iter().all(|s| (2..=LARGEST).contains(s))
            && [1.0, 2.0, 4.0, 8.0].iter().any(|coarser| (pitch / (coarser * self.pitch) - 1.0).abs() < 0.05)
            && (0.0..1e6).contains(&sigma)
            && (1..=8).contains(&bits);
        if !sound {
            return None;
        }
        packed::unpacked(size, pitch, bits, sigma, record[HEIGHTS..].get(..length)?)
    }
}

fn outdated(by: &str) -> String {
    format!("its features were made by {by}\nhint: index the scans again into a new folder")
}

fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

pub(super) fn record_checksum(record: &[u8]) -> u64 {
    checksum_around(record, CHECKSUM)
}

/// Of all bytes but those of a place where it is kept.
pub(super) fn checksum_around(bytes: &[u8], place: Range<usize>) -> u64 {
    checksum(&bytes[place.end..], checksum(&bytes[..place.start], FIRST))
}

const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over words of eight bytes; it tells torn from whole, not friend from foe.
fn checksum(bytes: &[u8], from: u64) -> u64 {
    bytes.chunks(8).fold(from, |sum, word| {
        let mixed = (sum ^ number(word)).wrapping_mul(0x0000_0100_0000_01b3);
        mixed ^ mixed >> 29
    })
}
