//! The counts of the reference pairs with this pair among them, as SVG.

use std::fmt::Write as _;

use crate::evidence::Calibration;

const SIZE: [f64; 2] = [760.0, 280.0];
/// Left, top, right, bottom.
const MARGIN: [f64; 4] = [52.0, 26.0, 14.0, 42.0];
/// Colours that stay apart for most colour-blind readers (Okabe and Ito 2008).
const ONE: &str = "#0072b2";
const TWO: &str = "#d55e00";

/// Bars of both kinds of reference pairs, in percent of each, and a line at `congruent`.
pub(super) fn histogram(calibration: &Calibration, congruent: usize) -> String {
    let counted = calibration.counted();
    let shares = |pairs: &[usize]| {
        let all = pairs.iter().sum::<usize>().max(1) as f64;
        pairs.iter().map(|&n| 100.0 * n as f64 / all).collect::<Vec<_>>()
    };
    let (same, different) = (shares(&counted.same_source), shares(&counted.different_source));
    let most = same.len().max(different.len()).max(congruent + 1);
    let highest = same.iter().chain(&different).copied().fold(1.0, f64::max);
    let top = (highest / 20.0).ceil() * 20.0;
    let [left, above, right, below] = MARGIN;
    let (wide, high) = (SIZE[0] - left - right, SIZE[1] - above - below);
    let x = |k: f64| left + wide * (k + 0.5) / most as f64;
    let y = |share: f64| above + high * (1.0 - share / top);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" width={} role=img font-family=\"system-ui,sans-serif\" font-size=12>",
        SIZE[0], SIZE[1], SIZE[0]
    );
    let mut share = 0.0;
    while share <= top {
        let at = y(share);
        let _ = write!(
            svg,
            "<path d=\"M{left} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x={:.1} y={:.1} text-anchor=end>{share:.0}</text>",
            left + wide,
            left - 6.0,
            at + 4.0
        );
        share += top / 4.0;
    }
    let step = most.div_ceil(16);
    for k in (0..most).step_by(step) {
        let _ = write!(
            svg,
            "<text x={:.1} y={:.1} text-anchor=middle>{k}</text>",
            x(k as f64),
            above + high + 16.0
        );
    }
    let half = 0.4 * wide / most as f64;
    for (shares, colour, side) in [(&same, ONE, -1.0), (&different, TWO, 0.0)] {
        for (k, &share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let (from, height) = (x(k as f64) + side * half, y(0.0) - y(share));
            let _ = write!(
                svg,
                "<rect x={from:.1} y={:.1} width={half:.1} height={height:.1} fill=\"{colour}\"/>",
                y(share)
            );
        }
    }
    let at = x(congruent as f64);
    let (anchor, beside) = if at > left + 0.7 * wide { ("end", at - 6.0) } else { ("start", at + 6.0) };
    let _ = write!(
        svg,
        "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#000\" stroke-width=2 stroke-dasharray=\"5 3\"/>\
         <text x={beside:.1} y={:.1} text-anchor={anchor} font-weight=bold>this pair: {congruent}</text>",
        above - 12.0,
        above + high,
        above - 4.0
    );
    let middle = above + 0.5 * high;
    let _ = write!(
        svg,
        "<text x={:.1} y={:.1} text-anchor=middle>congruent cells</text>\
         <text transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=middle>pairs / %</text></svg>",
        left + 0.5 * wide,
        SIZE[1] - 8.0
    );
    svg
}

/// What the bars are, in words.
pub(super) fn caption(calibration: &Calibration) -> String {
    let of = &calibration.provenance;
    format!(
        "Congruent cells of the {} reference pairs of one firearm (blue) and the {} of two (orange), in percent of each; {}: {}.",
        of.same_source, of.different_source, of.measured_on, of.set
    )
}
