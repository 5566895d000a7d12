//! Regular machining marks: feed lines, turning rings and other structure that repeats or runs straight through.
//!
//! Firearms finished with one tool share such marks, and lines agree with themselves in many places; neither says which
//! firearm it was. In windows the size of a cell such structure stands out as few, very strong directions of the spectrum.

use rustfft::num_complex::Complex32;

use crate::fourier::Planner;
use crate::raster::Raster;

/// Power this many times the median of its wavelength is no texture; chance leads to it in one bin of 65,000.
const OUTSTANDING: f32 = 16.0;
/// On a surface known to be regular, this much is taken to belong to the lines...
const SUSPECT: f32 = 6.0;
/// ...and brought down to this much.
const LEFT: f32 = 0.7;
/// The least share of measured points in a window.
const LEAST_MEASURED: f32 = 0.3;

/// The share of the energy in regular structure, 0 to 1: the mean over windows of `n` samples.
pub(crate) fn share(surface: &Raster, n: usize, planner: &mut Planner) -> f64 {
    let (mut excess, mut all) = (0.0, 0.0);
    each_window(surface, (n, OUTSTANDING), planner, &mut |_, _, window, _| {
        excess += f64::from(window.excess) / f64::from(window.energy.max(f32::MIN_POSITIVE));
        all += 1.0;
    });
    if all > 0.0 { excess / all } else { 0.0 }
}

/// The surface with regular structure brought down below the median of its wavelength.
pub(crate) fn suppressed(surface: &Raster, n: usize, planner: &mut Planner) -> Raster {
    let mut out = surface.clone();
    let (width, height) = (surface.width as isize, surface.height as isize);
    each_window(surface, (n, SUSPECT), planner, &mut |x0, y0, _, removed| {
        for (row, line) in removed.chunks_exact(n).enumerate() {
            let y = y0 + row as isize;
            if !(0..height).contains(&y) {
                continue;
            }
            for (column, value) in line.iter().enumerate() {
                let x = x0 + column as isize;
                if (0..width).contains(&x) {
                    out.z[(y * width + x) as usize] -= value;
                }
            }
        }
    });
    for (z, w) in out.z.iter_mut().zip(&out.w) {
        *z *= w;
    }
    out
}

/// What one window holds.
struct Window {
    /// The power that stands out.
    excess: f32,
    energy: f32,
}

/// Calls `take` with the place of every window, its energies, and the regular structure in it; windows overlap by half.
fn each_window(
    surface: &Raster,
    (n, bound): (usize, f32),
    planner: &mut Planner,
    take: &mut impl FnMut(isize, isize, &Window, &[f32]),
) {
    let half = (n / 2) as isize;
    let rise: Vec<f32> =
        (0..n).map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / n as f32).cos()).collect();
    let rings = rings(n);
    let (mut grid, mut removed) = (vec![0.0; n * n], vec![0.0; n * n]);
    let flat = vec![1.0.into(); (n / 2 + 1) * n];
    let mut y0 = -half;
    while y0 < surface.height as isize {
        let mut x0 = -half;
        while x0 < surface.width as isize {
            let measured = cut(surface, [x0, y0], &rise, &mut grid);
            if measured >= LEAST_MEASURED * (n * n) as f32 {
                let plan = planner.size(n);
                let mut spectrum = plan.spectrum(&mut grid);
                let window = outstanding(&mut spectrum, &rings, bound);
                plan.correlate([&flat, &spectrum], false, 0..n as isize, &mut removed);
                let scale = 1.0 / (n * n) as f32;
                for value in &mut removed {
                    *value *= scale;
                }
                take(x0, y0, &window, &removed);
            }
            x0 += half;
        }
        y0 += half;
    }
}

/// The windowed heights, and how many points are measured.
fn cut(surface: &Raster, [x0, y0]: [isize; 2], rise: &[f32], grid: &mut [f32]) -> f32 {
    let n = rise.len();
    grid.fill(0.0);
    let mut measured = 0.0;
    for (row, line) in grid.chunks_exact_mut(n).enumerate() {
        let y = y0 + row as isize;
        if y < 0 || y >= surface.height as isize {
            continue;
        }
        for (column, value) in line.iter_mut().enumerate() {
            let x = x0 + column as isize;
            if x >= 0 && x < surface.width as isize {
                let at = y as usize * surface.width + x as usize;
                *value = surface.z[at] * rise[row] * rise[column];
                measured += surface.w[at];
            }
        }
    }
    measured
}

/// The bins of the half spectrum by wavelength: ring `r` holds those within one and a half of radius `r`.
fn rings(n: usize) -> Vec<Vec<usize>> {
    let mut rings = vec![Vec::new(); n / 2];
    for x in 0..=n / 2 {
        for y in 0..n {
            let fy = if y > n / 2 { y as f64 - n as f64 } else { y as f64 };
            let radius = (x as f64).hypot(fy);
            for (r, ring) in rings.iter_mut().enumerate().skip(1) {
                if (radius - r as f64).abs() <= 1.5 {
                    ring.push(x * n + y);
                }
            }
        }
    }
    rings
}

/// Leaves in the spectrum only what stands out from its wavelength, less what is kept of it.
fn outstanding(spectrum: &mut [Complex32], rings: &[Vec<usize>], bound: f32) -> Window {
    let power: Vec<f32> = spectrum.iter().map(Complex32::norm_sqr).collect();
    let energy: f32 = power.iter().sum();
    let mut allowed = vec![f32::INFINITY; power.len()];
    let mut sorted = Vec::new();
    for ring in rings.iter().skip(1) {
        sorted.clear();
        sorted.extend(ring.iter().map(|&at| power[at]));
        let middle = sorted.len() / 2;
        let typical = *sorted.select_nth_unstable_by(middle, f32::total_cmp).1;
        for &at in ring {
            // A bin lies in up to three rings; the most generous one counts.
            allowed[at] = if allowed[at].is_finite() { allowed[at].max(typical) } else { typical };
        }
    }
    let mut excess = 0.0;
    for ((value, power), typical) in spectrum.iter_mut().zip(power).zip(allowed) {
        if power > bound * typical {
            excess += power - LEFT * typical;
            *value *= 1.0 - (LEFT * typical / power).sqrt();
        } else {
            *value = 0.0.into();
        }
    }
    Window { excess, energy }
}
