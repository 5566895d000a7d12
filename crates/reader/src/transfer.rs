//! The transfer kernel: what blur, drag, a second strike and the light make of a thin stroke.

use rustfft::num_complex::Complex32;

use crate::fourier::Transform;
use crate::raster::Canvas;
use crate::vectors::solve_symmetric;
use crate::whiten::Whitener;

/// Modules from the middle of the kernel to its edge.
const REACH: f32 = 2.34;

/// A kernel on a square canvas, as its (transposed) spectrum.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub(crate) spectrum: Vec<Complex32>,
}

impl Kernel {
    /// A Gaussian of `sigma` samples and unit sum; with a direction, its derivative along it.
    pub(crate) fn gaussian(size: usize, sigma: f32, direction: Option<[f32; 2]>) -> Self {
        let transform = Transform::of(size, size);
        let tau = std::f32::consts::TAU;
        let spectrum = (0..size * size)
            .map(|place| {
                let (fx, fy) = transform.frequency(place);
                let gain = (-0.5 * (tau * sigma).powi(2) * (fx * fx + fy * fy)).exp();
                match direction {
                    None => Complex32::new(gain, 0.0),
                    Some([c, s]) => Complex32::new(0.0, gain * tau * (c * fx + s * fy)),
                }
            })
            .collect();
        Self { spectrum }
    }

    /// The same kernel, stronger.
    pub(crate) fn times(mut self, factor: f32) -> Self {
        self.spectrum.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// The kernel that best turns `drawn` into `seen` where noise is what `whitener` makes white (maximum a posteriori:
    /// taps are small, smaller far out).
    pub(crate) fn fitted(
        (seen, drawn): (&[Complex32], &[Complex32]),
        whitener: &Whitener,
        canvas: Canvas,
    ) -> Option<Self> {
        let size = canvas.size;
        let reach = (REACH * canvas.per_module) as isize;
        let transform = Transform::of(size, size);
        let squared: Vec<f32> = whitener.gain.iter().map(|gain| gain * gain).collect();
        let product = |a: &[Complex32], b: &[Complex32]| -> Vec<Complex32> {
            a.iter().zip(b).zip(&squared).map(|((a, b), w)| a * b.conj() * w).collect()
        };
        let [own, cross] = transform.reals(&product(drawn, drawn), &product(seen, drawn));
        let wrapped = |k: isize| k.rem_euclid(size as isize) as usize;
        let at = |plane: &[f32], x: isize, y: isize| f64::from(plane[wrapped(y) * size + wrapped(x)]);
        let taps: Vec<(isize, isize)> = (-reach..=reach)
            .flat_map(|y| (-reach..=reach).map(move |x| (x, y)))
            .filter(|(x, y)| x * x + y * y <= reach * reach)
            .collect();
        let n = taps.len();
        let mut matrix = vec![0.0; n * n];
        for (i, &(xi, yi)) in taps.iter().enumerate() {
            for (j, &(xj, yj)) in taps.iter().enumerate().take(i + 1) {
                matrix[i * n + j] = at(&own, xi - xj, yi - yj);
            }
            matrix[i * n + i] += 1.0 / believed((xi, yi), f64::from(canvas.per_module)).powi(2);
        }
        let right = taps.iter().map(|&(x, y)| at(&cross, x, y)).collect();
        let solution = solve_symmetric(matrix, right)?;
        let mut plane = vec![0.0; size * size];
        for (&(x, y), value) in taps.iter().zip(solution) {
            plane[wrapped(y) * size + wrapped(x)] = value as f32;
        }
        Some(Self { spectrum: transform.spectrum(&plane) })
    }
}

/// How large a tap may well be (standard deviation) for values of unit mean square.
fn believed((x, y): (isize, isize), per_module: f64) -> f64 {
    let squared = (x * x + y * y) as f64 / (per_module * per_module);
    (0.3 * (-squared / 1.9).exp() + 0.02) * 4.0 / per_module
}
