//! Single characters at the places of a lattice against the shapes of styles.

use std::borrow::Cow;

use symbology::geometry::Element;
use topography::Grid;

use super::lattice::Lattice;
use super::{CAP, Style};
use crate::blur::blur;
use crate::field::Field;
use crate::raster::Canvas;
use crate::vectors::{dot, log_sum_exp};

/// What is finer and what is slower than this, against the height of capitals, is not compared.
const BAND: [f32; 2] = [0.03, 0.18];
/// How soft edges are taken to be, against the height of capitals: tools and metal round what a font draws.
const SOFT: f32 = 0.06;
/// Independent samples in a window: what a squared correlation is worth where fonts differ from all that is known.
const SAMPLES: f32 = 60.0;

/// The shapes of some styles in windows of unit norm.
pub(crate) struct Templates {
    /// Samples to the height of capitals, and the window.
    side: usize,
    window: [usize; 2],
    pub(crate) styles: Vec<Style>,
    /// For every style every shape.
    shapes: Vec<Vec<Shape>>,
    /// How many values there are.
    values: usize,
}

struct Shape {
    value: usize,
    /// The window of unit norm, and those of its slopes to the right and down.
    whole: Vec<f32>,
    slopes: [Vec<f32>; 2],
}

impl Templates {
    pub(crate) fn of(styles: Vec<Style>, side: usize, alphabet: &[char]) -> Self {
        let even = |share: f32| (share * side as f32 / 2.0).round() as usize * 2;
        let window = [even(1.16), even(1.48)];
        let drawn = |style: &Style| {
            let shapes = style.shapes(alphabet);
            shapes.iter().map(|(value, elements)| Shape::of(*value, elements, (side, window))).collect()
        };
        let shapes = styles.iter().map(drawn).collect();
        Self { side, window, styles, shapes, values: alphabet.len() }
    }
}

impl Templates {
    /// All shapes as heights, or as slopes towards a direction in their own frame.
    fn lit(&self, towards: Option<[f32; 2]>) -> Vec<Vec<Cow<'_, [f32]>>> {
        self.shapes.iter().map(|shapes| shapes.iter().map(|shape| shape.lit(towards)).collect()).collect()
    }

    /// The shapes of a style against windows, once for each sign.
    fn compared(
        &self,
        (style, shapes): (usize, &[Cow<[f32]>]),
        windows: &[Placed],
        signs: &[f32],
    ) -> Vec<Cell> {
        let mut logs = vec![Vec::with_capacity(shapes.len()); signs.len()];
        let mut best = vec![(f32::NEG_INFINITY, [0.0; 2]); signs.len()];
        for shape in shapes {
            let mut most = vec![f32::NEG_INFINITY; signs.len()];
            for window in windows {
                let rho = dot(&window.values, shape);
                for (k, sign) in signs.iter().enumerate() {
                    let rho = (sign * rho).clamp(0.0, 0.995);
                    let evidence = -0.5 * SAMPLES * (1.0 - rho * rho).ln() - window.far;
                    most[k] = most[k].max(evidence);
                    if evidence > best[k].0 {
                        best[k] = (evidence, window.shift);
                    }
                }
            }
            logs.iter_mut().zip(most).for_each(|(logs, most)| logs.push(most));
        }
        logs.iter().zip(best).map(|(logs, best)| Cell { values: self.by_value(style, logs), best }).collect()
    }

    /// The log-likelihood of every value, the mean over its shapes.
    fn by_value(&self, style: usize, logs: &[f32]) -> Vec<f32> {
        let of = |value: usize| {
            let own = self.shapes[style].iter().zip(logs).filter(|(shape, _)| shape.value == value);
            mean_of(&own.map(|(_, log)| *log).collect::<Vec<_>>())
        };
        (0..self.values).map(of).collect()
    }
}

/// The log of the mean of what these are logs of.
fn mean_of(logs: &[f32]) -> f32 {
    log_sum_exp(logs) - (logs.len().max(1) as f32).ln()
}

/// The log-likelihoods of the values of one character, a mean over styles as likely as the other characters make them.
fn over_styles(of_styles: &[Cell], totals: &[f32]) -> Vec<f32> {
    let others: Vec<f32> =
        of_styles.iter().zip(totals).map(|(own, total)| total - mean_of(&own.values)).collect();
    let all = log_sum_exp(&others);
    let of = |value: usize| {
        let logs = of_styles.iter().zip(&others).map(|(own, other)| own.values[value] + other - all);
        log_sum_exp(&logs.collect::<Vec<_>>())
    };
    (0..of_styles[0].values.len()).map(of).collect()
}

impl Shape {
    fn of(value: usize, elements: &[Element], (side, [width, height]): (usize, [usize; 2])) -> Self {
        let size = 2 * (side + side / 3);
        let canvas = Canvas { size, per_module: side as f32 / CAP };
        let mut drawn = vec![0.0; size * size];
        canvas.draw(elements, &mut drawn);
        let soft = blur(&drawn, size, size, SOFT * side as f32);
        let banded = banded(&soft, (size, size), side as f32);
        let (left, top) = ((size - width) / 2, (size - height) / 2);
        let places = || (top..top + height).flat_map(move |y| (left..left + width).map(move |x| (x, y)));
        let at = |x: usize, y: usize| banded[y * size + x];
        let whole = normed(places().map(|(x, y)| at(x, y)).collect());
        let right = places().map(|(x, y)| at(x + 1, y) - at(x - 1, y)).collect();
        let down = places().map(|(x, y)| at(x, y + 1) - at(x, y - 1)).collect();
        let whole = whole.unwrap_or_else(|| vec![0.0; width * height]);
        Self { value, whole, slopes: [right, down] }
    }
}

impl Shape {
    fn lit(&self, towards: Option<[f32; 2]>) -> Cow<'_, [f32]> {
        let Some([c, s]) = towards else { return Cow::Borrowed(&self.whole) };
        let [right, down] = &self.slopes;
        let slope = right.iter().zip(down).map(|(right, down)| c * right + s * down).collect();
        Cow::Owned(normed(slope).unwrap_or_else(|| vec![0.0; right.len()]))
    }
}

/// A field as characters are compared in it: heights, or their slope towards the light.
pub(crate) struct Ground {
    pub(crate) field: Field,
    pub(crate) along: Option<[f32; 2]>,
}

impl Ground {
    /// Heights, or what one lamp shows of them: lines along its light cast no shade, and heights made of such a picture are
    /// no better there.
    pub(crate) fn of(mut field: Field, along: Option<[f32; 2]>) -> Self {
        if let Some([c, s]) = along {
            let values = &field.values;
            let (width, height) = (values.width(), values.height());
            let at = |x: usize, y: usize| values[(x.min(width - 1), y.min(height - 1))];
            field.values = Grid::from_fn(width, height, |x, y| {
                let right = at(x + 1, y) - at(x.saturating_sub(1), y);
                let down = at(x, y + 1) - at(x, y.saturating_sub(1));
                c * right + s * down
            });
        }
        Self { field, along }
    }

    /// The same without what is finer or slower than letters of this height.
    pub(crate) fn banded(&self, cap: f32) -> Self {
        let (width, height) = (self.field.values.width(), self.field.values.height());
        let values = banded(self.field.values.samples(), (width, height), cap);
        let field = Field { values: Grid::from_vec(width, height, values), ..self.field.clone() };
        Self { field, along: self.along }
    }
}

/// A plane without what is finer or slower than letters of this height.
fn banded(plane: &[f32], (width, height): (usize, usize), cap: f32) -> Vec<f32> {
    let [fine, slow] = BAND.map(|share| blur(plane, width, height, share * cap));
    fine.iter().zip(slow).map(|(fine, slow)| fine - slow).collect()
}

/// Of mean 0 and norm 1; nothing where there is nothing.
fn normed(mut values: Vec<f32>) -> Option<Vec<f32>> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    for value in &mut values {
        *value -= mean;
    }
    let norm = dot(&values, &values).sqrt();
    for value in &mut values {
        *value /= norm;
    }
    (norm > 1e-9).then_some(values)
}

/// What a lattice shows under some styles.
pub(crate) struct Shown {
    /// Evidence for characters over texture, natural log, of the likeliest style.
    pub(crate) score: f32,
    /// The places of styles, the likeliest first, with their evidence.
    pub(crate) styles: Vec<(usize, f32)>,
    /// The log-likelihood of every value of every character over texture, a mean over the styles that the others allow.
    pub(crate) values: Vec<Vec<f32>>,
    /// Where each character lies from its place, in samples of the field along the lattice's two axes, and its weight.
    pub(crate) moved: Vec<([f32; 2], f32)>,
}

/// How far windows are shifted about their places, in samples of the templates.
#[derive(Clone, Copy)]
pub(crate) struct Shifts {
    pub(crate) reach: i32,
    pub(crate) step: i32,
    /// How far characters may well lie from their places, against the height of capitals.
    pub(crate) off: f32,
}

/// Compares the characters of a lattice, the same way up, with every style: once for each sign of the relief.
pub(crate) fn shown(
    ground: &Ground,
    (lattice, shape): (&Lattice, [usize; 2]),
    templates: &Templates,
    (signs, shifts): (&[f32], Shifts),
) -> Vec<Shown> {
    let middle = |k: usize, count: usize| k as f32 - 0.5 * (count as f32 - 1.0);
    let [rows, columns] = shape;
    let towards = |light: [f32; 2]| {
        [lattice.right, lattice.down].map(|axis| {
            let length = axis[0].hypot(axis[1]).max(1e-6);
            (axis[0] * light[0] + axis[1] * light[1]) / length
        })
    };
    let lit = templates.lit(ground.along.map(towards));
    let mut cells: Vec<Vec<Vec<Cell>>> = vec![Vec::new(); signs.len()];
    for cell in 0..rows * columns {
        let at = lattice.at(middle(cell % columns, columns), middle(cell / columns, rows));
        let windows = windows(&ground.field, (lattice, at), templates, shifts);
        for of_sign in &mut cells {
            of_sign.push(Vec::new());
        }
        for style in lit.iter().enumerate().map(|(style, shapes)| (style, shapes.as_slice())) {
            for (of_sign, seen) in cells.iter_mut().zip(templates.compared(style, &windows, signs)) {
                of_sign[cell].push(seen);
            }
        }
    }
    let step = lattice.cap / templates.side as f32;
    cells.iter().map(|cells| Shown::of(cells, step)).collect()
}

/// One character in one style.
#[derive(Clone)]
struct Cell {
    /// The log-likelihood of every value.
    values: Vec<f32>,
    /// Evidence and shift of the shape that fits best.
    best: (f32, [f32; 2]),
}

impl Shown {
    /// From every character in every style; a shift is in steps of the templates.
    fn of(cells: &[Vec<Cell>], step: f32) -> Self {
        let total = |style: usize| cells.iter().map(|cell| mean_of(&cell[style].values)).sum::<f32>();
        let totals: Vec<f32> = (0..cells[0].len()).map(total).collect();
        let mut styles: Vec<(usize, f32)> = totals.iter().copied().enumerate().collect();
        styles.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (likeliest, score) = styles[0];
        let moved = |cell: &Vec<Cell>| {
            let (evidence, shift) = cell[likeliest].best;
            (shift.map(|k| k * step), evidence.clamp(0.1, 30.0))
        };
        Self {
            score,
            styles,
            values: cells.iter().map(|cell| over_styles(cell, &totals)).collect(),
            moved: cells.iter().map(moved).collect(),
        }
    }
}

/// A window of unit norm, its shift in steps of the templates, and what that costs.
struct Placed {
    shift: [f32; 2],
    far: f32,
    values: Vec<f32>,
}

/// Windows about a place.
fn windows(
    field: &Field,
    (lattice, at): (&Lattice, [f32; 2]),
    templates: &Templates,
    Shifts { reach, step, off }: Shifts,
) -> Vec<Placed> {
    let [width, height] = templates.window;
    let unit = |along: [f32; 2]| {
        let length = along[0].hypot(along[1]).max(1e-6);
        along.map(|k| k / length * lattice.cap / templates.side as f32)
    };
    let (right, down) = (unit(lattice.right), unit(lattice.down));
    let margin = (reach * step) as usize;
    let (across, deep) = (width + 2 * margin, height + 2 * margin);
    let mut plane = Vec::with_capacity(across * deep);
    for y in 0..deep {
        for x in 0..across {
            let (u, v) = (x as f32 - 0.5 * (across as f32 - 1.0), y as f32 - 0.5 * (deep as f32 - 1.0));
            plane.push(field.at(at[0] + u * right[0] + v * down[0], at[1] + u * right[1] + v * down[1]).0);
        }
    }
    let spread = off * templates.side as f32;
    let mut windows = Vec::new();
    for dy in (-reach..=reach).map(|k| k * step) {
        for dx in (-reach..=reach).map(|k| k * step) {
            let (left, top) = ((dx + margin as i32) as usize, (dy + margin as i32) as usize);
            let rows = (top..top + height).flat_map(|y| &plane[y * across + left..][..width]);
            let far = (dx * dx + dy * dy) as f32 / (2.0 * spread * spread);
            let values = normed(rows.copied().collect());
            windows.extend(values.map(|values| Placed { shift: [dx as f32, dy as f32], far, values }));
        }
    }
    windows
}
