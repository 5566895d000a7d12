//! Relief whose slopes explain the fine part of pictures best, by least squares at the corners between samples.

use crate::shading::Shaded;
use crate::vectors::dot;

/// Waves of relief longer than `1 / LOWEST` modules are left to the form.
const LOWEST: f32 = 0.12;
/// Answers weaker than this share of the mean are not undone.
const WEAK: f32 = 0.3;
/// Steps of the solver.
const STEPS: usize = 40;

/// The normal equations of the least squares at the corners between samples: what slopes weigh, and what is asked of them.
struct Corners {
    width: usize,
    height: usize,
    /// Weights of the slope: along with along, along with down, down with down.
    weights: Vec<[f32; 3]>,
    asked: Vec<[f32; 2]>,
    /// What a height by itself weighs.
    flat: f32,
}

/// Relief by conjugate gradients.
pub(crate) fn solved(shaded: &[Shaded], (width, height): (usize, usize), module: f32) -> Vec<f32> {
    let corners = Corners::of(shaded, (width, height), module);
    let mut heights = vec![0.0f32; width * height];
    let mut rest = corners.right();
    let mut step = rest.clone();
    let mut power = dot(&rest, &rest);
    let enough = 1e-4 * power;
    for _ in 0..STEPS {
        if power <= enough {
            break;
        }
        let moved = corners.times(&step);
        let length = power / dot(&step, &moved).max(1e-20);
        for k in 0..heights.len() {
            heights[k] += length * step[k];
            rest[k] -= length * moved[k];
        }
        let next = dot(&rest, &rest);
        let keep = next / power;
        step.iter_mut().zip(&rest).for_each(|(step, rest)| *step = rest + keep * *step);
        power = next;
    }
    heights
}

impl Corners {
    fn of(shaded: &[Shaded], (width, height): (usize, usize), module: f32) -> Self {
        let count = (width - 1) * (height - 1);
        let mut weights = vec![[0.0f32; 3]; count];
        let mut asked = vec![[0.0f32; 2]; count];
        for picture in shaded {
            for y in 0..height - 1 {
                for x in 0..width - 1 {
                    let at = y * width + x;
                    let mean = |plane: &[f32]| {
                        0.25 * (plane[at] + plane[at + 1] + plane[at + width] + plane[at + width + 1])
                    };
                    let (a, d, v) = (mean(&picture.along), mean(&picture.down), mean(&picture.fine));
                    let corner = y * (width - 1) + x;
                    let weight = &mut weights[corner];
                    *weight = [weight[0] + a * a, weight[1] + a * d, weight[2] + d * d];
                    asked[corner] = [asked[corner][0] + a * v, asked[corner][1] + d * v];
                }
            }
        }
        let strength = shaded.len() as f32;
        let weak = WEAK * WEAK * strength.sqrt();
        for weight in &mut weights {
            *weight = [weight[0] + weak, weight[1], weight[2] + weak];
        }
        let flat = strength * (std::f32::consts::TAU * LOWEST / module).powi(2);
        Self { width, height, weights, asked, flat }
    }

    fn right(&self) -> Vec<f32> {
        let mut right = vec![0.0; self.width * self.height];
        self.each(|corner, at| self.spread(self.asked[corner], at, &mut right));
        right
    }

    fn times(&self, heights: &[f32]) -> Vec<f32> {
        let mut out: Vec<f32> = heights.iter().map(|height| self.flat * height).collect();
        let width = self.width;
        self.each(|corner, at| {
            let [a, b, c, d] = [heights[at], heights[at + 1], heights[at + width], heights[at + width + 1]];
            let (along, down) = (0.5 * (b - a + d - c), 0.5 * (c - a + d - b));
            let [xx, xy, yy] = self.weights[corner];
            self.spread([xx * along + xy * down, xy * along + yy * down], at, &mut out);
        });
        out
    }

    fn each(&self, mut visit: impl FnMut(usize, usize)) {
        for y in 0..self.height - 1 {
            for x in 0..self.width - 1 {
                visit(y * (self.width - 1) + x, y * self.width + x);
            }
        }
    }

    /// The transpose of the slope at a corner.
    fn spread(&self, [along, down]: [f32; 2], at: usize, out: &mut [f32]) {
        let (sum, difference) = (0.5 * (along + down), 0.5 * (along - down));
        out[at] -= sum;
        out[at + 1] += difference;
        out[at + self.width] -= difference;
        out[at + self.width + 1] += sum;
    }
}
