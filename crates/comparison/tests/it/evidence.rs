//! Likelihood ratios and how they are judged.

use comparison::evidence::{self, Calibration, Kde, Logistic, Pav, Provenance, Reference};
use comparison::{MarkKind, Preset};
use proptest::prelude::*;
use rand::SeedableRng as _;

fn provenance() -> Provenance {
    Provenance {
        set: "made up".to_owned(),
        measured_on: "simulation".to_owned(),
        mark: MarkKind::BreechFace,
        preset: "microstamp-1".to_owned(),
        firearms: 0,
        same_source: 0,
        different_source: 0,
    }
}

/// Six firearms, three cases each; same-source pairs agree on 15 to 22 of 25 cells, others on 0 or 1.
fn references() -> Vec<Reference> {
    let mut all = Vec::new();
    for i in 0..18_usize {
        for j in 0..i {
            let firearms = [i / 3, j / 3].map(|f| f.to_string());
            let congruent = if i / 3 == j / 3 { 15 + (i + j) % 8 } else { usize::from((i * j) % 7 == 1) };
            all.push(Reference { firearms, congruent, cells: 25 });
        }
    }
    all
}

fn learnt() -> Calibration {
    Calibration::learn(&references(), provenance(), &mut rand::rngs::ChaCha8Rng::seed_from_u64(1)).unwrap()
}

#[test]
fn more_congruent_cells_never_weigh_less() {
    for calibration in [learnt(), Calibration::built_in()] {
        let ratios: Vec<f64> = (0..=25).map(|k| calibration.weigh_count(k, 25).log10).collect();
        assert!(ratios[..16].windows(2).all(|w| w[1] >= w[0] - 1e-9), "{ratios:?}");
        assert!(ratios[0] < -1.5 && ratios[12] > 2.0, "{ratios:?}");
    }
}

#[test]
fn the_ratio_shrinks_with_the_evidence_and_never_passes_its_bound() {
    let calibration = Calibration::built_in();
    let none: Vec<f64> = [30, 12, 6, 3, 1].map(|n| calibration.weigh_count(0, n).log10).to_vec();
    assert!(none.windows(2).all(|w| w[1] > w[0]), "{none:?}");
    assert_eq!(calibration.weigh_count(0, 0).log10, 0.0);
    let most = calibration.weigh_count(30, 30);
    let all: Vec<f64> = [30, 20, 12, 6, 3, 1].map(|n| calibration.weigh_count(n, n).log10).to_vec();
    assert!(all.windows(2).all(|w| w[1] < w[0] - 0.02) && all[5] < 2.5, "{all:?}");
    let bound = (2.0 * 718.0_f64).log10();
    assert!(most.bounded && most.log10 <= bound, "{most:?}");
    assert!(most.interval_log10[0] <= most.log10 && most.log10 <= most.interval_log10[1] + 1e-9);
}

#[test]
fn calibrations_survive_their_file_and_refuse_other_questions() {
    let calibration = learnt();
    let again = Calibration::from_json(&calibration.to_json()).unwrap();
    assert!((again.weigh_count(9, 25).log10 - calibration.weigh_count(9, 25).log10).abs() < 1e-9);
    assert_eq!(again.provenance, calibration.provenance);
    assert!(calibration.fits(&Preset::named("chen2017").unwrap()).is_err());
    assert!(calibration.fits(&Preset::named("zhang2021").unwrap()).is_err());
    for broken in ["", "{}", "[1]", &calibration.to_json().replace("calibration/1", "calibration/9")] {
        assert!(Calibration::from_json(broken).is_err());
    }
    let few = &references()[..5];
    assert!(Calibration::learn(few, provenance(), &mut rand::rngs::ChaCha8Rng::seed_from_u64(1)).is_err());
}

#[test]
fn sources_left_out_stay_well_calibrated() {
    let all = references();
    let ratios = evidence::leave_sources_out(&all).unwrap();
    let of = |same| {
        all.iter()
            .zip(&ratios)
            .filter(|(r, _)| r.is_same_source() == same)
            .map(|(_, x)| *x)
            .collect::<Vec<_>>()
    };
    let (same, different) = (of(true), of(false));
    assert!(evidence::cllr(&same, &different) < 0.08);
    assert_eq!(evidence::cllr_min(&same, &different), 0.0_f64.max(evidence::cllr_min(&same, &different)));
    assert!(evidence::cllr_min(&same, &different) < 1e-6);
}

#[test]
fn metrics_have_their_known_values() {
    assert!((evidence::cllr(&[0.0], &[0.0]) - 1.0).abs() < 1e-12);
    // LR 9 and 1/9: log2(1 + 1/9).
    let x = 9.0_f64.log10();
    assert!((evidence::cllr(&[x], &[-x]) - (10.0_f64 / 9.0).log2()).abs() < 1e-12);
    let ece = evidence::ece(&[x, x], &[-x, -x], &[0.0]);
    assert!((ece[0][0] - (10.0_f64 / 9.0).log2()).abs() < 1e-9 && (ece[0][2] - 1.0).abs() < 1e-9);
    assert_eq!(evidence::tippett(&[1.0, 3.0], &[-1.0, 2.0], &[0.0, 1.5]), [[1.0, 0.5], [0.5, 0.5]]);
    let steps = evidence::reliability(&[2.0], &[-2.0], 10);
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].observed, steps[1].observed), (0.0, 1.0));
}

#[test]
fn words_follow_the_guideline() {
    for (log10, expected) in [
        (0.1, "no support"),
        (0.5, "weak support for the same"),
        (-2.5, "moderately strong support for different"),
        (7.0, "extremely strong"),
    ] {
        assert!(evidence::verbal(log10).contains(expected), "{}", evidence::verbal(log10));
    }
}

proptest! {
    #[test]
    fn score_models_are_ordered_and_bounded(
        same in prop::collection::vec(14.0_f64..30.0, 12..40),
        different in prop::collection::vec(0.0_f64..12.0, 12..40),
        score in -5.0_f64..40.0,
    ) {
        let (pav, kde, logistic) = (Pav::fitted(&same, &different), Kde::fitted(&same, &different), Logistic::fitted(&same, &different));
        prop_assert!(pav.log10(score) <= pav.log10(score + 1.0) + 1e-12);
        prop_assert!(logistic.log10(score) <= logistic.log10(score + 1.0) + 1e-12);
        prop_assert!(kde.log10(score).abs() <= (2.0_f64 * 41.0).log10() + 1e-9);
        prop_assert!(pav.log10(score).abs() <= (2.0_f64 * 41.0).log10() + 1e-9);
        prop_assert!(evidence::cllr_min(&same, &different) <= 1.0 + 1e-9);
    }
}
