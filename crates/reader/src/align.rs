//! The closer look: how well do the shapes of every part fit at a pose, whatever the code?

use crate::bank::{Bank, Part, cut};
use crate::bowl::{bowl_centre, take_bowl};
use crate::field::{Field, blur};
use crate::search::{Candidate, Rendering, banded, slopes};
use crate::vectors::{dot, log_sum_exp, softmax};

/// The shapes of a bank as a coarse field shows them, with unit norm.
pub(crate) struct Matcher<'a> {
    bank: &'a Bank,
    rendering: Rendering,
    parts: Vec<Vec<Shape>>,
}

/// One shape; for slopes the derivatives along both axes of the mark.
struct Shape {
    images: Vec<Vec<f32>>,
    /// Inner products of the images: xx, xy, yy.
    products: [f32; 3],
}

/// A pose with its score and what each part then looks like.
pub(crate) struct Fit {
    pub(crate) candidate: Candidate,
    /// Evidence for a mark over texture, natural log, summed over parts.
    pub(crate) score: f32,
    /// The probability of each shape of each part.
    pub(crate) weights: Vec<Vec<f32>>,
}

/// Independent samples to a square module: what a squared correlation is worth.
const SAMPLES_PER_AREA: f32 = 0.8;

impl<'a> Matcher<'a> {
    pub(crate) fn of(bank: &'a Bank, rendering: Rendering) -> Self {
        let shape_of = |part: &Part, shape: &[f32]| {
            let mut canvas = vec![0.0; bank.canvas.size * bank.canvas.size];
            crate::bank::add(&mut canvas, bank.canvas.size, part.window, shape, 1.0);
            let image = banded(&canvas, bank.canvas);
            let images = if rendering == Rendering::Slope {
                let (dx, dy) = slopes(&image, bank.canvas);
                vec![cut(&dx, bank.canvas.size, part.window), cut(&dy, bank.canvas.size, part.window)]
            } else {
                vec![cut(&image, bank.canvas.size, part.window)]
            };
            let (first, last) = (&images[0], &images[images.len() - 1]);
            let products = [dot(first, first), dot(first, last), dot(last, last)];
            Shape { images, products }
        };
        let parts = bank
            .parts
            .iter()
            .map(|part| part.shapes.iter().map(|shape| shape_of(part, shape)).collect())
            .collect();
        Self { bank, rendering, parts }
    }

    /// Scores one pose.
    pub(crate) fn fit(&self, field: &Field, candidate: Candidate) -> Fit {
        let (image, _) = candidate.pose.rectify(field, self.bank.canvas);
        let towards = Self::direction(self.rendering, &candidate);
        let mut score = 0.0;
        let mut weights = Vec::with_capacity(self.parts.len());
        for (part, shapes) in self.bank.parts.iter().zip(&self.parts) {
            let window = cut(&image, self.bank.canvas.size, part.window);
            let energy = dot(&window, &window).max(1e-6);
            let area = window.len() as f32 / (self.bank.canvas.per_module * self.bank.canvas.per_module);
            let evidence: Vec<f32> = shapes
                .iter()
                .map(|shape| {
                    let rho = correlation(shape, &window, towards) / energy.sqrt();
                    -0.5 * SAMPLES_PER_AREA * area * (1.0 - rho.clamp(0.0, 0.999).powi(2)).ln()
                })
                .collect();
            score += log_sum_exp(&evidence) - (shapes.len() as f32).ln();
            weights.push(softmax(&evidence));
        }
        Fit { candidate, score, weights }
    }

    /// The direction of the slope in the frame of the mark, or the sign of the relief.
    pub(crate) fn direction(rendering: Rendering, candidate: &Candidate) -> [f32; 2] {
        if rendering != Rendering::Slope {
            return [candidate.azimuth.cos(), 0.0];
        }
        let [a, b, c, d] = candidate.pose.matrix;
        let (sin, cos) = candidate.azimuth.sin_cos();
        // The derivative along a direction of the field is that along its image in the frame of the mark.
        let determinant = a * d - b * c;
        let along = [(d * cos - b * sin) / determinant, (-c * cos + a * sin) / determinant];
        let length = along[0].hypot(along[1]);
        [along[0] / length, along[1] / length]
    }

    /// Climbs to the best pose near a candidate.
    pub(crate) fn climb(&self, field: &Field, candidate: Candidate, rounds: usize) -> Fit {
        let mut best = self.fit(field, candidate);
        let (mut shift, mut turn, mut grow) = (0.7, 0.035, 0.02);
        for _ in 0..rounds {
            let mut steps = vec![
                ([shift, 0.0], 0.0, 1.0, 0.0),
                ([-shift, 0.0], 0.0, 1.0, 0.0),
                ([0.0, shift], 0.0, 1.0, 0.0),
                ([0.0, -shift], 0.0, 1.0, 0.0),
                ([0.0, 0.0], turn, 1.0, 0.0),
                ([0.0, 0.0], -turn, 1.0, 0.0),
                ([0.0, 0.0], 0.0, 1.0 + grow, 0.0),
                ([0.0, 0.0], 0.0, 1.0 - grow, 0.0),
            ];
            if self.rendering == Rendering::Slope {
                steps.extend([([0.0, 0.0], 0.0, 1.0, 6.0 * turn), ([0.0, 0.0], 0.0, 1.0, -6.0 * turn)]);
            }
            for (move_by, rotate, scale, swing) in steps {
                let (sin, cos) = f32::sin_cos(rotate);
                let change = [scale * cos, -scale * sin, scale * sin, scale * cos];
                let next = Candidate {
                    pose: best.candidate.pose.after(move_by, change),
                    azimuth: best.candidate.azimuth + swing,
                    ..best.candidate
                };
                let fit = self.fit(field, next);
                if fit.score > best.score {
                    best = fit;
                }
            }
            (shift, turn, grow) = (shift * 0.6, turn * 0.6, grow * 0.6);
        }
        best
    }
}

fn correlation(shape: &Shape, window: &[f32], towards: [f32; 2]) -> f32 {
    let [xx, xy, yy] = shape.products;
    if let [image] = shape.images.as_slice() {
        return towards[0] * dot(image, window) / xx.max(1e-9).sqrt();
    }
    let [c, s] = towards;
    let norm = (c * c * xx + 2.0 * c * s * xy + s * s * yy).max(1e-9).sqrt();
    (c * dot(&shape.images[0], window) + s * dot(&shape.images[1], window)) / norm
}

/// The field as the search and the climb want it: form and slow waves off, no feature ruling, averaged to their pitch.
pub(crate) fn prepared(field: &Field, module: f32, shaded: bool) -> (Field, [f32; 2]) {
    let mut flat = field.clone();
    flat.take_quadric();
    let mut fine = flat.clone();
    fine.take_slow_waves(SLOW * module);
    let centre = bowl_centre(&fine, 8.0 * module, shaded);
    take_bowl(&mut flat, centre);
    let fine = blur(flat.values.samples(), flat.values.width(), flat.values.height(), 0.3 * module);
    flat.values = topography::Grid::from_vec(flat.values.width(), flat.values.height(), fine);
    flat.take_slow_waves(SLOW * module);
    (flat.evened(2.0 * SLOW * module, 2.5), centre)
}

const SLOW: f32 = crate::search::SLOW_MODULES;
