//! Firearms that share their machining are still told apart (simulation).

use comparison::{MarkKind, Preset, Surface, compare, prepare};

use crate::machining::{self, STYLES, Scan, Style};

fn prepared(style: Style, firearm: u64, shot: u64, scan: Scan) -> Surface {
    let preset = Preset::default_for(MarkKind::BreechFace);
    prepare(&machining::case(style, firearm, shot, scan), &preset).unwrap()
}

fn check(style: Style, scan: Scan, least: usize, most: usize) {
    let one = prepared(style, 1, 0, scan);
    let same = compare(&one, &prepared(style, 1, 1, scan)).unwrap();
    assert!(same.congruent() >= least, "{style:?} {scan:?}, one firearm: {:?}", same.cmc);
    let other = compare(&one, &prepared(style, 2, 0, scan)).unwrap();
    assert!(other.congruent() <= most, "{style:?} {scan:?}, two firearms: {:?}", other.cmc);
}

#[test]
fn every_style_of_machining_is_told_apart() {
    // Of smooth faces little is left; lines that run through, without a texture, count nothing (below).
    let hard = [Style::Smooth, Style::Swept, Style::Alike, Style::Consecutive];
    for style in STYLES.into_iter().filter(|style| !hard.contains(style)) {
        check(style, Scan::Processed(6.25), 12, 2);
    }
}

#[test]
fn a_third_of_the_area_is_enough() {
    let scan = Scan::Processed(6.25);
    let [one, again] = [0, 1].map(|shot| prepared(Style::Smooth, 2, shot, scan));
    let same = compare(&one, &again).unwrap();
    assert!(same.congruent() >= 6, "{:?}", same.cmc);
}

#[test]
fn raw_primers_are_masked_levelled_and_told_apart() {
    check(Style::Granular, Scan::Raw(6.0), 12, 2);
}

/// Primers are domed, more or less: what follows the dome is the face, not its middle alone.
#[test]
fn a_domed_primer_keeps_its_face() {
    let preset = Preset::default_for(MarkKind::BreechFace);
    let domed = |shot: u64, height: f64| {
        let mut scan = machining::case(Style::Granular, 1, shot, Scan::Raw(6.0));
        let middle = 0.5 * scan.heights.width() as f64;
        for y in 0..scan.heights.height() {
            for (x, z) in scan.heights.row_mut(y).iter_mut().enumerate() {
                // The head of the case round it is flat.
                let away = ((x as f64 - middle).hypot(y as f64 - middle) * 6.0).min(2230.0);
                *z += height * (away / 2050.0).powi(2);
            }
        }
        prepare(&scan, &preset).unwrap()
    };
    for height in [80.0, -60.0] {
        let result = compare(&domed(0, height), &domed(1, height)).unwrap();
        assert!(result.congruent() >= 20, "{height}: {:?} of {:?}", result.cmc, result.cells_of_each);
    }
}

/// The head is flat as well, larger, and carries what all cases of the maker carry.
#[test]
fn the_head_of_the_case_is_not_taken_for_the_primer() {
    let raw = machining::case(Style::Granular, 1, 0, Scan::Raw(6.0));
    let wide = {
        let (n, edge) = (raw.heights.width() as isize, 150);
        let heights = topography::Grid::from_fn((n + 2 * edge) as usize, (n + 2 * edge) as usize, |x, y| {
            let (x, y) = (x as isize - edge, y as isize - edge);
            let inside = (0..n).contains(&x) && (0..n).contains(&y);
            let middle = n as f64 / 2.0;
            let away = (x as f64 - middle).hypot(y as f64 - middle) * 6.0;
            let turning = 25.0 + (away / 17.0).sin() + 0.4 * (x as f64 * 1.7 + y as f64 * 0.9).sin();
            if inside && away < 2340.0 { raw.heights[(x as usize, y as usize)] } else { turning }
        });
        topography::Topography { heights, pitch: raw.pitch }
    };
    let preset = Preset::default_for(MarkKind::BreechFace);
    let head = prepare(&wide, &preset).unwrap();
    let again = prepared(Style::Granular, 1, 1, Scan::Raw(6.0));
    let result = compare(&head, &again).unwrap();
    assert!(result.congruent() >= 12, "{:?}", result.cmc);
    assert!(result.across[0].to_um() < 5000.0, "{:?}", result.across);
}

#[test]
fn lines_that_do_not_agree_exclude_nothing() {
    let scan = Scan::Processed(6.25);
    let [one, other] = [1, 2].map(|firearm| prepared(Style::Periodic, firearm, 0, scan));
    let result = compare(&one, &other).unwrap();
    assert!(!result.converged && result.unweighable().is_some(), "{:?}", result.cmc);
    assert!(comparison::evidence::Calibration::built_in().weigh(&result).is_err());
}

#[test]
fn regular_marks_are_told() {
    let surface = prepared(Style::Periodic, 1, 0, Scan::Processed(6.25));
    let result = compare(&surface, &prepared(Style::Periodic, 2, 0, Scan::Processed(6.25))).unwrap();
    assert!(result.warnings.iter().any(|w| w.contains("regular machining marks")), "{:?}", result.warnings);
    // What was known of the scan is known of its packed copy.
    let preset = Preset::default_for(MarkKind::BreechFace);
    let kept = comparison::search::unpack(&comparison::search::pack(&surface), &preset).unwrap();
    let result = compare(&kept, &kept).unwrap();
    assert!(result.warnings.iter().any(|w| w.contains("regular machining marks")), "{:?}", result.warnings);
}

/// Lines that change along their way tell a firearm; those that run through may be a tool's, whosever they are.
#[test]
fn lines_tell_a_firearm_where_they_do_not_run_through() {
    let scan = Scan::Processed(6.25);
    let calibration = comparison::evidence::Calibration::built_in();
    for firearm in 0..3 {
        let [one, again, other] =
            [(firearm, 0), (firearm, 1), (firearm + 1, 0)].map(|(f, s)| prepared(Style::Drawn, f, s, scan));
        let same = compare(&one, &again).unwrap();
        assert!(same.congruent() >= 6, "{firearm}: {:?} {:?}", same.cmc, same.warnings);
        if same.lines.is_some() {
            assert!(calibration.weigh(&same).unwrap().log10 <= 1.0, "{firearm}");
        }
        let different = compare(&one, &other).unwrap();
        assert!(different.congruent() <= 2 && !different.converged, "{firearm}: {:?}", different.cmc);
        assert!(calibration.weigh(&different).is_err());
    }
    for (style, other) in [(Style::Swept, 1), (Style::Alike, 2), (Style::Alike, 3)] {
        let [one, other] = [(1, 0), (other, 1)].map(|(f, s)| prepared(style, f, s, scan));
        let shared = compare(&one, &other).unwrap();
        let told = calibration.weigh(&shared).unwrap_err().to_string();
        assert!(
            shared.lines == Some(comparison::Lines::RunThrough) && told.contains("run through"),
            "{style:?}: {told}"
        );
        assert!(shared.congruent() == 0 && shared.cmc.total[0] >= 6, "{style:?}: {:?}", shared.cmc);
    }
}

/// Consecutively made slides may share most of their lines, and how these change: then cells that agree are no witnesses.
#[test]
fn lines_that_firearms_share_in_part_tell_none() {
    let scan = Scan::Processed(6.25);
    let calibration = comparison::evidence::Calibration::built_in();
    let mut agreed = 0;
    for firearm in 0..4 {
        let [one, again, other] = [(firearm, 0), (firearm, 1), (firearm + 1, 0)]
            .map(|(f, s)| prepared(Style::Consecutive, f, s, scan));
        let same = compare(&one, &again).unwrap();
        assert!(same.congruent() >= 6, "{firearm}: {:?} {:?}", same.cmc, same.warnings);
        let different = compare(&one, &other).unwrap();
        assert!(different.congruent() <= 2, "{firearm}: {:?} {:?}", different.cmc, different.lines);
        assert!(calibration.weigh(&different).is_err(), "{firearm}");
        agreed += usize::from(different.lines == Some(comparison::Lines::InPart));
    }
    assert!(agreed > 0, "no pair of two firearms shows the lines that they share");
}

/// The letter lies anyhow on the primer: it neither brings two firearms together nor keeps two cases of one apart.
#[test]
fn letters_stamped_on_primers_decide_nothing() {
    let scan = Scan::Processed(6.25);
    let [one, again, other] = [(1, 0), (1, 1), (2, 0)].map(|(f, s)| prepared(Style::Lettered, f, s, scan));
    let same = compare(&one, &again).unwrap();
    assert!(same.congruent() >= 12, "{:?}", same.cmc);
    assert!(
        same.warnings.iter().any(|w| w.contains("may be stamped, and were left out")),
        "{:?}",
        same.warnings
    );
    let different = compare(&one, &other).unwrap();
    assert!(different.congruent() <= 1, "{:?}", different.cmc);
}
