//! Searching made-up stores, and the real scans among made-up ones where they are at hand.

use comparison::search::{
    self, Features, Firearm, Found, Model, Origin, Query, RECORD_BYTES, Stages, Store, pack, unpack,
};
use comparison::{ComparisonError, MarkKind, Preset, Surface, compare, prepare};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use topography::{Length, Topography};

use crate::known_pairs;

fn preset() -> Preset {
    Preset::default_for(MarkKind::BreechFace)
}

fn prepared(scan: &Topography) -> Surface {
    prepare(scan, &preset()).unwrap()
}

/// Features of `firearms` made-up cases of one production run, one each.
fn crowd(firearms: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let model = Model::draw(&mut rng);
    (0..firearms).flat_map(|_| Firearm::draw(&model, &mut rng).features(&mut rng).bytes().to_vec()).collect()
}

/// A store of two cases of one firearm, the first of them asked for, among a crowd of its own production run.
fn small_world() -> (Surface, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let model = Model::draw(&mut rng);
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let firearm = Firearm::draw(&model, &mut rng);
    let [asked, kept] = [0, 1].map(|_| prepared(&firearm.fire(Length::um(12.5), &mut rng)));
    let mut file = search::header(&preset());
    file.extend(Features::of(&asked, Origin::Simulated).bytes());
    file.extend(crowd(40));
    file.extend(Features::of(&kept, Origin::Simulated).bytes());
    (asked, file)
}

fn found(asked: &Surface, file: &[u8], admitted: &(dyn Fn(usize) -> bool + Sync)) -> Found {
    let stages = Stages { registered: 20, compared: 5 };
    search::search(&Query::new(asked).unwrap(), &Store::open(file).unwrap(), admitted, stages).unwrap()
}

#[test]
fn the_other_case_of_a_firearm_is_the_first_lead() {
    let (asked, file) = small_world();
    let found = found(&asked, &file, &|record| record != 0);
    assert_eq!((found.searched, found.leads.len(), found.leads[0].record), (41, 5, 41));
    assert!(found.leads[0].comparison.congruent() >= 6, "{:?}", found.leads[0].comparison.cmc);
    assert!(found.leads[1].comparison.congruent() <= 2, "{:?}", found.leads[1].comparison.cmc);
    assert!(found.leads[0].code > 2.0 * found.leads[1].code);
}

/// The left half of one case leads to a whole one, and by way of that to the right half of a third, with which it shares nothing.
#[test]
fn a_case_that_shares_no_area_is_found_by_way_of_another() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let model = Model::draw(&mut rng);
    let firearm = Firearm::draw(&model, &mut ChaCha8Rng::seed_from_u64(77));
    // Cases that lie as they were fired: the same shot each time, but for its last digits of noise.
    let shot = |seed: u64| firearm.fire(Length::um(12.5), &mut ChaCha8Rng::seed_from_u64(seed));
    let part = |scan: &Topography, left: bool| {
        let width = scan.heights.width();
        let kept = |x: usize, y: usize| {
            if (2 * x < width) == left { scan.heights[(x, y)] } else { f64::NAN }
        };
        Topography {
            heights: topography::Grid::from_fn(width, scan.heights.height(), kept),
            pitch: scan.pitch,
        }
    };
    let asked = prepared(&part(&shot(5), true));
    let mut file = search::header(&preset());
    for scan in [&shot(6), &part(&shot(5), false)] {
        file.extend(Features::of(&prepared(scan), Origin::Simulated).bytes());
    }
    file.extend(crowd(40));
    let found = found(&asked, &file, &|_| true);
    let first: Vec<usize> = found.leads[..2].iter().map(|lead| lead.record).collect();
    assert_eq!(
        first,
        [0, 1],
        "{:?}",
        found.leads.iter().map(|l| (l.record, l.comparison.score)).collect::<Vec<_>>()
    );
    let [whole, half] = [0, 1].map(|k| &found.leads[k]);
    assert!(whole.by_way_of.is_none() && whole.comparison.congruent() >= 6);
    let link = half.by_way_of.expect("only the whole case leads to it");
    assert!(link.record == 0 && link.congruent >= 6 && !half.comparison.converged, "{half:?}");
    assert!(found.leads[2..].iter().all(|lead| lead.by_way_of.is_none()));
}

#[test]
fn what_is_not_admitted_is_not_found() {
    let (asked, file) = small_world();
    let found = found(&asked, &file, &|record| (1..=30).contains(&record));
    assert_eq!(found.searched, 30);
    assert!(found.leads.iter().all(|lead| lead.comparison.congruent() <= 2));
    let none = self::found(&asked, &file, &|_| false);
    assert!(none.leads.is_empty() && none.searched == 0);
}

#[test]
fn a_search_has_one_answer_on_any_number_of_threads() {
    let (asked, file) = small_world();
    let told = |found: &Found| format!("{:?}", found.leads);
    let [one, two] = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| told(&found(&asked, &file, &|_| true)))
    });
    assert_eq!(one, two);
}

#[test]
fn a_damaged_record_is_named_and_left_out() {
    let (asked, mut file) = small_world();
    let at = 42 * RECORD_BYTES + 3000;
    file[at] ^= 0x40;
    let found = found(&asked, &file, &|record| record != 0);
    assert_eq!(found.damaged, [41]);
    assert!(found.leads.iter().all(|lead| lead.record != 41));
}

/// A seal is kept as it was given, is covered by the checksum, and is no part of what it binds.
#[test]
fn a_record_keeps_its_seal() {
    let bare = Features::of(&prepared(&crate::faces::face(1)), Origin::Real);
    let sealed = bare.clone().sealed(&[7; search::SEAL_BYTES]);
    assert_eq!(sealed.content(), bare.content());
    assert_eq!(
        sealed.content().map(<[u8]>::len).iter().sum::<usize>(),
        RECORD_BYTES - 8 - search::SEAL_BYTES
    );
    let mut file = search::header(&preset());
    file.extend(sealed.bytes());
    let store = Store::open(&file).unwrap();
    assert!(store.is_sound(0));
    assert_eq!((store.seal(0), store.content(0)), ([7; search::SEAL_BYTES], bare.content()));
    file[RECORD_BYTES + 40] ^= 1;
    assert!(!Store::open(&file).unwrap().is_sound(0));
}

/// A search says what it narrowed to how many, and what it asked with once more.
#[test]
fn a_search_tells_its_stages() {
    let (asked, file) = small_world();
    let found = found(&asked, &file, &|record| record != 0);
    assert_eq!((found.searched, found.narrowed), (41, Stages { registered: 20, compared: 5 }));
    assert_eq!(found.asked_with, [41]);
}

#[test]
fn a_torn_record_is_seen_and_not_counted() {
    let (_, file) = small_world();
    let cut = &file[..file.len() - 7000];
    let store = Store::open(cut).unwrap();
    assert_eq!((store.len(), store.torn()), (41, RECORD_BYTES - 7000));
    assert!((0..41).all(|record| store.is_sound(record)));
    assert!(!store.is_sound(41));
    let mut zeros = cut.to_vec();
    zeros.resize(file.len(), 0);
    assert!(!Store::open(&zeros).unwrap().is_sound(41), "a record whose end was never written");
}

#[test]
fn only_feature_files_open() {
    let header = search::header(&preset());
    let mut other_version = header.clone();
    other_version[7] = 3;
    let mut damaged = header.clone();
    damaged[100] = 1;
    for bytes in [&[][..], b"MSFEAT", &header[..8191], &other_version, &damaged] {
        assert!(matches!(Store::open(bytes), Err(ComparisonError::Malformed { .. })));
    }
    let mut older = header.clone();
    older[7] = 1;
    let refused = Store::open(&older).unwrap_err().to_string();
    assert!(
        refused.contains("an older version") && refused.contains("\nhint: index the scans again"),
        "{refused}"
    );
    let other = search::header(&Preset::named("cmcr").unwrap());
    let query = Query::new(&prepared(&crate::faces::face(1))).unwrap();
    let refused = search::search(&query, &Store::open(&other).unwrap(), &|_| true, Stages::default());
    assert!(matches!(refused, Err(ComparisonError::Mismatch(_))));
}

/// Cells first, where they came together; what did not converge follows by its registration; the two are never added up.
#[test]
fn leads_stand_in_the_order_of_what_can_be_compared() {
    let (asked, file) = small_world();
    let lead = found(&asked, &file, &|record| record != 0).leads[0].clone();
    let like = |record: usize, converged: bool, score: f64, strength: f64| {
        let mut comparison = lead.comparison.clone();
        (comparison.converged, comparison.score) = (converged, score);
        search::Lead { record, strength, comparison, ..lead }
    };
    // The last but one has a cell more than the fourth, by chance: it did not converge.
    let mut leads = [
        like(1, false, 1.4, 4.0),
        like(2, true, 7.2, 5.0),
        like(3, false, 0.3, 8.5),
        like(4, true, 12.1, 4.5),
        like(5, false, 0.4, 8.5),
    ];
    leads.sort_by(search::Lead::order);
    assert_eq!(leads.map(|lead| lead.record), [4, 2, 3, 5, 1]);
}

#[test]
fn a_generated_record_stays_labelled() {
    let mut file = search::header(&preset());
    file.extend(crowd(1));
    file.extend(Features::of(&prepared(&crate::faces::face(1)), Origin::Real).bytes());
    let store = Store::open(&file).unwrap();
    assert_eq!([store.origin(0), store.origin(1)], [Origin::Simulated, Origin::Real]);
}

#[test]
fn a_seed_makes_the_same_faces_again() {
    assert_eq!(crowd(3), crowd(3));
}

#[test]
fn a_packed_surface_compares_like_the_one_it_was() {
    let (asked, other) = (prepared(&crate::faces::face(4)), prepared(&crate::faces::turned(4, 50.0)));
    let kept = unpack(&pack(&other), &preset()).unwrap();
    let [exact, packed] = [&other, &kept].map(|b| compare(&asked, b).unwrap());
    assert!(exact.congruent().abs_diff(packed.congruent()) <= 2, "{:?} {:?}", exact.cmc, packed.cmc);
    assert!((exact.rotation.unwrap().to_degrees() - packed.rotation.unwrap().to_degrees()).abs() < 0.2);
    assert!(unpack(b"MSPREP\0\x03", &preset()).is_err());
    let whole = pack(&other);
    for at in [0, 7, 9, 14, 20, 25, 28, 31, 35, 40, 3000, whole.len() - 1] {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 4;
        assert!(matches!(unpack(&spoilt, &preset()), Err(ComparisonError::Malformed { .. })), "{at}");
    }
}

#[test]
fn real_cases_of_one_slide_lead_among_generated_ones() {
    let Some(folder) = known_pairs::real("csafe-fadul") else { return };
    let mut file = search::header(&preset());
    let scans: Vec<Surface> = ["2-1", "2-2", "C", "M", "1-1", "7-1"]
        .iter()
        .map(|name| prepared(&known_pairs::read(folder.join(format!("Fadul {name}.x3p")))))
        .collect();
    for scan in &scans {
        file.extend(Features::of(scan, Origin::Real).bytes());
    }
    file.extend(crowd(60));
    let found = found(&scans[0], &file, &|record| record != 0);
    let mut first: Vec<usize> = found.leads[..3].iter().map(|lead| lead.record).collect();
    first.sort_unstable();
    assert_eq!(first, [1, 2, 3]);
    assert!(found.leads[3].comparison.congruent() <= 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes, a store answers or refuses; it never panics and never reads beyond them.
    #[test]
    fn hostile_bytes_do_no_harm(
        spoilt in prop::collection::vec((0..3 * RECORD_BYTES, any::<u8>()), 1..40),
        cut in 0..3 * RECORD_BYTES,
    ) {
        let mut file = search::header(&preset());
        file.extend(crowd(2));
        for (at, byte) in spoilt {
            file[at] = byte;
        }
        file.truncate(3 * RECORD_BYTES - cut);
        if let Ok(store) = Store::open(&file) {
            let sound = (0..=store.len()).filter(|&record| store.is_sound(record)).count();
            prop_assert!(sound <= store.len());
        }
    }

    /// A byte changed anywhere in a record is noticed.
    #[test]
    fn every_changed_byte_is_noticed(at in 0..RECORD_BYTES, change in 1..=255_u8) {
        let mut file = search::header(&preset());
        file.extend(crowd(1));
        file[RECORD_BYTES + at] ^= change;
        prop_assert!(!Store::open(&file).unwrap().is_sound(0));
    }
}
