//! The tool as the strike sees it: relief without form, and how high and how wide it is.

use topography::{Grid, Topography};

use crate::StrikeError;
use crate::filter;
use crate::fit::{self, Form};
use crate::lattice::Lattice;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// A tool's relief on a flat ground, positive where raised, ready to be sampled.
pub(crate) struct Tool {
    /// Micrometres above the ground; nothing is missing.
    pub(crate) relief: Grid<f32>,
    /// Micrometres between columns and between rows.
    pub(crate) pitch: (f64, f64),
    /// The usual height of the relief, sign and all, in micrometres.
    pub(crate) height: f64,
    /// The distance from the middle of the map to the farthest relief, in micrometres.
    pub(crate) radius: f64,
    /// The form that the relief lies on, where the map has one.
    pub(crate) form: Option<Form>,
}

/// Reads a tool's map and takes its form off; missing points count as ground.
pub(crate) fn prepare(tool: &Topography) -> Result<Tool, StrikeError> {
    let pitch = (tool.pitch.x.to_um(), tool.pitch.y.to_um());
    if !(pitch.0 > 0.0 && pitch.1 > 0.0 && pitch.0.is_finite() && pitch.1.is_finite()) {
        return Err(StrikeError::Pitch(pitch.0, pitch.1));
    }
    if tool.heights.width() < 8 || tool.heights.height() < 8 || tool.valid_points() == 0 {
        return Err(StrikeError::Tool(tool.heights.width(), tool.heights.height(), tool.valid_points()));
    }
    let form = fit::form(&tool.heights, pitch);
    let relief = match &form {
        Some(form) => over(&tool.heights, pitch, form),
        None => tool.heights.map(|height| if height.is_finite() { *height as f32 } else { 0.0 }),
    };
    let (height, radius) = measure(&relief, pitch);
    Ok(Tool { relief, pitch, height, radius, form })
}

/// Heights over a form, 0 beyond the disc where it was fitted.
fn over(heights: &Grid<f64>, pitch: (f64, f64), form: &Form) -> Grid<f32> {
    let centre = (0.5 * (heights.width() as f64 - 1.0), 0.5 * (heights.height() as f64 - 1.0));
    let reach = form.reach() * form.reach();
    Grid::from_fn(heights.width(), heights.height(), |x, y| {
        let place = ((x as f64 - centre.0) * pitch.0, (y as f64 - centre.1) * pitch.1);
        let above = heights[(x, y)] - form.height(place.0, place.1);
        let inside = place.0 * place.0 + place.1 * place.1 < reach;
        if above.is_finite() && inside { above as f32 } else { 0.0 }
    })
}

/// Wears a relief: edges rounded, height lost, thin strokes gone first; 0 is new, 1 is worn out.
///
/// Which places lose most is drawn from the relief itself, so a pin keeps its own pattern from round to round.
pub(crate) fn wear(tool: &mut Tool, wear: f64) {
    let unit = tool.height.abs().max(1e-6) as f32;
    let (columns, rows) = (tool.relief.width(), tool.relief.height());
    let pitch = 0.5 * (tool.pitch.0 + tool.pitch.1);
    if wear > 0.0 {
        let mut rng = ChaCha8Rng::seed_from_u64(fingerprint(&tool.relief));
        let high = (columns as f64 * pitch, rows as f64 * pitch);
        let uneven =
            Lattice::new((0.0, 0.0), high, (40.0, 40.0), &mut rng).grid((columns, rows), (0.0, 0.0), pitch);
        let lost = (0.35 * wear) as f32;
        for (sample, field) in tool.relief.samples_mut().iter_mut().zip(uneven.samples()) {
            // Never more than before: a pin does not grow.
            *sample *= ((1.0 - lost) * (1.0 + 0.25 * wear as f32 * field)).clamp(0.0, 1.0);
        }
    }
    filter::gaussian(&mut tool.relief, (1.5 + 7.0 * wear) / pitch);
    let shaved = (0.10 * wear) as f32 * unit;
    for sample in tool.relief.samples_mut() {
        *sample = if *sample > 0.0 { (*sample - shaved).max(0.0) } else { (*sample + shaved).min(0.0) };
    }
}

/// The usual height, and the radius beyond which there is none.
fn measure(relief: &Grid<f32>, pitch: (f64, f64)) -> (f64, f64) {
    let greatest = relief.samples().iter().fold(0.0f32, |most, sample| most.max(sample.abs()));
    if greatest <= 0.0 {
        return (0.0, 0.0);
    }
    let mut tall: Vec<f32> = relief.samples().iter().copied().filter(|z| z.abs() > 0.5 * greatest).collect();
    let middle = tall.len() / 2;
    let (_, height, _) = tall.select_nth_unstable_by(middle, f32::total_cmp);
    let centre = (0.5 * (relief.width() as f64 - 1.0), 0.5 * (relief.height() as f64 - 1.0));
    let mut radius = 0.0f64;
    for y in 0..relief.height() {
        for (x, sample) in relief.row(y).iter().enumerate() {
            if sample.abs() > 0.1 * greatest {
                let (dx, dy) = ((x as f64 - centre.0) * pitch.0, (y as f64 - centre.1) * pitch.1);
                radius = radius.max(dx * dx + dy * dy);
            }
        }
    }
    (f64::from(*height), radius.sqrt())
}

/// A number that only this relief has (FNV-1a over heights in nanometres).
pub(crate) fn fingerprint(relief: &Grid<f32>) -> u64 {
    relief.samples().iter().fold(0xcbf2_9ce4_8422_2325, |hash, sample| {
        (hash ^ ((f64::from(*sample) * 1e3).round() as i64 as u64)).wrapping_mul(0x0100_0000_01b3)
    })
}
