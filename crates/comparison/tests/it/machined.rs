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
    for style in STYLES.into_iter().filter(|style| *style != Style::Smooth) {
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
