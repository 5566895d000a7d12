//! From a scan to a surface that can be compared.

use topography::filter::{self, Fit, Form, Gaussian, Order, Spikes};
use topography::{Length, Pitch, Topography, resample};

use crate::error::ComparisonError;
use crate::fourier::Planner;
use crate::preset::{MarkKind, Preset};
use crate::raster::Raster;
use crate::region;
use crate::surface::Surface;

/// Scans coarser than this many times the base pitch are refused.
const COARSEST: f64 = 2.4;
/// Fewer cells cannot be compared.
const LEAST_CELLS: usize = 4;
/// With fewer cells than this, half of what a whole face has, the result carries a warning...
const FEW_CELLS: usize = 12;
/// ...and where less than this share of the circle about the measured area is measured. The share of the frame means nothing: a
/// scan may lie in a wide one.
const FEW_POINTS: f64 = 0.15;
/// A measured area narrower than this share of a cell is no area.
const NARROWEST: f64 = 0.5;
/// Waves beyond four long cut-offs hold more than this share of the relief of a raw scan (root mean square)...
const RAW_SHARE: f64 = 0.35;
/// ...and are higher than this: the form of a primer is, what a filter let through or left at the edge of a mask is not.
const RAW_UM: f64 = 3.0;
/// A filter for short waves that leaves this share of the relief has nothing to take.
const KEPT: f64 = 0.995;
/// Relief below this root mean square is no relief.
const FLAT_UM: f64 = 0.002;
/// The largest frame in samples along an axis after resampling.
const LARGEST: f64 = 4096.0;

/// Prepares a scan: spikes away, one pitch, the mark found and levelled where the scan is raw, the band of the preset.
///
/// A scan whose waves beyond four long cut-offs are already gone counts as processed: it is neither masked nor levelled,
/// only narrowed to the band. Where the filter for short waves would take next to nothing, it takes nothing. Rings and regular machining marks are weakened at the end. Order: spikes, pitch, (region, form,) long waves, short waves. Filters are second-order
/// Gaussian regressions with 50 % transmission at the cut-offs, missing points left out; the one for long waves is robust
/// (Chen et al. 2017).
///
/// # Errors
///
/// One sentence in [`ComparisonError`] for a scan that is too coarse, too small, too empty, or flat.
///
/// ```
/// use topography::{Grid, Length, Pitch, Topography};
///
/// let heights = Grid::filled(600, 600, 0.0);
/// let flat = Topography { heights, pitch: Pitch::square(Length::um(6.25)) };
/// let preset = comparison::Preset::default_for(comparison::MarkKind::BreechFace);
/// assert!(comparison::prepare(&flat, &preset).is_err(), "there is nothing to compare on a plane");
/// ```
pub fn prepare(scan: &Topography, preset: &Preset) -> Result<Surface, ComparisonError> {
    let mut warnings = Vec::new();
    let unfilled = unfilled(scan, &mut warnings);
    let scan = unfilled.as_ref().unwrap_or(scan);
    let measured = checked(scan, preset, &mut warnings)?;
    let measured = cropped(scan, measured);
    let shaped = match preset.mark {
        MarkKind::BreechFace => {
            let base = at_pitch(filter::remove_spikes(&measured, &Spikes::default()), preset);
            if is_processed(&base, preset)? {
                base
            } else {
                warnings.push(RAW.to_owned());
                let face = region::breech_face(&base)?;
                cropped(&face, bounds(&face).ok_or(ComparisonError::Flat)?)
            }
        }
        // The wall of a bowl is as steep as a spike: it goes first.
        MarkKind::FiringPin => {
            let base = at_pitch(measured, preset);
            let flat = if region::is_bowl(&base) {
                warnings.push(RAW.to_owned());
                region::firing_pin(&base)?
            } else {
                base
            };
            filter::remove_spikes(&flat, &Spikes::default())
        }
    };
    let narrowed = narrowed(&shaped, preset)?;
    if narrowed.sq().is_none_or(|sq| sq.to_um() < FLAT_UM) {
        return Err(ComparisonError::Flat);
    }
    let fine = Raster::from_topography(&narrowed);
    wide_enough(fine.bounds().ok_or(ComparisonError::Flat)?, [preset.pitch; 2], preset)?;
    let mut surface = Surface::build(&fine, preset, &mut Planner::default()).ok_or(ComparisonError::Flat)?;
    let cells = surface.cells.len();
    if cells < LEAST_CELLS {
        return Err(ComparisonError::TooFewCells { cells, needed: LEAST_CELLS });
    }
    let share = surface.measured() as f64 * surface.level2.pitch.powi(2)
        / (std::f64::consts::PI * surface.radius.powi(2)).max(f64::MIN_POSITIVE);
    if cells < FEW_CELLS || share < FEW_POINTS {
        warnings.push(format!(
            "only {cells} cells of the scan hold enough measured points ({:.1} % of the circle about them is measured): expect little evidence",
            100.0 * share
        ));
    }
    surface.warnings.extend(warnings);
    Ok(surface)
}

const RAW: &str = "the scan is raw: its mark was found, masked and levelled here";

/// At the pitch of the preset.
fn at_pitch(scan: Topography, preset: &Preset) -> Topography {
    let even = if scan.pitch.x == scan.pitch.y { scan } else { resample::to_square(&scan) };
    if (even.pitch.x / preset.pitch - 1.0).abs() < 0.01 {
        Topography { pitch: Pitch::square(preset.pitch), ..even }
    } else {
        resample::to_pitch(&even, Pitch::square(preset.pitch))
    }
}

/// The scan without a number that stands for what is not measured; nothing where there is none.
///
/// Some programs write zero or the lowest height there. No surface is exactly as high in a tenth of its points and nowhere near as
/// often at any other height.
fn unfilled(scan: &Topography, warnings: &mut Vec<String>) -> Option<Topography> {
    const LEAST_SHARE: f64 = 0.1;
    const OUTSTANDING: usize = 5;
    /// So many points tell.
    const LOOKED_AT: usize = 20_000;
    let samples = scan.heights.samples();
    let some = samples.iter().step_by(samples.len() / LOOKED_AT + 1);
    let mut heights: Vec<f64> = some.copied().filter(|z| z.is_finite()).collect();
    heights.sort_unstable_by(f64::total_cmp);
    let (mut filler, mut next) = ((0, f64::NAN), 0);
    for alike in heights.chunk_by(|a, b| a == b) {
        if alike.len() > filler.0 {
            (filler, next) = ((alike.len(), alike[0]), filler.0);
        } else {
            next = next.max(alike.len());
        }
    }
    let (points, height) = filler;
    let share = points as f64 / heights.len().max(1) as f64;
    if share < LEAST_SHARE || points < OUTSTANDING * next || points == heights.len() {
        return None;
    }
    warnings.push(format!(
        "{:.0} % of the points are exactly {height:.3} µm high: they were taken for missing",
        100.0 * share
    ));
    let heights = scan.heights.map(|&z| if z == height { f64::NAN } else { z });
    Some(Topography { heights, pitch: scan.pitch })
}

/// The rectangle of measured points, after looking at size, pitch and coverage.
fn checked(
    scan: &Topography,
    preset: &Preset,
    warnings: &mut Vec<String>,
) -> Result<[usize; 4], ComparisonError> {
    let [x, y] = [scan.pitch.x, scan.pitch.y];
    let coarser = if x > y { x } else { y };
    let needed = preset.pitch * COARSEST;
    if !(x > Length::ZERO && y > Length::ZERO) || coarser > needed {
        return Err(ComparisonError::TooCoarse { pitch: coarser, needed, preset: preset.name });
    }
    let size = [x * scan.heights.width() as f64, y * scan.heights.height() as f64];
    if size.iter().any(|&s| s / preset.pitch > LARGEST) {
        let what = "no primer is that large, look at the pitch in the file";
        return Err(ComparisonError::Size { width: size[0], height: size[1], what });
    }
    let Some(bounds) = bounds(scan) else {
        return Err(ComparisonError::TooFewPoints { percent: 0.0 });
    };
    let area = scan.valid_points() as f64 * x.to_um() * y.to_um();
    let cells = (area / (preset.least_valid * preset.cell.to_um().powi(2))) as usize;
    if cells < LEAST_CELLS {
        return Err(ComparisonError::TooFewCells { cells, needed: LEAST_CELLS });
    }
    if coarser > preset.pitch * 1.05 {
        let shortest = coarser * 2.0;
        let band = preset.band.0;
        let lost = if shortest > band {
            format!(": it shows no waves below {shortest}, where the band of the preset begins at {band}")
        } else {
            String::new()
        };
        warnings.push(format!(
            "the scan has a sample every {coarser}, coarser than the {} of the preset{lost}",
            preset.pitch
        ));
    }
    wide_enough(bounds, [x, y], preset)?;
    Ok(bounds)
}

/// Refuses areas that are narrower than half a cell, whatever their length.
fn wide_enough(
    [x0, y0, x1, y1]: [usize; 4],
    [x, y]: [Length; 2],
    preset: &Preset,
) -> Result<(), ComparisonError> {
    let [width, height] = [x * (x1 - x0) as f64, y * (y1 - y0) as f64];
    let least = preset.cell * NARROWEST;
    if width < least || height < least {
        let what = "narrower than half a cell, too little to compare";
        return Err(ComparisonError::Size { width, height, what });
    }
    Ok(())
}

/// The rectangle of measured points: first column, first row, one past the last column and row.
fn bounds(scan: &Topography) -> Option<[usize; 4]> {
    let mut bounds = [usize::MAX, usize::MAX, 0, 0];
    for y in 0..scan.heights.height() {
        let row = scan.heights.row(y);
        let Some(first) = row.iter().position(|z| z.is_finite()) else { continue };
        let last = row.iter().rposition(|z| z.is_finite()).unwrap_or(first);
        bounds = [bounds[0].min(first), bounds[1].min(y), bounds[2].max(last + 1), bounds[3].max(y + 1)];
    }
    (bounds[2] > 0).then_some(bounds)
}

fn cropped(scan: &Topography, [x0, y0, x1, y1]: [usize; 4]) -> Topography {
    Topography { heights: scan.heights.crop(x0, y0, x1 - x0, y1 - y0), pitch: scan.pitch }
}

/// Whether the waves beyond four long cut-offs are already gone: what a low-pass there lets through is not most of the relief.
fn is_processed(base: &Topography, preset: &Preset) -> Result<bool, ComparisonError> {
    let total = sq(base);
    if total < FLAT_UM {
        return Err(ComparisonError::Flat);
    }
    let coarse = resample::to_pitch(base, Pitch::square(preset.pitch * 8.0));
    let long = Gaussian { cut_off: preset.band.1 * 4.0, order: Order::Zero, robust: false };
    let waves = sq(&filter::low_pass(&coarse, &long).map_err(failed)?);
    Ok(waves < RAW_SHARE * total || waves < RAW_UM)
}

fn narrowed(shaped: &Topography, preset: &Preset) -> Result<Topography, ComparisonError> {
    let (short, long) = preset.band;
    let long = Gaussian { cut_off: long, order: Order::Two, robust: true };
    let high = filter::high_pass(shaped, &long).map_err(failed)?;
    let short = Gaussian { cut_off: short, order: Order::Two, robust: false };
    let low = filter::low_pass(&high, &short).map_err(failed)?;
    let kept = sq(&low) / sq(&high).max(f64::MIN_POSITIVE);
    Ok(if kept > KEPT { high } else { low })
}

/// The root mean square height in micrometres.
fn sq(surface: &Topography) -> f64 {
    surface.sq().map_or(0.0, Length::to_um)
}

fn failed(error: filter::FilterError) -> ComparisonError {
    ComparisonError::Filter(error.to_string())
}

/// Takes the best plane away; a scan that holds no plane is left as it is.
pub(crate) fn levelled(surface: &Topography, form: Form) -> Result<Topography, ComparisonError> {
    filter::remove_form(surface, form, Fit::Robust).map_err(failed)
}
