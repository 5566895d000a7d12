//! Any bytes as a feature file, as records behind a header of ours with their checksums put right, as a prepared scan and as a
//! calibration: every record reads or does not, nothing panics, and a search over it ends.
#![no_main]

use std::sync::OnceLock;

use comparison::evidence::Calibration;
use comparison::search::{self, Features, Origin, Query, RECORD_BYTES, Stages, Store};
use comparison::{MarkKind, Preset, Surface, prepare};
use libfuzzer_sys::fuzz_target;
use topography::{Grid, Length, Pitch, Topography};

/// Where a record and a prepared scan keep their checksums.
const OF_RECORD: std::ops::Range<usize> = 24..32;
const OF_PREPARED: std::ops::Range<usize> = 32..40;

/// Made-up roughness, and a query with it.
fn asked() -> &'static (Surface, Query) {
    static ASKED: OnceLock<(Surface, Query)> = OnceLock::new();
    ASKED.get_or_init(|| {
        let rough = |x: usize, y: usize| ((x * 7919 + y * 104_729 + (x / 9) * (y / 7) * 31) % 97) as f64 * 0.02;
        let pitch = Pitch::square(Length::um(6.25));
        let scan = Topography { heights: Grid::from_fn(400, 400, rough), pitch };
        let surface = prepare(&scan, &Preset::default_for(MarkKind::BreechFace)).expect("it has relief");
        let query = Query::new(&surface).expect("it has relief");
        (surface, query)
    })
}

/// The checksum of the format, over all bytes but those where it is kept; checked against a record of ours on the first run.
fn checksum(bytes: &[u8], kept: std::ops::Range<usize>) -> u64 {
    let over = |from: u64, bytes: &[u8]| {
        bytes.chunks(8).fold(from, |sum, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
            mixed ^ mixed >> 29
        })
    };
    over(over(0xcbf2_9ce4_8422_2325, &bytes[..kept.start]), &bytes[kept.end..])
}

/// Puts the checksum right.
fn mend(bytes: &mut [u8], kept: std::ops::Range<usize>) {
    if bytes.len() >= kept.end {
        let sum = checksum(bytes, kept.clone());
        bytes[kept].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A record of ours with `changes` laid over it: pairs of a place (two bytes) and a value.
fn changed(whole: &[u8], changes: &[u8], kept: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    mend(&mut bytes, kept);
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let (surface, query) = asked();
    let ours = Features::of(surface, Origin::Real);
    let told = u64::from_le_bytes(ours.bytes()[OF_RECORD].try_into().expect("eight bytes"));
    assert_eq!(checksum(ours.bytes(), OF_RECORD), told, "the format has changed: change this target with it");

    // A header with a right checksum is not found by chance: whole records of the input, and one of ours with a few bytes of
    // the input laid over it, are tried behind a header of ours, their checksums put right.
    let mut behind_ours = search::header(&preset);
    for record in bytes.chunks_exact(RECORD_BYTES) {
        let mut record = record.to_vec();
        mend(&mut record, OF_RECORD);
        behind_ours.extend(record);
    }
    behind_ours.extend(changed(ours.bytes(), bytes, OF_RECORD));
    for file in [bytes, &behind_ours] {
        let Ok(store) = Store::open(file) else { continue };
        let sound = (0..=store.len()).filter(|&record| store.is_sound(record)).count();
        let found = search::search(query, &store, &|_| true, Stages { registered: 2, compared: 2 });
        if let Ok(found) = found {
            assert!(found.searched == store.len() && found.leads.len() <= sound);
        }
    }
    let _ = search::unpack(bytes, &preset);
    let _ = search::unpack(&changed(&search::pack(surface), bytes, OF_PREPARED), &preset);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Calibration::from_json(text);
    }
    // A calibration of ours with one stretch of it replaced.
    if let [a, b, text @ ..] = bytes
        && let Ok(text) = std::str::from_utf8(text)
    {
        let from = usize::from(u16::from_le_bytes([*a, *b])) % Calibration::BUILT_IN.len();
        let to = (from + text.len()).min(Calibration::BUILT_IN.len());
        if let (Some(head), Some(tail)) = (Calibration::BUILT_IN.get(..from), Calibration::BUILT_IN.get(to..)) {
            let _ = Calibration::from_json(&[head, text, tail].concat());
        }
    }
});
