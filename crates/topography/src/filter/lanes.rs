//! Columns that lie side by side, many at a time: sums stay in the nearest memory while a whole kernel passes.
//!
//! Moments of a centred Gaussian are even or odd, so that what lies as far on both sides is added or subtracted once, for all of them.

use rayon::prelude::*;

use crate::wide;

/// Columns taken together: so many that the compiler keeps the loops over them, and takes several abreast.
pub(super) const LANES: usize = 32;
/// One number of each column.
pub(super) type Lanes = [f64; LANES];
/// Moments 0 to 4 of a kernel.
pub(super) const MOMENTS: usize = 5;
/// For every distance from the middle of a kernel, beginning with none, its moments; those of the middle are halved, because it lies on
/// both sides.
pub(super) type Taps = Vec<[f64; MOMENTS]>;

/// Images of one size, their rows side by side in whole blocks of columns, with empty rows above and below.
pub(super) struct Images {
    samples: Vec<f64>,
    count: usize,
    stride: usize,
    margin: usize,
}

impl Images {
    pub(super) fn empty(count: usize, [width, height]: [usize; 2], margin: usize) -> Self {
        let stride = width.next_multiple_of(LANES);
        Self { samples: vec![0.0; count * stride * (height + 2 * margin)], count, stride, margin }
    }

    /// Samples from an image to the next one in a row.
    pub(super) const fn stride(&self) -> usize {
        self.stride
    }

    /// Every row but the empty ones, all images of it one after the other.
    pub(super) fn rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f64]> {
        let row = self.count * self.stride;
        let end = self.samples.len() - self.margin * row;
        self.samples[self.margin * row..end].par_chunks_mut(row.max(1))
    }

    /// One row of one image.
    pub(super) fn row(&self, image: usize, row: usize) -> &[f64] {
        let at = ((row + self.margin) * self.count + image) * self.stride;
        &self.samples[at..at + self.stride]
    }

    /// The first `M` moments along the columns of a block that begins at `column`.
    #[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
    #[inline(always)]
    pub(super) fn moments<const M: usize>(
        &self,
        image: usize,
        [column, row]: [usize; 2],
        taps: &[[f64; MOMENTS]],
    ) -> [Lanes; M] {
        let apart = self.count * self.stride;
        let middle = (row + self.margin) * apart + image * self.stride + column;
        moments(&self.samples, middle, apart, taps)
    }

    /// All images of one row smoothed along the columns; `row` may lie in the margins.
    pub(super) fn smoothed(&self, row: isize, taps: &[[f64; MOMENTS]], out: &mut [f64]) {
        let apart = self.count * self.stride;
        let middle = row.saturating_add_unsigned(self.margin).unsigned_abs() * apart;
        smooth_rows(&self.samples, [middle, apart], taps, out);
    }
}

/// The first so many moments of a row, which lies in the middle of `padded`, all one after the other, in the blocks that are wanted.
pub(super) fn along_row(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
    let stride = padded.len() + 2 - 2 * taps.len();
    match out.len() / stride {
        1 => row_of_one(padded, taps, blocks, out),
        2 => row_of_two(padded, taps, blocks, out),
        3 => row_of_three(padded, taps, blocks, out),
        _ => row_of_five(padded, taps, blocks, out),
    }
}

/// A row with as much nothing on either side as the kernel reaches, for [`along_row`].
pub(super) fn pad(row: &[f64], taps: &[[f64; MOMENTS]], padded: &mut Vec<f64>) {
    let reach = taps.len() - 1;
    padded.clear();
    padded.resize(row.len().next_multiple_of(LANES) + 2 * reach, 0.0);
    padded[reach..reach + row.len()].copy_from_slice(row);
}

#[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
#[inline(always)]
fn row_of<const M: usize>(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
    let reach = taps.len() - 1;
    let stride = padded.len() - 2 * reach;
    for (column, _) in (0..stride).step_by(LANES).zip(blocks).filter(|(_, wanted)| **wanted) {
        let sums = moments::<M>(padded, column + reach, 1, taps);
        for (out, sum) in out.chunks_exact_mut(stride).zip(&sums) {
            out[column..column + LANES].copy_from_slice(sum);
        }
    }
}

wide! {
    fn row_of_one(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
        row_of::<1>(padded, taps, blocks, out);
    }
}
wide! {
    fn row_of_two(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
        row_of::<2>(padded, taps, blocks, out);
    }
}
wide! {
    fn row_of_three(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
        row_of::<3>(padded, taps, blocks, out);
    }
}
wide! {
    fn row_of_five(padded: &[f64], taps: &[[f64; MOMENTS]], blocks: &[bool], out: &mut [f64]) {
        row_of::<5>(padded, taps, blocks, out);
    }
}

wide! {
    fn smooth_rows(samples: &[f64], place: [usize; 2], taps: &[[f64; MOMENTS]], out: &mut [f64]) {
        for (block, out) in out.chunks_exact_mut(LANES).enumerate() {
            let [sum] = moments::<1>(samples, place[0] + LANES * block, place[1], taps);
            out.copy_from_slice(&sum);
        }
    }
}

/// The first `M` moments of the block at `middle`, its neighbours lying `apart` samples apart.
#[expect(clippy::inline_always, reason = "it must take on the instructions of what it is built into")]
#[inline(always)]
fn moments<const M: usize>(
    samples: &[f64],
    middle: usize,
    apart: usize,
    taps: &[[f64; MOMENTS]],
) -> [Lanes; M] {
    let mut sums = [[0.0; LANES]; M];
    for (far, weights) in taps.iter().enumerate() {
        let block = |at: usize| samples[at..].first_chunk::<LANES>().unwrap_or(&[0.0; LANES]);
        let (before, after) = (block(middle - far * apart), block(middle + far * apart));
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            even[lane] = after[lane] + before[lane];
            odd[lane] = after[lane] - before[lane];
        }
        for (moment, sum) in sums.iter_mut().enumerate() {
            let both = if moment % 2 == 0 { &even } else { &odd };
            for lane in 0..LANES {
                sum[lane] += weights[moment] * both[lane];
            }
        }
    }
    sums
}
