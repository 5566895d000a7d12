//! Light from all sides: a flank shows how steep it is, not which way it faces.
//!
//! Brightness is then a function of the square of the slope, an even one. Of relief with the slope `m` on the wall of a
//! bowl with the slope `b`, `|b + m|²` has two parts that depend on the relief: `2 b·m`, its slope away from the middle of
//! the bowl, the more the farther out it lies; and `m²`, its flanks whichever way they face. Both are drawn from the
//! layout alone. Their shares and the sign of the relief are found from the picture.

use rustfft::num_complex::Complex32;
use topography::Grid;

use crate::bands::SLOW_MODULES;
use crate::bank::{Bank, Part, Window, add};
use crate::blur::blur;
use crate::corners::solved;
use crate::field::Field;
use crate::observe::shape_spectra;
use crate::raster::Canvas;
use crate::shading::Shaded;

/// Modules by which a shape is softened before its flanks are drawn finely.
const SOFT: f32 = 0.35;
/// Half the width of the lines that flanks show, modules.
const LINE: f32 = 0.15;
/// Distances from the middle of the bowl are measured in these modules.
const FAR: f32 = 21.0;

/// The flanks of a soft shape over its window: how far they fall outward from a place (modules), and how steep they are.
pub(crate) fn of(shape: &[f32], window: Window, canvas: Canvas, about: [f32; 2]) -> [Vec<f32>; 2] {
    let (width, height) = (window.width, window.height);
    let at = |x: usize, y: usize| if x < width && y < height { shape[y * width + x] } else { 0.0 };
    let half = 0.5 * canvas.per_module;
    let (mut outward, mut steep) = (Vec::with_capacity(shape.len()), Vec::with_capacity(shape.len()));
    for y in 0..height {
        let v = canvas.modules_of((window.y + y) as f32) - about[1];
        for x in 0..width {
            let u = canvas.modules_of((window.x + x) as f32) - about[0];
            let dx = half * (at(x + 1, y) - at(x.wrapping_sub(1), y));
            let dy = half * (at(x, y + 1) - at(x, y.wrapping_sub(1)));
            outward.push((u * dx + v * dy) / FAR);
            steep.push(dx * dx + dy * dy);
        }
    }
    [outward, steep]
}

/// The mean of the flanks of all shapes, whichever way they face.
pub(crate) fn mean(bank: &Bank) -> Vec<f32> {
    let size = bank.canvas.size;
    let mut drawn = vec![0.0; size * size];
    let fixtures = bank.fixtures.iter().map(|(window, shape)| (*window, std::slice::from_ref(shape)));
    let parts = bank.parts.iter().map(|part| (part.window, part.shapes.as_slice()));
    for (window, shapes) in parts.chain(fixtures) {
        for shape in shapes {
            let soft = blur(shape, window.width, window.height, SOFT * bank.canvas.per_module);
            let [_, steep] = of(&soft, window, bank.canvas, [0.0; 2]);
            add(&mut drawn, size, window, &steep, 1.0 / shapes.len() as f32);
        }
    }
    drawn
}

/// How a picture shows flanks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lit {
    /// The middle of the bowl, modules in the frame of the mark.
    pub(crate) about: [f32; 2],
    /// The shares of flanks that fall outward from there, and of all.
    pub(crate) shares: [f32; 2],
}

/// What a bank is made of under any light from all sides: it is a sum of these.
pub(crate) struct Pieces {
    banks: [Bank; PIECES],
    spectra: [Vec<Vec<Complex32>>; PIECES],
}

/// Slopes away from the middle of the mark, along, down, and steepness.
const PIECES: usize = 4;

impl Pieces {
    pub(crate) fn of(own: &Bank) -> Self {
        let banks = [0, 1, 2, 3].map(|piece| drawn(own, piece));
        let spectra = [0, 1, 2, 3].map(|piece: usize| shape_spectra(&banks[piece]));
        Self { banks, spectra }
    }

    /// The bank as a picture shows it, and the spectra of its shapes.
    pub(crate) fn lit(&self, Lit { about, shares }: Lit) -> (Bank, Vec<Vec<Complex32>>) {
        let weights = [shares[0], -shares[0] * about[0], -shares[0] * about[1], shares[1]];
        let first = &self.banks[0];
        let mixed = |of: &dyn Fn(&Bank) -> &[f32]| -> Vec<f32> {
            let mut sum = vec![0.0; of(first).len()];
            for (bank, weight) in self.banks.iter().zip(weights) {
                sum.iter_mut().zip(of(bank)).for_each(|(sum, value)| *sum += weight * value);
            }
            sum
        };
        let part = |(k, part): (usize, &Part)| Part {
            mark: part.mark,
            symbol: part.symbol,
            bit: part.bit,
            centre: part.centre,
            window: part.window,
            values: part.values.clone(),
            shapes: (0..part.shapes.len())
                .map(|shape| mixed(&|bank| bank.parts[k].shapes[shape].as_slice()))
                .collect(),
        };
        let fixture = |(k, (window, _)): (usize, &(Window, Vec<f32>))| {
            (*window, mixed(&|bank| bank.fixtures[k].1.as_slice()))
        };
        let bank = Bank {
            canvas: first.canvas,
            parts: first.parts.iter().enumerate().map(part).collect(),
            fixed: mixed(&|bank| bank.fixed.as_slice()),
            fixtures: first.fixtures.iter().enumerate().map(fixture).collect(),
            extent: first.extent,
            marks: first.marks.clone(),
        };
        let spectrum = |k: usize| -> Vec<Complex32> {
            let mut sum = vec![Complex32::default(); self.spectra[0][k].len()];
            for (spectra, weight) in self.spectra.iter().zip(weights) {
                sum.iter_mut().zip(&spectra[k]).for_each(|(sum, value)| *sum += value * weight);
            }
            sum
        };
        (bank, (0..self.spectra[0].len()).map(spectrum).collect())
    }
}

/// One piece of a bank.
fn drawn(own: &Bank, piece: usize) -> Bank {
    let canvas = own.canvas;
    let shown = |window: Window, shape: &[f32]| -> Vec<f32> {
        let soft = blur(shape, window.width, window.height, SOFT * canvas.per_module);
        let [own, steep] = of(&soft, window, canvas, [0.0; 2]);
        // Slopes along and down are how slopes away change as the middle moves.
        let moved = |about: [f32; 2]| {
            let [there, _] = of(&soft, window, canvas, about);
            there.iter().zip(&own).map(|(there, here)| there - here).collect()
        };
        match piece {
            0 => own,
            1 => moved([-1.0, 0.0]),
            2 => moved([0.0, -1.0]),
            _ => steep,
        }
    };
    let part = |part: &Part| Part {
        shapes: part.shapes.iter().map(|shape| shown(part.window, shape)).collect(),
        ..part.clone()
    };
    let fixtures: Vec<(Window, Vec<f32>)> =
        own.fixtures.iter().map(|(window, shape)| (*window, shown(*window, shape))).collect();
    let mut fixed = vec![0.0; canvas.size * canvas.size];
    for (window, shape) in &fixtures {
        add(&mut fixed, canvas.size, *window, shape, 1.0);
    }
    Bank { parts: own.parts.iter().map(part).collect(), fixed, fixtures, ..own.clone() }
}

/// Lines finer than stains, dark or bright, `module` samples to a module: high where flanks are steep.
pub(crate) fn edges(field: &Field, module: f32) -> Field {
    let (width, height) = (field.values.width(), field.values.height());
    let soft = |sigma: f32| blur(field.values.samples(), width, height, sigma * module);
    let lines: Vec<f32> =
        soft(LINE).iter().zip(soft(3.0 * LINE)).map(|(near, far)| (near - far).abs()).collect();
    let mut edges = field.clone();
    edges.values = Grid::from_vec(width, height, blur(&lines, width, height, LINE * module));
    edges.take_slow_waves(SLOW_MODULES * module);
    edges.evened(2.0 * SLOW_MODULES * module, 2.5)
}

/// The relief whose slopes away from the middle of the bowl (samples) a field shows, the more the farther out they lie,
/// `module` samples to a module.
pub(crate) fn lifted(field: &Field, middle: [f32; 2], module: f32) -> Field {
    let (width, height) = (field.values.width(), field.values.height());
    let reach = (FAR + 2.0) * module;
    let places =
        || (0..width * height).map(|k| ((k % width) as f32 - middle[0], (k / width) as f32 - middle[1]));
    let inside = |(dx, dy): (f32, f32)| dx.hypot(dy) < reach;
    let answer =
        |k: f32, place: (f32, f32)| if inside(place) { std::f32::consts::SQRT_2 * k / reach } else { 0.0 };
    let shaded = Shaded {
        fine: places().zip(field.values.samples()).map(|(at, &v)| if inside(at) { v } else { 0.0 }).collect(),
        along: places().map(|at| answer(at.0, at)).collect(),
        down: places().map(|at| answer(at.1, at)).collect(),
    };
    let mut lifted = field.clone();
    lifted.values = Grid::from_vec(width, height, solved(&[shaded], (width, height), module));
    lifted.take_slow_waves(SLOW_MODULES * module);
    lifted.evened(2.0 * SLOW_MODULES * module, 2.5)
}
