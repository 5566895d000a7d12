//! The spectrum of what is not the mark, and the filter that makes it white.

use rustfft::num_complex::Complex32;

use crate::fourier::Transform;

/// Samples along a side of the windows that the spectrum is estimated in.
const WINDOW: usize = 32;

/// The filter that divides by the root of a noise spectrum, on a square canvas.
#[derive(Clone)]
pub(crate) struct Whitener {
    /// Real gain at every place of a transposed spectrum of the canvas.
    pub(crate) gain: Vec<f32>,
}

impl Whitener {
    /// Noise believed white with a rise below `corner` cycles per sample; unit power where it is white.
    pub(crate) fn presumed(size: usize, corner: f32) -> Self {
        let transform = Transform::of(size, size);
        let gain = (0..size * size)
            .map(|place| {
                let (fx, fy) = transform.frequency(place);
                let squared = fx * fx + fy * fy;
                squared / (squared + corner * corner)
            })
            .collect();
        Self { gain }
    }

    /// Measures the noise in `rest` where `weight` is high (Welch: overlapping Hann windows), shrunk towards its
    /// average over directions, and never believed below a hundredth of its mean.
    pub(crate) fn measured(rest: &[f32], weight: &[f32], size: usize) -> Option<Self> {
        let (spectrum, total) = welch(rest, weight, size);
        if total < 2.0 {
            return None;
        }
        let smooth = rounded(&spectrum, total);
        let floor = 0.02 * smooth.iter().sum::<f32>() / smooth.len() as f32;
        let transform = Transform::of(size, size);
        let gain = (0..size * size)
            .map(|place| {
                let (fx, fy) = transform.frequency(place);
                1.0 / (interpolate(&smooth, fx, fy) + floor).max(1e-20).sqrt()
            })
            .collect();
        Some(Self { gain })
    }

    /// Multiplies a spectrum by the gain.
    pub(crate) fn apply(&self, spectrum: &mut [Complex32]) {
        for (value, gain) in spectrum.iter_mut().zip(&self.gain) {
            *value *= gain;
        }
    }
}

/// Mean power per sample at every frequency of a window (transposed order), and the number of full windows behind it.
fn welch(rest: &[f32], weight: &[f32], size: usize) -> (Vec<f32>, f32) {
    let hann: Vec<f32> = (0..WINDOW)
        .map(|k| 0.5 - 0.5 * (std::f32::consts::TAU * (k as f32 + 0.5) / WINDOW as f32).cos())
        .collect();
    let transform = Transform::of(WINDOW, WINDOW);
    let mut power = vec![0.0f32; WINDOW * WINDOW];
    let mut total = 0.0;
    for y0 in (0..=size - WINDOW).step_by(WINDOW / 2) {
        for x0 in (0..=size - WINDOW).step_by(WINDOW / 2) {
            let mut frame = vec![Complex32::default(); WINDOW * WINDOW];
            let (mut taken, mut all) = (0.0, 0.0);
            for y in 0..WINDOW {
                for x in 0..WINDOW {
                    let at = (y0 + y) * size + x0 + x;
                    let taper = hann[x] * hann[y];
                    frame[y * WINDOW + x].re = rest[at] * taper * weight[at];
                    taken += (taper * weight[at]).powi(2);
                    all += taper * taper;
                }
            }
            if taken < 0.4 * all {
                continue;
            }
            transform.forward(&mut frame);
            for (sum, value) in power.iter_mut().zip(&frame) {
                *sum += value.norm_sqr() / all;
            }
            total += taken / all;
        }
    }
    if total > 0.0 {
        for value in &mut power {
            *value /= total;
        }
    }
    (power, total)
}

/// Mixes each bin with the average over its ring of frequencies, the more so the fewer windows there are.
fn rounded(power: &[f32], windows: f32) -> Vec<f32> {
    let signed = |k: usize| if 2 * k > WINDOW { k as f32 - WINDOW as f32 } else { k as f32 };
    let ring =
        |place: usize| (signed(place / WINDOW).hypot(signed(place % WINDOW)).round() as usize).min(WINDOW);
    let mut rings = vec![(0.0f32, 0.0f32); WINDOW + 1];
    for (place, value) in power.iter().enumerate() {
        let ring = &mut rings[ring(place)];
        *ring = (ring.0 + value, ring.1 + 1.0);
    }
    let own = windows / (windows + 12.0);
    (0..power.len())
        .map(|place| {
            let (sum, count) = rings[ring(place)];
            own * power[place] + (1.0 - own) * sum / count
        })
        .collect()
}

fn interpolate(power: &[f32], fx: f32, fy: f32) -> f32 {
    let (x, y) = (fx * WINDOW as f32, fy * WINDOW as f32);
    let (x0, y0) = (x.floor(), y.floor());
    let at = |x: f32, y: f32| {
        let wrap = |k: f32| (k as isize).rem_euclid(WINDOW as isize) as usize;
        power[wrap(x) * WINDOW + wrap(y)]
    };
    let (px, py) = (x - x0, y - y0);
    (at(x0, y0) * (1.0 - px) + at(x0 + 1.0, y0) * px) * (1.0 - py)
        + (at(x0, y0 + 1.0) * (1.0 - px) + at(x0 + 1.0, y0 + 1.0) * px) * py
}
