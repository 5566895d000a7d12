//! Characters of a foreign font as a mark that was seen.

use std::sync::{Arc, Mutex, PoisonError};

use symbology::{Mark, Scheme};
use topography::Length;

use super::cells::{Ground, Templates};
use super::lattice::{Lattice, lattices};
use super::settle::{Settled, settled};
use super::{CAP, Style, all, few};
use crate::bank::{Bank, Lettering, Part};
use crate::banks::Banks;
use crate::field::{Region, Surface};
use crate::light::lamp;
use crate::locate::Sighting;
use crate::pose::Pose;
use crate::search::{Candidate, Rendering};
use crate::vectors::log_sum_exp;
use crate::view::{Levelled, View};

/// Micrometres to a module of the field that characters are looked for in: those of the smallest capitals.
const MODULE_UM: f32 = 19.0;
/// Samples to the height of capitals of the first and of the closer comparison.
const SIDES: [usize; 2] = [12, 20];
/// Styles whose shapes are looked at closely.
const STYLES: usize = 2;

/// How much is believed of the closer look, which takes what no style explains for noise, and of the comparison with all
/// styles, which counts it against every shape.
const CLOSELY: f32 = 0.2;
const ROUGHLY: f32 = 1.0;

/// Lattices whose characters fit worse than the best by no more than this, natural log, may be the right ones.
const AS_LIKELY: f32 = 12.0;

/// Templates of the few and of all styles, for one alphabet.
struct Drawn {
    alphabet: Vec<char>,
    templates: Arc<[Templates; 2]>,
}

/// Those of the alphabet used last: a batch has but one.
static DRAWN: Mutex<Option<Drawn>> = Mutex::new(None);

fn templates(alphabet: &[char]) -> Arc<[Templates; 2]> {
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(drawn) = drawn.as_ref().filter(|drawn| drawn.alphabet == alphabet) {
        return Arc::clone(&drawn.templates);
    }
    let [coarse, fine] = SIDES;
    let templates = Arc::new([Templates::of(few(), coarse, alphabet), Templates::of(all(), fine, alphabet)]);
    *drawn = Some(Drawn { alphabet: alphabet.to_vec(), templates: Arc::clone(&templates) });
    templates
}

/// The characters of a scheme without rings in whatever font they are, with the banks of their style: the likeliest first.
/// Nothing where pictures do not show relief, or rows differ in length.
pub(crate) fn sighted(
    surfaces: &[Surface],
    region: Region,
    scheme: &Scheme,
    rendering: Rendering,
) -> Vec<(Sighting, Arc<Banks>)> {
    let Some(shape) = shape(scheme) else { return Vec::new() };
    let general = Banks::draw(scheme, &[Mark::Characters], Length::um(f64::from(MODULE_UM)));
    let Some(level) = Levelled::of(surfaces, region, &general, rendering) else { return Vec::new() };
    let templates = templates(scheme.alphabet());
    let along = match surfaces {
        [only] if rendering == Rendering::Relief => lamp(only),
        _ => None,
    };
    let ground = Ground::of(level.fine.clone(), along);
    let lattices = lattices(&ground.field, level.middle, shape);
    let found = settled(&ground, (lattices, shape), [&templates[0], &templates[1]]);
    let near = found.first().map_or(0.0, |best| best.score - AS_LIKELY);
    let likely = found.iter().filter(|settled| settled.score >= near);
    let seen = |settled: &Settled| {
        let pose = level.um(pose(&settled.lattice), region);
        let banks = banks_of(scheme, settled, (shape, pose.module()), &templates[1]);
        let azimuth = if settled.sign > 0.0 { 0.0 } else { std::f32::consts::PI };
        let view = View::of(surfaces, region, &banks, rendering)?;
        let mut sighting = view.closely(&banks, Candidate { score: settled.score, pose, azimuth });
        let gaps = settled.gaps();
        for (place, (logs, part)) in sighting.evidence.iter_mut().zip(&banks.fine.parts).enumerate() {
            weighed(logs, part, &settled.values[place], gaps[place]);
        }
        Some((sighting, Arc::new(banks)))
    };
    likely.filter_map(seen).collect()
}

/// The banks of a lattice in its likeliest styles; `module` in micrometres.
fn banks_of(
    scheme: &Scheme,
    settled: &Settled,
    (shape, module): ([usize; 2], f32),
    templates: &Templates,
) -> Banks {
    let likeliest = settled.styles.iter().take(STYLES);
    let styles: Vec<Style> = likeliest.map(|(place, _)| templates.styles[*place]).collect();
    let lettering = lettering(&settled.lattice, shape);
    Banks::lettered(scheme, module, |per_module| Bank::lettered(scheme, &lettering, &styles, per_module))
}

/// The likelihoods of the shapes of a character from the closer look and from the comparison with all styles; something that
/// is no character of ours is `gap` nats less likely than the likeliest.
fn weighed(logs: &mut [f32], part: &Part, values: &[f32], gap: f32) {
    let level = log_sum_exp(logs);
    for (log, &value) in logs.iter_mut().zip(&part.values) {
        *log = CLOSELY * *log + ROUGHLY * values[value];
    }
    let least = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max) - gap;
    for log in logs.iter_mut() {
        *log = log.max(least) + (-(*log - least).abs()).exp().ln_1p();
    }
    // What speaks for some character is what the closer look says of all.
    let by = level - log_sum_exp(logs);
    for log in logs.iter_mut() {
        *log += by;
    }
}

/// Rows and columns of the characters of a scheme, where all rows are as long.
fn shape(scheme: &Scheme) -> Option<[usize; 2]> {
    let layout = symbology::geometry::layout(scheme, Mark::Characters)?;
    let heights: Vec<f64> = layout.places().iter().map(|place| place.centre.y).collect();
    let rows: Vec<usize> = heights.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(<[f64]>::len).collect();
    let columns = *rows.first()?;
    rows.iter().all(|row| *row == columns).then_some([rows.len(), columns])
}

/// The pose of characters on a lattice: capitals are [`CAP`] modules high.
fn pose(lattice: &Lattice) -> Pose {
    let unit = |along: [f32; 2]| {
        let length = along[0].hypot(along[1]).max(1e-6);
        along.map(|k| k / length * lattice.cap / CAP)
    };
    let (right, down) = (unit(lattice.right), unit(lattice.down));
    Pose { centre: lattice.centre, matrix: [right[0], down[0], right[1], down[1]] }
}

/// Where the characters of a lattice lie, in modules.
fn lettering(lattice: &Lattice, [rows, columns]: [usize; 2]) -> Lettering {
    let modules = |along: [f32; 2]| along[0].hypot(along[1]) / lattice.cap * CAP;
    let middle = |k: usize, count: usize| k as f32 - 0.5 * (count as f32 - 1.0);
    let (right, down) = (modules(lattice.right), modules(lattice.down));
    let place = |cell: usize| [middle(cell % columns, columns) * right, middle(cell / columns, rows) * down];
    Lettering { places: (0..rows * columns).map(place).collect() }
}
