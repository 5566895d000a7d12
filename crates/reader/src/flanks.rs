//! Light from all sides: a flank shows how steep it is, not which way it faces.
//!
//! Brightness is then a function of the square of the slope, an even one. Of relief with the slope `m` on the wall of a
//! bowl with the slope `b`, `|b + m|²` has two parts that depend on the relief: `2 b·m`, its slope away from the middle of
//! the bowl, the more the farther out it lies; and `m²`, its flanks whichever way they face. Both are drawn from the
//! layout alone. Their shares and the sign of the relief are found from the picture.

use topography::Grid;

use crate::bands::SLOW_MODULES;
use crate::bank::{Bank, Part, Window, add};
use crate::blur::blur;
use crate::corners::solved;
use crate::field::Field;
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

/// The bank as a picture shows it.
pub(crate) fn bank(own: &Bank, Lit { about, shares }: Lit) -> Bank {
    let canvas = own.canvas;
    let shown = |window: Window, shape: &[f32]| -> Vec<f32> {
        let soft = blur(shape, window.width, window.height, SOFT * canvas.per_module);
        let [outward, steep] = of(&soft, window, canvas, about);
        outward.iter().zip(steep).map(|(o, s)| shares[0] * o + shares[1] * s).collect()
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
