//! Likelihood ratios and how they are judged.

use comparison::Preset;
use comparison::evidence::{
    self, Calibration, Kde, LikelihoodRatio, Logistic, ModelKind, Pav, Provenance, Reference,
};
use proptest::prelude::*;
use rand::SeedableRng as _;

fn provenance() -> Provenance {
    Provenance::new("made up", "simulation", &Preset::named("microstamp-1").unwrap())
}

/// `congruent` of `cells` jointly measured ones.
fn counted(congruent: usize, cells: usize) -> Reference {
    let score = congruent as f64 + 0.03 * (congruent % 7) as f64;
    Reference { firearms: Default::default(), congruent, joint: vec![cells], searched: cells, score }
}

fn weight(calibration: &Calibration, congruent: usize, cells: usize) -> LikelihoodRatio {
    calibration.weigh_pair(&counted(congruent, cells)).unwrap()
}

/// Six firearms, three cases each; same-source pairs agree on 15 to 22 of 25 cells, others on 0 or 1.
fn references() -> Vec<Reference> {
    let mut all = Vec::new();
    for i in 0..18_usize {
        for j in 0..i {
            let firearms = [i / 3, j / 3].map(|f| f.to_string());
            let congruent = if i / 3 == j / 3 { 15 + (i + j) % 8 } else { usize::from((i * j) % 7 == 1) };
            all.push(Reference { firearms, ..counted(congruent, 25) });
        }
    }
    all
}

const KINDS: [ModelKind; 3] = [ModelKind::BetaBinomial, ModelKind::Kde, ModelKind::Pav];

fn learnt(kind: ModelKind) -> Calibration {
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    Calibration::learn(&references(), kind, provenance(), &mut rng).unwrap()
}

#[test]
fn more_congruent_cells_never_weigh_less() {
    for calibration in [learnt(ModelKind::BetaBinomial), Calibration::built_in()] {
        let ratios: Vec<f64> = (0..=25).map(|k| weight(&calibration, k, 25).log10).collect();
        assert!(ratios[..16].windows(2).all(|w| w[1] >= w[0] - 1e-9), "{ratios:?}");
        assert!(ratios[0] < -1.5 && ratios[12] > 2.0, "{ratios:?}");
    }
}

#[test]
fn the_ratio_shrinks_with_the_evidence_and_never_passes_its_bound() {
    let calibration = Calibration::built_in();
    let none: Vec<f64> = [30, 12, 6, 3, 1].map(|n| weight(&calibration, 0, n).log10).to_vec();
    assert!(none.windows(2).all(|w| w[1] >= w[0] - 1e-9) && none[1] > none[0] + 0.1, "{none:?}");
    assert_eq!(weight(&calibration, 0, 0).log10, 0.0);
    let most = weight(&calibration, 30, 30);
    let all: Vec<f64> = [30, 20, 12, 6, 3, 1].map(|n| weight(&calibration, n, n).log10).to_vec();
    assert!(all.windows(2).all(|w| w[1] <= w[0] + 1e-9) && all[3] < all[0] - 0.2 && all[5] < 0.1, "{all:?}");
    let bound = (2.0 * 718.0_f64).log10();
    assert!(most.bounded && most.log10 <= bound, "{most:?}");
    assert!(most.interval_log10[0] <= most.log10 && most.log10 <= most.interval_log10[1] + 1e-9);
}

#[test]
fn calibrations_survive_their_file_and_refuse_other_questions() {
    let calibration = learnt(ModelKind::BetaBinomial);
    for kind in KINDS {
        let learnt = learnt(kind);
        let again = Calibration::from_json(&learnt.to_json()).unwrap();
        assert_eq!(again.kind(), kind);
        assert!((weight(&again, 9, 25).log10 - weight(&learnt, 9, 25).log10).abs() < 1e-9);
    }
    let again = Calibration::from_json(&calibration.to_json()).unwrap();
    assert!((weight(&again, 9, 25).log10 - weight(&calibration, 9, 25).log10).abs() < 1e-9);
    assert_eq!(again.provenance, calibration.provenance);
    assert!(calibration.fits(&Preset::named("chen2017").unwrap()).is_err());
    assert!(calibration.fits(&Preset::named("zhang2021").unwrap()).is_err());
    // What counts is how scans are compared, not what that is called.
    let default = Preset::named("microstamp-1").unwrap();
    assert!(calibration.fits(&Preset { name: "mine", ..default.clone() }).is_ok());
    let wider = Preset { least_accf: 0.5, cell: topography::Length::um(400.0), ..default };
    let told = calibration.fits(&wider).unwrap_err().to_string();
    assert!(told.contains("least_accf 0.44 against 0.5") && told.contains("cell_um"), "{told}");
    let other_rule = calibration.to_json().replacen("\"rule\":", "\"rule\":9", 1);
    let told = Calibration::from_json(&other_rule).unwrap().fits(&Preset::named("microstamp-1").unwrap());
    assert!(told.unwrap_err().to_string().contains("rule"));
    let miscounted = calibration.to_json().replacen("\"same_source\":18", "\"same_source\":19", 1);
    for broken in
        ["", "{}", "[1]", &miscounted, &calibration.to_json().replace("calibration/3", "calibration/2")]
    {
        assert!(Calibration::from_json(broken).is_err());
    }
    let few = &references()[..5];
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    assert!(Calibration::learn(few, ModelKind::Kde, provenance(), &mut rng).is_err());
}

#[test]
fn sources_left_out_stay_well_calibrated() {
    KINDS.into_iter().for_each(left_out);
}

fn left_out(kind: ModelKind) {
    let all = references();
    let ratios = evidence::leave_sources_out(&all, kind).unwrap();
    let of = |same| {
        all.iter()
            .zip(&ratios)
            .filter(|(r, _)| r.is_same_source() == same)
            .map(|(_, x)| *x)
            .collect::<Vec<_>>()
    };
    let (same, different) = (of(true), of(false));
    assert!(evidence::cllr(&same, &different) < 0.08, "{kind:?}: {}", evidence::cllr(&same, &different));
    assert!(evidence::cllr_min(&same, &different) < 1e-6);
}

#[test]
fn area_that_may_not_be_shared_weakens_an_exclusion() {
    let calibration = Calibration::built_in();
    let with = |congruent: usize, joint: Vec<usize>| {
        let pair = Reference { joint, searched: 25, ..counted(congruent, 0) };
        calibration.weigh_pair(&pair).unwrap().log10
    };
    let whole = with(0, vec![25; 24]);
    // Of two halves, as the turn will have it: all, some or none of the area.
    let halves = with(0, (0..24).map(|turn: usize| turn.abs_diff(12)).collect());
    assert!(whole < -1.5 && (whole + 0.3..-0.1).contains(&halves), "{whole} {halves}");
    assert!(with(0, vec![0; 24]).abs() < 1e-9 && with(0, vec![3; 24]) > -0.5);
    assert!(with(6, vec![7]) > 1.5);
}

#[test]
fn models_of_scores_are_bounded_and_refuse_little_area() {
    for kind in [ModelKind::Kde, ModelKind::Pav] {
        let calibration = learnt(kind);
        let [same, different] = [weight(&calibration, 20, 25), weight(&calibration, 0, 25)];
        let pairs = &calibration.provenance;
        let bound = |pairs: usize| (2.0 * (pairs as f64 + 1.0)).log10();
        assert!(same.log10 > 1.5 && same.log10 <= bound(pairs.different_source), "{kind:?} {same:?}");
        assert!(
            different.log10 < -1.0 && different.log10 >= -bound(pairs.same_source),
            "{kind:?} {different:?}"
        );
        assert!(same.interval_log10[0] <= same.log10 && same.log10 <= same.interval_log10[1]);
        let refused = calibration.weigh_pair(&counted(0, 8)).unwrap_err().to_string();
        assert!(refused.contains("share about 8 cells"), "{refused}");
    }
    let text = learnt(ModelKind::Kde).to_json();
    for (from, to) in
        [("\"least_cells\":25", "\"least_cells\":-1"), ("[0,0,", "[0,7,"), ("\"kde\"", "\"lda\"")]
    {
        assert!(text.contains(from) && Calibration::from_json(&text.replacen(from, to, 1)).is_err(), "{to}");
    }
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
