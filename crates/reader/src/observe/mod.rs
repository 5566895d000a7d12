//! Analysis by synthesis: the likelihood of every shape of every part, with the transfer, the noise and the lost metal
//! estimated from the surface itself.

mod blocks;
mod judge;
mod nudge;

pub(crate) use self::judge::shape_spectra;

use std::sync::Arc;

use rustfft::num_complex::Complex32;

use self::blocks::{BLOCK, neighbours};
use crate::bank::{Bank, Window};
use crate::field::Field;
use crate::fourier::Transform;
use crate::pose::Pose;
use crate::raster::Canvas;
use crate::synthesis::Synthesis;
use crate::transfer::Kernel;
use crate::vectors::log_sum_exp;
use crate::whiten::Whitener;

/// How much of each log-likelihood is believed between rounds: neighbouring samples err together.
const BELIEF: f32 = 0.5;
/// The same for the likelihoods that are handed on (the best log score on *simulation* at level 4).
pub(crate) const TEMPER: f32 = 0.35;

/// A root mean square that is nothing but rounding.
const NOTHING: f32 = 1e-12;

/// What is believed about a mark while it is being read.
pub(crate) struct Observer<'a> {
    bank: Arc<Bank>,
    field: &'a Field,
    pub(crate) pose: Pose,
    seen: Vec<f32>,
    known: Vec<f32>,
    pub(crate) weights: Vec<Vec<f32>>,
    /// Log-likelihood of each shape of each part against nothing there.
    pub(crate) evidence: Vec<Vec<f32>>,
    /// The same of what is always drawn, where nothing but that tells turns apart; 0 of a gear ring.
    fixed: f32,
    pub(crate) strength: Vec<f32>,
    pub(crate) presence: Vec<f32>,
    noise: Vec<f32>,
    kernel: Kernel,
    whitener: Whitener,
    shapes: Arc<Vec<Vec<Complex32>>>,
}

/// Where an observer starts.
pub(crate) struct Start {
    pub(crate) pose: Pose,
    pub(crate) weights: Vec<Vec<f32>>,
    /// Direction of the slope in the frame of the mark, where the field is one.
    pub(crate) slope: Option<[f32; 2]>,
}

impl<'a> Observer<'a> {
    /// Begins with the shapes of a bank and their spectra ([`shape_spectra`]).
    pub(crate) fn new(
        (bank, shapes): (Arc<Bank>, Arc<Vec<Vec<Complex32>>>),
        field: &'a Field,
        start: Start,
    ) -> Self {
        let per_module = bank.canvas.per_module;
        let size = bank.canvas.size;
        let blocks = (size / BLOCK).pow(2);
        let mut observer = Self {
            bank,
            field,
            pose: start.pose,
            seen: Vec::new(),
            known: Vec::new(),
            weights: start.weights,
            evidence: Vec::new(),
            fixed: 0.0,
            strength: vec![1.0; blocks],
            presence: vec![0.9; blocks],
            noise: vec![1.0; blocks],
            kernel: Kernel::gaussian(size, 0.325 * per_module, start.slope),
            whitener: Whitener::presumed(size, 0.08 / per_module),
            shapes,
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
        let rms = (sum / f32::max(count, 1.0)).sqrt();
        for value in &mut seen {
            *value = if rms > NOTHING { *value / rms } else { 0.0 };
        }
        (self.seen, self.known) = (seen, known);
    }

    /// One round: fit the kernel and the noise to what is believed, then look at every part again.
    pub(crate) fn round(&mut self, first: bool) {
        if self.seen.iter().all(|value| *value == 0.0) {
            self.evidence = self.bank.parts.iter().map(|part| vec![0.0; part.shapes.len()]).collect();
            return;
        }
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let [seen, drawn] = transform.spectra(&self.seen, &self.drawn());
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

    /// Evidence for some mark over nothing, natural log, whatever the symbols are.
    pub(crate) fn support(&self) -> f32 {
        let of = |evidence: &Vec<f32>| {
            let tempered: Vec<f32> = evidence.iter().map(|value| BELIEF * value).collect();
            log_sum_exp(&tempered) - (tempered.len() as f32).ln()
        };
        self.evidence.iter().map(of).sum::<f32>() + BELIEF * self.fixed
    }

    /// What is always drawn over nothing, natural log, as far as it is believed when poses are weighed.
    pub(crate) fn base(&self) -> f32 {
        TEMPER * self.fixed
    }

    /// The share of the square sum inside the mark (slow waves left out) that the model explains.
    pub(crate) fn explained(&self) -> f32 {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let drawn = transform.spectrum(&self.drawn());
        let presumed = Whitener::presumed(size, 0.08 / self.bank.canvas.per_module);
        let power = |plane: &[f32]| {
            let inside = |place: &usize| radius(self.bank.canvas, *place) < self.bank.extent;
            (0..size * size).filter(inside).map(|place| plane[place].powi(2)).sum::<f32>()
        };
        let [rest, seen] = transform.filtered(&self.residual(&drawn), &self.seen, &presumed.gain);
        1.0 - power(&rest) / power(&seen).max(1e-9)
    }

    /// What was seen and what is believed to be there, to be looked at.
    pub(crate) fn synthesis(&self) -> Synthesis {
        let transform = Transform::of(self.bank.canvas.size, self.bank.canvas.size);
        let drawn = transform.spectrum(&self.drawn());
        let shown = drawn.iter().zip(&self.kernel.spectrum).map(|(d, k)| d * k).collect();
        Synthesis {
            seen: self.seen.clone(),
            shown: transform.real(shown),
            kernel: self.kernel.spectrum.clone(),
            lit: None,
        }
    }

    /// The share of its relief that came over, for each part, and for what is always drawn.
    pub(crate) fn presences(&self) -> (Vec<f32>, f32) {
        let parts = self.bank.parts.iter().map(|part| self.presence_within(part.window)).collect();
        let fixtures = &self.bank.fixtures;
        let fixed: f32 = fixtures.iter().map(|(window, _)| self.presence_within(*window)).sum();
        (parts, if fixtures.is_empty() { 1.0 } else { fixed / fixtures.len() as f32 })
    }

    fn presence_within(&self, window: Window) -> f32 {
        let Window { x, y, width, height } = window;
        let across = self.bank.canvas.size / BLOCK;
        let margin = ((1.75 * self.bank.canvas.per_module) as usize).min((width.min(height) - 1) / 2);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in (y + margin..y + height - margin).step_by(4) {
            for column in (x + margin..x + width - margin).step_by(4) {
                let block = row / BLOCK * across + column / BLOCK;
                sum += (self.presence[block] * self.strength[block]).min(1.0);
                count += 1.0;
            }
        }
        sum / f32::max(count, 1.0)
    }
}

fn radius(canvas: Canvas, place: usize) -> f32 {
    canvas.modules_of((place % canvas.size) as f32).hypot(canvas.modules_of((place / canvas.size) as f32))
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
