//! Two-dimensional real Fourier transforms of square grids, and the circular correlations made from them.

use std::ops::Range;
use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// The plans of every size met so far; each worker keeps its own.
#[derive(Default)]
pub(crate) struct Planner {
    sizes: Vec<Fourier>,
}

impl Planner {
    /// The plan for `n x n` samples.
    pub(crate) fn size(&mut self, n: usize) -> &mut Fourier {
        let at = self.sizes.iter().position(|plan| plan.n == n).unwrap_or_else(|| {
            self.sizes.push(Fourier::new(n));
            self.sizes.len() - 1
        });
        &mut self.sizes[at]
    }
}

/// Plans and scratch space for transforms of `n x n` samples.
///
/// A spectrum is kept transposed, `n / 2 + 1` columns of `n` values each, so that the first pass back runs through memory.
pub(crate) struct Fourier {
    pub(crate) n: usize,
    forward_rows: Arc<dyn RealToComplex<f32>>,
    backward_rows: Arc<dyn ComplexToReal<f32>>,
    forward_columns: Arc<dyn Fft<f32>>,
    backward_columns: Arc<dyn Fft<f32>>,
    scratch: Vec<Complex32>,
    line: Vec<Complex32>,
    columns: Vec<Complex32>,
}

/// The transform of a real `n x n` grid.
pub(crate) type Spectrum = Vec<Complex32>;

impl Fourier {
    pub(crate) fn new(n: usize) -> Self {
        let mut real = RealFftPlanner::<f32>::new();
        let mut complex = FftPlanner::<f32>::new();
        let forward_rows = real.plan_fft_forward(n);
        let backward_rows = real.plan_fft_inverse(n);
        let forward_columns = complex.plan_fft_forward(n);
        let backward_columns = complex.plan_fft_inverse(n);
        let longest = [
            forward_rows.get_scratch_len(),
            backward_rows.get_scratch_len(),
            forward_columns.get_inplace_scratch_len(),
            backward_columns.get_inplace_scratch_len(),
        ];
        Self {
            n,
            forward_rows,
            backward_rows,
            forward_columns,
            backward_columns,
            scratch: vec![Complex32::default(); longest.into_iter().max().unwrap_or(0)],
            line: vec![Complex32::default(); n / 2 + 1],
            columns: vec![Complex32::default(); (n / 2 + 1) * n],
        }
    }

    /// Transforms `n * n` real samples, row by row; the samples are used up as scratch.
    pub(crate) fn spectrum(&mut self, samples: &mut [f32]) -> Spectrum {
        let n = self.n;
        let mut spectrum = vec![Complex32::default(); (n / 2 + 1) * n];
        for (y, row) in samples.chunks_exact_mut(n).enumerate() {
            self.forward_rows
                .process_with_scratch(row, &mut self.line, &mut self.scratch)
                .expect("rows and lines have the planned lengths");
            for (x, value) in self.line.iter().enumerate() {
                spectrum[x * n + y] = *value;
            }
        }
        self.forward_columns.process_with_scratch(&mut spectrum, &mut self.scratch);
        spectrum
    }

    /// Circular correlation `out[d] = sum_p a[p] b[p + d] * n^2` for the row shifts `rows`, all column shifts.
    ///
    /// With `mirrored`, `b` is taken half a turn round: `out[d] = sum_p a[p] b[-p - d]`.
    /// Line `i` of `out` holds row shift `rows.start + i`; column `dx mod n` holds column shift `dx`.
    pub(crate) fn correlate(
        &mut self,
        [a, b]: [&[Complex32]; 2],
        mirrored: bool,
        rows: Range<isize>,
        out: &mut [f32],
    ) {
        let n = self.n;
        if mirrored {
            for ((c, a), b) in self.columns.iter_mut().zip(a).zip(b) {
                *c = (a * b).conj();
            }
        } else {
            for ((c, a), b) in self.columns.iter_mut().zip(a).zip(b) {
                *c = a.conj() * b;
            }
        }
        self.backward_columns.process_with_scratch(&mut self.columns, &mut self.scratch);
        for (row, out) in rows.zip(out.chunks_exact_mut(n)) {
            let y = row.rem_euclid(n as isize) as usize;
            for (x, value) in self.line.iter_mut().enumerate() {
                *value = self.columns[x * n + y];
            }
            self.line[0].im = 0.0;
            self.line[n / 2].im = 0.0;
            self.backward_rows
                .process_with_scratch(&mut self.line, out, &mut self.scratch)
                .expect("the imaginary parts that must vanish were set to zero");
        }
    }
}
