//! Likelihood ratios and how they are judged.

use comparison::Preset;
use comparison::evidence::{
    self, Calibration, Kde, LikelihoodRatio, Logistic, ModelKind, Pav, Provenance, Reference,
};
use proptest::prelude::*;
use rand::SeedableRng as _;

use crate::known_pairs::{read, real};

fn provenance() -> Provenance {
    Provenance::new("made up", "simulation", &Preset::named("microstamp-1").unwrap())
}

/// `congruent` of `cells` jointly measured ones.
fn counted(congruent: usize, cells: usize) -> Reference {
    let score = congruent as f64 + 0.03 * (congruent % 7) as f64;
    let [firearms, scans] = Default::default();
    Reference { firearms, scans, congruent, joint: vec![cells], searched: cells, score }
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
            let scans = [i, j].map(|scan| scan.to_string());
            all.push(Reference { firearms, scans, ..counted(congruent, 25) });
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
    assert!(weight(&calibration, 0, 0).log10.abs() < 1e-9);
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
        ["", "{}", "[1]", &miscounted, &calibration.to_json().replace("calibration/5", "calibration/4")]
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
        assert!(same.interval_log10[0] < same.log10 && same.log10 <= same.interval_log10[1]);
        let refused = calibration.weigh_pair(&counted(0, 8)).unwrap_err().to_string();
        assert!(refused.contains("share about 8 cells"), "{refused}");
        let refused = calibration.weigh_pair(&counted(12, 224)).unwrap_err().to_string();
        assert!(refused.contains("share about 224 cells"), "{refused}");
    }
}

/// A row written again claims a pair that was never compared.
#[test]
fn a_pair_teaches_once() {
    let text = learnt(ModelKind::BetaBinomial).to_json();
    let first = text.split_once("\"rows\":[\n").unwrap().1.split_once('\n').unwrap().0;
    let refused = |row: &str| {
        let more = text.replacen("\"rows\":[\n", &format!("\"rows\":[\n{row}\n"), 1);
        let more = more.replacen("\"same_source\":18", "\"same_source\":19", 1);
        Calibration::from_json(&more).expect_err(row).to_string()
    };
    let stem = first.rsplitn(4, ',').nth(3).unwrap();
    let scans = |ends: &str| format!("{stem}{ends}");
    assert!(refused(first).contains("are paired twice"), "{}", refused(first));
    for (ends, expected) in
        [(",9,10],", "is of two firearms"), (",0,0],", "paired with itself"), (",0,1],", "paired twice")]
    {
        assert!(refused(&scans(ends)).contains(expected), "{}", refused(&scans(ends)));
    }
    let twice = [references(), references()[..1].to_vec()].concat();
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    let told = Calibration::learn(&twice, ModelKind::Pav, provenance(), &mut rng).unwrap_err().to_string();
    assert!(told.contains("paired twice"), "{told}");
}

/// Bounds follow from the pairs that a file carries; what it says of itself must be so.
#[test]
fn a_calibration_cannot_claim_more_than_its_pairs() {
    let text = learnt(ModelKind::BetaBinomial).to_json();
    let malformed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let refused = Calibration::from_json(&text.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(refused.starts_with("the calibration cannot be read") && refused.len() < 400, "{refused}");
        refused
    };
    let told = malformed("\"different_source\":135", "\"different_source\":1000000000000000");
    assert!(
        told.contains("states 18 same-source and 1000000000000000") && told.contains("carries 18 and 135")
    );
    malformed("\"firearms\":6", "\"firearms\":0");
    malformed("\"rows\":[\n[0,", "\"rows\":[\n[7,");
    malformed("\"rows\":[\n[0,0,", "\"rows\":[\n[0,0,4097");
    malformed("\"rows\":[\n[0,0,", "\"rows\":[\n[0,0,-");
    malformed("\"rows\":[\n[0,0,", "\"rows\":[\n[0,0,1e300");
    malformed("\"firearms\":[\"0\",", "\"firearms\":[\"5\",");
    malformed("\"beta-binomial\"", "\"lda\"");
    malformed("\"seed\":", "\"bound\":9,\"seed\":");
    // Many pairs of one kind, all right in themselves, are refused before anything is fitted on them.
    let row = "[0,0,16,25,25,16.0600,0,1],\n";
    let many = text.replacen("\"rows\":[\n", &format!("\"rows\":[\n{}", row.repeat(50_001)), 1);
    let many = many.replacen("\"same_source\":18", "\"same_source\":50019", 1);
    assert!(Calibration::from_json(&many).unwrap_err().to_string().contains("more than 50000"));
    // Fewer firearms or pairs than can be learnt from.
    let few = learnt(ModelKind::Pav).without(&["0", "1", "2", "3"]).unwrap_err().to_string();
    assert!(few.contains("of 2 firearms are too few"), "{few}");
    // Learnt under other parameters, rules or constants: it reads, and fits nothing.
    for (from, to, expected) in [
        ("\"least_accf\":0.44", "\"least_accf\":0.4", "least_accf"),
        ("\"rule\":", "\"rule\":10", "rule"),
        ("\"doubt_cells\":0.8", "\"doubt_cells\":0.1", "prior constants"),
        ("\"filter\":\"second", "\"filter\":\"third", "filter"),
    ] {
        assert!(text.contains(from), "{from}");
        let other = Calibration::from_json(&text.replacen(from, to, 1)).expect(to);
        let refused = other.fits(&Preset::named("microstamp-1").unwrap()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn parameters_decide_whether_a_calibration_fits_not_names() {
    for name in Preset::names() {
        let preset = Preset::named(name).unwrap();
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
        let of = Provenance::new("made up", "simulation", &preset);
        let learnt = Calibration::learn(&references(), ModelKind::Pav, of, &mut rng).unwrap();
        let again = Calibration::from_json(&learnt.to_json()).unwrap();
        again.fits(&Preset { name: "another", ..preset.clone() }).unwrap();
        assert!(again.fits(&Preset { least_accf: preset.least_accf + 0.01, ..preset }).is_err());
    }
}

/// Where no reference pair was seen, a model says no more than the pairs on either side.
#[test]
fn scores_that_nobody_has_seen_are_no_support() {
    for kind in [ModelKind::Kde, ModelKind::Pav] {
        let calibration = Calibration::built_in().with_model(kind);
        let at = |score: f64| {
            let pair = Reference { score, ..counted(score as usize, 25) };
            calibration.weigh_pair(&pair).unwrap().log10
        };
        for score in [0.0, 0.15, 0.3, 0.9, 1.05, 2.05, 3.0] {
            assert!(at(score) < 0.0, "{kind:?} {score}: {}", at(score));
        }
        let all: Vec<f64> = (0..900).map(|i| at(f64::from(i) * 0.1)).collect();
        assert!(all.windows(2).all(|w| w[1] >= w[0] - 1e-12), "{kind:?}");
        assert_eq!(at(90.0), at(40.0), "beyond the outermost score nothing grows");
    }
    for kind in KINDS {
        let calibration = Calibration::built_in().with_model(kind);
        for k in 0..=28 {
            let pair = Reference { joint: vec![28; 24], ..counted(k, 28) };
            let ratio = calibration.weigh_pair(&pair).unwrap();
            assert!(
                ratio.log10.max(ratio.interval_log10[1]) <= 1e-12,
                "{kind:?} {k}: not converged {ratio:?}"
            );
        }
    }
}

/// Ten firearms cannot fix a ratio to two decimals.
#[test]
fn intervals_are_as_wide_as_few_firearms_make_them() {
    let calibration = Calibration::built_in();
    for k in [0, 2, 4, 8, 27] {
        let ratio = weight(&calibration, k, 28);
        let [low, high] = ratio.interval_log10;
        assert!(low <= ratio.log10 && ratio.log10 <= high && high - low > 0.2, "{k}: {ratio:?}");
        assert_eq!(ratio.told().contains("bound"), ratio.bounded);
    }
    let [none, all] = [0, 28].map(|k| weight(&calibration, k, 28));
    assert!(all.bounded && all.told().contains("or more"), "{}", all.told());
    assert!(none.told().contains("or less (to "), "{}", none.told());
    // Well inside its bounds a ratio is not called bounded.
    let half = weight(&calibration, 0, 9);
    assert!(!half.bounded && half.log10 > -1.9, "{half:?}");
}

/// Pairs of one firearm, or of the same two, are no witnesses of their own: an interval holds what firearms support, each counted once.
#[test]
fn intervals_hold_what_the_firearms_alone_support() {
    for kind in KINDS {
        let calibration = Calibration::built_in().with_model(kind);
        // Ten firearms, and forty-five couples of them.
        let [none, all] = [0, 28].map(|k| weight(&calibration, k, 28).interval_log10);
        assert!(
            all[0] <= (2.0_f64 * 46.0).log10() && none[1] >= -(2.0_f64 * 11.0).log10(),
            "{kind:?} {none:?} {all:?}"
        );
        assert!(all[0] > 1.0 && none[1] < -1.0, "{kind:?} {none:?} {all:?}");
    }
}

/// The pairs of one slide, compared by this version, show what the built-in calibration says of them.
#[test]
fn the_built_in_calibration_was_learnt_by_the_present_rules() {
    let Some(folder) = real("csafe-fadul") else { return };
    let preset = Preset::named("microstamp-1").unwrap();
    Calibration::built_in().fits(&preset).unwrap();
    let scans = ["2-1", "2-2", "C"]
        .map(|name| comparison::prepare(&read(folder.join(format!("Fadul {name}.x3p"))), &preset).unwrap());
    let file = Calibration::BUILT_IN;
    let place =
        file.split_once("\"firearms\":[").unwrap().1.split(',').position(|name| name == "\"2\"").unwrap();
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        let pair = Reference::new(
            Default::default(),
            Default::default(),
            &comparison::compare(&scans[i], &scans[j]).unwrap(),
        );
        let (k, n, all) = (pair.congruent, pair.joint[0], pair.searched);
        let row = format!("\n[{place},{place},{k},{n},{all},{},", (pair.score * 1e4).round() / 1e4);
        assert!(file.contains(&row), "learn calibration/fadul.json again: it lacks {row:?}");
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
    assert!(
        evidence::cllr(&[], &[-1.0]).is_nan() && evidence::cllr_min(&[1.0], &[]).is_nan(),
        "nothing is known"
    );
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
        prop_assert!(kde.log10(score) <= kde.log10(score + 0.37) + 1e-12);
        prop_assert!(kde.log10(score).abs() <= (2.0_f64 * 41.0).log10() + 1e-9);
        prop_assert!(pav.log10(score).abs() <= (2.0_f64 * 41.0).log10() + 1e-9);
        prop_assert!(evidence::cllr_min(&same, &different) <= 1.0 + 1e-9);
    }
}
