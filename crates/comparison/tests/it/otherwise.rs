//! Scans taken in a mirror, from a cast, or with a wrong pitch, and pairs asked about in the other order.

use std::sync::LazyLock;

use comparison::evidence::Calibration;
use comparison::{Comparison, MarkKind, Preset, Surface, compare, prepare};
use proptest::prelude::*;
use topography::{Grid, Pitch, Topography};

use crate::machining::{self, STYLES, Scan, Style};

fn prepared(scan: &Topography) -> Surface {
    prepare(scan, &Preset::default_for(MarkKind::BreechFace)).unwrap()
}

fn case(firearm: u64, shot: u64) -> Topography {
    machining::case(Style::Granular, firearm, shot, Scan::Processed(6.25))
}

/// A case of the firearm that is asked about, and one of another.
static RIGHT: LazyLock<[Surface; 2]> = LazyLock::new(|| [1, 2].map(|firearm| prepared(&case(firearm, 0))));

/// Against a case of the same firearm and of another one.
fn told(wrong: &Topography) -> [Comparison; 2] {
    let wrong = prepared(wrong);
    RIGHT.each_ref().map(|right| compare(right, &wrong).unwrap())
}

fn check(wrong: &Topography, expected: &str) {
    let [same, different] = told(wrong);
    assert!(!same.converged, "{:?}", same.cmc);
    assert!(same.warnings.iter().any(|note| note.contains(expected)), "{expected}: {:?}", same.warnings);
    assert!(Calibration::built_in().weigh(&same).unwrap_err().to_string().contains(expected));
    // Another firearm agrees in no way.
    assert!(different.unweighable().is_none(), "{:?}", different.warnings);
    assert!(Calibration::built_in().weigh(&different).unwrap().log10 < -1.0);
}

#[test]
fn a_face_in_a_mirror_or_upside_down_is_no_exclusion() {
    let scan = case(1, 1);
    let (width, height) = (scan.heights.width(), scan.heights.height());
    let mirrored = |sign: f64| Topography {
        heights: Grid::from_fn(width, height, |x, y| sign * scan.heights[(width - 1 - x, y)]),
        pitch: scan.pitch,
    };
    check(&mirrored(1.0), "seen in a mirror: look");
    check(&mirrored(-1.0), "as on a cast");
    let negated = Topography { heights: scan.heights.map(|z| -z), pitch: scan.pitch };
    check(&negated, "heights and depths of one of them are exchanged");
}

#[test]
fn a_wrong_pitch_is_no_exclusion() {
    for factor in [1.15, 0.88] {
        let scan = case(1, 1);
        let wrong = Topography { pitch: Pitch::square(scan.pitch.x * factor), ..scan };
        check(&wrong, "look at the pitch in the files");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]
    /// Hard pairs: which scan is named first changes how the result is told and nothing else.
    #[test]
    fn the_order_of_two_scans_decides_nothing(
        style in 0..STYLES.len(), firearms in prop::array::uniform2(1_u64..3), shots in prop::array::uniform2(0_u64..4),
    ) {
        prop_assume!(firearms[0] != firearms[1] || shots[0] != shots[1]);
        let [a, b] = [0, 1].map(|k| {
            prepared(&machining::case(STYLES[style], firearms[k], shots[k], Scan::Processed(9.0)))
        });
        let [one, other] = [compare(&a, &b).unwrap(), compare(&b, &a).unwrap()];
        let back = |[p, q]: [usize; 2]| [q, p];
        prop_assert_eq!(one.cmc.convergence, back(other.cmc.convergence));
        prop_assert_eq!(one.cmc.original, back(other.cmc.original));
        prop_assert_eq!((one.cmc.high, one.converged, &one.joint), (other.cmc.high, other.converged, &other.joint));
        prop_assert!(one.score == other.score && one.accf_max == other.accf_max && one.lines == other.lines);
        prop_assert_eq!(one.rotation.is_some(), other.rotation.is_some());
        if let (Some(turn), Some(back)) = (one.rotation, other.rotation) {
            prop_assert!(((turn.to_degrees() + back.to_degrees() + 180.0).rem_euclid(360.0) - 180.0).abs() < 1.0);
        }
        let calibration = Calibration::built_in();
        let [weight, again] = [&one, &other].map(|result| calibration.weigh(result).map(|ratio| ratio.log10).ok());
        prop_assert_eq!(weight, again);
    }
}
