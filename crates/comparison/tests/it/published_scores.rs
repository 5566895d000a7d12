//! Scores published by others, with known truth (real cases: Glock pistols, Fiocchi ammunition, NFI).

use comparison::evidence::{self, Calibration, Kde, Logistic, ModelKind, Pav, Provenance, Reference};
use comparison::{MarkKind, Preset};
use rand::SeedableRng as _;

use crate::known_pairs::real;

/// Pairs for learning and for validation after the publishers' first split by weapon, with their areal correlation.
struct Published {
    learning: Vec<(Reference, f64)>,
    validation: Vec<(Reference, f64)>,
    all: Vec<(Reference, f64)>,
}

fn published(file: &str) -> Option<Published> {
    let path = real("nfi-lr-scores")?.join(file);
    let mut sets = Published { learning: Vec::new(), validation: Vec::new(), all: Vec::new() };
    for (number, row) in csv::Reader::from_path(path).unwrap().records().enumerate() {
        let row = row.unwrap();
        let count = |at: usize| row[at].parse::<usize>().unwrap();
        let reference = Reference {
            firearms: [row[0].to_owned(), row[1].to_owned()],
            // The file does not name scans.
            scans: ["one", "other"].map(|which| format!("{which} of {number}")),
            congruent: count(4),
            joint: vec![count(5)],
            searched: count(5),
            score: count(4) as f64,
        };
        assert_eq!(reference.is_same_source(), &row[2] == "1");
        let pair = (reference, row[3].parse().unwrap());
        sets.all.push(pair.clone());
        match &row[6] {
            "t" => sets.learning.push(pair),
            "v" => sets.validation.push(pair),
            _ => {}
        }
    }
    Some(sets)
}

fn scores(pairs: &[(Reference, f64)], same: bool, of: impl Fn(&(Reference, f64)) -> f64) -> Vec<f64> {
    pairs.iter().filter(|(r, _)| r.is_same_source() == same).map(of).collect()
}

fn auc(same: &[f64], different: &[f64]) -> f64 {
    let wins = same.iter().flat_map(|s| {
        different.iter().map(move |d| 0.5 * f64::from(u8::from(s > d)) + 0.5 * f64::from(u8::from(s >= d)))
    });
    wins.sum::<f64>() / (same.len() * different.len()) as f64
}

fn check(file: &str, mark: MarkKind, (same, different, expected_auc): (usize, usize, f64), cllr: f64) {
    let Some(sets) = published(file) else { return };
    let count = |(r, _): &(Reference, f64)| r.congruent as f64;
    let (s, d) = (scores(&sets.all, true, count), scores(&sets.all, false, count));
    assert_eq!((s.len(), d.len()), (same, different));
    assert!((auc(&s, &d) - expected_auc).abs() < 5e-4, "{file}: AUC {}", auc(&s, &d));
    let provenance = Provenance::new(file, "real cases", &Preset::default_for(mark));
    let learnt: Vec<Reference> = sets.learning.iter().map(|(r, _)| r.clone()).collect();
    for kind in [ModelKind::BetaBinomial, ModelKind::Kde, ModelKind::Pav] {
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
        let calibration = Calibration::learn(&learnt, kind, provenance.clone(), &mut rng).unwrap();
        let log10 = |(r, _): &(Reference, f64)| calibration.weigh_pair(r).map_or(0.0, |ratio| ratio.log10);
        let (s, d) = (scores(&sets.validation, true, log10), scores(&sets.validation, false, log10));
        let (cost, least) = (evidence::cllr(&s, &d), evidence::cllr_min(&s, &d));
        assert!(
            cost < cllr && least <= cost && cost < least + 0.1,
            "{file}, {kind:?}: Cllr {cost}, at best {least}"
        );
    }
    let accf = |pair: &(Reference, f64)| pair.1;
    let (s, d) = (scores(&sets.learning, true, accf), scores(&sets.learning, false, accf));
    let (pav, kde, logistic) = (Pav::fitted(&s, &d), Kde::fitted(&s, &d), Logistic::fitted(&s, &d));
    let (s, d) = (scores(&sets.validation, true, accf), scores(&sets.validation, false, accf));
    let models: [&dyn Fn(f64) -> f64; 3] = [&|x| pav.log10(x), &|x| kde.log10(x), &|x| logistic.log10(x)];
    for model in models {
        let over = |scores: &[f64]| scores.iter().map(|&x| model(x)).collect::<Vec<_>>();
        let cost = evidence::cllr(&over(&s), &over(&d));
        assert!(cost < 0.6, "{file}, areal correlation: Cllr {cost}");
    }
}

#[test]
fn breech_faces_are_weighed_as_published() {
    check("breech_face_impression.csv", MarkKind::BreechFace, (188, 1327, 0.9545), 0.45);
}

#[test]
fn firing_pins_are_weighed_as_published() {
    check("firing_pin_impression.csv", MarkKind::FiringPin, (196, 530, 0.9980), 0.2);
}
