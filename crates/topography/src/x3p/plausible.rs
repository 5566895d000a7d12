//! Metres, or something else? The format has no unit, so a wrong one shows only in the numbers.
//!
//! ISO 25178-72 asks for metres. Files with a pitch of 7.37 (micrometres) or with heights of grey levels exist, and
//! nothing on a cartridge case has such a size in metres; what is assumed instead always becomes a warning.

/// A unit that files are written in, and how many micrometres it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    name: &'static str,
    pub(super) micrometres: f64,
}

pub(super) const METRES: Unit = Unit { name: "metres", micrometres: 1e6 };
const MILLIMETRES: Unit = Unit { name: "millimetres", micrometres: 1e3 };
const MICROMETRES: Unit = Unit { name: "micrometres", micrometres: 1.0 };
const NANOMETRES: Unit = Unit { name: "nanometres", micrometres: 1e-3 };

/// A millimetre between neighbouring points is coarser than any instrument that images cases.
const WIDEST_PITCH_M: f64 = 1e-3;
/// A relief of 20 mm is more than a whole cartridge case standing upright offers to a microscope.
const HIGHEST_RELIEF_M: f64 = 20e-3;

/// The unit of a pitch, from its number alone.
pub(super) fn pitch_unit(number: f64, warnings: &mut Vec<String>) -> Unit {
    let unit = match number {
        n if n <= WIDEST_PITCH_M => return METRES,
        n if n < 0.05 => MILLIMETRES,
        n if n < 1000.0 => MICROMETRES,
        _ => NANOMETRES,
    };
    warnings.push(format!("the pitch is stated as {number} m, which is implausible: read as {}", unit.name));
    unit
}

/// The unit of heights, from their spread (the middle 99 % where there are many points).
pub(super) fn height_unit(numbers: &[f64], pitch: Unit, warnings: &mut Vec<String>) -> Unit {
    let Some((low, high)) = spread(numbers) else { return METRES };
    if high - low <= HIGHEST_RELIEF_M {
        return METRES;
    }
    let metres = |unit: Unit| (high - low) * unit.micrometres * 1e-6;
    let unit = [pitch, MICROMETRES, NANOMETRES].into_iter().find(|&unit| metres(unit) <= HIGHEST_RELIEF_M);
    let unit = unit.unwrap_or(NANOMETRES);
    let grey = low >= 0.0
        && high > 16.0
        && high <= 65535.0
        && numbers.iter().all(|n| n.is_nan() || n.fract() == 0.0);
    let levels = if grey { ", and they look like grey levels: heights are relative only" } else { "" };
    warnings.push(format!(
        "the heights span {} m ({low} to {high}), which is implausible: read as {}{levels}",
        high - low,
        unit.name
    ));
    unit
}

/// The lowest and highest of the middle 99 % of the finite numbers.
pub(super) fn spread(numbers: &[f64]) -> Option<(f64, f64)> {
    const MOST: usize = 100_000;
    let finite = numbers.iter().filter(|number| number.is_finite()).count();
    let step = finite.div_ceil(MOST).max(1);
    let mut some: Vec<f64> =
        numbers.iter().copied().filter(|number| number.is_finite()).step_by(step).collect();
    if some.is_empty() {
        return None;
    }
    let cut = some.len() / 200;
    let last = some.len() - 1 - cut;
    let (_, low, _) = some.select_nth_unstable_by(cut, f64::total_cmp);
    let low = *low;
    let (_, high, _) = some.select_nth_unstable_by(last, f64::total_cmp);
    Some((low, *high))
}
