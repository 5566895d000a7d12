//! What every shape of every part is worth, where the metal was moved, and how strongly.

use rustfft::num_complex::Complex32;
use symbology::Mark;

use super::blocks::{BLOCK, Blocks, STRENGTH_SPREAD, neighbours, present_evidence};
use super::{BELIEF, Observer};
use crate::bank::{Bank, Window, add, cut};
use crate::fourier::Transform;
use crate::vectors::softmax;

/// Shapes so far behind the best of their part, natural log, are not looked at again: what is handed on is tempered, and
/// doubted long before.
const BEYOND: f32 = 150.0;

/// Samples along a side of the canvas of the filters of single shapes: room for the largest of them and for the kernel.
fn patch_of(bank: &Bank) -> usize {
    let largest = bank.parts.iter().map(|part| part.window.width.max(part.window.height)).max().unwrap_or(0);
    (largest + 8).div_ceil(16).max(3) * 16
}

impl Observer<'_> {
    /// The likelihood of every shape, the strengths of the blocks, and new beliefs.
    pub(super) fn judge(&mut self, seen: &[Complex32]) {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let mut white = seen.to_vec();
        self.whitener.apply(&mut white);
        let shapes = self.rendered();
        let mut all = vec![0.0; size * size];
        let mut fixed = transform.spectrum(&self.bank.fixed);
        for (value, kernel) in fixed.iter_mut().zip(&self.kernel.spectrum) {
            *value *= kernel;
        }
        self.whitener.apply(&mut fixed);
        let [white, fixed] = transform.reals(&white, &fixed);
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
        // A gear ring has a search of its own, and thresholds that are without it.
        if !self.bank.marks.contains(&Mark::Gear) {
            self.fixed =
                self.bank.fixtures.iter().map(|(window, _)| self.drawn_there(*window, &white, &all)).sum();
        }
    }

    /// The log-likelihood ratio of all that is believed to be in a window against nothing.
    fn drawn_there(&self, window: Window, white: &[f32], all: &[f32]) -> f32 {
        let size = self.bank.canvas.size;
        let (seen, drawn) = (cut(white, size, window), cut(all, size, window));
        let known = cut(&self.known, size, window);
        let drawn: Vec<f32> = drawn.iter().zip(&known).map(|(drawn, known)| drawn * known).collect();
        let products = Blocks::of(window, size).products(&seen, &drawn);
        products.iter().map(|&(block, cross, own)| self.block_evidence(block, cross, own)).sum()
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
        let weighed = |shape: &Vec<f32>| -> Option<f32> {
            if shape.is_empty() {
                return None;
            }
            let total: Vec<f32> =
                shape.iter().zip(&others).zip(&known).map(|((s, o), k)| (s + o) * k).collect();
            let products = blocks.products(&seen, &total);
            let of = |&(block, cross, own): &(usize, f32, f32)| self.block_evidence(block, cross, own);
            Some(products.iter().map(of).sum())
        };
        let evidence: Vec<Option<f32>> = shapes.iter().map(weighed).collect();
        let most = |values: &mut dyn Iterator<Item = f32>| values.fold(f32::NEG_INFINITY, f32::max);
        let best = most(&mut evidence.iter().copied().flatten());
        // What was not looked at again stays as far behind as it was.
        let behind = |value: usize| {
            let before = &self.evidence[index];
            before[value] - most(&mut before.iter().copied())
        };
        evidence
            .iter()
            .enumerate()
            .map(|(value, seen)| seen.unwrap_or_else(|| best + behind(value)))
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

    /// Every shape through kernel and whitening, over the window of its part; nothing for what the round before left
    /// [`BEYOND`] nats behind.
    fn rendered(&self) -> Vec<Vec<Vec<f32>>> {
        let side = patch_of(&self.bank);
        let composite = self.composite(side);
        let transform = Transform::of(side, side);
        self.bank
            .parts
            .iter()
            .zip(self.shapes.iter())
            .enumerate()
            .map(|(index, (part, spectra))| {
                let count = part.shapes.len();
                let mut shapes = Vec::with_capacity(count);
                let possible = self.possible(index);
                for pair in spectra.chunks_exact(side * side) {
                    let both = [shapes.len(), shapes.len() + 1].map(|value| value < count && possible(value));
                    if both == [false; 2] {
                        shapes.resize((shapes.len() + 2).min(count), Vec::new());
                        continue;
                    }
                    let mut patch: Vec<Complex32> = pair.iter().zip(&composite).map(|(s, c)| s * c).collect();
                    transform.inverse(&mut patch);
                    let take = |pick: fn(&Complex32) -> f32| -> Vec<f32> {
                        (0..part.window.height)
                            .flat_map(|y| patch[y * side..y * side + part.window.width].iter().map(pick))
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

    /// Which shapes of a part the round before left possible.
    fn possible(&self, index: usize) -> impl Fn(usize) -> bool {
        let before = self.evidence.get(index);
        let most = before.into_iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
        move |value| before.is_none_or(|evidence| evidence[value] >= most - BEYOND)
    }

    /// Kernel and whitening together, on the small canvas.
    fn composite(&self, side: usize) -> Vec<Complex32> {
        let size = self.bank.canvas.size;
        let transform = Transform::of(size, size);
        let mut spectrum = self.kernel.spectrum.clone();
        self.whitener.apply(&mut spectrum);
        let plane = transform.real(spectrum);
        let half = side as isize / 2;
        let mut patch = vec![0.0; side * side];
        for y in -half + 1..half {
            for x in -half + 1..half {
                let radius = (x as f32).hypot(y as f32) / half as f32;
                let taper = ((1.0 - radius) * 3.0).clamp(0.0, 1.0);
                let wrap = |k: isize, n: usize| k.rem_euclid(n as isize) as usize;
                patch[wrap(y, side) * side + wrap(x, side)] =
                    taper * plane[wrap(y, size) * size + wrap(x, size)];
            }
        }
        Transform::of(side, side).spectrum(&patch)
    }
}

/// The spectra of all shapes of each part, two to a complex one.
pub(crate) fn shape_spectra(bank: &Bank) -> Vec<Vec<Complex32>> {
    let side = patch_of(bank);
    let transform = Transform::of(side, side);
    bank.parts
        .iter()
        .map(|part| {
            let mut spectra = Vec::new();
            for pair in part.shapes.chunks(2) {
                let mut patch = vec![Complex32::default(); side * side];
                for y in 0..part.window.height {
                    for x in 0..part.window.width {
                        let at = y * part.window.width + x;
                        patch[y * side + x] = Complex32::new(pair[0][at], pair.get(1).map_or(0.0, |s| s[at]));
                    }
                }
                transform.forward(&mut patch);
                spectra.extend(patch);
            }
            spectra
        })
        .collect()
}
