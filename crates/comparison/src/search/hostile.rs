//! Stores that somebody spoilt, by chance or on purpose with the checksums put right again: each is opened, checked, searched
//! and added to; it answers or is refused in one sentence, and holds no more memory than its bytes account for.
//!
//! `MICROSTAMP_HOSTILE_CASES` sets how many are tried (3,000 without it).

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use topography::{Grid, Length, Pitch, Topography};

use super::store::{CHECKSUM, HEIGHTS, REVISION, RULE, checksum_around, checksum_of_header, record_checksum};
use super::{DETAIL_HEAD, DETAIL_SUM};
use super::{
    Features, Firearm, Model, Origin, Query, RECORD_BYTES, Stages, Store, header, pack, search, unpack,
};
use crate::error::ComparisonError;
use crate::preset::{MarkKind, Preset};
use crate::surface::Surface;

const CASES: usize = 3000;
/// Searches cost more than all else; every so manyth case is searched.
const SEARCHED: usize = 40;

fn preset() -> Preset {
    Preset::default_for(MarkKind::BreechFace)
}

fn surface() -> Surface {
    let rough = |x: usize, y: usize| ((x * 7919 + y * 104_729 + (x / 9) * (y / 7) * 31) % 97) as f64 * 0.02;
    let scan = Topography { heights: Grid::from_fn(400, 400, rough), pitch: Pitch::square(Length::um(6.25)) };
    crate::prepare(&scan, &preset()).expect("it has relief")
}

/// Three records of made-up cases behind a header.
fn store() -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let model = Model::draw(&mut rng);
    let mut file = header(&preset());
    for _ in 0..3 {
        file.extend(Firearm::draw(&model, &mut rng).features(&mut rng).bytes());
    }
    file
}

fn cases() -> usize {
    std::env::var("MICROSTAMP_HOSTILE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

/// One to eight changes: bits, bytes, whole words, swapped blocks.
fn spoil(bytes: &mut [u8], rng: &mut impl Rng) {
    if bytes.is_empty() {
        return;
    }
    for _ in 0..rng.random_range(1..=8) {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => {
                let word: u32 =
                    [0, 1, u32::MAX, 0x7fc0_0000, 0x8000_0000, rng.random()][rng.random_range(0..6)];
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            }
            _ => {
                let to = rng.random_range(0..bytes.len());
                bytes.swap(at, to);
            }
        }
    }
}

/// The fields of a record that say how long and how large it is, set to lies.
fn lie(record: &mut [u8], rng: &mut impl Rng) {
    let field = rng.random_range(0..5);
    let odd = [0, 1, 2, 3, 255, 256, 1023, 1024, 1025, 65_535][rng.random_range(0..10)];
    match field {
        0 => record[0..2].copy_from_slice(&(odd as u16).to_le_bytes()),
        1 => record[2..4].copy_from_slice(&(odd as u16).to_le_bytes()),
        2 => {
            let pitch = [0.0, 1.0, 12.5, 24.0, 50.0, 100.0, 999.0, f32::NAN, f32::INFINITY, -25.0];
            record[4..8].copy_from_slice(&pitch[rng.random_range(0..10)].to_le_bytes());
        }
        3 => record[12] = odd as u8,
        _ => {
            record[16..20]
                .copy_from_slice(&[odd, u32::MAX, 7168, 7169][rng.random_range(0..4)].to_le_bytes());
        }
    }
}

fn mend(file: &mut [u8]) {
    if file.len() < RECORD_BYTES {
        return;
    }
    let sum = checksum_of_header(&file[..RECORD_BYTES]);
    file[RECORD_BYTES - 8..RECORD_BYTES].copy_from_slice(&sum.to_le_bytes());
    for record in file[RECORD_BYTES..].chunks_exact_mut(RECORD_BYTES) {
        let sum = record_checksum(record);
        record[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A store that was spoilt in one of several ways.
fn spoilt(whole: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut file = whole.to_vec();
    match rng.random_range(0..5) {
        0 => spoil(&mut file, rng),
        1 => file.truncate(rng.random_range(0..=whole.len())),
        2 => {
            // Heights and fields of one record, its checksum right.
            let from = RECORD_BYTES * rng.random_range(1..4);
            spoil(&mut file[from..from + HEIGHTS + 2000], rng);
            mend(&mut file);
        }
        3 => {
            let from = RECORD_BYTES * rng.random_range(1..4);
            lie(&mut file[from..from + RECORD_BYTES], rng);
            mend(&mut file);
        }
        _ => {
            spoil(&mut file[..RECORD_BYTES], rng);
            mend(&mut file);
            file.truncate(whole.len() - rng.random_range(0..RECORD_BYTES));
        }
    }
    file
}

/// A whole header whose scans were prepared or described by other rules is refused, and says what to do.
#[test]
fn features_of_other_rules_are_refused() {
    for place in [RULE, REVISION] {
        let mut file = store();
        file[place.start] += 1;
        mend(&mut file);
        let Err(ComparisonError::Malformed { reason, .. }) = Store::open(&file) else {
            panic!("features of other rules were taken")
        };
        let (told, hint) = reason.split_once("\nhint: ").expect("it says what to do");
        assert!(told.contains("features were made by rules") && !told.contains('\n'), "{told}");
        assert!(hint.contains("index the scans again"), "{hint}");
    }
}

#[test]
fn spoilt_stores_answer_or_are_refused() {
    let (whole, asked) = (store(), surface());
    let query = Query::new(&asked).expect("it has relief");
    let added = Features::of(&asked, Origin::Real);
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let (mut opened, mut sound, mut damaged) = (0, 0, 0);
    for case in 0..cases() {
        let mut file = spoilt(&whole, &mut rng);
        let Ok(store) = Store::open(&file) else {
            assert!(matches!(Store::open(&file), Err(ComparisonError::Malformed { .. })), "case {case}");
            continue;
        };
        opened += 1;
        let good = (0..=store.len()).filter(|&record| store.is_sound(record)).count();
        (sound, damaged) = (sound + good, damaged + store.len() - good);
        for record in 0..store.len() {
            // No level is larger than the bytes can tell.
            assert!(
                store.level(record).is_none_or(|level| level.z.len() <= 255 * RECORD_BYTES),
                "case {case}"
            );
        }
        if case % SEARCHED == 0 {
            let found = search(&query, &store, &|_| true, Stages { registered: 3, compared: 3 });
            let leads = found.map(|found| (found.searched, found.leads.len()));
            assert!(
                matches!(leads, Ok((searched, leads)) if searched == store.len() && leads <= good)
                    || matches!(leads, Err(ComparisonError::Mismatch(_))),
                "case {case}: {leads:?}"
            );
        }
        // What is added behind whole records reads.
        let (len, torn) = (store.len(), store.torn());
        file.truncate(file.len() - torn);
        file.extend(added.bytes());
        assert!(Store::open(&file).is_ok_and(|store| store.is_sound(len)), "case {case}");
    }
    // The campaign is no use if nothing gets past the header, or nothing is caught behind it.
    assert!(
        opened > cases() / 3 && sound > cases() / 3 && damaged > cases() / 20,
        "{opened} {sound} {damaged}"
    );
}

#[test]
fn spoilt_prepared_scans_answer_or_are_refused() {
    let whole = pack(&surface());
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let mut read = 0;
    for case in 0..cases() / 20 {
        let mut bytes = whole.clone();
        match case % 4 {
            0 => bytes.truncate(rng.random_range(0..=whole.len())),
            1 => spoil(&mut bytes[..DETAIL_HEAD], &mut rng),
            2 => spoil(&mut bytes[DETAIL_HEAD..], &mut rng),
            _ => spoil(&mut bytes, &mut rng),
        }
        // By chance alone a change is always noticed; with the checksum put right the contents must be looked at.
        let mended = case % 3 > 0 && bytes.len() >= DETAIL_HEAD;
        if mended {
            let sum = checksum_around(&bytes, DETAIL_SUM);
            bytes[DETAIL_SUM].copy_from_slice(&sum.to_le_bytes());
        }
        match unpack(&bytes, &preset()) {
            Ok(surface) => {
                assert!(mended || bytes == whole, "case {case}");
                assert!(surface.level1.z.len() <= 255 * bytes.len(), "case {case}");
                read += 1;
            }
            Err(error) => assert!(matches!(error, ComparisonError::Malformed { .. }), "case {case}: {error}"),
        }
    }
    assert!(read > 0, "heights may differ and still be heights");
}
