//! The closer look: how well do the shapes of every part fit at a pose, whatever the code?

use crate::bands::{Bands, SLOW_MODULES as SLOW, slopes_of};
use crate::bank::{Bank, Part, Window, cut};
use crate::blur::blur;
use crate::bowl::{bowl_centre, take_bowl};
use crate::field::Field;
use crate::flanks;
use crate::raster::Canvas;
use crate::search::{Candidate, Rendering};
use crate::vectors::{dot, log_sum_exp, softmax};

/// The shapes of a bank as a coarse field shows them.
pub(crate) struct Matcher {
    canvas: Canvas,
    rendering: Rendering,
    parts: Vec<Forms>,
    /// What is there whatever the code: one form to each element.
    fixed: Vec<Forms>,
    /// The spans of the canvas (row, first, end) that are compared: of all parts, and of glyphs.
    spans: [Vec<[usize; 3]>; 2],
}

/// All shapes of a part over one window.
pub(crate) struct Forms {
    pub(crate) window: Window,
    /// Independent samples in the window: what a squared correlation is worth.
    samples: f32,
    shapes: Vec<Shape>,
}

/// One shape; for slopes the derivatives along both axes of the mark, for flanks those that face outward and all.
struct Shape {
    images: Vec<Vec<f32>>,
    /// Inner products of the images: xx, xy, yy.
    products: [f32; 3],
}

/// How much of a mark is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Parts that take one of many shapes.
    Glyphs,
    /// Every part.
    All,
}

/// A pose with its score and what each part then looks like.
#[derive(Clone)]
pub(crate) struct Fit {
    pub(crate) candidate: Candidate,
    /// Evidence for a mark over texture, natural log, summed over parts.
    pub(crate) score: f32,
    /// The probability of each shape of each part.
    pub(crate) weights: Vec<Vec<f32>>,
}

/// As many shapes as a part can have.
const MANY: usize = 256;
/// Independent samples to a square module.
const SAMPLES_PER_AREA: f32 = 0.8;

impl Matcher {
    pub(crate) fn of(bank: &Bank, rendering: Rendering) -> Self {
        let canvas = bank.canvas;
        let forms =
            |window: Window, shapes: &[Vec<f32>]| Forms::of((window, [0.0; 2]), shapes, (canvas, rendering));
        let of_part = |part: &Part| forms(part.window, &against_bare(&part.shapes));
        let parts: Vec<Forms> = bank.parts.iter().map(of_part).collect();
        let fixtures = bank.fixtures.iter();
        let fixed: Vec<Forms> =
            fixtures.map(|(window, shape)| forms(*window, std::slice::from_ref(shape))).collect();
        let within = |extent: Extent| -> Vec<[usize; 3]> {
            let seen = parts.iter().chain(&fixed).filter(|forms| forms.belongs_to(extent));
            spans(seen.map(|forms| forms.window), canvas.size)
        };
        let spans = [within(Extent::All), within(Extent::Glyphs)];
        Self { canvas, rendering, parts, fixed, spans }
    }

    /// Scores one pose.
    pub(crate) fn fit(&self, field: &Field, candidate: Candidate) -> Fit {
        let image = candidate.pose.values(field, self.canvas, &self.spans[0]);
        let towards = Self::direction(self.rendering, &candidate);
        let mut score = 0.0;
        let mut weights = Vec::with_capacity(self.parts.len());
        for forms in &self.parts {
            let evidence = forms.evidence(&image, self.canvas, towards);
            score += log_sum_exp(&evidence) - (evidence.len() as f32).ln();
            weights.push(softmax(&evidence));
        }
        for forms in &self.fixed {
            score += forms.evidence(&image, self.canvas, towards)[0];
        }
        Fit { candidate, score, weights }
    }

    /// The score alone.
    pub(crate) fn score(&self, field: &Field, candidate: &Candidate) -> f32 {
        let image = candidate.pose.values(field, self.canvas, &self.spans[0]);
        let towards = Self::direction(self.rendering, candidate);
        let of = |forms: &Forms| {
            let evidence = forms.evidence(&image, self.canvas, towards);
            log_sum_exp(&evidence) - (evidence.len() as f32).ln()
        };
        self.parts.iter().chain(&self.fixed).map(of).sum()
    }

    /// The scores of a candidate for its azimuth and for the opposite one.
    pub(crate) fn both(&self, field: &Field, candidate: &Candidate, extent: Extent) -> [f32; 2] {
        let image =
            candidate.pose.values(field, self.canvas, &self.spans[usize::from(extent == Extent::Glyphs)]);
        let towards = Self::direction(self.rendering, candidate);
        let mut scores = [0.0; 2];
        let looked_at = self.parts.iter().chain(&self.fixed).filter(|forms| forms.belongs_to(extent));
        for forms in looked_at {
            let own = forms.scores_at(forms.window, &image, self.canvas, towards);
            scores = [scores[0] + own[0], scores[1] + own[1]];
        }
        scores
    }

    /// The direction of the slope in the frame of the mark, or the shares of flanks, or the sign of the relief.
    pub(crate) fn direction(rendering: Rendering, candidate: &Candidate) -> [f32; 2] {
        let own = candidate.azimuth.sin_cos();
        match rendering {
            Rendering::Height | Rendering::Relief => return [own.1, 0.0],
            Rendering::Flanks => return [own.1, own.0],
            Rendering::Slope => {}
        }
        let [a, b, c, d] = candidate.pose.matrix;
        let (sin, cos) = candidate.azimuth.sin_cos();
        // The derivative along a direction of the field is that along its image in the frame of the mark.
        let determinant = a * d - b * c;
        let along = [(d * cos - b * sin) / determinant, (-c * cos + a * sin) / determinant];
        let length = along[0].hypot(along[1]);
        [along[0] / length, along[1] / length]
    }

    /// Climbs to the best pose near a candidate: `rounds` of steps that begin with `reach` of the widest.
    pub(crate) fn climb(&self, field: &Field, candidate: Candidate, (rounds, reach): (usize, f32)) -> Fit {
        let mut best = (self.score(field, &candidate), candidate);
        let (mut shift, mut turn, mut grow) = (0.7 * reach, 0.035 * reach, 0.025 * reach);
        for _ in 0..rounds {
            for (move_by, rotate, scale, swing) in steps(shift, turn, grow, self.rendering) {
                let (sin, cos) = f32::sin_cos(rotate);
                let change = [scale * cos, -scale * sin, scale * sin, scale * cos];
                let next = Candidate {
                    pose: best.1.pose.after(move_by, change),
                    azimuth: best.1.azimuth + swing,
                    ..best.1
                };
                let score = self.score(field, &next);
                if score > best.0 {
                    best = (score, next);
                }
            }
            (shift, turn, grow) = (shift * 0.6, turn * 0.6, grow * 0.6);
        }
        self.fit(field, best.1)
    }
}

/// Shapes of which none is empty: a module that is bare lies as much below what is about it as a drawn one above.
fn against_bare(shapes: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let bare = |shape: &[f32]| shape.iter().all(|value| *value == 0.0);
    match shapes {
        [zero, one] if bare(zero) => vec![one.iter().map(|value| -value).collect(), one.clone()],
        [zero, one] if bare(one) => vec![zero.clone(), zero.iter().map(|value| -value).collect()],
        _ => shapes.to_vec(),
    }
}

/// A shift, a turn, a scale and a swing of the light.
type Step = ([f32; 2], f32, f32, f32);

fn steps(shift: f32, turn: f32, grow: f32, rendering: Rendering) -> Vec<Step> {
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
    let swing = match rendering {
        Rendering::Height | Rendering::Relief => return steps,
        Rendering::Slope => 6.0 * turn,
        Rendering::Flanks => 12.0 * turn,
    };
    steps.extend([([0.0, 0.0], 0.0, 1.0, swing), ([0.0, 0.0], 0.0, 1.0, -swing)]);
    steps
}

/// The rows of some windows, joined where they touch.
fn spans(windows: impl Iterator<Item = Window>, size: usize) -> Vec<[usize; 3]> {
    let mut covered = vec![false; size * size];
    for window in windows {
        for y in window.y..window.y + window.height {
            covered[y * size + window.x..y * size + window.x + window.width].fill(true);
        }
    }
    let mut spans = Vec::new();
    for (y, row) in covered.chunks_exact(size).enumerate() {
        let mut x = 0;
        while let Some(first) = row[x..].iter().position(|&inside| inside) {
            let from = x + first;
            let to = row[from..].iter().position(|&inside| !inside).map_or(size, |length| from + length);
            spans.push([y, from, to]);
            x = to;
        }
    }
    spans
}

impl Forms {
    /// Shapes over a window as a rendering shows them, about the middle of a bowl (modules of the window's canvas).
    pub(crate) fn of(
        (window, about): (Window, [f32; 2]),
        shapes: &[Vec<f32>],
        (canvas, rendering): (Canvas, Rendering),
    ) -> Self {
        let bands = Bands::over(window, canvas);
        let shapes = shapes.iter().map(|shape| {
            Shape::of(match rendering {
                Rendering::Height | Rendering::Relief => vec![bands.apply(shape)],
                Rendering::Slope => slopes_of(&bands.apply(shape), window.width, canvas.per_module).into(),
                Rendering::Flanks => flanks::of(&bands.softened(shape), window, canvas, about)
                    .map(|image| bands.quickened(&image))
                    .into(),
            })
        });
        let samples = SAMPLES_PER_AREA * (window.width * window.height) as f32
            / (canvas.per_module * canvas.per_module);
        Self { window, samples, shapes: shapes.collect() }
    }

    fn belongs_to(&self, extent: Extent) -> bool {
        extent == Extent::All || self.shapes.len() > 2
    }

    /// Evidence that one of the shapes is there, whichever, natural log: as it is and with relief inverted.
    pub(crate) fn scores_at(
        &self,
        window: Window,
        image: &[f32],
        canvas: Canvas,
        towards: [f32; 2],
    ) -> [f32; 2] {
        let window = cut(image, canvas.size, window);
        let least = 1.0 / dot(&window, &window).max(1e-6).sqrt();
        let (mut sums, count) = ([0.0f32; 2], self.shapes.len() as f32);
        let mut most = 0.0f32;
        let mut signed = [0.0f32; MANY];
        for (value, shape) in signed.iter_mut().zip(&self.shapes) {
            let rho = least * shape.correlation(&window, towards);
            *value = self.evidence_of(rho.abs()).copysign(rho);
            most = most.max(value.abs());
        }
        // What fits the other way round fits not at all.
        let rest = (-most).exp();
        for value in &signed[..self.shapes.len()] {
            let there = (value.abs() - most).exp();
            let (own, other) = if *value >= 0.0 { (0, 1) } else { (1, 0) };
            sums[own] += there;
            sums[other] += rest;
        }
        sums.map(|sum| (most + (sum / count).ln()).max(0.0))
    }

    /// Evidence for each shape over texture of any strength, natural log.
    fn evidence(&self, image: &[f32], canvas: Canvas, towards: [f32; 2]) -> Vec<f32> {
        let window = cut(image, canvas.size, self.window);
        let energy = dot(&window, &window).max(1e-6).sqrt();
        self.shapes
            .iter()
            .map(|shape| self.evidence_of(shape.correlation(&window, towards) / energy))
            .collect()
    }

    fn evidence_of(&self, rho: f32) -> f32 {
        let rho = rho.clamp(0.0, 0.999);
        -0.5 * self.samples * (1.0 - rho * rho).ln()
    }
}

impl Shape {
    fn of(images: Vec<Vec<f32>>) -> Self {
        let (first, last) = (&images[0], &images[images.len() - 1]);
        let products = [dot(first, first), dot(first, last), dot(last, last)];
        Self { images, products }
    }

    /// The inner product with the shape of unit norm.
    fn correlation(&self, window: &[f32], towards: [f32; 2]) -> f32 {
        let [xx, xy, yy] = self.products;
        if let [image] = self.images.as_slice() {
            return towards[0] * dot(image, window) / xx.max(1e-9).sqrt();
        }
        let [c, s] = towards;
        let norm = (c * c * xx + 2.0 * c * s * xy + s * s * yy).max(1e-9).sqrt();
        (c * dot(&self.images[0], window) + s * dot(&self.images[1], window)) / norm
    }
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
