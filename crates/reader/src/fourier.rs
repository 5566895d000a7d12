//! Two-dimensional Fourier transforms of small square frames.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// A transform of `width` x `height` samples; make it once, use it often.
pub(crate) struct Transform {
    width: usize,
    height: usize,
    rows: [Arc<dyn Fft<f32>>; 2],
    columns: [Arc<dyn Fft<f32>>; 2],
}

thread_local! {
    static TRANSFORMS: RefCell<HashMap<(usize, usize), Rc<Transform>>> = RefCell::new(HashMap::new());
}

impl Transform {
    /// The transform for frames of this shape, kept per thread.
    pub(crate) fn of(width: usize, height: usize) -> Rc<Self> {
        TRANSFORMS.with(|kept| {
            Rc::clone(
                kept.borrow_mut()
                    .entry((width, height))
                    .or_insert_with(|| Rc::new(Self::plan(width, height))),
            )
        })
    }

    fn plan(width: usize, height: usize) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            width,
            height,
            rows: [planner.plan_fft_forward(width), planner.plan_fft_inverse(width)],
            columns: [planner.plan_fft_forward(height), planner.plan_fft_inverse(height)],
        }
    }

    /// Row-major samples in, spectrum out, stored column by column (transposed).
    pub(crate) fn forward(&self, frame: &mut Vec<Complex32>) {
        self.rows[0].process(frame);
        *frame = transposed(frame, self.width, self.height);
        self.columns[0].process(frame);
    }

    /// The way back from a transposed spectrum, scaled so that it undoes [`Self::forward`].
    pub(crate) fn inverse(&self, spectrum: &mut Vec<Complex32>) {
        self.columns[1].process(spectrum);
        *spectrum = transposed(spectrum, self.height, self.width);
        self.rows[1].process(spectrum);
        let scale = 1.0 / (self.width * self.height) as f32;
        for value in spectrum.iter_mut() {
            *value *= scale;
        }
    }

    /// The spectrum of real samples.
    pub(crate) fn spectrum(&self, frame: &[f32]) -> Vec<Complex32> {
        let mut spectrum: Vec<Complex32> = frame.iter().map(|&value| Complex32::new(value, 0.0)).collect();
        self.forward(&mut spectrum);
        spectrum
    }

    /// The spectra of two planes of real samples, by one transform.
    pub(crate) fn spectra(&self, one: &[f32], other: &[f32]) -> [Vec<Complex32>; 2] {
        let mut both: Vec<Complex32> = one.iter().zip(other).map(|(&a, &b)| Complex32::new(a, b)).collect();
        self.forward(&mut both);
        let (mut first, mut second) = (Vec::with_capacity(both.len()), Vec::with_capacity(both.len()));
        for column in 0..self.width {
            let from = (self.width - column) % self.width * self.height;
            for row in 0..self.height {
                let here = both[column * self.height + row];
                let there = both[from + (self.height - row) % self.height].conj();
                let (sum, difference) = (here + there, here - there);
                first.push(0.5 * sum);
                second.push(Complex32::new(0.5 * difference.im, -0.5 * difference.re));
            }
        }
        [first, second]
    }

    /// What two spectra of real samples stand for, by one transform.
    pub(crate) fn reals(&self, one: &[Complex32], other: &[Complex32]) -> [Vec<f32>; 2] {
        let joined = |(a, b): (&Complex32, &Complex32)| Complex32::new(a.re - b.im, a.im + b.re);
        let mut both: Vec<Complex32> = one.iter().zip(other).map(joined).collect();
        self.inverse(&mut both);
        [both.iter().map(|value| value.re).collect(), both.iter().map(|value| value.im).collect()]
    }

    /// Two planes of real samples through a filter with a real, even spectrum, by one transform each way.
    pub(crate) fn filtered(&self, one: &[f32], other: &[f32], gain: &[f32]) -> [Vec<f32>; 2] {
        let mut both: Vec<Complex32> = one.iter().zip(other).map(|(&a, &b)| Complex32::new(a, b)).collect();
        self.forward(&mut both);
        both.iter_mut().zip(gain).for_each(|(value, gain)| *value *= gain);
        self.inverse(&mut both);
        [both.iter().map(|value| value.re).collect(), both.iter().map(|value| value.im).collect()]
    }

    /// The real part of what a spectrum stands for.
    pub(crate) fn real(&self, mut spectrum: Vec<Complex32>) -> Vec<f32> {
        self.inverse(&mut spectrum);
        spectrum.iter().map(|value| value.re).collect()
    }

    /// Signed frequencies in cycles per sample at place `index` of a transposed spectrum.
    pub(crate) fn frequency(&self, index: usize) -> (f32, f32) {
        let signed = |k: usize, n: usize| (if 2 * k > n { k as f32 - n as f32 } else { k as f32 }) / n as f32;
        (signed(index / self.height, self.width), signed(index % self.height, self.height))
    }
}

fn transposed(samples: &[Complex32], width: usize, height: usize) -> Vec<Complex32> {
    const TILE: usize = 16;
    let mut turned = vec![Complex32::default(); samples.len()];
    for y0 in (0..height).step_by(TILE) {
        for x0 in (0..width).step_by(TILE) {
            for y in y0..(y0 + TILE).min(height) {
                for x in x0..(x0 + TILE).min(width) {
                    turned[x * height + y] = samples[y * width + x];
                }
            }
        }
    }
    turned
}
