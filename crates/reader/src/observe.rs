//! Analysis by synthesis: the likelihood of every shape of every part, with the transfer, the noise and the lost metal
//! estimated from the surface itself.

use rustfft::num_complex::Complex32;

use crate::bank::{Bank, Window, add, cut};
use crate::field::Field;
use crate::fourier::Transform;
use crate::locate::Banks;
use crate::pose::Pose;
use crate::raster::Canvas;
use crate::search::Rendering;
use crate::transfer::Kernel;
use crate::vectors::{dot, log_sum_exp, softmax};
use crate::whiten::Whitener;

/// Samples along a side of the blocks that each have a strength of their own.
const BLOCK: usize = 6;
/// How far strengths stray from their neighbours'.
const STRENGTH_SPREAD: f32 = 0.35;
/// Canvas of the filters of single shapes.
const PATCH: usize = 48;

/// How much of each log-likelihood is believed between rounds: neighbouring samples err together.
const BELIEF: f32 = 0.5;
/// The same for the likelihoods that are handed on (the best log score on *simulation* at level 4).
pub(crate) const TEMPER: f32 = 0.35;

/// What is believed about a mark while it is being read.
pub(crate) struct Observer<'a> {
    bank: &'a Bank,
    field: &'a Field,
    pub(crate) pose: Pose,
    seen: Vec<f32>,
    known: Vec<f32>,
    pub(crate) weights: Vec<Vec<f32>>,
    /// Log-likelihood of each shape of each part against nothing there.
    pub(crate) evidence: Vec<Vec<f32>>,
    pub(crate) strength: Vec<f32>,
    pub(crate) presence: Vec<f32>,
    noise: Vec<f32>,
    kernel: Kernel,
    whitener: Whitener,
    shapes: &'a [Vec<Complex32>],
}

/// Where an observer starts.
pub(crate) struct Start {
    pub(crate) pose: Pose,
    pub(crate) weights: Vec<Vec<f32>>,
    pub(crate) rendering: Rendering,
    /// Direction of the slope in the frame of the mark.
    pub(crate) direction: [f32; 2],
}

impl<'a> Observer<'a> {
    pub(crate) fn new(banks: &'a Banks, field: &'a Field, start: Start) -> Self {
        let bank = &banks.fine;
        let per_module = bank.canvas.per_module;
        let size = bank.canvas.size;
        let blocks = (size / BLOCK).pow(2);
        let direction = (start.rendering == Rendering::Slope).then_some(start.direction);
        let mut observer = Self {
            bank,
            field,
            pose: start.pose,
            seen: Vec::new(),
            known: Vec::new(),
            weights: start.weights,
            evidence: Vec::new(),
            strength: vec![1.0; blocks],
            presence: vec![0.9; blocks],
            noise: vec![1.0; blocks],
            kernel: Kernel::gaussian(size, 0.325 * per_module, direction),
            whitener: Whitener::presumed(size, 0.08 / per_module),
            shapes: banks.spectra(),
        };
        observer.look();
        observer
    }

    /// Reads the field at the present pose: unit mean square inside the mark, tapered to nothing outside.
    fn look(&mut self) {
        let canvas = self.bank.canvas;
        let (mut seen, mut known) = self.pose.rectify(self.field, canvas);
        let (mut sum, mut count) = (0.0, 0.0);
        for (place, (value, known)) in seen.iter_mut().zip(&mut known).enumerate() {
            let radius = radius(canvas, place);
            let taper = ((self.bank.extent + 2.9 - radius) / 1.5).clamp(0.0, 1.0);
            *known *= taper;
            *value *= *known;
            if radius < self.bank.extent {
                sum += *value * *value;
                count += 1.0;
            }
        }
        let rms = (sum / f32::max(count, 1.0)).sqrt().max(1e-12);
        for value in &mut seen {
            *value /= rms;
        }
        (self.seen, self.known) = (seen, known);
    }

    /// One round: fit the kernel and the noise to what is believed, then look at every part again.
    pub(crate) fn round(&mut self, first: bool) {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let seen = transform.spectrum(&self.seen);
        let drawn = transform.spectrum(&self.drawn());
        if first {
            let gain = scalar(&seen, &drawn, &self.kernel, &self.whitener);
            self.kernel = self.kernel.clone().times(gain);
            self.measure_noise(&drawn);
        }
        if let Some(kernel) = Kernel::fitted((&seen, &drawn), &self.whitener, self.bank.canvas) {
            self.kernel = kernel;
        }
        self.measure_noise(&drawn);
        self.judge(&seen);
    }

    /// What is believed to be drawn, each block as strong as it is.
    fn drawn(&self) -> Vec<f32> {
        let mut drawn = self.bank.expected(&self.weights);
        let size = self.bank.canvas.size;
        let across = size / BLOCK;
        for (place, value) in drawn.iter_mut().enumerate() {
            if *value != 0.0 {
                let block = place / size / BLOCK * across + place % size / BLOCK;
                *value *= self.strength[block] * self.presence[block];
            }
        }
        drawn
    }

    /// The residual of a drawing, in the units of the canvas.
    fn residual(&self, drawn: &[Complex32]) -> Vec<f32> {
        let transform = Transform::of(self.bank.canvas.size, self.bank.canvas.size);
        let shown = drawn.iter().zip(&self.kernel.spectrum).map(|(d, k)| d * k).collect();
        let shown = transform.real(shown);
        self.seen.iter().zip(&shown).zip(&self.known).map(|((s, m), k)| (s - m) * k).collect()
    }

    fn measure_noise(&mut self, drawn: &[Complex32]) {
        let size = self.bank.canvas.size;
        let rest = self.residual(drawn);
        if let Some(whitener) = Whitener::measured(&rest, &self.known, size) {
            self.whitener = whitener;
        }
        let transform = Transform::of(size, size);
        let mut spectrum = transform.spectrum(&rest);
        self.whitener.apply(&mut spectrum);
        let white = transform.real(spectrum);
        let across = size / BLOCK;
        let mut power = vec![(0.0f32, 0.0f32); across * across];
        for (place, value) in white.iter().enumerate() {
            if self.known[place] > 0.5 {
                let cell = &mut power[place / size / BLOCK * across + place % size / BLOCK];
                *cell = (cell.0 + value * value, cell.1 + 1.0);
            }
        }
        self.noise = (0..across * across)
            .map(|block| {
                let (sum, count) = neighbours(block, across).fold((0.0, 0.0), |(s, c), (near, share)| {
                    (s + share * power[near].0, c + share * power[near].1)
                });
                ((sum + 150.0) / (count + 150.0)).max(0.7)
            })
            .collect();
    }

    /// The likelihood of every shape, the strengths of the blocks, and new beliefs.
    fn judge(&mut self, seen: &[Complex32]) {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let mut white = seen.to_vec();
        self.whitener.apply(&mut white);
        let white = transform.real(white);
        let shapes = self.rendered();
        let mut all = vec![0.0; size * size];
        let mut fixed = transform.spectrum(&self.bank.fixed);
        for (value, kernel) in fixed.iter_mut().zip(&self.kernel.spectrum) {
            *value *= kernel;
        }
        self.whitener.apply(&mut fixed);
        let fixed = transform.real(fixed);
        let mut next = Vec::new();
        for _ in 0..2 {
            all.copy_from_slice(&fixed);
            for ((part, shapes), weights) in self.bank.parts.iter().zip(&shapes).zip(&self.weights) {
                for (shape, &weight) in shapes.iter().zip(weights) {
                    if weight > 1e-3 {
                        add(&mut all, size, part.window, shape, weight);
                    }
                }
            }
            self.weigh_blocks(&white, &all);
            next.clear();
            for (index, shapes) in shapes.iter().enumerate() {
                next.push(self.part_evidence(index, shapes, &white, &all));
            }
            self.weights = next
                .iter()
                .map(|evidence| softmax(&evidence.iter().map(|value| BELIEF * value).collect::<Vec<_>>()))
                .collect();
        }
        self.evidence = next;
    }

    fn part_evidence(&self, index: usize, shapes: &[Vec<f32>], white: &[f32], all: &[f32]) -> Vec<f32> {
        let size = self.bank.canvas.size;
        let window = self.bank.parts[index].window;
        let mut others = cut(all, size, window);
        for (shape, &weight) in shapes.iter().zip(&self.weights[index]) {
            if weight > 1e-3 {
                others.iter_mut().zip(shape).for_each(|(o, s)| *o -= weight * s);
            }
        }
        let seen = cut(white, size, window);
        let known = cut(&self.known, size, window);
        let blocks = Blocks::of(window, size);
        shapes
            .iter()
            .map(|shape| {
                let total: Vec<f32> =
                    shape.iter().zip(&others).zip(&known).map(|((s, o), k)| (s + o) * k).collect();
                let products = blocks.products(&seen, &total);
                products.iter().map(|&(block, cross, own)| self.block_evidence(block, cross, own)).sum()
            })
            .collect()
    }

    /// The log-likelihood ratio of a block's samples: something of this form, strength unknown, or lost, against nothing.
    fn block_evidence(&self, block: usize, cross: f32, own: f32) -> f32 {
        let present =
            present_evidence(cross / self.noise[block], own / self.noise[block], self.strength[block]);
        let presence = self.presence[block];
        let (a, b) = (presence.ln() + present, (1.0 - presence).ln());
        a.max(b) + (-(a - b).abs()).exp().ln_1p()
    }

    /// How strong each block is, and whether its metal was moved at all, from what is believed to be there.
    fn weigh_blocks(&mut self, white: &[f32], all: &[f32]) {
        let size = self.bank.canvas.size;
        let across = size / BLOCK;
        let whole = Blocks::of(Window { x: 0, y: 0, width: size, height: size }, size);
        let products = whole.products(white, all);
        let mut odds = vec![0.0f32; across * across];
        let mut sums = vec![(0.0f32, 0.0f32); across * across];
        for &(block, cross, own) in &products {
            let (cross, own) = (cross / self.noise[block], own / self.noise[block]);
            odds[block] = BELIEF * present_evidence(cross, own, self.strength[block]);
            sums[block] = (cross, own);
        }
        let prior = 2.2f32;
        let mut strength = vec![1.0; across * across];
        let mut presence = vec![0.5; across * across];
        for block in 0..across * across {
            let (mut cross, mut own, mut logit) = (0.0, 0.0, prior);
            for (near, share) in neighbours(block, across) {
                let there = 1.0 / (1.0 + (-prior - odds[near]).exp());
                cross += share * there * sums[near].0;
                own += share * there * sums[near].1;
                if near != block {
                    logit += share * odds[near].clamp(-4.0, 4.0);
                }
            }
            let trust = 1.0 / STRENGTH_SPREAD.powi(2);
            strength[block] = ((cross + trust) / (own + trust)).clamp(0.25, 2.0);
            presence[block] = 1.0 / (1.0 + (-logit.clamp(-1.5, 4.0)).exp());
        }
        (self.strength, self.presence) = (strength, presence);
    }

    /// Every shape through kernel and whitening, over the window of its part.
    fn rendered(&self) -> Vec<Vec<Vec<f32>>> {
        let composite = self.composite();
        let transform = Transform::of(PATCH, PATCH);
        self.bank
            .parts
            .iter()
            .zip(self.shapes)
            .map(|(part, spectra)| {
                let count = part.shapes.len();
                let mut shapes = Vec::with_capacity(count);
                for pair in spectra.chunks_exact(PATCH * PATCH) {
                    let mut patch: Vec<Complex32> = pair.iter().zip(&composite).map(|(s, c)| s * c).collect();
                    transform.inverse(&mut patch);
                    let take = |pick: fn(&Complex32) -> f32| -> Vec<f32> {
                        (0..part.window.height)
                            .flat_map(|y| patch[y * PATCH..y * PATCH + part.window.width].iter().map(pick))
                            .collect()
                    };
                    shapes.push(take(|value| value.re));
                    if shapes.len() < count {
                        shapes.push(take(|value| value.im));
                    }
                }
                shapes
            })
            .collect()
    }

    /// Kernel and whitening together, on the small canvas.
    fn composite(&self) -> Vec<Complex32> {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let mut spectrum = self.kernel.spectrum.clone();
        self.whitener.apply(&mut spectrum);
        let plane = transform.real(spectrum);
        let half = PATCH as isize / 2;
        let mut patch = vec![0.0; PATCH * PATCH];
        for y in -half + 1..half {
            for x in -half + 1..half {
                let radius = (x as f32).hypot(y as f32) / half as f32;
                let taper = ((1.0 - radius) * 3.0).clamp(0.0, 1.0);
                let wrap = |k: isize, n: usize| k.rem_euclid(n as isize) as usize;
                patch[wrap(y, PATCH) * PATCH + wrap(x, PATCH)] =
                    taper * plane[wrap(y, size) * size + wrap(x, size)];
            }
        }
        Transform::of(PATCH, PATCH).spectrum(&patch)
    }

    /// Evidence for some mark over nothing, natural log, whatever the symbols are.
    pub(crate) fn support(&self) -> f32 {
        let of = |evidence: &Vec<f32>| {
            let tempered: Vec<f32> = evidence.iter().map(|value| BELIEF * value).collect();
            log_sum_exp(&tempered) - (tempered.len() as f32).ln()
        };
        self.evidence.iter().map(of).sum()
    }

    /// The share of the square sum inside the mark (slow waves left out) that the model explains.
    pub(crate) fn explained(&self) -> f32 {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let drawn = transform.spectrum(&self.drawn());
        let presumed = Whitener::presumed(size, 0.08 / self.bank.canvas.per_module);
        let power = |plane: &[f32]| {
            let mut spectrum = transform.spectrum(plane);
            presumed.apply(&mut spectrum);
            let plane = transform.real(spectrum);
            let inside = |place: &usize| radius(self.bank.canvas, *place) < self.bank.extent;
            (0..size * size).filter(inside).map(|place| plane[place].powi(2)).sum::<f32>()
        };
        1.0 - power(&self.residual(&drawn)) / power(&self.seen).max(1e-9)
    }

    /// For each part the share of its relief that came over.
    pub(crate) fn presences(&self) -> Vec<f32> {
        let size = self.bank.canvas.size;
        let across = size / BLOCK;
        let of = |part: &crate::bank::Part| {
            let Window { x, y, width, height } = part.window;
            let margin = (1.75 * self.bank.canvas.per_module) as usize;
            let (mut sum, mut count) = (0.0, 0.0);
            for row in (y + margin..y + height - margin).step_by(4) {
                for column in (x + margin..x + width - margin).step_by(4) {
                    let block = row / BLOCK * across + column / BLOCK;
                    sum += (self.presence[block] * self.strength[block]).min(1.0);
                    count += 1.0;
                }
            }
            sum / f32::max(count, 1.0)
        };
        self.bank.parts.iter().map(of).collect()
    }

    /// Moves the pose by what the residual says (one Gauss-Newton step on turn, scale and shear).
    pub(crate) fn nudge(&mut self) {
        let size = self.bank.canvas.size;
        let canvas = self.bank.canvas;
        let transform = Transform::of(size, size);
        let drawn = transform.spectrum(&self.drawn());
        let shown = transform.real(drawn.iter().zip(&self.kernel.spectrum).map(|(d, k)| d * k).collect());
        let whitened = |plane: &[f32]| {
            let mut spectrum = transform.spectrum(plane);
            self.whitener.apply(&mut spectrum);
            transform.real(spectrum)
        };
        let rest: Vec<f32> =
            self.seen.iter().zip(&shown).zip(&self.known).map(|((s, m), k)| (s - m) * k).collect();
        let rest = whitened(&rest);
        let slope = |place: usize| {
            let (x, y) = (place % size, place / size);
            let at = |x: usize, y: usize| shown[y.min(size - 1) * size + x.min(size - 1)];
            let scale = 0.5 * canvas.per_module;
            [
                scale * (at(x + 1, y) - at(x.saturating_sub(1), y)),
                scale * (at(x, y + 1) - at(x, y.saturating_sub(1))),
            ]
        };
        // The drawing at (u, v) moves by J (u, v): four entries of J and two of the shift.
        let columns: Vec<Vec<f32>> = (0..6)
            .map(|k| {
                let plane: Vec<f32> = (0..size * size)
                    .map(|place| {
                        let (u, v) = (
                            canvas.modules_of((place % size) as f32),
                            canvas.modules_of((place / size) as f32),
                        );
                        let [sx, sy] = slope(place);
                        -self.known[place] * [u * sx, v * sx, u * sy, v * sy, sx, sy][k]
                    })
                    .collect();
                whitened(&plane)
            })
            .collect();
        let mut matrix = vec![0.0; 36];
        for i in 0..6 {
            for j in 0..=i {
                matrix[i * 6 + j] = f64::from(dot(&columns[i], &columns[j]));
            }
            let belief: f64 = if i < 4 { 0.02 } else { 0.05 };
            matrix[i * 6 + i] += belief.powi(-2);
        }
        let right = columns.iter().map(|column| f64::from(dot(column, &rest))).collect();
        if let Some(step) = crate::vectors::solve_symmetric(matrix, right) {
            let s: Vec<f32> = step.iter().map(|&value| (0.5 * value as f32).clamp(-0.05, 0.05)).collect();
            self.pose = self.pose.after([0.0, 0.0], [1.0 + s[0], s[1], s[2], 1.0 + s[3]]);
            self.look();
        }
    }
}

fn radius(canvas: Canvas, place: usize) -> f32 {
    canvas.modules_of((place % canvas.size) as f32).hypot(canvas.modules_of((place / canvas.size) as f32))
}

/// `ln` of the likelihood ratio of a known form of unknown strength against nothing.
fn present_evidence(cross: f32, own: f32, strength: f32) -> f32 {
    let trust = 1.0 / STRENGTH_SPREAD.powi(2);
    let mean = strength * trust;
    0.5 * ((cross + mean).powi(2) / (own + trust) - strength * mean) - 0.5 * (own / trust).ln_1p()
}

fn scalar(seen: &[Complex32], drawn: &[Complex32], kernel: &Kernel, whitener: &Whitener) -> f32 {
    let (mut cross, mut own) = (0.0, 1e-9);
    for place in 0..seen.len() {
        let shown = drawn[place] * kernel.spectrum[place];
        let weight = whitener.gain[place].powi(2);
        cross += weight * (seen[place] * shown.conj()).re;
        own += weight * shown.norm_sqr();
    }
    cross / own
}

/// A block and the eight around it, nearer ones with more weight.
fn neighbours(block: usize, across: usize) -> impl Iterator<Item = (usize, f32)> {
    let (x, y) = ((block % across) as isize, (block / across) as isize);
    (-1..=1isize).flat_map(move |dy| {
        (-1..=1isize).filter_map(move |dx| {
            let (nx, ny) = (x + dx, y + dy);
            let inside = nx >= 0 && ny >= 0 && nx < across as isize && ny < across as isize;
            let share = [1.0, 0.4, 0.2][(dx.abs() + dy.abs()) as usize];
            inside.then(|| (ny as usize * across + nx as usize, share))
        })
    })
}

/// Where a window cuts the lattice of blocks.
struct Blocks {
    window: Window,
    across: usize,
}

impl Blocks {
    fn of(window: Window, size: usize) -> Self {
        Self { window, across: size / BLOCK }
    }

    /// For each block inside the window: its number, the inner product of the two, and that of the second with itself.
    fn products(&self, seen: &[f32], form: &[f32]) -> Vec<(usize, f32, f32)> {
        let Window { x, y, width, height } = self.window;
        let (left, right) = (x / BLOCK, (x + width - 1) / BLOCK);
        let (top, bottom) = (y / BLOCK, (y + height - 1) / BLOCK);
        let columns = right - left + 1;
        let mut products = vec![(0usize, 0.0f32, 0.0f32); columns * (bottom - top + 1)];
        for (k, product) in products.iter_mut().enumerate() {
            product.0 = (top + k / columns) * self.across + left + k % columns;
        }
        for row in 0..height {
            let line = ((y + row) / BLOCK - top) * columns;
            for column in left..=right {
                let from = (column * BLOCK).max(x) - x + row * width;
                let to = ((column + 1) * BLOCK).min(x + width) - x + row * width;
                let (seen, form) = (&seen[from..to], &form[from..to]);
                let product = &mut products[line + column - left];
                for (s, f) in seen.iter().zip(form) {
                    product.1 += s * f;
                    product.2 += f * f;
                }
            }
        }
        products
    }
}

/// The spectra of all shapes of each part, two to a complex one.
pub(crate) fn shape_spectra(bank: &Bank) -> Vec<Vec<Complex32>> {
    let transform = Transform::of(PATCH, PATCH);
    bank.parts
        .iter()
        .map(|part| {
            let mut spectra = Vec::new();
            for pair in part.shapes.chunks(2) {
                let mut patch = vec![Complex32::default(); PATCH * PATCH];
                for y in 0..part.window.height {
                    for x in 0..part.window.width {
                        let at = y * part.window.width + x;
                        patch[y * PATCH + x] =
                            Complex32::new(pair[0][at], pair.get(1).map_or(0.0, |s| s[at]));
                    }
                }
                transform.forward(&mut patch);
                spectra.extend(patch);
            }
            spectra
        })
        .collect()
}
